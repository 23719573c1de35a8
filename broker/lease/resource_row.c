/* SPDX-License-Identifier: MIT */
/* Helpers shared by the handlers of a row's events. */
#include "lease/resource_events.h"

#include <stdio.h>
#include <string.h>

#include "lease/lifecycle.h"
#include "util/text.h"

int row_refuse(struct row_event *v, const char *why)
{
	return v->claim ? err_set(&v->claim->err, ERR_REFUSED, "%s", why) : -1;
}

int row_refuse_for_operator(struct row_event *v, uint32_t error_class, const char *why)
{
	v->out->refusal_class = error_class;
	TEXT_SET(v->out->refusal_text, why);
	return row_refuse(v, why);
}

int row_answer(struct row_event *v)
{
	v->out->has_row = 1;
	v->out->row_index = (size_t)(v->r - v->a->ledger.resources);
	return 0;
}

int row_changed(struct row_event *v)
{
	v->r->is_dirty = 1;
	return row_answer(v);
}

int row_set(struct row_event *v, uint32_t state, const char *evidence)
{
	/* A disowned row stays disowned, whatever a late answer says, unless it is gone. */
	if (v->r->state != LESSOR_STATE_DISOWNED || state == LESSOR_STATE_GONE)
		v->r->state = state;
	v->r->changed_ms = v->f->now_ms;
	TEXT_SET(v->r->evidence, evidence);
	return row_changed(v);
}

int row_note(struct row_event *v, const char *verb, const char *detail)
{
	const struct resource *r = v->r;
	char kind[40];

	if (!v->l)
		return 0;
	snprintf(kind, sizeof(kind), "%s.%s", resource_kind_name(r->kind), verb);
	lease_note_add(v->out, NOTE_QUIET, kind, "%s%s%s%s%s", r->name, r->id[0] ? " id " : "",
		       r->id, detail && detail[0] ? ": " : "", detail ? detail : "");
	return 0;
}

void row_add(struct row_event *v, const struct resource *r)
{
	v->r = ledger_add(&v->a->ledger, r);
	row_changed(v);
}

uint32_t row_present(struct row_event *v)
{
	struct resource *r = v->r;

	if (!v->l || !v->l->retained)
		return LESSOR_STATE_PRESENT;
	/* From here on, its label must be written. */
	if (r->state != LESSOR_STATE_RETAINED && r->retain_epoch < v->l->epoch) {
		r->retain_epoch = v->l->epoch;
		r->marked_ms = 0;
	}
	return LESSOR_STATE_RETAINED;
}

int row_keep(struct row_event *v, int64_t retain)
{
	struct resource *r = v->r;

	r->retain_epoch = r->label_known = retain;
	r->protect_by = PROTECT_NOT_OURS;
	r->marked_ms = 0;
	row_set(v, LESSOR_STATE_RETAINED, "retained by a newer copy of this store");
	row_note(v, "kept", "it carries the label of a no-delete release");
	if (!v->l || v->l->retained)
		return row_refuse(v, "it carries the label of a no-delete release");
	lifecycle_apply(v->l, LIFE_KEPT_ELSEWHERE, v->e, v->f, v->out);
	/* The next change must have a greater epoch than the label found. */
	if (retain < INT64_MAX && v->l->epoch <= retain)
		v->l->epoch = retain + 1;
	return row_refuse(v,
			  "its label says that it is kept, by a release that this store does not know");
}

int row_check_proof(struct row_event *v)
{
	if (!v->claim->evidence.is_proof)
		return row_refuse(v, "the account was not verified in this step");
	if (v->f->gate.is_fenced)
		return row_refuse(v, "the store may be older than the account");
	if (v->f->gate.is_frozen)
		return row_refuse(v, "the account is frozen until it is reconciled");
	return 0;
}

struct absence_facts row_absence(const struct row_event *v)
{
	const struct claim_evidence *e = &v->claim->evidence;

	return (struct absence_facts){
		.begun_ms = e->begun_ms ? e->begun_ms : v->f->now_ms,
		.ended_ms = v->f->now_ms,
		.settle_ms = v->f->settle_ms,
		.is_clock_suspect = v->f->is_clock_suspect,
		.store_ahead_ms = v->f->store_ahead_ms,
	};
}

int row_absence_pending(struct row_event *v)
{
	struct absence_facts facts = row_absence(v);

	v->out->absence_ms = absence_next_ms(v->r, &facts);
	row_changed(v);
	return err_set(&v->claim->err, ERR_BUSY, "absence is not proven yet");
}

