/* SPDX-License-Identifier: MIT */
#include "lease/lifecycle_handlers.h"

#include <stdio.h>
#include <string.h>

#include <lessor/provider.h>

#include "util/alloc.h"
#include "util/duration.h"
#include "util/text.h"

/* After a start, a step that was refused before it is retried this much later. */
#define START_PAUSE_MS 60000

enum lease_op lifecycle_next(const struct lease *l, const struct lease_facts *facts)
{
	if (lease_is_queued(l))
		return LEASE_OP_NONE;
	if (l->state == LEASE_PROVISIONING)
		return LEASE_OP_PROVISION;
	if (l->retained)
		return facts->unsure				? LEASE_OP_INSPECT :
		       facts->unprotected && facts->can_protect ? LEASE_OP_RETAIN :
								  LEASE_OP_NONE;
	if (l->cleanup == CLEANUP_OWED || l->cleanup == CLEANUP_ATTENTION)
		return LEASE_OP_CLEANUP;
	return LEASE_OP_NONE;
}

/*
 * ---- creation
 * -----------------------------------------------------------------------------
 */

static void on_begin(struct life *s)
{
	struct lease *l = s->l;

	l->state = LEASE_PROVISIONING;
	l->cleanup = CLEANUP_NONE;
	l->epoch = 1;
	l->retained = 0;
	l->created_ms = l->updated_ms = l->touched_ms = s->f->now_ms;
	l->ready_ms = l->ended_ms = l->released_ms = l->admitted_ms = 0;
	l->provision_deadline_ms = s->f->now_ms + time_earlier(s->e->u.boot_ms, l->ttl_ms);
	l->due_ms = s->f->now_ms;
	if (s->e->u.is_queued)
		l->due_ms = lease_expires_ms(l);
	else if (l->queue_ms)
		l->admitted_ms = s->f->now_ms;
	l->tries = 0;
	l->is_billed = 1;
	s->out->is_new = s->out->changed = 1;
	lease_note_add(s->out, NOTE_INFO, "lease.created", "accepted for %s, class %s", l->account,
		       l->type_explicit ? l->requested_type : l->class_name);
	if (s->e->u.is_queued)
		lease_note_add(s->out, NOTE_INFO, "lease.queued", "waiting for capacity");
}

/* ---- the queue for capacity --------------------------------------------------------------- */

static void on_admit(struct life *s)
{
	struct lease *l = s->l;
	int64_t waited_ms = s->f->now_ms - l->created_ms;
	char length[DURATION_TEXT_SIZE];

	l->admitted_ms = l->updated_ms = s->f->now_ms;
	l->credit_ms = 0; /* of its wait, which is over */
	l->provision_deadline_ms = s->f->now_ms + time_earlier(s->e->u.boot_ms, l->ttl_ms);
	if (s->e->u.price_hour_micros) {
		l->price_hour_micros = s->e->u.price_hour_micros;
		TEXT_SET(l->currency, s->e->u.currency);
	}
	l->due_ms = s->f->now_ms;
	s->out->changed = s->out->times_changed = 1;
	duration_summarize(waited_ms > 0 ? waited_ms : 0, length);
	lease_note_add(s->out, NOTE_INFO, "lease.admitted", "admitted after %s", length);
}

/*
 * When the lease expired; 0: it has not, or must not end. Heartbeats move the deadline without
 * writing this row, so the due time is updated.
 */
static int64_t expiry_reached(struct life *s)
{
	struct lease *l = s->l;
	int64_t expires = lease_expires_ms(l);

	if (!lifecycle_may_end(s))
		return 0;
	if (s->f->now_ms >= expires)
		return expires;
	s->out->changed |= l->due_ms != expires;
	l->due_ms = expires;
	return 0;
}

static void on_tick_queued(struct life *s)
{
	struct lease *l = s->l;
	int64_t expires = expiry_reached(s);

	if (!expires)
		return;
	if (expires == l->created_ms + l->queue_ms + l->credit_ms) {
		TEXT_SET(l->failure, "no capacity became free in time");
		lifecycle_end(s, LEASE_FAILED, LEASE_END_QUEUE);
		lease_note_add(s->out, NOTE_INFO, "lease.failed", "%s", l->failure);
		return;
	}
	lifecycle_end(s, LEASE_EXPIRED, LEASE_END_IDLE);
	lease_note_add(s->out, NOTE_INFO, "lease.expired",
		       "its idle timeout is over, while it waited for capacity");
}

/* ---- time ---------------------------------------------------------------------------------- */

