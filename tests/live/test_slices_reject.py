#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""While functions move slice by slice, packets that open no session are still answered."""
import mano
from live import FIREWALL, Live

SESSIONS = 50000
ASK = """
import socket, sys, time
while True:
    for _ in range(20):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b"no", (sys.argv[1], 9999))
    time.sleep(0.02)
"""


class Answers(Live):
    engine = {"workers": 1, "workersMax": 2, "sessions": 5 * SESSIONS, "timeouts": {"udp": 3600}}
    nat = {"pools": [{"name": "public", "addresses": ["198.51.100.10", "198.51.100.16-198.51.100.23"]}], "mappings": 1 << 17}

    def test_refused_while_functions_move(self):
        refusal = {"name": "no", "from": "inside", "to": "outside", "protocol": "udp", "destinationPorts": 9999, "action": "reject"}
        self.descriptor["vnfs"][0]["config"] = {**FIREWALL, "rules": [refusal] + FIREWALL["rules"]}
        self.apply()
        filled = self.fill(SESSIONS)
        before = {pid for pid, folder in self.s.pids().items() if folder == "edge"}
        asking = self.line.process(["python3", "-c", ASK, self.line.SERVER4], netns=self.line.client)
        for placement in ("process", "fused"):
            self.descriptor["vnfs"][1]["placement"] = placement
            self.apply()
        asking.kill(9)
        self.assertEqual({pid for pid, folder in self.s.pids().items() if folder == "edge"}, before, "it ended on the way")
        self.assertGreater(self.sessions(), 0.98 * filled, self.drops())
        self.balances()


mano.main()
