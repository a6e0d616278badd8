# SPDX-License-Identifier: BSD-3-Clause
"""A small laboratory for tests: network namespaces joined by veth pairs, processes, REST over unix sockets.

Everything made here is undone at exit, also after a failure, a signal or a SIGKILL (reap.py): namespaces are named after this process, only processes started
here and by those are ended. Laboratories do not meet: names, folders and sockets are each one's own, addresses live in its namespaces.
"""
import atexit
import http.client
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

import reap

BUILD = os.environ.get("SLUICE_BUILD", "")
os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"  # what tests start is the system's, and not what somebody has put in front of it
SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def program(name):
    """Path of an executable of the build under test."""
    places = {"sluiced": "mano/sluiced", "sluice": "mano/cli"}
    kind = name.replace("sluice-", "")
    for folder in (places.get(name), f"vnf/{kind}", "mano", f"mano/{kind}", "."):
        path = folder and os.path.join(BUILD, folder, name)
        if path and os.path.isfile(path):
            return path
    raise SystemExit(f"no {name} below {BUILD}")


def run(*command, check=True, **more):
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def until(what, predicate, timeout=20.0, every=0.05):
    """Waits until predicate() is true; answers its value; fails after `timeout` seconds."""
    end = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"still not so after {timeout} s: {what}")
        time.sleep(every)


def kernel_has_af_xdp():
    try:
        socket.socket(44, socket.SOCK_RAW).close()  # AF_XDP, which Python has no name for
        return True
    except OSError:
        return False


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)


class _Unix(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def rest(path, method, url, body=None, headers=None, timeout=30):
    """One request to the REST server on a unix socket; body: anything that json takes."""
    connection = _Unix(path, timeout)
    headers = dict(headers or {})
    data = None
    if body is not None:
        data = json.dumps(body)
        headers.setdefault("Content-Type", "application/json")
    try:
        connection.request(method, url, data, headers)
        answer = connection.getresponse()
        return Reply(answer.status, answer.headers, answer.read().decode())
    finally:
        connection.close()


def answers(path):
    """Whether somebody serves there: a socket has its name before it has a queue."""
    try:
        return rest(path, "GET", "/readyz").status == 200
    except OSError:
        return False


class Process:
    """A child in a namespace (or none), ended by its pid when the laboratory closes."""

    def __init__(self, command, netns=None, log=None, environment=None, pass_fds=()):
        if netns:
            command = ["ip", "netns", "exec", netns] + [str(c) for c in command]
        self.log = log or os.devnull
        self.output = open(self.log, "ab")
        self.child = subprocess.Popen([str(c) for c in command], stdout=self.output, stderr=subprocess.STDOUT,
                                      stdin=subprocess.DEVNULL, env=environment, pass_fds=pass_fds)

    @property
    def pid(self):
        return self.child.pid

    def alive(self):
        return self.child.poll() is None

    def kill(self, number=signal.SIGKILL):
        if self.alive():
            self.child.send_signal(number)

    def stop(self, timeout=10):
        self.kill(signal.SIGTERM)
        try:
            self.child.wait(timeout)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        self.output.close()
        return self.child.returncode

    def text(self):
        with open(self.log, errors="replace") as file:
            return file.read()


class Engine:
    """A datapath process and its REST."""

    def __init__(self, lab, name, document, executable="sluice-chain", *options):
        self.lab = lab
        self.folder = os.path.join(lab.folder, name)
        os.makedirs(self.folder, exist_ok=True)
        self.config = os.path.join(self.folder, "boot.json")
        hugepages = ["--hugepages", os.environ["SLUICE_HUGEPAGES"]] if "SLUICE_HUGEPAGES" in os.environ else []
        self.command = [program(executable), "--dir", self.folder, "--config", self.config, "--log", os.path.join(self.folder, "log"), *hugepages, *options]
        self.socket = os.path.join(self.folder, "control.sock")
        with open(self.config, "w") as file:
            json.dump(document, file)
        self.start()

    def start(self):
        self.process = self.lab.process(self.command, log=os.path.join(self.folder, "out"))

    def ready(self, timeout=60):
        def check():
            if not self.process.alive():
                raise AssertionError(f"{self.folder}: ended\n{self.process.text()}\n{self.logged()}")
            try:
                return self.rest("GET", "/readyz").status == 200
            except OSError:
                return False

        until(f"{self.folder} is ready", check, timeout)
        return self

    def logged(self):
        path = os.path.join(self.folder, "log")
        if not os.path.exists(path):
            return ""
        with open(path, errors="replace") as file:
            return file.read()

    def rest(self, *arguments, **more):
        return rest(self.socket, *arguments, **more)

    def get(self, url):
        reply = self.rest("GET", url)
        assert reply.status == 200, f"{url}: {reply.status} {reply.body}"
        return reply.json()

    def balance(self):
        """The balance of counters, which adds up at any time."""
        counters = self.get("/v1/state/counters")
        assert counters["balance"]["balanced"], missing(self.folder, counters)
        return counters["balance"]


def bare(value):
    """Without what is 0 or empty."""
    if isinstance(value, dict):
        return {name: kept for name, member in value.items() if (kept := bare(member))}
    return [bare(member) for member in value] if isinstance(value, list) else value


def missing(who, counters):
    """For a failure: all that a process counted, but for zeros. Each worker says how many packets it misses, and where it has the others."""
    return f"counters of {who} do not add up: {json.dumps(bare(counters))}"


def adds_up(socket_path):
    """received + originated = sent + delivered + dropped + held of one process, at any time; one that is gone is exempt."""
    try:
        counters = rest(socket_path, "GET", "/v1/state/counters").json()
    except (ConnectionError, FileNotFoundError):
        return
    assert counters["balance"]["balanced"], missing(socket_path, counters)


_open, _numbers = [], itertools.count()


def _close_all():
    """At exit. An error here is the program's: that of an atexit function would leave its exit status as it was."""
    failed = False
    for lab in list(_open):
        try:
            lab.close()
        except BaseException:
            traceback.print_exc()
            failed = True
    if failed:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1)


