#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Faults that real processes do not have on command: with the double of tests/mano/double.py."""
import os
import signal
import time

import mano
from mano import service, wait_for


def told(*words, name="edge", placement="fused", **values):
    config = {word: True for word in words}
    config.update(values)
    return service(name, placement, vnfs=[{"name": "fw", "kind": "firewall", "config": config}])


class Faults(mano.Case):
    double = True
    options = ("--ready-timeout", "3")

    def test_worker_that_hangs_while_rest_answers(self):
        self.s.must_apply(told())
        before = self.s.shown()["process"]["pid"]
        time.sleep(0.2)
        hung = time.monotonic()
        self.assertStatus(self.s.get("/v1/services/edge/state/hang"), 200)
        event = wait_for(lambda: self.s.events("vnf-hung"), 2, "seen", 0.005)[0]
        self.assertLess(time.monotonic() - hung, 1.2)
        self.assertEqual(event["details"]["pid"], before)
        wait_for(lambda: self.s.events("vnf-healed"), 3, "healed")

    def test_flapping_process_is_started_ever_more_slowly(self):
        self.s.must_apply(told(crashAfter=50))
        wait_for(lambda: len(self.s.events("vnf-started")) >= 5, 12, "five starts")
        stamp = [event["time"] for event in self.s.events("vnf-started")]
        seconds = [float(text[17:26]) + 60 * float(text[14:16]) for text in stamp]
        gaps = [later - earlier for earlier, later in zip(seconds, seconds[1:])]
        self.assertLess(gaps[0], 0.6, "at once the first time")
        for gap, least in zip(gaps[1:], (0.5, 1.0, 2.0)):
            self.assertGreater(gap, least)
        self.assertIn(self.s.shown()["state"], ("starting", "degraded", "ready"))

    def test_new_service_that_cannot_start_is_rolled_back(self):
        reply = self.s.apply(told("crash"))
        op = self.assertStatus(reply, 200)
        self.assertEqual(op["state"], "ROLLED_BACK")
        self.assertIn("told to crash", op["errors"][0]["detail"])
        self.assertEqual(self.s.get("/v1/services").json, [])
        self.assertEqual(self.s.pids(), {})
        self.assertFalse(os.path.exists(os.path.join(self.s.run, "edge")))

    def test_service_that_is_never_ready_is_rolled_back(self):
        op = self.assertStatus(self.s.apply(told("never")), 200)
        self.assertEqual((op["state"], op["errors"][0]["code"]), ("ROLLED_BACK", "not-ready"))
        self.assertEqual(self.s.pids(), {})

    def test_refused_change_leaves_everything_as_it_was(self):
        self.s.must_apply(told())
        before = self.s.shown()
        op = self.assertStatus(self.s.apply(told("refuse")), 200)
        self.assertEqual(op["state"], "ROLLED_BACK")
        self.assertEqual(op["errors"][0]["path"], "services[edge].vnfs[0].config.refuse")
        after = self.s.shown()
        for member in ("revision", "descriptor"):
            self.assertEqual(after[member], before[member])
        self.assertEqual(after["process"]["pid"], before["process"]["pid"])
        self.assertEqual(after["process"]["digest"], before["process"]["digest"])

    def test_all_or_nothing(self):
        self.s.must_apply(told(name="a"))
        pid = self.s.shown("a")["process"]["pid"]
        op = self.assertStatus(self.s.apply(told(name="a", other=1), told("crash", name="b")), 200)
        self.assertEqual(op["state"], "ROLLED_BACK")
        self.assertEqual(self.s.shown("a")["descriptor"], told(name="a"))
        self.assertEqual(self.s.shown("a")["process"]["pid"], pid)
        self.assertEqual(list(self.s.pids().values()), ["a"])

    def test_needs_restart_is_done(self):
        self.s.must_apply(told())
        pid = self.s.shown()["process"]["pid"]
        self.s.must_apply(told("restart"))
        self.assertNotEqual(self.s.shown()["process"]["pid"], pid)
        self.assertEqual(len(self.s.pids()), 1)

    def test_deaf_process_is_killed(self):
        self.s.must_apply(told("deaf"))
        wait_for(lambda: self.s.events("vnf-unresponsive"), 15, "seen to be deaf")
        wait_for(lambda: self.s.events("vnf-healed"), 5, "started anew")

    def test_failed_restart_waits_and_gives_way(self):
        self.s.must_apply(told())
        os.unlink(os.path.join(self.s.bin, "sluice-chain"))
        op = self.assertStatus(self.s.call("POST", "/v1/services/edge:restart?wait=10"), 200)
        self.assertEqual(op["state"], "FAILED_TEMP")
        os.symlink(os.path.join(mano.HERE, "double.py"), os.path.join(self.s.bin, "sluice-chain"))
        reply = self.s.call("POST", f"/v1/ops/{op['id']}:retry?wait=10")
        self.assertEqual(self.assertStatus(reply, 200)["state"], "COMPLETED")
        reply = self.s.call("POST", f"/v1/ops/{op['id']}:fail")
        self.assertErrors(reply, 409, (None, "conflict"))

    def test_killed_in_the_middle_of_an_apply(self):
        """kill -9 at many moments: the operation ends one way, nothing is doubled, nothing is lost."""
        for i, delay in enumerate((0, 0.05, 0.1, 0.2, 0.3, 0.5)):
            name = f"s{i}"
            reply = self.s.call("POST", "/v1/apply", {"resources": {"services": [
                told(name=name), told(name=name + "p", placement="process")]}})
            self.assertStatus(reply, 202)
            time.sleep(delay)
            self.s.kill()
            self.s.start()
            op = self.assertStatus(self.s.get(f"/v1/ops/{reply.json['id']}?wait=20"), 200)
            self.assertEqual(op["state"], "COMPLETED", self.s.log())
            wait_for(lambda: self.s.shown(name)["state"] == "ready", 5)
        expected = sorted([f"s{i}" for i in range(6)] + [f"s{i}p" for i in range(6)] + [f"s{i}p/fw" for i in range(6)])
        self.assertEqual(sorted(self.s.pids().values()), expected)

    def test_killed_while_rolling_back_and_deleting(self):
        self.s.must_apply(told(name="keep"))
        reply = self.s.call("POST", "/v1/apply", {"resources": {"services": [told("never", name="bad")]}})
        time.sleep(2.9)
        self.s.kill()
        self.s.start()
        op = self.s.get(f"/v1/ops/{reply.json['id']}?wait=20").json
        self.assertEqual(op["state"], "ROLLED_BACK")
        self.assertEqual(list(self.s.pids().values()), ["keep"])
        reply = self.s.call("DELETE", "/v1/services/keep")
        self.assertStatus(reply, 202)
        self.s.kill()
        self.s.start()
        self.assertEqual(self.s.get(f"/v1/ops/{reply.json['id']}?wait=20").json["state"], "COMPLETED")
        self.assertEqual(self.s.pids(), {})
        self.assertEqual(self.s.get("/v1/services").json, [])
        self.assertEqual([entry for entry in os.listdir(self.s.run) if entry != "sluiced.sock"], [])

    def test_stale_folders_are_cleaned(self):
        self.s.kill()
        stale = os.path.join(self.s.run, "gone", "fw")
        os.makedirs(stale)
        for path in (os.path.join(self.s.run, "gone", "boot.json"), os.path.join(stale, "boot.json")):
            with open(path, "w") as file:
                file.write("{}")
        mine = os.path.join(self.s.run, "something-else")
        os.mkdir(mine)
        self.s.start()
        self.assertFalse(os.path.exists(os.path.join(self.s.run, "gone")))
        self.assertTrue(os.path.exists(mine), "what does not look like ours is left alone")
        checks = self.s.get("/v1/doctor").json["checks"]
        self.assertTrue([check for check in checks if check["name"] == "leftovers" and not check["ok"]])

    def test_one_operation_at_a_time(self):
        first = self.s.call("POST", "/v1/apply", {"resources": {"services": [told("never")]}})
        self.assertStatus(first, 202)
        reply = self.s.apply(told())
        self.assertErrors(reply, 409, ("services[0]", "busy"))
        self.s.must_apply(told(name="other"))


mano.main()
