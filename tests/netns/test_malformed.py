# SPDX-License-Identifier: BSD-3-Clause
"""Malformed and odd packets of every kind through real ports into a firewall and a NAT: each is dropped, counted under its reason, and nothing comes out."""
import os
import struct
import subprocess
import unittest

from scapy.all import (ARP, ICMP, IP, TCP, UDP, Dot1Q, ICMPv6DestUnreach, ICMPv6ND_NA, ICMPv6ND_NS, IPv6,
                       IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, Raw)

from lab import Line, until

MARK = b"MALFORMED-PAYLOAD-"
C4, S4, C6, S6 = Line.CLIENT4, Line.SERVER4, Line.CLIENT6, Line.SERVER6

SENDER = """
import socket, sys
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind(("eth0", 0))
for line in sys.stdin:
    out.send(bytes.fromhex(line))
    print("sent", flush=True)
"""
SNIFFER = """
import socket, sys
mark = sys.argv[1].encode()
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.bind(("eth0", 0))
print("listening", flush=True)
while True:
    data, where = s.recvfrom(65535)
    if mark in data and where[2] != 4:
        print("came", data.hex(), flush=True)
"""


def v4(**more):
    return IP(src=C4, dst=S4, **more)


def v6(**more):
    return IPv6(src=C6, dst=S6, **more)


def raw4(payload=MARK, proto=17, first=None, total=None, **more):
    """An IPv4 packet whose header says what it is told to say, with a right checksum."""
    packet = bytearray(bytes(v4(proto=proto, **more) / Raw(payload)))
    if first is not None:
        packet[0] = first
    if total is not None:
        packet[2:4] = struct.pack("!H", total)
    packet[10:12] = b"\0\0"
    length = max(20, (packet[0] & 15) * 4)
    words = struct.unpack(f"!{length // 2}H", bytes(packet[:length]).ljust(length, b"\0"))
    total = sum(words)
    total = (total & 0xffff) + (total >> 16)
    packet[10:12] = struct.pack("!H", ~(total + (total >> 16)) & 0xffff)
    return bytes(packet)


def tcp(flags="S", **more):
    return TCP(sport=1234, dport=80, flags=flags, **more) / Raw(MARK)


def udp(**more):
    return UDP(sport=1234, dport=53, **more) / Raw(MARK * 4)


