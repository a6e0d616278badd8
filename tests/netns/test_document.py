# SPDX-License-Identifier: BSD-3-Clause
"""An engine's document as it changes: places that are given out and come back, order of paths, devices, and what must not wait for a long build."""
import os
import threading
import unittest

from lab import Line, program, run, until

COUNT = [{"name": "c", "kind": "count"}]


def null_ports():
    return [{"name": "lan", "device": "null:?receive=0", "addresses": ["192.0.2.1/24"]},
            {"name": "wan", "device": "null:?receive=0", "addresses": ["198.51.100.2/24"]}]


class Places(unittest.TestCase):
    """No traffic, no interfaces."""

    def setUp(self):
        self.lab = Line()
        self.addCleanup(self.lab.close)
        self.document = {"engine": {}, "edge": {"ports": null_ports()}, "functions": COUNT, "paths": [{"name": "all", "path": ["lan", "c", "wan"]}]}
        self.engine = self.lab.engine("one", self.document).ready()

    def put(self, document, status=200, query=""):
        reply = self.engine.rest("PUT", f"/v1/config{query}", document)
        self.assertEqual(reply.status, status, reply.body)
        return reply.json()

    def with_path(self, name, **more):
        return {**self.document, "paths": self.document["paths"] + [{"name": name, "path": ["lan", "c", "wan"]}], **more}

    def test_names_of_paths_come_back(self):
        for number in range(260):  # of 256
            self.put(self.with_path(f"dry{number}"), query="?dryRun=1")
        for number in range(260):
            bad = self.with_path(f"bad{number}")
            bad["paths"][-1]["path"] = ["lan", "nobody", "wan"]
            self.put(bad, 422)
        self.put(self.with_path("new"))
        self.assertEqual(sorted(p["name"] for p in self.engine.get("/v1/state/paths")), ["all", "new"])

    def hop(self, name, path):
        sockets = os.path.join(self.lab.folder, name[-4:] + path)
        return {"name": name, "kind": "count", "path": path, "a": f"vhost:{sockets}.a", "b": f"vhost:{sockets}.b"}

    def test_names_of_hops_come_back(self):
        def with_hop(path):
            return {**self.document, "hops": [self.hop("far", path)], "paths": [{"name": path, "path": ["lan", "far", "wan"]}]}

        for number in range(66):  # of 64
            self.put(with_hop(f"p{number}"), query="?dryRun=1")
        self.put(with_hop("new"))
        self.assertEqual([h["name"] for h in self.engine.get("/v1/state/hops")], ["far@new"])
        self.put(self.document)
        self.assertEqual(self.engine.get("/v1/state/hops"), [])

    def test_hops_whose_names_begin_alike(self):
        long = "a-firewall-with-quite-a-long-name"
        hops = [self.hop(f"{long}-{i}", "all") for i in (1, 2)]
        self.put({**self.document, "hops": hops, "paths": [{"name": "all", "path": ["lan", hops[0]["name"], hops[1]["name"], "wan"]}]})
        self.assertEqual(sorted(h["name"] for h in self.engine.get("/v1/state/hops")), [f"{long}-1@all", f"{long}-2@all"])

    def test_two_ports_on_one_device(self):
        ports = null_ports()
        for port in ports:
            port.update(name="new-" + port["name"], device="af_packet:lan0", netns=self.lab.edge)
        errors = self.put({**self.document, "edge": {"ports": ports}}, 422)["errors"]
        self.assertIn(("edge.ports[1].device", "duplicate-device"), [(e["path"], e["code"]) for e in errors])

    def test_port_that_cannot_be_opened_has_its_place(self):
        ports = null_ports() + [{"name": "third", "device": "pcap:/nonexistent/file"}]
        errors = self.put({**self.document, "edge": {"ports": ports}}, 422)["errors"]
        self.assertEqual([e["path"] for e in errors], ["edge.ports[2].device"])


