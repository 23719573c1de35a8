#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""waiting.py BUILD [BUILD ...] [--leases N] [--boot SECONDS]: what it costs to wait.

N leases are created at once in a cloud whose servers boot for so long; when all are active
they are released. Of each build, one after the other: the daemon's CPU and the provider's
calls a life, and how much later than its server each lease was ready. Not a test: nothing
here passes or fails, and only figures of one run on one machine can be compared."""
import argparse
import concurrent.futures
import http.client
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl bench"
ACTIVE, DONE = 1, 4  # states of a lease and of its cleanup, in the store
SERVER = 1
PATIENCE_S = 600


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def until(condition, what):
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"waited in vain: {what}")
        time.sleep(0.05)


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


class World:
    def __init__(self, build, folder, boot_ms):
        self.folder, self.boot_ms = folder, boot_ms
        self.sim_port, self.port = free_port(), free_port()
        scenario = self.write("scenario.json", json.dumps({"config": {
            "create_ms": 0, "off_ms": 0, "boot_ms": boot_ms, "lag_ms": 0, "delete_ms": 0,
            "ip_delete_ms": 0, "rate_per_hour": 1000000, "max_servers": 100000,
            "max_keys": 100000, "max_dedicated_cores": 1000000000, "max_primary_ips": 100000}}))
        self.sim = subprocess.Popen([f"{build}/bin/hetzner-sim", "--listen",
                                     f"127.0.0.1:{self.sim_port}", "--scenario", scenario],
                                    stdout=subprocess.DEVNULL)
        until(lambda: listens(self.sim_port), "the cloud")
        secret = self.write("hcloud-token", "a-token-of-the-bench\n")
        config = self.write("lessord.conf", f"""[server]
listen = 127.0.0.1:{self.port}
store = {folder}/lessor.db
providers = {build}/providers
log_level = error
worker_threads = 32
[account hetzner]
provider = hetzner
endpoint = http://127.0.0.1:{self.sim_port}/v1
locations = fsn1
image = ubuntu-24.04
token_file = {secret}
keys = account
max_steps = 32
rate_per_hour = 1000000
""")
        self.token = subprocess.run([f"{build}/bin/lessord", "token", "add", "--owner", "bench",
                                     "--config", config], stdout=subprocess.PIPE, text=True,
                                    check=True).stdout.split()[-1]
        self.daemon = subprocess.Popen([f"{build}/bin/lessord", "--config", config])
        until(lambda: listens(self.port), "the daemon")

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
            f.write(text)
        return path

    def call(self, method, path, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.request(method, path, json.dumps(body),
                           {"Authorization": f"Bearer {self.token}",
                            "Content-Type": "application/json", "Prefer": "wait=0"})
        response = connection.getresponse()
        text = response.read()
        if response.status >= 300:
            raise SystemExit(f"{method} {path}: {response.status} {text[:300]}")
        return json.loads(text)

    def create(self):
        return self.call("POST", "/v1/leases", {
            "provider": "hetzner", "class": "standard", "sshPublicKey": KEY,
            "ttlSeconds": 86400, "idleTimeoutSeconds": 86400})["lease"]["id"]

    def release(self, lease):
        self.call("POST", f"/v1/leases/{lease}/release", {"delete": True})

    def rows(self, query):
        db = sqlite3.connect(f"file:{self.folder}/lessor.db?mode=ro", uri=True, timeout=30)
        try:
            return db.execute(query).fetchall()
        finally:
            db.close()

    def count(self, condition):
        return self.rows(f"SELECT count(*) FROM lease WHERE {condition}")[0][0]

    def requests(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.sim_port, timeout=60)
        connection.request("GET", "/_sim/state")
        return json.loads(connection.getresponse().read())["requests"]

    def cpu_s(self):
        with open(f"/proc/{self.daemon.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def late_ms(self):
        """How much later than its server each lease was ready."""
        rows = self.rows("SELECT l.ready_ms - r.changed_ms FROM lease l JOIN resource r "
                         f"ON r.lease = l.n AND r.kind = {SERVER} WHERE l.ready_ms > 0 AND l.n > 1")
        return sorted(row[0] - self.boot_ms for row in rows)

    def end(self):
        for process in (self.daemon, self.sim):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(60)


def measure(build, leases, boot_ms):
    folder = tempfile.mkdtemp(prefix="lessor-waiting-")
    world = World(build, folder, boot_ms)
    try:
        # One life tells the daemon how long a boot takes.
        lease = world.create()
        until(lambda: world.count(f"state = {ACTIVE}") == 1, "the first is active")
        world.release(lease)
        until(lambda: world.count(f"cleanup = {DONE}") == 1, "the first is gone")
        cpu, calls = world.cpu_s(), world.requests()
        with concurrent.futures.ThreadPoolExecutor(64) as pool:
            ids = list(pool.map(lambda _: world.create(), range(leases)))
            until(lambda: world.count(f"state = {ACTIVE}") == leases, "all are active")
            cpu_ready, calls_ready = world.cpu_s(), world.requests()
            late = world.late_ms()
            list(pool.map(world.release, ids))
        until(lambda: world.count(f"cleanup = {DONE}") == leases + 1, "all are gone")
        figures = {
            "cpu": (world.cpu_s() - cpu) / leases * 1000,
            "ready": (cpu_ready - cpu) / leases * 1000,
            "calls": (world.requests() - calls) / leases,
            "calls_ready": (calls_ready - calls) / leases,
            "p50": late[len(late) // 2], "p95": late[len(late) * 95 // 100],
        }
    finally:
        world.end()
        shutil.rmtree(folder)
    return figures


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("builds", nargs="+")
    parser.add_argument("--leases", type=int, default=1000)
    parser.add_argument("--boot", type=float, default=20)
    args = parser.parse_args()
    first = None
    for build in args.builds:
        f = measure(os.path.abspath(build), args.leases, int(args.boot * 1000))
        first = first or f
        print(f"{build}: CPU a life {f['cpu']:.2f} ms ({f['cpu'] / first['cpu']:.2f} of the first), "
              f"{f['ready']:.2f} ms of it until ready ({f['ready'] / first['ready']:.2f}); calls "
              f"{f['calls']:.2f}, {f['calls_ready']:.2f} of them until ready; ready after its "
              f"server p50 {f['p50']} ms, p95 {f['p95']} ms", flush=True)


if __name__ == "__main__":
    main()
