# SPDX-License-Identifier: BSD-3-Clause
"""A real web server in a namespace: one nginx, with a server block for each address that it is given."""
import os
import signal

from lab import run, until


def certificate(folder, name):
    """An authority of its own and a certificate for a name; answers the paths of authority, certificate and key."""
    ca, key, crt = (os.path.join(folder, f) for f in ("ca.pem", "key.pem", "crt.pem"))
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", f"/CN={name}",
        "-addext", f"subjectAltName=DNS:{name}", "-keyout", key, "-out", crt)
    with open(crt) as source, open(ca, "w") as target:
        target.write(source.read())
    return ca, crt, key


class Nginx:
    """servers: texts of server blocks. Ended with the laboratory."""

    def __init__(self, lab, space, name, servers):
        self.lab, self.space = lab, space
        self.folder = os.path.join(lab.folder, name)
        os.makedirs(os.path.join(self.folder, "root"))
        self.config = os.path.join(self.folder, "nginx.conf")
        self.start(servers)

    def write(self, servers):
        paths = "".join(f"{kind}_temp_path {self.folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        with open(self.config, "w") as file:
            file.write(f"daemon off; user root; worker_processes 1; pid {self.folder}/pid; error_log {self.folder}/error.log;"
                       f"events {{ worker_connections 1024; }} http {{ {paths} access_log off; keepalive_requests 1000000; keepalive_timeout 600;"
                       f"root {self.folder}/root; {' '.join(f'server {{ {s} }}' for s in servers)} }}\n")

    def start(self, servers):
        self.write(servers)
        self.process = self.lab.process(["nginx", "-p", self.folder, "-e", f"{self.folder}/error.log", "-c", self.config], netns=self.space)
        until("nginx runs", lambda: os.path.exists(f"{self.folder}/pid"))

    def reload(self, servers):
        self.write(servers)
        self.process.kill(signal.SIGHUP)

    def end(self):
        """At once: connections are closed, the port is, too."""
        self.process.stop()
