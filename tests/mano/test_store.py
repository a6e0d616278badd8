#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The store as a whole: backups and their way back, damage, and stores of other versions. With the double."""
import json
import os
import shutil
import sqlite3
import subprocess
import threading

import mano
from mano import service, wait_for


def described(number, name="edge", placement="process"):
    return service(name, placement, vnfs=[{"name": "fw", "kind": "firewall", "config": {"number": number}}])


# Version 1 of the tables, with a service that has two revisions.
FIRST_VERSION = """
CREATE TABLE number (name TEXT PRIMARY KEY, next INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE service (name TEXT PRIMARY KEY, current INTEGER NOT NULL, going INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE revision (service TEXT NOT NULL, number INTEGER NOT NULL, time INTEGER NOT NULL, author TEXT NOT NULL, comment TEXT NOT NULL,
 document TEXT NOT NULL, PRIMARY KEY (service, number)) WITHOUT ROWID;
CREATE TABLE process (service TEXT NOT NULL, vnf TEXT NOT NULL, pid INTEGER NOT NULL, start_time INTEGER NOT NULL, boot TEXT NOT NULL,
 digest TEXT NOT NULL, cores TEXT NOT NULL, restarts INTEGER NOT NULL, since INTEGER NOT NULL, PRIMARY KEY (service, vnf)) WITHOUT ROWID;
CREATE TABLE op (id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, subject TEXT NOT NULL, state TEXT NOT NULL, progress INTEGER NOT NULL,
 message TEXT NOT NULL, errors TEXT NOT NULL, author TEXT NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL);
CREATE TABLE op_service (op INTEGER NOT NULL, service TEXT NOT NULL, before INTEGER NOT NULL, after INTEGER NOT NULL, PRIMARY KEY (op, service)) WITHOUT ROWID;
INSERT INTO number VALUES ('event', 1000);
INSERT INTO service VALUES ('edge', 2, 0);
INSERT INTO op VALUES (7, 'apply', 'edge', 'COMPLETED', 100, 'done', '[]', 'uid 0', 1700000000, 1700000000);
INSERT INTO op_service VALUES (7, 'edge', 1, 2);
PRAGMA user_version = 1;
"""


