# SPDX-License-Identifier: MIT
"""The performance figures of lessord, most of them as ratios to a baseline of the same run.

Usage: run.py BUILD-DIR [PART...]. The parts are idle, lives, waiting, counts, rates, pressure,
stores and store; the default is all of them."""
import os
import subprocess
import sys
import time

import counts
import lives
import pressure
import rates
import stores
import table
from table import figures, line
from world import BUILD, World, memory_mib, new_folder, stop_all

PARTS = ("idle", "lives", "waiting", "counts", "rates", "pressure", "stores", "store")


def idle_and_lives(parts):
    """With one daemon: its start and memory before any request, then its work."""
    world = World()
    world.settle()
    rss, private = memory_mib(world.daemon.pid)
    figures.update(start=world.start_ms, rss=rss, private=private)
    line("start, empty store", f"{world.start_ms:.0f} ms")
    line("memory, idle (RSS)", f"{rss:.1f} MiB", f"private {private:.1f} MiB")
    if "lives" in parts:
        lives.calls_of_one(world)
        lives.lives_at_64(world)
    world.end()
    if "lives" in parts:
        lives.creates_at_64()


def cpu_times():
    with open("/proc/stat", encoding="ascii") as f:
        return [int(n) for n in f.readline().split()[1:9]]


def sync_us():
    """The time of a durable write of one page on this disk, without a store."""
    folder = new_folder()
    path = os.path.join(folder, "page")
    took = []
    with open(path, "wb", buffering=0) as f:
        for _ in range(50):
            begun = time.monotonic()
            f.write(bytes(4096))
            os.fdatasync(f.fileno())
            took.append(time.monotonic() - begun)
    os.unlink(path)
    os.rmdir(folder)
    return table.median(took) * 1e6


def neighbours(before):
    """Other load on this machine, and CPU time stolen by other virtual machines."""
    spent = [now - then for now, then in zip(cpu_times(), before)]
    line("load average", "{:.1f}".format(os.getloadavg()[0]),
         f"{100 * spent[7] / (sum(spent) or 1):.0f} % of the CPU time stolen; above "
         f"{os.cpu_count()} the machine is busy: trust ratios and counts only")


def main():
    parts = sys.argv[2:] or PARTS
    if set(parts) - set(PARTS):
        raise SystemExit(__doc__)
    before = cpu_times()
    line("a durable write of 4 KiB on this disk", f"{sync_us():,.0f} us")
    try:
        if {"idle", "lives"} & set(parts):
            idle_and_lives(parts)
        if "waiting" in parts:
            lives.thousand_waiting()
        if "counts" in parts:
            counts.measure()
        if "rates" in parts:
            rates.measure()
        if "pressure" in parts:
            pressure.measure()
        if "stores" in parts:
            stores.measure()
        if "store" in parts:
            print("\nThe store alone, against a bare SQLite loop of the same updates:", flush=True)
            folder = new_folder()
            subprocess.run([f"{BUILD}/tests/bench-store", "-d", folder], check=True)
            os.rmdir(folder)
        neighbours(before)
        table.show()
    finally:
        stop_all()


main()
