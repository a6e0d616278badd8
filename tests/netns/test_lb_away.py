# SPDX-License-Identifier: BSD-3-Clause
"""Backends that answer clients themselves: by direct return, or out of tunnels; without sessions where there is no room for them. And SYN proxy for those that do not."""
import json
import subprocess
import sys
import unittest

from lab import Line, run, until

MODES = ("direct", "ipip", "gre", "gue")
VIPS4 = {mode: f"198.51.100.8{i}" for i, mode in enumerate(MODES)}
VIPS6 = {mode: f"2001:db8:2::8{i}" for i, mode in enumerate(MODES)}
NAT4 = "198.51.100.90"
B4, B6 = ("192.0.2.11", "192.0.3.12"), ("2001:db8:1::11", "2001:db8:3::12")

# Says who it is and whom it sees, on TCP and UDP; TCP goes on as an echo of lengths. What comes in tunnels is taken out, for the kernel may know none of them.
BACKEND = """
import fcntl, os, socket, struct, subprocess, sys, threading
me, mine4, mine6 = sys.argv[1:4]
tun = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tun, 0x400454ca, struct.pack("16sH22x", b"tun0", 0x1001))
subprocess.run(["ip", "link", "set", "tun0", "up"], check=True)
def outer(packet):
    return (packet[0] & 15) * 4
def unpack(s, header):
    while True:
        packet = s.recv(65536)
        os.write(tun, packet[header(packet):])
def start(target, *arguments):
    threading.Thread(target=target, args=arguments, daemon=True).start()
def raw(family, protocol, address, header):
    s = socket.socket(family, socket.SOCK_RAW, protocol)
    s.bind((address, 0))
    start(unpack, s, header)
raw(socket.AF_INET, 4, mine4, outer)
raw(socket.AF_INET, 47, mine4, lambda packet: outer(packet) + 4)
raw(socket.AF_INET6, 41, mine6, lambda packet: 0)
raw(socket.AF_INET6, 47, mine6, lambda packet: 4)
for family, address in ((socket.AF_INET, mine4), (socket.AF_INET6, mine6)):
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.bind((address, 6080))
    start(unpack, s, lambda packet: 4)
def talk(connection, peer):
    with connection, connection.makefile("rwb") as file:
        file.write(f"{me} {peer}\\n".encode())
        file.flush()
        for line in file:
            length = len(file.read(int(line)))
            file.write(f"{length}\\n".encode())
            file.flush()
def tcp():
    with socket.create_server(("::", 80), family=socket.AF_INET6, dualstack_ipv6=True, backlog=128) as listener:
        while True:
            connection, peer = listener.accept()
            start(talk, connection, peer[0].replace("::ffff:", ""))
def udp(family, address):
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.bind((address, 80))
    while True:
        data, peer = s.recvfrom(65536)
        s.sendto(f"{me} {peer[0]} {len(data)}".encode(), peer)
for address in sys.argv[4:]:
    start(udp, socket.AF_INET6 if ":" in address else socket.AF_INET, address)
start(tcp)
print("ready", flush=True)
threading.Event().wait()
"""

# Commands and answers, one JSON line each: ["open", name, host, seconds], ["say", name, bytes], ["udp", host, bytes], ["fill", host, n].
CLIENT = """
import json, socket, sys
held = {}
def open_(name, host, timeout=30):
    try:
        held[name] = socket.create_connection((host, 80), timeout).makefile("rwb")
        return held[name].readline().decode().split()
    except OSError as error:
        return [type(error).__name__]
def say(name, length):
    try:
        held[name].write(f"{length}\\n".encode() + bytes(length))
        held[name].flush()
        return int(held[name].readline())
    except (OSError, ValueError) as error:
        return type(error).__name__
def udp(host, length):
    for attempt in range(30):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(1)
            s.sendto(bytes(length), (host, 80))
            try:
                return s.recv(65536).decode().split()
            except socket.timeout:
                pass
def fill(host, n):
    for i in range(n):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            for twice in range(2):
                s.sendto(b"x", (host, 80))
for line in sys.stdin:
    verb, *rest = json.loads(line)
    print(json.dumps({"open": open_, "say": say, "udp": udp, "fill": fill}[verb](*rest)), flush=True)
"""


