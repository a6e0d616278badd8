#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""
HTTP, strictly, and the OpenAPI document, truly: every documented request is sent to sluiced and to a VNF, good ones and wrong
ones of each kind, and each answer is held against the document; so are methods and paths that it does not have.
"""
import glob
import os

import access
import mano
from mano import service
from openapi import Document

# Values of path parameters that are there in the services below.
THERE = {"service": "edge", "vnf": "fw", "chain": "all", "op": "1", "revision": "1", "token": "first", "topic": "ports"}
RULES = {"rules": [{"name": "a", "action": "accept"}], "default": "drop"}


class HttpCase(mano.Case):
    """`path`: the socket of the server under test; `there`: values of parameters."""

    def begin(self, path, there):
        self.path, self.there = path, there
        self.document = Document(self.send("GET", "/openapi.json").json)
        self.good, self.wrong = set(), []

    def send(self, method, where, body=None, headers=None):
        return mano.request(self.path, method, where, body, headers)

    def fill(self, template, **other):
        if "/vnfs/" in template:
            template = template.replace("{topic}", other.get("topic", "rules"))
        for name, value in {**self.there, **other}.items():
            template = template.replace("{%s}" % name, value)
        return template.replace("{rest}", "ports" if "/state/" in template else "state/rules")

    def check(self, method, where, reply, *expected, template=None):
        """Notes an answer that is not one of those expected, or not as documented."""
        template = template or self.document.find(method, where)
        name = f"{method} {where}: {reply.status} {reply.body[:300]!r}"
        if expected and reply.status not in expected:
            self.wrong.append(f"{name}: expected {expected}")
        if reply.status >= 400 and reply.headers.get("Content-Type") != "application/problem+json":
            self.wrong.append(f"{name}: no problem document")
        if reply.status >= 400 and reply.json and reply.json["status"] != reply.status:
            self.wrong.append(f"{name}: the problem says {reply.json['status']}")
        self.wrong += [f"{name}: {fault}" for fault in self.document.faults(method, template, reply)]
        if reply.status < 300:
            self.good.add((method, template))
        return reply

    def do(self, method, where, body=None, *expected, headers=None):
        return self.check(method, where, self.send(method, where, body, headers), *(expected or (200, 201, 202, 204)))

    def nothing_wrong(self):
        if self.wrong:
            self.fail(f"{len(self.wrong)} answers are wrong:\n" + "\n".join(self.wrong[:30]))

    # --- wrong requests of each kind, to all operations ---

    def skip(self, template, operation):
        """Answers that go on: their heads are seen in the good requests."""
        types = operation["responses"].get("200", {}).get("content", {})
        return next(iter(types), "") in ("text/event-stream", "application/x-pcapng")

    def wrong_of_all(self):
        for method, template, operation in self.document.operations():
            where = self.fill(template)
            self.check(method, where, self.send(method, where + "?x=%zz"), 400, template=template)
            self.check(method, where, self.send(method, where + "/%zz"), 400, template=template)
            if "requestBody" in operation:
                self.wrong_bodies(method, template, where, operation)
            if "{" in template and "404" in operation["responses"]:
                self.unknown_resources(method, template, operation)
            for parameter in self.document.parameters(template, operation):
                if parameter["in"] == "query" and parameter["schema"]["type"] == "integer" and not self.skip(template, operation):
                    for value in ("x", "-1", "99999999999999999999"):
                        asked = f"{where}?{parameter['name']}={value}"
                        self.check(method, asked, self.send(method, asked, self.body_of(template, method)), 400, template=template)

    def body_of(self, template, method):
        return {} if "requestBody" in self.document.paths[template][method.lower()] else None

    def wrong_bodies(self, method, template, where, operation):
        passed_on = "*/*" in operation["requestBody"]["content"]
        if "application/octet-stream" in operation["requestBody"]["content"]:
            self.check(method, where, self.send(method, where, "{}", {"Content-Type": "application/json"}), 415, template=template)
            self.check(method, where, self.send(method, where, "x", {"Content-Type": "application/octet-stream"}), 409, 422, template=template)
            self.check(method, where, self.too_large(method, where, "application/octet-stream"), 413, template=template)
            return
        send = lambda body, kind: self.send(method, where, body, {"Content-Type": kind} if kind else None)
        self.check(method, where, send("x", "text/plain"), *((404, 405, 415) if passed_on else (415,)), template=template)
        self.check(method, where, send("{", "application/json"), *((400, 404, 405) if passed_on else (400,)), template=template)
        self.check(method, where, send('{"a": 1, "a": 2}', "application/json"), *((400, 404, 405) if passed_on else (400,)), template=template)
        self.check(method, where, send("[" * 100, "application/json"), *((400, 404, 405) if passed_on else (400,)), template=template)
        if not passed_on:
            for body in ("[]", "7", '"x"', '{"noSuchMember": 1}'):
                self.check(method, where, send(body, "application/json"), 400, 404, 409, 422, template=template)
        reply = self.too_large(method, where)
        self.check(method, where, reply, 413, template=template)

    def too_large(self, method, where, kind="application/json"):
        """A body that is announced to be a gigabyte: refused before any of it is sent."""
        connection = mano.UnixConnection(self.path)
        try:
            connection.putrequest(method, where)
            for name, value in (("Content-Type", kind), ("Content-Length", str(1 << 30)), ("Expect", "100-continue")):
                connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            return mano.Reply(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def unknown_resources(self, method, template, operation):
        names = [p["name"] for p in self.document.parameters(template, operation) if p["in"] == "path" and p["name"] != "rest"]
        for name in names:
            where = self.fill(template, **{name: "nobody"})
            if (method, template) not in self.creates:
                self.check(method, where, self.send(method, where, self.body_of(template, method)), 404, 409, 422, template=template)
                if method == "GET" and name != "topic":
                    self.check(method, where, self.send(method, where), 404, template=template)

    def stale_conditions(self):
        for method, template, operation in self.document.operations():
            if "412" in operation["responses"] and method != "GET":
                where = self.fill(template)
                good = self.bodies.get((method, template))
                if good is not None:
                    reply = self.send(method, where, good, {"If-Match": '"stale"'})
                    self.check(method, where, reply, 412, template=template)
            if "304" in operation["responses"] and method == "GET" and "{rest}" not in template:
                where = self.fill(template)
                tag = self.send(method, where).headers.get("ETag")
                if not tag:
                    self.wrong.append(f"{method} {where}: 304 is documented, but there is no ETag")
                    continue
                self.check(method, where, self.send(method, where, None, {"If-None-Match": tag}), 304, template=template)
                self.check(method, where, self.send(method, where, None, {"If-None-Match": '"x"'}), 200, template=template)

    def methods_of_all(self):
        for template in self.document.paths:
            where = self.fill(template)
            allowed = self.document.allowed(template)
            for method in ("GET", "PUT", "PATCH", "POST", "DELETE", "TRACE", "PROPFIND"):
                if method in allowed:
                    continue
                reply = self.send(method, where)
                self.assertEqual(reply.status, 405, f"{method} {where}")
                self.assertEqual(set(reply.headers["Allow"].split(", ")), allowed, where)
                self.assertEqual(reply.headers["Content-Type"], "application/problem+json")
            reply = self.send("OPTIONS", where)
            self.assertEqual((reply.status, set(reply.headers["Allow"].split(", "))), (204, allowed), where)
            operation = self.document.paths[template].get("get")
            if operation and not self.skip(template, operation):
                head, whole = self.send("HEAD", where), self.send("GET", where)
                self.assertEqual((head.status, head.body), (whole.status, b""), where)
                self.assertEqual(head.headers["Content-Type"], whole.headers["Content-Type"], where)

    def paths_that_are_not_there(self):
        for where in ("/", "/v1", "/v2/services", "/v1/", "/v1/services/", "/v1//services", "/v1/nothing", "/openapi.jso",
                      "/v1/services%2Fedge", "/V1/services"):
            for method in ("GET", "POST", "DELETE"):
                reply = self.send(method, where)
                self.assertEqual(reply.status, 404, f"{method} {where}: {reply}")
                self.assertEqual(reply.headers["Content-Type"], "application/problem+json")
        for where in ("/v1/../metrics", "/v1/%2e%2e/metrics", "/v1/%00", "/v1/%"):
            self.assertEqual(self.send("GET", where).status, 400, where)

    def never_sent(self):
        return {(method, template) for method, template, _ in self.document.operations()} - self.good


class Orchestrator(HttpCase):
    options = ("--listen", "127.0.0.1:0", "--limit", "rate=100000", "--limit", "burst=100000")
    creates = {("PUT", "/v1/services/{service}"), ("PUT", "/v1/services/{service}/chains/{chain}"),
               ("PUT", "/v1/services/{service}/descriptor")}

    def setUp(self):
        super().setUp()
        self.s.must_apply(service(placement="process"))
        self.s.call("POST", "/v1/tokens", {"name": "first", "role": "viewer"})
        node = self.s.get("/v1/nodes").json[0]["name"]
        self.begin(self.s.socket, {**THERE, "node": node})
        self.bodies = {("PUT", "/v1/services/{service}"): service(placement="process"),
                       ("PATCH", "/v1/services/{service}"): {"unmatched": "drop"},
                       ("PUT", "/v1/services/{service}/descriptor"): service(placement="process"),
                       ("PATCH", "/v1/services/{service}/descriptor"): {"unmatched": "drop"},
                       ("DELETE", "/v1/services/{service}"): "",
                       ("PUT", "/v1/services/{service}/vnfs/{vnf}/config"): RULES,
                       ("PATCH", "/v1/services/{service}/vnfs/{vnf}/config"): RULES,
                       ("PUT", "/v1/services/{service}/chains/{chain}"): {"path": ["lan", "fw", "wan"]},
                       ("DELETE", "/v1/services/{service}/chains/{chain}"): ""}

    def stream(self, method, where, kind):
        """The head of an answer that goes on."""
        connection = mano.UnixConnection(self.path)
        try:
            connection.request(method, where)
            answer = connection.getresponse()
            self.check(method, where, mano.Reply(answer.status, answer.headers, b""), 200)
            self.assertEqual(answer.headers["Content-Type"], kind)
        finally:
            connection.close()

    def changes(self):
        wait = "?wait=60"
        self.do("POST", "/v1/services?dryRun=1", service("two"), 200)
        self.do("POST", "/v1/services" + wait, service("two"), 200, 201)
        self.do("POST", "/v1/services", service("two"), 409)
        self.do("POST", "/v1/services", {"name": "x"}, 422)
        self.do("PUT", "/v1/services/two" + wait, service("two", unmatched="route"))
        self.do("PATCH", "/v1/services/two" + wait, {"unmatched": "drop"})
        self.do("PUT", "/v1/services/two/descriptor" + wait, service("two", unmatched="route"))
        self.do("PATCH", "/v1/services/two/descriptor?dryRun=1", {"unmatched": "drop"}, 200)
        self.do("PATCH", "/v1/services/two/descriptor" + wait, {"unmatched": "drop"})
        self.do("GET", "/v1/services/two/revisions/1:diff?to=2")
        self.do("POST", "/v1/services/two:rollback" + wait, {"revision": 2})
        self.do("PATCH", "/v1/services/two?wait=60&confirm=600", {"unmatched": "drop"})
        self.do("POST", "/v1/services/two:confirm")
        self.do("POST", "/v1/services/two:confirm", None, 409)
        for task in ("heal", "restart"):
            self.do("POST", f"/v1/services/two:{task}" + wait)
            self.do("POST", f"/v1/services/edge/vnfs/fw:{task}" + wait)
        self.do("PUT", "/v1/services/two/vnfs/fw/config?dryRun=1", RULES, 200)
        self.do("PUT", "/v1/services/two/vnfs/fw/config", RULES, 200)
        self.do("PATCH", "/v1/services/two/vnfs/fw/config", {"default": "accept"}, 200, 422)
        self.do("PATCH", "/v1/services/two/vnfs/fw/config", RULES, 200)
        self.do("POST", "/v1/services/two/chains?dryRun=1", {"name": "more", "path": ["lan", "wan"], "priority": 7}, 200)
        self.do("POST", "/v1/services/two/chains" + wait, {"name": "more", "path": ["lan", "wan"], "priority": 7}, 200, 201)
        self.do("PUT", "/v1/services/two/chains/more" + wait, {"path": ["lan", "wan"], "priority": 8})
        self.do("POST", "/v1/services/two/chains/more:insert" + wait, {"vnf": "fw"})
        self.do("POST", "/v1/services/two/chains/more:reorder" + wait, {"path": ["lan", "fw", "wan"]})
        self.do("POST", "/v1/services/two/chains/more:remove" + wait, {"vnf": "fw"})
        self.do("POST", "/v1/services/two/chains/more:remove" + wait, {"vnf": "fw"}, 422)
        self.do("DELETE", "/v1/services/two/chains/more" + wait)
        self.do("POST", "/v1/apply?dryRun=1", {"resources": {"services": [service("three")]}}, 200)
        self.do("POST", "/v1/apply" + wait, {"resources": {"services": [service("three")]}})
        self.do("POST", "/v1/apply", {"resources": {"services": [{"name": "three"}]}}, 422)
        for name in ("two", "three"):
            self.do("DELETE", f"/v1/services/{name}" + wait)
        self.do("POST", "/v1/tokens", {"name": "x", "role": "viewer"}, 201)
        self.do("POST", "/v1/tokens", {"name": "x", "role": "viewer"}, 409)
        self.do("DELETE", "/v1/tokens/x", None, 204)
        for task in ("retry", "fail", "rollback"):
            self.do("POST", f"/v1/ops/1:{task}", None, 409)
        self.do("POST", "/v1/services/edge:upgrade?dryRun=1", {"libexec": self.s.bin}, 200)
        self.do("POST", "/v1/services/edge/vnfs/fw:upgrade" + wait, {}, 200)
        self.do("POST", "/v1/services/edge:upgrade", {"program": "x"}, 422)
        backup, binary = self.s.get("/v1/backup").body, {"Content-Type": "application/octet-stream"}
        self.do("POST", "/v1/doctor:fix?dryRun=1", None, 200)
        self.do("POST", "/v1/restore", backup, 409, headers=binary)
        self.do("POST", "/v1/restore?force=1&dryRun=1", backup, 200, headers=binary)

    def passed_on(self):
        base = "/v1/services/edge"
        self.do("DELETE", base + "/state/sessions?filter=(eq,protocol,tcp)")
        for what in ("trace", "capture"):
            self.do("GET", f"{base}/{what}", None, 404)
            self.do("POST", f"{base}/{what}", {"noSuchMember": 1}, 422)
            self.do("POST", f"{base}/{what}", {"seconds": 60}, 201)
            self.do("POST", f"{base}/{what}", {"seconds": 60}, 409)
            self.do("GET", f"{base}/{what}")
        self.stream("GET", base + "/capture/packets", "application/x-pcapng")
        for what in ("trace", "capture"):
            self.do("DELETE", f"{base}/{what}")
        self.stream("GET", base + "/events", "text/event-stream")
        self.stream("GET", base + "/vnfs/fw/events", "text/event-stream")
        self.stream("GET", "/v1/events", "text/event-stream")
        as_list = {"Accept": "application/json"}
        for where in ("/v1/events?last=0", base + "/events", base + "/vnfs/fw/events"):
            self.do("GET", where, None, 200, headers=as_list)

    def test_the_document_itself(self):
        self.assertEqual(self.document.own_faults(), [])

    def test_good_requests(self):
        for method, template, operation in self.document.operations():
            if method == "GET" and not self.skip(template, operation):
                # What of all this needs to be begun first is asked for below.
                expected = (200, 404) if template.endswith(("/trace", "/capture", "/logs")) else (200,)
                self.do(method, self.fill(template), None, *expected)
        self.changes()
        self.passed_on()
        self.nothing_wrong()
        refused = {(method, template) for method, template in self.never_sent() if template.startswith("/v1/ops/") or
                   template.endswith(("/{rest}", "/logs"))}
        self.assertEqual(self.never_sent() - refused, set(), "documented, but never seen to succeed")

    def test_wrong_requests(self):
        self.wrong_of_all()
        self.nothing_wrong()
        self.assertEqual(self.s.shown()["revision"], 1, "a wrong request changed something")
        self.assertEqual([one["name"] for one in self.s.get("/v1/services").json], ["edge"])

    def test_conditions(self):
        self.stale_conditions()
        self.nothing_wrong()
        self.assertEqual(self.s.shown()["revision"], 1)

    def test_methods(self):
        self.methods_of_all()

    def test_unknown_paths(self):
        self.paths_that_are_not_there()

    def test_roles(self):
        """By TLS: nobody gets anything but what is for all, and each role what the document says."""
        at = access.listening(self.s.log())[0]
        tls = access.context(os.path.join(self.s.state, "access", "ca.crt"))
        ranks = ["none", "viewer", "operator", "admin"]
        tokens = {role: self.s.call("POST", "/v1/tokens", {"name": role + "-role", "role": role}).json["token"] for role in ranks[1:]}
        for method, template, operation in self.document.operations():
            if self.skip(template, operation):
                continue
            least = ranks.index(operation["x-role"])
            for rank, role in enumerate(ranks[:least]):
                reply = access.request(at, tls, method, self.fill(template), token=tokens.get(role))
                self.check(method, self.fill(template), reply, 403 if rank else 401, template=template)
            if method == "GET":
                reply = access.request(at, tls, method, self.fill(template), token=tokens.get(ranks[least]))
                self.check(method, self.fill(template), reply, 200, 404, template=template)
        self.nothing_wrong()


class Vnf(HttpCase):
    """The REST of a process itself, at its own socket. sluiced keeps revisions, so its processes keep none: netns.revisions asks one that does."""
    KEPT = ("/v1/config/revisions", "/v1/config/revisions/{revision}", "/v1/config:diff", "/v1/config:rollback", "/v1/config:save")
    creates = set()

    def setUp(self):
        super().setUp()
        self.s.must_apply(service())
        found = [path for path in glob.glob(os.path.join(self.s.run, "**", "control.sock"), recursive=True)]
        self.begin(found[0], THERE)
        running = self.send("GET", "/v1/config").json
        self.bodies = {("PUT", "/v1/config"): running, ("PATCH", "/v1/config"): {},
                       ("PUT", "/v1/vnfs/{vnf}/config"): RULES, ("PATCH", "/v1/vnfs/{vnf}/config"): RULES}

    def test_the_document_itself(self):
        self.assertEqual(self.document.own_faults(), [])

    def test_good_requests(self):
        for method, template, operation in self.document.operations():
            if method == "GET" and not self.skip(template, operation):
                expected = (200, 404) if template in ("/v1/trace", "/v1/capture") else (409,) if "/revisions" in template else (200,)
                self.do(method, self.fill(template), None, *expected)
        self.do("PATCH", "/v1/config?confirm=60", {}, 200)
        self.do("PATCH", "/v1/config", {}, 409)
        self.do("POST", "/v1/config:confirm", None, 200)
        self.do("POST", "/v1/config:confirm", None, 409)
        for topic in ("paths", "ports", "counters", "workers", "memory", "neighbours", "routes", "claims"):
            self.do("GET", "/v1/state/" + topic)
        running = self.send("GET", "/v1/config").json
        self.do("PUT", "/v1/config?dryRun=1", running, 200)
        self.do("PUT", "/v1/config", running, 200)
        self.do("PATCH", "/v1/config", {}, 200)
        self.do("PUT", "/v1/vnfs/fw/config", RULES, 200)
        self.do("PATCH", "/v1/vnfs/fw/config", RULES, 200)
        self.do("PUT", "/v1/vnfs/fw/config", {"rules": [{"name": "a"}]}, 422)
        self.do("DELETE", "/v1/state/sessions")
        for what in ("trace", "capture"):
            self.do("POST", f"/v1/{what}", {"seconds": 60}, 201)
            self.do("POST", f"/v1/{what}", {"seconds": 60}, 409)
            self.do("GET", f"/v1/{what}")
        for what in ("trace", "capture"):
            self.do("DELETE", f"/v1/{what}")
        self.do("GET", "/v1/events?last=0", None, 200, headers={"Accept": "application/json"})
        self.nothing_wrong()
        missing = {one for one in self.never_sent() if one[1] != "/v1/capture/packets" and one[1] not in self.KEPT}
        self.assertEqual(missing, set(), "documented, but never seen to succeed")

    def test_wrong_requests(self):
        before = self.send("GET", "/v1/config").json
        self.wrong_of_all()
        self.nothing_wrong()
        self.assertEqual(self.send("GET", "/v1/config").json, before, "a wrong request changed something")

    def test_conditions(self):
        self.stale_conditions()
        self.nothing_wrong()

    def test_methods(self):
        self.methods_of_all()

    def test_unknown_paths(self):
        self.paths_that_are_not_there()


mano.main()