def _interrupt(*_):
    raise KeyboardInterrupt  # the one exception for which unittest does not go on with the next test


class Lab:
    def __init__(self):
        if not _open:
            atexit.unregister(_close_all)
            atexit.register(_close_all)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, _interrupt)
        self.prefix = f"slt{os.getpid()}x{next(_numbers)}"
        self.folder = tempfile.mkdtemp(prefix="sluice-lab-")
        self.spaces, self.processes, self.engines = [], [], []
        self.reaper = reap.stand_by(self.folder, self.prefix)
        _open.append(self)

    def space(self, name):
        """A namespace; answers its full name."""
        full = f"{self.prefix}-{name}"
        run("ip", "netns", "add", full)
        self.spaces.append(full)
        run("ip", "-n", full, "link", "set", "lo", "up")
        return full

    def veth(self, left, left_name, right, right_name):
        run("ip", "link", "add", left_name, "netns", left, "type", "veth", "peer", "name", right_name, "netns", right)

    def host(self, space, interface, addresses, gateways=()):
        """Gives a client's or server's interface addresses, default routes, and turns its offloads off."""
        for address in addresses:
            run("ip", "-n", space, "addr", "add", address, "dev", interface, *(["nodad"] if ":" in address else []))
        run("ip", "-n", space, "link", "set", interface, "up")
        run("ip", "netns", "exec", space, "ethtool", "-K", interface, "tx", "off", "gro", "off", "gso", "off", "tso", "off", check=False)
        for gateway in gateways:
            run("ip", "-n", space, "-6" if ":" in gateway else "-4", "route", "replace", "default", "via", gateway)

    def process(self, command, netns=None, log=None, pass_fds=()):
        child = Process(command, netns, log or os.path.join(self.folder, f"out{len(self.processes)}"), {**os.environ, "SLUICE_LAB": self.folder}, pass_fds)
        self.processes.append(child)
        return child

    def engine(self, name, document, executable="sluice-chain", *options):
        made = Engine(self, name, document, executable, *options)
        self.engines.append(made)
        return made

    def sluiced(self):
        """The orchestrator, with the programs of the build; the path of its socket, when it serves."""
        folder, libexec = os.path.join(self.folder, "s"), os.path.join(self.folder, "bin")
        os.makedirs(libexec)
        for name in ("sluice-chain", "sluice-firewall", "sluice-nat"):
            os.symlink(program(name), os.path.join(libexec, name))
        socket_path = os.path.join(folder, "sluiced.sock")
        self.process([program("sluiced"), "--run-dir", folder, "--state-dir", os.path.join(self.folder, "state"), "--libexec", libexec])
        until("sluiced serves", lambda: answers(socket_path))
        return socket_path

    def check_balances(self):
        """The accounts of every process that is there at a test's end, whoever started it."""
        for folder, _, files in os.walk(self.folder):
            if "control.sock" in files:
                adds_up(os.path.join(folder, "control.sock"))

    def close(self):
        """Ends it; an error if accounts do not add up. A second time does nothing."""
        if self not in _open:
            return
        try:
            self.check_balances()
        finally:
            self.end()

    def end(self):
        for child in self.processes:
            child.kill(signal.SIGTERM)
        for child in reversed(self.processes):
            try:
                child.stop(5)
            except OSError:
                pass
        reap.sweep(self.folder, self.prefix)
        self.spaces, self.processes, self.engines = [], [], []
        _open.remove(self)
        self.reaper.write(b"done")
        self.reaper.close()


