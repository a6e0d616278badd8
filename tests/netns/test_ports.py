# SPDX-License-Identifier: BSD-3-Clause
"""Ports with real peers: a veth whose sender believes in offloads, and links whose ends are killed."""
import os
import socket
import struct
import unittest

from lab import Lab, kernel_has_af_xdp, run, until
from wires import Wire, carries, host, network, offloads_are_on, pings

SEND_TAGGED = """
import socket
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind(("ea", 0))
for kind in (b"\\x81\\x00", b"\\x88\\xa8"):
    out.send(b"\\xff" * 6 + b"\\x02\\x00\\x00\\x00\\x00\\x07" + kind + b"\\x60\\x0a\\x88\\xb5" + bytes(range(60)))
"""


def tagged(lab, a, b):
    """Tags arrive as they were sent; the kernel takes the outer one off the frame on its way in."""
    capture = lab.process(["tcpdump", "-lnn", "-e", "-x", "-i", "eb", "-c", "2", "ether", "src", "02:00:00:00:00:07"], netns=b)
    until("tcpdump listens", lambda: "listening on" in capture.text())
    run("ip", "netns", "exec", a, "python3", "-c", SEND_TAGGED)
    until("both frames", lambda: not capture.alive(), 5)
    text = capture.text()
    for kind in ("0x8100", "0x88a8"):
        assert kind in text, text
    assert text.count("vlan 10, p 3") == 2 and text.count("0001 0203 0405 0607") == 2, text


def whole_frames(lab, a, b, middle):
    """TCP over IPv4 and IPv6, both ways, from senders that leave checksums and segmentation to their device."""
    assert offloads_are_on(a, "ea") and offloads_are_on(b, "eb")
    wire = Wire(lab, "af_packet:ma", middle, "af_packet:mb", middle)
    wire.says("b up")
    server = lab.process(["iperf3", "-s"], netns=b)
    until("iperf3 listens", lambda: "5201" in run("ip", "netns", "exec", b, "ss", "-ltn").stdout)
    for client in (("-c", "10.9.0.2"), ("-6", "-c", "fd09::2"), ("-R", "-c", "10.9.0.2")):
        received, _ = carries(a, *client)
        assert received > 20e6, f"{client}: {received} bytes in a second"
    server.stop()
    tagged(lab, a, b)
    for side in wire.finish().values():
        assert side["broken"] == 0, side
        assert side["received"] > 10000


def past_the_stack(lab, a, b, middle):
    """AF_XDP between hosts whose checksums are left undone; an interface that goes away is taken up again. A kernel without it is named as the reason."""
    wire = Wire(lab, "af_xdp:ma", middle, "af_xdp:mb", middle, more=("split",))
    if not kernel_has_af_xdp():
        until("the port gives up", lambda: not wire.process.alive())
        assert "this kernel has no AF_XDP" in wire.process.text(), wire.process.text()
        return
    wire.says("b up")
    until("packets", lambda: pings(a, "10.9.0.2") and pings(a, "fd09::2"))
    assert "tx-checksumming: on" in run("ip", "netns", "exec", a, "ethtool", "-k", "ea").stdout
    second = Wire(lab, "null:?receive=0", "-", "af_xdp:ma", middle)
    until("the second gives up", lambda: not second.process.alive())
    assert "another program or socket has it" in second.process.text(), second.process.text()
    listener = lab.process(["iperf3", "-s"], netns=b)
    until("iperf3 listens", lambda: "5201" in run("ip", "netns", "exec", b, "ss", "-ltn").stdout)
    for client in (("-c", "10.9.0.2"), ("-6", "-R", "-c", "fd09::2")):
        received, _ = carries(a, *client)
        assert received > 2e6, f"{client}: {received} bytes in a second"
    listener.stop()
    tagged(lab, a, b)
    run("ip", "-n", b, "link", "del", "eb")
    wire.says("b down")
    lab.veth(b, "eb", middle, "mb")
    run("ip", "-n", b, "link", "set", "eb", "up")
    host(b, "eb", 2)
    run("ip", "-n", a, "neigh", "flush", "all")
    until("packets again", lambda: pings(a, "10.9.0.2"))
    assert all(side["broken"] == 0 for side in wire.finish().values())
    assert "xdp" not in run("ip", "-n", middle, "link", "show", "ma").stdout