static void on_tick_provisioning(struct life *s)
{
	if (lifecycle_may_end(s) && lease_is_late(s->l, s->f->now_ms) && !last_look_is_open(s))
		lifecycle_not_ready(s);
}

static void on_tick_active(struct life *s)
{
	struct lease *l = s->l;
	int64_t expires = expiry_reached(s);

	if (!expires)
		return;
	lifecycle_end(s, LEASE_EXPIRED,
		      expires == lease_ttl_end_ms(l) ? LEASE_END_TTL : LEASE_END_IDLE);
	lease_note_add(s->out, NOTE_INFO, "lease.expired", "%s",
		       l->end_reason == LEASE_END_TTL ? "its TTL is over" :
							"its idle timeout is over");
}

/*
 * The retention period is over: raise attention, never delete. The row may also be done
 * already, if a look-up's result was lost with its process.
 */
static void on_tick_retained(struct life *s)
{
	struct lease *l = s->l;
	int64_t due = lease_retained_due(l, s->f);

	if (!s->f->running && !s->f->residue) {
		lifecycle_cleaned(s);
		return;
	}
	if (lifecycle_next(l, s->f) == LEASE_OP_NONE && !s->f->running && l->due_ms &&
	    l->due_ms != due) {
		l->due_ms = due;
		s->out->changed = 1;
	}
	if (!l->retain_until_ms || s->f->now_ms < l->retain_until_ms || l->attention[0] ||
	    s->f->is_clock_suspect || s->f->has_lost_sight)
		return;
	lifecycle_attend(s, LESSOR_CLASS_NONE, "its retention period is over");
	l->due_ms = lease_retained_due(l, s->f);
}

/*
 * Keep the remaining wait of the old clock, neither due at once nor in years. Deadlines stay
 * as they are, in wall clock time.
 */
static void due_shift(struct life *s)
{
	struct lease *l = s->l;
	int64_t now = s->f->now_ms;

	if (!l->due_ms)
		return;
	l->due_ms += s->e->u.clock_by_ms;
	if (l->due_ms < now)
		l->due_ms = now;
	if (l->due_ms > now + LEASE_WAIT_MOST_MS)
		l->due_ms = now + LEASE_WAIT_MOST_MS;
	s->out->changed = 1;
}

static void due_shift_retained(struct life *s)
{
	/* The end of a retention was set in wall clock time. */
	if (s->l->due_ms != s->l->retain_until_ms)
		due_shift(s);
}

static int64_t credit_more(int64_t credit_ms, int64_t by_ms, int64_t most_ms)
{
	int64_t sum;

	return __builtin_add_overflow(credit_ms, by_ms, &sum) ? most_ms :
								time_earlier(sum, most_ms);
}

/*
 * Its time stands still while nobody watched over it. The gap has just ended: the idle timeout
 * never reaches further than a whole one from now.
 */
static void on_gap(struct life *s)
{
	struct lease *l = s->l;
	int64_t gap_ms = s->e->u.gap_ms;
	int64_t idle_ms = s->f->now_ms > l->touched_ms ? s->f->now_ms - l->touched_ms : 0;

	l->credit_ms = credit_more(l->credit_ms, gap_ms, LEASE_CREDIT_MOST_MS);
	if (l->idle_ms)
		l->idle_credit_ms = credit_more(l->idle_credit_ms, gap_ms, idle_ms);
	if (l->state == LEASE_PROVISIONING && !lease_is_queued(l)) {
		/* Its machine may be ready, or not even begun. */
		l->provision_deadline_ms += time_earlier(gap_ms, LEASE_CREDIT_MOST_MS);
		s->out->times_changed = 1;
	} else {
		l->due_ms = lease_expires_ms(l);
	}
	s->out->changed = 1;
}

/*
 * ---- the account
 * ----------------------------------------------------------------------------
 */

/* The owner may read this; details are in `lessor providers`, for admins. */
static void on_blocked(struct life *s)
{
	char reason[128];

	if (s->l->attention[0])
		return;
	if (s->f->block != LEASE_BLOCK_MISSING && lifecycle_next(s->l, s->f) == LEASE_OP_NONE)
		return;
	snprintf(reason, sizeof(reason), "account %s %s", s->l->account,
		 s->f->block == LEASE_BLOCK_MISSING ?
			 "is no longer configured; nothing can be done for it" :
		 s->f->block == LEASE_BLOCK_FENCED ? "is fenced and needs operator action" :
						     "is blocked and needs operator action");
	lifecycle_attend(s, LESSOR_CLASS_ACCOUNT, reason);
}

