/* SPDX-License-Identifier: MIT */
/*
 * The schema of the leases' file as numbered migrations, and the code that applies
 * migrations to either file. Each runs in one transaction that also raises PRAGMA
 * user_version. A released migration is never edited. Version N of the file is the result of
 * the first N migrations.
 */
#include "store/daemons.h"
#include "store/sqlite/internal.h"

#include <stdio.h>

#include "util/alloc.h"

/* SQL is laid out by hand. */
/* clang-format off */
/* What counted before schema 7: also leases with only free resources left. */
#define COUNTED(row) "(" row ".state <= 1 OR " row ".cleanup BETWEEN 1 AND 3)"
/* What counted before schema 9, which has the queue: all that are live. */
#define COUNTED_LIVE(row) "(" row ".state <= 1 OR " row ".is_billed AND " row ".cleanup BETWEEN 1 AND 3)"
/* lease_counts() in SQL: live and not in the queue, or billed and owed, retained or in attention. */
#define COUNTS(row) \
	"(" row ".state <= 1 AND NOT (" row ".queue_ms > 0 AND " row ".admitted_ms = 0)" \
	" OR " row ".is_billed AND " row ".cleanup BETWEEN 1 AND 3)"
#define USAGE_TOTALS(row, leases, micros) \
	"INSERT INTO tally VALUES(0, '', '', " leases ", " micros ")," \
	"(1, " row ".owner, " row ".org, " leases ", " micros ")," \
	"(2, '', " row ".org, " leases ", " micros ")," \
	"(3, " row ".account, '', " leases ", " micros ")" \
	" ON CONFLICT DO UPDATE SET leases = leases + excluded.leases," \
	" micros = micros + excluded.micros;"

/* What of a charge goes into which total: the scopes are those of tally. */
#define SPEND_TOTALS(row, currency, reserved, settled) \
	"INSERT INTO spend VALUES(0, '', '', " row ".month_ms, " currency ", " reserved ", " settled ")," \
	"(1, " row ".owner, " row ".org, " row ".month_ms, " currency ", " reserved ", " settled ")," \
	"(2, '', " row ".org, " row ".month_ms, " currency ", " reserved ", " settled ")," \
	"(3, " row ".account, '', " row ".month_ms, " currency ", " reserved ", " settled ")" \
	" ON CONFLICT DO UPDATE SET reserved_micros = reserved_micros + excluded.reserved_micros," \
	" settled_micros = settled_micros + excluded.settled_micros;"
#define SPEND_ADD(row) \
	SPEND_TOTALS(row, row ".currency", row ".reserved_micros", row ".settled_micros")
#define SPEND_TAKE(row) \
	SPEND_TOTALS(row, row ".currency", "-" row ".reserved_micros", "-" row ".settled_micros")

