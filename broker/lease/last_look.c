/* SPDX-License-Identifier: MIT */
/*
 * The last look. A machine that may be ready is not given up unseen: at the deadline its
 * lease gets one more step, and only what that finds ends it. If the provider cannot be
 * asked, the end waits, so that an outage or a rate limit costs no good machine, but not
 * for ever: UNKNOWN_MOST_MS after the deadline, or PAUSED_MOST_MS while the provider wants to
 * be left alone, and never beyond the TTL. A last look begins nothing (lease_is_late in
 * resource_creates.c).
 */
#include "lease/lifecycle_handlers.h"

#include <lessor/provider.h>

/* A step that takes longer than this after the deadline counts as no look. */
#define LOOK_MS (30 * 1000)
#define UNKNOWN_MOST_MS (15 * 60 * 1000)
/* The longest Retry-After that counts is an hour. */
#define PAUSED_MOST_MS (70 * 60 * 1000)

static int64_t time_later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* Can a look still make it active? */
static int is_worth_looking(const struct life *s)
{
	return s->f->awaited && s->f->now_ms < lease_expires_ms(s->l);
}

int last_look_is_open(const struct life *s)
{
	int64_t deadline = lease_deadline_ms(s->l);
	int64_t now = s->f->now_ms;

	if (!is_worth_looking(s) || now >= deadline + PAUSED_MOST_MS)
		return 0;
	if (s->f->running)
		return now - time_later(s->f->running_since_ms, deadline) < LOOK_MS;
	/* A look that is due then, since the provider asked for that, is not anticipated. */
	return now < time_later(deadline + UNKNOWN_MOST_MS, s->l->due_ms + LOOK_MS);
}

/* Did the step begin late enough to be the last look? An adopted server was not looked at yet. */
static int is_last_look(const struct life *s)
{
	const struct lease_verdict *v = &s->e->u.verdict;

	return v->begun_ms >= lease_deadline_ms(s->l) && v->begun_ms > s->f->awaited_ms;
}

/* Did it end without an answer about the machine? */
static int is_unanswered(const struct lease_verdict *v)
{
	return v->verdict == LESSOR_RETRY && !v->is_breach && v->error_class != LESSOR_CLASS_BUG &&
	       !v->absence_ms;
}

void last_look_verdict(struct life *s)
{
	const struct lease_verdict *v = &s->e->u.verdict;
	int64_t deadline = lease_deadline_ms(s->l);
	int64_t most = deadline +
		       (v->error_class == LESSOR_CLASS_RATE ? PAUSED_MOST_MS : UNKNOWN_MOST_MS);
	int64_t now = s->f->now_ms;

	if (!lifecycle_may_end(s))
		return;
	if (!lease_is_late(s->l, now))
		s->l->due_ms = time_earlier(s->l->due_ms, deadline);
	else if (!is_worth_looking(s) || now >= most || (is_last_look(s) && !is_unanswered(v)))
		lifecycle_not_ready(s);
	else if (!is_last_look(s))
		s->l->due_ms = now;
	else
		s->l->due_ms = time_earlier(time_earlier(s->l->due_ms, most),
					    lease_expires_ms(s->l));
}
