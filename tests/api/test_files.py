# SPDX-License-Identifier: MIT
"""Every file and variable in which a secret, a key, a certificate or a configuration comes in,
in the forms that editors, shells and mistakes give it; and outputs that nobody reads."""

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

from certificates import Authority
from harness import PATIENCE, Broker, cli_body, need, new_key

MARK = b"\xef\xbb\xbf"
LARGE = b"#" * (10 << 20)
UTF16 = "is not UTF-8 but UTF-16 text; save it as UTF-8"


class Case(unittest.TestCase):
    """One broker with a pool and a Hetzner account, whose files are spoilt and mended."""

    @classmethod
    def setUpClass(cls):
        cls.home = tempfile.mkdtemp(prefix="lessor-files-")
        os.mkdir(cls.home + "/state", 0o700)
        authority = Authority(cls.home + "/ca")
        certificate, key = authority.issue("server")
        cls.files = {name: cls.home + "/" + name for name in
                     ("inventory", "ca_file", "tls_certificate", "tls_key")}
        shutil.copy(authority.file, cls.files["ca_file"])
        shutil.copy(certificate, cls.files["tls_certificate"])
        shutil.copy(key, cls.files["tls_key"])
        os.chmod(cls.files["tls_key"], 0o600)
        cls.write(cls.files["inventory"], json.dumps({"hosts": [
            {"name": "a1", "address": "192.0.2.1", "types": ["small"]}]}).encode("ascii"))
        cls.broker = Broker(accounts="""ca_file = {0}/ca_file

[account pool]
provider = static
locations = rack1
inventory = {0}/inventory
state = {0}/state
""".format(cls.home), server="listen = unix:{0}/socket".format(cls.home))
        cls.broker.edit("[limits]", "tls_certificate = {0}/tls_certificate\n"
                        "tls_key = {0}/tls_key\n\n[limits]".format(cls.home))
        cls.files["token_file"] = cls.broker.home + "/token"
        cls.files["configuration"] = cls.broker.home + "/conf"

    @classmethod
    def tearDownClass(cls):
        cls.broker.close()
        shutil.rmtree(cls.home)

    @staticmethod
    def write(path, content, mode=0o600):
        with open(path, "wb") as file:
            file.write(content)
        os.chmod(path, mode)
        return path

    @staticmethod
    def read(path):
        with open(path, "rb") as file:
            return file.read()

    def daemon(self, *words, code):
        done = subprocess.run([self.broker.lessord, *words, "--config",
                               self.broker.home + "/conf"], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False, timeout=PATIENCE)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stderr

    def client(self, *words, code=0, **env):
        done = subprocess.run([need("LESSOR"), *words], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False, timeout=PATIENCE,
                              env={"HOME": self.home, "PATH": os.environ["PATH"],
                                   "LESSOR_URL": "http://127.0.0.1:%d" % self.broker.port,
                                   "LESSOR_TOKEN": self.broker.alice, **env})
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        self.assertNotIn(self.broker.alice, done.stderr)
        return done.stdout + done.stderr


class Spoilt:
    """A file in another form for a while; `make(path)` makes it."""

    def __init__(self, path, make):
        self.path, self.make = path, make

    def __enter__(self):
        os.rename(self.path, self.path + ".good")
        self.make(self.path)

    def __exit__(self, *args):
        if os.path.isdir(self.path):
            os.rmdir(self.path)
        elif os.path.lexists(self.path):
            os.unlink(self.path)
        os.rename(self.path + ".good", self.path)


