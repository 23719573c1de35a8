/* SPDX-License-Identifier: MIT */
/*
 * What a running step claims about the rows of a ledger: that it is about to make
 * something, what became of that, that something may be deleted, that it is gone. With
 * it goes the evidence: what the host's own record of the step's requests shows. The
 * plugin's word decides nothing (aggregate.h does, by the evidence).
 *
 * A value of the worker's thread, lent to the engine until it is answered.
 */
#pragma once

#include <stdint.h>

#include "lease/generation.h"
#include "lease/ledger.h"
#include "util/err.h"

enum lease_claim_kind {
	CLAIM_ATTEMPT,	       /* attempt, type, location */
	CLAIM_ATTEMPT_REFUSED, /* attempt, error_class, text */
	CLAIM_INTEND,	       /* resource_kind, attempt -> row, name, labels */
	CLAIM_CREATED,	       /* row, id, action */
	CLAIM_NOT_CREATED,     /* row, text */
	CLAIM_UNKNOWN,	       /* row, text */
	CLAIM_REPORT_ABSENT,   /* row, evidence */
	CLAIM_ADOPT,	       /* seen -> row */
	CLAIM_REUSE,	       /* resource_kind, id, name in `text` -> row */
	CLAIM_PERMIT,	       /* row, evidence: may it be deleted? */
	CLAIM_DELETING,	       /* row, action */
	CLAIM_DELETE_UNKNOWN,  /* row, text */
	CLAIM_REPORT_PRESENT,  /* row, text, evidence */
	CLAIM_GONE,	       /* row, text, evidence */
	CLAIM_CHANGE,	       /* row, change, evidence -> labels, is_done: may it be changed? */
	CLAIM_CHANGED,	       /* row, change, evidence: what became of it */
	CLAIM_COUNT
};
const char *lease_claim_name(enum lease_claim_kind kind);

/* What became of the request that had an effect on a row. */
enum effect_outcome {
	EFFECT_NOT_SENT,
	EFFECT_ACCEPTED,	/* answered with 2xx */
	EFFECT_REFUSED,		/* answered: it did not happen */
	EFFECT_UNKNOWN,		/* sent, or perhaps sent, and no such answer */
};

/* What the host's record of a step shows of one row. */
struct claim_evidence {
	int is_own_io;		/* the provider has I/O of its own: there is no record */
	int64_t begun_ms;	/* wall clock, before the first request of this step; 0: there was none */
	int is_absent;		/* complete: exact read and listings, as far as the row's state asks */
	int is_proof;		/* an answer of this step that only the right project gives */
	int is_gave_up;		/* the provider says that its delete failed and goes on no more */
	enum effect_outcome outcome;	/* of the delete or the change that was permitted */
	int is_labelled;	/* CHANGED, UNPROTECT: the labels were answered with 2xx before it */
	int is_read;		/* `seen` is of the last request, exact and unshared */
	int is_seen;		/* `seen` is of an exact, unshared read after the last effect */
	struct lessor_observed seen;	/* borrowed; zeroed if nothing was read */
	/* the account's sentinel, read after all of that */
	int is_sentinel_read;
	int64_t generation;	/* what it bore, 0: none */
	char holder[GENERATION_HOLDER_SIZE];
};

/* Pointers are borrowed for the call. */
struct lease_claim {
	enum lease_claim_kind kind;
	uint32_t resource_kind;
	uint32_t attempt;
	int64_t row;
	uint32_t error_class;
	const char *type, *location;
	const char *id, *action, *text;
	const struct lessor_observed *seen;
	uint32_t change;	/* LESSOR_CHANGE_ */
	struct claim_evidence evidence;
	/* answers */
	int result;		/* 0 yes, -1 no */
	int is_done;		/* CLAIM_CHANGE: there is nothing to change */
	char name[64];
	struct labels labels;		/* INTEND: of the new one; CHANGE: those to be set */
	struct resource resource;	/* the row as it now is, where there is one; the step's ledger
					 * follows it, so INTEND and PERMIT must fill it */
	struct err err;			/* why not */
};