class Line(Lab):
    """The usual picture: client -- lan [edge] wan -- server, IPv4 and IPv6."""

    LAN, WAN = ["192.0.2.1/24", "2001:db8:1::1/64"], ["198.51.100.2/24", "2001:db8:2::2/64"]
    CLIENT4, CLIENT6, SERVER4, SERVER6 = "192.0.2.10", "2001:db8:1::10", "198.51.100.254", "2001:db8:2::fe"

    def __init__(self):
        super().__init__()
        self.client, self.edge, self.server = self.space("client"), self.space("edge"), self.space("server")
        self.veth(self.client, "eth0", self.edge, "lan0")
        self.veth(self.server, "eth0", self.edge, "wan0")
        self.host(self.client, "eth0", [f"{self.CLIENT4}/24", f"{self.CLIENT6}/64"], ["192.0.2.1", "2001:db8:1::1"])
        self.host(self.server, "eth0", [f"{self.SERVER4}/24", f"{self.SERVER6}/64"], ["198.51.100.2", "2001:db8:2::2"])

    def ports(self):
        return [{"name": "lan", "device": "af_packet:lan0", "netns": self.edge, "addresses": self.LAN},
                {"name": "wan", "device": "af_packet:wan0", "netns": self.edge, "addresses": self.WAN,
                 "gateways": [self.SERVER4, self.SERVER6]}]

    def document(self, functions, path=None, **engine):
        return {"engine": engine, "edge": {"ports": self.ports()}, "functions": functions,
                "paths": [{"name": "all", "path": ["lan"] + (path or [f["name"] for f in functions]) + ["wan"]}]}

    def ping(self, target, count=3, size=56, space=None):
        """Number of answers. Once it has had one, ping waits for the last no longer than its interval: where some seem to be missing, it is asked again at leisure, for on a
        noisy machine they are but late. What loses a packet now and then is found by numbered traffic (tests/live), not by this."""
        answers = self._ping(target, count, size, space, 0.05)
        return self._ping(target, count, size, space, 1) if 0 < answers < count else answers

    def _ping(self, target, count, size, space, interval):
        done = run("ip", "netns", "exec", space or self.client, "ping", "-n", "-c", count, "-i", interval, "-W", "2", "-s", size, target, check=False)
        for part in done.stdout.split(","):
            if "received" in part:
                return int(part.split()[0])
        return 0

    def web(self, size=100000, space=None, port=8000):
        """A web server that serves one file; answers its bytes."""
        folder = os.path.join(self.folder, f"web{port}")
        os.makedirs(folder, exist_ok=True)
        data = os.urandom(size)
        with open(os.path.join(folder, "file"), "wb") as file:
            file.write(data)
        space = space or self.server
        self.process([sys.executable, "-m", "http.server", "-d", folder, "--bind", "::", port], netns=space)
        until("the web server answers", lambda: run("ip", "netns", "exec", space, "curl", "-s", "-o", os.devnull, f"http://127.0.0.1:{port}/file", check=False).returncode == 0)
        return data

    def fetch(self, url, space=None, timeout=20):
        """Body of a request from the client, or None."""
        done = subprocess.run(["ip", "netns", "exec", space or self.client, "curl", "-s", "-g", "-m", str(timeout), url], stdout=subprocess.PIPE)
        return done.stdout if done.returncode == 0 else None
