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


def _live():
    os.environ.setdefault("SLUICED", os.path.join(machine.BUILD, "mano", "sluiced", "sluiced"))
    os.environ.setdefault("SLUICE_PROGRAMS", ":".join(lab.program(f"sluice-{name}") for name in ("chain", "firewall", "nat")))
    for folder in ("mano", "live"):
        sys.path.insert(0, os.path.join(machine.ROOT, "tests", folder))
    import live
    return live


def _results(arguments, hurt, placement="fused"):
    """What became of numbered traffic in each sample, while `hurt` does something to a service."""
    live = _live()
    results = []
    for _ in range(arguments.samples):  # a service of its own each time: one that dies again and again is started later and later
        service = live.Live()
        service.placement = placement
        try:
            service.setUp()
            load = live.Load(service.line, 2000, 3)
            time.sleep(1)
            hurt(service.s)
            results.append(load.result())
        finally:
            service.doCleanups()
    return results


def recovery(case, arguments):
    return [row(case, "ms", [r["longestGapMs"] for r in _results(arguments, lambda s: os.kill(next(iter(s.pids())), signal.SIGKILL))])]


def upgrade(case, arguments):
    """Another process of the same executable takes its place, which makes no difference to how it is done; `-hops`: with those of its functions."""
    def restart(s):
        done = s.call("POST", "/v1/services/edge:restart?wait=60").json
        assert done["state"] == "COMPLETED", done

    results = _results(arguments, restart, "process" if case.endswith("-hops") else "fused")
    return [row(case, "ms", [r["longestGapMs"] for r in results]), row(f"{case}-lost", "packets", [r["lost"] for r in results])]


LOAD_RATE = 2000


def _change(service, live, load):
    """Applies the descriptor: longest silence of any flow, and how long the whole took, in ms."""
    load.flowing()
    begin = time.monotonic()
    service.apply()
    took = 1000 * (time.monotonic() - begin)
    time.sleep(1)
    return load.flowing()[1], took


def handover(case, arguments):
    """A NAT goes to a process of its own and comes back, and workers come and go, under 2,000 numbered packets a second."""
    live = _live()
    sessions = {"64k": 65536, "1m": 1000000}[case.split("-")[1]]
    nat = {"pools": [{"name": "public", "addresses": ["198.51.100.16-198.51.100.47"]}], "mappings": 1 << 20}
    values = {}
    for _ in range(min(arguments.samples, 3)):
        service = live.Live()
        service.engine = {"workers": 1, "workersMax": 2, "sessions": 9 * sessions // 2, "timeouts": {"udp": 3600}, "memory": 512}
        service.nat = nat
        try:
            service.setUp()
            filled = service.fill(sessions)
            load = live.Load(service.line, LOAD_RATE, 3600)
            time.sleep(1)
            for step, place, workers in (("out", "process", 1), ("back", "fused", 1), ("workers2", "fused", 2), ("workers1", "fused", 1)):
                service.descriptor["vnfs"][1]["placement"] = place
                service.descriptor["engine"]["workers"] = workers
                silence, took = _change(service, live, load)
                values.setdefault(f"-{step}", []).append(silence)
                values.setdefault(f"-{step}-change", []).append(took)
            load.stop()
            result = load.result()
            left = service.sessions()
            values.setdefault("-lost", []).append(result["lost"] + result["reordered"])
            values.setdefault("-kept", []).append(100 * left / filled)
        finally:
            service.doCleanups()
    units = {"-lost": "packets", "-kept": "% of sessions"}
    return [row(case + name, units.get(name, "ms"), measured) for name, measured in values.items()]
