#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The life of services with the real executables: applied, healed, adopted, changed, deleted."""
import os
import shutil
import signal
import sqlite3
import time

import mano
from mano import alive, service, wait_for


class Life(mano.Case):
    def test_fused_service_runs_and_goes(self):
        op = self.s.must_apply(service())
        self.assertEqual(op["kind"], "apply")
        shown = self.s.shown()
        self.assertEqual((shown["state"], shown["revision"], shown["placement"]), ("ready", 1, "fused"))
        self.assertEqual(shown["descriptor"], service())
        self.assertTrue(alive(shown["process"]["pid"]))
        self.assertEqual(self.s.pids(), {shown["process"]["pid"]: "edge"})
        vnf = self.s.vnf()
        self.assertEqual((vnf["state"], vnf["health"], vnf["process"]), ("ready", "healthy", "edge"))
        reply = self.s.call("DELETE", "/v1/services/edge?wait=60")
        self.assertEqual(self.assertStatus(reply, 200)["state"], "COMPLETED")
        self.assertFalse(alive(shown["process"]["pid"]))
        self.assertFalse(os.path.exists(os.path.join(self.s.run, "edge")))
        self.assertStatus(self.s.get("/v1/services/edge"), 404)
        self.assertEqual(self.s.get("/v1/services").json, [])

    def test_process_placement(self):
        self.s.must_apply(service(placement="process"))
        vnf = self.s.vnf()
        self.assertEqual((vnf["state"], vnf["process"], vnf["placement"]), ("ready", "edge/fw", "process"))
        self.assertEqual(sorted(self.s.pids().values()), ["edge", "edge/fw"])
        cores = vnf["cores"] + self.s.shown()["process"]["cores"]
        if len(os.sched_getaffinity(0)) > 2:
            self.assertEqual(len(cores), len(set(cores)), "workers have cores of their own")
        self.assertEqual(self.s.get("/v1/services/edge/state/hops").status, 200)

    def test_many_start_side_by_side(self):
        names = [f"s{i}" for i in range(6)]
        self.s.must_apply(*[service(name) for name in names])
        self.assertEqual([one["state"] for one in self.s.get("/v1/services").json], ["ready"] * 6)
        first_ready = self.s.events("vnf-ready")[0]["id"]
        before = [event for event in self.s.events("vnf-started") if event["id"] < first_ready]
        self.assertGreaterEqual(len(before), 3, "one after the other")
        self.assertTrue(any(self.s.events("cores-shared")) or len(os.sched_getaffinity(0)) > 6)

    def test_killed_process_comes_back(self):
        self.s.must_apply(service())
        before = self.s.shown()["process"]["pid"]
        os.kill(before, signal.SIGKILL)
        wait_for(lambda: self.s.events("vnf-healed"), what="healed")
        shown = self.s.shown()["process"]
        self.assertNotEqual(shown["pid"], before)
        self.assertEqual(shown["restarts"], 1)
        exited = self.s.events("vnf-exited")[0]
        self.assertEqual(exited["details"]["signal"], 9)
        self.assertEqual(exited["subject"], "edge")

    def test_hung_process_is_seen_and_comes_back(self):
        self.s.must_apply(service())
        time.sleep(0.3)
        before = self.s.shown()["process"]["pid"]
        os.kill(before, signal.SIGSTOP)
        wait_for(lambda: self.s.events("vnf-hung"), what="seen to hang")
        wait_for(lambda: self.s.events("vnf-healed"), what="healed")
        self.assertFalse(alive(before))

    def test_processes_outlive_the_orchestrator_and_are_adopted(self):
        self.s.must_apply(service(placement="process"), service("other"))
        before = self.s.pids()
        self.s.kill()
        time.sleep(0.3)
        self.assertEqual(self.s.pids(), before)
        self.s.start()
        wait_for(lambda: len(self.s.events("vnf-adopted")) == 3, what="three adopted")
        wait_for(lambda: self.s.shown()["state"] == "ready")
        self.assertEqual(self.s.pids(), before)
        self.assertEqual(self.s.shown()["process"]["restarts"], 0)
        victim = self.s.vnf()["pid"]
        os.kill(victim, signal.SIGKILL)
        wait_for(lambda: self.s.events("vnf-healed"), what="an adopted process is healed like any other")
        self.assertNotEqual(self.s.vnf()["pid"], victim)

    def test_graceful_stop_leaves_processes(self):
        self.s.must_apply(service())
        before = self.s.pids()
        self.assertEqual(self.s.stop(), 0)
        self.assertEqual(self.s.pids(), before)
        self.assertFalse(os.path.exists(self.s.socket))
        self.s.start()
        wait_for(lambda: self.s.shown()["state"] == "ready")
        self.assertEqual(self.s.pids(), before)

    def test_what_died_meanwhile_is_started(self):
        self.s.must_apply(service(), service("other"))
        victim = self.s.shown()["process"]["pid"]
        self.s.kill()
        os.kill(victim, signal.SIGKILL)
        self.s.start()
        wait_for(lambda: self.s.shown()["state"] == "ready")
        self.assertNotEqual(self.s.shown()["process"]["pid"], victim)
        self.assertEqual(len(self.s.pids()), 2)
        self.assertEqual(self.s.shown()["process"]["restarts"], 1)

    def test_unrecorded_process_is_adopted_not_doubled(self):
        self.s.must_apply(service())
        before = self.s.pids()
        self.s.kill()
        with sqlite3.connect(os.path.join(self.s.state, "sluiced.db")) as store:
            store.execute("DELETE FROM process")
        self.s.start()
        wait_for(lambda: self.s.shown()["state"] == "ready")
        self.assertEqual(self.s.pids(), before)

    def test_process_whose_folder_was_removed(self):
        self.s.must_apply(service())
        before = self.s.pids()
        self.s.kill()
        shutil.rmtree(os.path.join(self.s.run, "edge"))
        self.s.start()
        wait_for(lambda: self.s.shown()["state"] == "ready")
        self.assertEqual(list(self.s.pids().values()), ["edge"])
        self.assertNotEqual(self.s.pids(), before)

    def test_changes_of_configuration_keep_the_process(self):
        self.s.must_apply(service())
        pid = self.s.shown()["process"]["pid"]
        rules = {"rules": [{"name": "web", "action": "accept", "protocol": "tcp", "destinationPorts": "80"}]}
        reply = self.s.call("PUT", "/v1/services/edge/vnfs/fw/config", rules)
        self.assertEqual(self.assertStatus(reply, 200)["state"], "COMPLETED")
        shown = self.s.shown()
        self.assertEqual((shown["process"]["pid"], shown["revision"]), (pid, 2))
        self.assertEqual(shown["descriptor"]["vnfs"][0]["config"], rules)
        running = self.s.get("/v1/services/edge/vnfs/fw/config")
        self.assertEqual(running.json["rules"][0]["name"], "web")
        self.assertEqual(running.headers["ETag"], '"2"')
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: self.s.events("vnf-healed"))
        self.assertEqual(self.s.get("/v1/services/edge/vnfs/fw/config").json["rules"][0]["name"], "web")

    def test_change_of_sizes_restarts(self):
        self.s.must_apply(service())
        pid = self.s.shown()["process"]["pid"]
        self.s.must_apply(service(engine={"sessions": 131072}))
        self.assertNotEqual(self.s.shown()["process"]["pid"], pid)
        self.assertEqual(len(self.s.pids()), 1)

    def test_change_of_placement_and_back(self):
        self.s.must_apply(service())
        pid = self.s.shown()["process"]["pid"]
        self.s.must_apply(service(placement="process"))
        self.assertEqual(sorted(self.s.pids().values()), ["edge", "edge/fw"])
        self.assertEqual(self.s.shown()["process"]["pid"], pid)
        self.s.must_apply(service())
        self.assertEqual(list(self.s.pids().values()), ["edge"])
        self.assertFalse(os.path.exists(os.path.join(self.s.run, "edge", "fw")))

    def test_prune(self):
        self.s.must_apply(service("a"), service("b"))
        self.s.must_apply(service("b"), prune=True)
        self.assertEqual([one["name"] for one in self.s.get("/v1/services").json], ["b"])
        self.assertEqual(list(self.s.pids().values()), ["b"])

    def test_drift_is_seen(self):
        self.s.must_apply(service())
        control = os.path.join(self.s.run, "edge", "control.sock")
        document = mano.request(control, "GET", "/v1/config").json
        self.assertEqual(mano.request(control, "PUT", "/v1/config", document).status, 200)
        wait_for(lambda: self.s.events("drift"), what="drift is seen")
        self.assertTrue(self.s.shown()["process"]["drift"])
        self.s.call("POST", "/v1/services/edge:restart?wait=60")
        self.assertFalse(self.s.shown()["process"]["drift"])

    def test_restart_and_heal(self):
        self.s.must_apply(service(placement="process"))
        pids = self.s.pids()
        reply = self.s.call("POST", "/v1/services/edge/vnfs/fw:restart?wait=60")
        self.assertEqual(self.assertStatus(reply, 200)["state"], "COMPLETED")
        wait_for(lambda: len(self.s.pids()) == len(pids), what="the predecessor has ended")
        now = self.s.pids()
        self.assertEqual(len(set(pids) & set(now)), 1, "only the VNF's own process")
        reply = self.s.call("POST", "/v1/services/edge:heal?wait=60")
        self.assertEqual(self.assertStatus(reply, 200)["state"], "COMPLETED")
        self.assertFalse(set(now) & set(self.s.pids()))

    def test_footprint(self):
        self.s.must_apply(service())
        for _ in range(300):
            self.s.get("/v1/services")
        with open(f"/proc/{self.s.process.pid}/status") as file:
            status = dict(line.split(":", 1) for line in file)
        # the sanitizers' shadow is not ours, but what grows without end shows there too
        limit_mb = 160 if os.environ.get("SLUICE_SANITIZE") in ("ON", "thread") else 32
        self.assertLess(int(status["VmRSS"].split()[0]), limit_mb * 1024)


class StopWithSluiced(mano.Case):
    options = ("--stop-vnfs-on-exit",)

    def test_processes_end_too(self):
        self.s.must_apply(service(placement="process"))
        self.assertEqual(self.s.stop(), 0)
        self.assertEqual(self.s.pids(), {})


class LogFile(mano.Case):
    double = True

    def test_it_does_not_grow_for_ever(self):
        self.s.stop()
        path = os.path.join(self.s.folder, "own-log")
        self.s.options = ["--log", path]
        self.s.start()
        with open(path, "ab") as file:
            file.truncate(9 << 20)
        mano.wait_for(lambda: os.path.exists(path + ".1"), what="the log is rotated")
        self.assertEqual(os.stat(path + ".1").st_size, 9 << 20)
        self.s.must_apply(mano.service())
        self.assertTrue(0 < os.stat(path).st_size < 1 << 20)


mano.main()
