# SPDX-License-Identifier: BSD-3-Clause
"""The same packets through the same chain, placed fused and placed process, with one worker and with two: per flow the same bytes come out."""
import collections
import json
import os
import subprocess
import sys
import time
import unittest

from lab import Line, adds_up, rest, run, until

SCAPY = "/usr/bin/python3"  # the one that has the distribution's scapy
FAR4, FAR6 = "203.0.113.5", "2001:db8:99::5"

SEND = """
import json, sys
from scapy.all import *
mac, interface, frames = sys.argv[1], sys.argv[2], json.load(sys.stdin)
sock = conf.L2socket(iface=interface)
for frame in frames:
    sock.send(Ether(src=get_if_hwaddr(interface), dst=mac, type=0x0800 if frame[0] == "4" else 0x86dd) / Raw(bytes.fromhex(frame)))
    time.sleep(0.002)
"""

CATCH = """
import json, socket, sys, time
sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
sock.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE: this process may have to wait for its turn
sock.bind((sys.argv[1], 0))
sock.settimeout(0.2)
print("ready", flush=True)
frames, end = [], time.monotonic() + 60
while time.monotonic() < end and not (frames and frames[-1] is None):
    try:
        data, address = sock.recvfrom(65535)
    except socket.timeout:
        if select_stop():
            break
        continue
    if address[2] != 4 and data[12:14] in (b"\\x08\\x00", b"\\x86\\xdd"):
        frames.append(data[14:].hex())
print(json.dumps(frames))
""".replace("select_stop()", "__import__('select').select([sys.stdin], [], [], 0)[0]")


def packets():
    """Mixed, seeded traffic as IP packets in hex: TCP handshake beginnings, UDP, ICMP, fragments, both families. Fragments may overtake whole packets of a burst, and the
    first packet from an inside port chooses the outside one: they have source ports of their own."""
    script = """
import json, random
from scapy.all import *
random.seed(5)
out = []
for i in range(40):
    sport, dport, payload = random.randint(1024, 60000), random.randint(1, 2000), bytes(random.randrange(256) for _ in range(random.randint(0, 600)))
    for ip in (IP(src="192.0.2.10", dst="%s", id=random.randint(1, 65535), ttl=64), IPv6(src="2001:db8:1::10", dst="%s")):
        out.append(bytes(ip / UDP(sport=sport, dport=dport) / payload))
        out.append(bytes(ip / TCP(sport=sport, dport=dport, flags="S", seq=random.randint(0, 2**32 - 1))))
        out.append(bytes(ip / UDP(sport=sport, dport=dport) / payload[::-1]))
    out.append(bytes(IP(src="192.0.2.10", dst="%s", id=i + 1) / ICMP(id=sport, seq=i) / payload))
    out.append(bytes(IPv6(src="2001:db8:1::10", dst="%s") / ICMPv6EchoRequest(id=sport, seq=i, data=payload)))
    if i %% 8 == 0:
        out += [bytes(f) for f in fragment(IP(src="192.0.2.10", dst="%s", id=1000 + i) / UDP(sport=61000 + i, dport=9) / (payload * 3 + bytes(1600)), fragsize=800)]
print(json.dumps([o.hex() for o in out]))
""" % (FAR4, FAR6, FAR4, FAR6, FAR4)
    return json.loads(run(SCAPY, "-c", script).stdout)


def flow_of(packet):
    """What names a flow in what comes out: addresses, protocol, and ports where they are to be seen."""
    data = bytes.fromhex(packet)
    if data[0] >> 4 == 4:
        first = not int.from_bytes(data[6:8], "big") & 0x1FFF
        return data[9], data[12:20], data[20:24] if first and data[9] != 1 else data[4:6] if not first else data[24:26]
    return data[6], data[8:40], data[40:44] if data[6] != 58 else data[44:46]


def by_flow(frames):
    flows = collections.defaultdict(list)
    for frame in frames:
        flows[flow_of(frame)].append(frame)
    return dict(flows)


class Placement(unittest.TestCase):
    def setUp(self):
        self.lab = Line()
        self.addCleanup(self.lab.close)
        self.socket = self.lab.sluiced()
        self.folder = os.path.dirname(self.socket)
        self.addCleanup(lambda: rest(self.socket, "DELETE", "/v1/services/edge?wait=30", timeout=60))

    def descriptor(self, placement, workers):
        ports = [{k: v for k, v in p.items() if k != "netns"} for p in self.lab.ports()]
        firewall = {"zones": [{"name": "inside", "ports": ["lan"]}], "rules": [{"name": "out", "from": "inside", "action": "accept"}]}
        return {"name": "edge", "placement": placement, "engine": {"seed": 7, "workers": workers},
                "edge": {"netns": self.lab.edge, "ports": ports},
                "vnfs": [{"name": "fw", "kind": "firewall", "config": firewall},
                         {"name": "nat", "kind": "nat", "config": {"pools": [{"name": "p", "addresses": ["198.51.100.10-198.51.100.13"]}]}}],
                "chains": [{"name": "tcp", "priority": 1, "match": [{"protocol": "tcp"}], "path": ["lan", "nat", "wan"]},
                           {"name": "all", "path": ["lan", "fw", "nat", "wan"]}]}

    def out(self, placement, workers, frames):
        body = {"resources": {"services": [self.descriptor(placement, workers)]}}
        reply = rest(self.socket, "POST", "/v1/apply?wait=60", body, timeout=90)
        self.assertEqual(reply.json().get("state"), "COMPLETED", reply.body)
        # IPv6 passes the NAT by: a ping of IPv4, with an identifier of its own each time, would take ports from those to be compared
        until("traffic flows", lambda: self.lab.ping(self.lab.SERVER6, count=1))
        mac = json.loads(run("ip", "-j", "-n", self.lab.edge, "link", "show", "lan0").stdout)[0]["address"]
        catch = subprocess.Popen(["ip", "netns", "exec", self.lab.server, sys.executable, "-c", CATCH, "eth0"], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, text=True)
        catch.stdout.readline()
        run("ip", "netns", "exec", self.lab.client, SCAPY, "-c", SEND, mac, "eth0", input=json.dumps(frames))
        time.sleep(0.5)
        caught = json.loads(catch.communicate("stop\n")[0])
        for engine in ("edge", "edge/fw", "edge/nat") if placement == "process" else ("edge",):
            path = os.path.join(self.folder, engine, "control.sock")
            adds_up(path)
        reply = rest(self.socket, "DELETE", "/v1/services/edge?wait=30", timeout=60)
        self.assertLess(reply.status, 300, reply.body)
        far = (bytes([203, 0, 113, 5]), bytes.fromhex("20010db8009900000000000000000005"))
        return by_flow(f for f in caught if bytes.fromhex(f)[16:20] in far or bytes.fromhex(f)[24:40] in far)

    def test_same_bytes(self):
        frames = packets()
        wanted = self.out("fused", 1, frames)
        self.assertEqual(sum(map(len, wanted.values())), len(frames), "nothing is lost")
        for placement, workers in (("fused", 2), ("process", 1), ("process", 2)):
            got = self.out(placement, workers, frames)
            differ = [f for f in wanted.keys() | got.keys() if wanted.get(f) != got.get(f)]
            self.assertEqual([(f, wanted.get(f), got.get(f)) for f in differ], [], f"{placement}, {workers} workers")


if __name__ == "__main__":
    unittest.main(verbosity=2)
