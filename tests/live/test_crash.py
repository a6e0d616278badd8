#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The service's process dies after its chain was changed: what its successor finds must mean what it meant."""
import os
import signal

import mano
from lab import until
from live import Live


class Crash(Live):
    def setUp(self):
        super().setUp()
        self.echo()

    def kill(self):
        pid = next(iter(self.s.pids()))
        os.kill(pid, signal.SIGKILL)
        until("a successor is ready", lambda: pid not in self.s.pids() and self.s.shown()["state"] == "ready", 30)

    def member(self, name, position):
        self.descriptor["vnfs"].insert(position - 1, {"name": name, "kind": "firewall", "config": {"default": "accept"}})
        self.descriptor["chains"][0]["path"].insert(position, name)

    def test_after_insertion(self):
        """A function was put in front: with numbers given anew, slots of the others would be read at wrong places."""
        talk = self.talk()
        self.member("first", 1)
        self.apply()
        self.assertEqual(talk.say("two"), "198.51.100.10 two")
        later = self.talk()
        self.kill()
        self.assertEqual(talk.say("three"), "198.51.100.10 three")
        self.assertEqual(later.say("two"), "198.51.100.10 two")
        self.balances()

    def test_after_removal(self):
        self.member("first", 1)
        self.apply()
        talk = self.talk()
        del self.descriptor["vnfs"][0]
        self.descriptor["chains"][0]["path"].remove("first")
        self.apply()
        self.kill()
        self.assertEqual(talk.say("two"), "198.51.100.10 two")
        again = self.talk()
        self.member("second", 2)
        self.apply()
        self.kill()
        self.assertEqual(talk.say("three"), "198.51.100.10 three")
        self.assertEqual(again.say("two"), "198.51.100.10 two")

    def hang(self):
        """The service's process stands still, which sluiced sees by its heartbeat while the change that is asked for waits; a successor gets the change at once."""
        pid = next(pid for pid, folder in self.s.pids().items() if folder == "edge")
        os.kill(pid, signal.SIGSTOP)
        self.apply()
        self.assertNotIn(pid, self.s.pids())

    def place(self, **placements):
        for vnf in self.descriptor["vnfs"]:
            vnf["placement"] = placements[vnf["name"]]

    def test_workers(self):
        """Another number of workers, or room for another number of sessions: each session goes to the worker that its packets go to now."""
        talks = [self.talk()]
        for workers, sessions in ((2, 65536), (3, 32768), (1, 65536)):
            self.descriptor["engine"].update(workers=workers, sessions=sessions)
            self.apply()
            for talk in talks:
                self.assertEqual(talk.say(f"with {workers}"), f"198.51.100.10 with {workers}", self.drops())
            self.assertEqual(len(self.s.get("/v1/services/edge/state/workers").json), workers)
            self.assertEqual([name for name in os.listdir(os.path.join(self.s.run, "edge")) if name.startswith("former")], [])
            talks += [self.talk() for _ in range(4)]
            self.kill()
            for talk in talks:
                self.assertEqual(talk.say("killed"), "198.51.100.10 killed", self.drops())
        self.balances()

    def test_while_functions_move(self):
        """What was to move has not: it is taken from where it was."""
        talks = []
        for number, (fw, nat) in enumerate([("fused", "process"), ("process", "fused"), ("process", "process"), ("fused", "fused")]):
            talks.append(self.talk())
            self.place(fw=fw, nat=nat)
            self.hang()
            for talk in talks:
                self.assertEqual(talk.say(f"after {number}"), f"198.51.100.10 after {number}", self.drops())
        self.balances()

    def test_function_of_the_dead_moves(self):
        """What its process knew of sessions is in the memory that it left, and goes with the function."""
        self.place(fw="process", nat="process")
        self.apply()
        talk = self.talk()
        for name in ("nat", "fw"):
            pid = next(pid for pid, folder in self.s.pids().items() if folder == f"edge/{name}")
            os.kill(pid, signal.SIGKILL)
            self.place(**{"fw": "process", "nat": "fused", name: "fused"})
            self.apply()
            self.assertEqual(talk.say(name), f"198.51.100.10 {name}", self.drops())
        self.balances()

    def test_without_names(self):
        """Sessions whose meaning is lost are dropped, not guessed at; new ones work."""
        talk = self.talk()
        folder = os.path.dirname(self.find("names.json"))
        pid = next(iter(self.s.pids()))
        os.kill(pid, signal.SIGSTOP)
        with open(os.path.join(folder, "names.json"), "w") as file:
            file.write("{ no")
        os.kill(pid, signal.SIGCONT)
        self.kill()
        self.talk()
        self.assertTrue(any(c for c in [self.s.get("/v1/services/edge/state/counters").json["engine"]["not-adopted"]]))
        talk.child.kill()

    def find(self, name):
        for folder, _, files in os.walk(self.s.run):
            if name in files:
                return os.path.join(folder, name)
        self.fail(f"no {name} below {self.s.run}")


mano.main()
