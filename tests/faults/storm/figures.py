#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The figures of storms: those of one, and the sum of many.

    figures.py FILE...     the sum of what storms appended to these files (storm.py --figures)

A takeover is the longest time in which nobody acknowledged a heartbeat of an account while a fault
lasted, in seconds, if it was longer than half a second; so a fault that lasts may be charged with
a gap that another one made. `alone` are those of faults during which there was no other."""

import collections
import json
import sys

NOTICED = 0.5


def longest_gap(moments, start, end):
    """The longest time without an acknowledged write that overlaps [start, end]; `moments` are
    sorted. The last one may end long after `end`."""
    longest = 0
    for before, after in zip(moments, moments[1:]):
        if after >= start and before <= end:
            longest = max(longest, after - before)
    return longest


def gaps(faults, moments):
    """For each fault (kind, start, end) and account (its moments): the gap in seconds."""
    found = []
    for number, (kind, start, end) in enumerate(faults):
        alone = not any(s <= end and e >= start
                        for n, (_, s, e) in enumerate(faults) if n != number)
        for some in moments:
            gap = longest_gap(some, start, end) / 1e6
            if gap > NOTICED:
                found.append({"kind": kind, "alone": alone, "seconds": gap})
    return found


def of_storm(storm):
    """All that is kept of one storm."""
    records, world, nemesis = storm.records.all, storm.world, storm.nemesis
    kinds = collections.Counter(kind for kind, _, _ in nemesis.done)
    moments = [sorted(t for p in some for t in p.answered) for some in storm.probers.values()]
    return {
        "seed": storm.options.seed, "seconds": storm.options.seconds,
        "network": bool(world.network), "faults": kinds, "requests": len(records),
        "unknown": sum(1 for r in records if not r["return"]),
        "leases": len({r["lease"] for r in records}),
        "servers": sum(1 for e in world.cloud.events if e["what"] == "created" and
                       e["kind"] == "server" and e["who"] != "human"),
        "linear": storm.order, "exits": sum(len(d.exits) for d in world.daemons),
        "operator": storm.operator,
        "batches": sum(world.proxies.do("hits", name)["hits"] for d in world.daemons
                       for name in d.databases),
        "gaps": gaps(nemesis.done, moments), "violations": storm.violations,
    }


def quantile(some, part):
    return sorted(some)[min(len(some) - 1, int(len(some) * part))]


def times(some):
    if not some:
        return ["0", "-", "-", "-"]
    return [str(len(some))] + ["%.1f" % x for x in (
        quantile(some, 0.5), quantile(some, 0.99), max(some))]


def table(counts, found):
    rows = [["fault", "times", "gaps", "p50 s", "p99 s", "longest s", "alone: gaps", "p50 s",
             "p99 s", "longest s"]]
    rows.append(["---"] * len(rows[0]))
    for kind in sorted(counts):
        mine = [g for g in found if g["kind"] == kind]
        rows.append([kind, str(counts[kind])] + times([g["seconds"] for g in mine]) +
                    times([g["seconds"] for g in mine if g["alone"]]))
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def total(storms):
    """The lines about these storms, one or many."""
    add = lambda name: sum(s[name] for s in storms)
    counts = collections.Counter()
    for storm in storms:
        counts.update(storm["faults"])
    lines = [table(counts, [g for s in storms for g in s["gaps"]])]
    lines.append("storms: %d, %.0f s of faults, partitions by the %s" % (
        len(storms), add("seconds"), "kernel" if all(s["network"] for s in storms) else "proxies"))
    lines.append("requests: %d, unknown %d; leases %d; servers made %d; batches cut %d; exits by "
                 "themselves %d; decided by an operator %d" % (
                     add("requests"), add("unknown"), add("leases"), add("servers"),
                     add("batches"), add("exits"), add("operator")))
    lines += ["seed %s: %s" % (s["seed"], s["linear"]) for s in storms]
    lines += ["seed %s: VIOLATION: %s" % (s["seed"], v) for s in storms for v in s["violations"]]
    lines.append("storm: %d cases, %d violations" % (
        sum(counts.values()), sum(len(s["violations"]) for s in storms)))
    return lines


def report(storm):
    """Prints the figures of a storm that is over, and keeps them if that was asked for."""
    mine = of_storm(storm)
    for daemon in storm.world.daemons:
        if daemon.exits or any(daemon.leaves):
            print("%s: exits by itself %r, of planned stops %r" % (
                daemon.name, daemon.exits, daemon.leaves))
    for failure in storm.nemesis.failures:
        print("NEMESIS: " + failure)
    print("\n".join(total([mine])), flush=True)
    if storm.options.figures:
        with open(storm.options.figures, "a", encoding="ascii") as file:
            file.write(json.dumps(mine) + "\n")


def main(paths):
    storms = []
    for path in paths:
        with open(path, encoding="ascii") as file:
            storms += [json.loads(line) for line in file]
    print("\n".join(total(storms)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
