/* SPDX-License-Identifier: MIT */
/*
 * The ownership of an engine's accounts, where they do not belong to this process for as long as it
 * runs. An engine whose configuration has such a table claims its accounts, loads its core from the
 * store that the claim gave, renews, and drops the core when they are lost; then it claims again.
 * Everything is called on the engine thread, and may block for some seconds.
 */
#pragma once

#include "store/shard.h"
#include "util/err.h"

/* The ownership as of the last commit or renewal. */
struct engine_owned {
	int64_t epoch;	 /* another one after each claim */
	int64_t gaps_ms; /* how long nobody could serve, before the claim and since: only grows */
	int is_owed;	 /* a gap is not recorded as credited yet */
	int is_fresh;	 /* before the claim, this process had seen nothing of them */
	int must_renew;	 /* at once, and not only when renew_ms are over */
	/* Until when it surely lasts, by the env's monotonic clock. */
	int64_t until_mono_ms;
	/* Why nothing may be deleted, expire or be concluded; NULL, "": it may (core_freeze). */
	const char *frozen;
	int64_t presumed_until_ms; /* on the store's clock, 0: never (core_presume) */
	int64_t store_ahead_ms;	   /* the store's clock, ahead of env's (core_store_clock) */
};

struct engine_ownership {
	/*
	 * Tries to become the owner. 0: it is, and writes to *ret until `end`. 1: not now, somebody
	 * else is, or should be. -1: it is not known.
	 */
	int (*claim)(void *arg, struct store **ret, struct err *err);
	/* -1: lost, or unknown; the store is broken. Not in a transaction. */
	int (*renew)(void *arg, struct store *store, struct err *err);
	void (*look)(void *arg, const struct store *store, struct engine_owned *ret);
	/*
	 * Both in a transaction, and of a frozen account; what they change is looked at after its
	 * commit. `reconciled`: its content was compared with the store; `ahead`: what in it is newer,
	 * "": nothing. `thaw`: an operator decided that it may go on, despite what `look` says. NULL:
	 * it is never frozen.
	 */
	int (*reconciled)(void *arg, struct store *store, const char *ahead, struct err *err);
	int (*thaw)(void *arg, struct store *store, struct err *err);
	/*
	 * In a transaction: leases are credited with every gap before it. Called if one is owed.
	 * NULL: it is not recorded.
	 */
	int (*credited)(void *arg, struct store *store, struct err *err);
	/*
	 * In a transaction: why it is frozen as the database has it now, since another daemon may have
	 * frozen it after the last commit. NULL: as `look` says.
	 */
	int (*frozen)(void *arg, struct store *store, char *ret, size_t size, struct err *err);
	/*
	 * In a transaction: how the account stands with its provider, for those who do not own it.
	 * Called when that has changed. NULL: there are none.
	 */
	int (*tell)(void *arg, struct store *store, const struct shard_standing *standing,
		    struct err *err);
	/* Is a broken store broken only because the ownership is lost? Then the process need not end. */
	int (*is_lost)(void *arg, const struct store *store);
	/* Should somebody else be the owner? Asked often. NULL: never. */
	int (*is_unwanted)(void *arg);
	/* The store is not used any more. `yield`: and the ownership, if not lost, is given up. */
	void (*end)(void *arg, struct store *store, int yield);
	int64_t ttl_ms;	   /* after a longer gap somebody else may be the owner */
	int64_t renew_ms;  /* the interval of renewals */
	int64_t margin_ms; /* so long before it is over, nothing is decided any more */
	int64_t retry_ms;  /* the pause between two claims */
	int64_t seek_ms;   /* the same, if somebody waits for an owner (engine_seek) */
	void *arg;
};
