/* SPDX-License-Identifier: MIT */
/* Changes of a lease shared by several handlers. */
#include "lease/lifecycle_handlers.h"

#include <stdarg.h>
#include <stdio.h>

#include <lessor/provider.h>

#include "util/text.h"

void lease_note_add(struct lease_effects *out, enum lease_note_log log, const char *kind,
		    const char *fmt, ...)
{
	struct lease_note *n;
	va_list ap;

	if (out->note_count == LEASE_NOTES_MAX)
		return;
	n = &out->notes[out->note_count++];
	n->log = log;
	snprintf(n->kind, sizeof(n->kind), "%s", kind);
	va_start(ap, fmt);
	vsnprintf(n->text, sizeof(n->text), fmt, ap);
	va_end(ap);
}

void lease_goal_change(struct lease *l, const struct lease_facts *facts, struct lease_effects *out)
{
	l->epoch++;
	l->tries = l->breaches = 0;
	l->cursor[0] = l->last_error[0] = l->attention[0] = '\0';
	l->updated_ms = facts->now_ms;
	out->changed = out->goal_changed = 1;
}

int64_t lease_cleanup_due(const struct lease_facts *facts)
{
	return facts->now_ms + (facts->unsure ? INSPECT_PAUSE_MS : 0);
}

int64_t lease_retained_due(const struct lease *l, const struct lease_facts *facts)
{
	int is_attended = l->attention[0] && l->attention_class == LESSOR_CLASS_NONE;

	/*
	 * An unknown create is still looked for, to be recorded. A running step's result
	 * cannot be awaited for ever: the step may die with its process.
	 */
	if (facts->unsure || facts->running)
		return lease_cleanup_due(facts);
	if (facts->unprotected && facts->can_protect)
		return facts->now_ms;
	return is_attended ? 0 : l->retain_until_ms;
}

void lifecycle_end(struct life *s, enum lease_state state, enum lease_end_reason reason)
{
	struct lease *l = s->l;

	l->state = state;
	l->end_reason = reason;
	l->ended_ms = s->f->now_ms;
	lease_goal_change(l, s->f, s->out);
	if (s->f->residue || s->f->running) {
		l->cleanup = CLEANUP_OWED;
		l->cleanup_started_ms = s->f->now_ms;
		l->due_ms = lease_cleanup_due(s->f);
	} else {
		l->cleanup = CLEANUP_DONE;
		l->due_ms = 0;
	}
}

/*
 * Not while the clock is suspect, since what ends now is deleted. Nor while
 * the store may be older than what clients have requested since, unless nothing was created
 * yet.
 */
int lifecycle_may_end(const struct life *s)
{
	if (s->f->is_clock_suspect || s->f->has_lost_sight)
		return 0;
	return !s->f->is_blind || !(s->l->state == LEASE_ACTIVE || s->f->residue || s->f->running);
}

void lifecycle_not_ready(struct life *s)
{
	TEXT_SET(s->l->failure, "the machine was not ready in time");
	lifecycle_end(s, LEASE_FAILED, LEASE_END_DEADLINE);
	lease_note_add(s->out, NOTE_INFO, "lease.failed", "the machine was not ready in time");
}

void lifecycle_cleaned(struct life *s)
{
	struct lease *l = s->l;

	l->cleanup = CLEANUP_DONE;
	l->due_ms = 0;
	l->tries = 0;
	l->cursor[0] = l->last_error[0] = l->attention[0] = '\0';
	l->updated_ms = s->f->now_ms;
	s->out->changed = 1;
	lease_note_add(s->out, NOTE_INFO, "lease.cleaned", "nothing is left at the provider");
}

void lifecycle_attend(struct life *s, uint32_t error_class, const char *reason)
{
	if (!lease_attention_set(s->l, error_class, reason))
		return;
	s->out->changed = 1;
	lease_note_add(s->out, NOTE_WARNING, "lease.attention", "%s", s->l->attention);
}
