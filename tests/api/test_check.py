#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""lessord check says what a database offers, and what to do about what it does not."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import postgres  # noqa: E402
from certificates import Authority  # noqa: E402
from harness import BrokerCase, need, until  # noqa: E402

ACCOUNT = "[account a]\nprovider = hetzner\nlocations = fsn1\n"


def check(conf):
    """Its exit status, and what it says: {topic: (grade, sentence)}; None: something else."""
    done = subprocess.run([need("LESSORD"), "check", "--config", conf], check=False, text=True,
                          timeout=60, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    found = {None: done.stdout}
    for line in done.stdout.splitlines():
        grade, _, rest = line.partition(" ")
        if grade in ("ok", "note", "wrong"):
            topic, _, sentence = rest.strip().partition(": ")
            found[topic] = (grade, sentence)
    return done.returncode, found


class File(BrokerCase):
    def conf(self, store):
        path = tempfile.mkstemp()[1]
        self.addCleanup(os.unlink, path)
        with open(path, "w", encoding="ascii") as file:
            file.write("[server]\nstore = %s\n%s" % (store, ACCOUNT))
        return path

    def test_a_database_in_use(self):
        self.create()
        before = set(os.listdir(self.broker.home))
        code, found = check(self.broker.home + "/conf")
        self.assertEqual(code, 0, found)
        self.assertEqual((found["file"][0], found["content"][0]), ("ok", "ok"))
        self.assertIn("/store: usable\n", found[None])
        self.assertEqual(set(os.listdir(self.broker.home)), before)

    def test_none(self):
        code, found = check(self.conf("/nonexistent/lessor.db"))
        self.assertEqual(code, 8, found)

    def test_a_damaged_one(self):
        home = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, home)
        path = home + "/lessor.db"
        with open(path, "wb") as file:
            file.write(b"no database")
        os.chmod(path, 0o600)
        code, found = check(self.conf(path))
        self.assertEqual(code, 4, found)
        self.assertIn("is damaged or not a database", found[None])