static const char *const migrations[] = {
	/* 1 */
	"CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
	"CREATE TABLE lease("
	" n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, attempt_token TEXT NOT NULL,"
	" owner TEXT NOT NULL, org TEXT NOT NULL, account TEXT NOT NULL, slug TEXT NOT NULL,"
	" class TEXT NOT NULL, profile TEXT NOT NULL, requested_type TEXT NOT NULL,"
	" type_explicit INTEGER NOT NULL, types TEXT NOT NULL, location TEXT NOT NULL,"
	" image TEXT NOT NULL, architecture TEXT NOT NULL, os TEXT NOT NULL,"
	" ssh_user TEXT NOT NULL, ssh_port INTEGER NOT NULL, fallback_ports TEXT NOT NULL,"
	" work_root TEXT NOT NULL, public_key TEXT NOT NULL, pond TEXT NOT NULL,"
	" keep INTEGER NOT NULL, ttl_ms INTEGER NOT NULL, idle_ms INTEGER NOT NULL,"
	" created_ms INTEGER NOT NULL, provision_deadline_ms INTEGER NOT NULL,"
	" state INTEGER NOT NULL, cleanup INTEGER NOT NULL, epoch INTEGER NOT NULL,"
	" retained INTEGER NOT NULL, ready_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL,"
	" released_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL, end_reason TEXT NOT NULL,"
	" failure TEXT NOT NULL, cursor TEXT NOT NULL, due_ms INTEGER NOT NULL,"
	" tries INTEGER NOT NULL, cleanup_started_ms INTEGER NOT NULL, last_error TEXT NOT NULL,"
	" attention TEXT NOT NULL, attention_class INTEGER NOT NULL,"
	" retain_until_ms INTEGER NOT NULL, retain_reason TEXT NOT NULL,"
	" host TEXT NOT NULL, server_id TEXT NOT NULL, server_name TEXT NOT NULL,"
	" server_type TEXT NOT NULL, server_location TEXT NOT NULL,"
	" price_hour_micros INTEGER NOT NULL, currency TEXT NOT NULL);"
	/* To fill the heap at start: only leases with a due time. */
	"CREATE INDEX lease_due ON lease(due_ms) WHERE due_ms > 0;"
	"CREATE INDEX lease_slug ON lease(slug, owner, org) WHERE state <= 1;"
	"CREATE INDEX lease_created ON lease(created_ms);"
	/*
	 * Lists, newest first (the row number is the last column of every index). Most
	 * leases are ended and cleaned up: those are not in lease_open.
	 */
	"CREATE INDEX lease_open ON lease(cleanup) WHERE cleanup <> 4;"
	"CREATE INDEX lease_attention ON lease(n) WHERE attention <> '';"
	"CREATE INDEX lease_state ON lease(state);"
	"CREATE INDEX lease_owner ON lease(owner, org);"
	"CREATE INDEX lease_owner_state ON lease(owner, org, state);"
	"CREATE INDEX lease_org ON lease(org);"
	"CREATE INDEX lease_account ON lease(account);"
	/*
	 * Totals of what counts against limits (lease_counts), maintained by every change of
	 * a lease: scope 0 all, 1 owner and org, 2 org, 3 account. Read before every create,
	 * so the cost must not grow with the number of leases.
	 */
	"CREATE TABLE tally("
	" scope INTEGER NOT NULL, name TEXT NOT NULL, org TEXT NOT NULL, leases INTEGER NOT NULL,"
	" micros INTEGER NOT NULL, PRIMARY KEY(scope, name, org)) WITHOUT ROWID;"
	"CREATE TRIGGER lease_inserted AFTER INSERT ON lease WHEN " COUNTED("NEW") " BEGIN "
	USAGE_TOTALS("NEW", "1", "NEW.price_hour_micros") "END;"
	"CREATE TRIGGER lease_updated AFTER UPDATE OF state, cleanup, price_hour_micros ON lease"
	" WHEN " COUNTED("NEW") " <> " COUNTED("OLD")
	" OR " COUNTED("NEW") " AND NEW.price_hour_micros <> OLD.price_hour_micros BEGIN "
	USAGE_TOTALS("NEW", COUNTED("NEW") " - " COUNTED("OLD"),
		     COUNTED("NEW") " * NEW.price_hour_micros - " COUNTED("OLD") " * OLD.price_hour_micros")
	"END;"
	"CREATE TRIGGER lease_deleted AFTER DELETE ON lease WHEN " COUNTED("OLD") " BEGIN "
	USAGE_TOTALS("OLD", "-1", "-OLD.price_hour_micros") "END;"
	/* Narrow, so that many heartbeats share a page and a group commit stays small. */
	"CREATE TABLE beat(lease INTEGER PRIMARY KEY, touched_ms INTEGER NOT NULL);"
	"CREATE TABLE resource("
	" n INTEGER PRIMARY KEY, lease INTEGER NOT NULL, account TEXT NOT NULL,"
	" attempt INTEGER NOT NULL, kind INTEGER NOT NULL, state INTEGER NOT NULL,"
	" ours INTEGER NOT NULL, name TEXT NOT NULL, id TEXT NOT NULL, action TEXT NOT NULL,"
	" evidence TEXT NOT NULL, created_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL,"
	" first_look_ms INTEGER NOT NULL, looks INTEGER NOT NULL);"
	"CREATE INDEX resource_lease ON resource(lease, account);"
	"CREATE INDEX resource_id ON resource(account, kind, id) WHERE id <> '';"
	"CREATE TABLE attempt("
	" lease INTEGER NOT NULL, number INTEGER NOT NULL, type TEXT NOT NULL,"
	" location TEXT NOT NULL, refused INTEGER NOT NULL, reason TEXT NOT NULL,"
	" started_ms INTEGER NOT NULL, PRIMARY KEY(lease, number)) WITHOUT ROWID;"
	"CREATE TABLE event("
	" n INTEGER PRIMARY KEY, lease INTEGER NOT NULL, at_ms INTEGER NOT NULL,"
	" kind TEXT NOT NULL, text TEXT NOT NULL);"
	"CREATE INDEX event_lease ON event(lease, n);"
	"CREATE TABLE idempotency("
	" owner TEXT NOT NULL, org TEXT NOT NULL, key TEXT NOT NULL, hash TEXT NOT NULL,"
	" lease INTEGER NOT NULL, created_ms INTEGER NOT NULL,"
	" PRIMARY KEY(owner, org, key)) WITHOUT ROWID;"
	"CREATE TABLE canceled("
	" lease_id TEXT NOT NULL, token TEXT NOT NULL, owner TEXT NOT NULL, org TEXT NOT NULL,"
	" at_ms INTEGER NOT NULL, PRIMARY KEY(lease_id, token)) WITHOUT ROWID;"
	"CREATE TABLE token("
	" id TEXT PRIMARY KEY, hash BLOB NOT NULL, owner TEXT NOT NULL, org TEXT NOT NULL,"
	" role INTEGER NOT NULL, created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL,"
	" revoked_ms INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE price("
	" account TEXT NOT NULL, type TEXT NOT NULL, location TEXT NOT NULL,"
	" hour_micros INTEGER NOT NULL, currency TEXT NOT NULL, available INTEGER NOT NULL,"
	" at_ms INTEGER NOT NULL, PRIMARY KEY(account, type, location)) WITHOUT ROWID;"
	/* Until when an account's provider accepts no calls (429), across restarts. */
	"CREATE TABLE pause("
	" account TEXT PRIMARY KEY, until_ms INTEGER NOT NULL) WITHOUT ROWID;"
	/* The last sweep of each account, and the orphans it saw. */
	"CREATE TABLE sweep("
	" account TEXT PRIMARY KEY, begun_ms INTEGER NOT NULL, done_ms INTEGER NOT NULL,"
	" objects INTEGER NOT NULL, unproven INTEGER NOT NULL, error TEXT NOT NULL,"
	" looked_ms INTEGER NOT NULL, looked_by TEXT NOT NULL, deleted_ms INTEGER NOT NULL)"
	" WITHOUT ROWID;"
	"CREATE TABLE stray("
	" account TEXT NOT NULL, kind INTEGER NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL,"
	" lease TEXT NOT NULL, attempt INTEGER NOT NULL, why INTEGER NOT NULL,"
	" made_ms INTEGER NOT NULL, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL,"
	" looks INTEGER NOT NULL, PRIMARY KEY(account, kind, id)) WITHOUT ROWID;",
	/*
	 * 2: sharing of leases (name "": the whole organisation), and telemetry of machines:
	 * a ring of samples while the lease is live.
	 */
	"CREATE TABLE share("
	" lease INTEGER NOT NULL, org TEXT NOT NULL, name TEXT NOT NULL, manage INTEGER NOT NULL,"
	" PRIMARY KEY(lease, name)) WITHOUT ROWID;"
	"CREATE INDEX share_with ON share(org, name, lease);"
	"CREATE TABLE sharing("
	" lease INTEGER PRIMARY KEY, updated_ms INTEGER NOT NULL, updated_by TEXT NOT NULL);"
	"CREATE TABLE telemetry("
	" lease INTEGER NOT NULL, at_ms INTEGER NOT NULL, data TEXT NOT NULL,"
	" PRIMARY KEY(lease, at_ms)) WITHOUT ROWID;",
	/* 3: the machine's SSH host key */
	"ALTER TABLE lease ADD COLUMN host_key TEXT NOT NULL DEFAULT '';",
	/*
	 * 4: run history. Lists read only the small row; large texts are in tables of their
	 * own, which the retention deletes a few rows at a time.
	 */
	"CREATE TABLE run("
	" n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, org TEXT NOT NULL,"
	" label TEXT NOT NULL, started_ms INTEGER NOT NULL, lease TEXT NOT NULL,"
	" slug TEXT NOT NULL, account TEXT NOT NULL, target TEXT NOT NULL,"
	" windows_mode TEXT NOT NULL, class TEXT NOT NULL, server_type TEXT NOT NULL,"
	" phase TEXT NOT NULL, blocked_stage TEXT NOT NULL, retry_likely TEXT NOT NULL,"
	" state INTEGER NOT NULL, finished INTEGER NOT NULL, event_ms INTEGER NOT NULL,"
	" ended_ms INTEGER NOT NULL, sync_ms INTEGER NOT NULL, command_ms INTEGER NOT NULL,"
	" has_exit_code INTEGER NOT NULL, exit_code INTEGER NOT NULL, log_bytes INTEGER NOT NULL,"
	" log_truncated INTEGER NOT NULL, event_count INTEGER NOT NULL,"
	" event_bytes INTEGER NOT NULL, bytes INTEGER NOT NULL, command TEXT NOT NULL);"
	"CREATE INDEX run_owner ON run(owner, org);"
	"CREATE INDEX run_owner_state ON run(owner, org, state);"
	"CREATE INDEX run_org ON run(org);"
	"CREATE INDEX run_open ON run(event_ms) WHERE state = 0;"
	"CREATE INDEX run_ended ON run(ended_ms) WHERE state > 0;"
	"CREATE INDEX run_size ON run(bytes);"
	"CREATE TABLE run_lease("
	" run INTEGER NOT NULL, lease TEXT NOT NULL, PRIMARY KEY(run, lease)) WITHOUT ROWID;"
	"CREATE INDEX run_lease_of ON run_lease(lease, run);"
	"CREATE TABLE run_event("
	" run INTEGER NOT NULL, seq INTEGER NOT NULL, at_ms INTEGER NOT NULL, fields TEXT NOT NULL,"
	" PRIMARY KEY(run, seq));"
	"CREATE TABLE run_sample("
	" run INTEGER NOT NULL, at_ms INTEGER NOT NULL, data TEXT NOT NULL,"
	" PRIMARY KEY(run, at_ms)) WITHOUT ROWID;"
	"CREATE TABLE run_results(run INTEGER PRIMARY KEY, data TEXT NOT NULL);"
	"CREATE TABLE run_log("
	" run INTEGER NOT NULL, part INTEGER NOT NULL, data BLOB NOT NULL,"
	" PRIMARY KEY(run, part));",
	/* 5: leases that are not done, newest first, whatever their cleanup */
	"CREATE INDEX lease_current ON lease(n) WHERE cleanup <> 4;",
	/* 6: the client's signed statement of a run's end */
	"CREATE TABLE run_receipt(run INTEGER PRIMARY KEY, data TEXT NOT NULL);",
	/*
	 * 7: permits and deletes with unknown outcome, observations of absence, protection
	 * at the provider, and the account's generation. Free resources no longer count
	 * against limits.
	 */
	"ALTER TABLE resource RENAME COLUMN first_look_ms TO first_absent_ms;"
	"ALTER TABLE resource RENAME COLUMN looks TO absent_count;"
	"ALTER TABLE resource ADD COLUMN seen_ms INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE resource ADD COLUMN authorized_ms INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE resource ADD COLUMN deletes_unknown INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE resource ADD COLUMN signed_lease TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE resource ADD COLUMN retain_epoch INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE resource ADD COLUMN label_known INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE resource ADD COLUMN protect_by INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE resource ADD COLUMN marked_ms INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE sweep ADD COLUMN soon_ms INTEGER NOT NULL DEFAULT 0;"
	/*
	 * Observations counted by older rules prove nothing about resources that may still
	 * exist.
	 */
	"UPDATE resource SET first_absent_ms = 0, absent_count = 0 WHERE state NOT IN (5, 7);"
	/* What a start must process: intents and permits whose step was lost. */
	"CREATE INDEX resource_pending ON resource(state) WHERE state IN (1, 8, 12);"
	"DROP TRIGGER lease_inserted; DROP TRIGGER lease_updated; DROP TRIGGER lease_deleted;"
	"ALTER TABLE lease ADD COLUMN retention INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE lease ADD COLUMN is_billed INTEGER NOT NULL DEFAULT 1;"
	"ALTER TABLE lease ADD COLUMN breaches INTEGER NOT NULL DEFAULT 0;"
	"UPDATE lease SET is_billed = 0 WHERE cleanup BETWEEN 1 AND 3 AND NOT EXISTS("
	"SELECT 1 FROM resource WHERE lease = lease.n AND ours AND kind NOT IN (2, 5)"
	" AND state NOT IN (5, 7));"
	/*
	 * Leases retained before are recorded, unless a resource is unknown, and are
	 * protected as soon as their account is verified.
	 */
	"UPDATE resource SET retain_epoch = (SELECT epoch FROM lease WHERE n = resource.lease)"
	" WHERE state = 6;"
	"UPDATE lease SET due_ms = 1, retention = CASE WHEN EXISTS("
	"SELECT 1 FROM resource WHERE lease = lease.n AND ours AND state IN (1, 2)) THEN 1 ELSE 2 END"
	" WHERE retained = 1 AND cleanup = 2;"
	"DELETE FROM tally;"
	"INSERT INTO tally SELECT 0, '', '', count(*), sum(price_hour_micros) FROM lease"
	" WHERE " COUNTED_LIVE("lease") " GROUP BY NULL HAVING count(*) > 0;"
	"INSERT INTO tally SELECT 1, owner, org, count(*), sum(price_hour_micros) FROM lease"
	" WHERE " COUNTED_LIVE("lease") " GROUP BY owner, org;"
	"INSERT INTO tally SELECT 2, '', org, count(*), sum(price_hour_micros) FROM lease"
	" WHERE " COUNTED_LIVE("lease") " GROUP BY org;"
	"INSERT INTO tally SELECT 3, account, '', sum(" COUNTED_LIVE("lease") "),"
	" sum(" COUNTED_LIVE("lease") " * price_hour_micros) FROM lease GROUP BY account;"
	"CREATE TRIGGER lease_inserted AFTER INSERT ON lease WHEN " COUNTED_LIVE("NEW") " BEGIN "
	USAGE_TOTALS("NEW", "1", "NEW.price_hour_micros") "END;"
	"CREATE TRIGGER lease_updated AFTER UPDATE OF state, cleanup, is_billed, price_hour_micros"
	" ON lease WHEN " COUNTED_LIVE("NEW") " <> " COUNTED_LIVE("OLD")
	" OR " COUNTED_LIVE("NEW") " AND NEW.price_hour_micros <> OLD.price_hour_micros BEGIN "
	USAGE_TOTALS("NEW", COUNTED_LIVE("NEW") " - " COUNTED_LIVE("OLD"),
		     COUNTED_LIVE("NEW") " * NEW.price_hour_micros - " COUNTED_LIVE("OLD") " * OLD.price_hour_micros")
	"END;"
	"CREATE TRIGGER lease_deleted AFTER DELETE ON lease WHEN " COUNTED_LIVE("OLD") " BEGIN "
	USAGE_TOTALS("OLD", "-1", "-OLD.price_hour_micros") "END;"
	/* The generation of each account's sentinel (lease/generation.h). */
	"CREATE TABLE generation("
	" account TEXT PRIMARY KEY, current INTEGER NOT NULL, pending INTEGER NOT NULL,"
	" holder TEXT NOT NULL, before TEXT NOT NULL, is_fenced INTEGER NOT NULL,"
	" why TEXT NOT NULL) WITHOUT ROWID;",
	/*
	 * 8: run history is in a file of its own (run_schema.c). Its tables are dropped at
	 * once if they are empty, else after the rows were moved (run_move.c).
	 */
	"",
	/*
	 * 9: the queue for capacity. A lease in it has queue_ms and no admitted_ms, and counts
	 * against no limit. queue_owner is whose turn is next in each account: the lowest first.
	 */
	"ALTER TABLE lease ADD COLUMN queue_ms INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE lease ADD COLUMN admitted_ms INTEGER NOT NULL DEFAULT 0;"
	"CREATE INDEX lease_queued ON lease(n)"
	" WHERE state = 0 AND queue_ms > 0 AND admitted_ms = 0;"
	"CREATE TABLE queue_owner("
	" account TEXT NOT NULL, owner TEXT NOT NULL, org TEXT NOT NULL, turn INTEGER NOT NULL,"
	" PRIMARY KEY(account, owner, org)) WITHOUT ROWID;"
	"DROP TRIGGER lease_inserted; DROP TRIGGER lease_updated; DROP TRIGGER lease_deleted;"
	"CREATE TRIGGER lease_inserted AFTER INSERT ON lease WHEN " COUNTS("NEW") " BEGIN "
	USAGE_TOTALS("NEW", "1", "NEW.price_hour_micros") "END;"
	"CREATE TRIGGER lease_updated AFTER UPDATE OF state, cleanup, is_billed, price_hour_micros,"
	" admitted_ms ON lease WHEN " COUNTS("NEW") " <> " COUNTS("OLD")
	" OR " COUNTS("NEW") " AND NEW.price_hour_micros <> OLD.price_hour_micros BEGIN "
	USAGE_TOTALS("NEW", COUNTS("NEW") " - " COUNTS("OLD"),
		     COUNTS("NEW") " * NEW.price_hour_micros - " COUNTS("OLD") " * OLD.price_hour_micros")
	"END;"
	"CREATE TRIGGER lease_deleted AFTER DELETE ON lease WHEN " COUNTS("OLD") " BEGIN "
	USAGE_TOTALS("OLD", "-1", "-OLD.price_hour_micros") "END;",
	/* 10: whether other locations may be tried after the requested one */
	"ALTER TABLE lease ADD COLUMN location_preferred INTEGER NOT NULL DEFAULT 0;",
	/* 11: ended leases by slug, and lists by slug, newest first */
	"CREATE INDEX lease_slug_owner ON lease(slug, owner, org);"
	"CREATE INDEX lease_slug_any ON lease(slug);",
	/*
	 * 12: what each resource costs (lease/cost.h). A price is kept as it was when the resource
	 * was created; the rows in cost_incomplete take it from the next catalogue, which is due at
	 * once. Resources of before have the price of their lease or of the last catalogue.
	 */
	"ALTER TABLE price ADD COLUMN month_micros INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE price ADD COLUMN unit_ms INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE price ADD COLUMN minimum_ms INTEGER NOT NULL DEFAULT 0;"
	"UPDATE price SET at_ms = 0;"
	"CREATE TABLE cost("
	" resource INTEGER PRIMARY KEY, lease INTEGER NOT NULL, lease_id TEXT NOT NULL,"
	" slug TEXT NOT NULL, owner TEXT NOT NULL, org TEXT NOT NULL, account TEXT NOT NULL,"
	" type TEXT NOT NULL, location TEXT NOT NULL, currency TEXT NOT NULL,"
	" hour_micros INTEGER NOT NULL, month_micros INTEGER NOT NULL, unit_ms INTEGER NOT NULL,"
	" minimum_ms INTEGER NOT NULL, from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL);"
	"INSERT INTO cost SELECT r.n, r.lease, l.id, l.slug, l.owner, l.org, r.account,"
	" ifnull(a.type, l.server_type), ifnull(a.location, l.server_location),"
	" CASE WHEN l.server_id = r.id AND l.currency <> '' THEN l.currency"
	" ELSE ifnull(p.currency, '') END,"
	" CASE WHEN l.server_id = r.id AND l.currency <> '' THEN l.price_hour_micros"
	" ELSE ifnull(p.hour_micros, 0) END, 0, 0, 0, r.created_ms,"
	" CASE WHEN r.state IN (5, 7, 11) THEN r.changed_ms ELSE 0 END"
	" FROM resource r JOIN lease l ON l.n = r.lease"
	" LEFT JOIN attempt a ON a.lease = r.lease AND a.number = r.attempt"
	" LEFT JOIN price p ON p.account = r.account AND p.type = a.type AND p.location = a.location"
	" WHERE r.ours AND r.kind NOT IN (2, 5) AND r.id <> '' AND r.state <> 10;"
	"CREATE INDEX cost_lease ON cost(lease);"
	"CREATE INDEX cost_from ON cost(from_ms);"
	/* What began in a month before, and ended in this one or may exist: to_ms 0. */
	"CREATE INDEX cost_to ON cost(to_ms, from_ms);"
	"CREATE INDEX cost_incomplete ON cost(account) WHERE currency = '' OR unit_ms = 0;",
	/* 13: what counts in meta has a column for numbers, as other databases want */
	"ALTER TABLE meta ADD COLUMN number INTEGER NOT NULL DEFAULT 0;"
	"UPDATE meta SET number = CAST(CAST(value AS TEXT) AS INTEGER), value = NULL"
	" WHERE key IN ('token_epoch', 'clock');",
	/*
	 * 14: until when a permitted or intended request may still take effect, and the time that
	 * nobody could watch over a lease.
	 */
	"ALTER TABLE resource ADD COLUMN until_ms INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE lease ADD COLUMN credit_ms INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE lease ADD COLUMN idle_credit_ms INTEGER NOT NULL DEFAULT 0;",
	/*
	 * 15: the request that a lease's last change was made by, and the daemons that share the
	 * database; of a file there is only one.
	 */
	"ALTER TABLE lease ADD COLUMN last_request TEXT NOT NULL DEFAULT '';"
	"CREATE TABLE daemon("
	" id TEXT PRIMARY KEY, address TEXT NOT NULL, version TEXT NOT NULL,"
	" schema INTEGER NOT NULL, started_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL)"
	" WITHOUT ROWID;",
	/* 16: what the owners of accounts tell others; of a file there is only one daemon */
	"",
	/*
	 * 17: when a token was last used, what it is for, the one that it replaces, and the epoch of its
	 * last change, so that a daemon reads only what has changed; and what pruning needs
	 * (store/history.h): the ended leases by age, what refers to them, and what stays of them in usage
	 * reports.
	 */
	"ALTER TABLE token ADD COLUMN used_ms INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE token ADD COLUMN label TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE token ADD COLUMN rotated_from TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE token ADD COLUMN changed INTEGER NOT NULL DEFAULT 0;"
	"CREATE INDEX token_changed ON token(changed);"
	"CREATE TABLE past_usage("
	" month_ms INTEGER NOT NULL, account TEXT NOT NULL, owner TEXT NOT NULL, org TEXT NOT NULL,"
	" type TEXT NOT NULL, leases INTEGER NOT NULL, runtime_ms INTEGER NOT NULL,"
	" PRIMARY KEY(month_ms, account, owner, org, type)) WITHOUT ROWID;"
	"CREATE INDEX lease_history ON lease(account, updated_ms) WHERE cleanup = 4 AND state > 1"
	" AND retained = 0 AND retention = 0 AND attention = '' AND due_ms = 0;"
	"CREATE INDEX idempotency_lease ON idempotency(lease);"
	"CREATE INDEX stray_lease ON stray(account, lease);"
	/*
	 * What each lease takes of the money of each month (lease/charge.h), and the totals by which
	 * creates are decided, maintained by every change of a charge.
	 */
	"CREATE TABLE charge("
	" lease INTEGER NOT NULL, month_ms INTEGER NOT NULL, owner TEXT NOT NULL,"
	" org TEXT NOT NULL, account TEXT NOT NULL, currency TEXT NOT NULL,"
	" reserved_micros INTEGER NOT NULL, settled_micros INTEGER NOT NULL,"
	" PRIMARY KEY(lease, month_ms)) WITHOUT ROWID;"
	"CREATE TABLE spend("
	" scope INTEGER NOT NULL, name TEXT NOT NULL, org TEXT NOT NULL, month_ms INTEGER NOT NULL,"
	" currency TEXT NOT NULL, reserved_micros INTEGER NOT NULL, settled_micros INTEGER NOT NULL,"
	" PRIMARY KEY(scope, name, org, month_ms, currency)) WITHOUT ROWID;"
	"CREATE TRIGGER charge_inserted AFTER INSERT ON charge BEGIN " SPEND_ADD("NEW") "END;"
	"CREATE TRIGGER charge_deleted AFTER DELETE ON charge BEGIN " SPEND_TAKE("OLD") "END;"
	"CREATE TRIGGER charge_updated AFTER UPDATE ON charge WHEN NEW.currency = OLD.currency BEGIN "
	SPEND_TOTALS("NEW", "NEW.currency", "NEW.reserved_micros - OLD.reserved_micros",
		     "NEW.settled_micros - OLD.settled_micros") "END;"
	"CREATE TRIGGER charge_priced AFTER UPDATE ON charge WHEN NEW.currency <> OLD.currency BEGIN "
	SPEND_TAKE("OLD") SPEND_ADD("NEW") "END;"
	"CREATE TRIGGER lease_uncharged AFTER DELETE ON lease BEGIN"
	" DELETE FROM charge WHERE lease = OLD.n; END;",
};

