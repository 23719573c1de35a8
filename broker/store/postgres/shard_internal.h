/* SPDX-License-Identifier: MIT */
/*
 * Shared by shard*.c. Ownership of an account (store/shard.h) as its connection keeps it; the
 * driver knows only the binding.
 */
#pragma once

#include "store/postgres/internal.h"

/* The database's clock, ms since 1970. */
#define SHARD_NOW "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
/* Is the time of the row's owner up, or longer than any claim lasts (SHARD_TTL_MOST_MS)? */
#define SHARD_IS_OVER(of)                                                    \
	"(" of "expires_ms < " SHARD_NOW " OR " of "expires_ms - " SHARD_NOW \
	" > " SHARD_TEXT(SHARD_TTL_MOST_MS) ")"
#define SHARD_TEXT(number) SHARD_TEXT_OF(number)
#define SHARD_TEXT_OF(number) #number
/* The database's identity: another one after a fail-over, since a promoted standby is on a new
 * timeline. Fails on a standby. */
#define SHARD_IDENTITY                                                                               \
	"(SELECT control.system_identifier || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8)" \
	" FROM pg_control_system() control)"
/* Does a commit wait for a standby? Only a monitoring role can see whether one is connected. */
#define SHARD_SYNC_ON                                         \
	"(current_setting('synchronous_standby_names') <> ''" \
	" AND current_setting('synchronous_commit') IN ('on', 'remote_apply'))"

struct pg_shard {
	struct shard_binding binding; /* first */
	enum shard_hold { SHARD_FREE, SHARD_OWNED, SHARD_LOST } hold;
	struct shard row;     /* as of the last commit */
	struct shard pending; /* as the open transaction makes it; from its fence on */
	/*
	 * The nonces of the last claim, successful or not, and of the one before. Nobody else has them,
	 * so the next claim of this connection need not wait until their time is up.
	 */
	char tried[SHARD_NONCE_CHARS + 1];
	char previous[SHARD_NONCE_CHARS + 1];
	int64_t ttl_ms, presume_ms;
	int require_sync;

	int64_t deadline_ms; /* 0: nothing is owned */
	int64_t sent_ms;     /* before the open transaction's fence was sent */
	int64_t renewed_ms;  /* `sent_ms` of the last commit */
	uint64_t fence_end;  /* the number of the fence's last command */
	/*
	 * By how much the database's clock is ahead of ours: at least and at most, as of the last
	 * commit. If it changes, one of the machines stood still or its clock was set.
	 */
	struct shard_offset {
		int64_t least_ms, most_ms;
	} offset, pending_offset;
	int presumes;	  /* the next fence has to write presumed_until_ms */
	int is_presuming; /* that of the open transaction does */
	int is_crediting; /* the open transaction credits leases with what is owed to them */
};

static inline struct pg_shard *shard_of(struct shard_binding *binding)
{
	return (struct pg_shard *)binding;
}

/* ---- shard_fence.c: the functions of the binding ---- */

int shard_connected(struct shard_binding *binding, struct pg_connection *c, struct err *err);
int shard_fence(struct shard_binding *binding, struct pg_connection *c, struct err *err);
void shard_committed(struct shard_binding *binding, struct pg_connection *c);
void shard_refused(struct shard_binding *binding, struct pg_connection *c);
/* The ownership ends, or is no longer known: this connection writes nothing more. */
void shard_lose(struct pg_shard *s, struct pg_connection *c, const char *why);
/* A claim, a commit or a read-back has succeeded: takes over s->pending. */
void shard_renewed(struct pg_shard *s);
/* What s->row presumes and no transaction has written yet, s->pending does, too. */
void shard_keep_presuming(struct pg_shard *s);
/* Was nobody there for so long that leases are credited with it? */
int shard_gap_counts(const struct pg_shard *s, int64_t gap_ms);
/* The row was written at pending.renewed_ms, between s->sent_ms and now. */
void shard_measure(struct pg_shard *s);

/* ---- shard_resolve.c ---- */

int shard_resolve(struct shard_binding *binding, struct pg_connection *c, struct err *err);

/* ---- shard_lock.c: the server's part ---- */

/* May the server be used? -1: no (ERR_REFUSED), or unknown. */
int shard_server_check(struct pg_connection *c, int require_sync, struct err *err);
/* Until the end of the transaction, statements wait for the row's lock for at most SHARD_LOCK_MS. */
int shard_lock_limit(struct pg_connection *c, struct err *err);
/* Did the last transaction fail because it did not get the lock? */
int shard_lock_failed(const struct pg_connection *c);
/*
 * Terminates the backend that holds the lock of the account's row, if that row is not held by a living
 * owner, or held by `owner`. How many: 0 or 1; or -1.
 */
int shard_lock_break(struct pg_connection *c, const char *account, const char *owner,
		     struct err *err);

/* ---- shard.c ---- */

extern const struct shard_backend shard_backend_postgres;
/* ---- shard_row.c ---- */

/* A number in the first row of a result of texts. */
int64_t shard_number(const PGresult *result, int column);
/* The row whose first columns are SHARD_COLUMNS. */
void shard_row_read(const PGresult *result, struct shard *row);
#define SHARD_COLUMNS(of)                                                                   \
	of "account, " of "owner, " of "address, " of "epoch, " of "seq, " of "frozen, " of \
	   "gen, " of "since_ms, " of "renewed_ms, " of "expires_ms, " of "presumed_until_ms"
#define SHARD_COLUMN_COUNT 11