/*
 * Do not repeat a refused step at once after each start: fifty crashes in a row would be
 * fifty refusals. Repeat it soon, though: the restart may have fixed the credential.
 */
static void unblock_at_start(struct life *s)
{
	if (!s->f->running)
		s->l->due_ms = time_earlier(s->l->due_ms, s->f->now_ms + START_PAUSE_MS);
	s->out->changed = 1;
}

/* Another reason for attention stays. */
static void on_stuck(struct life *s)
{
	struct lease *l = s->l;
	struct lease meant = *l;

	lease_attention_set(&meant, LESSOR_CLASS_BUG, s->e->u.stuck.reason);
	if (!s->e->u.stuck.is_over) {
		if (!l->attention[0])
			lifecycle_attend(s, LESSOR_CLASS_BUG, s->e->u.stuck.reason);
	} else if (strcmp(l->attention, meant.attention) == 0) {
		l->attention[0] = '\0';
		s->out->changed = 1;
	}
}

/* A lease that waited for its account is due at once. */
static void on_unblocked(struct life *s)
{
	struct lease *l = s->l;

	if (!lease_waits_for_account(l))
		return;
	/* Attention raised by a refused step stays until a step succeeds. */
	if (l->cleanup != CLEANUP_ATTENTION)
		l->attention[0] = '\0';
	if (s->e->u.is_start && l->tries) {
		unblock_at_start(s);
		return;
	}
	if (lifecycle_next(l, s->f) != LEASE_OP_NONE && !s->f->running)
		l->due_ms = s->f->now_ms;
	else if (l->retained)
		l->due_ms = lease_retained_due(l, s->f);
	l->tries = 0;
	s->out->changed = 1;
	lease_note_add(s->out, NOTE_INFO, "lease.unblocked", "account %s is verified again",
		       l->account);
}

/* What the freeze has refused is tried again at once, not after the wait that it had come to. */
static void on_thawed(struct life *s)
{
	struct lease *l = s->l;

	if (lifecycle_next(l, s->f) == LEASE_OP_NONE)
		return;
	if (!s->f->running)
		l->due_ms = s->f->now_ms;
	l->tries = 0;
	s->out->changed = 1;
}

/*
 * ---- operator decisions, resources found
 * ---------------------------------------------------
 */

static void on_retry(struct life *s)
{
	if (lifecycle_next(s->l, s->f) == LEASE_OP_NONE) {
		s->out->refusal = LEASE_REFUSAL_NOTHING_TO_RETRY;
		return;
	}
	s->l->due_ms = s->f->now_ms;
	s->l->tries = 0;
	s->out->changed = 1;
}

static void on_forgotten(struct life *s)
{
	struct lease *l = s->l;

	lease_goal_change(l, s->f, s->out);
	if (!s->f->residue && !s->f->running) {
		l->cleanup = CLEANUP_DONE;
		l->due_ms = 0;
		lease_note_add(s->out, NOTE_INFO, "lease.forgotten",
			       "everything that was left has been forgotten");
	} else if (l->retained) {
		l->due_ms = lease_retained_due(l, s->f);
	} else {
		l->cleanup = CLEANUP_OWED;
		l->due_ms = s->f->now_ms;
	}
}

static void on_found(struct life *s)
{
	struct lease *l = s->l;

	lease_goal_change(l, s->f, s->out);
	if (l->retained) {
		l->cleanup = CLEANUP_RETAINED;
		l->due_ms = lease_retained_due(l, s->f);
		return;
	}
	if (l->cleanup == CLEANUP_DONE)
		l->cleanup_started_ms = s->f->now_ms;
	l->cleanup = CLEANUP_OWED;
	l->due_ms = s->f->now_ms;
}

static void on_kept_elsewhere(struct life *s)
{
	struct lease *l = s->l;

	lease_goal_change(l, s->f, s->out);
	if (lease_is_live(l)) {
		l->state = LEASE_RELEASED;
		l->ended_ms = s->f->now_ms;
		l->end_reason = LEASE_END_RELEASED;
	}
	l->retained = 1;
	l->cleanup = CLEANUP_RETAINED;
	l->retain_until_ms = 0;
	l->retain_reason[0] = '\0';
	s->out->retain_rows = 1;
	/* Stays until its owner decides; protecting it does not resolve it. */
	lifecycle_attend(s, LESSOR_CLASS_NONE,
			 "its label says that it is kept, by a release that this store does not know");
	l->due_ms = s->f->now_ms + INSPECT_PAUSE_MS;
}

