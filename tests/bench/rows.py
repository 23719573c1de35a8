# SPDX-License-Identifier: MIT
"""Multiplies the rows of a lease in a SQLite store whose daemon does not run."""
import sqlite3

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
