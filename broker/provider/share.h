/* SPDX-License-Identifier: MIT */
/*
 * Answers to GETs that several steps of one account may use: a hundred leases
 * that wait for their machines ask one question. A second asker of a question
 * that is on its way waits for that answer instead of asking too.
 *
 * Bounded in entries and bytes. Its own lock; held for no longer than a look.
 */
#pragma once

#include <stdint.h>

#include "provider/answer.h"

struct share;

struct share *share_new(void);
void share_free(struct share *share);	/* nobody waits any more */

enum share_result {
	SHARE_HIT,	/* *ret is an answer new enough; the caller unrefs it */
	SHARE_LEAD,	/* ask, then share_land: others are waiting for it */
	SHARE_ALONE,	/* ask, and land nothing */
	SHARE_GAVE_UP,	/* cancelled, or past the deadline, while waiting */
};

/*
 * `oldest_mono_ms`: an answer asked for before that is of no use. Waits while
 * another asks, at most until `give_up(arg)` says 1; it is asked every 50 ms.
 */
enum share_result share_ask(struct share *share, const char *path, int64_t oldest_mono_ms,
			    int64_t now_mono_ms, int (*give_up)(void *arg), void *arg,
			    struct answer **ret);
/*
 * The leader's answer (borrowed), or NULL if it did not come to one: then the
 * waiters ask for themselves. Waiters get any answer; only a 200 is kept.
 */
void share_land(struct share *share, const char *path, struct answer *answer);
