#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""
Who may do what at the processes that sluiced starts: REST over TLS on ports of their own, with roles, certificates, renewal, both
families of addresses; and a process that no sluiced cares for.
"""
import http.client
import json
import os
import random
import signal
import socket
import stat
import subprocess

import access
import mano
from mano import service, wait_for


def free_port():
    """One below those that the kernel gives to clients, so that none of them takes it before we do."""
    while True:
        port = random.randrange(10000, 30000)
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            continue


class Processes(access.Case):
    """Processes that serve REST over TCP themselves, with certificates and tokens of sluiced's."""
    double = False

    def setUp(self):
        super().setUp()
        self.outer, self.inner = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
        self.document = service(placement="process", manage={"listen": self.outer, "limits": {"burst": 1000, "rate": 1000}})
        self.document["vnfs"][0]["manage"] = {"listen": self.inner}
        self.s.must_apply(self.document)
        for at in (self.outer, self.inner):
            wait_for(lambda: self.status(at) == 200, what=f"{at} is served")

    def status(self, at, where="/healthz", method="GET", body=None, **who):
        try:
            return access.request(at, self.tls(*who.pop("cert", (None, None))), method, where, body, **who).status
        except OSError:
            return None

    def test_roles_hold_there_too(self):
        pair = access.Authority(self.folder).sign(self.s.folder, "v", "/OU=viewer/CN=v")
        rules = {"rules": [{"name": "a", "action": "accept"}]}
        for at in (self.outer, self.inner):
            self.assertEqual(self.status(at, "/v1/config"), 401)
            self.assertEqual(self.status(at, "/v1/config", cert=pair), 200)
            self.assertEqual(self.status(at, "/v1/config", "PATCH", {}, cert=pair), 403)
            self.assertEqual(self.status(at, "/v1/config", token=self.admin), 200)
            self.assertEqual(self.status(at, "/v1/audit", token=self.admin), 200)
        operator = self.token("operator", "op")
        wait_for(lambda: self.status(self.inner, "/v1/config", token=operator) == 200, what="a new token is known there")
        self.assertEqual(self.status(self.inner, "/v1/vnfs/fw/config", "PUT", rules, token=operator), 200)
        self.assertEqual(self.status(self.inner, "/v1/audit", token=operator), 403)
        self.s.call("DELETE", "/v1/tokens/op")
        wait_for(lambda: self.status(self.inner, "/v1/config", token=operator) == 401, what="a revoked one is forgotten there")

    def test_their_certificates(self):
        for at, name in ((self.outer, "edge"), (self.inner, "edge/fw")):
            shown = access.openssl("s_client", "-connect", at, "-CAfile", self.ca, "-verify_return_error")
            self.assertIn(f"CN = {name}".encode(), shown.stdout)
            self.assertNotEqual(access.openssl("s_client", "-connect", at, "-tls1_2", check=False).returncode, 0)
        folder = os.path.join(self.s.run, "edge")
        self.assertFalse(os.path.exists(os.path.join(folder, "ca.key")))
        self.assertEqual(stat.S_IMODE(os.stat(os.path.join(folder, "server.key")).st_mode), 0o600)
        # It is no client's: who steals it gets in nowhere.
        stolen = tuple(os.path.join(folder, "server." + end) for end in ("crt", "key"))
        self.assertEqual(self.status(self.at, "/v1/services", cert=stolen), 401)

    def test_renewal_without_a_restart(self):
        pid, before = self.s.shown()["process"]["pid"], access.serial(self.outer, self.ca)
        os.unlink(os.path.join(self.s.run, "edge", "server.crt"))
        self.s.process.send_signal(signal.SIGHUP)
        wait_for(lambda: access.serial(self.outer, self.ca) != before, what="a new certificate is served")
        self.assertEqual(self.s.shown()["process"]["pid"], pid)

    def test_own_certificate(self):
        """The operator's own pair instead of ours: served by all, kept over a restart, missed if it goes."""
        other = access.Authority(os.path.join(self.s.folder, "other")).make()
        theirs = os.path.join(other.folder, "ca.crt")
        os.unlink(os.path.join(self.folder, "ca.key"))
        other.sign(self.folder, "server", "/CN=router.example", usage="serverAuth", san="IP:127.0.0.1")
        self.s.process.send_signal(signal.SIGHUP)

        def served(at):
            try:
                return access.serial(at, theirs)
            except OSError:
                return None

        ours = wait_for(lambda: served(self.at), what="sluiced serves it")
        for at in (self.outer, self.inner):
            wait_for(lambda at=at: served(at) == ours, what=f"{at} serves it, too")
        self.s.stop()
        self.s.start()
        self.at = access.listening(self.s.log())[-1]
        self.assertEqual(served(self.at), ours)
        reply = access.request(self.at, access.context(theirs), "GET", "/v1/services", token=self.admin)
        self.assertEqual(reply.status, 200)
        self.s.stop()
        os.unlink(os.path.join(self.folder, "server.crt"))
        self.s.start(ready=False)
        self.assertEqual(self.s.process.wait(30), 1)
        self.assertIn("without ca.key none is issued", self.s.log())

    def test_what_is_passed_on_is_noted_with_whose_wish_it_was(self):
        ci = self.token("operator", "ci")
        self.assertStatus(self.ask("DELETE", "/v1/services/edge/state/sessions", token=ci), 200)
        lines = access.request(self.outer, self.tls(), "GET", "/v1/audit?filter=(eq,method,DELETE)", token=self.admin).json
        self.assertEqual([(line["how"], line["for"], line["path"]) for line in lines], [("unix", "token ci", "/v1/state/sessions")])

    def test_changes_without_a_restart(self):
        """Another address, other limits, all addresses, none, and again one: the process stays, and answers whoever asked at the old address."""
        pid, other = self.s.shown()["process"]["pid"], f"127.0.0.1:{free_port()}"
        under_way = http.client.HTTPSConnection("127.0.0.1", int(self.outer.split(":")[1]), timeout=60, context=self.tls())
        self.addCleanup(under_way.close)

        def ask():
            under_way.request("GET", "/healthz")
            answer = under_way.getresponse()
            answer.read()
            return answer.status

        self.assertEqual(ask(), 200)
        self.document["manage"]["listen"] = other
        self.s.must_apply(self.document)
        wait_for(lambda: self.status(other) == 200, what="the new address is served")
        self.assertEqual(ask(), 200)
        wait_for(lambda: self.status(self.outer) is None, what="the old one is not")
        self.document["manage"]["limits"] = {"body": 1024}
        self.s.must_apply(self.document)
        wait_for(lambda: self.status(other, "/v1/config", "PATCH", {"x": "y" * 2000}, token=self.admin) == 413, what="the limit holds")
        self.document["manage"] = {"listen": "*:" + other.split(":")[1]}
        self.s.must_apply(self.document)
        wait_for(lambda: self.status(other, "/v1/config", "PATCH", {"x": "y" * 2000}, token=self.admin) == 422, what="all addresses, and no limit")
        del self.document["manage"]
        self.s.must_apply(self.document)
        wait_for(lambda: self.status(other) is None, what="nothing is served")
        self.document["manage"] = {"listen": self.outer}
        self.s.must_apply(self.document)
        wait_for(lambda: self.status(self.outer, "/v1/config", token=self.admin) == 200, what="the first address again")
        self.assertEqual(self.s.shown()["process"]["pid"], pid)

    def test_listens_for_the_first_time(self):
        self.s.must_apply(service("plain"))
        pid, at = self.s.shown("plain")["process"]["pid"], f"127.0.0.1:{free_port()}"
        self.s.must_apply(service("plain", manage={"listen": at}))
        wait_for(lambda: self.status(at, "/v1/config", token=self.admin) == 200, what="it is served")
        self.assertEqual(self.s.shown("plain")["process"]["pid"], pid)

    def test_what_is_refused(self):
        for listen, code in (("192.0.2.1:443", "traffic-address"), ("[2001:db8:1::1]:443", "traffic-address"),
                             ("localhost:443", "bad-address"), ("127.0.0.1", "bad-address")):
            self.document["manage"]["listen"] = listen
            body = self.assertStatus(self.s.call("PUT", "/v1/services/edge", self.document), 422)
            self.assertEqual([(e["path"], e["code"]) for e in body["errors"]], [("manage.listen", code)])
        fused = service("other")
        fused["vnfs"][0]["manage"] = {"listen": self.inner}
        body = self.assertStatus(self.s.call("POST", "/v1/services", fused), 422)
        self.assertEqual(body["errors"][0]["code"], "fused")

    def test_a_taken_port_leaves_traffic_alone(self):
        port = free_port()
        at = f"127.0.0.1:{port}"
        with socket.create_server(("127.0.0.1", port)):
            self.document["manage"]["listen"] = at
            self.s.must_apply(self.document)
            self.assertEqual(self.s.shown()["process"]["state"], "ready")
        wait_for(lambda: self.status(at) == 200, what="it is served once it is free")

    def test_nothing_is_left(self):
        self.assertStatus(self.s.call("DELETE", "/v1/services/edge?wait=60"), 200)
        self.assertEqual(os.listdir(self.s.run), ["sluiced.sock"])


