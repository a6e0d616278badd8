#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Processes are replaced by another build, and anew, under numbered traffic: what is lost and how long it is silent is printed; nothing is overtaken."""
import os
import re
import shutil
import socket
import stat
import sys

import mano
from lab import BUILD, run, until
from live import Live, Load

RATE = 4000


class Upgrade(Live):
    SECONDS = 2.5  # of traffic that may be lost where processes wait that long for a cpu: rings overflow
    KEPT_MS = 1500  # what is for a hop is kept for longer than this

    def setUp(self):
        super().setUp()
        self.replacements = []

    def replaced(self, what, call, *arguments):
        """Traffic while `call` replaces processes."""
        load = Load(self.line, RATE, 3)
        op = self.assertStatus(self.s.call("POST", *call), 200)
        self.assertEqual(op["state"], "COMPLETED", op)
        total = load.result()
        took = [event["details"]["milliseconds"] for event in self.s.events("vnf-ready")][-arguments[0]:]
        print(f"{what}, {self.placement}: lost {total['lost']} of {total['sent']}, silent {total['longestGapMs']} ms, taken over in {took} ms{', ' + str(self.drops()) if total['lost'] else ''}", file=sys.stderr, flush=True)
        self.assertEqual(total["reordered"], 0, total)
        self.assertLess(total["longestGapMs"], 5000, self.s.log())
        self.assertLess(total["lost"], RATE * self.SECONDS, f"{total}; {self.drops()}")
        self.assertEqual(self.s.events("vnf-exited"), [], "none died")
        self.replacements.append(total)
        if max(took) < self.KEPT_MS:
            self.assertEqual(self.drops().get("hop-down", 0), 0, "hops count as up, what is for them is kept")

    def go(self, processes, restarted="/v1/services/edge"):
        self.echo()
        talk = self.talk()
        second = os.path.join(self.s.folder, "second")
        os.mkdir(second, 0o755)
        for program in mano.PROGRAMS:
            shutil.copy(program, second)
            os.chmod(os.path.join(second, os.path.basename(program)), stat.S_IRWXU | stat.S_IXOTH)
        before = self.s.pids()
        self.replaced("upgrade", ("/v1/services/edge:upgrade?wait=90", {"libexec": second}), processes)
        self.assertEqual((len(self.s.pids()), set(self.s.pids()) & set(before)), (processes, set()))
        self.assertEqual(talk.say("two"), "198.51.100.10 two")
        self.replaced("restart", (f"{restarted}:restart?wait=90", None), 1 if "vnfs" in restarted else processes)
        self.assertEqual(talk.say("three"), "198.51.100.10 three")
        self.balances()


class Fused(Upgrade):
    engine = {"workers": 2}

    def test_service_process(self):
        self.go(1)

    def test_other_numbers_of_workers(self):
        """A successor with more or fewer workers has more or fewer sockets, and for other packets other rings: what waits in those that there were is not lost, nor overtaken by what comes to the others."""
        self.echo()
        talk = self.talk()
        load = Load(self.line, 200, 86400)
        for workers, mtu in ((5, 1500), (1, 9000), (3, 1500)):
            self.descriptor["engine"] = {"workers": workers, "mtuMax": mtu}
            self.apply()
            self.assertEqual(talk.say(str(workers)), f"198.51.100.10 {workers}")
        load.stop()
        total = load.result()
        self.assertEqual((total["lost"], total["reordered"]), (0, 0), f"{total}; {self.drops()}")
        self.balances()


class Hops(Upgrade):
    placement = "process"

    def test_service_process_and_hops(self):
        self.go(3, "/v1/services/edge/vnfs/nat")


class Kinds(Upgrade):
    """A TAP, which goes with its last descriptor, and AF_XDP where this kernel has it."""

    def setUp(self):
        super().setUp()
        self.assertStatus(self.s.call("DELETE", "/v1/services/edge?wait=30"), 200)
        line, (lan, wan) = self.line, self.descriptor["edge"]["ports"]
        try:
            socket.socket(44, socket.SOCK_RAW).close()  # AF_XDP, which Python has no name for
            wan["device"] = "af_xdp:wan0"
        except OSError:
            pass
        run("ip", "-n", line.client, "link", "delete", "eth0")
        lan.update({"device": "tap:lan0", "netns": line.client})
        self.apply()
        line.host(line.client, "lan0", [f"{line.CLIENT4}/24", f"{line.CLIENT6}/64"], ["192.0.2.1", "2001:db8:1::1"])
        for target in (line.SERVER4, line.SERVER6):
            until(f"{target} answers", lambda target=target: line.ping(target, 1) == 1)

    def kernel_has(self):
        """What stays only if it is handed over: the number of the TAP and of the program on the other interface."""
        shown = lambda space, name: run("ip", "-n", space, "-d", "link", "show", name).stdout
        return shown(self.line.client, "lan0").split(":")[0], re.findall(r"prog/xdp id \d+", shown(self.line.edge, "wan0"))

    def test_ports_are_handed_over(self):
        before = self.kernel_has()
        self.replaced("restart", ("/v1/services/edge:restart?wait=90", None), 1)
        self.assertEqual(self.kernel_has(), before)
        self.balances()


class Memif(Upgrade):
    """Ports of memif in both roles, as client and as server of a neighbour who never notices that another process has them."""

    RING_MS = 500  # rings hold what comes for much longer than this
    WIRE = os.path.join(BUILD, "tests", "netns", "wire", "sluice-test-wire")

    def setUp(self):
        super().setUp()
        self.assertStatus(self.s.call("DELETE", "/v1/services/edge?wait=30"), 200)
        self.lan, self.wan = (os.path.join(self.line.folder, f"{name}.sock") for name in ("lan", "wan"))

    def joined(self, *neighbours):
        for port, device in zip(self.descriptor["edge"]["ports"], (f"memif:{self.lan}?server=1", f"memif:{self.wan}?ring=16384")):
            port.pop("netns")
            port["device"] = device
        self.apply()
        for target in (self.line.SERVER4, self.line.SERVER6):
            until(f"{target} answers {[neighbour.text() for neighbour in neighbours]}", lambda target=target: self.line.ping(target, 1) == 1, 60)

    def said(self, word):
        with open(os.path.join(self.s.run, "edge", "log")) as file:
            return sum(f"event={word} " in line for line in file)

    def peers_are_kept(self):
        self.assertEqual(self.said("peer-kept"), 2 * len(self.replacements), self.s.log())
        self.assertEqual((self.said("peer-came"), self.said("peer-left"), self.said("peer-not-kept")), (2, 0, 0))

    def nothing_is_lost(self):
        """Where nobody had to wait for a processor for long."""
        for total in self.replacements:
            if total["longestGapMs"] < self.RING_MS:
                self.assertEqual(total["lost"], 0, f"{total}; {self.drops()}")

    def test_neighbours_of_our_own(self):
        line = self.line
        wires = [line.process([self.WIRE, "never", f"af_packet:{name}0", line.edge, device, "-"])
                 for name, device in (("lan", f"memif:{self.lan}?ring=16384"), ("wan", f"memif:{self.wan}?server=1"))]
        self.joined(*wires)
        self.go(1)
        self.peers_are_kept()
        self.nothing_is_lost()
        for wire in wires:
            self.assertNotIn("b down", wire.text().splitlines())


mano.main()
