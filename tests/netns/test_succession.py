#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""
Processes that take each other's place, again and again, without a supervisor: nothing is left open or mapped. And those in whose way something
comes: a predecessor that says nonsense, one whose interfaces and peers are gone before its successor has what it was given, an heir who never reads.
"""
import os
import re
import socket
import struct
import unittest

from lab import Engine, Line, run, until
from wires import Wire

SANITIZED = os.environ.get("SLUICE_SANITIZE") == "ON"
TURNS = 12 if SANITIZED else 50
FDS_MAX = 200


def level(pid):
    """What a process has open, and the shared memory that it has mapped."""
    fds = sorted(re.sub(r"\d+", "N", os.readlink(f"/proc/{pid}/fd/{fd}")) for fd in os.listdir(f"/proc/{pid}/fd"))
    with open(f"/proc/{pid}/maps") as maps:
        shared = sorted(line.split(None, 5)[5].split()[0] for line in maps if " /memfd:" in line)
    return fds, shared


class Succession(unittest.TestCase):
    def setUp(self):
        self.line = line = Line()
        self.addCleanup(line.close)
        self.wan = os.path.join(line.folder, "wan.sock")
        document = line.document([{"name": "c", "kind": "count"}])
        ports = document["edge"]["ports"]
        ports[1] = {**ports[1], "device": f"memif:{self.wan}?server=1"}
        ports[1].pop("netns")
        ports += [{"name": "tap", "device": "tap:t0?queues=2", "netns": line.edge, "addresses": ["203.0.113.1/24"]},
                  {"name": "alone", "device": f"memif:{line.folder}/alone.sock?server=1", "addresses": ["10.1.0.1/24"]},
                  {"name": "seeks", "device": f"memif:{line.folder}/nobody.sock", "addresses": ["10.2.0.1/24"]}]
        document["engine"] = {"workers": 1}
        self.engine = Engine(line, "e", document, "sluice-chain", "--hugepages", "never", "--memory", "48").ready()
        line.engines.append(self.engine)
        self.wire = self.join()
        self.flows()

    def join(self):
        return Wire(self.line, "af_packet:wan0", self.line.edge, f"memif:{self.wan}", "-", hugepages="never")

    def flows(self):
        until(f"packets flow: {self.engine.logged()[-3000:]}", lambda: self.line.ping(self.line.SERVER4, 1) == 1, 30)

    def stand_by(self):
        """A successor that is about to begin, and the socket that it is told on."""
        ours, its = socket.socketpair()
        ours.settimeout(60)
        self.addCleanup(ours.close)
        self.engine.process = self.line.process([*self.engine.command, "--standby", its.fileno()], log=os.path.join(self.engine.folder, "out"), pass_fds=(its.fileno(),))
        its.close()
        self.assertTrue(ours.recv(100).startswith(b"standby "), self.engine.logged())
        return ours

    def begins(self, supervisor):
        supervisor.sendall(b"go\n")
        self.assertEqual(supervisor.recv(100), b"serving\n", self.engine.logged()[-3000:])

    def succeed(self):
        former = self.engine.process
        self.begins(self.stand_by())
        until("the former one is gone", lambda: not former.alive(), 30)
        self.assertEqual(former.child.returncode, 0, self.engine.logged()[-3000:])

    def level(self):
        """Of the process that runs, when it has its peer; what a client of memif that seeks a server has open for a moment, or an answer of REST, is not counted."""
        self.flows()
        return min((level(self.engine.process.pid) for _ in range(20)), key=lambda found: len(found[0]))

    def is_level(self, before):
        until(f"as much is open as was: {before}", lambda: level(self.engine.process.pid) == before, 30)

    def came(self, word):
        return len(re.findall(rf"event={word}\b", self.engine.logged()))

    def asked(self):
        """We ask the one that runs for its place."""
        heir = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.addCleanup(heir.close)
        heir.settimeout(60)
        heir.connect(os.path.join(self.engine.folder, "successor.sock"))
        return heir

    def left(self):
        """We are in the place of a predecessor: whom its successor asks."""
        path = os.path.join(self.engine.folder, "successor.sock")
        if os.path.exists(path):
            os.unlink(path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.addCleanup(listener.close)
        listener.settimeout(60)
        listener.bind(path)
        listener.listen(1)
        return listener

    def test_nothing_is_left_open(self):
        self.succeed()
        first = self.level()
        came = self.came("peer-came")
        for _ in range(TURNS - 1):
            self.succeed()
        self.flows()
        self.is_level(first)
        self.assertEqual((self.came("peer-kept"), self.came("peer-came"), self.came("peer-left")), (TURNS, came, 0), self.engine.logged()[-3000:])
        self.assertNotIn("b down", self.wire.lines())

    def test_all_goes_on_the_way(self):
        """What is handed over stays with us, until interface, TAP and peer are gone, or made anew."""
        self.succeed()
        before = self.level()
        heir, given = self.asked(), []
        former = self.engine.process
        while True:
            said, fds, _, _ = socket.recv_fds(heir, 65536, FDS_MAX)
            if not said:
                break
            given.append((said, fds))
        until("it has ended", lambda: not former.alive(), 30)
        self.assertGreaterEqual(len(given), 4)
        run("ip", "-n", self.line.edge, "link", "del", "lan0")
        run("ip", "-n", self.line.edge, "link", "del", "t0")
        self.line.veth(self.line.client, "eth0", self.line.edge, "lan0")
        self.line.host(self.line.client, "eth0", [f"{self.line.CLIENT4}/24"], ["192.0.2.1"])
        self.wire.kill()
        os.unlink(os.path.join(self.line.folder, "alone.sock"))
        listener, supervisor = self.left(), self.stand_by()
        supervisor.sendall(b"go\n")
        asker, _ = listener.accept()
        for said, fds in given:
            socket.send_fds(asker, [said], fds)
            for fd in fds:
                os.close(fd)
        asker.close()
        self.assertEqual(supervisor.recv(100), b"serving\n", self.engine.logged()[-3000:])
        self.wire = self.join()
        self.flows()
        self.assertTrue(os.path.exists(os.path.join(self.line.folder, "alone.sock")), "somebody listens where nobody did")
        self.assertIn("t0", run("ip", "-n", self.line.edge, "link").stdout)
        self.is_level(before)

    def test_nonsense_is_handed_over(self):
        self.succeed()
        before, former = self.level(), self.engine.process
        heir = self.asked()
        first, fds, _, _ = socket.recv_fds(heir, 65536, FDS_MAX)
        for fd in fds:
            os.close(fd)
        heir.close()  # in the middle of it
        until("it has ended", lambda: not former.alive(), 30)
        listener, supervisor = self.left(), self.stand_by()
        supervisor.sendall(b"go\n")
        asker, _ = listener.accept()
        junk = [os.open("/dev/null", os.O_RDWR) for _ in range(5)] + list(os.pipe())
        version = struct.unpack_from("I", first)[0]
        for url in (b"af_packet:lan0", b"tap:t0?queues=2", f"memif:{self.wan}?server=1".encode(), b"nobody:asks"):
            for value in (0, 1, 2, 0xffffffff):
                size = len(first) - 256 - 64
                said = struct.pack("II", version, 3) + struct.pack("I", value) * ((size - 8) // 4) + url.ljust(256, b"\0") + self.line.edge.encode().ljust(64, b"\0")
                self.assertEqual(len(said), len(first))
                socket.send_fds(asker, [said], junk)
                socket.send_fds(asker, [said[:-1]], junk[:1])
        for fd in junk:
            os.close(fd)
        asker.close()
        self.assertEqual(supervisor.recv(100), b"serving\n", self.engine.logged()[-3000:])
        self.flows()
        self.is_level(before)

    def test_heir_that_does_not_read(self):
        heir, former = self.asked(), self.engine.process
        until("it ends all the same", lambda: not former.alive(), 60)
        heir.close()
        self.begins(self.stand_by())
        self.flows()


if __name__ == "__main__":
    unittest.main(verbosity=2)
