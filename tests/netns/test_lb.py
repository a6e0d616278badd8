# SPDX-License-Identifier: BSD-3-Clause
"""The load balancer between real hosts: clients behind the last port of the path, backends behind the first, each an address of its own."""
import json
import subprocess
import sys
import unittest

from lab import Line, run, until

# Says on TCP and UDP, on all ports that are given, which backend this is and whom it sees; TCP goes on as an echo.
BACKEND = """
import socket, sys, threading
def talk(connection, me):
    connection.sendall(("%s %s\\n" % (me, connection.getpeername()[0])).encode())
    while True:
        data = connection.recv(65536)
        if not data:
            return connection.close()
        connection.sendall(data)
def tcp(listener, me):
    while True:
        threading.Thread(target=talk, args=(listener.accept()[0], me), daemon=True).start()
def udp(s, me):
    while True:
        data, peer = s.recvfrom(65536)
        s.sendto(("%s %s\\n" % (me, peer[0])).encode() + data, peer)
ports, addresses = [int(p) for p in sys.argv[1].split(",")], sys.argv[2:]
for me in addresses:
    family = socket.AF_INET6 if ":" in me else socket.AF_INET
    for port in ports:
        threading.Thread(target=tcp, args=(socket.create_server((me, port), family=family, backlog=128), me), daemon=True).start()
        s = socket.socket(family, socket.SOCK_DGRAM)
        s.bind((me, port))
        threading.Thread(target=udp, args=(s, me), daemon=True).start()
print("ready", flush=True)
threading.Event().wait()
"""

# What a client does, one JSON command a line: ["ask", host, port, n] opens n connections, one after the other; ["open", name, host, port], ["say", name],
# ["udp", host, port, bytes, n]; ["bind", address] says where from. One JSON line answers.
CLIENT = """
import json, socket, sys, time
held, source = {}, [""]
def family(host):
    return socket.AF_INET6 if ":" in host else socket.AF_INET
def connect(host, port):
    return socket.create_connection((host, port), 10, (source[0], 0) if source[0] else None)
def ask(host, port, n):
    answers = []
    for i in range(n):
        try:
            with connect(host, port) as s:
                answers.append(s.makefile().readline().split())
        except OSError as error:
            answers.append([type(error).__name__])
    return answers
def open_(name, host, port):
    held[name] = connect(host, port)
    held[name].settimeout(10)
    return held[name].makefile().readline().split()
def say(name):
    try:
        held[name].sendall(b"x" * 3000)
        got = b""
        while len(got) < 3000:
            part = held[name].recv(65536)
            if not part:
                return "closed"
            got += part
        return "well"
    except OSError as error:
        return type(error).__name__
def udp(host, port, size, n):
    answers = []
    for i in range(n):
        with socket.socket(family(host), socket.SOCK_DGRAM) as s:
            s.settimeout(0.5)
            s.connect((host, port))
            for attempt in range(10):
                try:
                    s.send(b"x" * size)
                    text, rest = s.recv(65536).split(b"\\n", 1)
                    answers.append(text.decode().split() + [len(rest)])
                    break
                except socket.timeout:
                    pass
                except OSError as error:
                    answers.append([type(error).__name__])
                    break
            else:
                answers.append(["nothing"])
    return answers
def bind(address):
    source[0] = address
commands = {"ask": ask, "open": open_, "say": say, "udp": udp, "bind": bind}
for line in sys.stdin:
    verb, *rest = json.loads(line)
    print(json.dumps(commands[verb](*rest)), flush=True)
"""

VIP, VIP6, ANY, FULL, FULL6 = "198.51.100.80", "2001:db8:2::80", "198.51.100.81", "198.51.100.82", "2001:db8:2::82"
BACKENDS, BACKENDS6 = [f"192.0.2.1{i}" for i in (1, 2, 3)], [f"2001:db8:1::1{i}" for i in (1, 2, 3)]
SOURCES, SOURCES6 = ["192.0.2.200-192.0.2.201"], ["2001:db8:1::200"]


def backends(addresses, port=8080, **more):
    return [{"name": f"b{i}", "address": a, **({"port": port} if port else {}), **more.get(f"b{i}", {})} for i, a in enumerate(addresses, 1)]


def service(name, address, addresses=BACKENDS, port=8080, special=None, **more):
    return {"name": name, "address": address, "ports": "80", **more, "backends": backends(addresses, port, **(special or {}))}


