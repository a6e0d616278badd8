#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Functions move between processes under established TCP connections: these go on, with the translation that they had."""
import mano
from live import Live


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


mano.main()
