/* SPDX-License-Identifier: MIT */
#include "lease/resource_events.h"

#include <stdio.h>
#include <string.h>

#include "lease/lifecycle.h"
#include "util/text.h"

/*
 * ---- short handlers
 * -----------------------------------------------------------------------
 */

static int is_known(struct row_event *v)
{
	return row_refuse(v, "the outcome of its create is known");
}

static int not_permitted(struct row_event *v)
{
	return row_refuse(v, "this step has no permit for its delete");
}

static int not_shown(struct row_event *v)
{
	return row_refuse(v, "nothing shows that it still exists");
}

static int not_recorded(struct row_event *v)
{
	return row_refuse(v, "the outcome of its create or delete is not recorded yet");
}

static int not_kept(struct row_event *v)
{
	return row_refuse(v, "its lease is not retained, or has changed its goal");
}

static int row_ignore(struct row_event *v)
{
	(void)v;
	return 0;
}

/* Marks the row dirty for an event that is not a claim, so no step is answered with it. */
static int row_touched(struct row_event *v)
{
	v->r->is_dirty = 1;
	return 0;
}

static int create_lost(struct row_event *v)
{
	v->r->state = LESSOR_STATE_UNKNOWN;
	v->r->changed_ms = v->f->now_ms;
	row_create_left(v);
	return row_touched(v);
}

static int delete_lost(struct row_event *v)
{
	v->r->state = LESSOR_STATE_DELETE_UNKNOWN;
	v->r->deletes_unknown++;
	v->r->changed_ms = v->f->now_ms;
	row_request_lost(v);
	return row_touched(v);
}

static int unprotect_lost(struct row_event *v)
{
	v->r->state = LESSOR_STATE_UNPROTECT_UNKNOWN;
	v->r->changed_ms = v->f->now_ms;
	row_request_lost(v);
	return row_touched(v);
}

static int row_retain(struct row_event *v)
{
	/*
	 * The label must be written with this epoch, also when a no-delete release follows a
	 * delete.
	 */
	v->r->state = LESSOR_STATE_RETAINED;
	v->r->changed_ms = v->f->now_ms;
	v->r->marked_ms = 0;
	if (v->r->retain_epoch < v->l->epoch)
		v->r->retain_epoch = v->l->epoch;
	return row_touched(v);
}

static int row_unretain(struct row_event *v)
{
	v->r->state = LESSOR_STATE_PRESENT;
	v->r->changed_ms = v->f->now_ms;
	return row_touched(v);
}

static int row_forget(struct row_event *v)
{
	const struct lease_decision *d = &v->e->u.decision;

	v->r->state = LESSOR_STATE_DISOWNED;
	v->r->changed_ms = v->f->now_ms;
	v->r->action[0] = '\0';
	absence_reset(v->r);
	snprintf(v->r->evidence, sizeof(v->r->evidence), "forgotten by %.60s: %.80s", d->by, d->reason);
	return row_touched(v);
}

static int row_hand_over(struct row_event *v)
{
	row_set(v, LESSOR_STATE_HANDED_OVER, "handed over to another lease that uses it");
	lease_note_add(v->out, NOTE_QUIET, "key.handed-over", "%s id %s", v->r->name, v->r->id);
	return 0;
}

/* ---- the table ----------------------------------------------------------------------------- */

typedef int (*handler)(struct row_event *v);

/* Short names keep the rows of the table on few lines. */
#define create_ok row_created
#define create_no row_not_created
#define create_q row_create_unknown
#define absent_q row_report_absent
#define delete_ok row_deleting
#define delete_q row_delete_unknown
#define there_8 row_report_present_permitted
#define there_49 row_report_present_deleted
#define there_3 row_report_present_known
#define there_13 row_unprotect_seen

/*
 * By number of the state: none, INTENDED, UNKNOWN, PRESENT, DELETING, GONE, RETAINED,
 * DISOWNED, DELETE_AUTHORIZED, DELETE_UNKNOWN, NEVER_EXISTED, HANDED_OVER,
 * UNPROTECT_AUTHORIZED, UNPROTECT_UNKNOWN. NULL: no effect. Permits are handled in every
 * state, since the gate gives the reason for a refusal.
 */