class Daemon(Case):
    def good_forms(self, content):
        return {
            "mark": MARK + content,
            "crlf": content.replace(b"\n", b"\r\n").rstrip(b"\r\n") + b"\r\n",
            "mark and crlf": MARK + content.rstrip(b"\n") + b"\r\n",
            "no line end": content.rstrip(b"\n"),
            "more line ends": content + b"\n\n",
        }

    def bad_forms(self, content):
        wide = content.decode("ascii").encode("utf-16")
        return {
            "missing": (lambda path: None, "No such file or directory"),
            "empty": (lambda path: self.write(path, b""), None),
            "folder": (os.mkdir, "regular file"),
            "pipe": (os.mkfifo, "regular file"),
            "device": (lambda path: os.symlink("/dev/null", path), None),
            "wide": (lambda path: self.write(path, wide), "UTF-16"),
            "nul": (lambda path: self.write(path, content[:9] + b"\0" + content[9:]), None),
            "large": (lambda path: self.write(path, LARGE), None),
        }

    def test_f1_f2_forms_that_are_taken(self):
        self.daemon("--check-config", code=0)
        for name, path in self.files.items():
            for form, content in self.good_forms(self.read(path)).items():
                with self.subTest(name=name, form=form):
                    with Spoilt(path, lambda at, content=content: self.write(at, content)):
                        self.daemon("--check-config", code=0)

    def test_files_that_are_refused(self):
        """One sentence each, which names the file; and none hangs."""
        for name, path in self.files.items():
            for form, (make, said) in self.bad_forms(self.read(path)).items():
                with self.subTest(name=name, form=form):
                    with Spoilt(path, make):
                        error = self.daemon("--check-config",
                                            code=3 if name == "inventory" else 2)
                    self.assertIn(path, error)
                    self.assertEqual(error.count("\n"), 1, error)
                    if said:
                        self.assertIn(said, error)

    def test_d12_symbolic_links(self):
        """Certificates are renewed through links; a token is not read through one."""
        for name, path in self.files.items():
            with self.subTest(name=name):
                with Spoilt(path, lambda at: os.symlink(at + ".good", at)):
                    error = self.daemon("--check-config", code=2 if name == "token_file" else 0)
                self.assertEqual("symbolic link, which is not followed" in error,
                                 name == "token_file", error)

    @unittest.skipIf(os.geteuid() == 0, "root may read everything")
    def test_files_that_cannot_be_read(self):
        for name, path in self.files.items():
            with self.subTest(name=name):
                os.chmod(path, 0)
                error = self.daemon("--check-config", code=3 if name == "inventory" else 2)
                os.chmod(path, 0o600)
                self.assertIn("Permission denied", error)


class Client(Case):
    def ways(self):
        """(what, words, environment) that name a file, and what stands in it."""
        path = self.home + "/named"
        token, key = self.broker.alice.encode("ascii"), new_key().encode("ascii") + b" \xe2\x9a\x93"
        ca = self.read(self.files["ca_file"])
        create = ("create", "--account", "nope", "--ssh-key", path)
        return (
            ("--token-file", ("whoami", "--token-file", path), {}, token, 0),
            ("LESSOR_TOKEN_FILE", ("whoami",),
             {"LESSOR_TOKEN": "", "LESSOR_TOKEN_FILE": path}, token, 0),
            ("--config", ("whoami", "--config", path), {}, b"account = hetzner\n", 0),
            ("--ca-file", ("whoami", "--ca-file", path), {}, ca, 0),
            # The account is refused by lessord, after the key was read.
            ("--ssh-key", create, {}, key, 4),
        )

    def test_f2_forms_that_are_taken(self):
        path = self.home + "/named"
        for what, words, env, content, code in self.ways():
            forms = [content, MARK + content, content + b"\r\n", content + b"\n\n",
                     content.replace(b"\n", b"\r\n")]
            if what not in ("--config", "--ca-file"):
                forms += [b"\n\r\n" + content + b" \t", MARK + b" " + content]
            for form in forms:
                with self.subTest(what=what, form=form[:20], end=form[-4:]):
                    self.write(path, form)
                    self.client(*words, code=code, **env)
            with self.subTest(what=what, form="link"):
                self.write(path + ".real", content)
                os.unlink(path)
                os.symlink(path + ".real", path)
                self.client(*words, code=code, **env)
                os.unlink(path)
            with self.subTest(what=what, form="pipe"):
                if what == "--ca-file":
                    continue
                os.mkfifo(path)
                writer = threading.Thread(target=self.write, args=(path, content))
                writer.start()
                self.client(*words, code=code, **env)
                writer.join(PATIENCE)
                os.unlink(path)

    def test_files_that_are_refused(self):
        path = self.home + "/named"
        for what, words, env, content, _ in self.ways():
            bad = {
                "missing": (lambda at: None, "No such file or directory"),
                "folder": (os.mkdir, "is not a regular file but a directory"),
                "device": (lambda at: os.symlink("/dev/null", at),
                           "is not a regular file but a device"),
                "pipe": (os.mkfifo, "a pipe"),
                "wide": (lambda at: self.write(at, "key".encode("utf-16")), UTF16),
                "nul": (lambda at: self.write(at, content[:9] + b"\0" + content[9:]), None),
                "large": (lambda at: self.write(at, LARGE), "bytes"),
            }
            if what != "--config":
                bad["empty"] = (lambda at: self.write(at, b" \r\n"), None)
            for form, (make, said) in bad.items():
                with self.subTest(what=what, form=form):
                    self.write(path, b"")
                    with Spoilt(path, make):
                        error = self.client(*words, code=2, **env)
                    self.assertIn(path, error)
                    self.assertEqual(error.count("\n"), 1, error)
                    if said:
                        self.assertIn(said, error)

    def test_f2_variables(self):
        url = "http://127.0.0.1:%d" % self.broker.port
        for before, after in (("", "\n"), ("", "\r\n"), (" \t", " "), ("\ufeff", ""),
                              ("\ufeff ", "\n\n")):
            with self.subTest(before=before, after=after):
                self.client("whoami", LESSOR_URL=before + url + after,
                            LESSOR_TOKEN=before + self.broker.alice + after)
                self.client("whoami", "--url", before + url + after, LESSOR_URL="")
                self.client("whoami", LESSOR_URL="", LESSOR_TOKEN="",
                            CRABBOX_COORDINATOR=before + url + after,
                            CRABBOX_COORDINATOR_TOKEN=before + self.broker.alice + after)

    def test_f3_f4_the_key_in_a_request(self):
        key = new_key()
        for before, after in (("\ufeff", ""), ("", "\r\n"), ("\t ", "\n\n"), ("", " \u2693 anchor"),
                              ("\ufeff\n", " x\r\n")):
            with self.subTest(before=before, after=after):
                body = cli_body(sshPublicKey=before + key + after)
                answer = self.broker.ask("POST", "/v1/leases", self.broker.alice, body)
                self.assertEqual(answer.status, 201, answer)
                self.broker.ask("POST", "/v1/leases/%s/release" % body["leaseID"],
                                self.broker.alice, {"delete": True})
        wide = base64.b64encode(b"x" * 40).decode("ascii")
        for wrong in ("", "\0" + key, key[:20] + "\0" + key[20:], "ssh-ed25519 " + wide):
            answer = self.broker.ask("POST", "/v1/leases", self.broker.alice,
                                     cli_body(sshPublicKey=wrong))
            self.assertEqual(answer.status, 400, answer)


