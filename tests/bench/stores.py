# SPDX-License-Identifier: MIT
"""Stores with many leases: the time of a start, and the cost without requests."""
import sqlite3

from lives import lives_rounds, warm
from table import figures, line
from world import World, memory_mib

LEASES = 100000

# The columns of a copied lease that must be unique; the others are copied from the model.
OWN = {"id": "printf('cbx_f%011x', k)", "slug": "slug || '-' || k",
       "server_id": "1000000000 + k", "server_name": "server_name || '-' || k",
       "host": "printf('198.51.%d.%d', k / 256 % 256, k % 256)"}
# The tables with a lease's rows, and their columns that must be unique.
TABLES = {"beat": {}, "attempt": {}, "event": {},
          "resource": {"id": "model.id || '-' || lease.n", "name": "model.name || '-' || lease.n"}}


def columns(store, table):
    return [row[1] for row in store.execute(f"PRAGMA table_info({table})") if row[1] != "n"]


def copy_last_lease(path, count):
    """Inserts leases with all the rows that the daemon would have written."""
    store = sqlite3.connect(path)
    model = store.execute("SELECT max(n) FROM lease").fetchone()[0]
    names = columns(store, "lease")
    values = ",".join(OWN.get(name, name) for name in names)
    store.execute("WITH RECURSIVE copy(k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM copy"
                  f" WHERE k + 1 < ?1) INSERT INTO lease({','.join(names)})"
                  f" SELECT {values} FROM copy, lease WHERE n = ?2", (count, model))
    for table, own in TABLES.items():
        names = columns(store, table)
        values = ",".join("lease.n" if name == "lease" else own.get(name, "model." + name)
                          for name in names)
        store.execute(f"INSERT INTO {table}({','.join(names)}) SELECT {values}"
                      f" FROM lease, {table} AS model WHERE lease.n > ?1 AND model.lease = ?1",
                      (model,))
    store.commit()
    store.close()


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
