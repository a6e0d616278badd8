#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""
A host that lacks something: full disks, hugepages, memory. Each is refused with the reason and the fix, the doctor finds it
beforehand, and nothing that runs is harmed. A disk is a small tmpfs in a mount namespace that only sluiced and what it starts see.
"""
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess

import mano
from mano import service, wait_for


class Disk(mano.Case):
    """`small` is the folder that has a file system of its own."""
    MOUNT = 'mkdir -p "$0" && mount -t tmpfs -o size=24m tmpfs "$0" && exec "$@"'

    def setUp(self):
        self.s = mano.Sluiced()
        self.addCleanup(self.s.close)

    def start(self, small):
        self.small = small
        self.s.prefix = ["unshare", "-m", "sh", "-c", self.MOUNT, small]
        self.s.start(ready=False)
        if small == self.s.run:
            self.s.socket = self.inside("sluiced.sock")
        wait_for(self.s.is_ready, what="sluiced is ready")

    def inside(self, name=""):
        return f"/proc/{self.s.process.pid}/root{self.small}/{name}"

    def fill(self):
        with open(self.inside("fill"), "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(64 << 10))
            except OSError:
                pass
            try:
                while True:
                    file.write(bytes(1))
            except OSError:
                pass

    def checked(self, name):
        return next(check for check in self.s.get("/v1/doctor").json["checks"] if check["name"] == name)

    def refused(self, option):
        body = self.assertErrors(self.s.apply(service("new")), 409, (None, "disk-full"))
        self.assertIn(self.small, body["errors"][0]["detail"])
        self.assertIn(option, body["errors"][0]["detail"])
        self.assertEqual(self.s.apply(service("new"), dryRun=True).json["errors"][0]["code"], "disk-full")
        self.assertStatus(self.s.get("/v1/services/new"), 404)

    def test_state(self):
        self.start(self.s.state)
        self.s.must_apply(service())
        self.fill()
        self.refused("--state-dir")
        check = self.checked("state-folder")
        self.assertFalse(check["ok"])
        self.assertIn("make room", check["fix"])
        victim = self.s.shown()["process"]["pid"]
        os.kill(victim, signal.SIGKILL)
        wait_for(lambda: self.s.events("vnf-healed", "edge"), what="healed although nothing can be written down")
        os.unlink(self.inside("fill"))
        self.s.must_apply(service("new"))
        self.assertEqual(sorted(self.s.pids().values()), ["edge", "new"])
        self.assertStatus(self.s.call("DELETE", "/v1/services/edge?wait=60"), 200)

    def test_deleting_on_a_full_disk(self):
        self.start(self.s.state)
        self.s.must_apply(service())
        self.fill()
        reply = self.s.call("DELETE", "/v1/services/edge?wait=60")
        if reply.status == 200:
            self.assertEqual(self.s.pids(), {})
        else:
            self.assertErrors(reply, 409, (None, "store-failed"))
            self.assertIn("full", reply.json["errors"][0]["detail"])
            self.assertEqual(self.s.shown()["state"], "ready")
            os.unlink(self.inside("fill"))
            self.assertStatus(self.s.call("DELETE", "/v1/services/edge?wait=60"), 200)

    def test_run(self):
        self.start(self.s.run)
        self.fill()
        self.refused("--run-dir")
        self.assertFalse(self.checked("run-folder")["ok"])
        os.unlink(self.inside("fill"))
        body = self.assertErrors(self.s.apply(service("new", engine={"sessions": 1 << 20})), 409, ("services[0]", "disk-full"))
        self.assertIn("--run-dir", body["errors"][0]["detail"])
        self.assertEqual(self.s.pids(), {})
        self.s.must_apply(service(engine={"sessions": 1024, "sessions6": 1024}))
        self.fill()
        os.kill(self.s.shown()["process"]["pid"], signal.SIGKILL)
        wait_for(lambda: self.s.events("vnf-healed", "edge"), what="healed although nothing can be written")

    def test_sluiced_does_not_start_without_room(self):
        os.mkdir(self.s.state)
        full = self.MOUNT.replace("size=24m", "size=16k").replace("exec", 'head -c 64k /dev/zero >"$0"/fill; exec')
        done = subprocess.run(["unshare", "-m", "sh", "-c", full, self.s.state, mano.SLUICED, "--run-dir", self.s.run,
                               "--state-dir", self.s.state, "--libexec", self.s.bin],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn(self.s.state, done.stderr)
        self.assertRegex(done.stderr, "full|No space")


class Kernel(mano.Case):
    """sluiced sees files of ours where the kernel's are: what it would ask of the kernel can be read, and harms nobody."""
    FILES = 'mount --bind "$0/nr" /proc/sys/vm/nr_hugepages && mount --bind "$0/meminfo" /proc/meminfo && exec "$@"'
    MEMINFO = "MemTotal: 8000000 kB\nMemAvailable: {free} kB\nHugePages_Total: 3\nHugePages_Free: {huge}\nHugepagesize: 2048 kB\n"

    def setUp(self):
        self.s = mano.Sluiced()
        self.addCleanup(self.s.close)
        self.write("nr", "3\n")

    def write(self, name, text):
        with open(os.path.join(self.s.folder, name), "w") as file:
            file.write(text)

    def start(self, free, huge=0):
        self.write("meminfo", self.MEMINFO.format(free=free, huge=huge))
        self.s.prefix = ["unshare", "-m", "sh", "-c", self.FILES, self.s.folder]
        self.s.start()

    def asked(self):
        with open(os.path.join(self.s.folder, "nr")) as file:
            return int(file.read())

    def fix(self, query=""):
        actions = self.assertStatus(self.s.call("POST", "/v1/doctor:fix" + query), 200)["actions"]
        return [action for action in actions if action["check"] == "hugepages"]

    def test_hugepages_are_asked_for(self):
        self.start(free=4000000)
        self.assertEqual(self.fix("?dryRun=1")[0]["action"], "sysctl vm.nr_hugepages=131, until the next boot")
        self.assertEqual(self.asked(), 3)
        action = self.fix()[0]
        self.assertEqual(self.asked(), 131)
        self.assertFalse(action["done"], "our file says that none are free")
        self.assertIn("no memory in one piece", action["detail"])

    def test_memory_is_not_taken_where_there_is_little(self):
        self.start(free=400000)
        self.assertEqual(self.fix()[0]["action"], "sysctl vm.nr_hugepages=51, until the next boot")

    def test_no_room_for_two_processes(self):
        """Then what runs ends before its successor begins, and that is said."""
        self.start(free=4000000)
        self.s.must_apply(service(engine={"hugepages": "never"}))
        said = lambda: [event["message"] for event in self.s.events("vnf-no-standby", "edge")]
        for free, times in ((100000, 1), (4000000, 1)):
            pid = self.s.shown()["process"]["pid"]
            self.write("meminfo", self.MEMINFO.format(free=free, huge=0))
            op = self.assertStatus(self.s.call("POST", "/v1/services/edge:restart?wait=60"), 200)
            self.assertEqual(op["state"], "COMPLETED", op)
            self.assertNotEqual(self.s.shown()["process"]["pid"], pid)
            self.assertEqual(len(said()), times)
        self.assertIn("too little memory is available", said()[0])

    def test_doctor_mends(self):
        """What the dead left goes, what lives or is not ours stays; a dry run only tells."""
        self.start(free=4000000, huge=3)
        self.s.must_apply(service(engine={"hugepages": "never"}))
        kept = {name: os.path.join(self.s.run, name) for name in ("edge", "something-else", "busy")}
        os.mkdir(kept["something-else"])
        os.makedirs(os.path.join(kept["busy"], "fw"))
        dead = [os.path.join(self.s.run, name) for name in ("gone", "old.sock")]
        os.makedirs(os.path.join(dead[0], "fw"))
        # In shared memory, of a process that is no more; a file, a folder, and one that somebody holds.
        ended = subprocess.Popen(["true"])
        ended.wait()
        elsewhere = f"/dev/shm/sluice-test{os.getpid()}"
        dead += [f"{elsewhere}-{ended.pid}", f"{elsewhere}x-{ended.pid}map_0"]
        os.mkdir(dead[2])
        held = open(f"{elsewhere}held-{ended.pid}", "w")
        self.addCleanup(os.unlink, held.name)
        self.addCleanup(held.close)
        fcntl.flock(held, fcntl.LOCK_EX)
        kept.update(held=held.name, alive=f"{elsewhere}-{os.getpid()}")
        os.mkdir(kept["alive"])
        self.addCleanup(os.rmdir, kept["alive"])
        for path in (os.path.join(dead[2], "sessions.0"), dead[3]):
            open(path, "w").close()
        for folder in (kept["busy"], dead[0]):
            with open(os.path.join(folder, "boot.json"), "w") as file:
                file.write("{}")
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(dead[1])
            stale.listen(1)
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(os.path.join(kept["busy"], "fw", "control.sock"))
            listening.listen(8)
            found = [check["detail"] for check in self.s.get("/v1/doctor").json["checks"] if check["name"] == "leftovers"]
            self.assertEqual(len([text for text in found if text.startswith(self.s.run)]), 4, found)
            self.assertEqual(len([text for text in found if text.startswith(elsewhere)]), 2, found)
            would = self.assertStatus(self.s.call("POST", "/v1/doctor:fix?dryRun=1"), 200)
            self.assertTrue(would["dryRun"])
            self.assertTrue(all(os.path.exists(path) for path in dead))
            done = self.assertStatus(self.s.call("POST", "/v1/doctor:fix"), 200)
            # Elsewhere there may be what other tests left this moment.
            ours = lambda action: action["check"] == "leftovers" and (self.s.run in action["action"] or elsewhere in action["action"])
            told = lambda answer: sorted(action["action"] for action in answer["actions"] if ours(action))
            self.assertEqual(told(done), sorted(f"remove {path}" for path in dead))
            self.assertEqual(told(would), told(done))
            self.assertTrue(all(action["done"] for action in done["actions"] if ours(action)), done)
        self.assertFalse(any(os.path.exists(path) for path in dead))
        self.assertTrue(all(os.path.exists(path) for path in kept.values()))
        self.assertEqual(self.s.shown()["state"], "ready")
        self.assertEqual(self.asked(), 3, "there are hugepages")


