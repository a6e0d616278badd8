# SPDX-License-Identifier: BSD-3-Clause
"""The transparent edge: two hosts of one subnet with a firewall in the wire between them; frames come out as they went in."""
import copy
import json
import os
import signal
import subprocess
import unittest

from scapy.all import (ARP, GRE, ICMP, IP, TCP, UDP, Dot1AD, Dot1Q, Ether, ICMPv6EchoRequest, ICMPv6ND_NS, IPOption_Router_Alert, IPv6, IPv6ExtHdrDestOpt, Raw, fragment, fragment6,
                       IPv6ExtHdrFragment, ICMPv6PacketTooBig, ICMPv6DestUnreach)
from scapy.layers.sctp import SCTP, SCTPChunkInit

from bump import Bump
from frames import Wire
from lab import SOURCE, adds_up, answers, kernel_has_af_xdp, missing, program, rest, run, until

C4, S4, C6, S6, CMAC, SMAC = Bump.CLIENT4, Bump.SERVER4, Bump.CLIENT6, Bump.SERVER6, Bump.CLIENT_MAC, Bump.SERVER_MAC
ZONES = [{"name": "inside", "ports": ["lan"]}, {"name": "outside", "ports": ["wan"]}]
ALL = {"default": "accept"}


def in_the_wire(lab, config, workers=1, **edge):
    return {"engine": {"workers": workers}, "edge": {"mode": "transparent", "ports": lab.ports(), **edge}, "functions": [{"name": "fw", "kind": "firewall", "config": config}],
            "paths": [{"name": "all", "path": ["lan", "fw", "wan"]}]}


def hosts_talk(case, lab):
    """What two hosts of one subnet see of the firewall of conf/transparent.cfg between them."""
    data = lab.web(300000)
    for host, bracketed in ((S4, S4), (S6, f"[{S6}]")):
        until(f"{host} answers", lambda host=host: lab.ping(host, count=1) == 1, 30)
        case.assertEqual(lab.ping(host), 3)
        case.assertEqual(lab.fetch(f"http://{bracketed}:8000/file"), data)
        refused = run("ip", "netns", "exec", lab.client, "curl", "-s", "-g", "-m", "20", f"http://{bracketed}:8001/file", check=False)
        case.assertEqual(refused.returncode, 7, "refused at once, by a reset in the server's name")
    case.assertEqual([lab.ping(target, count=1, space=lab.server) for target in (C4, C6)], [0, 0], "nothing begins outside")
    neighbours = run("ip", "-n", lab.client, "neigh").stdout
    case.assertIn(SMAC, neighbours)
    udp = "import socket,sys; s=socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM); s.connect((sys.argv[1], 9)); s.settimeout(9); s.send(b'x'); s.recv(1)"
    for host in (S4, S6):
        done = run("ip", "netns", "exec", lab.client, "python3", "-c", udp, host, check=False)
        case.assertRegex(done.stderr, "No route to host|Permission denied|unreachable", "an ICMP unreachable came")


