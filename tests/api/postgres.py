#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Throw-away PostgreSQL servers for tests: one, or a primary with a synchronous standby.

They run the server programs of the newest PostgreSQL that is installed (LESSOR_PG_BIN names
another directory), as user postgres if the test is root, with fsync. Superusers and standbys
connect only through a socket in a private directory; over TCP, on loopback, only the role
`lessor` may connect, which owns its databases and may do nothing else.

Everything ends with the process that started it, however that ends (not with the thread, as
PR_SET_PDEATHSIG would have it): a guard waits for the end of a pipe.

    postgres.py [--pair]     as a program: prints "ready URL" and runs until its stdin ends
"""

import glob
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile

from harness import PATIENCE, until
from ports import free_port

USER = "lessor"
SETTINGS = """\
listen_addresses = '127.0.0.1'
unix_socket_directories = '{home}'
port = {port}
cluster_name = '{name}'
shared_buffers = 16MB
max_connections = 80
wal_level = replica
max_wal_senders = 6
wal_keep_size = 64MB
wal_retrieve_retry_interval = 100ms
wal_receiver_status_interval = 1s
wal_sender_timeout = 5s
wal_receiver_timeout = 5s
log_line_prefix = '%m [%p] %q%a %d '
log_lock_waits = on
"""
ACCESS = """\
local all         postgres      trust
local replication postgres      trust
host  all         {user} 127.0.0.1/32 trust
""".format(user=USER)

PORTS_TRIED = 5
NO_PORT = "could not create any TCP/IP sockets"


class PostgresError(Exception):
    pass


def programs():
    """The directory of the server programs, or None."""
    named = os.environ.get("LESSOR_PG_BIN")
    if named:
        return named if os.path.exists(named + "/initdb") else None
    found = [os.path.dirname(p) for p in glob.glob("/usr/lib/postgresql/*/bin/initdb")]
    found.sort(key=lambda path: [int(n) for n in re.findall(r"\d+", path)])
    if found:
        return found[-1]
    path = shutil.which("initdb")
    return os.path.dirname(path) if path else None


def account():
    """The arguments that make subprocess run a server: it refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def missing():
    """What is missing to run a server, as a text; empty: nothing."""
    if not programs():
        return "no PostgreSQL server programs"
    if os.geteuid() == 0:
        try:
            pwd.getpwnam("postgres")
        except KeyError:
            return "root, and there is no user postgres"
    return ""


def postmaster(data):
    """The pid of the server that runs in a data directory, or None."""
    try:
        with open(data + "/postmaster.pid", encoding="ascii") as file:
            pid = int(file.readline())
        # The file may be a dead server's, and the number another process's by now.
        if os.path.samefile("/proc/%d/cwd" % pid, data):
            return pid
    except (OSError, ValueError):
        pass
    return None


def children(pid):
    found = []
    for path in glob.glob("/proc/%d/task/*/children" % pid):
        try:
            with open(path, encoding="ascii") as file:
                found += [int(n) for n in file.read().split()]
        except OSError:
            pass
    return found


def send(pid, number):
    try:
        os.kill(pid, number)
        return True
    except ProcessLookupError:
        return False


