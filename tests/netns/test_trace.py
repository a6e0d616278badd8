# SPDX-License-Identifier: BSD-3-Clause
"""Traces with real traffic: what a filter marks, what is told of it, in one process and across hops; what refuses a trace."""
import json
import subprocess
import unittest

from lab import Line, program, rest, run, until

FIREWALL = {"zones": [{"name": "inside", "ports": ["lan"]}],
            "rules": [{"name": "no-telnet", "from": "inside", "protocol": "tcp", "destinationPorts": "23", "action": "drop"},
                      {"name": "no-ssh", "from": "inside", "protocol": "tcp", "destinationPorts": "22", "action": "reject"},
                      {"name": "out", "from": "inside", "action": "accept"}]}
NAT = {"pools": [{"name": "p", "addresses": ["198.51.100.10-198.51.100.13"]}]}


def walks(trace):
    """{number: [steps]} in order of time."""
    found = {}
    for step in sorted(trace["steps"], key=lambda s: s["time"]):
        found.setdefault(step["packet"], []).append(step)
    return found


def kinds(walk):
    return [s["step"] for s in walk]


class Process(unittest.TestCase):
    """The REST of one process."""

    @classmethod
    def setUpClass(cls):
        cls.lab = Line()
        cls.addClassCleanup(cls.lab.close)
        functions = [{"name": "fw", "kind": "firewall", "config": FIREWALL}, {"name": "nat", "kind": "nat", "config": NAT}]
        cls.engine = cls.lab.engine("edge", cls.lab.document(functions)).ready()
        until("traffic flows", lambda: cls.lab.ping(cls.lab.SERVER4, count=1))

    def setUp(self):
        self.addCleanup(self.engine.rest, "DELETE", "/v1/trace")

    def begin(self, **body):
        reply = self.engine.rest("POST", "/v1/trace", body)
        self.assertEqual(reply.status, 201, reply.body)

    def connect(self, port):
        run("ip", "netns", "exec", self.lab.client, "bash", "-c", f"exec 2>&-; timeout 0.5 bash -c '</dev/tcp/{self.lab.SERVER4}/{port}'", check=False)

    def seen(self, count):
        """The walks, once so many have an end."""
        ends = {"sent", "dropped", "refused", "delivered"}
        return until(f"{count} walks", lambda: (lambda w: w if sum(bool(ends & set(kinds(x))) for x in w.values()) >= count else None)(
            walks(self.engine.get("/v1/trace"))))

    def test_there_and_back(self):
        self.begin(filter={"rules": [{"protocol": "icmp", "source": self.lab.CLIENT4}]}, packets=2)
        self.assertEqual(self.lab.ping(self.lab.SERVER4, count=3), 3)
        there, back = [w for _, w in sorted(self.seen(2).items())]
        self.assertEqual(kinds(there), ["received", "no-session", "path", "opened", "function", "function", "sent"])
        self.assertEqual(kinds(back), ["received", "session-found", "function", "function", "sent"])
        self.assertEqual([s["name"] for s in there if "name" in s], ["lan", "all", "all", "fw", "nat", "wan"])
        self.assertEqual([s["name"] for s in back if s["step"] == "function"], ["nat", "fw"])
        nat = there[5]
        self.assertEqual((nat["before"]["source"], nat["verdict"]), (self.lab.CLIENT4, "pass"))
        self.assertRegex(nat["after"]["source"], r"198\.51\.100\.1[0-3]")
        self.assertEqual(there[-1]["before"]["source"], nat["after"]["source"])
        self.assertEqual(there[-1]["before"]["ttl"], there[0]["before"]["ttl"] - 1)
        self.assertEqual(back[2]["after"]["destination"], self.lab.CLIENT4, "an answer is found by its session")
        self.assertEqual(self.engine.get("/v1/trace")["marked"], 2, "no more than asked for")

    def test_reasons(self):
        self.begin(filter={"rules": [{"protocol": "tcp", "destinationPorts": "22-23"}], "oneWay": True})
        self.connect(23)
        self.connect(22)
        found = self.seen(2)
        telnet = next(w for w in found.values() if w[0]["before"]["destinationPort"] == 23)
        ssh = next(w for w in found.values() if w[0]["before"]["destinationPort"] == 22)
        self.assertEqual(kinds(telnet), ["received", "no-session", "path", "refused"])
        self.assertEqual((telnet[-1]["name"], telnet[-1]["by"]), ("fw", "firewall"))
        names = self.engine.get("/v1/vnfs/fw")["counters"]
        self.assertIn(telnet[-1]["reason"], names)
        self.assertIn("answered", kinds(ssh))
        self.assertEqual(ssh[-1]["step"], "sent", "the answer is followed until it leaves")
        self.assertEqual(ssh[-1]["name"], "lan")

    def test_dropped_by_the_edge(self):
        self.begin(filter={"rules": [{"protocol": "icmp", "destination": "192.0.2.1"}], "oneWay": True})
        self.lab.ping("192.0.2.1", count=1)
        walk = next(iter(self.seen(1).values()))
        self.assertEqual(kinds(walk), ["received", "no-session", "delivered", "sent"])
        self.engine.rest("DELETE", "/v1/trace")
        self.begin(filter={"rules": [{"destination": "198.51.100.77"}], "oneWay": True})
        self.lab.ping("198.51.100.77", count=1)
        walk = next(iter(self.seen(1).values()))
        self.assertEqual(walk[0]["step"], "received")
        self.assertIn("held", kinds(walk))
        walk = until("the neighbour is given up", lambda: next(
            (w for w in walks(self.engine.get("/v1/trace")).values() if "dropped" in kinds(w)), None))
        self.assertEqual([s["reason"] for s in walk if s["step"] == "dropped"], ["hold-timeout"])

    def test_one_at_a_time(self):
        self.assertEqual(self.engine.rest("GET", "/v1/trace").status, 404)
        self.begin()
        self.assertEqual(self.engine.rest("POST", "/v1/trace", {}).status, 409)
        self.assertEqual(self.engine.rest("DELETE", "/v1/trace").status, 204)
        self.begin(seconds=1)
        until("its time is over", lambda: not self.engine.get("/v1/trace")["running"])
        self.begin()

    def test_refused(self):
        for body, place in (({"packets": 0}, "packets"), ({"seconds": "x"}, "seconds"), ({"fliter": {}}, "fliter"),
                            ({"filter": {"rules": [{"source": "192.0.2.300"}]}}, "rules[0].source"), ({"filter": {"port": "nowhere"}}, "port")):
            reply = self.engine.rest("POST", "/v1/trace", body)
            self.assertEqual(reply.status, 422, reply.body)
            self.assertEqual([e["path"] for e in reply.json()["errors"]], [place])
        self.assertEqual(self.engine.rest("GET", "/v1/trace").status, 404)

    def test_counters_add_up(self):
        self.begin(packets=1000)
        self.assertEqual(self.lab.ping(self.lab.SERVER4, count=50), 50)
        self.assertEqual(self.lab.ping(self.lab.SERVER6, count=50), 50)
        self.engine.rest("DELETE", "/v1/trace")
        self.engine.balance()


