#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""lessord on PostgreSQL, alone and as two, against SQLite and against pgbench; and how long nobody
answers when a daemon or the database is lost.

Usage: several.py BUILD-DIR [PART...]. The parts are rates, takeover and counts; the default is all
of them. As a test (counts alone) it fails when a life costs more batches, or more round trips
within them, than the limits allow; everything else is only printed."""
import json
import os
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(HERE, "..", "api"))
sys.path.append(os.path.join(HERE, "..", "faults", "storm"))
import postgres  # noqa: E402
from proxies import Proxies  # noqa: E402
from table import exceeds, line, median  # noqa: E402
from world import (BOOTS_AT_ONCE, BUILD, UNLIMITED, World, cpu_seconds, free_port,  # noqa: E402
                   listens, new_folder, start, stop_all, wait_for)

PARTS = ("rates", "takeover", "counts")
CLIENTS, SECONDS, ROUNDS = 64, 3, 3
LEASES = 1000
OPEN = int(os.environ.get("BENCH_OPEN", "10000"))
# One life: batches, and round trips within them, 9 and 3 on an idle machine. The latter are reads
# within a transaction: one before a create, which other daemons' creates wait for, and who else
# uses the key and the server. A change that avoids one lowers its limit.
LIMITS = {"batches": 11, "flushes": 4}
LIVES = 15
CONFIG = """[server]
listen = 127.0.0.1:{port}
providers = {build}/providers
log_level = error
worker_threads = 32
{store}
[sweep]
interval = 0s
"""
ACCOUNT = """[account {name}]
provider = hetzner
endpoint = http://127.0.0.1:{sim}/v1
locations = fsn1
image = ubuntu-24.04
token_file = {folder}/{name}
keys = account
max_steps = 32
rate_per_hour = 1000000
poll = 10ms
"""


def private(path, text):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as f:
        f.write(text)


class Daemon(World):
    """One lessord of a site. It uses the World's requests and measurements."""

    def __init__(self, site, number):  # pylint: disable=super-init-not-called
        self.folder = os.path.join(site.folder, "d%d" % number)
        os.mkdir(self.folder)
        self.env = {**os.environ, "LESSOR_MODULES": os.environ.get(
            "LESSOR_MODULES", BUILD + "/modules")}
        self.port, self.sim_port = free_port(), site.sim_port
        self.config = os.path.join(self.folder, "lessord.conf")
        store = f"store = {self.folder}/lessor.db"
        if site.url:
            store = (f"advertise = 127.0.0.1:{self.port}\n[store]\nurl = {site.url}\n"
                     f"state_dir = {self.folder}")
        text = CONFIG.format(port=self.port, build=BUILD, store=store)
        for name in site.accounts:
            private(f"{self.folder}/{name}", site.secret(name) + "\n")
            text += ACCOUNT.format(name=name, sim=self.sim_port, folder=self.folder)
        private(self.config, text)

    def add_token(self):
        return subprocess.run(
            [f"{BUILD}/bin/lessord", "token", "add", "--owner", "bench", "--role", "admin",
             "--config", self.config], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True, check=True, env=self.env).stdout.split()[-1]

    def try_create(self, account, seconds=1):
        """The status of one create that waits for nothing; None without an answer."""
        connection = self.connect()
        connection.timeout = seconds
        body = {"provider": account, "class": "standard", "sshPublicKey": KEY,
                "ttlSeconds": 86400, "idleTimeoutSeconds": 86400}
        try:
            connection.request("POST", "/v1/leases", json.dumps(body), {
                "Authorization": f"Bearer {self.token}", "Content-Type": "application/json",
                "Prefer": "respond-async"})
            return connection.getresponse().status
        except OSError:
            return None
        finally:
            connection.close()

    def takes(self, account):
        return self.try_create(account) in (200, 201, 202)


KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl bench"


