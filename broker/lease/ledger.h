/* SPDX-License-Identifier: MIT */
/*
 * The ledger: what a lease created or uses at the provider, one row per resource. Kinds and
 * states are those of lessor/provider.h. The rules here are pure: they inspect rows and
 * decide; the engine commits.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <lessor/provider.h>

#include "lease/cost_terms.h"
#include "lease/lease.h"
#include "util/err.h"

struct resource {
	int64_t n;		/* row number */
	int64_t lease;		/* lease row, 0: the account's own (sentinel) */
	char account[32];
	uint32_t attempt;
	uint32_t kind;
	uint32_t state;
	int ours; /* created for this lease: may be deleted */
	char name[64];
	char id[32]; /* the provider's id, "" while unknown */
	char action[32];
	char evidence[160]; /* why the row is in this state */
	int64_t created_ms;
	int64_t changed_ms;
	/*
	 * Last read with a valid signature; while its create is unknown, also of an object
	 * that claims to be it; 0: never.
	 */
	int64_t seen_ms;
	/* absence.h */
	int64_t first_absent_ms; /* first complete observation that did not find it, 0: none */
	int absent_count;
	/* deletes */
	int64_t authorized_ms;	/* when the last permit was granted, 0: never */
	int deletes_unknown;	/* deletes sent, or perhaps sent, with unknown outcome */
	char signed_lease[24];	/* the lease that signed it, if that is another one that handed it
				 * over; else "" */
	/* retention at the provider */
	int64_t retain_epoch; /* the greatest epoch that we may have written to its label lessor-retain */
	int64_t label_known;	/* the label value that we last wrote or adopted, 0: none */
	int protect_by;		/* enum protect_by */
	int64_t marked_ms;	/* when its protection was confirmed, 0: it is not protected */
	/*
	 * A request that was intended or permitted for it may take effect until then, on the store's
	 * clock (lease/deadline.h); 0: none may.
	 */
	int64_t until_ms;
	int is_dirty; /* changed since last written; with n 0 never written */
	/* The bill of it as stored (lease/cost.h); from 0: there is none. */
	int64_t billed_from_ms, billed_to_ms;
	struct cost_terms terms;
};

/* Who enabled the provider's delete protection. */
enum protect_by {
	PROTECT_NOT_OURS = 0,
	/*
	 * A change was committed without proof of its outcome: counts as protected, never
	 * lifted by us.
	 */
	PROTECT_PERHAPS_OURS = 1,
	PROTECT_OURS = 2, /* read off, our request accepted, read back on */
};

struct attempt {
	int64_t lease;
	uint32_t number;
	char type[32];
	char location[32];
	uint32_t refused;	/* LESSOR_CLASS_, 0 while open */
	char reason[200];
	int64_t started_ms;
	int is_dirty;		/* changed since it was written ... */
	int is_new;		/* ... for the first time */
};

/* Other leases, not yet done, with the same resource. */
struct resource_users {
	int count;
	int owners;   /* of these, how many own it */
	int deleting; /* of these, how many may be deleting it */
	int64_t heir; /* the row of a lease that uses it without owning it, 0: none */
};

/* All resources and attempts of one lease. Owns its arrays. */
struct ledger {
	struct resource *resources;
	size_t resource_count;
	struct attempt *attempts;
	size_t attempt_count;
};

void ledger_fini(struct ledger *ledger);
/* Appends a row and marks it dirty. Invalidates pointers to rows. */
struct resource *ledger_add(struct ledger *ledger, const struct resource *r);
struct attempt *ledger_add_attempt(struct ledger *ledger, const struct attempt *a);
/* Deep copy. The previous contents of *to are not freed. */
void ledger_copy(const struct ledger *from, struct ledger *to);
const struct resource *ledger_find(const struct ledger *ledger, int64_t n);

const char *resource_kind_name(uint32_t kind);
const char *resource_state_name(uint32_t state);

/* Residue: may it still exist, and did this lease create it? */
int resource_is_residue(const struct resource *r);
/* May a delete, or the lifting of its protection, be in progress? */
int resource_may_be_deleting(const struct resource *r);
/*
 * Until when a request about it, whose outcome is unknown, may take effect, on this clock. The
 * store's clock is `store_ahead_ms` ahead of it.
 */
int64_t resource_lands_ms(const struct resource *r, int64_t settle_ms, int64_t store_ahead_ms);
/* Do resources of this kind cost money? */
int resource_kind_is_billed(uint32_t kind);
/* The number of rows that are residue. */
size_t ledger_residue(const struct ledger *ledger);
/* Does the next step of a provisioning lease create something, and look nothing up before? */
int ledger_begins(const struct ledger *ledger);
/* In a live lease, a rollback may delete only the resources of a refused attempt. */
int attempt_is_refused(const struct ledger *ledger, uint32_t number);
/*
 * Is the lease waiting only for an existing server to become ready: one of its own, PRESENT,
 * of the open attempt, and no create with an unknown outcome?
 */
int ledger_awaits_server(const struct ledger *ledger);

