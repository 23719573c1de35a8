#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""lessord on PostgreSQL, alone and as two, against SQLite and against pgbench; and how long nobody
answers when a daemon or the database is lost.

Usage: several.py BUILD-DIR [PART...]. The parts are rates, delayed, takeover and counts; the default is
all of them. As a test (counts alone) it fails when a life costs more batches, or more round trips
within them, than the limits allow; everything else is only printed."""
import json
import os
import re
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(HERE, "..", "api"))
sys.path.append(os.path.join(HERE, "..", "faults", "storm"))
import postgres  # noqa: E402
from machine import Usage, ended_children, seconds  # noqa: E402
from proxies import Proxies  # noqa: E402
from table import exceeds, line, median  # noqa: E402
from world import (BOOTS_AT_ONCE, BUILD, UNLIMITED, World, cpu_seconds, free_port,  # noqa: E402
                   listens, new_folder, start, stop_all, wait_for)

PARTS = ("rates", "delayed", "takeover", "counts")
CLIENTS, SECONDS, ROUNDS = 64, 3, 3
# Behind a database that answers so late, so few clients of an account leave the CPUs idle.
DELAY_MS, FEW = 5, {"durable heartbeats": 16, "creates until ready": 4}
# Who should own an account gets it within this time, unless its steps take longer.
SETTLED_S = 8
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
log_level = notice
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
        self.log = open(os.path.join(self.folder, "log"), "a+", encoding="utf-8")
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

    def log_lines(self):
        with open(self.log.name, encoding="utf-8") as f:
            return f.read().splitlines()

    def claims(self):
        """Of all its claims, how many leases it loaded and in how many ms."""
        return [tuple(int(n) for n in re.search(r" leases=(\d+) load_ms=(\d+)", one).groups())
                for one in self.log_lines() if " event=account.claimed" in one]

    def takes(self, account):
        return self.try_create(account) in (200, 201, 202)


KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl bench"


class Site:
    """A cloud, a store of some kind, and daemons that each have all accounts."""

    def __init__(self, store, daemons=1, accounts=1, counted=False, delay_ms=0):
        self.folder = new_folder()
        self.accounts = ["a%d" % n for n in range(accounts)]
        self.sim_port = free_port()
        self.cluster = self.url = self.proxies = None
        self.start_sim()
        if store != "sqlite":
            self.start_database(store, counted, delay_ms)
        self.daemons = [Daemon(self, n) for n in range(daemons)]
        token = self.daemons[0].add_token()
        for daemon in self.daemons:
            daemon.token = token
            daemon.start()
        for account in self.accounts:
            for daemon in self.daemons:
                wait_for(lambda d=daemon, a=account: d.takes(a), 60, 0.02)
        if daemons > 1:
            self.spread()

    def settle(self):
        """Until no account moves any more."""
        wait_for(lambda: time.time() - max(os.path.getmtime(d.log.name) for d in self.daemons)
                 > SETTLED_S, 120, 0.1)

    def spread(self):
        """Until each daemon owns an account, if there are enough: who should is as good as random,
        and another at each start."""
        self.settle()
        while len({self.owner(a).port for a in self.accounts}) < min(len(self.accounts),
                                                                     len(self.daemons)):
            self.daemons[-1].stop()
            self.daemons[-1].start()
            self.settle()

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

    def start_database(self, store, counted, delay_ms):
        self.cluster = postgres.Cluster()
        self.url = self.cluster.database()
        name = self.url.rsplit("/", 1)[1]
        if store == "pair":
            self.cluster.pair()
            self.url = self.cluster.urls(name)
        if counted or delay_ms:
            self.proxies = Proxies()
            port = self.proxies.open("database", self.cluster.primary.port, counted)
            self.proxies.do("delay", "database", ms=delay_ms)
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

    def cpu_times(self):
        """What each program of the site has used of the CPUs, and the clients beside it."""
        servers = [s.process.pid for s in (self.cluster.primary, self.cluster.standby)
                   if s] if self.cluster else []
        times = {"lessord": sum(cpu_seconds(d.daemon.pid) for d in self.daemons),
                 "PostgreSQL": sum(seconds(pid, True) + sum(map(seconds, postgres.children(pid)))
                                   for pid in servers),
                 "clients": ended_children() + sum(os.times()[:2]),
                 "simulator": cpu_seconds(self.sim.pid)}
        if self.proxies:
            times["proxy"] = cpu_seconds(self.proxies.process.pid)
        return times

    def end(self):
        for daemon in self.daemons:
            if daemon.daemon.poll() is None:
                daemon.stop()
            for one in daemon.log_lines():
                if " error " in one:
                    print(one, file=sys.stderr)
            daemon.log.close()
        self.sim.terminate()
        self.sim.wait()
        if self.proxies:
            self.proxies.close()
        if self.cluster:
            self.cluster.close()

    def together(self, words, clients=0):
        """Runs one load for each account at the same time, with its share of the clients, or so
        many, at its owner; returns requests per second, the longest p99 and the CPU of a request."""
        clients = clients or CLIENTS // len(self.accounts)
        owners = {a: self.owner(a) for a in self.accounts}
        before = sum(cpu_seconds(d.daemon.pid) for d in self.daemons)
        loads = [subprocess.Popen(
            [f"{BUILD}/tests/lives", "-p", str(owners[a].port), "-a", a, "-n",
             str(clients), *[str(w) for w in words(a)]],
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


def loads(site, clients, leases):
    """What the clients do, and the figures and the use of the CPUs of each: creates, and then
    heartbeats of what was created."""
    used, files = Usage(site.cpu_times), {}
    result = used.add(lambda: site.together(
        lambda a: ("-m", leases // len(site.accounts), "creates"),
        clients.get("creates until ready")))
    yield "creates until ready", result, used
    for account in site.accounts:
        files[account] = site.leases(account)
    # The first heartbeat of each lease reads of which account it is.
    site.together(lambda a: ("-m", leases // len(site.accounts), "beats", files[a]))
    used = Usage(site.cpu_times)
    rounds = [used.add(lambda: site.together(lambda a: timed("beats", files[a]),
                                             clients.get("durable heartbeats")))
              for _ in range(ROUNDS)]
    yield "durable heartbeats", {n: median([r[n] for r in rounds]) for n in rounds[0]}, used


def rates():
    """Heartbeats and creates of 64 clients, half of them for each of two accounts; beside each, who
    used the CPUs, which daemons, database, clients and cloud share."""
    first = {}
    for title, store, daemons in KINDS:
        site = Site(store, daemons, daemons)
        for what, result, used in loads(site, {}, LEASES):
            base = first.setdefault(what, result["per_s"])
            line(f"{what}, {title}", f"{result['per_s']:,.0f}/s",
                 f"{result['per_s'] / base:.2f} of SQLite; p99 {result['p99']:.1f} ms; "
                 f"{result['cpu_us']:.0f} us CPU of lessord")
            used.line()
            beats = result
        if site.cluster and daemons == 1:
            tps = pgbench(site.cluster)
            line(f"pgbench, one row an update, {title}", f"{tps:,.0f}/s",
                 f"heartbeats are {beats['per_s'] / tps:.1f} times that")
        site.end()


def delayed():
    """As many clients for each account: what a second account brings with one daemon and with two,
    when all wait for the database rather than for a CPU."""
    print(f"\nEach answer of the database {DELAY_MS} ms later; clients for each account: "
          + ", ".join(f"{n} ({what})" for what, n in FEW.items()), flush=True)
    first = {}
    for title, daemons, accounts in (("one daemon, one account", 1, 1),
                                     ("one daemon, two accounts", 1, 2),
                                     ("two daemons, an account each", 2, 2)):
        site = Site("postgresql", daemons, accounts, delay_ms=DELAY_MS)
        for what, result, used in loads(site, FEW, LEASES // 4 * accounts):
            base = first.setdefault(what, result["per_s"])
            goal = "; goal >= 1.5" if daemons > 1 else ""
            line(f"{what}, {title}", f"{result['per_s']:,.0f}/s",
                 f"{result['per_s'] / base:.2f} of one account{goal}; p99 {result['p99']:.1f} ms")
            used.line()
        site.end()


def first_answer(daemon, account, begun):
    wait_for(lambda: daemon.takes(account), 120, 0.005)
    return time.monotonic() - begun


def loaded(daemons, before):
    """Prints how long the accounts took to load that were claimed since."""
    for daemon, count in zip(daemons, before):
        for leases, ms in daemon.claims()[count:]:
            line(f"    of it loading {leases:,} leases", f"{ms} ms", "goal <= 300 ms for 10,000")


def lost_owner(site, account, how):
    """The time until another daemon acknowledges a create when the owner gets this signal."""
    site.settle()
    owner = site.owner(account)
    other = next(d for d in site.daemons if d is not owner)
    before = len(other.claims())
    begun = time.monotonic()
    owner.daemon.send_signal(how)
    took = first_answer(other, account, begun)
    title, goal = {signal.SIGKILL: ("killed", 6),
                   signal.SIGTERM: ("stopped as planned", 0.5)}[how]
    line(f"owner {title}: first create elsewhere", f"{took:.2f} s", f"goal <= {goal} s")
    loaded([other], [before])
    owner.daemon.wait()
    owner.start()


def takeover():
    """How long an account takes no create when its owner or its database is lost."""
    site = Site("pair", 2, 1)
    account = site.accounts[0]
    site.together(lambda a: ("-d", 900, "-m", OPEN, "creates"))
    print(f"\nWith {OPEN:,} open leases in the account:", flush=True)
    for how in (signal.SIGKILL, *[signal.SIGTERM] * ROUNDS):
        lost_owner(site, account, how)
    site.settle()
    before = [len(d.claims()) for d in site.daemons]
    begun = time.monotonic()
    site.cluster.fail_over()
    promoted = time.monotonic() - begun
    took = [first_answer(d, account, begun) for d in site.daemons]
    line("primary killed, standby promoted: first create", f"{min(took):.2f} s",
         f"{promoted:.2f} s of it until the new primary takes writes")
    loaded(site.daemons, before)
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
    if "delayed" in parts:
        delayed()
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