class Store(mano.Case):
    double = True

    def path(self, name="sluiced.db"):
        return os.path.join(self.s.state, name)

    def everything(self):
        """What is remembered, as REST tells it."""
        services = self.s.get("/v1/services").json
        told = {"ops": self.s.get("/v1/ops").json, "services": [(one["name"], one["revision"], one["chains"]) for one in services]}
        for one in services:
            told[one["name"]] = [self.s.get(f"/v1/services/{one['name']}/{what}").json for what in ("descriptor", "revisions", "chains")]
        return told

    def backup(self):
        reply = self.s.get("/v1/backup")
        self.assertEqual((reply.status, reply.headers["Content-Type"]), (200, "application/vnd.sqlite3"))
        self.assertEqual(reply.body[:15], b"SQLite format 3")
        return reply.body

    def restore(self, data, query="", status=202):
        life = self.s.get("/v1/version").json["life"]
        reply = self.s.call("POST", f"/v1/restore{query}", data, {"Content-Type": "application/octet-stream"})
        shown = self.assertStatus(reply, status)
        if status == 202:
            self.assertEqual(shown["life"], life)

            def lives():
                try:
                    return self.s.get("/v1/version").json["life"] > life
                except OSError:
                    return False

            wait_for(lives, what="the next life")
        return shown

    def fill(self):
        self.s.must_apply(described(1), described(1, "other", "fused"))
        self.s.must_apply(described(2), comment="a second")
        self.s.call("POST", "/v1/services/edge:restart?wait=30")

    def ready(self):
        wait_for(lambda: all(one["state"] == "ready" for one in self.s.get("/v1/services").json), what="all ready")

    def number(self, name="edge"):
        where = f"{name}/fw" if os.path.exists(f"{self.s.run}/{name}/fw") else name
        try:
            return mano.request(f"{self.s.run}/{where}/control.sock", "GET", "/v1/config").json["functions"][0]["config"]["number"]
        except OSError:  # it is being started
            return None

    def test_on_a_fresh_host(self):
        self.fill()
        told, data = self.everything(), self.backup()
        self.assertEqual(self.restore(data, status=409)["errors"][0]["code"], "services-run")
        self.s.close()
        self.s = mano.Sluiced(True, self.options)
        self.addCleanup(self.s.close)
        self.s.start()
        self.assertEqual(self.restore(data, "?dryRun=1", 200)["services"], ["edge", "other"])
        self.assertEqual(self.s.get("/v1/services").json, [])
        self.restore(data)
        self.assertEqual(self.everything(), told)
        self.ready()
        self.assertEqual(sorted(self.s.pids().values()), ["edge", "edge/fw", "other"])
        self.assertEqual((self.number(), self.number("other")), (2, 1))
        self.s.must_apply(described(3))

    def test_while_services_run(self):
        """Those of the backup run on, with its documents; those that are not in it end."""
        self.s.must_apply(described(1))
        data, told = self.backup(), self.everything()
        self.s.must_apply(described(2), described(1, "later"))
        events = self.s.events()[-1]["id"]
        pids = {name: pid for pid, name in self.s.pids().items()}
        self.restore(data, "?force=1")
        self.assertEqual(self.everything(), told)
        wait_for(lambda: sorted(self.s.pids().values()) == ["edge", "edge/fw"], what="the later service has ended")
        self.ready()
        wait_for(lambda: self.number() == 1, what="the document of the backup runs")
        self.assertEqual({name: pid for pid, name in self.s.pids().items()}, {name: pids[name] for name in ("edge", "edge/fw")})
        self.assertEqual(sorted(os.listdir(self.s.run)), ["edge", "sluiced.sock"])
        self.assertTrue(all(event["id"] > events for event in self.s.events()), "ids of events go on")
        self.assertTrue(os.path.exists(self.path("sluiced.db.before")))

    def test_what_is_no_backup(self):
        self.fill()
        told, data = self.everything(), self.backup()
        half = bytearray(data)
        half[len(half) // 2:] = bytes(len(half) - len(half) // 2)
        for bad in (b"", b"nothing of the kind", data[:1000], bytes(half)):
            self.assertEqual(self.restore(bad, "?force=1", 422)["errors"][0]["code"], "not-a-backup")
        empty = os.path.join(self.s.folder, "empty.db")
        sqlite3.connect(empty).execute("CREATE TABLE x (y)").connection.close()
        later = os.path.join(self.s.folder, "later.db")
        with open(later, "wb") as file:
            file.write(data)
        database = sqlite3.connect(later)
        database.execute("PRAGMA user_version = 99")
        database.close()
        for name, code in ((empty, "not-a-backup"), (later, "store-too-new")):
            with open(name, "rb") as file:
                self.assertEqual(self.restore(file.read(), "?force=1", 422)["errors"][0]["code"], code)
        self.assertEqual(self.everything(), told)
        self.assertEqual([name for name in os.listdir(self.s.state) if "backup" in name or "incoming" in name or "restore" in name], [])

    def sluiced(self, *words):
        return subprocess.run([mano.SLUICED, "--run-dir", self.s.run, "--state-dir", self.s.state, "--libexec", self.s.bin, *words],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)

    def save(self):
        name = os.path.join(self.s.folder, "saved")
        with open(name, "wb") as file:
            file.write(self.backup())
        return name

    def test_offline(self):
        self.fill()
        told, saved = self.everything(), self.save()
        refused = self.sluiced("--restore", saved)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("another orchestrator", refused.stdout)
        self.s.kill()
        refused = self.sluiced("--restore", saved)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("processes of services run", refused.stdout)
        with open(self.path(), "r+b") as file:  # the store itself is of no use any more
            file.write(b"\xff" * 5000)
        os.unlink(self.path("sluiced.db-wal"))
        refused = self.sluiced()
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("damaged", refused.stdout)
        self.assertIn("--restore", refused.stdout)
        pids = self.s.pids()
        done = self.sluiced("--restore", saved, "--force")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.s.start()
        self.assertEqual(self.everything(), told)
        self.ready()
        self.assertEqual(self.s.pids(), pids, "what ran is adopted")
        self.assertNotEqual(self.sluiced("--restore", "/nonexistent").returncode, 0)

    def test_killed_in_a_restore(self):
        """The former store or the restored one, whole."""
        self.s.must_apply(described(1))
        data, first = self.backup(), self.everything()
        for i in range(12):
            self.s.must_apply(described(2 + i))
            second = self.everything()
            killer = threading.Timer(i * 0.004, self.s.process.kill)
            killer.start()
            try:
                self.s.call("POST", "/v1/restore?force=1", data, {"Content-Type": "application/octet-stream"})
            except (OSError, mano.http.client.HTTPException):
                pass
            killer.join()
            self.s.process.wait()
            self.s.start()
            now = self.everything()
            self.assertIn(now, (first, second))
            wanted = now["edge"][0]["vnfs"][0]["config"]["number"]
            self.ready()
            wait_for(lambda: self.number() == wanted, what=f"{wanted} runs, not {self.number()}")
            self.assertEqual(sorted(self.s.pids().values()), ["edge", "edge/fw"])
            self.assertEqual([name for name in os.listdir(self.s.state) if "incoming" in name or "restore" in name], [])

    # --- damage ---

    def store_check(self):
        return [check for check in self.s.get("/v1/doctor").json["checks"] if check["name"] == "store"][0]

    def test_doctor_finds_damage(self):
        self.fill()
        self.assertTrue(self.store_check()["ok"])
        for number in (1, 2):
            database = sqlite3.connect(self.path())
            with database:
                database.execute("UPDATE revision SET document = replace(document, 'firewall', 'firewa11') WHERE service = 'edge' AND number = ?", (number,))
            database.close()
            check = self.store_check()
            self.assertFalse(check["ok"])
            self.assertIn("revision 1 of service", check["detail"])
            self.s.stop()
            if number == 1:  # nothing that is wanted now
                self.s.start()
                self.ready()
        refused = self.sluiced()
        self.assertEqual(refused.returncode, 1)
        self.assertIn("damaged", refused.stdout)

    def test_a_page_is_overwritten(self):
        self.fill()
        for number in range(20):
            self.s.must_apply(described(number, "more"))
        self.s.stop()
        size = os.path.getsize(self.path())
        shutil.copy(self.path(), self.path("copy"))
        refusals = 0
        for page in range(0, size, 4096):
            with open(self.path(), "r+b") as file:
                file.seek(page)
                file.write(b"\x5a" * 4096)
            told = self.sluiced("--schema")  # reads no store
            self.assertEqual(told.returncode, 0)
            process = subprocess.Popen([mano.SLUICED, "--run-dir", self.s.run, "--state-dir", self.s.state, "--libexec", self.s.bin],
                                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            try:
                output = process.communicate(timeout=3 if page else 10)[0]
                self.assertEqual(process.returncode, 1, f"page at {page}: {output}")
                self.assertIn("damaged", output)
                refusals += 1
            except subprocess.TimeoutExpired:  # a page that holds nothing
                process.kill()
                process.communicate()
            for name in ("sluiced.db-wal", "sluiced.db-shm"):
                if os.path.exists(self.path(name)):
                    os.unlink(self.path(name))
            shutil.copy(self.path("copy"), self.path())
        self.assertGreater(refusals, size // 4096 // 2, f"{refusals} of {size // 4096}")
        self.s.start()
        self.ready()

    # --- versions ---

    def test_first_version_is_brought_up(self):
        self.s.stop()
        for name in ("sluiced.db", "sluiced.db-wal", "sluiced.db-shm"):
            if os.path.exists(self.path(name)):
                os.unlink(self.path(name))
        database = sqlite3.connect(self.path())
        database.executescript(FIRST_VERSION)
        for number in (1, 2):
            database.execute("INSERT INTO revision VALUES ('edge', ?, 1700000000, 'uid 0', ?, ?)",
                             (number, f"operation {number + 5}", json.dumps(described(number))))
        database.commit()
        database.close()
        self.s.start()
        self.ready()
        self.assertEqual(self.number(), 2)
        listed = self.s.get("/v1/services/edge/revisions").json
        self.assertEqual([(one["revision"], one["operation"], one["kind"], one["state"], one.get("comment")) for one in listed],
                         [(1, 6, "apply", "past", None), (2, 7, "apply", "current", None)])
        self.assertRegex(listed[0]["digest"], "^[0-9a-f]{32}$")
        self.assertStatus(self.s.call("POST", "/v1/services/edge:rollback?wait=30"), 200)
        self.assertEqual(self.s.get("/v1/services/edge/revisions").json[-1]["digest"], listed[0]["digest"])
        self.s.kill()
        self.s.start()
        self.assertEqual(self.number(), 1)

    def test_later_version_is_refused(self):
        self.s.stop()
        database = sqlite3.connect(self.path())
        database.execute("PRAGMA user_version = 99")
        database.close()
        refused = self.sluiced()
        self.assertEqual(refused.returncode, 1)
        self.assertIn("version 99", refused.stdout)


mano.main()
