/* SPDX-License-Identifier: MIT */
/*
 * The life of a resource, as a table of its row's state and of what is said of it: by a
 * step (claim.h), by a restart, by the goal of its lease, or by an operator. For
 * aggregate.c and the files that hold the handlers:
 *
 *	resource_events.c	the table, and the handlers that need few words
 *	resource_creates.c	intents, what became of them, what a look-up found
 *	resource_deletes.c	permits, deletes, absence
 *	resource_changes.c	labels and protection of what is kept
 *	resource_row.c		what the handlers share
 */
#pragma once

#include "lease/absence.h"
#include "lease/aggregate.h"

/* After the claims of claim.h, whose changes are told apart. */
enum {
	ROW_LABELS = CLAIM_COUNT, ROW_PROTECT, ROW_UNPROTECT,
	ROW_LABELS_DONE, ROW_PROTECT_DONE, ROW_UNPROTECT_DONE,
	ROW_RESTART,		/* the process that ran its step is gone */
	ROW_RETAIN, ROW_UNRETAIN,	/* its lease is kept; is to be deleted after all */
	ROW_FORGET,		/* an operator says that it is not ours */
	ROW_HAND_OVER,
	ROW_EVENT_COUNT
};

/* One thing that is said of one row. */
struct row_event {
	struct lease_aggregate *a;
	struct lease *l;		/* NULL: the account's own */
	struct resource *r;		/* NULL if the claim is of no row */
	struct lease_claim *claim;	/* NULL if it is no claim */
	const struct lease_event *e;
	const struct lease_facts *f;
	struct lease_effects *out;
};

/* 0 or -1, with the reason in the claim. */
int row_event_apply(struct row_event *v, int kind);
/* A claim, with its row found. */
int claim_apply(struct row_event *v);

/* ---- resource_row.c ---- */

/* -1, with the reason for the log. */
int row_refuse(struct row_event *v, const char *why);
/* The same, of what an operator must look at: the step's end says so, whatever its verdict. */
int row_refuse_for_operator(struct row_event *v, uint32_t error_class, const char *why);
/* The row is what the claim is answered with. 0. */
int row_answer(struct row_event *v);
/* And it is changed. 0. */
int row_changed(struct row_event *v);
/* The same, into a state. */
int row_set(struct row_event *v, uint32_t state, const char *evidence);
/* A line of the lease's timeline: "server.VERB". 0. */
int row_note(struct row_event *v, const char *verb, const char *detail);
/* A new row of the ledger, which the claim is about from here on. */
void row_add(struct row_event *v, const struct resource *r);
/* What is there: retained, with the lease's epoch, if the lease is. */
uint32_t row_present(struct row_event *v);
/* What bears the mark of a retention that this store has forgotten is kept. -1. */
int row_keep(struct row_event *v, int64_t retain);
/* The observation of a claim is complete only if it proves the project: -1 if not. */
int row_check_proof(struct row_event *v);
struct absence_facts row_absence(const struct row_event *v);
/* The observation did not settle it: the count lasts though the answer is no. -1. */
int row_absence_pending(struct row_event *v);
/* What was read shows whether a lifting of the protection that nobody knows of came about. */
int row_unprotect_seen(struct row_event *v);
/* Records why, and decides what becomes of the lease. -1. */
int row_permit_refused(struct row_event *v, enum authorization a);
/* The gate, told what this claim shows. */
enum authorization row_authorize(struct row_event *v);

/* resource_creates.c */
int attempt_open(struct row_event *v);
int attempt_refuse(struct row_event *v);
int row_intend(struct row_event *v);
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