class Alone(mano.Case):
    """A process without sluiced: it makes its own authority."""

    def test_it_makes_its_own(self):
        folder, at = os.path.join(self.s.folder, "alone"), f"127.0.0.1:{free_port()}"
        os.mkdir(folder)
        with open(os.path.join(folder, "edge.cfg"), "w") as file:
            file.write('manage = { listen = "%s"; limits = { burst = 20; rate = 1; }; };\n' % at)
        chain = [path for path in mano.PROGRAMS if path.endswith("sluice-chain")][0]
        with open(os.path.join(folder, "out"), "w") as out:
            process = subprocess.Popen([chain, "--dir", folder, "--config", os.path.join(folder, "edge.cfg"), "--hugepages", "never",
                                        "--memory", "64"], stdout=out, stderr=out)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        ca = os.path.join(folder, "ca.crt")

        def status(**who):
            try:
                return access.request(at, access.context(ca), "GET", "/v1/whoami", **who).status
            except OSError:
                return None

        wait_for(lambda: os.path.exists(ca) and status() == 401, what="it is served")
        with open(os.path.join(folder, "admin.token")) as file:
            token = file.read().strip()
        self.assertEqual(status(token=token), 200)
        wait_for(lambda: status(token=token) == 429, what="its own limits hold")


class OddName(mano.Case):
    """A host may be called anything."""
    double = True

    def setUp(self):
        self.s = mano.Sluiced(self.double)
        self.addCleanup(self.s.close)
        self.s.prefix = ["unshare", "-u", "sh", "-c", 'echo "a,IP:1 (b)" >/proc/sys/kernel/hostname && exec "$@"', "-"]

    def test_it_starts(self):
        self.s.start()
        text = access.openssl("x509", "-in", os.path.join(self.s.state, "access", "server.crt"), "-noout", "-ext", "subjectAltName").stdout
        self.assertIn(b"DNS:localhost", text)
        self.assertNotIn(b"(b)", text)


