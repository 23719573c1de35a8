# SPDX-License-Identifier: MIT
"""Stores with many leases: the time of a start, and the cost without requests."""
from lives import lives_rounds, warm
from rows import copy_last_lease
from table import figures, line
from world import World, memory_mib

LEASES = 100000


def ended_leases(rate_before):
    world = World()
    world.life(world.connect())
    world.stop()
    copy_last_lease(world.store, LEASES)
    world.start()
    figures["ended_start"] = world.start_ms
    world.settle()
    line(f"start, {LEASES:,} ended leases", f"{world.start_ms:.0f} ms")
    line(f"memory, idle, {LEASES:,} ended leases", "{:.1f} MiB".format(memory_mib(
        world.daemon.pid)[0]), "private {:.1f} MiB".format(memory_mib(world.daemon.pid)[1]))
    if rate_before:
        warm(world)
        rate = lives_rounds(world)["per_s"]
        line(f"whole lives, 64 clients, {LEASES:,} ended leases", f"{rate:,.0f}/s",
             f"{rate / rate_before:.2f} of the empty store")
    world.end()


def open_leases():
    world = World()
    world.create(world.connect())
    world.stop()
    copy_last_lease(world.store, LEASES)
    world.start()
    world.settle()
    rss, private = memory_mib(world.daemon.pid)
    figures["open_start"], figures["open_rss"] = world.start_ms / 1000, rss
    line(f"start, {LEASES:,} open leases", f"{world.start_ms:.0f} ms")
    line(f"memory, idle, {LEASES:,} open leases", f"{rss:.1f} MiB", f"private {private:.1f} MiB")
    world.end()


def measure():
    open_leases()
    ended_leases(figures.get("lives"))
