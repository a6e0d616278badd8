# SPDX-License-Identifier: BSD-3-Clause
"""The NAT between real hosts: NAPT, forwards, 1:1, hairpin, ICMP errors, fragments, exhaustion, and its behaviour as coturn's probe sees it."""
import os
import subprocess
import unittest

from lab import Line, run, until

POOL = [{"name": "public", "addresses": ["198.51.100.10"]}]
PUBLIC = "198.51.100.10"


class Nat(unittest.TestCase):
    def setUp(self):
        self.lab = Line()
        self.addCleanup(self.lab.close)

    def start(self, workers=1, **config):
        config.setdefault("pools", POOL)
        document = self.lab.document([{"name": "nat", "kind": "nat", "config": config}], workers=workers)
        self.engine = self.lab.engine("nat", document).ready()
        return self.engine

    def server_log(self):
        return self.web.text()

    def start_web(self, space, port=8000):
        data = self.lab.web(space=space, port=port)
        self.web = self.lab.processes[-1]
        return data

    def test_napt(self):
        data = self.start_web(self.lab.server)
        self.start()
        self.assertEqual(self.lab.fetch(f"http://{self.lab.SERVER4}:8000/file"), data)
        until("the server has seen the outside address", lambda: PUBLIC in self.server_log())
        self.assertNotIn(self.lab.CLIENT4, self.server_log())
        self.assertEqual(self.lab.fetch(f"http://[{self.lab.SERVER6}]:8000/file"), data, "IPv6 passes by")
        self.assertEqual(self.lab.ping(self.lab.SERVER4), 3)
        self.assertEqual(self.lab.ping(self.lab.SERVER4, size=4000), 3, "fragments")
        self.assertTrue(any(m["outside"] == PUBLIC for m in self.engine.get("/v1/vnfs/nat/state/mappings")))
        self.engine.balance()

    def test_two_workers(self):
        data = self.start_web(self.lab.server)
        self.start(workers=2)
        for _ in range(8):
            self.assertEqual(self.lab.fetch(f"http://{self.lab.SERVER4}:8000/file"), data)
        self.assertEqual(self.lab.ping(self.lab.SERVER4, size=4000), 3, "fragments")
        self.engine.balance()

    def test_icmp_error(self):
        """The server's port unreachable reaches the client, naming the client's own packet."""
        self.start()
        done = run("ip", "netns", "exec", self.lab.client, "python3", "-c", f"""
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(3)
s.connect(("{self.lab.SERVER4}", 9))
s.send(b"x")
try:
    s.recv(1)
except ConnectionRefusedError:
    print("refused")
""", check=False)
        self.assertIn("refused", done.stdout)
        self.engine.balance()

    def test_forward_and_static(self):
        data = self.start_web(self.lab.client)
        self.start(forwards=[{"name": "web", "ports": "80", "inside": self.lab.CLIENT4, "insidePort": 8000}],
                   static=[{"name": "one", "inside": "192.0.2.11", "outside": "198.51.100.11"}])
        self.assertEqual(self.lab.fetch(f"http://{PUBLIC}/file", space=self.lab.server), data)
        run("ip", "-n", self.lab.client, "addr", "add", "192.0.2.11/24", "dev", "eth0")
        self.assertEqual(self.lab.fetch("http://198.51.100.11:8000/file", space=self.lab.server), data, "1:1, inward")
        self.assertIsNone(self.lab.fetch(f"http://{PUBLIC}:81/file", space=self.lab.server, timeout=1))
        counters = self.engine.get("/v1/vnfs/nat")["counters"]
        self.assertGreater(counters["no-mapping"], 0)
        self.engine.balance()

    def test_hairpin(self):
        """An inside host reaches another by the outside address; the other sees the outside address, too."""
        data = self.start_web(self.lab.client)
        self.start(forwards=[{"name": "web", "ports": "80", "inside": self.lab.CLIENT4, "insidePort": 8000}])
        self.assertEqual(self.lab.fetch(f"http://{PUBLIC}/file"), data)
        self.assertIn(PUBLIC, self.server_log())
        self.assertGreater(self.engine.get("/v1/vnfs/nat")["counters"]["hairpinned"], 0)
        self.engine.balance()

    def test_exhaustion(self):
        """Two blocks of 64 ports, one of which another bucket owns: the 65th mapping is refused and counted, the others live on."""
        self.start(pools=[{"name": "small", "addresses": [PUBLIC], "ports": "1024-1151"}])
        run("ip", "netns", "exec", self.lab.client, "python3", "-c", f"""
import socket, time
for i in range(200):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("", 20000 + i))
    s.sendto(b"x", ("{self.lab.SERVER4}", 7))
    time.sleep(0.005)
""")
        until("some were refused", lambda: self.engine.get("/v1/vnfs/nat")["counters"]["no-port"] >= 136)
        self.assertEqual(len(self.engine.get("/v1/vnfs/nat/state/mappings")), 64)
        self.engine.balance()

    def discover(self, flag, **config):
        """What turnutils_natdiscovery says; the server has two addresses and two ports, as RFC 5780 wants."""
        self.start(**config)
        run("ip", "-n", self.lab.server, "addr", "add", "198.51.100.253/24", "dev", "eth0")
        self.lab.process(["turnserver", "-n", "-z", "--listening-ip", self.lab.SERVER4, "--listening-ip", "198.51.100.253", "--no-tls",
                          "--no-dtls", "--no-tcp", "--no-cli", "--log-file", "stdout", "--pidfile", os.path.join(self.lab.folder, "turn.pid"),
                          "--relay-ip", self.lab.SERVER4, "--userdb", os.path.join(self.lab.folder, "turn.db")], netns=self.lab.server)

        def ask():
            done = subprocess.run(["ip", "netns", "exec", self.lab.client, "timeout", "30", "turnutils_natdiscovery", flag, self.lab.SERVER4],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            return done.stdout if "NAT with" in done.stdout else None

        return until("the probe has an answer", ask, 30, 0.5)

    def test_discovery_mapping(self):
        self.assertIn("NAT with Endpoint Independent Mapping", self.discover("-m"))

    def test_discovery_mapping_dependent(self):
        self.assertIn("NAT with Address and Port Dependent Mapping", self.discover("-m", mapping="address-and-port-dependent"))

    def test_discovery_filtering(self):
        self.assertIn("NAT with Address Dependent Filtering", self.discover("-f"))

    def test_discovery_filtering_open(self):
        self.assertIn("NAT with Endpoint Independent Filtering", self.discover("-f", filtering="endpoint-independent"))

    def test_discovery_filtering_dependent(self):
        self.assertIn("NAT with Address and Port Dependent Filtering", self.discover("-f", filtering="address-and-port-dependent"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
