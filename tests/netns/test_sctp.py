# SPDX-License-Identifier: BSD-3-Clause
"""SCTP through a firewall and a NAT: associations by port, their life, tags and checksums; what a NAT can and cannot translate."""
import unittest

from scapy.all import IP, IPv6, Ether
from scapy.layers.sctp import (SCTP, SCTPChunkAbort, SCTPChunkCookieAck, SCTPChunkCookieEcho, SCTPChunkData, SCTPChunkHeartbeatReq, SCTPChunkInit, SCTPChunkInitAck,
                               SCTPChunkShutdown, SCTPChunkShutdownAck, SCTPChunkShutdownComplete)

from frames import Wire, quiet
from lab import Line, until

ZONES = [{"name": "inside", "ports": ["lan"]}, {"name": "outside", "ports": ["wan"]}]
C, S, PORT = 0xC1C1C1C1, 0x51515151, 3868
BODY = {"a_rwnd": 65535, "n_out_streams": 10, "n_in_streams": 10, "init_tsn": 1}
INIT, INIT_ACK = SCTPChunkInit(init_tag=C, **BODY), SCTPChunkInitAck(init_tag=S, **BODY)
DATA = SCTPChunkData(beginning=1, ending=1, tsn=1, data=b"sctp-data-of-the-test")


