#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Another number of workers than there is room for: every process of the service is replaced, one after the other, under numbered traffic of both families."""
import os
import signal
import sys

import mano
from lab import until
from live import Live, Load

RATE = int(os.environ.get("RATE", "200"))  # what waits has room in rings for as long as a busy machine takes


class Workers(Live):
    placement = "process"
    # Buffers for any of these numbers, so that two of each process fit into the memory of one machine.
    engine = {"hugepages": "never", "mbufs": 16384, "workers": 1}

    def setUp(self):
        super().setUp()
        self.echo()
        self.talks = [self.talk()]

    def to(self, workers, most=0, placement="process"):
        self.descriptor["engine"] = {**self.engine, "workers": workers, "workersMax": most}
        self.descriptor["placement"] = placement

    def all_go_on(self, word):
        for talk in self.talks:
            self.assertEqual(talk.say(word), f"198.51.100.10 {word}", self.drops())
        self.talks.append(self.talk())

    def nothing_is_lost(self, load, seen):
        load.stop()
        total = load.result()
        print(f"{seen}: {total}", file=sys.stderr, flush=True)
        self.assertEqual((total["lost"], total["reordered"]), (0, 0), f"{total}; {self.drops()}\n{self.s.log()}")
        self.assertEqual(self.s.events("vnf-exited"), [], "none died")

    def test_numbers(self):
        load = Load(self.line, RATE, 86400)
        steps = ((3, 0, "process"), (2, 0, "process"), (5, 0, "process"), (1, 4, "process"), (4, 4, "process"), (2, 0, "fused"), (3, 0, "process"), (1, 0, "process"))
        for workers, most, placement in steps:
            before = self.s.pids()
            self.to(workers, most, placement)
            self.apply()
            until("the former ones have ended", lambda n=1 if placement == "fused" else 3: len(self.s.pids()) == n)
            if workers != most:
                self.assertEqual(set(self.s.pids()) & set(before), set(), "all have been replaced")
            self.all_go_on(f"{workers}-{most}")
        self.nothing_is_lost(load, steps)
        self.balances()

    def test_refused(self):
        """One process of three cannot come up so: all are as they were, and nothing was lost."""
        load = Load(self.line, RATE, 86400)
        self.descriptor["engine"] = {**self.engine, "workers": 3, "sessions": 1 << 22, "memory": 64, "mbufs": 120000}
        op = self.s.apply(self.descriptor).json
        self.assertEqual(op["state"], "ROLLED_BACK", op)
        self.assertEqual(len(self.s.get("/v1/services/edge/state/workers").json), 1)
        self.all_go_on("refused")
        self.nothing_is_lost(load, "refused")
        self.to(2)
        self.apply()
        self.all_go_on("two")

    def test_while_one_is_healed(self):
        """A process that was killed a moment ago, or is killed while it is replaced: the change is made all the same, and connections go on."""
        for workers, victim in ((2, "nat"), (3, "fw"), (1, "edge")):
            self.to(workers)
            os.kill(next(pid for pid, folder in self.s.pids().items() if folder.split("/")[-1] == victim), signal.SIGKILL)
            self.s.apply(self.descriptor)
            self.apply()  # the operation may have been undone
            until("all run so", lambda n=workers: len(self.s.get("/v1/services/edge/state/workers").json) == n)
            self.all_go_on(f"{victim}-{workers}")
        self.balances()


mano.main()