def service(mode, address, **more):
    addresses = B6 if ":" in address else B4
    return {"name": f"{mode}{'6' if ':' in address else '4'}", "address": address, "mode": mode,
            "backends": [{"name": f"b{i}", "address": a} for i, a in enumerate(addresses, 1)], **more}


class Away(unittest.TestCase):
    """Two backends, each on a port of its own, with a way of their own to the client."""

    def setUp(self):
        lab = self.lab = Line()
        self.addCleanup(lab.close)
        self.backends = [lab.client, lab.space("b2")]
        lab.veth(self.backends[1], "eth0", lab.edge, "lan1")
        for i, (space, b4, b6) in enumerate(zip(self.backends, B4, B6), 1):
            near4, near6 = f"10.{i}.0.1", f"2001:db8:1{i}::1"
            lab.veth(lab.server, f"d{i}", space, "far")
            lab.host(lab.server, f"d{i}", [f"{near4}/24", f"{near6}/64"])
            lab.host(space, "far", [f"10.{i}.0.2/24", f"2001:db8:1{i}::2/64"])
            lab.host(space, "eth0", [f"{b4}/24", f"{b6}/64"])
            for vip in (*VIPS4.values(), *VIPS6.values()):
                run("ip", "-n", space, "addr", "add", vip, "dev", "lo", *(["nodad"] if ":" in vip else []))
            run("ip", "-n", space, "route", "add", lab.SERVER4, "via", near4)
            run("ip", "-n", space, "-6", "route", "add", lab.SERVER6, "via", near6)
            for name in ("all", "default", "eth0", "far"):
                run("ip", "netns", "exec", space, "sysctl", "-qw", f"net.ipv4.conf.{name}.rp_filter=0")
            vips = [*VIPS4.values(), *VIPS6.values()]
            server = lab.process([sys.executable, "-c", BACKEND, f"b{i}", b4, b6, *vips], netns=space)
            until("the backend listens", lambda s=server: "ready" in s.text())
        for name in ("all", "d1", "d2"):
            run("ip", "netns", "exec", lab.server, "sysctl", "-qw", f"net.ipv4.conf.{name}.rp_filter=0")
        self.client = subprocess.Popen(["ip", "netns", "exec", lab.server, sys.executable, "-c", CLIENT], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.end_client)

    def end_client(self):
        self.client.stdin.close()
        self.client.wait(30)
        self.client.stdout.close()

    def ask(self, *command):
        self.client.stdin.write(json.dumps(command) + "\n")
        self.client.stdin.flush()
        return json.loads(self.client.stdout.readline())

    def document(self, services=None, **engine):
        services = services or [service(mode, vip) for vips in (VIPS4, VIPS6) for mode, vip in vips.items()]
        services = [{"protocol": "tcp", "ports": "80", **s} for s in services]
        services += [{**s, "name": s["name"] + "u", "protocol": "udp"} for s in services if s["mode"] not in ("nat", "full-nat")]
        config = {"services": services, "tunnelSources": ["192.0.2.1", "2001:db8:1::1"]}
        document = self.lab.document([{"name": "lb", "kind": "lb", "config": config}], **engine)
        document["edge"]["ports"].append({"name": "lan1", "device": "af_packet:lan1", "netns": self.lab.edge, "addresses": ["192.0.3.1/24", "2001:db8:3::1/64"]})
        return document

    def start(self, *arguments, **engine):
        self.engine = self.lab.engine("lb", self.document(*arguments, **engine), "sluice-lb").ready()

    def counter(self, name, of="lb"):
        if of == "lb":
            return self.engine.get("/v1/vnfs/lb")["counters"][name]
        return self.engine.get("/v1/state/counters")["engine"][name]

    def whom(self, host):
        return self.lab.SERVER6 if ":" in host else self.lab.SERVER4

    def test_modes(self):
        """All modes in both families; what is too large for a tunnel is told so, or goes in pieces; a successor of a killed process goes on."""
        self.start()
        seen = {}
        for vips in (VIPS4, VIPS6):
            for mode, vip in vips.items():
                answers = [self.ask("open", f"{vip}-{n}", vip) for n in range(16)]
                self.assertEqual({a[1] for a in answers}, {self.whom(vip)}, (mode, answers))
                self.assertEqual({a[0] for a in answers}, {"b1", "b2"}, mode)
                self.assertEqual(self.ask("say", f"{vip}-0", 100000), 100000, f"{mode} {vip}: the client is told what fits")
                self.assertEqual(self.ask("udp", vip, 3000)[1:], [self.whom(vip), "3000"], f"{mode} {vip}: fragments")
                seen[vip] = answers
        sessions = [s for s in self.engine.get("/v1/state/sessions?limit=1000") if s["protocol"] == "tcp"]
        self.assertEqual(len(sessions), 128)
        self.assertEqual({s["class"] for s in sessions}, {"tcp-established"})
        self.engine.balance()
        self.engine.process.kill()
        self.engine.process.child.wait()
        self.engine.start()
        self.engine.ready()
        for vip in seen:
            for n in range(16):
                self.assertEqual(self.ask("say", f"{vip}-{n}", 10), 10, f"{vip}: the same backend has it still")
        self.engine.balance()

    def test_no_room(self):
        """The table is full: connections are balanced by their hash, and stay where they are when there is room again."""
        self.start([*(service(mode, VIPS4[mode]) for mode in MODES), service("nat", NAT4, backends=[{"name": "b1", "address": B4[0], "port": 80}])],
                   sessions=1024, sessions6=1024)

        def full():
            self.ask("fill", VIPS4["direct"], 1200)
            return self.counter("stateless") > 100

        until("there is no room for sessions", full, timeout=60)
        before = self.counter("stateless")
        for mode in MODES:
            answers = [self.ask("open", f"{mode}-{n}", VIPS4[mode]) for n in range(12)]
            self.assertEqual({a[0] for a in answers}, {"b1", "b2"}, answers)
            for n in range(12):
                self.assertEqual(self.ask("say", f"{mode}-{n}", 5000), 5000, mode)
        self.assertGreater(self.counter("stateless"), before + 200)
        self.assertEqual(self.counter("stateless"), self.counter("stateless", of="engine"))
        self.assertEqual(self.counter("sessions-full", of="engine"), 0)
        self.assertIn(self.ask("open", "nat", NAT4, 2)[0], ("TimeoutError", "timeout"))
        self.assertGreater(self.counter("needs-session"), 0)
        self.engine.balance()

    def test_refusals(self):
        self.start()
        for path, code, wrong in (("synProxy", "no-answers", service("gre", VIPS4["gre"], synProxy="on")),
                                  ("synProxy", "not-tcp", service("nat", NAT4, protocol="udp", ports=53, synProxy="on")),
                                  ("backends[0].port", "not-rewritten", service("direct", VIPS4["direct"], backends=[{"name": "b", "address": B4[0], "port": 81}]))):
            reply = self.engine.rest("PUT", "/v1/config", self.document([wrong]))
            self.assertEqual(reply.status, 422, reply.body)
            self.assertIn(code, reply.body)
            self.assertIn(path, reply.body)
        document = self.document([service("direct", VIPS4["direct"])])
        document["hops"] = [{**document["functions"].pop(), "path": "all", "a": "null:?receive=0", "b": "null:?receive=0"}]
        reply = self.engine.rest("PUT", "/v1/config", document)
        self.assertIn("needs-edge", reply.body)

    def test_syn_proxy(self):
        """A service of mode NAT that has its clients proven."""
        run("ip", "-n", self.backends[0], "route", "replace", self.lab.SERVER4, "via", "192.0.2.1")
        self.start([service("nat", NAT4, synProxy="on", backends=[{"name": "b1", "address": B4[0], "port": 80}])])
        for n in range(4):
            self.assertEqual(self.ask("open", f"c{n}", NAT4), ["b1", self.lab.SERVER4])
            self.assertEqual(self.ask("say", f"c{n}", 100000), 100000)
        self.assertEqual(self.counter("syn-proven", of="engine"), 4)
        self.assertEqual(self.counter("balanced"), 4)


if __name__ == "__main__":
    unittest.main(verbosity=2)
