# SPDX-License-Identifier: BSD-3-Clause
"""The NAT between real hosts: NAPT, forwards, 1:1, hairpin, ICMP errors, fragments, exhaustion, and its behaviour as coturn's probe sees it."""
import os
import subprocess
import sys
import unittest

from lab import Line, run, until

# An echo server for TCP and UDP on given addresses; says which address and port it sees.
ECHO = """
import socket, sys, threading
def serve(connection):
    while True:
        data = connection.recv(100)
        if not data:
            return
        connection.sendall(("%s:%d " % connection.getpeername()[:2]).encode() + data)
def udp(address):
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind((address, 7))
    while True:
        data, peer = datagrams.recvfrom(100)
        datagrams.sendto(("%s:%d " % peer).encode() + data, peer)
listener = socket.create_server(("0.0.0.0", 7))
for address in sys.argv[1:]:
    threading.Thread(target=udp, args=(address,), daemon=True).start()
print("ready", flush=True)
while True:
    connection, _ = listener.accept()
    threading.Thread(target=serve, args=(connection,), daemon=True).start()
"""

# Sockets by name, one command a line: "tcp NAME BINDPORT HOST", "udp NAME BINDPORT HOST", "say NAME TEXT", "close NAME"; one line answers.
TALK = """
import socket, sys
sockets = {}
def answer(line):
    verb, name, *rest = line.split()
    if verb in ("tcp", "udp"):
        s = socket.socket(socket.AF_INET, socket.SOCK_STREAM if verb == "tcp" else socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        s.bind(("", int(rest[0])))
        s.settimeout(15 if verb == "tcp" else 1)
        s.connect((rest[1], 7))
        sockets[name] = s
        return "open"
    if verb == "close":
        sockets.pop(name).close()
        return "closed"
    for attempt in range(10):
        sockets[name].send(rest[0].encode())
        try:
            return sockets[name].recv(200).decode()
        except socket.timeout:
            pass
    return "nothing"
for line in sys.stdin:
    try:
        print(answer(line), flush=True)
    except OSError as error:
        print("error", error, flush=True)
"""

# Datagrams from 24 ports of each given address, over and over, for at most a minute.
CHATTER = """
import socket, sys, time
sockets = []
for address in sys.argv[2:]:
    for port in range(4000, 4024):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind((address, port))
        sockets.append(s)
print("ready", flush=True)
end = time.monotonic() + 60
while time.monotonic() < end:
    for s in sockets:
        s.sendto(b"x", (sys.argv[1], 7))
    time.sleep(0.005)
"""

POOL = [{"name": "public", "addresses": ["198.51.100.10"]}]
PUBLIC = "198.51.100.10"
SECOND = "198.51.100.253"  # of the server


