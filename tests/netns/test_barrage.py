# SPDX-License-Identifier: BSD-3-Clause
"""A barrage of odd and malformed packets at every port: nmap's scans, hping3's floods, mutations of what hosts send. Nothing crashes, every packet is accounted for,
and hosts talk as before. Worth most in a build with sanitizers."""
import os
import random
import subprocess
import time
import unittest

from scapy.all import (AH, ARP, ESP, GRE, ICMP, IP, TCP, UDP, Dot1AD, Dot1Q, Ether, ICMPv6DestUnreach, ICMPv6EchoRequest, ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6ND_RA, ICMPv6PacketTooBig,
                       ICMPv6TimeExceeded, IPOption, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting, Raw, fragment)
from scapy.layers.sctp import SCTP, SCTPChunkAbort, SCTPChunkCookieEcho, SCTPChunkData, SCTPChunkInit, SCTPChunkInitAck

from frames import Wire
from lab import Line, run, until

SEED = int(os.environ.get("SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
FRAMES = int(os.environ.get("FRAMES", "4000"))
TIMEOUTS = {name: 1 for name in ("tcpOpening", "tcpClosing", "udp", "udpOpening", "icmp", "other", "sctpOpening", "sctpClosing")}
C4, S4, C6, S6 = Line.CLIENT4, Line.SERVER4, Line.CLIENT6, Line.SERVER6
OWN = {"client": ("192.0.2.1", "2001:db8:1::1"), "server": ("198.51.100.2", "2001:db8:2::2")}
PUBLIC = "198.51.100.10"
INIT = {"a_rwnd": 1500, "n_out_streams": 1, "n_in_streams": 1, "init_tsn": 1}

SCANS = (["-sS", "-O"], ["-sN"], ["-sF"], ["-sX"], ["-sA"], ["-sW"], ["-sM"], ["--scanflags", "URGACKPSHRSTSYNFIN"], ["-sS", "-f"], ["-sS", "--mtu", "24", "--data-length", "300"],
         ["-sS", "--badsum"], ["-sY"], ["-sZ"], ["-sU"], ["-sS", "--ip-options", "R"], ["-sS", "--ttl", "1"])
FLOODS = (["-S", "-p", "++1", "--rand-source"], ["-S", "-p", "80", "-s", "80", "-a", S4], ["-SFRPAU", "-p", "++1"], ["-A", "-p", "80", "-M", "0", "-L", "4294967295", "-w", "0"],
          ["-2", "-p", "++1", "--rand-source", "-d", "900"], ["-2", "-p", "53", "-f", "-d", "600"], ["-1", "-C", "3", "-K", "4"], ["-1", "-C", "5"], ["-1", "-d", "1400", "-f"],
          ["-0", "-H", "47", "-d", "60"], ["-0", "-H", "132", "-d", "30"], ["-S", "-p", "80", "-O", "3"], ["-S", "-p", "80", "-b"], ["-S", "-p", "80", "-x", "-g", "64"])


def seeds(mac, own_mac, client):
    """What a host of either side could send, as frames."""
    s4, d4, s6, d6 = (C4, S4, C6, S6) if client else (S4, PUBLIC, S6, C6)
    own4, own6 = OWN["client" if client else "server"]
    head, all_hosts = Ether(dst=mac), Ether(dst="ff:ff:ff:ff:ff:ff")
    v4, v6 = IP(src=s4, dst=d4), IPv6(src=s6, dst=d6)
    udp, tcp = UDP(sport=1000, dport=2000) / Raw(b"x" * 100), TCP(sport=1000, dport=80, flags="S", options=[("MSS", 1460), ("SAckOK", b""), ("Timestamp", (1, 0)), ("WScale", 7)])
    inner4, inner6 = IP(src=d4, dst=s4) / UDP(sport=2000, dport=1000) / Raw(b"y" * 40), IPv6(src=d6, dst=s6) / TCP(sport=80, dport=1000)
    sctp = SCTP(sport=1000, dport=3868, tag=7)
    yield from (head / v4 / udp, head / v4 / tcp, head / v4 / TCP(sport=1000, dport=80, flags="PA", seq=1) / Raw(b"z" * 200), head / v4 / ICMP() / Raw(b"ping"))
    yield from (head / v6 / udp, head / v6 / tcp, head / v6 / ICMPv6EchoRequest(data=b"ping"), head / v4 / ICMP(type=3, code=4, nexthopmtu=68) / inner4, head / v4 / ICMP(type=11) / inner4)
    yield from (head / v4 / ICMP(type=5, gw=own4) / inner4, head / v6 / ICMPv6DestUnreach() / inner6, head / v6 / ICMPv6PacketTooBig(mtu=0) / inner6, head / v6 / ICMPv6TimeExceeded() / inner6)
    yield from (head / v4 / SCTP(sport=1000, dport=3868, tag=0) / SCTPChunkInit(init_tag=5, **INIT), head / v4 / sctp / SCTPChunkInitAck(init_tag=6, **INIT),
                head / v6 / sctp / SCTPChunkCookieEcho(cookie=b"abcd") / SCTPChunkData(data=b"data"), head / v4 / sctp / SCTPChunkAbort())
    yield from (head / v4 / GRE() / inner4, head / v4 / ESP(spi=1, seq=1, data=b"e" * 40), head / v6 / AH(nh=6, spi=1, seq=1, icv=b"i" * 12) / TCP(), head / v4 / IP() / udp, head / v4 / inner6)
    yield from (head / Dot1Q(vlan=3) / v4 / udp, head / Dot1AD(vlan=3) / Dot1Q(vlan=4) / v6 / tcp, head / Dot1Q(vlan=3) / Dot1Q(vlan=4) / Dot1Q(vlan=5) / v4 / udp)
    yield from (head / IPv6(src=s6, dst=d6) / IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / IPv6ExtHdrRouting(type=4, addresses=[s6]) / IPv6ExtHdrFragment(id=9, m=1) / udp,
                head / v6 / IPv6ExtHdrFragment(id=9, offset=100) / Raw(b"f" * 64), head / v6 / IPv6ExtHdrFragment(id=10) / udp)
    yield from (head / piece for piece in fragment(v4 / UDP(sport=1000, dport=2000) / Raw(b"q" * 2000), 504))
    yield from (head / IP(src=s4, dst=d4, options=[IPOption(b"\x83\x07\x04" + b"\1\2\3\4"), IPOption(b"\x01")]) / udp, head / IP(src=d4, dst=s4) / udp, head / IP(src=s4, dst=own4) / udp)
    yield from (head / IP(src=s4, dst=own4) / tcp, head / IPv6(src=s6, dst=own6) / tcp, head / IP(src=s4, dst=own4) / ICMP() / Raw(b"ping"), head / IPv6(src=s6, dst=own6) / ICMPv6EchoRequest())
    yield from (all_hosts / ARP(psrc=s4, hwsrc=own_mac, pdst=own4), head / ARP(op=2, psrc=s4, hwsrc=own_mac, pdst=own4), head / IPv6(src=s6, dst=own6, hlim=255) / ICMPv6ND_NS(tgt=own6),
                head / IPv6(src=s6, dst=own6, hlim=255) / ICMPv6ND_NA(tgt=s6, S=0, O=0), all_hosts / IPv6(src="fe80::1", dst="ff02::1", hlim=255) / ICMPv6ND_RA())
    yield from (all_hosts / IP(src="0.0.0.0", dst="255.255.255.255") / UDP(sport=68, dport=67) / Raw(b"d" * 240), Ether(dst="01:80:c2:00:00:0e", type=0x88CC) / Raw(b"\2\7" + bytes(40)),
                Ether(dst="01:00:5e:00:00:01") / IP(src=s4, dst="224.0.0.1", proto=2) / Raw(b"\x11\0\0\0" + bytes(4)))


def mended(frame):
    """Lengths and header checksum of its IP packet made right, so that what is behind the header is looked at."""
    if frame[12:14] == b"\x08\x00" and len(frame) >= 34 and 5 <= frame[14] & 15 <= (len(frame) - 14) // 4:
        header = 4 * (frame[14] & 15)
        frame[16:18] = (len(frame) - 14).to_bytes(2, "big")
        frame[24:26] = b"\0\0"
        total = sum(int.from_bytes(frame[at:at + 2], "big") for at in range(14, 14 + header, 2))
        while total > 0xFFFF:
            total = (total >> 16) + (total & 0xFFFF)
        frame[24:26] = (total ^ 0xFFFF).to_bytes(2, "big")
    elif frame[12:14] == b"\x86\xdd" and len(frame) >= 54:
        frame[18:20] = (len(frame) - 54).to_bytes(2, "big")
    return frame


def mutations(dice, frames):
    """Frames that are right at first and then less and less: bytes changed, cut off, put in, swapped, glued together."""
    words = (b"\0\0", b"\xff\xff", b"\x7f\xff", b"\x80\0", b"\0\1")
    while True:
        frame = bytearray(dice.choice(frames))
        for _ in range(dice.choice((0, 1, 1, 2, 3, 8))):
            at, kind = dice.randrange(12, len(frame)), dice.randrange(6)
            if kind == 0:
                frame[at] = dice.randrange(256)
            elif kind == 1:
                frame[at] ^= 1 << dice.randrange(8)
            elif kind == 2:
                frame[at:at + 2] = dice.choice(words)
            elif kind == 3:
                del frame[max(15, at):]
            elif kind == 4:
                frame[at:at] = bytes(dice.randrange(256) for _ in range(dice.randrange(1, 9)))
            else:
                other = dice.choice(frames)
                frame[at:] = other[dice.randrange(len(other)):]
            if len(frame) < 15:
                frame += bytes(15 - len(frame))
        frame = frame[:1514]
        yield bytes(mended(frame) if dice.randrange(2) else frame)


class Barrage(unittest.TestCase):
    def setUp(self):
        self.lab = Line()
        self.targets = [S4, S6]
        self.addCleanup(self.lab.close)

    def routed(self):
        rules = [{"name": "log", "protocol": "tcp", "destinationPorts": "1-10", "action": "reject", "log": True}, {"name": "all", "action": "accept"}]
        functions = [{"name": "fw", "kind": "firewall", "config": {"rules": rules, "midstream": "accept"}}, {"name": "nat", "kind": "nat", "config": {
            "pools": [{"name": "p", "addresses": [PUBLIC]}], "forwards": [{"name": "web", "outside": PUBLIC, "ports": "80", "inside": C4}]}}]
        document = self.lab.document(functions, workers=2, sessions=1024, sessions6=1024, timeouts=TIMEOUTS)
        self.engine = self.lab.engine("target", document).ready()
        self.assertEqual((self.lab.ping(S4), self.lab.ping(S6)), (3, 3))

    def hop(self):
        """The firewall behind a hop of a routed service."""
        sockets = [os.path.join(self.lab.folder, f"fw.{side}.sock") for side in "ab"]
        config = {"rules": [{"name": "log", "protocol": "tcp", "destinationPorts": "1-10", "action": "reject"}, {"name": "all", "action": "accept"}], "midstream": "accept"}
        links = [{"name": f"all.{side}", "as": port["name"], "device": f"virtio:{path}", "addresses": port["addresses"]} for side, port, path in zip("ab", self.lab.ports(), sockets)]
        sizes = {"sessions": 1024, "sessions6": 1024, "timeouts": TIMEOUTS}
        self.lab.engine("fw", {"engine": sizes, "edge": {"mode": "link", "ports": links}, "functions": [{"name": "fw", "kind": "firewall", "config": config}],
                               "paths": [{"name": "all", "path": ["all.a", "fw", "all.b"]}]}, "sluice-firewall").ready()
        document = self.lab.document([], ["fw"], **sizes)
        document["hops"] = [{"name": "fw", "kind": "firewall", "path": "all", "a": f"vhost:{sockets[0]}", "b": f"vhost:{sockets[1]}", "config": config}]
        self.engine = self.lab.engine("target", document).ready()
        until("it forwards", lambda: self.lab.ping(S4, 1) == 1 and self.lab.ping(S6, 1) == 1)

    def transparent(self):
        """A firewall in the wire; the server has addresses of the client's subnet, too."""
        self.targets = ["192.0.2.20", "2001:db8:1::20"]
        self.lab.host(self.lab.server, "eth0", [self.targets[0] + "/24", self.targets[1] + "/64"])
        ports = [{k: p[k] for k in ("name", "device", "netns")} for p in self.lab.ports()]
        ports[0]["pair"] = "wan"
        config = {"rules": [{"name": "log", "protocol": "tcp", "destinationPorts": "1-10", "action": "reject"}, {"name": "all", "action": "accept"}], "midstream": "accept"}
        document = self.lab.document([{"name": "fw", "kind": "firewall", "config": config}], workers=2, sessions=1024, sessions6=1024, timeouts=TIMEOUTS)
        document["edge"] = {"mode": "transparent", "ports": ports, "nonIp": "pass", "linkLocal": "pass"}
        self.engine = self.lab.engine("target", document).ready()
        until("it forwards", lambda: all(self.lab.ping(target, 1) == 1 for target in self.targets))

    def at_once(self, commands, seconds):
        """Programs side by side, ended when their time is up."""
        children = [subprocess.Popen(["ip", "netns", "exec", space, *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL) for space, command in commands]
        said, end = [], time.monotonic() + seconds
        for child in children:
            try:
                said.append(child.communicate(timeout=max(0.1, end - time.monotonic()))[0].decode(errors="replace"))
            except subprocess.TimeoutExpired:
                child.terminate()
                said.append(child.communicate()[0].decode(errors="replace"))
        return said

    def received(self):
        return self.engine.get("/v1/state/counters")["balance"]["received"]

    def mutate(self, count):
        dice = random.Random(SEED)
        own = {space: run("ip", "netns", "exec", space, "cat", "/sys/class/net/eth0/address").stdout.strip() for space in (self.lab.client, self.lab.server)}
        macs = {p["name"]: p["mac"] for p in self.engine.get("/v1/state/ports") if p["name"] in ("lan", "wan")}
        ends = []
        for name, space in (("lan", self.lab.client), ("wan", self.lab.server)):
            wire = Wire(space)
            self.addCleanup(wire.close)
            ends.append((wire, mutations(dice, [bytes(f) for f in seeds(macs[name], own[space], name == "lan")])))
        before = self.received()
        for number in range(count):
            wire, frames = ends[number % 2]
            wire.send(next(frames))
            if number % 64 == 63:  # no faster than they are taken, or a full ring would swallow them
                until(f"SEED={SEED}: {number} frames are taken", lambda number=number: self.received() - before > (number - 63) * 0.9, 20, 0.002)

    def survived(self):
        """Each process is the one of before, said nothing of errors, accounts for every packet, and ends cleanly; hosts talk."""
        for space in (self.lab.client, self.lab.server):  # forged answers may have made the edge send to nobody: its hosts ask again, which tells it of them
            run("ip", "-n", space, "neigh", "flush", "dev", "eth0")
        until(f"SEED={SEED}: hosts talk again", lambda: all(self.lab.ping(target) == 3 for target in self.targets), 60)
        data = self.lab.web()
        for host in (self.targets[0], f"[{self.targets[1]}]"):
            self.assertEqual(self.lab.fetch(f"http://{host}:8000/file"), data)
        for engine in self.lab.engines:
            self.assertTrue(engine.process.alive(), engine.process.text())
            engine.balance()
            self.assertEqual(engine.process.stop(30), 0, engine.process.text()[-4000:])
            self.assertNotRegex(engine.process.text(), "Sanitizer|runtime error")

    def test_scans(self):
        self.routed()
        common = ["nmap", "-n", "-Pn", "-T5", "--max-retries", "0", "--host-timeout", "3s", "-e", "eth0", "--send-ip", "-p1-150"]
        before, commands = self.received(), []
        for space, targets4, targets6 in ((self.lab.client, (S4, OWN["client"][0]), (S6, OWN["client"][1])), (self.lab.server, (PUBLIC, OWN["server"][0]), (C6, OWN["server"][1]))):
            commands += [(space, common + scan + [targets4[number % 4 == 3]]) for number, scan in enumerate(SCANS)]
            commands += [(space, common + ["-6"] + scan + [targets6[scan == ["-sU"]]]) for scan in (["-sS"], ["-sX"], ["-sU"], ["-sY"])]
            commands += [(space, [*common[:-1], "-sO", targets4[0]])]
        for i in range(0, len(commands), 14):
            for command, said in zip(commands[i:i + 14], self.at_once(commands[i:i + 14], 8)):
                self.assertNotRegex(said, "QUITTING|requires root|unrecognized option", command)
        self.assertGreater(self.received() - before, 3000, "the scans came")
        self.survived()

    def test_floods(self):
        self.routed()
        commands = []
        for space, target in ((self.lab.client, S4), (self.lab.server, PUBLIC)):
            commands += [(space, ["hping3", "-q", "-I", "eth0", "-c", "600", "-i", "u500", *flood, target]) for flood in FLOODS]
        before = self.received()
        for i in range(0, len(commands), 7):
            for command, said in zip(commands[i:i + 7], self.at_once(commands[i:i + 7], 3)):
                self.assertNotRegex(said, "unrecognized|invalid option|you must specify", command)
        self.assertGreater(self.received() - before, 5000, "the floods came")
        self.survived()

    def test_mutations(self):
        self.routed()
        self.mutate(FRAMES)
        self.survived()

    def test_mutations_over_a_hop(self):
        self.hop()
        self.mutate(FRAMES // 2)
        self.survived()

    def test_mutations_transparent(self):
        self.transparent()
        self.mutate(FRAMES // 2)
        self.survived()


if __name__ == "__main__":
    unittest.main(verbosity=2)
