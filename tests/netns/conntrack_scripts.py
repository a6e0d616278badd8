# SPDX-License-Identifier: BSD-3-Clause
"""Odd TCP exchanges, packet by packet: SIDE FLAGS SEQ [ACK] [len=N] [win=N] [scale=N] [bad].

Numbers are relative: SEQ to the sender's first one, ACK to the other side's. A window is the field of the header. `bad`: a wrong checksum. Scripts begin outside
of any session; those of MIDSTREAM are run where sessions may be picked up in the middle.
"""
HELLO = "C S 0, S SA 0 1, C A 1 1, "
SCALED = "C S 0 scale=7 win=1000, S SA 0 1 scale=7 win=1000, C A 1 1 win=1000, "
DATA = "C PA 1 1 len=100, S A 1 101, S PA 1 101 len=100, C A 101 101, "
CLOSED = HELLO + "C FA 1 1, S A 1 2, S FA 1 2, C A 2 2, "
SMALL = "C S 0 win=1000, S SA 0 1 win=1000, C A 1 1 win=1000, "

SCRIPTS = {
    "data and an orderly end": HELLO + DATA + "C FA 101 101, S A 101 102, S FA 101 102, C A 102 102",
    "server ends first": HELLO + DATA + "S FA 101 101, C A 101 102, C FA 101 102, S A 102 102",
    "both end at once": HELLO + "C FA 1 1, S FA 1 1, C A 2 2, S A 2 2",
    "end without an ACK between": HELLO + "C FA 1 1, S FA 1 2, C A 2 2",
    "simultaneous open": "C S 0, S S 0, C SA 0 1, S SA 0 1, C A 1 1, S A 1 1, " + DATA,
    "simultaneous open, plain ACKs": "C S 0, S S 0, C A 1 1, S A 1 1, C PA 1 1 len=10",
    "split handshake": "C S 0, S A 0 1, S S 0, C SA 0 1, S A 1 1, C PA 1 1 len=10, S A 1 11",
    "split handshake without an ACK": "C S 0, S S 0, C SA 0 1, S A 1 1, C PA 1 1 len=10, S A 1 11",
    "half close": HELLO + "C FA 1 1, S A 1 2, S PA 1 2 len=500, C A 2 501, S PA 501 2 len=500, C A 2 1001, S FA 1001 2, C A 2 1002",
    "data behind a FIN": HELLO + "C FA 1 1, S A 1 2, C PA 2 1 len=10",
    "data behind both FINs": CLOSED + "C PA 2 2 len=10, S PA 2 2 len=10",
    "ACKs behind both FINs": CLOSED + "C A 2 2, S A 2 2",
    "FIN sent again": HELLO + "C FA 1 1, C FA 1 1, S A 1 2, S FA 1 2, S FA 1 2, C A 2 2, S FA 1 2, C A 2 2",
    "FIN with data, sent again": HELLO + "C FPA 1 1 len=50, C FPA 1 1 len=50, S FA 1 52, C A 52 2",
    "FIN behind SYN ACK": "C S 0, S SA 0 1, S FA 1 1, C A 1 2, C FA 1 2, S A 2 2",
    "FIN instead of an ACK": "C S 0, S SA 0 1, C FA 1 1, S FA 1 2, C A 2 2",
    "FIN behind SYN": "C S 0, C F 1, C FA 1 1",
    "RST with the next number": HELLO + DATA + "C R 101, S PA 101 101 len=10, C PA 101 101 len=10",
    "RST ACK with the next number": HELLO + DATA + "S RA 101 101, C PA 101 101 len=10, S PA 101 101 len=10",
    "RST within the window": HELLO + DATA + "C R 201, S PA 101 101 len=10, C A 101 111",
    "RST from the server within the window": HELLO + DATA + "S R 301, C PA 101 101 len=10, S A 101 111",
    "RST beyond the window": SMALL + "C R 5000, S R 5000, C PA 1 1 len=10, S A 1 11",
    "RST far behind": HELLO + DATA + "C R 4294800000, S R 4294800000, C PA 101 101 len=10",
    "RST behind a lost segment": HELLO + "C R 101, S PA 1 1 len=10",
    "RST after a FIN": HELLO + "C FA 1 1, S R 1, C A 2 1",
    "RST after both FINs": CLOSED + "S R 2, C R 2",
    "RST again": HELLO + "C R 1, C R 1, S R 1",
    "refused": "C S 0, S RA 0 1, C S 0, S SA 0 1",
    "refused, not acknowledging": "C S 0, S R 0, C S 0, S SA 0 1, C A 1 1",
    "refused, wrong acknowledgement": "C S 0, S RA 0 7, S SA 0 1, C A 1 1",
    "probe of a port": "C S 0, S SA 0 1, C R 1, S SA 0 1",
    "SYN sent again": "C S 0, C S 0, S SA 0 1, S SA 0 1, C A 1 1",
    "SYN with another number": "C S 0, C S 70000, S SA 0 70001, C A 70001 1, C PA 70001 1 len=10",
    "SYN sent again after SYN ACK": "C S 0, S SA 0 1, C S 0, S SA 0 1, C A 1 1",
    "SYN with another number after SYN ACK": "C S 0, S SA 0 1, C S 70000, S SA 0 70001, C A 70001 1",
    "SYN ACK of another number": "C S 0, S SA 0 9, S SA 0 1, C A 1 1",
    "SYN ACK of a number too small": "C S 0, S SA 0 0, C A 1 1",
    "second SYN ACK with another number": "C S 0, S SA 0 1, S SA 500 1, C A 1 1, C A 1 501",
    "second SYN ACK far away": "C S 0, S SA 0 1, C S 0, S SA 3000000 1, C A 1 3000001, C PA 1 3000001 len=10, S A 3000001 11",
    "handshake's last ACK outside": "C S 0, S SA 0 1, C A 200000 1, C A 1 70000, C A 1 1",
    "data with the handshake's last ACK": "C S 0, S SA 0 1, C PA 1 1 len=200, S A 1 201",
    "data behind SYN ACK": "C S 0, S SA 0 1, S PA 1 1 len=200, C A 1 201",
    "data behind SYN, unanswered": "C S 0, C PA 1 0 len=10, C A 1 1",
    "SYN with data": "C S 0 len=100, S SA 0 101, C A 101 1, C PA 101 1 len=10",
    "SYN with data that is not taken": "C S 0 len=100, S SA 0 1, C PA 1 1 len=100, S A 1 101",
    "SYN ACK with data": "C S 0, S SA 0 1 len=100, C A 1 101, S PA 101 1 len=10",
    "SYN with ECN": "C SEC 0, S SAE 0 1, C A 1 1, C PAE 1 1 len=10",
    "SYN in an established session": HELLO + DATA + "C S 0, S A 101 101, C PA 101 101 len=10",
    "SYN within the window": HELLO + DATA + "C S 150, S A 101 101, C PA 101 101 len=10, S A 101 111",
    "SYN of a rebooted client": HELLO + DATA + "C S 900000, S A 101 101, C R 101, C S 900000, S SA 900000 900001, C A 900001 900001",
    "SYN from the server in an established session": HELLO + DATA + "S S 900000, C A 101 101, S PA 101 101 len=10, C A 101 111",
    "SYN ACK in an established session": HELLO + DATA + "S SA 0 1, C A 101 101, S SA 500000 1, C PA 101 101 len=10",
    "SYN ACK from the client": HELLO + DATA + "C SA 0 1, C PA 101 101 len=10",
    "answer to a SYN of a server that still has a session": "C S 0, S A 500000 700000, C R 700000, C S 0, S SA 0 1, C A 1 1",
    "reuse after both FINs": CLOSED + "C S 100000, S SA 100000 100001, C A 100001 100001, C PA 100001 100001 len=10",
    "reuse with a smaller number": CLOSED + "C S 4294900000, S SA 100000 4294900001, C A 4294900001 100001",
    "reuse from the other side": CLOSED + "S S 100000, C SA 100000 100001, S A 100001 100001",
    "reuse after RST": HELLO + "C R 1, C S 100000, S SA 100000 100001, C A 100001 100001",
    "reuse while half closed": HELLO + "C FA 1 1, S A 1 2, C S 100000, S A 1 2, S PA 1 2 len=10",
    "reuse, answered by an old ACK": CLOSED + "C S 100000, S A 2 2, C R 2, C S 100000, S SA 100000 100001",
    "within a scaled window": SCALED + "S PA 1 1 len=1000, S PA 1001 1 len=1000, S PA 100001 1 len=1000, C A 1 1001 win=1000",
    "beyond a scaled window": SCALED + "S PA 1 1 len=10, S PA 127990 1 len=1000, S PA 128001 1 len=1000, S PA 128500 1 len=10, C A 1 11 win=1000",
    "scale of one side alone": "C S 0 scale=7 win=1000, S SA 0 1 win=1000, C A 1 1 win=1000, S PA 1 1 len=900, S PA 5000 1 len=10, C A 1 901 win=1000",
    "scale above fourteen": "C S 0 scale=99 win=1000, S SA 0 1 scale=14 win=1000, C A 1 1 win=1000, S PA 16000001 1 len=10, S PA 17000000 1 len=10",
    "scale not in a SYN": SMALL + "C A 1 1 win=1000 scale=7, S PA 5001 1 len=10",
    "beyond the window": SMALL + "C PA 1 1 len=1000, C PA 1001 1 len=1, C PA 1002 1 len=1, C PA 3000 1 len=10, S A 1 1001 win=1000",
    "begins within, ends beyond": SMALL + "C PA 500 1 len=1000, C PA 1000 1 len=1000",
    "gap within the window": HELLO + "C PA 1001 1 len=100, S A 1 1, C PA 1 1 len=1000, S A 1 1101",
    "sent again": HELLO + DATA + "C PA 1 1 len=100, S PA 1 101 len=100, C PA 51 101 len=100, S A 101 151",
    "sent again, more than a window ago": SMALL + "C PA 1 1 len=900, S A 1 901 win=1000, C PA 901 1 len=900, S A 1 1801 win=1000, C PA 1 1 len=100, C PA 101 1 len=800",
    "keepalive": HELLO + DATA + "C A 100 101, S A 101 101, S A 100 101, C A 101 101",
    "keepalive with a byte": HELLO + DATA + "C A 100 101 len=1, S A 101 101",
    "keepalive before any data": HELLO + "C A 0 1, S A 1 1, S A 0 1, C A 1 1",
    "zero window": SMALL + "C PA 1 1 len=1000, S A 1 1001 win=0, C A 1001 1 len=1, S A 1 1001 win=0, S A 1 1001 win=1000, C PA 1001 1 len=1000, S A 1 2001 win=1000",
    "into a zero window": SMALL + "C PA 1 1 len=1000, S A 1 1001 win=0, C PA 1001 1 len=500, C PA 1100 1 len=500",
    "window taken back": HELLO + "S A 1 1 win=1000, C PA 5001 1 len=1000, C PA 1 1 len=1000",
    "ACK of what was never sent": HELLO + "S A 1 5000, S PA 1 5000 len=10, C PA 1 1 len=10",
    "ACK from long ago": HELLO + DATA + "S A 101 1, S A 101 4294900000, S A 101 4294000000",
    "data with an old ACK": HELLO + DATA + "S PA 101 1 len=10, C A 101 111",
    "PSH and URG": HELLO + "C PAU 1 1 len=10, S A 1 11",
    "no ACK flag": HELLO + "C P 1 len=10, C F 1, S A 1 1",
    "no flags": HELLO + "C . 1 len=10, C A 1 1",
    "all flags": HELLO + "C FSRPAU 1 1, C A 1 1",
    "SYN FIN": "C SF 0, S SA 0 1",
    "SYN RST": "C SR 0, S SA 0 1",
    "SYN URG": "C SU 0, S SA 0 1, C A 1 1",
    "FIN without ACK": HELLO + "C F 1, S A 1 2",
    "RST with data": HELLO + "C RA 1 1 len=20, S A 1 1",
    "wrong checksum": HELLO + "C PA 1 1 len=10 bad, C R 1 bad, C PA 1 1 len=10, S A 1 11",
    "ACK out of nowhere": "C A 1 1, C PA 1 1 len=10, S A 1 11",
    "RST out of nowhere": "C R 1, C RA 1 1",
    "FIN out of nowhere": "C FA 1 1",
    "SYN ACK out of nowhere": "C SA 0 1, S A 1 1",
    "from outside out of nowhere": "S S 0, S A 1 1, S R 1",
}

