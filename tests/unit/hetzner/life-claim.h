/* SPDX-License-Identifier: MIT */
/*
 * The engine's part in a life, in memory: what a step asks to be made durable, by the
 * rules of broker/engine/core_ledger.c, core_delete.c, core_change.c and
 * core_generation.c, function by function under the same names. The rules themselves
 * (the gate, absence, generations, what a lease becomes) are those of broker/lease.
 */
#pragma once

#include "lease/absence.h"
#include "life.h"

struct claim {
	struct life *life;
	struct step *step;
	struct step_commit *what;
	struct ledger *ledger;
	struct lease *l;	/* NULL for account work */
};

/* -1, with the reason. */
int claim_refuse(struct claim *c, const char *why);
/* The same, of what an operator must look at. */
int claim_refuse_for_operator(struct claim *c, uint32_t error_class, const char *why);
/* The row that the step speaks of; NULL, refused. */
struct resource *claim_row(struct claim *c);
int claim_write(struct claim *c, struct resource *r, uint32_t state, const char *evidence);
/* Leaves its state. */
int claim_keep_state(struct claim *c, const struct resource *r);
/* What is there: retained, with the lease's epoch, if the lease is. */
uint32_t claim_present(const struct claim *c, struct resource *r);
int claim_is_verified(const struct claim *c);
int claim_check_sentinel(struct claim *c);
struct absence_facts claim_absence(const struct claim *c);
int claim_not_settled(struct claim *c, const struct resource *r);

/* life-delete.c */
int claim_permit(struct claim *c);
int claim_deleting(struct claim *c);
int claim_delete_unknown(struct claim *c);
int claim_still_there(struct claim *c);
int claim_gone(struct claim *c);
int claim_permit_refused(struct claim *c, struct resource *r, enum authorization a);
int claim_keep(struct claim *c, struct resource *r, int64_t retain);

/* life-change.c */
int claim_change(struct claim *c);
int claim_changed(struct claim *c);
int claim_unprotect_seen(struct claim *c, struct resource *r);
/* The sentinel was read and bears that. -1: this store is behind. */
int claim_generation_found(struct claim *c, int64_t number, const char *holder);
/* The next counter, and the labels that say it. */
void claim_generation_raise(struct claim *c, struct labels *labels);
