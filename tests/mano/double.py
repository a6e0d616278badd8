#!/usr/bin/python3 -IS
# SPDX-License-Identifier: BSD-3-Clause
"""
A double of a datapath process that misbehaves when its document says so: for faults that the real ones do not have on
command. It serves the contract of docs/ENGINE.md as far as sluiced sees it (control.sock, heartbeat, --check) and moves
no packets. With --standby it waits for its word, and leaves when a successor asks (common/runtime/process/succession.h). A VNF's `config` may hold:
  invalid      --check and PUT refuse the configuration
  refuse       PUT refuses it, --check does not
  crash        the process ends with status 3 before it is ready
  crashAfter   it ends so many milliseconds after it became ready
  never        it is never ready
  deaf         it does not answer /healthz
  busy         nor that, and computes instead
  restart      PUT answers needs-restart
  stall        PUT is never answered
  mute         it listens, is never ready and answers nothing at all
  standbyNever it does not say that it stands by
  standbyCrash it ends with status 3 when it is told to go, before it has taken the place
  takeCrash    the same when it has
  events       it says so many events at once (default: one, "ready")
The same words in DOUBLE_TOLD of the environment (JSON) are those of the build, with `version` and `api` as /v1/version tells them.
If the environment names a file DOUBLE_STARTS, each start adds a line with the process's folder to it; one that stands by, when it is told to go.
It is started some thousand times in a run of the suite: it does without http.server, whose imports take longer than all else that it does.
"""
import contextlib
import json
import mmap
import os
import socket
import socketserver
import struct
import sys
import threading
import time


def arguments():
    options, words = {}, sys.argv[1:]
    while words:
        word = words.pop(0)
        options[word] = words.pop(0) if words and not words[0].startswith("--") else True
    return options


def configs(document):
    for i, function in enumerate(document.get("functions", [])):
        yield f"functions[{i}].config", function.get("config", {})
    for i, hop in enumerate(document.get("hops", [])):
        yield f"hops[{i}].config", hop.get("config", {})


def errors_of(document, *words):
    return [{"path": f"{path}.{word}", "code": "double-" + word, "detail": f"the double was told {word}"}
            for path, config in configs(document) for word in words if config.get(word)]


# What this very build does, whatever its documents say.
BUILD = json.loads(os.environ.get("DOUBLE_TOLD", "{}"))


def told(document, word):
    """What its build was told, else only what this very process was told: a hop's configuration is a shadow here."""
    if word in BUILD:
        return BUILD[word]
    for function in document.get("functions", []):
        if function.get("config", {}).get(word):
            return function["config"][word]
    return None


def check(options):
    with open(options["--config"]) as file:
        document = json.load(file)
    errors = errors_of(document, "invalid")
    if BUILD.get("invalid"):
        errors.append({"path": "functions[0].config", "code": "double-invalid", "detail": "the build was told so"})
    print("some line that is no answer")
    print(json.dumps({"errors": errors}))
    sys.exit(7 if errors else 0)


class Heart(threading.Thread):
    """The heartbeat file of common/util/heartbeat.h, moved 20 times a second."""

    def __init__(self, folder):
        super().__init__(daemon=True)
        size = 64 + 63 * 64
        path = os.path.join(folder, "heartbeat")
        with open(path + ".new", "wb") as file:
            file.write(struct.pack("<IIII", 0x534C4842, 1, 1, os.getpid()).ljust(size, b"\0"))
        os.rename(path + ".new", path)
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), size)
        self.stopped = False

    def run(self):
        turns = 0
        self.map[72:76] = struct.pack("<I", threading.get_native_id())
        while True:
            if not self.stopped:
                turns += 1
                self.map[64:72] = struct.pack("<Q", turns)
            time.sleep(0.05)


class State:
    def __init__(self, document, folder):
        self.document, self.revision, self.ready = document, 1, False
        self.heart = Heart(folder)


