# SPDX-License-Identifier: BSD-3-Clause
"""What a whole process takes: cores when idle, memory, and the time until it is back after a SIGKILL."""
import os
import signal
import sys
import time

import lab

from . import machine
from .report import row


def _engine():
    line = lab.Line()
    return line, line.engine("measured", line.document([{"name": "c", "kind": "count"}])).ready()


def _cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def idle(case, arguments):
    line, engine = _engine()
    shares = []
    time.sleep(1)
    for _ in range(arguments.samples):
        before, begin = _cpu_seconds(engine.process.pid), time.monotonic()
        time.sleep(1)
        shares.append(100 * (_cpu_seconds(engine.process.pid) - before) / (time.monotonic() - begin))
    line.close()
    return [row(case, "% of a core", shares)]


def memory(case, arguments):
    line, engine = _engine()
    with open(f"/proc/{engine.process.pid}/smaps_rollup") as file:
        fields = {l.split(":")[0]: int(l.split()[1]) for l in file.read().splitlines()[1:]}
    line.close()
    return [row(case, "MB", [fields["Pss"] / 1024])]


def session_memory(case, arguments):
    """Resident memory of a full table of a million, over its sessions: record and index, IPv4 and IPv6; then with the 128 bytes for functions' slots that a process has."""
    done = lab.run(machine.program("bench_flow"), "memory")
    bare4, whole4, bare6, whole6 = map(float, done.stdout.split())
    return [row(case, "bytes", [bare4]), row(f"{case}6", "bytes", [bare6]), row(f"{case}-slots", "bytes", [whole4]), row(f"{case}6-slots", "bytes", [whole6])]


def recovery(case, arguments):
    os.environ.setdefault("SLUICED", os.path.join(machine.BUILD, "mano", "sluiced", "sluiced"))
    os.environ.setdefault("SLUICE_PROGRAMS", ":".join(lab.program(f"sluice-{name}") for name in ("chain", "firewall", "nat")))
    for folder in ("mano", "live"):
        sys.path.insert(0, os.path.join(machine.ROOT, "tests", folder))
    from live import Live, Load
    values = []
    for _ in range(arguments.samples):  # a service of its own each time: one that dies again and again is started later and later
        live = Live()
        try:
            live.setUp()
            load = Load(live.line, 2000, 3)
            time.sleep(1)
            os.kill(next(iter(live.s.pids())), signal.SIGKILL)
            values.append(load.result()["longestGapMs"])
        finally:
            live.doCleanups()
    return [row(case, "ms", values)]