def large(space, address, size):
    """Echoes of one packet's size, never in fragments."""
    return run("ip", "netns", "exec", space, "ping", "-c", "3", "-i", "0.05", "-W", "1", "-M", "do", "-s", size, address, check=False).returncode == 0


def set_mtu(mtu, *interfaces):
    for space, interface in interfaces:
        run("ip", "-n", space, "link", "set", "dev", interface, "mtu", mtu)


def segments(lab, a, b, middle):
    """Large frames in several segments, by every kind of device: what goes out is whole."""
    set_mtu(9000, (a, "ea"), (b, "eb"))
    link, memif = os.path.join(lab.folder, "large.sock"), os.path.join(lab.folder, "memif.sock")
    wires = [Wire(lab, *ports, more=("split", "9000")) for ports in (
        ("af_packet:ma", middle, f"vhost:{link}", "-"), (f"virtio:{link}", "-", f"memif:{memif}", "-"), (f"memif:{memif}?server=1", "-", "af_packet:mb", middle))]
    until("large packets", lambda: large(a, "10.9.0.2", 8972), 30)
    assert large(a, "fd09::2", 8952)
    listener = lab.process(["iperf3", "-s"], netns=b)
    until("iperf3 listens", lambda: "5201" in run("ip", "netns", "exec", b, "ss", "-ltn").stdout)
    for client in (("-c", "10.9.0.2"), ("-R", "-c", "10.9.0.2")):
        received, _ = carries(a, *client)
        assert received > 1e6, received
    listener.stop()
    assert all(side["broken"] == 0 for wire in wires for side in wire.finish().values())
    set_mtu(1500, (a, "ea"), (b, "eb"), (middle, "ma"), (middle, "mb"))


def too_long(lab, a, middle):
    """Frames that no buffer can hold are counted, at an interface and at both directions of a link, and those behind them come."""
    link, far = os.path.join(lab.folder, "small.sock"), lab.space("far")
    set_mtu(9000, (a, "ea"), (middle, "ma"))

    def between(left, right):
        wires = Wire(lab, "af_packet:ma", middle, f"vhost:{link}", "-", more=left), Wire(lab, f"virtio:{link}", "-", "tap:far0", far, more=right)
        wires[1].says("b up")
        set_mtu(9000, (far, "far0"))
        run("ip", "-n", far, "addr", "add", "10.9.0.9/24", "dev", "far0")
        run("ip", "-n", a, "neigh", "flush", "all")
        until("packets", lambda: pings(a, "10.9.0.9"), 30)
        return wires

    left, right = between(["9000"], [])
    assert not large(a, "10.9.0.9", 5000) and pings(a, "10.9.0.9", 10)
    right.finish()
    assert left.finish()["b"]["oversize"] >= 3
    left, right = between([], ["9000"])
    assert not large(a, "10.9.0.9", 5000) and not large(far, "10.9.0.1", 5000) and pings(a, "10.9.0.9", 10)
    right.finish()
    counts = left.finish()
    assert counts["a"]["oversize"] >= 3 and counts["b"]["oversize"] >= 3, counts
    set_mtu(1500, (a, "ea"), (middle, "ma"))


