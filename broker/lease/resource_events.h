/* SPDX-License-Identifier: MIT */
/*
 * The lifecycle of a resource as a table of the row's state and the event: a step's claim
 * (claim.h), a restart, a change of the lease's goal, or an operator's decision. For
 * aggregate.c and the files that hold the handlers:
 *
 *	resource_events.c	the table and the short handlers
 *	resource_creates.c	intents, their outcomes, look-ups
 *	resource_deletes.c	permits, deletes, absence
 *	resource_changes.c	labels and protection of retained resources
 *	resource_row.c		what the handlers share
 */
#pragma once

#include "lease/absence.h"
#include "lease/aggregate.h"

/* These follow the claims of claim.h; CLAIM_CHANGE and CLAIM_CHANGED are split by change. */
enum {
	ROW_LABELS = CLAIM_COUNT,
	ROW_PROTECT,
	ROW_UNPROTECT,
	ROW_LABELS_DONE,
	ROW_PROTECT_DONE,
	ROW_UNPROTECT_DONE,
	ROW_RESTART, /* the process that ran its step is gone */
	ROW_RETAIN,
	ROW_UNRETAIN, /* its lease is retained; its lease is to be deleted after all */
	ROW_FORGET,   /* an operator disowns it */
	ROW_KEPT, /* the provider shows that it is kept, by a release that this store has lost */
	ROW_HAND_OVER,
	ROW_EVENT_COUNT
};

/* One event of one row. */
struct row_event {
	struct lease_aggregate *a;
	struct lease *l;		/* NULL: the account's own */
	struct resource *r;		/* NULL if the claim concerns no row */
	struct lease_claim *claim;	/* NULL if the event is not a claim */
	const struct lease_event *e;
	const struct lease_facts *f;
	struct lease_effects *out;
};

/* 0 or -1, with the reason in the claim. */
int row_event_apply(struct row_event *v, int kind);
/* Finds the claim's row and applies it. */
int claim_apply(struct row_event *v);

/* ---- resource_row.c ---- */

/* Refuses the claim; -1. */
int row_refuse(struct row_event *v, const char *why);
/*
 * The same, where operator action is needed; the end of the step reports it, whatever its
 * verdict.
 */
int row_refuse_for_operator(struct row_event *v, uint32_t error_class, const char *why);
/* Answers the claim with the row. 0. */
int row_answer(struct row_event *v);
/* The same, and marks the row dirty. 0. */
int row_changed(struct row_event *v);
/* The same, with a new state and its evidence. 0. */
int row_set(struct row_event *v, uint32_t state, const char *evidence);
/* Adds a line to the lease's timeline, for instance "server.VERB". 0. */
int row_note(struct row_event *v, const char *verb, const char *detail);
/* Adds a row to the ledger; the event then concerns that row. */
void row_add(struct row_event *v, const struct resource *r);
/*
 * The state of an existing resource: PRESENT, or RETAINED with the lease's epoch if the
 * lease is retained.
 */
uint32_t row_present(struct row_event *v);
/* Retains a resource whose retention label this store does not know. -1. */
int row_keep(struct row_event *v, int64_t retain);
/* An observation is complete only if it proves the project: -1 if not. */
int row_check_proof(struct row_event *v);
struct absence_facts row_absence(const struct row_event *v);
/* Absence is not proven yet: keeps the count and refuses. -1. */
int row_absence_pending(struct row_event *v);
/* A request about it was intended or permitted; its outcome is unknown; it is definite. */
void row_request_begins(struct row_event *v);
void row_request_lost(struct row_event *v);
/* Whoever intended it is not asked any more: until what it may have created would be shown. */
void row_create_left(struct row_event *v);
void row_request_ends(struct row_event *v);
/* The end of the time in which a lost request about it may still be carried out. */
int64_t row_lands_ms(const struct row_event *v);
/*
 * UNPROTECT_UNKNOWN: decides from the read whether the protection was lifted. -1 if still
 * unknown.
 */
int row_unprotect_seen(struct row_event *v);
/* Records why, and applies the consequences for the lease. -1. */
int row_permit_refused(struct row_event *v, enum authorization a);
/* Asks the gate, with the claim's evidence. */
enum authorization row_authorize(struct row_event *v);

/* resource_creates.c */
int attempt_open(struct row_event *v);
int attempt_refuse(struct row_event *v);
int row_intend(struct row_event *v);
int row_kept(struct row_event *v);
int row_adopt(struct row_event *v);
int row_reuse(struct row_event *v);
int row_created(struct row_event *v);
int row_not_created(struct row_event *v);
int row_create_unknown(struct row_event *v);
int row_report_absent(struct row_event *v);
/* resource_deletes.c */
int row_permit(struct row_event *v);
int row_deleting(struct row_event *v);
int row_delete_unknown(struct row_event *v);
int row_report_present_permitted(struct row_event *v);
int row_report_present_deleted(struct row_event *v);
int row_report_present_known(struct row_event *v);
int row_gone(struct row_event *v);
/* resource_changes.c */
int row_labels(struct row_event *v);
int row_protect(struct row_event *v);
int row_unprotect(struct row_event *v);
int row_labels_done(struct row_event *v);
int row_protect_done(struct row_event *v);
int row_unprotect_done(struct row_event *v);
