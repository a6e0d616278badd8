#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Real web servers behind the load balancer of a service, under real clients of both families: backends are weighed, drained, added, killed, flap, and move
with the function to a process of its own; connections to the other backends go on, and every page is what it was."""
import hashlib
import json
import os
import signal
import subprocess
import sys

import mano
from lab import Line, missing, run, until
from nginx import Nginx

VIPS = "198.51.100.80", "2001:db8:2::80"
QUICK = {"kind": "http", "path": "/file", "interval": 1000, "rise": 1, "fall": 2, "halfLife": 120}

# Connections that are kept, each asking for the file again and again, and one after another that is new each time. A line in is answered by a line of JSON: what
# was fetched so far, and which connections broke: [backend of the last answer, what was said].
CLIENT = """
import hashlib, http.client, json, sys, threading, time
kept, wanted, hosts = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
lock, told = threading.Lock(), {"kept": 0, "fresh": 0, "wrong": 0, "broken": [], "refused": [], "last": []}
def fetch(connection):
    connection.request("GET", "/file")
    answer = connection.getresponse()
    body = answer.read()
    with lock:
        told["wrong"] += hashlib.sha256(body).hexdigest() != wanted
    return answer.headers["X-Backend"]
def keep(host):
    while True:
        connection, backend = http.client.HTTPConnection(host, 80, timeout=60), None
        try:
            connection.connect()
            while True:
                backend = fetch(connection)
                with lock:
                    told["kept"] += 1
                time.sleep(0.05)
        except (OSError, http.client.HTTPException) as error:
            with lock:
                told["broken" if backend else "refused"].append([backend, repr(error)])
            time.sleep(0.1)
def renew(host):
    while True:
        connection = http.client.HTTPConnection(host, 80, timeout=60)
        try:
            backend = fetch(connection)
            connection.close()
            with lock:
                told["fresh"] += 1
                told["last"] = (told["last"] + [backend])[-40:]
        except (OSError, http.client.HTTPException) as error:
            with lock:
                told["refused"].append([None, repr(error)])
        time.sleep(0.01)
for n in range(kept):
    threading.Thread(target=keep, args=(hosts[n % len(hosts)],), daemon=True).start()
for host in hosts:
    threading.Thread(target=renew, args=(host,), daemon=True).start()
for line in sys.stdin:
    with lock:
        print(json.dumps(told), flush=True)
        told.update(broken=[], refused=[], last=[])
