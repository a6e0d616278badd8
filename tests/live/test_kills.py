#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""
kill -9 of the service's process, of functions in processes of their own and of sluiced, at random moments, while files are downloaded
over TCP and numbered datagrams flow: every download arrives whole, and after each kill every flow goes on.

KILLS=100 is the long run; it prints how long the longest silence of any flow was after each kill. SEED repeats a run.
"""
import os
import random
import signal
import statistics
import time

import mano
from change import SEED
from lab import until
from live import Downloads, Live, Load

KILLS = int(os.environ.get("KILLS", "8"))
RATE = int(os.environ.get("RATE", "1000"))
FLOWS = 10  # of each family: a flow is heard every 20 ms at RATE 1000
VICTIMS = ("edge", "edge/fw", "edge/nat", "sluiced")


class Kills(Live):
    placement = "process"

    def pid(self, victim):
        return {folder: pid for pid, folder in self.s.pids().items()}[victim]

    def kill_process(self, victim):
        pid = self.pid(victim)
        os.kill(pid, signal.SIGKILL)
        until(f"{victim} has a successor", lambda: self.s.pids().get(pid) is None and victim in self.s.pids().values(), 60)

    def kill_sluiced(self):
        before = self.s.pids()
        self.s.kill()
        self.s.start()
        self.assertEqual(self.s.pids(), before, "what ran was adopted")

    def settled(self):
        shown = self.s.shown()
        return shown["state"] == "ready" and all(vnf["state"] == "ready" for vnf in shown["vnfs"])

    def kill(self, victim):
        """Answers how long the traffic took to be back: the longest silence of any flow, ms."""
        self.load.flowing()
        if victim == "sluiced":
            self.kill_sluiced()
        else:
            self.kill_process(victim)
        until(f"all is ready after {victim} was killed", self.settled, 60)
        longest = 0

        def back():
            nonlocal longest
            flowing, gap = self.load.flowing()
            longest = max(longest, gap)
            return flowing
        until(f"every flow goes on after {victim} was killed", back, 60, 0.2)
        return longest

    def show(self, gaps):
        print("milliseconds until traffic was back (the longest silence of any flow):")
        for name, values in [*gaps.items(), ("all", sum(gaps.values(), []))]:
            if values:
                print(f"  {name:10} kills {len(values):3}  min {min(values):7.1f}  median {statistics.median(values):7.1f}  max {max(values):7.1f}", flush=True)

    def test_kills(self):
        print(f"SEED={SEED} KILLS={KILLS} RATE={RATE}", flush=True)
        dice, gaps = random.Random(SEED), {victim: [] for victim in VICTIMS}
        self.load = Load(self.line, RATE, 86400, FLOWS)
        downloads = Downloads(self.line)
        for number in range(KILLS):
            if number % len(VICTIMS) == 0:  # in rounds: what ends again and again without sluiced's end between is started later and later
                order = dice.sample(VICTIMS, len(VICTIMS))
            time.sleep(dice.random())  # the moment is random
            victim = order[number % len(VICTIMS)]
            gaps[victim].append(self.kill(victim))
            if gaps[victim][-1] > 2000:
                print(f"kill {number} of {victim}: {gaps[victim][-1]:.0f} ms, load average {os.getloadavg()[0]:.1f}\n{self.s.log()[-1500:]}", flush=True)
            self.assertEqual(downloads.cut + downloads.wrong, [], f"SEED={SEED} kill {number}: {victim}")
        whole, cut, wrong = downloads.result()
        self.load.stop()
        result = self.load.result()
        print(f"{whole} downloads of {downloads.SIZE} bytes; {result}")
        self.show(gaps)
        self.assertEqual(cut + wrong, [], f"SEED={SEED}")
        self.assertGreater(whole, 1)
        for victim, values in gaps.items():
            self.assertTrue(all(gap < 30000 for gap in values), f"SEED={SEED} {victim}: {values}")
        self.balances()


mano.main()
