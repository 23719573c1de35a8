#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""lessord backup: a pair of copies that is complete, checked and private, and replaces an earlier
one as a whole or not at all, whatever the daemon is doing meanwhile."""

import os
import resource
import shutil
import signal
import sqlite3
import stat
import subprocess
import tempfile
import threading
import unittest

from harness import Broker, BrokerCase, cli_body, need, until


def rows(path, query="SELECT count(*) FROM lease"):
    """Reads a copy without leaving files beside it."""
    store = sqlite3.connect("file:%s?immutable=1" % path, uri=True)
    try:
        return store.execute(query).fetchone()[0]
    finally:
        store.close()


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


class Backups(BrokerCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="lessor-backup-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.file = self.folder + "/lessor.db"
        self.runs = self.folder + "/lessor-runs.db"

    def backup(self, *words, code=0, **options):
        """Returns what it said; its streams are joined."""
        done = subprocess.run([need("LESSORD"), "backup", *words, "--config",
                               self.broker.home + "/conf"], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False, timeout=60,
                              **options)
        self.assertEqual(done.returncode, code, done.stdout)
        return done.stdout

    def refused(self, target, why, code=2):
        said = self.backup(target, code=code)
        self.assertIn("no backup was made: ", said)
        self.assertRegex(said, why)
        self.assertEqual(said.count("\n"), 1, said)

    def content(self, folder=None):
        """Every name in a folder, with type, size and time of change."""
        folder = folder or self.folder
        found = {}
        for name in os.listdir(folder):
            st = os.lstat(os.path.join(folder, name))
            found[name] = (st.st_mode, st.st_ino, st.st_size, st.st_mtime_ns)
        return found

    def run_of(self, lease):
        answer = self.ask("POST", "/v1/runs", self.broker.alice,
                          {"leaseID": lease["id"], "provider": "hetzner", "class": "beast",
                           "serverType": "ccx63", "command": ["true"]})
        self.assertEqual(answer.status // 100, 2, answer)

    def test_postgresql_has_tools_of_its_own(self):
        conf = self.folder + "/conf"
        with open(conf, "w", encoding="ascii") as file:
            file.write("[store]\nurl = postgresql://me@192.0.2.1/leases\n"
                       "[account a]\nprovider = hetzner\nlocations = fsn1\n")
        os.chmod(conf, 0o644)
        done = subprocess.run([need("LESSORD"), "backup", self.file, "--config", conf],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False, timeout=60)
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertIn("postgresql://me@192.0.2.1/leases is a PostgreSQL database", done.stdout)
        self.assertIn("pg_basebackup", done.stdout)
        self.assertEqual(self.content(), {"conf": self.content()["conf"]})

    def test_u13_the_pair_of_a_running_daemon(self):
        lease = self.create()
        self.run_of(lease)
        before = set(os.listdir(self.broker.home))
        said = self.backup(self.file, preexec_fn=lambda: os.umask(0))
        self.assertIn(self.file + ": database of instance ", said)
        self.assertIn(self.runs + ": its run history", said)
        self.assertEqual(set(os.listdir(self.folder)), {"lessor.db", "lessor-runs.db"})
        self.assertEqual(set(os.listdir(self.broker.home)), before)
        self.assertEqual((mode(self.file), mode(self.runs)), (0o600, 0o600))
        self.assertEqual(rows(self.file, "SELECT count(*) FROM lease WHERE id = '%s'" %
                              lease["id"]), 1)
        self.assertGreaterEqual(rows(self.runs, "SELECT count(*) FROM run"), 1)
        # It replaces its own backup, and names without an end have theirs.
        self.backup(self.file)
        self.backup(os.path.relpath(self.folder + "/plain", "/"), cwd="/")
        self.assertEqual(set(os.listdir(self.folder)),
                         {"lessor.db", "lessor-runs.db", "plain", "plain-runs"})

    def test_c6_what_was_acknowledged_is_in_it(self):
        """A copy of the live file alone misses what is only in its log."""
        stop = threading.Event()
        made = []

        def create():
            while not stop.is_set():
                made.append(self.create()["id"])
        worker = threading.Thread(target=create)
        worker.start()
        try:
            for _ in range(3):
                count = len(made)
                until(lambda have=count: len(made) > have)
                known = list(made)
                self.backup(self.file)
                for lease in known:
                    self.assertEqual(rows(self.file, "SELECT count(*) FROM lease WHERE id = '%s'" %
                                          lease), 1)
                self.assertEqual(rows(self.file, "PRAGMA integrity_check"), "ok")
        finally:
            stop.set()
            worker.join()

    def test_u13_what_must_not_be_overwritten(self):
        store = self.broker.home + "/store"
        for name in ("", "-wal", "-shm", ".lock", "-journal", ".new", "-runs", "-runs-wal"):
            self.refused(store + name, "a file of the database itself")
        os.link(store, self.folder + "/link")
        self.refused(self.folder + "/link", "a file of the database itself")
        os.unlink(self.folder + "/link")
        for name, text in (("text", "no database"), ("short", "x"),
                           ("other", "SQLite format 3\0" + "x" * 100)):
            with open(self.folder + "/" + name, "w", encoding="ascii") as file:
                file.write(text)
            self.refused(self.folder + "/" + name, "exists and is not a backup")
        # The name of the run history counts as well.
        os.rename(self.folder + "/text", self.folder + "/plain-runs")
        self.refused(self.folder + "/plain", "plain-runs exists and is not a backup of .* history")
        os.symlink(self.folder + "/nowhere", self.folder + "/symbolic")
        self.refused(self.folder + "/symbolic", "symbolic link")
        os.mkfifo(self.folder + "/pipe")
        self.refused(self.folder + "/pipe", "not a regular file")
        self.refused(self.folder, "is a directory; name a file in it")
        self.refused(self.folder + "/", "is a directory; name a file in it")
        self.refused(self.folder + "/none/x", "cannot create a file in .*/none", code=1)
        self.refused(self.folder + "/" + "x" * 250, "longer than")
        self.refused("/proc/lessor.db", "cannot create a file in /proc", code=1)
        with open(self.folder + "/used-wal", "wb") as file:
            file.write(b"log")
        self.refused(self.folder + "/used", "is a database in use or was not closed")
        self.assertEqual(set(os.listdir(self.folder)),
                         {"short", "other", "plain-runs", "symbolic", "pipe", "used-wal"})
        # An empty file holds nothing.
        with open(self.file, "wb"):
            pass
        self.backup(self.file)

    def test_u13_the_backup_of_another_instance_is_kept(self):
        """After a loss of the database, a timer would replace the only record of its machines."""
        self.backup(self.file)
        subprocess.run([need("LESSORD"), "token", "add", "--owner", "x", "--store",
                        self.folder + "/other.db"], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        before = self.content()
        done = subprocess.run([need("LESSORD"), "backup", self.file, "--store",
                               self.folder + "/other.db"], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertIn("database of another lessord (instance ", done.stdout)
        self.assertEqual(self.content(), before)

    def test_u13_a_backup_that_fails_keeps_the_previous_one(self):
        self.backup(self.file)
        before = self.content()
        small = (os.stat(self.file).st_size // 2, ) * 2
        said = self.backup(self.file, code=1, preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_FSIZE, small))
        self.assertIn("File too large", said)
        self.assertEqual(self.content(), before)
        # What a killed backup left is replaced; what is not one is not.
        with open(self.file + ".new", "wb") as file:
            file.write(b"half")
        self.backup(self.file)
        os.symlink(self.file, self.runs + ".new")
        self.refused(self.file, "cannot replace .*lessor-runs.db.new", code=1)
        self.assertEqual(set(os.listdir(self.folder)),
                         {"lessor.db", "lessor-runs.db", "lessor-runs.db.new"})

    def test_u13_the_command_line(self):
        for words in ((), (self.file, "more"), (self.file, "--owner", "x")):
            self.backup(*words, code=2)
        done = subprocess.run([need("LESSORD"), "backup", self.file, "--store", "relative"],
                              stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual((done.returncode, "absolute path" in done.stderr), (2, True))
        done = subprocess.run([need("LESSORD"), "backup", self.file, "--store",
                               self.folder + "/none"], stderr=subprocess.PIPE, text=True,
                              check=False)
        self.assertEqual(done.returncode, 8)
        self.assertIn("no store here", done.stderr)
        self.assertEqual(os.listdir(self.folder), [])


class Stopped(unittest.TestCase):
    def setUp(self):
        self.broker = Broker()
        self.addCleanup(self.broker.close)
        self.folder = tempfile.mkdtemp(prefix="lessor-backup-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.file = self.folder + "/lessor.db"

    def backup(self, code=0):
        done = subprocess.run([need("LESSORD"), "backup", self.file, "--config",
                               self.broker.home + "/conf"], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False, timeout=60)
        self.assertEqual(done.returncode, code, done.stdout)
        return done.stdout

    def create(self):
        answer = self.broker.ask("POST", "/v1/leases", self.broker.alice, cli_body())
        self.assertEqual(answer.status, 201, answer)
        return answer.lease

    def test_u13_of_a_daemon_that_is_stopped_or_dead(self):
        lease = self.create()
        for number in (signal.SIGTERM, signal.SIGKILL):
            self.broker.kill(number)
            before = set(os.listdir(self.broker.home))
            self.backup()
            self.assertEqual(rows(self.file), 1)
            # A log that is left keeps what is in it.
            self.assertLessEqual(set(os.listdir(self.broker.home)),
                                 before | {"store-shm", "store-runs-shm"})
            self.broker.start()
        self.assertEqual(self.broker.ask("GET", "/v1/leases/" + lease["id"],
                                         self.broker.alice).lease["state"], "active")

    def test_u13_restored(self):
        """As the manual says: over the file, without its log; nothing is left behind."""
        lease = self.create()
        self.backup()
        self.broker.kill(signal.SIGTERM)
        for name in ("store-wal", "store-shm", "store-runs-wal", "store-runs-shm"):
            if os.path.exists(self.broker.home + "/" + name):
                os.unlink(self.broker.home + "/" + name)
        shutil.copyfile(self.file, self.broker.home + "/store")
        shutil.copyfile(self.folder + "/lessor-runs.db", self.broker.home + "/store-runs")
        self.broker.start()
        self.assertEqual(self.broker.metric("lessor_runs_available"), 1)
        path = "/v1/leases/" + lease["id"]
        self.assertEqual(self.broker.ask("GET", path, self.broker.alice).lease["state"], "active")
        # Nothing has happened since the backup that the account's counter would show.
        account = self.broker.ask("GET", "/v1/providers", self.broker.admin).json["providers"][0]
        self.assertFalse(account["fenced"])

    def test_u13_a_damaged_source_replaces_nothing(self):
        self.create()
        # What a daemon notes when it stops is in it, too.
        self.broker.kill(signal.SIGTERM)
        self.backup()
        with open(self.file, "rb") as file:
            good = file.read()
        for name, said in (("store", "no backup was made: .*damaged"),
                           ("store-runs", "the database is backed up, but not its run history")):
            path = self.broker.home + "/" + name
            with open(path, "r+b") as file:
                whole = file.read()
                file.seek(4096)
                file.write(b"\xff" * (len(whole) - 4096))
            self.assertRegex(self.backup(code=4), said)
            with open(path, "wb") as file:
                file.write(whole)
            with open(self.file, "rb") as file:
                self.assertEqual(file.read(), good)
            self.assertEqual(set(os.listdir(self.folder)), {"lessor.db", "lessor-runs.db"})
        self.broker.start()

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_u13_by_root_of_the_daemons_database(self):
        """Root may write where only root may, and leaves nothing of its own beside the database."""
        home = tempfile.mkdtemp(prefix="lessor-owner-")
        self.addCleanup(shutil.rmtree, home)
        subprocess.run([need("LESSORD"), "token", "add", "--owner", "x", "--store",
                        home + "/store"], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        for name in (home, *(os.path.join(home, n) for n in os.listdir(home))):
            os.chown(name, 65534, 65534)
        theirs = home + "/copies"
        os.mkdir(theirs, 0o700)
        os.chown(theirs, 65534, 65534)
        # Someone has it open, so that it has a log.
        busy = sqlite3.connect(home + "/store")
        self.addCleanup(busy.close)
        busy.execute("SELECT count(*) FROM lease").fetchone()
        for target, owner in ((self.file, 0), (theirs + "/lessor.db", 65534)):
            for _ in range(2):
                done = subprocess.run([need("LESSORD"), "backup", target, "--store",
                                       home + "/store"], stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, text=True, check=False)
                self.assertEqual(done.returncode, 0, done.stdout)
            self.assertEqual((os.stat(target).st_uid, mode(target)), (owner, 0o600))
        for name in os.listdir(home):
            self.assertEqual(os.stat(os.path.join(home, name)).st_uid, 65534, name)


if __name__ == "__main__":
    need("LESSORD")
    unittest.main()
