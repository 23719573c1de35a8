# SPDX-License-Identifier: MIT
"""The measured programs: lessord and a simulated cloud whose machines boot at once, and their
use of CPU and memory.

The first argument of every program here is the build directory, which holds all the files. The
store is on its file system, which must be a real disk."""
import http.client
import json
import mmap
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "api"))
from ports import free_port  # noqa: E402

BUILD = os.path.abspath(sys.argv[1])
HERE = os.path.dirname(os.path.abspath(__file__))
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl bench"
BOOTS_AT_ONCE = {"create_ms": 0, "off_ms": 0, "boot_ms": 0, "lag_ms": 0, "delete_ms": 0,
                 "ip_delete_ms": 0}
UNLIMITED = {"rate_per_hour": 1000000, "max_servers": 1000000, "max_keys": 1000000,
             "max_dedicated_cores": 1000000000, "max_primary_ips": 1000000}

started = []
folders = []
# On SIGTERM, exit normally, so that stop_all() ends the children.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


def wait_for(what, seconds=20, every=0.001):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        value = what()
        if value:
            return value
        time.sleep(every)
    raise SystemExit("bench: timed out")


def listens(port):
    def attempt():
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            return False
    return attempt


def start(command, **options):
    started.append(subprocess.Popen(command, **options))
    return started[-1]


def stop(process):
    process.send_signal(signal.SIGTERM)
    process.wait(60)


def stop_all():
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def new_folder():
    """On a real disk: a store in memory never waits for one."""
    folder = tempfile.mkdtemp(prefix="bench-", dir=BUILD)
    kind = subprocess.run(["stat", "-f", "-c", "%T", folder], stdout=subprocess.PIPE, text=True,
                          check=True).stdout.strip()
    if kind in ("tmpfs", "ramfs"):
        os.rmdir(folder)
        raise SystemExit(f"bench: {BUILD} is in memory; build on a disk")
    folders.append(folder)
    return folder


# ---- what a process uses ---------------------------------------------------------------


def cpu_seconds(pid):
    """The CPU time of all threads of a process, including ended ones, from its CPU clock."""
    return time.clock_gettime(~pid << 3 | 2)


def memory_mib(pid):
    """RSS, and the private dirty part of it: memory that the process wrote, not file pages."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
        sizes = dict(re.findall(r"^(\w+):\s+(\d+) kB", f.read(), re.M))
    return int(sizes["Rss"]) / 1024, int(sizes["Private_Dirty"]) / 1024


class Quiet:
    """Whether a process has used less than a hundredth of a core for half a second."""

    def __init__(self, pid):
        self.pid = pid
        self.since, self.cpu = time.monotonic(), cpu_seconds(pid)

    def __call__(self):
        now, cpu = time.monotonic(), cpu_seconds(self.pid)
        if now - self.since < 0.5:
            return False
        quiet = (cpu - self.cpu) / (now - self.since) < 0.01
        self.since, self.cpu = now, cpu
        return quiet


class Counts:
    """The counters that count-sql.so, preloaded into a program, keeps in a file."""

    NAMES = ("steps", "statements", "commits", "syncs")

    def __init__(self, folder):
        self.path = os.path.join(folder, "counts")
        with open(self.path, "wb") as f:
            f.write(bytes(8 * len(self.NAMES)))
        with open(self.path, "rb") as f:
            self.map = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)
        self.env = {"LD_PRELOAD": f"{BUILD}/tests/count-sql.so", "COUNT_SQL": self.path}

    def read(self):
        return struct.unpack(f"={len(self.NAMES)}Q", self.map[:])


def load(port, *words, token=None, pid=None):
    """Runs tests/bench/lives.c; returns its figures and the CPU seconds of `pid` meanwhile."""
    before = cpu_seconds(pid) if pid else 0
    done = subprocess.run([f"{BUILD}/tests/lives", "-p", str(port), *map(str, words)], text=True,
                          stdout=subprocess.PIPE, check=False,
                          env={**os.environ, **({"TOKEN": token} if token else {})})
    if done.returncode:
        raise SystemExit(f"bench: lives {' '.join(map(str, words))} failed")
    figures = {name: float(value) for name, value in map(str.split, done.stdout.splitlines())}
    figures["cpu_s"] = cpu_seconds(pid) - before if pid else 0
    return figures


# ---- a cloud and a daemon --------------------------------------------------------------


class World:
    """A simulated cloud and a daemon with their own store."""

    def __init__(self, keys="account", poll="10ms", times=None, counted=False):
        self.folder = new_folder()
        self.counts = Counts(self.folder) if counted else None
        self.env = {**os.environ, **(self.counts.env if counted else {})}
        self.port, self.sim_port = free_port(), free_port()
        self.start_sim({**BOOTS_AT_ONCE, **(times or {})})
        self.write_config(keys, poll)
        self.token = subprocess.run(
            [f"{BUILD}/bin/lessord", "token", "add", "--owner", "bench", "--config", self.config],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            check=True).stdout.split()[-1]
        self.start()

    def start_sim(self, times):
        scenario = os.path.join(self.folder, "scenario.json")
        with open(scenario, "w", encoding="ascii") as f:
            json.dump({"config": {**UNLIMITED, **times}}, f)
        self.sim = start([f"{BUILD}/bin/hetzner-sim", "--listen", f"127.0.0.1:{self.sim_port}",
                          "--scenario", scenario], stdout=subprocess.DEVNULL)
        wait_for(listens(self.sim_port))

    def write_config(self, keys, poll):
        secret = os.path.join(self.folder, "hcloud-token")
        with open(os.open(secret, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as f:
            f.write("a-token-of-the-bench\n")
        self.store = f"{self.folder}/lessor.db"
        self.config = os.path.join(self.folder, "lessord.conf")
        with open(self.config, "w", encoding="ascii") as f:
            f.write(f"""[server]
