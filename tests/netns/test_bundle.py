# SPDX-License-Identifier: BSD-3-Clause
"""sluice support-bundle: what is in it, what is not, and how it ends where it cannot be made."""
import json
import os
import stat
import subprocess
import tarfile
import unittest

from cli import ServiceCase
from lab import rest, until

SECRETS = ("hunter2-of-the-log", "psk-of-the-comment")


class Bundle(ServiceCase):
    @property
    def options(self):
        return ("--log", os.path.join(self.folder + ".log"))

    def bundle(self, *words):
        path = os.path.join(self.lab.folder, "bundle.tar.gz")
        done = self.expect(0, "support-bundle", "-w", path, *words)
        self.assertIn(path, done.stderr)
        with tarfile.open(path) as tar:
            parts = {member.name: tar.extractfile(member).read().decode() for member in tar.getmembers()}
        return path, parts

    def test_what_is_in_it(self):
        self.write("good.cfg", self.text.replace('kind = "nat";', 'kind = "nat"; placement = "process";'))
        self.expect(0, "apply", "-f", self.good, "--comment", "password=" + SECRETS[1])
        log = os.path.join(self.folder, "edge", "log")
        with open(log, "a") as file:
            file.write(f"time=now level=info event=test password={SECRETS[0]}\n" + "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
        path, parts = self.bundle()
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        manifest = json.loads(parts["manifest.json"])
        self.assertEqual([p for p in manifest["parts"] if "missing" in p], [])
        self.assertEqual({p["name"] for p in manifest["parts"]} | {"manifest.json"}, set(parts))
        service = json.loads(parts["services/edge/service.json"])
        self.assertEqual(service["descriptor"]["name"], "edge")
        self.assertEqual(len(service["vnfs"]), 2)
        for name in ("version.json", "nodes.json", "doctor.json", "services.json", "ops.json", "events.json", "services/edge/revisions.json",
                     "services/edge/workers.json", "services/edge/vnfs/nat/workers.json", "services/edge/vnfs/nat/traffic.json"):
            self.assertTrue(json.loads(parts[name]), name)
        self.assertEqual(json.loads(parts["services/edge/vnfs/fw/config.json"])["rules"],
                         rest(self.socket, "GET", "/v1/services/edge/vnfs/fw/config").json()["rules"])
        self.assertIn("sluice_process_up", parts["metrics.txt"])
        self.assertIn("sluice_nat_mappings", parts["services/edge/vnfs/nat/metrics.txt"])
        self.assertIn("event=ready", parts["sluiced.log"])
        self.assertIn("event=ready", parts["services/edge/log"])
        self.assertIn("event=test password=(left out)", parts["services/edge/log"])
        listed = subprocess.run(["tar", "tzf", path], stdout=subprocess.PIPE, check=True, text=True).stdout
        self.assertEqual(set(listed.split()), set(parts))

    def test_no_secrets(self):
        """Nothing of sluiced's own keys and tokens, nor what logs and comments call a password."""
        self.expect(0, "apply", "-f", self.good, "--comment", "password=" + SECRETS[1])
        with open(os.path.join(self.folder, "edge", "log"), "a") as file:
            file.write(f"password={SECRETS[0]}\n")
        token = rest(self.socket, "POST", "/v1/tokens", {"name": "ci", "role": "viewer"})
        self.assertEqual(token.status, 201, token.body)
        secrets = list(SECRETS) + [token.json()["token"]]
        state = self.folder + ".state"
        for folder, _, files in os.walk(state):
            for name in files:
                with open(os.path.join(folder, name), errors="replace") as file:
                    text = file.read()
                if "access" in folder and "CERTIFICATE" not in text:
                    secrets += [line.strip() for line in text.splitlines() if len(line.strip()) > 20]
        self.assertGreater(len(secrets), 3)
        _, parts = self.bundle()
        for name, text in parts.items():
            for secret in secrets:
                self.assertNotIn(secret, text, name)
            self.assertNotIn("PRIVATE KEY", text, name)
        self.assertFalse([name for name in parts if "session" in name])

    def test_bounded(self):
        self.expect(0, "apply", "-f", self.good)
        with open(os.path.join(self.folder, "edge", "log"), "a") as file:
            for i in range(60000):
                file.write(f"time=now level=info event=noise number={i} text={'x' * 40}\n")
        path, parts = self.bundle()
        self.assertLessEqual(len(parts["services/edge/log"]), 1 << 20)
        self.assertTrue(parts["services/edge/log"].startswith("time="), "whole lines")
        self.assertTrue(parts["services/edge/log"].endswith("\n"))
        self.assertIn("number=59999", parts["services/edge/log"])
        self.assertLess(os.stat(path).st_size, 4 << 20)

    def test_a_process_that_is_gone(self):
        """What does not answer is named; the rest is there."""
        self.expect(0, "apply", "-f", self.good)
        os.rename(os.path.join(self.libexec, "sluice-chain"), os.path.join(self.libexec, "away"))
        rest(self.socket, "POST", "/v1/services/edge:heal")
        until("it is down", lambda: rest(self.socket, "GET", "/v1/services/edge").json()["state"] != "ready")
        _, parts = self.bundle()
        missing = {p["name"]: p["missing"] for p in json.loads(parts["manifest.json"])["parts"] if "missing" in p}
        self.assertIn("services/edge/workers.json", missing)
        self.assertIn("services/edge/service.json", parts)
        self.assertIn("services/edge/log", parts, "what it said before")
        os.rename(os.path.join(self.libexec, "away"), os.path.join(self.libexec, "sluice-chain"))

    def test_refused(self):
        self.expect(1, "support-bundle", "-w", os.path.join(self.lab.folder, "none", "x.tar.gz"))
        path = os.path.join(self.lab.folder, "x.tar.gz")
        self.expect(6, "support-bundle", "-w", path, "--server", "unix:/nowhere")
        self.assertFalse(os.path.exists(path))
        with open(path, "w") as file:
            file.write("of another day")
        self.expect(6, "support-bundle", "-w", path, "--server", "unix:/nowhere")
        with open(path) as file:
            self.assertEqual(file.read(), "of another day")
        self.expect(2, "support-bundle", "word")

    def test_full_disk(self):
        """Nothing half is left; a device is neither changed nor removed."""
        full = os.path.join(self.lab.folder, "full")
        os.mknod(full, 0o666 | stat.S_IFCHR, os.makedev(1, 7))
        before = os.stat(full).st_mode
        self.assertIn("cannot write", self.expect(1, "support-bundle", "-w", full).stderr)
        self.assertEqual(os.stat(full).st_mode, before)

    def test_logs(self):
        self.expect(0, "apply", "-f", self.good)
        for url, status in (("/v1/services/edge/logs", 200), ("/v1/services/edge/logs?vnf=fw", 200), ("/v1/logs", 200),
                            ("/v1/services/none/logs", 404), ("/v1/services/edge/logs?vnf=none", 404), ("/v1/services/edge/logs?bytes=0", 400),
                            ("/v1/logs?bytes=x", 400)):
            reply = rest(self.socket, "GET", url)
            self.assertEqual(reply.status, status, f"{url}: {reply.body}")
        short = rest(self.socket, "GET", "/v1/logs?bytes=300").body
        self.assertTrue(short.startswith("time=") and len(short) <= 300, short)


if __name__ == "__main__":
    unittest.main(verbosity=2)