"""


class Backends(mano.Case):
    def setUp(self):
        super().setUp()
        self.line = Line()
        self.addCleanup(self.line.close)
        self.content = os.urandom(60000)
        self.web = {}
        for number in range(1, 5):
            for address in self.addresses(number):
                run("ip", "-n", self.line.client, "addr", "add", address + ("/64" if ":" in address else "/24"), "dev", "eth0", *(["nodad"] if ":" in address else []))
        for number in range(1, 5):
            self.serve(number)
        self.backends = {n: {"weight": 1} for n in (1, 2, 3)}
        self.placement = "fused"
        self.apply()
        until("backends are up", lambda: set(self.health().values()) == {"up"}, 30)
        self.clients = subprocess.Popen(["ip", "netns", "exec", self.line.server, sys.executable, "-c", CLIENT, "16", hashlib.sha256(self.content).hexdigest(), *VIPS],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.end_clients)
        until("pages are fetched", lambda: self.report()["kept"] > 50, 60)

    def end_clients(self):
        self.clients.kill()
        self.clients.wait(30)
        self.clients.stdin.close()
        self.clients.stdout.close()

    @staticmethod
    def addresses(number):
        return f"192.0.2.1{number}", f"2001:db8:1::1{number}"

    def serve(self, number):
        four, six = self.addresses(number)
        block = f"listen {four}:8080; listen [{six}]:8080; add_header X-Backend b{number};"
        if number in self.web:
            self.web[number].start([block])
            return
        self.web[number] = Nginx(self.line, self.line.client, f"web{number}", [block])
        with open(os.path.join(self.web[number].folder, "root", "file"), "wb") as file:
            file.write(self.content)

    def kill(self, number):
        """Master and workers at once, as if the host were gone: nobody says good-bye."""
        web = self.web[number]
        workers = run("ps", "-o", "pid=", "--ppid", web.process.pid, check=False).stdout.split()
        for pid in [web.process.pid, *workers]:
            os.kill(int(pid), signal.SIGKILL)
        web.process.child.wait(10)
        os.unlink(f"{web.folder}/pid")

    def apply(self):
        def service(name, vip, family):
            return {"name": name, "address": vip, "ports": "80", "health": QUICK,
                    "backends": [{"name": f"b{n}", "address": self.addresses(n)[family], "port": 8080, **more} for n, more in self.backends.items()]}
        config = {"services": [service("web", VIPS[0], 0), service("web6", VIPS[1], 1)], "health": {"source": "192.0.2.250", "source6": "2001:db8:1::250"}}
        self.s.must_apply({"name": "edge", "placement": "fused", "edge": {"ports": self.line.ports()},
                           "vnfs": [{"name": "lb", "kind": "lb", "placement": self.placement, "config": config}],
                           "chains": [{"name": "all", "path": ["lan", "lb", "wan"]}]})

    def services(self):
        return self.s.get("/v1/services/edge/vnfs/lb/state/services").json

    def health(self):
        return {(s["name"], b["name"]): b["health"] for s in self.services() for b in s["backends"]}

    def until_health(self, number, health):
        until(f"b{number} is {health}", lambda: {h for (s, b), h in self.health().items() if b == f"b{number}"} == {health}, 30)

    def report(self):
        self.clients.stdin.write("\n")
        self.clients.stdin.flush()
        told = json.loads(self.clients.stdout.readline())
        self.assertEqual(told["wrong"], 0, "a page with other bytes")
        return told

    def go_on(self, what, serving, broken=(), refused=False):
        """Until new connections were served by these backends alone and all of them; connections that broke meanwhile were to `broken`."""
        seen = []

        def settled():
            told = self.report()
            seen.append(told)
            return set(told["last"][-30:]) == {f"b{n}" for n in serving} and len(told["last"]) >= 30
        until(f"{what}: served by {serving}", settled, 60, 1)
        self.assertEqual([b for told in seen for b in told["broken"] if b[0] not in {f"b{n}" for n in broken}], [], what)
        if not refused:
            self.assertEqual([r for told in seen for r in told["refused"]], [], what)

    def test_life(self):
        self.go_on("from the beginning", (1, 2, 3))
        self.backends[1]["weight"] = 4
        self.apply()
        self.go_on("weighed anew", (1, 2, 3))
        self.backends[2]["state"] = "drain"
        self.apply()
        self.go_on("drained", (1, 3))
        self.assertGreater(sum(b["sessions"] for s in self.services() for b in s["backends"] if b["name"] == "b2"), 0, "those that it had stay")
        del self.backends[2]["state"]
        self.backends[4] = {}
        self.apply()
        self.until_health(4, "up")
        self.go_on("one is added", (1, 2, 3, 4))
        for self.placement in ("process", "fused"):
            self.apply()
            self.go_on(f"moved to {self.placement}", (1, 2, 3, 4))
        self.kill(3)
        self.until_health(3, "down")
        self.go_on("one was killed", (1, 2, 4), broken=(3,), refused=True)
        self.go_on("it is down", (1, 2, 4))
        self.placement = "process"
        self.apply()
        self.go_on("moved to a process of its own, which knows", (1, 2, 4))
        self.placement = "fused"
        self.apply()
        self.go_on("moved back", (1, 2, 4))
        self.until_health(3, "down")
        self.serve(3)
        self.until_health(3, "up")
        self.go_on("it is back", (1, 2, 3, 4))
        self.flap()
        for vnf in ("", "?vnf=lb"):
            counters = self.s.get("/v1/services/edge/state/counters" + vnf).json
            self.assertTrue(counters["balance"]["balanced"], missing(vnf, counters))

    def flap(self):
        """It comes and goes until its checks pass and it is down all the same."""
        for turn in range(12):
            self.kill(4)
            self.until_health(4, "down")
            self.serve(4)
            until("its checks pass", lambda: self.passing(), 30)
            if self.held():
                break
        self.assertTrue(self.held(), self.checks())
        self.assertGreater(turn, 1)
        self.go_on("it flaps", (1, 2, 3), broken=(4,), refused=True)

    def checks(self):
        return [b["check"] for s in self.services() for b in s["backends"] if b["name"] == "b4"]

    def passing(self):
        return all(c["state"] == "up" or c["heldDown"] for c in self.checks())

    def held(self):
        return all(c["heldDown"] and "it flaps" in c["why"] for c in self.checks())


mano.main()