class Hosts(unittest.TestCase):
    """Real hosts."""

    socket = None

    def setUp(self):
        self.lab = Bump(hosts=True)
        self.addCleanup(self.lab.close)

    def example(self):
        with open(os.path.join(SOURCE, "conf", "transparent.cfg")) as file:
            text = file.read().replace('netns = "edge"', f'netns = "{self.lab.edge}"')
        path = os.path.join(self.lab.folder, "transparent.cfg")
        with open(path, "w") as file:
            file.write(text)
        return path

    def test_example(self):
        """conf/transparent.cfg as it is, by the firewall's own executable."""
        folder = os.path.join(self.lab.folder, "run")
        os.makedirs(folder)
        command = [program("sluice-firewall"), "--dir", folder, "--config", self.example()]
        self.assertEqual(run(*command, "--check").returncode, 0)
        self.lab.process(command)
        sock = os.path.join(folder, "control.sock")
        until("it is ready", lambda: answers(sock), 60)
        hosts_talk(self, self.lab)
        adds_up(sock)
        ports = {p["name"]: p for p in rest(sock, "GET", "/v1/state/ports").json()}
        self.assertEqual((ports["lan"]["pair"], ports["wan"]["pair"]), ("wan", "lan"))

    def carrier(self, space):
        return "LOWER_UP" in run("ip", "-n", space, "link", "show", "eth0").stdout

    def cut_and_mend(self):
        c, s = self.lab.client, self.lab.server
        for cut, other in ((c, s), (s, c)):
            until("it is a wire", lambda: self.lab.ping(S4, count=1) == 1, 30)
            run("ip", "-n", cut, "link", "set", "eth0", "down")
            until("the other end sees it", lambda other=other: not self.carrier(other), 30)
            run("ip", "-n", cut, "link", "set", "eth0", "up")
            until("the other end has a link again", lambda other=other: self.carrier(other), 30)
        until("it is a wire again", lambda: self.lab.ping(S4, count=1) == 1, 30)

    def test_link_state(self):
        """A cut cable on one side is one on the other, whichever it is; links come back with it, and with the end of the process."""
        c, s = self.lab.client, self.lab.server
        if kernel_has_af_xdp():
            document = in_the_wire(self.lab, ALL, linkState="pass")
            for port in document["edge"]["ports"]:
                port["device"] = port["device"].replace("af_packet:", "af_xdp:")
            engine = self.lab.engine("fast", document).ready()
            self.cut_and_mend()
            engine.process.stop()
        engine = self.lab.engine("wire", in_the_wire(self.lab, ALL, linkState="pass")).ready()
        self.cut_and_mend()
        until("it is a wire again", lambda: self.lab.ping(S4, count=1) == 1, 30)
        run("ip", "-n", c, "link", "set", "eth0", "down")
        until("the other end sees it", lambda: not self.carrier(s), 30)
        reply = engine.rest("PUT", "/v1/config", in_the_wire(self.lab, ALL))
        self.assertEqual(reply.status, 200, reply.body)
        until("by choice", lambda: self.carrier(s), 30)
        reply = engine.rest("PUT", "/v1/config", in_the_wire(self.lab, ALL, linkState="pass"))
        until("the other end sees it", lambda: not self.carrier(s), 30)
        engine.process.stop()
        self.assertTrue(self.carrier(s), "a process that is gone holds no link down")

    def start_sluiced(self):
        self.socket = self.lab.sluiced()
        self.addCleanup(lambda: rest(self.socket, "DELETE", "/v1/services/edge?wait=30", timeout=60))

    def service(self, placement, workers):
        """The same firewall as a service of sluiced."""
        if not self.socket:
            self.start_sluiced()
        rule = {"from": "inside", "to": "outside"}
        rules = [{"name": "web", **rule, "protocol": "tcp", "destinationPorts": 8000, "action": "accept"}, {"name": "ping", **rule, "protocol": "icmp", "icmpType": 8, "action": "accept"},
                 {"name": "ping6", **rule, "protocol": "icmpv6", "icmpType": 128, "action": "accept"}, {"name": "rest", **rule, "action": "reject"}]
        ports = [{k: v for k, v in p.items() if k != "netns"} for p in self.lab.ports()]
        self.descriptor = {"name": "edge", "placement": placement, "engine": {"workers": workers}, "edge": {"mode": "transparent", "netns": self.lab.edge, "ports": ports},
                           "vnfs": [{"name": "fw", "kind": "firewall", "config": {"zones": ZONES, "rules": rules}}], "chains": [{"name": "all", "path": ["lan", "fw", "wan"]}]}
        return self.apply()

    def apply(self, status="COMPLETED"):
        reply = rest(self.socket, "POST", "/v1/apply?wait=60", {"resources": {"services": [self.descriptor]}}, timeout=90)
        self.assertEqual(reply.status, 200, reply.body)
        return reply.json()

    def balanced(self, where=""):
        counters = rest(self.socket, "GET", f"/v1/services/edge/state/counters{where}").json()
        self.assertTrue(counters["balance"]["balanced"], missing(where, counters))

    def test_service_fused_two_workers(self):
        self.service("fused", 2)
        hosts_talk(self, self.lab)
        self.balanced()

    def test_service_over_a_hop(self):
        self.service("process", 1)
        hosts_talk(self, self.lab)
        self.balanced()
        self.balanced("?vnf=fw")

    def test_service_over_a_hop_two_workers(self):
        self.service("process", 2)
        hosts_talk(self, self.lab)
        self.balanced()

    def test_mode_changes(self):
        """An edge becomes a router and a wire again while it runs."""
        wire = in_the_wire(self.lab, ALL, 2)
        router = copy.deepcopy(wire)
        router["edge"] = {"mode": "routed", "ports": [{"name": name, "device": f"af_packet:{name}0", "netns": self.lab.edge, "addresses": [address]}
                                                      for name, address in (("lan", "192.0.2.1/24"), ("wan", "198.51.100.1/24"))]}
        engine = self.lab.engine("both", wire).ready()
        for _ in range(2):
            until("it is a wire", lambda: self.lab.ping(S4, count=1) == 1 and self.lab.ping(S6, count=1) == 1, 30)
            reply = engine.rest("PUT", "/v1/config", router)
            self.assertEqual(reply.status, 200, reply.body)
            until("it is a router", lambda: self.lab.ping("192.0.2.1", count=1) == 1, 30)
            self.assertEqual(self.lab.ping(S4, count=1), 0)
            engine.balance()
            reply = engine.rest("PUT", "/v1/config", wire)
            self.assertEqual(reply.status, 200, reply.body)
            for space in (self.lab.client, self.lab.server):
                run("ip", "-n", space, "neigh", "flush", "all")
        until("it is a wire", lambda: self.lab.ping(S4, count=1) == 1, 30)
        engine.balance()

    def test_trace_over_a_hop(self):
        """A trace tells the walk across the hop, and what it marks comes out as it went in."""
        wire = Wire(self.lab.server)
        self.addCleanup(wire.close)
        for workers in (1, 2):
            self.service("process", workers)
            until("it forwards", lambda: self.lab.ping(S4, count=1) == 1, 30)
            wire.forget()
            command = [program("sluice"), "--server", "unix:" + self.socket, "-o", "json", "trace", "edge/all", "icmp", "from", C4, "--packets", "2", "--seconds", "20"]
            child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            self.assertIn("tracing", child.stderr.readline())
            while child.poll() is None:
                self.lab.ping(S4)
            out, err = child.communicate()
            self.assertEqual(child.returncode, 0, err)
            there, back = json.loads(out)
            for walk, ends in ((there, ("lan", "wan")), (back, ("wan", "lan"))):
                self.assertEqual([s["process"] for s in walk["steps"] if s["step"] == "received"], ["edge", "fw", "edge"])
                self.assertEqual((walk["steps"][0]["name"], walk["steps"][-1]["name"]), ends)
            requests = wire.receive(lambda f: f[12:14] == b"\x08\x00" and f[23] == 1, count=3)
            self.assertEqual({(Ether(f).src, Ether(f).dst, len(f)) for f in requests}, {(CMAC, SMAC, 98)}, "MACs and lengths are those of the sender")
            self.assertEqual(rest(self.socket, "DELETE", "/v1/services/edge?wait=30", timeout=60).status, 200)

    def test_nat_is_refused(self):
        self.service("fused", 1)
        self.descriptor["vnfs"].append({"name": "nat", "kind": "nat", "config": {"pools": [{"name": "p", "addresses": ["192.0.2.99"]}]}})
        self.descriptor["chains"][0]["path"] = ["lan", "fw", "nat", "wan"]
        reply = rest(self.socket, "POST", "/v1/apply?wait=60", {"resources": {"services": [self.descriptor]}}, timeout=90)
        self.assertEqual(reply.status, 422, reply.body)
        self.assertIn("needs-routed", reply.body)
        self.assertEqual(self.lab.ping(S4), 3, "nothing has changed")


