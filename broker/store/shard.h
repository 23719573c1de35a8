/* SPDX-License-Identifier: MIT */
/*
 * Who owns an account, where several lessord use one database. Ownership is a row of the table
 * `shard` (shards.h): who holds it (the owner's nonce), in which epoch, and until when by the
 * database's clock. A connection that has claimed an account is *bound* to it: each of its
 * transactions begins with the *fence*, a statement that fails unless the row is still as this
 * connection left it, and that counts the row's `seq` up. So a transaction of an owner that has
 * been overtaken changes nothing, however late it arrives.
 *
 * The rules behind it:
 * - A claim takes a nonce that nobody has used. One whose outcome is unknown is no claim: the
 *   caller tries again with another nonce, and reads what it keeps in memory after the claim.
 * - The fence also compares the database's identity (system id and timeline): on a promoted
 *   standby, nobody owns anything until the next claim, which freezes the account.
 * - If the connection is lost while a commit is under way, a write on a new connection finds out
 *   whether it took effect, and ensures that it cannot take effect later (the *read-back*).
 *   store_commit returns what it found; its caller notices nothing but the time it took.
 * - What the row's `expires` says decides only who may claim. What may still be done outside the
 *   database is decided by deadlines that the owner takes before it sends a statement.
 *
 * With SQLite the daemon's lock on the file does all of this: each account is owned from the
 * claim on, in epoch 1, without a row, without end.
 *
 * Threads: as in store.h. All functions but shard_clock_ms take the writing connection.
 */
#pragma once

#include <stdint.h>

#include "store/store.h"

#define SHARD_NONCE_CHARS 32
#define SHARD_TTL_MS 3000
#define SHARD_RENEW_MS 500
/* Clocks run differently, and threads run late, by at most this (M). */
#define SHARD_MARGIN_MS 1000
/*
 * A row that lasts longer was written before the database's clock was set back. A living owner would
 * have renewed it by that clock, so nobody waits for it.
 */
#define SHARD_TTL_MOST_MS 61000
/* How long the server waits for the row before the backend that locks it is terminated. */
#define SHARD_LOCK_MS 1000

struct shard_claim {
	const char *account;
	/* 32 hex digits of fresh random numbers: another one for each call, failed or not. */
	const char *nonce;
	const char *address; /* where other daemons reach this one, for them to read */
	int64_t ttl_ms;	     /* SHARD_TTL_MS */
	/* The highest seq of this account that this process has seen anywhere; 0: none. */
	int64_t seen_seq;
	/* How long a permit that was lost with a database may still be acted on (P + G). */
	int64_t presume_ms;
	/* Refuse a server that confirms commits that no standby has. */
	int require_sync;
};

/* How the account stands with its provider, as its owner says for those who do not own it. */
struct shard_standing {
	int is_fenced;
	uint32_t blocked_class; /* LESSOR_CLASS_AUTH or LESSOR_CLASS_ACCOUNT; 0: it is not blocked */
	char why[160];		/* it is either of them */
	int64_t verified_ms;	/* when it was verified last; 0: not yet */
};

/* A row of the table, as last read or written. */
struct shard {
	char account[32];
	char owner[SHARD_NONCE_CHARS + 1]; /* ""  nobody: it was yielded, or never claimed */
	/* Whom the last claim names: the owner; if it was yielded, who gave it up. */
	char address[128];
	int64_t epoch;	  /* counts the claims */
	int64_t seq;	  /* counts the transactions of all owners; never decreases */
	char frozen[128]; /* why nothing may be deleted or concluded; "": it may */
	int64_t gen;	  /* the generation that is in the sentinel at least */
	int64_t since_ms; /* when it was claimed; this and all that follow by the database's clock */
	int64_t renewed_ms;
	int64_t expires_ms;
	/* Until then a permit that no row shows is presumed; 0: never. */
	int64_t presumed_until_ms;
	int64_t now_ms; /* when the row was read */
	/*
	 * Claim: how long nobody renewed. Else: the time between the two last renewals, by the clock
	 * that saw more of it. What is longer than TTL - SHARD_MARGIN_MS is time in which
	 * nobody could serve clients: the deadlines of leases move by it.
	 */
	int64_t gap_ms;
	/* The sum of such gaps, of the claim and since: several renewals may follow each other unseen. */
	int64_t gaps_ms;
	/* The row does not say yet what must be presumed: renew at once. */
	int must_renew;
	/* Such a gap, of this claim or since, is not recorded as credited (shard_credit). */
	int is_owed;
	struct shard_standing standing; /* shards_each: as this claim's owner told; 0: it did not */
};

