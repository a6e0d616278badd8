# SPDX-License-Identifier: BSD-3-Clause
"""TCP and SCTP tracking beside Linux conntrack: the same packets through a Linux router and through the firewall; the verdict of each, and the state at the end.

Every difference stands in the table of docs/TRACKING.md. One that does not, and one that is there and is gone, fails.
"""
import os
import re
import struct
import unittest

from scapy.all import IP, TCP, UDP, Ether, Raw
from scapy.layers.sctp import (SCTP, SCTPChunkAbort, SCTPChunkCookieAck, SCTPChunkCookieEcho, SCTPChunkData, SCTPChunkError, SCTPChunkHeartbeatAck, SCTPChunkHeartbeatReq,
                               SCTPChunkInit, SCTPChunkInitAck, SCTPChunkSACK, SCTPChunkShutdown, SCTPChunkShutdownAck, SCTPChunkShutdownComplete)

from conntrack_scripts import MIDSTREAM, SCRIPTS, SCTP_SCRIPTS, steps
from frames import Wire, quiet
from lab import SOURCE, Line, run, until

FLAGS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16, "U": 32, "E": 64, "C": 128}
ZONES = [{"name": "inside", "ports": ["lan"]}, {"name": "outside", "ports": ["wan"]}]
RULES = [{"name": "out", "from": "inside", "to": "outside", "protocol": "tcp", "action": "accept"},
         {"name": "associations", "from": "inside", "to": "outside", "protocol": "sctp", "action": "accept"}, {"name": "markers", "protocol": "udp", "action": "accept"},
         {"name": "ping", "protocol": "icmp", "action": "accept"}]
# What the rules of Sluice's firewall say, in nftables' words.
RULESET = """
table ip t {
	chain forward {
		type filter hook forward priority 0; policy drop;
		meta l4proto { udp, icmp } accept
		ct state invalid drop
		ct state established,related accept
		iifname "lan0" ct state new accept
	}
}
"""
STATES = {"SYN_SENT": "opening", "SYN_SENT2": "opening", "SYN_RECV": "opening", "ESTABLISHED": "established", "FIN_WAIT": "closing", "CLOSE_WAIT": "closing", "LAST_ACK": "closing",
          "TIME_WAIT": "closing", "CLOSE": "closing", "CLOSED": "closed", "COOKIE_WAIT": "opening", "COOKIE_ECHOED": "opening", "HEARTBEAT_SENT": "opening", "SHUTDOWN_SENT": "closing", "SHUTDOWN_RECD": "closing",
          "SHUTDOWN_ACK_SENT": "closing"}
# First numbers of client and server: plain, about to wrap, and both in the upper half.
NUMBERS = [(1000, 5000000), (0xFFFFFFC0, 0xFFFFFF80), (0x7FFFFFF0, 0xC0000000)]
FIRST_PORT = 20000
CHUNKS = {"DATA": SCTPChunkData(beginning=1, ending=1, data=b"data"), "INIT": SCTPChunkInit(a_rwnd=9000, n_out_streams=1, n_in_streams=1),
          "INIT_ACK": SCTPChunkInitAck(a_rwnd=9000, n_out_streams=1, n_in_streams=1), "SACK": SCTPChunkSACK(), "HEARTBEAT": SCTPChunkHeartbeatReq(), "HEARTBEAT_ACK": SCTPChunkHeartbeatAck(),
          "ABORT": SCTPChunkAbort(), "SHUTDOWN": SCTPChunkShutdown(), "SHUTDOWN_ACK": SCTPChunkShutdownAck(), "ERROR": SCTPChunkError(), "COOKIE_ECHO": SCTPChunkCookieEcho(cookie=b"abcd"),
          "COOKIE_ACK": SCTPChunkCookieAck(), "SHUTDOWN_COMPLETE": SCTPChunkShutdownComplete()}
TAGS = {"c": 0xC0C0C0C0, "s": 0x50505050, "C": 0xC1C1C1C1, "S": 0x51515151, "x": 0xDEADBEEF, "0": 0}


def association_packet(step, port, _):
    side, chunks, tag, *more = step
    sport, dport = (port, 80) if side == "C" else (80, port)
    packet = SCTP(sport=sport, dport=dport, tag=TAGS[tag])
    for name in chunks.split("+"):
        chunk = CHUNKS[name].copy()
        for word in more:
            if word.startswith("init=") and name.startswith("INIT"):
                chunk.init_tag = TAGS[word[5:]]
            if word == "T":
                chunk.TCB = 1
        packet = packet / chunk
    data = bytearray(bytes(packet))
    if "bad" in more:
        data[8] ^= 1
    return bytes(data)


