# SPDX-License-Identifier: BSD-3-Clause
"""One sluiced for one test: its folders, its REST, its end. Whatever it started is ended by pid, also after a failure."""
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import lab  # noqa: E402

SLUICED = os.environ.get("SLUICED", "sluiced")
PROGRAMS = [path for path in os.environ.get("SLUICE_PROGRAMS", "").split(":") if path]
os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"  # as in lab.py
HERE = os.path.dirname(os.path.abspath(__file__))


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=90):
        super().__init__("localhost", timeout=timeout)
        self.unix_path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.unix_path)


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body
        self.json = json.loads(body) if body and "json" in (headers.get("Content-Type") or "") else None

    def __repr__(self):
        return f"{self.status} {self.body[:2000]!r}"


def request(path, method, where, body=None, headers=None):
    connection = UnixConnection(path)
    data = None if body is None else (body if isinstance(body, (str, bytes)) else json.dumps(body))
    sent = {"Content-Type": "application/json"} if data is not None else {}
    sent.update(headers or {})
    try:
        connection.request(method, where, data, sent)
        answer = connection.getresponse()
        return Reply(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


RECOVERY = 30  # seconds that anything may take to recover on a noisy machine with sanitizers; exact figures are tests/perf's


def wait_for(condition, seconds=RECOVERY, what="condition", every=0.01):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(every)
    raise AssertionError(f"not in {seconds} s: {what() if callable(what) else what}")


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def children(pid):
    found = []
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/children") as file:
            found += [int(word) for word in file.read().split()]
    return found


def stopped(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "T"
    except FileNotFoundError:
        return True


def service(name="edge", placement="fused", **more):
    """A service whose ports are null devices: real processes, no network needed."""
    document = {
        "name": name,
        "placement": placement,
        "edge": {
            "ports": [
                {"name": "lan", "device": "null:?receive=0", "addresses": ["192.0.2.1/24", "2001:db8:1::1/64"]},
                {"name": "wan", "device": "null:?receive=0", "addresses": ["198.51.100.2/24"]},
            ]
        },
        "vnfs": [{"name": "fw", "kind": "firewall", "config": {}}],
        "chains": [{"name": "all", "path": ["lan", "fw", "wan"]}],
    }
    document.update(more)
    return document


class Sluiced:
    def __init__(self, double=False, options=()):
        self.folder = tempfile.mkdtemp(prefix="sluice-mano-")
        self.run, self.state = os.path.join(self.folder, "run"), os.path.join(self.folder, "state")
        self.bin = os.path.join(self.folder, "bin")
        self.socket = os.path.join(self.run, "sluiced.sock")
        self.options = list(options)
        self.process = None
        self.prefix = []  # a command that becomes sluiced, for a world of its own
        os.mkdir(self.bin)
        if double:
            for name in ("chain", "firewall", "nat"):
                os.symlink(os.path.join(HERE, "double.py"), os.path.join(self.bin, f"sluice-{name}"))
        else:
            for program in PROGRAMS:
                os.symlink(program, os.path.join(self.bin, os.path.basename(program)))

    def start(self, ready=True):
        log = open(os.path.join(self.folder, "log"), "ab")
        self.process = subprocess.Popen(
            self.prefix + [SLUICED, "--run-dir", self.run, "--state-dir", self.state, "--libexec", self.bin] + self.options,
            stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        log.close()
        if ready:
            wait_for(self.is_ready, what="sluiced is ready")
        return self

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"sluiced ended with {self.process.returncode}: {self.log()}")
        try:
            return self.get("/readyz").status == 200
        except OSError:
            return False

    def log(self):
        with open(os.path.join(self.folder, "log")) as file:
            return file.read()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.terminate()
        status = self.process.wait(60)
        if status:
            print(f"sluiced ended with {status}: {self.log()}", file=sys.stderr)
        return status

    def call(self, method, where, body=None, headers=None):
        return request(self.socket, method, where, body, headers)

    def get(self, where, headers=None):
        return self.call("GET", where, None, headers)

    def apply(self, *services, wait=30, **more):
        return self.call("POST", f"/v1/apply?wait={wait}", {"resources": {"services": list(services)}, **more})

    def must_apply(self, *services, **more):
        reply = self.apply(*services, **more)
        if reply.status != 200 or reply.json["state"] != "COMPLETED":
            raise AssertionError(f"apply: {reply}\n{self.log()}")
        return reply.json

    def vnf(self, name="fw", of="edge"):
        return self.get(f"/v1/services/{of}/vnfs/{name}").json

    def shown(self, name="edge"):
        return self.get(f"/v1/services/{name}").json

    def events(self, kind=None, subject=None):
        where = "/v1/events?last=0" + (f"&kind={kind}" if kind else "") + (f"&subject={subject}" if subject else "")
        return self.get(where, {"Accept": "application/json"}).json

    def pids(self):
        """Processes that were started in our run folder, by their command lines."""
        found = {}
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                with open(f"/proc/{entry}/cmdline", "rb") as file:
                    words = file.read().decode(errors="replace").split("\0")
            except OSError:
                continue
            for option, value in zip(words, words[1:]):
                if option == "--dir" and value.startswith(self.run + "/") and alive(int(entry)):
                    found[int(entry)] = value[len(self.run) + 1:]
        return found

    def check_balances(self):
        """received + originated = sent + delivered + dropped + held of every process that runs at a test's end; one that is gone or stopped is exempt."""
        for pid, folder in self.pids().items():
            path = os.path.join(self.run, folder, "control.sock")

            def said(pid=pid, path=path):
                """What it says of its counters, or why it need not."""
                try:
                    return "stopped" if stopped(pid) else request(path, "GET", "/v1/state/counters").json
                except OSError:
                    return "gone" if not alive(pid) or not os.path.exists(path) else None

            counters = wait_for(said, what=f"{folder} says what it counts")
            if isinstance(counters, dict) and not counters["balance"]["balanced"]:
                raise AssertionError(lab.missing(folder, counters))

    def all_ended(self):
        """Kills what runs; again and again, as sluiced may have been killed while it started a process."""
        pids = self.pids()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        return not pids

    def close(self):
        if self.process and self.process.poll() is None:
            self.kill()
        wait_for(self.all_ended, what="all processes have ended")
        shutil.rmtree(self.folder, ignore_errors=True)


class Case(unittest.TestCase):
    """A test with one sluiced, started."""
    double = False
    options = ()

    def setUp(self):
        if not self.double and not PROGRAMS:
            self.fail("SLUICE_PROGRAMS names no executables")
        self.s = Sluiced(self.double, self.options)
        self.addCleanup(self.s.close)
        if not self.double:
            self.addCleanup(self.s.check_balances)
        self.s.start()

    def assertStatus(self, reply, status):
        self.assertEqual(reply.status, status, f"{reply}\n{self.s.log()}")
        return reply.json

    def assertErrors(self, reply, status, *wanted):
        """Each wanted is (path, code)."""
        body = self.assertStatus(reply, status)
        self.assertEqual(reply.headers["Content-Type"], "application/problem+json")
        found = [(error.get("path"), error["code"]) for error in body["errors"]]
        self.assertEqual(sorted(found, key=str), sorted(wanted, key=str), body)
        return body


def main():
    unittest.main(verbosity=2, argv=[sys.argv[0]] + sys.argv[1:])