class Nat(unittest.TestCase):
    def setUp(self):
        self.lab = Line()
        self.addCleanup(self.lab.close)
        self.service = None  # in front of the engine, where the NAT stands behind a hop

    def document(self, workers=1, timeouts=None, **config):
        config.setdefault("pools", POOL)
        document = self.lab.document([{"name": "nat", "kind": "nat", "config": config}], workers=workers, timeouts=timeouts or {})
        if self.service:
            folder = os.path.join(self.lab.folder, "nat")
            links = [{"name": "all.a", "as": "lan", "device": f"virtio:{folder}/a.sock", "addresses": self.lab.LAN},
                     {"name": "all.b", "as": "wan", "device": f"virtio:{folder}/b.sock", "addresses": self.lab.WAN}]
            document.update(edge={"mode": "link", "ports": links}, paths=[{"name": "all", "path": ["all.a", "nat", "all.b"]}])
        return document

    def start_behind_hop(self, workers, **config):
        config.setdefault("pools", POOL)
        folder = os.path.join(self.lab.folder, "nat")
        document = self.lab.document([], ["nat"], workers=workers)
        document["hops"] = [{"name": "nat", "kind": "nat", "path": "all", "config": config,
                             "a": f"vhost:{folder}/a.sock", "b": f"vhost:{folder}/b.sock"}]
        self.service = True  # from here on a document of the NAT has links for ports
        self.engine = self.lab.engine("nat", self.document(workers, **config))
        self.service = self.lab.engine("service", document).ready()
        self.engine.ready()
        self.wait_up()

    def wait_up(self):
        until("the hop is up", lambda: all(h["up"] for h in self.service.get("/v1/state/hops")))

    def start(self, workers=1, **config):
        self.engine = self.lab.engine("nat", self.document(workers, **config)).ready()
        return self.engine

    def reload(self, workers=1, **config):
        reply = self.engine.rest("PUT", "/v1/config", self.document(workers, **config))
        self.assertLess(reply.status, 300, reply.body)

    def server_log(self):
        return self.web.text()

    def start_web(self, space, port=8000):
        data = self.lab.web(space=space, port=port)
        self.web = self.lab.processes[-1]
        return data

    def test_napt(self):
        data = self.start_web(self.lab.server)
        self.start()
        self.assertEqual(self.lab.fetch(f"http://{self.lab.SERVER4}:8000/file"), data)
        until("the server has seen the outside address", lambda: PUBLIC in self.server_log())
        self.assertNotIn(self.lab.CLIENT4, self.server_log())
        self.assertEqual(self.lab.fetch(f"http://[{self.lab.SERVER6}]:8000/file"), data, "IPv6 passes by")
        self.assertEqual(self.lab.ping(self.lab.SERVER4), 3)
        self.assertEqual(self.lab.ping(self.lab.SERVER4, size=4000), 3, "fragments")
        self.assertTrue(any(m["outside"] == PUBLIC for m in self.engine.get("/v1/vnfs/nat/state/mappings")))
        self.engine.balance()
        self.claims()

    def claims(self):
        """An address is one function's; who stands on paths to several ports claims on each."""
        document = self.document(1, pools=POOL)
        document["functions"].append({"name": "other", "kind": "nat", "config": {"pools": [{"name": "p", "addresses": [PUBLIC]}]}})
        document["edge"]["ports"].append({"name": "dmz", "device": "null:?receive=0", "addresses": ["203.0.113.1/24"]})
        document["paths"].append({"name": "more", "path": ["dmz", "other", "wan"], "symmetric": False})
        reply = self.engine.rest("PUT", "/v1/config", document)
        self.assertEqual(reply.status, 422, reply.body)
        error = reply.json()["errors"][0]
        self.assertEqual((error["code"], error["path"]), ("claimed-twice", "functions[1].config"), error)
        self.assertIn('"nat"', error["detail"])
        document["functions"].pop()
        document["paths"][-1].update(path=["lan", "nat", "dmz"], symmetric=True, priority=1, match=[{"protocol": "sctp"}])
        self.assertEqual(self.engine.rest("PUT", "/v1/config", document).status, 200)
        self.assertEqual({c["port"] for c in self.engine.get("/v1/state/claims")}, {"wan", "dmz"}, self.engine.get("/v1/state/claims"))
        self.assertEqual(self.lab.ping(self.lab.SERVER4), 3)

    def test_two_workers(self):
        data = self.start_web(self.lab.server)
        self.start(workers=2)
        for _ in range(8):
            self.assertEqual(self.lab.fetch(f"http://{self.lab.SERVER4}:8000/file"), data)
        self.assertEqual(self.lab.ping(self.lab.SERVER4, size=4000), 3, "fragments")
        self.engine.balance()

    def test_icmp_error(self):
        """The server's port unreachable reaches the client, naming the client's own packet."""
        self.start()
        done = run("ip", "netns", "exec", self.lab.client, "python3", "-c", f"""
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(3)
s.connect(("{self.lab.SERVER4}", 9))
s.send(b"x")
try:
    s.recv(1)
except ConnectionRefusedError:
    print("refused")
""", check=False)
        self.assertIn("refused", done.stdout)
        self.engine.balance()

    def test_forward_and_static(self):
        data = self.start_web(self.lab.client)
        self.start(forwards=[{"name": "web", "ports": "80", "inside": self.lab.CLIENT4, "insidePort": 8000}],
                   static=[{"name": "one", "inside": "192.0.2.11", "outside": "198.51.100.11"}])
        self.assertEqual(self.lab.fetch(f"http://{PUBLIC}/file", space=self.lab.server), data)
        run("ip", "-n", self.lab.client, "addr", "add", "192.0.2.11/24", "dev", "eth0")
        self.assertEqual(self.lab.fetch("http://198.51.100.11:8000/file", space=self.lab.server), data, "1:1, inward")
        self.assertIsNone(self.lab.fetch(f"http://{PUBLIC}:81/file", space=self.lab.server, timeout=1))
        counters = self.engine.get("/v1/vnfs/nat")["counters"]
        self.assertGreater(counters["no-mapping"], 0)
        self.engine.balance()

    def test_hairpin(self):
        """An inside host reaches another by the outside address; the other sees the outside address, too."""
        data = self.start_web(self.lab.client)
        self.start(forwards=[{"name": "web", "ports": "80", "inside": self.lab.CLIENT4, "insidePort": 8000}])
        self.assertEqual(self.lab.fetch(f"http://{PUBLIC}/file"), data)
        self.assertIn(PUBLIC, self.server_log())
        self.assertGreater(self.engine.get("/v1/vnfs/nat")["counters"]["hairpinned"], 0)
        self.engine.balance()

    def test_exhaustion(self):
        """Two blocks of 64 ports, one of which another bucket owns: the 65th mapping is refused and counted, the others live on."""
        self.start(pools=[{"name": "small", "addresses": [PUBLIC], "ports": "1024-1151"}])
        run("ip", "netns", "exec", self.lab.client, "python3", "-c", f"""
import socket, time
for i in range(200):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("", 20000 + i))
    s.sendto(b"x", ("{self.lab.SERVER4}", 7))
    time.sleep(0.005)
""")
        refused = run("ip", "netns", "exec", self.lab.client, "python3", "-c", f"""
import errno, socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(0.5)
s.connect(("{self.lab.SERVER4}", 7))
for attempt in range(20):
    try:
        s.send(b"x")
        s.recv(1)
    except socket.timeout:
        continue
    except OSError as error:
        print(errno.errorcode[error.errno])
        break
""")
        self.assertIn("EHOSTUNREACH", refused.stdout, "the host is told (RFC 5508 REQ-8)")
        until("some were refused", lambda: self.engine.get("/v1/vnfs/nat")["counters"]["no-port"] >= 136)
        self.assertEqual(len(self.engine.get("/v1/vnfs/nat/state/mappings")), 64)
        self.engine.balance()

    def talkers(self):
        """An echo server, and a client that is told what to do: a function that sends one command and answers what comes back."""
        run("ip", "-n", self.lab.server, "addr", "add", SECOND + "/24", "dev", "eth0")
        server = self.lab.process([sys.executable, "-c", ECHO, self.lab.SERVER4, SECOND], netns=self.lab.server)
        until("the echo server listens", lambda: "ready" in server.text())
        client = subprocess.Popen(["ip", "netns", "exec", self.lab.client, sys.executable, "-c", TALK], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True)

        def end():
            client.stdin.close()
            client.wait(30)
            client.stdout.close()

        def say(*words):
            client.stdin.write(" ".join(map(str, words)) + "\n")
            client.stdin.flush()
            return client.stdout.readline().strip()

        self.addCleanup(end)
        return say

    def ports_used(self):
        return sum(space["used"] for pool in self.engine.get("/v1/vnfs/nat/state/pools") for space in pool["ports"].values()
                   if isinstance(space, dict))

    def mappings(self):
        return {(m["protocol"], m["inside"], m["insidePort"]): f"{m['outside']}:{m['outsidePort']}"
                for m in self.engine.get("/v1/vnfs/nat/state/mappings?limit=1000")}

    def crash(self):
        self.engine.process.kill()
        self.engine.process.child.wait()
        self.engine.start()
        self.engine.ready()
        if self.service:
            self.wait_up()

    def crash_and_go_on(self, workers):
        """Killed under TCP and UDP: both go on, the mappings are the same, a new flow of the same inside port gets the same outside port."""
        say = self.talkers()
        self.assertEqual(say("tcp", "a", 3000, self.lab.SERVER4), "open")
        self.assertEqual(say("udp", "b", 3001, self.lab.SERVER4), "open")
        seen = {name: say("say", name, "before").split()[0] for name in "ab"}
        before = self.mappings()
        used = self.ports_used()
        self.assertEqual((len(before), used), (2, 2))
        self.crash()
        self.assertEqual(self.mappings(), before)
        self.assertEqual(self.ports_used(), used)
        self.assertEqual(say("say", "a", "after"), seen["a"] + " after")
        self.assertEqual(say("say", "b", "after"), seen["b"] + " after")
        self.assertEqual(say("udp", "c", 3001, SECOND), "open")
        self.assertEqual(say("say", "c", "new").split()[0], seen["b"])
        self.assertEqual(say("tcp", "d", 3000, SECOND), "open")
        self.assertEqual(say("say", "d", "new").split()[0], seen["a"])
        self.assertEqual(self.ports_used(), used)
        counters = self.engine.get("/v1/state/counters")["engine"]
        self.assertEqual((counters["adopted"], counters["not-adopted"]), (2, 0))
        self.reload(workers, timeouts={"udp": 1, "udpOpening": 1, "tcpClosing": 1})
        for name in "abcd":
            say("close", name)
        until("everything has been given back", lambda: self.ports_used() == 0 and not self.mappings(), 30)
        self.engine.balance()

    def test_crash(self):
        self.start()
        self.crash_and_go_on(1)

    def test_crash_two_workers(self):
        self.start(workers=2)
        self.crash_and_go_on(2)

    def test_crash_behind_hop(self):
        """The process of the NAT is killed; the service process in front of it lives on."""
        self.start_behind_hop(1)
        self.crash_and_go_on(1)
        self.service.balance()

    def chatter(self):
        """Traffic of eight inside hosts, so that several buckets and both workers have some."""
        hosts = [f"192.0.2.{n}" for n in range(20, 28)]
        for host in hosts:
            run("ip", "-n", self.lab.client, "addr", "add", host + "/24", "dev", "eth0")
        chatter = self.lab.process([sys.executable, "-c", CHATTER, self.lab.SERVER4, *hosts], netns=self.lab.client)
        until("it talks", lambda: "ready" in chatter.text())
        return chatter

    def mapped_within(self, first, last):
        return [m for m in self.mappings().values() if first <= int(m.split(":")[1]) <= last]

    def test_reload_under_traffic(self):
        """Half of the ports are forwarded and given back, over and over: what uses them moves, the others live, nothing is given twice or lost."""
        self.start(workers=2)
        say = self.talkers()
        self.assertEqual(say("tcp", "a", 3000, self.lab.SERVER4), "open")
        seen = say("say", "a", "first").split()[0]
        port = int(seen.split(":")[1])
        half = (1024, port - 1) if port > 16384 else (port + 1, 65000)
        forwards = [{"name": p, "protocol": p, "ports": f"{half[0]}-{half[1]}", "inside": "192.0.2.99"} for p in ("tcp", "udp")]
        chatter = self.chatter()
        until("some use the ports that will be forwarded", lambda: self.mapped_within(*half))
        for turn in range(10):
            self.reload(workers=2, forwards=forwards)
            until("the forwarded ports are nobody's", lambda: not self.mapped_within(*half), 30)
            self.assertEqual(say("say", "a", f"with{turn}"), f"{seen} with{turn}")
            self.reload(workers=2)
            self.assertEqual(say("say", "a", f"without{turn}"), f"{seen} without{turn}")
        until("all talk", lambda: len(self.mappings()) == 1 + 8 * 24, 30)
        outside = list(self.mappings().values())
        self.assertEqual(len(outside), len(set(outside)))
        chatter.stop()
        say("close", "a")
        self.reload(workers=2, timeouts={"udp": 1, "udpOpening": 1, "tcpClosing": 1})
        until("everything has been given back", lambda: self.ports_used() == 0 and not self.mappings(), 30)
        self.engine.balance()

    def test_another_pool(self):
        """The outside address is taken away: sessions are closed on their next packet and opened with another; the ports come back."""
        self.start()
        say = self.talkers()
        self.assertEqual(say("udp", "a", 3000, self.lab.SERVER4), "open")
        self.assertIn(PUBLIC + ":", say("say", "a", "first"))
        self.reload(pools=[{"name": "public", "addresses": ["198.51.100.11"]}])
        self.assertIn("198.51.100.11:", say("say", "a", "second"))
        self.assertEqual(len(self.mappings()), 1)
        self.assertGreater(self.engine.get("/v1/state/counters")["engine"]["policy-changed"], 0)
        self.engine.balance()

    def discover(self, flag, **config):
        """What turnutils_natdiscovery says; the server has two addresses and two ports, as RFC 5780 wants."""
        self.start(**config)
        run("ip", "-n", self.lab.server, "addr", "add", "198.51.100.253/24", "dev", "eth0")
        self.lab.process(["turnserver", "-n", "-z", "--listening-ip", self.lab.SERVER4, "--listening-ip", "198.51.100.253", "--no-tls",
                          "--no-dtls", "--no-tcp", "--no-cli", "--log-file", "stdout", "--pidfile", os.path.join(self.lab.folder, "turn.pid"),
                          "--relay-ip", self.lab.SERVER4, "--userdb", os.path.join(self.lab.folder, "turn.db")], netns=self.lab.server)

        def ask():
            done = subprocess.run(["ip", "netns", "exec", self.lab.client, "timeout", "30", "turnutils_natdiscovery", flag, self.lab.SERVER4],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            return done.stdout if "NAT with" in done.stdout else None

        return until("the probe has an answer", ask, 30, 0.5)

    def test_discovery_mapping(self):
        self.assertIn("NAT with Endpoint Independent Mapping", self.discover("-m"))

    def test_discovery_mapping_dependent(self):
        self.assertIn("NAT with Address and Port Dependent Mapping", self.discover("-m", mapping="address-and-port-dependent"))

    def test_discovery_filtering(self):
        self.assertIn("NAT with Address Dependent Filtering", self.discover("-f"))

    def test_discovery_filtering_open(self):
        self.assertIn("NAT with Endpoint Independent Filtering", self.discover("-f", filtering="endpoint-independent"))

    def test_discovery_filtering_dependent(self):
        self.assertIn("NAT with Address and Port Dependent Filtering", self.discover("-f", filtering="address-and-port-dependent"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
