# SPDX-License-Identifier: BSD-3-Clause
"""A client and a server in namespaces of their own, and one between them for a service. They bear this process's pid and go with the test."""
import os
import subprocess

SERVER = """
import http.server, socket, socketserver, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = self.client_address[0].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *ignored):
        pass
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
    server_bind = socketserver.TCPServer.server_bind  # the other asks a resolver for its name, and here is none
Server((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
"""

FETCH = """
import sys, urllib.request
try:
    print(urllib.request.urlopen(sys.argv[1], timeout=float(sys.argv[2])).read().decode())
except Exception as error:
    sys.exit(str(error))
"""


ECHO = """
import socket, sys, threading
listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
def echo(connection, client):
    while data := connection.recv(100):
        connection.sendall(f"{client[0]}:{client[1]} {data.decode()}".encode())
while True:
    threading.Thread(target=echo, args=listener.accept(), daemon=True).start()
"""

TALK = """
import socket, sys
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=20)
for line in sys.stdin:
    connection.sendall(line.encode())
    print(connection.makefile().readline(), end="", flush=True)
"""


class Talk:
    """One TCP connection that stays, from the client to a server that answers each line with our address and the line."""

    def __init__(self, net, address, port):
        self.process = subprocess.Popen(["ip", "netns", "exec", net.names["c"], "python3", "-c", TALK, address, str(port)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        net.processes.append(self.process)

    def say(self, word):
        """The address that the server sees; None if there is no connection any more."""
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        return answer[0] if len(answer) == 2 and answer[1] == word else None


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


class Net:
    """client (192.0.2.10) - lan0 [edge] wan0 - server (198.51.100.254)."""

    def __init__(self, quiet=False):
        """quiet: not even the kernels say anything by themselves."""
        self.quiet = quiet
        self.names = {part: f"sl{os.getpid()}{part}" for part in ("c", "e", "s")}
        self.processes = []
        for name in self.names.values():
            ip("netns", "add", name)
            if quiet:
                subprocess.run(["ip", "netns", "exec", name, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1",
                                "net.ipv6.conf.default.disable_ipv6=1"], check=True)
            ip("-n", name, "link", "set", "lo", "up")
        self.pair("c", "eth0", "lan0", ("192.0.2.10/24", "2001:db8:1::10/64"), ("192.0.2.1", "2001:db8:1::1"))
        self.pair("s", "eth0", "wan0", ("198.51.100.254/24", "2001:db8:2::fe/64"), ("198.51.100.2", "2001:db8:2::2"))

    def pair(self, part, inside, edge, addresses, gateways):
        name = self.names[part]
        ip("link", "add", edge, "netns", self.names["e"], "type", "veth", "peer", "name", inside, "netns", name)
        ip("-n", self.names["e"], "link", "set", edge, "up")
        for address in addresses:
            if self.quiet and ":" in address:
                continue
            ip("-n", name, "addr", "add", address, "dev", inside, *(["nodad"] if ":" in address else []))
        ip("-n", name, "link", "set", inside, "up")
        for gateway in gateways:
            if self.quiet and ":" in gateway:
                continue
            ip("-n", name, "route", "add", "default", "via", gateway)

    def serve(self, address, port):
        self.processes.append(subprocess.Popen(
            ["ip", "netns", "exec", self.names["s"], "python3", "-c", SERVER, address, str(port)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def echo(self, address, port):
        self.processes.append(subprocess.Popen(
            ["ip", "netns", "exec", self.names["s"], "python3", "-c", ECHO, address, str(port)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def fetch(self, url, timeout=10):
        """What the server says, or None."""
        done = subprocess.run(["ip", "netns", "exec", self.names["c"], "python3", "-c", FETCH, url, str(timeout)],
                              capture_output=True, text=True, timeout=30)
        return done.stdout.strip() if done.returncode == 0 else None

    def close(self):
        for process in self.processes:
            process.kill()
            process.wait()
        for name in self.names.values():
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


def service(net, placement):
    rules = [{"name": "web", "from": "inside", "to": "outside", "protocol": "tcp", "destinationPorts": "8000"},
             {"name": "ping6", "from": "inside", "to": "outside", "protocol": "icmpv6"}]
    for rule in rules:
        rule["action"] = "accept"
    return {
        "name": "edge", "placement": placement,
        "edge": {"netns": net.names["e"], "ports": [
            {"name": "lan", "device": "af_packet:lan0", "addresses": ["192.0.2.1/24", "2001:db8:1::1/64"]},
            {"name": "wan", "device": "af_packet:wan0", "addresses": ["198.51.100.2/24", "2001:db8:2::2/64"],
             "gateways": ["198.51.100.254", "2001:db8:2::fe"]}]},
        "vnfs": [
            {"name": "fw", "kind": "firewall", "config": {
                "zones": [{"name": "inside", "ports": ["lan"]}, {"name": "outside", "ports": ["wan"]}], "rules": rules}},
            {"name": "nat", "kind": "nat", "config": {"pools": [{"name": "public", "addresses": ["198.51.100.10"]}]}}],
        "chains": [{"name": "all", "path": ["lan", "fw", "nat", "wan"]}],
    }