/* ---- the gate ------------------------------------------------------------------------- */

/* Recorded in the timeline once, not at each slow retry. */
static void note_refusal(struct row_event *v, enum authorization a, const char *why)
{
	char evidence[sizeof(v->r->evidence)];

	lease_note_add(v->out, NOTE_LOG_ONLY, "delete-refused",
		       "delete of %s (id %s) not permitted (%s): %s", v->r->name, v->r->id,
		       authorization_name(a), why);
	TEXT_SET(evidence, why);
	if (strcmp(v->r->evidence, evidence) == 0)
		return;
	TEXT_SET(v->r->evidence, evidence);
	row_changed(v);
	row_note(v, "delete-refused", evidence);
}

/* ---- until when a request may take effect -------------------------------------------------- */

static int64_t later_of(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

void row_request_begins(struct row_event *v)
{
	v->r->until_ms = later_of(v->r->until_ms, v->e->u.claim.until_ms);
}

void row_request_lost(struct row_event *v)
{
	int64_t until_ms = v->f->now_ms + v->f->settle_ms + v->f->store_ahead_ms;

	/* Its sender has ended it, or has ended itself: only what is on the wire is left. */
	v->r->until_ms = v->f->is_shared ? later_of(v->r->until_ms, until_ms) : until_ms;
}

void row_create_left(struct row_event *v)
{
	int64_t until_ms = v->f->now_ms + v->f->store_ahead_ms;

	/* Whoever intended it may still be there: what it makes at the last moment is shown later. */
	if (v->f->is_shared)
		until_ms = later_of(v->r->until_ms, until_ms);
	v->r->until_ms = until_ms + v->f->settle_ms;
}

void row_request_ends(struct row_event *v)
{
	if (!v->r->deletes_unknown)
		v->r->until_ms = 0;
}

int64_t row_lands_ms(const struct row_event *v)
{
	return resource_lands_ms(v->r, v->f->settle_ms, v->f->store_ahead_ms);
}

/*
 * It is protected, so an earlier delete without a response had no effect so far; but it may
 * still be carried out if the protection is lifted. Only after the last moment at which it
 * could arrive is it known that it never will.
 */
static int row_is_protected(struct row_event *v, const char *why)
{
	int may_land = v->f->is_clock_suspect || v->f->now_ms < row_lands_ms(v);

	if (v->r->deletes_unknown && may_land) {
		v->out->absence_ms = row_lands_ms(v);
	} else {
		v->r->deletes_unknown = 0;
		row_request_ends(v);
		row_set(v, row_present(v), why);
	}
	return row_refuse_for_operator(v, LESSOR_CLASS_PROTECTED, why);
}

int row_permit_refused(struct row_event *v, enum authorization a)
{
	const struct claim_evidence *e = &v->claim->evidence;
	char why[sizeof(v->claim->err.text)];

	TEXT_SET(why, v->claim->err.text);
	note_refusal(v, a, why);
	row_answer(v);
	switch (a) {
	case AUTHORIZATION_RETENTION_MARK:
		return row_keep(v, e->seen.id ? observed_retain(&e->seen) : INT64_MAX);
	case AUTHORIZATION_PROTECTED:
		return row_is_protected(v, why);
	case AUTHORIZATION_FENCED:
		return row_refuse_for_operator(v, LESSOR_CLASS_ACCOUNT, why);
	default:
		break;
	}
	if (!authorization_passes(a))
		return row_refuse_for_operator(v, LESSOR_CLASS_OWNERSHIP, why);
	v->out->not_now = 1;
	snprintf(v->out->refusal_text, sizeof(v->out->refusal_text),
		 "%.58s is not deleted yet: %.80s", v->r->name, why);
	return row_refuse(v, why);
}

enum authorization row_authorize(struct row_event *v)
{
	const struct claim_evidence *e = &v->claim->evidence;
	struct observation seen = { .seen = &e->seen, .is_read = e->is_read,
				    .retain = observed_retain(&e->seen) };
	struct gate_facts facts = v->f->gate;

	facts.is_verified &= !e->is_unproven;
	facts.is_shared = v->f->users.count > 0;
	return lease_authorize(v->f->signer, v->l, &v->a->ledger, v->r->n, v->e->u.claim.epoch, &seen,
			       &facts, &v->claim->err);
}