MIDSTREAM = {
    "data picked up": "C PA 1 1 len=100, S A 1 101, S PA 1 101 len=100, C A 101 101, C FA 101 101, S FA 101 102, C A 102 102",
    "ACK picked up": "C A 1 1, S PA 1 1 len=1000, C A 1 1001, C PA 1 1001 len=10",
    "FIN picked up": "C FA 1 1, S FA 1 2, C A 2 2",
    "RST picked up": "C R 1, C RA 1 1, C PA 1 1 len=10",
    "SYN ACK picked up": "C SA 0 1, S A 1 1",
    "picked up, answered far away": "C PA 1 1 len=100, S A 900000000 101, C A 101 900000000",
    "picked up, then beyond the window": "C PA 1 1 len=100 win=1000, S A 1 101 win=1000, C PA 40000 1 len=100 win=1000, S PA 40000 101 len=10 win=1000",
    "picked up, reset by the next number": "C PA 1 1 len=100, S A 1 101, C R 101, S PA 1 101 len=10",
    "picked up, reset by the server": "C PA 1 1 len=100, S R 1, C PA 101 1 len=10",
    "picked up, SYN": "C PA 1 1 len=100, S A 1 101, C S 900000, S A 1 101, C PA 101 1 len=10",
    "picked up, unanswered": "C PA 1 1 len=100, C PA 101 1 len=100, C PA 1 1 len=100",
    "picked up from outside": "S PA 1 1 len=10, C PA 1 11 len=10",
    "beginning seen": HELLO + DATA + "C FA 101 101, S FA 101 102, C A 102 102",
}


