#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Changes under numbered traffic: nothing is lost, nothing overtaken within a flow."""
import copy
import os
import random

import mano
from live import Live, Load

SEED = int(os.environ.get("SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
CHANGES = int(os.environ.get("CHANGES", "60"))
RATE = int(os.environ.get("RATE", "1000"))


class Changes(Live):
    def check(self, load):
        result = load.result()
        print(result, flush=True)
        self.assertEqual((result["lost"], result["reordered"]), (0, 0), f"SEED={SEED} {result}\n{self.drops()}\n{self.done}")
        self.balances()

    def setUp(self):
        super().setUp()
        self.dice, self.done = random.Random(SEED), []

    def rules(self):
        """A rule comes or goes, in front of the one that lets the traffic through."""
        rules = self.descriptor["vnfs"][0]["config"]["rules"]
        if len(rules) > 1 and self.dice.random() < 0.4:
            del rules[self.dice.randrange(len(rules) - 1)]
        else:
            rules.insert(0, {"name": f"r{self.dice.randrange(1 << 30)}", "action": "drop", "destination": [f"203.0.113.{self.dice.randrange(256)}"]})

    def member(self):
        """A second firewall comes into the chain, or goes."""
        path, vnfs = self.descriptor["chains"][0]["path"], self.descriptor["vnfs"]
        if "c" in path:
            path.remove("c")
            vnfs.pop()
        else:
            vnfs.append({"name": "c", "kind": "firewall", "config": {"default": "accept"}})
            path.insert(self.dice.randrange(1, len(path)), "c")

    def order(self):
        """The second firewall changes its place."""
        path = self.descriptor["chains"][0]["path"]
        if "c" in path:
            path.remove("c")
            path.insert(self.dice.randrange(1, len(path)), "c")

    def addresses(self):
        ports = self.descriptor["edge"]["ports"]
        extra = "192.0.2.77/24"
        (ports[0]["addresses"].remove if extra in ports[0]["addresses"] else ports[0]["addresses"].append)(extra)

    def routes(self):
        routes = self.descriptor["edge"].setdefault("routes", [])
        if routes:
            routes.pop()
        else:
            routes.append({"prefix": "203.0.113.0/24", "via": "198.51.100.254"})

    def move(self):
        """A function moves out of the service's process, or back."""
        vnf = self.dice.choice(self.descriptor["vnfs"])
        vnf["placement"] = "fused" if vnf.get("placement") == "process" else "process"

    def run_changes(self, kinds, count):
        self.descriptor = copy.deepcopy(self.descriptor)
        load = Load(self.line, RATE, 10 + count * 3)
        while count and load.running():
            kind = self.dice.choice(kinds)
            kind()
            self.done.append(kind.__name__)
            self.apply()
            count -= 1
        self.assertEqual(count, 0, "changes were too slow")
        load.stop()
        self.check(load)

    def test_nothing(self):
        """The yardstick: without any change nothing is lost either."""
        load = Load(self.line, RATE, 3)
        self.check(load)

    def test_random_changes(self):
        self.run_changes([self.rules, self.member, self.order, self.addresses, self.routes, self.move], CHANGES)


mano.main()
