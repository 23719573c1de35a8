/* SPDX-License-Identifier: MIT */
/* Claims, renewals and the end of ownership: see store/shard.h. */
#include "store/postgres/shard_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/shards.h"
#include "util/alloc.h"
#include "util/bug.h"
#include "util/text.h"

/* A claim is tried again after the row was made, and after its lock was broken. */
#define CLAIM_TRIES 4
#define OLD_IS_OVER SHARD_IS_OVER("old.")

/*
 * Takes the row if it is free, and freezes it if the database is not what it was at the last claim.
 * Returns the row either way. $7 is the nonce that this connection took before.
 */
static const char claim_sql[] =
	"WITH me AS MATERIALIZED (SELECT " SHARD_IDENTITY " AS id),"
	" old AS MATERIALIZED (SELECT * FROM shard WHERE account = $1 FOR UPDATE),"
	" seen AS MATERIALIZED (SELECT CASE"
	" WHEN old.seq < $5::bigint THEN '" SHARD_LOST_SEEN "'"
	" WHEN old.db_id NOT IN ('', me.id) THEN '" SHARD_FAILED_OVER "' || old.seq"
	" ELSE '' END AS wrong FROM old, me),"
	" taken AS (UPDATE shard s SET owner = $2, address = $3, epoch = old.epoch + 1,"
	" seq = old.seq + 1, since_ms = " SHARD_NOW
	", renewed_ms = CASE WHEN old.renewed_ms > 0 THEN old.renewed_ms ELSE " SHARD_NOW " END"
	", expires_ms = " SHARD_NOW " + $4::bigint, db_id = me.id, backend_pid = pg_backend_pid(),"
	/* A reason that does not end by itself stays. */
	" frozen = CASE WHEN seen.wrong = '' OR (seen.wrong LIKE '" SHARD_FAILED_OVER "%'"
	" AND old.frozen <> '' AND old.frozen NOT LIKE '" SHARD_FAILED_OVER "%')"
	" THEN old.frozen ELSE seen.wrong END,"
	" presumed_until_ms = CASE WHEN seen.wrong <> '' THEN " SHARD_NOW " + $6::bigint"
	" ELSE old.presumed_until_ms END"
	" FROM old, me, seen WHERE s.account = old.account AND (old.owner = '' OR old.owner = $7"
	" OR " OLD_IS_OVER " OR old.db_id <> me.id) RETURNING s.*)"
	" SELECT " SHARD_COLUMNS(
		"r.") ", " SHARD_NOW ","
		      " CASE WHEN old.renewed_ms > 0 THEN greatest(" SHARD_NOW
		      " - CASE WHEN old.watched_ms > 0"
		      " THEN old.watched_ms ELSE old.renewed_ms END, 0) ELSE 0 END"
		      " FROM (SELECT * FROM taken UNION ALL"
		      " SELECT * FROM old WHERE NOT EXISTS(SELECT FROM taken)) r, old";

/* ---- claiming ------------------------------------------------------------------------------- */

static void shard_close(struct shard_binding *binding, struct pg_connection *c)
{
	(void)c;
	free(shard_of(binding));
}

/* What the connection keeps, made with its first claim; the connection is not bound meanwhile. */
static struct pg_shard *shard_unbind(struct pg_connection *c)
{
	struct pg_shard *s;

	if (c->binding) {
		s = shard_of(c->binding);
		pg_bind(c, NULL);
		return s;
	}
	s = xcalloc(1, sizeof(*s));
	s->binding = (struct shard_binding){ .connected = shard_connected,
					     .fence = shard_fence,
					     .committed = shard_committed,
					     .refused = shard_refused,
					     .resolve = shard_resolve,
					     .close = shard_close };
	return s;
}

