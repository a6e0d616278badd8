# SPDX-License-Identifier: BSD-3-Clause
"""Health checks by the load balancer itself, through its own datapath: every kind, both families, real servers. Clients are behind the last port, backends behind the first."""
import os
import socket
import subprocess
import sys
import threading
import unittest

from lab import Line, run, until
from nginx import Nginx, certificate

SOURCE, SOURCE6 = "192.0.2.250", "2001:db8:1::250"
NAME = "www.example.net"

# Answers datagrams, as long as a file is there: ping on one port; DNS on the other, with 192.0.2.77 or the code that the file says.
BACKEND = """
import os, socket, sys, threading
def serve(port, answer, me):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((me, port))
    while True:
        data, peer = s.recvfrom(4096)
        text = open(sys.argv[1]).read()
        if text != "silent":
            s.sendto(answer(data, text), peer)
def udp(data, text):
    return b"pong\\x00" + data
def dns(query, text):
    code = int(text)
    end = query.index(b"\\0", 12) + 5
    record = b"" if code else b"\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\5\\0\\4\\xc0\\0\\x02\\x4d"
    return query[:2] + bytes([0x81, 0x80 | code, 0, 1, 0, 1 if record else 0, 0, 0, 0, 0]) + query[12:end] + record
threading.Thread(target=serve, args=(5300, dns, sys.argv[2]), daemon=True).start()
threading.Thread(target=serve, args=(5000, udp, sys.argv[2]), daemon=True).start()
print("ready", flush=True)
threading.Event().wait()
"""