class Balancer(unittest.TestCase):
    def setUp(self):
        self.lab = Line()
        self.addCleanup(self.lab.close)
        for address in BACKENDS:
            run("ip", "-n", self.lab.client, "addr", "add", address + "/24", "dev", "eth0")
        for address in BACKENDS6:
            run("ip", "-n", self.lab.client, "addr", "add", address + "/64", "dev", "eth0", "nodad")
        server = self.lab.process([sys.executable, "-c", BACKEND, "8080,8081", *BACKENDS, *BACKENDS6], netns=self.lab.client)
        until("the backends listen", lambda: "ready" in server.text())
        self.client = subprocess.Popen(["ip", "netns", "exec", self.lab.server, sys.executable, "-c", CLIENT], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.end_client)

    def end_client(self):
        self.client.stdin.close()
        self.client.wait(30)
        self.client.stdout.close()

    def say(self, *command):
        self.client.stdin.write(json.dumps(command) + "\n")
        self.client.stdin.flush()
        return json.loads(self.client.stdout.readline())

    def document(self, services, workers=1, **config):
        return self.lab.document([{"name": "lb", "kind": "lb", "config": {"services": services, **config}}], workers=workers)

    def start(self, services, workers=1, **config):
        self.engine = self.lab.engine("lb", self.document(services, workers, **config), "sluice-lb").ready()

    def change(self, services, workers=1, **config):
        reply = self.engine.rest("PUT", "/v1/config", self.document(services, workers, **config))
        self.assertLess(reply.status, 300, reply.body)

    def spread(self, host, port=80, n=30, to=BACKENDS):
        """n connections; answers how many each backend got, and whom they saw."""
        answers = self.say("ask", host, port, n)
        self.assertTrue(all(len(a) == 2 for a in answers), answers)
        return {b: sum(a[0] == b for a in answers) for b in to}, {a[1] for a in answers}

    def counters(self):
        return self.engine.get("/v1/vnfs/lb")["counters"]

    def state(self, name):
        return next(s for s in self.engine.get("/v1/vnfs/lb/state/services?limit=1000") if s["name"] == name)

    def backend(self, of, name):
        return next(b for b in self.state(of)["backends"] if b["name"] == name)

    def services(self):
        return [service("web", VIP), service("web6", VIP6, BACKENDS6),
                service("dns", VIP, port=None, protocol="udp", scheduler="round-robin") | {"ports": "8080-8081"},
                {"name": "any", "address": ANY, "protocol": "any", "backends": backends(BACKENDS[:1], None)},
                service("full", FULL, mode="full-nat", scheduler="round-robin"), service("full6", FULL6, BACKENDS6, mode="full-nat")]

    def check_all(self):
        near4, near6 = self.lab.SERVER4, self.lab.SERVER6
        for host, to, seen in ((VIP, BACKENDS, {near4}), (VIP6, BACKENDS6, {near6}), (FULL, BACKENDS, {"192.0.2.200", "192.0.2.201"}),
                               (FULL6, BACKENDS6, {"2001:db8:1::200"})):
            counts, sources = self.spread(host, to=to)
            self.assertTrue(all(counts.values()), (host, counts))
            self.assertLessEqual(sources, seen)
        for port in (8080, 8081):
            answers = self.say("udp", VIP, port, 100, 6)
            self.assertEqual({a[0] for a in answers}, set(BACKENDS), answers)
        self.assertEqual(self.say("udp", VIP, 8080, 4000, 1)[0][1:], [near4, 4000], "fragments")
        self.assertEqual(self.say("udp", ANY, 9, 1, 1), [["ConnectionRefusedError"]], "an ICMP error names the client's own packet")
        self.assertEqual(self.lab.ping(ANY, space=self.lab.server), 3)
        self.assertEqual(self.say("ask", ANY, 8080, 1), [[BACKENDS[0], near4]])

    def test_modes_and_families(self):
        sources = [{"name": "four", "addresses": SOURCES}, {"name": "six", "addresses": SOURCES6}]
        self.start(self.services(), sources=sources)
        self.check_all()
        self.assertGreater(self.counters()["balanced"], 120)
        self.assertEqual(sum(b["opened"] for b in self.state("web")["backends"]), 30)
        self.assertGreater(min(sum(b["packets"]) for b in self.state("web6")["backends"]), 6)
        self.engine.balance()

    def test_two_workers(self):
        self.start(self.services(), workers=2, sources=[{"name": "four", "addresses": SOURCES}, {"name": "six", "addresses": SOURCES6}])
        self.check_all()
        self.engine.balance()


if __name__ == "__main__":
    unittest.main(verbosity=2)
