# SPDX-License-Identifier: MIT
"""Reads and heartbeats against evhttp's "hello", in interleaved rounds; medians."""
import os
import re
import sqlite3
import subprocess

from table import figures, line, median
from world import BUILD, HERE, World, cpu_seconds, free_port, listens, load, start, stop, wait_for

SECONDS = 2
ROUNDS = 3
LEASES = 1000
# The retained output of a run is sent when it finishes: four runs, 7.4 MB each.
RUNS, RUN_BYTES = 4, 7400000


def wrk(port, path, connections=64, script=None, env=None, pid=None, headers=()):
    """Returns requests per second, p99 in ms, and server CPU in microseconds per request."""
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
        raise SystemExit("bench: wrong responses:\n" + out)
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))
    count = int(re.search(r"(\d+) requests in", out).group(1))
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", out)
    p99_ms = float(p99.group(1)) * {"us": 0.001, "ms": 1, "s": 1000}[p99.group(2)]
    return rate, p99_ms, used / count * 1e6


class Stage:
    """A daemon with leases, and the baseline servers."""

    def __init__(self):
        self.world = World()
        self.world.settle()
        self.world.load("-n", 64, "-m", LEASES, "creates")
        store = sqlite3.connect(f"file:{self.world.store}?mode=ro", uri=True)
        self.leases = [row[0] for row in store.execute("SELECT id FROM lease WHERE state = 1")]
        store.close()
        self.one = self.ids("one", self.leases[:1])
        self.many = self.ids("many", self.leases)
        self.bare_port, self.ev_port = free_port(), free_port()
        self.bare = start([f"{BUILD}/tests/bare", str(self.bare_port)])
        self.evhttp = start([f"{BUILD}/tests/bare", "-e", str(self.ev_port)])
        wait_for(listens(self.bare_port))
        wait_for(listens(self.ev_port))

    def ids(self, name, leases):
        path = os.path.join(self.world.folder, name)
        with open(path, "w", encoding="ascii") as f:
            f.write("\n".join(leases) + "\n")
        return path

    def end(self):
        stop(self.bare)
        stop(self.evhttp)
        self.world.end()


def with_wrk(stage):
    """With wrk, which earlier figures were measured with."""
    world = stage.world
    auth = [f"Authorization: Bearer {world.token}"]
    pid = world.daemon.pid
    got = {name: [] for name in ("bare", "evhttp", "health", "get")}
    beats = {}
    for _ in range(ROUNDS):
        got["bare"].append(wrk(stage.bare_port, "/", pid=stage.bare.pid))
        got["evhttp"].append(wrk(stage.ev_port, "/", pid=stage.evhttp.pid))
        got["health"].append(wrk(world.port, "/v1/health", pid=pid))
        got["get"].append(wrk(world.port, f"/v1/leases/{stage.leases[0]}", pid=pid, headers=auth))
        for name, ids, connections in (("one", stage.one, 64), ("many", stage.many, 16),
                                       ("many", stage.many, 64), ("many", stage.many, 256)):
            ev = wrk(stage.ev_port, "/", connections)
            beat = wrk(world.port, "/", connections, "heartbeat.lua",
                       {"IDS": ids, "TOKEN": world.token}, pid)
            beats.setdefault((name, connections), []).append((beat, beat[0] / ev[0]))
    rate = {name: median([r[0] for r in rows]) for name, rows in got.items()}
    cpu = {name: median([r[2] for r in rows]) for name, rows in got.items()}
    print("\nBy wrk:", flush=True)
    for name, title in (("bare", "a bare bufferevent, 600 bytes"), ("evhttp", "evhttp, 600 bytes"),
                        ("health", "GET /v1/health"), ("get", "GET /v1/leases/ID")):
        line(f"{title}, 64 connections", f"{rate[name]:,.0f}/s",
             f"{cpu[name]:.1f} us CPU; {rate[name] / rate['bare']:.2f} of bare, "
             f"{rate[name] / rate['evhttp']:.2f} of evhttp")
    for (name, connections), rows in sorted(beats.items()):
        title = "one lease" if name == "one" else f"{LEASES} leases"
        line(f"durable heartbeats, {title}, {connections} connections",
             f"{median([r[0][0] for r in rows]):,.0f}/s",
             f"{median([r[1] for r in rows]):.2f} of evhttp without a store; "
             f"p99 {median([r[0][1] for r in rows]):.1f} ms; "
             f"{median([r[0][2] for r in rows]):.1f} us CPU")


def timed(*words):
    return ("-n", 64, "-w", 0.2, "-t", 0.2 + SECONDS, *words)


def beats_and_runs(stage):
    """Heartbeats while runs finish; `ends_s` is how long that took."""
    ends = subprocess.Popen([f"{BUILD}/tests/lives", "-p", str(stage.world.port), "-n", str(RUNS),
                             "-m", str(RUNS), "runs", str(RUN_BYTES)], stdout=subprocess.PIPE,
                            text=True, env={**os.environ, "TOKEN": stage.world.token})
    result = stage.world.load(*timed("beats", stage.many))
    out = ends.communicate(timeout=120)[0]
    if ends.returncode:
        raise SystemExit("bench: the runs did not finish")
    result["ends_s"] = float(re.search(r"^seconds ([\d.]+)", out, re.M).group(1))
    return result


def cpu_us(result):
    return result["cpu_s"] / result["done"] * 1e6


def with_lives(stage):
    """With a client that uses little of the two cores."""
    world = stage.world
    path = f"/v1/leases/{stage.leases[0]}"
    rounds = [(load(stage.ev_port, *timed("get", "/"), pid=stage.evhttp.pid),
               world.load(*timed("get", path)), world.load(*timed("beats", stage.many)),
               beats_and_runs(stage)) for _ in range(ROUNDS)]
    hello, get, beats, runs = zip(*rounds)

    def middle(results, name):
        return median([r[name] for r in results])

    def ratio(results, others):
        return median([a["per_s"] / b["per_s"] for a, b in zip(results, others)])

    figures["get"], figures["beats"] = ratio(get, hello), ratio(beats, hello)
    figures["beats_p99"] = middle(beats, "all_p99_ms")
    figures["beats_cpu"] = median(map(cpu_us, beats))
    figures["beats_runs"], figures["beats_runs_p99"] = ratio(runs, beats), middle(runs, "all_p99_ms")
    for title, results in (("evhttp, 600 bytes", hello), ("GET /v1/leases/ID", get),
                           (f"durable heartbeats, {LEASES} leases", beats),
                           (f"the same while {RUNS} runs of 7.4 MB end", runs)):
        line(f"{title}, 64 clients", f"{middle(results, 'per_s'):,.0f}/s",
             f"{median(map(cpu_us, results)):.1f} us CPU; {ratio(results, hello):.2f} of evhttp; "
             f"p99 {middle(results, 'all_p99_ms'):.1f} ms")
    line("time for the runs to finish", f"{middle(runs, 'ends_s'):.1f} s")


def measure():
    stage = Stage()
    with_lives(stage)
    with_wrk(stage)
    stage.end()
