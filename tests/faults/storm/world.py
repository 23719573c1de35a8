# SPDX-License-Identifier: MIT
"""The parts of a storm: a simulated cloud, a database, several lessord, and proxies between them.

Every daemon has ways of its own to the cloud and to each of the two database servers, so that
each can be cut off alone, and a wall clock of its own if LESSOR_SKEW names the module of
../../api/skew.c."""

import glob
import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "api"))
import postgres  # noqa: E402
from harness import need, skip, until, wait_for  # noqa: E402
import network  # noqa: E402
from ports import free_port  # noqa: E402
from proxies import Proxies  # noqa: E402

DATABASE = "lessor1"
CLOCKS = os.environ.get("LESSOR_SKEW", "")
if not os.path.exists(CLOCKS):
    CLOCKS = ""
STOP_LIMIT = 90  # seconds; systemd's own
CONFIG = """\
[server]
listen = 127.0.0.1:{port}
{file}
providers = {providers}
create_wait = 2s
release_wait = 500ms
settle = 1s
probe = 1s
log_level = info
{advertise}

{store}
[limits]
max_active = {cap}
max_active_per_owner = {owner_cap}
"""
ACCOUNT = """
[account {name}]
provider = hetzner
locations = fsn1, nbg1
token_file = {home}/{name}
endpoint = http://{host}:{port}/v1
poll = 100ms
"""


class StormError(Exception):
    """The harness itself cannot go on; nothing is said about lessord."""