def segment(step, port, first):
    side, flags, seq, ack, options = step
    ports = (port, 80) if side == "C" else (80, port)
    own, far = first if side == "C" else first[::-1]
    tcp = TCP(sport=ports[0], dport=ports[1], seq=(own + seq) & 0xFFFFFFFF, ack=(far + ack) & 0xFFFFFFFF if "A" in flags else 0, flags=sum(FLAGS[f] for f in flags),
              window=options.get("win", 65535), options=[("WScale", options["scale"]), ("NOP", None)] if "scale" in options else [])
    if "bad" in options:
        tcp.chksum = 0x1234
    return tcp / Raw(bytes(options.get("len", 0)))


class Side:
    """One of the two routers with a silent host at either end."""

    def __init__(self, case):
        self.lab = Line()
        case.addCleanup(self.lab.close)
        for space in (self.lab.client, self.lab.server):
            quiet(space, "tcp", "udp", "sctp")
        self.wires = {"C": Wire(self.lab.client), "S": Wire(self.lab.server)}
        for wire in self.wires.values():
            case.addCleanup(wire.close)
        self.marker = 0

    def meet(self):
        until("the way is open", lambda: self.lab.ping(self.lab.SERVER4) == 3)
        self.macs = {}
        for side, space in (("C", self.lab.client), ("S", self.lab.server)):
            gateway = self.lab.LAN[0] if side == "C" else self.lab.WAN[0]
            text = run("ip", "-n", space, "neigh", "show", gateway.split("/")[0]).stdout
            self.macs[side] = re.search(r"lladdr (\S+)", text).group(1)

    def ends(self, side):
        return (self.lab.CLIENT4, self.lab.SERVER4) if side == "C" else (self.lab.SERVER4, self.lab.CLIENT4)

    def send(self, side, what, number):
        source, destination = self.ends(side)
        self.wires[side].send(Ether(src="02:00:00:00:00:01", dst=self.macs[side]) / IP(src=source, dst=destination, id=number, **({"proto": 132} if isinstance(what, bytes) else {})) / what)

    def seen_until_marker(self, wire, number):
        """Numbers of the segments that come out before a marker does."""
        segments = set()
        while True:
            got = wire.receive(lambda f: f[12:14] == b"\x08\x00" and f[23] in (6, 17, 132), timeout=20)
            assert got, "the marker is lost"
            packet = IP(got[0][14:])
            if UDP in packet and bytes(packet[UDP].payload)[:2] == struct.pack("!H", number):
                return segments
            segments.add(packet.id)

    def passes(self, build, step, port, first):
        """Whether a packet comes out at the other side: it does before datagrams that are sent behind it, or never. Flows of one burst may overtake each other,
        so the second marker is sent when the first has come."""
        side = step[0]
        wire = self.wires["S" if side == "C" else "C"]
        self.marker = self.marker % 0xFFFF + 1
        self.send(side, build(step, port, first), self.marker)
        seen = set()
        for _ in range(2):
            self.send(side, UDP(sport=7, dport=7) / struct.pack("!H", self.marker), 0)
            seen |= self.seen_until_marker(wire, self.marker)
        return self.marker in seen


class Linux(Side):
    def __init__(self, case, loose):
        super().__init__(case)
        for port, addresses in (("lan0", self.lab.LAN), ("wan0", self.lab.WAN)):
            self.lab.host(self.lab.edge, port, addresses[:1])
        settings = {"ipv4.ip_forward": 1, "netfilter.nf_conntrack_tcp_loose": int(loose), "netfilter.nf_conntrack_tcp_timeout_close": 300,
                    **{f"netfilter.nf_conntrack_sctp_timeout_{state}": 300 for state in ("closed", "cookie_wait", "cookie_echoed", "shutdown_sent", "shutdown_recd", "shutdown_ack_sent")}}
        rules = os.path.join(self.lab.folder, "rules.nft")
        with open(rules, "w") as file:
            file.write(RULESET)
        run("ip", "netns", "exec", self.lab.edge, "nft", "-f", rules)
        for name, value in settings.items():
            run("ip", "netns", "exec", self.lab.edge, "sysctl", "-qw", f"net.{name}={value}")
        self.meet()

    def states(self, protocol):
        """{client's port: state}"""
        text, out = run("ip", "netns", "exec", self.lab.edge, "conntrack", "-L", "-p", protocol).stdout, {}
        for state, sport, dport in re.findall(r"^\w+\s+\d+ \d+ (\w+) src=\S+ dst=\S+ sport=(\d+) dport=(\d+) ", text, re.M):
            out[int(sport) if dport == "80" else int(dport)] = STATES[state]
        return out