static const handler table[ROW_EVENT_COUNT][LESSOR_STATE_UNPROTECT_UNKNOWN + 1] = {
	/* 1 intended, 2 unknown, 3 present, 4 deleting, 5 gone, 6 retained, 7 disowned, 8 authorized,
	 * 9 delete unknown, 10 never, 11 handed over, 12 unprotecting, 13 unprotect unknown */
	[CLAIM_CREATED] = { NULL, create_ok, create_ok, is_known, is_known, is_known, is_known,
			    create_ok, is_known, is_known, is_known, is_known, is_known, is_known },
	[CLAIM_NOT_CREATED] = { NULL, create_no, create_no, is_known, is_known, is_known, is_known,
				create_no, is_known, is_known, is_known, is_known, is_known,
				is_known },
	[CLAIM_UNKNOWN] = { NULL, create_q, create_q, is_known, is_known, is_known, is_known,
			    create_q, is_known, is_known, is_known, is_known, is_known, is_known },
	[CLAIM_REPORT_ABSENT] = { NULL, absent_q, absent_q, is_known, is_known, is_known, is_known,
				  absent_q, is_known, is_known, is_known, is_known, is_known,
				  is_known },
	[CLAIM_PERMIT] = { NULL, row_permit, row_permit, row_permit, row_permit, row_permit,
			   row_permit, row_permit, row_permit, row_permit, row_permit, row_permit,
			   row_permit, row_permit },
	[CLAIM_DELETING] = { NULL, not_permitted, not_permitted, not_permitted, not_permitted,
			     not_permitted, not_permitted, not_permitted, delete_ok, not_permitted,
			     not_permitted, not_permitted, not_permitted, not_permitted },
	[CLAIM_DELETE_UNKNOWN] = { NULL, not_permitted, not_permitted, not_permitted, not_permitted,
				   not_permitted, not_permitted, not_permitted, delete_q,
				   not_permitted, not_permitted, not_permitted, not_permitted,
				   not_permitted },
	[CLAIM_REPORT_PRESENT] = { NULL, not_shown, not_shown, there_3, there_49, not_shown,
				   there_3, not_shown, there_8, there_49, not_shown, not_shown,
				   not_shown, there_13 },
	[CLAIM_GONE] = { NULL, not_recorded, not_recorded, row_gone, row_gone, row_ignore, row_gone,
			 row_ignore, not_recorded, row_gone, row_ignore, row_ignore, not_recorded,
			 row_gone },
	[ROW_LABELS] = { NULL, not_kept, not_kept, not_kept, not_kept, not_kept, row_labels,
			 not_kept, not_kept, not_kept, not_kept, not_kept, not_kept, not_kept },
	[ROW_PROTECT] = { NULL, not_kept, not_kept, not_kept, not_kept, not_kept, row_protect,
			  not_kept, not_kept, not_kept, not_kept, not_kept, not_kept, not_kept },
	[ROW_UNPROTECT] = { NULL, row_unprotect, row_unprotect, row_unprotect, row_unprotect,
			    row_unprotect, row_unprotect, row_unprotect, row_unprotect,
			    row_unprotect, row_unprotect, row_unprotect, row_unprotect,
			    row_unprotect },
	/* In every state: the lease's goal may have changed since, but the change was made. */
	[ROW_LABELS_DONE] = { NULL, row_labels_done, row_labels_done, row_labels_done,
			      row_labels_done, row_labels_done, row_labels_done, row_labels_done,
			      row_labels_done, row_labels_done, row_labels_done, row_labels_done,
			      row_labels_done, row_labels_done },
	[ROW_PROTECT_DONE] = { NULL, row_protect_done, row_protect_done, row_protect_done,
			       row_protect_done, row_protect_done, row_protect_done,
			       row_protect_done, row_protect_done, row_protect_done,
			       row_protect_done, row_protect_done, row_protect_done,
			       row_protect_done },
	[ROW_UNPROTECT_DONE] = { [LESSOR_STATE_UNPROTECT_AUTHORIZED] = row_unprotect_done },
	[ROW_RESTART] = { [LESSOR_STATE_INTENDED] = create_lost,
			  [LESSOR_STATE_DELETE_AUTHORIZED] = delete_lost,
			  [LESSOR_STATE_UNPROTECT_AUTHORIZED] = unprotect_lost },
	[ROW_RETAIN] = { [LESSOR_STATE_PRESENT] = row_retain },
	[ROW_UNRETAIN] = { [LESSOR_STATE_RETAINED] = row_unretain },
	[ROW_FORGET] = { [LESSOR_STATE_INTENDED] = row_forget,
			 [LESSOR_STATE_UNKNOWN] = row_forget,
			 [LESSOR_STATE_PRESENT] = row_forget,
			 [LESSOR_STATE_DELETING] = row_forget,
			 [LESSOR_STATE_RETAINED] = row_forget,
			 [LESSOR_STATE_DELETE_UNKNOWN] = row_forget,
			 [LESSOR_STATE_UNPROTECT_UNKNOWN] = row_forget },
	/* Where a delete may be under way, its permit is refused, and an operator decides. */
	[ROW_KEPT] = { [LESSOR_STATE_PRESENT] = row_kept, [LESSOR_STATE_RETAINED] = row_kept },
	[ROW_HAND_OVER] = { [LESSOR_STATE_PRESENT] = row_hand_over },
};

int row_event_apply(struct row_event *v, int kind)
{
	handler handle = table[kind][v->r->state];

	return handle ? handle(v) : 0;
}

/* ---- claims --------------------------------------------------------------------------------- */

static struct resource *row_find(struct lease_aggregate *a, int64_t n)
{
	for (size_t i = 0; i < a->ledger.resource_count; i++) {
		if (a->ledger.resources[i].n == n)
			return &a->ledger.resources[i];
	}
	return NULL;
}

static int change_kind(const struct lease_claim *claim)
{
	int first = claim->kind == CLAIM_CHANGE ? ROW_LABELS : ROW_LABELS_DONE;

	return first + (claim->change == LESSOR_CHANGE_LABELS ? 0 :
			claim->change == LESSOR_CHANGE_PROTECT ? 1 : 2);
}

/* Claims that name no row. 1 if the claim names one. */
static int apply_rowless(struct row_event *v)
{
	switch (v->claim->kind) {
	case CLAIM_ATTEMPT:
		return attempt_open(v);
	case CLAIM_ATTEMPT_REFUSED:
		return attempt_refuse(v);
	case CLAIM_INTEND:
		return row_intend(v);
	case CLAIM_ADOPT:
		return row_adopt(v);
	case CLAIM_REUSE:
		return row_reuse(v);
	default:
		return 1;
	}
}

int claim_apply(struct row_event *v)
{
	struct lease_claim *claim = v->claim;
	int is_change = claim->kind == CLAIM_CHANGE || claim->kind == CLAIM_CHANGED;
	int rc = apply_rowless(v);

	if (rc <= 0)
		return rc;
	v->r = row_find(v->a, claim->row);
	if (!v->r)
		return err_set(&claim->err, ERR_NOT_FOUND, "no such row in this ledger");
	return row_event_apply(v, is_change ? change_kind(claim) : (int)claim->kind);
}
