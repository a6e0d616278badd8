#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Functions move between processes under established TCP connections: these go on, with the translation that they had."""
import mano
from lab import Line, run, until
from live import ECHO, NAT, Live, Load, Talk


class Moves(Live):
    def setUp(self):
        super().setUp()
        self.echo()
        self.talks = []

    def begin(self):
        self.talks.append(self.talk())

    def place(self, **placements):
        for vnf in self.descriptor["vnfs"]:
            vnf["placement"] = placements.get(vnf["name"], vnf.get("placement", "fused"))
        self.apply()

    def all_go_on(self, word):
        for talk in self.talks:
            self.assertEqual(talk.say(word), f"198.51.100.10 {word}", self.drops())
        self.begin()

    def test_firewall(self):
        self.begin()
        for turn in range(2):
            self.place(fw="process")
            self.all_go_on(f"out{turn}")
            self.place(fw="fused")
            self.all_go_on(f"back{turn}")
        self.balances()

    def test_nat(self):
        self.begin()
        for turn in range(2):
            self.place(nat="process")
            self.all_go_on(f"out{turn}")
            self.place(nat="fused")
            self.all_go_on(f"back{turn}")
        self.balances()

    def test_both(self):
        self.begin()
        for number, (fw, nat) in enumerate([("process", "process"), ("fused", "process"), ("process", "fused"), ("process", "process"),
                                            ("fused", "fused")]):
            self.place(fw=fw, nat=nat)
            self.all_go_on(f"move{number}")
        self.balances()

    def test_order(self):
        """Packets come to a process of its own with other addresses than before."""
        self.begin()
        path = self.descriptor["chains"][0]["path"]
        self.descriptor["vnfs"].append({"name": "c", "kind": "firewall", "placement": "process", "config": {"default": "accept"}})
        path.insert(1, "c")
        self.apply()
        for position in (3, 2, 3, 1):
            path.remove("c")
            path.insert(position, "c")
            self.apply()
            self.all_go_on(f"at{position}")
        self.balances()

    def test_members(self):
        """A process of its own comes between, and goes."""
        self.begin()
        path = self.descriptor["chains"][0]["path"]
        for position in (1, 2, 3):
            self.descriptor["vnfs"].append({"name": "c", "kind": "firewall", "placement": "process", "config": {"default": "accept"}})
            path.insert(position, "c")
            self.apply()
            self.all_go_on(f"in{position}")
            path.remove("c")
            self.descriptor["vnfs"].pop()
            self.apply()
            self.all_go_on(f"gone{position}")
        self.balances()


class Turned(Live):
    """Connections that turn round at the NAT, and such as were opened in the server's name, move like others."""
    OUTSIDE = "198.51.100.10"
    nat = {**NAT, "forwards": [{"name": "echo", "protocol": "tcp", "outside": OUTSIDE, "ports": "7", "inside": Line.CLIENT4}]}

    def test_moves(self):
        for space, address in ((self.line.server, self.line.SERVER4), (self.line.client, self.line.CLIENT4)):
            self.line.process(["python3", "-c", ECHO, address], netns=space)
            until("echo listens", lambda space=space: ":7 " in run("ip", "netns", "exec", space, "ss", "-ltn").stdout)
        self.descriptor["vnfs"][0]["config"] = {
            "default": "accept", "rules": [{"name": "server", "protocol": "tcp", "destination": [self.line.SERVER4], "action": "accept", "synProxy": "on"}]}
        self.apply()
        talks = []
        for number, (fw, nat) in enumerate([("fused", "process"), ("process", "process"), ("fused", "process"), ("fused", "fused"),
                                            ("process", "fused"), ("fused", "fused")]):
            for target in (self.line.SERVER4, self.OUTSIDE):
                talks.append(Talk(self.line, target=target))
                self.addCleanup(talks[-1].close)
            for talk in talks:
                self.assertEqual(talk.say(f"before{number}"), f"{self.OUTSIDE} before{number}", self.drops())
            self.descriptor["vnfs"][0]["placement"], self.descriptor["vnfs"][1]["placement"] = fw, nat
            self.apply()
            for talk in talks:
                self.assertEqual(talk.say(f"move{number}"), f"{self.OUTSIDE} move{number}", self.drops())
        self.balances()


class Workers(Live):
    """Workers come and go under established connections and numbered traffic."""
    engine = {"workers": 1, "workersMax": 3}

    def setUp(self):
        super().setUp()
        self.echo()

    def spread_over(self, workers):
        """Whether sessions are where they belong: at all workers, but for those that are parked."""
        return {w["worker"] for w in self.s.get("/v1/services/edge/state/workers").json if w["sessions"]} == set(range(workers))

    def scale(self, placements):
        for vnf, placement in zip(self.descriptor["vnfs"], placements):
            vnf["placement"] = placement
        self.apply()
        processes = self.s.pids()
        sources = [f"192.0.2.{host}" for host in range(20, 40)]  # a NAT owns by inside addresses
        for source in sources:
            run("ip", "-n", self.line.client, "address", "add", f"{source}/24", "dev", "eth0")
        talks = [self.talk(source) for source in sources]
        load = Load(self.line, 500, 120)
        for turn, workers in enumerate((2, 3, 1, 3, 2, 1)):
            self.descriptor["engine"]["workers"] = workers
            self.apply()
            until(f"{workers} workers have the sessions", lambda workers=workers: self.spread_over(workers))
            for talk in talks:
                self.assertEqual(talk.say(f"turn{turn}"), f"198.51.100.10 turn{turn}", self.drops())
            talks.append(self.talk())
        for sender, _ in load.ends:
            sender.kill(15)
        result = load.result()
        self.assertEqual((result["lost"], result["reordered"]), (0, 0), f"{result} {self.drops()}")
        self.assertEqual(self.s.pids(), processes, "no process was started anew")
        self.balances()

    def test_fused(self):
        self.scale(["fused", "fused"])

    def test_processes(self):
        self.scale(["process", "process"])

    def test_mixed(self):
        self.scale(["process", "fused"])


mano.main()
