#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""
kill -9 of sluiced at steps through every kind of operation: after its next start the operation is closed, what is wanted is the one document or
the other as a whole, every process runs that, once, nothing is left of what is gone, and what was to be restarted was restarted
once. With the double, which notes its starts. How long an operation takes is measured first, so that the steps cover all of it; the seed of what
moves them is printed, SLUICE_SEED repeats a run, SLUICE_STEPS asks for more.
"""
import os
import random
import signal
import sys
import tempfile
import threading
import time

import mano
from mano import service, wait_for

STEPS = int(os.environ.get("SLUICE_STEPS", "6"))
EDGE = "/v1/services/edge"
ENDED = ("COMPLETED", "ROLLED_BACK", "FAILED")


def described(number=0, name="edge", **config):
    return service(name, vnfs=[{"name": "fw", "kind": "firewall", "config": {"number": number, **config}},
                               {"name": "far", "kind": "firewall", "placement": "process", "config": {"number": number}},
                               {"name": "spare", "kind": "firewall", "config": {}}],
                   chains=[{"name": "all", "path": ["lan", "fw", "far", "wan"]}])


def changed(change):
    document = described()
    change(document)
    return document


def on_path(*names):
    return changed(lambda d: d["chains"][0].update(path=list(names)))


BASE = {"edge": described()}
NUMBER = {"edge": described(1)}

# name: what is sent, what is there if it is carried out, and how often each process is started then (None: any number of times)
KINDS = {
    "new": (("POST", "/v1/apply", {"resources": {"services": [described(name="extra")]}}),
            {**BASE, "extra": described(name="extra")}, None),
    "change": (("PUT", EDGE, changed(lambda d: d.update(unmatched="route"))), {"edge": changed(lambda d: d.update(unmatched="route"))}, {}),
    "config": (("PUT", f"{EDGE}/vnfs/far/config", {"number": 1}),
               {"edge": changed(lambda d: d["vnfs"][1].update(config={"number": 1}))}, {}),
    "insert": (("POST", f"{EDGE}/chains/all:insert", {"vnf": "spare", "before": "wan"}), {"edge": on_path("lan", "fw", "far", "spare", "wan")}, {}),
    "remove": (("POST", f"{EDGE}/chains/all:remove", {"vnf": "far"}), {"edge": on_path("lan", "fw", "wan")}, {}),
    "reorder": (("POST", f"{EDGE}/chains/all:reorder", {"path": ["lan", "far", "fw", "wan"]}), {"edge": on_path("lan", "far", "fw", "wan")}, {}),
    "placement": (("PUT", EDGE, changed(lambda d: d["vnfs"][0].update(placement="process"))),
                  {"edge": changed(lambda d: d["vnfs"][0].update(placement="process"))}, None),
    "workers": (("PATCH", EDGE, {"engine": {"workers": 2}}), {"edge": changed(lambda d: d.update(engine={"workers": 2}))}, None),
    "bad": (("PUT", f"{EDGE}/vnfs/fw/config", {"number": 9, "refuse": True}),
            {"edge": changed(lambda d: d["vnfs"][0].update(config={"number": 9, "refuse": True}))}, {}),
    "delete": (("DELETE", EDGE, None), {}, None),
    "heal": (("POST", f"{EDGE}:heal", None), BASE, {"edge": 1, "edge/far": 1}),
    "restart": (("POST", f"{EDGE}/vnfs/far:restart", None), BASE, {"edge/far": 1}),
    "rollback": (("POST", f"{EDGE}:rollback", {}), BASE, {}),
}


class Steps(mano.Case):
    double = True

    @classmethod
    def setUpClass(cls):
        cls.seed = int(os.environ.get("SLUICE_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
        print(f"SLUICE_SEED={cls.seed}", file=sys.stderr, flush=True)

    def setUp(self):
        self.starts = tempfile.NamedTemporaryFile(prefix="sluice-starts-")
        os.environ["DOUBLE_STARTS"] = self.starts.name
        self.addCleanup(os.environ.pop, "DOUBLE_STARTS")
        super().setUp()
        self.random = random.Random(self.seed)

    # --- what there is ---

    def there(self):
        return {one["name"]: self.s.get(f"/v1/services/{one['name']}/descriptor").json for one in self.s.get("/v1/services").json}

    def started(self):
        with open(self.starts.name) as file:
            lines = file.read().splitlines()
        return [line[len(self.s.run) + 1:] for line in lines]

    def begin(self):
        """Where starts and the log stand."""
        return len(self.started()), len(self.s.log())

    def hung(self, begun):
        """Processes that were started anew since then because a starved machine let them stand still: that is right, and no part of this."""
        found = []
        for line in self.s.log()[begun[1]:].splitlines():
            if "event=vnf-hung" in line or "event=vnf-unresponsive" in line:
                found.append(line.partition("unit=")[2].split()[0])
        return [name for name in found if name in self.started()[begun[0]:]]

    def last_op(self):
        return max([op["id"] for op in self.s.get("/v1/ops?limit=1000").json], default=0)

    def reset(self, wanted=BASE):
        self.s.must_apply(*wanted.values(), prune=True)
        self.assertEqual(self.there(), wanted)

    # --- what should be ---

    def processes(self, services):
        """Names of processes, and the configurations of the functions that are theirs."""
        found = {}
        for name, document in services.items():
            apart = {vnf["name"]: vnf["config"] for vnf in document["vnfs"] if vnf.get("placement") == "process"}
            on_chain = {step for chain in document["chains"] for step in chain["path"]}
            found[name] = {vnf["name"]: vnf["config"] for vnf in document["vnfs"] if vnf["name"] not in apart}
            found.update({f"{name}/{vnf}": {vnf: config} for vnf, config in apart.items() if vnf in on_chain})
        return found

    def running(self, process):
        document = mano.request(f"{self.s.run}/{process}/control.sock", "GET", "/v1/config").json
        return {function["name"]: function.get("config", {}) for function in document.get("functions", [])}

    def check_whole(self, services, said):
        """What runs is what is wanted, once, and nothing else is there."""
        wanted = self.processes(services)
        wait_for(lambda: all(one["state"] == "ready" for one in self.s.get("/v1/services").json), what=f"all ready; {said}")
        wait_for(lambda: sorted(self.s.pids().values()) == sorted(wanted),
                 what=f"{sorted(wanted)} run, each once; there are {sorted(self.s.pids().values())}; {said}")
        for process, functions in wanted.items():
            running = self.running(process)
            for name, config in functions.items():
                if name in running:
                    self.assertEqual(running[name], config, f"{process}/{name}; {said}")
        for name, document in services.items():
            paths = mano.request(f"{self.s.run}/{name}/control.sock", "GET", "/v1/config").json["paths"]
            self.assertEqual(paths[0]["path"], document["chains"][0]["path"], said)
        folders = sorted(os.path.relpath(above, self.s.run) for above, _, _ in os.walk(self.s.run) if above != self.s.run)
        self.assertEqual(folders, sorted(wanted), said)
        self.assertEqual(sorted(name for name in os.listdir(self.s.run) if name != "sluiced.sock"), sorted(services), said)

    def settle(self, after, said):
        """Waits until all operations from `after` on have ended; answers them."""
        ops = [op for op in self.s.get("/v1/ops?limit=1000").json if op["id"] > after]
        for i, op in enumerate(ops):
            if op["state"] not in ENDED:
                ops[i] = self.s.get(f"/v1/ops/{op['id']}?wait=60").json
            self.assertIn(ops[i]["state"], ENDED, f"{ops[i]}; {said}")
        return ops

    # --- one kill ---

    def send(self, call):
        """422 is what a change of a configuration that was rolled back is answered with, 503 what comes when sluiced ends."""
        try:
            reply = self.s.call(*call)
        except (OSError, mano.http.client.HTTPException):
            return
        self.assertIn(reply.status, (200, 201, 202, 422, 503), f"{call}: {reply}")

    def duration(self, call):
        begun = time.monotonic()
        reply = self.s.call(*call)
        self.assertIn(reply.status, (200, 201, 202, 422), f"{call}: {reply}")
        if "state" in (reply.json or {}):
            self.s.get(f"/v1/ops/{reply.json['id']}?wait=60")
        return time.monotonic() - begun

    def kill_after(self, delay, call, again):
        """Sends, kills so many seconds later, starts anew; with `again` another kill in the first moments of the next life."""
        killer = threading.Timer(delay, self.s.process.kill)
        killer.start()
        if call:
            self.send(call)
        killer.join()
        self.s.process.wait()
        if again:
            self.s.start(ready=False)
            time.sleep(self.random.random() * 0.15)
            self.s.kill()
        self.s.start()

    def delays(self, duration):
        """From before the request is read until a little after its operation has ended."""
        for step in range(STEPS):
            yield max(0, (step + self.random.random() - 0.5) / (STEPS - 1) * duration * 1.2)

    def judge(self, *arguments):
        try:
            self.compare(*arguments)
        except AssertionError:
            print(f"{arguments[-1]}\n{self.s.log()[-6000:]}", file=sys.stderr)
            raise

    def compare(self, kind, before, wanted, starts, first_op, first_start, said):
        ops = self.settle(first_op, said)
        now, started = self.there(), self.started()[first_start[0]:]
        said = f"{said}; operations {[(op['id'], op['kind'], op['state']) for op in ops]}; started {started}"
        if kind == "undo":  # one that had not begun anything when it was killed is followed by another
            self.assertEqual([op["state"] for op in ops[:-1]], ["ROLLED_BACK"] * (len(ops) - 1), said)
            ops = ops[-1:]
        self.assertLessEqual(len(ops), 1, said)
        done = bool(ops) and ops[0]["state"] == "COMPLETED"
        self.assertEqual(now, wanted if done else before, said)
        if starts is not None:
            for name in self.hung(first_start):
                started.remove(name)
            counted = {name: started.count(name) for name in set(started)}
            self.assertEqual(counted, starts if done else {}, said)
        self.check_whole(now, said)

    def prepare(self, kind):
        if kind == "rollback":
            self.reset()
            self.reset(NUMBER)
            return NUMBER
        self.reset()
        return BASE

    def steps(self, kind):
        call, wanted, starts = KINDS[kind]
        self.prepare(kind)
        duration = self.duration(call)
        for delay in self.delays(duration):
            before = self.prepare(kind)
            again = self.random.random() < 0.25
            said = f"{kind}, killed {delay * 1000:.1f} ms after, of {duration * 1000:.0f}{', and again' if again else ''}; seed {self.seed}"
            first_op, first_start = self.last_op(), self.begin()
            self.kill_after(delay, call, again)
            self.judge(kind, before, wanted, starts, first_op, first_start, said)

    def test_confirm(self):
        """Whether it was confirmed or not yet, it is one of the two; and it is asked for once more without harm."""
        self.reset()
        self.assertEqual(self.s.apply(described(1), confirm=600).json["state"], "COMPLETED")
        duration = self.duration(("POST", f"{EDGE}:confirm", None))
        for delay in self.delays(duration * 2):
            self.reset()
            self.assertEqual(self.s.apply(described(1), confirm=600).json["state"], "COMPLETED")
            first_op = self.last_op()
            self.kill_after(delay, ("POST", f"{EDGE}:confirm", None), self.random.random() < 0.25)
            said = f"confirm, killed {delay * 1000:.1f} ms after; seed {self.seed}"
            self.assertEqual(self.settle(first_op, said), [], said)
            self.assertEqual(self.there(), NUMBER, said)
            state = self.s.get(f"{EDGE}/revisions").json[-1]["state"]
            self.assertIn(state, ("current", "unconfirmed"), said)
            if state == "unconfirmed":
                self.assertStatus(self.s.call("POST", f"{EDGE}:confirm"), 200)
            self.check_whole(NUMBER, said)

    def test_undo(self):
        """The time of a confirmation runs out while sluiced is killed."""
        for delay in self.delays(0.5):
            self.reset()
            self.assertEqual(self.s.apply(described(1), confirm=1).json["state"], "COMPLETED")
            first_op, first_start = self.last_op(), self.begin()
            self.kill_after(0.9 + delay, None, self.random.random() < 0.25)
            said = f"undo, killed {900 + delay * 1000:.1f} ms after; seed {self.seed}"
            wait_for(lambda: self.there() == BASE, what=f"undone; {said}")
            self.judge("undo", BASE, BASE, {}, first_op, first_start, said)

    def test_going_back(self):
        """Killed while an operation goes back: its next life goes back on. The double takes what stalls from its file alone."""
        before, wrong = described(), described(1, stall=True)
        before["vnfs"][1]["config"] = {"stall": True}
        self.s.stop()
        self.s.options = ["--ready-timeout", "3"]
        self.s.start()
        self.reset({"edge": before})
        self.send(("PUT", f"{EDGE}?wait=0", wrong))
        number = self.last_op()
        state = lambda: self.s.get(f"/v1/ops/{number}").json["state"]

        def runs(config):
            try:
                return self.running("edge/far")["far"] == config
            except (OSError, mano.http.client.HTTPException):
                return False

        wait_for(lambda: runs({"number": 1}), what="one process has taken the change")
        wait_for(lambda: state() == "ROLLING_BACK", what="it goes back, for the other has not")
        self.s.kill()
        self.s.start()
        self.assertEqual(state(), "ROLLING_BACK")
        os.kill(next(pid for pid, name in self.s.pids().items() if name == "edge/far"), signal.SIGKILL)
        wait_for(lambda: state() == "ROLLED_BACK", what="it has gone back")
        self.assertEqual(self.there(), {"edge": before})
        wait_for(lambda: runs({"stall": True}), what="and so has the process")


def steps_of(kind):
    return lambda self: self.steps(kind)


for name in KINDS:
    setattr(Steps, f"test_{name}", steps_of(name))

if __name__ == "__main__":
    mano.main()
