#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""
Real traffic of real kernels through a service that sluiced runs: a client and a server in namespaces of their own, a
firewall and a NAT between them. The namespaces bear this process's pid and go with the test.
"""
import os
import signal

import mano
from mano import wait_for
from net import Net, service

class Traffic(mano.Case):
    URL, URL6 = "http://198.51.100.254:8000/", "http://[2001:db8:2::fe]:8000/"

    def setUp(self):
        super().setUp()
        self.net = Net()
        self.addCleanup(self.net.close)
        self.net.serve("198.51.100.254", 8000)
        self.net.serve("198.51.100.254", 8001)
        self.net.serve("2001:db8:2::fe", 8000)

    def flows(self):
        wait_for(lambda: self.net.fetch(self.URL, 1) == "198.51.100.10", what="NATed HTTP flows", every=0.05)

    def through(self, placement):
        self.s.must_apply(service(self.net, placement))
        self.flows()
        self.assertEqual(self.net.fetch(self.URL6), "2001:db8:1::10", "IPv6 passes the NAT by")
        self.assertIsNone(self.net.fetch("http://198.51.100.254:8001/", 1), "a port that no rule allows")
        rules = self.s.shown()["descriptor"]["vnfs"][0]["config"]
        rules["rules"].append({"name": "more", "action": "accept", "protocol": "tcp", "destinationPorts": "8001"})
        reply = self.s.call("PUT", "/v1/services/edge/vnfs/fw/config", rules)
        self.assertEqual(self.assertStatus(reply, 200)["state"], "COMPLETED")
        self.assertEqual(self.net.fetch("http://198.51.100.254:8001/"), "198.51.100.10")
        self.s.kill()
        for _ in range(3):
            self.assertEqual(self.net.fetch(self.URL), "198.51.100.10", "packets flow on without the orchestrator")
        self.s.start()
        wait_for(lambda: self.s.shown()["state"] == "ready")
        for pid, name in sorted(self.s.pids().items()):
            os.kill(pid, signal.SIGKILL)
            self.flows()
            wait_for(lambda: self.s.shown()["state"] == "ready")
            self.assertEqual(self.net.fetch("http://198.51.100.254:8001/"), "198.51.100.10",
                             f"{name} with its configuration")

    def test_fused(self):
        self.through("fused")

    def test_process(self):
        self.through("process")

    def test_moving_between_placements_while_it_flows(self):
        for placement in ("fused", "process", "fused"):
            self.s.must_apply(service(self.net, placement))
            self.flows()

    OTHER = "http://198.51.100.254:8001/"  # what no rule allows

    def fails(self, policy):
        """The firewall's process is killed and cannot come back for a while, then can."""
        wants = service(self.net, "fused")
        wants["vnfs"][0]["placement"] = "process"
        wants["chains"][0]["onFailure"] = policy
        self.s.must_apply(wants)
        self.flows()
        self.assertIsNone(self.net.fetch(self.OTHER, 1))
        program = os.path.join(self.s.bin, "sluice-firewall")
        target = os.readlink(program)
        os.unlink(program)
        os.kill(self.s.vnf("fw")["pid"], signal.SIGKILL)
        wait_for(lambda: self.s.shown()["state"] == "degraded", what="seen")
        yield
        os.symlink(target, program)
        wait_for(lambda: self.s.shown()["state"] == "ready", 60, "back")
        self.flows()
        self.assertIsNone(self.net.fetch(self.OTHER, 1), "with its rules")

    def test_failed_firewall_that_may_be_bypassed(self):
        for _ in self.fails("bypass"):
            self.flows()
            self.assertEqual(self.net.fetch(self.OTHER), "198.51.100.10", "past the firewall, through the NAT")

    def test_failed_firewall_that_may_not(self):
        for _ in self.fails("drop"):
            for _ in range(3):
                self.assertIsNone(self.net.fetch(self.URL, 1))

    def test_nat_is_never_bypassed(self):
        wants = service(self.net, "process")
        wants["chains"][0]["onFailure"] = "bypass"
        errors = self.assertStatus(self.s.apply(wants), 422)["errors"]
        self.assertEqual({(error["path"], error["code"]) for error in errors}, {("services[0].chains[0].onFailure", "no-bypass")})


mano.main()
