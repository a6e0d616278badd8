#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The service's process dies after its chain was changed: what its successor finds must mean what it meant."""
import os
import signal
import socket
import subprocess

import mano
from lab import run, until
from live import Live

ECHO = """
import socket, sys, threading
def serve(c):
    while True:
        data = c.recv(4096)
        if not data:
            return
        c.sendall((c.getpeername()[0] + " ").encode() + data)
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((sys.argv[1], 7))
s.listen()
while True:
    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
"""
TALK = """
import socket, sys
s = socket.create_connection((sys.argv[1], 7), 20)
s.settimeout(20)
for line in sys.stdin:
    s.sendall(line.encode())
    print(s.recv(4096).decode().strip(), flush=True)
"""


class Talk:
    """One TCP connection that says a word and hears it again."""

    def __init__(self, line):
        self.child = subprocess.Popen(["ip", "netns", "exec", line.client, "python3", "-c", TALK, line.SERVER4], text=True,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def say(self, word):
        self.child.stdin.write(word + "\n")
        self.child.stdin.flush()
        return self.child.stdout.readline().strip()

    def close(self):
        self.child.stdin.close()
        self.child.stdout.close()
        self.child.wait(30)


class Crash(Live):
    def setUp(self):
        super().setUp()
        self.line.process(["python3", "-c", ECHO, self.line.SERVER4], netns=self.line.server)
        until("echo listens", lambda: ":7 " in run("ip", "netns", "exec", self.line.server, "ss", "-ltn").stdout)

    def talk(self):
        talk = Talk(self.line)
        self.addCleanup(talk.close)
        self.assertEqual(talk.say("one"), "198.51.100.10 one")
        return talk

    def kill(self):
        pid = next(iter(self.s.pids()))
        os.kill(pid, signal.SIGKILL)
        until("a successor is ready", lambda: pid not in self.s.pids() and self.s.shown()["state"] == "ready", 30)

    def member(self, name, position):
        self.descriptor["vnfs"].insert(position - 1, {"name": name, "kind": "firewall", "config": {"default": "accept"}})
        self.descriptor["chains"][0]["path"].insert(position, name)

    def test_after_insertion(self):
        """A function was put in front: with numbers given anew, slots of the others would be read at wrong places."""
        talk = self.talk()
        self.member("first", 1)
        self.apply()
        self.assertEqual(talk.say("two"), "198.51.100.10 two")
        later = self.talk()
        self.kill()
        self.assertEqual(talk.say("three"), "198.51.100.10 three")
        self.assertEqual(later.say("two"), "198.51.100.10 two")
        self.balances()

    def test_after_removal(self):
        self.member("first", 1)
        self.apply()
        talk = self.talk()
        del self.descriptor["vnfs"][0]
        self.descriptor["chains"][0]["path"].remove("first")
        self.apply()
        self.kill()
        self.assertEqual(talk.say("two"), "198.51.100.10 two")
        again = self.talk()
        self.member("second", 2)
        self.apply()
        self.kill()
        self.assertEqual(talk.say("three"), "198.51.100.10 three")
        self.assertEqual(again.say("two"), "198.51.100.10 two")

    def test_without_names(self):
        """Sessions whose meaning is lost are dropped, not guessed at; new ones work."""
        talk = self.talk()
        folder = os.path.dirname(self.find("names.json"))
        pid = next(iter(self.s.pids()))
        os.kill(pid, signal.SIGSTOP)
        with open(os.path.join(folder, "names.json"), "w") as file:
            file.write("{ no")
        os.kill(pid, signal.SIGCONT)
        self.kill()
        self.talk()
        self.assertTrue(any(c for c in [self.s.get("/v1/services/edge/state/counters").json["engine"]["not-adopted"]]))
        talk.child.kill()

    def find(self, name):
        for folder, _, files in os.walk(self.s.run):
            if name in files:
                return os.path.join(folder, name)
        self.fail(f"no {name} below {self.s.run}")


mano.main()