def late4(data, offset, more=0, ident=1, proto=17):
    return raw4(data, proto, id=ident, frag=offset // 8, flags=more)


def late6(data, offset, more=0, ident=1, proto=17):
    return v6(nh=44) / IPv6ExtHdrFragment(nh=proto, offset=offset // 8, m=more, id=ident) / Raw(data)


def chain6(*headers):
    packet = v6()
    for header in headers:
        packet = packet / header
    return packet / udp()


def error4(inner):
    return v4() / ICMP(type=3, code=1) / Raw(inner)


def error6(inner):
    return v6() / ICMPv6DestUnreach() / Raw(inner)


INNER4 = bytes(IP(src=S4, dst=C4) / UDP(sport=53, dport=9) / Raw(MARK))
INNER6 = bytes(IPv6(src=S6, dst=C6) / UDP(sport=53, dport=9) / Raw(MARK))
V4, V6 = 0x0800, 0x86DD

# reason: [(what, ethertype, packet)]
CASES = {
    "short-frame": [("second VLAN tag cut off", 0x8100, b"\0\1\x81\0\0\2")],  # a kernel drops what ends in its first tag
    "short-ip": [("no IPv4 header", V4, b"\x45"), ("half an IPv4 header", V4, raw4()[:12]), ("longer than the frame", V4, raw4(total=1000)[:60]),
                 ("total length below the header's", V4, raw4(total=12)), ("no IPv6 header", V6, bytes(v6())[:30]),
                 ("IPv6 longer than the frame", V6, bytes(v6(plen=1000, nh=17) / Raw(MARK)))],
    "bad-version": [("version 5", V4, raw4(first=0x55)), ("IPv6 as IPv4", V4, bytes(v6() / udp())), ("IPv4 as IPv6", V6, raw4().ljust(60, b"\0"))],
    "bad-header-length": [("IHL 4", V4, raw4(first=0x44)), ("IHL 0", V4, raw4(first=0x40))],
    "bad-checksum": [("IPv4 header checksum", V4, bytes(IP(src=C4, dst=S4, chksum=0x1234) / udp()))],
    "bad-address": [(f"from {s}", V4, bytes(IP(src=s, dst=S4) / udp())) for s in ("127.0.0.1", "224.0.0.1", "255.255.255.255", "0.0.0.0", "0.1.2.3")] +
                   [(f"to {d}", V4, bytes(IP(src=C4, dst=d) / udp())) for d in ("127.0.0.1", "0.0.0.0")] +
                   [(f"from {s}", V6, bytes(IPv6(src=s, dst=S6) / udp())) for s in ("ff02::1", "::1", "::")] +
                   [(f"to {d}", V6, bytes(IPv6(src=C6, dst=d) / udp())) for d in ("::1", "::")],
    "bad-extension": [("hop-by-hop not first", V6, bytes(chain6(IPv6ExtHdrDestOpt(), IPv6ExtHdrHopByHop()))),
                      ("hop-by-hop twice", V6, bytes(chain6(IPv6ExtHdrHopByHop(), IPv6ExtHdrHopByHop()))),
                      ("routing header type 0", V6, bytes(v6(nh=43) / Raw(bytes([17, 2, 0, 1]) + bytes(20)) / udp())),
                      ("nine headers", V6, bytes(chain6(*[IPv6ExtHdrDestOpt() for _ in range(9)]))),
                      ("cut off", V6, bytes(v6(nh=60, plen=4) / Raw(b"\x11\x05\0\0")))],
    "short-transport": [("TCP of 19 bytes", V4, raw4(bytes(tcp())[:19], 6)), ("UDP of 7 bytes", V4, raw4(bytes(udp())[:7])), ("ICMP of 3 bytes", V4, raw4(b"\x08\0\0", 1)),
                        ("TCP of 19 bytes, v6", V6, bytes(v6(nh=6) / Raw(bytes(tcp())[:19]))), ("ICMPv6 of 3 bytes", V6, bytes(v6(nh=58) / Raw(b"\x80\0\0")))],
    "bad-transport": [("TCP data offset 4", V4, bytes(v4() / tcp(dataofs=4))), ("TCP data offset beyond", V4, raw4(bytes(TCP(sport=1, dport=2, dataofs=15)), 6)),
                      ("TCP from port 0", V4, bytes(v4() / TCP(sport=0, dport=80) / Raw(MARK))), ("TCP to port 0", V6, bytes(v6() / TCP(sport=9, dport=0) / Raw(MARK))),
                      ("UDP length 7", V4, bytes(v4() / udp(len=7))), ("UDP length beyond", V6, bytes(v6() / udp(len=2000)))],
    "bad-flags": [(f"TCP flags {f or 'none'}", V4, bytes(v4() / tcp(f))) for f in ("SF", "SR", "FR", "", "F", "FPU", "SAF")] +
                 [("TCP flags SF, v6", V6, bytes(v6() / tcp("SF")))],
    "bad-icmp": [("inner cut off", V4, bytes(error4(INNER4[:24]))), ("inner of version 6", V4, bytes(error4(INNER6))), ("error about an error", V4, bytes(error4(bytes(error4(INNER4))))),
                 ("inner cut off, v6", V6, bytes(error6(INNER6[:44]))), ("error about an error, v6", V6, bytes(error6(bytes(error6(INNER6))))),
                 ("fragment of an error", V4, late4(bytes(ICMP(type=3) / Raw(INNER4))[:48], 0, 1, 77, 1))],
    "bad-fragment": [("empty", V4, late4(b"", 64)), ("not a multiple of 8", V4, late4(b"x" * 13, 64, 1)), ("beyond 65535", V4, late4(b"x" * 64, 65528)),
                     ("first too short for TCP", V4, late4(bytes(tcp())[:16], 0, 1, 2, 6)), ("inside the TCP header", V4, late4(b"x" * 32, 8, 1, 3, 6)),
                     ("beyond 65535, v6", V6, bytes(late6(b"x" * 64, 65528))), ("not a multiple of 8, v6", V6, bytes(late6(b"x" * 13, 64, 1))),
                     ("inside the TCP header, v6", V6, bytes(late6(b"x" * 32, 8, 1, 3, 6)))],
    "not-ip": [("LLDP", 0x88CC, b"\x02\x07"), ("three VLAN tags", 0x8100, bytes(Dot1Q(vlan=1, type=0x8100) / Dot1Q(vlan=2, type=0x8100) / Dot1Q(vlan=3) / v4() / udp()))],
    "multicast": [("to a group nobody is in", V4, bytes(IP(src=C4, dst="224.0.0.5", proto=89) / Raw(MARK))), ("IPv6 group", V6, bytes(IPv6(src=C6, dst="ff05::5") / udp()))],
    "spoofed": [("from our own address", V4, bytes(IP(src="192.0.2.1", dst=S4) / udp())), ("from our own address, v6", V6, bytes(IPv6(src="2001:db8:1::1", dst=S6) / udp()))],
    "bad-neighbour": [("ARP of wrong lengths", 0x0806, bytes(ARP(hwlen=8, psrc=C4, pdst="192.0.2.1"))), ("ARP cut off", 0x0806, bytes(ARP(psrc=C4, pdst="192.0.2.1"))[:20]),
                      ("ARP for our address by another", 0x0806, bytes(ARP(op=2, psrc="192.0.2.1", hwsrc="02:00:00:00:00:77", pdst=C4))),
                      ("NS from afar", V6, bytes(IPv6(src=C6, dst="2001:db8:1::1", hlim=64) / ICMPv6ND_NS(tgt="2001:db8:1::1"))),
                      ("NA with an option of length 0", V6, bytes(IPv6(src=C6, dst="2001:db8:1::1", hlim=255) / ICMPv6ND_NA(tgt=C6) / Raw(b"\x02\0\0\0\0\0\0\0")))],
    "no-session": [("error about nothing", V4, bytes(error4(INNER4))), ("error about nothing, v6", V6, bytes(error6(INNER6)))],
    "ttl-exceeded": [("TTL 1", V4, bytes(v4(ttl=1) / udp())), ("hop limit 0", V6, bytes(v6(hlim=0) / udp()))],
}


class Malformed(unittest.TestCase):
    def setUp(self):
        self.lab = Line()
        self.addCleanup(self.lab.close)
        config = {"rules": [{"name": "all", "action": "accept"}]}
        functions = [{"name": "fw", "kind": "firewall", "config": config}, {"name": "nat", "kind": "nat", "config": {"pools": [{"name": "p", "addresses": ["198.51.100.10"]}]}}]
        self.engine = self.lab.engine("target", self.lab.document(functions)).ready()
        self.assertEqual((self.lab.ping(S4), self.lab.ping(S6)), (3, 3))
        self.mac = next(p["mac"] for p in self.engine.get("/v1/state/ports") if p["name"] == "lan")
        self.sender = subprocess.Popen(["ip", "netns", "exec", self.lab.client, "python3", "-c", SENDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.end_sender)
        self.sniffer = self.lab.process(["python3", "-c", SNIFFER, MARK.decode()], netns=self.lab.server, log=os.path.join(self.lab.folder, "sniffer"))
        until("the sniffer listens", lambda: "listening" in self.sniffer.text())

    def end_sender(self):
        self.sender.stdin.close()
        self.sender.stdout.close()
        self.sender.wait(20)

    def send(self, ethertype, packet, mac=None):
        frame = bytes.fromhex((mac or self.mac).replace(":", "")) + b"\x02\0\0\0\0\x01" + struct.pack("!H", ethertype) + bytes(packet)
        self.sender.stdin.write(frame.hex() + "\n")
        self.sender.stdin.flush()
        self.assertEqual(self.sender.stdout.readline(), "sent\n")

    def counters(self):
        both = self.engine.get("/v1/state/counters")
        total = dict(both["engine"])
        for name, value in both["edge"].items():
            total[name] = total.get(name, 0) + value
        return total

    def counted(self, reason, what, action, times=1, noisy=False):
        before = self.counters()
        action()
        def difference():
            now = self.counters()
            return {k: now[k] - before[k] for k in now if now[k] != before[k]}
        until(f"{what} is counted as {reason}", lambda: difference().get(reason, 0) >= times, 10)
        if not noisy:
            self.assertEqual(difference()[reason], times, (what, difference()))

    def test_every_kind(self):
        for reason, cases in CASES.items():
            for what, ethertype, packet in cases:
                with self.subTest(reason=reason, what=what):
                    self.counted(reason, what, lambda: self.send(ethertype, packet), noisy=reason in ("multicast", "not-ip"))
        self.counted("not-for-me", "another's MAC", lambda: self.send(V4, v4() / udp(), "02:00:00:00:00:99"))
        self.settle()

    def test_fragments(self):
        data = bytes(udp()).ljust(200, b"x")
        first = late4(data[:64], 0, 1, 500)
        self.send(V4, first)
        self.counted("fragment-duplicate", "the same again", lambda: self.send(V4, first))
        self.counted("fragment-overlap", "another over its end", lambda: self.send(V4, late4(data[56:120], 56, 1, 500)))
        self.counted("fragment-lost", "a right one of the same datagram", lambda: self.send(V4, late4(data[64:128], 64, 1, 500)))
        many = [late4(b"x" * 8, 64 + 8 * i, 1, 501) for i in range(70)]
        self.send(V4, late4(data[:64], 0, 1, 501))
        self.counted("fragment-too-many", "seventy of eight bytes", lambda: [self.send(V4, m) for m in many])
        self.send(V6, late6(data[:64], 0, 1, 500))
        self.counted("fragment-overlap", "over its end, v6", lambda: self.send(V6, late6(data[56:120], 56, 1, 500)))
        self.engine.balance()
        self.assertEqual(self.lab.ping(S4, size=4000), 3, "whole ones pass")

    def test_random_bytes(self):
        """Two thousand frames of bytes that are right at first and then less and less: whatever they are, they are accounted for."""
        import random
        dice = random.Random(7)
        seeds = [bytes(p) for _, t, p in CASES["bad-flags"]] + [bytes(chain6(IPv6ExtHdrHopByHop(), IPv6ExtHdrDestOpt())), bytes(error4(INNER4)), bytes(error6(INNER6)), late4(b"x" * 64, 0, 1)]
        for _ in range(2000):
            packet = bytearray(dice.choice(seeds))
            for _ in range(dice.randrange(1, 9)):
                packet[dice.randrange(len(packet))] = dice.randrange(256)
            self.send(dice.choice((V4, V6)), packet[:dice.randrange(1, len(packet) + 1)])
        self.assertEqual((self.lab.ping(S4), self.lab.ping(S6)), (3, 3))
        until("what was held is over", lambda: self.engine.get("/v1/state/counters")["balance"]["held"] == 0, 30)
        self.engine.balance()

    def settle(self):
        self.assertEqual((self.lab.ping(S4), self.lab.ping(S6)), (3, 3), "it works as before")
        self.engine.balance()
        self.assertNotIn("came", self.sniffer.text())


if __name__ == "__main__":
    unittest.main(verbosity=2)
