# SPDX-License-Identifier: BSD-3-Clause
"""TCP over a wire with faults: what the engine counts of retransmissions, order and round-trip times, against what the sender and the wire say."""
import hashlib
import json
import os
import random
import subprocess
import sys
import unittest

from lab import SOURCE, Lab, Line, run, until
from test_look import FUNCTIONS, parse, promtool

RELAY = os.path.join(SOURCE, "tests", "lib", "relay.py")

# Sends N bytes, waits until the other side has closed, and says how many segments it had to send again (tcpi_total_retrans).
SENDER = """
import random, socket, struct, sys
with socket.create_server(("0.0.0.0", 9000)) as listener:
    print("listening", flush=True)
    s, _ = listener.accept()
    s.sendall(random.Random(1).randbytes(int(sys.argv[1])))
    s.recv(1)
    print(struct.unpack_from("I", s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 192), 100)[0], flush=True)
    s.shutdown(socket.SHUT_WR)
    s.recv(1)
"""
RECEIVER = """
import hashlib, socket, sys
digest, left = hashlib.sha256(), int(sys.argv[2])
with socket.create_connection((sys.argv[1], 9000)) as s:
    while left:
        data = s.recv(65536)
        digest.update(data)
        left -= len(data)
    print(digest.hexdigest(), flush=True)
    sys.stdin.readline()
    s.send(b"x")
    s.recv(1)
"""
SIZE = 400000


