#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Pruning under load: a store of many leases that ended long ago is pruned while clients send
heartbeats at a steady rate. Prints the heartbeats' times without and with pruning, from the same
run, and the size of the file before and after.

Usage: history.py BUILD-DIR [LEASES]. As a test it fails if a heartbeat fails, a lease is left that
should have gone, the file does not become smaller, the database is inconsistent, or heartbeats take
so much longer that they must have waited for more than a step."""
import os
import sqlite3
import subprocess
import sys
import threading
import time

from stores import copy_last_lease
from table import line
from world import BUILD, World, stop_all, wait_for

LEASES = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
CLIENTS, BEATS_PER_S = 4, 50
BASE_S = 8
# The newest lease keeps its number, and the one that gets the heartbeats lives.
STAY = 2
# Far more than a step takes, and far less than pruning in one go would.
MOST_RATIO, MOST_MS = 10, 250


class Beats(threading.Thread):
    """One client that sends heartbeats at a steady rate until it is told to end."""

    def __init__(self, world, lease):
        super().__init__(daemon=True)
        self.world, self.lease = world, lease
        self.times, self.failed, self.is_over = [], None, threading.Event()

    def run(self):
        try:
            connection = self.world.connect()
            due = time.monotonic()
            while not self.is_over.wait(max(0, due - time.monotonic())):
                begun = time.monotonic()
                self.world.call(connection, "POST", f"/v1/leases/{self.lease}/heartbeat", {})
                self.times.append((begun, (time.monotonic() - begun) * 1000))
                due = max(due + 1 / BEATS_PER_S, begun)
        except (OSError, SystemExit) as why:
            self.failed = why

    def end(self):
        self.is_over.set()
        self.join(60)
        if self.failed:
            raise SystemExit(f"bench-history: a heartbeat failed: {self.failed}")


def percentile(times, share):
    times = sorted(times)
    return times[min(len(times) - 1, int(len(times) * share))]


def ask(world, sql):
    store = sqlite3.connect(f"file:{world.store}?mode=ro", uri=True, timeout=60)
    try:
        return store.execute(sql).fetchone()[0]
    finally:
        store.close()


def size(world):
    return os.path.getsize(world.store)


def age(path):
    """All leases ended 500 days ago; a new one then has the newest numbers."""
    store = sqlite3.connect(path)
    ms = int(time.time() * 1000) - 500 * 86400 * 1000
    store.execute("UPDATE lease SET created_ms = ?1, ended_ms = ?1 + 60000, updated_ms = ?1 + 60000",
                  (ms,))
    store.execute("UPDATE resource SET created_ms = ?1, changed_ms = ?1, until_ms = 0 WHERE lease > 0", (ms,))
    # What it takes of a month's money is not of this month then.
    store.execute("DELETE FROM charge")
    store.commit()
    store.close()


def make_old():
    world = World()
    world.settle()
    world.life(world.connect())
    world.stop()
    copy_last_lease(world.store, LEASES - 1)
    age(world.store)
    return world


def config_set(world, keep):
    with open(world.config, encoding="ascii") as f:
        text = f.read().replace("interval = 0s", "interval = 1h")
    text = text.split("[history]")[0] + f"[history]\nkeep = {keep}\n"
    with open(world.config, "w", encoding="ascii") as f:
        f.write(text)


def beats_begin(world, lease):
    clients = [Beats(world, lease) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    return clients


def beats_end(clients):
    times = []
    for client in clients:
        client.end()
        times += client.times
    return times


def shrinks(world):
    """Whether the file is at most an eighth larger than what is in it, after a checkpoint."""
    return ask(world, "SELECT (SELECT freelist_count FROM pragma_freelist_count) * 8"
                      " <= (SELECT page_count FROM pragma_page_count) + 8 * 64")


def main():
    world = make_old()
    before = size(world)
    config_set(world, "0")
    world.start()
    world.settle()
    connection = world.connect()
    lease = world.create(connection)
    clients = beats_begin(world, lease)
    wait_for(lambda: all(len(client.times) >= BASE_S * BEATS_PER_S for client in clients), 60, 0.05)
    alone = [ms for _, ms in beats_end(clients)]
    world.stop()
    config_set(world, "400d")
    world.start()
    world.settle()
    clients = beats_begin(world, lease)
    wait_for(lambda: ask(world, "SELECT count(*) FROM lease") < LEASES, 60, 0.02)
    begun = time.monotonic()
    wait_for(lambda: ask(world, "SELECT count(*) FROM lease") <= STAY - 1, 1800, 0.2)
    pruned = time.monotonic()
    wait_for(lambda: shrinks(world), 600, 0.2)
    over = time.monotonic()
    beside = [ms for at, ms in beats_end(clients) if begun <= at <= over]
    world.stop()
    left = ask(world, "SELECT count(*) FROM lease")
    usage = ask(world, "SELECT coalesce(sum(leases), 0) FROM past_usage")
    after = size(world)
    check = subprocess.run([f"{BUILD}/bin/lessord", "check", "--config", world.config],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    rate = CLIENTS * BEATS_PER_S
    for name, times in (("without", alone), ("with", beside)):
        line(f"heartbeats at {rate}/s, {name} pruning", f"p99 {percentile(times, .99):.1f} ms",
             f"p50 {percentile(times, .5):.1f} ms; most {max(times):.1f} ms; {len(times)} of them")
    line(f"{LEASES:,} leases pruned", f"{pruned - begun:.0f} s",
         f"{LEASES / (pruned - begun):,.0f}/s; shrunk after {over - pruned:.0f} s more")
    line("the file", f"{before / 1e6:.1f} MB", f"then {after / 1e6:.1f} MB")
    ratio = percentile(beside, .99) / percentile(alone, .99)
    line("p99 with pruning", f"{ratio:.2f} of that without")
    wrong = []
    if usage < LEASES - 1 or left > STAY:
        wrong.append(f"{left} leases are left, {usage} are counted as pruned")
    if after > before / 2:
        wrong.append("the file did not become smaller")
    if ratio > MOST_RATIO and percentile(beside, .99) > MOST_MS:
        wrong.append("heartbeats waited for pruning")
    if check.returncode:
        wrong.append(f"lessord check: {check.stdout}")
    for text in wrong:
        print(f"bench-history: {text}", file=sys.stderr)
    world.end()
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    finally:
        stop_all()
