#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Revisions: history, differences, rollback, and changes that are undone unless they are confirmed. With the double."""
import contextlib
import os
import sqlite3
import time

import mano
from mano import service, wait_for


def described(number, name="edge", **config):
    return service(name, vnfs=[{"name": "fw", "kind": "firewall", "config": {"number": number, **config}},
                               {"name": "fw2", "kind": "firewall", "config": {}}])


class Revisions(mano.Case):
    double = True

    def number(self, name="edge"):
        """What the service is wanted to be, and what its process runs."""
        wanted = self.s.get(f"/v1/services/{name}/descriptor").json["vnfs"][0]["config"]["number"]
        running = mano.request(f"{self.s.run}/{name}/control.sock", "GET", "/v1/config").json
        self.assertEqual(running["functions"][0]["config"]["number"], wanted)
        return wanted

    def revisions(self, query=""):
        return self.s.get(f"/v1/services/edge/revisions{query}").json

    def post(self, task, body=None, status=200, query="?wait=30"):
        return self.assertStatus(self.s.call("POST", f"/v1/services/edge:{task}{query}", body), status)

    def test_history(self):
        self.s.must_apply(described(1), comment="the first")
        self.s.must_apply(described(2))
        reply = self.s.call("PATCH", "/v1/services/edge/vnfs/fw2/config?comment=more%20rules", {"number": 7})
        self.assertStatus(reply, 200)
        listed = self.revisions()
        self.assertEqual([(one["revision"], one["state"], one.get("comment"), one["kind"]) for one in listed],
                         [(1, "past", "the first", "apply"), (2, "past", None, "apply"), (3, "current", "more rules", "apply")])
        self.assertEqual({one["author"] for one in listed}, {f"uid {os.getuid()}"})
        self.assertEqual([one["operation"] for one in listed], sorted(op["id"] for op in self.s.get("/v1/ops").json))
        self.assertEqual(len({one["digest"] for one in listed}), 3)
        self.assertRegex(listed[0]["digest"], "^[0-9a-f]{32}$")
        self.assertEqual([one["revision"] for one in self.revisions("?vnf=fw")], [1, 2])
        self.assertEqual([one["revision"] for one in self.revisions("?vnf=fw2")], [1, 3])
        shown = self.s.get("/v1/services/edge/revisions/2").json
        self.assertEqual(shown["descriptor"]["vnfs"][0]["config"], {"number": 2})
        self.assertEqual({key: shown[key] for key in listed[1]}, listed[1])
        for none in ("4", "0", "-1", "x", "2x"):
            self.assertStatus(self.s.get(f"/v1/services/edge/revisions/{none}"), 404)
        self.assertStatus(self.s.get("/v1/services/nobody/revisions"), 404)
        self.s.kill()
        self.s.start()
        self.assertEqual(self.revisions(), listed)

    def test_differences(self):
        for number in (1, 2, 3):
            self.s.must_apply(described(number))
        diff = lambda what: self.assertStatus(self.s.get(f"/v1/services/edge/revisions/{what}"), 200)
        change = lambda before, after: [{"path": "vnfs[fw].config.number", "kind": "~", "before": before, "after": after}]
        self.assertEqual(diff("1:diff"), {"from": 1, "to": "current", "changes": change("1", "3")})
        self.assertEqual(diff("1:diff?to=2"), {"from": 1, "to": 2, "changes": change("1", "2")})
        self.assertEqual(diff("3:diff?to=1")["changes"], change("3", "1"))
        self.assertEqual(diff("3:diff?to=current")["changes"], [])
        self.assertEqual(diff("1:diff?vnf=fw")["changes"], change("1", "3"))
        self.assertEqual(diff("1:diff?vnf=fw2")["changes"], [])
        self.assertStatus(self.s.get("/v1/services/edge/revisions/9:diff"), 404)
        self.assertStatus(self.s.get("/v1/services/edge/revisions/1:diff?to=9"), 404)
        self.assertStatus(self.s.get("/v1/services/nobody/revisions/1:diff"), 404)

    def test_rollback(self):
        for number in (1, 2, 3):
            self.s.must_apply(described(number))
        report = self.post("rollback", {"revision": 1}, query="?dryRun=1")
        self.assertEqual([(one["path"], one["after"]) for one in report["changes"]], [("services[edge].vnfs[fw].config.number", "1")])
        self.assertEqual(self.number(), 3)
        self.assertEqual(self.post("rollback")["state"], "COMPLETED")
        self.assertEqual(self.number(), 2)
        self.assertEqual(self.post("rollback", {"revision": 1})["kind"], "rollback")
        self.assertEqual(self.number(), 1)
        last = self.revisions()[-1]
        self.assertEqual((last["revision"], last["kind"], last["origin"], last["comment"]), (5, "rollback", 1, "back to revision 1"))
        self.assertEqual(last["digest"], self.revisions()[0]["digest"])
        self.post("rollback", {"revision": 9}, 404)
        self.post("rollback", {"revision": "1"}, 422)
        self.assertStatus(self.s.call("POST", "/v1/services/nobody:rollback"), 404)

    def test_rollback_of_one_function(self):
        self.s.must_apply(described(1))
        self.s.must_apply(described(2))
        self.assertStatus(self.s.call("PUT", "/v1/services/edge/vnfs/fw2/config", {"number": 5}), 200)
        self.post("rollback", {"vnf": "fw"})
        self.assertEqual(self.number(), 1)
        config = lambda: self.s.get("/v1/services/edge/descriptor").json["vnfs"][1]["config"]
        self.assertEqual(config(), {"number": 5}, "the other function is as it was")
        self.post("rollback", {"vnf": "fw2", "revision": 1})
        self.assertEqual((self.number(), config()), (1, {}))
        self.post("rollback", {"vnf": "nobody", "revision": 1}, 404)

    def test_first_revision_has_none_before(self):
        self.s.must_apply(described(1))
        self.post("rollback", status=409)

    def test_what_failed_is_no_revision_to_go_back_to(self):
        self.s.must_apply(described(1))
        self.s.must_apply(described(2))
        self.assertEqual(self.s.apply(described(3, refuse=True)).json["state"], "ROLLED_BACK")
        self.assertEqual([one["state"] for one in self.revisions()], ["past", "current", "undone"])
        self.s.must_apply(described(4))
        self.post("rollback")
        self.assertEqual(self.number(), 2)

    # --- confirmations ---

    def confirmed_apply(self, seconds, *services):
        op = self.s.apply(*services, confirm=seconds)
        self.assertEqual(op.json["state"], "COMPLETED", op)

    def undone(self, number=1):
        """The service is back at a number, by one operation more."""
        wait_for(lambda: self.revisions()[-1]["kind"] == "undo" and self.s.shown()["revision"] == self.revisions()[-1]["revision"], what="undone")
        wait_for(lambda: self.s.get("/v1/ops").json[-1]["state"] == "COMPLETED", what="the undo has completed")
        self.assertEqual(self.number(), number)
        self.assertEqual([op["kind"] for op in self.s.get("/v1/ops").json].count("undo"), 1)

    def test_undone_unless_confirmed(self):
        self.s.must_apply(described(1))
        begun = time.monotonic()
        self.confirmed_apply(2, described(2))
        self.assertEqual(self.number(), 2)
        self.assertEqual([one["state"] for one in self.revisions()], ["past", "unconfirmed"])
        self.undone()
        self.assertGreaterEqual(time.monotonic() - begun, 2)
        last = self.revisions()[-1]
        self.assertEqual((last["state"], last["comment"], last["author"]), ("current", "operation 2 was not confirmed in 2 s", "sluiced"))
        self.post("confirm", status=409)
        self.assertEqual([one["state"] for one in self.revisions()], ["past", "undone", "current"])
        self.post("rollback", status=409)  # neither to what was undone, nor to what is there already

    def test_confirmed(self):
        self.s.must_apply(described(1))
        reply = self.s.call("PATCH", "/v1/services/edge/vnfs/fw/config?confirm=3", {"number": 2})
        self.assertStatus(reply, 200)
        self.assertEqual(self.post("confirm"), {"service": "edge", "revision": 2})
        self.post("confirm", status=409)
        end = time.monotonic() + 4
        while time.monotonic() < end:
            self.assertEqual(self.number(), 2)
            time.sleep(0.2)
        self.assertEqual([one["state"] for one in self.revisions()], ["past", "current"])

    def test_nothing_else_changes_meanwhile(self):
        self.s.must_apply(described(1))
        self.confirmed_apply(60, described(2))
        waits = self.s.shown()["unconfirmed"]
        self.assertEqual(waits["operation"], 2)
        self.assertTrue(30 < waits["seconds"] <= 60, waits)
        self.assertErrors(self.s.apply(described(3)), 409, ("services[0]", "unconfirmed"))
        self.assertErrors(self.s.apply(described(2)), 409, ("services[0]", "unconfirmed"))  # for it may yet be undone
        self.assertErrors(self.s.call("DELETE", "/v1/services/edge"), 409, (None, "unconfirmed"))
        self.assertEqual(self.post("rollback")["kind"], "undo")
        self.undone()
        self.assertNotIn("unconfirmed", self.s.shown())
        self.s.must_apply(described(3))

    def test_all_services_of_a_change(self):
        self.s.must_apply(described(1), described(1, "other"))
        self.confirmed_apply(2, described(2), described(2, "other"), described(2, "new"))
        self.assertEqual(self.number("other"), 2)
        self.undone()
        self.assertEqual(self.number("other"), 1)
        self.assertStatus(self.s.get("/v1/services/new"), 404)
        self.assertEqual(sorted(self.s.pids().values()), ["edge", "other"])

    def test_deletion_cannot_be_undone(self):
        self.s.must_apply(described(1))
        self.assertErrors(self.s.call("DELETE", "/v1/services/edge?confirm=5"), 422, (None, "no-confirm"))
        self.assertStatus(self.s.call("DELETE", "/v1/services/edge?confirm=0"), 400)
        self.assertStatus(self.s.apply(described(2), confirm=0), 422)
        for task in ("heal", "restart", "upgrade"):
            self.assertStatus(self.s.call("POST", f"/v1/services/edge:{task}?confirm=5"), 422)

    def test_what_was_rolled_back_awaits_nothing(self):
        self.s.must_apply(described(1))
        self.assertEqual(self.s.apply(described(2, refuse=True), confirm=60).json["state"], "ROLLED_BACK")
        self.post("confirm", status=409)
        self.s.must_apply(described(3))

    @contextlib.contextmanager
    def store(self):
        """The store itself, while no orchestrator uses it."""
        database = sqlite3.connect(os.path.join(self.s.state, "sluiced.db"))
        with database:
            yield database
        database.close()

    def test_sluiced_is_killed_meanwhile(self):
        self.s.must_apply(described(1))
        self.confirmed_apply(2, described(2))
        self.s.kill()
        time.sleep(2.5)  # the time runs out while nobody is there
        self.s.start()
        self.undone()

    def test_sluiced_is_restarted_and_confirmed(self):
        self.s.must_apply(described(1))
        self.confirmed_apply(60, described(2))
        self.s.stop()
        self.s.start()
        self.post("confirm")
        self.assertEqual(self.number(), 2)

    def restarted(self, set_clocks):
        """Killed with a confirmation of an hour awaited; the store's clocks are set, and it starts again."""
        self.s.must_apply(described(1))
        self.confirmed_apply(3600, described(2))
        self.s.kill()
        with self.store() as database:
            set_clocks(database)
        self.s.start()

    def test_calendar_jumps(self):
        """Set two days forward or back in the same boot: the clock since boot alone counts."""
        for days in (2, -2):
            with self.subTest(days=days):
                self.restarted(lambda database: database.execute("UPDATE confirm SET wall = wall - ?", (days * 86400000,)))
                time.sleep(1)
                self.assertEqual(self.number(), 2)
                self.post("confirm")
                self.s.must_apply(described(0))

    def test_time_runs_out_on_the_clock_since_boot(self):
        """However far away the calendar says that it is."""
        self.restarted(lambda database: database.execute("UPDATE confirm SET until = until - 3599000, wall = wall + 86400000"))
        self.undone()

    def test_machine_boots_meanwhile(self):
        """The calendar tells how long that took."""
        self.restarted(lambda database: database.execute("UPDATE confirm SET boot = 'another', until = 1, wall = wall - 3599000"))
        self.undone()

    def test_machine_boots_with_its_calendar_set_back(self):
        """Then it is waited anew, but not longer than was asked for."""
        self.restarted(lambda database: database.execute("UPDATE confirm SET boot = 'another', until = 1, seconds = 2, wall = wall + 864000000"))
        self.undone()

    def test_bounded(self):
        self.s.stop()
        self.s.options = ["--revisions", "3"]
        self.s.start()
        for number in range(1, 6):
            self.s.must_apply(described(number))
        self.assertEqual([one["revision"] for one in self.revisions()], [3, 4, 5])
        for number in range(6, 11):  # what is needed to go back to is kept, however many fail
            self.assertEqual(self.s.apply(described(number, refuse=True)).json["state"], "ROLLED_BACK")
            self.assertEqual(self.number(), 5)
        self.s.kill()
        self.s.start()
        self.assertEqual(self.number(), 5)