/* Within a transaction. The number of rows: 0 if there is no such account yet. */
static int claim_send(struct pg_shard *s, struct pg_connection *c, const struct shard_claim *claim,
		      struct shard *ret, struct err *err)
{
	char ttl[24], seen[24], presume[24];
	const char *params[] = { claim->account, claim->nonce, claim->address, ttl,
				 seen,		 presume,      s->previous };
	PGresult *result;
	int rows;

	snprintf(ttl, sizeof(ttl), "%" PRId64, claim->ttl_ms);
	snprintf(seen, sizeof(seen), "%" PRId64, claim->seen_seq);
	snprintf(presume, sizeof(presume), "%" PRId64, claim->presume_ms);
	s->sent_ms = shard_clock_ms();
	if (shard_lock_limit(c, err) ||
	    pg_query(c, claim_sql, params, 7, &result, "claiming an account", err))
		return -1;
	rows = PQntuples(result);
	if (rows) {
		shard_row_read(result, ret);
		ret->now_ms = shard_number(result, SHARD_COLUMN_COUNT);
		ret->gap_ms = shard_number(result, SHARD_COLUMN_COUNT + 1);
		/* A claim leaves the column to the first transaction. */
		if (strcmp(ret->owner, claim->nonce) == 0)
			ret->renewed_ms = ret->now_ms;
	}
	PQclear(result);
	return rows;
}

/* 0: ours; 1: held; 2: there is no such account; -1. */
static int claim_once(struct pg_shard *s, struct pg_connection *c, const struct shard_claim *claim,
		      struct shard *ret, struct err *err)
{
	int rows;

	if (pg_begin(&c->store, err))
		return -1;
	rows = claim_send(s, c, claim, ret, err);
	if (rows < 0) {
		pg_rollback(&c->store);
		return -1;
	}
	c->is_written = 1;
	if (pg_commit(&c->store, err))
		return -1;
	if (!rows)
		return 2;
	return strcmp(ret->owner, claim->nonce) == 0 ? 0 : 1;
}

static int claim_try(struct pg_shard *s, struct pg_connection *c, const struct shard_claim *claim,
		     struct shard *ret, struct err *err)
{
	int rc = -1;

	for (int i = 0; i < CLAIM_TRIES; i++) {
		rc = claim_once(s, c, claim, ret, err);
		if (rc == 2 && !shards_make(&c->store, &claim->account, 1, err))
			continue;
		if (rc >= 0 || !shard_lock_failed(c) ||
		    shard_lock_break(c, claim->account, s->previous, err) != 1)
			break;
	}
	return rc == 2 ? -1 : rc;
}

/* Ours: from now on each transaction proves it. */
static void claim_take(struct pg_shard *s, const struct shard_claim *claim, const struct shard *row)
{
	s->ttl_ms = claim->ttl_ms;
	s->presume_ms = claim->presume_ms;
	s->require_sync = claim->require_sync;
	s->presumes = s->presumes && strcmp(s->row.account, row->account) == 0;
	s->is_presuming = s->is_crediting = 0;
	s->pending = *row;
	s->pending.is_owed = shard_gap_counts(s, row->gap_ms);
	s->pending.gaps_ms = s->pending.is_owed ? row->gap_ms : 0;
	shard_keep_presuming(s);
	s->row = s->pending;
	shard_measure(s);
	s->offset = s->pending_offset;
	s->renewed_ms = s->sent_ms;
	s->deadline_ms = s->sent_ms + s->ttl_ms;
	s->hold = SHARD_OWNED;
}

static int postgres_claim(struct store *store, const struct shard_claim *claim, struct shard *ret,
			  struct err *err)
{
	struct pg_connection *c = pg_of(store);
	struct pg_shard *s = shard_unbind(c);
	struct shard row = { 0 };
	int rc = -1;

