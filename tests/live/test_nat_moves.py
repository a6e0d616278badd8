#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A NAT whose address is nearly full moves between processes while clients go on opening: each keeps its mapping, and no two have the same."""
import json
import os
import re
import subprocess
import threading

import mano
from lab import run, until
from live import FIREWALL, Live

HOSTS, EACH = 50, 150  # a bucket of the NAT has 128 ports of its own, and gets more when 32 are left
WHO = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE
s.bind((sys.argv[1], 9))
while True:
    peer = s.recvfrom(16)[1]
    s.sendto(("%s:%d" % peer).encode(), peer)
"""
ASK = """
import json, random, resource, select, socket, sys, time
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
server, again, hosts, seen = sys.argv[1], float(sys.argv[2]), sys.argv[3:], {}
def say(s):
    try:
        s.send(b"who")
    except OSError:
        pass  # refused: it asks again
def ask(sockets):
    waiting, answers, poll, next_at = {s.fileno(): s for s in sockets}, {}, select.epoll(), 0
    for s in sockets:
        poll.register(s, select.EPOLLIN)
    end = time.monotonic() + 30
    while waiting and time.monotonic() < end:
        if time.monotonic() > next_at:
            for number, s in enumerate(list(waiting.values())):
                say(s)
                if number % 50 == 49:
                    time.sleep(0.005)
            next_at = time.monotonic() + again
        for fd, _ in poll.poll(0.1):
            try:
                answer = waiting[fd].recv(64).decode() if fd in waiting else None
            except OSError:
                continue
            if answer:
                answers[waiting.pop(fd)] = answer
                poll.unregister(fd)
    return answers
for line in sys.stdin:
    count = min(int(line), 16000 - len(seen)) if int(line) else 0
    time.sleep(0.03)  # as much as a few hosts open
    fresh = []
    for number in range(count):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind((hosts[(len(seen) + number) % len(hosts)], 0))
        s.connect((server, 9))
        s.setblocking(False)
        fresh.append(s)
    answers = ask(fresh or list(seen))
    changed = sum(s in seen and seen[s] != answer for s, answer in answers.items())
    silent = len(fresh or seen) - len(answers)
    for s in fresh:
        seen[s] = answers.get(s)
    print(json.dumps({"clients": len(seen), "silent": silent, "changed": changed, "shared": len(seen) - len(set(seen.values()))}), flush=True)
"""


class Clients:
    """Sockets on many addresses, and what the server sees each come from."""

    def __init__(self, line, hosts, target=None, again=2):
        """`again`: seconds after which an unanswered one asks again."""
        self.line, self.lock = line, threading.Lock()
        self.child = subprocess.Popen(["ip", "netns", "exec", line.client, "python3", "-c", ASK, target or line.SERVER4, str(again), *hosts], text=True,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def open(self, count):
        with self.lock:
            self.child.stdin.write(f"{count}\n")
            self.child.stdin.flush()
            return json.loads(self.child.stdout.readline())

    def ask_all(self):
        return self.open(0)

    def close(self):
        self.child.stdin.close()
        self.child.stdout.close()
        self.child.wait(60)


class NatMoves(Live):
    engine = {"workers": 2, "sessions": 65536, "timeouts": {"udp": 3600, "udpOpening": 3600}}

    def setUp(self):
        super().setUp()
        hosts = [f"192.0.2.{20 + i}" for i in range(HOSTS)]
        for host in hosts:
            run("ip", "-n", self.line.client, "address", "add", f"{host}/24", "dev", "eth0")
        self.line.process(["python3", "-c", WHO, self.line.SERVER4], netns=self.line.server)
        until("the server listens", lambda: ":9 " in run("ip", "netns", "exec", self.line.server, "ss", "-lun").stdout)
        self.clients = Clients(self.line, hosts)
        self.addCleanup(self.clients.close)

    def translations(self):
        """What the NAT counted here."""
        counted = mano.request(self.s.run + "/edge/control.sock", "GET", "/v1/vnfs/nat").json
        return {k: v for k, v in counted.get("counters", {}).items() if v}

    def well(self, said, what):
        self.assertEqual((said["silent"], said["changed"], said["shared"]), (0, 0, 0), f"{what}: {said} {self.drops()} {self.translations()}")

    def move(self, placement):
        self.descriptor["vnfs"][1]["placement"] = placement
        change = threading.Thread(target=self.s.must_apply, args=(self.descriptor,))
        change.start()
        while change.is_alive():
            self.well(self.clients.open(20), f"opened on the way to {placement}")
        change.join()
        self.well(self.clients.ask_all(), placement)

    def test_reserve(self):
        self.well(self.clients.open(HOSTS * EACH), "opened")
        for placement in ("process", "fused", "process", "fused"):
            self.move(placement)
            self.well(self.clients.open(500), f"opened in {placement}")
        self.assertNotIn("path-changed", self.drops())
        self.balances()


class Hairpins(Live):
    """Hosts behind the NAT speak to one of them by its outside address, from the middle of a move on."""

    INSIDE, SESSIONS = "192.0.2.210", 40000
    engine = {"workers": 2, "sessions": 5 * SESSIONS, "timeouts": {"udp": 3600}}
    nat = {"pools": [{"name": "public", "addresses": ["198.51.100.10", "198.51.100.16-198.51.100.23"]}], "mappings": 1 << 17,
           "forwards": [{"name": "who", "protocol": "udp", "ports": "9", "inside": INSIDE}]}

    def slices(self):
        with open(os.path.join(self.s.run, "edge", "log")) as log:
            return [int(n) for n in re.findall(r"functions-moved slices=(\d+)", log.read())]

    def well(self, said, what):
        self.assertEqual((said["silent"], said["changed"], said["shared"]), (0, 0, 0), f"{what}: {said} {self.drops()}")

    def test_opened_on_the_way(self):
        back = {"name": "back", "from": "outside", "to": "inside", "protocol": "udp", "destinationPorts": 9, "action": "accept"}
        self.descriptor["vnfs"][0]["config"] = {**FIREWALL, "rules": FIREWALL["rules"] + [back]}
        self.apply()
        filled = self.fill(self.SESSIONS)
        self.line.process(["python3", "-c", WHO, self.INSIDE], netns=self.line.client)
        until("it listens", lambda: f"{self.INSIDE}:9 " in run("ip", "netns", "exec", self.line.client, "ss", "-lun").stdout)
        clients = Clients(self.line, [f"192.0.2.{20 + i}" for i in range(100)], "198.51.100.10", 600)  # what is lost is not asked again
        self.addCleanup(clients.close)
        for placement in ("process", "fused"):
            self.descriptor["vnfs"][1]["placement"] = placement
            before, opened = self.drops().get("transfers", 0), 0
            change = threading.Thread(target=self.s.must_apply, args=(self.descriptor,), kwargs={"wait": 60})
            change.start()
            until("sessions move", lambda b=before: self.drops().get("transfers", 0) > b or not change.is_alive())
            while change.is_alive():
                self.well(clients.open(20), f"opened on the way to {placement}")
                opened += 20
            change.join()
            self.assertGreater(opened, 0)
            self.well(clients.ask_all(), placement)
            self.assertGreater(self.sessions(), 0.98 * filled, self.drops())
        self.assertGreater(self.slices()[0], 1)
        self.assertNotIn("path-changed", self.drops())
        self.balances()


mano.main()