class Sluice(Side):
    def __init__(self, case, loose):
        super().__init__(case)
        config = {"zones": ZONES, "rules": RULES, "midstream": "accept" if loose else "deny"}
        self.engine = self.lab.engine("fw", self.lab.document([{"name": "fw", "kind": "firewall", "config": config}], timeouts={"sctpClosing": 300})).ready()
        self.meet()

    def states(self, protocol):
        out, cursor = {}, ""
        while True:
            page = self.engine.rest("GET", "/v1/state/sessions?limit=1000" + cursor)
            for s in page.json():
                if s["protocol"] == protocol:
                    out[s["forward"]["sourcePort"] if s["forward"]["destinationPort"] == 80 else s["forward"]["destinationPort"]] = s["class"].replace(f"{protocol}-", "")
            following = re.search(r"cursor=([^&>]+)", page.headers.get("Link") or "")
            if not following:
                return out
            cursor = "&cursor=" + following.group(1)


def listed():
    """The differences that the documentation explains: {(script, where): (conntrack, Sluice)}; where is a packet's number or "state"."""
    with open(os.path.join(SOURCE, "docs", "TRACKING.md")) as file:
        rows = re.findall(r"^\| ([^|]+?) \| ([\d, ]+|state) \| ([^|]+?) \| ([^|]+?) \| [^|]+ \|$", file.read(), re.M)
    return {(script, one.strip()): (linux, sluice) for script, where, linux, sluice in rows for one in where.split(",")}


class Conntrack(unittest.TestCase):
    def compare(self, scripts, loose, protocol="tcp"):
        linux, sluice = Linux(self, loose), Sluice(self, loose)
        found, ports, port = {}, {}, FIRST_PORT
        build, read, numbers = (segment, steps, NUMBERS) if protocol == "tcp" else (association_packet, lambda text: [step.split() for step in text.split(",")], [None])
        for name, script in scripts.items():
            for first in numbers:
                ports[port] = name
                for number, step in enumerate(read(script), 1):
                    verdicts = tuple("pass" if one.passes(build, step, port, first) else "drop" for one in (linux, sluice))
                    if verdicts[0] != verdicts[1]:
                        found.setdefault((name, str(number)), set()).add(verdicts)
                port += 1
        states = linux.states(protocol), sluice.states(protocol)
        for port, name in ports.items():
            ends = tuple(s.get(port, "none") for s in states)
            # To conntrack an association is closed both before its INIT is answered and after its end.
            if ends[0] != ends[1] and not (ends[0] == "closed" and ends[1] in ("opening", "closing")):
                found.setdefault((name, "state"), set()).add(ends)
        explained = {key: value for key, value in listed().items() if key[0] in scripts}
        for key in sorted(set(found) | set(explained)):
            said = f"{key[0]!r}, {'state' if key[1] == 'state' else 'packet ' + key[1]}"
            with self.subTest(said):
                self.assertEqual(found.get(key, {"no difference"}), {explained.get(key, "not in docs/TRACKING.md")}, f"{said}: (conntrack, Sluice) found, and in docs/TRACKING.md")
        sluice.engine.balance()

    def test_strict(self):
        self.compare(SCRIPTS, loose=False)

    def test_midstream(self):
        self.compare(MIDSTREAM, loose=True)

    def test_sctp(self):
        self.compare(SCTP_SCRIPTS, loose=False, protocol="sctp")

    def test_table_names_scripts(self):
        known = {**SCRIPTS, **MIDSTREAM, **SCTP_SCRIPTS}
        self.assertEqual(len(known), len(SCRIPTS) + len(MIDSTREAM) + len(SCTP_SCRIPTS), "names are told apart")
        for script, where in listed():
            self.assertIn(script, known)
            self.assertTrue(where == "state" or 1 <= int(where) <= len(known[script].strip(", ").split(",")), (script, where))


if __name__ == "__main__":
    unittest.main(verbosity=2)
