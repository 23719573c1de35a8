# SPDX-License-Identifier: MIT
"""Whom the daemon and its command line trust: private CAs, and what a failure says."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

from certificates import Authority, Front, Plain, openssl
from harness import PATIENCE, Broker, cli_body, need, until

UNKNOWN = "is not signed by a CA in "


class Certificates:
    """Made once for all tests of this file."""

    def __init__(self):
        self.home = tempfile.mkdtemp(prefix="lessor-tls-")
        self.ours = Authority(self.home + "/ours")
        self.other = Authority(self.home + "/other")
        self.good = self.ours.issue("good")
        # What a server presents, and what both sides say about it when they trust `ours`.
        self.bad = {
            "expired": (self.ours.issue("expired", end="20210101000000Z"), "has expired"),
            "future": (self.ours.issue("future", start="20900101000000Z"), "is not valid yet"),
            "wrong host": (self.ours.issue("away", "DNS:away.example"), "is for other names"),
            "self-signed": ((self.other.file, self.other.key), "is self-signed and not in "),
            "other CA": (self.other.issue("good"), UNKNOWN),
        }

    def write(self, name, content):
        path = self.home + "/" + name
        with open(path, "wb") as file:
            file.write(content)
        os.chmod(path, 0o600)
        return path

    @staticmethod
    def read(path):
        with open(path, "rb") as file:
            return file.read()


def setUpModule():
    global made
    made = Certificates()
    for name in ("CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        os.environ.pop(name, None)


def tearDownModule():
    shutil.rmtree(made.home)


def wrong_files():
    """(name, path, what is said about it) of files that are no CA."""
    pem, der = made.read(made.ours.file), made.home + "/der"
    openssl("x509", "-in", made.ours.file, "-outform", "der", "-out", der)
    return (
        ("missing", made.home + "/missing", "No such file"),
        ("empty", made.write("empty", b""), "is empty"),
        ("blank", made.write("blank", b" \r\n"), "is empty"),
        ("key", made.ours.key, "contains no certificate, only a private key"),
        ("request", made.ours.home + "/good.csr", "only a certificate request"),
        ("text", made.write("text", b"hello\n"), "contains no certificate in PEM form"),
        ("der", der, "is in DER form, not in PEM; convert it"),
        ("damaged", made.write("damaged", pem.replace(b"M", b"N", 9)), "certificate 1 in"),
        ("cut", made.write("cut", pem + pem[:100]), "certificate 2 in"),
        ("wide", made.write("wide", pem.decode("ascii").encode("utf-16")), "UTF-16"),
        ("large", made.write("large", b"#" * (10 << 20)), "has more than 4194304 bytes"),
        ("folder", made.home, "is not a regular file but a directory"),
        ("device", "/dev/null", "is not a regular file but a device"),
    )


class Secured(Broker):
    """The simulated cloud behind TLS. `ca_file` of the account, or None; `env` of the daemon."""

    def __init__(self, ca_file=None, env=None, **options):
        self.ca_file, self.env, self.front = ca_file, env or {}, None
        super().__init__(**options)

    def start(self):
        if not self.front:
            self.front = Front(self.sim_port, made.good)
            self.edit("endpoint = http://127.0.0.1:%d" % self.sim_port,
                      "endpoint = https://127.0.0.1:%d" % self.front.port)
            if self.ca_file:
                self.edit("[account hetzner]", "[account hetzner]\nca_file = " + self.ca_file)
        old = dict(os.environ)
        os.environ.update(self.env)
        try:
            super().start()
        finally:
            os.environ.clear()
            os.environ.update(old)

    def close(self):
        self.front.close()
        super().close()

    def name(self, ca_file):
        """Names another CA file, or none."""
        line = "[account hetzner]\nca_file = %s\n"
        self.edit(line % self.ca_file if self.ca_file else "[account hetzner]\n",
                  line % ca_file if ca_file else "[account hetzner]\n")
        self.ca_file = ca_file

    def check(self, code, **env):
        done = subprocess.run([self.lessord, "--check-config", "--config", self.home + "/conf"],
                              capture_output=True, text=True, check=False, timeout=PATIENCE,
                              env=dict(os.environ, **env))
        if done.returncode != code:
            raise AssertionError("exit %d: %s" % (done.returncode, done.stderr))
        return done.stderr

    def reload(self):
        """Returns what the log says about it."""
        at = len(self.log())
        self.process.send_signal(signal.SIGHUP)
        until(lambda: re.search("configuration reloaded|nothing was changed", self.log()[at:]))
        return self.log()[at:]


class Case(unittest.TestCase):
    def broker(self, **options):
        broker = Secured(**options)
        self.addCleanup(broker.close)
        return broker

    def live(self, broker):
        """A whole life: reads, a create and a delete go through."""
        answer = broker.ask("POST", "/v1/leases", broker.alice, cli_body())
        self.assertEqual((answer.status, answer.lease["state"]), (201, "active"), answer)
        answer = broker.ask("POST", "/v1/leases/%s/release" % answer.lease["id"], broker.alice,
                            {"delete": True})
        self.assertEqual(answer.lease["cleanup"]["state"], "done", answer)

    def says(self, broker, text, at=0):
        until(lambda: text in broker.log()[at:], why=lambda: "%r not in %s" % (
            text, broker.log()[at:]))


class Daemon(Case):
    def test_f5_ca_file_of_an_account(self):
        broker = self.broker(ca_file=made.ours.file, create_wait="1s")
        self.live(broker)
        for name, (pair, said) in made.bad.items():
            with self.subTest(name=name):
                at = len(broker.log())
                broker.front.use(pair)
                lease = broker.ask("POST", "/v1/leases", broker.alice, cli_body()).lease
                self.assertEqual(lease["state"], "provisioning")
                self.says(broker, "warning the certificate of 127.0.0.1", at)
                self.says(broker, said, at)
                if said.endswith("in "):
                    self.says(broker, said + "ca_file " + made.ours.file, at)
                    self.says(broker, "set ca_file of the account", at)
                # One warning, however often it is tried.
                self.assertEqual(broker.log()[at:].count(" warning "), 1, broker.log()[at:])
                broker.front.use(made.good)
                broker.ask("POST", "/v1/leases/%s/release" % lease["id"], broker.alice,
                           {"delete": True})
                until(lambda: broker.ask("GET", "/v1/leases/" + lease["id"], broker.alice)
                      .lease["cleanup"]["state"] == "done")
        self.assertEqual(broker.servers(), [])

    def test_f5_plain_http_and_tls_mixed_up(self):
        broker = self.broker(ca_file=made.ours.file, create_wait="1s")
        broker.kill(signal.SIGTERM)
        plain = Plain()
        self.addCleanup(plain.close)
        broker.edit("https://127.0.0.1:%d" % broker.front.port,
                    "https://127.0.0.1:%d" % plain.port)
        broker.start()
        self.says(broker, "warning cannot connect to 127.0.0.1: it speaks plain http there")

    def test_f5_the_environment(self):
        """curl's order: CURL_CA_BUNDLE, SSL_CERT_FILE with SSL_CERT_DIR; a ca_file comes first."""
        ours, other = made.ours.file, made.other.file
        hashed = made.home + "/hashed"
        os.makedirs(hashed)
        shutil.copy(ours, hashed + "/ours.pem")
        openssl("rehash", hashed)
        good = (
            {"env": {"CURL_CA_BUNDLE": ours, "SSL_CERT_FILE": other}},
            {"env": {"SSL_CERT_FILE": ours}},
            {"env": {"SSL_CERT_DIR": hashed, "SSL_CERT_FILE": other}},
            {"env": {"CURL_CA_BUNDLE": made.home + "/missing"}, "ca_file": ours},
        )
        for options in good:
            with self.subTest(options=options):
                self.live(self.broker(**options))
        bad = (
            ({}, "the system's certificate store"),
            ({"env": {"CURL_CA_BUNDLE": other, "SSL_CERT_FILE": ours}}, "CURL_CA_BUNDLE " + other),
        )
        for options, place in bad:
            with self.subTest(options=options):
                self.says(self.broker(**options), UNKNOWN + place)

    def test_f5_files_that_are_no_ca(self):
        broker = self.broker(ca_file=made.ours.file)
        for name, path, said in wrong_files():
            with self.subTest(name=name):
                broker.name(path)
                errors = (broker.check(2), broker.reload())
                broker.name(None)
                errors += (broker.check(2, CURL_CA_BUNDLE=path),
                           broker.check(2, SSL_CERT_FILE=path))
                for error in errors:
                    self.assertIn(said, error)
                self.assertIn("[account hetzner]: ", errors[0])
                self.assertIn("ca_file " + path[:20], errors[0].replace("cannot open ", ""))
                self.assertIn("CURL_CA_BUNDLE " + path[:20], errors[2])
        broker.name(made.ours.file)
        broker.check(0)
        os.chmod(made.ours.file, 0o646)
        self.assertIn("is writable by other users", broker.check(2))
        os.chmod(made.ours.file, 0o644)
        self.live(broker)

    def test_f5_a_pipe_as_ca_file(self):
        broker = self.broker(ca_file=made.ours.file)
        os.mkfifo(made.home + "/pipe")
        broker.name(made.home + "/pipe")
        self.assertIn("is not a regular file but a pipe", broker.check(2))

    def test_f5_forms_that_are_taken(self):
        pem = made.read(made.ours.file)
        forms = {
            "another": made.read(made.other.file),
            "mark": b"\xef\xbb\xbf" + pem,
            "crlf": pem.replace(b"\n", b"\r\n"),
            "text": b"# our CA\n\n" + pem + b"\n\t\n",
            "several": made.read(made.other.file) + pem,
            "cut-newline": pem.rstrip(b"\n"),
        }
        path = made.write("form", pem)
        broker = self.broker(ca_file=path, create_wait="15s")
        link = made.home + "/link"
        os.symlink(path, link)
        for name, content in forms.items():
            with self.subTest(name=name):
                # A reload reads the file again.
                made.write("form", content)
                self.assertIn("reloaded", broker.reload())
                if name == "another":
                    at = len(broker.log())
                    lease = broker.ask("POST", "/v1/leases", broker.alice, cli_body()).lease
                    self.says(broker, UNKNOWN + "ca_file " + path, at)
                    broker.ask("POST", "/v1/leases/%s/release" % lease["id"], broker.alice,
                               {"delete": True})
                else:
                    self.live(broker)
        broker.name(link)
        self.assertNotIn("restart", broker.reload())
        self.live(broker)

    def test_f5_d13_a_ca_that_is_not_valid_yet_is_a_warning(self):
        young = Authority(made.home + "/young", start="20900101000000Z")
        broker = self.broker(ca_file=made.ours.file)
        broker.name(young.file)
        self.assertIn("certificate 1 in it is not valid before 2090-01-01T00:00:00Z",
                      broker.check(0))

    def test_f5_d13_a_ca_that_ends_is_a_warning(self):
        old = Authority(made.home + "/old", end="20210101000000Z")
        broker = self.broker(ca_file=made.ours.file)
        self.assertEqual(broker.check(0), "")
        broker.name(old.file)
        said = "certificate 1 in it expired on 2021-01-01T00:00:00Z"
        self.assertIn("warning: ca_file %s: %s" % (old.file, said), broker.check(0))
        self.assertIn("warning ca_file: " + said, broker.reload())