class Sixes(mano.Case):
    """In a network of its own, where there is IPv6 for certain."""
    double = True
    options = ("--listen", "[::1]:8443", "--listen", "*:9443", "--name", "sluice.example.net")

    def setUp(self):
        self.s = mano.Sluiced(self.double, self.options)
        self.addCleanup(self.s.close)
        self.s.prefix = ["unshare", "-n", "sh", "-c", 'ip link set lo up && exec "$@"', "-"]
        self.s.start()
        self.folder = os.path.join(self.s.state, "access")

    def whoami(self, at):
        with open(os.path.join(self.folder, "admin.token")) as file:
            auth = "Authorization: Bearer " + file.read().strip()
        done = subprocess.run(["nsenter", "-t", str(self.s.process.pid), "-n", "curl", "-gsS", "--cacert",
                               os.path.join(self.folder, "ca.crt"), "-H", auth, f"https://{at}/v1/whoami"],
                              capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_both_families(self):
        for at, address in (("[::1]:8443", "::1"), ("[::1]:9443", "::1"), ("127.0.0.1:9443", "127.0.0.1")):
            shown = self.whoami(at)
            self.assertEqual((shown["role"], shown["address"]), ("admin", address), at)
        text = access.openssl("x509", "-in", os.path.join(self.folder, "server.crt"), "-noout", "-ext", "subjectAltName").stdout
        self.assertIn(b"DNS:sluice.example.net", text)


mano.main()
