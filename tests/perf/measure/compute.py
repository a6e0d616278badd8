# SPDX-License-Identifier: BSD-3-Clause
"""The compute bench: one thread, no other process. Each sample comes with its calibration and its null forwarder."""
import statistics
import subprocess

from . import machine
from .report import row

CONTENDED = 1.15


def run(name, arguments, *more):
    """The lines of the bench, as numbers."""
    command = ["taskset", "-c", str(arguments.cpu), machine.program("bench"), "--samples", str(arguments.samples), "--cpu", str(arguments.cpu), *more, name]
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
