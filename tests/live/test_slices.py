#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""More sessions than can move while packets wait: they move slice by slice, and nobody's packets are lost; a kill between two slices ends nothing."""
import os
import random
import re
import signal
import threading
import time

import mano
from lab import until
from live import Live, Load, Talk

SESSIONS = 50000


class Slices(Live):
    engine = {"workers": 1, "workersMax": 2, "sessions": 5 * SESSIONS, "timeouts": {"udp": 3600}}
    nat = {"pools": [{"name": "public", "addresses": ["198.51.100.10", "198.51.100.16-198.51.100.23"]}], "mappings": 1 << 17}

    def setUp(self):
        super().setUp()
        self.echo()
        self.filled = self.fill(SESSIONS)
        self.talks = [self.begin() for _ in range(4)]

    def begin(self):
        """A connection, and the address that the server sees it come from."""
        talk = Talk(self.line, f"192.0.2.{random.randrange(20, 200)}")
        self.addCleanup(talk.close)
        return talk, talk.say("first").split()[0]

    def all_go_on(self, word):
        for talk, seen in self.talks:
            self.assertEqual(talk.say(word), f"{seen} {word}", self.drops())

    def moved(self):
        """Slices of each change so far."""
        with open(os.path.join(self.s.run, "edge", "log")) as log:
            return [int(n) for n in re.findall(r"functions-moved slices=(\d+)", log.read())]

    def apply(self):
        self.s.must_apply(self.descriptor, wait=60)

    def place(self, placement, workers):
        self.descriptor["vnfs"][1]["placement"] = placement
        self.descriptor["engine"]["workers"] = workers

    def test_moves(self):
        load = Load(self.line, 400, 600)  # a slice of a slow build takes a second or two: so much has room
        for number, (placement, workers) in enumerate((("process", 1), ("fused", 1), ("fused", 2), ("process", 2), ("fused", 1))):
            before, answered = len(self.moved()), 0
            self.place(placement, workers)
            change = threading.Thread(target=self.apply)
            change.start()
            while change.is_alive():  # whoever looks inside is not kept waiting
                answered += self.s.get("/v1/services/edge/state/hops").status == 200 and change.is_alive()
            self.assertGreater(answered, 0)
            self.assertTrue(any(n > 1 for n in self.moved()[before:]), self.moved())
            self.all_go_on(f"move{number}")
            self.talks.append(self.begin())
            # Behind a hop each flow is known twice here.
            until("the sessions are there", lambda p=placement: self.sessions() >= (2 if p == "process" else 1) * 0.99 * self.filled, 5)
        load.stop()
        result = load.result()
        self.assertEqual((result["lost"], result["reordered"]), (0, 0), f"{result} {self.drops()}")
        self.balances()

    def test_killed_between(self):
        for turn, placement in enumerate(("process", "fused") * 2):
            self.place(placement, 1)
            change = threading.Thread(target=self.s.apply, args=(self.descriptor,))
            change.start()
            time.sleep(random.uniform(0.1, 1))  # somewhere on its way: what follows must hold wherever that is
            os.kill(next(pid for pid, folder in self.s.pids().items() if folder == "edge"), signal.SIGKILL)
            change.join()
            self.apply()  # the operation may have been undone
            self.all_go_on(f"kill{turn}")
            self.assertGreater(self.sessions(), 0.98 * self.filled, self.drops())
        self.balances()


mano.main()
