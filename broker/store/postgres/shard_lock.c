/* SPDX-License-Identifier: MIT */
/* What ownership asks of the server: standbys that confirm, and locks that do not last. */
#include "store/postgres/shard_internal.h"

#include <stdio.h>
#include <string.h>

#include "util/log.h"

int shard_server_check(struct pg_connection *c, int require_sync, struct err *err)
{
	PGresult *result;
	int waits, has_standby;

	if (!require_sync)
		return 0;
	if (pg_query(c,
		     "SELECT " SHARD_SYNC_ON "::int, EXISTS(SELECT FROM pg_stat_replication"
		     " WHERE sync_state IS NULL OR sync_state IN ('sync', 'quorum'))::int",
		     NULL, 0, &result, "looking for a synchronous standby", err))
		return -1;
	waits = PQntuples(result) == 1 && PQgetvalue(result, 0, 0)[0] == '1';
	has_standby = PQntuples(result) == 1 && PQgetvalue(result, 0, 1)[0] == '1';
	PQclear(result);
	if (!waits)
		return err_set(err, ERR_REFUSED,
			       "%s: commits do not wait for a standby; set synchronous_standby_names"
			       " and synchronous_commit = on, or require_sync = no",
			       c->store.name);
	if (!has_standby)
		return err_set(err, ERR_BUSY, "%s: no synchronous standby is connected",
			       c->store.name);
	return 0;
}

int shard_lock_limit(struct pg_connection *c, struct err *err)
{
	PGresult *result;
	char ms[16];
	const char *params[] = { ms };

	/* Not for the session: other locks may be waited for. */
	snprintf(ms, sizeof(ms), "%d", SHARD_LOCK_MS);
	if (pg_query(c, "SELECT set_config('lock_timeout', $1, true)", params, 1, &result,
		     "limiting the wait for a lock", err))
		return -1;
	PQclear(result);
	return 0;
}

int shard_lock_failed(const struct pg_connection *c)
{
	return strcmp(c->sqlstate, "55P03") == 0;
}

/*
 * The row's xmax is the transaction that has locked it. That is exact where the row's backend_pid is
 * not: a pooler gives each transaction another backend, and the system gives ids of processes
 * again. A stopped owner's transaction ends with its backend only: a timeout of the server does
 * not end one that waits for the rest of a pipeline.
 */
int shard_lock_break(struct pg_connection *c, const char *account, const char *owner,
		     struct err *err)
{
	const char *params[] = { account, owner };
	PGresult *result;
	int count;

	if (pg_query(c,
		     "SELECT l.pid, pg_terminate_backend(l.pid) FROM shard s JOIN pg_locks l"
		     " ON l.locktype = 'transactionid' AND l.transactionid = s.xmax AND l.granted"
		     " WHERE s.account = $1 AND l.pid <> pg_backend_pid()"
		     " AND (s.owner = '' OR s.owner = $2 OR " SHARD_IS_OVER(
			     "s.") " OR s.db_id <> " SHARD_IDENTITY ")",
		     params, 2, &result, "ending the backend that locks an account", err))
		return -1;
	count = PQntuples(result);
	for (int i = 0; i < count; i++)
		log_warning(NULL, "%s: backend %s kept account %s locked, and was terminated",
			    c->store.name, PQgetvalue(result, i, 0), account);
	PQclear(result);
	return count;
}