class Handler(socketserver.StreamRequestHandler):
    """As much HTTP/1.1 as sluiced speaks: requests one after another on a connection, bodies with a length."""

    def handle(self):
        while words := self.rfile.readline().split():
            method, self.path = words[0].decode(), words[1].decode()
            self.headers = {}
            while line := self.rfile.readline().strip():
                name, _, value = line.decode().partition(":")
                self.headers[name.lower()] = value.strip()
            answers = {"GET": self.do_get, "PUT": self.do_put}
            answers.get(method, lambda: self.answer(501, {}))()

    def head(self, status, **fields):
        lines = [f"HTTP/1.1 {status} -"] + [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
        self.wfile.write("\r\n".join(lines + ["", ""]).encode())

    def answer(self, status, body, kind="application/json"):
        data = json.dumps(body).encode()
        self.head(status, Content_Type=kind, ETag=f'"{self.server.state.revision}"', Content_Length=len(data))
        self.wfile.write(data)

    def stream(self, last):
        """Server-sent events without a length; the connection stays open."""
        self.head(200, Content_Type="text/event-stream")
        for i in range(last + 1, int(told(self.server.state.document, "events") or 1) + 1):
            event = {"id": i, "time": "2026-01-01T00:00:00Z", "kind": "ready", "subject": "fw", "message": f"number {i}"}
            self.wfile.write(f"id: {i}\nevent: ready\ndata: {json.dumps(event)}\n\n".encode())
        while True:
            time.sleep(1)
            self.wfile.write(b": alive\n\n")

    def do_get(self):
        state = self.server.state
        if told(state.document, "mute"):
            time.sleep(3600)
        if self.path == "/readyz":
            self.answer(200 if state.ready else 503, {})
        elif self.path == "/healthz":
            if told(state.document, "deaf"):
                time.sleep(30)
            end = time.monotonic() + 30
            while told(state.document, "busy") and time.monotonic() < end:
                pass
            self.answer(200, {})
        elif self.path == "/v1/version":
            self.answer(200, {"program": "double", "version": BUILD.get("version", "1"), "api": BUILD.get("api", "v1")})
        elif self.path == "/v1/config":
            if self.headers.get("if-none-match") == f'"{state.revision}"':
                self.head(304)
            else:
                self.answer(200, state.document)
        elif self.path.startswith("/v1/events"):
            self.stream(int(self.path.partition("last=")[2] or 0))
        elif self.path == "/v1/state/hang":
            state.heart.stopped = True
            self.answer(200, {})
        else:
            self.answer(404, {}, "application/problem+json")

    def do_put(self):
        state = self.server.state
        document = json.loads(self.rfile.read(int(self.headers["content-length"])))
        errors = errors_of(document, "invalid", "refuse")
        if told(document, "stall"):
            time.sleep(3600)
        if told(document, "restart"):
            errors = [{"path": "engine.workers", "code": "needs-restart", "detail": "told so"}]
            self.answer(409, {"errors": errors}, "application/problem+json")
        elif errors:
            self.answer(422, {"errors": errors}, "application/problem+json")
        else:
            state.document = document
            state.revision += 1
            self.answer(200, {"revision": state.revision})


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


def stand_by(line, folder, document):
    """Until it is told to go and its predecessor has left; whoever is not wanted ends."""
    if not told(document, "standbyNever"):
        line.sendall(f"standby {BUILD.get('api', 'v1')} {BUILD.get('version', '1')}\n".encode())
    if line.recv(64) != b"go\n":
        sys.exit(0)
    if told(document, "standbyCrash"):
        os._exit(3)
    predecessor = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        predecessor.connect(os.path.join(folder, "successor.sock"))
        predecessor.recv(1)
    except OSError:
        pass  # it has ended
    if told(document, "takeCrash"):
        os._exit(3)


def leave_when_asked(folder):
    path = os.path.join(folder, "successor.sock")
    if os.path.exists(path):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    listener.listen()

    def leave():
        listener.accept()
        os._exit(0)

    threading.Thread(target=leave, daemon=True).start()


def main():
    options = arguments()
    if "--check" in options:
        check(options)
    folder = options["--dir"]
    line = None
    if "--standby" in options:
        with open(options["--config"]) as file:
            document = json.load(file)
        if told(document, "crash"):
            print("the double was told to crash", flush=True)
            sys.exit(3)
        line = socket.socket(fileno=int(options["--standby"]))
        stand_by(line, folder, document)
    if "DOUBLE_STARTS" in os.environ:
        with open(os.environ["DOUBLE_STARTS"], "a") as file:
            file.write(folder + "\n")
    with open(options["--config"]) as file:
        document = json.load(file)
    if told(document, "crash"):
        print("the double was told to crash", flush=True)
        sys.exit(3)
    path = os.path.join(folder, "control.sock")
    if os.path.exists(path):
        os.unlink(path)
    server = Server(path, Handler)
    server.state = State(document, folder)
    server.state.heart.start()
    leave_when_asked(folder)
    server.state.ready = not told(document, "never") and not told(document, "mute")
    after = told(document, "crashAfter")
    if after:
        threading.Timer(after / 1000, lambda: os._exit(4)).start()
    if line and server.state.ready:
        with contextlib.suppress(OSError):  # sluiced may be gone by now: it runs all the same
            line.sendall(b"serving\n")
        line.close()
    server.serve_forever()


main()
