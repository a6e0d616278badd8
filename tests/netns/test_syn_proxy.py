# SPDX-License-Identifier: BSD-3-Clause
"""SYN proxy: clients prove themselves before their servers hear of them; numbers, windows, SACK and time stamps are translated; a flood opens nothing."""
import hashlib
import os
import random
import subprocess
import sys
import time
import unittest

from lab import Line, run, until
from nginx import Nginx

# Says so when it listens, greets before it is spoken to, and sends N bytes; to all at once: who waited for a slow one before it would do so for longer than its patience.
GREETER = """
import random, socket, sys, threading
content = random.Random(1).randbytes(int(sys.argv[1]))
def serve(s):
    with s:
        s.sendall(content)
        s.shutdown(socket.SHUT_WR)
        s.recv(1)
with socket.create_server(("::", 9000), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
    print("listening", flush=True)
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""
# Reads all there is, slowly if asked to: the window closes and opens.
READER = """
import hashlib, socket, sys, time
digest = hashlib.sha256()
with socket.create_connection((sys.argv[1], 9000), 60) as s:
    print("connected", flush=True)
    while data := s.recv(8192):
        digest.update(data)
        time.sleep(float(sys.argv[2]))
print(digest.hexdigest(), flush=True)
"""
SIZE = 1000000
SUM = hashlib.sha256(random.Random(1).randbytes(SIZE)).hexdigest()
OPTIONS = ("timestamps", "window_scaling", "sack")


def rule(name, action="accept", **more):
    return {"name": name, "action": action, **more}


def firewall(when):
    return {"name": "fw", "kind": "firewall", "config": {"rules": [rule("tcp", protocol="tcp", synProxy=when), rule("rest")]}}


# behind the firewall: what the client proves itself to is not what the server sees
OUTSIDE = "198.51.100.20"
NAT = {"name": "nat", "kind": "nat", "config": {"pools": [{"name": "p", "addresses": [OUTSIDE]}]}}


class Case(unittest.TestCase):
    def start(self, lab, functions, **engine):
        self.lab = lab
        self.addCleanup(lab.close)
        self.engine = lab.engine("edge", lab.document(functions, **engine)).ready()
        for target in (lab.SERVER4, lab.SERVER6):
            until("neighbours are known", lambda t=target: lab.ping(t, count=1))

    def greeter(self):
        server = self.lab.process([sys.executable, "-c", GREETER, SIZE], netns=self.lab.server)
        until("the server listens", lambda: "listening" in server.text())

    def reader(self, host, slowly=0.0):
        return subprocess.Popen(["ip", "netns", "exec", self.lab.client, sys.executable, "-c", READER, host, str(slowly)], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    @staticmethod
    def rest(reader):
        """What a reader says at its end: the sum, or what went wrong."""
        out, err = reader.communicate(timeout=100)
        return err or out.split()[-1]

    def read(self, host, slowly=0.0):
        return self.rest(self.reader(host, slowly))

    def counter(self, name):
        return self.engine.get("/v1/state/counters")["engine"][name]


class On(Case):
    def setUp(self):
        self.start(Line(), [firewall("on"), NAT], workers=1, workersMax=2)

    def set(self, space, **options):
        for name, value in options.items():
            run("ip", "netns", "exec", space, "sysctl", "-qw", f"net.ipv4.tcp_{name}={value}")

    def test_options(self):
        """Whatever client and server can, together or alone; the server speaks first."""
        self.greeter()
        for client in range(8):
            for server in (7, client ^ 7):
                self.set(self.lab.client, **{name: client >> i & 1 for i, name in enumerate(OPTIONS)})
                self.set(self.lab.server, **{name: server >> i & 1 for i, name in enumerate(OPTIONS)})
                for host in (self.lab.SERVER4, self.lab.SERVER6):
                    self.assertEqual(self.read(host), SUM, f"client {client} server {server} {host}")
        self.assertEqual(self.counter("syn-proven"), 32)
        self.assertEqual(self.counter("tcp-window"), 0)

    def test_windows(self):
        """A reader that is slower than the sender: the window closes and opens again."""
        self.greeter()
        self.assertEqual(self.read(self.lab.SERVER4, 0.005), SUM)

    def test_upload(self):
        sink = "import hashlib,socket\ns=socket.create_server(('0.0.0.0',9001));print('listening',flush=True);c,_=s.accept();d=hashlib.sha256()\n" \
               "while b:=c.recv(65536): d.update(b)\nc.send(d.digest())"
        server = self.lab.process([sys.executable, "-c", sink], netns=self.lab.server)
        until("the server listens", lambda: "listening" in server.text())
        done = run("ip", "netns", "exec", self.lab.client, sys.executable, "-c",
                   f"import socket,random\ns=socket.create_connection(('{self.lab.SERVER4}',9001));s.sendall(random.Random(1).randbytes({SIZE}))\n"
                   "s.shutdown(1);print(s.recv(32).hex())")
        self.assertEqual(done.stdout.strip(), SUM)

    def test_server_refuses(self):
        done = run("ip", "netns", "exec", self.lab.client, "curl", "-sS", "-m", "10", f"http://{self.lab.SERVER4}:8001/", check=False)
        said_reset = done.returncode == 55 and "reset by peer" in done.stderr  # it was still sending
        self.assertTrue(done.returncode in (7, 56) or said_reset, f"reset, at once: {done.stderr}")

    def test_silent_server(self):
        """A SYN that is not answered is sent again, though the client says nothing; at the end the client is reset."""
        self.greeter()
        run("ip", "-n", self.lab.server, "route", "add", "blackhole", f"{OUTSIDE}/32")
        reader = self.reader(self.lab.SERVER4)
        until("the client has proven itself", lambda: self.counter("syn-proven") == 1)
        time.sleep(0.3)  # the first SYN finds nobody
        run("ip", "-n", self.lab.server, "route", "del", "blackhole", f"{OUTSIDE}/32")
        self.assertEqual(self.rest(reader), SUM)
        run("ip", "-n", self.lab.server, "route", "add", "blackhole", f"{OUTSIDE}/32")
        self.assertIn("reset", self.read(self.lab.SERVER4))

    def test_sessions_survive_a_crash(self):
        self.greeter()
        reader = self.reader(self.lab.SERVER4, 0.03)
        self.assertEqual(reader.stdout.readline().strip(), "connected")
        until("data flows", lambda: any(s["protocol"] == "tcp" and s["bytes"][1] > 100000 for s in self.engine.get("/v1/state/sessions")))
        self.engine.process.kill()
        self.engine.process.child.wait()
        self.engine.start()
        self.engine.ready()
        self.assertEqual(self.rest(reader), SUM)

    def test_workers_change(self):
        """Connections move to another worker with what is known of them."""
        self.greeter()
        readers = [self.reader(self.lab.SERVER4, 0.05) for _ in range(4)]
        for reader in readers:
            self.assertEqual(reader.stdout.readline().strip(), "connected")
        for workers in (2, 1):
            document = self.lab.document([firewall("on"), NAT], workers=workers, workersMax=2)
            reply = self.engine.rest("PUT", "/v1/config", document)
            self.assertEqual(reply.status, 200, reply.body)
        self.assertTrue(any(reader.poll() is None for reader in readers), "while they read")
        for reader in readers:
            self.assertEqual(self.rest(reader), SUM)


class Elsewhere(Case):
    """The function that asks for proof, or the one behind it, in another process; a bump in the wire."""

    def hop(self, function, functions):
        """`function` is behind a hop, the rest is not."""
        lab = Line()
        sockets = [os.path.join(lab.folder, f"far.{side}.sock") for side in "ab"]
        name, executable = function["name"], f"sluice-{function['kind']}"
        links = [{"name": f"all.{side}", "as": port["name"], "device": f"virtio:{path}", "addresses": port["addresses"]}
                 for side, port, path in zip("ab", lab.ports(), sockets)]
        far = lab.engine("far", {"edge": {"mode": "link", "ports": links}, "functions": [function],
                                 "paths": [{"name": "all", "path": ["all.a", name, "all.b"]}]}, executable).ready()
        hops = [{**function, "path": "all", "a": f"vhost:{sockets[0]}", "b": f"vhost:{sockets[1]}"}]
        self.start(lab, [f for f in functions if f is not function], path=[f["name"] for f in functions], hops=hops)
        return far

    def start(self, lab, functions, path=None, hops=()):
        self.lab = lab
        self.addCleanup(lab.close)
        self.engine = lab.engine("edge", {**lab.document(functions, path), "hops": list(hops)}).ready()
        for target in (lab.SERVER4, lab.SERVER6):
            until("neighbours are known", lambda t=target: lab.ping(t, count=1))

    def check(self, engine):
        self.greeter()
        for host in (self.lab.SERVER4, self.lab.SERVER6):
            self.assertEqual(self.read(host), SUM)
        self.assertEqual(engine.get("/v1/state/counters")["engine"]["syn-proven"], 2)
        engine.balance()
        self.engine.balance()

    def test_server_behind_a_hop(self):
        functions = [firewall("on"), NAT]
        self.hop(functions[1], functions)
        self.check(self.engine)

    def test_firewall_behind_a_hop(self):
        functions = [firewall("on"), NAT]
        self.check(self.hop(functions[0], functions))

    def test_firewall_between(self):
        """Clients come to it by a hop: its answers go back by that."""
        functions = [NAT, firewall("on")]
        self.hop(functions[0], functions)
        self.check(self.engine)

    def test_transparent(self):
        lab = self.lab = Line()
        self.addCleanup(lab.close)
        lab.SERVER4, lab.SERVER6 = "192.0.2.20", "2001:db8:1::20"
        lab.host(lab.server, "eth0", [f"{lab.SERVER4}/24", f"{lab.SERVER6}/64"])
        ports = [{k: port[k] for k in ("name", "device", "netns")} for port in lab.ports()]
        ports[0]["pair"] = "wan"
        document = {**lab.document([firewall("on")]), "edge": {"mode": "transparent", "ports": ports}}
        self.engine = lab.engine("edge", document).ready()
        until("it forwards", lambda: lab.ping(lab.SERVER4, 1) and lab.ping(lab.SERVER6, 1))
        self.check(self.engine)


class Flood(Case):
    """SYNs from everywhere at full rate, more than there is room for among half-open sessions. With sanitizers a packet costs ten times as much, and a
    port's ring would lose at full rate what is to be seen here: 5,000 a second then."""

    RATE = ["-i", "u200"] if os.environ.get("SLUICE_SANITIZE") == "ON" else ["--flood"]

    def flood(self):
        return self.lab.process(["timeout", "150", "hping3", "-q", *self.RATE, "--rand-source", "-S", "-p", "9000", self.lab.SERVER4],
                                netns=self.lab.client)

    def survives(self, when, **engine):
        self.start(Line(), [firewall(when)], sessions=2000, **engine)
        self.greeter()
        established = self.reader(self.lab.SERVER4, 0.02)
        self.assertEqual(established.stdout.readline().strip(), "connected")
        flood = self.flood()
        until("cookies are sent", lambda: self.counter("syn-cookies") > 2000)
        for new in [self.reader(self.lab.SERVER4, 0) for _ in range(3)]:
            self.assertEqual(self.rest(new), SUM, "new clients get through")
        self.assertEqual(self.rest(established), SUM, "the established one was not disturbed")
        self.half_open = self.engine.get("/v1/state/workers")[0]["halfOpen"]
        self.assertTrue(flood.alive(), "all of that while it lasted")
        flood.stop()
        self.assertGreaterEqual(self.counter("syn-proven"), 3)
        self.engine.balance()

    def test_on(self):
        self.survives("on")

    def test_auto(self):
        """From a fifth of the room for half-open sessions on, which is 500: no more come but for clients that were proven."""
        self.survives("auto", synProxyAt=20)
        self.assertLess(self.half_open, 120)
        self.assertEqual(self.counter("half-open-full"), 0)


