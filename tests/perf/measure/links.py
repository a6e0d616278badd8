# SPDX-License-Identifier: BSD-3-Clause
"""A process measured from outside: a generator sends into its one link and takes from its other (traffic.c), at full rate and at half of what came through then.

Frames go one way, 1,000 flows, through a routed edge. The process has one worker; where cpus allow it has one of its own, and sender and receiver one each.
"""
import json
import os
import sys

import lab

from . import machine
from .report import row

MAC = "02:53:4c:00:00:01"
FIREWALL = {"name": "fw", "kind": "firewall", "config": {"zones": [{"name": "in", "ports": ["lan"]}], "rules": [{"name": "out", "from": "in", "action": "accept"}]}}
NAT = {"name": "nat", "kind": "nat", "config": {"pools": [{"name": "p", "addresses": ["203.0.113.0-203.0.113.15"]}]}}
COUNT = {"name": "c", "kind": "count"}
# The process's end of a link and the generator's, by kind.
LINKS = {"vhost": ("vhost:{}", "virtio:{}"), "memif": ("memif:{}", "memif:{}?server=1")}
SECONDS, SHORT = 0.4, 5
WAITED = 0.02
OWN = 4


def spread(count):
    """Cpus for a process and the two ends of its traffic: each its own, if there are as many."""
    cpus = machine.cpus()
    return cpus[0], cpus[1:3] if len(cpus) > 2 else cpus[-1:]


def document(folder, functions, kind="vhost", **more):
    ours = LINKS[kind][0]
    return {"engine": {"sessions": 65536, "seed": 1, "mbufs": 8192},
            "edge": {"ports": [{"name": "lan", "device": ours.format(f"{folder}/lan.sock"), "mac": MAC, "addresses": ["192.0.2.1/24"]},
                               {"name": "wan", "device": ours.format(f"{folder}/wan.sock"), "addresses": ["198.51.100.2/24"], "gateways": ["198.51.100.254"]}],
                     "routes": [{"prefix": "10.0.0.0/8", "via": "192.0.2.254"}]},
            "functions": functions, "paths": [{"name": "all", "path": ["lan", *[f["name"] for f in functions], "wan"]}], **more}


def traffic(folder, cpus, phases, kind="vhost", size=64, flows=1000, watch=()):
    """The phases' results."""
    theirs = LINKS[kind][1]
    done = lab.run("taskset", "-c", ",".join(map(str, cpus)), machine.program("traffic"), "--from", theirs.format(f"{folder}/lan.sock"), "--to", theirs.format(f"{folder}/wan.sock"),
                   "--mac", MAC, "--size", size, "--flows", flows, "--cpus", ",".join(map(str, cpus)), *(word for pid in watch for word in ("--watch", pid)), *phases)
    return [json.loads(line) for line in done.stdout.splitlines()]


class Service:
    """One process with two links, fused; or one with a process for each function behind it (`apart`), all on the cpus given."""

    def __init__(self, functions, cpus, kind="vhost", apart=False):
        self.lab, self.kind = lab.Lab(), kind
        self.folder = self.lab.folder
        try:
            if apart:
                self._apart(functions, cpus)
            else:
                self._start("service", document(self.folder, functions, kind), cpus)
        except BaseException:
            self.lab.end()
            raise

    def _start(self, name, doc, cpus):
        os.sched_setaffinity(0, cpus)
        try:
            self.lab.engine(name, doc, "sluice-chain", "--cores", str(cpus[0]))
        finally:
            os.sched_setaffinity(0, machine.cpus_at_start)

    def _apart(self, functions, cpus):
        hops = []
        for index, function in enumerate(functions):
            cpu = [cpus[index % len(cpus)]] if len(cpus) == 1 else [cpus[(index + 1) % len(cpus)]]
            a, b = (f"{self.folder}/{function['name']}.{gate}.sock" for gate in "ab")
            inner = [{"name": "all.a", "as": "lan", "device": f"virtio:{a}", "addresses": ["192.0.2.1/24"]},
                     {"name": "all.b", "as": "wan", "device": f"virtio:{b}", "addresses": ["198.51.100.2/24"]}]
            self._start(function["name"], {"engine": {"sessions": 65536, "seed": 1, "mbufs": 8192}, "edge": {"mode": "link", "ports": inner}, "functions": [function],
                                           "paths": [{"name": "all", "path": ["all.a", function["name"], "all.b"]}]}, cpu)
            hops.append({**function, "path": "all", "a": f"vhost:{a}", "b": f"vhost:{b}"})
        whole = document(self.folder, [], self.kind, hops=hops)
        whole["paths"][0]["path"] = ["lan", *[f["name"] for f in functions], "wan"]
        self._start("service", whole, cpus[:1])

    def measure(self, samples, ends, size=64, phases=(f"max:{SECONDS}", f"half:{SECONDS}")):
        return traffic(self.folder, ends, [p for _ in range(samples) for p in phases], self.kind, size, watch=[e.process.pid for e in self.lab.engines])

    def close(self):
        self.lab.close()