/* ---- names and signatures -------------------------------------------------- */

struct signer {
	char instance[32];	/* the broker's id, a label value */
	unsigned char key[32];	/* never leaves the broker */
};

#define LABELS_MAX 8

struct labels {
	struct lessor_label items[LABELS_MAX];	/* point into `text` */
	size_t count;
	char text[LABELS_MAX][64];
};

/*
 * Call on the copy after copying a struct labels by value: its items then point into the
 * copy.
 */
void labels_rebase(struct labels *labels);
/* Adds a label; the value is reduced to the label grammar. `key` is a literal. */
void labels_add(struct labels *labels, const char *key, const char *value);
/* The value of a label of an observed object, NULL if it lacks that key. */
const char *observed_label(const struct lessor_observed *seen, const char *key);

/*
 * The name of a resource: unique in the account, the same for the same
 * (instance, account, lease, attempt, kind), [a-z0-9-]{1,63}. `l` NULL: the
 * account's own.
 */
void ledger_name(const struct signer *signer, const char *account, const struct lease *l,
		 uint32_t kind, uint32_t attempt, char out[64]);
/* The labels a resource of that name carries. `l` NULL: the account's own. */
void ledger_labels(const struct signer *signer, const char *account, const struct lease *l,
		   uint32_t kind, uint32_t attempt, const char *name, struct labels *out);
/*
 * Is the observed object exactly the row's resource: kind, name, instance, lease (or the one
 * that handed it over), attempt and signature, and the id, if the row has one? 0, or -1 with
 * the reason. Foreign labels are ignored.
 */
int ledger_verify(const struct signer *signer, const char *account, const struct lease *l,
		  const struct resource *r, const struct lessor_observed *seen, struct err *err);

/* ---- the one gate ------------------------------------------------------------ */

/* What a step's own read of a resource shows. */
struct observation {
	const struct lessor_observed *seen; /* from the host's record, if there is one */
	/* `seen` is the last answer of this step, unshared; or the provider does its own I/O */
	int is_read;
	int64_t retain; /* its label lessor-retain, 0: none; INT64_MAX: malformed */
};

/* The labels lessor-retain and lessor-gen of an observed object, 0: none. */
int64_t observed_retain(const struct lessor_observed *seen);
int64_t observed_generation(const struct lessor_observed *seen);

enum authorization {
	AUTHORIZATION_GRANTED = 0,
	AUTHORIZATION_UNPROTECT,  /* protected by us: the protection may be lifted first */
	AUTHORIZATION_UNVERIFIED, /* the account is not verified */
	AUTHORIZATION_FENCED,	  /* the store is out of date, or another daemon has taken over */
	AUTHORIZATION_FROZEN,	  /* commits may be lost: the account must be reconciled first */
	AUTHORIZATION_NOT_OURS,	  /* reused, or another lease's row */
	AUTHORIZATION_RETAINED,	  /* the lease is retained: no delete */
	AUTHORIZATION_STALE,	  /* the step's epoch is not the lease's */
	AUTHORIZATION_NOT_DELETABLE, /* gone, not known to exist, or already permitted */
	AUTHORIZATION_NO_ID,	     /* the ledger has no id */
	AUTHORIZATION_IN_USE,	     /* the lease is live and uses it */
	AUTHORIZATION_SERVER_FIRST,  /* a server of this lease may still exist */
	AUTHORIZATION_SHARED,	     /* another lease that is not done has it */
	AUTHORIZATION_NOT_READ,	     /* the step's last request was not an exact read of it */
	AUTHORIZATION_WRONG_ID,
	AUTHORIZATION_SIGNATURE,      /* the object read does not match the row */
	AUTHORIZATION_RETENTION_MARK, /* retained by a newer copy of this store */
	AUTHORIZATION_PROTECTED,      /* protected at the provider by someone else */
	AUTHORIZATION_COUNT
};

const char *authorization_name(enum authorization a);
/* Is the refusal temporary, ending without operator action? */
int authorization_passes(enum authorization a);

/* What the gate needs to know besides the lease. */
struct gate_facts {
	int is_verified; /* the account was verified since this start and recently */
	int is_fenced;
	int is_unlisted; /* nothing is known yet of what the account holds */
	int is_frozen;
	int is_shared; /* another lease that is not done has the same id */
};

/*
 * May this row's resource be deleted now? `step_epoch` is the lease's epoch when the step
 * started. Returns the first reason that applies, with a sentence in `err`. Every delete in
 * the program is decided here, whether for a rollback, a release, an expiry or a sweep.
 */
enum authorization lease_authorize(const struct signer *signer, const struct lease *l,
				   const struct ledger *ledger, int64_t row, int64_t step_epoch,
				   const struct observation *seen, const struct gate_facts *facts,
				   struct err *err);

/* May a new resource of this kind be created for the lease? 0 or -1. */
int ledger_may_intend(const struct lease *l, const struct ledger *ledger, uint32_t kind,
		      uint32_t attempt, int64_t step_epoch, struct err *err);
