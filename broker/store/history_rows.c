/* SPDX-License-Identifier: MIT */
/* Pruning of ended leases. */
#include "store/history.h"

#include <stdio.h>

#include "lease/cost.h"
#include "store/rows.h"
#include "util/bug.h"

/* clang-format off */
/* As the index lease_history says; what a lease alone shows. */
#define ENDED \
	"cleanup = 4 AND state > 1 AND retained = 0 AND retention = 0 AND attention = '' AND due_ms = 0"
/* The states in which a resource that the lease made is nobody's concern any longer. */
#define SETTLED "(5, 10, 11)"
/* What its rows show. */
#define MAY_GO \
	"c.ended_ms > 0 AND c.n < (SELECT max(n) FROM lease)" \
	" AND NOT EXISTS(SELECT 1 FROM resource AS r WHERE r.lease = c.n" \
	" AND (r.ours <> 0 AND r.state NOT IN " SETTLED " OR r.until_ms >= ?2 OR r.changed_ms >= ?2))" \
	" AND NOT EXISTS(SELECT 1 FROM resource AS r JOIN resource AS h ON h.account = r.account" \
	" AND h.kind = r.kind AND h.id = r.id WHERE r.lease = c.n AND r.state = 11 AND h.id <> ''" \
	" AND h.ours <> 0 AND h.state NOT IN " SETTLED ")" \
	" AND NOT EXISTS(SELECT 1 FROM resource AS r WHERE r.lease = c.n" \
	" AND r.n = (SELECT max(n) FROM resource))" \
	" AND NOT EXISTS(SELECT 1 FROM event AS e WHERE e.lease = c.n AND e.n = (SELECT max(n) FROM event))" \
	" AND NOT EXISTS(SELECT 1 FROM cost WHERE cost.lease = c.n AND cost.to_ms = 0)" \
	" AND NOT EXISTS(SELECT 1 FROM charge WHERE charge.lease = c.n AND charge.month_ms >= ?6)" \
	" AND NOT EXISTS(SELECT 1 FROM stray WHERE stray.account = ?1 AND stray.lease = c.id)"
/* clang-format on */

_Static_assert(LESSOR_STATE_GONE == 5 && LESSOR_STATE_NEVER_EXISTED == 10 &&
		       LESSOR_STATE_HANDED_OVER == 11,
	       "SETTLED says so");
_Static_assert(CLEANUP_DONE == 4 && LEASE_ACTIVE == 1 && RETENTION_NONE == 0, "ENDED says so");

int store_history_next(struct store *store, const char *account,
		       const struct store_history_age *age, const struct store_history_place *after,
		       struct store_history_lease ret[], int most, struct err *err)
{
	struct statement *stmt =
		store_prepare(store,
			      "SELECT c.updated_ms, c.n, c.id, CASE WHEN " MAY_GO
			      " THEN 1 ELSE 0 END"
			      " FROM (SELECT n, id, updated_ms, ended_ms FROM lease"
			      " INDEXED BY lease_history WHERE account = ?1 AND " ENDED
			      " AND updated_ms < ?2 AND (updated_ms, n) > (?3, ?4)"
			      " ORDER BY updated_ms, n LIMIT ?5) AS c",
			      err);
	int count = 0, rc;

	if (!stmt)
		return -1;
	bind_text(stmt, 1, account);
	bind_number(stmt, 2, age->before_ms);
	bind_number(stmt, 6, age->month_ms);
	bind_number(stmt, 3, after->updated_ms);
	bind_number(stmt, 4, after->n);
	bind_number(stmt, 5, most);
	while ((rc = store_row(store, stmt, "looking for leases to prune", err)) == 0) {
		struct store_history_lease *l = &ret[count++];

		BUG_ON(count > most);
		*l = (struct store_history_lease){
			.place = { column_number(stmt, 0), column_number(stmt, 1) },
			.may_go = column_int(stmt, 3),
		};
		COLUMN_TEXT(stmt, 2, l->id);
	}
	return rc < 0 ? -1 : count;
}

/* ---- what stays ---------------------------------------------------------------------------- */

/* As store_usage_each counts it; one that waited for capacity to its end counts nowhere. */
static int usage_keep(struct store *store, int64_t n, struct err *err)
{
	struct statement *stmt = store_prepare(store,
					       "SELECT created_ms FROM lease WHERE n = ?1"
					       " AND NOT (queue_ms > 0 AND admitted_ms = 0)",
					       err);
	int64_t month_ms;
	int rc;

	if (!stmt)
		return -1;
	bind_number(stmt, 1, n);
	rc = store_row(store, stmt, "reading a lease to prune", err);
	if (rc)
		return rc < 0 ? -1 : 0;
	month_ms = cost_month_ms(column_number(stmt, 0));
	statement_end(stmt);
	stmt = store_prepare(store,
			     "INSERT INTO past_usage(month_ms, account, owner, org, type, leases, runtime_ms)"
			     " SELECT CAST(?2 AS BIGINT), account, owner, org, server_type, 1,"
			     " CASE WHEN ended_ms > " BEGUN " THEN ended_ms - (" BEGUN
			     ") ELSE 0 END"
			     " FROM lease WHERE n = ?1"
			     " ON CONFLICT(month_ms, account, owner, org, type) DO UPDATE SET"
			     " leases = past_usage.leases + 1,"
			     " runtime_ms = past_usage.runtime_ms + excluded.runtime_ms",
			     err);
	if (!stmt)
		return -1;
	bind_number(stmt, 1, n);
	bind_number(stmt, 2, month_ms);
	return store_run(store, stmt, "keeping the usage of a lease", err);
}

