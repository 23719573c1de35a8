# SPDX-License-Identifier: MIT
"""Certificates for tests, made by openssl, and a TLS front before a plain port."""

import os
import select
import socket
import ssl
import subprocess
import threading

CONFIG = """\
[ca]
default_ca = any
[any]
database = {home}/index
new_certs_dir = {home}
serial = {home}/serial
default_md = sha256
policy = policy
unique_subject = no
copy_extensions = copy
[policy]
commonName = supplied
[authority]
basicConstraints = critical, CA:true
[req]
distinguished_name = name
[name]
"""


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, capture_output=True,
                   stdin=subprocess.DEVNULL)


class Authority:
    """A certificate authority in a directory of its own. `file`: its certificate, in PEM."""

    def __init__(self, home, start="20200101000000Z", end="20990101000000Z"):
        os.mkdir(home)
        self.home, self.file, self.key = home, home + "/ca.pem", home + "/ca.key"
        with open(home + "/conf", "w", encoding="ascii") as file:
            file.write(CONFIG.format(home=home))
        with open(home + "/index", "w", encoding="ascii"):
            pass
        with open(home + "/serial", "w", encoding="ascii") as file:
            file.write("01\n")
        self.request("ca", "authority " + os.path.basename(home), "")
        self.sign("ca", start, end, "-selfsign", "-keyfile", self.key, "-extensions", "authority")

    def request(self, name, subject, names):
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-config", self.home + "/conf", "-subj", "/CN=" + subject, "-keyout",
                "%s/%s.key" % (self.home, name), "-out", "%s/%s.csr" % (self.home, name),
                *(["-addext", "subjectAltName=" + names] if names else []))

    def sign(self, name, start, end, *more):
        openssl("ca", "-batch", "-notext", "-config", self.home + "/conf", "-startdate", start,
                "-enddate", end, "-in", "%s/%s.csr" % (self.home, name), "-out",
                "%s/%s.pem" % (self.home, name), *more)

    def issue(self, name, names="IP:127.0.0.1,DNS:localhost", start="20200101000000Z",
              end="20990101000000Z"):
        """A server's certificate and its key: (certificate, key)."""
        self.request(name, name, names)
        self.sign(name, start, end, "-cert", self.file, "-keyfile", self.key)
        return "%s/%s.pem" % (self.home, name), "%s/%s.key" % (self.home, name)


class Server:
    """Accepts connections on a port of its own and serves each in a thread."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        # accept() of another thread returns only after shutdown().
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def accept(self):
        while True:
            try:
                peer = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        raise NotImplementedError


class Front(Server):
    """Speaks TLS and passes everything on to a plain port."""

    def __init__(self, port, pair):
        self.port_behind = port
        self.use(pair)
        super().__init__()

    def use(self, pair):
        """Presents another certificate from now on."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*pair)
        self.context = context

    def serve(self, peer):
        try:
            with self.context.wrap_socket(peer, server_side=True) as front, \
                    socket.create_connection(("127.0.0.1", self.port_behind)) as behind:
                self.pass_on(front, behind)
        except OSError:
            pass

    @staticmethod
    def pass_on(front, behind):
        while True:
            ready = [front] if front.pending() else select.select([front, behind], [], [])[0]
            for one in ready:
                data = one.recv(65536)
                if not data:
                    return
                (behind if one is front else front).sendall(data)


class Plain(Server):
    """Answers whatever comes with a plain HTTP error, as most do."""

    def serve(self, peer):
        with peer:
            peer.recv(65536)
            peer.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
