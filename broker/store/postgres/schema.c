/* SPDX-License-Identifier: MIT */
/*
 * The schema as numbered migrations, each in one transaction that also writes its number to the
 * table lessor_schema. The numbers are those of SQLite's (store/sqlite/schema.c); the first one
 * makes everything (tables.c). A released migration is never edited.
 *
 * Several daemons use the database while one of them migrates it, and it may be of a newer version
 * than the others. So a migration only adds what the version before can live with: tables, columns
 * with a default, indexes. What is not needed any longer is removed by a later one, which raises
 * `oldest`, the number of the oldest lessord that may still write. Each transaction that writes looks
 * at it: with its fence (shard_fence.c), or before its first statement (transaction.c).
 */
#include "store/postgres/schema.h"

#include <stdio.h>
#include <string.h>

#include "store/tables.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/log.h"

/* How long a migration may take: another one may be running, on a large database. */
#define MIGRATE_MS (INT64_C(15) * 60 * 1000)
/* "LSSR": what a migration locks; the number is the database's own. */
#define LOCK "SELECT pg_advisory_xact_lock(1280529234);"
/*
 * Whoever comes after a migration that waits for a table waits behind it, the daemons too. So it gives
 * up after a moment, and begins again after they had theirs. The moment is shorter than PostgreSQL
 * takes to look for a deadlock: of two, it is the migration that begins again.
 */
#define LIMIT "SELECT set_config('lock_timeout', '500ms', true);"
#define PAUSE "SELECT pg_sleep(2)"

static const struct pg_migration {
	int number, oldest;
	const char *sql;
} migrations[] = {
	{ 13, 13, pg_schema_13 }, { 14, 13, pg_schema_14 }, { 15, 13, pg_schema_15 },
	{ 16, 13, pg_schema_16 }, { 17, 17, pg_schema_17 },
};

#define NEWEST PG_SCHEMA_NEWEST
_Static_assert(ARRAY_LEN(migrations) - 1 + 13 == NEWEST, "PG_SCHEMA_NEWEST says so");

struct version {
	int64_t number, oldest; /* 0: an empty database */
};

static int version_read(struct pg_connection *c, struct version *ret, struct err *err)
{
	static const char doing[] = "reading the schema";
	int64_t is_there;

	*ret = (struct version){ .number = 0 };
	if (pg_number(c, "SELECT (to_regclass('lessor_schema') IS NOT NULL)::int::bigint",
		      &is_there, doing, err))
		return -1;
	if (!is_there)
		return 0;
	return pg_number(c, "SELECT number FROM lessor_schema", &ret->number, doing, err) ||
			       pg_number(c, "SELECT oldest FROM lessor_schema", &ret->oldest, doing,
					 err) ?
		       -1 :
		       0;
}

static int refuse_newer(const struct pg_connection *c, const struct version *v, struct err *err)
{
	return err_set(err, ERR_REFUSED,
		       "%s was written by a newer lessord (schema %d, this one supports %d); "
		       "install that version, or restore a backup made before the upgrade",
		       c->store.name, (int)v->number, NEWEST);
}

/*
 * Older daemons that write at this moment hold a lock of their shard's row: they are waited for, and
 * after that they look again.
 */
#define OLDER_END "LOCK TABLE shard IN EXCLUSIVE MODE;"

/*
 * Does an empty database have a table that a migration would make? The number and the tables come
 * with one commit, so one statement sees both or neither.
 */
static int foreign_check(struct pg_connection *c, struct err *err)
{
	static const char sql[] =
		"SELECT coalesce(min(t.relname), '') FROM pg_class AS t"
		" WHERE t.relnamespace = current_schema()::regnamespace"
		" AND t.relname = ANY (string_to_array($1, ' '))"
		" AND NOT EXISTS(SELECT FROM pg_class AS s WHERE s.relname = 'lessor_schema'"
		" AND s.relnamespace = t.relnamespace)";
	struct buf names;
	const char *params[1];
	PGresult *row;
	int rc;

	buf_init(&names, TABLES * 32);
	for (size_t i = 0; i < TABLES; i++)
		buf_addf(&names, "%s%s", i ? " " : "", tables[i].name);
	params[0] = buf_str(&names);
	rc = pg_query(c, sql, params, 1, &row, "reading the schema", err);
	buf_fini(&names);
	if (rc)
		return -1;
	if (PQgetvalue(row, 0, 0)[0])
		rc = err_set(err, ERR_REFUSED,
			     "%s has a table '%.63s' that is not lessord's; use a database that is "
			     "lessord's alone",
			     c->store.name, PQgetvalue(row, 0, 0));
	PQclear(row);
	return rc;
}

