#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Changes under numbered traffic: nothing is lost, nothing overtaken within a flow."""
import copy
import os
import random
import time

import mano
from change import SEED, Changing
from live import Live, Load

CHANGES = int(os.environ.get("CHANGES", "60"))
RATE = int(os.environ.get("RATE", "500"))


class Changes(Changing, Live):
    engine = {"workers": 1, "workersMax": 2}

    def check(self, load):
        result = load.result()
        print(f"SEED={SEED} RATE={RATE} changes: {len(self.done)}; {result}", flush=True)
        self.assertEqual((result["lost"], result["reordered"]), (0, 0), f"SEED={SEED} {result}\n{self.drops()}\n{self.warnings()}\nlast: {self.done[-40:]}")
        self.balances()

    def warnings(self):
        """What was not as it should be: processes that ended or hung, changes that failed."""
        return "\n".join(line for line in self.s.log().splitlines() if "level=info" not in line and "cores-shared" not in line)

    def setUp(self):
        super().setUp()
        self.dice, self.done = random.Random(SEED), []

    def run_changes(self, kinds, count):
        self.descriptor = copy.deepcopy(self.descriptor)
        load = Load(self.line, RATE, 86400)
        begin = time.monotonic()
        for _ in range(count):
            kind = self.dice.choice(kinds)
            kind()
            self.done.append(f"{time.monotonic() - begin:.1f} {kind.__name__}")
            self.apply()
        load.stop()
        self.check(load)

    def test_nothing(self):
        """The yardstick: without any change nothing is lost either."""
        load = Load(self.line, RATE, 3)
        self.check(load)

    def test_random_changes(self):
        self.run_changes(self.changes(), CHANGES)


mano.main()