#define EVENT_KEY "pruned."

static int event_note(struct store *store, const char *account, int64_t n, struct err *err)
{
	struct statement *stmt =
		store_prepare(store,
			      "INSERT INTO meta(key, number) SELECT CAST(?1 AS TEXT), e.n FROM"
			      " (SELECT max(n) AS n FROM event WHERE lease = ?2) AS e WHERE e.n > 0"
			      " ON CONFLICT(key) DO UPDATE SET number = CASE WHEN meta.number"
			      " > excluded.number THEN meta.number ELSE excluded.number END",
			      err);
	char key[64];

	if (!stmt)
		return -1;
	snprintf(key, sizeof(key), EVENT_KEY "%s", account);
	bind_text(stmt, 1, key);
	bind_number(stmt, 2, n);
	return store_run(store, stmt, "noting the newest pruned event", err);
}

int store_history_event(struct store *store, int64_t *ret, struct err *err)
{
	/* '/' comes after '.'. */
	struct statement *stmt = store_prepare(store,
					       "SELECT coalesce(max(number), 0) FROM meta"
					       " WHERE key >= 'pruned.' AND key < 'pruned/'",
					       err);

	*ret = 0;
	if (!stmt || store_row(store, stmt, "reading the newest pruned event", err))
		return -1;
	*ret = column_number(stmt, 0);
	statement_end(stmt);
	return 0;
}

/* ---- what goes ----------------------------------------------------------------------------- */

static int rows_drop(struct store *store, const char *sql, int64_t n, struct err *err)
{
	struct statement *stmt = store_prepare(store, sql, err);

	if (!stmt)
		return -1;
	bind_number(stmt, 1, n);
	return store_run(store, stmt, "pruning a lease", err);
}

int store_history_drop(struct store *store, const char *account, int64_t n, struct err *err)
{
	return usage_keep(store, n, err) || event_note(store, account, n, err) ||
			       rows_drop(store, "DELETE FROM charge WHERE lease = ?1", n, err) ||
			       rows_drop(store, "DELETE FROM event WHERE lease = ?1", n, err) ||
			       rows_drop(store, "DELETE FROM resource WHERE lease = ?1", n, err) ||
			       rows_drop(store, "DELETE FROM attempt WHERE lease = ?1", n, err) ||
			       rows_drop(store, "DELETE FROM beat WHERE lease = ?1", n, err) ||
			       rows_drop(store, "DELETE FROM share WHERE lease = ?1", n, err) ||
			       rows_drop(store, "DELETE FROM sharing WHERE lease = ?1", n, err) ||
			       rows_drop(store, "DELETE FROM telemetry WHERE lease = ?1", n, err) ||
			       rows_drop(store, "DELETE FROM idempotency WHERE lease = ?1", n,
					 err) ||
			       rows_drop(store, "DELETE FROM lease WHERE n = ?1", n, err) ?
		       -1 :
		       0;
}

/* ---- usage of what went -------------------------------------------------------------------- */

int store_past_usage_each(struct store *store, const struct store_scope *scope, int64_t month_ms,
			  store_past_usage_fn fn, void *arg, struct err *err)
{
	struct statement *stmt =
		store_prepare(store,
			      "SELECT owner, org, account, type, leases, runtime_ms FROM past_usage"
			      " WHERE month_ms = ?1 AND " OWNED
			      " ORDER BY month_ms, account, owner, org, type",
			      err);
	int rc;

	if (!stmt)
		return -1;
	bind_number(stmt, 1, month_ms);
	bind_number(stmt, 2, scope->all);
	bind_text(stmt, 3, scope->owner);
	bind_text(stmt, 4, scope->org);
	while ((rc = store_row(store, stmt, "reading the usage of pruned leases", err)) == 0) {
		struct store_past_usage row = {
			.leases = column_number(stmt, 4),
			.runtime_ms = column_number(stmt, 5),
		};

		COLUMN_TEXT(stmt, 0, row.owner);
		COLUMN_TEXT(stmt, 1, row.org);
		COLUMN_TEXT(stmt, 2, row.account);
		COLUMN_TEXT(stmt, 3, row.type);
		fn(arg, &row);
	}
	return rc < 0 ? -1 : 0;
}

int store_past_usage_leases(struct store *store, int64_t month_ms, int64_t *ret, struct err *err)
{
	struct statement *stmt =
		store_prepare(store,
			      "SELECT CAST(coalesce(sum(leases), 0) AS BIGINT) FROM past_usage"
			      " WHERE month_ms = ?1",
			      err);

	*ret = 0;
	if (!stmt)
		return -1;
	bind_number(stmt, 1, month_ms);
	if (store_row(store, stmt, "reading the usage of pruned leases", err))
		return -1;
	*ret = column_number(stmt, 0);
	statement_end(stmt);
	return 0;
}

int store_shrink(struct store *store, int pages, int *ret_left, struct err *err)
{
	*ret_left = 0;
	return store->backend->shrink ? store->backend->shrink(store, pages, ret_left, err) : 0;
}
