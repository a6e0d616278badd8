# SPDX-License-Identifier: BSD-3-Clause
"""The compute bench: one thread, no other process. Each sample comes with its calibration and its null forwarder."""
import statistics
import subprocess

from . import machine
from .report import row

CONTENDED = 1.15
SHORT = 5


def run(name, arguments, *more, cpus=None, samples=None):
    """The lines of the bench, as numbers."""
    cpus = cpus or str(arguments.cpu)
    command = ["taskset", "-c", cpus, machine.program("bench"), "--samples", str(samples or arguments.samples), "--cpu", cpus, *more, name]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"{name}: exit {done.returncode}\n{done.stderr}")
    return [tuple(map(float, l.split())) for l in done.stdout.splitlines()]


def quiet(rows):
    """Those whose calibration loop was not slower than 15 % above the best, unless too few are left."""
    best = min(r[1] for r in rows)
    kept = [r for r in rows if r[1] <= best * CONTENDED]
    return kept if len(kept) >= 3 else rows


def samples_of(name, arguments):
    return quiet(run(name, arguments))


def packets(case, arguments):
    samples = samples_of(case, arguments)
    return [row(case, "cycles/packet", [s[0] for s in samples], [s[2] for s in samples])]


def null(case, arguments):
    values = [s[2] for s in samples_of("path-0", arguments)]
    return [row(case, "cycles/packet", values, values)]


def hop(case, arguments):
    none, four = samples_of("path-0", arguments), samples_of("path-4", arguments)
    base = statistics.median(s[0] for s in none)
    return [row(case, "cycles/packet", [(s[0] - base) / 4 for s in four], [s[2] for s in four])]


def sessions(case, arguments):
    return [row(case, "sessions/s", [s[0] for s in samples_of(case, arguments)])]


def workers(case, arguments):
    """workers2: one and two workers on the same frames, dealt to their owners and in turn: how many times one worker's packets (sessions) two have. Samples are short, and only those
    count during which nobody else had the cpus."""
    first = [str(arguments.cpu)] + [str(cpu) for cpu in machine.cpus() if cpu != arguments.cpu][:1]
    rows = []
    for name, what in (("", "nat-64k"), ("-sessions", "sessions-firewall")):
        values = {}
        for kind, options in (("one", ["--workers", "1"]), ("spread", ["--workers", "2", "--spread"]), ("unspread", ["--workers", "2"])):
            values[kind] = quiet(run(what, arguments, *options, cpus=",".join(first[:len(first) if kind != "one" else 1]), samples=SHORT * arguments.samples))
        one = statistics.median(v[0] for v in values["one"])
        for kind in ("spread", "unspread"):
            rows.append(row(f"{case}{name}-{kind}", "times one", [v[0] / one if name else one / v[0] for v in values[kind]]))
        if not name:
            rows.append(row(f"{case}-handed", "% of packets", [100 * v[3] for v in values["unspread"]]))
    return rows
