/* SPDX-License-Identifier: MIT */
/*
 * Changes at the provider that are no deletes: the mark and the protection of what
 * a no-delete release keeps, their lifting before an explicit delete, and the
 * counter in the account's sentinel. What is about to be written is committed
 * first; what became of it is judged by what was read after it.
 */
#include "engine/core_claim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/log.h"
#include "util/text.h"

static int write_as_is(struct claim *c, struct resource *r)
{
	c->what->resource = *r;
	return store_resource_update(c->core->store, r, &c->what->err);
}

static void label_number(struct labels *labels, const char *key, int64_t value)
{
	char number[24];

	snprintf(number, sizeof(number), "%lld", (long long)value);
	labels_add(labels, key, number);
}

/* Nothing is changed of what is not provably ours. */
static int verify(struct claim *c, const struct resource *r)
{
	const struct step_evidence *e = &c->what->evidence;
	struct err err = { 0 };

	if (!e->is_read && !e->is_seen)
		return claim_refuse(c, "it was not read in this step directly before");
	if (ledger_verify(&c->core->signer, r->account, c->l, r, &e->seen, &err) == 0)
		return 0;
	err_prefix(&err, "not changed, because it is not proven ours: ");
	return claim_refuse_for_operator(c, LESSOR_CLASS_OWNERSHIP, err.text);
}

/* ---- the sentinel --------------------------------------------------------------------- */

static int sentinel_change(struct claim *c)
{
	const struct lessor_observed *seen = &c->what->evidence.seen;
	const char *instance = observed_label(seen, LESSOR_LABEL_INSTANCE);
	struct resource *r = claim_row(c);

	if (!r || c->what->change != LESSOR_CHANGE_LABELS)
		return claim_refuse(c, "of the sentinel only the labels change");
	if (!c->what->evidence.is_read)
		return claim_refuse(c, "the sentinel was not read directly before");
	if (instance && strcmp(instance, c->core->signer.instance) != 0)
		return claim_refuse(c, "the sentinel bears the labels of another broker");
	if (core_generation_write(c->core, c->account, seen, &c->what->labels, &c->what->err))
		return -1;
	c->what->is_done = !c->what->labels.count;
	if (!c->what->is_done) {
		struct labels own;

		/* Whoever removed them has removed the proof, too. */
		ledger_labels(&c->core->signer, r->account, NULL, r->kind, r->attempt, r->name, &own);
		for (size_t i = 0; i < own.count; i++)
			labels_add(&c->what->labels, own.items[i].key, own.items[i].value);
	}
	return 0;
}

/* ---- what is kept ----------------------------------------------------------------------- */

/* What bears its mark, and has no protection there or has it, is protected. */
static void mark(struct claim *c, struct resource *r)
{
	if (c->what->evidence.seen.protection == LESSOR_PROTECTION_OFF ||
	    observed_retain(&c->what->evidence.seen) != r->retain_epoch)
		return;
	if (!r->marked_ms)
		claim_tell(c, r, "protected", NULL);
	r->marked_ms = c->now;
}

static struct resource *retained_row(struct claim *c)
{
	struct resource *r = claim_row(c);

	if (r && (!c->l || !c->l->retained || r->state != LESSOR_STATE_RETAINED ||
		  c->step->epoch != c->l->epoch)) {
		claim_refuse(c, "it is not kept, or its lease's goal changed");
		return NULL;
	}
	return r;
}

/* Its label, before it is written. */
static int labels_change(struct claim *c)
{
	struct resource *r = retained_row(c);
	int64_t found;

	if (!r || verify(c, r))
		return -1;
	found = observed_retain(&c->what->evidence.seen);
	r->seen_ms = c->now;
	absence_reset(r);
	/* A store that knew more was there, and so the protection is not known to be ours. */
	if (found > r->label_known)
		r->protect_by = PROTECT_NOT_OURS;
	if (found >= r->retain_epoch) {
		r->retain_epoch = r->label_known = found;
		if (c->what->evidence.seen.protection == LESSOR_PROTECTION_UNKNOWN)
			mark(c, r);
		c->what->is_done = 1;
		return write_as_is(c, r);
	}
	label_number(&c->what->labels, LESSOR_LABEL_RETAIN, r->retain_epoch);
	r->marked_ms = 0;
	return write_as_is(c, r);
}

static int protect_change(struct claim *c)
{
	struct resource *r = retained_row(c);

	if (!r || verify(c, r))
		return -1;
	if (observed_retain(&c->what->evidence.seen) != r->retain_epoch)
		return claim_refuse(c, "its label comes first");
	c->what->is_done = c->what->evidence.seen.protection != LESSOR_PROTECTION_OFF;
	if (c->what->is_done)
		mark(c, r);
	else
		r->protect_by = PROTECT_PERHAPS_OURS;
	return write_as_is(c, r);
}

