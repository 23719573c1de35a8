/* SPDX-License-Identifier: MIT */
/* The fence: what a bound connection's transactions begin with, and what their ends mean. */
#include "store/postgres/shard_internal.h"

#include <string.h>

#include "util/log.h"
#include "util/text.h"

/*
 * It fails, by dividing by the number of rows, because the statements behind it are already sent:
 * the server then skips all of them, and nothing of the transaction stays. A statement that only
 * changed no row would let them pass.
 */
static const char fence_sql[] =
	"WITH fence AS (UPDATE shard SET seq = ?4, renewed_ms = " SHARD_NOW
	", watched_ms = CASE WHEN ?8 = 0 OR watched_ms = 0 THEN renewed_ms ELSE watched_ms END"
	", expires_ms = " SHARD_NOW " + ?5, backend_pid = pg_backend_pid(),"
	" presumed_until_ms = CASE WHEN ?6 > 0 THEN greatest(presumed_until_ms, " SHARD_NOW " + ?6)"
	" ELSE presumed_until_ms END"
	" WHERE account = ?1 AND epoch = ?2 AND owner = ?3 AND seq = ?4 - 1"
	" AND db_id = " SHARD_IDENTITY " AND (?7 = 0 OR " SHARD_SYNC_ON ")"
	" AND (SELECT oldest FROM lessor_schema) <= ?9"
	" RETURNING renewed_ms, expires_ms, presumed_until_ms, gen, frozen)"
	" SELECT 1 / count(*), max(renewed_ms), max(expires_ms), max(presumed_until_ms), max(gen),"
	" max(frozen) FROM fence";

void shard_lose(struct pg_shard *s, struct pg_connection *c, const char *why)
{
	if (s->hold == SHARD_OWNED)
		log_warning(NULL, "%s: account %s is no longer owned: %s", c->store.name,
			    s->row.account, why);
	s->hold = SHARD_LOST;
	s->deadline_ms = 0;
	c->store.broken = 1;
}

int shard_gap_counts(const struct pg_shard *s, int64_t gap_ms)
{
	return gap_ms > 0 && gap_ms > s->ttl_ms - SHARD_MARGIN_MS;
}

void shard_measure(struct pg_shard *s)
{
	s->pending_offset.least_ms = s->pending.renewed_ms - shard_clock_ms();
	s->pending_offset.most_ms = s->pending.renewed_ms - s->sent_ms;
}

/* The fence has passed. */
static void fence_answer(void *arg, const PGresult *result)
{
	struct pg_shard *s = arg;

	s->pending.renewed_ms = pg_result_number(result, 0, 1);
	s->pending.expires_ms = pg_result_number(result, 0, 2);
	s->pending.presumed_until_ms = pg_result_number(result, 0, 3);
	s->pending.gen = pg_result_number(result, 0, 4);
	TEXT_SET(s->pending.frozen, PQgetvalue(result, 0, 5));
	shard_measure(s);
}

int shard_fence(struct shard_binding *binding, struct pg_connection *c, struct err *err)
{
	struct pg_shard *s = shard_of(binding);
	struct statement *stmt;
	int rc;

	if (s->hold != SHARD_OWNED) {
		/* The transaction has failed, even if nobody looks before its commit. */
		err_set(&c->failure, ERR_IO, "%s: this connection owns no account", c->store.name);
		if (err)
			*err = c->failure;
		return -1;
	}
	stmt = pg_prepare(&c->store, fence_sql, err);
	if (!stmt)
		return -1;
	s->pending = s->row;
	s->pending.seq = s->row.seq + 1;
	s->is_presuming = s->presumes;
	s->is_crediting = 0;
	s->sent_ms = shard_clock_ms();
	pg_bind_text(stmt, 1, s->row.account);
	pg_bind_number(stmt, 2, s->row.epoch);
	pg_bind_text(stmt, 3, s->row.owner);
	pg_bind_number(stmt, 4, s->pending.seq);
	pg_bind_number(stmt, 5, s->ttl_ms);
	pg_bind_number(stmt, 6, s->presumes ? s->presume_ms : 0);
	pg_bind_number(stmt, 7, s->require_sync);
	pg_bind_number(stmt, 8, s->row.is_owed);
	pg_bind_number(stmt, 9, PG_SCHEMA_NEWEST);
	rc = pg_run_with(&c->store, stmt, "proving the ownership of an account", fence_answer, s,
			 err);
	s->fence_end = c->count;
	return rc;
}

int shard_connected(struct shard_binding *binding, struct pg_connection *c, struct err *err)
{
	struct pg_shard *s = shard_of(binding);
	struct err own = { 0 };

	if (s->hold != SHARD_OWNED || !shard_server_check(c, s->require_sync, &own))
		return 0;
	/* Another server than before: only a claim may go on there. A standby may come back. */
	if (own.kind == ERR_REFUSED)
		shard_lose(s, c, own.text);
	if (err)
		*err = own;
	return -1;
}

/* Did the database's clock move against ours, by more than both can be wrong? */
static int clock_moved(const struct pg_shard *s)
{
	return s->pending_offset.least_ms - s->offset.most_ms > SHARD_MARGIN_MS ||
	       s->offset.least_ms - s->pending_offset.most_ms > SHARD_MARGIN_MS;
}

void shard_keep_presuming(struct pg_shard *s)
{
	s->pending.must_renew = s->presumes;
	if (s->presumes && s->pending.presumed_until_ms < s->row.presumed_until_ms)
		s->pending.presumed_until_ms = s->row.presumed_until_ms;
}

void shard_renewed(struct pg_shard *s)
{
	int64_t by_database = s->pending.renewed_ms - s->row.renewed_ms;
	int64_t by_us = s->sent_ms - s->renewed_ms;
	int is_gap;

	s->pending.gap_ms = by_database > by_us ? by_database : by_us;
	s->pending.now_ms = s->pending.renewed_ms;
	is_gap = shard_gap_counts(s, s->pending.gap_ms);
	s->pending.gaps_ms = s->row.gaps_ms + (is_gap ? s->pending.gap_ms : 0);
	s->pending.is_owed = (s->row.is_owed && !s->is_crediting) || is_gap;
	s->presumes = s->presumes && !s->is_presuming;
	if (clock_moved(s)) {
		/*
		 * One of the two stood still, or was set: a permit may be older than it looks. It is
		 * presumed at once, and written by the next fence, which must not wait: if this owner
		 * dies, the next one does not know.
		 */
		int64_t until_ms = s->pending.renewed_ms + s->presume_ms;

		log_warning(NULL,
			    "account %s: the database's clock has jumped relative to this machine's",
			    s->row.account);
		s->presumes = 1;
		if (until_ms > s->pending.presumed_until_ms)
			s->pending.presumed_until_ms = until_ms;
	}
	shard_keep_presuming(s);
	s->offset = s->pending_offset;
	s->row = s->pending;
	s->renewed_ms = s->sent_ms;
	s->deadline_ms = s->sent_ms + s->ttl_ms;
}

void shard_committed(struct shard_binding *binding, struct pg_connection *c)
{
	(void)c;
	shard_renewed(shard_of(binding));
}

void shard_refused(struct shard_binding *binding, struct pg_connection *c)
{
	struct pg_shard *s = shard_of(binding);

	/* Another statement of the transaction failed: the row is as before. */
	if (c->failed_at < 0 || c->first + (uint64_t)c->failed_at > s->fence_end)
		return;
	shard_lose(s, c,
		   strcmp(c->sqlstate, "22012") == 0 ?
			   "another daemon has it, or the database is not the same any longer, or "
			   "was upgraded" :
			   c->failure.text);
}
