#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A firewall of 10,000 rules is given 10,000 others under numbered traffic: nothing is lost, nothing overtaken. Prints how long that took,
and compiling alone (a dry run by the process)."""
import ipaddress
import os
import random
import time

import mano
from change import SEED
from live import Live, Load

RULES = int(os.environ.get("RULES", "10000"))
RATE = int(os.environ.get("RATE", "500"))


class Reload(Live):
    def rules(self, dice):
        """Rules that differ in everything that a rule can look at; the last one lets the traffic through."""
        rules = []
        for number in range(RULES - 1):
            network = ipaddress.ip_network((dice.randrange(0x0b000000, 0x7f000000) & ~0xff, dice.choice((24, 28, 32))), strict=False)
            rule = {"name": f"r{number}", "action": dice.choice(("drop", "reject", "accept")), "destination": [str(network)]}
            if dice.random() < 0.5:
                low = dice.randrange(1, 60000)
                rule.update(protocol=dice.choice(("tcp", "udp")), destinationPorts=dice.choice((str(low), f"{low}-{low + 1000}")))
            if dice.random() < 0.3:
                rule["source"] = [f"192.0.2.{dice.randrange(256)}/32"]
            rules.append(rule)
        return rules + [{"name": "all", "from": "inside", "to": "outside", "action": "accept"}]

    def seconds(self, times):
        return ", ".join(f"{t:.2f}" for t in times)

    def test_reload(self):
        dice = random.Random(SEED)
        load = Load(self.line, RATE, 86400)
        compiled, took = [], []
        for _ in range(3):
            config = {**self.descriptor["vnfs"][0]["config"], "rules": self.rules(dice)}
            begin = time.monotonic()
            reply = mano.request(self.s.run + "/edge/control.sock", "PUT", "/v1/vnfs/fw/config?dryRun=1", config)
            self.assertTrue(self.assertStatus(reply, 200)["valid"])
            compiled.append(time.monotonic() - begin)
            self.descriptor["vnfs"][0]["config"] = config
            begin = time.monotonic()
            self.s.must_apply(self.descriptor, wait=120)
            took.append(time.monotonic() - begin)
            there = self.s.get("/v1/services/edge/vnfs/fw/config").json["rules"]
            wanted = [(rule["name"], rule["destination"]) for rule in self.descriptor["vnfs"][0]["config"]["rules"][:-1]]
            self.assertTrue([(rule["name"], rule["destination"]) for rule in there[:-1]] == wanted, "other rules run")
        load.stop()
        result = load.result()
        print(f"SEED={SEED} {RULES} rules, seconds to compile: {self.seconds(compiled)}; from request to effect: {self.seconds(took)}; {result}", flush=True)
        self.assertEqual((result["lost"], result["reordered"]), (0, 0), f"SEED={SEED} {self.drops()}")
        self.assertGreater(result["sent"], RATE)
        self.balances()


mano.main()
