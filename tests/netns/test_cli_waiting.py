# SPDX-License-Identifier: BSD-3-Clause
"""What goes wrong while the command line waits: nobody answers, time is over, Ctrl-C, sluiced is killed, a full disk. Each has its exit status and its word."""
import json
import os
import pty
import shutil
import signal
import socket
import subprocess
import time
import unittest

from cli import ServiceCase
from lab import program, until

# Documents are checked as ever, but the process that is started never gets ready.
NEVER_READY = """#!/bin/sh
case "$*" in *--check*|*--schema*) exec {real} "$@" ;; esac
exec sleep 600
"""


class Waiting(ServiceCase):
    def install_programs(self):
        super().install_programs()
        chain = os.path.join(self.libexec, "sluice-chain")
        os.unlink(chain)
        with open(chain, "w") as file:
            file.write(NEVER_READY.format(real=program("sluice-chain")))
        os.chmod(chain, 0o755)

    def operation(self, number=1):
        return json.loads(self.expect(0, "op", "show", str(number), "-o", "json").stdout)

    def begin(self, *words):
        """A command that waits for an operation which is under way."""
        command = self.start(*words)
        self.addCleanup(command.stderr.close)
        self.addCleanup(command.stdout.close)
        self.addCleanup(command.kill)
        until("the operation is under way", lambda: self.sluice("op", "show", "1").returncode == 0)
        return command

    def test_time_is_over(self):
        self.expect(0, "apply", "-f", self.good, "--no-wait")
        done = self.expect(5, "op", "wait", "1", "--timeout", "1")
        self.assertIn("operation 1 goes on: sluice op wait 1", done.stderr)
        self.assertEqual(self.operation()["state"], "PROCESSING")
        done = self.expect(4, "heal", "edge")
        self.assertIn("operation 1", done.stderr, "busy, and with what")

    def test_sluiced_hangs(self):
        """Who says how long it may take is not kept waiting for longer, whatever stands still."""
        command = self.begin("apply", "-f", self.good, "--timeout", "10")
        self.daemon.kill(signal.SIGSTOP)
        self.addCleanup(self.daemon.kill, signal.SIGCONT)
        self.assertEqual(command.wait(30), 5)
        # Its answer may have been on its way: then it is not known what became of the change.
        self.assertRegex(command.stderr.read(), "operation 1 goes on|sluice op list")
        began = time.monotonic()
        self.assertIn("sluice op list", self.expect(5, "apply", "-f", self.good, "--timeout", "2").stderr)
        self.expect(5, "get", "service", "edge", "--wait=ready", "--timeout", "1")
        self.expect(5, "op", "wait", "1", "--timeout", "1")
        self.expect(5, "get", "services", "--timeout", "1")
        self.assertLess(time.monotonic() - began, 40, "five seconds, and no minute on top")

    def test_not_waited_for(self):
        done = self.expect(0, "apply", "-f", self.good, "--no-wait")
        self.assertIn("operation 1: begun", done.stderr)
        self.assertEqual(self.operation()["state"], "PROCESSING")

    def test_interrupted(self):
        command = self.begin("apply", "-f", self.good)
        command.send_signal(signal.SIGINT)
        self.assertEqual(command.wait(30), 130)
        self.assertIn("interrupted; operation 1 goes on: sluice op wait 1", command.stderr.read())
        self.assertEqual(self.operation()["state"], "PROCESSING")

    def test_interrupted_before_it_begins(self):
        """While sluiced still checks what was sent: the operation begins, and is not waited for."""
        marker, go_on = os.path.join(self.lab.folder, "checking"), os.path.join(self.lab.folder, "go-on")
        chain = os.path.join(self.libexec, "sluice-chain")
        with open(chain) as file:
            script = file.read()
        with open(chain, "w") as file:
            file.write(script.replace("*--check*|*--schema*)", f"*--check*) touch {marker}; while [ ! -e {go_on} ]; do sleep 0.1; done;"))
        command = self.start("apply", "-f", self.good)
        for cleanup in (command.stderr.close, command.stdout.close, command.wait, command.kill):
            self.addCleanup(cleanup)
        until("it is checked", lambda: os.path.exists(marker), 30)
        command.send_signal(signal.SIGINT)
        with open(go_on, "w"):
            pass
        self.assertEqual(command.wait(30), 130)
        self.assertIn("interrupted; operation 1 goes on", command.stderr.read())

    def test_sluiced_goes_away(self):
        command = self.begin("apply", "-f", self.good, "--timeout", "100")
        self.daemon.kill()
        self.assertEqual(command.wait(30), 6)
        self.assertIn("is sluiced running?", command.stderr.read())
        for words in (("get", "services"), ("apply", "-f", self.good), ("events", ), ("top", "--once"), ("trace", "edge"), ("explain", ), ("doctor", ),
                      ("capture", "edge", "-w", "-"), ("describe", "service", "edge"), ("config", "get", "edge/fw"), ("events", "--last", "1")):
            self.assertIn("is sluiced running?", self.expect(6, *words).stderr, words)
        self.assertEqual(self.expect(6, "version").stdout.split()[0], "sluice", "the own version is known all the same")

    def test_progress(self):
        """On a terminal one line that changes; nothing of it else, and nothing with --quiet."""
        def shown(*words):
            main, other = pty.openpty()
            process = subprocess.Popen([program("sluice"), *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=other, env=self.environment())
            os.close(other)
            text = b""
            try:
                while True:
                    text += os.read(main, 4096)
            except OSError:  # its other end is closed
                os.close(main)
            return process.wait(60), text.decode()

        status, text = shown("apply", "-f", self.good, "--timeout", "2")
        self.assertEqual(status, 5)
        self.assertRegex(text, r"\r\x1b\[Koperation 1: +\d+ %")
        self.assertNotIn("%", shown("op", "wait", "1", "--timeout", "1", "--quiet")[1])
        self.assertNotIn("%", self.expect(5, "op", "wait", "1", "--timeout", "1").stderr)

    def test_nobody_s_socket(self):
        """Who may not connect is told what it takes, not that sluiced were away."""
        os.chmod(self.lab.folder, 0o711)
        os.chmod(self.folder, 0o755)
        os.chmod(self.socket, 0o600)
        sluice = shutil.copy(program("sluice"), self.lab.folder)  # the build may lie where nobody else comes to
        done = subprocess.run([sluice, "get", "services"], user="nobody", group="nogroup", extra_groups=[], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, env=self.environment(HOME="/nonexistent"))
        self.assertEqual(done.returncode, 6, done.stderr)
        self.assertIn("permission denied", done.stderr)

    def test_somebody_who_does_not_answer(self):
        path = os.path.join(self.lab.folder, "mute")
        mute = socket.socket(socket.AF_UNIX)
        self.addCleanup(mute.close)
        mute.bind(path)
        mute.listen(8)
        done = self.expect(5, "get", "services", "--timeout", "1", "--server", "unix:" + path)
        self.assertIn("--timeout", done.stderr)

    def test_files(self):
        self.assertIn("No such file", self.expect(7, "apply", "-f", "/nonexistent/edge.cfg").stderr)
        self.assertIn("-f FILE", self.expect(2, "apply").stderr)
        self.assertIn("bad.json:2", self.expect(7, "validate", "-f", self.write("bad.json", '{\n"services": [}')).stderr)
        with open("/dev/full", "w") as full:
            self.assertNotEqual(self.status_into(full, "explain", "firewall.rules"), 0)

    def status_into(self, file, *words):
        done = subprocess.run([program("sluice"), *words], stdout=file, stderr=subprocess.PIPE, text=True, env=self.environment())
        self.assertIn("No space left", done.stderr)
        return done.returncode


if __name__ == "__main__":
    unittest.main(verbosity=2)