class Balanced(Case):
    """The same through services of a load balancer, to real web servers: in the mode that rewrites, without a proxy and with one, and by direct return, where what
    finds no room for a session is balanced without."""

    VIP, DIRECT, ALIEN = "198.51.100.80", "198.51.100.81", "198.51.100.253"

    def setUp(self):
        lab = Line()
        content = random.Random(2).randbytes(SIZE)
        self.sum = hashlib.sha256(content).hexdigest()
        for address in ("192.0.2.11", "192.0.2.12"):
            run("ip", "-n", lab.client, "addr", "add", f"{address}/24", "dev", "eth0")
        # What answers past the load balancer goes by a link of its own, to a client of its own.
        lab.veth(lab.server, "d0", lab.client, "far")
        lab.host(lab.server, "d0", ["10.1.0.1/24"])
        lab.host(lab.client, "far", ["10.1.0.2/24"])
        run("ip", "-n", lab.client, "addr", "add", self.DIRECT, "dev", "lo")
        run("ip", "-n", lab.server, "addr", "add", f"{self.ALIEN}/24", "dev", "eth0")
        run("ip", "-n", lab.client, "route", "add", self.ALIEN, "via", "10.1.0.1")
        for space, names in (lab.client, ("all", "far", "eth0")), (lab.server, ("all", "d0", "eth0")):
            for name in names:
                run("ip", "netns", "exec", space, "sysctl", "-qw", f"net.ipv4.conf.{name}.rp_filter=0")
        web = Nginx(lab, lab.client, "web", ["listen 80; location /slow { limit_rate 200k; alias " + os.path.join(lab.folder, "web/root/file") + "; }"])
        with open(os.path.join(web.folder, "root", "file"), "wb") as file:
            file.write(content)
        self.lab = lab
        self.addCleanup(lab.close)

    def balancer(self, when):
        def service(name, vip, **more):
            return {"name": name, "address": vip, "ports": "80", **more,
                    "backends": [{"name": f"b{i}", "address": f"192.0.2.1{i}"} for i in (1, 2)]}
        return {"name": "lb", "kind": "lb", "config": {"services": [service("web", self.VIP, synProxy=when), service("direct", self.DIRECT, mode="direct")]}}

    def put(self, when, **engine):
        reply = self.engine.rest("PUT", "/v1/config", self.lab.document([self.balancer(when)], **engine))
        self.assertEqual(reply.status, 200, reply.body)

    def download(self, vip, slowly=False):
        source = ["--interface", self.ALIEN] if vip == self.DIRECT else []
        return subprocess.Popen(["ip", "netns", "exec", self.lab.server, "curl", "-sS", *source, "-m", "100", "--retry", "5", f"http://{vip}/{'slow' if slowly else 'file'}"],
                                stdout=subprocess.PIPE, bufsize=0)

    def right(self, download, begun=b""):
        return hashlib.sha256(begun + download.communicate(timeout=120)[0]).hexdigest() == self.sum

    def undisturbed(self, vip, under_way):
        """A download that was established before the flood is whole, and so is each of new clients while it lasts."""
        established = self.download(vip, slowly=True)
        begun = established.stdout.read(1000)
        flood = self.lab.process(["timeout", "150", "hping3", "-q", *Flood.RATE, "--rand-source", "-S", "-p", "80", vip], netns=self.lab.server)
        until("the flood is felt", under_way, 30)
        for new in [self.download(vip) for _ in range(3)]:
            self.assertTrue(self.right(new), "new clients are served")
        self.assertTrue(self.right(established, begun), "the established one was not disturbed")
        self.assertTrue(flood.alive(), "all of that while it lasted")
        flood.stop()
        self.engine.balance()

    def lb(self, name):
        return self.engine.get("/v1/vnfs/lb")["counters"][name]

    def start_balancer(self, when, **engine):
        self.engine = self.lab.engine("edge", self.lab.document([self.balancer(when)], **engine)).ready()
        until("neighbours are known", lambda: all(self.lab.ping(a, 1) for a in (self.lab.SERVER4, "198.51.100.2")))
        until("the service answers", lambda: self.right(self.download(self.VIP)))

    def test_without_proxy(self):
        """With room for a second's SYNs all get their session, and those that come to nothing make room for others."""
        self.start_balancer("off", sessions=400000)
        self.undisturbed(self.VIP, lambda: self.lb("balanced") > 5000)

    def test_with_proxy_and_without_sessions(self):
        """With room for few of them."""
        self.start_balancer("auto", sessions=2000)
        for when in ("auto", "on"):
            self.put(when, sessions=2000, synProxyAt=30)  # changed while it runs
            before = self.counter("syn-cookies")
            self.undisturbed(self.VIP, lambda: self.counter("syn-cookies") > before + 2000)
        self.undisturbed(self.DIRECT, lambda: self.lb("stateless") > 2000)


if __name__ == "__main__":
    unittest.main()
