#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Bad input and a poor host: every error with its path, and nothing changes. Real executables."""
import os
import socket
import subprocess

import mano
from mano import service


class Refusals(mano.Case):
    def tearDown(self):
        self.assertEqual(self.s.pids(), {})
        self.assertEqual(self.s.get("/v1/services").json, [])

    def test_all_errors_of_a_descriptor(self):
        bad = service(placement="container", colour="red", engine={"workers": 99})
        bad["chains"][0]["path"] = ["lan", "fw"]
        bad["edge"]["ports"][0]["addresses"] = ["192.0.2.300/24"]
        reply = self.s.apply(bad)
        body = self.assertStatus(reply, 422)
        paths = {error["path"] for error in body["errors"]}
        for path in ("services[0].colour", "services[0].engine.workers", "services[0].edge.ports[0].addresses[0]"):
            self.assertIn(path, paths)

    def test_rules_of_a_descriptor(self):
        bad = service()
        bad["vnfs"] += [{"name": "lan", "kind": "firewall"}, {"name": "x", "kind": "toaster"},
                        {"name": "y", "kind": "firewall", "placement": "vm"}, {"name": "log", "kind": "firewall"}]
        bad["chains"][0]["path"] = ["lan", "fw", "nobody", "fw", "nowhere"]
        self.assertErrors(self.s.apply(bad), 422,
                          ("services[0].vnfs[1].name", "duplicate-name"), ("services[0].vnfs[2].kind", "unknown-kind"),
                          ("services[0].vnfs[3].placement", "not-built"), ("services[0].vnfs[4].name", "reserved-name"),
                          ("services[0].chains[0].path[2]", "no-such-vnf"),
                          ("services[0].chains[0].path[3]", "twice-on-chain"),
                          ("services[0].chains[0].path[4]", "no-such-port"))

    def test_errors_of_a_function(self):
        for placement in ("fused", "process"):
            bad = service(placement=placement)
            bad["vnfs"][0]["config"] = {"rules": [{"name": "a", "action": "accept"},
                                                  {"name": "b", "action": "accept", "protocol": "tpc"}]}
            body = self.assertStatus(self.s.apply(bad), 422)
            self.assertIn("services[0].vnfs[0].config.rules[1].protocol", {error["path"] for error in body["errors"]})

    def test_more_functions_than_a_session_has_room_for(self):
        names = [f"f{number}" for number in range(8)]
        for placement, place in (("fused", "vnfs[7]"), ("process", "chains[0].path[8]")):
            many = service(placement=placement, vnfs=[{"name": name, "kind": "firewall", "config": {"default": "accept"}} for name in names])
            many["chains"][0]["path"] = ["lan", *names, "wan"]
            body = self.assertErrors(self.s.apply(many), 422, (f"services[0].{place}", "no-slot"))
            self.assertIn('"f7" needs 16 bytes of each session, and of 112 other functions have 112', body["errors"][0]["detail"])

    def test_long_names(self):
        long = service("s" * 63, placement="process", vnfs=[{"name": "v" * 60, "kind": "firewall"}])
        long["chains"][0]["path"][1] = "v" * 60
        step = "services[0].chains[0].path[1]"
        body = self.assertErrors(self.s.apply(long), 422, ("services[0].vnfs[0].name", "name-too-long"),
                                 (step, "name-too-long"), (step, "name-too-long"))
        self.assertIn("107", body["errors"][0]["detail"])

    def test_interface_and_namespace(self):
        bad = service()
        bad["edge"]["ports"][0]["device"] = "af_packet:no-such-if"
        body = self.assertErrors(self.s.apply(bad), 409, ("services[0].edge.ports[0].device", "no-such-interface"))
        self.assertIn("lo", body["errors"][0]["detail"])
        bad["edge"]["netns"] = "no-such-netns"
        body = self.assertErrors(self.s.apply(bad), 409, ("services[0].edge.netns", "no-such-netns"))
        self.assertIn("ip netns add no-such-netns", body["errors"][0]["detail"])

    def test_cores_and_memory(self):
        too_many = service(engine={"workers": 32, "shareCores": False})
        body = self.assertErrors(self.s.apply(too_many), 409, ("services[0].engine.workers", "too-few-cores"))
        self.assertIn("shareCores", body["errors"][0]["detail"])
        too_many["engine"] = {"workers": 32, "idle": "poll"}
        body = self.assertErrors(self.s.apply(too_many), 409, ("services[0].engine.workers", "too-few-cores"))
        self.assertIn("adaptive", body["errors"][0]["detail"])
        huge = service(engine={"memory": 1 << 20})
        self.assertErrors(self.s.apply(huge), 409, ("services[0].engine", "not-enough-memory"))

    def test_taken_socket(self):
        os.mkdir(os.path.join(self.s.run, "edge"))
        with socket.socket(socket.AF_UNIX) as taken:
            taken.bind(os.path.join(self.s.run, "edge", "control.sock"))
            taken.listen()
            self.assertErrors(self.s.apply(service()), 409, ("services[0].name", "socket-taken"))

    def test_one_bad_service_stops_all(self):
        bad = service("b")
        bad["chains"][0]["path"] = ["lan", "wan", "fw"]
        self.assertStatus(self.s.apply(service("a"), bad), 422)

    def test_duplicate_services(self):
        self.assertStatus(self.s.apply(service("a"), service("a")), 422)

    def test_dry_run_says_all_and_does_nothing(self):
        body = self.assertStatus(self.s.apply(service(), dryRun=True), 200)
        self.assertTrue(body["valid"])
        self.assertEqual(body["services"], [{"name": "edge", "action": "create"}])
        bad = service()
        bad["chains"][0]["path"] = ["lan", "nobody", "wan"]
        body = self.assertStatus(self.s.apply(bad, dryRun=True), 200)
        self.assertFalse(body["valid"])
        self.assertEqual(body["errors"][0]["path"], "services[0].chains[0].path[1]")

    def test_second_sluiced(self):
        for options in (["--run-dir", self.s.run, "--state-dir", self.s.state + "2"],
                        ["--run-dir", self.s.run + "2", "--state-dir", self.s.state]):
            second = subprocess.run([mano.SLUICED, "--libexec", self.s.bin] + options, capture_output=True, timeout=mano.RECOVERY)
            self.assertEqual(second.returncode, 1)
            self.assertIn(b"another orchestrator", second.stderr)

    def test_usage(self):
        for options, status in ((["--help"], 0), (["--version"], 0), (["--nonsense"], 2), (["stray"], 2),
                                (["--ready-timeout", "x"], 2), (["--group", "no-such-group"], 2)):
            done = subprocess.run([mano.SLUICED] + options, capture_output=True, timeout=mano.RECOVERY)
            self.assertEqual(done.returncode, status, options)


