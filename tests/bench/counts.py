#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The SQLite calls of one lease lifecycle without other load: nearly the same on every machine.

Usage: counts.py BUILD-DIR. As a test it fails when a number is above its limit."""
import sys

from table import exceeds, figures, line, median
from world import Counts, World, stop_all

# (steps, commits) by `keys =`. A tenth above the values of an idle machine, (60, 9) and (82, 14):
# on a busy machine, claims that belong together are sometimes committed separately. Some of the
# steps take and give back the write lock for an iteration that turns out to write nothing. A
# change that reduces the values also lowers the limits.
LIMITS = {"account": (66, 11), "lease": (90, 17)}
LIVES = 15


def one_by_one(keys):
    """The counters of the median life, by name; some lives include an idle loop iteration."""
    world = World(keys=keys, poll="10ms", counted=True)
    world.settle()
    connection = world.connect()
    world.life(connection)
    rows = []
    for _ in range(LIVES):
        before = world.counts.read()
        world.life(connection)
        rows.append([now - then for now, then in zip(world.counts.read(), before)])
    world.end()
    return dict(zip(Counts.NAMES, map(median, zip(*rows))))


def measure():
    for keys in LIMITS:
        counts = one_by_one(keys)
        figures[f"steps_{keys}"], figures[f"commits_{keys}"] = counts["steps"], counts["commits"]
        line(f"SQL per life, idle, keys = {keys}", f"{counts['steps']:.0f} steps",
             f"{counts['statements']:.0f} statements; {counts['commits']:.0f} commits; "
             f"{counts['syncs']:.0f} syncs")


def main():
    measure()
    wrong = 0
    for keys, limits in LIMITS.items():
        for name, limit in zip(("steps", "commits"), limits):
            wrong += exceeds("bench-counts", f"keys={keys} {name}", figures[f"{name}_{keys}"],
                             limit)
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    finally:
        stop_all()
