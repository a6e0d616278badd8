#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The REST of sluiced: methods, conditions, waiting, paging, passing on. Real executables."""
import contextlib
import json
import shutil
import subprocess
import threading
import time

import mano
from mano import service, wait_for


class Rest(mano.Case):
    def test_creation_and_conditions(self):
        reply = self.s.call("POST", "/v1/services", service())
        op = self.assertStatus(reply, 201)
        self.assertEqual(reply.headers["Location"], f"/v1/ops/{op['id']}")
        self.assertEqual(self.s.get(f"/v1/ops/{op['id']}?wait=60").json["state"], "COMPLETED")
        self.assertStatus(self.s.call("POST", "/v1/services", service()), 409)
        shown = self.s.get("/v1/services/edge")
        self.assertEqual(shown.headers["ETag"], '"1"')
        change = {"unmatched": "route"}
        patch = lambda tag: self.s.call("PATCH", "/v1/services/edge?wait=60", change, {"If-Match": tag})
        self.assertStatus(patch('"7"'), 412)
        self.assertEqual(self.assertStatus(patch('"1"'), 200)["state"], "COMPLETED")
        self.assertStatus(patch('"1"'), 412)
        self.assertEqual(self.s.get("/v1/services/edge/descriptor").json, {**service(), "unmatched": "route"})
        same = self.s.call("PUT", "/v1/services/edge", {**service(), "unmatched": "route"})
        self.assertEqual(self.assertStatus(same, 200)["message"], "nothing to change")
        self.assertEqual(self.s.get("/v1/services/edge/descriptor", {"If-None-Match": '"2"'}).status, 304)
        revisions = self.s.get("/v1/services/edge/revisions").json
        self.assertEqual([(one["revision"], one["current"]) for one in revisions], [(1, False), (2, True)])
        self.assertEqual(self.s.get("/v1/services/edge/revisions/1").json["descriptor"], service())
        self.assertStatus(self.s.get("/v1/services/edge/revisions/9"), 404)
        self.assertStatus(self.s.call("PUT", "/v1/services/edge", service("other")), 422)

    def test_errors_are_paths_of_what_was_sent(self):
        self.s.must_apply(service())
        rule = [{"name": "a", "action": "nonsense"}]
        reply = self.s.call("PUT", "/v1/services/edge/vnfs/fw/config", {"rules": rule})
        self.assertIn("rules[0].action", [error["path"] for error in self.assertStatus(reply, 422)["errors"]])
        reply = self.s.call("PATCH", "/v1/services/edge", {"vnfs": [{"name": "fw", "kind": "toaster"}]})
        self.assertErrors(reply, 422, ("vnfs[0].kind", "unknown-kind"))
        reply = self.s.call("PUT", "/v1/services/edge/chains/all", {"path": ["lan", "nobody", "wan"]})
        self.assertErrors(reply, 422, ("path[1]", "no-such-vnf"))
        self.assertEqual(self.s.shown()["revision"], 1)

    def test_strictness(self):
        self.s.must_apply(service())
        for method, where, body, status in (
                ("DELETE", "/v1/services", None, 405), ("GET", "/v1/nothing", None, 404),
                ("GET", "/v1/services/none", None, 404), ("GET", "/v1/services/edge/vnfs/none", None, 404),
                ("DELETE", "/v1/services/none", None, 404), ("PATCH", "/v1/services/none", {}, 404),
                ("GET", "/v1/services/edge/chains/none", None, 404), ("GET", "/v1/ops/999", None, 404),
                ("GET", "/v1/ops/x", None, 404), ("GET", "/v1/ops/1?wait=x", None, 400),
                ("POST", "/v1/services/edge/vnfs/none:heal", None, 404), ("POST", "/v1/services/none:heal", None, 404),
                ("POST", "/v1/apply", "{", 400), ("POST", "/v1/apply", {}, 422), ("POST", "/v1/apply", [], 422),
                ("POST", "/v1/apply", {"resources": {}, "dryRum": True}, 422),
                ("POST", "/v1/apply", {"resources": {"servces": []}}, 422),
                ("POST", "/v1/services", {"nom": "x"}, 422), ("PUT", "/v1/services/edge", [], 422),
                ("PUT", "/v1/services/edge", None, 422), ("GET", "/v1/nodes/none", None, 404),
                ("GET", "/v1/services/edge/vnfs/none/state/rules", None, 404)):
            reply = self.s.call(method, where, body)
            self.assertEqual(reply.status, status, f"{method} {where} {body}: {reply}")
            self.assertEqual(reply.headers["Content-Type"], "application/problem+json", where)
        reply = self.s.call("POST", "/v1/apply", "x", {"Content-Type": "text/plain"})
        self.assertEqual(reply.status, 415)

    def test_passing_on(self):
        self.s.must_apply(service(placement="process"))
        self.assertIn("sluice", self.s.get("/v1/services/edge/metrics").body.decode())
        self.assertIn("sluice", self.s.get("/v1/services/edge/metrics?vnf=fw").body.decode())
        ports = self.s.get("/v1/services/edge/state/ports").json
        inner = self.s.get("/v1/services/edge/state/ports?vnf=fw").json
        self.assertIn("lan", json.dumps(ports))
        self.assertIn("all.a", json.dumps(inner))
        self.assertStatus(self.s.get("/v1/services/edge/state/nonsense"), 404)
        state = self.s.get("/v1/services/edge/vnfs/fw/state/rules")
        self.assertStatus(state, 200)

    def test_lists(self):
        self.s.must_apply(*[service(f"s{i}") for i in range(3)])
        page = self.s.get("/v1/services?limit=2")
        self.assertEqual([one["name"] for one in page.json], ["s0", "s1"])
        self.assertIn('rel="next"', page.headers["Link"])
        found = self.s.get("/v1/services?filter=(eq,name,s2)").json
        self.assertEqual([one["name"] for one in found], ["s2"])
        self.assertStatus(self.s.get("/v1/services?filter=nonsense"), 400)

    def test_system(self):
        self.s.must_apply(service())
        node = self.s.get("/v1/nodes").json[0]
        self.assertEqual(self.s.get("/v1/nodes/" + node["name"]).json["name"], node["name"])
        self.assertEqual(node["units"][0]["name"], "edge")
        self.assertGreater(node["memory"]["totalKb"], 0)
        doctor = self.s.get("/v1/doctor").json
        self.assertTrue({"executables", "memory", "cores", "hugepages", "run-folder"} <= {c["name"] for c in doctor["checks"]})
        self.assertTrue(all("fix" in check for check in doctor["checks"] if not check["ok"]))
        document = self.s.get("/openapi.json").json
        self.assertIn("/v1/services/{service}", document["paths"])
        self.assertEqual(self.s.get("/v1/version").json["name"], "sluiced")
        metrics = self.s.get("/metrics").body.decode()
        self.assertIn('sluice_process_up{service="edge",vnf=""} 1', metrics)
        if shutil.which("promtool"):
            checked = subprocess.run(["promtool", "check", "metrics"], input=metrics.encode(), capture_output=True)
            self.assertEqual(checked.returncode, 0, checked.stderr)

    def test_event_stream(self):
        seen = []

        def follow():
            with contextlib.closing(mano.UnixConnection(self.s.socket)) as connection:
                connection.request("GET", "/v1/events?last=0")
                with connection.getresponse() as answer:
                    while not seen or "vnf-ready" not in seen[-1]:
                        seen.append(answer.readline().decode())

        reader = threading.Thread(target=follow, daemon=True)
        reader.start()
        self.s.must_apply(service())
        reader.join(mano.RECOVERY)
        self.assertFalse(reader.is_alive(), seen)

    def test_stop_lets_waiting_requests_go(self):
        self.s.must_apply(service())
        ids = [event["id"] for event in self.s.events()]
        began = time.monotonic()
        self.assertEqual(self.s.stop(), 0)
        self.assertLess(time.monotonic() - began, mano.RECOVERY)
        self.s.start()
        wait_for(lambda: self.s.events("vnf-adopted"))
        self.assertGreater(self.s.events()[0]["id"], max(ids), "ids of events are never given twice")

    def test_speed(self):
        self.s.must_apply(*[service(f"s{i}") for i in range(3)])
        connection = mano.UnixConnection(self.s.socket)
        times = []
        for _ in range(1000):
            began = time.perf_counter()
            connection.request("GET", "/v1/services/s1")
            connection.getresponse().read()
            times.append(time.perf_counter() - began)
        times.sort()
        self.assertLess(times[500], 0.05, f"median {times[500] * 1000:.1f} ms")


mano.main()
