#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""D4: another process holds the write lock of the database or of the run history, as a database
shell does that has begun a transaction: reads are answered, changes wait and are then answered
503, nothing ends, and everything continues by itself."""

import os
import sqlite3
import threading
import time
import unittest

from harness import BrokerCase, cli_body, until


class Lock(BrokerCase):
    options = {"create_wait": "20s", "server": "drain = 2s"}

    def setUp(self):
        self.runs = self.broker.home + "/store-runs"

    def hold(self, path):
        """Takes the write lock; returns how to give it back."""
        shell = sqlite3.connect(path, isolation_level=None)
        shell.execute("begin immediate")
        self.addCleanup(shell.close)
        return lambda: shell.execute("rollback")

    def in_background(self, what):
        """Runs `what` in a thread; returns a function that waits for its result."""
        results = []
        thread = threading.Thread(target=lambda: results.append(what()))
        thread.start()

        def join():
            thread.join()
            return results[0]
        return join

    def said(self, text):
        return self.broker.log().count(text)

    def test_d4_write_lock_held_is_waited_for(self):
        """The change is there as soon as the lock goes, and reads never wait."""
        lease = self.create()
        before = self.said("holds the write lock")
        give_back = self.hold(self.broker.home + "/store")
        release = self.in_background(lambda: self.ask(
            "POST", "/v1/leases/%s/release" % lease["id"], self.broker.alice, {"delete": True}))
        until(lambda: self.said("holds the write lock") > before)
        for path in ("/v1/leases", "/v1/leases/" + lease["id"], "/v1/usage", "/v1/health"):
            self.assertEqual(self.ask("GET", path, self.broker.alice).status, 200, path)
        self.assertEqual(self.broker.metric("lessor_store_state"), 2)
        give_back()
        self.assertEqual(release().status, 200)
        self.assertEqual(self.ask("GET", "/v1/leases/" + lease["id"],
                                  self.broker.alice).lease["state"], "released")
        until(lambda: self.broker.metric("lessor_store_state") == 0)

    def test_d4_after_some_seconds_the_answer_is_503_and_the_daemon_lives(self):
        before = self.said("holds the write lock")
        give_back = self.hold(self.broker.home + "/store")
        began = time.monotonic()
        answers = [self.in_background(lambda: self.ask("POST", "/v1/leases", self.broker.alice,
                                                       cli_body())) for _ in range(5)]
        for answer in answers:
            answer = answer()
            self.error(answer, 503, "store_unavailable")
            self.assertIn("retry-after", answer.headers)
        self.assertGreater(time.monotonic() - began, 2)
        # The command line waits, too, and says why if it is for too long.
        token = self.in_background(lambda: self.broker.token("carol", "acme", "user"))
        self.assertEqual(self.said("holds the write lock"), before + 1)
        give_back()
        self.assertTrue(token().startswith("lsr_"))
        self.release(self.create())
        self.assertIsNone(self.broker.process.poll())

    def test_d4_a_step_that_runs_waits_as_well(self):
        """A machine is being made when the lock is taken: nothing of it is lost."""
        self.broker.fault("s.create", "timing", 1, create_ms=100000)
        create = self.in_background(lambda: self.ask("POST", "/v1/leases", self.broker.alice,
                                                     cli_body()))
        until(lambda: self.broker.servers() or
              self.ask("GET", "/v1/leases", self.broker.alice).json["leases"])
        give_back = self.hold(self.broker.home + "/store")
        until(lambda: self.broker.metric("lessor_store_state") == 2)
        give_back()
        answer = create()
        self.assertEqual(answer.status, 201, answer)
        until(lambda: self.ask("GET", "/v1/leases/" + answer.lease["id"],
                               self.broker.alice).lease["state"] == "active")
        self.release(answer.lease)

    def test_d4_run_history(self):
        give_back = self.hold(self.runs)
        run = self.ask("POST", "/v1/runs", self.broker.alice, {"command": ["true"]})
        self.error(run, 503, "store_unavailable")
        self.assertIn("retry-after", run.headers)
        # Leases do not notice.
        self.release(self.create())
        give_back()
        run = until(lambda: (lambda a: a.status == 201 and a)(
            self.ask("POST", "/v1/runs", self.broker.alice, {"command": ["true"]})))
        self.assertEqual(self.said("cannot store reports about runs"), 1)
        self.assertEqual(self.said("reports about runs are stored again"), 1)

    def test_d4_a_start_waits(self):
        self.broker.kill()
        give_back = self.hold(self.broker.home + "/store")
        old = self.broker.process
        start = self.in_background(self.broker.start)
        until(lambda: self.broker.process is not old and self.opens(self.broker.home + "/store-shm"))
        give_back()
        start()
        self.assertEqual(self.ask("GET", "/v1/health").status, 200)

    def opens(self, path):
        """Has lessord opened the file?"""
        folder = "/proc/%d/fd" % self.broker.process.pid
        try:
            return path in [os.readlink(folder + "/" + fd) for fd in os.listdir(folder)]
        except OSError:
            return False

    def test_failed_reads_are_logged_once_and_counted(self):
        shell = sqlite3.connect(self.broker.home + "/store", isolation_level=None)
        self.addCleanup(shell.close)
        shell.execute("alter table lease rename to away")
        try:
            for _ in range(5):
                answer = self.ask("GET", "/v1/leases", self.broker.alice)
                self.error(answer, 503, "store_unavailable")
                self.assertIn("retry-after", answer.headers)
        finally:
            shell.execute("alter table away rename to lease")
        self.assertEqual(self.ask("GET", "/v1/leases", self.broker.alice).status, 200)
        self.assertEqual(self.said("cannot read the database"), 1)
        self.assertEqual(self.broker.metric("lessor_store_read_errors_total"), 5)

    def test_d4_stopping_does_not_wait_for_ever(self):
        give_back = self.hold(self.broker.home + "/store")
        answer = self.in_background(lambda: self.ask("POST", "/v1/leases", self.broker.alice,
                                                     cli_body()))
        until(lambda: self.broker.metric("lessor_store_state") == 2)
        self.broker.process.terminate()
        self.assertEqual(answer().status, 503)
        # 1: a step had a result that could not be written.
        self.assertIn(self.broker.process.wait(30), (0, 1))
        give_back()
        self.broker.start()


if __name__ == "__main__":
    unittest.main()
