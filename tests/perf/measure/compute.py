# SPDX-License-Identifier: BSD-3-Clause
"""The compute bench: one thread, no other process. Each sample comes with its calibration and its null forwarder."""
import statistics
import subprocess

from . import machine
from .report import row

CONTENDED = 1.15
ATTEMPTS = 3
SHORT = 5
ALONE = ("firewall", "nat", "lb")


def run(name, arguments, *more, cpus=None, samples=None):
    """The lines of the bench, as numbers."""
    cpus = cpus or str(arguments.cpu)
    command = ["taskset", "-c", cpus, machine.program("bench"), "--samples", str(samples or arguments.samples), "--cpu", cpus, *more, name]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"{name}: exit {done.returncode}\n{done.stderr}")
    return [tuple(map(float, l.split())) for l in done.stdout.splitlines()]


def quiet(rows, arguments):
    """Those whose calibration loop was not slower than 15 % above the best of the whole run, unless too few are left: then the quieter half."""
    arguments.best = min([getattr(arguments, "best", float("inf")), *(r[1] for r in rows)])
    kept = [r for r in rows if r[1] <= arguments.best * CONTENDED]
    return kept if len(kept) >= min(3, len(rows)) else sorted(rows, key=lambda r: r[1])[:(len(rows) + 1) // 2]


def samples_of(name, arguments):
    """On a machine that others use a case is measured up to ATTEMPTS times, until there are enough quiet samples."""
    rows = []
    for _ in range(ATTEMPTS):
        rows += run(name, arguments)
        kept = quiet(rows, arguments)
        if len(kept) >= arguments.samples and kept[0][1] <= arguments.best * CONTENDED:
            break
    return kept


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


def whole(case, arguments):
    """A chain, and what is left in it of the packets of its slowest function alone, with as many sessions."""
    sessions = "1m" if case.endswith("-1m") else "64k"
    samples = samples_of(case, arguments)
    slowest = max(statistics.median(s[0] for s in samples_of(f"{name}-{sessions}", arguments)) for name in ALONE)
    return [row(case, "cycles/packet", [s[0] for s in samples], [s[2] for s in samples]), row(f"{case}-share", "of slowest alone", [slowest / s[0] for s in samples])]


def _teams(what, arguments, kinds):
    """Samples of each kind, by the round in which they were taken: kinds in turn, so that what the machine does beside them meets all alike."""
    cpus = [str(arguments.cpu)] + [str(cpu) for cpu in machine.cpus() if cpu != arguments.cpu][:1]
    taken = {kind: [] for kind in kinds}
    for number in range(arguments.samples):
        for kind, options in kinds.items():
            samples = run(what, arguments, *options, cpus=",".join(cpus[:int(options[1])]), samples=SHORT)
            taken[kind] += [(*s, number) for s in samples]
    return {kind: quiet(samples, arguments) for kind, samples in taken.items()}


def _times(taken, kind, larger_is_better):
    """Each sample of a kind over the median of one worker in the same round, or in all of them where that had no quiet sample."""
    def one(number):
        return statistics.median([s[0] for s in taken["one"] if s[-1] == number] or [s[0] for s in taken["one"]])
    return [s[0] / one(s[-1]) if larger_is_better else one(s[-1]) / s[0] for s in taken[kind]]


def workers(case, arguments):
    """workers2: one and two workers on the same frames, dealt to their owners and in turn: how many times one worker's packets (sessions) two have; and two null forwarders against one.
    Samples are short, and only those count during which nobody else had the cpus."""
    kinds = {"one": ["--workers", "1"], "spread": ["--workers", "2", "--spread"], "unspread": ["--workers", "2"]}
    rows = []
    for name, what in (("-null", "null"), ("", "nat-64k"), ("-sessions", "sessions-firewall")):
        if what == "null":
            taken = _teams(what, arguments, {kind: kinds[kind] for kind in ("one", "spread")})
            rows.append(row(f"{case}{name}", "times one", _times(taken, "spread", False)))
            continue
        taken = _teams(what, arguments, kinds)
        rows += [row(f"{case}{name}-{kind}", "times one", _times(taken, kind, bool(name))) for kind in ("spread", "unspread")]
        if not name:
            rows.append(row(f"{case}-handed", "% of packets", [100 * s[3] for s in taken["unspread"]]))
    return rows
