# SPDX-License-Identifier: BSD-3-Clause
"""The harness runs and says what it promises; no figure is judged."""
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
RUN = os.path.join(HERE, "run")
CASES = ("null hop firewall-64k firewall-1m nat-64k nat-1m chain2-64k chain2-1m acl-1k acl-10k sessions-firewall sessions-nat idle memory recovery").split()


def harness(*arguments):
    return subprocess.run([sys.executable, RUN, *arguments], capture_output=True, text=True)


class Harness(unittest.TestCase):
    def test_json_and_table(self):
        with tempfile.NamedTemporaryFile("r", suffix=".json") as file:
            done = harness("--samples", "1", "--json", file.name, "null", "hop", "acl-1k", "sessions-nat")
            self.assertEqual(done.returncode, 0, done.stderr)
            rows = json.load(file)
        self.assertEqual([r["case"] for r in rows], ["null", "hop", "acl-1k", "sessions-nat"])
        for row in rows:
            self.assertEqual(list(row), ["case", "unit", "min", "median", "max", "samples", "ratio"])
            self.assertLessEqual(row["min"], row["median"])
        self.assertEqual([r["unit"] for r in rows], ["cycles/packet"] * 3 + ["sessions/s"])
        self.assertEqual(len(done.stdout.splitlines()), 5)

    def test_cases(self):
        wrong = harness("firewall")
        self.assertEqual(wrong.returncode, 2)
        self.assertIn("no such case: firewall", wrong.stderr)
        self.assertEqual(re.search(r"there are: (.*)\)", wrong.stderr).group(1).split(), CASES)

    def test_readme_has_the_table(self):
        with open(os.path.join(HERE, "..", "..", "README.md")) as file:
            rows = re.findall(r"^\| ([a-z0-9-]+) \| (?:cycles/packet|sessions/s|% of a core|MB|ms) \|", file.read(), re.M)
        self.assertEqual(rows, CASES)


if __name__ == "__main__":
    unittest.main(verbosity=2)