class Output(Case):
    """F7: a reader that leaves early is no error; output that is lost is one."""

    def run_to(self, out, program, *words):
        return subprocess.run([program, *words], stdout=out, stderr=subprocess.PIPE, text=True,
                              stdin=subprocess.DEVNULL, check=False, timeout=PATIENCE,
                              env={"HOME": self.home, "PATH": os.environ["PATH"],
                                   "LESSOR_URL": "http://127.0.0.1:%d" % self.broker.port,
                                   "LESSOR_TOKEN": self.broker.admin})

    def programs(self, lease):
        conf = ("--config", self.broker.home + "/conf")
        lessord, lessor = self.broker.lessord, need("LESSOR")
        for words in (("--help",), ("--version",), ("--owed", *conf), ("--check-config", *conf),
                      ("--dump-config", *conf), ("--dump-provider", "hetzner", *conf),
                      ("token", "list", *conf)):
            yield lessord, words
        for words in (("--help",), ("list",), ("list", "--json"), ("show", lease["id"]),
                      ("events", lease["id"]), ("events", lease["id"], "--follow"), ("usage",),
                      ("providers",), ("whoami",)):
            yield lessor, words

    def test_f7_who_reads_and_who_does_not(self):
        answer = self.broker.ask("POST", "/v1/leases", self.broker.alice, cli_body())
        self.assertEqual(answer.status, 201, answer)
        self.addCleanup(self.broker.ask, "POST", "/v1/leases/%s/release" % answer.lease["id"],
                        self.broker.alice, {"delete": True})
        for program, words in self.programs(answer.lease):
            with self.subTest(words=words):
                reader, writer = os.pipe()
                os.close(reader)
                done = self.run_to(writer, program, *words)
                os.close(writer)
                self.assertEqual(done.stderr, "")
                self.assertEqual(done.returncode, 7 if words[0] == "--owed" else 0)
                if "--follow" in words:
                    continue
                with open("/dev/full", "wb") as full:
                    done = self.run_to(full, program, *words)
                self.assertIn("cannot write to standard output", done.stderr)
                self.assertEqual(done.returncode, 1)

    def test_f7_a_token_that_nobody_reads_is_named(self):
        words = ("token", "add", "--owner", "x", "--config", self.broker.home + "/conf")
        reader, writer = os.pipe()
        os.close(reader)
        done = self.run_to(writer, self.broker.lessord, *words)
        os.close(writer)
        self.assertIn("cannot print the token; revoke it: lessord token revoke ", done.stderr)
        self.assertEqual(done.returncode, 1)


if __name__ == "__main__":
    if not shutil.which("openssl"):
        print("SKIPPED: openssl is missing")
        sys.exit(77)
    unittest.main()
