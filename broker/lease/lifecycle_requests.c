/* SPDX-License-Identifier: MIT */
/* Releases, heartbeats and extensions. */
#include "lease/lifecycle_handlers.h"

#include <string.h>

#include <lessor/provider.h>

#include "util/duration.h"
#include "util/text.h"
#include "util/time.h"

/* A repeated delete request for a lease in attention retries it after this long. */
#define ASKED_AGAIN_MS 1000

/* A no-delete release: from its commit on, no delete of this lease starts. */
static void lifecycle_retain(struct life *s)
{
	struct lease *l = s->l;

	l->retained = 1;
	l->cleanup = CLEANUP_RETAINED;
	l->retain_until_ms = 0;
	l->retain_reason[0] = '\0';
	/* Its rows become retained now; none is protected yet. */
	l->due_ms = s->f->can_protect ? s->f->now_ms : lease_retained_due(l, s->f);
	s->out->retain_rows = 1;
	s->out->raise_generation = 1;
	lease_note_add(s->out, NOTE_INFO, "lease.retained",
		       "released with delete: false; its resources are kept until an explicit delete");
}

static int wants_delete(const struct life *s)
{
	if (s->e->u.release.delete_machine >= 0)
		return s->e->u.release.delete_machine;
	return s->l->retained ? 0 : !s->l->keep;
}

/* The rows may be over while the step that reported it still runs. */
static int may_be_left(const struct life *s)
{
	return s->f->residue || s->f->running;
}

/*
 * A delete in progress cannot be kept from completing; of an ended lease, only the machine
 * is worth keeping.
 */
static int is_too_late_to_keep(struct life *s)
{
	if (wants_delete(s))
		return 0;
	if (s->f->deleting || (may_be_left(s) && s->f->now_ms < s->f->presumed_until_ms))
		s->out->refusal = LEASE_REFUSAL_CLEANUP_RUNS;
	else if (!lease_is_live(s->l) && !s->l->retained && may_be_left(s) && s->f->server_gone)
		s->out->refusal = LEASE_REFUSAL_MACHINE_GONE;
	return s->out->refusal != LEASE_REFUSAL_NONE;
}

void on_release_live(struct life *s)
{
	int is_cancel = s->e->u.release.is_cancel;
	int keep = !wants_delete(s);

	if (is_too_late_to_keep(s))
		return;
	lifecycle_end(s, LEASE_RELEASED, is_cancel ? LEASE_END_CANCELED : LEASE_END_RELEASED);
	s->l->released_ms = s->f->now_ms;
	lease_note_add(s->out, NOTE_INFO, is_cancel ? "lease.canceled" : "lease.released", "%s",
		       is_cancel ? "its create was cancelled" : "released by its owner");
	if (keep && s->l->cleanup == CLEANUP_OWED)
		lifecycle_retain(s);
}

/* Records the first release by a client, even after another end. */
static void note_release(struct life *s)
{
	if (s->l->released_ms)
		return;
	s->l->released_ms = s->f->now_ms;
	s->out->changed = 1;
}

void on_release_owed(struct life *s)
{
	struct lease *l = s->l;

	if (is_too_late_to_keep(s))
		return;
	note_release(s);
	if (!wants_delete(s) && !may_be_left(s)) {
		/* The result of the step that found nothing left was lost with its process. */
		lifecycle_cleaned(s);
	} else if (!wants_delete(s)) {
		lease_goal_change(l, s->f, s->out);
		lifecycle_retain(s);
	} else if (l->cleanup == CLEANUP_ATTENTION && s->e->u.release.delete_machine == 1) {
		/* However often the client repeats it. */
		l->due_ms = time_earlier(l->due_ms, s->f->now_ms + ASKED_AGAIN_MS);
		s->out->changed = 1;
	}
}

void on_release_retained(struct life *s)
{
	struct lease *l = s->l;

	if (is_too_late_to_keep(s))
		return;
	note_release(s);
	if (s->e->u.release.delete_machine != 1)
		return;
	lease_goal_change(l, s->f, s->out);
	l->retained = 0;
	l->cleanup = CLEANUP_OWED;
	l->cleanup_started_ms = s->f->now_ms;
	l->due_ms = lease_cleanup_due(s->f);
	s->out->unretain_rows = 1;
	lease_note_add(s->out, NOTE_INFO, "lease.delete", "an explicit delete ends the retention");
}