static void on_unprotected(struct life *s)
{
	s->l->due_ms = s->f->now_ms;
	s->out->changed = 1;
	lease_note_add(s->out, NOTE_INFO, "lease.unprotected",
		       "its protection at the provider is no longer certain");
}

/* ---- the table ------------------------------------------------------------------------------- */

enum phase { QUEUED, PROVISIONING, ACTIVE, OWED, ATTENTION, RETAINED, DONE, PHASE_COUNT };

static enum phase phase_of(const struct lease *l)
{
	if (l->state == LEASE_PROVISIONING)
		return lease_is_queued(l) ? QUEUED : PROVISIONING;
	if (l->state == LEASE_ACTIVE)
		return ACTIVE;
	switch (l->cleanup) {
	case CLEANUP_OWED:
		return OWED;
	case CLEANUP_ATTENTION:
		return ATTENTION;
	case CLEANUP_RETAINED:
		return RETAINED;
	default:
		return DONE;
	}
}

typedef void (*handler)(struct life *s);

/* NULL: the event has no effect in this state. */
static const handler table[LIFE_EVENT_COUNT][PHASE_COUNT] = {
	/* queued, provisioning, active, owed, attention, retained, done */
	[LEASE_EVENT_RELEASE] = { on_release_live, on_release_live, on_release_live, on_release_owed,
				  on_release_owed, on_release_retained, on_release_done },
	[LEASE_EVENT_HEARTBEAT] = { on_touch, on_touch, on_touch, on_touch_ended, on_touch_ended,
				    on_touch_ended, on_touch_ended },
	[LEASE_EVENT_ADMIT] = { on_admit, NULL, NULL, NULL, NULL, NULL, NULL },
	[LEASE_EVENT_EXTEND] = { on_extend, on_extend, on_extend, on_touch_ended, on_touch_ended,
				 on_touch_ended, on_touch_ended },
	[LEASE_EVENT_TICK] = { on_tick_queued, on_tick_provisioning, on_tick_active, NULL, NULL,
			       on_tick_retained, NULL },
	[LEASE_EVENT_BLOCKED] = { on_blocked, on_blocked, on_blocked, on_blocked, on_blocked,
				  on_blocked, NULL },
	[LEASE_EVENT_UNBLOCKED] = { on_unblocked, on_unblocked, on_unblocked, on_unblocked,
				    on_unblocked, on_unblocked, NULL },
	[LEASE_EVENT_THAWED] = { NULL, on_thawed, NULL, on_thawed, on_thawed, on_thawed, NULL },
	[LEASE_EVENT_CLOCK_SET] = { NULL, due_shift, NULL, due_shift, due_shift, due_shift_retained,
				    NULL },
	[LEASE_EVENT_GAP] = { on_gap, on_gap, on_gap, NULL, NULL, NULL, NULL },
	[LEASE_EVENT_VERDICT] = { NULL, on_verdict_provisioning, NULL, on_verdict_owed,
				  on_verdict_owed, on_verdict_retained, NULL },
	[LEASE_EVENT_STUCK] = { NULL, on_stuck, on_stuck, on_stuck, on_stuck, on_stuck, NULL },
	[LEASE_EVENT_RETRY] = { on_retry, on_retry, on_retry, on_retry, on_retry, on_retry,
				on_retry },
	[LEASE_EVENT_UNPROTECTED] = { NULL, NULL, NULL, NULL, NULL, on_unprotected, NULL },
	[LIFE_RETAIN_UNTIL] = { NULL, NULL, NULL, NULL, NULL, on_retain_until, NULL },
	[LIFE_FOUND] = { NULL, NULL, NULL, on_found, on_found, on_found, on_found },
	[LIFE_FORGOTTEN] = { NULL, NULL, NULL, on_forgotten, on_forgotten, on_forgotten, NULL },
	[LIFE_KEPT_ELSEWHERE] = { NULL, on_kept_elsewhere, on_kept_elsewhere, on_kept_elsewhere,
				  on_kept_elsewhere, on_kept_elsewhere, on_kept_elsewhere },
};

void lifecycle_apply(struct lease *l, int kind, const struct lease_event *event,
		     const struct lease_facts *facts, struct lease_effects *out)
{
	struct life s = { .l = l, .e = event, .f = facts, .out = out };
	/* A new lease has no state yet. */
	handler handle = kind == LEASE_EVENT_BEGIN ? on_begin : table[kind][phase_of(l)];

	if (handle)
		handle(&s);
}