/*
 * Claims the account, and binds the connection to it. Not within a transaction. The row is made if
 * there is none yet. If the row is locked for more than a second by the backend of an owner whose
 * time is up, that backend is terminated.
 * 0: ours. 1: somebody holds it; `ret` says who, and until when. In both cases `ret` is filled. -1:
 * unknown, as after a lost connection; or ERR_REFUSED: the server is not one that may be used
 * (`require_sync`, a standby). ERR_BUSY and ERR_IO pass.
 * A store that is lost may claim again: it then works as if it were new.
 */
int shard_claim(struct store *store, const struct shard_claim *claim, struct shard *ret,
		struct err *err);
/*
 * Renews: an empty transaction, or two, which also brings store_shard up to date. Each commit of a bound
 * connection does the same, so this is for when nothing else was committed. -1: as store_commit.
 */
int shard_renew(struct store *store, struct err *err);
/*
 * Gives the account up, so that nobody need wait until the owner's time is up. Not within a
 * transaction. Of a broken store, too, unless it is lost. It owns nothing afterwards, whatever this
 * returns, and writes nothing before its next claim.
 */
int shard_yield(struct store *store, struct err *err);

/*
 * What this connection owns, as of its last commit; NULL: nothing. Valid until the next call with
 * this store.
 */
const struct shard *store_shard(const struct store *store);
/*
 * 1: this connection owned an account and does not any longer, or does not know. store_broken is
 * set, too; what is in memory may differ from the database and must be dropped. The process
 * need not end: shard_claim begins anew.
 */
int store_is_lost(const struct store *store);
/*
 * Until when the ownership surely lasts, by the clock of shard_clock_ms, which is also that of
 * env_system's mono_ms; taken before the statement that renewed it was sent. 0: nothing is owned.
 * INT64_MAX: without end.
 */
int64_t shard_deadline_mono_ms(const struct store *store);
/* CLOCK_BOOTTIME. Any thread. */
int64_t shard_clock_ms(void);

/* ---- columns of the row that belong to the owner: within a transaction of a bound connection ---- */

/*
 * Freezes the account, and "" ends that. store_shard shows this and what follows from the commit on.
 */
int shard_freeze(struct store *store, const char *reason, struct err *err);
/*
 * Ends that by itself: only if the account is still frozen for the reason `frozen`, since another
 * daemon may have found a better one.
 */
int shard_thaw(struct store *store, const char *frozen, struct err *err);
/* Is that the reason of a fail-over, which ends if nothing is found to be lost? */
int shard_thaws_by_itself(const struct shard *row);
/* Permits that no row shows are presumed for `ms` from now on, or longer if they were already. */
int shard_presume(struct store *store, int64_t ms, struct err *err);
/* The generation that is about to be written to the sentinel; a lower one changes nothing. */
int shard_gen_put(struct store *store, int64_t gen, struct err *err);
/*
 * The leases are credited, in this transaction and those before it, with all gaps up to the renewal
 * before this transaction. Until this is committed, the next claim measures the same gap again,
 * however often the owner has renewed.
 */
int shard_credit(struct store *store, struct err *err);
/* Tells those who do not own the account how it stands. */
int shard_tell(struct store *store, const struct shard_standing *standing, struct err *err);
