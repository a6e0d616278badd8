#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A wire with faults: passes frames between two interfaces of its namespace; those from A to B that carry TCP data may be lost, overtaken or late.

    relay.py A B [--drop N] [--swap N] [--delay MS]

--drop   each N-th segment of new data is lost; what is sent again never is
--swap   each N-th segment of new data is overtaken by the next
--delay  every frame, both ways
A line of JSON on standard output, after each fault: {"dropped": n, "swapped": n, "tails": n}; tails: lost segments that were sent again before anything
behind them, so that nobody on the far side can tell that they were lost.
"""
import argparse
import heapq
import json
import select
import socket
import time

SOL_PACKET, PACKET_IGNORE_OUTGOING, TCP = 263, 23, 6


def opened(interface):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    s.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    s.bind((interface, 0))
    return s


def tcp_data(frame):
    """(flow, sequence number, length) of an IPv4 TCP segment with data, else None."""
    if frame[12:14] != b"\x08\x00" or frame[23] != TCP:
        return None
    l4 = 14 + (frame[14] & 15) * 4
    length = int.from_bytes(frame[16:18], "big") + 14 - l4 - (frame[l4 + 12] >> 4) * 4
    return (frame[26:34] + frame[l4:l4 + 4], int.from_bytes(frame[l4 + 4:l4 + 8], "big"), length) if length > 0 else None


class Relay:
    def __init__(self, arguments):
        self.arguments = arguments
        self.a, self.b = opened(arguments.a), opened(arguments.b)
        self.waiting, self.number = [], 0  # (when, number, to, frame)
        self.highest, self.new, self.held = {}, 0, None
        self.lost = set()  # (flow, end)
        self.counts = {"dropped": 0, "swapped": 0, "tails": 0}

    def is_new(self, data):
        flow, seq, length = data
        known = self.highest.get(flow)
        new = known is None or (seq + length - known) & 0xffffffff < 1 << 31 and seq + length != known
        if new:
            self.highest[flow] = (seq + length) & 0xffffffff
        return new

    def say(self, what):
        self.counts[what] += 1
        print(json.dumps(self.counts), flush=True)

    def put(self, to, frame):
        self.number += 1
        heapq.heappush(self.waiting, (time.monotonic() + self.arguments.delay / 1000, self.number, to, frame))

    def sent_again(self, data):
        flow, end = data[0], (data[1] + data[2]) & 0xffffffff
        if (flow, end) in self.lost:
            self.lost.remove((flow, end))
            if end == self.highest[flow]:
                self.say("tails")

    def forward(self, frame):
        """From A to B."""
        data = tcp_data(frame)
        if data and self.is_new(data):
            self.new += 1
            if self.arguments.drop and self.new % self.arguments.drop == 0:
                self.lost.add((data[0], self.highest[data[0]]))
                return self.say("dropped")
            if self.arguments.swap and self.new % self.arguments.swap == 0:
                self.held = frame
                return None
        elif data:
            self.sent_again(data)
        self.put(self.b, frame)
        if data and self.held:
            self.put(self.b, self.held)
            self.held = None
            self.say("swapped")

    def flush(self):
        while self.waiting and self.waiting[0][0] <= time.monotonic():
            _, _, to, frame = heapq.heappop(self.waiting)
            to.send(frame)

    def turn(self):
        wait = max(0, self.waiting[0][0] - time.monotonic()) if self.waiting else 1
        for s in select.select([self.a, self.b], [], [], wait)[0]:
            frame = s.recv(65536)
            if s is self.a:
                self.forward(frame)
            else:
                self.put(self.a, frame)
        self.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("a")
    parser.add_argument("b")
    for name in ("drop", "swap"):
        parser.add_argument("--" + name, type=int, default=0)
    parser.add_argument("--delay", type=float, default=0)
    relay = Relay(parser.parse_args())
    print(json.dumps(relay.counts), flush=True)
    while True:
        relay.turn()


if __name__ == "__main__":
    main()
