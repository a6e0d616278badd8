# SPDX-License-Identifier: BSD-3-Clause
"""What is installed: each thing in its place, manual pages that agree with --help, a unit that systemd takes, and a sluiced that works from there."""
import glob
import json
import os
import re
import shutil
import socket
import unittest

from lab import BUILD, Line, run, until

PROGRAMS = ("sluice-chain", "sluice-firewall", "sluice-nat")
BOLD = re.compile(".\b")  # how a terminal's printer writes bold and underlined letters


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Line()
        cls.addClassCleanup(cls.lab.close)
        cls.root = os.path.join(cls.lab.folder, "root")
        run("cmake", "--install", BUILD, "--prefix", "/usr", env={**os.environ, "DESTDIR": cls.root})
        cls.usr = os.path.join(cls.root, "usr")

    def read(self, *path):
        with open(os.path.join(self.usr, *path)) as file:
            return file.read()

    def manual(self, name, section):
        return BOLD.sub("", run("mandoc", "-T", "utf8", self.page(name, section)).stdout)

    def page(self, name, section):
        return os.path.join(self.usr, "share", "man", f"man{section}", f"{name}.{section}")

    def test_places(self):
        for path in ("bin/sluice", "sbin/sluiced", *(f"libexec/sluice/{name}" for name in PROGRAMS)):
            self.assertTrue(os.access(os.path.join(self.usr, path), os.X_OK), path)
        for path in ("share/doc/sluice/LICENSE", "share/doc/sluice/README.md", "share/doc/sluice/SLUICED.md", "share/doc/sluice/examples/quickstart.cfg",
                     "share/bash-completion/completions/sluice", "share/zsh/site-functions/_sluice", "share/fish/vendor_completions.d/sluice.fish",
                     "lib/systemd/system/sluiced.service", "lib/sysusers.d/sluice.conf"):
            self.assertTrue(self.read(path), path)
        self.assertEqual(os.listdir(self.root), ["usr"], "nothing beside the prefix")

    def test_manuals_are_clean(self):
        pages = glob.glob(os.path.join(self.usr, "share", "man", "*", "*"))
        self.assertGreaterEqual(len(pages), 3 + len(PROGRAMS))
        for page in pages:
            done = run("mandoc", "-T", "lint", "-W", "warning", page, check=False)
            self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_manual_of_sluice_has_all_of_help(self):
        sluice = os.path.join(self.usr, "bin", "sluice")
        text, shown = self.manual("sluice", 1), run(sluice, "--help").stdout
        verbs = re.findall(r"^  ([a-z-]+) ", shown.split("\noptions")[0], re.M)
        self.assertGreater(len(verbs), 15)
        for verb in verbs:
            help_of_verb = run(sluice, verb, "--help").stdout
            usage = re.search(r"usage: sluice (.*) \[options\]", help_of_verb).group(1)
            self.assertIn(usage, " ".join(text.split()))
            for option in re.findall(r"^  (?:-\w, )?(--[a-z-]+)", help_of_verb, re.M):
                self.assertRegex(text, rf"(?m)^ +(-\w, )?{option}\b", verb)
        for word in re.findall(r"^  ((?:SLUICE_)\w+|NO_COLOR|\d+) ", shown, re.M):
            self.assertRegex(text, rf"(?m)^ +{word}\b")

    def test_manuals_of_programs_have_all_of_help(self):
        for name, program in [("sluiced", "sbin/sluiced")] + [(name, f"libexec/sluice/{name}") for name in PROGRAMS]:
            text = self.manual(name, 8)
            options = re.findall(r"--[a-z-]+", run(os.path.join(self.usr, program), "--help").stdout)
            self.assertGreater(len(options), 8)
            for option in options:
                self.assertIn(option, text, name)

    def test_manuals_have_all_members(self):
        chain = json.loads(run(os.path.join(self.usr, "libexec/sluice/sluice-chain"), "--schema", "all").stdout)
        service = json.loads(run(os.path.join(self.usr, "sbin/sluiced"), "--schema").stdout)["service"]
        pages = [("sluice.cfg", 5, service), ("sluice-chain", 8, chain["engine"])]
        pages += [(f"sluice-{f['name']}", 8, f["schema"]) for f in chain["functions"] if f"sluice-{f['name']}" in PROGRAMS]
        for name, section, schema in pages:
            text = self.manual(name, section)
            for path in self.members(schema):
                self.assertRegex(text, rf"(?m)^ +{re.escape(path)}( |$)", name)

    def members(self, schema, path=""):
        for name, member in schema.get("items", schema).get("properties", {}).items():
            yield path + name
            yield from self.members(member, f"{path}{name}[]." if "items" in member else f"{path}{name}.")

    def test_unit(self):
        text = self.read("lib/systemd/system/sluiced.service")
        self.assertIn("\nExecStart=/usr/sbin/sluiced ", text)
        self.assertIn("\nKillMode=process\n", text, "what moves packets outlives sluiced")
        self.assertIn("\nRuntimeDirectoryPreserve=yes\n", text)
        for closing in ("ProtectClock=", "PrivateDevices=", "DevicePolicy=", "DeviceAllow=", "ProtectKernelTunables=", "PrivateNetwork="):
            self.assertNotIn("\n" + closing, text, "closes devices or namespaces that packets come by")
        unit = os.path.join(self.lab.folder, "sluiced.service")
        with open(unit, "w") as file:
            file.write(text.replace("/usr/sbin/sluiced", os.path.join(self.usr, "sbin/sluiced")))
        done = run("systemd-analyze", "verify", "--man=no", unit, check=False)
        self.assertNotIn("sluiced", done.stdout + done.stderr)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_completion_of_the_package(self):
        script = 'PATH=$1/bin:$PATH; . $1/share/bash-completion/completions/sluice; COMP_LINE="sluice expl"; COMP_POINT=11; _sluice; echo "${COMPREPLY[@]}"'
        self.assertEqual(run("bash", "-c", script, "bash", self.usr).stdout, "explain\n")

    def test_it_works_from_there(self):
        """Without a word about where things are, from another folder; the service manager is told when it is ready."""
        sluice, state = os.path.join(self.usr, "bin", "sluice"), os.path.join(self.lab.folder, "s")
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(manager.close)
        manager.bind(os.path.join(self.lab.folder, "notify"))
        manager.settimeout(30)
        daemon = self.lab.process(["env", "-C", "/", f"NOTIFY_SOCKET={self.lab.folder}/notify", os.path.join(self.usr, "sbin/sluiced"), "--run-dir", state,
                                   "--state-dir", state + ".db"])
        self.assertEqual(manager.recv(100), b"READY=1")
        environment = {**os.environ, "SLUICE_SERVER": f"unix:{state}/sluiced.sock"}
        self.assertRegex(run(sluice, "version", env=environment).stdout, r"^sluice [\d.]+\nsluiced [\d.]+\n$")
        example = os.path.join(self.lab.folder, "example.cfg")
        with open(example, "w") as file:
            file.write(self.read("share/doc/sluice/examples/quickstart.cfg").replace("sluice-edge", self.lab.edge))
        run(sluice, "apply", "-f", example, env=environment)
        until("traffic flows", lambda: self.lab.ping(self.lab.SERVER4, count=1), 30)
        run(sluice, "delete", "service", "edge", env=environment)
        daemon.kill(15)
        self.assertEqual(manager.recv(100), b"STOPPING=1")


if __name__ == "__main__":
    if not shutil.which("mandoc") or not shutil.which("systemd-analyze"):
        raise SystemExit("mandoc and systemd-analyze are wanted: tests/packages names their packages")
    unittest.main(verbosity=2)