class Sctp(unittest.TestCase):
    def setUp(self):
        self.lab = Line()
        self.addCleanup(self.lab.close)
        self.wires = []
        for space in (self.lab.client, self.lab.server):
            quiet(space, "sctp")
            self.wires.append(Wire(space))
            self.addCleanup(self.wires[-1].close)

    def start(self, functions, workers=1, **engine):
        self.engine = self.lab.engine("sctp", self.lab.document(functions, workers=workers, **engine)).ready()
        self.macs = [next(p["mac"] for p in self.engine.get("/v1/state/ports") if p["name"] == name) for name in ("lan", "wan")]
        self.assertEqual((self.lab.ping(self.lab.SERVER4), self.lab.ping(self.lab.SERVER6)), (3, 3))

    def firewall(self, port=PORT, **more):
        rules = [{"name": "diameter", "from": "inside", "to": "outside", "protocol": "sctp", "destinationPorts": port, "action": "accept"},
                 {"name": "ping", "protocol": "icmp", "action": "accept"}, {"name": "ping6", "protocol": "icmpv6", "action": "accept"}]
        return {"name": "fw", "kind": "firewall", "config": {"zones": ZONES, "rules": rules, **more}}

    def packet(self, side, chunks, tag, six=False, server=None, client=None, sport=40000, dport=PORT):
        """From the client (0) or the server (1)."""
        if six:
            ends = [self.lab.CLIENT6, self.lab.SERVER6]
        else:
            ends = [client or self.lab.CLIENT4, server or self.lab.SERVER4]
        ports = [sport, dport]
        ip = (IPv6 if six else IP)(src=ends[side], dst=ends[not side])
        sctp = SCTP(sport=ports[side], dport=ports[not side], tag=tag)
        for chunk in chunks if isinstance(chunks, (list, tuple)) else [chunks]:
            sctp = sctp / chunk
        return Ether(dst=self.macs[side], src="02:00:00:00:00:01") / ip / sctp

    @staticmethod
    def is_sctp(frame):
        return frame[12:14] == b"\x08\x00" and frame[23] == 132 or frame[12:14] == b"\x86\xdd" and frame[20] == 132

    def passes(self, side, *arguments, change=None, **more):
        """Sends one; answers what came out at the other side, its checksum proven right."""
        frame = bytes(self.packet(side, *arguments, **more))
        self.wires[side].send(change(frame) if change else frame)
        came = self.wires[not side].receive(self.is_sctp)
        self.assertEqual(len(came), 1, (side, arguments))
        packet = Ether(came[0])
        sum_of = packet[SCTP].chksum
        del packet[SCTP].chksum
        self.assertEqual(Ether(bytes(packet))[SCTP].chksum, sum_of, "CRC32c")
        return packet

    def counters(self):
        return self.engine.get("/v1/state/counters")["engine"]

    def refused(self, reason, side, *arguments, change=None, of=None, **more):
        """Sends one; it is counted under its reason and nothing comes out."""
        count = of or (lambda: self.counters()[reason])
        before = count()
        self.wires[not side].forget()
        frame = bytes(self.packet(side, *arguments, **more))
        self.wires[side].send(change(frame) if change else frame)
        until(f"counted as {reason}", lambda: count() == before + 1)
        self.assertEqual(self.wires[not side].receive(self.is_sctp, timeout=0.05), [])

    def session(self, protocol="sctp"):
        found = [s for s in self.engine.get("/v1/state/sessions") if s["protocol"] == protocol]
        self.assertEqual(len(found), 1, found)
        return found[0]

    def handshake(self, **more):
        self.passes(0, INIT, 0, **more)
        self.passes(1, INIT_ACK, C, **more)
        self.passes(0, [SCTPChunkCookieEcho(cookie=b"abcd"), DATA], S, **more)
        self.assertEqual(self.session()["class"], "sctp-opening")
        self.passes(1, SCTPChunkCookieAck(), C, **more)
        self.assertEqual(self.session()["class"], "sctp-established")

    def life(self, six):
        self.refused("denied", 0, INIT, 0, six=six, dport=2905, of=lambda: self.drops("fw", "denied-default"))
        self.refused("nothing begins outside", 1, INIT, 0, six=six, of=lambda: self.drops("fw", "denied-default"))
        self.refused("not a beginning", 0, DATA, S, six=six, of=lambda: self.drops("fw", "not-a-beginning"))
        self.handshake(six=six)
        self.passes(0, DATA, S, six=six)
        self.passes(1, DATA, C, six=six)
        self.refused("sctp-tag", 1, SCTPChunkAbort(), S, six=six)
        self.refused("sctp-tag", 0, DATA, 77, six=six)
        self.refused("sctp-checksum", 0, SCTPChunkShutdown(), S, six=six, change=lambda f: f[:-1] + bytes([f[-1] ^ 1]))
        self.refused("bad-transport", 0, [SCTPChunkInit(init_tag=9, **BODY), DATA], 0, six=six)
        self.assertEqual(self.session()["class"], "sctp-established")
        self.passes(0, SCTPChunkShutdown(cumul_tsn_ack=1), S, six=six)
        self.passes(1, SCTPChunkShutdownAck(), C, six=six)
        self.passes(0, SCTPChunkShutdownComplete(), S, six=six)
        self.assertEqual(self.session()["class"], "sctp-closing")
        until("the session ends", lambda: not [s for s in self.engine.get("/v1/state/sessions") if s["protocol"] == "sctp"])
        self.engine.balance()

    def drops(self, function, reason):
        return self.engine.get(f"/v1/vnfs/{function}")["counters"][reason]

    def test_life(self):
        self.start([self.firewall()], timeouts={"sctpClosing": 1})
        self.life(six=False)
        self.life(six=True)

    def test_two_workers(self):
        self.start([self.firewall()], workers=2, timeouts={"sctpClosing": 1})
        self.life(six=False)
        self.life(six=True)

    def test_another_path_of_an_association(self):
        """A multihomed peer's other address is first seen by its heartbeats."""
        self.start([self.firewall()])
        self.passes(0, SCTPChunkHeartbeatReq(), S)
        self.assertEqual(self.session()["class"], "sctp-opening")
        self.passes(1, DATA, C)
        self.assertEqual(self.session()["class"], "sctp-established")

    def test_midstream(self):
        self.start([self.firewall(midstream="accept")])
        self.passes(0, DATA, S)
        self.passes(1, DATA, C)
        self.assertEqual(self.session()["class"], "sctp-established")
        self.refused("sctp-tag", 0, DATA, 77)

    def test_nat(self):
        """One to one an address is translated and the CRC32c, which covers no address, stays; ports are never, so pools refuse."""
        self.start([{"name": "nat", "kind": "nat", "config": {"pools": [{"name": "p", "addresses": ["198.51.100.10"]}]}}])
        self.refused("not-translatable", 0, INIT, 0, of=lambda: self.drops("nat", "not-translatable"))
        fixed = {"static": [{"name": "one", "inside": self.lab.CLIENT4, "outside": "198.51.100.20"}]}
        reply = self.engine.rest("PUT", "/v1/vnfs/nat/config", fixed)
        self.assertEqual(reply.status, 200, reply.body)
        out = self.passes(0, INIT, 0)
        self.assertEqual((out[IP].src, out[SCTP].sport), ("198.51.100.20", 40000))
        back = self.passes(1, INIT_ACK, C, client="198.51.100.20")
        self.assertEqual((back[IP].dst, back[SCTP].dport), (self.lab.CLIENT4, 40000))
        self.passes(0, SCTPChunkCookieEcho(cookie=b"abcd"), S)
        self.passes(1, SCTPChunkCookieAck(), C, client="198.51.100.20")
        self.assertEqual(self.session()["class"], "sctp-established")
        self.engine.balance()


if __name__ == "__main__":
    unittest.main(verbosity=2)
