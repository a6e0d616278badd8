# SPDX-License-Identifier: BSD-3-Clause
"""The worked examples of the functions' READMEs are run as they stand, in one shell, and what they say comes out; and their tables are those of the program."""
import fnmatch
import os
import re
import signal
import subprocess
import threading
import unittest

from lab import SOURCE, Lab, program, run

END = "--- end of output ---"


def steps(kind):
    """[(command, expected lines)] of the console blocks."""
    with open(os.path.join(SOURCE, "vnf", kind, "README.md")) as file:
        blocks = re.findall(r"^```console\n(.*?)^```$", file.read(), re.M | re.S)
    found = []
    for line in "".join(blocks).splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


class Shell:
    """A shell that is told one command after the other; its session is ended as a whole."""

    def __init__(self, folder):
        self.child = subprocess.Popen(["bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder,
                                      start_new_session=True, env={**os.environ, "LC_ALL": "C"})

    def run(self, command):
        self.child.stdin.write(f"{command}\necho '{END}'\n")
        self.child.stdin.flush()
        lines = []
        late = threading.Timer(60, os.killpg, (self.child.pid, signal.SIGKILL))
        late.start()
        try:
            return self.hear(command, lines)
        finally:
            late.cancel()

    def hear(self, command, lines):
        for line in self.child.stdout:
            if line.rstrip("\n") == END:
                return lines
            lines.append(line.rstrip("\n"))
        raise AssertionError(f"the shell ended in: {command}\n{lines}")

    def close(self):
        if self.child.poll() is None:
            os.killpg(self.child.pid, signal.SIGKILL)  # the group that was made for it: itself and what it started
        self.child.stdin.close()
        self.child.stdout.close()
        self.child.wait()


class Readme(unittest.TestCase):
    def setUp(self):
        self.lab = Lab()
        self.addCleanup(self.lab.close)
        self.names = {name: f"{self.lab.prefix}-{name}" for name in ("client", "edge", "server")}
        self.lab.spaces += self.names.values()
        os.mkdir(os.path.join(self.lab.folder, "conf"))

    def own(self, text):
        """The same in names and places of this test alone."""
        for name, own in self.names.items():
            text = re.sub(rf"(?<![\w/.-]){name}(?![\w/.-]|\s*=)", own, text)
        for place in ("/tmp/web", "/run/fw", "/run/nat", "/run/lb"):
            text = text.replace(place, self.lab.folder + place)
        return text

    def walk(self, kind):
        with open(os.path.join(SOURCE, "conf", f"{kind}.cfg")) as file:
            document = self.own(file.read())
        with open(os.path.join(self.lab.folder, "conf", f"{kind}.cfg"), "w") as file:
            file.write(document)
        os.makedirs(os.path.join(self.lab.folder, "run"))
        os.makedirs(os.path.join(self.lab.folder, "tmp"))
        shell = Shell(self.lab.folder)
        self.addCleanup(shell.close)
        shell.run(f"PATH={os.path.dirname(program(f'sluice-{kind}'))}:$PATH")
        for command, expected in steps(kind):
            with self.subTest(command=command):
                said = shell.run(self.own(command))
                self.assertEqual(len(said), len(expected), f"{command}\n{said}")
                for line, pattern in zip(said, expected):
                    self.assertTrue(fnmatch.fnmatchcase(line, pattern), f"{command}\nsaid {line!r}, README has {pattern!r}")

    def tables(self, kind):
        printed = run(program(f"sluice-{kind}"), "--schema", kind).stdout
        with open(os.path.join(SOURCE, "vnf", kind, "README.md")) as file:
            self.assertIn(printed.strip(), file.read(), f"put the output of `sluice-{kind} --schema {kind}` into vnf/{kind}/README.md")

    def test_firewall(self):
        self.walk("firewall")

    def test_nat(self):
        self.walk("nat")

    def test_lb(self):
        self.walk("lb")

    def test_tables(self):
        for kind in ("firewall", "nat", "lb"):
            with self.subTest(kind):
                self.tables(kind)


if __name__ == "__main__":
    unittest.main(verbosity=2)
