#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""
Upgrades: processes of a service from another build. With the double, whose builds fail in every way; and with the real executables
under traffic, copied to another folder: connections through firewall and NAT go on with the same address and port.
"""
import json
import os
import shutil
import stat
import threading

import mano
import net
from mano import service, wait_for


def executable(pid):
    return os.readlink(f"/proc/{pid}/exe")


class Builds(mano.Case):
    double = True
    options = ("--ready-timeout", "5")

    def setUp(self):
        super().setUp()
        self.s.must_apply(service(placement="process"))

    def build(self, name, kinds=("chain", "firewall"), **told):
        """A folder of executables that do as told."""
        folder = os.path.join(self.s.folder, name)
        os.mkdir(folder, 0o755)
        for kind in kinds:
            path = os.path.join(folder, f"sluice-{kind}")
            with open(path, "w") as file:
                file.write(f"#!/bin/sh\nDOUBLE_TOLD='{json.dumps({'version': name, **told})}' exec {mano.HERE}/double.py \"$@\"\n")
            os.chmod(path, 0o755)
        return folder

    def upgrade(self, body=None, of="/v1/services/edge", query="?wait=60"):
        return self.s.call("POST", f"{of}:upgrade{query}", body)

    def upgraded(self, *arguments):
        op = self.assertStatus(self.upgrade(*arguments), 200)
        self.assertEqual((op["kind"], op["state"]), ("upgrade", "COMPLETED"), op)
        return op

    def versions(self):
        return self.s.shown()["process"].get("version"), self.s.vnf().get("version")

    def test_all_processes_of_a_service(self):
        self.assertEqual(self.versions(), ("1", "1"))
        self.upgraded({"libexec": self.build("second")})
        self.assertEqual(self.versions(), ("second", "second"))
        self.assertEqual(self.s.vnf()["program"], os.path.join(self.s.folder, "second", "sluice-firewall"))
        self.assertEqual(self.upgraded({"libexec": os.path.join(self.s.folder, "second")})["message"], "nothing to change")
        self.s.must_apply(service(placement="process", unmatched="route"))
        self.assertEqual(self.versions(), ("second", "second"))

    def test_one_process(self):
        folder = self.build("second")
        self.upgraded({"libexec": folder}, "/v1/services/edge/vnfs/fw")
        self.assertEqual(self.versions(), ("1", "second"))
        self.upgraded({"program": f"{folder}/sluice-chain"})
        self.assertEqual(self.versions(), ("second", "second"))
        self.upgraded({}, "/v1/services/edge/vnfs/fw")
        self.assertEqual(self.versions(), ("second", "1"))
        self.upgraded({})
        self.assertEqual(self.versions(), ("1", "1"))

    def test_a_build_is_remembered(self):
        self.upgraded({"libexec": self.build("second")})
        pids = self.s.pids()
        self.s.kill()
        self.s.start()
        wait_for(lambda: self.versions() == ("second", "second"), what="adopted")
        self.assertEqual(self.s.pids(), pids, self.s.log())
        os.kill(self.s.vnf()["pid"], 9)
        wait_for(lambda: self.s.vnf()["restarts"] == 2 and self.s.vnf()["state"] == "ready", what="healed")
        self.assertEqual(self.versions(), ("second", "second"))
        self.assertStatus(self.s.call("DELETE", "/v1/services/edge?wait=30"), 200)
        self.s.must_apply(service(placement="process"))
        self.assertEqual(self.versions(), ("1", "1"))

    def falls_back(self, code, **told):
        """The build is given up by itself, and what ran before runs on."""
        folder = self.build("bad", **told)
        op = self.assertStatus(self.upgrade({"libexec": folder}), 200)
        self.assertEqual(op["state"], "ROLLED_BACK", op)
        self.assertIn(code, [error["code"] for error in op["errors"]], op)
        wait_for(lambda: self.versions() == ("1", "1") and self.s.shown()["state"] == "ready", what="the former build is back")
        self.assertEqual(sorted(self.s.pids().values()), ["edge", "edge/fw"])
        self.s.kill()
        self.s.start()
        wait_for(lambda: self.s.shown()["state"] == "ready", what="adopted")
        self.assertEqual(self.versions(), ("1", "1"))

    def stays(self, code, query="?wait=60", **told):
        """What runs is never disturbed by a build that does not get so far."""
        pids = self.s.pids()
        op = self.assertStatus(self.upgrade({"libexec": self.build("bad", **told)}, query=query), 200)
        self.assertEqual((op["state"], op["errors"][0]["code"]), ("ROLLED_BACK", code), op)
        wait_for(lambda: self.s.pids() == pids, what="nothing of it is left")
        shown = self.s.shown()
        self.assertEqual((shown["state"], self.versions()), ("ready", ("1", "1")))
        self.assertEqual([process.get("error") for process in (shown["process"], *shown["vnfs"])], [None, None], "the operation tells, not what runs")

    def test_build_that_dies(self):
        self.stays("cannot-start", crash=True)

    def test_build_of_another_api(self):
        self.stays("wrong-version", api="v9")

    def test_build_that_does_not_come_up(self):
        self.stays("not-ready", "?wait=60&timeout=2", standbyNever=True)

    def test_build_that_dies_as_it_begins(self):
        """Before or after the other has left: it is started anew, as after any crash, or what ran before is."""
        for name in ("standbyCrash", "takeCrash"):
            op = self.assertStatus(self.upgrade({"libexec": self.build(name, **{name: True})}), 200)
            wanted = {"COMPLETED": name, "ROLLED_BACK": "1"}[op["state"]]
            wait_for(lambda: self.s.shown()["state"] == "ready" and self.versions() == (wanted, wanted), what=f"all is back ({op})")
            self.assertEqual(sorted(self.s.pids().values()), ["edge", "edge/fw"])
            self.upgraded({})

    def standing_by(self):
        """What runs, and what comes up beside it, by names."""
        before = self.s.pids()
        self.assertStatus(self.upgrade({"libexec": self.build("slow", standbyNever=True)}, "/v1/services/edge/vnfs/fw", "?timeout=8"), 202)
        wait_for(lambda: len(self.s.pids()) == 3, what="one stands by")
        return before, next(iter(set(self.s.pids()) - set(before)))

    def test_killed_while_it_stands_by(self):
        """Whoever is killed, one process is left."""
        before, standby = self.standing_by()
        os.kill(standby, 9)
        op = self.s.get(f"/v1/ops/{self.s.get('/v1/ops').json[-1]['id']}?wait=30").json
        self.assertEqual((op["state"], self.s.pids()), ("ROLLED_BACK", before), op)
        shutil.rmtree(os.path.join(self.s.folder, "slow"))
        before, standby = self.standing_by()
        self.s.kill()
        wait_for(lambda: self.s.pids() == before, what="it goes with sluiced")
        self.s.start()
        wait_for(lambda: len(self.s.pids()) == 3, what="the operation is carried on")
        old = self.s.vnf()["pid"]
        os.kill(old, 9)
        op = self.s.get(f"/v1/ops/{self.s.get('/v1/ops').json[-1]['id']}?wait=60").json
        self.assertEqual(op["state"], "ROLLED_BACK", op)
        wait_for(lambda: self.s.shown()["state"] == "ready" and self.versions() == ("1", "1"), what="the former build is back")
        self.assertEqual(sorted(self.s.pids().values()), ["edge", "edge/fw"])

    def test_build_that_dies_a_second_later(self):
        self.falls_back("not-healthy", crashAfter=1000)

    def test_build_that_is_never_ready(self):
        self.falls_back("not-ready", never=True)

    def test_build_that_says_nothing(self):
        self.falls_back("not-ready", mute=True)

    def test_build_that_cannot_be_executed(self):
        folder = self.build("bad")
        for kind in ("chain", "firewall"):
            path = f"{folder}/sluice-{kind}"
            with open(path, "w") as file:
                file.write("#!/bin/sh\ncase \"$*\" in *--check*) exit 0;; esac\nexec /nonexistent\n")
        op = self.assertStatus(self.upgrade({"libexec": folder}), 200)
        self.assertEqual(op["state"], "ROLLED_BACK", op)
        wait_for(lambda: self.versions() == ("1", "1"), what="back")

    def test_what_is_refused_before_anything_changes(self):
        pids, folder = self.s.pids(), self.build("second")
        refused = lambda body, code: self.assertEqual({error["code"] for error in self.assertStatus(self.upgrade(body), 422)["errors"]}, {code})
        refused({"libexec": "/nonexistent"}, "no-such-build")
        refused({"libexec": "relative"}, "no-such-build")
        refused({"program": folder}, "no-such-build")
        refused({"libexec": self.build("picky", invalid=True)}, "double-invalid")
        os.chmod(f"{folder}/sluice-chain", 0o777)
        refused({"libexec": folder}, "unsafe-build")
        os.chmod(f"{folder}/sluice-chain", 0o644)
        refused({"libexec": folder}, "no-such-build")
        self.assertStatus(self.upgrade({"program": 1}), 422)
        self.assertStatus(self.upgrade({}, "/v1/services/nobody"), 404)
        self.assertStatus(self.upgrade({}, "/v1/services/edge/vnfs/nobody"), 404)
        self.assertStatus(self.upgrade({}, query="?timeout=0"), 400)
        self.assertEqual(self.s.pids(), pids)
        self.assertEqual(self.versions(), ("1", "1"))

    def test_sluiced_is_killed_in_it(self):
        """At any moment: all processes are of the one build or the other, once, and the operation is closed."""
        second, bad = self.build("second"), self.build("bad", never=True)
        for i in range(12):
            folder, wanted = ((second, "second"), (bad, None), (None, "1"))[i % 3]
            before = self.versions()
            killer = threading.Timer(0.06 + i * (0.33 if wanted else 0.53), self.s.process.kill)
            killer.start()
            try:
                self.upgrade({"libexec": folder} if folder else {}, query="?wait=0&timeout=2")
            except (OSError, mano.http.client.HTTPException):
                pass
            killer.join()
            self.s.process.wait()
            self.s.start()
            ops = [self.s.get(f"/v1/ops/{op['id']}?wait=60").json for op in self.s.get("/v1/ops").json[-1:]]
            self.assertIn(ops[0]["state"], ("COMPLETED", "ROLLED_BACK"), ops)
            wanted = wanted if ops[0]["kind"] == "upgrade" and ops[0]["state"] == "COMPLETED" else before[0]
            wait_for(lambda: self.versions() == (wanted, wanted), what=f"{wanted} runs ({i}, {ops}, {self.versions()})")
            self.assertEqual(sorted(self.s.pids().values()), ["edge", "edge/fw"])


class Traffic(mano.Case):
    """Another copy of the real build."""

    def setUp(self):
        super().setUp()
        self.net = net.Net()
        self.addCleanup(self.net.close)
        self.net.echo("198.51.100.254", 8000)
        self.second = os.path.join(self.s.folder, "second")
        os.mkdir(self.second, 0o755)
        for program in mano.PROGRAMS:
            shutil.copy(program, self.second)
            os.chmod(os.path.join(self.second, os.path.basename(program)), stat.S_IRWXU | stat.S_IXOTH)

    def through(self, placement):
        self.s.must_apply(net.service(self.net, placement))
        wait_for(self.connects, what="it flows")
        talk = net.Talk(self.net, "198.51.100.254", 8000)
        first = talk.say("before")
        self.assertRegex(first, r"^198\.51\.100\.10:\d+$")
        for body, folder in (({"libexec": self.second}, self.second), ({}, None)):
            op = self.assertStatus(self.s.call("POST", "/v1/services/edge:upgrade?wait=90", body), 200)
            self.assertEqual(op["state"], "COMPLETED", op)
            for pid in self.s.pids():
                self.assertEqual(os.path.dirname(executable(pid)) == folder, folder is not None, executable(pid))
            self.assertEqual(talk.say("after"), first, "the connection goes on, as the server sees it")
        for kind in ("chain", "firewall", "nat"):
            with open(f"{self.second}/sluice-{kind}", "wb") as file:
                file.write(b"#!/bin/sh\ncase \"$*\" in *--check*) exit 0;; esac\nexit 3\n")
        op = self.assertStatus(self.s.call("POST", "/v1/services/edge:upgrade?wait=90", {"libexec": self.second}), 200)
        self.assertEqual(op["state"], "ROLLED_BACK", op)
        self.assertEqual(talk.say("back"), first, "also after a build that fails")

    def connects(self):
        try:
            return net.Talk(self.net, "198.51.100.254", 8000).say("x")
        except BrokenPipeError:  # it was refused before we spoke
            return None

    def test_replaced_in_place(self):
        """As a package does it: what is installed is another file now, under the same path."""
        for name in os.listdir(self.s.bin):
            os.unlink(os.path.join(self.s.bin, name))
            shutil.copy(os.path.join(self.second, name), self.s.bin)
        self.s.must_apply(net.service(self.net, "fused"))
        wait_for(self.connects, what="it flows")
        talk = net.Talk(self.net, "198.51.100.254", 8000)
        first, pid = talk.say("before"), self.s.shown()["process"]["pid"]
        builds = lambda: [check["ok"] for check in self.s.get("/v1/doctor").json["checks"] if check["name"] == "builds"]
        self.assertEqual(builds(), [True])
        upgrade = lambda: self.assertStatus(self.s.call("POST", "/v1/services/edge:upgrade?wait=90", {}), 200)
        self.assertEqual(upgrade()["message"], "nothing to change")
        shutil.copy(os.path.join(self.second, "sluice-chain"), os.path.join(self.s.bin, "new"))
        os.rename(os.path.join(self.s.bin, "new"), os.path.join(self.s.bin, "sluice-chain"))
        self.assertEqual(builds(), [False])
        self.assertEqual((upgrade()["kind"], self.s.shown()["process"]["restarts"]), ("restart", 1))
        self.assertNotEqual(self.s.shown()["process"]["pid"], pid)
        self.assertEqual(builds(), [True])
        self.assertEqual(talk.say("after"), first)

    def test_fused(self):
        self.through("fused")

    def test_process(self):
        self.through("process")


mano.main()
