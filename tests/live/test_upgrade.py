#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Processes are replaced by another build, and anew, under numbered traffic: what is lost and how long it is silent is printed; nothing is overtaken."""
import os
import shutil
import stat
import sys

import mano
from live import Live, Load

RATE = 4000


class Upgrade(Live):
    SECONDS = 1  # of traffic that may be lost on a busy machine: rings overflow

    def replaced(self, what, call, *arguments):
        """Traffic while `call` replaces processes."""
        load = Load(self.line, RATE, 3)
        op = self.assertStatus(self.s.call("POST", *call), 200)
        self.assertEqual(op["state"], "COMPLETED", op)
        total = load.result()
        took = [event["details"]["milliseconds"] for event in self.s.events("vnf-ready")][-arguments[0]:]
        print(f"{what}, {self.placement}: lost {total['lost']} of {total['sent']}, silent {total['longestGapMs']} ms, taken over in {took} ms", file=sys.stderr, flush=True)
        self.assertEqual(total["reordered"], 0, total)
        self.assertLess(total["longestGapMs"], 5000, self.s.log())
        self.assertLess(total["lost"], RATE * self.SECONDS, f"{total}; {self.drops()}")
        self.assertEqual(self.s.events("vnf-exited"), [], "none died")

    def go(self, processes):
        self.echo()
        talk = self.talk()
        second = os.path.join(self.s.folder, "second")
        os.mkdir(second, 0o755)
        for program in mano.PROGRAMS:
            shutil.copy(program, second)
            os.chmod(os.path.join(second, os.path.basename(program)), stat.S_IRWXU | stat.S_IXOTH)
        before = self.s.pids()
        self.replaced("upgrade", ("/v1/services/edge:upgrade?wait=90", {"libexec": second}), processes)
        self.assertEqual((len(self.s.pids()), set(self.s.pids()) & set(before)), (processes, set()))
        self.assertEqual(talk.say("two"), "198.51.100.10 two")
        self.replaced("restart", ("/v1/services/edge:restart?wait=90", None), processes)
        self.assertEqual(talk.say("three"), "198.51.100.10 three")
        self.balances()


class Fused(Upgrade):
    engine = {"workers": 2}

    def test_service_process(self):
        self.go(1)

    def test_other_numbers_of_workers(self):
        """A successor with more or fewer workers has more or fewer sockets: what waits in those that there were is not lost, nor overtaken by what comes to the others."""
        self.echo()
        talk = self.talk()
        load = Load(self.line, 200, 86400)
        for workers in (5, 1, 3):
            self.descriptor["engine"] = {"workers": workers}
            self.apply()
            self.assertEqual(talk.say(str(workers)), f"198.51.100.10 {workers}")
        load.stop()
        total = load.result()
        self.assertEqual((total["lost"], total["reordered"]), (0, 0), f"{total}; {self.drops()}")
        self.balances()


class Hops(Upgrade):
    placement = "process"
    SECONDS = 3  # until all links are there again

    def test_service_process_and_hops(self):
        self.go(3)


mano.main()
