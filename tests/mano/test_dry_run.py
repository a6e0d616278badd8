#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""
A dry run of every kind of change, on a running service of real executables: the store's files, what lies in the run folder, processes,
documents and counters of the engines, events and operations are the same before and after, to the byte. Which requests there are is
read from the API's own description, so that a new one without a dry run is found.
"""
import hashlib
import os
import re

import mano
import net

EDGE = "/v1/services/edge"


def firewall(*ports):
    return {"rules": [{"name": f"r{port}", "protocol": "tcp", "destinationPorts": str(port), "action": "accept"} for port in ports]}


def service(name="edge", **more):
    """On interfaces that nothing is sent over; others than edge on none, for one interface is one service's."""
    if name != "edge":
        return mano.service(name, **more)
    ports = [{"name": port, "device": f"af_packet:{port}0", "addresses": [address]}
             for port, address in (("lan", "192.0.2.1/24"), ("wan", "198.51.100.2/24"))]
    return mano.service(name, edge={"netns": f"sl{os.getpid()}e", "ports": ports}, **more)


def described(*ports, name="edge"):
    return service(name, vnfs=[{"name": "fw", "kind": "firewall", "config": firewall(*ports)},
                               {"name": "far", "kind": "firewall", "placement": "process", "config": {}},
                               {"name": "spare", "kind": "firewall", "config": {}}],
                   chains=[{"name": "all", "path": ["lan", "fw", "far", "wan"]}])


def apply(*services, **more):
    return ("POST", "/v1/apply", {"resources": {"services": list(services)}, **more})


MOVED = described(80)
MOVED["vnfs"][1]["placement"] = "fused"
WORKERS = described(80)
WORKERS["engine"] = {"workers": 2}
CHAIN = {"name": "web", "path": ["lan", "spare", "wan"], "priority": 1, "match": [{"protocol": "tcp"}]}

# What would change something: method, path, body.
CHANGES = [
    apply(described(80, 81)), apply(described(90, name="new")), apply(MOVED), apply(WORKERS),
    apply(described(90, name="new"), prune=True), apply(described(80, 81), confirm=60),
    ("POST", "/v1/services", described(90, name="new")),
    ("PUT", EDGE, described(81)), ("PATCH", EDGE, {"unmatched": "route"}), ("DELETE", EDGE, None),
    ("PUT", f"{EDGE}/descriptor", described(81)), ("PATCH", f"{EDGE}/descriptor", {"unmatched": "route"}),
    ("PUT", f"{EDGE}/vnfs/fw/config", firewall(99)), ("PATCH", f"{EDGE}/vnfs/far/config", firewall(99)),
    ("POST", f"{EDGE}/chains", CHAIN), ("PUT", f"{EDGE}/chains/web", CHAIN), ("DELETE", f"{EDGE}/chains/all", None),
    ("POST", f"{EDGE}/chains/all:insert", {"vnf": "spare", "before": "wan"}),
    ("POST", f"{EDGE}/chains/all:remove", {"vnf": "far"}),
    ("POST", f"{EDGE}/chains/all:reorder", {"path": ["lan", "far", "fw", "wan"]}),
    ("POST", f"{EDGE}:heal", None), ("POST", f"{EDGE}:restart", None),
    ("POST", f"{EDGE}/vnfs/far:heal", None), ("POST", f"{EDGE}/vnfs/fw:restart", None),
    ("POST", f"{EDGE}:upgrade", {"libexec": "BIN"}), ("POST", f"{EDGE}/vnfs/far:upgrade", {"libexec": "BIN"}),
    ("POST", f"{EDGE}:rollback", None), ("POST", f"{EDGE}:rollback", {"revision": 1, "vnf": "fw"}),
]

# Takes no JSON, and has its own lines below.
RESTORE = ("POST", "/v1/restore", None)

# Answers with what it would do, and has its own lines, too.
FIX = ("POST", "/v1/doctor:fix", None)

# What is wrong is refused, or told, and changes nothing either.
WRONG = [
    (200, apply(service(vnfs=[{"name": "fw", "kind": "firewall", "config": {"rules": [{"name": "x", "action": "no"}]}}]))),
    (200, ("PATCH", EDGE, {"unmatched": "no"})), (200, ("DELETE", f"{EDGE}?confirm=5", None)),
    (404, ("POST", f"{EDGE}:rollback", {"revision": 77})), (200, ("POST", f"{EDGE}:upgrade", {"program": "/nonexistent"})),
    (404, ("DELETE", "/v1/services/nobody", None)),
]

# What has no dry run says so instead of doing it.
WITHOUT = [
    ("POST", f"{EDGE}:confirm", None), ("POST", "/v1/ops/1:retry", None), ("POST", "/v1/ops/1:fail", None),
    ("POST", "/v1/ops/1:rollback", None), ("DELETE", f"{EDGE}/state/sessions", None), ("POST", f"{EDGE}/trace", {}),
    ("DELETE", f"{EDGE}/trace", None), ("POST", f"{EDGE}/capture", {}), ("DELETE", f"{EDGE}/capture", None),
    ("PUT", f"{EDGE}/vnfs/fw/sessions", {}), ("PATCH", f"{EDGE}/vnfs/fw/sessions", {}), ("POST", f"{EDGE}/vnfs/fw/sessions", {}),
    ("DELETE", f"{EDGE}/vnfs/fw/sessions", None), ("POST", "/v1/tokens", {"name": "x", "role": "viewer"}),
    ("DELETE", "/v1/tokens/x", None),
]