/* clang-format on */

#define RUNS_MOVED 8

_Static_assert(ARRAY_LEN(migrations) == STORE_SCHEMA, "daemons tell each other what they know");
_Static_assert(LEASE_PROVISIONING == 0 && LEASE_ACTIVE == 1, "the indexes say state <= 1 for live");
_Static_assert(CLEANUP_OWED == 1 && CLEANUP_ATTENTION == 3, "the indexes say 1 to 3 for what is owed");
_Static_assert(CLEANUP_DONE == 4, "lease_open says 4 for done");
_Static_assert(RETENTION_UNSURE == 1 && RETENTION_RECORDED == 2, "migration 7 says so");
_Static_assert(LESSOR_KIND_KEY == 2 && LESSOR_KIND_SENTINEL == 5, "migration 10 says so");
_Static_assert(LESSOR_STATE_GONE == 5 && LESSOR_STATE_DISOWNED == 7 &&
		       LESSOR_STATE_NEVER_EXISTED == 10 && LESSOR_STATE_HANDED_OVER == 11,
	       "migration 10 says so");
_Static_assert(LESSOR_STATE_INTENDED == 1 && LESSOR_STATE_DELETE_AUTHORIZED == 8 &&
	       LESSOR_STATE_UNPROTECT_AUTHORIZED == 12, "resource_pending says so");

