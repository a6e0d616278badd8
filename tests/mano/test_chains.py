#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Chains: each edit is one revision, and reaches the running processes. Real executables."""
import mano
from mano import service


class Chains(mano.Case):
    def setUp(self):
        super().setUp()
        vnfs = [{"name": name, "kind": "firewall", "config": {}} for name in ("fw", "fw2")]
        vnfs.append({"name": "far", "kind": "firewall", "placement": "process", "config": {}})
        self.s.must_apply(service(vnfs=vnfs))
        self.where = "/v1/services/edge/chains"

    def edit(self, task, body, status=200):
        reply = self.s.call("POST", f"{self.where}/all:{task}?wait=60", body)
        shown = self.assertStatus(reply, status)
        if status == 200:
            self.assertEqual(shown["state"], "COMPLETED", shown)

    def path(self):
        """As described, and as it runs."""
        described = self.s.get(f"{self.where}/all").json["path"]
        running = mano.request(self.s.run + "/edge/control.sock", "GET", "/v1/config").json
        self.assertEqual(running["paths"][0]["path"], described)
        return described

    def test_insert_remove_reorder(self):
        pid = self.s.shown()["process"]["pid"]
        self.edit("insert", {"vnf": "fw2", "before": "wan"})
        self.assertEqual(self.path(), ["lan", "fw", "fw2", "wan"])
        self.edit("reorder", {"path": ["lan", "fw2", "fw", "wan"]})
        self.assertEqual(self.path(), ["lan", "fw2", "fw", "wan"])
        self.edit("remove", {"vnf": "fw2"})
        self.assertEqual(self.path(), ["lan", "fw", "wan"])
        self.edit("insert", {"vnf": "fw2", "position": 0})
        self.assertEqual(self.path(), ["lan", "fw2", "fw", "wan"])
        self.assertEqual(self.s.shown()["process"]["pid"], pid)
        self.assertEqual(self.s.shown()["revision"], 5)

    def test_hop_joins_and_leaves(self):
        self.assertEqual(self.s.vnf("far")["state"], "standby")
        self.edit("insert", {"vnf": "far", "after": "fw"})
        self.assertEqual(self.path(), ["lan", "fw", "far", "wan"])
        self.assertEqual(self.s.vnf("far")["state"], "ready")
        self.assertEqual(sorted(self.s.pids().values()), ["edge", "edge/far"])
        self.edit("remove", {"vnf": "far"})
        self.assertEqual(self.s.vnf("far")["state"], "standby")
        self.assertEqual(list(self.s.pids().values()), ["edge"])

    def test_second_chain(self):
        chain = {"name": "web", "path": ["lan", "fw2", "wan"], "priority": 10,
                 "match": [{"protocol": "tcp", "destinationPorts": "80"}]}
        self.assertStatus(self.s.call("POST", f"{self.where}?wait=60", chain), 200)
        self.assertStatus(self.s.call("POST", self.where, chain), 409)
        self.assertEqual([one["name"] for one in self.s.get(self.where).json], ["all", "web"])
        chain["path"] = ["lan", "fw2", "far", "wan"]
        self.assertStatus(self.s.call("PUT", f"{self.where}/web?wait=60", chain), 200)
        self.assertEqual(self.s.vnf("far")["chains"], ["web"])
        self.assertStatus(self.s.call("DELETE", f"{self.where}/web?wait=60"), 200)
        self.assertEqual([one["name"] for one in self.s.get(self.where).json], ["all"])

    def test_refusals(self):
        self.edit("insert", {"vnf": "nobody"}, 422)
        self.edit("insert", {"vnf": "fw"}, 422)
        self.edit("insert", {"vnf": "fw2", "before": "nobody"}, 422)
        self.edit("insert", {"vnf": "fw2", "before": "lan"}, 422)
        self.edit("insert", {"vnf": "fw2", "position": 7}, 422)
        self.edit("insert", {}, 422)
        self.edit("remove", {"vnf": "lan"}, 422)
        self.edit("remove", {"vnf": "fw2"}, 422)
        self.edit("reorder", {"path": ["lan", "wan"]}, 422)
        self.edit("reorder", {"path": ["wan", "fw", "lan"]}, 422)
        self.assertEqual(self.s.shown()["revision"], 1)
        self.assertStatus(self.s.call("POST", f"{self.where}/none:insert", {"vnf": "fw2"}), 404)


mano.main()
