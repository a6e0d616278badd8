#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Changes under numbered traffic: nothing is lost, nothing overtaken within a flow."""
import copy
import os
import random

import mano
from change import SEED, Changing
from live import Live, Load

CHANGES = int(os.environ.get("CHANGES", "60"))
RATE = int(os.environ.get("RATE", "1000"))


class Changes(Changing, Live):
    def check(self, load):
        result = load.result()
        print(result, flush=True)
        self.assertEqual((result["lost"], result["reordered"]), (0, 0), f"SEED={SEED} {result}\n{self.drops()}\n{self.done}")
        self.balances()

    def setUp(self):
        super().setUp()
        self.dice, self.done = random.Random(SEED), []

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
        self.run_changes(self.changes(), CHANGES)


mano.main()