def kill_all(data):
    """kill -9 of a server and of all its processes at once, as when its machine dies."""
    pid = postmaster(data)
    if pid is None:
        return
    # Stopped first, so that it starts no more.
    send(pid, signal.SIGSTOP)
    victims = children(pid)
    for victim in victims + [pid]:
        send(victim, signal.SIGKILL)
    # A reader of what is left must not meet a process that still writes.
    until(lambda: not any(alive(p) for p in victims + [pid]), why="a killed server does not end")


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def guard(home):
    """Waits until the process that made `home` has ended, then removes all of it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.stdin.buffer.read()
    for data in glob.glob(home + "/*/postgresql.conf"):
        kill_all(os.path.dirname(data))
    shutil.rmtree(home, ignore_errors=True)


class Server:
    """One server. `name` also names its data directory, and it to a primary as a standby."""

    def __init__(self, cluster, name):
        self.cluster = cluster
        self.name = name
        self.data = cluster.home + "/" + name
        self.port = free_port()
        self.has_started = False
        self.process = None

    def make(self):
        """A new, empty database system."""
        self.cluster.run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E",
                         "UTF8", "--locale=C", "-N")
        self.write("pg_hba.conf", ACCESS)
        self.configure()

    def copy_of(self, primary):
        """The data of a running primary; starts as its standby."""
        kill_all(self.data)
        shutil.rmtree(self.data, ignore_errors=True)
        self.cluster.run("pg_basebackup", "-D", self.data, "-h", self.cluster.home, "-p",
                         str(primary.port), "-U", "postgres", "-c", "fast", "-X", "stream")
        self.configure()
        self.follow(self.cluster.home, primary.port)
        self.write("standby.signal", "")

    def follow(self, host, port):
        self.append("primary_conninfo = 'host=%s port=%d user=postgres application_name=%s'\n" % (
            host, port, self.name))

    def configure(self):
        self.write("postgresql.conf", SETTINGS.format(home=self.cluster.home, port=self.port,
                                                      name=self.name))
        # It is copied with a primary, and ALTER SYSTEM's values win over the file's.
        self.write("postgresql.auto.conf", "")

    def write(self, name, text):
        """As a whole: a server may look at any moment, and then removes `promote`."""
        path = self.data + "/" + name
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        owner = account()
        if owner:
            os.chown(path + ".new", owner["user"], owner["group"])
        os.rename(path + ".new", path)

    def append(self, text):
        with open(self.data + "/postgresql.conf", "a", encoding="utf-8") as file:
            file.write(text)

    def start(self):
        """Nobody knows the port before the first start, so another one will do as well."""
        for _ in range(PORTS_TRIED):
            said = len(self.log())
            self.launch()
            if self.process.poll() is None:
                self.has_started = True
                return
            if self.has_started or NO_PORT not in self.log()[said:]:
                break
            self.port = free_port()
            self.append("port = %d\n" % self.port)
        raise PostgresError("the server ended: " + self.log()[-2000:])

    def launch(self):
        """Starts it, and returns when it is ready or has ended."""
        # Left behind by a killed server; the next one might take a stranger's pid for it.
        if postmaster(self.data) is None and os.path.exists(self.data + "/postmaster.pid"):
            os.unlink(self.data + "/postmaster.pid")
        with open(self.cluster.home + "/" + self.name + ".log", "ab") as log:
            self.process = subprocess.Popen(
                [self.cluster.programs + "/postgres", "-D", self.data], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True, cwd="/", **account())
        self.until(lambda: self.is_ready() or self.process.poll() is not None, "it is not ready")

    def is_ready(self):
        """As the line says that the server itself writes for pg_ctl."""
        try:
            with open(self.data + "/postmaster.pid", encoding="ascii") as file:
                lines = file.read().split("\n")
            return int(lines[0]) == self.process.pid and lines[7].strip() in ("ready", "standby")
        except (OSError, IndexError, ValueError):
            return False

    def log(self):
        try:
            with open(self.cluster.home + "/" + self.name + ".log", encoding="utf-8",
                      errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def until(self, what, why):
        return until(what, why=lambda: "%s: %s: %s" % (self.name, why, self.log()[-2000:]))

    def kill(self):
        kill_all(self.data)
        if self.process:
            self.process.wait(PATIENCE)

    def stop(self, how=signal.SIGINT):
        """By default "fast": connections are closed and everything is written."""
        self.process.send_signal(how)
        self.process.wait(PATIENCE)

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def set(self, **settings):
        """Settings that a reload changes. On a standby they count once it is promoted."""
        self.append("".join("%s = '%s'\n" % pair for pair in settings.items()))
        self.reload()

    def promote(self):
        """Returns when it takes writes."""
        self.write("promote", "")
        self.process.send_signal(signal.SIGUSR1)
        self.until(lambda: self.sql("SELECT pg_is_in_recovery()") == "f", "it is not promoted")

    def sql(self, text, database="postgres"):
        """As superuser. Rows are lines, columns divided by `|`."""
        return self.cluster.run(
            "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", self.cluster.home, "-p",
            str(self.port), "-U", "postgres", "-d", database, "-c", text).strip()

    def session(self, database):
        """psql with a transaction of its own, by its standard input and output."""
        return subprocess.Popen(
            [self.cluster.programs + "/psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h",
             self.cluster.home, "-p", str(self.port), "-U", "postgres", database],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/",
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"}, **account())

    def database(self, name):
        """A new database of the role lessor; returns its URL."""
        if self.sql("SELECT count(*) FROM pg_roles WHERE rolname = '%s'" % USER) == "0":
            self.sql("CREATE ROLE %s LOGIN" % USER)
        self.sql("CREATE DATABASE %s OWNER %s" % (name, USER))
        return self.url(name)

    def url(self, name):
        return "postgresql://%s@127.0.0.1:%d/%s" % (USER, self.port, name)


class Cluster:
    """One server; with pair() a standby too. close() or the end of this process ends it."""

    def __init__(self):
        reason = missing()
        if reason:
            raise PostgresError(reason)
        self.programs = programs()
        self.home = tempfile.mkdtemp(prefix="lessor-pg-")
        owner = account()
        if owner:
            os.chown(self.home, owner["user"], owner["group"])
        self.guard = subprocess.Popen(
            [sys.executable, "-B", os.path.abspath(__file__), "--guard", self.home],
            stdin=subprocess.PIPE, start_new_session=True)
        self.made = 0
        self.primary = Server(self, "one")
        self.standby = None
        self.primary.make()
        self.primary.start()

    def run(self, program, *words):
        done = subprocess.run(
            [self.programs + "/" + program, *words], stdin=subprocess.DEVNULL, cwd="/",
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE * 2, text=True,
            check=False, env={"PATH": os.environ["PATH"], "LC_ALL": "C", "PGCONNECT_TIMEOUT": "10"},
            **account())
        if done.returncode != 0:
            raise PostgresError("%s: %s" % (program, done.stderr.strip()))
        return done.stdout

    def database(self):
        """A new database on the primary; returns its URL."""
        self.made += 1
        return self.primary.database("lessor%d" % self.made)

    def pair(self):
        """Adds a standby, without which the primary acknowledges no commit from now on."""
        self.standby = Server(self, "two")
        self.rebuild()

    def rebuild(self):
        """Makes the standby anew from the primary and waits until commits are synchronous."""
        self.standby.copy_of(self.primary)
        self.standby.start()
        self.primary.set(synchronous_standby_names="FIRST 1 (%s)" % self.standby.name)
        self.primary.until(self.is_synchronous, "no synchronous standby")

    def is_synchronous(self):
        return self.primary.sql("SELECT count(*) FROM pg_stat_replication "
                                "WHERE sync_state = 'sync'") == "1"

    def fail_over(self):
        """The primary's machine dies, the standby is promoted. rebuild() makes them a pair
        again; until then the new primary waits for nobody, as a cluster manager would have it."""
        self.primary.kill()
        self.standby.promote()
        self.primary, self.standby = self.standby, self.primary

    def urls(self, name):
        """One URL for both; libpq looks for the one that takes writes."""
        hosts = ",".join("127.0.0.1:%d" % s.port for s in (self.primary, self.standby) if s)
        return "postgresql://%s@%s/%s?target_session_attrs=read-write" % (USER, hosts, name)

    def close(self):
        self.guard.stdin.close()
        self.guard.wait(PATIENCE)


def main(words):
    if words[:1] == ["--guard"]:
        guard(words[1])
        return 0
    if words not in ([], ["--pair"]):
        print(__doc__)
        return 2
    reason = missing()
    if reason:
        print("SKIP: " + reason)
        return 77
    cluster = Cluster()
    if words:
        cluster.pair()
    url = cluster.database()
    print("ready " + (cluster.urls(url.rsplit("/", 1)[1]) if words else url), flush=True)
    sys.stdin.buffer.read()
    cluster.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
