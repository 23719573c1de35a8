/* SPDX-License-Identifier: MIT */
/*
 * Changes at the provider other than deletes: the label and the protection of retained
 * resources, and lifting the protection before an explicit delete. A change is committed
 * before it is written; its outcome is decided by a read after it.
 */
#include "lease/resource_events.h"

#include <stdio.h>
#include <string.h>

#include "lease/lifecycle.h"
#include "util/text.h"

static void label_number(struct labels *labels, const char *key, int64_t value)
{
	char number[24];

	snprintf(number, sizeof(number), "%lld", (long long)value);
	labels_add(labels, key, number);
}

/* Only resources verified as ours are changed. */
static int row_verify(struct row_event *v)
{
	const struct claim_evidence *e = &v->claim->evidence;
	struct err err = { 0 };

	if (!e->is_read && !e->is_seen)
		return row_refuse(v, "this step did not read it immediately before");
	if (ledger_verify(v->f->signer, v->r->account, v->l, v->r, &e->seen, &err) == 0)
		return 0;
	err_prefix(&err, "not changed: ownership not verified: ");
	return row_refuse_for_operator(v, LESSOR_CLASS_OWNERSHIP, err.text);
}

/* Protected: it carries its label, and its protection is on or does not exist there. */
static void row_mark(struct row_event *v)
{
	const struct lessor_observed *seen = &v->claim->evidence.seen;

	if (seen->protection == LESSOR_PROTECTION_OFF ||
	    observed_retain(seen) != v->r->retain_epoch)
		return;
	if (!v->r->marked_ms)
		row_note(v, "protected", NULL);
	v->r->marked_ms = v->f->now_ms;
}

static int is_kept(struct row_event *v)
{
	return v->l && v->l->retained && v->e->u.claim.epoch == v->l->epoch;
}

int row_kept(struct row_event *v)
{
	int64_t label = v->e->u.seen.label, retain = label;

	if (!v->l || !v->r->ours)
		return 0;
	/* Its protection alone shows it. */
	if (retain <= v->r->retain_epoch)
		retain = v->r->retain_epoch > v->l->epoch ? v->r->retain_epoch : v->l->epoch;
	row_keep(v, retain);
	v->r->label_known = label;
	return 0;
}

/* ---- may it be changed? ----------------------------------------------------------------- */

/* Before the label is written. */
int row_labels(struct row_event *v)
{
	struct resource *r = v->r;
	int64_t found;

	if (!is_kept(v))
		return row_refuse(v, "its lease is not retained, or has changed its goal");
	if (row_verify(v))
		return -1;
	found = observed_retain(&v->claim->evidence.seen);
	r->seen_ms = v->f->now_ms;
	absence_reset(r);
	/* A newer copy of the store was here, so the protection may not be ours. */
	if (found > r->label_known)
		r->protect_by = PROTECT_NOT_OURS;
	if (found >= r->retain_epoch) {
		r->retain_epoch = r->label_known = found;
		if (v->claim->evidence.seen.protection == LESSOR_PROTECTION_UNKNOWN)
			row_mark(v);
		v->claim->is_done = 1;
		return row_changed(v);
	}
	label_number(&v->claim->labels, LESSOR_LABEL_RETAIN, r->retain_epoch);
	r->marked_ms = 0;
	return row_changed(v);
}

int row_protect(struct row_event *v)
{
	if (!is_kept(v))
		return row_refuse(v, "its lease is not retained, or has changed its goal");
	if (row_verify(v))
		return -1;
	if (observed_retain(&v->claim->evidence.seen) != v->r->retain_epoch)
		return row_refuse(v, "its label must be written first");
	v->claim->is_done = v->claim->evidence.seen.protection != LESSOR_PROTECTION_OFF;
	if (v->claim->is_done)
		row_mark(v);
	else
		v->r->protect_by = PROTECT_PERHAPS_OURS;
	return row_changed(v);
}

