# SPDX-License-Identifier: MIT
"""The figures of lessord, each as a ratio to something measured in the same run."""
import concurrent.futures
import http.client
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time

BUILD = os.path.abspath(sys.argv[1])
HERE = os.path.dirname(os.path.abspath(__file__))
SECONDS = 2
ROUNDS = 3
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl bench"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, seconds=20):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        value = what()
        if value:
            return value
        time.sleep(0.001)
    raise SystemExit("bench: waited in vain")


def listens(port):
    def attempt():
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            return False
    return attempt


started = []


def start(command, **options):
    started.append(subprocess.Popen(command, **options))
    return started[-1]


def stop_all():
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_kib(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


def wrk(port, path, connections=64, script=None, env=None, pid=None, headers=()):
    """Requests a second, p99 in ms, server CPU in microseconds a request."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "--latency"]
    for header in headers:
        command += ["-H", header]
    if script:
        command += ["-s", os.path.join(HERE, script)]
    before = cpu_seconds(pid) if pid else 0
    out = subprocess.run(command + [f"http://127.0.0.1:{port}{path}"], capture_output=True,
                         text=True, env={**os.environ, **(env or {})}, check=True).stdout
    used = cpu_seconds(pid) - before if pid else 0
    if "Non-2xx" in out or "BAD" in out:
        raise SystemExit("bench: wrong answers:\n" + out)
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))
    count = int(re.search(r"(\d+) requests in", out).group(1))
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", out)
    p99_ms = float(p99.group(1)) * {"us": 0.001, "ms": 1, "s": 1000}[p99.group(2)]
    return rate, p99_ms, used / count * 1e6


class World:
    """A simulated cloud and a daemon on a store of their own."""

    def __init__(self, folder, ended=0):
        self.folder = folder
        self.sim_port = free_port()
        self.port = free_port()
        self.start_sim()
        self.write_config()
        self.token = subprocess.run(
            [f"{BUILD}/bin/lessord", "token", "add", "--owner", "bench", "--config", self.config],
            stdout=subprocess.PIPE, text=True, check=True).stdout.split()[-1]
        if ended:
            self.fill(ended)
        self.start()

    def start_sim(self):
        scenario = os.path.join(self.folder, "scenario.json")
        with open(scenario, "w") as f:
            json.dump({"config": {"create_ms": 0, "off_ms": 0, "boot_ms": 0, "lag_ms": 0,
                                  "delete_ms": 0, "ip_delete_ms": 0, "rate_per_hour": 1000000,
                                  "max_servers": 1000000, "max_keys": 1000000,
                                  "max_dedicated_cores": 1000000000,
                                  "max_primary_ips": 1000000}}, f)
        self.sim = start([f"{BUILD}/bin/hetzner-sim", "--listen", f"127.0.0.1:{self.sim_port}",
                          "--scenario", scenario], stdout=subprocess.DEVNULL)
        wait_for(listens(self.sim_port))

    def write_config(self):
        secret = os.path.join(self.folder, "hcloud-token")
        with open(os.open(secret, os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
            f.write("a-token-of-the-bench\n")
        self.config = os.path.join(self.folder, "lessord.conf")
        with open(self.config, "w") as f:
            f.write(f"""[server]
listen = 127.0.0.1:{self.port}
store = {self.folder}/lessor.db
providers = {BUILD}/providers
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
poll = 50ms
""")

    def fill(self, count):
        """Ended leases, as the daemon leaves them: a first start makes the schema."""
        self.start()
        self.life()
        self.stop()
        db = sqlite3.connect(f"{self.folder}/lessor.db")
        names = [row[1] for row in db.execute("PRAGMA table_info(lease)") if row[1] != "n"]
        row = list(db.execute(f"SELECT {','.join(names)} FROM lease LIMIT 1").fetchone())
        at = names.index("id")
        insert = f"INSERT INTO lease({','.join(names)}) VALUES({','.join('?' * len(names))})"
        for i in range(count):
            row[at] = f"cbx_f{i:011x}"
            db.execute(insert, row)
            n = db.execute("SELECT last_insert_rowid()").fetchone()[0]
            for k in range(6):
                db.execute("INSERT INTO event(lease, at_ms, kind, text) VALUES(?, 1, 'bench', 'x')",
                           (n,))
        db.commit()
        db.close()

    def start(self):
        begun = time.monotonic()
        self.daemon = start([f"{BUILD}/bin/lessord", "--config", self.config])
        wait_for(listens(self.port))
        self.start_ms = (time.monotonic() - begun) * 1000

    def stop(self):
        self.daemon.send_signal(signal.SIGTERM)
        self.daemon.wait(30)

    def end(self):
        self.stop()
        self.sim.send_signal(signal.SIGTERM)
        self.sim.wait(30)

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
        self.call(connection, "POST", f"/v1/leases/{lease}/release", {"delete": True})

    def life(self):
        connection = self.connect()
        self.release(connection, self.create(connection))

    def in_parallel(self, threads, seconds):
        """Creates (until ready) and releases (until gone) in a second; checked: all of them."""
        until = time.monotonic() + seconds
        counts = [0] * threads
        failed = []

        def work(i):
            try:
                connection = self.connect()
                while time.monotonic() < until:
                    self.release(connection, self.create(connection))
                    counts[i] += 1
            except (SystemExit, OSError) as error:
                failed.append(error)

        workers = [threading.Thread(target=work, args=(i,)) for i in range(threads)]
        begun = time.monotonic()
        for w in workers:
            w.start()
        for w in workers:
            w.join()
        if failed:
            raise failed[0]
        return sum(counts) / (time.monotonic() - begun)

    def sim_get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.sim_port, timeout=30)
        connection.request("GET", path)
        return json.loads(connection.getresponse().read())


def median(values):
    return statistics.median(values)


def line(name, figure, note=""):
    print(f"{name:<58} {figure:>14}  {note}", flush=True)


def bench_http(world, lease):
    """Interleaved rounds, medians."""
    bare_port, ev_port = free_port(), free_port()
    bare = start([f"{BUILD}/tests/bare", str(bare_port)])
    evhttp = start([f"{BUILD}/tests/bare", "-e", str(ev_port)])
    auth = [f"Authorization: Bearer {world.token}"]
    pid = world.daemon.pid
    got = {name: [] for name in ("bare", "evhttp", "health", "get")}
    beats = {}
    ids = os.path.join(world.folder, "ids")
    try:
        wait_for(listens(bare_port))
        wait_for(listens(ev_port))
        for _ in range(ROUNDS):
            got["bare"].append(wrk(bare_port, "/", pid=bare.pid))
            got["evhttp"].append(wrk(ev_port, "/", pid=evhttp.pid))
            got["health"].append(wrk(world.port, "/v1/health", pid=pid))
            got["get"].append(wrk(world.port, f"/v1/leases/{lease}", pid=pid, headers=auth))
            for leases, name in (([lease], "one"), (world.leases, "many")):
                with open(ids, "w") as f:
                    f.write("\n".join(leases) + "\n")
                for connections in (16, 64, 256) if name == "many" else (64,):
                    ev = wrk(ev_port, "/", connections)
                    beat = wrk(world.port, "/", connections, "heartbeat.lua",
                               {"IDS": ids, "TOKEN": world.token}, pid)
                    beats.setdefault((name, connections), []).append((beat, beat[0] / ev[0]))
    finally:
        for process in (bare, evhttp):
            process.terminate()
            process.wait()
    rate = {name: median([r[0] for r in rows]) for name, rows in got.items()}
    cpu = {name: median([r[2] for r in rows]) for name, rows in got.items()}
    for name, title in (("bare", "a bare bufferevent, 600 bytes"), ("evhttp", "evhttp, 600 bytes"),
                        ("health", "GET /v1/health"), ("get", "GET /v1/leases/ID")):
        line(f"{title}, 64 connections", f"{rate[name]:,.0f}/s",
             f"{cpu[name]:.1f} us CPU; {rate[name] / rate['bare']:.2f} of bare, "
             f"{rate[name] / rate['evhttp']:.2f} of evhttp")
    for (name, connections), rows in sorted(beats.items()):
        title = "one lease" if name == "one" else f"{len(world.leases)} leases"
        line(f"durable heartbeats, {title}, {connections} connections",
             f"{median([r[0][0] for r in rows]):,.0f}/s",
             f"{median([r[1] for r in rows]):.2f} of evhttp without a store; "
             f"p99 {median([r[0][1] for r in rows]):.1f} ms; "
             f"{median([r[0][2] for r in rows]):.1f} us CPU")


def main():
    root = tempfile.mkdtemp(prefix="lessor-bench-")
    os.chmod(root, 0o700)
    try:
        first = os.path.join(root, "empty")
        os.mkdir(first, 0o700)
        world = World(first)
        time.sleep(1)
        line("start to listening, empty store", f"{world.start_ms:.0f} ms")
        line("idle memory (RSS)", f"{rss_kib(world.daemon.pid) / 1024:.1f} MiB")
        before = world.sim_get("/_sim/state")["requests"]
        lives = 20
        for _ in range(lives):
            world.life()
        calls = (world.sim_get("/_sim/state")["requests"] - before) / lives
        line("provider calls per life, keys = account, one at a time", f"{calls:.1f}")
        rates = [world.in_parallel(64, 5)]
        before = world.sim_get("/_sim/state")["requests"]
        with concurrent.futures.ThreadPoolExecutor(32) as pool:
            world.leases = list(pool.map(lambda _: world.create(world.connect()), range(1000)))
        bench_http(world, world.leases[0])
        world.end()

        second = os.path.join(root, "full")
        os.mkdir(second, 0o700)
        world = World(second, ended=100000)
        line("start to listening, 100,000 ended leases", f"{world.start_ms:.0f} ms")
        line("idle memory (RSS), 100,000 ended leases", f"{rss_kib(world.daemon.pid) / 1024:.1f} MiB")
        rates.append(world.in_parallel(64, 5))
        world.end()
        line("whole lives (create to ready, release to gone), 64 clients", f"{rates[0]:,.0f}/s")
        line("the same with 100,000 ended leases", f"{rates[1]:,.0f}/s",
             f"{rates[1] / rates[0]:.2f} of the empty store")
        print("\nThe store alone, against a bare SQLite loop of the same updates:", flush=True)
        subprocess.run([f"{BUILD}/tests/bench-store"], check=True)
    finally:
        stop_all()
        shutil.rmtree(root)


main()
