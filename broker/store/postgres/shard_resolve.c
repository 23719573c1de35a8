/* SPDX-License-Identifier: MIT */
/*
 * The read-back: whether a transaction was committed whose connection was lost while it was. Reading
 * would not do, since the transaction may still be on its way to the server. So the row's seq is
 * written: if the transaction is in it, the old seq is its own; if not, the new one makes its fence
 * fail for ever. The lock of the row waits for a backend that is committing at this moment, and the
 * clean answer to the write proves that what was committed before it is on the standby, too.
 *
 * The outcome of the read-back itself may remain unknown, and it is repeated with a seq that no try
 * has used. What the first one found must not get lost with its answer: the seq it writes keeps
 * the parity of the one it found. Relative to that of the transaction, even is committed (0, 2,
 * 4), and odd is not (-1, 1, 3).
 */
#include "store/postgres/shard_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "util/log.h"

/* Then the account is given up: whoever claims it next, this daemon too, starts from the database. */
#define RESOLVE_MS 6000
#define RESOLVE_TRIES 4

static const char read_back_sql[] =
	"WITH old AS MATERIALIZED (SELECT account, seq FROM shard WHERE account = $1"
	" AND epoch = $2::bigint AND owner = $3 AND db_id = " SHARD_IDENTITY
	" AND seq BETWEEN $4::bigint - 1 AND $5::bigint FOR UPDATE)"
	" UPDATE shard s SET seq = $5::bigint + 2 - ((old.seq - $4::bigint) & 1),"
	" renewed_ms = " SHARD_NOW ", expires_ms = " SHARD_NOW
	" + $6::bigint, backend_pid = pg_backend_pid()"
	" FROM old WHERE s.account = old.account"
	" RETURNING " SHARD_COLUMNS("s.") ", (old.seq - $4::bigint) & 1";

struct read_back {
	int64_t seq;  /* of the transaction in doubt */
	int64_t most; /* that it or a read-back of it may have written */
};

/* Within a transaction. 0, or -1: unknown or failed. *ret NULL: no such row, it is not ours. */
static int read_back_send(struct pg_shard *s, struct pg_connection *c, const struct read_back *r,
			  PGresult **ret, struct err *err)
{
	char epoch[24], seq[24], most[24], ttl[24];
	const char *params[] = { s->row.account, epoch, s->row.owner, seq, most, ttl };

	snprintf(epoch, sizeof(epoch), "%" PRId64, s->row.epoch);
	snprintf(seq, sizeof(seq), "%" PRId64, r->seq);
	snprintf(most, sizeof(most), "%" PRId64, r->most);
	snprintf(ttl, sizeof(ttl), "%" PRId64, s->ttl_ms);
	s->sent_ms = shard_clock_ms();
	if (shard_lock_limit(c, err))
		return -1;
	return pg_query(c, read_back_sql, params, 6, ret, "asking whether a commit happened", err);
}

/* 1: the transaction in doubt is committed; 0: it is not, and never will be; -1: unknown. */
static int read_back(struct pg_shard *s, struct pg_connection *c, const struct read_back *r,
		     struct err *err)
{
	PGresult *result = NULL;
	int is_committed, is_ours;

	/* Set by a try before, whose outcome is unknown. */
	c->store.broken = 0;
	if (pg_begin(&c->store, err))
		return -1;
	if (read_back_send(s, c, r, &result, err)) {
		pg_rollback(&c->store);
		return -1;
	}
	is_ours = PQntuples(result) == 1;
	if (is_ours) {
		shard_row_read(result, &s->pending);
		is_committed = PQgetvalue(result, 0, SHARD_COLUMN_COUNT)[0] == '0';
		shard_measure(s);
	}
	PQclear(result);
	c->is_written = 1;
	if (pg_commit(&c->store, err))
		return -1;
	if (!is_ours) {
		shard_lose(s, c, "another daemon has taken it over during a commit");
		return err_set(err, ERR_IO, "%s: ownership ended while a commit was under way",
			       c->store.name);
	}
	if (!is_committed)
		s->is_crediting = s->is_presuming = 0;
	shard_renewed(s);
	return is_committed;
}

/* One try, on a connection of its own. */
static int resolve_once(struct pg_shard *s, struct pg_connection *c, const struct read_back *r,
			struct err *err)
{
	int rc;

	if ((!c->conn && pg_connect(c, err)) || shard_server_check(c, s->require_sync, err))
		return -1;
	rc = read_back(s, c, r, err);
	/* The lost connection's own backend may wait for a Sync that never comes. */
	if (rc < 0 && shard_lock_failed(c) &&
	    shard_lock_break(c, s->row.account, s->row.owner, err) >= 0)
		rc = read_back(s, c, r, err);
	return rc;
}

int shard_resolve(struct shard_binding *binding, struct pg_connection *c, struct err *err)
{
	struct pg_shard *s = shard_of(binding);
	struct read_back r = { s->row.seq + 1, s->row.seq + 1 };
	int64_t until_ms = shard_clock_ms() + RESOLVE_MS, patience_ms = c->patience_ms;
	int rc = -1;

	for (int i = 0; i < RESOLVE_TRIES && rc < 0 && s->hold == SHARD_OWNED; i++, r.most += 2) {
		int64_t left_ms = until_ms - shard_clock_ms();

		if (left_ms <= 0)
			break;
		if (left_ms < c->patience_ms)
			c->patience_ms = left_ms;
		rc = resolve_once(s, c, &r, err);
	}
	c->patience_ms = patience_ms;
	if (rc >= 0)
		log_notice(NULL, "account %s: the connection was lost during a commit, which %s",
			   s->row.account, rc ? "took effect" : "had no effect");
	else
		shard_lose(s, c, "the outcome of a commit could not be determined");
	return rc;
}
