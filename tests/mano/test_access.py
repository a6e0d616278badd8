#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""
Who may do what over TCP: the first start, certificates of every kind, tokens and roles, TLS versions, the audit log, limits,
renewal without a restart. Against a real sluiced, with curl, openssl and sockets.
"""
import http.client
import json
import os
import signal
import socket
import stat
import subprocess
import time

import access
import mano
from mano import service, wait_for


class FirstStart(access.Case):
    def test_files(self):
        for name in ("ca.key", "server.key", "admin.key", "admin.token", "tokens.json"):
            mode = os.stat(os.path.join(self.folder, name)).st_mode
            self.assertEqual(stat.S_IMODE(mode), 0o600, name)
        self.assertEqual(stat.S_IMODE(os.stat(self.folder).st_mode), 0o700)
        self.assertIn("event=access-made", self.s.log())
        self.assertNotIn(self.admin, self.s.log())
        with open(os.path.join(self.folder, "tokens.json")) as file:
            self.assertNotIn(self.admin[7:], file.read())

    def test_admin_may(self):
        own = tuple(os.path.join(self.folder, "admin." + end) for end in ("crt", "key"))
        for who in ({"token": self.admin}, {"cert": own}):
            reply = self.ask("GET", "/v1/whoami", **who)
            self.assertEqual(self.assertStatus(reply, 200)["role"], "admin")
            self.assertStatus(self.ask("GET", "/v1/tokens", **who), 200)

    def contents(self, names):
        found = []
        for name in names:
            with open(os.path.join(self.folder, name), "rb") as file:
                found.append(file.read())
        return found

    def test_a_second_start_changes_nothing(self):
        files = ("ca.crt", "server.crt", "admin.crt", "admin.token", "tokens.json")
        before = self.contents(files)
        self.s.stop()
        self.s.start()
        self.assertEqual(before, self.contents(files))

    def test_a_revoked_first_token_does_not_come_back(self):
        self.assertStatus(self.s.call("DELETE", "/v1/tokens/admin"), 204)
        self.s.stop()
        self.s.start()
        self.assertEqual(self.s.get("/v1/tokens").json, [])

    def test_a_damaged_file_of_tokens_is_told_and_nobody_let_in(self):
        self.s.stop()
        with open(os.path.join(self.folder, "tokens.json"), "w") as file:
            file.write("{")
        self.s.start(ready=False)
        self.assertEqual(self.s.process.wait(mano.RECOVERY), 1)
        self.assertIn("tokens.json", self.s.log())


class Roles(access.Case):
    def test_what_roles_may(self):
        """Each role against each kind of request, by token and by certificate."""
        authority = access.Authority(self.folder)
        wanted = {"viewer": (200, 403, 403, 403), "operator": (200, 201, 403, 403), "admin": (200, 201, 200, 201)}
        for role, statuses in wanted.items():
            cert = authority.sign(self.s.folder, role, f"/O=x/OU={role}/CN={role}-person")
            for how, who in (("token", {"token": self.token(role, role + "-person")}), ("certificate", {"cert": cert})):
                name = f"{role}-{how}"
                replies = (self.ask("GET", "/v1/services", **who),
                           self.ask("POST", "/v1/services", service(name), **who),
                           self.ask("GET", "/v1/audit", **who),
                           self.ask("POST", "/v1/tokens", {"name": name + "-x", "role": "viewer"}, **who))
                self.assertEqual(tuple(reply.status for reply in replies), statuses, (role, how, replies))
                for reply in replies:
                    if reply.status == 403:
                        self.assertEqual(reply.headers["Content-Type"], "application/problem+json")
                shown = self.ask("GET", "/v1/whoami", **who).json
                self.assertEqual((shown["role"], shown["how"]), (role, how))

    def test_nobody(self):
        for where in ("/v1/services", "/v1/tokens", "/metrics", "/openapi.json", "/nothing", "/v1/whoami"):
            reply = self.ask("GET", where)
            self.assertStatus(reply, 401)
            self.assertIn("Bearer", reply.headers["WWW-Authenticate"])
            self.assertEqual(reply.headers["Content-Type"], "application/problem+json")
        for where in ("/healthz", "/readyz"):
            self.assertStatus(self.ask("GET", where), 200)
        reply = self.ask("GET", "/v1/services", token=self.admin[:-1] + ("0" if self.admin[-1] != "0" else "1"))
        self.assertStatus(reply, 401)
        self.assertIn("invalid_token", reply.headers["WWW-Authenticate"])

    def test_alias_of_the_header(self):
        self.assertStatus(self.ask("GET", "/v1/services", headers={"X-Auth-Token": self.admin}), 200)
        self.assertStatus(self.ask("GET", "/v1/services", headers={"X-Auth-Token": "x"}), 401)

    def test_tokens(self):
        text = self.token("operator", "ci", expires="90d")
        shown = self.s.get("/v1/tokens/ci").json
        self.assertEqual((shown["name"], shown["role"], shown["author"]), ("ci", "operator", f"uid {os.getuid()}"))
        self.assertNotIn("token", shown)
        self.assertIn("expires", shown)
        self.assertStatus(self.s.call("POST", "/v1/tokens", {"name": "ci", "role": "viewer"}), 409)
        for body, path in (({"name": "x"}, "role"), ({"name": "x", "role": "god"}, "role"), ({"role": "viewer"}, "name"),
                           ({"name": "a b", "role": "viewer"}, "name"), ({"name": "x", "role": "viewer", "y": "z"}, "y"),
                           ({"name": "x", "role": "viewer", "expires": "soon"}, "expires"),
                           ({"name": "x", "role": "viewer", "expires": "2001-01-01T00:00:00Z"}, "expires"), ([], "")):
            problem = self.assertStatus(self.s.call("POST", "/v1/tokens", body), 422)
            self.assertEqual([error.get("path", "") for error in problem["errors"]], [path], body)
        self.assertStatus(self.ask("GET", "/v1/services", token=text), 200)
        self.assertStatus(self.s.call("DELETE", "/v1/tokens/ci"), 204)
        self.assertStatus(self.ask("GET", "/v1/services", token=text), 401)
        self.assertStatus(self.s.call("DELETE", "/v1/tokens/ci"), 404)

    def test_tokens_end(self):
        text = self.token("viewer", "short", expires="1s")
        wait_for(lambda: self.ask("GET", "/v1/services", token=text).status == 401, what="the token has ended")

    def test_a_stream_ends_with_its_token(self):
        text = self.token("viewer", "watcher")
        host, port = self.at.rsplit(":", 1)
        with self.tls().wrap_socket(socket.create_connection((host, int(port)), mano.RECOVERY), server_hostname=host) as tls:
            tls.sendall(f"GET /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {text}\r\n\r\n".encode())
            self.assertIn(b"200 OK", tls.recv(4096))
            self.assertStatus(self.s.call("DELETE", "/v1/tokens/watcher"), 204)
            self.read_to_the_end(tls)

    def test_a_token_narrows_a_unix_socket(self):
        text = self.token("viewer")
        auth = {"Authorization": "Bearer " + text}
        self.assertStatus(self.s.call("GET", "/v1/services", None, auth), 200)
        self.assertStatus(self.s.call("POST", "/v1/services", service(), auth), 403)

    def test_operations_name_their_author(self):
        op = self.assertStatus(self.ask("POST", "/v1/services", service(), token=self.token("operator", "ci")), 201)
        self.assertEqual(op["author"], "token ci")


class Certificates(access.Case):
    def test_who_is_believed(self):
        ours, other = access.Authority(self.folder), access.Authority(os.path.join(self.s.folder, "other")).make()
        sign = lambda by, name, *more, **options: by.sign(self.s.folder, name, *more, **options)
        for name, pair, status in (
                ("good", sign(ours, "good", "/OU=viewer/CN=a"), 200),
                ("expired", sign(ours, "expired", "/OU=admin/CN=a", ends="20210101000000Z"), 401),
                ("not yet", sign(ours, "early", "/OU=admin/CN=a", begins="20390101000000Z"), 401),
                ("of another authority", sign(other, "other", "/OU=admin/CN=a"), 401),
                ("of a server", sign(ours, "server2", "/OU=admin/CN=a", usage="serverAuth"), 401),
                ("of no purpose", sign(ours, "none", "/OU=admin/CN=a", usage=None), 401),
                ("without a role", sign(ours, "norole", "/CN=a"), 403),
                ("with another role", sign(ours, "root", "/OU=root/CN=a"), 403),
                ("with two roles", sign(ours, "two", "/OU=viewer/OU=admin/CN=a"), 403),
                ("without a name", sign(ours, "noname", "/OU=admin"), 403),
                ("with an empty role", sign(ours, "long", "/OU=" + "admin" * 10 + "/CN=a"), 403)):
            reply = self.ask("GET", "/v1/services", cert=pair)
            self.assertEqual(reply.status, status, f"{name}: {reply}")
        good = sign(ours, "good", "/OU=viewer/CN=a")
        self.assertStatus(self.ask("GET", "/v1/services", cert=good, token="sluice_x"), 401)
        self.assertStatus(self.ask("GET", "/v1/tokens", cert=good, token=self.admin), 200)

    def test_versions_of_tls(self):
        connect = lambda *words: access.openssl("s_client", "-connect", self.at, "-CAfile", self.ca, "-verify_return_error",
                                                *words, check=False)
        good = connect("-tls1_3")
        self.assertEqual(good.returncode, 0, good.stderr)
        self.assertIn(b"TLSv1.3", good.stdout)
        for version in ("-tls1_2", "-tls1_1", "-tls1"):
            self.assertNotEqual(connect(version).returncode, 0, version)

    def test_curl(self):
        def curl(*words):
            done = subprocess.run(["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", *words, f"https://{self.at}/v1/services"],
                                  capture_output=True, timeout=60)
            return done.returncode, done.stdout.decode()

        own = [os.path.join(self.folder, "admin." + end) for end in ("crt", "key")]
        self.assertEqual(curl("--cacert", self.ca, "--cert", own[0], "--key", own[1]), (0, "200"))
        self.assertEqual(curl("--cacert", self.ca, "-H", "Authorization: Bearer " + self.admin), (0, "200"))
        self.assertEqual(curl("--cacert", self.ca), (0, "401"))
        self.assertEqual(curl()[0], 60)  # nobody else knows this authority
        self.assertNotEqual(curl("--cacert", self.ca, "--tls-max", "1.2")[0], 0)

    def test_plain_text_is_not_answered(self):
        host, port = self.at.rsplit(":", 1)
        with socket.create_connection((host, int(port)), 30) as plain:
            plain.sendall(b"GET /v1/services HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertNotIn(b"HTTP/", plain.recv(100))

    def test_renewal_without_a_restart(self):
        before = access.serial(self.at, self.ca)
        held = access.request(self.at, self.tls(), "GET", "/healthz")
        self.assertEqual(held.status, 200)
        access.Authority(self.folder).sign(self.folder, "server", "/CN=sluiced", usage="serverAuth",
                                           begins="20200101000000Z", ends="20400101000000Z", san="IP:127.0.0.1")
        mine = wait_for(lambda: access.serial(self.at, self.ca) != before and access.serial(self.at, self.ca),
                        what="the certificate put there is served")
        # It lacks names, and most of its time: the next look (SIGHUP, or the hour) finds it due.
        self.s.process.send_signal(signal.SIGHUP)
        wait_for(lambda: access.serial(self.at, self.ca) not in (before, mine), what="a certificate of sluiced's is served")
        self.assertIsNone(self.s.process.poll())

    def test_other_authorities_of_clients(self):
        other = access.Authority(os.path.join(self.s.folder, "other")).make()
        pair = other.sign(self.s.folder, "partner", "/OU=operator/CN=partner")
        self.assertStatus(self.ask("GET", "/v1/whoami", cert=pair), 401)
        with open(os.path.join(self.folder, "clients-ca.crt"), "w") as to:
            for name in (self.ca, os.path.join(self.s.folder, "other", "ca.crt")):
                with open(name) as file:
                    to.write(file.read())
        wait_for(lambda: self.ask("GET", "/v1/whoami", cert=pair).status == 200, what="the other authority is believed")
        own = tuple(os.path.join(self.folder, "admin." + end) for end in ("crt", "key"))
        self.assertStatus(self.ask("GET", "/v1/whoami", cert=own), 200)


    def test_revoked_ones(self):
        ours = access.Authority(self.folder)
        good, bad = (ours.sign(self.s.folder, name, f"/OU=viewer/CN={name}") for name in ("good", "bad"))
        for pair in (good, bad):
            self.assertStatus(self.ask("GET", "/v1/whoami", cert=pair), 200)
        host, port = self.at.rsplit(":", 1)
        asks = {name: http.client.HTTPSConnection(host, int(port), timeout=30, context=self.tls(*pair)) for name, pair in (("good", good), ("bad", bad))}

        def whoami(name):
            asks[name].request("GET", "/v1/whoami")
            answer = asks[name].getresponse()
            answer.read()
            return answer.status

        self.assertEqual((whoami("good"), whoami("bad")), (200, 200))
        sockets = {name: one.sock for name, one in asks.items()}
        streams = {}
        for name, pair in (("good", good), ("bad", bad)):
            streams[name] = self.tls(*pair).wrap_socket(socket.create_connection((host, int(port)), 30), server_hostname=host)
            self.addCleanup(streams[name].close)
            streams[name].sendall(b"GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertIn(b"200 OK", streams[name].recv(4096))
        with open(os.path.join(self.folder, "clients-ca.crt"), "wb") as to, open(self.ca, "rb") as ca:
            to.write(ca.read() + ours.revoke(self.s.folder, "bad"))
        wait_for(lambda: self.ask("GET", "/v1/whoami", cert=bad).status == 401, what="the list is read")
        self.assertIn("revoked", self.ask("GET", "/v1/whoami", cert=bad).json["detail"])
        self.assertEqual((whoami("good"), whoami("bad")), (200, 401), "connections that were there before")
        self.assertEqual({name: one.sock for name, one in asks.items()}, sockets, "and are still the same")
        self.read_to_the_end(streams["bad"])
        streams["good"].settimeout(1.5)
        with self.assertRaises(TimeoutError, msg="the other's stream goes on"):
            while streams["good"].recv(4096):
                pass
        self.assertStatus(self.ask("GET", "/v1/whoami", cert=good), 200)


class Audit(access.Case):
    def lines(self, **query):
        return self.s.get("/v1/audit?" + "&".join(f"{name}={value}" for name, value in query.items())).json

    def test_changes_are_noted(self):
        ci = self.token("operator", "ci")
        self.assertStatus(self.ask("POST", "/v1/services", service(), token=ci), 201)
        self.assertEqual(self.s.get("/v1/ops/1?wait=60").json["state"], "COMPLETED")
        self.ask("PUT", "/v1/services/edge", {**service(), "unmatched": "nonsense"}, token=ci)
        self.ask("GET", "/v1/services", token=ci)
        self.assertStatus(self.ask("PATCH", "/v1/services/edge?wait=30", {"unmatched": "route"}, token=ci), 200)
        self.ask("DELETE", "/v1/services/edge", token=self.token("viewer"))
        self.ask("POST", "/v1/services", service("x"), token="sluice_wrong")
        lines = list(reversed(self.lines(limit=1000)))
        seen = [(line["method"], line["path"], line["status"], line.get("who"), line["role"]) for line in lines]
        root = f"uid {os.getuid()}"
        self.assertEqual(seen, [
            ("POST", "/v1/tokens", 201, root, "admin"), ("POST", "/v1/services", 201, "ci", "operator"),
            ("PUT", "/v1/services/edge", 422, "ci", "operator"), ("PATCH", "/v1/services/edge", 200, "ci", "operator"), ("POST", "/v1/tokens", 201, root, "admin"),
            ("DELETE", "/v1/services/edge", 403, "viewer", "viewer"), ("POST", "/v1/services", 401, None, "none")])
        made = lines[1]
        changed = lines[3]["change"]["changes"]
        self.assertEqual([(one["path"], one["kind"]) for one in changed], [("services[edge].unmatched", "+")])
        self.assertEqual((made["how"], made["address"]), ("token", "127.0.0.1"))
        self.assertEqual(made["body"]["name"], "edge")
        self.assertEqual(made["change"]["services"], [{"name": "edge", "action": "create"}])
        self.assertTrue(made["location"].startswith("/v1/ops/"))
        self.assertRegex(made["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")
        self.assertEqual([line["id"] for line in lines], list(range(1, len(lines) + 1)))

    def test_secrets_are_not_noted(self):
        secret = self.token("viewer")
        self.s.call("POST", "/v1/services", {"name": "x", "vnfs": [{"psk": "hush-hush", "password": "hush-hush"}]})
        with open(os.path.join(self.s.state, "audit", "audit.log")) as file:
            text = file.read()
        self.assertNotIn(secret, text)
        self.assertNotIn("hush-hush", text)
        self.assertEqual(len(text.splitlines()), 2)
        self.assertEqual(stat.S_IMODE(os.stat(os.path.join(self.s.state, "audit", "audit.log")).st_mode), 0o600)

    def test_reading(self):
        for i in range(5):
            self.s.call("DELETE", f"/v1/tokens/none{i}")
        self.assertEqual([line["path"][-1] for line in self.lines(limit=2)], ["4", "3"])
        page = self.s.get("/v1/audit?limit=2")
        self.assertIn("cursor=4", page.headers["Link"])
        self.assertEqual([line["path"][-1] for line in self.lines(limit=2, cursor=4)], ["2", "1"])
        self.assertEqual([line["id"] for line in self.lines(filter="(eq,path,/v1/tokens/none1)")], [2])
        self.assertStatus(self.s.get("/v1/audit?filter=x"), 400)
        self.assertStatus(self.s.get("/v1/audit?limit=0"), 400)

    def test_it_outlives_a_kill(self):
        self.s.call("DELETE", "/v1/tokens/none")
        self.s.kill()
        self.s.start()
        self.s.call("DELETE", "/v1/tokens/none")
        self.assertEqual([line["id"] for line in self.lines()], [2, 1])


class Limits(access.Case):
    options = ("--listen", "127.0.0.1:0", "--limit", "rate=5", "--limit", "burst=40", "--limit", "perClient=6", "--limit",
               "header=2000", "--limit", "body=20000", "--limit", "headerTime=2", "--limit", "bodyTime=2", "--limit", "handshakes=4")

    def connect(self):
        host, port = self.at.rsplit(":", 1)
        plain = socket.create_connection((host, int(port)), mano.RECOVERY)
        self.addCleanup(plain.close)
        return plain

    def dial(self):
        tls = self.tls().wrap_socket(self.connect(), server_hostname="127.0.0.1")
        self.addCleanup(tls.close)
        return tls

    def exchange(self, tls, data):
        tls.sendall(data)
        return tls.recv(65536).decode()

    def test_headers(self):
        many = "".join(f"X-{i}: {'a' * 50}\r\n" for i in range(60))
        answer = self.exchange(self.dial(), f"GET /healthz HTTP/1.1\r\nHost: x\r\n{many}\r\n".encode())
        self.assertTrue(answer.startswith("HTTP/1.1 431 "), answer)
        answer = self.exchange(self.dial(), b"GET /healthz?" + b"a" * 3000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertTrue(answer.startswith("HTTP/1.1 431 "), answer)

    def test_bodies(self):
        auth = f"Host: x\r\nAuthorization: Bearer {self.admin}\r\nContent-Type: application/json\r\n"
        answer = self.exchange(self.dial(), f"POST /v1/services HTTP/1.1\r\n{auth}Content-Length: 30000\r\n"
                                            f"Expect: 100-continue\r\n\r\n".encode())
        self.assertTrue(answer.startswith("HTTP/1.1 413 "), answer)
        chunk = b"1000\r\n" + b"a" * 4096 + b"\r\n"
        answer = self.exchange(self.dial(), f"POST /v1/services HTTP/1.1\r\n{auth}Transfer-Encoding: chunked\r\n\r\n".encode() +
                               chunk * 6 + b"0\r\n\r\n")
        self.assertTrue(answer.startswith("HTTP/1.1 413 "), answer)
        reply = self.ask("POST", "/v1/tokens", b" " * 5000, token=self.admin)
        self.assertStatus(reply, 413)  # this route's own limit is smaller

    def test_rate(self):
        statuses = []
        for _ in range(200):
            reply = self.ask("GET", "/healthz")
            statuses.append(reply.status)
            if reply.status == 429:
                break
        self.assertEqual(reply.status, 429, statuses)
        self.assertGreaterEqual(int(reply.headers["Retry-After"]), 1)
        self.assertStatus(self.ask("GET", "/v1/services", token=self.admin), 200)  # each client for itself
        wait_for(lambda: self.ask("GET", "/healthz").status == 200, what="the client may again")
        for _ in range(100):  # the local socket is not limited
            self.assertStatus(self.s.get("/healthz"), 200)

    def test_connections_of_one_client(self):
        held = []
        for _ in range(6):
            tls = self.dial()
            self.assertIn("200 OK", self.exchange(tls, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"))
            held.append(tls)
        answer = self.exchange(self.dial(), b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertTrue(answer.startswith("HTTP/1.1 503 "), answer)
        self.assertIn("Retry-After:", answer)
        for tls in held:
            tls.close()
        wait_for(lambda: self.ask("GET", "/healthz").status == 200, what="there is room again")

    def ended(self, tls, keep=b""):
        """Whether the server ends the connection, while a byte of `keep` is sent now and then."""
        tls.settimeout(0.2)
        end = time.monotonic() + mano.RECOVERY
        while time.monotonic() < end:
            try:
                tls.sendall(keep[:1])
                keep = keep[1:]
                if not tls.recv(4096):
                    return True
            except TimeoutError:
                continue
            except OSError:
                return True
        return False

    def test_slow_clients(self):
        self.assertTrue(self.ended(self.connect()), "no handshake")
        self.assertTrue(self.ended(self.dial(), b"GET /healthz HTTP/1.1\r\nX: " + b"a" * 500), "headers, byte by byte")
        tls = self.dial()
        tls.sendall(f"POST /v1/services HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.admin}\r\n"
                    f"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n".encode())
        self.assertTrue(self.ended(tls, b" " * 500), "a body, byte by byte")

    def test_handshakes_are_bounded(self):
        waiting = [self.connect() for _ in range(4)]
        began = time.monotonic()
        self.assertTrue(self.ended(self.connect()))
        self.assertLess(time.monotonic() - began, 2, "it was not closed at once")
        for plain in waiting:
            plain.close()
        wait_for(lambda: self.try_health() == 200, what="others may come again")

    def try_health(self):
        try:
            return self.ask("GET", "/healthz").status
        except OSError:
            return None


class Options(mano.Case):
    double = True

    def refused(self, *options):
        done = subprocess.run([mano.SLUICED, "--run-dir", self.s.run, "--state-dir", self.s.state, *options],
                              capture_output=True, timeout=60)
        return done.returncode, done.stderr.decode()

    def test_bad_ones_are_told(self):
        for options, word in ((("--listen", "localhost:1"), "expected ADDRESS:PORT"), (("--listen", "127.0.0.1"), "expected"),
                              (("--limit", "rate"), "NAME=NUMBER"), (("--limit", "speed=1"), "there are: connections"),
                              (("--limit", "rate=0"), "expected 1 to"), (("--name", "a b"), "usage")):
            status, said = self.refused(*options)
            self.assertEqual(status, 2, said)
            self.assertIn(word, said)

    def test_without_listen_nothing_listens(self):
        self.assertEqual(access.listening(self.s.log()), [])

    def test_a_taken_port_is_told(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self.s.stop()
            status, said = self.refused("--listen", "127.0.0.1:%d" % taken.getsockname()[1])
        self.assertEqual(status, 1)
        self.assertIn("Address already in use", said)


class CommandLine(access.Case):
    CLI = os.environ.get("SLUICE_CLI", "sluice")

    def sluice(self, status, *words, **environment):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SLUICE_")}
        clean.update(HOME=self.s.folder, **environment)
        done = subprocess.run([self.CLI, *words], capture_output=True, env=clean, timeout=120, text=True)
        self.assertEqual(done.returncode, status, f"{words}: {done.stdout}\n{done.stderr}")
        return done

    def far(self, *more):
        return ("--server", "https://" + self.at, "--cacert", self.ca, *more)

    def test_the_context_of_the_first_start(self):
        shown = self.sluice(0, "whoami", "-o", "json", SLUICE_CONFIG=os.path.join(self.folder, "contexts.cfg"))
        self.assertEqual(json.loads(shown.stdout)["how"], "certificate")

    def test_tokens(self):
        admin = self.far("--token", "@" + os.path.join(self.folder, "admin.token"))
        made = self.sluice(0, "token", "create", "ci", "--role", "operator", "--expires", "90d", *admin)
        self.assertIn("the only time", made.stderr)
        ci = made.stdout.strip()
        self.assertRegex(ci, r"^sluice_[0-9a-f]{64}$")
        self.assertIn("operator", self.sluice(0, "token", "list", *admin).stdout)
        self.assertNotIn(ci, self.sluice(0, "token", "show", "ci", "-o", "json", *admin).stdout)
        shown = self.sluice(0, "whoami", "-o", "json", *self.far(), SLUICE_TOKEN=ci)
        self.assertEqual(json.loads(shown.stdout)["subject"], "ci")
        self.assertIn("needs the role admin", self.sluice(1, "token", "list", *self.far("--token", ci)).stderr)
        self.sluice(4, "token", "create", "ci", "--role", "viewer", *admin)
        self.sluice(7, "token", "create", "x", "--role", "god", *admin)
        self.sluice(0, "token", "revoke", "ci", *admin)
        self.sluice(3, "token", "revoke", "ci", *admin)
        self.sluice(3, "token", "revoke", "a/b", *admin)
        self.assertIn("not known here", self.sluice(1, "whoami", *self.far("--token", ci)).stderr)
        lines = json.loads(self.sluice(0, "audit", "-o", "json", "--filter", "(eq,path,/v1/tokens/ci)", *admin).stdout)
        self.assertEqual([line["status"] for line in lines], [404, 204])
        self.assertIn("WHO", self.sluice(0, "audit", "--last", "3", *admin).stdout)

    def test_contexts(self):
        key = os.path.join(self.folder, "admin.key")
        self.sluice(0, "context", "set", "far", *self.far("--cert", os.path.join(self.folder, "admin.crt"), "--key", key))
        self.assertEqual(json.loads(self.sluice(0, "whoami", "-o", "json", "--context", "far").stdout)["subject"], "admin")
        self.sluice(0, "context", "set", "token", *self.far("--token", "@" + os.path.join(self.folder, "admin.token")))
        shown = self.sluice(0, "whoami", "-v", "-o", "json", "--context", "token")
        self.assertEqual(json.loads(shown.stdout)["how"], "token")
        self.assertNotIn(self.admin, shown.stderr)
        done = subprocess.run(["sh", "-c", shown.stderr[2:]], capture_output=True, timeout=60,
                              env={**os.environ, "SLUICE_TOKEN": self.admin})
        self.assertEqual(json.loads(done.stdout)["how"], "token", done.stderr)
        with open(os.path.join(self.s.folder, ".config", "sluice", "contexts.cfg")) as file:
            self.assertNotIn(self.admin, file.read())

    def test_all_that_asks_shows_who_it_is(self):
        """Streams, files and bundles have clients of their own."""
        admin = self.far("--token", self.admin)
        for words in (("get", "services"), ("describe", "node", self.s.get("/v1/nodes").json[0]["name"]), ("events", "--last", "5"),
                      ("backup", "-w", os.path.join(self.s.folder, "kept")), ("version",),
                      ("support-bundle", "-w", os.path.join(self.s.folder, "bundle.tar.gz"))):
            said = self.sluice(0, *words, *admin)
            self.assertNotIn("Unauthorized", said.stderr, words)
            self.assertNotIn("expected a client certificate", said.stderr, words)

    def test_whom_it_does_not_believe(self):
        self.assertIn("certificate", self.sluice(6, "whoami", "--server", "https://" + self.at).stderr)
        self.assertIn("no/where", self.sluice(1, "whoami", *self.far("--token", "@/no/where")).stderr)
        self.assertIn("expected a client certificate", self.sluice(1, "whoami", *self.far()).stderr)


mano.main()
