/* SPDX-License-Identifier: MIT */
/*
 * Permits, deletes and absence. A permit is a state of the row. From its commit on, through
 * a crash, a restart or a takeover, it means that a delete may be in progress, until the
 * answer or proven absence says otherwise.
 */
#include "lease/resource_events.h"

#include <string.h>

#include "lease/lifecycle.h"
#include "util/text.h"

/* It was read just now: resets earlier observations of absence. */
static void seen_again(struct row_event *v)
{
	int changed = absence_reset(v->r);

	if (!changed && v->r->seen_ms)
		return;
	v->r->seen_ms = v->f->now_ms;
	row_changed(v);
}

/* No delete of it is known to be in progress, except an earlier one with unknown outcome. */
static uint32_t not_deleted(struct row_event *v)
{
	return v->r->deletes_unknown ? LESSOR_STATE_DELETE_UNKNOWN : row_present(v);
}

/* ---- permits ------------------------------------------------------------------------- */

int row_permit(struct row_event *v)
{
	const struct claim_evidence *e = &v->claim->evidence;
	enum authorization a;

	if (!v->l)
		return row_refuse(v, "a step may not delete an account's own resources");
	/* Whether permitted or not, and whoever owns it. */
	if (e->is_seen && strcmp(e->seen.id, v->r->id) == 0) {
		seen_again(v);
		if (row_unprotect_seen(v))
			return -1;
	}
	a = row_authorize(v);
	if (a != AUTHORIZATION_GRANTED)
		return row_permit_refused(v, a);
	v->r->authorized_ms = v->r->seen_ms = v->f->now_ms;
	v->r->action[0] = '\0';
	v->r->protect_by = PROTECT_NOT_OURS;
	row_request_begins(v);
	row_set(v, LESSOR_STATE_DELETE_AUTHORIZED, "a delete was permitted");
	return row_note(v, "delete-permitted", lease_end_text(v->l));
}

/* ---- outcomes ---------------------------------------------------------------------------- */

int row_deleting(struct row_event *v)
{
	TEXT_SET(v->r->action, v->claim->action);
	absence_reset(v->r);
	row_set(v, LESSOR_STATE_DELETING, "delete accepted");
	return row_note(v, "deleting", NULL);
}

int row_delete_unknown(struct row_event *v)
{
	v->r->action[0] = '\0';
	v->r->deletes_unknown++;
	row_request_lost(v);
	row_set(v, LESSOR_STATE_DELETE_UNKNOWN, v->claim->text);
	return row_note(v, "delete-unknown", v->claim->text);
}

/* The resource was reported to exist still; sets its state. */
static int report_present(struct row_event *v, uint32_t state)
{
	struct resource *r = v->r;

	if (state == LESSOR_STATE_DELETE_UNKNOWN && r->state != LESSOR_STATE_DELETE_UNKNOWN &&
	    !r->deletes_unknown)
		r->deletes_unknown = 1;
	/* A repetition by a slow retry is not recorded again. */
	if (r->state == state && !r->action[0] && strcmp(r->evidence, v->claim->text) == 0)
		return absence_reset(r) ? row_changed(v) : row_answer(v);
	r->action[0] = '\0';
	absence_reset(r);
	if (state == LESSOR_STATE_DELETE_UNKNOWN && r->state != LESSOR_STATE_DELETE_UNKNOWN)
		row_request_lost(v);
	row_set(v, state, v->claim->text);
	return row_note(v, "still-there", v->claim->text);
}

int row_report_present_permitted(struct row_event *v)
{
	const struct claim_evidence *e = &v->claim->evidence;

	if (!e->is_own_io && e->outcome != EFFECT_NOT_SENT && e->outcome != EFFECT_REFUSED)
		return report_present(v, LESSOR_STATE_DELETE_UNKNOWN);
	row_request_ends(v);
	return report_present(v, not_deleted(v));
}

int row_report_present_deleted(struct row_event *v)
{
	const struct claim_evidence *e = &v->claim->evidence;
	int is_unknown = v->r->state == LESSOR_STATE_DELETE_UNKNOWN;

	/*
	 * After an accepted delete the resource may be shown for a while: a read alone
	 * proves nothing.
	 */
	if (e->is_gave_up || (e->is_own_io && !is_unknown))
		return report_present(v, not_deleted(v));
	/* While unknown, a listing suffices: it only resets the observations of absence. */
	if (!e->is_seen && !e->is_own_io && !is_unknown)
		return row_refuse(v, "nothing shows that it still exists");
	return report_present(v, LESSOR_STATE_DELETE_UNKNOWN);
}

int row_report_present_known(struct row_event *v)
{
	return report_present(v, v->r->state);
}

int row_gone(struct row_event *v)
{
	struct absence_facts facts = row_absence(v);
	int by_delete = v->r->state == LESSOR_STATE_DELETING;

	if (!v->f->gate.is_verified)
		return row_refuse(v, "the account is not verified");
	if (row_check_proof(v))
		return -1;
	if (absence_observe(v->r, &facts) != ABSENCE_PROVEN)
		return row_absence_pending(v);
	v->r->action[0] = '\0';
	row_set(v, LESSOR_STATE_GONE, v->claim->text);
	/* Without a delete of ours it may still appear: sweep once more. */
	v->out->sweep_soon = !by_delete;
	return row_note(v, "gone", v->claim->text);
}
