# SPDX-License-Identifier: MIT
"""The throw-away PostgreSQL servers of the tests: they lose nothing that was committed when the
primary dies, leave nothing behind, and let nobody in who could do harm."""

import glob
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

import harness
import postgres
from harness import until

HERE = os.path.dirname(os.path.abspath(__file__))


class Servers(unittest.TestCase):

    def setUp(self):
        self.cluster = postgres.Cluster()
        self.addCleanup(self.cluster.close)
        self.name = self.cluster.database().rsplit("/", 1)[1]

    def sql(self, text):
        return self.cluster.primary.sql(text, self.name)

    def test_a_pair_loses_no_commit(self):
        self.sql("CREATE TABLE t (n int)")
        self.cluster.pair()
        for n in range(3):
            self.sql("INSERT INTO t VALUES (%d)" % n)
            was = self.cluster.primary.name
            self.cluster.fail_over()
            self.assertNotEqual(self.cluster.primary.name, was)
            self.assertEqual(self.sql("SELECT count(*) FROM t"), str(n + 1))
            self.cluster.rebuild()
        self.assertEqual(self.cluster.urls("x"), "postgresql://lessor@127.0.0.1:%d,127.0.0.1:%d/x"
                         "?target_session_attrs=read-write" % (
                             self.cluster.primary.port, self.cluster.standby.port))

    def test_without_its_standby_nothing_is_committed(self):
        self.sql("CREATE TABLE t (n int)")
        self.cluster.pair()
        self.cluster.standby.kill()
        shell = subprocess.Popen(
            [self.cluster.programs + "/psql", "-XAtqc", "INSERT INTO t VALUES (1)", "-h",
             self.cluster.home, "-p", str(self.cluster.primary.port), "-U", "postgres", self.name],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        until(lambda: self.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event = "
                               "'SyncRep'") == "1", why="the commit does not wait")
        self.assertIsNone(shell.poll())
        self.cluster.standby.start()
        self.assertEqual(shell.wait(harness.PATIENCE), 0)

    def test_a_port_that_is_taken(self):
        server = postgres.Server(self.cluster, "three")
        first = server.port
        server.make()
        with socket.create_server(("127.0.0.1", first)):
            server.start()
        self.assertNotEqual(server.port, first)
        self.assertEqual(server.sql("SHOW port"), str(server.port))
        # By now somebody knows it.
        server.stop()
        with socket.create_server(("127.0.0.1", server.port)):
            with self.assertRaisesRegex(postgres.PostgresError, postgres.NO_PORT):
                server.start()
        server.start()

    def test_a_start_after_a_kill(self):
        self.sql("CREATE TABLE t (n int)")
        self.cluster.primary.kill()
        self.assertIsNone(postgres.postmaster(self.cluster.primary.data))
        self.cluster.primary.start()
        self.assertEqual(self.sql("SELECT count(*) FROM t"), "0")
        self.cluster.primary.stop()
        self.cluster.primary.start()

    def psql(self, user, text):
        return subprocess.run(
            [self.cluster.programs + "/psql", "-XAtqc", text, "-h", "127.0.0.1", "-p",
             str(self.cluster.primary.port), "-U", user, self.name], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)

    def test_who_may_connect(self):
        self.assertEqual(self.psql("lessor", "CREATE TABLE t (n int)").returncode, 0)
        self.assertIn("no pg_hba.conf entry", self.psql("postgres", "SELECT 1").stderr)
        self.assertIn("must be superuser",
                      self.psql("lessor", "COPY t FROM PROGRAM 'id'").stderr)
        self.assertEqual(os.stat(self.cluster.home).st_mode & 0o777, 0o700)


class Ends(unittest.TestCase):
    def test_with_the_process_that_started_it(self):
        """However that ends, and with both servers."""
        for number in (None, signal.SIGKILL):
            with self.subTest(number=number):
                process = subprocess.Popen(
                    [sys.executable, "-B", HERE + "/postgres.py", "--pair"],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
                line = process.stdout.readline()
                found = re.fullmatch(r"ready postgresql://lessor@127\.0\.0\.1:(\d+),127\.0\.0\.1:"
                                     r"(\d+)/lessor1\?target_session_attrs=read-write\n", line)
                self.assertTrue(found, line)
                ports = set(found.groups())
                homes = [h for h in glob.glob(tempfile.gettempdir() + "/lessor-pg-*") if self.ports(h) == ports]
                self.assertEqual(len(homes), 1, homes)
                pids = [postgres.postmaster(homes[0] + "/" + name) for name in ("one", "two")]
                self.assertNotIn(None, pids)
                if number:
                    process.send_signal(number)
                process.stdin.close()
                process.wait(harness.PATIENCE)
                process.stdout.close()
                until(lambda h=homes: not os.path.exists(h[0]), why="its files are still there")
                self.assertFalse(any(postgres.alive(pid) for pid in pids))

    def ports(self, home):
        return {name.rsplit(".", 1)[1] for name in os.listdir(home) if re.fullmatch(
            r"\.s\.PGSQL\.\d+", name)} if os.access(home, os.R_OK) else set()


class Lists(unittest.TestCase):
    def test_each_program_is_run_with_postgresql_or_says_why_not(self):
        with open(HERE + "/CMakeLists.txt", encoding="ascii") as file:
            listed = re.search(r"if\(TARGET lessord-postgresql\)\s+foreach\(test ([^)]*)\)",
                               file.read()).group(1).split()
        there = sorted(os.path.basename(p)[5:-3] for p in glob.glob(HERE + "/test_*.py"))
        self.assertEqual(sorted(listed + list(harness.SQLITE_ONLY)), there)


if __name__ == "__main__":
    if postgres.missing():
        harness.skip(postgres.missing())
    unittest.main()