listen = 127.0.0.1:{self.port}
store = {self.store}
providers = {BUILD}/providers
log_level = error
worker_threads = 32
[sweep]
interval = 0s
[account hetzner]
provider = hetzner
endpoint = http://127.0.0.1:{self.sim_port}/v1
locations = fsn1
image = ubuntu-24.04
token_file = {secret}
keys = {keys}
max_steps = 32
rate_per_hour = 1000000
poll = {poll}
""")

    def start(self):
        """Starts the daemon; start_ms is the time until its first response."""
        begun = time.monotonic()
        self.daemon = start([f"{BUILD}/bin/lessord", "--config", self.config], env=self.env)
        wait_for(self.answers, every=0.0005)
        self.start_ms = (time.monotonic() - begun) * 1000

    def answers(self):
        connection = self.connect()
        try:
            connection.request("GET", "/v1/health")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def settle(self):
        """Waits until it has verified its account, read the catalogue and become idle."""
        self.sim_get("/_sim/wait?calls=t.types:1-&timeout_ms=20000")
        wait_for(Quiet(self.daemon.pid), 60, 0.01)

    def stop(self):
        stop(self.daemon)

    def end(self):
        self.stop()
        stop(self.sim)
        shutil.rmtree(self.folder)

    def load(self, *words):
        return load(self.port, *words, token=self.token, pid=self.daemon.pid)

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def call(self, connection, method, path, body=None, headers=None):
        connection.request(method, path, json.dumps(body) if body is not None else None,
                           {"Authorization": f"Bearer {self.token}",
                            "Content-Type": "application/json", **(headers or {})})
        response = connection.getresponse()
        text = response.read()
        if response.status >= 300:
            raise SystemExit(f"bench: {method} {path}: {response.status} {text[:300]}")
        return json.loads(text)

    def create(self, connection):
        body = {"provider": "hetzner", "class": "standard", "sshPublicKey": KEY,
                "ttlSeconds": 86400, "idleTimeoutSeconds": 86400}
        lease = self.call(connection, "POST", "/v1/leases", body, {"Prefer": "wait=60"})["lease"]
        if lease["state"] != "active":
            raise SystemExit(f"bench: a lease is {lease['state']}: {lease.get('failureError')}")
        return lease["id"]

    def release(self, connection, lease):
        answer = self.call(connection, "POST", f"/v1/leases/{lease}/release", {"delete": True})
        if answer["lease"].get("cleanupStatus") != "complete":
            raise SystemExit(f"bench: a release left something: {answer}")

    def life(self, connection):
        self.release(connection, self.create(connection))

    def sim_get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.sim_port, timeout=30)
        connection.request("GET", path)
        response = connection.getresponse()
        text = response.read()
        connection.close()
        if response.status != 200:
            raise SystemExit(f"bench: {path}: {response.status} {text[:300]}")
        return json.loads(text)
