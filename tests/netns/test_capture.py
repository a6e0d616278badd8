# SPDX-License-Identifier: BSD-3-Clause
"""Captures with real traffic, read back by tcpdump: at ports, around functions, in processes behind hops; bounds; what refuses one."""
import os
import re
import subprocess
import tempfile
import threading
import unittest

from lab import Line, program, rest, run, until

FIREWALL = {"zones": [{"name": "inside", "ports": ["lan"]}],
            "rules": [{"name": "no-telnet", "from": "inside", "protocol": "tcp", "destinationPorts": "23", "action": "drop"},
                      {"name": "out", "from": "inside", "action": "accept"}]}
NAT = {"pools": [{"name": "p", "addresses": ["198.51.100.10"]}]}


def tcpdump(data, *words):
    """Lines that tcpdump makes of a capture; it complains of nothing."""
    with tempfile.NamedTemporaryFile(suffix=".pcapng") as file:
        file.write(data)
        file.flush()
        done = run("tcpdump", "-nn", "-r", file.name, *words)
    assert "truncated" not in done.stderr and "unknown" not in done.stderr, done.stderr
    return done.stdout.splitlines()


class Process(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Line()
        cls.addClassCleanup(cls.lab.close)
        functions = [{"name": "fw", "kind": "firewall", "config": FIREWALL}, {"name": "nat", "kind": "nat", "config": NAT}]
        cls.engine = cls.lab.engine("edge", cls.lab.document(functions, workers=2)).ready()
        until("traffic flows", lambda: cls.lab.ping(cls.lab.SERVER4, count=1))

    def setUp(self):
        self.addCleanup(self.engine.rest, "DELETE", "/v1/capture")

    def capture(self, traffic, **body):
        """The stream of a capture that ends by its number of packets or by time, while `traffic` runs."""
        reply = self.engine.rest("POST", "/v1/capture", body)
        self.assertEqual(reply.status, 201, reply.body)
        got = []

        def read():
            done = subprocess.run(["curl", "-s", "-S", "--unix-socket", self.engine.socket, "http://x/v1/capture/packets"], stdout=subprocess.PIPE, timeout=60)
            got.append((done.returncode, done.stdout))

        reader = threading.Thread(target=read)
        reader.start()
        traffic()
        reader.join(60)
        self.assertEqual(got[0][0], 0)
        return got[0][1]

    def test_ports(self):
        data = self.capture(lambda: self.lab.ping(self.lab.SERVER4, count=3), packets=12, seconds=20, filter={"rules": [{"protocol": "icmp"}]})
        lines = tcpdump(data)
        self.assertEqual(len(lines), 12)
        self.assertEqual(len([x for x in lines if "192.0.2.10 > 198.51.100.254: ICMP echo request" in x]), 3, "lan, in")
        self.assertEqual(len([x for x in lines if "198.51.100.10 > 198.51.100.254: ICMP echo request" in x]), 3, "wan, out")
        self.assertEqual(len([x for x in lines if "198.51.100.254 > 198.51.100.10: ICMP echo reply" in x]), 3, "wan, in")
        self.assertEqual(len([x for x in lines if "198.51.100.254 > 192.0.2.10: ICMP echo reply" in x]), 3, "lan, out")

    def test_around_a_function(self):
        data = self.capture(lambda: self.lab.ping(self.lab.SERVER4, count=1), packets=4, seconds=20, at=["nat"])
        lines = tcpdump(data)
        self.assertEqual([re.search(r"IP (\S+) > (\S+):", x).groups() for x in lines],
                         [("192.0.2.10", "198.51.100.254"), ("198.51.100.10", "198.51.100.254"),
                          ("198.51.100.254", "198.51.100.10"), ("198.51.100.254", "192.0.2.10")])

    def test_a_number_that_becomes_another_s(self):
        """What takes the place of a function or port that is gone is not captured in its name."""
        lab = Line()
        self.addCleanup(lab.close)
        document = lab.document([{"name": "a", "kind": "count"}, {"name": "b", "kind": "count"}])
        engine = lab.engine("other", document).ready()
        until("traffic flows", lambda: lab.ping(lab.SERVER4, count=1))
        self.assertEqual(engine.rest("POST", "/v1/capture", {"at": ["b", "lan"], "seconds": 30}).status, 201)
        reader = subprocess.Popen(["curl", "-s", "-S", "--unix-socket", engine.socket, "http://x/v1/capture/packets"], stdout=subprocess.PIPE)
        self.addCleanup(reader.kill)

        def put(functions, ports):
            changed = {**document, "functions": [{"name": n, "kind": "count"} for n in functions], "edge": {"ports": ports},
                       "paths": [{"name": "all", "path": [ports[0]["name"], *functions, "wan"]}]}
            reply = engine.rest("PUT", "/v1/config", changed)
            self.assertEqual(reply.status, 200, reply.body)

        lan, wan = document["edge"]["ports"]
        lab.ping(lab.SERVER4, count=2)
        put(["a"], [lan, wan])
        put(["a"], [{**lan, "name": "spare", "device": "null:?receive=0", "addresses": []}, wan])
        put(["a", "c"], [{**lan, "name": "inside"}, wan])
        until("traffic flows again", lambda: lab.ping(lab.SERVER4, count=1))
        self.assertEqual(lab.ping(lab.SERVER4, count=20), 20)
        self.assertEqual(engine.rest("DELETE", "/v1/capture").status, 204)
        data = reader.communicate(timeout=60)[0]
        self.assertLessEqual(len([x for x in tcpdump(data) if "echo" in x]), 2 * (4 + 2) + 2)

    def test_filter_and_snap(self):
        def traffic():
            self.lab.ping(self.lab.SERVER4, count=2, size=1000)
            self.lab.ping(self.lab.SERVER6, count=1, size=1000)

        data = self.capture(traffic, packets=2, seconds=20, at=["lan"], snap=100, filter={"rules": [{"source": self.lab.CLIENT6}]})
        self.assertEqual(len(tcpdump(data, "ip6")), 2)
        self.assertLess(len(data), 1000)

    def test_ends_by_time(self):
        data = self.capture(lambda: None, seconds=1, filter={"rules": [{"source": "203.0.113.99"}]})
        self.assertEqual(tcpdump(data), [])
        self.assertFalse(self.engine.get("/v1/capture")["running"])

    def test_bounded(self):
        self.assertEqual(self.engine.rest("POST", "/v1/capture", {"seconds": 30}).status, 201)
        before = self.engine.balance()["sent"]
        run("ip", "netns", "exec", self.lab.client, "ping", "-n", "-q", "-f", "-c", "3000", "-s", "1400", self.lab.SERVER4)
        self.assertGreater(self.engine.balance()["sent"] - before, 5990, "no packet is lost for a capture that nobody reads")
        self.assertGreater(self.engine.get("/v1/capture")["lost"], 0, "what has no room is counted")

    def test_refused(self):
        self.assertEqual(self.engine.rest("GET", "/v1/capture").status, 404)
        self.assertEqual(self.engine.rest("GET", "/v1/capture/packets").status, 404)
        for body, place in (({"at": ["nowhere"]}, "at"), ({"at": "lan"}, "at"), ({"packets": -1}, "packets"), ({"x": 1}, "x")):
            reply = self.engine.rest("POST", "/v1/capture", body)
            self.assertEqual(reply.status, 422, reply.body)
            self.assertEqual([e["path"] for e in reply.json()["errors"]], [place])
        self.assertEqual(self.engine.rest("POST", "/v1/capture", {}).status, 201)
        self.assertEqual(self.engine.rest("POST", "/v1/capture", {}).status, 409)
        self.assertEqual(self.engine.rest("DELETE", "/v1/capture").status, 204)


class Service(unittest.TestCase):
    """`sluice capture`, in the service process and in one behind a hop."""

    def setUp(self):
        self.lab = Line()
        self.addCleanup(self.lab.close)
        self.socket = self.lab.sluiced()
        self.addCleanup(lambda: rest(self.socket, "DELETE", "/v1/services/edge?wait=30", timeout=60))
        ports = [{k: v for k, v in p.items() if k != "netns"} for p in self.lab.ports()]
        service = {"name": "edge", "placement": "process", "edge": {"netns": self.lab.edge, "ports": ports},
                   "vnfs": [{"name": "fw", "kind": "firewall", "config": FIREWALL}, {"name": "nat", "kind": "nat", "config": NAT}],
                   "chains": [{"name": "all", "path": ["lan", "fw", "nat", "wan"]}]}
        reply = rest(self.socket, "POST", "/v1/apply?wait=60", {"resources": {"services": [service]}}, timeout=90)
        self.assertEqual(reply.json().get("state"), "COMPLETED", reply.body)
        until("traffic flows", lambda: self.lab.ping(self.lab.SERVER4, count=1))

    def capture(self, *words):
        command = [program("sluice"), "--server", "unix:" + self.socket, "capture", *words, "--seconds", "30"]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertIn(b"capturing", child.stderr.readline())
        self.lab.ping(self.lab.SERVER4, count=2)
        out, err = child.communicate(timeout=60)
        self.assertEqual(child.returncode, 0, err)
        self.assertIn(b"0 lost", err)
        return out

    def test_standard_output(self):
        lines = tcpdump(self.capture("edge/nat", "icmp", "-w", "-", "--packets", "4"))
        self.assertEqual(len(lines), 4)
        self.assertIn("192.0.2.10 > 198.51.100.254", lines[0])
        self.assertIn("198.51.100.10 > 198.51.100.254", lines[1])

    def test_file(self):
        file = os.path.join(self.lab.folder, "out.pcapng")
        self.capture("edge", "at", "wan", "icmp", "-w", file, "--packets", "4")
        with open(file, "rb") as opened:
            lines = tcpdump(opened.read())
        self.assertEqual([("198.51.100.10 >" in x or "> 198.51.100.10" in x) for x in lines], [True] * 4)
        before = os.stat(file).st_size
        refused = run(program("sluice"), "--server", "unix:" + self.socket, "capture", "edge", "at", "nowhere", "-w", file, check=False)
        self.assertEqual((refused.returncode, os.stat(file).st_size), (7, before), "what was captured before is not lost")
        unwritable = run(program("sluice"), "--server", "unix:" + self.socket, "capture", "edge", "-w", os.path.join(file, "x"), check=False)
        self.assertEqual(unwritable.returncode, 1)
        self.assertEqual(rest(self.socket, "GET", "/v1/services/edge/capture").status, 404, "nothing is left running")

    def test_usage(self):
        self.assertEqual(run(program("sluice"), "capture", "edge", check=False).returncode, 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
