#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""
kill -9 of sluiced in every kind of operation, with real executables and traffic: packets flow on while nobody looks after them, a
connection through firewall and NAT outlives all of it, and nothing is left behind in the host: processes, sockets,
interfaces, folders, hugepages. The seed is printed; SLUICE_SEED repeats a run.
"""
import os
import random
import re
import subprocess
import sys
import threading
import time

import mano
import net
from mano import wait_for

EDGE = "/v1/services/edge"
# With sanitizers a process may be too slow for what arrives, whoever looks after it; else nothing is lost.
ON_THEIR_WAY = 10  # a tenth of a second
LOST_BY_NOISE = 5 if os.environ.get("SLUICE_SANITIZE") in ("ON", "thread") else 0


def lines(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


class Killed(mano.Case):
    def setUp(self):
        super().setUp()
        self.net = net.Net()
        self.addCleanup(self.net.close)
        self.net.echo("198.51.100.254", 8000)
        self.seed = int(os.environ.get("SLUICE_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
        self.random = random.Random(self.seed)
        print(f"SLUICE_SEED={self.seed}", file=sys.stderr, flush=True)
        self.seen = set()  # every process that there was
        self.fresh = self.host()

    def host(self):
        """What a host has of us beside processes."""
        with open("/proc/mounts") as file:
            huge = [line.split()[1] for line in file if line.split()[2] == "hugetlbfs"]
        ours = {str(pid) for pid in self.seen}
        left = lambda folder: [name for name in os.listdir(folder) if name.rpartition("-")[2].partition("map")[0] in ours]
        return {"namespaces": sorted(name for name in os.listdir("/run/netns") if name in self.net.names.values()),
                "interfaces": [line.split()[1] for line in lines("ip", "-n", self.net.names["e"], "-o", "link")],
                "hugepages": [name for folder in huge for name in left(folder)],
                "folders": left("/run/dpdk") if os.path.isdir("/run/dpdk") else []}

    def described(self, change=lambda document: None):
        document = net.service(self.net, "fused")
        document["vnfs"][1]["placement"] = "process"
        document["vnfs"].append({"name": "spare", "kind": "firewall", "config": {"default": "accept"}})
        change(document)
        return document

    def kinds(self):
        """What is sent, and what goes on through it: packets (no process ends), connections, or neither (sessions belong to workers)."""
        more = dict(self.described()["vnfs"][0]["config"])
        more["rules"] = more["rules"] + [{"name": "more", "action": "accept", "protocol": "tcp", "destinationPorts": "9"}]
        put = lambda change: ("PUT", EDGE, self.described(change))
        return [
            ("config", ("PUT", f"{EDGE}/vnfs/fw/config?wait=0", more), "packets"),
            ("insert", ("POST", f"{EDGE}/chains/all:insert", {"vnf": "spare", "after": "fw"}), "packets"),
            ("rollback", ("POST", f"{EDGE}:rollback", {}), "packets"),
            ("reorder", ("POST", f"{EDGE}/chains/all:reorder", {"path": ["lan", "fw", "nat", "wan"]}), "packets"),
            ("placement", put(lambda d: d["vnfs"][0].update(placement="process")), "packets"),
            ("back", put(lambda d: None), "packets"),
            ("workers", put(lambda d: d.update(engine={"workers": 2})), None),
            ("one worker", put(lambda d: None), None),
            ("heal", ("POST", f"{EDGE}/vnfs/nat:heal", None), "connections"),
            ("restart", ("POST", f"{EDGE}:restart", None), "connections"),
        ]

    def pings(self):
        """One every 10 ms until it is ended; answers how many were sent and lost."""
        return subprocess.Popen(["ip", "netns", "exec", self.net.names["c"], "ping", "-n", "-i", "0.01", "198.51.100.254"],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    @staticmethod
    def lost(ping):
        """What was sent when it was ended, and how many of those before the last answered one have no answer: the others are on their way."""
        ping.send_signal(2)
        said = ping.communicate(timeout=30)[0]
        answered = {int(number) for number in re.findall(r"icmp_seq=(\d+) ", said)}
        sent, last = int(re.search(r"(\d+) packets transmitted", said)[1]), max(answered, default=0)
        return sent, last - len(answered) + max(0, sent - last - ON_THEIR_WAY)

    def kill_in(self, call, delay):
        killer = threading.Timer(delay, self.s.process.kill)
        killer.start()
        try:
            self.s.call(*call)
        except (OSError, mano.http.client.HTTPException):
            pass
        killer.join()
        self.s.process.wait()

    def settled(self, said):
        for op in self.s.get("/v1/ops").json:
            op = self.s.get(f"/v1/ops/{op['id']}?wait=90").json
            self.assertIn(op["state"], ("COMPLETED", "ROLLED_BACK"), f"{op} {said}")
        wait_for(lambda: self.s.shown()["state"] == "ready", 60, f"ready; {said}")
        self.seen.update(self.s.pids())
        apart = {f"edge/{vnf['name']}" for vnf in self.s.shown()["vnfs"] if vnf["placement"] == "process" and vnf["chains"]}
        wait_for(lambda: sorted(self.s.pids().values()) == sorted({"edge"} | apart), what=f"each process once; {said}")

    def test_every_kind(self):
        allow = lambda d: d["vnfs"][0]["config"]["rules"].append({"name": "ping", "action": "accept", "protocol": "icmp"})
        plain, self.described = self.described, lambda change=lambda d: None: plain(lambda d: (allow(d), change(d)))
        self.s.must_apply(self.described())
        wait_for(lambda: self.connects(), what="it flows")
        talk = net.Talk(self.net, "198.51.100.254", 8000)
        first = talk.say("first")
        self.assertRegex(first, r"^198\.51\.100\.10:\d+$")
        for kind, call, goes_on in self.kinds():
            delay = self.random.choice((0, 0.05, 0.15, 0.3, 0.6)) + self.random.random() * 0.1
            said = f"{kind}, killed {delay * 1000:.0f} ms after; seed {self.seed}"
            ping, until = self.pings(), time.monotonic() + 1
            try:
                self.kill_in(call, delay)
                if goes_on == "packets":
                    self.assertEqual(talk.say("alone"), first, f"packets flow on without an orchestrator; {said}")
                self.s.start()
                self.settled(said)
                if goes_on:
                    self.assertEqual(talk.say("after"), first, said)
                wait_for(lambda: time.monotonic() > until, what="a second of packets")
            finally:
                sent, lost = self.lost(ping)
            if goes_on == "packets":
                self.assertGreater(sent, 20, said)
                self.assertLessEqual(lost, LOST_BY_NOISE, f"of {sent} packets; {said}")
            if not goes_on:
                wait_for(self.connects, what=f"it flows again; {said}")
                talk = net.Talk(self.net, "198.51.100.254", 8000)
                first = talk.say("anew")
            print(f"{said}: {lost} of {sent} packets lost", file=sys.stderr, flush=True)
        self.kill_in(("DELETE", EDGE, None), self.random.random() * 0.5)
        self.s.start()
        for op in self.s.get("/v1/ops").json:
            self.assertIn(self.s.get(f"/v1/ops/{op['id']}?wait=90").json["state"], ("COMPLETED", "ROLLED_BACK"))
        if self.s.get("/v1/services").json:
            self.assertStatus(self.s.call("DELETE", f"{EDGE}?wait=60"), 200)
        wait_for(lambda: not self.s.pids(), what="no process is left")
        self.assertEqual(os.listdir(self.s.run), ["sluiced.sock"])
        self.assertEqual(self.host(), self.fresh)

    def connects(self):
        try:
            return net.Talk(self.net, "198.51.100.254", 8000).say("x")
        except BrokenPipeError:  # it was refused before we spoke
            return None


mano.main()
