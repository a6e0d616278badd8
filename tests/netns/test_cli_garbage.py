# SPDX-License-Identifier: BSD-3-Clause
"""Somebody else answers in sluiced's place, and answers nonsense: the command line says so, or shows what it got, and never dies of it."""
import concurrent.futures
import http.server
import os
import re
import socketserver
import subprocess
import tempfile
import threading
import unittest

from lab import SOURCE, program

BODIES = ["", "nonsense", "null", "1", '"x"', "[]", "{}", "[1, null]", "[{}]", '[{"name": 1, "id": "x", "kind": []}]',
          '{"name": [], "state": 1, "id": 3, "vnfs": {}, "chains": [1], "functions": [{}], "service": 1, "checks": 2, "changes": [{}], "valid": true, "path": 1}',
          '{"valid": false, "errors": [1, {"path": 2}], "state": "FAILED", "id": 1, "detail": {}}', '{"state": "PROCESSING", "id": 1, "message": 7}']
TYPES = ["application/json", "text/html", "text/event-stream"]

# Words for what a usage asks for.
WORDS = {"SERVICE": "edge", "SERVICE/VNF": "edge/fw", "SERVICE[/VNF]": "edge/fw", "SERVICE/CHAIN": "edge/all", "SERVICE[/CHAIN]": "edge/all", "NOUN": "vnfs",
         "SERVICE[/NAME]": "edge", "NAME": "edge", "ID": "1", "REVISION": "1", "PATH": "rules[web].action", "VALUE": "drop", "FILTER": "tcp", "VERB": "get",
         "KIND[.MEMBER]": "chain.path", "FILE": "/dev/null"}


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 128


class Nonsense(http.server.BaseHTTPRequestHandler):
    """Answers every request with the same body, type and status."""

    def answer(self):
        body, kind, status = self.server.answer
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = answer

    def address_string(self):
        return "-"

    def log_message(self, *_):
        pass


class Garbage(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="sluice-garbage-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def serve(self, number, body, kind, status):
        path = os.path.join(self.folder, str(number))
        server = Server(path, Nonsense)
        server.answer = (body, kind, status)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return "unix:" + path

    def sluice(self, server, *words):
        environment = {**{k: v for k, v in os.environ.items() if not k.startswith("SLUICE_")}, "HOME": self.folder, "SLUICE_SERVER": server,
                       "ASAN_OPTIONS": "exitcode=99", "UBSAN_OPTIONS": "exitcode=99"}
        return subprocess.run([program("sluice"), "--timeout", "1", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              env=environment, errors="replace", timeout=100, cwd=self.folder)

    def commands(self):
        """A command of every verb, as its usage has it; of alternatives each."""
        text = self.sluice("unix:/nonexistent", "--help").stdout.split("\n\nsluice help")[0]
        for verb in re.findall(r"^  (\S+) ", text, re.M):
            usage = re.search(r"usage: sluice (.*) \[options\]", self.sluice("unix:/nonexistent", "help", verb).stdout).group(1)
            commands = [[]]
            usage = re.sub(r"\[?-{1,2}\w.*$", "", usage)
            for token in usage.replace("...", "").split():
                token = re.sub(r"^\[(\w+(\[.*\])?)\]?$", r"\1", token)
                choices = [token] if token in WORDS else token.strip("[]").split("|")
                commands = [command + [WORDS.get(choice, choice)] for command in commands for choice in choices if choice]
            yield from commands

    def all_commands(self):
        descriptor = os.path.join(SOURCE, "conf", "quickstart.cfg")
        kept = [c for c in self.commands() if c[0] not in ("help", "completion", "context", "support-bundle", "capture", "backup", "top", "events")]
        self.assertGreater(len(kept), 35)
        kept += [[verb, "-f", descriptor] for verb in ("apply", "diff", "validate", "delete")]
        kept += [["describe", noun, "edge/fw"] for noun in ("vnf", "chain")] + [["get", noun, "edge", "-o", "yaml"] for noun in ("sessions", "counters")]
        kept += [["get", "vnfs"], ["explain"], ["explain", "firewall.rules"], ["events", "--last", "5"], ["top", "--once"], ["restart", "edge", "--no-wait"],
                 ["capture", "edge", "-w", "-"], ["heal", "edge", "--dry-run"], ["op", "retry", "1", "--dry-run"], ["__complete", "get", "vnf", ""],
                 ["__complete", "config", "set", "edge/fw", ""], ["__complete", "explain", "chain."]]
        return kept

    def test_nothing_dies(self):
        servers = [self.serve(i, body, TYPES[0] if i % 4 else TYPES[i // 4 % 3], 200) for i, body in enumerate(BODIES)]
        servers += [self.serve(100 + status, BODIES[11], TYPES[0], status) for status in (404, 409, 422, 500)]
        work = [(server, command) for server in servers for command in self.all_commands()]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            done = list(pool.map(lambda w: (w, self.sluice(w[0], *w[1])), work))
        died = {f"{' '.join(command)}: {end.returncode} {end.stderr[-300:]}" for (server, command), end in done if end.returncode not in range(0, 9)}
        self.assertEqual(died, set())
        nothing = {" ".join(command) for (server, command), end in done if "(null)" in end.stdout + end.stderr}
        self.assertEqual(nothing, set())


if __name__ == "__main__":
    unittest.main(verbosity=2)
