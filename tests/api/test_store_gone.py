#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The database is taken away from under a running lessord, and from beside its log: no lease is
acknowledged that would be lost, and what is left is not overwritten."""

import os
import shutil
import unittest

from harness import PATIENCE, Broker, cli_body, until


class Desk(Broker):
    def close(self):
        """One that has ended by itself was meant to."""
        has_ended = self.process.poll() is not None
        try:
            super().close()
        except AssertionError:
            if not has_ended:
                raise


class StoreGone(unittest.TestCase):
    def desk(self):
        desk = Desk()
        self.addCleanup(desk.close)
        self.store = desk.home + "/store"
        return desk

    def create(self, desk):
        lease = desk.ask("POST", "/v1/leases", desk.alice, cli_body())
        self.assertEqual(lease.status, 201, lease)
        return lease.lease["id"]

    def ends_by_itself(self, desk):
        """At the engine's next iteration, which is never more than a second away."""
        self.assertEqual(desk.process.wait(PATIENCE), 1)
        self.assertIn("removed or replaced", desk.log())

    def starts_not(self, desk):
        with self.assertRaisesRegex(RuntimeError, "before it was ready: 4"):
            desk.start()

    def test_d1_removed(self):
        desk = self.desk()
        self.create(desk)
        os.unlink(self.store)
        self.ends_by_itself(desk)
        # D2: the log is all that is left of the lease.
        log = os.stat(self.store + "-wal")
        self.assertGreater(log.st_size, 0)
        self.starts_not(desk)
        self.assertFalse(os.path.exists(self.store))
        self.assertEqual(os.stat(self.store + "-wal").st_size, log.st_size)

    def test_d1_moved_and_put_back(self):
        desk = self.desk()
        lease = self.create(desk)
        os.rename(self.store, self.store + ".away")
        self.ends_by_itself(desk)
        os.rename(self.store + ".away", self.store)
        desk.start()
        self.assertEqual(desk.ask("GET", "/v1/leases/" + lease, desk.alice).status, 200)

    def test_d1_replaced(self):
        desk = self.desk()
        self.create(desk)
        shutil.copy(self.store, self.store + ".copy")
        os.rename(self.store + ".copy", self.store)
        self.ends_by_itself(desk)

    def test_d1_an_idle_daemon_notices_too(self):
        desk = self.desk()
        self.create(desk)
        until(lambda: desk.ask("GET", "/v1/health").status == 200)
        os.unlink(self.store + "-shm")
        self.ends_by_itself(desk)


if __name__ == "__main__":
    unittest.main()
