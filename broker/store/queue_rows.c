/* SPDX-License-Identifier: MIT */
#include "store/queue.h"

#include "store/rows.h"

/* clang-format off */
#define QUEUED "state = 0 AND queue_ms > 0 AND admitted_ms = 0"
/* lease_expires_ms() of a live lease that is not in the queue. */
#define ENDS \
	LOWER_OF(TTL_END, \
	"CASE WHEN state = 0 OR idle_ms = 0 THEN 9223372036854775807" \
	" ELSE coalesce(touched_ms, created_ms) + idle_ms + idle_credit_ms END")
/* clang-format on */

int store_queue_each(struct store *store, store_queued_fn fn, void *arg, struct err *err)
{
	struct statement *stmt =
		store_prepare(store,
			      "SELECT n, id, slug, account, owner, org, created_ms,"
			      " created_ms + queue_ms + credit_ms, price_hour_micros FROM lease"
			      " INDEXED BY lease_queued WHERE " QUEUED " ORDER BY n",
			      err);
	int rc;

	if (!stmt)
		return -1;
	while ((rc = store_row(store, stmt, "reading the queue", err)) == 0) {
		struct store_queued row = { .n = column_number(stmt, 0) };

		COLUMN_TEXT(stmt, 1, row.id);
		COLUMN_TEXT(stmt, 2, row.slug);
		COLUMN_TEXT(stmt, 3, row.account);
		COLUMN_TEXT(stmt, 4, row.owner);
		COLUMN_TEXT(stmt, 5, row.org);
		row.since_ms = column_number(stmt, 6);
		row.until_ms = column_number(stmt, 7);
		row.price_hour_micros = column_number(stmt, 8);
		if (fn(arg, &row)) {
			statement_end(stmt);
			return 0;
		}
	}
	return rc < 0 ? -1 : 0;
}

int store_queue_owner_each(struct store *store, store_queue_owner_fn fn, void *arg, struct err *err)
{
	struct statement *stmt = store_prepare(store,
					       "SELECT account, owner, org, turn FROM queue_owner"
					       " ORDER BY turn, account, owner, org",
					       err);
	int rc;

	if (!stmt)
		return -1;
	while ((rc = store_row(store, stmt, "reading the turns of the queue", err)) == 0) {
		struct store_queue_owner row = { .turn = column_number(stmt, 3) };

		COLUMN_TEXT(stmt, 0, row.account);
		COLUMN_TEXT(stmt, 1, row.owner);
		COLUMN_TEXT(stmt, 2, row.org);
		fn(arg, &row);
	}
	return rc < 0 ? -1 : 0;
}

static struct statement *owner_bind(struct store *store, const char *sql,
				    const struct store_queue_owner *row, struct err *err)
{
	struct statement *stmt = store_prepare(store, sql, err);

	if (!stmt)
		return NULL;
	bind_text(stmt, 1, row->account);
	bind_text(stmt, 2, row->owner);
	bind_text(stmt, 3, row->org);
	return stmt;
}

int store_queue_owner_put(struct store *store, const struct store_queue_owner *row, struct err *err)
{
	struct statement *stmt =
		owner_bind(store,
			   "INSERT INTO queue_owner(account, owner, org, turn) VALUES(?1, ?2, ?3, ?4)"
			   " ON CONFLICT(account, owner, org)"
			   " DO UPDATE SET turn = ?4",
			   row, err);

	if (!stmt)
		return -1;
	bind_number(stmt, 4, row->turn);
	return store_run(store, stmt, "writing a turn of the queue", err);
}

int store_queue_owner_drop(struct store *store, const struct store_queue_owner *row, struct err *err)
{
	struct statement *stmt = owner_bind(store,
					    "DELETE FROM queue_owner WHERE account = ?1"
					    " AND owner = ?2 AND org = ?3",
					    row, err);

	return stmt ? store_run(store, stmt, "removing a turn of the queue", err) : -1;
}

/* ---- what counts against a limit -------------------------------------------------------- */

/* clang-format off */
#define TOTAL(column, scope, name, org) \
	"(SELECT CAST(coalesce(sum(" #column "), 0) AS BIGINT) FROM tally" \
	" WHERE scope = " #scope " AND name = " name " AND org = " org ")"
#define BOTH(scope, name, org) \
	TOTAL(leases, scope, name, org) ", " TOTAL(micros, scope, name, org) ", "
#define TOTALS \
	BOTH(0, "''", "''") BOTH(1, "?1", "?2") BOTH(2, "''", "?2") \
	TOTAL(leases, 3, "?3", "''") ", " TOTAL(micros, 3, "?3", "''")
#define FLAG(rows) "CASE WHEN EXISTS(SELECT 1 FROM " rows ") THEN 1 ELSE 0 END"
#define CREATE_FLAGS \
	FLAG("idempotency WHERE owner = ?1 AND org = ?2 AND key = ?4") ", " \
	FLAG("lease WHERE id = ?5") ", " \
	FLAG("canceled WHERE lease_id = ?5 AND token = ?6") ", " \
	FLAG("lease INDEXED BY lease_slug" \
	     " WHERE slug = ?7 AND owner = ?1 AND org = ?2 AND state <= 1")
