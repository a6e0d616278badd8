#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""
kill -9 of sluiced at random moments of random operations: what was answered for is carried out or undone as a whole, no
process is lost and none runs twice. With the double, so that many operations fit in; the seed is printed, and SLUICE_SEED
repeats a run.
"""
import os
import random
import sys
import threading
import time

import mano
from mano import service, wait_for

SECONDS = 25
NAMES = ("a", "b", "c")


def described(name, placement, number):
    return service(name, placement, vnfs=[{"name": "fw", "kind": "firewall", "config": {"number": number}}])


class Killed(mano.Case):
    double = True

    def setUp(self):
        super().setUp()
        self.seed = int(os.environ.get("SLUICE_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
        self.random = random.Random(self.seed)
        self.believed = {}  # name: descriptor, of what has ended
        print(f"SLUICE_SEED={self.seed}", file=sys.stderr, flush=True)

    def operation(self, number):
        """What to send, and what is there if it is carried out."""
        wanted = dict(self.believed)
        kind = self.random.choice(("apply", "apply", "apply", "delete", "restart", "heal", "bad", "config", "rollback"))
        name = self.random.choice(NAMES)
        if kind == "config" and name in self.believed:
            config = {"number": number}
            wanted[name] = {**wanted[name], "vnfs": [{**wanted[name]["vnfs"][0], "config": config}]}
            return ("PUT", f"/v1/services/{name}/vnfs/fw/config", config), wanted
        if kind == "rollback" and name in self.believed and self.before(name):
            wanted[name] = self.before(name)
            return ("POST", f"/v1/services/{name}:rollback", {}), wanted
        if kind in ("restart", "heal", "delete") and name in self.believed:
            if kind != "delete":
                return ("POST", f"/v1/services/{name}:{kind}", None), wanted
            del wanted[name]
            return ("DELETE", f"/v1/services/{name}", None), wanted
        some = self.random.sample(NAMES, self.random.randrange(1, 3))
        services = [described(one, self.random.choice(("fused", "process")), number) for one in some]
        if kind == "bad":
            services[-1]["vnfs"][0]["config"].update(crash=True, refuse=True)  # neither started with it nor given it
        wanted.update({one["name"]: one for one in services})
        return ("POST", "/v1/apply", {"resources": {"services": services}}), wanted

    def before(self, name):
        """What a rollback brings back; None: there is nothing."""
        current = self.s.get(f"/v1/services/{name}").json["revision"]
        former = [one["revision"] for one in self.s.get(f"/v1/services/{name}/revisions").json
                  if one["revision"] < current and one["state"] != "undone"]
        return self.s.get(f"/v1/services/{name}/revisions/{former[-1]}").json["descriptor"] if former else None

    def send(self, call):
        """The operation's id, or None if sluiced died before it answered."""
        try:
            reply = self.s.call(*call)
        except (OSError, mano.http.client.HTTPException):
            return None
        self.assertIn(reply.status, (200, 201, 202), f"{call}: {reply}")
        return reply.json["id"]

    def settle(self):
        """Waits until every operation has ended; those that stopped in FAILED_TEMP are given up."""
        for op in self.s.get("/v1/ops").json:
            if op["state"] not in ("COMPLETED", "ROLLED_BACK", "FAILED"):
                op = self.s.get(f"/v1/ops/{op['id']}?wait=60").json
            if op["state"] == "FAILED_TEMP":
                self.s.call("POST", f"/v1/ops/{op['id']}:fail")
            self.assertIn(op["state"], ("COMPLETED", "ROLLED_BACK", "FAILED", "FAILED_TEMP"), op)

    def there(self):
        return {one["name"]: self.s.get(f"/v1/services/{one['name']}/descriptor").json
                for one in self.s.get("/v1/services").json}

    def expected_processes(self):
        return sorted([name for name in self.believed] +
                      [f"{name}/fw" for name, one in self.believed.items() if one["placement"] == "process"])

    def check(self, before, wanted, op, call):
        """All of it or nothing of it; and what runs is what should."""
        now = self.there()
        state = self.s.get(f"/v1/ops/{op}").json["state"] if op else None
        said = f"seed {self.seed}, {call}, operation {op} {state}\n{self.s.log()[-4000:]}"
        if state in ("COMPLETED", "FAILED", "FAILED_TEMP"):
            self.assertEqual(now, wanted, said)
        elif state == "ROLLED_BACK":
            self.assertEqual(now, before, said)
        else:
            self.assertIn(now, (before, wanted), said)
        self.believed = now
        wait_for(lambda: sorted(self.s.pids().values()) == self.expected_processes(),
                 what=f"{self.expected_processes()} run, each once; there are {sorted(self.s.pids().values())}; {said}")
        folders = lambda: sorted(entry for entry in os.listdir(self.s.run) if entry != "sluiced.sock")
        self.assertEqual(folders(), sorted(self.believed), said)
        wait_for(lambda: all(one["state"] == "ready" for one in self.s.get("/v1/services").json), what=f"all ready; {said}")

    def test_at_random_moments(self):
        end, number, kills = time.monotonic() + SECONDS, 0, 0
        while time.monotonic() < end:
            number += 1
            before = dict(self.believed)
            call, wanted = self.operation(number)
            delay = self.random.choice((0, 0.002, 0.01, 0.05, 0.1, 0.2, 0.4)) * self.random.random() * 2
            killer = threading.Timer(delay, self.s.process.kill)
            killer.start()
            op = self.send(call)
            killer.join()
            self.s.process.wait()
            kills += 1
            if self.random.random() < 0.3:  # and again in the first moments of the next life
                self.s.start(ready=False)
                time.sleep(self.random.random() * 0.2)
                self.s.kill()
                kills += 1
            self.s.start()
            self.settle()
            self.check(before, wanted, op, call)
        print(f"{number} operations, {kills} kills", file=sys.stderr)
        self.assertGreater(number, 5)
        ids = [op["id"] for op in self.s.get("/v1/ops").json]
        self.assertEqual(len(ids), len(set(ids)))


mano.main()
