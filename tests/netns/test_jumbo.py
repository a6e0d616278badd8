# SPDX-License-Identifier: BSD-3-Clause
"""Packets of 9000 bytes through a NAT that stands behind a hop: whole, told when they are too big for the way out, or cut where they may be."""
import os
import unittest

from lab import Line, run, until

NAT = {"pools": [{"name": "public", "addresses": ["198.51.100.10"]}]}


def ping(lab, target, size, fragments):
    """What ping says of one packet of that size."""
    return run("ip", "netns", "exec", lab.client, "ping", "-n", "-c", "2", "-i", "0.1", "-W", "2", "-M", fragments, "-s", size - (48 if ":" in target else 28), target, check=False).stdout


class Jumbo(unittest.TestCase):
    def setUp(self):
        self.lab = lab = Line()
        self.addCleanup(lab.close)
        for space, interface in ((lab.client, "eth0"), (lab.server, "eth0")):
            run("ip", "-n", space, "link", "set", "dev", interface, "mtu", "9000")
        folder = os.path.join(lab.folder, "nat")
        self.document = {"engine": {"mbufs": 8192}, "edge": {"ports": [dict(port, mtu=9000) for port in lab.ports()]}, "paths": [{"name": "all", "path": ["lan", "nat", "wan"]}],
                         "hops": [{"name": "nat", "kind": "nat", "path": "all", "config": NAT, "a": f"vhost:{folder}/a.sock", "b": f"vhost:{folder}/b.sock"}]}
        links = [{"name": f"all.{side}", "as": port["name"], "device": f"virtio:{folder}/{side}.sock", "addresses": port["addresses"], "mtu": 9000} for side, port in zip("ab", lab.ports())]
        inner = {"engine": {"mbufs": 8192}, "edge": {"mode": "link", "ports": links}, "functions": [{"name": "nat", "kind": "nat", "config": NAT}], "paths": [{"name": "all", "path": ["all.a", "nat", "all.b"]}]}
        self.nat = lab.engine("nat", inner)
        self.engine = lab.engine("service", self.document).ready()
        self.nat.ready()
        until("the hop is up", lambda: all(h["up"] for h in self.engine.get("/v1/state/hops")))

    def put(self, **wan):
        document = dict(self.document, edge={"ports": [self.document["edge"]["ports"][0], {**self.document["edge"]["ports"][1], **wan}]})
        return self.engine.rest("PUT", "/v1/config", document)

    def test_jumbo(self):
        lab = self.lab
        for target in (lab.SERVER4, lab.SERVER6):
            until(f"9000 bytes to {target}", lambda: " 0% packet loss" in ping(lab, target, 9000, "do"), 30)
        data = lab.web(3000000)
        self.assertEqual(lab.fetch(f"http://{lab.SERVER4}:8000/file"), data)
        reply = self.put(mtu=9200)
        self.assertEqual(reply.status, 409, reply.body)
        self.assertIn("packet buffers, which are for the life of the process, hold 9000", reply.body)
        self.assertLess(self.put(mtu=1500).status, 300)
        self.assertIn("mtu = 1500", ping(lab, lab.SERVER4, 9000, "do"))
        self.assertIn("mtu=1500", ping(lab, lab.SERVER6, 9000, "do").replace("mtu = ", "mtu="))
        run("ip", "-n", lab.client, "route", "flush", "cache")
        self.assertIn(" 0% packet loss", ping(lab, lab.SERVER4, 9000, "dont"))
        self.assertEqual(lab.fetch(f"http://{lab.SERVER4}:8000/file"), data)
        self.engine.balance()
        self.nat.balance()


if __name__ == "__main__":
    unittest.main(verbosity=2)
