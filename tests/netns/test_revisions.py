# SPDX-License-Identifier: BSD-3-Clause
"""Revisions of a process that runs alone: history, difference, rollback, confirmation, and what the next life begins with."""
import json
import os
import unittest

from lab import Lab, until


def document(action):
    rules = [{"name": "web", "action": action, "protocol": "tcp", "destinationPorts": "80"}]
    ports = [{"name": name, "device": "null:?receive=0"} for name in ("lan", "wan")]
    return {"edge": {"ports": ports}, "functions": [{"name": "fw", "kind": "firewall", "config": {"rules": rules}}],
            "paths": [{"name": "all", "path": ["lan", "fw", "wan"]}]}


class Revisions(unittest.TestCase):
    def setUp(self):
        self.lab = Lab()
        self.addCleanup(self.lab.close)
        self.kept = os.path.join(self.lab.folder, "revisions")
        self.engine = self.lab.engine("edge", document("accept"), "sluice-chain", "--revisions", self.kept, "--log-level", "warn").ready()

    def ask(self, method, where, body=None, status=200):
        reply = self.engine.rest(method, where, body)
        self.assertEqual(reply.status, status, f"{method} {where}: {reply.body}")
        return reply.json()

    def change(self, action, query="", status=200):
        config = document(action)["functions"][0]["config"]
        return self.ask("PUT", f"/v1/vnfs/fw/config{query}", config, status)

    def runs(self):
        return self.ask("GET", "/v1/vnfs/fw/config")["rules"][0]["action"]

    def listed(self):
        return self.ask("GET", "/v1/config/revisions")

    def again(self):
        """The next life."""
        self.engine.process.stop()
        self.engine.start()
        self.engine.ready()

    def test_level_of_a_log_in_a_file(self):
        self.change("drop")
        with open(os.path.join(self.engine.folder, "log")) as file:
            self.assertEqual([line for line in file if "level=info" in line], [])

    def test_history_and_rollback(self):
        self.change("drop", "?comment=why%20not")
        self.change("drop")
        self.assertEqual([(one["revision"], one["current"]) for one in self.listed()], [(1, False), (2, True)], "what is the same is no revision")
        self.assertEqual(self.listed()[1]["comment"], "why not")
        self.assertTrue(all(one["author"] and one["time"] for one in self.listed()))
        self.assertEqual(self.ask("GET", "/v1/config/revisions/1")["document"]["functions"][0]["config"]["rules"][0]["action"], "accept")
        changes = self.ask("POST", "/v1/config:diff", {"from": 1})["changes"]
        self.assertEqual([change["kind"] for change in changes], ["~"])
        self.assertIn("functions[fw].config", changes[0]["path"])
        self.assertEqual(self.ask("POST", "/v1/config:diff", {"from": 1, "to": 2})["changes"], changes)
        self.assertEqual(self.ask("POST", "/v1/config:diff", {"from": 2}), {"changes": []})
        self.assertEqual(self.ask("POST", "/v1/config:rollback"), {"revision": 3})
        self.assertEqual(self.runs(), "accept")
        self.assertEqual(self.ask("POST", "/v1/config:rollback", {"revision": 2}), {"revision": 4})
        self.assertEqual(self.runs(), "drop")
        for where, body in (("rollback", {"revision": 77}), ("diff", {"from": 77}), ("diff", {"from": 1, "to": 77}), ("save", {"revision": 77})):
            self.ask("POST", "/v1/config:" + where, body, 404)
        self.ask("GET", "/v1/config/revisions/77", None, 404)
        self.ask("GET", "/v1/config/revisions/x", None, 404)
        self.ask("POST", "/v1/config:diff", {}, 422)
        self.ask("POST", "/v1/config:rollback", {"revision": 0}, 422)
        self.assertEqual((self.runs(), len(self.listed())), ("drop", 4), "what was refused changed nothing")

    def test_confirmation(self):
        self.change("drop", "?confirm=2")
        self.change("reject", status=409)
        self.ask("PUT", "/v1/config?dryRun=1", document("reject"))
        until("it is undone", lambda: self.runs() == "accept", 30)
        self.ask("POST", "/v1/config:confirm", None, 409)
        self.assertEqual(len(self.listed()), 3)
        self.change("drop", "?confirm=600")
        self.assertEqual(self.ask("POST", "/v1/config:confirm"), {"confirmed": True})
        self.change("reject", "?confirm=600")
        self.assertEqual(self.ask("POST", "/v1/config:rollback"), {"revision": 6}, "what awaits its confirmation goes at once")
        self.assertEqual(self.runs(), "drop")
        self.change("accept")
        self.change("accept", "?confirm=0", 400)

    def test_the_next_life(self):
        self.change("drop")
        self.again()
        self.assertEqual(self.runs(), "accept", "nothing was saved: the startup file")
        self.ask("POST", "/v1/config:save", {"revision": 2})
        self.assertEqual([one["saved"] for one in self.listed()], [False, True, False])
        self.again()
        self.assertEqual(self.runs(), "drop", "what was saved")
        with open(self.engine.config, "w") as file:
            json.dump(document("reject"), file)
        self.again()
        self.assertEqual(self.runs(), "reject", "the startup file has changed since: it wins")
        self.assertIn("saved-revision-passed-over", self.engine.logged())


if __name__ == "__main__":
    unittest.main(verbosity=2)