@unittest.skipIf(not os.environ.get("LESSOR_MODULES"), "built without PostgreSQL")
@unittest.skipIf(postgres.missing(), postgres.missing())
class PostgreSQL(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = tempfile.mkdtemp(prefix="lessor-check-")
        cls.cluster = postgres.Cluster()

    @classmethod
    def tearDownClass(cls):
        cls.cluster.close()
        shutil.rmtree(cls.home)

    def check(self, url, more="", code=0, state_dir=None):
        path = self.home + "/conf"
        if state_dir is None:
            more = "state_dir = %s\n%s" % (self.home, more)
        with open(path, "w", encoding="ascii") as file:
            file.write("[store]\nurl = %s\n%s%s" % (url, more, ACCOUNT))
        done, found = check(path)
        self.assertEqual(done, code, found)
        return found

    def says(self, found, topic, grade, *words):
        self.assertEqual(found[topic][0], grade, found)
        for word in words:
            self.assertIn(word, found[topic][1])

    def test_a_new_database(self):
        url = self.cluster.database()
        found = self.check(url)
        self.says(found, "version", "ok", "PostgreSQL ")
        self.says(found, "primary", "ok")
        self.says(found, "clock", "ok")
        self.says(found, "encryption", "ok", "local")
        self.says(found, "privileges", "ok", "role lessor")
        self.says(found, "connections", "ok", "7 connections")
        self.says(found, "promotion", "ok", "100 ms")
        self.says(found, "schema", "note", "no tables yet")
        self.says(found, "standby", "note", "lost in a fail-over")
        self.assertIn(": usable; read the notes\n", found[None])
        # With that promise to keep, the same is wrong.
        found = self.check(url, "require_sync = yes\n", code=4)
        self.says(found, "standby", "wrong", "require_sync = yes")

    def test_what_is_wrong_with_a_role(self):
        url = self.cluster.database()
        name = url.rsplit("/", 1)[1]
        primary = self.cluster.primary
        primary.sql("ALTER ROLE lessor IN DATABASE %s SET statement_timeout = '3s'" % name)
        primary.sql("ALTER DATABASE %s OWNER TO postgres" % name)
        primary.sql("REVOKE CREATE ON SCHEMA public FROM PUBLIC", name)
        found = self.check(url, code=4)
        self.says(found, "timeouts", "wrong", "statement_timeout is 3s",
                  'ALTER ROLE "lessor" SET statement_timeout = 0')
        self.says(found, "privileges", "wrong", "may not create tables")
        self.assertIn("not usable", found[None])

    def test_a_database_of_something_else(self):
        url = self.cluster.database()
        name = url.rsplit("/", 1)[1]
        primary = self.cluster.primary
        primary.sql("CREATE TABLE lease(n int); CREATE TABLE t(n int)", name)
        found = self.check(url, code=4)
        self.says(found, "schema", "wrong", "a table 'lease' that is not lessord's")
        done = subprocess.run([need("LESSORD"), "token", "add", "--owner", "me", "--config",
                               self.home + "/conf"], check=False, text=True, timeout=60,
                              stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 4, done)
        self.assertIn("a table 'lease' that is not lessord's", done.stderr)
        # One that is in nobody's way may stay.
        primary.sql("DROP TABLE lease", name)
        self.says(self.check(url), "schema", "note", "no tables yet")
        # lessord's own tables, of a version with which this one cannot work.
        primary.sql("CREATE TABLE lessor_schema(number bigint, oldest bigint);"
                    "GRANT SELECT ON lessor_schema TO lessor;"
                    "INSERT INTO lessor_schema VALUES(99, 15)", name)
        self.says(self.check(url), "schema", "ok")
        primary.sql("UPDATE lessor_schema SET oldest = 98", name)
        self.says(self.check(url, code=4), "schema", "wrong", "newer lessord (schema 99")

    def test_what_limits_a_role(self):
        url = self.cluster.database()
        name = url.rsplit("/", 1)[1]
        primary = self.cluster.primary
        primary.sql("ALTER DATABASE %s CONNECTION LIMIT 6" % name)
        self.says(self.check(url, code=4), "connections", "wrong",
                  "the database allows 6 connections", "raise its CONNECTION LIMIT")
        primary.sql("ALTER DATABASE %s CONNECTION LIMIT 7" % name)
        self.says(self.check(url), "connections", "note", "1 of the database's 7 connections")
        primary.sql("ALTER DATABASE %s CONNECTION LIMIT -1" % name)
        primary.sql("ALTER ROLE lessor IN DATABASE %s SET default_transaction_read_only = on"
                    % name)
        self.says(self.check(url, code=4), "primary", "wrong", "read-only",
                  'ALTER ROLE "lessor" SET default_transaction_read_only = off')

    def test_a_directory_that_does_not_exist(self):
        url = self.cluster.database()
        found = self.check(url, "state_dir = /nonexistent\n", code=4, state_dir="own")
        self.says(found, "state_dir", "wrong", "/nonexistent cannot be used: No such file")
        self.says(self.check(url), "state_dir", "ok")

    def test_a_url_that_libpq_refuses(self):
        for url in ("postgresql://me@h/x?sslmod=require", "postgresql://me@h/x%zz"):
            found = self.check(url, code=2)
            self.assertIn("the URL of the database is not valid", found[None])
            self.assertNotIn("zz", found[None])
            for words in (["--check-config"], ["token", "list"], []):
                done = subprocess.run([need("LESSORD"), *words, "--config", self.home + "/conf"],
                                      check=False, text=True, timeout=60,
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT)
                self.assertEqual(done.returncode, 2, done)
                self.assertIn("the URL of the database is not valid", done.stdout)

    def test_no_tables(self):
        self.check(self.cluster.database())
        done = subprocess.run([need("LESSORD"), "--owed", "--config", self.home + "/conf"],
                              check=False, text=True, timeout=60, stdin=subprocess.DEVNULL,
                              stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 8, done)
        self.assertIn("check [store] in the configuration", done.stderr)

    def test_the_other_daemons_certificates(self):
        url, server = self.cluster.database(), "[server]\npeer_ca_file = %s\n"
        found = self.check(url, server % "/nonexistent/ca.pem", code=4)
        self.says(found, "peers", "wrong", "peer_ca_file /nonexistent/ca.pem")
        self.assertIn("not usable", found[None])
        # So does the check of the configuration, and a start.
        for words, code in (["--check-config"], 2), ([], 1):
            done = subprocess.run([need("LESSORD"), *words, "--config", self.home + "/conf"],
                                  check=False, text=True, timeout=60, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.assertEqual(done.returncode, code, done)
            self.assertIn("peer_ca_file /nonexistent/ca.pem", done.stdout)
        if not shutil.which("openssl"):
            self.skipTest("openssl is missing")
        ca = Authority(self.home + "/ca")
        self.says(self.check(url, server % ca.file), "peers", "ok", ca.file)

    def test_a_pair(self):
        cluster = postgres.Cluster()
        self.addCleanup(cluster.close)
        cluster.pair()
        url = cluster.database()
        # The role may not see it.
        self.says(self.check(url), "standby", "note", "GRANT pg_monitor")
        cluster.primary.sql("GRANT pg_monitor TO lessor")
        self.says(self.check(url, "require_sync = yes\n"), "standby", "note",
                  "1 synchronous standby; while none answers, every change waits")
        name = url.rsplit("/", 1)[1]
        # It has the commit, and shows it when it has applied it.
        until(lambda: cluster.standby.sql(
            "SELECT count(*) FROM pg_database WHERE datname = '%s'" % name) == "1")
        standby = cluster.standby.url(name)
        found = self.check(standby, code=4)
        self.says(found, "primary", "wrong", "is a standby")
        # Of all servers, it finds the one that takes changes.
        both = "postgresql://lessor@127.0.0.1:%d,127.0.0.1:%d/%s" % (
            cluster.standby.port, cluster.primary.port, name)
        self.says(self.check(both), "primary", "ok")

    def test_no_server(self):
        found = self.check("postgresql://me@127.0.0.1:1/x", code=4)
        self.assertIn("no connection to the database", found[None])
        self.assertEqual(found[None].count("\n"), 1)


if __name__ == "__main__":
    need("LESSORD")
    unittest.main()