/* Fails with 22012 or 42P07 if another daemon was faster: nothing of it is done then. */
static char *migration_text(const struct pg_migration *m)
{
	if (m == migrations)
		return xasprintf(LOCK LIMIT
				 "CREATE TABLE lessor_schema(number bigint PRIMARY KEY,"
				 " oldest bigint NOT NULL);"
				 "INSERT INTO lessor_schema(number, oldest) VALUES(%d, %d);%s",
				 m->number, m->oldest, m->sql);
	return xasprintf(LOCK LIMIT "SELECT 1 / count(*) FROM lessor_schema WHERE number = %d;%s%s"
				    "UPDATE lessor_schema SET number = %d, oldest = %d;",
			 m->number - 1, m->oldest > m[-1].oldest ? OLDER_END : "", m->sql,
			 m->number, m->oldest);
}

/* Did others use a table? */
static int is_locked(const struct pg_connection *c)
{
	return strcmp(c->sqlstate, "55P03") == 0 || strcmp(c->sqlstate, "40P01") == 0;
}

static int migration_run(struct pg_connection *c, const struct pg_migration *m, struct err *err)
{
	auto_free char *text = migration_text(m);
	int64_t until_ms = pg_mono_ms() + MIGRATE_MS;

	for (int i = 0; pg_script(c, text, "migrating", err); i++) {
		if (!is_locked(c) || pg_mono_ms() > until_ms)
			return -1;
		if (i == 0)
			log_notice(NULL,
				   "%s: the migration to schema %d waits for other users of its tables",
				   c->store.name, m->number);
		if (pg_exec(c, PAUSE, "migrating", err))
			return -1;
	}
	return 0;
}

static int migrate(struct pg_connection *c, const struct pg_migration *m, struct err *err)
{
	struct version now;
	struct err own = { 0 };

	if (migration_run(c, m, &own) == 0)
		return 0;
	if (version_read(c, &now, err))
		return -1;
	if (now.number >= m->number)
		return 0;
	if (err)
		*err = own;
	return -1;
}

static int migrate_all(struct pg_connection *c, const struct version *from, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(migrations); i++) {
		if (migrations[i].number > from->number && migrate(c, &migrations[i], err))
			return -1;
	}
	return 0;
}

/* Other encodings have no place for some texts of clients and providers. */
static int encoding_check(struct pg_connection *c, struct err *err)
{
	int64_t is_utf8;

	if (pg_number(c, "SELECT (current_setting('server_encoding') = 'UTF8')::int::bigint",
		      &is_utf8, "reading the encoding", err))
		return -1;
	if (is_utf8)
		return 0;
	return err_set(err, ERR_REFUSED,
		       "the encoding of %s is not UTF8; create one with ENCODING 'UTF8' "
		       "TEMPLATE template0",
		       c->store.name);
}

int pg_schema_make(struct pg_connection *c, struct err *err)
{
	struct version now;
	int64_t patience_ms = c->patience_ms;
	int rc;

	if (version_read(c, &now, err))
		return -1;
	if (now.oldest > NEWEST)
		return refuse_newer(c, &now, err);
	if (now.number >= NEWEST)
		return 0;
	if (encoding_check(c, err) || (now.number == 0 && foreign_check(c, err)))
		return -1;
	c->patience_ms = MIGRATE_MS;
	rc = migrate_all(c, &now, err);
	c->patience_ms = patience_ms;
	return rc;
}

int pg_schema_readable(struct pg_connection *c, struct err *err)
{
	struct version now;

	if (version_read(c, &now, err))
		return -1;
	if (now.number >= NEWEST)
		return 0;
	if (now.number == 0)
		return foreign_check(c, err) ? -1 : 1;
	return err_set(err, ERR_REFUSED,
		       "%s was written by an older lessord (schema %d, this one supports %d); "
		       "start this lessord once to upgrade it",
		       c->store.name, (int)now.number, NEWEST);
}

int pg_schema_usable(struct pg_connection *c, struct err *err)
{
	struct version now;

	if (version_read(c, &now, err))
		return -1;
	return now.oldest > NEWEST ? refuse_newer(c, &now, err) : pg_schema_readable(c, err);
}

