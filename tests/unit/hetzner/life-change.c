/* SPDX-License-Identifier: MIT */
#include "life-claim.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/text.h"

static void label_number(struct labels *labels, const char *key, int64_t value)
{
	char number[24];

	snprintf(number, sizeof(number), "%" PRId64, value);
	labels_add(labels, key, number);
}

/* Nothing is changed of what is not provably ours. */
static int verify(struct claim *c, const struct resource *r)
{
	const struct step_evidence *e = &c->what->evidence;

	if (!e->is_read && !e->is_seen)
		return claim_refuse(c, "it was not read in this step directly before");
	if (ledger_verify(&c->life->signer, "acc", c->l, r, &e->seen, &c->what->err))
		return claim_refuse_for_operator(c, LESSOR_CLASS_OWNERSHIP, c->what->err.text);
	return 0;
}

/* ---- the sentinel --------------------------------------------------------------------- */

int claim_generation_found(struct claim *c, int64_t number, const char *holder)
{
	struct generation *gen = &c->life->gen;
	enum generation_state state = generation_found(gen, number, holder);

	if (!gen->is_fenced && state == GENERATION_OVERTAKEN)
		generation_fence(gen, "another process has raised it");
	if (gen->is_fenced)
		return claim_refuse(c, "the store may be older than the account");
	if (state == GENERATION_ARRIVED)
		generation_arrived(gen);
	else if (state == GENERATION_MISSING || gen->pending > gen->current)
		gen->is_wanted = 1;
	return 0;
}

static int generation_seen(struct claim *c)
{
	const struct lessor_observed *seen = &c->what->evidence.seen;
	const char *number = observed_label(seen, LESSOR_LABEL_GEN);
	const char *holder = observed_label(seen, LESSOR_LABEL_HOLDER);

	return claim_generation_found(c, number ? strtoll(number, NULL, 10) : 0,
				      holder ? holder : "");
}

void claim_generation_raise(struct claim *c, struct labels *labels)
{
	generation_raise(&c->life->gen, c->life->now_ms);
	label_number(labels, LESSOR_LABEL_GEN, c->life->gen.pending);
	labels_add(labels, LESSOR_LABEL_HOLDER, c->life->gen.holder);
}

static int sentinel_change(struct claim *c)
{
	const char *instance = observed_label(&c->what->evidence.seen, LESSOR_LABEL_INSTANCE);
	struct resource *r = claim_row(c);
	struct labels own;

	if (!r || c->what->change != LESSOR_CHANGE_LABELS)
		return claim_refuse(c, "of the sentinel only the labels change");
	if (!c->what->evidence.is_read)
		return claim_refuse(c, "the sentinel was not read directly before");
	if (instance && strcmp(instance, c->life->signer.instance) != 0)
		return claim_refuse(c, "the sentinel bears the labels of another broker");
	if (generation_seen(c))
		return -1;
	c->what->is_done = !c->life->gen.is_wanted;
	if (c->what->is_done)
		return 0;
	claim_generation_raise(c, &c->what->labels);
	ledger_labels(&c->life->signer, "acc", NULL, r->kind, r->attempt, r->name, &own);
	for (size_t i = 0; i < own.count; i++)
		labels_add(&c->what->labels, own.items[i].key, own.items[i].value);
	return 0;
}

/* ---- what is kept ----------------------------------------------------------------------- */

