# SPDX-License-Identifier: BSD-3-Clause
"""Whole frames, sent and received byte for byte at interfaces of a test's namespaces."""
import ctypes
import select
import socket
import struct
import time

from lab import run

CLONE_NEWNET, SOL_PACKET, PACKET_AUXDATA, PACKET_OUTGOING, ETH_P_ALL = 0x40000000, 263, 8, 4, 3
VLAN_VALID, VLAN_TPID_VALID = 1 << 4, 1 << 6
_libc = ctypes.CDLL(None, use_errno=True)


def _enter(path):
    with open(path) as space:
        if _libc.setns(space.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {path}")


def _socket_in(space):
    """A packet socket that lives in a namespace; this thread stays where it is."""
    with open("/proc/thread-self/ns/net") as back:
        _enter(f"/run/netns/{space}")
        try:
            return socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        finally:
            if _libc.setns(back.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns back")


class Wire:
    """One end of a cable: what is sent here leaves the interface, what is received came in by it (never what its own host sends)."""

    def __init__(self, space, interface="eth0"):
        self.socket = _socket_in(space)
        self.socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.socket.bind((interface, ETH_P_ALL))

    def send(self, frame):
        self.socket.send(bytes(frame))

    def _one(self):
        """The next frame as it was on the wire (the kernel takes the outer VLAN tag out of it), None: our own host's."""
        data, ancillary, _, where = self.socket.recvmsg(65600, 256)
        if where[2] == PACKET_OUTGOING:
            return None
        for level, kind, value in ancillary:
            if level == SOL_PACKET and kind == PACKET_AUXDATA:
                status, _, _, _, _, tci, tpid = struct.unpack("=IIIHHHH", value[:20])
                if status & VLAN_VALID:
                    data = data[:12] + struct.pack("!HH", tpid if status & VLAN_TPID_VALID else 0x8100, tci) + data[12:]
        return data

    def receive(self, wanted=lambda frame: True, count=1, timeout=10.0):
        """The next `count` frames that are wanted, fewer if they do not come in time; others are thrown away."""
        got, end = [], time.monotonic() + timeout
        while len(got) < count:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                return got
            frame = self._one()
            if frame is not None and wanted(frame):
                got.append(frame)
        return got

    def close(self):
        self.socket.close()

    def forget(self):
        """Throws away what has come so far."""
        while select.select([self.socket], [], [], 0)[0]:
            self.socket.recv(1)


def quiet(space, *protocols):
    """The host of a namespace does not hear these protocols (nft names): its kernel answers nothing; frames are still seen by a Wire."""
    rules = "".join(f"meta l4proto {p} drop; " for p in protocols)
    run("ip", "netns", "exec", space, "nft", f"table inet quiet {{ chain input {{ type filter hook input priority 0; {rules}}}; }}")
