/* SPDX-License-Identifier: MIT */
/*
 * Orphans: what a sweep sees at the provider that carries our valid signature and
 * that no ledger claims. The rules here are pure; the engine keeps the sightings
 * in the store and acts.
 *
 * And addresses that nothing uses and that came with a server of an ended lease: the
 * provider makes and deletes those itself, without labels, so the gate never opens
 * for one. They are billed, so they are reported.
 *
 * An orphan is never deleted by the sweep. If its lease is known, ended and not
 * retained, it can be taken into that lease's ledger, and ordinary cleanup then
 * deletes it behind the one gate, like everything else.
 */
#pragma once

#include <stdint.h>

#include "lease/ledger.h"

/* name, text for clients, whether it shows that the store has lost something */
#define ORPHAN_WHYS(X)                                                                             \
	X(ORPHAN_ENDED, "ended", 0)	  /* its lease has ended and thought it gone */            \
	X(ORPHAN_ALIVE, "alive", 0)	  /* its lease is alive */                                 \
	X(ORPHAN_RETAINED, "retained", 0) /* its lease is kept at its owner's wish */              \
	X(ORPHAN_NEWER_THAN_STORE, "not_in_ledger",                                                \
	  1)				     /* its lease has ended, and never meant to make it */ \
	X(ORPHAN_ADDRESS, "address_left", 0) /* came with its server, and did not go with it */    \
	X(ORPHAN_UNKNOWN, "unknown_lease", 1) /* nobody here has heard of its lease */

enum orphan_why {
#define X(name, text, lost) name,
	ORPHAN_WHYS(X)
#undef X
		ORPHAN_WHY_COUNT
};

const char *orphan_why_name(enum orphan_why why);
/* Does it show that the store is older than the provider, as after a restore? */
int orphan_is_newer_than_store(enum orphan_why why);

struct orphan {
	char account[32];
	uint32_t kind;
	char id[32];
	char name[64];
	char lease[24];		/* as its label says, checked */
	uint32_t attempt;
	enum orphan_why why;
	int64_t made_ms;	/* as the provider says, 0 if it does not */
	int64_t first_ms;	/* first and last of the sightings without a gap */
	int64_t last_ms;
	int64_t sightings;
};

/* The sweeps of one account. */
struct sweep {
	char account[32];
	int64_t begun_ms;	/* the last one: persisted before its first call */
	int64_t done_ms;	/* the last complete one, 0: none yet */
	int64_t objects;	/* how many it saw that are ours */
	int64_t unverified;	/* and how many that only say so: somebody's copies */
	char error[160];	/* why the last one did not come to its end, "" if it did */
	int64_t looked_ms;	/* when an operator last looked at what the store does not know */
	char looked_by[128];
	int64_t deleted_ms;	/* when orphans were last given to cleanup */
	int64_t soon_ms;	/* one is due by then in any mode: something was thought absent; or 0 */
};

/* Is what was seen signed by us, for this account? Then its labels are in *ret. */
int orphan_read(const struct signer *signer, const char *account,
		const struct lessor_observed *seen, struct orphan *ret);
/*
 * What it is, of a lease (NULL: there is none of that id) and its ledger. -1: it is none,
 * the ledger claims it.
 */
int orphan_classify(const struct orphan *s, const struct lease *l, const struct ledger *ledger);

/* Why it must stay for now, NULL if it may be given to cleanup. `ahead`: see orphan_is_newer_than_store. */
const char *orphan_holds(const struct orphan *s, const struct sweep *sweep,
			 int any_newer_than_store, int64_t grace_ms, int64_t now_ms);
/* How many may be given to cleanup at once, of a fleet of so many. */
int64_t orphan_limit(int64_t objects);
/* Between two sightings that count, and between two lots that are given to cleanup. */
#define ORPHAN_CONFIRM_MS (15 * 60 * 1000)
