#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The service's process dies after its chain was changed: what its successor finds must mean what it meant."""
import json
import os
import re
import signal
import socket
import subprocess
import sys

import mano
from lab import run, until
from live import FIREWALL, Live

# Port 9 says the same again; who connects to port 10 is told that time goes on.
BOTH = """
import socket, threading, time
def serve(port, each):
    s = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
    while True:
        threading.Thread(target=each, args=(s.accept()[0],), daemon=True).start()
def again(c):
    while data := c.recv(4096):
        c.sendall(data)
def tick(c):
    while True:
        c.sendall(b"tick\\n")
        time.sleep(0.2)
threading.Thread(target=serve, args=(10, tick), daemon=True).start()
serve(9, again)
"""
SPOKEN = """
import socket, sys
s = socket.create_connection((sys.argv[1], 9 if sys.argv[2] == "say" else 10), 30, (sys.argv[3], 0))
s.settimeout(30)
for line in sys.stdin:
    if sys.argv[2] == "say":
        s.sendall(line.encode())
    print(s.recv(4096).decode().split()[-1], flush=True)
"""
# A segment of a connection that never was.
STRAY = """
import logging, random
logging.getLogger("scapy.runtime").setLevel(logging.ERROR)
from scapy.all import IP, TCP, send
send(IP(dst="198.51.100.254") / TCP(sport=random.randrange(1024, 65536), dport=4445, flags="A", seq=1, ack=1), verbose=False)
"""


