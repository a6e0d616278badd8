#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Faults that real processes do not have on command: with the double of tests/mano/double.py."""
import contextlib
import datetime
import errno
import os
import signal
import socket
import threading
import time

import mano
from mano import alive, service, wait_for


def told(*words, name="edge", placement="fused", **values):
    config = {word: True for word in words}
    config.update(values)
    return service(name, placement, vnfs=[{"name": "fw", "kind": "firewall", "config": config}])


class Faults(mano.Case):
    double = True

    def impatient(self):
        """Another life of sluiced, in which operations wait only a little for processes that are never ready."""
        self.s.stop()
        self.s.options = ["--ready-timeout", "3"]
        self.s.start()

    def test_worker_that_hangs_while_rest_answers(self):
        self.s.must_apply(told())
        before = self.s.shown()["process"]["pid"]
        time.sleep(0.2)
        self.assertStatus(self.s.get("/v1/services/edge/state/hang"), 200)
        event = wait_for(lambda: self.s.events("vnf-hung"), what="seen", every=0.005)[0]
        self.assertEqual(event["details"]["pid"], before)
        wait_for(lambda: self.s.events("vnf-healed"), what="healed")

    def test_flapping_process_is_started_ever_more_slowly(self):
        self.s.must_apply(told(crashAfter=50))
        wait_for(lambda: len(self.s.events("vnf-started")) >= 5, what="five starts")
        seconds = lambda kind: [datetime.datetime.fromisoformat(event["time"].rstrip("Z")).timestamp()
                                for event in self.s.events(kind)]
        gaps = [started - ended for ended, started in zip(seconds("vnf-exited"), seconds("vnf-started")[1:])]
        self.assertLess(gaps[0], 0.49, "at once the first time")
        for gap, least in zip(gaps[1:], (0.49, 0.99, 1.99)):
            self.assertGreater(gap, least)
        self.assertIn(self.s.shown()["state"], ("starting", "degraded", "ready"))

    def test_process_that_served_is_started_at_once(self):
        """Ten times; by the tenth an ever slower start would take half a minute. Operators are told that it flaps."""
        self.s.must_apply(told())
        for i in range(10):
            pid = wait_for(lambda: self.s.shown()["state"] == "ready" and self.s.shown()["process"]["pid"], what="ready")
            time.sleep(1.2)
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: len(self.s.events("vnf-healed")) == i + 1, what=f"healed after kill {i + 1}")
        states = [event["details"]["milliseconds"] for event in self.s.events("vnf-healed")]
        self.assertLess(sorted(states)[5], 10000 if os.environ.get("SLUICE_SANITIZE") in ("ON", "thread") else 2000, states)
        self.assertTrue(self.s.events("vnf-flapping", "edge"))

    def test_new_service_that_cannot_start_is_rolled_back(self):
        reply = self.s.apply(told("crash"))
        op = self.assertStatus(reply, 200)
        self.assertEqual(op["state"], "ROLLED_BACK")
        self.assertIn("told to crash", op["errors"][0]["detail"])
        self.assertEqual(self.s.get("/v1/services").json, [])
        self.assertEqual(self.s.pids(), {})
        self.assertFalse(os.path.exists(os.path.join(self.s.run, "edge")))

    def test_service_that_is_never_ready_is_rolled_back(self):
        self.impatient()
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
        wait_for(lambda: self.s.events("vnf-unresponsive"), what="seen to be deaf")
        wait_for(lambda: self.s.events("vnf-healed"), what="started anew")

    def test_busy_process_is_given_time(self):
        """One that is asked before the deaf one has missed as many questions, and lives."""
        self.s.must_apply(told("busy", name="busy"))
        self.s.must_apply(told("busy", name="busy"), told("deaf"))
        pid = self.s.shown("busy")["process"]["pid"]
        wait_for(lambda: self.s.events("vnf-unresponsive", "edge"), what="the other is seen to be deaf")
        self.assertEqual((self.s.events("vnf-unresponsive", "busy"), self.s.shown("busy")["process"]["pid"]), ([], pid))

    def test_failed_restart_disturbs_nothing(self):
        self.s.must_apply(told())
        pid = self.s.shown()["process"]["pid"]
        os.unlink(os.path.join(self.s.bin, "sluice-chain"))
        op = self.assertStatus(self.s.call("POST", "/v1/services/edge:restart?wait=60"), 200)
        self.assertEqual((op["state"], op["errors"][0]["code"]), ("ROLLED_BACK", "cannot-start"), op)
        self.assertEqual((self.s.shown()["process"]["pid"], self.s.shown()["state"]), (pid, "ready"))

    def test_failed_heal_waits_and_gives_way(self):
        self.s.must_apply(told())
        self.impatient()
        wait_for(lambda: self.s.shown()["state"] == "ready")
        os.unlink(os.path.join(self.s.bin, "sluice-chain"))
        op = self.assertStatus(self.s.call("POST", "/v1/services/edge:heal?wait=60"), 200)
        self.assertEqual(op["state"], "FAILED_TEMP")
        os.symlink(os.path.join(mano.HERE, "double.py"), os.path.join(self.s.bin, "sluice-chain"))
        retry = lambda: self.s.call("POST", f"/v1/ops/{op['id']}:retry?wait=60")
        wait_for(lambda: self.assertStatus(retry(), 200)["state"] == "COMPLETED", what="tried again")
        reply = self.s.call("POST", f"/v1/ops/{op['id']}:fail")
        self.assertErrors(reply, 409, (None, "conflict"))

    def test_killed_in_tasks_of_a_failed_heal(self):
        """Rolled back it is, and tried again it is, also by the next life."""
        self.s.must_apply(told())
        self.impatient()
        program = os.path.join(self.s.bin, "sluice-chain")
        for task, ends in (("rollback", "ROLLED_BACK"), ("retry", "COMPLETED")):
            for delay in (0, 0.01, 0.1):
                wait_for(lambda: self.s.shown()["state"] == "ready")
                os.unlink(program)
                op = self.assertStatus(self.s.call("POST", "/v1/services/edge:heal?wait=60"), 200)
                self.assertEqual(op["state"], "FAILED_TEMP")
                os.symlink(os.path.join(mano.HERE, "double.py"), program)
                self.assertStatus(self.s.call("POST", f"/v1/ops/{op['id']}:{task}"), 202)
                time.sleep(delay)
                self.s.kill()
                self.s.start()
                op = self.assertStatus(self.s.get(f"/v1/ops/{op['id']}?wait=60"), 200)
                self.assertEqual(op["state"], ends, self.s.log())
                wait_for(lambda: list(self.s.pids().values()) == ["edge"], what=lambda: f"one process: {self.s.pids()}\n{self.s.log()}")

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
            op = self.assertStatus(self.s.get(f"/v1/ops/{reply.json['id']}?wait=60"), 200)
            self.assertEqual(op["state"], "COMPLETED", self.s.log())
            wait_for(lambda: self.s.shown(name)["state"] == "ready")
        expected = sorted([f"s{i}" for i in range(6)] + [f"s{i}p" for i in range(6)] + [f"s{i}p/fw" for i in range(6)])
        self.assertEqual(sorted(self.s.pids().values()), expected)

    def test_killed_between_fork_and_exec(self):
        """A child that is no program yet when sluiced is killed never becomes one: here it hangs at its log, which nobody reads."""
        folder = os.path.join(self.s.run, "edge")
        os.makedirs(folder)
        os.mkfifo(os.path.join(folder, "log"))
        reply = self.s.call("POST", "/v1/apply", {"resources": {"services": [told()]}})
        self.assertStatus(reply, 202)
        former = wait_for(lambda: mano.children(self.s.process.pid), what="a child")[0]
        self.s.kill()
        self.s.start()
        wait_for(lambda: mano.children(self.s.process.pid), what="that of the next life")
        with open(os.path.join(folder, "log"), "rb") as log:
            threading.Thread(target=log.read, daemon=True).start()
            op = self.assertStatus(self.s.get(f"/v1/ops/{reply.json['id']}?wait=60"), 200)
            self.assertEqual(op["state"], "COMPLETED", self.s.log())
            wait_for(lambda: not alive(former), what="the former life's child is gone")
            self.assertEqual(list(self.s.pids().values()), ["edge"])
            self.s.close()

    def test_killed_while_rolling_back_and_deleting(self):
        self.s.must_apply(told(name="keep"))
        self.impatient()
        reply = self.s.call("POST", "/v1/apply", {"resources": {"services": [told("never", name="bad")]}})
        time.sleep(2.9)
        self.s.kill()
        self.s.start()
        op = self.s.get(f"/v1/ops/{reply.json['id']}?wait=60").json
        self.assertEqual(op["state"], "ROLLED_BACK")
        self.assertEqual(list(self.s.pids().values()), ["keep"])
        reply = self.s.call("DELETE", "/v1/services/keep")
        self.assertStatus(reply, 202)
        self.s.kill()
        self.s.start()
        self.assertEqual(self.s.get(f"/v1/ops/{reply.json['id']}?wait=60").json["state"], "COMPLETED")
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

    def test_order_does_not_wait_for_a_document_that_is_never_taken(self):
        self.s.must_apply(told(), told(name="other"))
        op = self.assertStatus(self.s.call("PATCH", "/v1/services/edge", {"vnfs": told("stall")["vnfs"]}), 202)
        victim = self.s.shown("other")["process"]["pid"]
        os.kill(victim, signal.SIGKILL)
        wait_for(lambda: self.s.events("vnf-healed", "other"), what="another is healed meanwhile")
        self.assertEqual(self.s.get(f"/v1/ops/{op['id']}").json["state"], "PROCESSING")
        began = time.monotonic()
        self.assertEqual(self.s.stop(), 0)
        self.assertLess(time.monotonic() - began, 20, "it takes two minutes until sending a document is given up")
        self.s.start()

    def test_process_that_stands_still_while_it_starts(self):
        """SIGSTOP, its queue of connections full: its keeper sees it, and the others' keepers do not wait."""
        self.s.must_apply(told(name="other"))
        op = self.assertStatus(self.s.call("POST", "/v1/services", told("mute", placement="process")), 201)
        folder = os.path.join(self.s.run, "edge", "fw")
        wait_for(lambda: os.path.exists(os.path.join(folder, "control.sock")), what="it listens")
        frozen = [pid for pid, name in self.s.pids().items() if name == "edge/fw"][0]
        os.kill(frozen, signal.SIGSTOP)
        victim = self.s.shown("other")["process"]["pid"]
        os.kill(victim, signal.SIGKILL)
        wait_for(lambda: self.s.events("vnf-healed", "other"), what="another is healed meanwhile")
        wait_for(lambda: self.s.events("vnf-unresponsive", "edge/fw"), 60, "the one that stands still is seen")
        wait_for(lambda: not alive(frozen), what="and killed")
        self.assertEqual(self.s.get(f"/v1/ops/{op['id']}?wait=60").json["state"], "ROLLED_BACK")

    def test_taken_socket_whose_queue_is_full(self):
        os.makedirs(os.path.join(self.s.run, "edge"))
        path = os.path.join(self.s.run, "edge", "control.sock")
        with socket.socket(socket.AF_UNIX) as taken, contextlib.ExitStack() as stack:
            taken.bind(path)
            taken.listen(0)
            for _ in range(8):
                client = stack.enter_context(socket.socket(socket.AF_UNIX))
                client.setblocking(False)
                if client.connect_ex(path) == errno.EAGAIN:
                    break
            else:
                self.fail("the queue is not full")
            self.assertErrors(self.s.apply(told()), 409, ("services[0].name", "socket-taken"))
            self.s.kill()
            self.s.start()
            self.assertTrue(os.path.exists(path), "what is not ours is left alone")

    def test_adopted_process_that_hangs_before_it_is_ready_again(self):
        self.s.must_apply(told(name="edge"))
        before = self.s.shown()["process"]["pid"]
        self.s.kill()
        os.kill(before, signal.SIGSTOP)
        self.s.start()
        wait_for(lambda: self.s.events("vnf-hung", "edge"), what="seen")
        wait_for(lambda: self.s.shown()["state"] == "ready", what="healed")
        self.assertNotEqual(self.s.shown()["process"]["pid"], before)


mano.main()
