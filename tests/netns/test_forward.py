# SPDX-License-Identifier: BSD-3-Clause
"""One smallest function between two hosts: IPv4, IPv6, TCP, ICMP, fragments, TTL; local and behind a hop; one worker and two."""
import os
import unittest

from lab import Line, run, until

COUNT = [{"name": "c", "kind": "count"}]


class Forward(unittest.TestCase):
    def setUp(self):
        self.lab = Line()
        self.addCleanup(self.lab.close)

    def traffic(self, engines):
        lab = self.lab
        data = lab.web()
        for target in (lab.SERVER4, lab.SERVER6):
            self.assertEqual(lab.ping(target), 3, target)
            self.assertEqual(lab.ping(target, size=4000), 3, f"fragments to {target}")
        for target in (lab.SERVER4, f"[{lab.SERVER6}]"):
            self.assertEqual(lab.fetch(f"http://{target}:8000/file"), data)
        self.assertEqual(lab.ping("192.0.2.1"), 3, "the edge's own address")
        for own in ("192.0.2.1", "2001:db8:1::1"):
            self.assertEqual(lab.ping(own, size=4000), 3, f"fragments for {own}")
        for engine in engines:
            balance = engine.balance()
            self.assertEqual(balance["held"], 0)

    def test_local(self):
        self.traffic([self.lab.engine("one", self.lab.document(COUNT)).ready()])

    def test_two_workers(self):
        engine = self.lab.engine("two", self.lab.document(COUNT, workers=2, workersMax=2)).ready()
        self.traffic([engine])
        self.assertEqual(len(engine.get("/v1/state/workers")), 2)
        self.shared(engine)

    def shared(self, engine):
        """Of many pairs of hosts each worker takes and sends its own: only neighbour discovery is handed over. A change of workers moves them all, and back."""
        lab = self.lab
        hosts = [f"192.0.2.{n}" for n in range(20, 36)]
        counter = lambda name: engine.get("/v1/state/counters")["engine"][name]
        for host in hosts:
            run("ip", "-n", lab.client, "addr", "add", f"{host}/24", "dev", "eth0")
        for workers in (2, 1, 2):
            self.assertLess(engine.rest("PUT", "/v1/config", lab.document(COUNT, workers=workers, workersMax=2)).status, 300)
            before, handed = [w["opened"] for w in engine.get("/v1/state/workers")], counter("handed-off")
            for host in hosts:
                done = run("ip", "netns", "exec", lab.client, "ping", "-n", "-c", 2, "-i", "0.01", "-W", 2, "-I", host, lab.SERVER4)
                self.assertIn("2 received", done.stdout)
            took = [w["opened"] - b for w, b in zip(engine.get("/v1/state/workers"), before)]
            self.assertLess(counter("handed-off") - handed, len(hosts) // 2)
            self.assertTrue(all(n > 2 for n in took[:workers]), took)
        engine.balance()

    def test_ttl(self):
        self.lab.engine("ttl", self.lab.document(COUNT)).ready()
        for target, router in ((self.lab.SERVER4, "192.0.2.1"), (self.lab.SERVER6, "2001:db8:1::1")):
            done = run("ip", "netns", "exec", self.lab.client, "ping", "-n", "-c", 1, "-W", 2, "-t", 1, target, check=False)
            self.assertIn(router, done.stdout)
            self.assertRegex(done.stdout, "Time to live exceeded|Hop limit")

    def test_interface_comes_back(self):
        lab = self.lab
        engine = lab.engine("back", lab.document(COUNT)).ready()
        self.assertEqual(lab.ping(lab.SERVER4), 3)
        for _ in range(2):
            run("ip", "-n", lab.edge, "link", "del", "wan0")
            until("it is seen", lambda: not [p for p in engine.get("/v1/state/ports") if p["name"] == "wan"][0]["up"])
            self.assertEqual(lab.ping(lab.SERVER4, count=1), 0)
            lab.veth(lab.server, "eth0", lab.edge, "wan0")
            lab.host(lab.server, "eth0", [f"{lab.SERVER4}/24", f"{lab.SERVER6}/64"], ["198.51.100.2", "2001:db8:2::2"])
            until("traffic is back", lambda: lab.ping(lab.SERVER4, count=1) == 1)
            self.assertEqual(lab.ping(lab.SERVER6), 3)
        self.assertIn("interface-back", engine.logged())
        features = run("ip", "netns", "exec", lab.edge, "ethtool", "-k", "wan0").stdout
        self.assertIn("tx-checksumming: off", features)
        engine.balance()

    def test_neighbours_are_told_of_new_addresses(self):
        """Hosts that believe an address elsewhere learn at once, without asking, that it is the edge's now."""
        lab = self.lab
        document = lab.document(COUNT)
        engine = lab.engine("news", document).ready()
        mac = [p for p in engine.get("/v1/state/ports") if p["name"] == "lan"][0]["mac"]
        new = "192.0.2.77", "2001:db8:1::77"
        for address in new:
            run("ip", "-n", lab.client, "neigh", "replace", address, "lladdr", "02:00:00:00:00:77", "dev", "eth0", "nud", "stale")
        document["edge"]["ports"][0]["addresses"] = lab.LAN + ["192.0.2.77/24", "2001:db8:1::77/64"]
        self.assertEqual(engine.rest("PUT", "/v1/config", document).status, 200)
        for address in new:
            until(f"{address} is known", lambda: mac in run("ip", "-n", lab.client, "neigh", "show", address).stdout)
        engine.balance()

    def hop_documents(self, **engine):
        lab = self.lab
        folder = os.path.join(lab.folder, "hop")
        service = {"engine": engine, "edge": {"ports": lab.ports()}, "paths": [{"name": "all", "path": ["lan", "c", "wan"]}],
                   "hops": [{"name": "c", "kind": "count", "path": "all", "a": f"vhost:{folder}/a.sock", "b": f"vhost:{folder}/b.sock"}]}
        links = [{"name": "all.a", "as": "lan", "device": f"virtio:{folder}/a.sock", "addresses": lab.LAN},
                 {"name": "all.b", "as": "wan", "device": f"virtio:{folder}/b.sock", "addresses": lab.WAN}]
        hop = {"engine": engine, "edge": {"mode": "link", "ports": links}, "functions": COUNT,
               "paths": [{"name": "all", "path": ["all.a", "c", "all.b"]}]}
        return service, hop

    def start_pair(self, **engine):
        service, hop = self.hop_documents(**engine)
        function = self.lab.engine("hop", hop)
        service = self.lab.engine("service", service).ready()
        function.ready()
        self.wait_up(service)
        return service, function

    def wait_up(self, service):
        until("the hop is up", lambda: all(h["up"] for h in service.get("/v1/state/hops")))

    def test_hop(self):
        self.traffic(self.start_pair())

    def test_hop_dies(self):
        service, function = self.start_pair()
        self.assertEqual(self.lab.ping(self.lab.SERVER4), 3)
        function.process.kill()
        until("the hop is seen down", lambda: not any(h["up"] for h in service.get("/v1/state/hops")))
        self.assertEqual(self.lab.ping(self.lab.SERVER4, count=1), 0)
        self.assertEqual(self.lab.ping("192.0.2.1"), 3, "the edge lives")
        function.start()
        function.ready()
        self.wait_up(service)
        until("traffic is back", lambda: self.lab.ping(self.lab.SERVER4, count=1) == 1)
        service.balance()

    def test_service_dies(self):
        """Three times, for what is left of the last peer must not be in the way of the next."""
        service, function = self.start_pair()
        self.assertEqual(self.lab.ping(self.lab.SERVER4), 3)
        for _ in range(3):
            service.process.kill()
            until("it is dead", lambda: not service.process.alive())
            service.start()
            service.ready()
            self.wait_up(service)
            until("traffic is back", lambda: self.lab.ping(self.lab.SERVER4, count=1) == 1)
        service.balance()
        function.balance()

    def test_hop_two_workers(self):
        service, function = self.start_pair(workers=2)
        self.traffic((service, function))
        for engine in (service, function):
            queues = {p["device"].split(":")[0]: p["queues"] for p in engine.get("/v1/state/ports")}
            self.assertEqual([q for kind, q in queues.items() if kind in ("vhost", "virtio")], [2])


if __name__ == "__main__":
    unittest.main(verbosity=2)