	BUG_ON(c->phase != PG_IDLE);
	/* What is under way on the old connection must end there. */
	if (store->broken || s->hold == SHARD_LOST)
		pg_session_end(c);
	store->broken = 0;
	s->hold = SHARD_FREE;
	s->deadline_ms = 0;
	TEXT_SET(s->previous, s->tried);
	TEXT_SET(s->tried, claim->nonce);
	/* Another server may have taken the place of the one that the store was opened on. */
	if (!pg_connected(c, err) && !shard_server_check(c, claim->require_sync, err) &&
	    !pg_event_order_mend(c, err))
		rc = claim_try(s, c, claim, &row, err);
	if (!rc)
		claim_take(s, claim, &row);
	if (rc >= 0)
		*ret = rc ? row : s->row;
	pg_bind(c, &s->binding);
	return rc;
}

/* ---- owning --------------------------------------------------------------------------------- */

static int renew_once(struct store *store, struct err *err)
{
	struct pg_connection *c = pg_of(store);

	if (pg_begin(store, err))
		return -1;
	if (pg_transaction_open(c, err)) {
		pg_rollback(store);
		return -1;
	}
	/* The fence is what it writes. */
	c->is_written = 1;
	return pg_commit(store, err);
}

static int postgres_renew(struct store *store, struct err *err)
{
	const struct shard *row;

	if (renew_once(store, err))
		return -1;
	row = store_shard(store);
	return row && row->must_renew ? renew_once(store, err) : 0;
}

static int yield_write(struct store *store, const char *account, struct err *err)
{
	struct statement *stmt;

	if (pg_begin(store, err))
		return -1;
	stmt = pg_prepare(store,
			  "UPDATE shard SET owner = '', expires_ms = 0"
			  " WHERE account = ?1",
			  err);
	if (stmt)
		pg_bind_text(stmt, 1, account);
	if (!stmt || pg_run(store, stmt, "giving an account up", err)) {
		pg_rollback(store);
		return -1;
	}
	return pg_commit(store, err);
}

static int postgres_yield(struct store *store, struct err *err)
{
	struct pg_shard *s = pg_of(store)->binding ? shard_of(pg_of(store)->binding) : NULL;
	int rc, broken = store->broken;

	if (!s || s->hold != SHARD_OWNED)
		return 0;
	/* What broke it was undone, and the fence knows what was not. */
	store->broken = 0;
	rc = yield_write(store, s->row.account, err);
	store->broken |= broken;
	/* Still bound: a connection that owns nothing writes nothing. */
	s->hold = SHARD_FREE;
	s->deadline_ms = 0;
	return rc;
}

/* NULL: nothing was ever claimed. */
static const struct pg_shard *kept(const struct store *store)
{
	const struct pg_connection *c = pg_of(store);

	return c->binding ? shard_of(c->binding) : NULL;
}

static const struct shard *postgres_owned(const struct store *store)
{
	const struct pg_shard *s = kept(store);

	return s && s->hold == SHARD_OWNED ? &s->row : NULL;
}

static int postgres_is_lost(const struct store *store)
{
	const struct pg_shard *s = kept(store);

	return s && s->hold == SHARD_LOST;
}

static int64_t postgres_deadline_ms(const struct store *store)
{
	const struct pg_shard *s = kept(store);

	return s ? s->deadline_ms : 0;
}

/* ---- the owner's columns --------------------------------------------------------------------- */

static void frozen_answer(void *arg, const PGresult *result)
{
	struct pg_shard *s = arg;

	if (PQntuples(result) == 1)
		TEXT_SET(s->pending.frozen, PQgetvalue(result, 0, 0));
}

static void presumed_answer(void *arg, const PGresult *result)
{
	struct pg_shard *s = arg;

	if (PQntuples(result) == 1)
		s->pending.presumed_until_ms = pg_result_number(result, 0, 0);
}

static void gen_answer(void *arg, const PGresult *result)
{
	struct pg_shard *s = arg;

	if (PQntuples(result) == 1)
		s->pending.gen = pg_result_number(result, 0, 0);
}

#define OWN_WRITE "writing the state of an account"

