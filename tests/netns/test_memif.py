# SPDX-License-Identifier: BSD-3-Clause
"""memif links whose ends are killed: ours at both ends, and DPDK's own driver as a neighbour in either role."""
import os
import unittest

from lab import Lab, run, until
from wires import Wire, carries, network, pings


def survival(lab, a, middle, kills=6):
    """Either end is killed and started again; packets flow again each time."""
    path = os.path.join(lab.folder, "memif.sock")
    ends = (("af_packet:ma", middle, f"memif:{path}?server=1&id=3", "-"), (f"memif:{path}?id=3&ring=256", "-", "af_packet:mb", middle))
    running = [Wire(lab, *ports) for ports in ends]
    until("first packets", lambda: pings(a, "10.9.0.2"), 30)
    for number in range(kills):
        running[number % 2].kill()
        assert not pings(a, "10.9.0.2", 1)
        running[number % 2] = Wire(lab, *ends[number % 2])
        until(f"packets after end {number % 2} was killed", lambda: pings(a, "10.9.0.2"), 30)
        assert pings(a, "fd09::2", 5), "packets are lost"
    for wire in running:
        assert all(side["broken"] == 0 for side in wire.finish().values())


def neighbour(lab, server, client):
    """Forwards between a server of ours, as its client, and a client of ours, as its server."""
    return lab.process(["dpdk-testpmd", "--no-huge", "-m", "64", "--no-pci", "-l", "0,1", "--file-prefix", os.path.basename(lab.folder),
                        "-d", "librte_net_memif.so", "-d", "librte_mempool_ring.so",
                        "--vdev", f"net_memif0,role=client,id=0,socket={server},socket-abstract=no",
                        "--vdev", f"net_memif1,role=server,id=7,socket={client},socket-abstract=no",
                        "--", "--auto-start", "--stats-period", "600", "--total-num-mbufs=4096", "--no-mlockall"])


def with_dpdk(lab, a, b, middle, kills=4):
    """The neighbour is killed and started again; large frames both ways in between."""
    server, client = os.path.join(lab.folder, "s.sock"), os.path.join(lab.folder, "c.sock")
    left = Wire(lab, "af_packet:ma", middle, f"memif:{server}?server=1", "-")
    right = Wire(lab, f"memif:{client}?id=7", "-", "af_packet:mb", middle)
    left.says("a up")
    testpmd = neighbour(lab, server, client)
    until("packets by way of the neighbour", lambda: pings(a, "10.9.0.2"), 30)
    listener = lab.process(["iperf3", "-s"], netns=b)
    until("iperf3 listens", lambda: "5201" in run("ip", "netns", "exec", b, "ss", "-ltn").stdout)
    for client_options in (("-c", "10.9.0.2"), ("-R", "-c", "10.9.0.2")):
        received, _ = carries(a, *client_options)
        assert received > 1e6, received
    listener.stop()
    for number in range(kills):
        testpmd.kill()
        testpmd.child.wait()
        left.says("b down", times=number + 1)
        right.says("a down", times=number + 1)
        if os.path.exists(client):
            os.unlink(client)  # its driver does not take a socket that its predecessor left
        testpmd = neighbour(lab, server, client)
        until(f"packets after the neighbour was killed: {testpmd.text()}", lambda: pings(a, "10.9.0.2"), 30)
    for wire in (left, right):
        assert all(side["broken"] == 0 for side in wire.finish().values())


class Memif(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.a, cls.b, cls.middle = network(cls.lab)

    @classmethod
    def tearDownClass(cls):
        cls.lab.close()

    def test_either_end_is_killed(self):
        survival(self.lab, self.a, self.middle)

    def test_with_dpdks_driver(self):
        with_dpdk(self.lab, self.a, self.b, self.middle)

    def test_refusals(self):
        for device, expected in (("memif:relative", "must be absolute"), ("memif:/x?ring=100", "power of two"),
                                 ("memif:/x?buffer=100", "multiple of 64"), ("memif:/nix/x?server=1", "does its folder exist?"),
                                 ("memif:/x?ring=16384&buffer=65536", "must take less than 1024 MB")):
            wire = Wire(self.lab, device, "-", "null:?receive=0", "-")
            until(f"{device} is refused", lambda: not wire.process.alive())
            assert wire.process.child.returncode == 1 and expected in wire.process.text(), wire.process.text()


if __name__ == "__main__":
    unittest.main(verbosity=2)