class Devices(mano.Case):
    """One device, one port: of whichever service. The double opens none."""
    double = True

    def on(self, name, device="af_packet:lo"):
        made = service(name)
        made["edge"]["ports"][0]["device"] = device
        return made

    def test_a_device_of_another_service(self):
        taken = "services[0].edge.ports[0].device", "device-taken"
        self.assertErrors(self.s.apply(self.on("a"), self.on("b")), 409, ("services[1].edge.ports[0].device", "device-taken"))
        self.s.must_apply(self.on("a"))
        for device in ("af_packet:lo", "af_xdp:lo?queues=1"):
            body = self.assertErrors(self.s.apply(self.on("b", device)), 409, taken)
            self.assertIn('port "lan" of service "a" has lo already', body["errors"][0]["detail"])
        changed = self.on("a")
        changed["chains"][0]["priority"] = 1
        self.s.must_apply(changed)
        self.s.must_apply(self.on("a", "null:?receive=0"), self.on("b"))  # given from one to the other
        self.assertErrors(self.s.apply(self.on("c")), 409, taken)
        self.s.must_apply(self.on("c"), prune=True)

    def test_one_interface_twice(self):
        twice = self.on("a")
        twice["edge"]["ports"][1]["device"] = "af_xdp:lo"
        self.assertErrors(self.s.apply(twice), 409, ("services[0].edge.ports[1].device", "duplicate-device"))

    def test_events_of_an_end(self):
        self.s.must_apply(self.on("a"))
        self.s.must_apply(prune=True)
        self.assertEqual([e["kind"] for e in self.s.events(subject="a") if e["kind"].startswith("service-")], ["service-applied", "service-deleted"])


mano.main()
