/* SPDX-License-Identifier: MIT */
/*
 * When does a resource that cannot be found count as absent? Only complete observations
 * count: exact read, listings and the account's sentinel, all in one step
 * (provider/evidence.h). How many are needed, and when, depends on the row's state:
 *
 *   A  DELETING, our delete was accepted: one.
 *   B  INTENDED or UNKNOWN, a create with an unknown outcome: two, each at least `settle`
 *      after the last moment at which the request could be in flight, ABSENCE_LOOKUP_MS apart; as
 *      in C if something was seen that claims to be the resource. A request of another process
 *      may be in flight until its intent ends (until_ms).
 *   C  PRESENT, RETAINED, DELETE_UNKNOWN, UNPROTECT_UNKNOWN: two, ABSENCE_APART_MS apart;
 *      if it was never seen, each at least `settle` after its creation.
 *
 * The distance is from the end of one to the beginning of the next, since an observation
 * of many pages takes time. `settle` is how late the provider may show what it created. An
 * observation that is too early does not count, not even as the first of two. Every
 * sighting resets the count. Pure.
 */
#pragma once

#include <stdint.h>

#include "lease/ledger.h"

#define ABSENCE_LOOKUP_MS 10000
#define ABSENCE_APART_MS 60000

struct absence_facts {
	int64_t begun_ms;	/* everything in the observation was read after this ... */
	int64_t ended_ms;	/* ... and before this */
	int64_t settle_ms;
	int is_clock_suspect;	/* times are unreliable */
	int64_t store_ahead_ms; /* the store's clock, ahead of the one of these times */
};

enum absence {
	ABSENCE_IGNORED, /* too early, or the clock is suspect */
	ABSENCE_COUNTED, /* counted in the row; another one is needed */
	ABSENCE_PROVEN,
};

/* Records a complete observation that did not find the resource. */
enum absence absence_observe(struct resource *r, const struct absence_facts *facts);
/* The resource, or something that claims to be it, was seen. 1 if the row changed. */
int absence_reset(struct resource *r);
/* When the next observation counts; 0: any time. */
int64_t absence_next_ms(const struct resource *r, const struct absence_facts *facts);