def written_whole(lab, a, middle):
    """Segments by a DPDK device: a capture holds whole frames."""
    capture, empty = os.path.join(lab.folder, "out.pcap"), os.path.join(lab.folder, "in.pcap")
    with open(empty, "wb") as file:
        file.write(bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000"))
    wire = Wire(lab, "af_packet:ma", middle, f"pcap:{empty},{capture}", "-", more=("split",))
    wire.says("a up")
    run("ip", "-n", a, "neigh", "replace", "10.9.0.77", "lladdr", "02:00:00:00:00:77", "dev", "ea")
    run("ip", "netns", "exec", a, "ping", "-c", "3", "-i", "0.05", "-W", "0.2", "-s", "1400", "-p", "abcdef", "10.9.0.77", check=False)
    wire.finish()
    text = run("tcpdump", "-nn", "-v", "-r", capture, "icmp").stdout
    assert text.count("ICMP echo request") == 3 and "bad" not in text and "wrong" not in text and "length 1428" in text, text


def taps(lab, space):
    """Hosts behind TAPs: one that the port makes, one that was there before (and stays), with addresses of their own."""
    other = lab.space("t")
    run("ip", "-n", other, "tuntap", "add", "t1", "mode", "tap")
    wire = Wire(lab, "tap:t0", space, "tap:t1", other, more=("split", "9000"))
    wire.says("b up")
    for name, interface, number in ((space, "t0", 1), (other, "t1", 2)):
        run("ip", "-n", name, "addr", "add", f"10.8.0.{number}/24", "dev", interface)
        run("ip", "-n", name, "addr", "add", f"fd08::{number}/64", "dev", interface, "nodad")
    assert pings(space, "10.8.0.2") and pings(space, "fd08::2") and large(space, "10.8.0.2", 8972)
    server = lab.process(["iperf3", "-s"], netns=other)
    until("iperf3 listens", lambda: "5201" in run("ip", "netns", "exec", other, "ss", "-ltn").stdout)
    received, _ = carries(space, "-c", "10.8.0.2")
    assert received > 20e6, received
    server.stop()
    second = Wire(lab, "null:?receive=0", "-", "tap:t1", other)
    until("the second gives up", lambda: not second.process.alive())
    assert "another process has it open" in second.process.text(), second.process.text()
    assert all(side["broken"] == 0 for side in wire.finish().values())
    assert run("ip", "-n", space, "link", "show", "t0", check=False).returncode != 0
    assert run("ip", "-n", other, "link", "show", "t1").returncode == 0


def refusals(lab, space):
    """What cannot be opened says so by its URL, with the reason and what there is instead."""
    capture, text = os.path.join(lab.folder, "in.pcap"), os.path.join(lab.folder, "text")
    for path, content in ((capture, b"any"), (text, b"not to be lost")):
        with open(path, "wb") as file:
            file.write(content)
    for port, expected in ((("af_packet:nix", space), ("af_packet:nix", "no interface \"nix\"", "there are: lo, ")),
                           (("af_packet:ma", "nix"), ("network namespace \"nix\"", "ip netns add")),
                           (("tap:ma", space), ("tap:ma", "is no TAP")),
                           (("tap:longer-than-fifteen", space), ("1 to 15 characters",)),
                           (("vhost:relative", "-"), ("must be absolute",)),
                           (("pcap:/nix", "-"), ("/nix", "No such file")),
                           ((f"pcap:{capture},{text}", "-"), (text, "is there and no capture")),
                           (("frob:x", "-"), ("frob:x",))):
        wire = Wire(lab, *port, "null:?receive=0", "-")
        until(f"{port} is refused", lambda: not wire.process.alive())
        assert wire.process.child.returncode == 1
        for words in expected:
            assert words in wire.process.text(), f"{port}: {wire.process.text()}"
    with open(text, "rb") as file:
        assert file.read() == b"not to be lost"


def interface_goes_down(lab, a, b, middle):
    """The port says so, once, and carries packets again when the interface is back."""
    wire = Wire(lab, "af_packet:ma", middle, "af_packet:mb", middle)
    wire.says("b up")
    until("packets", lambda: pings(a, "10.9.0.2"))
    run("ip", "-n", b, "link", "set", "eb", "down")
    wire.says("b down")
    run("ip", "-n", b, "link", "set", "eb", "up")
    run("ip", "-n", b, "addr", "add", "fd09::2/64", "dev", "eb", "nodad")  # lost when it went down
    wire.says("b up", times=2)
    until("packets again", lambda: pings(a, "10.9.0.2"))
    assert wire.lines().count("b down") == 1 and "a down" not in wire.lines(), wire.lines()
    wire.finish()


def survival(lab, a, b, middle, hugepages):
    """Either end of a vhost-virtio link is killed and started again, three times; packets flow again each time."""
    path = os.path.join(lab.folder, f"{hugepages}.sock")
    ends = {"vhost": ("af_packet:ma", middle, f"vhost:{path}", "-"),
            "virtio": (f"virtio:{path}", "-", "af_packet:mb", middle)}
    running = {kind: Wire(lab, *ports, hugepages=hugepages) for kind, ports in ends.items()}
    until("first packets", lambda: pings(a, "10.9.0.2"), 15)
    for kind in ("vhost", "virtio") * 3:
        running[kind].kill()
        assert not pings(a, "10.9.0.2", 1)
        running[kind] = Wire(lab, *ends[kind], hugepages=hugepages)
        until(f"packets after the {kind} end was killed", lambda: pings(a, "10.9.0.2"), 15)
        assert pings(a, "fd09::2", 20), "packets are lost"
    for wire in running.values():
        assert all(side["broken"] == 0 for side in wire.finish().values())


OFFLOADS = sum(1 << bit for bit in (0, 1, 7, 8, 9, 10, 11, 12, 13, 14))  # of checksums and segmentation (virtio 1.1, 5.1.3)


def greedy(lab):
    """A guest that would leave checksums and segments to us: nothing of the kind is offered, and who takes it all the same is not served."""
    path = os.path.join(lab.folder, "greedy.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen()
        listener.settimeout(30)
        wire = Wire(lab, "null:?receive=0", "-", f"vhost:{path}", "-")
        guest = listener.accept()[0]
    guest.settimeout(30)
    guest.sendall(struct.pack("<III", 1, 1, 0))  # GET_FEATURES
    request, _, size, features = struct.unpack("<IIIQ", guest.recv(20, socket.MSG_WAITALL))
    assert (request, size) == (1, 8) and features & 1 << 32 and not features & OFFLOADS, hex(features)
    guest.sendall(struct.pack("<IIIQ", 2, 1, 8, features | OFFLOADS))  # SET_FEATURES
    try:
        assert guest.recv(20) == b"", "it goes on with what it did not offer"
    except ConnectionResetError:
        pass
    guest.close()
    os.unlink(path)
    decent = Wire(lab, "null:?receive=0", "-", f"virtio:{path}", "-")
    wire.says("b up", timeout=30)
    wire.finish()
    decent.finish()


def taken(lab):
    """A socket that somebody listens on is refused, and its owner is not disturbed; one that a dead process left is not."""
    path = os.path.join(lab.folder, "taken.sock")
    owner = Wire(lab, "null:?receive=0", "-", f"virtio:{path}", "-")
    until("the socket is there", lambda: os.path.exists(path))
    second = Wire(lab, "null:?receive=0", "-", f"virtio:{path}", "-")
    until("the second gives up", lambda: not second.process.alive())
    assert "another process listens there" in second.process.text(), second.process.text()
    peer = Wire(lab, "null:?receive=0", "-", f"vhost:{path}", "-")
    owner.says("b up")
    peer.says("b up")
    owner.finish()
    peer.finish()


class Ports(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.spaces = network(cls.lab)

    @classmethod
    def tearDownClass(cls):
        cls.lab.close()

    def tearDown(self):
        """What one test left, because it failed, is not in the way of the next."""
        for process in self.lab.processes:
            if process.alive():
                process.stop()
        a, b, middle = self.spaces
        set_mtu(1500, (a, "ea"), (b, "eb"), (middle, "ma"), (middle, "mb"))

    def test_frames_are_whole(self):
        whole_frames(self.lab, *self.spaces)

    def test_either_end_is_killed_with_hugepages(self):
        survival(self.lab, *self.spaces, "auto")

    def test_either_end_is_killed_without_hugepages(self):
        survival(self.lab, *self.spaces, "never")

    def test_interface_goes_down(self):
        interface_goes_down(self.lab, *self.spaces)

    def test_past_the_stack(self):
        past_the_stack(self.lab, *self.spaces)

    def test_segments(self):
        segments(self.lab, *self.spaces)

    def test_too_long(self):
        too_long(self.lab, self.spaces[0], self.spaces[2])

    def test_written_whole(self):
        written_whole(self.lab, self.spaces[0], self.spaces[2])

    def test_taps(self):
        taps(self.lab, self.spaces[2])

    def test_refusals(self):
        refusals(self.lab, self.spaces[2])

    def test_greedy_guest(self):
        greedy(self.lab)

    def test_taken_socket_is_refused(self):
        taken(self.lab)


if __name__ == "__main__":
    unittest.main(verbosity=2)