void on_release_done(struct life *s)
{
	if (!is_too_late_to_keep(s))
		note_release(s);
}

/* Applies only new values: a plain repetition changes nothing. */
void on_retain_until(struct life *s)
{
	const struct lease_release *r = &s->e->u.release;
	struct lease *l = s->l;
	int64_t until_ms = r->until_ms ? r->until_ms : l->retain_until_ms;
	const char *reason = r->reason && r->reason[0] ? r->reason : l->retain_reason;

	if (!l->retained || (until_ms == l->retain_until_ms && strcmp(reason, l->retain_reason) == 0))
		return;
	l->retain_until_ms = until_ms;
	if (reason != l->retain_reason)
		TEXT_SET(l->retain_reason, reason);
	if (l->attention[0] && l->attention_class == LESSOR_CLASS_NONE)
		l->attention[0] = '\0';
	l->due_ms = lease_retained_due(l, s->f);
	l->updated_ms = s->f->now_ms;
	s->out->changed = 1;
	lease_note_add(s->out, NOTE_INFO, "lease.retain-until", "%s%s%s",
		       until_ms ? "retained until a set time" : "retained without an end",
		       l->retain_reason[0] ? ": " : "", l->retain_reason);
}

/* A lease that time may not end now is still live. */
static int is_expired(const struct life *s)
{
	return s->f->now_ms >= lease_expires_ms(s->l) && !s->f->is_clock_suspect &&
	       !s->f->has_lost_sight && !s->f->is_blind;
}

void on_touch(struct life *s)
{
	struct lease *l = s->l;
	int64_t idle_ms = s->e->u.idle_ms;

	if (is_expired(s)) {
		s->out->refusal = LEASE_REFUSAL_EXPIRED;
		return;
	}
	if (s->f->now_ms > l->touched_ms)
		l->touched_ms = s->f->now_ms;
	if (l->idle_credit_ms) {
		l->idle_credit_ms = 0;
		s->out->changed = 1;
	}
	if (!idle_ms || idle_ms == l->idle_ms)
		return;
	l->idle_ms = idle_ms;
	l->updated_ms = s->f->now_ms;
	/* A shorter idle timeout may end it before the current due time. */
	if (l->state == LEASE_ACTIVE || lease_is_queued(l))
		l->due_ms = lease_expires_ms(l);
	s->out->changed = 1;
}

void on_touch_ended(struct life *s)
{
	s->out->refusal = LEASE_REFUSAL_ENDED;
}

/* Never shortens. The epoch stays: a running step has the same goal. */
void on_extend(struct life *s)
{
	const struct lease_extension *to = &s->e->u.extension;
	struct lease *l = s->l;
	int64_t ttl_ms = to->ttl_ms > l->ttl_ms ? to->ttl_ms : l->ttl_ms;
	/* Without an idle timeout there is nothing to extend. */
	int64_t idle_ms = l->idle_ms && to->idle_ms > l->idle_ms ? to->idle_ms : l->idle_ms;
	int is_later = ttl_ms != l->ttl_ms;
	char text[DURATION_TEXT_SIZE];
	struct lease by_ttl;

	if (is_expired(s)) {
		s->out->refusal = LEASE_REFUSAL_EXPIRED;
		return;
	}
	if (!is_later && idle_ms == l->idle_ms)
		return;
	l->ttl_ms = ttl_ms;
	l->idle_ms = idle_ms;
	if (is_later && lease_is_queued(l)) {
		duration_format(ttl_ms, text);
		lease_note_add(s->out, NOTE_INFO, "lease.extended",
			       "extended to %s from its admission", text);
	} else if (is_later) {
		by_ttl = *l;
		by_ttl.idle_ms = 0;
		time_format(lease_expires_ms(&by_ttl), text);
		lease_note_add(s->out, NOTE_INFO, "lease.extended", "extended to %s", text);
	}
	l->updated_ms = s->f->now_ms;
	if (l->state == LEASE_ACTIVE || lease_is_queued(l))
		l->due_ms = lease_expires_ms(l);
	s->out->changed = 1;
}
