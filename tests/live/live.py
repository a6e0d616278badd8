# SPDX-License-Identifier: BSD-3-Clause
"""A service that sluiced runs between a client and a server, and numbered traffic through it in both families."""
import hashlib
import json
import os
import random
import signal
import subprocess
import threading
import time

import mano
from lab import BUILD, Line, missing, run, until

LOAD = os.path.join(BUILD, "tests", "live", "sluice-load")


ECHO = """
import socket, sys, threading
def serve(c):
    while True:
        data = c.recv(4096)
        if not data:
            return
        c.sendall((c.getpeername()[0] + " ").encode() + data)
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((sys.argv[1], 7))
s.listen()
while True:
    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
"""
TALK = """
import socket, sys
s = socket.create_connection((sys.argv[1], 7), 20, (sys.argv[2], 0))
s.settimeout(20)
for line in sys.stdin:
    s.sendall(line.encode())
    print(s.recv(4096).decode().strip(), flush=True)
"""


class Talk:
    """One TCP connection that says a word and hears it again."""

    def __init__(self, line, source="0.0.0.0", target=None):
        self.child = subprocess.Popen(["ip", "netns", "exec", line.client, "python3", "-c", TALK, target or line.SERVER4, source], text=True,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def say(self, word):
        self.child.stdin.write(word + "\n")
        self.child.stdin.flush()
        return self.child.stdout.readline().strip()

    def close(self):
        self.child.stdin.close()
        self.child.stdout.close()
        self.child.wait(30)


# Serves a file of SIZE bytes that is told by its seed, SPEED bytes a second, whoever asks for what.
FILES = """
import http.server, random, socket, socketserver, sys, time
port, seed, size, speed = map(int, sys.argv[1:])
content = random.Random(seed).randbytes(size)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        begin = time.monotonic()
        for at in range(0, size, 16384):
            time.sleep(max(0, begin + at / speed - time.monotonic()))
            self.wfile.write(content[at:at + 16384])
    def log_message(self, *ignored):
        pass
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    server_bind = socketserver.TCPServer.server_bind  # the other asks a resolver for its name, and here is none
Server(("::", port), Handler).serve_forever()
"""


class Downloads:
    """One download after another over each family, until it is told to stop. `patience`: seconds without a byte after which one is cut off."""

    PORT, SIZE, SPEED = 8000, 4 << 20, 500000

    def __init__(self, line, patience=60, seed=1):
        self.wanted = hashlib.sha256(random.Random(seed).randbytes(self.SIZE)).hexdigest()
        self.line, self.stopping = line, threading.Event()
        self.patience, self.whole, self.cut, self.wrong = patience, 0, [], []
        line.process(["python3", "-c", FILES, self.PORT, seed, self.SIZE, self.SPEED], netns=line.server)
        until("the files are served", lambda: f":{self.PORT} " in run("ip", "netns", "exec", line.server, "ss", "-ltn").stdout)
        self.threads = [threading.Thread(target=self.go_on, args=(number, address), daemon=True)
                        for number, address in enumerate((line.SERVER4, f"[{line.SERVER6}]"))]
        for thread in self.threads:
            thread.start()

    def go_on(self, number, address):
        path = os.path.join(self.line.folder, f"download{number}")
        command = ["ip", "netns", "exec", self.line.client, "curl", "-sS", "-g", "-Y", "1", "-y", str(self.patience), "--connect-timeout", "60", "-o", path, f"http://{address}:{self.PORT}/"]
        while not self.stopping.is_set():
            done = subprocess.run(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "SLUICE_LAB": self.line.folder})
            if done.returncode:
                self.cut.append(f"{address}: {done.stderr.strip()}")
                continue
            with open(path, "rb") as file:
                right = hashlib.sha256(file.read()).hexdigest() == self.wanted
            self.whole += right
            if not right:
                self.wrong.append(f"{address}: other bytes than were sent")

    def result(self):
        """Lets those under way end; answers how many arrived whole, what was said of those that were cut off, and of those that were wrong."""
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        return self.whole, self.cut, self.wrong