class Supply(mano.Case):
    def test_hugepages(self):
        with open("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages") as file:
            all_mb = 2 * int(file.read())
        greedy = service(engine={"hugepages": "always", "memory": all_mb + 64})
        errors = self.assertStatus(self.s.apply(greedy), 409)["errors"]
        found = next(error for error in errors if error["code"] == "no-hugepages")
        self.assertEqual(found["path"], "services[0].engine.hugepages")
        self.assertIn("vm.nr_hugepages=", found["detail"])
        self.assertEqual(self.s.pids(), {})

    def test_doctor_says_what_a_service_lacks_now(self):
        """An interface that goes away under a service is found before its next start fails."""
        name = f"sl{os.getpid()}h"
        subprocess.run(["ip", "netns", "add", name], check=True)
        self.addCleanup(lambda: subprocess.run(["ip", "netns", "del", name], capture_output=True))
        subprocess.run(["ip", "-n", name, "link", "add", "lan0", "type", "veth", "peer", "name", "peer0"], check=True)
        subprocess.run(["ip", "-n", name, "link", "set", "lan0", "up"], check=True)
        wants = service()
        wants["edge"]["netns"] = name
        wants["edge"]["ports"][0]["device"] = "af_packet:lan0"
        self.s.must_apply(wants)
        services = lambda: [check for check in self.s.get("/v1/doctor").json["checks"] if check["name"] == "service"]
        self.assertTrue(all(check["ok"] for check in services()))
        subprocess.run(["ip", "-n", name, "link", "del", "lan0"], check=True)
        wrong = [check for check in services() if not check["ok"]]
        self.assertEqual(len(wrong), 1)
        self.assertIn("lan0", wrong[0]["detail"])
        self.assertTrue(wrong[0]["fix"])
        self.assertFalse(self.s.get("/v1/doctor").json["ok"])

    def test_doctor_misses_executables(self):
        shutil.rmtree(self.s.bin)
        report = self.s.get("/v1/doctor").json
        self.assertFalse(report["ok"])
        check = next(check for check in report["checks"] if check["name"] == "executables")
        self.assertIn("--libexec", check["fix"])


