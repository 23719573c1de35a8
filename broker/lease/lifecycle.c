/* SPDX-License-Identifier: MIT */
#include "lease/lifecycle.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <lessor/provider.h>

#include "schedule/backoff.h"
#include "util/alloc.h"
#include "util/text.h"

/* A person waits for the machine: come back soon, and never give up on a blip. */
#define PROVISION_BACKOFF_MS 1000
#define PROVISION_BACKOFF_CAP_MS 60000
/* Nobody waits: seconds at first, at most a quarter of an hour. */
#define CLEANUP_BACKOFF_MS 2000
#define CLEANUP_BACKOFF_CAP_MS (15 * 60 * 1000)
/* Something only an operator can change; looked at again in case they did. */
#define ATTENTION_BACKOFF_MS (5 * 60 * 1000)
#define ATTENTION_BACKOFF_CAP_MS (60 * 60 * 1000)
/* Who asks again for the delete of what waits for an operator has it looked at this soon. */
#define ASKED_AGAIN_MS 1000
/* A cleanup that has not ended by then needs an operator ... */
#define OWED_TRIES 10
#define OWED_MS (60 * 60 * 1000)
#define OWED_MICROS 1000000
/* ... and what costs nothing may take longer. */
#define OWED_FREE_MS (24 * 60 * 60 * 1000)
/* So many breaches in a row are no accident. */
#define BREACHES_MOST 8
/* What a provider may ask us to wait between two polls. */
#define PENDING_MOST_MS (5 * 60 * 1000)
/* What a step was refused before a start is tried again this long after it. */
#define START_PAUSE_MS 60000
/* Between two looks for what nobody knows. */
#define LOOK_PAUSE_MS 1000

/* One event of one lease. */
struct life {
	struct lease *l;
	const struct lease_event *e;
	const struct lease_facts *f;
	struct lease_effects *out;
};

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

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
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
	return facts->now_ms + (facts->unsure ? LOOK_PAUSE_MS : 0);
}

int64_t lease_retained_due(const struct lease *l, const struct lease_facts *facts)
{
	int was_told = l->attention[0] && l->attention_class == LESSOR_CLASS_NONE;

	/*
	 * An unknown create is still looked for, to be recorded; and what a step that runs
	 * will say is not awaited for ever: it may die with its process.
	 */
	if (facts->unsure || facts->running)
		return lease_cleanup_due(facts);
	if (facts->unprotected && facts->can_protect)
		return facts->now_ms;
	return was_told ? 0 : l->retain_until_ms;
}

enum lease_op lifecycle_next(const struct lease *l, const struct lease_facts *facts)
{
	if (l->state == LEASE_PROVISIONING)
		return LEASE_OP_PROVISION;
	if (l->retained)
		return facts->unsure ? LEASE_OP_LOOK :
		       facts->unprotected && facts->can_protect ? LEASE_OP_RETAIN : LEASE_OP_NONE;
	if (l->cleanup == CLEANUP_OWED || l->cleanup == CLEANUP_ATTENTION)
		return LEASE_OP_CLEANUP;
	return LEASE_OP_NONE;
}

