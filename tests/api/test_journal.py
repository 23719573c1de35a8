#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""lessord's lines in systemd's journal: a real systemd-journald, in a mount namespace of its own."""

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import Broker, skip, until, wait_for  # noqa: E402

JOURNALD = "/lib/systemd/systemd-journald"
SETTINGS = "[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=no\n"


def isolate():
    """Runs this program again where /run is its own, so that the machine's journal sees nothing."""
    if os.environ.get("LESSOR_TEST_JOURNAL"):
        return
    if not os.path.exists(JOURNALD) or not shutil.which("journalctl"):
        skip("systemd-journald is not installed")
    namespace = ["unshare", "--mount", "--propagation", "private"]
    if os.geteuid() != 0:
        namespace += ["--map-root-user"]
    inside = ["sh", "-c", 'mount -t tmpfs tmpfs /run && exec "$@"', "sh"]
    if subprocess.run(namespace + inside + ["true"], check=False,
                      stderr=subprocess.DEVNULL).returncode:
        skip("a mount namespace cannot be made here")
    os.environ["LESSOR_TEST_JOURNAL"] = "1"
    os.execvp("unshare", namespace + inside + [sys.executable, "-B"] + sys.argv)


class Journal:
    def __init__(self):
        os.makedirs("/run/systemd/journal")
        os.makedirs("/run/systemd/journald.conf.d")
        with open("/run/systemd/journald.conf.d/test.conf", "w", encoding="ascii") as file:
            file.write(SETTINGS)
        self.process = subprocess.Popen([JOURNALD], stderr=subprocess.DEVNULL)
        until(lambda: os.path.exists("/run/systemd/journal/stdout"))

    def stream(self, name):
        """A standard error as a service manager makes it, and the environment that goes with it."""
        stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        stream.connect("/run/systemd/journal/stdout")
        # Identifier, unit, level of lines without a prefix, prefixes are read, and no copies.
        stream.sendall(name.encode("ascii") + b"\n\n6\n1\n0\n0\n0\n")
        it = os.fstat(stream.fileno())
        return stream, dict(os.environ, JOURNAL_STREAM="%d:%d" % (it.st_dev, it.st_ino))

    def entries(self, name, *options):
        subprocess.run(["journalctl", "--sync"], check=True)
        said = subprocess.run(["journalctl", "--no-pager", "-o", "json", "-t", name, *options],
                              check=False, stdout=subprocess.PIPE).stdout
        return [json.loads(line) for line in said.splitlines()]

    def wait(self, name, text):
        def found():
            return [e for e in self.entries(name) if text in e["MESSAGE"]]
        return until(found, why=lambda: "no %r in %r" % (text, self.entries(name)))[0]

    def close(self):
        self.process.terminate()
        self.process.wait(30)


class Service(Broker):
    """A broker whose standard error is the journal."""

    def __init__(self, journal, **options):
        self.journal = journal
        super().__init__(**options)

    def start(self):
        path = self.home + "/port"
        stream, environment = self.journal.stream("lessord")
        with open(self.home + "/log", "ab"):
            pass
        with stream:
            self.process = subprocess.Popen(
                [self.lessord, "--config", self.home + "/conf", "--port-file", path],
                stdout=subprocess.DEVNULL, stderr=stream.fileno(), env=environment)
        self.port = wait_for(path, self.process)


class Levels(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.journal = Journal()

    @classmethod
    def tearDownClass(cls):
        cls.journal.close()

    def test_levels(self):
        broker = Service(self.journal)
        self.addCleanup(broker.close)
        ready = self.journal.wait("lessord", "ready")
        self.assertEqual(ready["PRIORITY"], "5")
        # The journal has the time, and took the prefix off.
        self.assertTrue(ready["MESSAGE"].startswith("notice ready "), ready)
        connection = http.client.HTTPConnection("127.0.0.1", broker.port, timeout=60)
        connection.request("GET", "/v1/health", headers={"Host": "foreign.example"})
        self.assertEqual(connection.getresponse().status, 421)
        connection.close()
        warning = self.journal.wait("lessord", "foreign.example")
        self.assertEqual(warning["PRIORITY"], "4")
        self.assertTrue(warning["MESSAGE"].startswith("warning refused a request"), warning)
        # What an operator asks for first.
        shown = [e["MESSAGE"] for e in self.journal.entries("lessord", "-p", "warning")]
        self.assertEqual(shown, [warning["MESSAGE"]])

    def test_early(self):
        """An error before the configuration is known is an error in the journal, too."""
        stream, environment = self.journal.stream("early")
        with stream:
            done = subprocess.run([os.environ["LESSORD"], "--config", "/nonexistent"], check=False,
                                  stderr=stream.fileno(), env=environment)
        self.assertNotEqual(done.returncode, 0)
        said = self.journal.wait("early", "/nonexistent")
        self.assertEqual(said["PRIORITY"], "3")
        self.assertTrue(said["MESSAGE"].startswith("lessord: "), said)

    def test_redirected(self):
        """The variable is inherited by what does not write to the journal."""
        stream, environment = self.journal.stream("elsewhere")
        with stream:
            done = subprocess.run([os.environ["LESSORD"], "--config", "/nonexistent"],
                                  check=False, stderr=subprocess.PIPE, env=environment)
        self.assertTrue(done.stderr.startswith(b"lessord: "), done.stderr)


if __name__ == "__main__":
    isolate()
    unittest.main()
