# SPDX-License-Identifier: BSD-3-Clause
"""The firewall between two hosts: rules, default deny, reject, live review of sessions, hits, errors with their places."""
import subprocess
import unittest

from lab import Line, run, until

ZONES = [{"name": "inside", "ports": ["lan"]}, {"name": "outside", "ports": ["wan"]}]


def rule(name, action="accept", **more):
    return {"name": name, "from": "inside", "to": "outside", "action": action, **more}


class Firewall(unittest.TestCase):
    def setUp(self):
        self.lab = Line()
        self.addCleanup(self.lab.close)

    def start(self, rules, **more):
        config = {"zones": ZONES, "rules": rules, **more}
        self.engine = self.lab.engine("fw", self.lab.document([{"name": "fw", "kind": "firewall", "config": config}])).ready()
        return self.engine

    def hits(self):
        return {r["name"]: r for r in self.engine.get("/v1/vnfs/fw/state/rules")}

    def test_rules(self):
        data = self.lab.web()
        self.lab.web(port=8001)
        self.start([rule("web", protocol="tcp", destinationPorts=8000), rule("ping", protocol="icmp", icmpType=8), rule("ping6", protocol="icmpv6")])
        for host in (self.lab.SERVER4, f"[{self.lab.SERVER6}]"):
            self.assertEqual(self.lab.fetch(f"http://{host}:8000/file"), data)
            self.assertIsNone(self.lab.fetch(f"http://{host}:8001/file", timeout=1))
        self.assertEqual(self.lab.ping(self.lab.SERVER4), 3)
        self.assertEqual(self.lab.ping(self.lab.SERVER6), 3)
        self.assertEqual(self.lab.ping(self.lab.CLIENT4, count=1, space=self.lab.server), 0, "nothing begins outside")
        hits = self.hits()
        self.assertGreater(hits["web"]["packets"], 10)
        self.assertEqual(hits["ping"]["packets"], 6)
        self.assertGreater(hits["default"]["packets"], 0)
        self.engine.balance()

    def test_reject(self):
        self.start([rule("no", "reject")])
        for host in (self.lab.SERVER4, f"[{self.lab.SERVER6}]"):
            done = run("ip", "netns", "exec", self.lab.client, "curl", "-s", "-g", "-m", 5, f"http://{host}:8000/", check=False)
            self.assertEqual(done.returncode, 7, "connection refused, at once")
        done = run("ip", "netns", "exec", self.lab.client, "ping", "-n", "-c", 1, "-W", 2, self.lab.SERVER4, check=False)
        self.assertRegex(done.stdout, "filtered|prohibited|Unreachable|unreachable")
        self.engine.balance()

    def test_redirects(self):
        """What tells a host to route otherwise or to slow down is no error of a session; by choice it passes."""
        self.start([rule("all")])
        heard = self.lab.process(["tcpdump", "-n", "-l", "-i", "eth0", "icmp"], netns=self.lab.client)
        until("it listens", lambda: "listening" in heard.text())
        script = ("from scapy.all import *\n"
                  "inner = IP(src='192.0.2.10', dst='198.51.100.254') / UDP(sport=5000, dport=9)\n"
                  "for type in (5, 4, 3):\n"
                  "    send(IP(src='198.51.100.254', dst='192.0.2.10') / ICMP(type=type, code=1 if type == 3 else 0) / inner, verbose=False)\n")
        send = lambda: run("ip", "netns", "exec", self.lab.server, "/usr/bin/python3", "-c", script)
        run("ip", "netns", "exec", self.lab.client, "python3", "-c", "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('', 5000)); s.sendto(b'x', ('198.51.100.254', 9))")
        send()
        until("the unreachable came", lambda: "host 198.51.100.254 unreachable" in heard.text(), 30)
        self.assertNotIn("redirect", heard.text())
        self.assertNotIn("quench", heard.text())
        self.assertEqual(self.engine.get("/v1/vnfs/fw")["counters"]["not-related"], 2)
        self.assertEqual(self.engine.rest("PATCH", "/v1/vnfs/fw/config", {"redirects": "accept"}).status, 200)
        send()
        until("both came", lambda: "redirect" in heard.text() and "quench" in heard.text(), 30)
        self.engine.balance()

    def test_review(self):
        """A policy change meets live sessions: the forbidden one stops, the other goes on."""
        self.start([rule("ping", protocol="icmp"), rule("ping6", protocol="icmpv6")])
        command = ["ip", "netns", "exec", self.lab.client, "ping", "-n", "-i", "0.1", "-w", "6", "-c", "40"]
        four, six = (subprocess.Popen(command + [t], stdout=subprocess.PIPE, text=True) for t in (self.lab.SERVER4, self.lab.SERVER6))
        until("both flow", lambda: self.hits()["ping"]["packets"] > 4 and self.hits()["ping6"]["packets"] > 4)
        reply = self.engine.rest("PATCH", "/v1/vnfs/fw/config", {"rules": [rule("ping", "drop", protocol="icmp"), rule("ping6", protocol="icmpv6")]})
        self.assertEqual(reply.status, 200, reply.body)
        answers4, answers6 = (int(p.communicate()[0].split(" received")[0].split()[-1]) for p in (four, six))
        self.assertLess(answers4, 40)
        self.assertEqual(answers6, 40, "the other session lost nothing")
        self.assertGreater(self.hits()["ping6"]["packets"], 70, "hits outlive the change")
        self.engine.balance()

    def test_joins_a_live_session_and_refuses_it(self):
        """Nothing is dropped by the judgement itself: counters add up, the packets that come after it are its hits."""
        document = self.lab.document([])
        self.engine = self.lab.engine("fw", document).ready()
        command = ["ip", "netns", "exec", self.lab.client, "ping", "-n", "-i", "0.1", "-w", "6", "-c", "40"]
        both = [subprocess.Popen(command + [t], stdout=subprocess.PIPE, text=True) for t in (self.lab.SERVER4, self.lab.SERVER6)]
        until("both flow", lambda: len(self.engine.get("/v1/state/sessions")) >= 2)
        with_firewall = self.lab.document([{"name": "fw", "kind": "firewall", "config": {"zones": ZONES, "rules": [rule("ping6", protocol="icmpv6"), rule("no", "reject")]}}])
        reply = self.engine.rest("PUT", "/v1/config", with_firewall)
        self.assertEqual(reply.status, 200, reply.body)
        answers4, answers6 = (int(p.communicate()[0].split(" received")[0].split()[-1]) for p in both)
        self.assertLess(answers4, 40)
        self.assertEqual(answers6, 40, "the other session lost nothing")
        counters = self.engine.get("/v1/state/counters")
        self.assertEqual(self.engine.get("/v1/vnfs/fw")["counters"]["rejected"], self.hits()["no"]["packets"])
        self.assertGreater(counters["engine"]["path-changed"], 0)
        self.engine.balance()

    def test_errors(self):
        self.start([rule("web", protocol="tcp")])
        bad = {"zones": ZONES, "rules": [rule("a", source=["10.0.0"]), rule("b", destinationPorts="80"), rule("c", action="allow"),
                                         {"name": "d", "from": "nowhere", "action": "drop"}]}
        for path in ("/v1/vnfs/fw/config", "/v1/vnfs/fw/config?dryRun=1"):
            reply = self.engine.rest("PUT", path, bad)
            self.assertEqual(reply.status, 422, reply.body)
            self.assertTrue(any(e["path"] == "functions[0].config.rules[2].action" for e in reply.json()["errors"]), reply.body)
        bad["rules"][2]["action"] = "accept"
        errors = self.engine.rest("PUT", "/v1/vnfs/fw/config", bad).json()["errors"]
        self.assertEqual({e["code"] for e in errors}, {"not-a-prefix", "ports-without-protocol", "unknown-zone"}, errors)
        none = {"zones": ZONES, "rules": [rule("a", source=[]), rule("b", services=[]), rule("c", source=["192.0.2.0/24"], destination=["2001:db8::/32"])]}
        errors = self.engine.rest("PUT", "/v1/vnfs/fw/config", none).json()["errors"]
        self.assertEqual([(e["path"].split("config.")[1], e["code"]) for e in errors],
                         [("rules[0].source", "empty"), ("rules[1].services", "empty"), ("rules[2]", "no-family")])
        none["rules"] = [rule("a", protocol="icmp", source=["2001:db8::/32"]), rule("b", protocol="icmpv6", destination=["192.0.2.0/24"]),
                         rule("c", protocol="icmp", source=["2001:db8::/32", "192.0.2.0/24"])]
        errors = self.engine.rest("PUT", "/v1/vnfs/fw/config", none).json()["errors"]
        self.assertEqual([(e["path"].split("config.")[1], e["code"]) for e in errors], [("rules[0].protocol", "wrong-family"), ("rules[1].protocol", "wrong-family")])
        self.assertEqual(self.engine.get("/v1/vnfs/fw/config")["rules"][0]["name"], "web", "nothing has changed")
        revision = self.engine.get("/readyz")["revision"]
        dry = self.engine.rest("PUT", "/v1/vnfs/fw/config?dryRun=1", {"zones": ZONES, "rules": []})
        self.assertEqual((dry.status, dry.json()["valid"]), (200, True))
        self.assertEqual(self.engine.get("/readyz")["revision"], revision)
        stale = self.engine.rest("PUT", "/v1/config", {}, {"If-Match": '"77"'})
        self.assertEqual(stale.status, 412)


if __name__ == "__main__":
    unittest.main(verbosity=2)
