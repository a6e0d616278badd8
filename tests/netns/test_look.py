# SPDX-License-Identifier: BSD-3-Clause
"""What a process tells of itself under traffic: sampled times, busy shares, metrics."""
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios
import unittest

from lab import SOURCE, Line, program, rest, run, until

FIREWALL = {"zones": [{"name": "inside", "ports": ["lan"]}], "rules": [{"name": "out", "from": "inside", "action": "accept"}]}
NAT = {"pools": [{"name": "p", "addresses": ["198.51.100.10-198.51.100.13"]}]}
FUNCTIONS = [{"name": "fw", "kind": "firewall", "config": FIREWALL}, {"name": "nat", "kind": "nat", "config": NAT}]


def promtool(text):
    done = subprocess.run(["promtool", "check", "metrics"], input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


def parse(text):
    """{name: {frozenset of labels: value}} of a Prometheus text; label values here hold no commas."""
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        where, value = line.rsplit(" ", 1)
        name, _, labels = where.partition("{")
        pairs = frozenset(labels.rstrip("}").split(",")) if labels else frozenset()
        found.setdefault(name, {})[pairs] = float(value)
    return found


def families(text):
    """{name: (type, unit, labels, meaning)} of an OpenMetrics text."""
    found, labels = {}, {}
    for line in text.splitlines():
        words = line.split(" ", 3)
        if words[0] == "#" and words[1] in ("HELP", "TYPE", "UNIT"):
            found.setdefault(words[2], {})[words[1]] = words[3]
        elif words[0] != "#" and "{" in line:
            name = line.split("{")[0]
            for family in (name, name.rpartition("_")[0]):
                labels.setdefault(family, set()).update(re.findall(r'(?:\{|,)([a-z]+)="', line))
    return {name: (f["TYPE"], f.get("UNIT", ""), " ".join(sorted(labels.get(name, set()) - {"le"})), f["HELP"]) for name, f in found.items()}


def documented(heading):
    """The same of a section's table in docs/METRICS.md."""
    with open(os.path.join(SOURCE, "docs", "METRICS.md")) as file:
        section = next(s for s in file.read().split("\n## ") if s.startswith(heading))
    rows = [[c.strip().strip("`") for c in line.strip("| ").split(" | ")] for line in section.splitlines() if line.startswith("| `")]
    return {row[0]: tuple("" if c == "-" else c for c in row[1:]) for row in rows}


class Look(unittest.TestCase):
    def setUp(self):
        self.lab = Line()
        self.addCleanup(self.lab.close)

    def start(self, **engine):
        self.engine = self.lab.engine("edge", self.lab.document(FUNCTIONS, **engine)).ready()
        until("traffic flows", lambda: self.lab.ping(self.lab.SERVER4, count=1))

    def flood(self, count=3000):
        run("ip", "netns", "exec", self.lab.client, "ping", "-q", "-n", "-f", "-c", count, self.lab.SERVER4)

    def metrics(self):
        reply = self.engine.rest("GET", "/metrics")
        self.assertEqual(reply.status, 200)
        return reply.body

    def check_sample(self, shown, packets):
        latency = shown["latency"]
        self.assertEqual(sum(latency["counts"]), shown["sampledPackets"])
        self.assertEqual(len(latency["counts"]), len(latency["boundsNs"]) + 1)
        self.assertEqual(latency["boundsNs"], sorted(latency["boundsNs"]))
        self.assertGreater(shown["sampledPackets"], 0)
        self.assertLess(shown["sampledPackets"], packets, "a sample, not every packet")
        self.assertLessEqual(latency["p50Ns"], latency["p99Ns"])
        self.assertGreater(latency["p50Ns"], 0)

    def test_times_of_functions_and_paths(self):
        self.start(workers=2)
        self.flood()
        for name in ("fw", "nat"):
            shown = self.engine.get("/v1/vnfs/" + name)
            self.check_sample(shown, sum(shown["packets"]))
            self.assertGreater(shown["cyclesPerPacket"], 1)
        path = self.engine.get("/v1/state/paths")[0]
        self.check_sample(path, 6000)
        self.assertGreater(path["cyclesPerPacket"], sum(self.engine.get("/v1/vnfs/" + n)["cyclesPerPacket"] for n in ("fw", "nat")) / 4,
                           "a path takes longer than its functions")

    def test_a_new_function_begins_at_nothing(self):
        self.start()
        self.flood()
        document = self.engine.get("/v1/config")
        path = document["paths"][0]["path"]
        document["functions"] = [f for f in document["functions"] if f["name"] != "fw"]
        document["paths"][0]["path"] = [p for p in path if p != "fw"]
        self.assertEqual(self.engine.rest("PUT", "/v1/config", document).status, 200)
        document["functions"].append(FUNCTIONS[0])
        document["paths"] = [{"name": "other", "path": path}]
        self.assertEqual(self.engine.rest("PUT", "/v1/config", document).status, 200)
        self.assertEqual(self.engine.get("/v1/vnfs/fw")["sampledPackets"], 0)
        self.assertEqual(self.engine.get("/v1/state/paths")[0]["sampledPackets"], 0)
        self.assertEqual(self.engine.get("/v1/vnfs/fw")["cyclesPerPacket"], 0)

    def test_busy_is_not_spinning(self):
        self.start(idle="poll")
        share = lambda: self.engine.get("/v1/state/workers")[0]["busyNow"]
        until("a worker that only polls is not busy", lambda: share() < 0.1, 30)
        flood = subprocess.Popen(["ip", "netns", "exec", self.lab.client, "ping", "-q", "-n", "-f", "-w", "60", self.lab.SERVER4], stdout=subprocess.DEVNULL)
        try:
            until("traffic makes it busy", lambda: share() > 0.02, 30)
        finally:
            flood.terminate()
            flood.wait()
        until("and its end idle again", lambda: share() < 0.01, 30)

    def test_metrics(self):
        self.start(workers=2)
        self.assertEqual(promtool(self.metrics()), (0, ""), "before there was any traffic to speak of")
        self.flood()
        text = self.metrics()
        self.assertEqual(promtool(text), (0, ""))
        found = parse(text)
        for label, value, family in (("function", "fw", "sluice_function_latency_seconds"), ("path", "all", "sluice_path_latency_seconds")):
            one = f'{label}="{value}"'
            buckets = [v for labels, v in found[family + "_bucket"].items() if one in labels]
            self.assertGreater(len(buckets), 5)
            self.assertEqual(buckets, sorted(buckets), "cumulative, in order")
            count = found[family + "_count"][frozenset({one})]
            self.assertEqual(found[family + "_bucket"][frozenset({one, 'le="+Inf"'})], count)
            self.assertGreater(count, 0)
            self.assertGreater(found[family + "_sum"][frozenset({one})], 0)
        self.assertGreater(found["sluice_function_cycles_per_packet"][frozenset({'function="nat"'})], 0)
        open_text = self.engine.rest("GET", "/metrics", headers={"Accept": "application/openmetrics-text"}).body
        self.assertTrue(open_text.endswith("# EOF\n"))
        self.assertIn("# UNIT sluice_path_latency_seconds seconds", open_text)

    def test_metrics_add_up(self):
        """The balance, out of metrics alone; and what other resources say is the same."""
        self.start(workers=2)
        self.flood()
        self.lab.ping("192.0.2.1", count=3)
        run("ip", "netns", "exec", self.lab.client, "bash", "-c", f"echo >/dev/udp/{self.lab.SERVER4}/7")
        run("ip", "netns", "exec", self.lab.server, "ping", "-c1", "-W1", "198.51.100.10", check=False)  # the NAT knows no such mapping

        def adds_up():
            found = parse(self.metrics())
            total = lambda name: sum(found[f"sluice_{name}"].values())
            ways_in = total("received_packets_total") + total("originated_packets_total")
            ways_out = total("sent_packets_total") + total("delivered_packets_total") + total("dropped_packets_total") + total("queue_packets")
            return found if ways_in == ways_out else None

        resources = lambda: ({f["name"]: f["packets"] for f in self.engine.get("/v1/vnfs")},
                             {p["name"]: p["receivedBytes"] for p in self.engine.get("/v1/state/ports")})
        before = resources()
        found = until("they add up", adds_up)
        after = resources()
        by = {dict(p.split("=") for p in labels)["by"].strip('"') for labels, value in found["sluice_dropped_packets_total"].items() if value}
        self.assertIn("nat", by)
        self.assertEqual(sum(found["sluice_sessions_opened_total"].values()),
                         sum(found["sluice_sessions"].values()) + sum(found["sluice_sessions_ended_total"].values()))
        for name in ("fw", "nat"):
            for i, walk in enumerate(("along", "against")):
                counted = found["sluice_function_packets_total"][frozenset({f'function="{name}"', f'walk="{walk}"'})]
                self.assertTrue(before[0][name][i] <= counted <= after[0][name][i], (name, before, counted, after))
        for port in ("lan", "wan"):  # the kernels on both sides say something now and then
            counted = found["sluice_port_received_bytes_total"][frozenset({f'port="{port}"'})]
            self.assertTrue(before[1][port] <= counted <= after[1][port], (port, before, counted, after))

    def test_levels(self):
        self.start()
        self.lab.web()
        worker = lambda: self.engine.get("/v1/state/workers")[0]
        state = lambda name: worker()["sessionsByState"][name]
        client = subprocess.Popen(["ip", "netns", "exec", self.lab.client, "python3", "-c",
                                   f"import socket, sys; s = socket.create_connection(('{self.lab.SERVER4}', 8000)); sys.stdin.read()"], stdin=subprocess.PIPE)
        self.addCleanup(client.kill)
        until("a session is established", lambda: state("tcp-established") == 1)
        client.communicate()
        until("it closes", lambda: (state("tcp-established"), state("tcp-closing")) == (0, 1))
        run("ip", "netns", "exec", self.lab.client, "bash", "-c", f"echo >/dev/udp/{self.lab.SERVER4}/7", check=False)
        until("a half-open one", lambda: state("udp-opening") == 1)
        self.assertEqual(worker()["halfOpen"], 1)
        self.assertEqual(sum(worker()["sessionsByState"].values()), worker()["sessions"])
        lost = subprocess.Popen(["ip", "netns", "exec", self.lab.client, "ping", "-q", "-i", "0.2", "-w", "30", "198.51.100.77"], stdout=subprocess.DEVNULL)
        try:
            until("packets wait for a neighbour", lambda: worker()["queues"]["neighbours"] > 0)
        finally:
            lost.terminate()
            lost.wait()
        memory = self.engine.get("/v1/state/memory")
        for level in (memory["packetBuffers"], memory["heapBytes"], memory["sessions"]["ipv4"]):
            self.assertGreater(level["used"], 0)
            self.assertLess(level["used"], level["size"])
        self.assertEqual(memory["sessions"]["ipv4"]["used"] + memory["sessions"]["ipv6"]["used"], worker()["sessions"])
        with open(f"/proc/{self.engine.process.pid}/status") as file:
            resident = next(int(line.split()[1]) << 10 for line in file if line.startswith("VmRSS"))
        self.assertLess(abs(memory["process"]["residentBytes"] - resident), resident / 4)
        self.assertEqual(memory["process"]["pid"], self.engine.process.pid)
        self.assertEqual(memory["process"]["threads"], len(os.listdir(f"/proc/{self.engine.process.pid}/task")))


class Service(unittest.TestCase):
    """`sluice top` of a service whose second function stands behind a hop."""

    def setUp(self):
        self.lab = Line()
        self.addCleanup(self.lab.close)
        self.socket = self.lab.sluiced()
        self.addCleanup(lambda: rest(self.socket, "DELETE", "/v1/services/edge?wait=30", timeout=60))
        ports = [{k: v for k, v in p.items() if k != "netns"} for p in self.lab.ports()]
        vnfs = [dict(FUNCTIONS[0]), dict(FUNCTIONS[1], placement="process")]
        service = {"name": "edge", "edge": {"netns": self.lab.edge, "ports": ports}, "vnfs": vnfs,
                   "chains": [{"name": "all", "path": ["lan", "fw", "nat", "wan"]}]}
        reply = rest(self.socket, "POST", "/v1/apply?wait=60", {"resources": {"services": [service]}}, timeout=90)
        self.assertEqual(reply.json().get("state"), "COMPLETED", reply.body)
        until("traffic flows", lambda: self.lab.ping(self.lab.SERVER4, count=1))

    def sluice(self, *words):
        return run(program("sluice"), "--server", "unix:" + self.socket, *words)

    def top(self):
        return json.loads(self.sluice("-o", "json", "top", "--once").stdout)

    def counted(self, vnf=""):
        """Packets that the function counted, by the metrics of its process."""
        found = parse(rest(self.socket, "GET", "/v1/services/edge/metrics" + (f"?vnf={vnf}" if vnf else "")).body)
        return sum(v for labels, v in found["sluice_function_packets_total"].items() if f'function="{vnf or "fw"}"' in labels)

    def test_top(self):
        quiet = self.top()
        self.assertEqual([f["name"] for f in quiet["functions"]], ["edge/fw", "edge/nat"])
        self.assertEqual([c["chain"] for c in quiet["chains"]], ["edge/all", "edge/nat/all"])
        self.assertEqual([w["worker"] for w in quiet["workers"]], ["edge/0", "edge/nat/0"])
        self.assertTrue({"edge/lan", "edge/wan"} <= {p["port"] for p in quiet["ports"]})
        flood = subprocess.Popen(["ip", "netns", "exec", self.lab.client, "ping", "-q", "-n", "-f", "-w", "60", self.lab.SERVER4], stdout=subprocess.DEVNULL)
        try:
            until("it is under way", lambda: self.top()["functions"][0]["packets/s"] > 100)
            before = {name: self.counted(name) for name in ("", "nat")}
            busy = self.top()
            after = {name: self.counted(name) for name in ("", "nat")}
            table = self.sluice("top", "--once").stdout
        finally:
            flood.terminate()
            flood.wait()
        fw, nat = busy["functions"]
        for row, name in ((fw, ""), (nat, "nat")):
            self.assertGreater(row["packets/s"], 100)
            self.assertLessEqual(row["packets/s"], after[name] - before[name], "more than a second lay between")
            self.assertGreater(row["cycles/packet"], 1)
            self.assertLessEqual(row["p50 us"], row["p99 us"])
        self.assertTrue(all(c["p50 us"] > 0 for c in busy["chains"]))
        self.assertTrue(all(c["tcp again/s"] == 0 and len(c["tcp rtt us"]) == 2 for c in busy["chains"]))
        self.assertTrue(all(0 < w["busy %"] <= 100 for w in busy["workers"]))
        lan = next(p for p in busy["ports"] if p["port"] == "edge/lan")
        self.assertGreater(lan["in bits/s"], 8 * 64 * lan["in packets/s"])
        self.assertEqual(promtool(rest(self.socket, "GET", "/metrics").body), (0, ""))
        self.assertEqual(promtool(rest(self.socket, "GET", "/v1/services/edge/metrics").body), (0, ""))
        self.assertEqual(promtool(rest(self.socket, "GET", "/v1/services/edge/metrics?vnf=nat").body), (0, ""))
        for word in ("NAME", "CHAIN", "WORKER", "PORT", "edge/nat/all", "BUSY %"):
            self.assertIn(word, table)

    def page(self, lines, columns):
        """What `sluice top` writes on a terminal of that size, once."""
        main, other = pty.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        child = subprocess.Popen([program("sluice"), "--server", "unix:" + self.socket, "top"], stdout=other, stderr=subprocess.DEVNULL)
        os.close(other)
        said = b""
        while b"\033[?7h" not in said:
            said += os.read(main, 65536)
        child.kill()
        child.wait()
        os.close(main)
        return said.split(b"\033[?7l")[1].split(b"\033[?7h")[0].decode().split("\r\n")

    def test_small_terminals(self):
        whole = self.page(200, 200)
        self.assertEqual(sum(line.startswith("edge/") for line in whole), 12, whole)
        for lines in (1, 5, 12):
            page = self.page(lines, 20)
            self.assertLessEqual(len(page), lines, page)
            self.assertRegex(page[-1], r"and \d+ more")
        self.assertTrue(page[0].startswith("NAME"), "what comes first is what stays")

    def openmetrics(self, url):
        return families(rest(self.socket, "GET", url, headers={"Accept": "application/openmetrics-text"}).body)

    def test_metrics_are_documented(self):
        """docs/METRICS.md names each family that there is, with its type, unit, labels and meaning, and no other."""
        self.maxDiff = None
        self.lab.ping(self.lab.SERVER4)
        service, nat = (self.openmetrics("/v1/services/edge/metrics" + vnf) for vnf in ("", "?vnf=nat"))
        self.assertEqual(documented("Of every process"), {**nat, **service})
        self.assertEqual(documented("Of sluiced"), self.openmetrics("/metrics"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
