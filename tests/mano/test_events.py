#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Events of processes: merged into those of sluiced, and passed on as streams. Real executables, and the double that floods."""
import contextlib
import os
import signal
import threading
import time

import mano
from mano import service, wait_for


class Merged(mano.Case):
    def said(self, process, kind=None):
        return [event for event in self.s.events(kind) if event.get("details", {}).get("process") == process]

    def test_names_ids_and_order(self):
        self.s.must_apply(service(placement="process"))
        for process in ("edge", "edge/fw"):
            ready = wait_for(lambda: self.said(process, "ready"), what=f"{process} is heard")[0]
            self.assertEqual((ready["subject"], ready["details"]["pid"]),
                             (process, next(pid for pid, name in self.s.pids().items() if name == process)))
        rules = {"rules": [{"name": "web", "action": "accept", "protocol": "tcp", "destinationPorts": "80"}]}
        for i in range(5):
            rules["rules"][0]["destinationPorts"] = str(80 + i)
            self.assertStatus(self.s.call("PUT", "/v1/services/edge/vnfs/fw/config", rules), 200)
        wait_for(lambda: len(self.said("edge/fw", "config-applied")) >= 5, what="its changes are heard")
        ids = [event["id"] for event in self.s.events()]
        self.assertEqual(ids, sorted(set(ids)))
        theirs = [event["details"]["processEvent"] for event in self.said("edge/fw")]
        self.assertEqual(theirs, list(range(1, len(theirs) + 1)), "each once, in its order")

    def test_restart_of_a_process_and_of_sluiced(self):
        self.s.must_apply(service())
        wait_for(lambda: self.said("edge", "ready"))
        first = self.s.shown()["process"]["pid"]
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: len(self.said("edge", "ready")) == 2, what="its successor is heard")
        second = self.s.shown()["process"]["pid"]
        heard = [(event["details"]["pid"], event["details"]["processEvent"]) for event in self.said("edge")]
        self.assertEqual(heard, sorted(heard, key=lambda one: (one[0] != first, one[1])))
        self.assertEqual(len(heard), len(set(heard)))
        self.assertEqual({pid for pid, _ in heard}, {first, second})
        numbers = [number for _, number in heard]
        self.assertEqual(numbers, sorted(set(numbers)), "the successor goes on counting")
        where = {"Accept": "application/json", "Last-Event-ID": str(max(number for pid, number in heard if pid == first))}
        later = self.s.get("/v1/services/edge/events", where).json
        self.assertEqual([event["id"] for event in later], [number for pid, number in heard if pid == second][:len(later)])
        self.assertIn("ready", [event["kind"] for event in later], "who was cut off misses nothing of the next life")
        last = self.s.events()[-1]["id"]
        self.s.kill()
        self.s.start()
        ready = wait_for(lambda: self.said("edge", "ready"), what="one that was taken up is heard")
        self.assertEqual([event["details"]["pid"] for event in ready], [second])
        self.assertGreater(ready[0]["id"], last)


class Flood(Merged):
    double = True
    test_names_ids_and_order = test_restart_of_a_process_and_of_sluiced = None

    def test_one_that_talks_too_much(self):
        loud = service(vnfs=[{"name": "fw", "kind": "firewall", "config": {"events": 20000}}])
        self.s.must_apply(service("quiet"), loud)
        wait_for(lambda: sum(event["details"]["lost"] for event in self.s.events("events-lost", "edge")) > 1000,
                 what="what was left out is said")
        self.assertTrue(self.s.events("op-started"), "our own events are still there")
        numbers = [event["details"]["processEvent"] for event in self.said("edge", "ready")]
        self.assertGreater(len(numbers), 100)
        said = wait_for(lambda: self.said("quiet", "ready"), what="the quiet one is heard, too")
        self.assertEqual([event["subject"] for event in said], ["quiet/fw"])


class Streams(mano.Case):
    def follow(self, where, until, headers=None):
        """Reads lines until one has `until` in it, on a thread; .lines, .ended."""
        lines = []

        def read():
            with contextlib.closing(mano.UnixConnection(self.s.socket)) as connection:
                connection.request("GET", where, headers=headers or {})
                with connection.getresponse() as answer:
                    lines.append((answer.status, answer.headers["Content-Type"]))
                    for line in answer:
                        lines.append(line.decode())
                        if until and until in lines[-1]:
                            break

        reader = threading.Thread(target=read, daemon=True)
        reader.lines = lines
        reader.start()
        return reader

    def finish(self, reader):
        reader.join(mano.RECOVERY)
        self.assertFalse(reader.is_alive(), reader.lines)

    def test_events_of_a_process_are_passed_on_as_they_come(self):
        self.s.must_apply(service(placement="process"))
        for where in ("/v1/services/edge/events", "/v1/services/edge/events?vnf=fw", "/v1/services/edge/vnfs/fw/events"):
            reader = self.follow(where + ("&" if "?" in where else "?") + "last=0", "event: ready")
            self.finish(reader)
            self.assertEqual(reader.lines[0], (200, "text/event-stream"))
            listed = self.s.get(where, {"Accept": "application/json"}).json
            self.assertEqual([event["kind"] for event in listed][-1], "ready")
        reader = self.follow("/v1/services/edge/vnfs/fw/events", "event: config-applied")
        wait_for(lambda: len(reader.lines) > 1, what="the stream has begun")
        rules = {"rules": [{"name": "web", "action": "accept", "protocol": "tcp", "destinationPorts": "80"}]}
        self.assertStatus(self.s.call("PUT", "/v1/services/edge/vnfs/fw/config", rules), 200)
        self.finish(reader)
        resumed = self.follow("/v1/services/edge/vnfs/fw/events", "config-applied", {"Last-Event-ID": "1"})
        self.finish(resumed)
        self.assertNotIn("id: 1\n", resumed.lines)

    def test_refusals(self):
        self.s.must_apply(service())
        for where, status in (("/v1/services/none/events", 404), ("/v1/services/edge/vnfs/none/events", 404),
                              ("/v1/services/edge/events?last=x", 400)):
            reply = self.s.get(where)
            self.assertEqual((reply.status, reply.headers["Content-Type"]), (status, "application/problem+json"), where)
        self.assertStatus(self.s.get("/v1/services/edge/state/nonsense", {"Accept": "text/event-stream"}), 404)

    def test_streams_end_with_either_side(self):
        self.s.must_apply(service(), service("other"))
        readers = [self.follow(f"/v1/services/{name}/events", None) for name in ("edge", "other")]
        wait_for(lambda: all(len(reader.lines) > 1 for reader in readers), what="both have begun")
        os.kill(self.s.shown()["process"]["pid"], signal.SIGKILL)
        self.finish(readers[0])
        began = time.monotonic()
        self.assertEqual(self.s.stop(), 0)
        self.assertLess(time.monotonic() - began, mano.RECOVERY)
        self.finish(readers[1])

    def test_readers_that_left_leave_nothing(self):
        self.s.must_apply(service())
        descriptors = lambda: len(os.listdir(f"/proc/{self.s.process.pid}/fd"))
        tasks = lambda: len(os.listdir(f"/proc/{self.s.process.pid}/task"))
        wait_for(lambda: self.s.shown()["state"] == "ready")
        self.s.get("/v1/services")
        before = descriptors(), tasks()
        for _ in range(20):
            self.finish(self.follow("/v1/services/edge/events?last=0", "event: ready"))
        # a connection of its own to the process, kept open, may have joined meanwhile
        wait_for(lambda: descriptors() <= before[0] + 6 and tasks() <= before[1] + 1, what="threads and descriptors are gone")


mano.main()
