/* SPDX-License-Identifier: MIT */
/*
 * When is something that cannot be found believed to be absent? By complete
 * observations only: exact read, listings and the account's sentinel, all in one
 * step (provider/evidence.h). How many of them, and when, depends on what the
 * ledger knows:
 *
 *   A  DELETING, an accepted delete of ours: one.
 *   B  INTENDED or UNKNOWN, a create without a known outcome: two, each at least
 *      `settle` after the request could last be out, ABSENCE_LOOKUP_MS apart; as in C
 *      if something was seen that claims to be it.
 *   C  PRESENT, RETAINED, DELETE_UNKNOWN, UNPROTECT_UNKNOWN: two, ABSENCE_APART_MS
 *      apart; of what was never seen each at least `settle` after its creation.
 *
 * From the end of one to the beginning of the next: an observation of many pages takes time.
 * `settle` is how late the provider may show what it made. An observation that is
 * too early does not count, not even as the first of two; and whenever the thing
 * is seen, the count begins anew. Pure.
 */
#pragma once

#include <stdint.h>

#include "lease/ledger.h"

#define ABSENCE_LOOKUP_MS 10000
#define ABSENCE_APART_MS 60000

struct absence_facts {
	int64_t begun_ms;	/* all that the observation is made of was read after this ... */
	int64_t ended_ms;	/* ... and before this */
	int64_t settle_ms;
	int is_clock_suspect;	/* times mean nothing */
};

enum absence {
	ABSENCE_IGNORED,	/* too early, or the clock cannot be believed */
	ABSENCE_COUNTED,	/* the row changed; another one is needed */
	ABSENCE_PROVEN,
};

/* A complete observation did not find it. Counts it in the row. */
enum absence absence_observe(struct resource *r, const struct absence_facts *facts);
/* It was seen, or something claims to be it. 1 if the row changed. */
int absence_reset(struct resource *r);
/* When the next observation counts; 0: any time. */
int64_t absence_next_ms(const struct resource *r, const struct absence_facts *facts);
