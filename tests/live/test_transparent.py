#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A firewall in the wire, changed and killed under numbered traffic: as in a routed service nothing is lost by a change, and sessions outlive their process."""
import copy
import os
import random
import signal

import mano
from bump import Bump
from lab import until
from live import FIREWALL, Live, Load, Talk

SEED = int(os.environ.get("SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
CHANGES = int(os.environ.get("CHANGES", "40"))
RATE = int(os.environ.get("RATE", "500"))


class Transparent(Live):
    def setUp(self):
        mano.Case.setUp(self)
        self.line = Bump()
        self.addCleanup(self.line.close)
        ports = [{**port, "netns": self.line.edge} for port in self.line.ports()]
        self.descriptor = {"name": "edge", "placement": self.placement, "edge": {"mode": "transparent", "ports": ports},
                           "vnfs": [{"name": "fw", "kind": "firewall", "config": copy.deepcopy(FIREWALL)}], "chains": [{"name": "all", "path": ["lan", "fw", "wan"]}]}
        self.apply()
        for target in (self.line.SERVER4, self.line.SERVER6):
            until(f"{target} answers", lambda target=target: self.line.ping(target, 1) == 1)
        self.dice, self.done = random.Random(SEED), []

    def rules(self):
        rules = self.descriptor["vnfs"][0]["config"]["rules"]
        if len(rules) > 1 and self.dice.random() < 0.4:
            del rules[self.dice.randrange(len(rules) - 1)]
        else:
            rules.insert(0, {"name": f"r{self.dice.randrange(1 << 30)}", "action": "drop", "destination": [f"203.0.113.{self.dice.randrange(256)}"]})

    def member(self):
        path, vnfs = self.descriptor["chains"][0]["path"], self.descriptor["vnfs"]
        if "c" in path:
            path.remove("c")
            vnfs.pop()
        else:
            vnfs.append({"name": "c", "kind": "firewall", "config": {"default": "accept"}})
            path.insert(self.dice.randrange(1, len(path)), "c")

    def move(self):
        vnf = self.descriptor["vnfs"][0]
        vnf["placement"] = "fused" if vnf.get("placement") == "process" else "process"

    def choices(self):
        edge = self.descriptor["edge"]
        edge[self.dice.choice(("nonIp", "linkLocal"))] = self.dice.choice(("pass", "drop"))

    def unmatched(self):
        self.descriptor["unmatched"] = self.dice.choice(("pass", "drop"))

    def test_changes(self):
        load = Load(self.line, RATE, 600)
        for _ in range(CHANGES):
            kind = self.dice.choice((self.rules, self.member, self.move, self.choices, self.unmatched))
            kind()
            self.done.append(kind.__name__)
            self.apply()
        load.stop()
        result = load.result()
        print(result, flush=True)
        self.assertEqual((result["lost"], result["reordered"]), (0, 0), f"SEED={SEED} {result}\n{self.drops()}\n{self.done}")
        self.balances()

    def kill(self, name):
        pid = next(pid for pid, process in self.s.pids().items() if process == name)
        os.kill(pid, signal.SIGKILL)
        until("a successor is ready", lambda: pid not in self.s.pids() and self.s.shown()["state"] == "ready", 30)

    def test_kills(self):
        """Connections go on through the successor of the service's process, and of the firewall's behind a hop."""
        self.echo()
        for placement, killed in (("fused", ["edge"]), ("process", ["edge", "edge/fw"])):
            self.descriptor["vnfs"][0]["placement"] = placement
            self.apply()
            talk = Talk(self.line)
            self.addCleanup(talk.close)
            self.assertEqual(talk.say("one"), f"{self.line.CLIENT4} one")
            for name in killed:
                self.kill(name)
                self.assertEqual(talk.say(name), f"{self.line.CLIENT4} {name}")
        self.balances()


mano.main()
