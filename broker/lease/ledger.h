/* SPDX-License-Identifier: MIT */
/*
 * The ledger: what a lease made or uses at the provider, one row per resource.
 * Kinds and states are those of lessor/provider.h. The rules here are pure: they
 * look at rows and say yes or no; the engine commits.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <lessor/provider.h>

#include "lease/lease.h"
#include "util/err.h"

struct resource {
	int64_t n;		/* row number */
	int64_t lease;		/* lease row, 0: the account's own (sentinel) */
	char account[32];
	uint32_t attempt;
	uint32_t kind;
	uint32_t state;
	int ours;		/* made for this lease: may be deleted */
	char name[64];
	char id[32];		/* the provider's, "" while unknown */
	char action[32];
	char evidence[160];	/* why the state is what it is */
	int64_t created_ms;
	int64_t changed_ms;
	/* Last read with a valid signature; while unsettled, with what claims to be it; 0: never. */
	int64_t seen_ms;
	/* absence.h */
	int64_t first_absent_ms; /* first complete observation that did not find it, 0: none */
	int absent_count;
	/* deletes */
	int64_t authorized_ms;	/* when the last permit was granted, 0: never */
	int deletes_unknown;	/* deletes sent, or perhaps sent, whose outcome is not known */
	char signed_lease[24];	/* whose signature it bears, if another lease handed it over; "" */
	/* retention at the provider */
	int64_t retain_epoch;	/* the greatest epoch that its label lessor-retain may have by our doing */
	int64_t label_known;	/* the label that we last wrote there or took over, 0: none */
	int protect_by;		/* enum protect_by */
	int64_t marked_ms;	/* when it was proven to be protected, 0: it is not */
	int is_dirty;		/* changed since it was written; with n 0 it never was */
};

/* Who switched the provider's delete protection on. */
enum protect_by {
	PROTECT_NOT_OURS = 0,
	/* A change was committed and its outcome is not proven: protected, but never lifted by us. */
	PROTECT_PERHAPS_OURS = 1,
	PROTECT_OURS = 2,	/* read off, our request was answered, read back on */
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

/* Who else names the same thing: other leases that are not done. */
struct resource_users {
	int count;
	int owners;		/* of these, how many have it as theirs */
	int deleting;		/* of these, in how many it may be being deleted */
	int64_t heir;		/* a row of one that only uses it, 0: none */
};

/* Everything of one lease that a step or a rule needs. Arrays are owned. */
struct ledger {
	struct resource *resources;
	size_t resource_count;
	struct attempt *attempts;
	size_t attempt_count;
};

void ledger_fini(struct ledger *ledger);
/* Appends a row, marked as new. Pointers to earlier rows are not valid any more. */
struct resource *ledger_add(struct ledger *ledger, const struct resource *r);
struct attempt *ledger_add_attempt(struct ledger *ledger, const struct attempt *a);
/* A copy of its own; what *to held is not freed. */
void ledger_copy(const struct ledger *from, struct ledger *to);
const struct resource *ledger_find(const struct ledger *ledger, int64_t n);

const char *resource_kind_name(uint32_t kind);
const char *resource_state_name(uint32_t state);

/* May it still exist, and did we make it? Such a row is residue. */
int resource_is_residue(const struct resource *r);
/* May a delete of it, or the lifting of its protection, be under way? */
int resource_may_be_deleting(const struct resource *r);
/* Does what is of this kind cost money? */
int resource_kind_is_billed(uint32_t kind);
/* How many are. */
size_t ledger_residue(const struct ledger *ledger);
/*
 * Is all that the lease waits for a server that is made: one of its own that is PRESENT, of
 * the open attempt, and nothing whose making is unknown?
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

/* After a struct labels was copied by value: makes its items point into the copy. */
void labels_rebase(struct labels *labels);
/* One more, reduced to the label grammar. `key` is a literal. */
void labels_add(struct labels *labels, const char *key, const char *value);
/* The value of a label of what was read, NULL if it has none of that key. */
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
 * Is what was read exactly what this row names: kind, name, instance, lease (or
 * the one that handed it over), attempt and signature, and the id, where the row
 * has one? 0 or -1 with the reason. Labels of others are ignored.
 */
int ledger_verify(const struct signer *signer, const char *account, const struct lease *l,
		  const struct resource *r, const struct lessor_observed *seen, struct err *err);

/* ---- the one gate ------------------------------------------------------------ */

/* What a step's own read of a resource showed. */
struct observation {
	const struct lessor_observed *seen;	/* by the host's record, where there is one */
	/* `seen` is the last answer of this step, unshared; or the provider has I/O of its own */
	int is_read;
	int64_t retain;		/* its label lessor-retain, 0: none; INT64_MAX: it makes no sense */
};

/* The labels lessor-retain and lessor-gen of what was read, 0: there is none. */
int64_t observed_retain(const struct lessor_observed *seen);
int64_t observed_generation(const struct lessor_observed *seen);

enum authorization {
	AUTHORIZATION_GRANTED = 0,
	AUTHORIZATION_UNPROTECT,	/* its protection is ours: it may be lifted, nothing else yet */
	AUTHORIZATION_UNVERIFIED,	/* the account is not proven to be the one we know */
	AUTHORIZATION_FENCED,		/* the store is behind, or another daemon has overtaken us */
	AUTHORIZATION_NOT_OURS,		/* reused, or not this lease's row */
	AUTHORIZATION_RETAINED,		/* the lease is kept: no delete, ever */
	AUTHORIZATION_STALE,		/* the step's epoch is not the lease's */
	AUTHORIZATION_NOT_DELETABLE,	/* it is gone, not known to exist, or a permit is out */
	AUTHORIZATION_NO_ID,		/* the ledger holds no id for it */
	AUTHORIZATION_IN_USE,		/* the lease is alive and this is its machine */
	AUTHORIZATION_SERVER_FIRST,	/* a server of this lease may still exist */
	AUTHORIZATION_SHARED,		/* another lease that is not done names it */
	AUTHORIZATION_NOT_READ,		/* it was not read exactly, as the last thing in this step */
	AUTHORIZATION_WRONG_ID,
	AUTHORIZATION_SIGNATURE,	/* what was read is not exactly what the row names */
	AUTHORIZATION_RETENTION_MARK,	/* kept by a store that knew more than this one */
	AUTHORIZATION_PROTECTED,	/* protected at the provider, and not by us */
	AUTHORIZATION_COUNT
};

const char *authorization_name(enum authorization a);
/* Does the refusal end by itself, without an operator? */
int authorization_passes(enum authorization a);

/* What the gate needs to know beside the lease. */
struct gate_facts {
	int is_verified;	/* the account, since this start and lately */
	int is_fenced;
	int is_shared;		/* another lease that is not done names the same id */
};

/*
 * May this row's resource be deleted now? `step_epoch` is the epoch the step was
 * started with. The first reason that applies is returned; in `err` the sentence
 * for people. Every delete of the whole program is decided here: of a rollback, a
 * release, an expiry or a sweep.
 */
enum authorization lease_authorize(const struct signer *signer, const struct lease *l,
				   const struct ledger *ledger, int64_t row, int64_t step_epoch,
				   const struct observation *seen, const struct gate_facts *facts,
				   struct err *err);

/* May something new of this kind be made for the lease? 0 or -1. */
int ledger_may_intend(const struct lease *l, const struct ledger *ledger, uint32_t kind,
		      uint32_t attempt, int64_t step_epoch, struct err *err);