class Cloud:
    """The simulator, which keeps the truth, and a thread that follows its history."""

    def __init__(self, accounts, home, speed):
        self.tokens = {a: "storm-" + secrets.token_hex(24) for a in accounts}
        words = [w for t in self.tokens.values() for w in ("--token", t)]
        with open(home + "/cloud.log", "wb") as log:
            self.process = subprocess.Popen(
                [need("HETZNER_SIM"), "--listen", "127.0.0.1:0", "--port-file", home + "/cloud.port",
                 "--speed", str(speed), "--rate-limit", "off", "--quota", "servers=10000", *words],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.port = wait_for(home + "/cloud.port", self.process)
        for n, token in enumerate(self.tokens.values()):
            self.sim("POST", "token", {"token": token, "project": n})
        self.foreign = self.strangers(len(self.tokens))
        self.events = []
        self.newest = 0
        self.lock = threading.Lock()
        self.ending = threading.Event()
        self.follower = threading.Thread(target=self.follow, daemon=True)
        self.follower.start()

    def sim(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, "/_sim/" + path, None if body is None else json.dumps(body),
                               {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read()
            if response.status != 200:
                raise StormError("simulator: %s: %d %r" % (path, response.status, text[:300]))
            return json.loads(text)
        finally:
            connection.close()

    def strangers(self, projects):
        """A server and a key of somebody else in each project, labelled as if they were ours."""
        for n in range(projects):
            for kind in ("server", "ssh_key"):
                self.sim("POST", "human", {
                    "verb": "create", "kind": kind, "name": "theirs-%d" % n, "project": n,
                    "labels": {"lessor-lease": "cbx_0123456789ab", "lessor-kind": kind}})
        state = self.sim("GET", "state")
        return {(kind, thing["id"]) for kind, plural in (
            ("server", "servers"), ("ssh_key", "ssh_keys"), ("primary_ip", "primary_ips"))
            for thing in state[plural]}

    def follow(self):
        while not self.ending.wait(0.1):
            self.catch_up()

    def catch_up(self):
        with self.lock:
            self.catch_up_locked()

    def catch_up_locked(self):
        # The history keeps a limited number of events.
        new = self.sim("GET", "history?after=%d" % self.newest)["events"]
        for event in new:
            if event["seq"] != self.newest + 1:
                raise StormError("events are missing after %d" % self.newest)
            self.newest = event["seq"]
            self.events.append(event)

    def finish(self):
        """The final state, and all that happened before."""
        self.ending.set()
        self.follower.join()
        self.catch_up()
        return self.sim("GET", "state")

    def close(self):
        self.ending.set()
        self.process.terminate()
        self.process.wait(30)


class Daemon:
    def __init__(self, world, number):
        self.world = world
        self.name = "d%d" % number
        self.home = world.home + "/" + self.name
        os.mkdir(self.home)
        self.port = free_port()
        self.process = None
        self.lock = threading.Lock()  # of the process
        self.exits = []
        self.leaves = []  # the exit codes of planned stops
        self.is_down = False  # meant to be
        ways = world.proxies
        at = world.lay(self.name + "-cloud")
        self.cloud = at[0], ways.open(self.name + "-cloud", world.cloud.port, at=at)
        at = world.lay(self.name + "-database")
        self.databases, self.hosts = [], []
        for name, server in world.servers():
            self.databases.append("%s-%s" % (self.name, name))
            self.hosts.append("%s:%d" % (at[0], ways.open(self.databases[-1], server.port, True,
                                                          at)))
        self.skew(0)
        self.write()

    def url(self):
        return "postgresql://%s@%s/%s?target_session_attrs=read-write" % (
            postgres.USER, ",".join(self.hosts), DATABASE)

    def skew(self, seconds):
        """Its wall clock is wrong by so much from now on, in one step."""
        self.private("next", "%d\n" % seconds)
        os.rename(self.home + "/next", self.home + "/skew")

    def write(self):
        world = self.world
        shared = world.options.store == "postgresql"
        text = CONFIG.format(
            port=self.port, providers=need("LESSOR_PROVIDERS"), cap=world.options.cap,
            owner_cap=world.options.owner_cap,
            file="" if shared else "store = %s/lessor.db" % self.home,
            advertise="advertise = 127.0.0.1:%d" % self.port if shared else "",
            store="[store]\nurl = %s\nstate_dir = %s\n" % (self.url(), self.home)
            if shared else "")
        for name, token in world.cloud.tokens.items():
            self.private(name, token + "\n")
            text += ACCOUNT.format(name=name, home=self.home, host=self.cloud[0],
                                   port=self.cloud[1])
        self.private("conf", text)

    def private(self, name, text):
        with open(self.home + "/" + name, "w", encoding="ascii",
                  opener=lambda p, f: os.open(p, f, 0o600)) as file:
            file.write(text)

    def start(self):
        with self.lock:
            self.start_locked()

    def start_locked(self):
        there = dict(os.environ, SKEW=self.home + "/skew")
        if CLOCKS:
            there["LD_PRELOAD"] = CLOCKS
        with open(self.home + "/log", "ab") as log:
            self.process = subprocess.Popen(
                [need("LESSORD"), "--config", self.home + "/conf"], env=there,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.is_down = False

    def revive(self):
        """Starts it again if it has ended, as a service manager does."""
        with self.lock:
            code = self.process.poll()
            if code is None or self.is_down:
                return
            self.exits.append(code)
            self.start_locked()

    def signal(self, number):
        if self.process.poll() is None:
            self.process.send_signal(number)

    def kill(self):
        self.is_down = True
        self.signal(signal.SIGKILL)
        self.process.wait(30)

    def leave(self):
        """As a service manager ends it."""
        self.is_down = True
        self.signal(signal.SIGTERM)
        try:
            self.leaves.append(self.process.wait(STOP_LIMIT))
        except subprocess.TimeoutExpired:
            self.leaves.append("longer than %d s" % STOP_LIMIT)
            self.kill()

    def wait_until_up(self):
        def is_up():
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return True
            except OSError:
                return False
        until(is_up, 60, "%s does not listen after its start" % self.name)

    def close(self):
        if self.process:
            self.signal(signal.SIGCONT)
            self.kill()

    def log(self):
        with open(self.home + "/log", encoding="utf-8", errors="replace") as file:
            return file.read()


class World:
    """Everything; close() ends and removes it."""

    def __init__(self, options):
        self.options = options
        if options.store == "sqlite" and options.daemons != 1:
            raise StormError("a SQLite file belongs to one daemon")
        if options.store == "postgresql" and postgres.missing():
            skip(postgres.missing())
        self.home = tempfile.mkdtemp(prefix="lessor-storm-")
        self.cluster = self.cloud = self.proxies = self.network = None
        self.daemons = []
        try:
            self.build()
        except BaseException:
            self.close()
            raise

    def build(self):
        options = self.options
        if network.is_entered():
            self.network = network.Network()
        self.cloud = Cloud(["a%d" % n for n in range(options.accounts)], self.home, options.speed)
        self.proxies = Proxies()
        if options.store == "postgresql":
            self.cluster = postgres.Cluster()
            self.cluster.database()
            if options.pair:
                self.cluster.pair()
        self.daemons = [Daemon(self, n) for n in range(options.daemons)]
        self.tokens = {owner: self.token(owner, role) for owner, role in
                       [(o, "user") for o in options.owners] + [("root", "admin")]}
        for daemon in self.daemons:
            daemon.start()

    def servers(self):
        """The database servers by names that stay, whichever is the primary."""
        if not self.cluster:
            return []
        both = [s for s in (self.cluster.primary, self.cluster.standby) if s]
        return sorted(((s.name, s) for s in both), key=lambda pair: pair[0])

    def token(self, owner, role):
        done = subprocess.run(
            [need("LESSORD"), "token", "add", "--config", self.daemons[0].home + "/conf", "--owner",
             owner, "--org", "storm", "--role", role], check=False, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise StormError("no token: " + done.stderr)
        return done.stdout.strip()

    # -- partitions

    def lay(self, name):
        """Where the proxies of this cable listen: an address and its network namespace."""
        return self.network.lay(name) if self.network else ("127.0.0.1", "")

    def pull(self, daemon, way, names):
        """Cuts a daemon off in silence, as when a cable is pulled; without a network of its own by
        its proxies, `names`."""
        if self.network:
            self.network.pull("%s-%s" % (daemon.name, way))
        else:
            for name in names:
                self.proxies.do("drop", name)

    def put_back(self, daemon, way, names):
        if self.network:
            self.network.put_back("%s-%s" % (daemon.name, way))
        else:
            for name in names:
                self.proxies.do("pass", name)

    # -- an older database

    def back_up(self):
        self.cluster.run("pg_dump", "-Fc", "-h", self.cluster.home, "-p",
                         str(self.cluster.primary.port), "-U", "postgres", "-f",
                         self.cluster.home + "/backup", DATABASE)

    def prepare_restore(self):
        """The backup as a database beside the one in use."""
        primary = self.cluster.primary
        primary.sql("CREATE DATABASE older OWNER %s" % postgres.USER)
        self.cluster.run("pg_restore", "-h", self.cluster.home, "-p", str(primary.port), "-U",
                         "postgres", "-d", "older", self.cluster.home + "/backup")

    def restore(self):
        """It takes the place of the one in use, whose connections end; daemons live on."""
        primary = self.cluster.primary
        primary.sql("ALTER DATABASE %s ALLOW_CONNECTIONS false" % DATABASE)
        primary.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '%s'" %
                    DATABASE)
        until(lambda: primary.sql("SELECT count(*) FROM pg_stat_activity WHERE datname = '%s'" %
                                  DATABASE) == "0", why="a connection does not end")
        primary.sql("ALTER DATABASE %s RENAME TO newer" % DATABASE)
        primary.sql("ALTER DATABASE older RENAME TO %s" % DATABASE)
        primary.sql("DROP DATABASE newer")

    def keep_logs(self, to):
        """Copies what explains a failure."""
        os.makedirs(to, exist_ok=True)
        for path in glob.glob(self.home + "/d*/log") + glob.glob(self.home + "/*.log*") + (
                glob.glob(self.cluster.home + "/*.log") if self.cluster else []):
            name = path.replace(self.home + "/", "").replace("/", "-")
            shutil.copyfile(path, os.path.join(to, os.path.basename(name)))

    def close(self):
        for daemon in self.daemons:
            daemon.close()
        for part in (self.proxies, self.cluster, self.cloud, self.network):
            if part:
                part.close()
        shutil.rmtree(self.home, ignore_errors=True)


def now():
    """The one clock of all requests, in microseconds."""
    return time.monotonic_ns() // 1000