def file_state(path):
    status = os.lstat(path)
    digest = ""
    if os.path.isfile(path):
        with open(path, "rb") as file:
            digest = hashlib.sha256(file.read()).hexdigest()
    return status.st_ino, status.st_mode, status.st_size, status.st_mtime_ns, digest


class DryRun(mano.Case):
    def setUp(self):
        super().setUp()
        self.addCleanup(net.Net(quiet=True).close)
        self.s.must_apply(described(80, 82))
        self.s.must_apply(described(80))

    def files(self, folder, skip=()):
        """Every file below a folder; folders by name alone, for documents to be checked lie in one for a moment."""
        found = {}
        for above, _, names in os.walk(folder):
            found[above] = sorted(name for name in names if name not in skip)
            found.update({os.path.join(above, name): file_state(os.path.join(above, name)) for name in found[above]
                          if not name.endswith(".sock")})
        return found

    def engines(self):
        """What the processes say of themselves."""
        said = {}
        for name in ("edge", "edge/far"):
            for path in ("/v1/config", "/v1/state/counters", "/v1/state/ports", "/v1/state/sessions", "/v1/events"):
                reply = mano.request(f"{self.s.run}/{name}/control.sock", "GET", path, headers={"Accept": "application/json"})
                said[name, path] = (reply.status, reply.json, reply.headers.get("ETag"))
        return said

    def everything(self):
        """Uptime alone goes on."""
        shown = self.s.get(EDGE).json
        for process in [shown["process"], *shown["vnfs"]]:
            process.pop("uptime", None)
        return {
            "store": self.files(self.s.state, skip=("sluiced.db-shm", "audit.log")),  # the log of requests grows by requests
            "run": self.files(self.s.run, skip=("heartbeat", "sessions", "names", "state")),
            "processes": self.s.pids(), "engines": self.engines(), "service": shown,
            "lists": [self.s.get(path).json for path in ("/v1/services/edge/revisions", "/v1/ops")],
            "events": self.s.events(),
            "folders": sorted(os.listdir(self.s.run)),
        }

    def check_same(self, before, what):
        after = self.everything()
        for key in before:
            self.assertEqual(after[key], before[key], f"{key} after {what}")

    def dry(self, call):
        method, path, body = call
        if body == {"libexec": "BIN"}:
            body = {"libexec": self.s.bin}
        return self.s.call(method, f"{path}{'&' if '?' in path else '?'}dryRun=1", body)

    def test_changes_change_nothing(self):
        os.makedirs(f"{self.s.run}/gone")
        with open(f"{self.s.run}/gone/boot.json", "w") as file:
            file.write("{}")
        before = self.everything()
        for call in CHANGES:
            with self.subTest(call=call[:2]):
                report = self.assertStatus(self.dry(call), 200)
                self.assertTrue(report["valid"], report)
                self.assertTrue(report["services"], report)
                self.check_same(before, call)
        for status, call in WRONG:
            with self.subTest(call=call[:2]):
                reply = self.dry(call)
                self.assertStatus(reply, status)
                self.assertFalse(status == 200 and reply.json["valid"], reply)
                self.check_same(before, call)
        backup = self.s.get("/v1/backup").body
        for query in ("dryRun=1&force=1", "dryRun=1"):  # the second is refused, because a service runs
            with self.subTest(restore=query):
                reply = self.s.call("POST", f"/v1/restore?{query}", backup, {"Content-Type": "application/octet-stream"})
                self.assertStatus(reply, 200 if "force" in query else 409)
                self.check_same(before, RESTORE)
        with self.subTest(call=FIX[:2]):
            self.assertIn(f"remove {self.s.run}/gone", [action["action"] for action in self.assertStatus(self.dry(FIX), 200)["actions"]])
            self.check_same(before, FIX)
        for call in WITHOUT:
            with self.subTest(call=call[:2]):
                self.assertStatus(self.dry(call), 422)
                self.check_same(before, call)

    def test_the_same_without_dry_run_does_something(self):
        """The comparison sees what it must: each of these, done, makes a difference."""
        for call in (CHANGES[0], CHANGES[20], ("POST", f"{EDGE}/chains/all:remove", {"vnf": "far"})):
            before = self.everything()
            reply = self.s.call(call[0], call[1] + "?wait=60", call[2])
            self.assertEqual(self.assertStatus(reply, 200)["state"], "COMPLETED")
            after = self.everything() if call[1] != f"{EDGE}/chains/all:remove" else {"processes": self.s.pids()}
            self.assertNotEqual([after[key] for key in after], [before[key] for key in after])

    def test_every_request_is_here(self):
        """Each documented request that changes something is in a table of this test."""
        tried = [(method, re.sub(r"\?.*", "", path)) for method, path, _ in [*CHANGES, *WITHOUT, RESTORE, FIX]]
        for path, item in self.s.get("/openapi.json").json["paths"].items():
            pattern = re.compile("^" + re.sub(r"\{(\w+)\}", lambda part: ".+" if part[1] == "rest" else "[^/:]+", path) + "$")
            for method in item:
                if method.upper() not in ("POST", "PUT", "PATCH", "DELETE"):
                    continue
                self.assertTrue([one for one in tried if one[0] == method.upper() and pattern.match(one[1])],
                                f"{method.upper()} {path} has no dry run in this test")


mano.main()