class Service(unittest.TestCase):
    """`sluice trace` of a service whose functions stand behind hops."""

    def setUp(self):
        self.lab = Line()
        self.addCleanup(self.lab.close)
        self.socket = self.lab.sluiced()
        self.addCleanup(lambda: rest(self.socket, "DELETE", "/v1/services/edge?wait=30", timeout=60))

    def apply(self, placement, workers):
        ports = [{k: v for k, v in p.items() if k != "netns"} for p in self.lab.ports()]
        service = {"name": "edge", "placement": placement, "engine": {"workers": workers}, "edge": {"netns": self.lab.edge, "ports": ports},
                   "vnfs": [{"name": "fw", "kind": "firewall", "config": FIREWALL}, {"name": "nat", "kind": "nat", "config": NAT}],
                   "chains": [{"name": "all", "path": ["lan", "fw", "nat", "wan"]}]}
        reply = rest(self.socket, "POST", "/v1/apply?wait=60", {"resources": {"services": [service]}}, timeout=90)
        self.assertEqual(reply.json().get("state"), "COMPLETED", reply.body)
        until("traffic flows", lambda: self.lab.ping(self.lab.SERVER4, count=1))

    def trace(self, *words, output="table"):
        command = [program("sluice"), "--server", "unix:" + self.socket, "-o", output, "trace", "edge/all", *words, "--packets", "2", "--seconds", "20"]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertIn("tracing", child.stderr.readline())
        while child.poll() is None:
            self.lab.ping(self.lab.SERVER4, count=3)
        out, err = child.communicate()
        self.assertEqual(child.returncode, 0, err)
        return out

    def test_across_hops(self):
        for workers in (1, 2):
            self.apply("process", workers)
            there, back = json.loads(self.trace("icmp", "from", self.lab.CLIENT4, output="json"))
            self.assertEqual([s["process"] for s in there["steps"] if s["step"] == "received"], ["edge", "fw", "edge", "nat", "edge"])
            self.assertEqual([s["process"] for s in back["steps"] if s["step"] == "received"], ["edge", "nat", "edge", "fw", "edge"])
            self.assertEqual([s["name"] for s in there["steps"] if s["step"] == "function"], ["fw", "nat"])
            self.assertEqual(there["steps"][-1]["name"], "wan")
            self.assertEqual(back["steps"][-1]["name"], "lan")
            nat = next(s for s in there["steps"] if s.get("name") == "nat" and s["step"] == "function")
            self.assertRegex(nat["after"]["source"], r"198\.51\.100\.1[0-3]")

    def test_told(self):
        self.apply("fused", 2)
        out = self.trace("icmp", "from", self.lab.CLIENT4)
        self.assertIn("comes in by lan: ICMP 192.0.2.10", out)
        self.assertRegex(out, r"nat \(nat\) lets it pass; source 192\.0\.2\.10(:\d+)? becomes 198\.51\.100\.1[0-3]")
        self.assertRegex(out, r"nat \(nat\) lets it pass; destination 198\.51\.100\.1[0-3](:\d+)? becomes 192\.0\.2\.10")
        self.assertIn("leaves by wan", out)
        self.assertEqual(rest(self.socket, "GET", "/v1/services/edge/trace").status, 404, "nothing is left running")
        done = run(program("sluice"), "--server", "unix:" + self.socket, "trace", "edge/nowhere", "--seconds", "1", check=False)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn('"nowhere"', done.stderr)

    def test_words(self):
        done = run(program("sluice"), "--server", "unix:" + self.socket, "trace", "edge", "nonsense", check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn('what is "nonsense"', done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
