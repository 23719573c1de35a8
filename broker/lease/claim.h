/* SPDX-License-Identifier: MIT */
/*
 * What a running step claims about the rows of its ledger: an intent to create, the
 * outcome of a create, a request to delete, an absence. Each claim carries evidence from
 * the host's own record of the step's requests. The rules decide by that evidence, not by
 * the plugin's word.
 *
 * A claim belongs to the worker's thread and is lent to the engine until it is answered.
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
	CLAIM_ADOPT,	       /* seen, row with evidence.is_absent: its id is wrong -> row */
	CLAIM_REUSE,	       /* resource_kind, id, name in `text` -> row */
	CLAIM_PERMIT,	       /* row, evidence: may it be deleted? */
	CLAIM_DELETING,	       /* row, action */
	CLAIM_DELETE_UNKNOWN,  /* row, text */
	CLAIM_REPORT_PRESENT,  /* row, text, evidence */
	CLAIM_GONE,	       /* row, text, evidence */
	CLAIM_CHANGE,	       /* row, change, evidence -> labels, is_done: may it be changed? */
	CLAIM_CHANGED,	       /* row, change, evidence: the outcome of the change */
	CLAIM_COUNT
};
const char *lease_claim_name(enum lease_claim_kind kind);

/* The outcome of a request that changes a row's resource. */
enum effect_outcome {
	EFFECT_NOT_SENT,
	EFFECT_ACCEPTED, /* answered with 2xx */
	EFFECT_REFUSED,	 /* answered: it had no effect */
	EFFECT_UNKNOWN,	 /* sent or perhaps sent, without a conclusive answer */
};

/* What the host's record of a step shows about one row. */
struct claim_evidence {
	int is_own_io;	  /* the provider does its own I/O: there is no record */
	int64_t begun_ms; /* wall clock, before the first request of this step; 0: no request */
	int is_absent;	/* observed absent: exact read and listings, as the row's state requires */
	int is_proof;	/* this step has an answer that only the right project gives */
	int is_gave_up; /* the provider reports that its delete failed and has ended */
	enum effect_outcome outcome;	/* of the delete or the change that was permitted */
	int is_labelled; /* CHANGED, UNPROTECT: the label write before it was answered with 2xx */
	int is_read;	 /* `seen` is the answer to the last request, exact and unshared */
	int is_seen;	 /* `seen` is from an exact, unshared read after the last effect */
	struct lessor_observed seen;	/* borrowed; zeroed if nothing was read */
	int is_unproven; /* PERMIT, UNPROTECT: the sentinel had to be read, and could not be */
	/* the account's sentinel, read last */
	int is_sentinel_read;
	int64_t generation; /* the sentinel's counter, 0: none */
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
	int is_done;		/* CLAIM_CHANGE: nothing needs changing */
	char name[64];
	struct labels labels;		/* INTEND: of the new resource; CHANGE: the labels to set */
	struct resource resource;	/* the row as it is now, if there is one; INTEND and PERMIT
					 * must fill it, as the step's ledger is updated from it */
	struct err err;			/* why not */
};