int schema_number(struct store *store, const char *sql, int64_t *ret, struct err *err)
{
	struct statement *stmt = store_prepare(store, sql, err);

	if (!stmt || store_row(store, stmt, "reading the schema", err))
		return -1;
	*ret = column_number(stmt, 0);
	statement_end(stmt);
	return 0;
}

int schema_has_runs(struct store *leases, struct err *err)
{
	int64_t count;

	if (schema_number(leases, "SELECT count(*) FROM sqlite_schema WHERE name = 'run'", &count, err))
		return -1;
	return count > 0;
}

int schema_drop_runs(struct store *leases, struct err *err)
{
	return store_exec(leases, "DROP TABLE run; DROP TABLE run_lease; DROP TABLE run_event;"
			  "DROP TABLE run_sample; DROP TABLE run_results; DROP TABLE run_log;"
			  "DROP TABLE run_receipt;", "dropping what was moved", err);
}

/* 1, 0, -1. The statement is not kept, as its table may be dropped. */
static int is_run_there(struct store *leases, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(leases->file->db, "SELECT 1 FROM run LIMIT 1", -1, &stmt, NULL);

	if (!rc)
		rc = sqlite3_step(stmt);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		store_fail(leases, "looking for runs", err);
	sqlite3_finalize(stmt);
	return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : -1;
}