/* The end of a live lease, whatever the reason. Everything it may have made is now owed. */
static void end(struct life *s, enum lease_state state, const char *reason)
{
	struct lease *l = s->l;

	l->state = state;
	TEXT_SET(l->end_reason, reason);
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

/* Nothing of it is left. */
static void cleaned(struct life *s)
{
	struct lease *l = s->l;

	l->cleanup = CLEANUP_DONE;
	l->due_ms = 0;
	l->tries = 0;
	l->cursor[0] = l->last_error[0] = l->attention[0] = '\0';
	l->updated_ms = s->f->now_ms;
	s->out->changed = 1;
	lease_note_add(s->out, NOTE_INFO, "lease.cleaned", "nothing of it is left at the provider");
}

/* Says so in the timeline if it is news. */
static void attend(struct life *s, uint32_t error_class, const char *reason)
{
	if (!lease_attention_set(s->l, error_class, reason))
		return;
	s->out->changed = 1;
	lease_note_add(s->out, NOTE_WARNING, "lease.attention", "%s", s->l->attention);
}

/* ---- its begin ---------------------------------------------------------------------------- */

static void begin(struct life *s)
{
	struct lease *l = s->l;

	l->state = LEASE_PROVISIONING;
	l->cleanup = CLEANUP_NONE;
	l->epoch = 1;
	l->retained = 0;
	l->created_ms = l->updated_ms = l->touched_ms = s->f->now_ms;
	l->ready_ms = l->ended_ms = l->released_ms = 0;
	l->provision_deadline_ms = s->f->now_ms + earlier(s->e->u.boot_ms, l->ttl_ms);
	l->due_ms = s->f->now_ms;
	l->tries = 0;
	l->is_billed = 1;
	s->out->is_new = s->out->changed = 1;
	lease_note_add(s->out, NOTE_INFO, "lease.created", "accepted for %s, class %s", l->account,
		       l->type_explicit ? l->requested_type : l->class_name);
}

/* ---- time ---------------------------------------------------------------------------------- */

/*
 * May it end because of the time? Not by a clock that is doubted: what ends now is deleted.
 * Nor by a store that may be older than what clients have asked for since; but for what has
 * made nothing yet.
 */
static int may_end(const struct life *s)
{
	if (s->f->clock_doubted)
		return 0;
	return !s->f->is_blind ||
	       !(s->l->state == LEASE_ACTIVE || s->f->residue || s->f->running);
}

static void tick_provisioning(struct life *s)
{
	int64_t deadline = earlier(lease_expires_ms(s->l), s->l->provision_deadline_ms);

	if (!may_end(s) || s->f->now_ms < deadline)
		return;
	TEXT_SET(s->l->failure, "the machine was not ready in time");
	end(s, LEASE_FAILED, "deadline");
	lease_note_add(s->out, NOTE_INFO, "lease.failed", "the machine was not ready in time");
}

static void tick_active(struct life *s)
{
	struct lease *l = s->l;
	int64_t expires = lease_expires_ms(l);

	if (!may_end(s))
		return;
	if (s->f->now_ms < expires) {
		/* Heartbeats move the deadline without writing this row; the due time follows here. */
		s->out->changed |= l->due_ms != expires;
		l->due_ms = expires;
		return;
	}
	end(s, LEASE_EXPIRED, expires == l->created_ms + l->ttl_ms ? "ttl" : "idle");
	lease_note_add(s->out, NOTE_INFO, "lease.expired", "%s", strcmp(l->end_reason, "ttl") == 0 ?
		       "its time is over" : "nobody used it for its idle time");
}

/*
 * What was to be kept until now is still kept: an operator is told, and nothing is deleted.
 * What was looked for may be settled, and the look's result lost with its process.
 */
static void tick_retained(struct life *s)
{
	struct lease *l = s->l;
	int64_t due = lease_retained_due(l, s->f);

	if (!s->f->running && !s->f->residue) {
		cleaned(s);
		return;
	}
	if (lifecycle_next(l, s->f) == LEASE_OP_NONE && !s->f->running && l->due_ms &&
	    l->due_ms != due) {
		l->due_ms = due;
		s->out->changed = 1;
	}
	if (!l->retain_until_ms || s->f->now_ms < l->retain_until_ms || l->attention[0] ||
	    s->f->clock_doubted)
		return;
	attend(s, LESSOR_CLASS_NONE, "the time its owner meant to keep it for is over");
	l->due_ms = lease_retained_due(l, s->f);
}

/*
 * It waits as long as it would have waited by the old clock: not at once, and not for
 * years. Deadlines stay what they are, in wall clock time.
 */
static void shift(struct life *s)
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

static void shift_retained(struct life *s)
{
	/* The end of a retention was named by a person, in words of the wall clock. */
	if (s->l->due_ms != s->l->retain_until_ms)
		shift(s);
}

/* ---- its account --------------------------------------------------------------------------- */

/* In words that its owner may read; more is for those who may run `lessor providers`. */
static void block(struct life *s)
{
	char reason[128];

	if (s->l->attention[0])
		return;
	if (s->f->block != LEASE_BLOCK_MISSING && lifecycle_next(s->l, s->f) == LEASE_OP_NONE)
		return;
	snprintf(reason, sizeof(reason), "account %s %s", s->l->account,
		 s->f->block == LEASE_BLOCK_MISSING ?
		 "is not in the configuration any more; nothing can be done for it" :
		 s->f->block == LEASE_BLOCK_FENCED ? "is fenced and an operator must look" :
						     "is blocked and an operator must look");
	attend(s, LESSOR_CLASS_ACCOUNT, reason);
}

/*
 * A step that was refused is not repeated at each start: fifty crashes in a row would be
 * fifty refusals. But who starts it anew has perhaps mended the credential.
 */
static void unblock_at_start(struct life *s)
{
	int64_t soon = s->f->now_ms + START_PAUSE_MS;

	if (s->l->due_ms <= soon || s->f->running)
		return;
	s->l->due_ms = soon;
	s->out->changed = 1;
}

/* What waited for its account is due at once. */
static void unblock(struct life *s)
{
	struct lease *l = s->l;

	if (!lease_waits_for_account(l))
		return;
	if (s->e->u.is_start && l->tries) {
		unblock_at_start(s);
		return;
	}
	/* What a step refused stays said until a step did better. */
	if (l->cleanup != CLEANUP_ATTENTION)
		l->attention[0] = '\0';
	if (lifecycle_next(l, s->f) != LEASE_OP_NONE && !s->f->running)
		l->due_ms = s->f->now_ms;
	else if (l->retained)
		l->due_ms = lease_retained_due(l, s->f);
	l->tries = 0;
	s->out->changed = 1;
	lease_note_add(s->out, NOTE_INFO, "lease.unblocked", "account %s is proven again", l->account);
}

/* ---- the end of a step ---------------------------------------------------------------------- */

/*
 * When to try again after a failure. No backoff steps over the end of a settling time, but
 * for what the provider asks.
 */
static int64_t retry_due(const struct life *s, int64_t base, int64_t cap)
{
	const struct lease_verdict *v = &s->e->u.verdict;
	const struct lease_facts *f = s->f;
	int64_t due = f->now_ms + backoff_ms(s->l->tries, base, cap, v->wait_ms, f->random);
	int64_t asked = f->now_ms + v->wait_ms;

	if (v->absence_ms <= f->now_ms || v->absence_ms >= due)
		return due;
	return v->absence_ms > asked ? v->absence_ms : asked;
}

static void retry_later(struct life *s, int64_t base, int64_t cap)
{
	s->l->tries++;
	TEXT_SET(s->l->last_error, s->e->u.verdict.reason);
	s->l->due_ms = retry_due(s, base, cap);
}

static void pending(struct life *s)
{
	TEXT_SET(s->l->cursor, s->e->u.verdict.cursor);
	s->l->due_ms = s->f->now_ms + earlier(s->e->u.verdict.wait_ms, PENDING_MOST_MS);
}

static void ready(struct life *s)
{
	const struct lease_verdict *v = &s->e->u.verdict;
	struct lease *l = s->l;

	l->state = LEASE_ACTIVE;
	l->ready_ms = l->updated_ms = l->touched_ms = s->f->now_ms;
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

static void refused(struct life *s)
{
	const struct lease_verdict *v = &s->e->u.verdict;

	TEXT_SET(s->l->failure, v->reason);
	end(s, LEASE_FAILED, error_class_name(v->error_class));
	lease_note_add(s->out, NOTE_INFO, "lease.failed", "%s", v->reason);
}

static int is_stale(const struct life *s)
{
	return s->e->u.verdict.epoch != s->l->epoch;
}

static void verdict_provisioning(struct life *s)
{
	struct lease *l = s->l;

	if (is_stale(s) || s->e->u.verdict.op != LEASE_OP_PROVISION)
		return;
	s->out->changed = 1;
	switch (s->e->u.verdict.verdict) {
	case LESSOR_DONE:
		ready(s);
		return;
	case LESSOR_REFUSED:
		refused(s);
		return;
	case LESSOR_PENDING:
		pending(s);
		l->tries = 0;
		break;
	default:
		retry_later(s, PROVISION_BACKOFF_MS, PROVISION_BACKOFF_CAP_MS);
		lease_note_add(s->out, NOTE_INFO, "provision.retry", "%s", s->e->u.verdict.reason);
		break;
	}
	if (!s->f->clock_doubted)
		l->due_ms = earlier(l->due_ms, l->provision_deadline_ms);
}

/* Has what is owed been owed for too long: by tries, by time, or by money? */
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

/* It goes on by itself, and somebody should know that it does not end. */
static void warn_if_owed_too_long(struct life *s)
{
	const char *last = s->l->last_error;
	char reason[160];

	if (s->l->cleanup == CLEANUP_ATTENTION || !owed_too_long(s))
		return;
	snprintf(reason, sizeof(reason), "its cleanup has not ended in %lld min: %.100s",
		 (long long)((s->f->now_ms - s->l->cleanup_started_ms) / 60000),
		 last[0] ? last : s->e->u.verdict.reason);
	need_operator(s, LESSOR_CLASS_TRANSIENT, reason);
}

/* Breaks in a row; 1 if it has become a case for an operator. */
static int breach(struct life *s)
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
	snprintf(reason, sizeof(reason), "provider %s breaks its contract: %.120s", v->provider,
		 v->reason);
	need_operator(s, LESSOR_CLASS_BUG, reason);
	return 1;
}

static void cleanup_retried(struct life *s)
{
	retry_later(s, CLEANUP_BACKOFF_MS, CLEANUP_BACKOFF_CAP_MS);
	/* The first failure and then each doubling: the timeline tells, it does not flood. */
	if ((s->l->tries & (s->l->tries - 1)) == 0)
		lease_note_add(s->out, NOTE_INFO, "cleanup.retry", "%s", s->e->u.verdict.reason);
	warn_if_owed_too_long(s);
}

static void verdict_owed(struct life *s)
{
	struct lease *l = s->l;

	/* Whatever it says last: nothing is left. */
	if (!s->f->residue) {
		cleaned(s);
		return;
	}
	if (is_stale(s)) {
		/* What it found out is in the ledger already; it decides nothing. */
		l->due_ms = lease_cleanup_due(s->f);
		s->out->changed = 1;
		return;
	}
	if (s->e->u.verdict.op != LEASE_OP_CLEANUP)
		return;
	s->out->changed = 1;
	if (breach(s))
		return;
	switch (s->e->u.verdict.verdict) {
	case LESSOR_PENDING:
		pending(s);
		/* It moves again: whatever stood in its way is gone. */
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

/* What is kept is known: nothing stands in its way. */
static void kept_well(struct life *s)
{
	struct lease *l = s->l;

	if (l->attention_class != LESSOR_CLASS_NONE)
		l->attention[0] = '\0';
	l->tries = 0;
	l->cursor[0] = l->last_error[0] = '\0';
	l->due_ms = lease_retained_due(l, s->f);
}

/* Only an operator can tell what stands in the way of what is kept. */
static void kept_refused(struct life *s)
{
	retry_later(s, ATTENTION_BACKOFF_MS, ATTENTION_BACKOFF_CAP_MS);
	attend(s, s->e->u.verdict.error_class, s->e->u.verdict.reason);
}

/* What is kept is being protected at the provider. */
static void protected_next(struct life *s)
{
	if (!s->f->unprotected) {
		kept_well(s);
		lease_note_add(s->out, NOTE_INFO, "lease.protected",
			       "what it keeps is marked and protected at the provider");
	} else if (s->e->u.verdict.verdict == LESSOR_REFUSED) {
		kept_refused(s);
	} else if (s->e->u.verdict.verdict == LESSOR_PENDING) {
		pending(s);
	} else {
		retry_later(s, CLEANUP_BACKOFF_MS, CLEANUP_BACKOFF_CAP_MS);
		if (s->l->tries == OWED_TRIES)
			attend(s, LESSOR_CLASS_TRANSIENT, s->e->u.verdict.reason);
	}
}

/* What nobody knows is looked for, and what was found is told. */
static void looked(struct life *s)
{
	if (!s->f->unsure)
		kept_well(s);
	else if (s->e->u.verdict.verdict == LESSOR_REFUSED)
		/* Something is there that may be it, and cannot be proven to be. */
		kept_refused(s);
	else
		retry_later(s, CLEANUP_BACKOFF_MS, CLEANUP_BACKOFF_CAP_MS);
}

static void verdict_retained(struct life *s)
{
	enum lease_op op = s->e->u.verdict.op;

	if (!is_stale(s) && op != LEASE_OP_LOOK && op != LEASE_OP_RETAIN)
		return;
	s->out->changed = 1;
	if (!s->f->residue)
		cleaned(s);
	else if (is_stale(s))
		s->l->due_ms = lease_retained_due(s->l, s->f);
	else if (breach(s))
		return;
	else if (op == LEASE_OP_RETAIN)
		protected_next(s);
	else
		looked(s);
}

/* ---- what clients ask for ------------------------------------------------------------------- */

/* A no-delete release: from its commit on nothing of this lease is deleted. */
static void retain(struct life *s)
{
	struct lease *l = s->l;

	l->retained = 1;
	l->cleanup = CLEANUP_RETAINED;
	l->retain_until_ms = 0;
	l->retain_reason[0] = '\0';
	/* Its rows become retained now, and none of them is protected yet. */
	l->due_ms = s->f->can_protect ? s->f->now_ms : lease_retained_due(l, s->f);
	s->out->retain_rows = 1;
	s->out->raise_generation = 1;
	lease_note_add(s->out, NOTE_INFO, "lease.retained",
		       "released without deleting: what it made is kept until an explicit delete");
}

static int wants_delete(const struct life *s)
{
	if (s->e->u.release.delete_machine >= 0)
		return s->e->u.release.delete_machine;
	return s->l->retained ? 0 : !s->l->keep;
}

/* What may be going already cannot be kept; and of an ended lease only its machine is worth it. */
static int is_too_late_to_keep(struct life *s)
{
	if (wants_delete(s))
		return 0;
	if (s->f->deleting)
		s->out->refusal = LEASE_REFUSAL_CLEANUP_RUNS;
	else if (!lease_is_live(s->l) && !s->l->retained && s->f->residue && s->f->server_gone)
		s->out->refusal = LEASE_REFUSAL_MACHINE_GONE;
	return s->out->refusal != LEASE_REFUSAL_NONE;
}

static void release_live(struct life *s)
{
	int is_cancel = s->e->u.release.is_cancel;
	int keep = !wants_delete(s);

	if (is_too_late_to_keep(s))
		return;
	end(s, LEASE_RELEASED, is_cancel ? "canceled" : "released");
	s->l->released_ms = s->f->now_ms;
	lease_note_add(s->out, NOTE_INFO, is_cancel ? "lease.canceled" : "lease.released", "%s",
		       is_cancel ? "its creation was cancelled" : "released by its owner");
	if (keep && s->l->cleanup == CLEANUP_OWED)
		retain(s);
}

/* When a client first released it, though it had ended otherwise. */
static void note_release(struct life *s)
{
	if (s->l->released_ms)
		return;
	s->l->released_ms = s->f->now_ms;
	s->out->changed = 1;
}

static void release_owed(struct life *s)
{
	struct lease *l = s->l;

	if (is_too_late_to_keep(s))
		return;
	note_release(s);
	if (!wants_delete(s)) {
		lease_goal_change(l, s->f, s->out);
		retain(s);
	} else if (l->cleanup == CLEANUP_ATTENTION && s->e->u.release.delete_machine == 1) {
		/* However often it is asked for. */
		l->due_ms = earlier(l->due_ms, s->f->now_ms + ASKED_AGAIN_MS);
		s->out->changed = 1;
	}
}

static void release_retained(struct life *s)
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

static void release_done(struct life *s)
{
	if (!is_too_late_to_keep(s))
		note_release(s);
}

/* Only what is said anew: a plain repetition changes nothing. */
static void retain_until(struct life *s)
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
	lease_note_add(s->out, NOTE_INFO, "lease.retain-until", "%s%s%s", until_ms ?
		       "an end was named" : "no end was named", l->retain_reason[0] ? ": " : "",
		       l->retain_reason);
}

static void touch(struct life *s)
{
	struct lease *l = s->l;
	int64_t idle_ms = s->e->u.idle_ms;

	/* What does not end by itself now is still alive. */
	if (s->f->now_ms >= lease_expires_ms(l) && !s->f->clock_doubted && !s->f->is_blind) {
		s->out->refusal = LEASE_REFUSAL_EXPIRED;
		return;
	}
	if (s->f->now_ms > l->touched_ms)
		l->touched_ms = s->f->now_ms;
	if (!idle_ms || idle_ms == l->idle_ms)
		return;
	l->idle_ms = idle_ms;
	l->updated_ms = s->f->now_ms;
	/* A shorter idle time may end it before the due time that is set. */
	if (l->state == LEASE_ACTIVE)
		l->due_ms = lease_expires_ms(l);
	s->out->changed = 1;
}

static void touch_ended(struct life *s)
{
	s->out->refusal = LEASE_REFUSAL_ENDED;
}

/* ---- what operators decide, and what turns up ------------------------------------------------ */

static void retry_now(struct life *s)
{
	if (lifecycle_next(s->l, s->f) == LEASE_OP_NONE) {
		s->out->refusal = LEASE_REFUSAL_NOTHING_TO_RETRY;
		return;
	}
	s->l->due_ms = s->f->now_ms;
	s->l->tries = 0;
	s->out->changed = 1;
}

static void forgotten(struct life *s)
{
	struct lease *l = s->l;

	lease_goal_change(l, s->f, s->out);
	if (!s->f->residue && !s->f->running) {
		l->cleanup = CLEANUP_DONE;
		l->due_ms = 0;
		lease_note_add(s->out, NOTE_INFO, "lease.forgotten",
			       "nothing that is left of it is ours any more");
	} else if (l->retained) {
		l->due_ms = lease_retained_due(l, s->f);
	} else {
		l->cleanup = CLEANUP_OWED;
		l->due_ms = s->f->now_ms;
	}
}

static void found(struct life *s)
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

static void kept_elsewhere(struct life *s)
{
	struct lease *l = s->l;

	lease_goal_change(l, s->f, s->out);
	if (lease_is_live(l)) {
		l->state = LEASE_RELEASED;
		l->ended_ms = s->f->now_ms;
		TEXT_SET(l->end_reason, "released");
	}
	l->retained = 1;
	l->cleanup = CLEANUP_RETAINED;
	l->retain_until_ms = 0;
	l->retain_reason[0] = '\0';
	s->out->retain_rows = 1;
	/* Until its owner says what becomes of it; that it is protected settles nothing. */
	attend(s, LESSOR_CLASS_NONE,
	       "it was released without deleting, and this store did not know of it");
	l->due_ms = s->f->now_ms + LOOK_PAUSE_MS;
}

static void unprotected(struct life *s)
{
	s->l->due_ms = s->f->now_ms;
	s->out->changed = 1;
	lease_note_add(s->out, NOTE_INFO, "lease.unprotected",
		       "what it keeps is not known to be protected at the provider any more");
}

/* ---- the table ------------------------------------------------------------------------------- */

enum phase { PROVISIONING, ACTIVE, OWED, ATTENTION, RETAINED, DONE, PHASE_COUNT };

static enum phase phase_of(const struct lease *l)
{
	if (l->state == LEASE_PROVISIONING)
		return PROVISIONING;
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

/* Nothing happens where there is nothing in the table. */
static const handler table[LIFE_EVENT_COUNT][PHASE_COUNT] = {
	/* event                    provisioning  active        owed          attention     retained      done */
	[LEASE_EVENT_RELEASE] =	    { release_live, release_live, release_owed, release_owed, release_retained, release_done },
	[LEASE_EVENT_HEARTBEAT] =   { touch,	  touch,	touch_ended,  touch_ended,  touch_ended,  touch_ended },
	[LEASE_EVENT_TICK] =	    { tick_provisioning, tick_active, NULL,   NULL,	    tick_retained, NULL },
	[LEASE_EVENT_BLOCKED] =	    { block,	  block,	block,	      block,	    block,	  NULL },
	[LEASE_EVENT_UNBLOCKED] =   { unblock,	  unblock,	unblock,      unblock,	    unblock,	  NULL },
	[LEASE_EVENT_CLOCK_SET] =   { shift,	  NULL,		shift,	      shift,	    shift_retained, NULL },
	[LEASE_EVENT_VERDICT] =	    { verdict_provisioning, NULL, verdict_owed, verdict_owed, verdict_retained, NULL },
	[LEASE_EVENT_RETRY] =	    { retry_now,  retry_now,	retry_now,    retry_now,    retry_now,	  retry_now },
	[LEASE_EVENT_UNPROTECTED] = { NULL,	  NULL,		NULL,	      NULL,	    unprotected,  NULL },
	[LIFE_RETAIN_UNTIL] =	    { NULL,	  NULL,		NULL,	      NULL,	    retain_until, NULL },
	[LIFE_FOUND] =		    { NULL,	  NULL,		found,	      found,	    found,	  found },
	[LIFE_FORGOTTEN] =	    { NULL,	  NULL,		forgotten,    forgotten,    forgotten,	  NULL },
	[LIFE_KEPT_ELSEWHERE] =	    { kept_elsewhere, kept_elsewhere, kept_elsewhere, kept_elsewhere, kept_elsewhere, kept_elsewhere },
};

void lifecycle_apply(struct lease *l, int kind, const struct lease_event *event,
		     const struct lease_facts *facts, struct lease_effects *out)
{
	struct life s = { .l = l, .e = event, .f = facts, .out = out };
	/* A new lease has no state yet, whatever its memory holds. */
	handler handle = kind == LEASE_EVENT_BEGIN ? begin : table[kind][phase_of(l)];

	if (handle)
		handle(&s);
}
