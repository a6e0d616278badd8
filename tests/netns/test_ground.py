# SPDX-License-Identifier: BSD-3-Clause
"""Interfaces and namespaces that are deleted and made anew under a running process: the port closes, says so, waits and opens again; all else goes on."""
import json
import os
import signal
import unittest

from lab import Line, kernel_has_af_xdp, run, until

COUNT = [{"name": "c", "kind": "count"}]
TIMES = 10
RING = 1024  # slots of a packet socket's ring
FLOOD = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(64):
    s.sendto(b"x", ("198.51.100.254", 9))
"""

CLAIM = """
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0))
mac, ip = bytes.fromhex("020000000077"), socket.inet_aton(sys.argv[1])
for i in range(3):
    s.send(b"\\xff" * 6 + mac + bytes.fromhex("08060001080006040001") + mac + ip + bytes(6) + ip)
"""


class Ground(unittest.TestCase):
    def setUp(self):
        self.lab = Line()
        self.addCleanup(self.lab.close)

    def document(self):
        document = self.lab.document(COUNT, workers=2)
        document["edge"]["ports"] += [
            {"name": "dmz", "device": "tap:dmz0?queues=2", "netns": self.lab.edge, "addresses": ["203.0.113.1/24"], "mtu": 2000},
            {"name": "late", "device": f"{'af_xdp' if kernel_has_af_xdp() else 'af_packet'}:late0", "netns": self.lab.edge, "addresses": ["203.0.114.1/24"],
             "absent": "wait"}]
        return document

    def port(self, name):
        return [p for p in self.engine.get("/v1/state/ports") if p["name"] == name][0]

    def up(self, name):
        return self.port(name)["up"]

    def wan(self):
        lab = self.lab
        lab.veth(lab.server, "eth0", lab.edge, "wan0")
        lab.host(lab.server, "eth0", [f"{lab.SERVER4}/24", f"{lab.SERVER6}/64"], ["198.51.100.2", "2001:db8:2::2"])

    def lan(self):
        lab = self.lab
        lab.veth(lab.client, "eth0", lab.edge, "lan0")
        lab.host(lab.client, "eth0", [f"{lab.CLIENT4}/24", f"{lab.CLIENT6}/64"], ["192.0.2.1", "2001:db8:1::1"])

    def held(self):
        """Descriptors, threads, packet buffers and kB of memory of the process."""
        pid = self.engine.process.pid
        with open(f"/proc/{pid}/status") as file:
            resident = int(file.read().split("VmRSS:")[1].split()[0])
        memory = self.engine.get("/v1/state/memory")
        return len(os.listdir(f"/proc/{pid}/fd")), len(os.listdir(f"/proc/{pid}/task")), memory["packetBuffers"]["used"], resident

    def events(self, kind, port):
        reply = self.engine.rest("GET", f"/v1/events?last=0&limit=1000&kind={kind}", headers={"Accept": "application/json"})
        return [e for e in reply.json() if e["subject"] == port]

    def has(self, space, interface):
        return run("ip", "-n", space, "link", "show", interface, check=False).returncode == 0

    def index(self, interface):
        return run("ip", "-n", self.lab.edge, "-o", "link", "show", interface, check=False).stdout.split(":")[0]

    def lose_wan(self):
        run("ip", "-n", self.lab.edge, "link", "del", "wan0")
        until("it is seen", lambda: not self.up("wan"))

    def traffic(self):
        until("the ports are up", lambda: self.up("lan") and self.up("wan"))
        until("traffic is back", lambda: self.lab.ping(self.lab.SERVER4, count=1) == 1)

    def wan_again(self):
        self.lose_wan()
        self.wan()
        self.traffic()

    def somebody_else(self):
        """Who says that an address of the edge is his is told of once, however often he says it; and its traffic goes on."""
        counted = lambda: self.engine.get("/v1/state/counters")["edge"]["address-conflict"]
        for address in ("192.0.2.1", "192.0.2.77"):  # the second is nobody's
            run("ip", "netns", "exec", self.lab.client, "/usr/bin/python3", "-c", CLAIM, address)
        until("all are counted", lambda: counted() == 3)
        event, = until("it is told", lambda: self.events("address-conflict", "lan"))
        self.assertEqual(event["details"], {"address": "192.0.2.1", "mac": "02:00:00:00:00:77", "port": "lan",
                                            "packets": event["details"]["packets"]})
        self.assertEqual(self.lab.ping(self.lab.SERVER4), 3)

    def interfaces(self):
        """Of one port, again and again: the edge answers at the others without a gap."""
        lab = self.lab
        steady = lab.process(["ping", "-n", "-i", "0.05", "192.0.2.1"], netns=lab.client)
        for _ in range(TIMES):
            self.wan_again()
        self.assertEqual(lab.ping(lab.SERVER6), 3)
        steady.kill(signal.SIGINT)
        until("the steady ping ends", lambda: not steady.alive())
        self.assertIn(" 0% packet loss", steady.text())

    def down(self):
        """An interface that is taken down while there is more to send than its ring holds sends again when it is up, and nothing that is old."""
        lab = self.lab
        run("ip", "-n", lab.edge, "link", "set", "wan0", "down")
        before = self.port("wan")["sendDrops"]

        def refused():
            run("ip", "netns", "exec", lab.client, "/usr/bin/python3", "-c", FLOOD)
            return self.port("wan")["sendDrops"] - before > 2 * RING

        until("more than the ring holds is refused", refused, every=0)
        heard = self.heard()
        run("ip", "-n", lab.edge, "link", "set", "wan0", "up")
        self.traffic()
        self.assertLess(self.heard() - heard, 64, "packets of before")

    def heard(self):
        """Packets that have come to the server."""
        return json.loads(run("ip", "-n", self.lab.server, "-s", "-j", "link", "show", "eth0").stdout)[0]["stats64"]["rx"]["packets"]

    def queues(self):
        """Of the TAP, as the process has them open; its standard input is none of them."""
        folder = f"/proc/{self.engine.process.pid}/fd"
        self.assertEqual(os.readlink(f"{folder}/0"), os.devnull)
        return run("ls", "-l", folder, check=False).stdout.count("-> /dev/net/tun")  # some are closed meanwhile

    def tap(self):
        lab = self.lab
        self.assertEqual(self.queues(), 2)
        for _ in range(TIMES):
            index = self.index("dmz0")
            run("ip", "-n", lab.edge, "link", "del", "dmz0")
            until("it is made again", lambda: self.index("dmz0") not in (index, ""))
            until("the port is up", lambda: self.up("dmz"))
            self.assertEqual(self.queues(), 2)
        self.assertIn("mtu 2000", run("ip", "-n", lab.edge, "link", "show", "dmz0").stdout)
        run("ip", "-n", lab.edge, "addr", "add", "203.0.113.9/24", "dev", "dmz0")
        self.assertEqual(lab.ping("203.0.113.1", space=lab.edge), 3)

    def namespace(self):
        """The name is gone: no socket of ours keeps the namespace, whose interfaces go with it."""
        lab = self.lab
        for _ in range(3):
            run("ip", "netns", "del", lab.edge)
            until("the namespace is gone", lambda: not self.has(lab.client, "eth0") and not self.has(lab.server, "eth0"))
            self.assertFalse(self.up("lan") or self.up("wan") or self.up("dmz"))
            run("ip", "netns", "add", lab.edge)
            self.lan()
            self.wan()
            self.traffic()
            self.assertEqual(lab.ping(lab.SERVER6), 3)
            until("the TAP, too", lambda: self.up("dmz"))

    def at_once(self):
        """Another namespace takes the name's place between two looks."""
        lab = self.lab
        run("ip", "netns", "del", lab.edge)
        run("ip", "netns", "add", lab.edge)
        until("the old one is gone", lambda: not self.has(lab.client, "eth0"))
        self.lan()
        self.wan()
        self.traffic()

    def late(self):
        """A port may be told to wait from the beginning; else it is refused."""
        lab = self.lab
        self.assertFalse(self.up("late"))
        self.assertIn("interface-waits", self.engine.logged())
        self.host = lab.space("late")
        for _ in range(TIMES):
            lab.veth(self.host, "eth0", lab.edge, "late0")
            lab.host(self.host, "eth0", ["203.0.114.9/24"])
            until("it is there", lambda: self.up("late"))
            until("traffic", lambda: lab.ping("203.0.114.1", space=self.host, count=1) == 1)
            run("ip", "-n", self.host, "link", "del", "eth0")
            until("it is gone", lambda: not self.up("late"))
        document = self.document()
        document["edge"]["ports"].append({"name": "other", "device": "af_packet:none0", "netns": lab.edge})
        refused = self.engine.rest("PUT", "/v1/config", document)
        self.assertEqual((refused.status, refused.json()["errors"][0]["code"]), (422, "no-interface"))

    def killed(self):
        """The successor of one that was killed begins without what is not there, and the others go on."""
        self.lose_wan()
        self.engine.process.kill()
        until("it is dead", lambda: not self.engine.process.alive())
        self.engine.start()
        self.engine.ready()
        self.assertFalse(self.up("wan"))
        self.assertEqual(self.lab.ping("192.0.2.1"), 3)
        self.wan()
        self.traffic()

    def test_ground(self):
        self.engine = self.lab.engine("edge", self.document()).ready()
        self.assertEqual(self.lab.ping(self.lab.SERVER4), 3)
        self.wan_again()
        before = self.held()
        self.somebody_else()
        for part in (self.late, self.interfaces, self.down, self.tap, self.namespace, self.at_once):
            part()
        until("descriptors and threads are as many as before", lambda: self.held()[:2] == before[:2])
        after = self.held()
        self.assertLess(after[2] - before[2], 64, "packet buffers")
        if os.environ.get("SLUICE_SANITIZE") != "ON":  # a sanitizer keeps what was freed
            self.assertLess(after[3] - before[3], 6000, "kB of memory")
        for port in ("wan", "dmz", "lan"):
            self.assertTrue(self.events("link-down", port) and self.events("link-up", port), port)
        self.killed()
        self.engine.balance()


if __name__ == "__main__":
    unittest.main()
