# SPDX-License-Identifier: BSD-3-Clause
"""The command line against a real sluiced and a service that runs: its life by hand, what is told of it, what a dry run leaves alone."""
import json
import os
import select
import subprocess
import unittest

from cli import ServiceCase
from lab import program, until


class Cli(ServiceCase):
    def data(self, *words):
        return json.loads(self.expect(0, *words, "-o", "json").stdout)

    def test_errors_have_lines(self):
        bad = self.write("bad.cfg", self.text.replace('"198.51.100.10"', '"198.51.100"'))
        line = 1 + [i for i, text in enumerate(self.text.splitlines()) if '"198.51.100.10"' in text][0]
        for verb in ("validate", "apply", "diff"):
            done = self.expect(7, verb, "-f", bad)
            self.assertIn(f"{bad}:{line}: services[0].vnfs[1].config.pools[0].addresses[0]: ", done.stderr)
        self.expect(0, "apply", "-f", self.good)
        nat = self.write("nat.cfg", 'pools = ( { name = "public";\n  addresses = [ "198.51.100" ]; } );')
        for verb in ("set", "diff"):
            self.assertIn(f"{nat}:2: pools[0].addresses[0]: ", self.expect(7, "config", verb, "edge/nat", "-f", nat).stderr)
        late = self.write("late.cfg", self.text.replace('"af_packet:wan0"', '"pcap:/nonexistent"'))
        line = 1 + [i for i, text in enumerate(self.text.splitlines()) if '"af_packet:wan0"' in text][0]
        self.expect(0, "delete", "service", "edge")
        self.assertIn(f"{late}:{line}: services[edge].edge.ports[1].device: ", self.expect(1, "apply", "-f", late).stderr, "found only by the process")
        self.expect(0, "apply", "-f", self.good)
        more = self.write("nat.json", '{"pools": [{"name": "public", "addresses": ["198.51.100.10", "198.51.100.11"]}]}')
        self.assertIn("198.51.100.11", self.expect(8, "config", "diff", "edge/nat", "-f", more).stdout)
        self.expect(0, "config", "set", "edge/nat", "-f", more)
        self.expect(0, "config", "diff", "edge/nat", "-f", more)
        self.expect(0, "delete", "service", "edge")
        self.expect(7, "validate", "-f", self.write("syntax.cfg", "services = ( { name = ; } );"))
        self.assertEqual(self.data("get", "service"), [], "nothing has changed")

    def test_life(self):
        self.expect(8, "diff", "-f", self.good)
        self.expect(0, "apply", "-f", self.good)
        self.expect(0, "diff", "-f", self.good)
        until("traffic flows", lambda: self.lab.ping(self.lab.SERVER4, count=1))
        self.assertIn("firewall", self.expect(0, "get", "vnf", "edge").stdout)
        self.expect(0, "config", "set", "edge/fw", "rules[ping].action", "drop")
        self.assertEqual(self.lab.ping(self.lab.SERVER4, count=1), 0)
        self.expect(8, "diff", "-f", self.good)
        self.expect(0, "chain", "remove", "edge/all", "fw")
        until("the firewall is out of the way", lambda: self.lab.ping(self.lab.SERVER4, count=1))
        self.expect(0, "chain", "insert", "edge/all", "fw", "--before", "nat")
        until("it is back", lambda: not self.lab.ping(self.lab.SERVER4, count=1))
        self.expect(0, "restart", "edge")
        self.assertIn("vnf-ready", self.expect(0, "events", "--last", "50").stdout)
        self.assertIn("edge/fw", self.expect(0, "top", "--once").stdout)
        self.expect(0, "delete", "-f", self.good)
        self.expect(3, "get", "service", "edge")

    def test_operations_for_programs(self):
        op = self.data("apply", "-f", self.good)
        self.assertEqual((op["kind"], op["state"]), ("apply", "COMPLETED"))
        self.assertEqual(self.expect(0, "restart", "edge", "-o", "name", "-q").stdout, f"{op['id'] + 1}\n")
        begun = self.data("heal", "edge", "--no-wait")
        self.assertEqual(self.data("op", "wait", str(begun["id"]))["state"], "COMPLETED")
        self.assertEqual(self.expect(0, "restart", "edge/fw", "-q").stderr, "")

    def test_describe(self):
        self.expect(0, "apply", "-f", self.good)
        until("traffic flows", lambda: self.lab.ping(self.lab.SERVER4, count=1))
        service = self.data("describe", "service", "edge")
        process, = service["processes"]
        self.assertEqual(service["state"], "ready")
        self.assertGreaterEqual(service["sessions"]["opened"], 1)
        until("there are some sessions", lambda: self.lab.ping(self.lab.SERVER4, count=1) and len(self.data("get", "sessions", "edge")) > 2)
        self.assertEqual(len(self.data("get", "sessions", "edge", "--limit", "2")), 2)
        os.kill(process["pid"], 0)
        self.assertTrue(process["cores"])
        self.assertEqual([p["name"] for p in service["ports"]], ["lan", "wan"])
        self.assertGreater(service["ports"][0]["receivedPackets"], 0)
        self.assertTrue(service["revisions"][-1]["current"])
        self.assertIn("vnf-ready", [e["kind"] for e in service["events"]])
        text = self.expect(0, "describe", "service", "edge").stdout
        for title in ("state  ", "processes:", "ports:", "revisions:", "events:", str(process["pid"])):
            self.assertIn(title, text)
        vnf = self.expect(0, "describe", "vnf", "edge/fw").stdout
        self.assertRegex(vnf, r"counters.accepted +[1-9]")
        self.assertRegex(vnf, r"packets +\d+ forward, \d+ backward")
        self.assertEqual([f["name"] for f in self.data("describe", "chain", "edge/all")["functions"]], ["fw", "nat"])
        self.assertIn("op-completed", self.expect(0, "describe", "op", "1").stdout)
        self.assertIn("workerCores", self.expect(0, "describe", "node", self.data("get", "nodes")[0]["name"]).stdout)
        for words in (("service", "nobody"), ("vnf", "edge/nobody"), ("chain", "edge/nobody"), ("op", "99")):
            self.expect(3, "describe", *words)

    def test_describe_says_why(self):
        """A process that cannot start: the service says what is wrong with it."""
        self.expect(0, "apply", "-f", self.good)
        for name in os.listdir(self.libexec):
            os.unlink(os.path.join(self.libexec, name))
        os.kill(self.data("describe", "service", "edge")["processes"][0]["pid"], 9)
        service = until("the end is noticed", lambda: (lambda s: s if s["state"] != "ready" else None)(self.data("describe", "service", "edge")))
        self.assertTrue(until("why", lambda: self.data("describe", "service", "edge").get("why")))
        self.assertNotEqual(service["processes"][0].get("health"), "healthy")
        self.assertIn("why", self.expect(0, "describe", "service", "edge").stdout)

    def test_dry_runs_change_nothing(self):
        self.assertIn("+ services[edge]", self.expect(0, "apply", "-f", self.good, "--dry-run").stdout)
        self.assertEqual(self.data("get", "services"), [])
        self.expect(0, "apply", "-f", self.good)
        before = self.data("get", "service", "edge")
        fw = self.write("fw.cfg", 'default = "reject";')
        for words in (("chain", "remove", "edge/all", "fw"), ("chain", "reorder", "edge/all", "lan", "nat", "fw", "wan"),
                      ("chain", "set", "edge/more", "lan", "nat", "wan"), ("config", "set", "edge/fw", "default", "reject"),
                      ("config", "set", "edge/fw", "-f", fw), ("delete", "service", "edge"), ("delete", "-f", self.good), ("heal", "edge/fw"),
                      ("restart", "edge")):
            shown = self.expect(0, *words, "--dry-run").stdout
            self.assertTrue(shown, f"{words} says what would happen")
        self.expect(0, "chain", "remove", "edge/all", "fw")
        self.assertIn("path", self.expect(0, "chain", "insert", "edge/all", "fw", "--before", "nat", "--dry-run").stdout)
        self.expect(0, "chain", "insert", "edge/all", "fw", "--before", "nat")
        self.expect(4, "op", "retry", "1", "--dry-run")
        after = self.data("get", "service", "edge")
        self.assertEqual((after["descriptor"], after["process"]["pid"]), (before["descriptor"], before["process"]["pid"]))

    def test_watch(self):
        self.expect(0, "apply", "-f", self.good)
        watcher = self.start("get", "vnf", "edge/fw", "--watch", "-o", "yaml")
        for cleanup in (watcher.stdout.close, watcher.stderr.close, watcher.wait, watcher.kill):
            self.addCleanup(cleanup)
        first = self.watched(watcher, lambda line: line.startswith("pid: "))
        self.expect(0, "restart", "edge")
        self.watched(watcher, lambda line: line.startswith("pid: ") and line != first)

    def test_events(self):
        self.expect(0, "apply", "-f", self.good)
        self.assertIn("edge", self.expect(0, "events", "edge", "--last", "100").stdout)
        kinds = [e["kind"] for e in self.data("get", "events")]
        self.assertLessEqual({"op-started", "vnf-ready"}, set(kinds))
        self.assertNotIn("op-started", self.expect(0, "events", "edge", "--last", "100").stdout)
        self.assertEqual(self.expect(0, "events", "edge/fw", "--last", "1", "-q").stdout, "")
        listener = self.start("events", "edge")
        for cleanup in (listener.stdout.close, listener.stderr.close, listener.wait, listener.kill):
            self.addCleanup(cleanup)
        # It may begin to listen too late for the first restart; an event of each is told.
        until("it is told", lambda: self.expect(0, "restart", "edge") and select.select([listener.stdout], [], [], 1)[0], 60)
        self.watched(listener, lambda line: "vnf-" in line)

    def test_get(self):
        self.expect(0, "apply", "-f", self.good)
        self.assertEqual([(v["service"], v["name"]) for v in self.data("get", "vnfs")], [("edge", "fw"), ("edge", "nat")], "of all services")
        self.assertEqual([(p["service"], p["device"]) for p in self.data("get", "ports")], [("edge", p["device"]) for p in self.data("get", "ports", "edge")])
        self.assertEqual(self.data("get", "vnfs", "edge", "--filter", "(eq,kind,nat)")[0]["name"], "nat")
        self.assertEqual(len(self.data("get", "routes", "edge", "--limit", "2")), 2)
        self.assertGreater(len(self.data("get", "routes", "edge")), 2)
        self.assertRegex(self.expect(0, "get", "counters", "edge").stdout, r"(?m)^balance.balanced +true$")
        self.assertNotIn("UPTIME", self.expect(0, "get", "vnfs").stdout)
        self.assertIn("UPTIME", self.expect(0, "get", "vnfs", "-o", "wide").stdout)
        self.assertEqual(self.expect(0, "get", "vnfs", "edge", "-o", "name").stdout, "fw\nnat\n")
        self.assertEqual(self.data("get", "traffic", "edge/fw")["name"], "fw", "what only the function knows")
        self.assertIn('no state "gadgets"', self.expect(3, "get", "gadgets", "edge/fw").stderr)
        for words in (("rules", ), ("counters", ), ("rules", "edge"), ("gadgets", ), ("rulez", "edge/fw")):
            self.expect(2, "get", *words)

    def test_config(self):
        self.expect(0, "apply", "-f", self.good)
        self.assertEqual(self.expect(0, "config", "get", "edge/fw", "rules[ping].action").stdout, "accept\n")
        self.assertEqual(self.data("config", "get", "edge/fw", "rules[ping].action"), "accept")
        self.assertEqual(self.expect(0, "config", "get", "edge/nat", "pools[public].addresses", "-o", "yaml").stdout, "- \"198.51.100.10\"\n")
        self.assertIn("sluice explain", self.expect(3, "config", "get", "edge/fw", "rules[mail]").stderr)
        self.expect(0, "config", "unset", "edge/fw", "rules[ping]")
        self.assertEqual(self.lab.ping(self.lab.SERVER4, count=1), 0)
        shown = self.expect(0, "config", "set", "edge/fw", "rules[again]", '{"protocol": "icmp", "action": "accept"}', "-v").stderr
        self.assertRegex(shown, r"-H 'If-Match: \"\d+\"'", "nobody's change is lost")
        self.assertEqual(self.data("config", "get", "edge/fw", "rules")[-1]["name"], "again")
        self.expect(0, "chain", "remove", "edge/all", "nat")
        self.expect(0, "config", "unset", "edge/fw", "rules[rest]")
        until("the last rule lets it through", lambda: self.lab.ping(self.lab.SERVER4, count=1))
        self.expect(3, "config", "unset", "edge/fw", "rules[rest]")
        self.expect(7, "config", "set", "edge/fw", "gadgets.colour", "red")
        self.assertIn("rules[0].action", self.expect(7, "config", "set", "edge/fw", "rules[web].action", "dorp").stderr)
        changes = [self.start("config", "set", "edge/fw", "rules[web].destinationPorts", str(8000 + i)) for i in range(4)]
        said = [(change.communicate(timeout=90)[1], change.returncode) for change in changes]
        self.assertIn(0, [status for _, status in said], said)
        for text, status in said:
            self.assertTrue(status == 0 or (status == 4 and ("somebody else has changed it" in text or "is under way" in text)), said)

    def test_wait_for_something(self):
        self.assertIn("nothing yet", self.expect(5, "get", "services", "--wait", "--timeout", "1").stderr)
        self.expect(5, "get", "service", "edge", "--wait", "--timeout", "1")
        self.expect(7, "get", "services", "--filter", "(nonsense", "--wait", "--timeout", "60")
        waiting = self.start("get", "services", "--filter", "(eq,name,edge);(eq,state,ready)", "--wait", "--timeout", "100", "-o", "name")
        for cleanup in (waiting.stdout.close, waiting.stderr.close, waiting.wait, waiting.kill):
            self.addCleanup(cleanup)
        self.expect(0, "apply", "-f", self.good)
        self.assertEqual((waiting.wait(60), waiting.stdout.read()), (0, "edge\n"))
        self.expect(0, "get", "service", "edge", "--wait=ready", "--timeout", "60")
        self.assertIn("nothing that is degraded", self.expect(5, "get", "services", "--wait=degraded", "--timeout", "1").stderr)
        self.assertIn("deleted", self.expect(2, "get", "services", "--wait=golden").stderr)
        self.expect(0, "restart", "edge", "--wait=ready", "--timeout", "60")
        gone = self.start("get", "service", "edge", "--wait=deleted", "--timeout", "100")
        for cleanup in (gone.stdout.close, gone.stderr.close, gone.wait, gone.kill):
            self.addCleanup(cleanup)
        self.expect(0, "delete", "service", "edge", "--wait=deleted")
        self.assertEqual((gone.wait(60), gone.stdout.read()), (0, ""))
        self.expect(0, "get", "services", "--wait=deleted")

    def test_logs(self):
        self.expect(0, "apply", "-f", self.good)
        whole = self.expect(0, "logs", "edge").stdout
        self.assertIn("event=ready", whole)
        self.assertEqual(self.expect(0, "logs", "edge/fw", "--last", "1").stdout, whole.splitlines(keepends=True)[-1])
        self.expect(3, "logs", "edge/nobody")
        self.assertIn("standard error", self.expect(3, "logs").stderr, "of sluiced itself: where it is")
        watcher = self.start("logs", "edge", "--watch")
        for cleanup in (watcher.stdout.close, watcher.stderr.close, watcher.wait, watcher.kill):
            self.addCleanup(cleanup)
        seen = [watcher.stdout.readline() for _ in whole.splitlines()]
        self.assertEqual("".join(seen), whole)
        self.expect(0, "restart", "edge")
        self.watched(watcher, lambda line: "event=ready" in line)

    def test_describe_watched(self):
        self.expect(0, "apply", "-f", self.good)
        watcher = self.start("describe", "service", "edge", "--watch", "-o", "yaml")
        for cleanup in (watcher.stdout.close, watcher.stderr.close, watcher.wait, watcher.kill):
            self.addCleanup(cleanup)
        self.watched(watcher, lambda line: line == "state: ready\n")
        self.expect(0, "delete", "service", "edge")
        self.assertEqual(watcher.wait(30), 3)

    def watched(self, process, wanted):
        for line in process.stdout:
            if wanted(line):
                return line
        return self.fail("the output has ended")

    def test_completion_of_live_names(self):
        self.expect(0, "apply", "-f", self.good)

        def candidates(*words):
            return {line.split("\t")[0] for line in self.expect(0, "__complete", *words).stdout.splitlines()}

        self.assertEqual(candidates("get", "service", ""), {"edge"})
        self.assertEqual(candidates("restart", ""), {"edge", "edge/fw", "edge/nat"})
        self.assertEqual(candidates("chain", "insert", ""), {"edge/all"})
        self.assertEqual(candidates("chain", "insert", "edge/all", ""), {"fw", "nat"})
        self.assertEqual(candidates("config", "get", "e"), {"edge/fw", "edge/nat"})
        self.assertEqual(candidates("op", "show", ""), {"1"})
        self.assertEqual(candidates("trace", ""), {"edge", "edge/all"})
        self.assertEqual(candidates("chain", "insert", "edge/all", "fw", "--before", ""), {"fw", "nat"})
        self.assertEqual(candidates("chain", "reorder", "edge/all", "lan", "nat", ""), {"lan", "fw", "nat", "wan"})
        self.assertEqual(candidates("history", ""), {"edge", "edge/fw", "edge/nat"})
        self.assertEqual(candidates("rollback", "edge", ""), {"1"})
        self.assertEqual(candidates("describe", "chain", ""), {"edge/all"})
        self.assertEqual(candidates("--server", self.server, "get", "service", "-o", "json", ""), {"edge"})
        self.assertLessEqual({"at", "tcp", "in"}, candidates("capture", "edge/fw", ""))
        self.assertLessEqual({"lan", "wan"}, candidates("trace", "edge", "in", ""))
        self.assertLessEqual({"rules.name", "rules.action"}, candidates("config", "set", "edge/fw", "rules."))
        self.assertLessEqual({"default", "zones"}, candidates("config", "set", "edge/fw", ""))
        self.assertIn("--before", candidates("chain", "insert", "edge/all", "fw", "--"))

    def test_a_reader_that_has_had_enough(self):
        self.expect(0, "apply", "-f", self.good)
        for words in ("get routes edge", "describe service edge", "explain firewall.rules", "events --last 100"):
            script = f'{program("sluice")} {words} | head -c 1 >/dev/null; echo "${{PIPESTATUS[0]}}"'
            done = subprocess.run(["bash", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment(), timeout=60)
            self.assertEqual((done.stdout, done.stderr), ("0\n", ""), words)
        for words in (("get", "vnfs", "edge", "--watch"), ("events", )):
            process = self.start(*words)
            self.addCleanup(process.kill)
            if words[0] == "get":
                process.stdout.readline()
            process.stdout.close()
            self.expect(0, "restart", "edge")
            self.expect(0, "restart", "edge")
            self.assertEqual(process.wait(30), 0)
            self.assertEqual(process.stderr.read(), "")
            process.stderr.close()


if __name__ == "__main__":
    unittest.main(verbosity=2)
