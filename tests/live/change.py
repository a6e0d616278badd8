# SPDX-License-Identifier: BSD-3-Clause
"""Random changes of the service that live.Live describes; none of them may hurt its traffic."""
import os
import random

SEED = int(os.environ.get("SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)


class Changing:
    """For a test of the class Live: each method is one change of self.descriptor, chosen with self.dice."""

    def changes(self):
        every = [self.rules, self.member, self.order, self.addresses, self.routes, self.move, self.ports]
        return every + ([self.workers] if "workersMax" in self.descriptor["engine"] else [])

    def rules(self):
        """A rule comes or goes, in front of the one that lets the traffic through."""
        rules = self.descriptor["vnfs"][0]["config"]["rules"]
        if len(rules) > 1 and self.dice.random() < 0.4:
            del rules[self.dice.randrange(len(rules) - 1)]
        else:
            rules.insert(0, {"name": f"r{self.dice.randrange(1 << 30)}", "action": "drop",
                             "destination": [f"203.0.113.{self.dice.randrange(256)}"]})

    def member(self):
        """A second firewall comes into the chain, or goes."""
        path, vnfs = self.descriptor["chains"][0]["path"], self.descriptor["vnfs"]
        if "c" in path:
            path.remove("c")
            vnfs.pop()
        else:
            vnfs.append({"name": "c", "kind": "firewall", "config": {"default": "accept"}})
            path.insert(self.dice.randrange(1, len(path)), "c")

    def order(self):
        """The second firewall changes its place."""
        path = self.descriptor["chains"][0]["path"]
        if "c" in path:
            path.remove("c")
            path.insert(self.dice.randrange(1, len(path)), "c")

    def addresses(self):
        ports = self.descriptor["edge"]["ports"]
        extra = "192.0.2.77/24"
        (ports[0]["addresses"].remove if extra in ports[0]["addresses"] else ports[0]["addresses"].append)(extra)

    def ports(self):
        """A third port comes, or goes."""
        ports = self.descriptor["edge"]["ports"]
        if len(ports) > 2:
            ports.pop()
        else:
            ports.append({"name": "dmz", "device": "null:?receive=0", "addresses": ["203.0.113.129/25"]})

    def workers(self):
        """Workers come or go, without a restart."""
        engine = self.descriptor["engine"]
        engine["workers"] = self.dice.randint(1, engine["workersMax"])

    def routes(self):
        routes = self.descriptor["edge"].setdefault("routes", [])
        if routes:
            routes.pop()
        else:
            routes.append({"prefix": "203.0.113.0/24", "via": "198.51.100.254"})

    def move(self):
        """A function moves out of the service's process, or back."""
        vnf = self.dice.choice(self.descriptor["vnfs"])
        vnf["placement"] = "fused" if vnf.get("placement") == "process" else "process"
