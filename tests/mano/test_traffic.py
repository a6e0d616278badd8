#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""
Real traffic of real kernels through a service that sluiced runs: a client and a server in namespaces of their own, a
firewall and a NAT between them. The namespaces bear this process's pid and go with the test.
"""
import os
import signal
import subprocess

import mano
from mano import wait_for

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


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


class Net:
    """client (192.0.2.10) - lan0 [edge] wan0 - server (198.51.100.254)."""

    def __init__(self):
        self.names = {part: f"sl{os.getpid()}{part}" for part in ("c", "e", "s")}
        self.processes = []
        for name in self.names.values():
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        self.pair("c", "eth0", "lan0", ("192.0.2.10/24", "2001:db8:1::10/64"), ("192.0.2.1", "2001:db8:1::1"))
        self.pair("s", "eth0", "wan0", ("198.51.100.254/24", "2001:db8:2::fe/64"), ("198.51.100.2", "2001:db8:2::2"))

    def pair(self, part, inside, edge, addresses, gateways):
        name = self.names[part]
        ip("link", "add", edge, "netns", self.names["e"], "type", "veth", "peer", "name", inside, "netns", name)
        ip("-n", self.names["e"], "link", "set", edge, "up")
        for address in addresses:
            ip("-n", name, "addr", "add", address, "dev", inside, *(["nodad"] if ":" in address else []))
        ip("-n", name, "link", "set", inside, "up")
        for gateway in gateways:
            ip("-n", name, "route", "add", "default", "via", gateway)

    def serve(self, address, port):
        self.processes.append(subprocess.Popen(
            ["ip", "netns", "exec", self.names["s"], "python3", "-c", SERVER, address, str(port)],
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


class Traffic(mano.Case):
    URL, URL6 = "http://198.51.100.254:8000/", "http://[2001:db8:2::fe]:8000/"

    def setUp(self):
        super().setUp()
        self.net = Net()
        self.addCleanup(self.net.close)
        self.net.serve("198.51.100.254", 8000)
        self.net.serve("198.51.100.254", 8001)
        self.net.serve("2001:db8:2::fe", 8000)

    def flows(self):
        wait_for(lambda: self.net.fetch(self.URL, 1) == "198.51.100.10", what="NATed HTTP flows", every=0.05)

    def through(self, placement):
        self.s.must_apply(service(self.net, placement))
        self.flows()
        self.assertEqual(self.net.fetch(self.URL6), "2001:db8:1::10", "IPv6 passes the NAT by")
        self.assertIsNone(self.net.fetch("http://198.51.100.254:8001/", 1), "a port that no rule allows")
        rules = self.s.shown()["descriptor"]["vnfs"][0]["config"]
        rules["rules"].append({"name": "more", "action": "accept", "protocol": "tcp", "destinationPorts": "8001"})
        reply = self.s.call("PUT", "/v1/services/edge/vnfs/fw/config", rules)
        self.assertEqual(self.assertStatus(reply, 200)["state"], "COMPLETED")
        self.assertEqual(self.net.fetch("http://198.51.100.254:8001/"), "198.51.100.10")
        self.s.kill()
        for _ in range(3):
            self.assertEqual(self.net.fetch(self.URL), "198.51.100.10", "packets flow on without the orchestrator")
        self.s.start()
        wait_for(lambda: self.s.shown()["state"] == "ready")
        for pid, name in sorted(self.s.pids().items()):
            os.kill(pid, signal.SIGKILL)
            self.flows()
            wait_for(lambda: self.s.shown()["state"] == "ready")
            self.assertEqual(self.net.fetch("http://198.51.100.254:8001/"), "198.51.100.10",
                             f"{name} with its configuration")

    def test_fused(self):
        self.through("fused")

    def test_process(self):
        self.through("process")

    def test_moving_between_placements_while_it_flows(self):
        for placement in ("fused", "process", "fused"):
            self.s.must_apply(service(self.net, placement))
            self.flows()

    OTHER = "http://198.51.100.254:8001/"  # what no rule allows

    def fails(self, policy):
        """The firewall's process is killed and cannot come back for a while, then can."""
        wants = service(self.net, "fused")
        wants["vnfs"][0]["placement"] = "process"
        wants["chains"][0]["onFailure"] = policy
        self.s.must_apply(wants)
        self.flows()
        self.assertIsNone(self.net.fetch(self.OTHER, 1))
        program = os.path.join(self.s.bin, "sluice-firewall")
        target = os.readlink(program)
        os.unlink(program)
        os.kill(self.s.vnf("fw")["pid"], signal.SIGKILL)
        wait_for(lambda: self.s.shown()["state"] == "degraded", what="seen")
        yield
        os.symlink(target, program)
        wait_for(lambda: self.s.shown()["state"] == "ready", 60, "back")
        self.flows()
        self.assertIsNone(self.net.fetch(self.OTHER, 1), "with its rules")

    def test_failed_firewall_that_may_be_bypassed(self):
        for _ in self.fails("bypass"):
            self.flows()
            self.assertEqual(self.net.fetch(self.OTHER), "198.51.100.10", "past the firewall, through the NAT")

    def test_failed_firewall_that_may_not(self):
        for _ in self.fails("drop"):
            for _ in range(3):
                self.assertIsNone(self.net.fetch(self.URL, 1))

    def test_nat_is_never_bypassed(self):
        wants = service(self.net, "process")
        wants["chains"][0]["onFailure"] = "bypass"
        errors = self.assertStatus(self.s.apply(wants), 422)["errors"]
        self.assertEqual({(error["path"], error["code"]) for error in errors}, {("services[0].chains[0].onFailure", "no-bypass")})


mano.main()
