#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""
What runs for years must not grow. For SOAK_SECONDS: random changes, REST of every kind, numbered traffic, and restarts of sluiced; memory,
descriptors, threads, packet buffers and files of the service and of sluiced are written down in between, and what the end has more of than the middle is told. SEED
repeats the dice. The default is short and finds descriptors and threads that leak with each change; 600 and more find slow growth.
"""
import copy
import os
import random
import time

import mano
from change import SEED, Changing
from lab import until
from live import Live, Load

SECONDS = float(os.environ.get("SOAK_SECONDS", "5"))
RATE = int(os.environ.get("RATE", "400"))
# What the second half may add. The null device of DPDK 22.11 keeps some hundred bytes of the heap each time one is closed; a ring of events fills.
ROOM = {"descriptors": 8, "threads": 2, "buffers": 600}
if SECONDS >= 60:  # before that, what is used for the first time looks like growth
    ROOM.update({"descriptors": 3, "threads": 0, "kB": 3000 + 2 * SECONDS, "heap kB": 100 + SECONDS / 5, "files kB": 5000})
ROTATED_KB = {"run/edge/log": 16 << 10, "run/edge/audit.log": 3 << 10, "state/audit/audit.log": 72 << 10}  # all of each that is kept
READ = ("/v1/services", "/v1/services/edge", "/v1/services/edge/vnfs", "/v1/services/edge/revisions", "/v1/ops", "/metrics", "/openapi.json", "/v1/doctor",
        "/v1/services/edge/state/sessions", "/v1/services/edge/state/ports", "/v1/services/edge/metrics", "/v1/services/edge/vnfs/fw/config", "/v1/none")


class Soak(Changing, Live):
    engine = {"workers": 1, "workersMax": 2}

    def setUp(self):
        super().setUp()
        self.dice = random.Random(SEED)
        self.descriptor = copy.deepcopy(self.descriptor)
        self.seen, self.changed, self.read = [], 0, 0

    def quiet(self):
        """As at the beginning, so that two looks can be compared: the same functions in the same places."""
        self.descriptor = copy.deepcopy(self.first)
        self.apply()
        until("nothing but the service runs", lambda: sorted(self.s.pids().values()) == ["edge"])

    def of_process(self, pid):
        """Memory that is its own: what lies in files and in packet memory is touched by and by, and has its size from the start."""
        with open(f"/proc/{pid}/status") as file:
            resident = int(file.read().split("RssAnon:")[1].split()[0])
        return {"kB": resident, "descriptors": len(os.listdir(f"/proc/{pid}/fd")), "threads": len(os.listdir(f"/proc/{pid}/task"))}

    def look(self):
        self.quiet()
        memory = mano.request(f"{self.s.run}/edge/control.sock", "GET", "/v1/state/memory").json
        now = {f"edge {k}": v for k, v in self.of_process(next(iter(self.s.pids()))).items()}
        now.update({f"sluiced {k}": v for k, v in self.of_process(self.s.process.pid).items()})
        now["edge buffers"] = memory["packetBuffers"]["used"]
        now["edge heap kB"] = memory["heapBytes"]["used"] >> 10
        paths = [os.path.join(where, name) for folder in (self.s.run, self.s.state) for where, _, names in os.walk(folder) for name in names]
        files = {os.path.relpath(path, self.s.folder): os.stat(path).st_blocks // 2 for path in paths if os.path.exists(path)}
        for prefix, most in ROTATED_KB.items():
            self.assertLess(sum(files.pop(name) for name in [name for name in files if name.startswith(prefix)]), most, prefix)
        now["all files kB"] = sum(files.values())
        self.seen.append((time.monotonic(), now))

    def work(self):
        for _ in range(10):
            self.dice.choice(self.changes())()
            self.apply()
            self.changed += 1
            for where in self.dice.sample(READ, 4):
                self.s.get(where)
                self.read += 1
        self.line.ping(self.line.SERVER4, 5)

    def restart(self):
        """By a signal, or by a kill; what the next life takes is compared with what the last one took."""
        self.s.kill() if self.dice.random() < 0.5 else self.s.stop()
        self.s.start()

    def growth(self):
        """What the last look has more of than the first one after the middle."""
        middle = self.seen[0][0] + SECONDS / 2
        then, now = next(look for when, look in self.seen if when >= middle or look is self.seen[-2][1]), self.seen[-1][1]
        room = {name: ROOM.get(name.split(" ", 1)[1], float("inf")) for name in now}
        return {name: (then[name], now[name]) for name in now if now[name] - then[name] > room[name]}

    def test_soak(self):
        self.first = copy.deepcopy(self.descriptor)
        load, end = Load(self.line, RATE, 86400), time.monotonic() + SECONDS
        self.work()
        self.look()
        while time.monotonic() < end or len(self.seen) < 3:
            self.work()
            if self.dice.random() < 0.2:
                self.restart()
                self.work()
            self.look()
        load.stop()
        result = load.result()
        for when, look in self.seen[::max(1, len(self.seen) // 20)]:
            print(f"{when - self.seen[0][0]:7.1f} s {look}")
        print(f"SEED={SEED} {self.changed} changes, {self.read} requests; {result}", flush=True)
        self.assertEqual(self.growth(), {}, "it grows")
        self.assertEqual((result["lost"], result["reordered"]), (0, 0), f"SEED={SEED} {result} {self.drops()}\n{self.s.log()[-3000:]}")
        self.balances()


if __name__ == "__main__":
    mano.main()