class Taps(mano.Case):
    """TAPs that outlive their processes go with their services, and nobody else's do."""

    def setUp(self):
        super().setUp()
        self.net = f"sl{os.getpid()}t"
        subprocess.run(["ip", "netns", "add", self.net], check=True)
        self.addCleanup(subprocess.run, ["ip", "netns", "del", self.net], capture_output=True)
        for name, alias in (("plain", None), ("theirs", "sluice:/run/of-another-sluiced/edge"), ("named", "sluices"), ("queue0", f"sluice:{self.s.run}/edge")):
            self.make(name)
            if alias:
                subprocess.run(["ip", "-n", self.net, "link", "set", name, "alias", alias], check=True)
        subprocess.run(["ip", "-n", self.net, "link", "add", "queue1", "type", "veth"], check=True)
        subprocess.run(["ip", "-n", self.net, "link", "set", "queue1", "alias", f"sluice:{self.s.run}/edge"], check=True)

    def make(self, name):
        subprocess.run(["ip", "-n", self.net, "tuntap", "add", "mode", "tap", "name", name], check=True)

    def names(self):
        shown = subprocess.run(["ip", "-n", self.net, "-j", "link"], check=True, capture_output=True, text=True).stdout
        return {link["ifname"]: link.get("ifalias") for link in json.loads(shown)}

    def hold(self, name):
        """Somebody who has it open."""
        code = f"import fcntl, struct, sys\ntun = open('/dev/net/tun', 'r+b', 0)\nfcntl.ioctl(tun, 0x400454ca, struct.pack('16sH22x', b'{name}', 0x1002))\nprint('open', flush=True)\nsys.stdin.read()"
        child = subprocess.Popen(["ip", "netns", "exec", self.net, "python3", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(child.stdout.close)
        self.assertEqual(child.stdout.readline(), "open\n")
        return child

    def told(self):
        return [check["detail"] for check in self.s.get("/v1/doctor").json["checks"] if check["name"] == "leftovers" and self.net in check["detail"]]

    def applied(self):
        edge = service()
        edge["edge"]["netns"] = self.net
        for port, device in zip(edge["edge"]["ports"], ("tap:one?persist=1&queues=1", "tap:many?persist=1&queues=2")):
            port["device"] = device
        edge["edge"]["ports"].append({"name": "dmz", "device": "tap:plain?persist=1&queues=1", "addresses": ["203.0.113.1/24"]})
        self.s.must_apply(edge)

    def second_name(self):
        """Another name of the namespace, which no document knows."""
        path = f"/run/netns/{self.net}b"
        open(path, "x").close()
        self.addCleanup(subprocess.run, ["ip", "netns", "del", f"{self.net}b"], capture_output=True)
        subprocess.run(["mount", "--bind", f"/run/netns/{self.net}", path], check=True)

    def indices(self):
        shown = subprocess.run(["ip", "-n", self.net, "-j", "link"], check=True, capture_output=True, text=True).stdout
        return {link["ifname"]: link["ifindex"] for link in json.loads(shown) if link["ifname"] in ("one", "many")}

    def ended(self):
        self.s.kill()
        wait_for(self.s.all_ended, what="all processes have ended")

    def test_who_has_no_service_goes(self):
        whose = f"sluice:{self.s.run}/edge"
        self.applied()
        foreign = {"plain": None, "theirs": "sluice:/run/of-another-sluiced/edge", "named": "sluices", "queue1": whose}
        held = {name: alias for name, alias in self.names().items() if name not in ("lo", "veth0")}
        self.assertEqual(held, {"one": whose, "many": whose, "queue0": whose, **foreign})
        self.assertEqual(self.told(), [], "a process runs where queue0 was made for")
        self.second_name()
        other = service("other")
        other["edge"]["ports"][0].update(device="tap:one?persist=1&queues=1", netns=f"{self.net}b")
        self.assertErrors(self.s.apply(other), 409, ("services[0].edge.ports[0].device", "device-taken"))
        self.ended()
        made = self.indices()
        self.s.start()  # the service has them, dead or alive
        wait_for(lambda: self.s.shown()["state"] == "ready", what="it runs again")
        self.assertEqual(self.indices(), made)
        self.ended()
        shutil.rmtree(self.s.state)  # nobody remembers any service
        holder = self.hold("one")
        self.s.start()
        self.assertEqual({name for name in self.names() if name not in ("lo", "veth0")}, {"one", *foreign})
        self.assertEqual(self.told(), [])
        holder.communicate("")
        self.assertEqual(len(self.told()), 1, "a namespace of two names is looked at once")
        subprocess.run(["ip", "netns", "del", f"{self.net}b"], check=True)
        self.assertEqual(self.told(), [f"TAP one in network namespace {self.net} was made for {self.s.run}/edge, and nobody has it any more"])
        fixes = lambda query: [action for action in self.assertStatus(self.s.call("POST", f"/v1/doctor:fix{query}"), 200)["actions"] if self.net in action["action"]]
        self.assertEqual([action["action"] for action in fixes("?dryRun=1")], [f"remove TAP one in network namespace {self.net}"])
        self.assertIn("one", self.names())
        self.assertEqual([action["done"] for action in fixes("")], [True])
        self.assertEqual({name for name in self.names() if name not in ("lo", "veth0")}, set(foreign))
        self.assertEqual(self.told(), [])


mano.main()
