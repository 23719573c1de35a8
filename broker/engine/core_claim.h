/* SPDX-License-Identifier: MIT */
/*
 * What the files share that make durable what a step asks for: core_ledger.c (what
 * it makes and finds), core_delete.c (permits, deletes, absence), core_change.c
 * (labels, protection, the sentinel). Nobody else includes this.
 */
#pragma once

#include "engine/core_internal.h"
#include "lease/absence.h"

struct claim {
	struct core *core;
	struct step *step;
	struct step_commit *what;
	struct core_account *account;
	struct running *running;
	struct lease lease;
	struct lease *l;	/* NULL for account work */
	struct ledger ledger;
	int64_t now;
};

/* -1, with the reason for the log. */
int claim_refuse(struct claim *c, const char *why);
/* The same, of what an operator must look at: the step's end says so, whatever its verdict. */
int claim_refuse_for_operator(struct claim *c, uint32_t error_class, const char *why);
/* The row that the step speaks of; NULL, refused. */
struct resource *claim_row(struct claim *c);
/* Writes a row in its new state. */
int claim_write(struct claim *c, struct resource *r, uint32_t state, const char *evidence);
/* A line of the lease's timeline: "server.VERB". */
int claim_tell(struct claim *c, const struct resource *r, const char *verb, const char *detail);
/* What is there: retained, with the lease's epoch, if the lease is. */
uint32_t claim_present(const struct claim *c, struct resource *r);
/* Is the account proven to be the one we know, so that absence and permits mean something? */
int claim_is_verified(const struct claim *c);
/* The step has read the sentinel: -1 if it shows that this store is behind. */
int claim_check_sentinel(struct claim *c);
struct absence_facts claim_absence(const struct claim *c);
/* The observation did not settle it: the count lasts though the answer is no. */
int claim_not_settled(struct claim *c, const struct resource *r);

int claim_permit(struct claim *c);
int claim_deleting(struct claim *c);
int claim_delete_unknown(struct claim *c);
int claim_still_there(struct claim *c);
int claim_gone(struct claim *c);
int claim_change(struct claim *c);
int claim_changed(struct claim *c);

/* What was read shows whether a lifting of the protection that nobody knows of came about. */
int claim_unprotect_seen(struct claim *c, struct resource *r);
/* Records why, and decides what becomes of the lease. -1. */
int claim_permit_refused(struct claim *c, struct resource *r, enum authorization a);
/* What bears the mark of a retention that this store has forgotten is kept. */
int claim_keep(struct claim *c, struct resource *r, int64_t retain);