class Site:
    """A cloud, a store of some kind, and daemons that each have all accounts."""

    def __init__(self, store, daemons=1, accounts=1, counted=False):
        self.folder = new_folder()
        self.accounts = ["a%d" % n for n in range(accounts)]
        self.sim_port = free_port()
        self.cluster = self.url = self.proxies = None
        self.start_sim()
        if store != "sqlite":
            self.start_database(store, counted)
        self.daemons = [Daemon(self, n) for n in range(daemons)]
        token = self.daemons[0].add_token()
        for daemon in self.daemons:
            daemon.token = token
            daemon.start()
        for account in self.accounts:
            for daemon in self.daemons:
                wait_for(lambda d=daemon, a=account: d.takes(a), 60, 0.02)

    @staticmethod
    def secret(account):
        return "a-token-of-the-bench-" + account

    def start_sim(self):
        scenario = os.path.join(self.folder, "scenario.json")
        private(scenario, json.dumps({"config": {**UNLIMITED, **BOOTS_AT_ONCE}, "tokens": [
            {"token": self.secret(a), "project": n} for n, a in enumerate(self.accounts)]}))
        tokens = [w for a in self.accounts for w in ("--token", self.secret(a))]
        self.sim = start([f"{BUILD}/bin/hetzner-sim", "--listen", f"127.0.0.1:{self.sim_port}",
                          "--scenario", scenario, *tokens], stdout=subprocess.DEVNULL)
        wait_for(listens(self.sim_port))

    def start_database(self, store, counted):
        self.cluster = postgres.Cluster()
        self.url = self.cluster.database()
        name = self.url.rsplit("/", 1)[1]
        if store == "pair":
            self.cluster.pair()
            self.url = self.cluster.urls(name)
        if counted:
            self.proxies = Proxies()
            port = self.proxies.open("database", self.cluster.primary.port, True)
            self.url = f"postgresql://{postgres.USER}@127.0.0.1:{port}/{name}"

    def owner(self, account):
        """The daemon that owns an account; the only one on SQLite."""
        if len(self.daemons) == 1:
            return self.daemons[0]
        found = {}

        def looked():
            for asked in self.daemons:
                if asked.daemon.poll() is None:
                    found.update(asked.call(asked.connect(), "GET", "/v1/daemons"))
                    break
            ids = {d["id"]: d["address"] for d in found["daemons"]}
            address = next((ids.get(a["daemon"], "") for a in found["accounts"]
                            if a["account"] == account), "")
            return next((d for d in self.daemons if address.endswith(":%d" % d.port)), None)
        return wait_for(looked, 30, 0.05)

    def end(self):
        for daemon in self.daemons:
            if daemon.daemon.poll() is None:
                daemon.stop()
        self.sim.terminate()
        self.sim.wait()
        if self.proxies:
            self.proxies.close()
        if self.cluster:
            self.cluster.close()

    def together(self, words):
        """Runs one load for each account at the same time, with its share of the clients, at its
        owner; returns requests per second, the longest p99 and the CPU of a request."""
        owners = {a: self.owner(a) for a in self.accounts}
        before = sum(cpu_seconds(d.daemon.pid) for d in self.daemons)
        loads = [subprocess.Popen(
            [f"{BUILD}/tests/lives", "-p", str(owners[a].port), "-a", a, "-n",
             str(CLIENTS // len(self.accounts)), *[str(w) for w in words(a)]],
            stdout=subprocess.PIPE, text=True, env={**os.environ, "TOKEN": owners[a].token})
            for a in self.accounts]
        found = []
        for one in loads:
            out = one.communicate()[0]
            if one.returncode:
                raise SystemExit("bench: a load failed")
            found.append({n: float(v) for n, v in map(str.split, out.splitlines())})
        used = sum(cpu_seconds(d.daemon.pid) for d in self.daemons) - before
        return {"per_s": sum(f["per_s"] for f in found), "cpu_us": used / sum(
            f["done"] for f in found) * 1e6, "p99": max(f["all_p99_ms"] for f in found)}

    def leases(self, account):
        """A file with the ids of its live leases."""
        daemon, ids, before = self.owner(account), [], ""
        while True:
            page = daemon.call(daemon.connect(), "GET", "/v1/leases?limit=500&state=active"
                               f"&provider={account}{before}")
            ids += [lease["id"] for lease in page["leases"]]
            if not page.get("nextBefore"):
                break
            before = "&before=" + page["nextBefore"]
        path = os.path.join(self.folder, "ids-" + account)
        with open(path, "w", encoding="ascii") as f:
            f.write("\n".join(ids) + "\n")
        return path


def timed(*words):
    return ("-w", 0.3, "-t", 0.3 + SECONDS, *words)


def pgbench(cluster):
    """Updates per second of one row each by as many clients: what PostgreSQL gives to who asks
    it simply."""
    name = cluster.database().rsplit("/", 1)[1]
    cluster.primary.sql("CREATE TABLE beat (n bigint PRIMARY KEY, touched bigint NOT NULL) WITH "
                        f"(fillfactor = 70); INSERT INTO beat SELECT g, 0 FROM generate_series(1, "
                        f"{LEASES}) g", name)
    script = os.path.join(cluster.home, "beat.sql")
    with open(script, "w", encoding="ascii") as f:
        f.write(f"\\set n random(1, {LEASES})\nUPDATE beat SET touched = touched + 1 WHERE n = :n;\n")
    out = cluster.run("pgbench", "-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "2", "-T",
                      str(SECONDS), "-f", script, "-h", cluster.home, "-p",
                      str(cluster.primary.port), "-U", "postgres", name)
    return float(next(l for l in out.split("\n") if l.startswith("tps =")).split()[2])


KINDS = (("SQLite", "sqlite", 1), ("PostgreSQL", "postgresql", 1),
         ("PostgreSQL, synchronous standby", "pair", 1), ("two daemons", "postgresql", 2),
         ("two daemons, synchronous standby", "pair", 2))


def rates():
    """Heartbeats and creates of 64 clients; of each store by itself, since two cores are few."""
    first = {}
    for title, store, daemons in KINDS:
        site = Site(store, daemons, daemons)
        creates = site.together(lambda a: ("-m", LEASES // daemons, "creates"))
        files = {a: site.leases(a) for a in site.accounts}
        beats = [site.together(lambda a, f=files: timed("beats", f[a])) for _ in range(ROUNDS)]
        beats = {name: median([b[name] for b in beats]) for name in beats[0]}
        for what, result in (("durable heartbeats", beats), ("creates until ready", creates)):
            base = first.setdefault(what, result["per_s"])
            line(f"{what}, {title}", f"{result['per_s']:,.0f}/s",
                 f"{result['per_s'] / base:.2f} of SQLite; p99 {result['p99']:.1f} ms; "
                 f"{result['cpu_us']:.0f} us CPU of lessord")
        if site.cluster and daemons == 1:
            tps = pgbench(site.cluster)
            line(f"pgbench, one row an update, {title}", f"{tps:,.0f}/s",
                 f"heartbeats are {beats['per_s'] / tps:.1f} times that")
        site.end()


def first_answer(daemon, account, begun):
    wait_for(lambda: daemon.takes(account), 120, 0.005)
    return time.monotonic() - begun


def takeover():
    """How long an account takes no create when its owner or its database is lost."""
    site = Site("pair", 2, 1)
    account = site.accounts[0]
    site.together(lambda a: ("-m", OPEN, "creates"))
    print(f"\nWith {OPEN:,} open leases in the account:", flush=True)
    for title, how in (("owner killed", signal.SIGKILL), ("owner stopped as planned",
                                                          signal.SIGTERM)):
        owner = site.owner(account)
        other = next(d for d in site.daemons if d is not owner)
        begun = time.monotonic()
        owner.daemon.send_signal(how)
        line(f"{title}: first create elsewhere", f"{first_answer(other, account, begun):.2f} s",
             "goal <= 6 s")
        owner.daemon.wait()
        owner.start()
    begun = time.monotonic()
    site.cluster.fail_over()
    promoted = time.monotonic() - begun
    took = [first_answer(d, account, begun) for d in site.daemons]
    line("primary killed, standby promoted: first create", f"{min(took):.2f} s",
         f"{promoted:.2f} s of it until the new primary takes writes")
    site.end()


def counts():
    """What one life costs of the database, without other load."""
    site = Site("postgresql", counted=True)
    daemon = site.daemons[0]
    connection = daemon.connect()
    rows = []
    for _ in range(LIVES + 1):
        before = site.proxies.do("count", "database")
        lease = daemon.call(connection, "POST", "/v1/leases", {
            "provider": site.accounts[0], "class": "standard", "sshPublicKey": KEY,
            "ttlSeconds": 86400, "idleTimeoutSeconds": 86400}, {"Prefer": "wait=60"})["lease"]
        daemon.release(connection, lease["id"])
        now = site.proxies.do("count", "database")
        rows.append({name: now[name] - before[name] for name in LIMITS})
    site.end()
    found = {name: median([row[name] for row in rows[1:]]) for name in LIMITS}
    line("batches of one life, PostgreSQL", f"{found['batches']:.0f}",
         f"{found['flushes']:.0f} round trips within them")
    return found


def main():
    parts = sys.argv[2:] or PARTS
    if set(parts) - set(PARTS):
        raise SystemExit(__doc__)
    if postgres.missing():
        print("DID NOT RUN: " + postgres.missing())
        return 77
    wrong = 0
    if "rates" in parts:
        rates()
    if "takeover" in parts:
        takeover()
    if "counts" in parts:
        for name, value in counts().items():
            wrong += exceeds("bench-several", name, value, LIMITS[name])
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    finally:
        stop_all()
