# SPDX-License-Identifier: BSD-3-Clause
"""The command line where no service is needed: words, forms of output, contexts, completion, explanations."""
import http.server
import json
import os
import pty
import socketserver
import subprocess
import threading
import unittest
import urllib.parse

from cli import CliCase
from lab import program


def verbs_of(help_text):
    lines = help_text.split("\noptions", 1)[0].splitlines()
    return {line.split()[0] for line in lines if line.startswith("  ")}


class Words(CliCase):
    def test_slips_of_the_hand(self):
        self.assertIn('do you mean "describe"', self.expect(2, "descrbe", "service", "x").stderr)
        self.assertIn('do you mean "service"', self.expect(2, "get", "servce").stderr)
        self.assertIn('do you mean "dry-run"', self.expect(2, "apply", "--dryrn").stderr)
        self.assertIn("-o wants an argument", self.expect(2, "get", "services", "-o").stderr)
        self.assertIn("sluice get neighbour [SERVICE]\n", self.expect(2, "get", "neighbour", "edge/fw").stderr)
        self.assertIn("sluice get rule SERVICE/VNF\n", self.expect(2, "get", "rule", "edge").stderr)
        self.assertIn("takes no --file", self.expect(2, "get", "services", "-f", "x").stderr)
        self.assertIn("toml", self.expect(2, "get", "services", "-o", "toml").stderr)
        self.assertIn("--limit", self.expect(2, "get", "services", "--limit", "0").stderr)

    def test_names_are_checked(self):
        for words in (("get", "service", "a b"), ("get", "service", "../ops"), ("get", "vnf", "edge/"), ("get", "service", ""), ("delete", "service", "a?b=c"),
                      ("restart", "edge/x#y"), ("op", "show", "1/../2"), ("describe", "op", "x"), ("chain", "remove", "edge", "fw")):
            self.assertEqual(self.sluice(*words).returncode, 3 if words == ("describe", "op", "x") else 2, words)

    def test_version(self):
        self.assertRegex(self.expect(0, "--version", SLUICE_SERVER="unix:/nonexistent").stdout, r"^sluice \d+\.\d+\.\d+\n$")

    def on_a_terminal(self, *words, **more):
        """What a terminal would get."""
        main, other = pty.openpty()
        process = subprocess.Popen([program("sluice"), *words], stdout=other, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, env=self.environment(**more))
        os.close(other)
        shown = b""
        try:
            while True:
                shown += os.read(main, 4096)
        except OSError:  # its other end is closed
            os.close(main)
        process.wait(30)
        return shown.decode()

    def test_colours(self):
        red = "\033["
        listed = ("describe", "node", json.loads(self.expect(0, "get", "nodes", "-o", "json").stdout)[0]["name"])
        self.assertNotIn(red, self.on_a_terminal(*listed, TERM="xterm"), "nothing in it that has a colour")
        self.expect(0, "context", "set", "ready", "--server", self.server)
        self.assertIn(red + "32mready", self.on_a_terminal("context", "list", TERM="xterm", NO_COLOR=""))
        self.assertNotIn(red, self.on_a_terminal("context", "list", TERM="xterm", NO_COLOR="1"))
        self.assertNotIn(red, self.on_a_terminal("context", "list", TERM="dumb"))
        self.assertNotIn(red, self.expect(0, "context", "list", TERM="xterm").stdout)

    def test_standard_input(self):
        bad = 'services = ( {\n name = "x";\n bogus = 1; } );'
        done = subprocess.run([program("sluice"), "validate", "-f", "-"], input=bad, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment())
        self.assertEqual(done.returncode, 7)
        self.assertIn("-:3: services[0].bogus", done.stderr)
        done = subprocess.run([program("sluice"), "diff", "-f", "-"], input='{"services": []}', stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              env=self.environment())
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)

    def test_help_of_every_verb(self):
        verbs = verbs_of(self.expect(0, "--help").stdout)
        self.assertLessEqual({"get", "apply", "explain", "trace", "capture"}, verbs)
        for verb in verbs:
            text = self.expect(0, verb, "--help").stdout
            self.assertEqual(text, self.expect(0, "help", verb).stdout)
            self.assertIn(f"usage: sluice {verb}", text)
            self.assertIn("examples:", text)
        self.assertEqual(self.expect(2).stdout, "", "without a verb help is an error's: on standard error")

    def test_forms(self):
        self.assertEqual(set(json.loads(self.expect(0, "version", "-o", "json").stdout)), {"sluice", "sluiced"})
        self.assertEqual(self.expect(0, "get", "services", "-o", "yaml").stdout, "[]\n")
        node = json.loads(self.expect(0, "get", "nodes", "-o", "json").stdout)[0]
        self.assertEqual(self.expect(0, "get", "nodes", "-o", "name").stdout, node["name"] + "\n")
        self.assertIn("NAME", self.expect(0, "get", "nodes").stdout)
        self.assertEqual(json.loads(self.expect(0, "get", "nodes", SLUICE_OUTPUT="json").stdout)[0]["name"], node["name"])
        self.assertEqual(self.expect(0, "get", "services").stderr, "none\n")
        self.assertEqual(self.expect(0, "get", "services", "-q").stderr, "")

    def test_each_request_as_curl(self):
        shown = self.expect(0, "get", "nodes", "-v", "-o", "json").stderr
        self.assertTrue(shown.startswith("+ curl "), shown)
        done = subprocess.run(["sh", "-c", shown[2:]], stdout=subprocess.PIPE, check=True)
        self.assertEqual(json.loads(done.stdout)[0]["name"], json.loads(self.expect(0, "get", "nodes", "-o", "json").stdout)[0]["name"])

    def test_last_events_of_many(self):
        """Of a sluiced with more events than a page: an answer that is cut short holds the first, not the last."""
        path = os.path.join(self.lab.folder, "many.sock")

        class Many(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
                events = [{"id": i, "time": "now", "kind": "k", "subject": "s", "message": f"event {i}"} for i in range(1, 3001)]
                body = json.dumps(events[:int(query.get("limit", ["4096"])[0])]).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        with socketserver.UnixStreamServer(path, Many) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            lines = self.expect(0, "events", "--last", "2", "--server", f"unix:{path}").stdout.splitlines()
            server.shutdown()
        self.assertEqual([line.rsplit(" ", 1)[1] for line in lines], ["2999", "3000"])

    def test_where_sluiced_is(self):
        away = "unix:" + os.path.join(self.lab.folder, "nobody")
        self.assertIn("is sluiced running?", self.expect(6, "get", "services", SLUICE_SERVER=away).stderr)
        self.expect(0, "get", "services", "--server", self.server, SLUICE_SERVER=away)
        self.assertIn("unix:/PATH", self.expect(2, "get", "services", "--server", "localhost").stderr)

    def test_contexts(self):
        away = "unix:" + os.path.join(self.lab.folder, "nobody")
        none = {"SLUICE_SERVER": ""}
        self.assertIn("sluice context set", self.expect(3, "get", "services", "--context", "lab").stderr)
        self.expect(0, "context", "set", "lab", "--server", self.server, "--dry-run")
        self.expect(3, "context", "use", "lab")
        self.expect(0, "context", "set", "lab", "--server", self.server)
        self.expect(0, "context", "set", "away", "--server", away)
        self.expect(0, "context", "use", "lab")
        self.expect(0, "get", "services", **none)
        self.expect(6, "get", "services", "--context", "away", **none)
        self.expect(6, "get", "services", SLUICE_CONTEXT="away", **none)
        listed = json.loads(self.expect(0, "context", "-o", "json").stdout)
        self.assertEqual([(c["name"], c["current"]) for c in listed], [("lab", True), ("away", False)])
        self.expect(0, "context", "delete", "lab")
        self.assertIn("away", self.expect(3, "context", "use", "lab").stderr, "those that there are get told")
        path = os.path.join(self.home, ".config", "sluice", "contexts.cfg")
        with open(path, "a") as file:
            file.write("current = 7;\n")
        self.assertIn(path + ":", self.expect(7, "get", "services", "--context", "away").stderr)

    def test_explain(self):
        kinds = self.expect(0, "explain", "-o", "name").stdout.split()
        self.assertLessEqual({"service", "vnf", "chain", "port", "firewall", "nat"}, set(kinds))
        for kind in kinds:
            self.assertIn("MEANING", self.expect(0, "explain", kind).stdout)
        action = self.expect(0, "explain", "firewall.rules[web].action").stdout
        self.assertIn("one of accept, drop, reject, required", action)
        self.assertRegex(self.expect(0, "explain", "engine.timeouts.udp").stdout, r"RANGE +1 to 1000000 s\nDEFAULT +300")
        self.assertIn("sourcePorts", self.expect(0, "explain", "chain.match").stdout)
        self.assertIn("sluice explain nat", self.expect(0, "explain", "vnf.config").stdout)
        self.assertEqual(json.loads(self.expect(0, "explain", "chain.priority", "-o", "json").stdout)["default"], 0)
        self.assertIn("there are: name", self.expect(3, "explain", "chain.pth").stderr)
        self.expect(3, "explain", "gateway")

    def test_explain_without_the_executables(self):
        for name in os.listdir(self.libexec):
            os.unlink(os.path.join(self.libexec, name))
        self.assertIn("sluice-chain", self.expect(1, "explain", "firewall").stderr)


class Completion(CliCase):
    def candidates(self, *words):
        return [line.split("\t")[0] for line in self.expect(0, "__complete", *words).stdout.splitlines()]

    def bash(self, line):
        """What bash would offer at the end of a line."""
        script = ('eval "$(sluice completion bash)"; complete -p sluice >/dev/null || exit 1; COMP_LINE=$1 COMP_POINT=${#1}; _sluice; '
                  'printf "%s\\n" "${COMPREPLY[@]}"')
        path = os.path.dirname(program("sluice")) + ":" + os.environ["PATH"]
        done = subprocess.run(["bash", "-c", script, "bash", line], stdout=subprocess.PIPE, text=True, check=True, env=self.environment(PATH=path))
        return done.stdout.split()

    def test_bash(self):
        self.assertEqual(self.bash("sluice expl"), ["explain"])
        self.assertEqual(self.bash("sluice get neigh"), ["neighbour"])
        self.assertEqual(self.bash("sluice apply --dry"), ["--dry-run"])
        self.assertEqual(self.bash("sluice get nodes -o y"), ["yaml"])
        self.assertEqual(self.bash("sluice explain firewall.rules.act"), ["firewall.rules.action"])
        name = json.loads(self.expect(0, "get", "nodes", "-o", "json").stdout)[0]["name"]
        self.assertEqual(self.bash("sluice get node "), [name])
        self.assertEqual(self.bash(f"sluice --server {self.server} get node "), [name], "a colon does not part words")
        self.write("one.cfg", "")
        self.assertEqual(self.bash(f"sluice apply -f {self.lab.folder}/on"), [f"{self.lab.folder}/one.cfg"])
        self.assertEqual(self.bash(f"sluice restore {self.lab.folder}/on"), [f"{self.lab.folder}/one.cfg"])
        self.assertEqual(self.bash(f"sluice validate -f {self.lab.folder[:-2]}"), [self.lab.folder + "/"])
        self.assertEqual(self.bash("sluice token create x --role op"), ["operator"])

    def test_fish(self):
        path = os.path.dirname(program("sluice")) + ":" + os.environ["PATH"]
        script = "sluice completion fish | source; complete -C 'sluice expl'; complete -C 'sluice get neigh'"
        done = subprocess.run(["fish", "--no-config", "-c", script], stdout=subprocess.PIPE, text=True, check=True, env=self.environment(PATH=path))
        self.assertEqual([line.split("\t")[0] for line in done.stdout.splitlines()], ["explain", "neighbour"])

    def test_zsh(self):
        """The function itself, in place of compadd something that prints what it was given."""
        path = os.path.dirname(program("sluice")) + ":" + os.environ["PATH"]
        script = ("compdef() { :; }; compadd() { print -l -- ${(P)2}; }; eval \"$(sluice completion zsh)\"; "
                  "words=(sluice get ''); CURRENT=3; _sluice")
        done = subprocess.run(["zsh", "-f", "-c", script], stdout=subprocess.PIPE, text=True, check=True, env=self.environment(PATH=path))
        self.assertEqual(done.stdout.split(), self.candidates("get", ""))
        self.assertIn("neighbour", done.stdout.split())

    def test_nothing_said_when_sluiced_is_away(self):
        done = self.expect(0, "__complete", "get", "service", "", SLUICE_SERVER="unix:/nonexistent/socket")
        self.assertEqual((done.stdout, done.stderr), ("", ""))
        self.expect(2, "completion", "tcsh")


if __name__ == "__main__":
    unittest.main(verbosity=2)
