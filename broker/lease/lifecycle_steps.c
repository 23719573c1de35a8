/* SPDX-License-Identifier: MIT */
/* The effect of a step's verdict on its lease. */
#include "lease/lifecycle_handlers.h"

#include <stdio.h>
#include <string.h>

#include <lessor/provider.h>

#include "schedule/backoff.h"
#include "util/text.h"

/* A client is waiting: retry soon, and never fail because of a short outage. */
#define PROVISION_BACKOFF_MS 1000
#define PROVISION_BACKOFF_CAP_MS 60000
/* Background retries: from seconds up to 15 minutes. */
#define CLEANUP_BACKOFF_MS 2000
#define CLEANUP_BACKOFF_CAP_MS (15 * 60 * 1000)
/* Operator action is needed; retried in case it was taken. */
#define ATTENTION_BACKOFF_MS (5 * 60 * 1000)
#define ATTENTION_BACKOFF_CAP_MS (60 * 60 * 1000)
/* A cleanup that has not completed by then is put in attention ... */
#define OWED_TRIES 10
#define OWED_MS (60 * 60 * 1000)
#define OWED_MICROS 1000000
/* ... and later if only free resources are left. */
#define OWED_FREE_MS (24 * 60 * 60 * 1000)
/* So many consecutive contract violations are not accidental. */
#define BREACHES_MOST 8
/* The longest wait that a plugin may request between two polls. */
#define PENDING_MOST_MS (5 * 60 * 1000)

/*
 * The only place where the time of a lease's next step is made from a verdict. It is not later
 * than what the lease waits for: the next observation of absence that counts, a deadline
 * (last_look.c), the end of a pause that the provider asked for.
 */
static int64_t next_due(const struct life *s, int64_t base, int64_t cap)
{
	const struct lease_verdict *v = &s->e->u.verdict;
	struct next_try next = {
		.now_ms = s->f->now_ms,
		.tries = s->l->tries,
		.base_ms = base,
		.cap_ms = cap,
		.asked_ms = v->wait_ms,
		.is_asked_exact = v->error_class == LESSOR_CLASS_RATE,
		.ends_ms = { v->absence_ms, s->f->settles_ms },
		.random = s->f->random,
	};

	return next_try_ms(&next);
}

static void retry_later(struct life *s, int64_t base, int64_t cap)
{
	struct lease *l = s->l;

	/* A rate limit is no failure of this lease: it does not lead to attention. */
	if (s->e->u.verdict.error_class != LESSOR_CLASS_RATE || l->tries + 1 < OWED_TRIES)
		l->tries++;
	TEXT_SET(l->last_error, s->e->u.verdict.reason);
	l->due_ms = next_due(s, base, cap);
	/* The settling time is over then: what fails after it is retried from the start. */
	if (l->due_ms == s->f->settles_ms)
		l->tries = 1;
}

static void verdict_pending(struct life *s)
{
	int64_t wait_ms = time_earlier(s->e->u.verdict.wait_ms, PENDING_MOST_MS);

	TEXT_SET(s->l->cursor, s->e->u.verdict.cursor);
	s->l->due_ms = s->f->now_ms + wait_ms;
	if (s->f->settles_ms && s->f->settles_ms < s->l->due_ms)
		s->l->due_ms = s->f->settles_ms;
}

static void verdict_ready(struct life *s)
{
	const struct lease_verdict *v = &s->e->u.verdict;
	struct lease *l = s->l;

	l->state = LEASE_ACTIVE;
	l->ready_ms = l->updated_ms = l->touched_ms = s->f->now_ms;
	l->idle_credit_ms = 0;
	TEXT_SET(l->host, v->host);
	TEXT_SET(l->server_id, v->server_id);
	TEXT_SET(l->server_name, v->server_name);
	TEXT_SET(l->server_type, v->server_type);
	TEXT_SET(l->server_location, v->location);
	if (v->price_hour_micros) {
		l->price_hour_micros = v->price_hour_micros;
		TEXT_SET(l->currency, v->currency);
	}
	l->cursor[0] = l->last_error[0] = '\0';
	l->tries = 0;
	l->due_ms = lease_expires_ms(l);
	lease_note_add(s->out, NOTE_INFO, "lease.ready", "%s in %s at %s", l->server_type,
		       l->server_location, l->host);
}