/* clang-format on */

static void totals_read(const struct statement *stmt, struct store_counts *ret)
{
	*ret = (struct store_counts){
		.all = column_number(stmt, 0),
		.micros_all = column_number(stmt, 1),
		.owner = column_number(stmt, 2),
		.micros_owner = column_number(stmt, 3),
		.org = column_number(stmt, 4),
		.micros_org = column_number(stmt, 5),
		.account = column_number(stmt, 6),
		.micros_account = column_number(stmt, 7),
	};
}

int store_counts(struct store *store, const char *owner, const char *org, const char *account,
		 struct store_counts *ret, struct err *err)
{
	struct statement *stmt = store_prepare(store, "SELECT " TOTALS, err);

	if (!stmt)
		return -1;
	bind_text(stmt, 1, owner);
	bind_text(stmt, 2, org);
	bind_text(stmt, 3, account);
	if (store_row(store, stmt, "counting leases", err))
		return -1;
	totals_read(stmt, ret);
	statement_end(stmt);
	return 0;
}

int store_create_facts(struct store *store, const struct store_create *create,
		       struct store_create_facts *ret, struct err *err)
{
	/* One question: on PostgreSQL other daemons' creates wait for the answer. */
	struct statement *stmt = store_prepare(store, "SELECT " TOTALS ", " CREATE_FLAGS, err);

	if (!stmt)
		return -1;
	bind_text(stmt, 1, create->owner);
	bind_text(stmt, 2, create->org);
	bind_text(stmt, 3, create->account);
	bind_text(stmt, 4, create->key);
	bind_text(stmt, 5, create->id);
	bind_text(stmt, 6, create->attempt_token);
	bind_text(stmt, 7, create->slug);
	if (store_row(store, stmt, "reading what a create depends on", err))
		return -1;
	totals_read(stmt, &ret->have);
	ret->has_key = column_int(stmt, 8);
	ret->has_id = column_int(stmt, 9);
	ret->is_canceled = column_int(stmt, 10);
	ret->is_slug_taken = column_int(stmt, 11);
	statement_end(stmt);
	return 0;
}

int store_holders(struct store *store, const char *owner, const char *org, const char *account,
		  struct store_holder *ret, int size, int *ret_count, struct err *err)
{
	struct statement *stmt =
		store_prepare(store,
			      "SELECT * FROM (SELECT id, slug, state, cleanup, " ENDS
			      " AS ends FROM lease"
			      " INDEXED BY lease_owner_state LEFT JOIN beat ON beat.lease = lease.n"
			      " WHERE owner = ?1 AND org = ?2 AND state IN (0, 1) AND NOT (" QUEUED
			      ")"
			      " AND (?3 = '' OR account = ?3) UNION ALL"
			      " SELECT id, slug, state, cleanup, 0 FROM lease INDEXED BY lease_open"
			      " WHERE cleanup IN (1, 2, 3) AND cleanup <> 4 AND is_billed <> 0 AND state > 1"
			      " AND owner = ?1 AND org = ?2 AND (?3 = '' OR account = ?3)) AS holder"
			      " ORDER BY CASE WHEN ends = 0 AND cleanup <> 1 THEN 1 ELSE 0 END, ends LIMIT ?4",
			      err);
	int rc;

	*ret_count = 0;
	if (!stmt)
		return -1;
	bind_text(stmt, 1, owner);
	bind_text(stmt, 2, org);
	bind_text(stmt, 3, account);
	bind_number(stmt, 4, size);
	while ((rc = store_row(store, stmt, "reading what counts against a limit", err)) == 0) {
		struct store_holder *one = &ret[(*ret_count)++];

		*one = (struct store_holder){
			.state = (enum lease_state)column_int(stmt, 2),
			.cleanup = (enum lease_cleanup)column_int(stmt, 3),
			.ends_ms = column_number(stmt, 4),
		};
		COLUMN_TEXT(stmt, 0, one->id);
		COLUMN_TEXT(stmt, 1, one->slug);
	}
	return rc < 0 ? -1 : 0;
}

int store_first_end(struct store *store, const char *org, const char *account, int64_t *ret_ms,
		    struct err *err)
{
	struct statement *stmt =
		store_prepare(store,
			      "SELECT coalesce(min(ends), 0) FROM (SELECT " ENDS
			      " AS ends FROM lease"
			      " INDEXED BY lease_current LEFT JOIN beat ON beat.lease = lease.n"
			      " WHERE cleanup <> 4 AND state IN (0, 1) AND NOT (" QUEUED ")"
			      " AND (?1 = '' OR org = ?1) AND (?2 = '' OR account = ?2)"
			      " ORDER BY lease.n DESC LIMIT ?3) AS open",
			      err);

	if (!stmt)
		return -1;
	bind_text(stmt, 1, org);
	bind_text(stmt, 2, account);
	bind_number(stmt, 3, STORE_ENDS_MOST);
	if (store_row(store, stmt, "reading when the first lease ends", err))
		return -1;
	*ret_ms = column_number(stmt, 0);
	statement_end(stmt);
	return 0;
}