static int finish_migration(struct store *store, int64_t version, struct err *err)
{
	int has = version == RUNS_MOVED ? schema_has_runs(store, err) : 0;

	if (has > 0) {
		has = is_run_there(store, err);
		return has ? (has < 0 ? -1 : 0) : schema_drop_runs(store, err);
	}
	return has;
}

static int schema_version(struct store *store, int64_t *ret, struct err *err)
{
	return schema_number(store, "PRAGMA user_version", ret, err);
}

int schema_pending(struct store *store, int *ret_pending, struct err *err)
{
	int64_t version, application, tables;

	/* In this order: another process may create the schema between any two of them. */
	if (schema_version(store, &version, err) ||
	    schema_number(store, "SELECT count(*) FROM sqlite_schema", &tables, err) ||
	    schema_number(store, "PRAGMA application_id", &application, err))
		return -1;
	if (tables && application != store->file->schema->application)
		return err_set(err, ERR_REFUSED, "%s is the database of another program",
			       store->name);
	if (version < 0)
		return err_set(err, ERR_REFUSED,
			       "the store %s is damaged: its schema version is "
			       "%lld; restore it from a backup",
			       store->name, (long long)version);
	if (version > store->file->schema->newest)
		return err_set(err, ERR_REFUSED,
			       "%s was written by a newer lessord (schema %d, this one supports %d); "
			       "install that version, or restore a backup made before the upgrade",
			       store->name, (int)version, store->file->schema->newest);
	*ret_pending = version < store->file->schema->newest;
	return 0;
}

