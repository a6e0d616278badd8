# SPDX-License-Identifier: BSD-3-Clause
"""SYN proxy: clients prove themselves before their servers hear of them; numbers, windows, SACK and time stamps are translated; a flood opens nothing."""
import hashlib
import random
import subprocess
import sys
import time
import unittest

from lab import Line, run, until

# Says so when it listens, greets before it is spoken to, and sends N bytes.
GREETER = """
import random, socket, sys
with socket.create_server(("::", 9000), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
    print("listening", flush=True)
    while True:
        s, _ = listener.accept()
        with s:
            s.sendall(random.Random(1).randbytes(int(sys.argv[1])))
            s.shutdown(socket.SHUT_WR)
            s.recv(1)
"""
# Reads all there is, slowly if asked to: the window closes and opens.
READER = """
import hashlib, socket, sys, time
digest = hashlib.sha256()
with socket.create_connection((sys.argv[1], 9000), 60) as s:
    print("connected", flush=True)
    while data := s.recv(65536):
        digest.update(data)
        time.sleep(float(sys.argv[2]))
print(digest.hexdigest(), flush=True)
"""
SIZE = 2000000
SUM = hashlib.sha256(random.Random(1).randbytes(SIZE)).hexdigest()
OPTIONS = ("timestamps", "window_scaling", "sack")


def rule(name, action="accept", **more):
    return {"name": name, "action": action, **more}


def firewall(when):
    return {"name": "fw", "kind": "firewall", "config": {"rules": [rule("tcp", protocol="tcp", synProxy=when), rule("rest")]}}


class Case(unittest.TestCase):
    def start(self, lab, functions, **engine):
        self.lab = lab
        self.addCleanup(lab.close)
        self.engine = lab.engine("edge", lab.document(functions, **engine)).ready()
        for target in (lab.SERVER4, lab.SERVER6):
            until("neighbours are known", lambda t=target: lab.ping(t, count=1))

    def greeter(self):
        server = self.lab.process([sys.executable, "-c", GREETER, SIZE], netns=self.lab.server)
        until("the server listens", lambda: "listening" in server.text())

    def reader(self, host, slowly=0.0):
        return subprocess.Popen(["ip", "netns", "exec", self.lab.client, sys.executable, "-c", READER, host, str(slowly)], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def read(self, host, slowly=0.0):
        out, err = self.reader(host, slowly).communicate(timeout=90)
        return err or out.split()[-1]

    def counter(self, name):
        return self.engine.get("/v1/state/counters")["engine"][name]


class On(Case):
    def setUp(self):
        self.start(Line(), [firewall("on")])

    def set(self, space, **options):
        for name, value in options.items():
            run("ip", "netns", "exec", space, "sysctl", "-qw", f"net.ipv4.tcp_{name}={value}")

    def test_options(self):
        """Whatever client and server can, together or alone; the server speaks first."""
        self.greeter()
        for client in range(8):
            for server in (7, client ^ 7):
                self.set(self.lab.client, **{name: client >> i & 1 for i, name in enumerate(OPTIONS)})
                self.set(self.lab.server, **{name: server >> i & 1 for i, name in enumerate(OPTIONS)})
                for host in (self.lab.SERVER4, self.lab.SERVER6):
                    self.assertEqual(self.read(host), SUM, f"client {client} server {server} {host}")
        self.assertEqual(self.counter("syn-proven"), 32)
        self.assertEqual(self.counter("tcp-window"), 0)

    def test_windows(self):
        """A reader that is slower than the sender: the window closes and opens again."""
        self.greeter()
        self.assertEqual(self.read(self.lab.SERVER4, 0.005), SUM)

    def test_upload(self):
        sink = "import hashlib,socket\ns=socket.create_server(('0.0.0.0',9001));print('listening',flush=True);c,_=s.accept();d=hashlib.sha256()\n" \
               "while b:=c.recv(65536): d.update(b)\nc.send(d.digest())"
        server = self.lab.process([sys.executable, "-c", sink], netns=self.lab.server)
        until("the server listens", lambda: "listening" in server.text())
        done = run("ip", "netns", "exec", self.lab.client, sys.executable, "-c",
                   f"import socket,random\ns=socket.create_connection(('{self.lab.SERVER4}',9001));s.sendall(random.Random(1).randbytes({SIZE}))\n"
                   "s.shutdown(1);print(s.recv(32).hex())")
        self.assertEqual(done.stdout.strip(), SUM)

    def test_server_refuses(self):
        done = run("ip", "netns", "exec", self.lab.client, "curl", "-s", "-m", "10", f"http://{self.lab.SERVER4}:8001/", check=False)
        self.assertIn(done.returncode, (7, 56), "reset, at once")

    def test_silent_server(self):
        """A SYN that is not answered is sent again, though the client says nothing; at the end the client is reset."""
        self.greeter()
        run("ip", "-n", self.lab.server, "route", "add", "blackhole", f"{self.lab.CLIENT4}/32")
        reader = self.reader(self.lab.SERVER4)
        until("the client has proven itself", lambda: self.counter("syn-proven") == 1)
        time.sleep(0.3)  # the first SYN finds nobody
        run("ip", "-n", self.lab.server, "route", "del", "blackhole", f"{self.lab.CLIENT4}/32")
        self.assertEqual(reader.communicate(timeout=60)[0].split()[-1], SUM)
        run("ip", "-n", self.lab.server, "route", "add", "blackhole", f"{self.lab.CLIENT4}/32")
        self.assertIn("reset", self.read(self.lab.SERVER4))

    def test_sessions_survive_a_crash(self):
        self.greeter()
        reader = self.reader(self.lab.SERVER4, 0.03)
        self.assertEqual(reader.stdout.readline().strip(), "connected")
        until("data flows", lambda: any(s["protocol"] == "tcp" and s["bytes"][1] > 100000 for s in self.engine.get("/v1/state/sessions")))
        self.engine.process.kill()
        self.engine.process.child.wait()
        self.engine.start()
        self.engine.ready()
        self.assertEqual(reader.communicate(timeout=90)[0].split()[-1], SUM)


if __name__ == "__main__":
    unittest.main()
