# SPDX-License-Identifier: BSD-3-Clause
"""The command line and time: history, differences, rollback, confirmation, upgrades, backups."""
import json
import os
import unittest

from cli import ServiceCase
from lab import program, until


class Revisions(ServiceCase):
    def data(self, *words):
        return json.loads(self.expect(0, *words, "-o", "json").stdout)

    def test_revisions(self):
        self.expect(0, "apply", "-f", self.good, "--comment", "the first & best")
        self.expect(0, "config", "set", "edge/fw", "rules[web].action", "drop")
        rows = self.expect(0, "history", "edge").stdout.splitlines()
        self.assertEqual([row.split()[0] for row in rows], ["REVISION", "1", "2"])
        self.assertIn("the first & best", rows[1])
        self.assertEqual([one["state"] for one in self.data("history", "edge/fw")], ["past", "current"])
        for range_ in ("1", "1..2", "1.."):
            self.assertIn('"drop"', self.expect(8, "diff", "edge", "--revision", range_).stdout)
        self.expect(0, "diff", "edge/nat", "--revision", "1..2")
        self.expect(2, "diff", "edge", "--revision", "one")
        self.expect(0, "diff", "edge")
        self.assertIn('"drop"', self.expect(8, "diff", "edge/fw", "--revision", "1..running").stdout)
        self.expect(0, "diff", "edge", "--revision", "current..running")
        self.expect(3, "diff", "edge", "--revision", "7")
        self.assertIn('"accept"', self.expect(0, "rollback", "edge", "--dry-run").stdout)
        self.expect(0, "rollback", "edge")
        self.expect(0, "diff", "edge", "--revision", "1..3")
        self.expect(3, "rollback", "edge", "9")
        self.expect(2, "rollback", "edge", "x")

    def test_confirmation(self):
        self.expect(0, "apply", "-f", self.good)
        self.expect(0, "config", "set", "edge/fw", "rules[web].action", "drop", "--confirm", "10m")
        self.expect(4, "rollback", "edge", "1")
        self.expect(0, "confirm", "edge")
        self.expect(4, "confirm", "edge")
        self.expect(2, "apply", "-f", self.good, "--confirm", "never")
        self.expect(0, "apply", "-f", self.good, "--confirm", "2s")
        until("undone", lambda: self.data("history", "edge")[-1]["kind"] == "undo", 30)
        self.expect(0, "diff", "edge", "--revision", "2")

    def test_backup(self):
        self.expect(0, "apply", "-f", self.good)
        saved = os.path.join(self.lab.folder, "saved")
        self.expect(0, "backup", "-w", saved)
        self.assertEqual(os.stat(saved).st_mode & 0o777, 0o600)
        self.expect(0, "delete", "service", "edge")
        self.expect(0, "restore", saved, "--dry-run")
        self.assertEqual(self.data("get", "service"), [])
        self.expect(0, "restore", saved)
        self.expect(4, "restore", saved)
        self.expect(7, "restore", self.good, "--force")
        self.expect(3, "restore", "/nonexistent")
        until("the service is back", lambda: self.data("get", "service", "edge")["state"] == "ready", 30)

    def test_upgrade(self):
        self.expect(0, "apply", "-f", self.good)
        chain = program("sluice-chain")
        self.assertIn(chain, self.expect(0, "upgrade", "edge", "--build", chain, "--dry-run").stdout)
        self.expect(0, "upgrade", "edge", "--build", chain)
        self.assertEqual(self.data("get", "service", "edge")["process"]["program"], chain)
        self.expect(3, "upgrade", "edge", "--build", "/nonexistent")
        self.expect(2, "upgrade", "edge", "--build", chain, "--libexec", "/")
        self.expect(0, "upgrade", "edge")
        self.assertNotEqual(self.data("get", "service", "edge")["process"]["program"], chain)


if __name__ == "__main__":
    unittest.main()