class Folders(unittest.TestCase):
    """Where nothing can be written: one reason, which is the reason."""

    def refused(self, folder):
        done = run(program("sluice-chain"), "--dir", folder, "--hugepages", "never", check=False, timeout=60)
        self.assertNotEqual(done.returncode, 0)
        return done.stderr.strip()

    def test_no_folder(self):
        self.assertEqual(self.refused("/proc/nonexistent"), "sluice-chain: cannot make /proc/nonexistent: No such file or directory")

    def test_folder_that_is_read_only(self):
        said = self.refused("/proc/self")
        self.assertIn("/proc/self/", said)
        self.assertNotIn("memory for worker", said)


class Order(unittest.TestCase):
    def test_equal_paths_are_asked_in_the_order_of_the_document(self):
        lab = Line()
        self.addCleanup(lab.close)
        document = lab.document([{"name": name, "kind": "count"} for name in ("x", "y")])
        one, two = ({"name": f"by-{name}", "path": ["lan", name, "wan"]} for name in ("x", "y"))
        document["paths"] = [one]
        engine = lab.engine("one", document).ready()

        def crossed():
            before = [engine.get(f"/v1/vnfs/{name}")["packets"] for name in ("x", "y")]
            self.assertEqual(lab.ping(lab.SERVER4), 3)
            return [name for name, b in zip(("x", "y"), before) if engine.get(f"/v1/vnfs/{name}")["packets"] != b]

        self.assertEqual(crossed(), ["x"])
        for paths, wanted in (([two, one], ["y"]), ([one, two], ["x"])):
            document["paths"] = paths
            self.assertEqual(engine.rest("PUT", "/v1/config", document).status, 200)
            self.assertEqual(crossed(), wanted)


class WhileItBuilds(unittest.TestCase):
    """What is compiled for seconds holds the configuration, nothing else."""

    def test_failed_hop_is_acted_on(self):
        lab = Line()
        self.addCleanup(lab.close)
        folder = os.path.join(lab.folder, "hop")
        sockets = {side: f"{folder}/{side}.sock" for side in "ab"}
        function = lab.engine("hop", {
            "edge": {"mode": "link", "ports": [{"name": "all.a", "as": "lan", "device": f"virtio:{sockets['a']}", "addresses": lab.LAN},
                                               {"name": "all.b", "as": "wan", "device": f"virtio:{sockets['b']}", "addresses": lab.WAN}]},
            "functions": COUNT, "paths": [{"name": "all", "path": ["all.a", "c", "all.b"]}]})
        service = lab.engine("service", {
            "edge": {"ports": lab.ports()}, "functions": [{"name": "fw", "kind": "firewall", "config": {"default": "accept"}}],
            "hops": [{"name": "c", "kind": "count", "path": "all", "a": f"vhost:{sockets['a']}", "b": f"vhost:{sockets['b']}"}],
            "paths": [{"name": "all", "path": ["lan", "fw", "c", "wan"]}]}).ready()
        function.ready()
        until("the hop is up", lambda: all(h["up"] for h in service.get("/v1/state/hops")))
        until("traffic crosses it", lambda: lab.ping(lab.SERVER4) == 3)

        rules = [{"name": f"r{i}", "source": [f"10.{i >> 8 & 255}.{i & 255}.0/24"], "destination": [f"{11 + (i >> 8)}.0.{i & 255}.0/24"], "protocol": "tcp",
                  "destinationPorts": f"{1 + i}-{20000 + i}", "action": "drop"} for i in range(40000)]
        replies = []
        build = threading.Thread(target=lambda: replies.append(service.rest("PUT", "/v1/vnfs/fw/config", {"default": "accept", "rules": rules}, timeout=170).status))
        build.start()

        def held():
            try:
                service.rest("GET", "/v1/state/hops", timeout=0.2)
                return False
            except TimeoutError:
                return True

        until("the configuration is held", held, 170, 0)
        lab.process(["ping", "-q", "-i", "0.02", "-w", "170", lab.SERVER4], netns=lab.client)
        function.process.kill()
        until("packets meet a hop that is down", lambda: service.get("/v1/state/counters")["engine"]["hop-down"] or not build.is_alive(), 170)
        self.assertTrue(build.is_alive(), replies)
        build.join()
        self.assertEqual(replies, [200])


if __name__ == "__main__":
    unittest.main(verbosity=2)
