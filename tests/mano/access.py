# SPDX-License-Identifier: BSD-3-Clause
"""TLS to a server of Sluice: requests with a token or a certificate, and certificates of every kind, made with openssl."""
import http.client
import json
import os
import re
import socket
import ssl
import subprocess

import mano


def context(cacert, cert=None, key=None):
    tls = ssl.create_default_context(cafile=cacert)
    tls.minimum_version = ssl.TLSVersion.TLSv1_3
    if cert:
        tls.load_cert_chain(cert, key)
    return tls


def request(address, tls, method, where, body=None, headers=None, token=None):
    """One request to "HOST:PORT"; the Reply."""
    host, port = address.rsplit(":", 1)
    connection = http.client.HTTPSConnection(host.strip("[]"), int(port), timeout=60, context=tls)
    data = None if body is None else (body if isinstance(body, (str, bytes)) else json.dumps(body))
    sent = {"Content-Type": "application/json"} if data is not None else {}
    if token:
        sent["Authorization"] = "Bearer " + token
    sent.update(headers or {})
    try:
        connection.request(method, where, data, sent)
        answer = connection.getresponse()
        return mano.Reply(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


def openssl(*words, cwd=None, given=b"", check=True):
    done = subprocess.run(["openssl", *words], cwd=cwd, input=given, capture_output=True, timeout=60)
    if check and done.returncode:
        raise AssertionError(f"openssl {words}: {done.stderr.decode()}")
    return done


class Authority:
    """An authority in a folder (ca.crt, ca.key), and what it signs: for what sluiced itself would never issue."""

    def __init__(self, folder):
        self.folder = folder

    def make(self):
        os.makedirs(self.folder, exist_ok=True)
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key",
                "-out", "ca.crt", "-days", "30", "-subj", "/CN=another", cwd=self.folder)
        return self

    def sign(self, into, name, subject, usage="clientAuth", begins="20200101000000Z", ends="20400101000000Z", san=None):
        """INTO/NAME.crt and .key; answers both paths."""
        base = os.path.join(into, name)
        with open(base + ".ext", "w") as file:
            file.write("basicConstraints=CA:FALSE\n" + (f"extendedKeyUsage={usage}\n" if usage else "") +
                       (f"subjectAltName={san}\n" if san else ""))
        with open(base + ".cnf", "w") as file:
            file.write("[ca]\ndefault_ca=d\n[d]\n" + f"new_certs_dir={into}\ndatabase={base}.db\nserial={base}.serial\n" +
                       "policy=p\ndefault_md=sha256\nunique_subject=no\nemail_in_dn=no\n" +
                       "[p]\ncommonName=optional\norganizationalUnitName=optional\norganizationName=optional\n")
        for suffix, text in ((".db", ""), (".serial", "%08X\n" % (int.from_bytes(os.urandom(4), "big") | 1))):
            with open(base + suffix, "w") as file:
                file.write(text)
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", base + ".key", "-out",
                base + ".csr", "-subj", subject)
        openssl("ca", "-batch", "-config", base + ".cnf", "-in", base + ".csr", "-out", base + ".crt", "-notext",
                "-cert", os.path.join(self.folder, "ca.crt"), "-keyfile", os.path.join(self.folder, "ca.key"),
                "-startdate", begins, "-enddate", ends, "-extfile", base + ".ext", "-preserveDN")
        return base + ".crt", base + ".key"

    def revoke(self, into, name):
        """The list of revoked certificates (PEM) with the one that sign() made."""
        base = os.path.join(into, name)
        words = ["-config", base + ".cnf", "-cert", os.path.join(self.folder, "ca.crt"), "-keyfile", os.path.join(self.folder, "ca.key"),
                 "-md", "sha256"]
        openssl("ca", "-revoke", base + ".crt", *words)
        return openssl("ca", "-gencrl", "-crldays", "30", *words).stdout


def listening(log):
    """Addresses that a log says are listened on."""
    return re.findall(r"event=listening address=(\S+)", log)


def serial(address, cacert):
    """Serial number of the certificate that is served."""
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host.strip("[]"), int(port)), 30) as plain:
        with context(cacert).wrap_socket(plain, server_hostname=host.strip("[]")) as tls:
            return tls.getpeercert()["serialNumber"]


class Case(mano.Case):
    """A sluiced that listens on 127.0.0.1, and what asks it there."""
    double = True
    options = ("--listen", "127.0.0.1:0")

    def setUp(self):
        super().setUp()
        self.at = listening(self.s.log())[0]
        self.folder = os.path.join(self.s.state, "access")
        self.ca = os.path.join(self.folder, "ca.crt")
        with open(os.path.join(self.folder, "admin.token")) as file:
            self.admin = file.read().strip()

    def tls(self, cert=None, key=None):
        return context(self.ca, cert, key)

    def ask(self, method, where, body=None, headers=None, token=None, cert=(None, None)):
        return request(self.at, self.tls(*cert), method, where, body, headers, token)

    def read_to_the_end(self, stream):
        """Of a chunked reply."""
        rest = b""
        while not rest.endswith(b"\r\n0\r\n\r\n"):
            more = stream.recv(4096)
            self.assertTrue(more, rest)
            rest += more

    def token(self, role, name=None, **more):
        reply = self.s.call("POST", "/v1/tokens", {"name": name or role, "role": role, **more})
        return self.assertStatus(reply, 201)["token"]