/* A separate permit: from here on, the protection may be being lifted. */
int row_unprotect(struct row_event *v)
{
	struct resource *r = v->r;
	enum authorization a;

	if (!v->l)
		return row_refuse(v, "only the labels of a sentinel may change");
	if (v->claim->evidence.is_seen && row_unprotect_seen(v))
		return -1;
	a = row_authorize(v);
	if (a == AUTHORIZATION_GRANTED) {
		v->claim->is_done = 1; /* not protected: nothing to lift */
		return row_answer(v);
	}
	if (a == AUTHORIZATION_UNPROTECT &&
	    observed_retain(&v->claim->evidence.seen) > r->label_known) {
		r->protect_by = PROTECT_NOT_OURS;
		a = AUTHORIZATION_PROTECTED;
		err_set(&v->claim->err, ERR_REFUSED,
			"it was protected by a newer copy of this store");
	}
	if (a != AUTHORIZATION_UNPROTECT)
		return row_permit_refused(v, a);
	r->retain_epoch = v->l->epoch;
	r->protect_by = PROTECT_PERHAPS_OURS;
	r->marked_ms = 0;
	label_number(&v->claim->labels, LESSOR_LABEL_RETAIN, r->retain_epoch);
	row_request_begins(v);
	row_set(v, LESSOR_STATE_UNPROTECT_AUTHORIZED, "lifting its protection was permitted");
	return row_note(v, "unprotect-permitted", lease_end_text(v->l));
}

/* ---- outcomes ---------------------------------------------------------------------------- */

int row_labels_done(struct row_event *v)
{
	const struct claim_evidence *e = &v->claim->evidence;
	struct resource *r = v->r;

	if (!v->l || !e->is_seen)
		return 0;
	/* Overwritten or lost in between: needs operator action. */
	if (row_verify(v))
		return -1;
	if (e->outcome != EFFECT_ACCEPTED || observed_retain(&e->seen) != r->retain_epoch)
		return 0;
	r->label_known = r->retain_epoch;
	r->seen_ms = v->f->now_ms;
	if (e->seen.protection == LESSOR_PROTECTION_UNKNOWN)
		row_mark(v);
	return row_changed(v);
}

int row_protect_done(struct row_event *v)
{
	const struct claim_evidence *e = &v->claim->evidence;
	int is_on = e->is_seen && e->seen.protection == LESSOR_PROTECTION_ON;

	/* It was read as off before, so any protection is not ours. */
	if (e->outcome == EFFECT_NOT_SENT || e->outcome == EFFECT_REFUSED)
		v->r->protect_by = PROTECT_NOT_OURS;
	else if (e->outcome == EFFECT_ACCEPTED && is_on)
		v->r->protect_by = PROTECT_OURS;
	if (is_on && v->r->state == LESSOR_STATE_RETAINED)
		row_mark(v);
	return row_changed(v);
}

int row_unprotect_done(struct row_event *v)
{
	const struct claim_evidence *e = &v->claim->evidence;
	struct resource *r = v->r;

	/* Answered, or confirmed by a read after the answer was lost. */
	if (e->is_labelled ||
	    (e->is_seen && observed_retain(&e->seen) == r->retain_epoch &&
	     ledger_verify(v->f->signer, r->account, v->l, r, &e->seen, NULL) == 0))
		r->label_known = r->retain_epoch;
	if (e->outcome == EFFECT_NOT_SENT || e->outcome == EFFECT_REFUSED) {
		r->protect_by = PROTECT_OURS;
		row_request_ends(v);
		return row_set(v, row_present(v), "lifting its protection was refused");
	}
	if (e->outcome == EFFECT_ACCEPTED && e->is_seen) {
		/* If it is on again, somebody else set it. */
		r->protect_by = PROTECT_NOT_OURS;
		row_request_ends(v);
		return row_set(v, row_present(v), "its protection was lifted");
	}
	row_request_lost(v);
	return row_set(v, LESSOR_STATE_UNPROTECT_UNKNOWN,
		       "whether its protection was lifted is unknown");
}

int row_unprotect_seen(struct row_event *v)
{
	struct resource *r = v->r;
	int64_t lands_ms = row_lands_ms(v);

	if (r->state != LESSOR_STATE_UNPROTECT_UNKNOWN || !v->claim->evidence.is_seen)
		return 0;
	if (v->claim->evidence.seen.protection != LESSOR_PROTECTION_ON) {
		r->protect_by = PROTECT_NOT_OURS;
		row_request_ends(v);
		return row_set(v, row_present(v), "its protection was lifted");
	}
	/* The request may still be in flight. */
	if (v->f->now_ms < lands_ms) {
		v->out->not_now = 1;
		v->out->absence_ms = lands_ms;
		return row_refuse(v, "lifting its protection may still be under way");
	}
	r->protect_by = PROTECT_PERHAPS_OURS;
	row_request_ends(v);
	return row_set(v, row_present(v), "its protection was not lifted");
}
