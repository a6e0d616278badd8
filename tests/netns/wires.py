# SPDX-License-Identifier: BSD-3-Clause
"""For tests of ports: processes of two ports each, between hosts whose offloads are on."""
import json
import os
import signal

from lab import BUILD, run, until

WIRE = os.path.join(BUILD, "tests", "netns", "wire", "sluice-test-wire")


class Wire:
    """A wire process; `says` waits for a line of it."""

    def __init__(self, lab, *ports, hugepages="auto", more=()):
        self.log = os.path.join(lab.folder, f"wire{len(lab.processes)}")
        self.process = lab.process([WIRE, hugepages, *ports, *more], log=self.log)

    def lines(self):
        return self.process.text().splitlines()

    def says(self, line, times=1, timeout=10):
        def heard():
            assert self.process.alive() or self.lines().count(line) >= times, self.process.text()
            return self.lines().count(line) >= times

        until(f"wire says {line}: {self.lines()}", heard, timeout)

    def kill(self):
        self.process.kill(signal.SIGKILL)
        self.process.child.wait()

    def finish(self):
        """Ends it; answers {name: {count: number}}."""
        assert self.process.stop() == 0, self.process.text()
        counts = {}
        for line in self.lines():
            name, *rest = line.split()
            if name in ("a", "b") and rest and all("=" in word for word in rest):
                counts[name] = {k: int(v) for k, v in (word.split("=") for word in rest)}
        assert "mbufs 0" in self.lines(), self.process.text()
        return counts


def host(space, interface, number):
    run("ip", "-n", space, "addr", "add", f"10.9.0.{number}/24", "dev", interface)
    run("ip", "-n", space, "addr", "add", f"fd09::{number}/64", "dev", interface, "nodad")


def network(lab):
    """Two hosts with all their offloads on, and a namespace between them."""
    a, b, middle = lab.space("a"), lab.space("b"), lab.space("m")
    lab.veth(a, "ea", middle, "ma")
    lab.veth(b, "eb", middle, "mb")
    for space, interface, number in ((a, "ea", 1), (b, "eb", 2)):
        run("ip", "-n", space, "link", "set", interface, "up")
        host(space, interface, number)
    return a, b, middle


def offloads_are_on(space, interface):
    features = run("ip", "netns", "exec", space, "ethtool", "-k", interface).stdout
    return "tx-checksumming: on" in features and "tcp-segmentation-offload: on" in features


def carries(space, *client):
    """TCP for a second; answers bytes received and retransmits."""
    done = json.loads(run("ip", "netns", "exec", space, "iperf3", "-J", "-t", "1", *client).stdout)
    return done["end"]["sum_received"]["bytes"], done["end"]["sum_sent"]["retransmits"]


def pings(space, address, count=3):
    return run("ip", "netns", "exec", space, "ping", "-c", count, "-i", "0.05", "-W", "0.5", address,
               check=False).returncode == 0