/* ---- checks -------------------------------------------------------------------------------- */

/* SQL is laid out by hand. */
/* clang-format off */
#define WITHOUT(table, column, parent, key, more) \
	"SELECT count(*) FROM " #table " AS t WHERE " more "NOT EXISTS(SELECT FROM " #parent \
	" AS p WHERE p." #key " = t." #column ")"

static const struct {
	const char *what, *sql;
} checks[] = {
	{ "usage totals",
	  "WITH want(account, scope, name, org, leases, micros) AS ("
	  "SELECT l.account, s.scope, CASE s.scope WHEN 1 THEN l.owner WHEN 3 THEN l.account ELSE '' END,"
	  " CASE WHEN s.scope IN (1, 2) THEN l.org ELSE '' END,"
	  " sum(lease_counts(l)), sum(lease_counts(l) * l.price_hour_micros)"
	  " FROM lease l, generate_series(0, 3) AS s(scope) GROUP BY 1, 2, 3, 4)"
	  " SELECT count(*) FROM want w FULL JOIN tally t USING(account, scope, name, org)"
	  " WHERE coalesce(w.leases, 0) <> coalesce(t.leases, 0)"
	  " OR coalesce(w.micros, 0) <> coalesce(t.micros, 0)" },
	{ "monthly totals",
	  "WITH want(account, scope, name, org, month_ms, currency, reserved, settled) AS ("
	  "SELECT c.account, s.scope, CASE s.scope WHEN 1 THEN c.owner WHEN 3 THEN c.account ELSE '' END,"
	  " CASE WHEN s.scope IN (1, 2) THEN c.org ELSE '' END, c.month_ms, c.currency,"
	  " sum(c.reserved_micros), sum(c.settled_micros)"
	  " FROM charge c, generate_series(0, 3) AS s(scope) GROUP BY 1, 2, 3, 4, 5, 6)"
	  " SELECT count(*) FROM want w"
	  " FULL JOIN spend t USING(account, scope, name, org, month_ms, currency)"
	  " WHERE coalesce(w.reserved, 0) <> coalesce(t.reserved_micros, 0)"
	  " OR coalesce(w.settled, 0) <> coalesce(t.settled_micros, 0)" },
	{ "charges without a lease", WITHOUT(charge, lease, lease, n, "") },
	{ "reservations of leases that are over",
	  "SELECT count(*) FROM charge c JOIN lease l ON l.n = c.lease"
	  " WHERE c.reserved_micros <> 0 AND lease_counts(l) = 0" },
	{ "resources without a lease", WITHOUT(resource, lease, lease, n, "lease <> 0 AND ") },
	{ "attempts without a lease", WITHOUT(attempt, lease, lease, n, "") },
	/* Those of leases that were pruned stay. */
	{ "costs without a resource",
	  WITHOUT(cost, resource, resource, n,
		  "EXISTS(SELECT FROM lease AS l WHERE l.n = t.lease) AND ") },
	{ "heartbeats without a lease", WITHOUT(beat, lease, lease, n, "") },
	{ "shares without a lease", WITHOUT(share, lease, lease, n, "") },
	{ "telemetry without a lease", WITHOUT(telemetry, lease, lease, n, "") },
	{ "idempotency keys without a lease", WITHOUT(idempotency, lease, lease, n, "") },
	{ "events of runs without a run", WITHOUT(run_event, run, run, n, "") },
	{ "logs without a run", WITHOUT(run_log, run, run, n, "") },
	{ "results without a run", WITHOUT(run_results, run, run, n, "") },
	{ "receipts without a run", WITHOUT(run_receipt, run, run, n, "") },
	{ "samples without a run", WITHOUT(run_sample, run, run, n, "") },
	{ "leases of runs without a run", WITHOUT(run_lease, run, run, n, "") },
};
/* clang-format on */

int pg_schema_check(struct pg_connection *c, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		int64_t wrong;

		if (pg_number(c, checks[i].sql, &wrong, "checking the store", err))
			return -1;
		if (wrong)
			return err_set(err, ERR_REFUSED,
				       "the store %s is inconsistent: %s (%lld); restore it from a "
				       "backup",
				       c->store.name, checks[i].what, (long long)wrong);
	}
	return 0;
}