class Faulty(unittest.TestCase):
    """client -- lan [edge] wan -- server, with a relay on one side of the edge."""

    def build(self, where, *faults):
        lab = self.lab = Lab()
        self.addCleanup(lab.close)
        self.client, self.edge, self.server, wire = (lab.space(name) for name in ("client", "edge", "server", "wire"))
        for near, port, faulty in ((self.client, "lan0", where == "lan"), (self.server, "wan0", where == "wan")):
            if faulty:
                lab.veth(near, "eth0", wire, "far")
                lab.veth(wire, "near", self.edge, port)
                for interface in ("far", "near"):
                    lab.host(wire, interface, [])
            else:
                lab.veth(near, "eth0", self.edge, port)
        lab.host(self.client, "eth0", [f"{Line.CLIENT4}/24"], ["192.0.2.1"])
        lab.host(self.server, "eth0", [f"{Line.SERVER4}/24"], ["198.51.100.2"])
        ports = [{"name": "lan", "device": "af_packet:lan0", "netns": self.edge, "addresses": Line.LAN},
                 {"name": "wan", "device": "af_packet:wan0", "netns": self.edge, "addresses": Line.WAN}]
        self.engine = lab.engine("edge", {"edge": {"ports": ports}, "functions": FUNCTIONS,
                                          "paths": [{"name": "all", "path": ["lan", "fw", "nat", "wan"]}]}).ready()
        # faults are those of what the server sends
        ends = ("near", "far") if where == "lan" else ("far", "near")
        self.relay = lab.process([sys.executable, RELAY, *ends, *faults], netns=wire)
        until("the relay runs", lambda: self.relay.text())
        until("all know their neighbours", lambda: run("ip", "netns", "exec", self.client, "ping", "-c1", "-W1", Line.SERVER4, check=False).returncode == 0)

    def faults(self):
        return json.loads(self.relay.text().splitlines()[-1])

    def download(self):
        """Segments that the server sent again; the session as it is when all is acknowledged."""
        sender = self.lab.process([sys.executable, "-c", SENDER, SIZE], netns=self.server)
        until("the server listens", lambda: "listening" in sender.text())
        receiver = subprocess.Popen(["ip", "netns", "exec", self.client, sys.executable, "-c", RECEIVER, Line.SERVER4, str(SIZE)],
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(receiver.wait)
        self.addCleanup(receiver.kill)
        self.assertEqual(receiver.stdout.readline().strip(), hashlib.sha256(random.Random(1).randbytes(SIZE)).hexdigest())
        session = next(s for s in self.engine.get("/v1/state/sessions") if s["protocol"] == "tcp")
        receiver.stdin.write("\n")
        receiver.stdin.close()
        again = until("the server has its acknowledgements", lambda: sender.text().split()[1:])
        receiver.wait(30)
        sender.child.wait(30)
        receiver.stdout.close()
        return int(again[0]), session

    def ends(self):
        """The path's counts, by port."""
        return {e["port"]: e for e in self.engine.get("/v1/state/paths")[0]["tcp"]}

    def check_metrics(self):
        self.assertEqual(promtool(self.engine.rest("GET", "/metrics").body), (0, ""))

        def same():
            found, ends = parse(self.engine.rest("GET", "/metrics").body), self.ends()
            said = {port: frozenset({'path="all"', f'port="{port}"'}) for port in ("lan", "wan")}
            return all(found["sluice_tcp_retransmits_total"][labels] == ends[port]["retransmits"]
                       and found["sluice_tcp_out_of_order_total"][labels] == ends[port]["outOfOrder"]
                       and found["sluice_tcp_rtt_seconds_count"][labels] == ends[port]["rtt"]["count"] for port, labels in said.items())
        until("metrics say what the state says", same)  # the last segments may come between the two

    def test_lost_behind_the_edge(self):
        self.build("lan", "--drop", "20", "--delay", "5")
        again, session = self.download()
        dropped, ends = self.faults()["dropped"], self.ends()
        self.assertGreater(dropped, 5)
        self.assertGreaterEqual(again, dropped, "what was lost was sent again")
        self.assertEqual(ends["wan"]["retransmits"], again, "all of them came by")
        self.assertEqual(session["tcp"]["retransmits"][1], again)
        self.assertEqual(session["tcp"]["states"], ["established", "established"])
        self.check_metrics()

    def test_lost_before_the_edge(self):
        self.build("wan", "--drop", "20", "--delay", "5")
        again, session = self.download()
        ends = self.ends()
        again -= self.faults()["tails"]
        self.assertGreater(self.faults()["dropped"], 5)
        self.assertEqual(ends["wan"]["retransmits"], again, "what was lost was seen but once, and yet it was sent again")
        self.assertEqual(session["tcp"]["retransmits"][1], again)

    def test_overtaken(self):
        self.build("wan", "--swap", "20", "--delay", "20")
        again, session = self.download()
        ends = self.ends()
        self.assertGreater(self.faults()["swapped"], 5)
        self.assertGreaterEqual(ends["wan"]["outOfOrder"], self.faults()["swapped"])
        self.assertLessEqual(ends["wan"]["outOfOrder"], 2 * self.faults()["swapped"], "the kernel's queues may add some of their own")
        self.assertEqual(ends["wan"]["retransmits"], again)
        self.assertEqual(session["tcp"]["outOfOrder"], [0, ends["wan"]["outOfOrder"]])

    def test_round_trip_times(self):
        self.build("wan", "--delay", "25")
        _, session = self.download()
        client, server = session["tcp"]["rttUs"]
        self.assertGreaterEqual(server, 50000, "there and back")
        self.assertGreater(client, 0)
        ends = self.ends()
        self.assertGreaterEqual(ends["wan"]["rtt"]["count"], 1)
        self.assertGreaterEqual(ends["wan"]["rtt"]["meanUs"], 50000)
        self.assertGreaterEqual(ends["wan"]["rtt"]["p50Us"], 50000)
        self.assertEqual(sum(ends["wan"]["rtt"]["counts"][:10]), 0, "none below 25.6 ms")
        self.assertGreaterEqual(ends["lan"]["rtt"]["count"], 1)
        self.assertEqual(sum(ends["lan"]["rtt"]["counts"]), ends["lan"]["rtt"]["count"])
        for _ in range(3):
            self.download()
        self.assertGreaterEqual(self.ends()["wan"]["rtt"]["count"], 4, "each handshake is timed")
        self.check_metrics()


if __name__ == "__main__":
    unittest.main(verbosity=2)