/* What bears its mark, and has no protection there or has it, is protected. */
static void mark(struct claim *c, struct resource *r)
{
	if (c->what->evidence.seen.protection != LESSOR_PROTECTION_OFF &&
	    observed_retain(&c->what->evidence.seen) == r->retain_epoch)
		r->marked_ms = c->life->now_ms;
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

static int labels_change(struct claim *c)
{
	struct resource *r = retained_row(c);
	int64_t found;

	if (!r || verify(c, r))
		return -1;
	found = observed_retain(&c->what->evidence.seen);
	r->seen_ms = c->life->now_ms;
	absence_reset(r);
	if (found > r->label_known)
		r->protect_by = PROTECT_NOT_OURS;
	if (found >= r->retain_epoch) {
		r->retain_epoch = r->label_known = found;
		if (c->what->evidence.seen.protection == LESSOR_PROTECTION_UNKNOWN)
			mark(c, r);
		c->what->is_done = 1;
		return claim_keep_state(c, r);
	}
	label_number(&c->what->labels, LESSOR_LABEL_RETAIN, r->retain_epoch);
	r->marked_ms = 0;
	return claim_keep_state(c, r);
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
	return claim_keep_state(c, r);
}

/* A permit of its own: from here on its protection may be being lifted. */
static int unprotect_change(struct claim *c)
{
	const struct step_evidence *e = &c->what->evidence;
	struct observation seen = { .seen = &e->seen, .is_read = e->is_read,
				    .retain = observed_retain(&e->seen) };
	struct gate_facts facts = { .is_verified = claim_is_verified(c),
				    .is_fenced = c->life->gen.is_fenced };
	struct resource *r = claim_row(c);
	enum authorization a;

	if (!r || !c->l || (e->is_seen && claim_unprotect_seen(c, r)))
		return -1;
	a = lease_authorize(&c->life->signer, c->l, c->ledger, r->n, c->step->epoch, &seen, &facts,
			    &c->what->err);
	if (a == AUTHORIZATION_GRANTED) {
		c->what->is_done = 1;	/* it is not protected */
		return claim_keep_state(c, r);
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
	return claim_write(c, r, LESSOR_STATE_UNPROTECT_AUTHORIZED,
			   "lifting its protection was permitted");
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
	const struct step_evidence *e = &c->what->evidence;

	if (!e->is_seen)
		return 0;
	if (!c->l)
		return generation_seen(c);
	/* Written over, or lost in between: not a case for a machine. */
	if (verify(c, r))
		return -1;
	if (e->outcome != EFFECT_ACCEPTED || observed_retain(&e->seen) != r->retain_epoch)
		return 0;
	r->label_known = r->retain_epoch;
	r->seen_ms = c->life->now_ms;
	if (e->seen.protection == LESSOR_PROTECTION_UNKNOWN)
		mark(c, r);
	return claim_keep_state(c, r);
}

static int protect_changed(struct claim *c, struct resource *r)
{
	const struct step_evidence *e = &c->what->evidence;
	int is_on = e->is_seen && e->seen.protection == LESSOR_PROTECTION_ON;

	/* It was read off, so it is not ours. */
	if (e->outcome == EFFECT_NOT_SENT || e->outcome == EFFECT_REFUSED)
		r->protect_by = PROTECT_NOT_OURS;
	else if (e->outcome == EFFECT_ACCEPTED && is_on)
		r->protect_by = PROTECT_OURS;
	if (is_on && r->state == LESSOR_STATE_RETAINED)
		mark(c, r);
	return claim_keep_state(c, r);
}

static int unprotect_changed(struct claim *c, struct resource *r)
{
	const struct step_evidence *e = &c->what->evidence;

	if (r->state != LESSOR_STATE_UNPROTECT_AUTHORIZED)
		return 0;
	if (e->is_labelled)
		r->label_known = r->retain_epoch;
	if (e->outcome == EFFECT_NOT_SENT || e->outcome == EFFECT_REFUSED) {
		r->protect_by = PROTECT_OURS;
		return claim_write(c, r, claim_present(c, r), "lifting its protection was refused");
	}
	if (e->outcome == EFFECT_ACCEPTED && e->is_seen) {
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
	int64_t until_ms = r->changed_ms + c->life->settle_ms;

	if (r->state != LESSOR_STATE_UNPROTECT_UNKNOWN || !c->what->evidence.is_seen)
		return 0;
	if (c->what->evidence.seen.protection != LESSOR_PROTECTION_ON) {
		r->protect_by = PROTECT_NOT_OURS;
		return claim_write(c, r, claim_present(c, r), "its protection was lifted");
	}
	if (c->life->now_ms < until_ms) {	/* the request may still be out */
		c->life->not_now = 1;
		c->life->absence_ms = until_ms;
		return claim_refuse(c, "lifting its protection may still be under way");
	}
	r->protect_by = PROTECT_PERHAPS_OURS;
	return claim_write(c, r, claim_present(c, r), "its protection was not lifted");
}
