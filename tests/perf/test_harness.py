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
sys.path[:0] = [HERE, os.path.join(HERE, "..", "lib")]
from measure import cases, instructions, links  # noqa: E402


def harness(*arguments):
    return subprocess.run([sys.executable, RUN, *arguments], capture_output=True, text=True)


class Harness(unittest.TestCase):
    def test_json_and_table(self):
        names = ["null", "hop", "acl-1k", "sessions-nat"]
        with tempfile.NamedTemporaryFile("r", suffix=".json") as file:
            done = harness("--samples", "1", "--json", file.name, *names)
            self.assertEqual(done.returncode, 0, done.stderr)
            written = json.load(file)
            again = harness("--from", file.name, "--markdown", *names)
        self.assertEqual([r["case"] for r in written["rows"]], names)
        for row in written["rows"]:
            self.assertEqual(list(row), ["case", "unit", "min", "median", "max", "samples", "ratio"])
            self.assertLessEqual(row["min"], row["median"])
        self.assertEqual([r["unit"] for r in written["rows"]], ["cycles/packet"] * 3 + ["sessions/s"])
        self.assertGreater(written["about"]["tscMHz"], 100)
        for key in ("cpu", "cpus", "kernel", "dpdk", "compiler", "commit", "method"):
            self.assertIn(key, written["about"])
        self.assertEqual(len(done.stdout.splitlines()), 5)
        self.assertEqual([l.split("|")[1].strip() for l in again.stdout.splitlines()[2:]], names)

    def test_cases(self):
        wrong = harness("firewall")
        self.assertEqual(wrong.returncode, 2)
        self.assertIn("no such case: firewall", wrong.stderr)
        self.assertEqual(re.search(r"there are: (.*)\)", wrong.stderr).group(1).split(), list(cases.CASES))

    def rows_of(self, path):
        with open(os.path.join(HERE, "..", "..", path)) as file:
            return re.findall(r"^\| ([a-z0-9.-]+) \|(?: [^|]+ \|){5} (?:[0-9.]+|-) \|$", file.read(), re.M)

    def test_documents_have_the_tables(self):
        self.assertEqual(self.rows_of("README.md"), [row for case in cases.README for row in cases.CASES[case].rows])
        self.assertEqual(self.rows_of("docs/PERFORMANCE.md"), [row for case in cases.CASES.values() for row in case.rows])


class Links(unittest.TestCase):
    def test_what_is_sent_arrives_and_is_timed(self):
        cpu, ends = links.spread(1)
        for apart in (False, True):
            service = links.Service([links.FIREWALL, links.NAT], [cpu], apart=apart)
            self.addCleanup(service.close)
            few, all_there_is = service.measure(1, ends, phases=["1000:0.5", "max:0.2"])
            self.assertGreater(few["received"], 100)
            self.assertLessEqual(few["received"], few["sent"])
            self.assertLess(few["sent"], 1000)
            for result in (few, all_there_is):
                self.assertTrue(0 < result["p50"] <= result["p99"] <= result["p999"], result)
                self.assertAlmostEqual(result["loss"], 1 - result["received"] / result["sent"], places=4)
            self.assertGreater(all_there_is["pps"], few["pps"])


class Guard(unittest.TestCase):
    def test_a_tenth_more_is_too_much(self):
        base = {"null": 70.0, "nat-64k": 600.0}
        self.assertTrue(instructions.judge({"null": 76.9, "nat-64k": 540.0}, base)[1])
        self.assertFalse(instructions.judge({"null": 77.1, "nat-64k": 540.0}, base)[1])
        self.assertFalse(instructions.judge({"null": 70.0, "nat-64k": 600.0, "new": 1.0}, base)[1])


if __name__ == "__main__":
    unittest.main(verbosity=2)
