#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""lessord migrate: a broker's file moves to PostgreSQL with a machine that is leased, a token, the
run history and the identity, and goes on there; nobody uses the file again."""

import signal
import subprocess
import unittest

from harness import BrokerCase, cluster, need


class Migration(BrokerCase):
    @classmethod
    def setUpClass(cls):
        # Skipped before a broker runs.
        cls.database = cluster().database()
        super().setUpClass()

    def setUp(self):
        self.store = self.broker.home + "/store"
        self.conf = self.broker.home + "/conf"

    def lessord(self, *words, code=0):
        """What it said; its streams are joined."""
        done = subprocess.run([need("LESSORD"), *words], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False, timeout=120)
        self.assertEqual(done.returncode, code, done.stdout)
        return done.stdout

    def migrate(self, *words, source=None, code=0):
        return self.lessord("migrate", "--from", source or "sqlite:" + self.store, *words,
                            code=code)

    def mistakes(self):
        said = self.migrate("--to", "postgresql://u:sesame@127.0.0.1/db", code=2)
        self.assertIn("--to must not contain a password", said)
        self.assertNotIn("sesame", said)
        self.migrate("--to", self.database, source="sqlite:store", code=2)
        self.assertIn("migrate needs --from", self.lessord("migrate", code=2))
        said = self.migrate("--config", self.conf, code=2)
        self.assertIn("has no PostgreSQL database to move to", said)
        said = self.migrate("--to", self.database, source="sqlite:/nowhere/store", code=8)
        self.assertIn("/nowhere/store does not exist", said)

    def configure(self):
        """The same configuration with the database."""
        self.broker.edit("store = %s\n" % self.store, "")
        with open(self.conf, encoding="ascii") as file:
            text = file.read()
        with open(self.conf, "w", encoding="ascii") as file:
            file.write("[store]\nurl = %s\nstate_dir = %s\n\n%s" % (
                self.database, self.broker.home, text))

    def test_a_broker_moves(self):
        lease = self.create()
        run = self.ask("POST", "/v1/runs", self.broker.alice,
                       {"leaseID": lease["id"], "command": ["true"]}).json["run"]
        said = self.migrate("--to", self.database, code=5)
        self.assertIn("another lessord (pid %d)" % self.broker.process.pid, said)
        self.broker.kill(signal.SIGTERM)
        self.mistakes()

        said = self.migrate("--to", self.database)
        self.assertIn(": 1 leases, 1 runs, ", said)
        self.assertIn(self.store + " is no longer used", said)
        self.assertIn("was moved to", self.lessord("--config", self.conf, code=4))
        self.assertIn("was moved to", self.lessord("token", "list", "--config", self.conf, code=4))
        self.assertIn("was moved to", self.migrate("--to", cluster().database(), code=4))
        self.assertIn("nothing was done", self.migrate("--to", self.database))
        # It is the record of what was there.
        self.lessord("backup", self.broker.home + "/copy", "--config", self.conf)

        self.configure()
        self.assertIn("alice@example.com", self.lessord("token", "list", "--config", self.conf))
        self.assertIn("nothing was done", self.migrate("--config", self.conf))
        self.broker.start()
        moved = self.ask("GET", "/v1/leases/" + lease["id"], self.broker.alice).lease
        for name in ("id", "slug", "state", "host", "createdAt", "expiresAt"):
            self.assertEqual(moved[name], lease[name], name)
        self.assertEqual(self.ask("GET", "/v1/runs/" + run["id"], self.broker.alice).status, 200)
        self.assertEqual(self.ask("POST", "/v1/leases/%s/heartbeat" % lease["id"],
                                  self.broker.alice, {}).status, 200)
        self.release(moved)
        self.assertEqual(self.broker.servers(), [])


if __name__ == "__main__":
    unittest.main()
