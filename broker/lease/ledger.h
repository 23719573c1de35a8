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
	int64_t first_look_ms;	/* first complete look-up that found nothing, 0: none yet */
	int looks;		/* complete look-ups that found nothing */
};

struct attempt {
	int64_t lease;
	uint32_t number;
	char type[32];
	char location[32];
	uint32_t refused;	/* LESSOR_CLASS_, 0 while open */
	char reason[200];
	int64_t started_ms;
};

/* Everything of one lease that a step or a rule needs. Arrays are owned. */
struct ledger {
	struct resource *resources;
	size_t resource_count;
	struct attempt *attempts;
	size_t attempt_count;
};

void ledger_fini(struct ledger *ledger);
const struct resource *ledger_find(const struct ledger *ledger, int64_t n);

const char *resource_kind_name(uint32_t kind);
const char *resource_state_name(uint32_t state);
/* Text of a LESSOR_CLASS_, as clients see it ("capacity", "quota", ...). */
const char *error_class_name(uint32_t error_class);

/* May it still exist, and did we make it? Such a row is residue. */
int resource_is_residue(const struct resource *r);
/* How many are. */
size_t ledger_residue(const struct ledger *ledger);

/* ---- names and signatures -------------------------------------------------- */

struct signer {
	char instance[32];	/* the broker's id, a label value */
	unsigned char key[32];	/* never leaves the broker */
};

#define LABELS_MAX 6

struct labels {
	struct lessor_label items[LABELS_MAX];	/* point into `text` */
	size_t count;
	char text[LABELS_MAX][64];
};

/* After a struct labels was copied by value: makes its items point into the copy. */
void labels_rebase(struct labels *labels);
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
 * Is what was read exactly what this row names: kind, name, instance, lease,
 * attempt and signature (and the id, where the row has one)? 0 or -1 with the
 * reason. Labels of others are ignored.
 */
int ledger_verify(const struct signer *signer, const char *account, const struct lease *l,
		  const struct resource *r, const struct lessor_observed *seen, struct err *err);

/* ---- the one gate ------------------------------------------------------------ */

enum permit_refusal {
	PERMIT_GRANTED = 0,
	PERMIT_RETAINED,	/* the lease is kept: no delete, ever */
	PERMIT_STALE,		/* the step's epoch is not the lease's */
	PERMIT_NOT_OURS,	/* reused, or not this lease's row */
	PERMIT_NO_ID,		/* the ledger holds no id for it */
	PERMIT_UNPROVEN,	/* what was read is not exactly what the row names */
	PERMIT_SERVER_FIRST,	/* a server of this lease may still exist */
	PERMIT_SHARED,		/* another live lease names this key */
	PERMIT_WANTED,		/* the lease is alive and this is its machine */
};

const char *permit_refusal_name(enum permit_refusal refusal);

/*
 * May this row's resource be deleted now? `step_epoch` is the epoch the step
 * was started with; `shared` is 1 if another lease that is not done names the
 * same id. In `err` the sentence for people.
 */
enum permit_refusal ledger_permit(const struct signer *signer, const struct lease *l,
				  const struct ledger *ledger, int64_t row, int64_t step_epoch,
				  const struct lessor_observed *seen, int shared, struct err *err);

/* May something new of this kind be made for the lease? 0 or -1. */
int ledger_may_intend(const struct lease *l, const struct ledger *ledger, uint32_t kind,
		      uint32_t attempt, int64_t step_epoch, struct err *err);
