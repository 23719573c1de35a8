#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The name of the database's host cannot be looked up: the resolver hangs, for minutes as far as
lessord knows. It goes on answering what needs no database, refuses the rest at once, ends when it is
told to, and reads again as soon as the resolver answers."""

import fcntl
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import postgres  # noqa: E402
from harness import Broker, cli_body, need, skip, until  # noqa: E402

RESOLVER = os.environ.get("LESSOR_RESOLVER", "")
# What the loop thread may take for one answer; a machine with other work needs some of it.
PROMPT = 2


class Named(Broker):
    """With a database whose host is a name, which a gate keeps from being looked up."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.url = cluster.database()
        self.gate = open(cluster.home + "/gate", "wb")  # pylint: disable=consider-using-with
        super().__init__(server="drain = 1s")

    def store(self):
        return {"file": "", "store": "[store]\nurl = %s\nstate_dir = %s\n" % (
            self.url.replace("127.0.0.1", "database.test"), self.home)}

    def start(self):
        before = dict(os.environ)
        os.environ.update(LD_PRELOAD=RESOLVER, RESOLVER_GATE=self.gate.name)
        try:
            super().start()
        finally:
            os.environ.clear()
            os.environ.update(before)

    def token(self, owner, org, role):
        before = dict(os.environ)
        os.environ.update(LD_PRELOAD=RESOLVER)
        try:
            return super().token(owner, org, role)
        finally:
            os.environ.clear()
            os.environ.update(before)

    def shut(self):
        fcntl.flock(self.gate, fcntl.LOCK_EX)

    def open(self):
        fcntl.flock(self.gate, fcntl.LOCK_UN)

    def lookups(self):
        """How many there were."""
        return os.path.getsize(self.gate.name)

    def close(self):
        self.open()
        try:
            super().close()
        finally:
            self.gate.close()


class Hangs(unittest.TestCase):
    def setUp(self):
        self.cluster = postgres.Cluster()
        self.addCleanup(self.cluster.close)
        self.desk = Named(self.cluster)
        self.addCleanup(self.desk.close)
        created = self.desk.ask("POST", "/v1/leases", self.desk.alice, cli_body())
        self.assertEqual(created.status, 201, created)
        self.lease = "/v1/leases/" + created.lease["id"]

    def prompt(self, method, path, token=None):
        begun = time.monotonic()
        answer = self.desk.ask(method, path, token)
        self.assertLess(time.monotonic() - begun, PROMPT, (method, path, answer))
        return answer

    def cut_off(self):
        """All sessions end, and nobody can look the name up again."""
        self.desk.shut()
        before = self.desk.lookups()
        self.cluster.primary.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                                 " WHERE usename = 'lessor'")
        until(lambda: self.prompt("GET", self.lease, self.desk.alice).status == 503)
        until(lambda: self.desk.lookups() > before)

    def test_the_loop_thread_goes_on(self):
        self.cut_off()
        for _ in range(50):
            self.assertEqual(self.prompt("GET", "/v1/health").status, 200)
            self.assertEqual(self.prompt("GET", self.lease, self.desk.alice).status, 503)
        until(lambda: "of its host is still being looked up" in self.desk.log(),
              why=self.desk.log)
        self.desk.open()
        until(lambda: self.prompt("GET", self.lease, self.desk.alice).status == 200,
              why=self.desk.log)
        until(lambda: self.desk.ask("POST", self.lease + "/release", self.desk.alice,
                                    {"delete": True}).status == 200, why=self.desk.log)

    def test_it_ends_when_it_is_told_to(self):
        self.cut_off()
        # What is left undone is done by the next process.
        self.desk.process.terminate()
        self.assertIn(self.desk.process.wait(30), (0, 1))
        self.desk.open()
        self.desk.start()
        self.assertEqual(self.desk.ask("GET", self.lease, self.desk.alice).status, 200)


if __name__ == "__main__":
    need("LESSORD")
    if not RESOLVER:
        skip("the programs are built with a sanitizer, which must be loaded first")
    if postgres.missing():
        skip(postgres.missing())
    unittest.main()