class Load:
    """Numbered datagrams from the client to the server, over IPv4 and IPv6 at once."""

    SILENT = 3  # seconds

    def __init__(self, line, rate, seconds, flows=50):
        self.line, self.ends = line, []
        for number, address in enumerate((line.SERVER4, line.SERVER6)):
            log = os.path.join(line.folder, f"load{len(line.processes)}")
            receiver = line.process([LOAD, "receive", address, 7000 + number], netns=line.server, log=log + "r")
            until("load listens", lambda receiver=receiver: "listening" in receiver.text())
            sender = line.process([LOAD, "send", address, 7000 + number, flows, rate // 2, seconds], netns=line.client, log=log + "s")
            self.ends.append((sender, receiver))

    def reports(self):
        """What each receiver says since it was asked last."""
        reports = []
        for _, receiver in self.ends:
            before = receiver.text().count("\n")
            receiver.kill(signal.SIGUSR1)
            until("the receiver reports", lambda receiver=receiver, before=before: receiver.text().count("\n") > before)
            reports.append(json.loads(receiver.text().splitlines()[-1]))
        return reports

    def settle(self, sent):
        """Until all has come that was sent; or, where some is lost, nothing has come for some time."""
        seen, since = -1, time.monotonic()
        while seen < sent and time.monotonic() < since + self.SILENT:
            now = sum(report["received"] for report in self.reports())
            if now > seen:
                seen, since = now, time.monotonic()
            time.sleep(0.05)

    def running(self):
        return any(sender.alive() for sender, _ in self.ends)

    def flowing(self):
        """Whether every flow was heard since this was asked last, and the longest time in ms that one was silent."""
        reports = self.reports()
        return not any(report["silentFlows"] for report in reports), max(report["flowGapMs"] for report in reports)

    def stop(self):
        """Nothing more is sent; result() tells."""
        for sender, _ in self.ends:
            sender.kill(signal.SIGTERM)

    def result(self):
        """Ends it; answers the sum of both families: sent, received, lost, reordered, longestGapMs."""
        total = {"sent": 0, "received": 0, "reordered": 0, "longestGapMs": 0}
        for sender, _ in self.ends:
            until("the sender is done", lambda sender=sender: not sender.alive(), 600)
        self.settle(sum(json.loads(sender.text().splitlines()[-1])["sent"] for sender, _ in self.ends))
        for _, receiver in self.ends:
            receiver.stop(30)
        for sender, receiver in self.ends:
            sent, got = json.loads(sender.text().splitlines()[-1]), json.loads(receiver.text().splitlines()[-1])
            total["sent"] += sent["sent"]
            total["received"] += got["received"]
            total["reordered"] += got["reordered"]
            total["longestGapMs"] = max(total["longestGapMs"], got["longestGapMs"])
        total["lost"] = total["sent"] - total["received"]
        return total


FIREWALL = {"zones": [{"name": "inside", "ports": ["lan"]}, {"name": "outside", "ports": ["wan"]}],
            "rules": [{"name": "all", "from": "inside", "to": "outside", "action": "accept"}]}
NAT = {"pools": [{"name": "public", "addresses": ["198.51.100.10"]}]}


class Live(mano.Case):
    """Client, service `edge`, server; what a test changes is in self.descriptor."""

    placement = "fused"
    engine = {}
    nat = NAT

    def setUp(self):
        super().setUp()
        self.line = Line()
        self.addCleanup(self.line.close)
        self.descriptor = {
            "name": "edge", "placement": self.placement, "engine": dict(self.engine),
            "edge": {"ports": self.line.ports()},
            "vnfs": [{"name": "fw", "kind": "firewall", "config": FIREWALL}, {"name": "nat", "kind": "nat", "config": self.nat}],
            "chains": [{"name": "all", "path": ["lan", "fw", "nat", "wan"]}]}
        self.s.must_apply(self.descriptor)
        for target in (self.line.SERVER4, self.line.SERVER6):
            until(f"{target} answers", lambda target=target: self.line.ping(target, 1) == 1)

    def apply(self):
        self.s.must_apply(self.descriptor)

    def sessions(self):
        return sum(w["sessions"] for w in self.s.get("/v1/services/edge/state/workers").json)

    def fill(self, sessions, hosts=200, rate=40000):
        """So many answered sessions of UDP through the service, from the ports of many hosts; answers how many it has then."""
        for host in range(hosts):
            run("ip", "-n", self.line.client, "address", "add", f"192.0.2.{20 + host}/24", "dev", "eth0", check=False)
        echo = self.line.process([LOAD, "echo", self.line.SERVER4, 9], netns=self.line.server)
        until("the echo listens", lambda: "listening" in echo.text())
        for _ in range(5):  # what was lost is sent again
            filler = self.line.process([LOAD, "fill", self.line.SERVER4, 9, "192.0.2.20", hosts, sessions, rate], netns=self.line.client)
            until("all have been sent", lambda filler=filler: not filler.alive(), 300)
            time.sleep(1)
            if self.sessions() > 0.98 * sessions:
                break
        echo.kill(signal.SIGTERM)
        return self.sessions()

    def echo(self):
        """A TCP server that says again what it hears, with the address that it sees in front."""
        self.line.process(["python3", "-c", ECHO, self.line.SERVER4], netns=self.line.server)
        until("echo listens", lambda: ":7 " in run("ip", "netns", "exec", self.line.server, "ss", "-ltn").stdout)

    def talk(self, source="0.0.0.0"):
        talk = Talk(self.line, source)
        self.addCleanup(talk.close)
        self.assertEqual(talk.say("one"), "198.51.100.10 one")
        return talk

    def drops(self):
        """What the service's process counted, but for zeros."""
        counters = self.s.get("/v1/services/edge/state/counters").json
        if "engine" not in counters:
            return counters
        said = {k: v for part in ("engine", "edge") for k, v in counters[part].items() if v}
        for port in self.s.get("/v1/services/edge/state/ports").json:
            said[port["name"]] = {k: port[k] for k in ("sendDrops", "missed", "oversize") if port[k]}
        return said

    def balances(self):
        """Every process's counters add up."""
        names = [None] + [v["name"] for v in self.descriptor["vnfs"] if v.get("placement", self.descriptor["placement"]) == "process"]
        for name in names:
            where = "/v1/services/edge/state/counters" + (f"?vnf={name}" if name else "")
            counters = self.s.get(where).json
            self.assertTrue(counters["balance"]["balanced"], missing(name or "the service", counters))
