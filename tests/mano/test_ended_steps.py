#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""
SIGTERM of sluiced, and SIGUSR1 (another life in the same process), at steps through operations, with a SIGHUP before, while others follow events, wait,
and ask what takes long: it ends with status 0, which sanitizers change, and nobody is kept waiting; what its next life finds is judged as after
kill -9 (test_killed_steps.py). Some kinds of operations each time, by the seed; SLUICE_KINDS asks for more.
"""
import os
import signal
import socket
import threading

import mano
import test_killed_steps as killed
from mano import service, wait_for

KINDS = int(os.environ.get("SLUICE_KINDS", "6"))


class Ended(killed.Steps):
    def company(self):
        """Who is there when it ends."""
        for where in ("/v1/events?last=0", "/v1/services/edge/events", "/v1/services/edge/vnfs/far/events", "/v1/ops/1?wait=60", "/v1/doctor", "/v1/doctor"):
            one = socket.socket(socket.AF_UNIX)
            self.addCleanup(one.close)
            one.connect(self.s.socket)
            one.sendall(f"GET {where} HTTP/1.1\r\nHost: sluice\r\n\r\n".encode())

    def life(self):
        try:
            return (self.s.get("/v1/version").json or {}).get("life", 0)
        except OSError:
            self.assertIsNone(self.s.process.poll(), self.s.log())
            return 0

    def end(self, how):
        self.s.process.send_signal(how)
        if how == signal.SIGTERM:
            self.assertEqual(self.s.process.wait(30), 0, self.s.log())
            self.assertFalse(os.path.exists(self.s.socket))
            self.s.start()

    def kill_after(self, delay, call, again):
        how = signal.SIGTERM if again else signal.SIGUSR1
        self.company()
        life = self.life()
        hang_up = threading.Timer(delay / 2, self.s.process.send_signal, (signal.SIGHUP,))
        sender = threading.Thread(target=self.send, args=(call,))
        hang_up.start()
        sender.start()
        hang_up.join()
        threading.Event().wait(delay / 2)
        self.end(how)
        sender.join()
        wait_for(lambda: self.life() > life, what="its next life")

    def delays(self, duration):
        yield self.random.random() * duration * 1.2

    def test_some_kinds(self):
        for kind in self.random.sample(sorted(killed.KINDS), min(KINDS, len(killed.KINDS))):
            self.steps(kind)
        self.assertEqual(self.s.stop(), 0)


class Waits(mano.Case):
    double = True

    def connections(self):
        with open("/proc/net/unix") as file:
            return sum(line.rstrip().endswith(f"{self.s.run}/edge/control.sock") for line in file)

    def test_no_process_is_waited_for(self):
        """One that answers nothing, and whoever asks it by way of sluiced."""
        self.s.apply(service(vnfs=[{"name": "fw", "kind": "firewall", "config": {"mute": True}}]), wait=0)
        wait_for(lambda: os.path.exists(f"{self.s.run}/edge/control.sock"), what="it listens")
        asked = [threading.Thread(target=self.s.get, args=(f"/v1/services/edge/{what}",)) for what in ("state/sessions", "events")]
        for one in asked:
            one.start()
        # the sockets of the process: the one that listens, sluiced's own two at most, and one of each who asks
        wait_for(lambda: self.connections() >= 5, what="they have been passed on")
        self.s.process.terminate()
        self.assertEqual(self.s.process.wait(10), 0, self.s.log())
        for one in asked:
            one.join()

    def test_many_services_end_at_once(self):
        """It takes a moment to let go of a process, and no longer to let go of many."""
        self.s.must_apply(*[service(f"s{i}") for i in range(24)], wait=60)
        pids = self.s.pids()
        self.s.process.terminate()
        self.assertEqual(self.s.process.wait(10), 0, self.s.log())
        self.assertEqual(self.s.pids(), pids)


for inherited in [name for name in dir(killed.Steps) if name.startswith("test_")]:
    setattr(Ended, inherited, None)

mano.main()