static void verdict_refused(struct life *s)
{
	const struct lease_verdict *v = &s->e->u.verdict;

	TEXT_SET(s->l->failure, v->reason);
	lifecycle_end(s, LEASE_FAILED, lease_end_of_class(v->error_class));
	lease_note_add(s->out, NOTE_INFO, "lease.failed", "%s", v->reason);
}

static int is_stale(const struct life *s)
{
	return s->e->u.verdict.epoch != s->l->epoch;
}

void on_verdict_provisioning(struct life *s)
{
	struct lease *l = s->l;

	if (is_stale(s) || s->e->u.verdict.op != LEASE_OP_PROVISION)
		return;
	s->out->changed = 1;
	switch (s->e->u.verdict.verdict) {
	case LESSOR_DONE:
		verdict_ready(s);
		return;
	case LESSOR_REFUSED:
		verdict_refused(s);
		return;
	case LESSOR_PENDING:
		verdict_pending(s);
		l->tries = 0;
		break;
	default:
		retry_later(s, PROVISION_BACKOFF_MS, PROVISION_BACKOFF_CAP_MS);
		lease_note_add(s->out, NOTE_INFO, "provision.retry", "%s", s->e->u.verdict.reason);
		break;
	}
	last_look_verdict(s);
}

/* Has the cleanup taken too long, by tries, time or cost? */
static int owed_too_long(const struct life *s)
{
	int64_t owed_ms = s->f->now_ms - s->l->cleanup_started_ms;

	if (!s->f->billed)
		return owed_ms >= OWED_FREE_MS;
	return s->l->tries >= OWED_TRIES || owed_ms >= OWED_MS ||
	       s->l->price_hour_micros / 1000 * (owed_ms / 1000) / 3600 >= OWED_MICROS / 1000;
}

static void need_operator(struct life *s, uint32_t error_class, const char *reason)
{
	int is_news = lease_attention_set(s->l, error_class, reason);

	if (s->l->cleanup == CLEANUP_OWED) {
		s->l->cleanup = CLEANUP_ATTENTION;
		is_news = 1;
	}
	if (is_news)
		lease_note_add(s->out, NOTE_WARNING, "lease.attention", "%s", s->l->attention);
}

/* The cleanup continues by itself, but an operator should know that it does not complete. */
static void warn_if_owed_too_long(struct life *s)
{
	const char *last = s->l->last_error;
	char reason[160];

	if (s->l->cleanup == CLEANUP_ATTENTION || !owed_too_long(s))
		return;
	snprintf(reason, sizeof(reason), "cleanup not complete after %lld min: %.100s",
		 (long long)((s->f->now_ms - s->l->cleanup_started_ms) / 60000),
		 last[0] ? last : s->e->u.verdict.reason);
	need_operator(s, LESSOR_CLASS_TRANSIENT, reason);
}

/* Counts consecutive violations; 1 if operator action is needed. */
static int breach_count(struct life *s)
{
	const struct lease_verdict *v = &s->e->u.verdict;
	char reason[200];

	if (!v->is_breach) {
		s->l->breaches = 0;
		return 0;
	}
	if (++s->l->breaches < BREACHES_MOST)
		return 0;
	retry_later(s, ATTENTION_BACKOFF_MS, ATTENTION_BACKOFF_CAP_MS);
	snprintf(reason, sizeof(reason), "provider %s violates its contract: %.120s", v->provider,
		 v->reason);
	need_operator(s, LESSOR_CLASS_BUG, reason);
	return 1;
}

static void cleanup_retried(struct life *s)
{
	retry_later(s, CLEANUP_BACKOFF_MS, CLEANUP_BACKOFF_CAP_MS);
	/* Records the first failure and then each doubling, to keep the timeline short. */
	if ((s->l->tries & (s->l->tries - 1)) == 0)
		lease_note_add(s->out, NOTE_INFO, "cleanup.retry", "%s", s->e->u.verdict.reason);
	warn_if_owed_too_long(s);
}

