# SPDX-License-Identifier: BSD-3-Clause
"""The machine that is measured: what it is, which of its cpus are used, and this run's place among its other work. Nothing here outlives the run."""
import atexit
import glob
import os
import platform
import re
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
BUILD = os.environ.setdefault("SLUICE_BUILD", os.path.join(ROOT, "build", "release"))
AUTOGROUP = "/proc/self/autogroup"


def program(name):
    return os.path.join(BUILD, "tests", "perf", name)


cpus_at_start = os.sched_getaffinity(0)


def cpus():
    """Those that this process may use, the last first: the first ones have the interrupts."""
    return sorted(cpus_at_start, reverse=True)


def _read(path, otherwise=""):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return otherwise


def _write(path, text):
    try:
        with open(path, "w") as file:
            file.write(text)
    except OSError:
        pass


def prefer():
    """Before the other work of the machine, until this process ends, where that is allowed. It holds for the whole session that this process belongs to."""
    before = re.search(r"nice (-?\d+)", _read(AUTOGROUP))
    if before:
        _write(AUTOGROUP, "-15")
        atexit.register(_write, AUTOGROUP, before.group(1))


def _output(*command):
    try:
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT).stdout.strip()
    except OSError:
        return ""


def tsc_mhz():
    return int(_output(program("bench"), "tsc") or 0) // 1000000


def about():
    """What belongs beside figures."""
    cpu = re.search(r"model name\s*: (.*)", _read("/proc/cpuinfo"))
    caches = [f"L{_read(p + '/level').strip()} {_read(p + '/type').strip().lower()} {_read(p + '/size').strip()}"
              for p in sorted(glob.glob("/sys/devices/system/cpu/cpu0/cache/index*"))]
    return {
        "cpu": cpu.group(1) if cpu else platform.machine(),
        "cpus": len(cpus()),
        "caches": caches,
        "virtual": " hypervisor " in _read("/proc/cpuinfo"),
        "tscMHz": tsc_mhz(),
        "kernel": platform.release(),
        "hugepages": int(_read("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "0")),
        "dpdk": _output("pkg-config", "--modversion", "libdpdk"),
        "compiler": _compiler(),
        "commit": _output("git", "describe", "--always", "--dirty"),
    }


def _compiler():
    found = re.search(r"^CMAKE_C_COMPILER:\w+=(.*)$", _read(os.path.join(BUILD, "CMakeCache.txt")), re.M)
    return _output(found.group(1), "--version").split("\n")[0] if found else ""