/* An UPDATE of the own row, with its account as ?1. NULL: error. */
static struct statement *own_prepare(struct store *store, const char *sql, struct err *err)
{
	struct pg_connection *c = pg_of(store);
	struct pg_shard *s = c->binding ? shard_of(c->binding) : NULL;
	struct statement *stmt;

	if (!s || s->hold != SHARD_OWNED) {
		err_set(err, ERR_REFUSED, "%s: no account is owned", store->name);
		return NULL;
	}
	stmt = pg_prepare(store, sql, err);
	if (stmt)
		pg_bind_text(stmt, 1, s->row.account);
	return stmt;
}

/* The same with a value as ?2. */
static int own_write(struct store *store, const char *sql, const char *text, int64_t number,
		     void (*answer)(void *arg, const PGresult *result), struct err *err)
{
	struct statement *stmt = own_prepare(store, sql, err);

	if (!stmt)
		return -1;
	if (text)
		pg_bind_text(stmt, 2, text);
	else
		pg_bind_number(stmt, 2, number);
	return pg_run_with(store, stmt, OWN_WRITE, answer, shard_of(pg_of(store)->binding), err);
}

static int postgres_freeze(struct store *store, const char *reason, struct err *err)
{
	return own_write(store, "UPDATE shard SET frozen = ?2 WHERE account = ?1 RETURNING frozen",
			 reason, 0, frozen_answer, err);
}

static int postgres_thaw(struct store *store, const char *frozen, struct err *err)
{
	return own_write(store,
			 "UPDATE shard SET frozen = '' WHERE account = ?1 AND frozen = ?2"
			 " RETURNING frozen",
			 frozen, 0, frozen_answer, err);
}

static int postgres_presume(struct store *store, int64_t ms, struct err *err)
{
	return own_write(store,
			 "UPDATE shard SET presumed_until_ms = greatest(presumed_until_ms, " SHARD_NOW
			 " + ?2) WHERE account = ?1 RETURNING presumed_until_ms",
			 NULL, ms, presumed_answer, err);
}

static int postgres_gen_put(struct store *store, int64_t gen, struct err *err)
{
	return own_write(store,
			 "UPDATE shard SET gen = greatest(gen, ?2) WHERE account = ?1 RETURNING gen",
			 NULL, gen, gen_answer, err);
}

static int postgres_credit(struct store *store, struct err *err)
{
	struct pg_connection *c = pg_of(store);

	if (own_write(store, "UPDATE shard SET watched_ms = ?2 WHERE account = ?1", NULL,
		      c->binding ? shard_of(c->binding)->row.renewed_ms : 0, NULL, err))
		return -1;
	shard_of(c->binding)->is_crediting = 1;
	return 0;
}

static int postgres_tell(struct store *store, const struct shard_standing *standing, struct err *err)
{
	struct statement *stmt =
		own_prepare(store,
			    "UPDATE shard SET told_epoch = epoch, is_fenced = ?2, blocked_class = ?3,"
			    " blocked = ?4, verified_ms = ?5 WHERE account = ?1",
			    err);

	if (!stmt)
		return -1;
	pg_bind_number(stmt, 2, standing->is_fenced);
	pg_bind_number(stmt, 3, standing->blocked_class);
	pg_bind_text(stmt, 4, standing->why);
	pg_bind_number(stmt, 5, standing->verified_ms);
	return pg_run_with(store, stmt, OWN_WRITE, NULL, NULL, err);
}

const struct shard_backend shard_backend_postgres = {
	.claim = postgres_claim,
	.renew = postgres_renew,
	.yield = postgres_yield,
	.owned = postgres_owned,
	.is_lost = postgres_is_lost,
	.deadline_ms = postgres_deadline_ms,
	.freeze = postgres_freeze,
	.thaw = postgres_thaw,
	.presume = postgres_presume,
	.gen_put = postgres_gen_put,
	.credit = postgres_credit,
	.tell = postgres_tell,
};