class Client(Case):
    """lessor and lessord."""

    @classmethod
    def setUpClass(cls):
        cls.server = Broker(server="")
        cls.server.kill(signal.SIGTERM)
        cls.server.edit("listen = 127.0.0.1:0",
                        "listen = 127.0.0.1:0\ntls_certificate = %s\ntls_key = %s" % made.good)
        cls.server.start()
        cls.front = Front(cls.server.port, made.good)

    @classmethod
    def tearDownClass(cls):
        cls.front.close()
        cls.server.close()

    def run_cli(self, *words, port=None, conf="", scheme="https", **env):
        with open(self.server.home + "/client.conf", "w", encoding="ascii") as file:
            file.write("url = %s://127.0.0.1:%d\n%s" % (scheme, port or self.server.port, conf))
        done = subprocess.run([need("LESSOR"), "whoami", "--config",
                               self.server.home + "/client.conf", *words],
                              capture_output=True, text=True, check=False, timeout=PATIENCE,
                              env={"PATH": os.environ["PATH"], "HOME": self.server.home,
                                   "LESSOR_TOKEN": self.server.alice, **env})
        self.assertNotIn(self.server.alice, done.stderr)
        return done.returncode, done.stdout + done.stderr

    def test_f5_where_a_ca_is_named(self):
        ours, other = made.ours.file, made.other.file
        good = (
            ((), {"conf": "ca_file = " + ours}),
            ((), {"conf": "ca_file = ../..%s\n" % ours}),
            ((), {"LESSOR_CA_FILE": ours + "\r\n", "conf": "ca_file = /missing"}),
            (("--ca-file", ours), {"LESSOR_CA_FILE": "/missing"}),
            ((), {"CURL_CA_BUNDLE": ours, "SSL_CERT_FILE": other}),
            ((), {"SSL_CERT_FILE": ours}),
            ((), {"CURL_CA_BUNDLE": "/missing", "conf": "ca_file = " + ours}),
        )
        for words, more in good:
            with self.subTest(words=words, more=more):
                self.assertEqual(self.run_cli(*words, **more)[0], 0, self.run_cli(*words, **more))
        bad = (
            ((), {}, "the system's certificate store"),
            ((), {"SSL_CERT_FILE": other}, "SSL_CERT_FILE " + other),
            ((), {"conf": "ca_file = " + other, "CURL_CA_BUNDLE": ours}, "ca_file " + other),
            (("--ca-file", other), {"LESSOR_CA_FILE": ours}, "--ca-file " + other),
        )
        for words, more, place in bad:
            with self.subTest(words=words, more=more):
                code, said = self.run_cli(*words, **more)
                self.assertEqual(code, 7, said)
                self.assertIn(UNKNOWN + place, said)
                self.assertIn("ca_file in lessor.conf, LESSOR_CA_FILE or --ca-file", said)

    def test_f5_certificates_that_are_refused(self):
        for name, (pair, said) in made.bad.items():
            with self.subTest(name=name):
                self.front.use(pair)
                code, out = self.run_cli(port=self.front.port, CURL_CA_BUNDLE=made.ours.file)
                self.assertEqual(code, 7, out)
                self.assertIn("the certificate of https://127.0.0.1:%d" % self.front.port, out)
                self.assertIn(said, out)
        self.front.use(made.good)

    def test_f5_files_that_are_no_ca(self):
        for name, path, said in wrong_files():
            for words, more, place in (
                    (("--ca-file", path), {}, "--ca-file"),
                    ((), {"LESSOR_CA_FILE": path}, "LESSOR_CA_FILE"),
                    ((), {"conf": "ca_file = " + path}, "ca_file"),
                    ((), {"CURL_CA_BUNDLE": path}, "CURL_CA_BUNDLE"),
                    ((), {"SSL_CERT_FILE": path}, "SSL_CERT_FILE")):
                with self.subTest(name=name, place=place):
                    code, out = self.run_cli(*words, **more)
                    self.assertEqual(code, 2, out)
                    self.assertIn(said, out)
                    self.assertIn(place, out)
        # A URL that needs no CA is not held up by curl's variables.
        self.assertIn("speaks TLS", self.run_cli(scheme="http", CURL_CA_BUNDLE="/missing")[1])

    def test_f8_http_and_https_mixed_up(self):
        code, out = self.run_cli(scheme="http")
        self.assertEqual(code, 4, out)
        self.assertIn("This port speaks TLS; use an https:// URL", out)
        plain = Plain()
        self.addCleanup(plain.close)
        code, out = self.run_cli(port=plain.port, CURL_CA_BUNDLE=made.ours.file)
        self.assertEqual(code, 7, out)
        self.assertIn("it speaks plain http there; set", out)
        # A server that only closes the connection.
        code, out = self.run_cli(port=self.front.port, scheme="http")
        self.assertEqual(code, 7, out)
        self.assertIn("https:// URL", out)
        # From a client that knows nothing of either.
        for scrap in (b"GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\n", b"POST / HTTP/1.0\r\n"):
            with socket.create_connection(("127.0.0.1", self.server.port), PATIENCE) as peer:
                peer.sendall(scrap)
                said = b""
                while True:
                    more = peer.recv(4096)
                    if not more:
                        break
                    said += more
            self.assertTrue(said.startswith(b"HTTP/1.1 400 "), said)
            self.assertIn(b'"error":"tls_required"', said)


if __name__ == "__main__":
    if not shutil.which("openssl"):
        print("SKIPPED: openssl is missing")
        sys.exit(77)
    unittest.main()
