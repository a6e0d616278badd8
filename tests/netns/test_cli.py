# SPDX-License-Identifier: BSD-3-Clause
"""The command line against a real sluiced: exit statuses, errors with file and line, a service's life by hand."""
import json
import os
import subprocess
import unittest

from lab import Line, SOURCE, program, until


class Cli(unittest.TestCase):
    def setUp(self):
        self.lab = Line()
        self.addCleanup(self.lab.close)
        libexec = os.path.join(self.lab.folder, "bin")
        os.makedirs(libexec)
        for name in ("sluice-chain", "sluice-firewall", "sluice-nat"):
            os.symlink(program(name), os.path.join(libexec, name))
        folder = os.path.join(self.lab.folder, "s")
        self.server = f"unix:{folder}/sluiced.sock"
        sluiced = os.path.join(os.environ["SLUICE_BUILD"], "mano", "sluiced", "sluiced")
        self.lab.process([sluiced, "--run-dir", folder, "--state-dir", folder + ".state", "--libexec", libexec])
        until("sluiced serves", lambda: self.sluice("version").returncode == 0)
        with open(os.path.join(SOURCE, "conf", "quickstart.cfg")) as file:
            self.text = file.read().replace("sluice-edge", self.lab.edge)
        self.good = self.write("good.cfg", self.text)

    def write(self, name, text):
        path = os.path.join(self.lab.folder, name)
        with open(path, "w") as file:
            file.write(text)
        return path

    def sluice(self, *words):
        return subprocess.run([program("sluice"), "--server", self.server, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def expect(self, status, *words):
        done = self.sluice(*words)
        self.assertEqual(done.returncode, status, f"{words}: {done.stdout}{done.stderr}")
        return done

    def test_statuses(self):
        self.expect(2)
        self.expect(2, "frobnicate")
        self.expect(3, "get", "service", "nobody")
        self.expect(6, "--server", "unix:/nonexistent", "get", "service")
        self.expect(0, "doctor")
        self.expect(0, "--help")

    def test_errors_have_lines(self):
        bad = self.write("bad.cfg", self.text.replace('"198.51.100.10"', '"198.51.100"'))
        line = 1 + [i for i, text in enumerate(self.text.splitlines()) if '"198.51.100.10"' in text][0]
        for verb in ("validate", "apply", "diff"):
            done = self.expect(7, verb, "-f", bad)
            self.assertIn(f"{bad}:{line}: services[0].vnfs[1].config.pools[0].addresses[0]: ", done.stderr)
        self.expect(7, "validate", "-f", self.write("syntax.cfg", "services = ( { name = ; } );"))
        self.assertEqual(json.loads(self.expect(0, "get", "service", "-o", "json").stdout), [], "nothing has changed")

    def test_revisions(self):
        self.expect(0, "apply", "-f", self.good, "--comment", "the first & best")
        self.expect(0, "config", "set", "edge/fw", "rules[web].action", "drop")
        rows = self.expect(0, "history", "edge").stdout.splitlines()
        self.assertEqual([row.split()[0] for row in rows], ["REVISION", "1", "2"])
        self.assertIn("the first & best", rows[1])
        self.assertEqual([one["state"] for one in json.loads(self.expect(0, "history", "edge/fw", "-o", "json").stdout)], ["past", "current"])
        for range_ in ("1", "1..2", "1.."):
            self.assertIn('"drop"', self.expect(8, "diff", "edge", "--revision", range_).stdout)
        self.expect(0, "diff", "edge/nat", "--revision", "1..2")
        self.expect(2, "diff", "edge", "--revision", "one")
        self.expect(3, "diff", "edge", "--revision", "7")
        self.assertIn('"accept"', self.expect(0, "rollback", "edge", "--dry-run").stdout)
        self.expect(0, "rollback", "edge")
        self.expect(0, "diff", "edge", "--revision", "1..3")
        self.expect(3, "rollback", "edge", "9")
        self.expect(2, "rollback", "edge", "x")
        self.expect(0, "rollback", "edge/fw", "2", "--confirm", "10m")
        self.expect(4, "rollback", "edge", "1")
        self.expect(0, "confirm", "edge")
        self.expect(4, "confirm", "edge")
        self.expect(2, "apply", "-f", self.good, "--confirm", "never")
        self.expect(0, "apply", "-f", self.good, "--confirm", "2s")
        until("undone", lambda: json.loads(self.expect(0, "history", "edge", "-o", "json").stdout)[-1]["kind"] == "undo", 30)
        self.expect(0, "diff", "edge", "--revision", "2")

    def test_life(self):
        self.expect(8, "diff", "-f", self.good)
        self.expect(0, "apply", "-f", self.good)
        self.expect(0, "diff", "-f", self.good)
        until("traffic flows", lambda: self.lab.ping(self.lab.SERVER4, count=1))
        self.assertIn("firewall", self.expect(0, "get", "vnf", "edge").stdout)
        self.expect(0, "config", "set", "edge/fw", "rules[ping].action", "drop")
        self.assertEqual(self.lab.ping(self.lab.SERVER4, count=1), 0)
        self.expect(8, "diff", "-f", self.good)
        self.expect(0, "chain", "remove", "edge/all", "fw")
        until("the firewall is out of the way", lambda: self.lab.ping(self.lab.SERVER4, count=1))
        self.expect(0, "chain", "insert", "edge/all", "fw", "--before", "nat")
        until("it is back", lambda: not self.lab.ping(self.lab.SERVER4, count=1))
        self.expect(0, "restart", "edge")
        self.assertIn("vnf-ready", self.expect(0, "events", "--last", "50").stdout)
        self.assertIn("edge/fw", self.expect(0, "top", "--once").stdout)
        self.expect(0, "delete", "-f", self.good)
        self.expect(3, "get", "service", "edge")


if __name__ == "__main__":
    unittest.main(verbosity=2)
