#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""lessor events --follow with a real lessord that is killed in the middle: it says all, once."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import PATIENCE, Broker, cli_body, need, until  # noqa: E402
from sse import Stream  # noqa: E402


class Following:
    """The program, and the lines that it has printed so far."""

    def __init__(self, env, *words):
        self.process = subprocess.Popen(
            [need("LESSOR"), "events", *words, "--follow", "--json"], env=env, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.lines = []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append(json.loads(line))

    def finish(self):
        """Its exit code and standard error, once it has ended."""
        code = self.process.wait(PATIENCE)
        self.reader.join(PATIENCE)
        error = self.process.stderr.read()
        self.close()
        return code, error

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.reader.join(PATIENCE)
        self.process.stdout.close()
        self.process.stderr.close()


class Killed(unittest.TestCase):
    KILLS = 4

    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="event-follow-")
        self.addCleanup(shutil.rmtree, self.home)
        # An address that stays the same.
        self.broker = Broker(server="listen = unix:%s/socket" % self.home)
        self.addCleanup(self.broker.close)

    def follow(self, token, *words):
        following = Following({"HOME": self.home, "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8",
                               "LESSOR_URL": "unix:%s/socket" % self.home, "LESSOR_TOKEN": token},
                              *words)
        self.addCleanup(following.close)
        return following

    def create(self, token=None):
        made = self.broker.ask("POST", "/v1/leases", token or self.broker.alice, cli_body())
        self.assertEqual(made.status, 201, made)
        return made.lease["id"]

    def release(self, lease, token=None):
        return self.broker.ask("POST", "/v1/leases/%s/release" % lease, token or self.broker.alice,
                               {"delete": True})

    def restart(self):
        self.broker.kill()
        self.broker.start()

    def load(self, over):
        while not over.is_set():
            try:
                self.release(self.create())
            except (OSError, ValueError, http.client.HTTPException, AssertionError):
                over.wait(0.05)     # it was killed

    def kill_under_load(self, following):
        over = threading.Event()
        loads = [threading.Thread(target=self.load, args=(over,)) for _ in range(3)]
        for one in loads:
            one.start()
        try:
            for _ in range(self.KILLS):
                have = len(following.lines)
                until(lambda have=have: len(following.lines) > have + 20)
                self.restart()
        finally:
            over.set()
            for one in loads:
                one.join(PATIENCE)

    def test_all_leases(self):
        following = self.follow(self.broker.admin)
        # It says nothing when it begins to hear.
        until(lambda: self.release(self.create()) and following.lines)
        self.kill_under_load(following)
        marker = self.create(self.broker.bob)
        everything = Stream(self.broker.port, self.broker.admin, query="?after=0")
        self.addCleanup(everything.close)
        self.assertEqual(everything.next()[0], "hello")
        want = everything.until(lambda e: e["leaseID"] == marker)
        until(lambda: want[-1] in following.lines)
        following.process.send_signal(signal.SIGINT)
        code, error = following.finish()
        self.assertEqual((code, error), (130, ""))
        got = following.lines[:following.lines.index(want[-1]) + 1]
        self.assertEqual(got, want[len(want) - len(got):])
        print("%d events over %d restarts" % (len(got), self.KILLS))

    def test_one_lease(self):
        lease = self.create()
        following = self.follow(self.broker.alice, lease)
        until(lambda: following.lines)
        self.restart()
        self.assertEqual(self.release(self.create(self.broker.bob), self.broker.bob).status, 200)
        self.assertEqual(self.release(lease).status, 200)
        self.restart()
        code, error = following.finish()
        self.assertEqual((code, error), (0, ""))
        timeline = self.broker.ask("GET", "/v1/leases/%s/events?limit=500" % lease,
                                   self.broker.alice).json["events"]
        self.assertEqual([{k: e[k] for k in ("seq", "at", "type", "message")}
                          for e in following.lines], timeline)
        self.assertEqual({e["leaseID"] for e in following.lines}, {lease})
        self.assertIn("lease.cleaned", {e["type"] for e in timeline})


if __name__ == "__main__":
    unittest.main()
