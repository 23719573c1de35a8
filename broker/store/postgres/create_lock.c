/* SPDX-License-Identifier: MIT */
/*
 * The lock of creates, of all daemons of this database. Whoever holds it may stand still in the
 * middle of a transaction, so it is waited for for a moment only. Not to get it is no error of the
 * transaction: what is already written there stays, and so does the account.
 */
#include "store/postgres/shard_internal.h"

#include "util/log.h"

/* "lessor" and a number: of the advisory lock, in its two halves, as pg_locks has them. */
#define LOCK_HIGH "7103859"
#define LOCK_LOW "1936683521"
#define LOCK "(" LOCK_HIGH "::bigint << 32 | " LOCK_LOW ")"
/* Where the block below leaves its answer, for the rest of the transaction. */
#define ANSWER "'lessor.create_lock'"

/*
 * An error within the block undoes no more than the block. A lock that was got lasts until the
 * transaction ends, and the limit does not, since the row of a shard is waited for, too.
 */
static const char wait_sql[] = "DO $$ DECLARE before text := current_setting('lock_timeout'); BEGIN"
			       " PERFORM set_config('lock_timeout', '1s', true);"
			       " PERFORM pg_advisory_xact_lock(" LOCK ");"
			       " PERFORM set_config('lock_timeout', before, true);"
			       " PERFORM set_config(" ANSWER ", '1', true);"
			       " EXCEPTION WHEN lock_not_available THEN PERFORM set_config(" ANSWER
			       ", '0', true); END $$";

_Static_assert(SHARD_LOCK_MS == 1000, "the block says so");

/* 1: it is held; 0: it was not to be had in time; -1. */
static int lock_wait(struct pg_connection *c, struct err *err)
{
	static const char doing[] = "waiting for other creates";
	int64_t has_lock;

	if (pg_transaction_open(c, err) ||
	    !pg_noted(c, PQsendQueryParams(c->conn, wait_sql, 0, NULL, NULL, NULL, NULL, 0), doing,
		      err) ||
	    pg_number(c, "SELECT current_setting(" ANSWER ")", &has_lock, doing, err))
		return -1;
	return has_lock == 1;
}

/*
 * Ends the backend that holds it, if that has locked the row of an account whose owner's time is up:
 * the owner stands still, and perhaps no other daemon serves its account and would claim it. Or if
 * it owns no account, as at the first start of all, and has waited for its client for so long. How
 * many; or -1.
 */
static int lock_break(struct pg_connection *c, struct err *err)
{
	PGresult *result;
	int count;

	if (pg_query(c,
		     "SELECT CASE WHEN o.account IS NULL THEN 'a daemon that begins'"
		     " ELSE 'the owner of account ' || o.account END, pg_terminate_backend(h.pid)"
		     " FROM pg_locks h JOIN pg_stat_activity a ON a.pid = h.pid"
		     " LEFT JOIN LATERAL (SELECT s.account, s.expires_ms FROM pg_locks t JOIN shard s"
		     " ON s.xmax = t.transactionid WHERE t.pid = h.pid"
		     " AND t.locktype = 'transactionid' AND t.granted LIMIT 1) o ON true"
		     " WHERE h.locktype = 'advisory' AND h.granted AND h.objsubid = 1"
		     " AND h.classid = " LOCK_HIGH " AND h.objid = " LOCK_LOW
		     " AND h.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
		     " AND h.pid <> pg_backend_pid() AND CASE WHEN o.account IS NULL"
		     " THEN a.wait_event_type = 'Client' AND a.xact_start < clock_timestamp()"
		     " - interval '3 s' ELSE " SHARD_IS_OVER("o.") " END",
		     NULL, 0, &result, "ending the backend that blocks creates", err))
		return -1;
	count = PQntuples(result);
	for (int i = 0; i < count; i++)
		log_warning(NULL,
			    "%s: %s has stopped and blocked all creates; its backend was terminated",
			    c->store.name, PQgetvalue(result, i, 0));
	PQclear(result);
	return count;
}

_Static_assert(SHARD_TTL_MS == 3000, "lock_break says so");

int pg_create_lock(struct store *store, struct err *err)
{
	struct pg_connection *c = pg_of(store);
	int rc;

	/* Once per transaction: the creates of a batch do not wait one after the other. */
	if (!c->create_lock) {
		rc = lock_wait(c, err);
		if (rc == 0) {
			rc = lock_break(c, err);
			if (rc > 0)
				rc = lock_wait(c, err);
		}
		if (rc < 0)
			return -1;
		c->create_lock = rc ? PG_CREATE_LOCKED : PG_CREATE_REFUSED;
		/* What the create reads next brings them along. */
		if (rc)
			pg_numbers_ahead(c, 1);
	}
	if (c->create_lock == PG_CREATE_LOCKED)
		return 0;
	err_set(err, ERR_BUSY, "%s: another lessord blocks all creates", store->name);
	return 1;
}