/* Applies one migration in one transaction; 1 if another process did it meanwhile. */
static int migrate_to(struct store *store, int64_t version, struct err *err)
{
	char set[96];
	int64_t now;
	int rc;

	snprintf(set, sizeof(set), "PRAGMA application_id = %d; PRAGMA user_version = %d",
		 store->file->schema->application, (int)version);
	if (store_exec(store, "BEGIN IMMEDIATE", "starting a migration", err))
		return -1;
	rc = schema_version(store, &now, err);
	if (!rc && now >= version)
		rc = 1;
	if (!rc &&
	    (store_exec(store, store->file->schema->migrations[version - 1], "migrating", err) ||
	     (store->file->schema->finish && store->file->schema->finish(store, version, err)) ||
	     store_exec(store, set, "migrating", err) ||
	     store_exec(store, "COMMIT", "finishing a migration", err)))
		rc = -1;
	if (rc)
		store_rollback(store);
	return rc;
}

int schema_migrate(struct store *store, struct err *err)
{
	int64_t version;

	if (schema_version(store, &version, err))
		return -1;
	while (version < store->file->schema->newest) {
		if (migrate_to(store, ++version, err) < 0)
			return -1;
	}
	return 0;
}

int schema_readable(struct store *store, struct err *err)
{
	int64_t version;
	int pending;

	if (schema_pending(store, &pending, err) || schema_version(store, &version, err))
		return -1;
	if (!pending)
		return 0;
	if (version == 0)
		return 1;
	return err_set(err, ERR_REFUSED,
		       "%s was written by an older lessord (schema %d, this one supports %d); "
		       "start this lessord once to upgrade it",
		       store->name, (int)version, store->file->schema->newest);
}

int schema_check(struct store *store, struct err *err)
{
	const struct schema *schema = store->file->schema;

	for (size_t i = 0; i < schema->check_count; i++) {
		int64_t wrong;

		if (schema_number(store, schema->checks[i].sql, &wrong, err))
			return -1;
		if (wrong)
			return err_set(err, ERR_REFUSED,
				       "the store %s is inconsistent: %s (%lld); restore it from a "
				       "backup",
				       store->name, schema->checks[i].what, (long long)wrong);
	}
	return 0;
}

const struct schema schema_leases = {
	.application = 0x4c535352, /* "LSSR", which file(1) shows, too */
	.migrations = migrations,
	.newest = (int)ARRAY_LEN(migrations),
	.finish = finish_migration,
	.checks = schema_lease_checks,
	.check_count = SCHEMA_LEASE_CHECKS,
};