class Spoken:
    """One connection by which words come back, or come by themselves."""

    def __init__(self, case, server, how, source="::"):
        self.child = subprocess.Popen(["ip", "netns", "exec", case.line.client, "python3", "-c", SPOKEN, server, how, source], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        case.addCleanup(self.close)

    def say(self, word):
        self.child.stdin.write(word + "\n")
        self.child.stdin.flush()
        return self.child.stdout.readline().strip()

    def hear(self):
        return self.say("")

    def close(self):
        self.child.stdin.close()
        self.child.stdout.close()
        self.child.wait(30)


class Crash(Live):
    def setUp(self):
        super().setUp()
        self.echo()

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

    def hang(self):
        """The service's process stands still, which sluiced sees by its heartbeat while the change that is asked for waits; a successor gets the change at once."""
        pid = next(pid for pid, folder in self.s.pids().items() if folder == "edge")
        os.kill(pid, signal.SIGSTOP)
        self.apply()
        self.assertNotIn(pid, self.s.pids())

    def place(self, **placements):
        for vnf in self.descriptor["vnfs"]:
            vnf["placement"] = placements[vnf["name"]]

    def test_workers(self):
        """Another number of workers, or room for another number of sessions: each session goes to the worker that its packets go to now."""
        talks = [self.talk()]
        for workers, sessions in ((2, 65536), (3, 32768), (1, 65536)):
            self.descriptor["engine"].update(workers=workers, sessions=sessions)
            self.apply()
            for talk in talks:
                self.assertEqual(talk.say(f"with {workers}"), f"198.51.100.10 with {workers}", self.drops())
            self.assertEqual(len(self.s.get("/v1/services/edge/state/workers").json), workers)
            self.assertEqual([name for name in os.listdir(os.path.join(self.s.run, "edge")) if name.startswith("former")], [])
            talks += [self.talk() for _ in range(4)]
            self.kill()
            for talk in talks:
                self.assertEqual(talk.say("killed"), "198.51.100.10 killed", self.drops())
        self.balances()

    def test_while_functions_move(self):
        """What was to move has not: it is taken from where it was."""
        talks = []
        for number, (fw, nat) in enumerate([("fused", "process"), ("process", "fused"), ("process", "process"), ("fused", "fused")]):
            talks.append(self.talk())
            self.place(fw=fw, nat=nat)
            self.hang()
            for talk in talks:
                self.assertEqual(talk.say(f"after {number}"), f"198.51.100.10 after {number}", self.drops())
        self.balances()

    def test_function_of_the_dead_moves(self):
        """What its process knew of sessions is in the memory that it left, and goes with the function."""
        self.place(fw="process", nat="process")
        self.apply()
        talk = self.talk()
        for name in ("nat", "fw"):
            pid = next(pid for pid, folder in self.s.pids().items() if folder == f"edge/{name}")
            os.kill(pid, signal.SIGKILL)
            self.place(**{"fw": "process", "nat": "fused", name: "fused"})
            self.apply()
            self.assertEqual(talk.say(name), f"198.51.100.10 {name}", self.drops())
        self.balances()

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

    def test_other_records(self):
        """The successor cannot read what it finds (a build with other records): for a while a strict firewall takes connections up from their middle, whoever speaks first."""
        self.descriptor["vnfs"][1]["config"] = {"pools": [{"name": "public", "addresses": ["198.51.100.10"]}],
                                                "static": [{"name": "host", "inside": "192.0.2.77", "outside": "198.51.100.77"}]}
        self.descriptor["engine"]["pickup"] = 5
        run("ip", "-n", self.line.client, "addr", "add", "192.0.2.77/24", "dev", "eth0")
        self.apply()
        self.line.process(["python3", "-c", BOTH], netns=self.line.server)
        until("both listen", lambda: ":9 " in run("ip", "netns", "exec", self.line.server, "ss", "-ltn").stdout)
        talk, listener = Spoken(self, self.line.SERVER6, "say"), Spoken(self, self.line.SERVER6, "hear")
        fixed = Spoken(self, self.line.SERVER4, "say", "192.0.2.77")
        for one in (talk, fixed):
            self.assertEqual(one.say("a"), "a")
        self.assertIn("tick", listener.hear())
        with open(self.find("sessions.0"), "r+b") as file:  # the version, behind the magic
            file.seek(8)
            file.write((99).to_bytes(4, "little"))
        self.kill()
        self.assertEqual(talk.say("b"), "b", self.drops())
        self.assertEqual(fixed.say("b"), "b", self.drops())
        for _ in range(3):
            self.assertIn("tick", listener.hear())
        stray = ["ip", "netns", "exec", self.line.client, sys.executable, "-c", STRAY]
        counted = lambda name: mano.request(self.s.run + "/edge/control.sock", "GET", "/v1/vnfs/fw").json["counters"][name]
        self.assertGreaterEqual(counted("picked-up"), 3)
        self.assertEqual(counted("not-a-beginning"), 0)
        self.descriptor["vnfs"][0]["config"] = {**FIREWALL, "midstream": "deny", "default": "reject"}
        self.apply()
        self.assertEqual(talk.say("c"), "c", "also judged anew")
        self.assertIn("tick", listener.hear())
        until("what comes later is refused again", lambda: run(*stray) and counted("not-a-beginning"), 30, 0.5)
        self.balances()

    def test_other_slots(self):
        """The records are its own, but what the firewall keeps in them is another build's: sessions are taken up from their middle, not misread."""
        self.line.process(["python3", "-c", BOTH], netns=self.line.server)
        until("it listens", lambda: ":9 " in run("ip", "netns", "exec", self.line.server, "ss", "-ltn").stdout)
        talk = Spoken(self, self.line.SERVER6, "say")
        self.assertEqual(talk.say("a"), "a")
        pid = next(iter(self.s.pids()))
        os.kill(pid, signal.SIGSTOP)
        with open(self.find("names.json"), "r+", encoding="ascii") as file:
            names = json.load(file)
            next(one for one in names["functions"] if one["name"] == "fw")["slotVersion"] += 1
            file.seek(0)
            json.dump(names, file)
            file.truncate()
        os.kill(pid, signal.SIGCONT)
        self.kill()
        self.assertEqual(talk.say("b"), "b", self.drops())
        self.assertIn(b"event=pickup reason=other-slots", self.s.get("/v1/services/edge/logs").body)
        self.balances()

    def test_torn_record(self):
        """A record that was being written is dropped and counted; its neighbours go on."""
        self.talk()
        with open(self.find("sessions.0"), "rb") as file:  # the first key (common/flow/session.h): addresses and ports
            key = re.search(re.escape(socket.inet_aton(self.line.CLIENT4) + socket.inet_aton(self.line.SERVER4)) + b"(..)\0\x07", file.read(), re.DOTALL)
        port = int.from_bytes(key[1], "big")
        ports = lambda: [one["forward"]["sourcePort"] for one in self.s.get("/v1/services/edge/state/sessions").json if one["forward"].get("destinationPort") == 7]
        self.assertEqual(ports(), [port])
        kept = self.talk()
        pid = next(iter(self.s.pids()))
        os.kill(pid, signal.SIGSTOP)
        with open(self.find("sessions.0"), "r+b") as file:
            file.seek(key.start() + 32)  # behind both keys: odd while it is written
            sequence = int.from_bytes(file.read(4), "little")
            file.seek(key.start() + 32)
            file.write((sequence | 1).to_bytes(4, "little"))
        self.kill()
        self.assertEqual(kept.say("two"), "198.51.100.10 two")
        self.assertNotIn(port, ports())
        self.assertEqual([worker["torn"] for worker in self.s.get("/v1/services/edge/state/workers").json], [1])
        self.assertIn(b'sluice_sessions_ended_total{worker="0",cause="torn"} 1', self.s.get("/v1/services/edge/metrics").body)
        self.balances()

    def find(self, name):
        for folder, _, files in os.walk(self.s.run):
            if name in files:
                return os.path.join(folder, name)
        self.fail(f"no {name} below {self.s.run}")


mano.main()