def udp(sport=1000, dport=2000, size=40, **more):
    return UDP(sport=sport, dport=dport, **more) / Raw(bytes(i & 255 for i in range(size)))


def frame(*layers, back=False, dst=None):
    packet = Ether(src=SMAC if back else CMAC, dst=dst or (CMAC if back else SMAC))
    for layer in layers:
        packet = packet / layer
    return bytes(packet)


def to4(**more):
    return IP(src=C4, dst=S4, **more)


def to6(**more):
    return IPv6(src=C6, dst=S6, **more)


class Frames(unittest.TestCase):
    """Frames made by hand between two silent ends."""

    def setUp(self):
        self.lab = Bump(hosts=False)
        self.addCleanup(self.lab.close)
        self.ends = [Wire(self.lab.client), Wire(self.lab.server)]
        for end in self.ends:
            self.addCleanup(end.close)

    def start(self, config=None, workers=1, **edge):
        self.engine = self.lab.engine("bump", in_the_wire(self.lab, config or ALL, workers, **edge)).ready()
        return self.engine

    def start_hop(self, workers):
        """The firewall in a process of its own."""
        sockets = [os.path.join(self.lab.folder, f"fw.{side}.sock") for side in "ab"]
        hop = {"engine": {"workers": workers}, "edge": {"mode": "link", "separateVlans": True, "ports": [{"name": f"all.{side}", "as": port, "device": f"virtio:{path}"}
                                                                               for side, port, path in zip("ab", ("lan", "wan"), sockets)]},
               "functions": [{"name": "fw", "kind": "firewall", "config": ALL}], "paths": [{"name": "all", "path": ["all.a", "fw", "all.b"]}]}
        document = in_the_wire(self.lab, ALL, workers)
        document["functions"] = []
        document["hops"] = [{"name": "fw", "kind": "firewall", "path": "all", "a": f"vhost:{sockets[0]}", "b": f"vhost:{sockets[1]}", "config": ALL}]
        self.lab.engine("fw", hop, "sluice-firewall").ready()
        self.engine = self.lab.engine("bump", document).ready()
        until("the hop is up", lambda: all(h["up"] for h in self.engine.get("/v1/state/hops")))

    def drops(self):
        counters = self.engine.get("/v1/state/counters")
        return {k: v for part in ("engine", "edge") for k, v in counters[part].items() if v}

    def passes(self, what, sent, side=0):
        self.ends[not side].forget()
        self.ends[side].send(sent)
        came = self.ends[not side].receive(timeout=5)
        self.assertEqual([f.hex() for f in came], [sent.hex()], f"{what} {self.drops()}")

    def dropped(self, what, sent, reason, side=0):
        before = self.drops().get(reason, 0)
        self.ends[not side].forget()
        self.ends[side].send(sent)
        until(f"{what} counted as {reason}", lambda: self.drops().get(reason, 0) == before + 1)
        self.assertEqual(self.ends[not side].receive(timeout=0.05), [], what)

    def kinds(self):
        tags = Dot1AD(vlan=7, prio=5) / Dot1Q(vlan=9, prio=2)
        yield "plain UDP", frame(to4(), udp())
        yield "plain UDP, IPv6", frame(to6(), udp())
        yield "TTL 1", frame(to4(ttl=1), udp(1001))
        yield "hop limit 1", frame(to6(hlim=1), udp(1001))
        yield "DSCP, ECN, ID, no DF", frame(to4(tos=0xb9, id=4711), udp(1002))
        yield "flow label", frame(to6(tc=0xb9, fl=0x12345), udp(1002))
        yield "options", frame(to4(options=[IPOption_Router_Alert()]), udp(1003))
        yield "extension headers", frame(to6(), IPv6ExtHdrDestOpt(), udp(1003))
        yield "no UDP checksum", frame(to4(), udp(1004, chksum=0))
        yield "wrong UDP checksum", frame(to4(), udp(1005, chksum=0x1234))
        yield "padding that is not zero", frame(to4(), udp(1006, size=1)) + bytes(range(17))
        yield "a tag", frame(Dot1Q(vlan=42, prio=3), to4(), udp(1007))
        yield "a tag, IPv6", frame(Dot1Q(vlan=42), to6(), udp(1007))
        yield "two tags", frame(tags, to4(), udp(1008))
        yield "priority tag", frame(Dot1Q(vlan=0, prio=6), to4(), udp(1009))
        yield "TCP SYN", frame(to4(), TCP(sport=1010, dport=80, flags="S", options=[("MSS", 1460), ("WScale", 7)]))
        yield "TCP SYN, IPv6", frame(to6(), TCP(sport=1010, dport=80, flags="S"))
        yield "echo", frame(to4(), ICMP(id=7), Raw(b"ping"))
        yield "echo, IPv6", frame(to6(), ICMPv6EchoRequest(id=7, data=b"ping"))
        yield "SCTP", frame(to4(), SCTP(sport=1011, dport=3868, tag=0), SCTPChunkInit(init_tag=1, a_rwnd=1500, n_out_streams=1, n_in_streams=1, init_tsn=1))
        yield "GRE", frame(to4(), GRE(), IP(src="10.0.0.1", dst="10.0.0.2"), udp())
        yield "group", frame(IP(src=C4, dst="224.0.0.5", ttl=1, proto=89), Raw(b"hello"), dst="01:00:5e:00:00:05")
        yield "group, IPv6", frame(IPv6(src=C6, dst="ff05::5", hlim=1), udp(), dst="33:33:00:00:00:05")
        yield "DHCP discover", frame(IP(src="0.0.0.0", dst="255.255.255.255"), udp(68, 67, 250), dst="ff:ff:ff:ff:ff:ff")
        yield "largest", frame(to4(), udp(1012, size=1472))
        yield "largest with tags", frame(tags, to6(), udp(1013, size=1452))
        yield "somebody else's MAC", frame(to4(), udp(1014), dst="02:aa:bb:cc:dd:ee")
        yield "ARP request", frame(ARP(psrc=C4, pdst=S4, hwsrc=CMAC), dst="ff:ff:ff:ff:ff:ff").ljust(60, b"\0")
        yield "ARP probe with a tag", frame(Dot1Q(vlan=42), ARP(psrc="0.0.0.0", pdst=S4, hwsrc=CMAC), dst="ff:ff:ff:ff:ff:ff")
        yield "neighbour solicitation", frame(IPv6(src=C6, dst="ff02::1:ff00:20", hlim=255), ICMPv6ND_NS(tgt=S6), dst="33:33:ff:00:00:20")

    def identity(self):
        for what, sent in self.kinds():
            with self.subTest(what):
                self.passes(what, sent)
        for what, sent in self.answers():
            with self.subTest(what):
                self.passes(what, sent, side=1)
        for what, pieces in self.fragments():
            with self.subTest(what):
                self.ends[1].forget()
                for piece in pieces:
                    self.ends[0].send(piece)
                came = self.ends[1].receive(count=len(pieces), timeout=5)
                self.assertEqual(sorted(f.hex() for f in came), sorted(f.hex() for f in pieces), self.drops())
        self.engine.balance()

    def answers(self):
        back4, back6 = IP(src=S4, dst=C4, ttl=3), IPv6(src=S6, dst=C6, hlim=3)
        yield "answer", frame(back4, udp(2000, 1000), back=True)
        yield "answer with a tag", frame(Dot1Q(vlan=42), back6, udp(2000, 1007), back=True)
        yield "unreachable", frame(back4, ICMP(type=3, code=3), to4(ttl=1), udp(1001), back=True)
        yield "unreachable by a router", frame(IP(src="10.9.9.9", dst=C4), ICMP(type=3, code=1), to4(), udp(1000), back=True)
        yield "too big", frame(IPv6(src="2001:db8:9::9", dst=C6), ICMPv6PacketTooBig(mtu=1280), to6(), udp(1000), back=True)
        yield "SYN ACK", frame(back4, TCP(sport=80, dport=1010, flags="SA", seq=5, ack=1), back=True)

    def fragments(self):
        whole4 = to4(id=99) / udp(1100, size=3000)
        whole6 = to6() / IPv6ExtHdrFragment(id=99) / udp(1100, size=3000)
        four, six = [frame(f) for f in fragment(whole4, 1000)], [frame(Dot1Q(vlan=3), f) for f in fragment6(whole6, 1280)]
        yield "fragments", four
        yield "fragments, IPv6, tagged", six
        other = [frame(f) for f in fragment(to4(id=100) / udp(1101, size=3000), 1000)]
        yield "fragments, last first", other[::-1]

    def test_identity(self):
        self.start()
        self.identity()

    def test_identity_two_workers(self):
        self.start(workers=2)
        self.identity()
        self.vlans()

    def vlans(self):
        """The same two ends in several VLANs: connections of their own, datagrams of their own."""
        for vlan, numbers in ((10, 1000), (20, 500000000), (None, 5)):
            tag = () if vlan is None else (Dot1Q(vlan=vlan),)
            there, back = {"sport": 1200, "dport": 80}, {"sport": 80, "dport": 1200}
            with self.subTest(vlan):
                self.passes("SYN", frame(*tag, to4(), TCP(**there, flags="S", seq=numbers)))
                self.passes("SYN ACK", frame(*tag, IP(src=S4, dst=C4), TCP(**back, flags="SA", seq=7 * numbers, ack=numbers + 1), back=True), side=1)
                self.passes("ACK", frame(*tag, to4(), TCP(**there, flags="A", seq=numbers + 1, ack=7 * numbers + 1)))
                self.passes("IPv6", frame(*tag, to6(), udp(1200)))
        sessions = [s for s in self.lab.engines[0].get("/v1/state/sessions") if s["forward"]["sourcePort"] == 1200]
        self.assertEqual(sorted((s["protocol"], s.get("vlan", 0)) for s in sessions), [(p, v) for p in ("tcp", "udp") for v in (0, 10, 20)], sessions)
        pieces = [[frame(Dot1Q(vlan=vlan), f) for f in fragment(to4(id=99) / udp(1300 + vlan, size=2000), 1000)] for vlan in (10, 20)]
        self.ends[1].forget()
        for piece in [p for pair in zip(*pieces) for p in pair]:
            self.ends[0].send(piece)
        self.assertEqual(sorted(f.hex() for f in self.ends[1].receive(count=6, timeout=5)), sorted(f.hex() for pair in pieces for f in pair), self.drops())

    def test_identity_over_a_hop(self):
        self.start_hop(1)
        self.identity()
        self.vlans()

    def test_identity_over_a_hop_two_workers(self):
        self.start_hop(2)
        self.identity()

    def test_burst_over_a_hop(self):
        """What piled up while a process stood still goes over its links in full bursts."""
        self.start_hop(1)
        frames = [frame(to4(id=number), udp()) for number in range(1, 257)]
        self.passes("the first", frames[0])
        for engine in (self.engine, self.lab.engines[0]):  # the service's process, then the firewall's
            self.ends[1].forget()
            engine.process.kill(signal.SIGSTOP)
            try:
                for sent in frames:
                    self.ends[0].send(sent)
            finally:
                engine.process.kill(signal.SIGCONT)
            self.assertEqual(self.ends[1].receive(count=len(frames), timeout=20), frames, self.drops())
        self.engine.balance()

    def test_too_big(self):
        """A packet that the other side cannot take is told of in its destination's name."""
        ports = self.lab.ports()
        ports[1]["mtu"] = 1400
        self.start(ports=ports)
        self.dropped("IPv6", frame(Dot1Q(vlan=5), to6(), udp(size=1400)), "too-big")
        answer = Ether(self.ends[0].receive()[0])
        self.assertEqual((answer.src, answer.dst, answer[Dot1Q].vlan, answer[IPv6].src, answer[IPv6].dst, answer[ICMPv6PacketTooBig].mtu), (SMAC, CMAC, 5, S6, C6, 1400))
        self.dropped("IPv4, DF", frame(to4(flags="DF"), udp(size=1400)), "too-big")
        answer = Ether(self.ends[0].receive()[0])
        self.assertEqual((answer[IP].src, answer[ICMP].type, answer[ICMP].code, answer[ICMP].nexthopmtu), (S4, 3, 4, 1400))
        self.passes("smaller", frame(to6(), udp(1001, size=1300)))
        self.engine.balance()

    def test_kinds_by_choice(self):
        lldp, stp = frame(Raw(b"\x02\x07"), dst="01:80:c2:00:00:0e")[:12] + b"\x88\xcc" + bytes(50), bytes.fromhex("0180c2000000020000000c010026424203") + bytes(43)
        other, arp = frame(Raw(b""))[:12] + b"\x88\x47" + bytes(50), frame(ARP(psrc=C4, pdst=S4), dst="ff:ff:ff:ff:ff:ff")
        solicit = frame(IPv6(src=C6, dst="ff02::1:ff00:20", hlim=255), ICMPv6ND_NS(tgt=S6), dst="33:33:ff:00:00:20")
        self.start()
        for what, sent in (("LLDP", lldp), ("STP", stp), ("MPLS", other)):
            self.dropped(what, sent, "not-passed")
        self.passes("ARP", arp)
        for change, passed, dropped in (({"linkLocal": "pass"}, [lldp, stp], [other]), ({"nonIp": "pass"}, [lldp, stp, other, arp], []), ({"linkLocal": "drop"}, [other], [lldp, stp]),
                                        ({"neighbours": "drop"}, [other], [arp, solicit])):
            reply = self.engine.rest("PATCH", "/v1/config", {"edge": change})
            self.assertEqual(reply.status, 200, reply.body)
            for sent in passed:
                self.passes(str(change), sent)
                self.passes(str(change), sent, side=1)
            for sent in dropped:
                self.dropped(str(change), sent, "not-passed")
        self.engine.balance()

    def test_reject(self):
        """Resets and ICMP errors come from the destination's MAC and address, with the tags of what they answer."""
        self.start({"rules": [{"name": "no", "action": "reject"}]})
        for tags in ((), (Dot1Q(vlan=42),), (Dot1AD(vlan=7), Dot1Q(vlan=9))):
            self.ends[0].send(frame(*tags, to4(), TCP(sport=1, dport=80, flags="S", seq=100)))
            reset = Ether(self.ends[0].receive()[0])
            self.assertEqual((reset.src, reset.dst, reset[IP].src, reset[IP].dst, reset[TCP].flags, reset[TCP].ack), (SMAC, CMAC, S4, C4, "RA", 101))
            self.assertEqual([t.vlan for t in tags], [layer.vlan for layer in (reset.getlayer(Dot1AD), reset.getlayer(Dot1Q)) if layer])
            self.ends[0].send(frame(*tags, to6(), udp()))
            error = Ether(self.ends[0].receive()[0])
            self.assertEqual((error.src, error.dst, error[IPv6].src, error[IPv6].dst, error[ICMPv6DestUnreach].code), (SMAC, CMAC, S6, C6, 1))
        self.assertEqual(self.ends[1].receive(timeout=0.05), [])
        self.engine.balance()

    def test_unmatched(self):
        """What no path takes is dropped, or passes by all functions."""
        document = in_the_wire(self.lab, {"default": "drop"})
        document["paths"][0]["match"] = [{"protocol": "tcp"}]
        self.engine = self.lab.engine("bump", document).ready()
        self.dropped("UDP", frame(to4(), udp()), "no-path")
        self.assertEqual(self.engine.rest("PATCH", "/v1/config", {"edge": {"unmatched": "pass"}}).status, 200)
        self.passes("UDP", frame(Dot1Q(vlan=3), to4(ttl=1), udp()))
        self.passes("UDP back", frame(to4(ttl=1), udp()), side=1)
        self.engine.balance()

    def test_crash_and_change(self):
        """A session outlives its process, and a change of the rules meets it."""
        allow = {"zones": ZONES, "rules": [{"name": "all", "from": "inside", "to": "outside", "action": "accept"}]}
        self.start(allow)
        ip, back, ports = to4(), IP(src=S4, dst=C4), {"sport": 1010, "dport": 80}
        self.passes("SYN", frame(ip, TCP(**ports, flags="S", seq=100)))
        self.passes("SYN ACK", frame(back, TCP(sport=80, dport=1010, flags="SA", seq=500, ack=101), back=True), side=1)
        self.passes("ACK", frame(ip, TCP(**ports, flags="A", seq=101, ack=501)))
        self.engine.process.kill()
        self.engine.process.child.wait()
        self.engine.start()
        self.engine.ready()
        self.passes("data", frame(ip, TCP(**ports, flags="PA", seq=101, ack=501), Raw(b"hello")))
        self.passes("its ACK", frame(back, TCP(sport=80, dport=1010, flags="A", seq=501, ack=106), back=True), side=1)
        allow["rules"][0]["action"] = "drop"
        self.assertEqual(self.engine.rest("PUT", "/v1/vnfs/fw/config", allow).status, 200)
        self.ends[1].forget()
        self.ends[0].send(frame(ip, TCP(**ports, flags="PA", seq=106, ack=501), Raw(b"hello")))
        self.assertEqual(self.ends[1].receive(timeout=0.2), [], "the rules forbid it now")
        self.engine.balance()

    def test_two_pairs(self):
        """Two wires through one process know nothing of each other."""
        run("ip", "link", "add", "two0", "netns", self.lab.edge, "type", "veth", "peer", "name", "eth1", "netns", self.lab.client)
        run("ip", "link", "add", "three0", "netns", self.lab.edge, "type", "veth", "peer", "name", "eth1", "netns", self.lab.server)
        for space in (self.lab.client, self.lab.server):
            run("ip", "netns", "exec", space, "sysctl", "-qw", "net.ipv6.conf.eth1.disable_ipv6=1")
            self.lab.host(space, "eth1", [])
        document = in_the_wire(self.lab, ALL)
        document["edge"]["ports"] += [{"name": "two", "device": "af_packet:two0", "netns": self.lab.edge}, {"name": "three", "device": "af_packet:three0", "netns": self.lab.edge, "pair": "two"}]
        document["paths"].append({"name": "second", "path": ["two", "three"]})
        self.engine = self.lab.engine("bump", document).ready()
        others = [Wire(self.lab.client, "eth1"), Wire(self.lab.server, "eth1")]
        for other in others:
            self.addCleanup(other.close)
        sent = frame(to4(), udp())
        self.passes("the first wire", sent)
        others[0].send(sent)
        self.assertEqual(others[1].receive(), [sent])
        self.assertEqual(len(self.engine.get("/v1/state/sessions")), 2, "the same five-tuple, twice")
        self.engine.balance()

    def test_errors(self):
        self.start()
        good = self.engine.get("/v1/config")

        def refused(path, code, change):
            document = copy.deepcopy(good)
            change(document)
            reply = self.engine.rest("PUT", "/v1/config", document)
            self.assertEqual(reply.status, 422, reply.body)
            self.assertIn((path, code), [(e["path"], e["code"]) for e in reply.json()["errors"]])

        ports = lambda d: d["edge"]["ports"]
        refused("edge.ports[0].addresses", "needs-routed", lambda d: ports(d)[0].update(addresses=["192.0.2.1/24"]))
        refused("edge.routes", "needs-routed", lambda d: d["edge"].update(routes=[{"prefix": "10.0.0.0/8", "via": "192.0.2.9"}]))
        refused("edge.unmatched", "needs-routed", lambda d: d["edge"].update(unmatched="route"))
        refused("edge.ports[0]", "no-pair", lambda d: ports(d)[0].pop("pair"))
        refused("edge.ports[0].pair", "no-such-port", lambda d: ports(d)[0].update(pair="dmz"))
        refused("edge.ports[0].pair", "own-pair", lambda d: ports(d)[0].update(pair="lan"))
        refused("edge.ports[0].pair", "needs-transparent", lambda d: d["edge"].update(mode="routed"))
        refused("paths[0].path[2]", "not-a-pair", lambda d: d["paths"][0].update(path=["lan", "fw", "lan"]))

        def nat(document):
            document["functions"].append({"name": "nat", "kind": "nat", "config": {"pools": [{"name": "p", "addresses": ["192.0.2.99"]}]}})
            document["paths"][0]["path"] = ["lan", "fw", "nat", "wan"]

        refused("paths[0].path[2]", "needs-routed", nat)
        self.passes("still the same", frame(to4(), udp()))


if __name__ == "__main__":
    unittest.main(verbosity=2)
