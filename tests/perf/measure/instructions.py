#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Instructions a packet of the hot cases, counted by callgrind, against those that were recorded: they repeat to a thousandth, on any machine, loaded or not.

    tests/perf/measure/instructions.py [--record]

Fails where a case takes a tenth more than instructions.json says. Who means it to (a feature that is worth its price, a new compiler) records anew and says so in the commit. The base is that of
the compiler which it names; cycles are told by tests/perf/run.
"""
import argparse
import concurrent.futures
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from measure import machine  # noqa: E402

BASE = os.path.join(machine.ROOT, "tests", "perf", "instructions.json")
CASES = ["null", "path-4", "firewall-64k", "nat-64k", "lb-64k", "chain2-64k", "chain3-64k"]
FLOWS, LIMIT, AT_ONCE = 8192, 1.10, 2


def count(case):
    """callgrind collects within measured() only: its start, the opening of sessions and its end do not count."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=measured*", machine.program("bench"), "--count", "--flows", str(FLOWS), case]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    collected = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or not collected or int(collected.group(1)) == 0 or int(done.stdout) == 0:
        raise SystemExit(f"{case}: nothing was counted, exit {done.returncode}\n{done.stderr}")
    return round(int(collected.group(1)) / int(done.stdout), 1)


def judge(counts, base):
    """Lines to print, and whether all is well."""
    lines, well = [f"{'case':16} {'instructions':>12} {'base':>8} {'change':>8}"], True
    for case, value in counts.items():
        before = base.get(case)
        change = f"{100 * (value / before - 1):+.1f} %" if before else "-"
        wrong = "not recorded" if not before else "above +10 %" if value > before * LIMIT else ""
        lines.append(f"{case:16} {value:12.1f} {before or '-':>8} {change:>8} {wrong}".rstrip())
        well = well and not wrong
    return lines, well


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true", help="what is counted now becomes the base")
    arguments = parser.parse_args()
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        counts = dict(zip(CASES, pool.map(count, CASES)))
    if arguments.record:
        with open(BASE, "w") as file:
            json.dump({"compiler": machine.about()["compiler"], "instructionsPerPacket": counts}, file, indent=1)
            file.write("\n")
    with open(BASE) as file:
        base = json.load(file)
    lines, well = judge(counts, base["instructionsPerPacket"])
    print("\n".join(lines))
    if not well:
        print(f"\nRecorded with {base['compiler']}; if this is meant: tests/perf/measure/instructions.py --record")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
