/* SPDX-License-Identifier: MIT */
/*
 * Orphans: resources that a sweep sees at the provider with our valid signature and that no
 * ledger claims. The rules here are pure; the engine stores the sightings and acts.
 *
 * Unused addresses that came with a server of an ended lease count as orphans, too: the
 * provider creates and deletes them itself, without labels, so the gate never permits their
 * delete. They are billed, so they are reported.
 *
 * A sweep never deletes an orphan. If its lease is known, has ended and is not retained, the
 * orphan can be added to that lease's ledger; ordinary cleanup then deletes it through the
 * gate, like everything else.
 */
#pragma once

#include <stdint.h>

#include "lease/ledger.h"

/* clang-format off */
/* name, text for clients, 1: it shows that the store has lost history */
#define ORPHAN_WHYS(X) \
	X(ORPHAN_ENDED, "ended", 0)		/* its lease has ended and recorded it as gone */ \
	X(ORPHAN_ALIVE, "alive", 0)		/* its lease is live */ \
	X(ORPHAN_RETAINED, "retained", 0)	/* its lease is retained */ \
	X(ORPHAN_NEWER_THAN_STORE, "not_in_ledger", 1) /* the ledger never held an intent for it */ \
	X(ORPHAN_ADDRESS, "address_left", 0)	/* came with its server, not deleted with it */ \
	X(ORPHAN_UNKNOWN, "unknown_lease", 1)	/* this store does not know its lease */
/* clang-format on */

enum orphan_why {
#define X(name, text, lost) name,
	ORPHAN_WHYS(X)
#undef X
		ORPHAN_WHY_COUNT
};

const char *orphan_why_name(enum orphan_why why);
/* Does it show that the store is older than the account, as after a restore? */
int orphan_is_newer_than_store(enum orphan_why why);

struct orphan {
	char account[32];
	uint32_t kind;
	char id[32];
	char name[64];
	char lease[24]; /* as its label says, checked */
	uint32_t attempt;
	enum orphan_why why;
	int64_t made_ms;  /* creation time according to the provider, 0 if unknown */
	int64_t first_ms; /* first and last sighting of an unbroken series */
	int64_t last_ms;
	int64_t sightings;
};

/* The sweeps of one account. */
struct sweep {
	char account[32];
	int64_t begun_ms;   /* start of the last sweep: committed before its first call */
	int64_t done_ms;    /* end of the last complete sweep, 0: none yet */
	int64_t objects;    /* number of objects it saw with our signature */
	int64_t unverified; /* number of objects with our labels and no valid signature: copies */
	char error[160];    /* why the last sweep failed, "" if it completed */
	int64_t looked_ms;  /* when an operator last reviewed what the store does not know */
	char looked_by[128];
	int64_t deleted_ms; /* when orphans were last handed to cleanup */
	int64_t soon_ms;    /* a sweep is due by then in any mode, as absence was concluded; or 0 */
};

/*
 * Does the object carry our valid signature for this account? 1: its labels are in *ret. 0:
 * no.
 */
int orphan_read(const struct signer *signer, const char *account,
		const struct lessor_observed *seen, struct orphan *ret);
/*
 * Classifies it by its lease (NULL: unknown id) and that lease's ledger: an enum orphan_why,
 * or -1 if the ledger claims it and it is no orphan.
 */
int orphan_classify(const struct orphan *s, const struct lease *l, const struct ledger *ledger);

/*
 * Why it may not be handed to cleanup yet, NULL if it may. `any_newer_than_store`: an orphan
 * of this account is, see orphan_is_newer_than_store.
 */
const char *orphan_holds(const struct orphan *s, const struct sweep *sweep,
			 int any_newer_than_store, int64_t grace_ms, int64_t now_ms);
/* How many may be handed to cleanup at once, given the number of objects. */
int64_t orphan_limit(int64_t objects);
/* Minimum time between two sightings that count, and between two batches handed to cleanup. */
#define ORPHAN_CONFIRM_MS (15 * 60 * 1000)