def quiet(pairs):
    """Those of (full, half) during which sender, receiver and worker were kept from their cpus for less than a fiftieth of the time, unless too few are left: then the quietest."""
    kept = [p for p in pairs if max(r["waited"] for r in p) < WAITED]
    return kept if len(kept) >= 3 else sorted(pairs, key=lambda p: max(r["waited"] for r in p))[:3]


def link(case, arguments):
    """link-KIND-SIZE: Mpps and loss at full rate, latency at half of it."""
    _, kind, size = case.split("-")
    cpu, ends = spread(1)
    service = Service([FIREWALL], [cpu], kind)
    results = service.measure(arguments.samples * SHORT, ends, size=int(size))
    service.close()
    full, half = zip(*quiet(list(zip(results[0::2], results[1::2]))))
    return [row(case, "Mpps", [r["pps"] / 1e6 for r in full]), row(f"{case}-loss", "%", [100 * r["loss"] for r in full]),
            *(row(f"{case}-{name}", "us", [r[key] for r in half]) for name, key in (("p50", "p50"), ("p99", "p99"), ("p99.9", "p999")))]


def first_packet(case, arguments):
    """Latency of packets that come one by one, 20 ms apart, to a process that is asleep; the worst of a hundred is what is meant."""
    cpu, ends = spread(1)
    service = Service([FIREWALL], [cpu])
    results = service.measure(arguments.samples, ends, phases=["50:2"])
    service.close()
    return [row(case, "us", [r["p50"] for r in results]), row(f"{case}-p99", "us", [r["p99"] for r in results])]


def _compare(case, arguments, functions, cpus, ends):
    """The functions local, and as processes behind hops, on these cpus; what a hop costs is the cycles of all cpus used."""
    results = []
    for apart in (False, True):
        service = Service(functions, cpus, apart=apart)
        results.append(service.measure(arguments.samples, ends))
        service.close()
    (local, local_half), (apart, apart_half) = ((r[0::2], r[1::2]) for r in results)
    def cycles(r):
        return machine.tsc_mhz() * 1e6 / r["pps"]
    return [row(f"{case}-local", "Mpps", [r["pps"] / 1e6 for r in local]), row(case, "Mpps", [r["pps"] / 1e6 for r in apart]),
            row(f"{case}-times", "times packets", [l["pps"] / r["pps"] for l, r in zip(local, apart)]),
            row(f"{case}-hop", "cycles/packet", [(len(cpus) * cycles(r) - cycles(l)) / len(functions) for l, r in zip(local, apart)]),
            row(f"{case}-local-p50", "us", [r["p50"] for r in local_half]), row(f"{case}-p50", "us", [r["p50"] for r in apart_half]),
            row(f"{case}-slower", "times latency", [r["p50"] / l["p50"] for l, r in zip(local_half, apart_half)])]


def processes(case, arguments):
    """processesN: N functions local, and the same as processes of their own, on one and the same cpu."""
    cpu, ends = spread(1)
    return _compare(case, arguments, [FIREWALL, NAT, COUNT][:int(case[-1])], [cpu], ends)


def processes_own(case, arguments):
    """processes1-own: one function; its process, the service's, sender and receiver have a cpu each."""
    cpus = machine.cpus()
    if len(cpus) < OWN:
        print(f"{case}: left out, for it takes {OWN} cpus and there are {len(cpus)}", file=sys.stderr)
        return []
    return _compare(case, arguments, [FIREWALL], cpus[:2], cpus[2:OWN])
