#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""
Everything at once, for CHAOS_SECONDS: numbered traffic and downloads, random changes, and kill -9 of the service's processes and of
sluiced. Afterwards traffic flows in both families, every counter adds up, no operation is left open, what runs is what is wished, and
after `delete` nothing is left over. SEED repeats the dice; RATE is that of the traffic.
"""
import copy
import http.client
import os
import random
import signal
import threading
import time

import mano
import reap
from change import SEED, Changing
from lab import run, until
from live import Downloads, Live, Load

SECONDS = float(os.environ.get("CHAOS_SECONDS", "20"))
RATE = int(os.environ.get("RATE", "1000"))
ENDED = ("COMPLETED", "ROLLED_BACK", "FAILED")
LEAST = 4  # changes, and kills: a machine that has little time for us takes more of it
PATIENCE = 120  # seconds, for that and for whatever has to come about


class Chaos(Changing, Live):
    engine = {"workers": 1, "workersMax": 2 if SEED % 2 else 0}  # 0: processes are replaced when workers come or go

    def setUp(self):
        super().setUp()
        self.dice, self.fate = random.Random(SEED), random.Random(SEED + 1)
        self.descriptor = copy.deepcopy(self.descriptor)
        self.history, self.begin, self.over = [], time.monotonic(), threading.Event()

    def note(self, what):
        self.history.append(f"{time.monotonic() - self.begin:7.2f} {what}")

    def said(self):
        """For a failure: what was done last, and what became of it."""
        return "\n".join([f"SEED={SEED} CHAOS_SECONDS={SECONDS:g}", *self.history[-40:], self.s.log()[-6000:]])

    # --- kills ---

    def kill(self):
        processes = {folder: pid for pid, folder in self.s.pids().items()}
        victim = self.fate.choice(["sluiced", *sorted(processes)])
        self.note(f"kill {victim}")
        if victim == "sluiced":
            self.s.kill()
            self.over.wait(self.fate.choice((0, 0, 0.1, 0.5)))
            self.s.start()
        else:
            try:
                os.kill(processes[victim], signal.SIGKILL)
            except ProcessLookupError:
                self.note(f"{victim} was gone")

    def kill_all_the_time(self):
        try:
            while not self.over.wait(self.fate.choice((0.05, 0.3, 1, 2, 3))):
                self.kill()
        except BaseException as error:
            self.failure = error
            self.over.set()

    # --- changes ---

    def workers(self):
        self.descriptor["engine"]["workers"] = self.dice.randint(1, 2)

    def asked(self, call, *arguments):
        """Its reply, whatever happens to sluiced meanwhile; None if that is not known."""
        try:
            return call(*arguments)
        except (OSError, http.client.HTTPException):
            return None

    def change(self):
        before = copy.deepcopy(self.descriptor)
        kind = self.dice.choice(self.changes())
        kind()
        reply = self.asked(self.s.apply, self.descriptor)
        state = reply.json.get("state") if reply else None
        self.note(f"{kind.__name__}: {f'{reply.status} {state or reply}' if reply else 'no answer'}")
        if state == "COMPLETED":
            self.completed += 1
            return
        if reply and reply.status not in (200, 202, 409):
            raise AssertionError(f"{kind.__name__}: {reply}")
        if reply and reply.status == 409:
            self.descriptor = before
            time.sleep(0.1)
            return
        self.learn()

    def learn(self):
        """What is wished now, where an operation did not end as it was meant to."""
        reply, end = None, time.monotonic() + PATIENCE
        while not reply or reply.status != 200:
            self.assertIsNone(self.failure, self.said())
            self.assertLess(time.monotonic(), end, f"sluiced says nothing: {reply}\n{self.said()}")
            time.sleep(0.05)
            reply = self.asked(self.s.get, "/v1/services/edge/descriptor")
        self.descriptor = reply.json

    # --- the end ---

    def settled(self):
        """No operation is open, everything is ready."""
        operations = [op for op in self.s.get("/v1/ops").json if op["state"] not in ENDED]
        shown = self.s.shown()
        return not operations and shown["state"] == "ready" and all(vnf["state"] == "ready" for vnf in shown["vnfs"])

    def check_operations(self):
        end = time.monotonic() + PATIENCE
        while not self.settled():
            self.assertLess(time.monotonic(), end, f"{self.s.get('/v1/ops').json[-3:]}\n{self.s.shown()}\n{self.said()}")
            for op in self.s.get("/v1/ops").json:
                if op["state"] == "FAILED_TEMP":
                    self.s.call("POST", f"/v1/ops/{op['id']}:retry")
            time.sleep(0.1)
        ids = [op["id"] for op in self.s.get("/v1/ops").json]
        self.assertEqual(len(ids), len(set(ids)))

    def check_wishes(self):
        """What runs is what is wished, and that is what was asked for."""
        shown = self.s.shown()
        self.assertEqual(shown["descriptor"], self.descriptor, self.said())
        self.assertEqual(sorted(self.s.pids().values()), self.expected(), self.said())
        running = mano.request(self.s.run + "/edge/control.sock", "GET", "/v1/config").json
        self.assertEqual(running["paths"][0]["path"], self.descriptor["chains"][0]["path"], self.said())
        self.assertEqual(running["engine"].get("workers", 1), self.descriptor["engine"].get("workers", 1), self.said())
        self.assertEqual(len(running["edge"].get("routes", [])), len(self.descriptor["edge"].get("routes", [])), self.said())
        self.assertEqual(running["edge"]["ports"][0]["addresses"], self.descriptor["edge"]["ports"][0]["addresses"], self.said())
        for vnf in self.descriptor["vnfs"]:
            if vnf["kind"] == "firewall":
                there = self.s.get(f"/v1/services/edge/vnfs/{vnf['name']}/config").json
                self.assertEqual(self.names(there), self.names(vnf["config"]), self.said())
        for process in (shown["process"], *shown["vnfs"]):
            self.assertFalse(process.get("drift"), f"{process}\n{self.said()}")

    def names(self, config):
        return [rule["name"] for rule in config.get("rules", [])]

    def expected(self):
        chain = self.descriptor["chains"][0]["path"]
        return ["edge"] + sorted(f"edge/{v['name']}" for v in self.descriptor["vnfs"]
                                 if v.get("placement", "fused") == "process" and v["name"] in chain)

    def not_passed_on(self):
        """Packets that processes dropped, or kernels before them, for whatever reason."""
        total = 0
        for name in self.expected():
            where, vnf = "/v1/services/edge/state", f"?vnf={name.partition('/')[2]}" if "/" in name else ""
            total += self.s.get(f"{where}/counters{vnf}").json["balance"]["dropped"]
            total += sum(port["missed"] + port["oversize"] for port in self.s.get(f"{where}/ports{vnf}").json)
        return total

    def check_traffic(self):
        before = self.not_passed_on()
        load = Load(self.line, RATE, 3)
        until("every flow flows", lambda: load.flowing()[0], 30, 0.3)
        result = load.result()
        self.assertEqual(result["reordered"], 0, f"{result}\n{self.said()}")
        # Who waits long for a processor finds its rings full: what is lost so is counted.
        self.assertLessEqual(result["lost"], self.not_passed_on() - before, f"{result} {self.drops()}\n{self.said()}")
        for target in (self.line.SERVER4, self.line.SERVER6):
            until(f"{target} answers", lambda target=target: self.line.ping(target, 1) == 1, 30)
        self.echo()
        self.talk()
        self.balances()

    def leftovers(self):
        """What there is of the service that should not be."""
        found = [f"process {folder}" for folder in self.s.pids().values()]
        found += [os.path.join(self.s.run, name) for name in os.listdir(self.s.run) if name != "sluiced.sock"]
        found += [f"interface {name}" for name in run("ip", "netns", "exec", self.line.edge, "ls", "/sys/class/net").stdout.split()
                  if name not in ("lo", "lan0", "wan0")]
        found += [f"namespace {name}" for name in reap.spaces(self.line.prefix) if name not in self.line.spaces]
        with open("/proc/net/unix") as file:
            found += [line.split()[-1] for line in file if self.s.run + "/" in line and not line.rstrip().endswith("/sluiced.sock")]
        for folder in ("/dev/shm", "/dev/hugepages", "/run/dpdk", "/var/run/dpdk"):
            there = set(os.listdir(folder)) if os.path.isdir(folder) else set()
            found += [os.path.join(folder, name) for name in there if os.path.basename(self.s.folder) in name]
        return found

    def check_nothing_left(self):
        reply = self.s.call("DELETE", "/v1/services/edge?wait=60")
        self.assertEqual(self.assertStatus(reply, 200)["state"], "COMPLETED", self.said())
        self.assertEqual(self.s.get("/v1/services").json, [])
        self.assertEqual(self.leftovers(), [], self.said())

    def kills(self):
        return sum(" kill " in line for line in self.history)

    def goes_on(self):
        enough = self.completed >= LEAST and self.kills() >= LEAST
        return not self.over.is_set() and time.monotonic() < self.begin + SECONDS + (0 if enough else PATIENCE)

    def test_chaos(self):
        print(f"SEED={SEED} CHAOS_SECONDS={SECONDS:g} RATE={RATE}", flush=True)
        self.completed, self.failure = 0, None
        load, downloads = Load(self.line, RATE, 86400), Downloads(self.line, patience=15)
        killer = threading.Thread(target=self.kill_all_the_time, daemon=True)
        killer.start()
        try:
            while self.goes_on():
                self.change()
        finally:
            self.over.set()
            killer.join(2 * PATIENCE)
        self.assertFalse(killer.is_alive(), self.said())
        self.assertIsNone(self.failure, self.said())
        self.learn()
        self.check_operations()
        self.learn()
        whole, cut, wrong = downloads.result()
        load.stop()
        print(f"{self.completed} changes, {self.kills()} kills, {whole} downloads, {len(cut)} cut off; {load.result()}", flush=True)
        self.assertEqual(wrong, [], self.said())
        self.assertGreaterEqual(self.completed, LEAST, self.said())
        self.assertGreaterEqual(self.kills(), LEAST, self.said())
        self.apply()
        self.check_operations()
        self.check_wishes()
        self.check_traffic()
        self.check_nothing_left()


mano.main()