void on_verdict_owed(struct life *s)
{
	struct lease *l = s->l;

	/* Whatever the verdict, nothing is left. */
	if (!s->f->residue) {
		lifecycle_cleaned(s);
		return;
	}
	if (is_stale(s)) {
		/* Its findings are in the ledger already; a stale step decides nothing. */
		l->due_ms = lease_cleanup_due(s->f);
		s->out->changed = 1;
		return;
	}
	if (s->e->u.verdict.op != LEASE_OP_CLEANUP)
		return;
	s->out->changed = 1;
	if (breach_count(s))
		return;
	switch (s->e->u.verdict.verdict) {
	case LESSOR_PENDING:
		verdict_pending(s);
		/* Progress: the obstacle is gone. */
		if (!owed_too_long(s)) {
			l->cleanup = CLEANUP_OWED;
			l->attention[0] = '\0';
		}
		warn_if_owed_too_long(s);
		break;
	case LESSOR_REFUSED:
		retry_later(s, ATTENTION_BACKOFF_MS, ATTENTION_BACKOFF_CAP_MS);
		need_operator(s, s->e->u.verdict.error_class, s->e->u.verdict.reason);
		break;
	default:
		cleanup_retried(s);
		break;
	}
}

/* Everything retained is known and protected as far as possible. */
static void kept_well(struct life *s)
{
	struct lease *l = s->l;

	if (l->attention_class != LESSOR_CLASS_NONE)
		l->attention[0] = '\0';
	l->tries = 0;
	l->cursor[0] = l->last_error[0] = '\0';
	l->due_ms = lease_retained_due(l, s->f);
}

/* Operator action is needed to go on. */
static void kept_refused(struct life *s)
{
	retry_later(s, ATTENTION_BACKOFF_MS, ATTENTION_BACKOFF_CAP_MS);
	lifecycle_attend(s, s->e->u.verdict.error_class, s->e->u.verdict.reason);
}

/* A RETAIN step: labels and protects the retained resources. */
static void protected_next(struct life *s)
{
	if (!s->f->unprotected) {
		kept_well(s);
		lease_note_add(s->out, NOTE_INFO, "lease.protected",
			       "its resources are labelled and protected at the provider");
	} else if (s->e->u.verdict.verdict == LESSOR_REFUSED) {
		kept_refused(s);
	} else if (s->e->u.verdict.verdict == LESSOR_PENDING) {
		verdict_pending(s);
	} else {
		retry_later(s, CLEANUP_BACKOFF_MS, CLEANUP_BACKOFF_CAP_MS);
		if (s->l->tries == OWED_TRIES)
			lifecycle_attend(s, LESSOR_CLASS_TRANSIENT, s->e->u.verdict.reason);
	}
}

/* An INSPECT step: looks for unknown resources. */
static void verdict_inspected(struct life *s)
{
	if (!s->f->unsure)
		kept_well(s);
	else if (s->e->u.verdict.verdict == LESSOR_REFUSED)
		/*
		 * Something that may be the resource exists, but its ownership cannot be
		 * verified.
		 */
		kept_refused(s);
	else
		retry_later(s, CLEANUP_BACKOFF_MS, CLEANUP_BACKOFF_CAP_MS);
}

void on_verdict_retained(struct life *s)
{
	enum lease_op op = s->e->u.verdict.op;

	if (!is_stale(s) && op != LEASE_OP_INSPECT && op != LEASE_OP_RETAIN)
		return;
	s->out->changed = 1;
	if (!s->f->residue)
		lifecycle_cleaned(s);
	else if (is_stale(s))
		s->l->due_ms = lease_retained_due(s->l, s->f);
	else if (breach_count(s))
		return;
	else if (op == LEASE_OP_RETAIN)
		protected_next(s);
	else
		verdict_inspected(s);
}