/* A permit of its own: from here on its protection may be being lifted. */
static int unprotect_change(struct claim *c)
{
	const struct step_evidence *e = &c->what->evidence;
	struct observation seen = { .seen = &e->seen, .is_read = e->is_read,
				    .retain = observed_retain(&e->seen) };
	struct gate_facts facts = {
		.is_verified = claim_is_verified(c),
		.is_fenced = account_is_fenced(c->account->account),
	};
	struct resource *r = claim_row(c);
	enum authorization a;

	if (!r || !c->l)
		return -1;
	if (e->is_seen && claim_unprotect_seen(c, r))
		return -1;
	a = lease_authorize(&c->core->signer, c->l, &c->ledger, r->n, c->step->epoch, &seen, &facts,
			    &c->what->err);
	if (a == AUTHORIZATION_GRANTED) {
		c->what->is_done = 1;	/* it is not protected */
		c->what->resource = *r;
		return 0;
	}
	if (a == AUTHORIZATION_UNPROTECT && seen.retain > r->label_known) {
		r->protect_by = PROTECT_NOT_OURS;
		a = AUTHORIZATION_PROTECTED;
		err_set(&c->what->err, ERR_REFUSED,
			"it is protected by a store that knew more than this one");
	}
	if (a != AUTHORIZATION_UNPROTECT)
		return claim_permit_refused(c, r, a);
	r->retain_epoch = c->l->epoch;
	r->protect_by = PROTECT_PERHAPS_OURS;
	r->marked_ms = 0;
	label_number(&c->what->labels, LESSOR_LABEL_RETAIN, r->retain_epoch);
	if (claim_write(c, r, LESSOR_STATE_UNPROTECT_AUTHORIZED, "lifting its protection was permitted"))
		return -1;
	return claim_tell(c, r, "unprotect-permitted", c->l->end_reason);
}

int claim_change(struct claim *c)
{
	if (!c->l)
		return sentinel_change(c);
	switch (c->what->change) {
	case LESSOR_CHANGE_LABELS:
		return labels_change(c);
	case LESSOR_CHANGE_PROTECT:
		return protect_change(c);
	default:
		return unprotect_change(c);
	}
}

/* ---- what became of it ------------------------------------------------------------------- */

static int labels_changed(struct claim *c, struct resource *r)
{
	if (!c->l)
		return c->what->evidence.outcome == EFFECT_ACCEPTED ?
		       core_generation_written(c->core, c->account, &c->what->err) : 0;
	if (!c->what->evidence.is_seen)
		return 0;
	/* Written over, or lost in between: not a case for a machine. */
	if (verify(c, r))
		return -1;
	if (c->what->evidence.outcome != EFFECT_ACCEPTED ||
	    observed_retain(&c->what->evidence.seen) != r->retain_epoch)
		return 0;
	r->label_known = r->retain_epoch;
	r->seen_ms = c->now;
	if (c->what->evidence.seen.protection == LESSOR_PROTECTION_UNKNOWN)
		mark(c, r);
	return write_as_is(c, r);
}

static int protect_changed(struct claim *c, struct resource *r)
{
	const struct step_evidence *e = &c->what->evidence;

	/* It was read off, so it is not ours. */
	if (e->outcome == EFFECT_NOT_SENT || e->outcome == EFFECT_REFUSED)
		r->protect_by = PROTECT_NOT_OURS;
	else if (e->outcome == EFFECT_ACCEPTED && e->is_seen &&
		 e->seen.protection == LESSOR_PROTECTION_ON)
		r->protect_by = PROTECT_OURS;
	if (e->is_seen && e->seen.protection == LESSOR_PROTECTION_ON &&
	    r->state == LESSOR_STATE_RETAINED)
		mark(c, r);
	return write_as_is(c, r);
}

static int unprotect_changed(struct claim *c, struct resource *r)
{
	const struct step_evidence *e = &c->what->evidence;

	if (r->state != LESSOR_STATE_UNPROTECT_AUTHORIZED)
		return 0;
	/* Answered, or found by a read after an answer that was lost. */
	if (e->is_labelled ||
	    (e->is_seen && observed_retain(&e->seen) == r->retain_epoch &&
	     ledger_verify(&c->core->signer, r->account, c->l, r, &e->seen, NULL) == 0))
		r->label_known = r->retain_epoch;
	if (e->outcome == EFFECT_NOT_SENT || e->outcome == EFFECT_REFUSED) {
		r->protect_by = PROTECT_OURS;
		return claim_write(c, r, claim_present(c, r), "lifting its protection was refused");
	}
	if (e->outcome == EFFECT_ACCEPTED && e->is_seen) {
		/* On again by now, it is somebody else's. */
		r->protect_by = PROTECT_NOT_OURS;
		return claim_write(c, r, claim_present(c, r), "its protection was lifted");
	}
	return claim_write(c, r, LESSOR_STATE_UNPROTECT_UNKNOWN,
			   "whether its protection was lifted is unknown");
}

int claim_changed(struct claim *c)
{
	struct resource *r = claim_row(c);

	if (!r)
		return -1;
	switch (c->what->change) {
	case LESSOR_CHANGE_LABELS:
		return labels_changed(c, r);
	case LESSOR_CHANGE_PROTECT:
		return protect_changed(c, r);
	default:
		return unprotect_changed(c, r);
	}
}

int claim_unprotect_seen(struct claim *c, struct resource *r)
{
	if (r->state != LESSOR_STATE_UNPROTECT_UNKNOWN || !c->what->evidence.is_seen)
		return 0;
	if (c->what->evidence.seen.protection == LESSOR_PROTECTION_ON) {
		/* The request may still be out. */
		if (c->now - r->changed_ms < core_settle_ms(c->core, c->account)) {
			if (c->running) {
				c->running->not_now = 1;
				c->running->absence_ms = r->changed_ms +
							 core_settle_ms(c->core, c->account);
			}
			return claim_refuse(c, "lifting its protection may still be under way");
		}
		r->protect_by = PROTECT_PERHAPS_OURS;
		return claim_write(c, r, claim_present(c, r), "its protection was not lifted");
	}
	r->protect_by = PROTECT_NOT_OURS;
	return claim_write(c, r, claim_present(c, r), "its protection was lifted");
}
