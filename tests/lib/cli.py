# SPDX-License-Identifier: BSD-3-Clause
"""A sluiced in a laboratory's folder, and the command line that speaks to it."""
import os
import subprocess
import unittest

from lab import Lab, SOURCE, Line, program, until


class CliCase(unittest.TestCase):
    laboratory = Lab
    options = ()  # of sluiced

    def setUp(self):
        self.lab = self.laboratory()
        self.addCleanup(self.lab.close)
        self.libexec = os.path.join(self.lab.folder, "bin")
        self.folder = os.path.join(self.lab.folder, "s")
        self.home = os.path.join(self.lab.folder, "home")
        os.makedirs(self.libexec)
        os.makedirs(self.home)
        self.install_programs()
        self.socket = f"{self.folder}/sluiced.sock"
        self.server = "unix:" + self.socket
        self.daemon = self.lab.process([program("sluiced"), "--run-dir", self.folder, "--state-dir", self.folder + ".state", "--libexec", self.libexec,
                                        *self.options])
        until("sluiced serves", lambda: self.sluice("version").returncode == 0, 60)

    def install_programs(self):
        for name in ("sluice-chain", "sluice-firewall", "sluice-nat", "sluice-lb"):
            os.symlink(program(name), os.path.join(self.libexec, name))

    def environment(self, **more):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLUICE_", "XDG_"))}
        return {**kept, "HOME": self.home, "SLUICE_SERVER": self.server, **more}

    def write(self, name, text):
        path = os.path.join(self.lab.folder, name)
        with open(path, "w") as file:
            file.write(text)
        return path

    def start(self, *words, **more):
        return subprocess.Popen([program("sluice"), *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
                                env=self.environment(**more))

    def sluice(self, *words, **more):
        return subprocess.run([program("sluice"), *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
                              env=self.environment(**more), timeout=120)

    def expect(self, status, *words, **more):
        done = self.sluice(*words, **more)
        self.assertEqual(done.returncode, status, f"{words}: {done.stdout}{done.stderr}")
        return done


class ServiceCase(CliCase):
    """With the example's service to apply: client -- [edge: fw, nat] -- server."""
    laboratory = Line

    def setUp(self):
        super().setUp()
        with open(os.path.join(SOURCE, "conf", "quickstart.cfg")) as file:
            self.text = file.read().replace("sluice-edge", self.lab.edge)
        self.good = self.write("good.cfg", self.text)
