# SPDX-License-Identifier: BSD-3-Clause
"""The load balancer between real hosts: clients behind the last port of the path, backends behind the first, each an address of its own."""
import json
import os
import subprocess
import sys
import unittest

from lab import Line, run, until
from test_look import documented, families, promtool

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
        self.say = self.talker(self.lab.server)

    def talker(self, space):
        """A client in a namespace: a function that has it do something and answers what comes of it."""
        client = subprocess.Popen(["ip", "netns", "exec", space, sys.executable, "-c", CLIENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

        def end():
            client.stdin.close()
            client.wait(30)
            client.stdout.close()

        def say(*command):
            client.stdin.write(json.dumps(command) + "\n")
            client.stdin.flush()
            return json.loads(client.stdout.readline())

        self.addCleanup(end)
        return say

    def document(self, services, workers=1, **config):
        return self.lab.document([{"name": "lb", "kind": "lb", "config": {"services": services, **config}}], workers=workers, workersMax=2)

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
        self.check_metrics()
        self.assertEqual(sum(b["opened"] for b in self.state("web")["backends"]), 30)
        self.assertGreater(min(sum(b["packets"]) for b in self.state("web6")["backends"]), 6)
        self.engine.balance()

    def test_two_workers(self):
        self.start(self.services(), workers=2, sources=[{"name": "four", "addresses": SOURCES}, {"name": "six", "addresses": SOURCES6}])
        self.check_all()
        self.engine.balance()

    def test_addresses(self):
        """A box of one address an interface serves with it, and what an address cannot be is refused with its place."""
        one, near = "198.51.100.2", "192.0.2.1"
        own = [service("web", one), service("full", one, mode="full-nat") | {"ports": "81"}]
        sources = [{"name": "own", "addresses": [near]}]
        self.start(own, sources=sources)
        for port, seen in (80, self.lab.SERVER4), (81, near):
            self.assertEqual({a[1] for a in self.say("ask", one, port, 6)}, {seen})
        self.assertEqual((self.lab.ping(one, space=self.lab.server), self.lab.ping(near)), (3, 3), "echo requests are the edge's, as they were")
        backend = "functions[0].config.services[0].backends[0].address"
        for wrong, path, code in (([service("web", VIP, [near])], backend, "own-address"), ([service("web", VIP, [one])], backend, "own-address"),
                                  ([service("web", VIP, [VIP])], backend, "own-address"), ([service("web", VIP, ["192.0.2.200"])], backend, "own-address"),
                                  ([service("web", "192.0.2.200") | {"ports": "8000"}], "functions[0].config.services[0].address", "overlap"),
                                  ([service("web", VIP, health={"interval": 100, "timeout": 200})], "functions[0].config.services[0].health.timeout", "too-long"),
                                  ([service("web", VIP) | {"backends": [{"name": "b", "host": "web\n.example.net"}]}],
                                   "functions[0].config.services[0].backends[0].host", "not-a-name")):
            reply = self.engine.rest("PUT", "/v1/config?dryRun=true", self.document(wrong, sources=[{"name": "four", "addresses": SOURCES}]))
            self.assertEqual((reply.status, [(e["path"], e["code"]) for e in reply.json()["errors"]]), (422, [(path, code)]), reply.body)
            self.assertNotIn("\n", reply.json()["errors"][0]["detail"])
        self.change([service("web", "192.0.2.200")], sources=[{"name": "four", "addresses": SOURCES}])
        self.engine.balance()

    def second_host(self):
        """A client on the link of the backends; answers what has it do something."""
        lab, hub = self.lab, self.lab.space("hub")
        other = lab.space("other")
        for space, name in (lab.client, "eth0"), (lab.edge, "lan0"):
            run("ip", "-n", space, "link", "del", name, check=False)
        for space, name, far in (lab.client, "eth0", "h1"), (lab.edge, "lan0", "h2"), (other, "eth0", "h3"):
            lab.veth(space, name, hub, far)
        run("ip", "-n", hub, "link", "add", "hub0", "type", "bridge")
        for far in ("h1", "h2", "h3", "hub0"):
            run("ip", "-n", hub, "link", "set", far, *([] if far == "hub0" else ["master", "hub0"]), "up")
        lab.host(lab.client, "eth0", [f"{a}/24" for a in (lab.CLIENT4, *BACKENDS)], ["192.0.2.1"])
        lab.host(other, "eth0", ["192.0.2.50/24"], ["192.0.2.1"])
        return self.talker(other)

    def test_one_port(self):
        """Clients on the backends' link are refused at once, with a counter, where answers would pass us by; by a path from the port to itself full NAT serves them."""
        say, near = self.second_host(), "192.0.2.82"
        full = [service("full", FULL, mode="full-nat"), service("near", near, mode="full-nat")]
        document = self.document([service("web", VIP), *full], sources=[{"name": "four", "addresses": SOURCES}])
        self.engine = self.lab.engine("lb", document, "sluice-lb").ready()
        for vip in (VIP, FULL):
            self.assertEqual(say("ask", vip, 80, 1), [["ConnectionRefusedError"]])
            self.assertEqual(len(self.say("ask", vip, 80, 1)[0]), 2, "clients elsewhere")
        self.assertEqual(self.counters()["same-port"], 2)
        document["paths"].insert(0, {"name": "arm", "path": ["lan", "lb", "lan"]})
        self.assertEqual(self.engine.rest("PUT", "/v1/config", document).status, 200)
        for vip in (FULL, near):
            for answer in say("ask", vip, 80, 4):
                self.assertIn(answer[1], ("192.0.2.200", "192.0.2.201"), answer)
        self.assertEqual(say("ask", VIP, 80, 1), [["ConnectionRefusedError"]], "the backend would answer the client itself")
        for vip in (VIP, FULL):
            self.assertEqual(len(self.say("ask", vip, 80, 1)[0]), 2, "clients elsewhere")
        self.engine.balance()

    def check_metrics(self):
        """Clean, and as docs/METRICS.md says."""
        text = self.engine.rest("GET", "/metrics", headers={"Accept": "application/openmetrics-text"}).body
        self.assertEqual({name: row for name, row in families(text).items() if name.startswith("sluice_lb_")}, documented("Of a load balancer"))
        self.assertEqual(promtool(self.engine.rest("GET", "/metrics").body), (0, ""))
        self.assertIn('sluice_lb_opened_sessions_total{function="lb",service="web",backend="b1"}', text)

    def hold(self, *names, host=VIP):
        """Connections by name that stay open; answers each one's backend."""
        return {name: BACKENDS.index(self.say("open", name, host, 80)[0]) + 1 for name in names}

    def expect(self, held, **ended):
        """Each connection goes on, unless its backend ("b1") is among those whose connections have ended."""
        for name, backend in held.items():
            self.assertEqual(self.say("say", name) == "well", not ended.get(f"b{backend}"), (name, backend))

    def test_change_under_connections(self):
        """What a backend has stays through drain, weights, other backends' end and a crash of the process; a backend that is disabled or gone loses its own alone."""
        def web(addresses=BACKENDS, **special):
            return [service("web", VIP, addresses, scheduler="round-robin", special=special)]

        self.start(web())
        held = self.hold("a", "b", "c", "d", "e", "f")
        self.assertEqual(sorted(held.values()), [1, 1, 2, 2, 3, 3])
        of_b1 = self.engine.get("/v1/state/sessions?filter=(eq,functions/lb/backend,b1)")
        self.assertEqual({s["functions"]["lb"]["address"] for s in of_b1}, {BACKENDS[0]})
        self.assertEqual(len(of_b1), 2)
        self.assertEqual(self.backend("web", "b1")["sessions"], 2)
        self.change(web(b2={"state": "drain"}, b1={"weight": 3}))
        self.assertEqual(self.spread(VIP)[0], {BACKENDS[0]: 15, BACKENDS[1]: 0, BACKENDS[2]: 15})
        self.expect(held)
        self.engine.process.kill()
        self.engine.process.child.wait()
        self.engine.start()
        self.engine.ready()
        self.expect(held)
        self.assertEqual(self.backend("web", "b2")["sessions"], 2, "found again")
        self.change(web(b2={"state": "disabled"}))
        self.expect(held, b2=True)
        self.change(web(BACKENDS[:2], b2={"state": "disabled"}))
        self.expect(held, b2=True, b3=True)
        self.change(web())
        self.assertEqual(set(self.spread(VIP)[0].values()), {10})
        self.expect(held, b2=True, b3=True)
        self.change(web(**{f"b{i}": {"state": "disabled"} for i in (1, 2, 3)}))
        self.assertEqual(self.say("ask", VIP, 80, 1), [["ConnectionRefusedError"]])
        self.assertGreater(self.counters()["not-a-beginning"], 0)
        self.engine.balance()

    def test_sessions_lost(self):
        """The session memory is gone: Maglev finds the backends of connections anew; a scheduler that cannot tell resets them."""
        services = [service("web", VIP), service("web6", VIP6, BACKENDS6, scheduler="source-hash"), service("turns", FULL, scheduler="round-robin")]
        self.start(services, workers=2)
        held = self.hold(*"abcdefgh")
        six = [self.say("open", name, VIP6, 80)[0] for name in ("k", "l")]
        self.assertGreater(len(set(held.values())), 1, held)
        self.hold("z", host=FULL)
        self.engine.process.kill()
        self.engine.process.child.wait()
        for name in os.listdir(self.engine.folder):
            if name.startswith("sessions."):
                os.unlink(os.path.join(self.engine.folder, name))
        self.engine.start()
        self.engine.ready()
        self.expect(held)
        self.expect({"k": 1, "l": 1})
        sessions = self.engine.get("/v1/state/sessions?limit=1000&filter=(eq,functions/lb/service,web6)")
        self.assertEqual({s["functions"]["lb"]["address"] for s in sessions}, set(six))
        self.assertEqual(self.say("say", "z"), "ConnectionResetError")
        self.assertGreater(self.counters()["not-a-beginning"], 0)
        self.engine.balance()

    def test_beside_a_nat_on_two_workers(self):
        """Each packet's owner follows from what the function says that knows its addresses, in whichever order they stand."""
        outside = self.lab.process([sys.executable, "-c", BACKEND, "8080", self.lab.SERVER4], netns=self.lab.server)
        until("the server listens", lambda: "ready" in outside.text())
        inside = self.talker(self.lab.client)
        run("ip", "-n", self.lab.server, "addr", "add", "198.51.100.253/24", "dev", "eth0")
        nat = {"name": "nat", "kind": "nat", "config": {"pools": [{"name": "p", "addresses": ["198.51.100.10"]}]}}
        lb = {"name": "lb", "kind": "lb", "config": {"services": self.services(), "sources": [{"name": "four", "addresses": SOURCES},
                                                                                              {"name": "six", "addresses": SOURCES6}]}}
        self.engine = self.lab.engine("chain", self.lab.document([nat, lb], workers=2)).ready()
        for functions in ([nat, lb], [lb, nat]):
            self.assertLess(self.engine.rest("PUT", "/v1/config", self.lab.document(functions, workers=2)).status, 300)
            self.check_all()
            for address in BACKENDS + [self.lab.CLIENT4]:
                inside("bind", address)
                self.assertEqual(inside("ask", self.lab.SERVER4, 8080, 5), [[self.lab.SERVER4, "198.51.100.10"]] * 5)
            # Past the services, by another address: the port of a connection to a service may be the same.
            self.say("bind", "198.51.100.253")
            for address in BACKENDS:
                self.assertEqual(self.say("ask", address, 8080, 1), [[address, "198.51.100.253"]])
            self.say("bind", "")
        self.assertEqual({s["worker"] for s in self.engine.get("/v1/state/sessions?limit=1000")}, {0, 1})
        self.engine.balance()

    def test_persistence_over_two_workers(self):
        """Two addresses of a /24 are one client, two of others are not; and a change of workers forgets no connection."""
        run("ip", "-n", self.lab.server, "addr", "add", "198.51.100.253/24", "dev", "eth0")
        sticky = [service("web", VIP, scheduler="round-robin", persistence={"seconds": 600, "prefix4": 24}), service("plain", FULL, scheduler="round-robin")]
        self.start(sticky, workers=2)
        first = self.spread(VIP, n=10)[0]
        self.say("bind", "198.51.100.253")
        self.assertEqual(self.spread(VIP, n=10)[0], first)
        self.assertEqual(sorted(first.values()), [0, 0, 10])
        held = self.hold("a", "b", "c", host=FULL)
        self.change(sticky, workers=1)
        self.expect(held)
        self.assertEqual(self.spread(VIP, n=5)[0], {b: n // 2 for b, n in first.items()}, "remembered by the worker that took the sessions over")
        self.engine.balance()

    def test_behind_a_hop(self):
        """Connections go on when the function moves to a process of its own, when that is killed, and when the function comes back."""
        folder = os.path.join(self.lab.folder, "lb")
        config = {"services": self.services(), "sources": [{"name": "four", "addresses": SOURCES}, {"name": "six", "addresses": SOURCES6}]}
        document = self.lab.document([], ["lb"])
        document["hops"] = [{"name": "lb", "kind": "lb", "path": "all", "config": config, "a": f"vhost:{folder}/a.sock", "b": f"vhost:{folder}/b.sock"}]
        own = self.lab.document([{"name": "lb", "kind": "lb", "config": config}])
        links = [{"name": f"all.{end}", "as": port, "device": f"virtio:{folder}/{end}.sock", "addresses": addresses}
                 for end, port, addresses in (("a", "lan", self.lab.LAN), ("b", "wan", self.lab.WAN))]
        own.update(edge={"mode": "link", "ports": links}, paths=[{"name": "all", "path": ["all.a", "lb", "all.b"]}])
        fused = self.lab.document([{"name": "lb", "kind": "lb", "config": config}])
        front = self.lab.engine("service", fused).ready()
        held = self.hold("a", "b", "c", host=FULL) | self.hold("d", "e")
        self.engine = self.lab.engine("lb", own, "sluice-lb").ready()

        def up():
            until("the hop is up", lambda: all(h["up"] for h in front.get("/v1/state/hops")))

        self.assertLess(front.rest("PUT", "/v1/config", document).status, 300)
        up()
        self.expect(held)
        self.check_all()
        self.engine.process.kill()
        self.engine.process.child.wait()
        self.engine.start()
        self.engine.ready()
        up()
        self.expect(held)
        self.assertLess(front.rest("PUT", "/v1/config", fused).status, 300)
        self.expect(held)
        self.engine.balance()
        front.balance()


if __name__ == "__main__":
    unittest.main(verbosity=2)
