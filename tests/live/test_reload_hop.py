#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Ten thousand rules of a firewall behind a hop are replaced, again and again, under numbered traffic. Compiling them makes the memory grow that it shares with
the service's process: the links have to stay. New sessions meet the new rules at once."""
import os
import subprocess

import mano
from lab import until
from live import FIREWALL, Live, Load

RULES = int(os.environ.get("RULES", "10000"))
RELOADS = int(os.environ.get("RELOADS", "4"))
RATE = int(os.environ.get("RATE", "500"))


def rules(generation):
    """All differ from one generation to the next but the last, by which the load passes; the gate before it is open in even ones."""
    zones = {"from": "inside", "to": "outside"}
    many = [{"name": f"g{generation}-{i}", **zones, "action": "drop", "protocol": ("tcp", "udp")[i % 2], "source": [f"10.{generation % 250}.{i // 250 % 250}.0/24"],
             "destination": [f"203.0.{i % 250}.0/24", f"2001:db8:{generation % 250:x}:{i:x}::/64"][:1 + i % 2], "destinationPorts": f"{1 + i}-{i + 100}"} for i in range(RULES - 2)]
    gate = {"name": f"gate-{generation}", **zones, "action": "reject" if generation % 2 else "accept", "protocol": "tcp", "destinationPorts": 8000}
    return many + [gate, {"name": "all", **zones, "action": "accept"}]


class Reload(Live):
    placement = "process"

    def fetches(self, address):
        """Whether a new session passes the gate; a refusal is a reset, which is curl's 7."""
        code = subprocess.run(["ip", "netns", "exec", self.line.client, "curl", "-s", "-g", "-m", "20", "-o", os.devnull, f"http://{address}:8000/file"]).returncode
        self.assertIn(code, (0, 7))
        return code == 0

    def reload(self, generation):
        """The operation is completed when the new rules are in force."""
        self.descriptor["vnfs"][0]["config"] = {**FIREWALL, "rules": rules(generation)}
        self.s.must_apply(self.descriptor, wait=120)
        self.assertEqual([self.fetches(a) for a in (self.line.SERVER4, f"[{self.line.SERVER6}]")], [generation % 2 == 0] * 2, f"generation {generation}")

    def test_reload(self):
        self.line.web(1000)
        self.reload(0)
        pids = self.s.pids()
        load = Load(self.line, RATE, 600)
        until("the load flows", lambda: self.s.get("/v1/services/edge/state/counters").json["balance"]["received"] > RATE)
        for generation in range(1, RELOADS + 1):
            self.assertTrue(load.running())
            self.reload(generation)
        load.stop()
        result = load.result()
        print(result, flush=True)
        self.assertGreater(result["sent"], RATE)
        self.assertEqual((result["lost"], result["reordered"]), (0, 0), f"{result}\n{self.drops()}")
        self.assertEqual(self.s.pids(), pids)
        self.balances()


mano.main()