def steps(script):
    """[(side, flags, seq, ack, options)]"""
    out = []
    for step in script.strip().strip(",").split(","):
        words = step.split()
        options = dict(w.split("=") if "=" in w else (w, "1") for w in words[2:] if not w.isdigit())
        numbers = [int(w) for w in words[2:] if w.isdigit()]
        out.append((words[0], words[1].replace(".", ""), numbers[0], numbers[1] if len(numbers) > 1 else 0, {k: int(v) for k, v in options.items()}))
    return out


# SCTP: SIDE CHUNK[+CHUNK] TAG [init=TAG] [T] [bad]. Tags: c and s are what client and server chose first, C and S what they choose in a restart, 0 none, x any other.
ASSOCIATE = "C INIT 0 init=c, S INIT_ACK c init=s, C COOKIE_ECHO s, S COOKIE_ACK c, "
SCTP_SCRIPTS = {
    "association": ASSOCIATE + "C DATA s, S SACK c, S DATA c, C SACK s, C SHUTDOWN s, S SHUTDOWN_ACK c, C SHUTDOWN_COMPLETE s",
    "association, data with the cookie": "C INIT 0 init=c, S INIT_ACK c init=s, C COOKIE_ECHO+DATA s, S COOKIE_ACK+SACK c, S DATA c",
    "association, server ends it": ASSOCIATE + "S SHUTDOWN c, C SHUTDOWN_ACK s, S SHUTDOWN_COMPLETE c",
    "INIT again": "C INIT 0 init=c, C INIT 0 init=c, S INIT_ACK c init=s, S INIT_ACK c init=s, C COOKIE_ECHO s, C COOKIE_ECHO s, S COOKIE_ACK c",
    "INIT of both": "C INIT 0 init=c, S INIT 0 init=s, S INIT_ACK c init=s, C INIT_ACK s init=c, C COOKIE_ECHO s, S COOKIE_ECHO c, S COOKIE_ACK c, C COOKIE_ACK s, C DATA s, S DATA c",
    "association refused": "C INIT 0 init=c, S ABORT c, C INIT 0 init=c, S INIT_ACK c init=s",
    "aborted by the client": ASSOCIATE + "C ABORT s, S DATA c",
    "aborted by the server": ASSOCIATE + "S ABORT c, C DATA s",
    "aborted by a server that forgot": ASSOCIATE + "S ABORT s T, C INIT 0 init=c, S INIT_ACK c init=s",
    "aborted with a wrong tag": ASSOCIATE + "S ABORT x, C ABORT x T, S DATA c, C DATA s",
    "heartbeats": ASSOCIATE + "C HEARTBEAT s, S HEARTBEAT_ACK c, S HEARTBEAT c, C HEARTBEAT_ACK s",
    "another path": "C HEARTBEAT s, S HEARTBEAT_ACK c, C DATA s, S SACK c",
    "wrong tags": "C INIT 0 init=c, S INIT_ACK x init=s, S INIT_ACK c init=s, C COOKIE_ECHO x, C COOKIE_ECHO s, S COOKIE_ACK x, S COOKIE_ACK c, C DATA x, S DATA x, C SHUTDOWN x",
    "restart": ASSOCIATE + "C INIT 0 init=C, S INIT_ACK C init=S, C COOKIE_ECHO S, S COOKIE_ACK C, C DATA S, S DATA C",
    "restart that is not": ASSOCIATE + "C INIT 0 init=C, S DATA c, C DATA s, S ABORT C, S DATA c",
    "new association after the end": ASSOCIATE + "C SHUTDOWN s, S SHUTDOWN_ACK c, C SHUTDOWN_COMPLETE s, C INIT 0 init=C, S INIT_ACK C init=S, C COOKIE_ECHO S, S COOKIE_ACK C, C DATA S",
    "data out of nowhere": "C DATA s, S SACK c",
    "SHUTDOWN ACK out of nowhere": "C SHUTDOWN_ACK s, S SHUTDOWN_COMPLETE s T",
    "ABORT out of nowhere": "C ABORT s",
    "association from outside": "S INIT 0 init=s, C INIT_ACK s init=c",
    "wrong CRC": ASSOCIATE + "C SHUTDOWN s bad, C DATA s bad, C DATA s",
    "INIT with a tag": "C INIT x init=c",
    "INIT beside data": "C INIT+DATA 0 init=c",
    "DATA without a tag": ASSOCIATE + "C DATA 0, C DATA s",
    "no initiate tag": "C INIT 0 init=0",
    "error": ASSOCIATE + "S ERROR c, C DATA s",
    "stale cookie": "C INIT 0 init=c, S INIT_ACK c init=s, C COOKIE_ECHO s, S ERROR c, C INIT 0 init=c, S INIT_ACK c init=S, C COOKIE_ECHO S, S COOKIE_ACK c",
}