class Names:
    """A name server on the loopback: any name has the `hosts` (of 192.0.2.0/24 by number), for a second, and an address that is no host's; none: it has gone."""

    def __init__(self, *hosts):
        self.hosts, self.socket = hosts, socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            query, peer = self.socket.recvfrom(4096)
            end, hosts = query.index(b"\0", 12) + 5, self.hosts
            addresses = [socket.inet_aton(host if isinstance(host, str) else f"192.0.2.{host}") for host in hosts] + [[127, 0, 0, 1]] * bool(hosts)
            records = [b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4" + bytes(address) for address in addresses if query[end - 3] == 1]
            self.socket.sendto(query[:2] + bytes([0x81, 0x80 | (0 if hosts else 3), 0, 1, 0, len(records), 0, 0, 0, 0]) + query[12:end] + b"".join(records), peer)


class Health(unittest.TestCase):
    def setUp(self):
        self.lab = Line()
        self.addCleanup(self.lab.close)
        for address in ("192.0.2.11/24", "192.0.2.12/24", "2001:db8:1::11/64"):
            run("ip", "-n", self.lab.client, "addr", "add", address, "dev", "eth0", *(["nodad"] if ":" in address else []))
        self.word = os.path.join(self.lab.folder, "word")
        self.tell("0")
        self.ca, self.crt, self.key = certificate(self.lab.folder, NAME)
        self.nginx = Nginx(self.lab, self.lab.client, "nginx", self.servers("200", "all is well"))
        answering = self.lab.process([sys.executable, "-c", BACKEND, self.word, "192.0.2.11"], netns=self.lab.client)
        until("the backends listen", lambda: "ready" in answering.text())

    def tell(self, text):
        with open(self.word, "w") as file:
            file.write(text)

    def servers(self, status, text):
        return [f"listen 192.0.2.11:8080; listen [2001:db8:1::11]:8080; location / {{ return {status} '{text}'; }}",
                f"listen 192.0.2.11:8443 ssl; ssl_certificate {self.crt}; ssl_certificate_key {self.key}; location / {{ return {status} '{text}'; }}"]

    def service(self, service, number, port, address="192.0.2.11", protocol="tcp", ports="80", **health):
        quick = {"interval": 500, "timeout": 500, "rise": 1, "fall": 2, "damping": False}
        vip = f"2001:db8:2::{number}" if ":" in address else f"198.51.100.{number}"
        backend = {"name": "b", "address": address} | ({"port": port} if port else {})
        return {"name": service, "address": vip, "protocol": protocol, "health": quick | health, "backends": [backend]} | ({"ports": ports} if ports else {})

    def services(self):
        web = {"kind": "http", "host": NAME, "path": "/alive", "status": ["200"], "body": "is well"}
        return [self.service("tcp", 80, 8080), self.service("http", 81, 8080, **web), self.service("http6", 80, 8080, "2001:db8:1::11", **web),
                self.service("https", 82, 8443, **web | {"kind": "https", "verify": True, "ca": self.ca}),
                self.service("wrong-name", 83, 8443, **web | {"kind": "https", "verify": True, "ca": self.ca, "host": "other.example.net"}),
                self.service("udp", 84, 5000, protocol="udp", kind="udp", send="ping\\x00", expect="pong\\x00ping"),
                self.service("dns", 85, 5300, protocol="udp", kind="dns", name=NAME, answer="192.0.2.77"),
                self.service("icmp", 86, None, "192.0.2.12", "any", None, kind="icmp"),
                self.service("icmp6", 86, None, "2001:db8:1::11", "any", None, kind="icmp"),
                self.service("nobody", 87, 8080, "192.0.2.99", timeout=300)]

    def document(self, services, workers=1):
        config = {"services": services, "health": {"source": SOURCE, "source6": SOURCE6}}
        return self.lab.document([{"name": "lb", "kind": "lb", "config": config}], workers=workers)

    def start(self, services, workers=1):
        self.engine = self.lab.engine("lb", self.document(services, workers), "sluice-lb").ready()

    def backends(self):
        return {s["name"]: s["backends"][0] for s in self.engine.get("/v1/vnfs/lb/state/services?limit=1000")}

    def expect(self, wanted):
        """Each backend's health and why, which come to be so."""
        def seen():
            return {name: (b["health"], b["check"]["why"]) for name, b in self.backends().items()}
        try:
            until("health", lambda: {n: w for n, w in seen().items() if n in wanted} == wanted, 30)
        except AssertionError:
            self.assertEqual({n: w for n, w in seen().items() if n in wanted}, wanted)

    UP = {"tcp": ("up", "connected"), "http": ("up", "HTTP 200"), "http6": ("up", "HTTP 200"), "https": ("up", "HTTP 200"), "udp": ("up", "answered"),
          "dns": ("up", "NOERROR"), "icmp": ("up", "answered"), "icmp6": ("up", "answered"),
          "wrong-name": ("down", "SSL: no alternative certificate subject name matches target host name 'other.example.net'")}

    def check_all(self):
        self.expect(self.UP)
        self.expect({"nobody": ("down", "no connection within 300 ms")})
        self.assertEqual(self.lab.fetch("http://198.51.100.81/alive", self.lab.server), b"all is well")
        # The answers are wrong in themselves.
        self.nginx.reload(self.servers("200", "all is lost"))
        self.tell("3")
        run("ip", "-n", self.lab.client, "addr", "del", "192.0.2.12/24", "dev", "eth0")
        self.expect({"tcp": ("up", "connected"), "http": ("down", 'HTTP 200, but the page lacks "is well"'), "dns": ("down", "NXDOMAIN, NOERROR expected")})
        self.nginx.reload(self.servers("503", "all is well"))
        self.tell("silent")
        self.expect({"http": ("down", "HTTP 503, 200 expected"), "http6": ("down", "HTTP 503, 200 expected"), "https": ("down", "HTTP 503, 200 expected"),
                     "udp": ("down", "no answer within 500 ms"), "dns": ("down", "no answer within 500 ms"), "icmp6": ("up", "answered")})
        until("an address that is gone is down", lambda: self.backends()["icmp"]["health"] == "down", 30)
        # And nothing answers any more.
        self.nginx.end()
        self.expect({"tcp": ("down", "Connection refused"), "http": ("down", "Connection refused"), "https": ("down", "Connection refused")})
        self.assertIsNone(self.lab.fetch("http://198.51.100.81/alive", self.lab.server, 5))
        self.nginx.start(self.servers("200", "all is well"))
        self.tell("0")
        run("ip", "-n", self.lab.client, "addr", "add", "192.0.2.12/24", "dev", "eth0")
        self.expect(self.UP)

    def test_kinds(self):
        self.start(self.services())
        self.check_all()
        shown = self.backends()["http"]
        self.assertGreater(shown["check"]["checks"], shown["check"]["failures"])
        self.assertGreater(shown["check"]["failures"], 0)
        self.assertGreater(shown["check"]["roundTripUs"], 0)
        kinds = [(e["kind"], e["message"]) for e in self.engine.rest("GET", "/v1/events?last=0", headers={"Accept": "application/json"}).json()]
        self.assertIn(("backend-down", "backend 192.0.2.11 of service tcp is down: Connection refused"), kinds)
        # The checker's connections are sessions like others, and show where they came from.
        sessions = self.engine.get("/v1/state/sessions?limit=1000")
        self.assertTrue(any(SOURCE in str(s) for s in sessions), sessions)
        # The host is as it was: no device, no address, no route of ours.
        self.assertNotIn(SOURCE, run("ip", "address").stdout)
        self.assertNotIn("health", run("ip", "link").stdout)
        self.engine.balance()
        # Without checks backends count as up.
        bare = [{k: v for k, v in s.items() if k != "health"} for s in self.services()]
        self.assertLess(self.engine.rest("PUT", "/v1/config", self.document(bare)).status, 300)
        self.assertEqual({b["health"] for b in self.backends().values()}, {"up"})

    def test_two_workers(self):
        self.start(self.services(), workers=2)
        self.expect(self.UP)
        self.engine.balance()

    def health(self):
        return {b["name"]: b["health"] for b in self.engine.get("/v1/vnfs/lb/state/services")[0]["backends"]}

    def test_beginnings(self):
        """What a process that died knew to be down is down for its successor, and what is known of none is what `initial` says, whoever it is."""
        service = self.service("web", 80, 8080)
        service["backends"] += [{"name": "dead", "address": "192.0.2.99", "port": 8080}, {"name": "gone", "address": "192.0.2.98", "port": 8080}]
        self.start([service])
        down = {"b": "up", "dead": "down", "gone": "down"}
        until("two are down", lambda: self.health() == down, 30)
        for _ in range(2):
            self.engine.process.kill()
            self.engine.process.child.wait()
            self.engine.start()
            self.engine.ready()
            self.assertEqual(self.health(), down, "at once")
            self.assertTrue(all(self.lab.fetch("http://198.51.100.80/", self.lab.server) for _ in range(6)))
        run("ip", "-n", self.lab.client, "addr", "add", "192.0.2.98/24", "dev", "eth0")
        self.nginx.reload(["listen 192.0.2.11:8080; listen 192.0.2.98:8080; location / { return 200 'all is well'; }"])
        until("one is back", lambda: self.health() == {**down, "gone": "up"}, 30)
        patient = {**service, "health": {**service["health"], "fall": 1000, "initial": "up"}, "backends": service["backends"] + [{"name": "new", "address": "192.0.2.97"}]}
        self.assertLess(self.engine.rest("PUT", "/v1/config", self.document([patient])).status, 300)
        self.assertEqual(self.health(), {**down, "gone": "up", "new": "up"}, "added, and trusted; what was down must pass first")
        first = self.service("web", 80, 8080, address="192.0.2.96", initial="down", fall=1000)
        self.engine = self.lab.engine("other", {**self.document([first]), "edge": {"ports": [{"name": n, "device": "null:?receive=0", "addresses": [a]} for n, a in (("lan", "192.0.2.1/24"), ("wan", "198.51.100.2/24"))]}},
                                      "sluice-lb").ready()
        self.assertNotEqual(self.health(), {"b": "up"})
        self.engine.balance()

    def test_names(self):
        """Each address of a name is a backend; they come and go with the name's, under connections that stay, and stand when the name does not resolve."""
        names = Names(11)
        service = self.service("web", 80, 8080)
        service["backends"] = [{"name": "pool", "host": "pool.example.net", "port": 8080}]
        document = self.document([service])
        document["functions"][0]["config"]["resolver"] = {"servers": [names.address], "ttlMin": 1}

        def shown():
            return {b["name"]: b["health"] for b in self.engine.get("/v1/vnfs/lb/state/services")[0]["backends"]}

        plain = {**self.service("web", 80, 8080), "backends": [{"name": "b", "address": "192.0.2.11", "port": 8080}]}
        self.engine = self.lab.engine("lb", self.document([plain]), "sluice-lb").ready()
        wants = document["functions"][0]["config"]
        others = {**wants, "resolver": {"servers": ["127.0.0.1:5399"], "ttlMin": 7}}
        wrong = {**others, "services": [service, {**plain, "name": "web6", "backends": [{"name": "b", "address": "2001:db8::1"}]}]}
        for config, how, status in ((others, "?dryRun=true", 200), (wrong, "", 422), (self.document([plain])["functions"][0]["config"], "", 200), (wants, "", 200)):
            self.assertEqual(self.engine.rest("PUT", "/v1/vnfs/lb/config" + how, config).status, status, "what was but tried is in nobody's way")
        self.assertEqual(self.engine.rest("PUT", "/v1/vnfs/lb/config", others).status, 409, "names are in use")
        self.assertEqual(list(shown()), ["pool@192.0.2.11"])
        self.expect({"web": ("up", "connected")})
        self.assertEqual(self.lab.fetch("http://198.51.100.80/", self.lab.server), b"all is well")
        with self.held("198.51.100.80") as held:
            names.hosts = (11, 12)
            until("the second address is a backend", lambda: set(shown()) == {"pool@192.0.2.11", "pool@192.0.2.12"}, 30)
            until("nobody serves there", lambda: shown() == {"pool@192.0.2.11": "up", "pool@192.0.2.12": "down"}, 30)
            names.hosts = ()
            until("a look-up failed", lambda: self.engine.get("/v1/vnfs/lb/state/names")[0]["failures"], 30)
            self.assertEqual(len(shown()), 2)
            held.stdin.write(b"GET / HTTP/1.0\r\n\r\n")
            held.stdin.flush()
            self.assertIn(b"all is well", held.stdout.read())
        names.hosts = (12,)
        until("the first is no backend", lambda: list(shown()) == ["pool@192.0.2.12"], 30)
        names.hosts = (11, "198.51.100.80", SOURCE, "192.0.2.1")
        until("addresses of its own are no backends", lambda: list(shown()) == ["pool@192.0.2.11"], 30)
        refused = [event["message"] for event in self.engine.rest("GET", "/v1/events?last=0", headers={"Accept": "application/json"}).json() if event["kind"] == "backend-refused"]
        self.assertEqual(len(refused), 3, refused)
        for why in ('198.51.100.80 is no backend of service web, though pool.example.net is there: it is the virtual address of service "web"', "checks come from", 'port "lan"'):
            self.assertEqual(len([message for message in refused if why in message]), 1, (why, refused))
        self.engine.balance()

    def held(self, vip):
        """A connection from a client that says nothing yet."""
        talk = "import socket, sys; s = socket.create_connection((sys.argv[1], 80)); print('open', flush=True); s.sendall(sys.stdin.buffer.readline() + b'\\r\\n'); sys.stdout.buffer.write(s.makefile('rb').read())"
        child = subprocess.Popen(["ip", "netns", "exec", self.lab.server, sys.executable, "-c", talk, vip], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.assertEqual(child.stdout.readline(), b"open\n")
        return child

    def test_refusals(self):
        self.start([])
        services = self.services()
        for service, part, detail in ((self.service("x", 80, None, "192.0.2.11", "any", None), "health", "no port that could be checked"),
                                      (services[0] | {"health": {"kind": "http", "path": "x"}}, "path", "a path begins with /"),
                                      (services[0] | {"health": {"interval": 1}}, "interval", "")):
            reply = self.engine.rest("PUT", "/v1/config", self.document([service]))
            self.assertEqual(reply.status, 422 if reply.status == 422 else 400, reply.body)
            self.assertIn(part, reply.body)
            self.assertIn(detail, reply.body)
        self.assertIn("either an `address` or a `host`", self.engine.rest("PUT", "/v1/config", self.document([services[0] | {"backends": [{"name": "b"}]}])).body)
        document = self.document([services[2]])
        del document["functions"][0]["config"]["health"]["source6"]
        reply = self.engine.rest("PUT", "/v1/config", document)
        self.assertIn("health.source6", reply.body)
        for address, service in ((SOURCE, services[0]), (SOURCE6, services[2])):
            document = self.document([service | {"address": address}])
            self.assertIn("or of one of its backends", self.engine.rest("PUT", "/v1/config", document).body)
            document = self.document([service | {"backends": [{"name": "b", "address": address, "port": 81}]}])
            self.assertIn("or of one of its backends", self.engine.rest("PUT", "/v1/config", document).body)


if __name__ == "__main__":
    unittest.main(verbosity=2)