class Running(mano.Case):
    """What processes run is compared by themselves: real executables."""

    def described(self, action="accept"):
        rules = [{"name": "web", "protocol": "tcp", "destinationPorts": "80", "action": action}]
        return service(vnfs=[{"name": "fw", "kind": "firewall", "config": {"rules": rules}},
                             {"name": "far", "kind": "firewall", "placement": "process", "config": {}}],
                       chains=[{"name": "all", "path": ["lan", "fw", "far", "wan"]}])

    def diff(self, of, query=""):
        answer = self.assertStatus(self.s.get(f"/v1/services/edge/revisions/{of}:diff?to=running{query}"), 200)
        self.assertEqual(answer["to"], "running")
        return [(one["path"], one["kind"], one.get("before"), one.get("after")) for one in answer["changes"]]

    def behind(self, process, vnf, body):
        reply = mano.request(f"{self.s.run}/{process}/control.sock", "PATCH", f"/v1/vnfs/{vnf}/config", body)
        self.assertEqual(reply.status, 200, reply)

    def test_running(self):
        self.s.must_apply(self.described("drop"))
        self.s.must_apply(self.described())
        self.assertEqual(self.diff("current"), [], "defaults are no difference")
        changed = ("vnfs[fw].config.rules[web].action", "~", '"drop"', '"accept"')
        self.assertEqual(self.diff(1), [changed])
        self.assertEqual(self.diff(2), [])
        self.behind("edge", "fw", {"default": "accept"})
        self.assertEqual(self.diff("current"), [("vnfs[fw].config.default", "~", '"drop"', '"accept"')])
        self.assertEqual(self.diff(1, "&vnf=far"), [])
        self.behind("edge/far", "far", {"rules": [{"name": "x", "action": "drop"}]})
        self.assertIn("vnfs[far].config.rules", self.diff("current", "&vnf=far")[0][0])
        self.s.call("POST", "/v1/services/edge:restart?wait=60")
        self.assertEqual(self.diff("current"), [], "a restart brings back what is wanted")
        self.assertStatus(self.s.get("/v1/services/edge/revisions/9:diff?to=running"), 404)


mano.main()
