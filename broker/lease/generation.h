/* SPDX-License-Identifier: MIT */
/*
 * Is this store the newest copy, and this process its current user? The account's sentinel
 * carries a counter and the nonce of the process that wrote it. The counter is raised at
 * each start, at each no-delete release, and from time to time while leases are open. A
 * raise is committed as `pending`, together with the sentinel's previous holder, then
 * written, and becomes `current` once it has been read back. A store that reads a greater
 * counter or an unknown nonce is an older copy, or another daemon has taken over: it is
 * fenced, and deletes, expires, creates and concludes nothing until an operator takes over.
 *
 * A copy of the store made since the last raise cannot be detected; the labels on retained
 * resources limit what it can do. Pure.
 */
#pragma once

#include <stdint.h>

#define GENERATION_HOLDER_SIZE 33 /* 128 bits in hex */

struct generation {
	/* as committed */
	char account[32];
	int64_t current; /* read back from the sentinel; 0: this store has never raised it */
	int64_t pending; /* to be read back; equal to current when no raise is in flight */
	char holder[GENERATION_HOLDER_SIZE]; /* who wrote pending; "" if nobody yet */
	/*
	 * Holders whose counters it replaced or whose writes may still arrive: separated by
	 * spaces, newest first.
	 */
	char before[4 * GENERATION_HOLDER_SIZE];
	int is_fenced;
	char why[160];		/* why it is fenced */

	/* of this process */
	char nonce[GENERATION_HOLDER_SIZE];
	int is_wanted;		/* a raise is due: a start, a no-delete release, time */
	int64_t raised_ms;	/* when this process last raised it, 0: not yet */
	/* the sentinel's counter and holder when last read; 0 and "": no counter */
	int64_t found;
	char found_holder[GENERATION_HOLDER_SIZE];
};

enum generation_state {
	GENERATION_OURS,      /* the counter is this store's */
	GENERATION_ARRIVED,   /* the same, and the pending raise has arrived */
	GENERATION_MISSING,   /* no counter, or an older one of ours: write it again */
	GENERATION_OVERTAKEN, /* somebody else's store is newer */
};

/* The sentinel was read: records and compares its counter and holder. Commits nothing. */
enum generation_state generation_found(struct generation *g, int64_t found, const char *holder);
/* The pending raise was seen on the sentinel. */
void generation_arrived(struct generation *g);
/* Computes the next counter, above the one just read. To be committed before it is written. */
void generation_raise(struct generation *g, int64_t now_ms);
void generation_fence(struct generation *g, const char *why);
/* An operator decided that this store is the newest. */
void generation_take_over(struct generation *g);
