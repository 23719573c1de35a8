/* SPDX-License-Identifier: MIT */
/*
 * Is this store the newest one, and this process the one that works with it? The
 * account's sentinel bears a counter, raised at each start, at each no-delete
 * release and now and then while leases are open, and the nonce of the process
 * that wrote it. A raise is committed as `pending`, together with what the
 * sentinel bore just before, then written, and is `current` once it was seen
 * there. A store that finds a greater counter, or a nonce that it does not know,
 * is older than the account, or another daemon has taken over: it is fenced, and
 * deletes, expires, makes and concludes nothing until an operator has looked.
 *
 * A copy of a store that is younger than the last raise is not told apart; what
 * it can do is bounded by the labels on what is retained. Pure.
 */
#pragma once

#include <stdint.h>

#define GENERATION_HOLDER_SIZE 33 /* 128 bits in hex */

struct generation {
	/* as committed */
	char account[32];
	int64_t current;	/* seen there; 0: this store has never raised one */
	int64_t pending;	/* to be seen there; equal to current when nothing is on its way */
	char holder[GENERATION_HOLDER_SIZE]; /* who wrote pending; "" if nobody yet */
	/*
	 * Whose counter it replaced, and whose writes since then may still arrive: a list
	 * with blanks, newest first.
	 */
	char before[4 * GENERATION_HOLDER_SIZE];
	int is_fenced;
	char why[160];		/* why it is fenced */

	/* of this process */
	char nonce[GENERATION_HOLDER_SIZE];
	int is_wanted;		/* a raise is due: a start, a no-delete release, time */
	int64_t raised_ms;	/* when this process last raised it, 0: not yet */
	/* what the sentinel bore when it was last read; 0 and "": no counter */
	int64_t found;
	char found_holder[GENERATION_HOLDER_SIZE];
};

enum generation_state {
	GENERATION_OURS,	/* nobody else was there */
	GENERATION_ARRIVED,	/* so, and what is pending is there now */
	GENERATION_MISSING,	/* no counter, or one of ours that is older: to be written again */
	GENERATION_OVERTAKEN,	/* somebody knows more than this store */
};

/* The sentinel was read. Remembers what it bears and compares it; commits nothing. */
enum generation_state generation_found(struct generation *g, int64_t found, const char *holder);
/* The sentinel bears, or has borne, what is pending. */
void generation_arrived(struct generation *g);
/* Before it is written: the next counter, after what was found just now. */
void generation_raise(struct generation *g, int64_t now_ms);
void generation_fence(struct generation *g, const char *why);
/* An operator has looked: from now on this store is the newest one. */
void generation_take_over(struct generation *g);
