/* SPDX-License-Identifier: MIT */
/* The newest time that is known to be right, and stored times that turn out to be wrong. */
#include "store/rows.h"

int store_clock_get(struct store *store, int64_t *ret_ms, int *ret_is_trusted, struct err *err)
{
	struct statement *stmt =
		store_prepare(store,
			      "SELECT coalesce((SELECT number FROM meta WHERE key = 'clock'),"
			      " (SELECT at_ms FROM event ORDER BY n DESC LIMIT 1), 0),"
			      " (SELECT count(*) FROM meta WHERE key = 'clock')",
			      err);

	if (!stmt || store_row(store, stmt, "reading the newest time", err))
		return -1;
	*ret_ms = column_number(stmt, 0);
	*ret_is_trusted = column_int(stmt, 1);
	statement_end(stmt);
	return 0;
}

int store_clock_put(struct store *store, int64_t now_ms, struct err *err)
{
	struct statement *stmt = store_prepare(store,
					       "INSERT INTO meta(key, number) VALUES('clock', ?1)"
					       " ON CONFLICT(key) DO UPDATE SET number = ?1",
					       err);

	if (!stmt)
		return -1;
	bind_number(stmt, 1, now_ms);
	return store_run(store, stmt, "writing the newest time", err);
}

/* `account`: for ?2; NULL: there is none. */
static int time_mend(struct store *store, const char *sql, const char *account, int64_t now_ms,
		     struct err *err)
{
	struct statement *stmt = store_prepare(store, sql, err);

	if (!stmt)
		return -1;
	bind_number(stmt, 1, now_ms);
	if (account)
		bind_text(stmt, 2, account);
	return store_run(store, stmt, "mending times of a clock that was ahead", err);
}

/* clang-format off */
#define PAST(column) column " = " LOWER_OF(column, "?1")
#define OF_ACCOUNT " AND (?2 = '' OR account = ?2)"
#define SWEEP_MEND \
	"UPDATE sweep SET " PAST("begun_ms") ", " PAST("done_ms") ", " PAST("looked_ms") \
	", " PAST("deleted_ms") \
	" WHERE (begun_ms > ?1 OR done_ms > ?1 OR looked_ms > ?1 OR deleted_ms > ?1)" OF_ACCOUNT
/* clang-format on */

int store_times_mend(struct store *store, const char *account, int64_t now_ms, struct err *err)
{
	const char *of = account ? account : "";

	/* The running daemon reads the tokens again when their number in meta changes. */
	if (time_mend(store, SWEEP_MEND, of, now_ms, err) ||
	    time_mend(store,
		      "UPDATE meta SET number = number + 1 WHERE key = 'token_epoch'"
		      " AND EXISTS(SELECT 1 FROM token WHERE created_ms > ?1)",
		      NULL, now_ms, err))
		return -1;
	return time_mend(store,
			 "UPDATE token SET created_ms = ?1, expires_ms ="
			 " CASE WHEN expires_ms > created_ms"
			 " THEN expires_ms - (created_ms - ?1) ELSE expires_ms END"
			 " WHERE created_ms > ?1",
			 NULL, now_ms, err) ||
			       time_mend(store,
					 "UPDATE stray SET first_ms = ?1, last_ms = ?1, looks = 1"
					 " WHERE first_ms > ?1" OF_ACCOUNT,
					 of, now_ms, err) ?
		       -1 :
		       0;
}

int store_lease_times_put(struct store *store, const struct lease *l, struct err *err)
{
	struct statement *stmt =
		store_prepare(store,
			      "UPDATE lease SET created_ms = ?1, provision_deadline_ms = ?2 WHERE n = ?3",
			      err);

	if (!stmt)
		return -1;
	bind_number(stmt, 1, l->created_ms);
	bind_number(stmt, 2, l->provision_deadline_ms);
	bind_number(stmt, 3, l->n);
	return store_run(store, stmt, "correcting the times of a lease", err);
}

int store_lease_future_each(struct store *store, int64_t now_ms, store_lease_row_fn fn, void *arg,
			    struct err *err)
{
	struct statement *stmt =
		store_prepare(store,
			      "SELECT n FROM lease INDEXED BY lease_created WHERE created_ms > ?1 UNION"
			      " SELECT n FROM lease INDEXED BY lease_current JOIN beat ON beat.lease = lease.n"
			      " WHERE cleanup <> 4 AND touched_ms > ?1",
			      err);
	int rc;

	if (!stmt)
		return -1;
	bind_number(stmt, 1, now_ms);
	while ((rc = store_row(store, stmt, "reading leases of the future", err)) == 0)
		fn(arg, column_number(stmt, 0));
	return rc < 0 ? -1 : 0;
}
