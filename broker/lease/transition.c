/* SPDX-License-Identifier: MIT */
#include "lease/transition.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <lessor/provider.h>

#include "lease/ledger.h"
#include "schedule/backoff.h"
#include "util/defect.h"
#include "util/text.h"

/* A person waits for the machine: come back soon, and never give up on a blip. */
#define PROVISION_BACKOFF_MS 1000
#define PROVISION_BACKOFF_CAP_MS 60000
/* Nobody waits: seconds at first, at most a quarter of an hour. */
#define CLEANUP_BACKOFF_MS 2000
#define CLEANUP_BACKOFF_CAP_MS (15 * 60 * 1000)
/* Something only a person can change; looked at again in case they did. */
#define ATTENTION_BACKOFF_MS (5 * 60 * 1000)
#define ATTENTION_BACKOFF_CAP_MS (60 * 60 * 1000)
/* Who asks again for the delete of what waits for a person has it looked at this soon. */
#define ASKED_AGAIN_MS 1000
/* A cleanup that has not come to its end by then needs an operator ... */
#define OWED_TRIES 10
#define OWED_MS (60 * 60 * 1000)
#define OWED_MICROS 1000000
/* ... and what costs nothing may take longer. */
#define OWED_FREE_MS (24 * 60 * 60 * 1000)
/* So many breaches in a row are no accident. */
#define BREACHES_MOST 8
/* What a provider may ask us to wait between two polls. */
#define PENDING_MOST_MS (5 * 60 * 1000)

void lease_note_add(struct lease_outcome *out, const char *kind, const char *fmt, ...)
{
	struct lease_note *n;
	va_list ap;

	if (out->note_count == LEASE_NOTES_MAX)
		return;
	n = &out->notes[out->note_count++];
	snprintf(n->kind, sizeof(n->kind), "%s", kind);
	va_start(ap, fmt);
	vsnprintf(n->text, sizeof(n->text), fmt, ap);
	va_end(ap);
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

void lease_begin(struct lease *l, int64_t now_ms, int64_t boot_ms, struct lease_outcome *out)
{
	l->state = LEASE_PROVISIONING;
	l->cleanup = CLEANUP_NONE;
	l->epoch = 1;
	l->retained = 0;
	l->created_ms = l->updated_ms = l->touched_ms = now_ms;
	l->ready_ms = l->ended_ms = l->released_ms = 0;
	l->provision_deadline_ms = now_ms + earlier(boot_ms, l->ttl_ms);
	l->due_ms = now_ms;
	l->tries = 0;
	l->is_billed = 1;
	out->changed = 1;
	lease_note_add(out, "lease.created", "accepted for %s, class %s", l->account,
	     l->type_explicit ? l->requested_type : l->class_name);
}

enum lease_op lease_next(const struct lease *l, const struct lease_facts *facts)
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
static void end(struct lease *l, enum lease_state state, const char *reason,
		const struct lease_facts *facts, struct lease_outcome *out)
{
	l->state = state;
	TEXT_SET(l->end_reason, reason);
	l->ended_ms = facts->now_ms;
	lease_goal_change(l, facts, out);
	if (facts->residue || facts->running) {
		l->cleanup = CLEANUP_OWED;
		l->cleanup_started_ms = facts->now_ms;
		l->due_ms = lease_cleanup_due(facts);
	} else {
		l->cleanup = CLEANUP_DONE;
		l->due_ms = 0;
	}
}

/* Nothing of it is left. */
static void cleaned(struct lease *l, const struct lease_facts *facts, struct lease_outcome *out)
{
	l->cleanup = CLEANUP_DONE;
	l->due_ms = 0;
	l->tries = 0;
	l->cursor[0] = l->last_error[0] = l->attention[0] = '\0';
	l->updated_ms = facts->now_ms;
	out->changed = 1;
	lease_note_add(out, "lease.cleaned", "nothing of it is left at the provider");
}

/*
 * What was to be kept until now is still kept: a person is told, and nothing is deleted.
 * What was looked for may be settled, and the look's result lost with its process.
 */
static void retained_tick(struct lease *l, const struct lease_facts *facts,
			  struct lease_outcome *out)
{
	int64_t due = lease_retained_due(l, facts);

	if (!facts->running && !facts->residue && l->cleanup != CLEANUP_DONE) {
		cleaned(l, facts, out);
		return;
	}
	if (lease_next(l, facts) == LEASE_OP_NONE && !facts->running && l->due_ms &&
	    l->due_ms != due) {
		l->due_ms = due;
		out->changed = 1;
	}
	if (!l->retain_until_ms || facts->now_ms < l->retain_until_ms || l->attention[0] ||
	    l->cleanup != CLEANUP_RETAINED || facts->clock_doubted)
		return;
	lease_attention_set(l, LESSOR_CLASS_NONE, "the time its owner meant to keep it for is over");
	l->due_ms = lease_retained_due(l, facts);
	out->changed = 1;
	lease_note_add(out, "lease.attention", "%s", l->attention);
}

void lease_tick(struct lease *l, const struct lease_facts *facts, struct lease_outcome *out)
{
	int64_t expires = lease_expires_ms(l);

	if (DEFECT(16) && l->retained && facts->now_ms >= expires)	/* its end is its end */
		lease_release(l, 1, 0, facts, out);
	if (l->retained) {
		retained_tick(l, facts, out);
		return;
	}
	/* Not by a clock that is doubted: what ends now is deleted. */
	if (facts->clock_doubted && !DEFECT(26))	/* 26: what the clock says is the time */
		return;
	/*
	 * Nor by a store that may be older than what clients have asked for since; but for what
	 * has made nothing yet.
	 */
	if (facts->is_blind && (l->state == LEASE_ACTIVE || facts->residue || facts->running))
		return;
	if (l->state == LEASE_PROVISIONING) {
		if (facts->now_ms < earlier(expires, l->provision_deadline_ms))
			return;
		TEXT_SET(l->failure, "the machine was not ready in time");
		end(l, LEASE_FAILED, "deadline", facts, out);
		lease_note_add(out, "lease.failed", "the machine was not ready in time");
		return;
	}
	if (l->state == LEASE_ACTIVE) {
		if (facts->now_ms < expires) {
			/* Heartbeats move the deadline without writing this row; the due time follows here. */
			if (l->due_ms != expires) {
				l->due_ms = expires;
				out->changed = 1;
			}
			return;
		}
		end(l, LEASE_EXPIRED, expires == l->created_ms + l->ttl_ms ? "ttl" : "idle",
		    facts, out);
		lease_note_add(out, "lease.expired", "%s", strcmp(l->end_reason, "ttl") == 0 ?
		     "its time is over" : "nobody used it for its idle time");
	}
}

/*
 * When to try again after a failure. No backoff steps over the end of a settling time, but
 * for what the provider asks.
 */
static int64_t retry_due(const struct lease *l, const struct lease_verdict *v, int64_t base,
			 int64_t cap, const struct lease_facts *facts)
{
	int64_t due = facts->now_ms + backoff_ms(l->tries, base, cap, v->wait_ms, facts->random);
	int64_t asked = facts->now_ms + v->wait_ms;

	if (facts->absence_ms <= facts->now_ms || facts->absence_ms >= due)
		return due;
	return facts->absence_ms > asked ? facts->absence_ms : asked;
}

static void provision_done(struct lease *l, const struct lease_verdict *v,
			   const struct lease_facts *facts, struct lease_outcome *out)
{
	switch (v->verdict) {
	case LESSOR_DONE:
		l->state = LEASE_ACTIVE;
		l->ready_ms = l->updated_ms = l->touched_ms = facts->now_ms;
		TEXT_SET(l->host, v->host);
		TEXT_SET(l->server_id, v->server_id);
		TEXT_SET(l->server_name, v->server_name);
		TEXT_SET(l->server_type, v->server_type);
		TEXT_SET(l->server_location, v->location);
		l->cursor[0] = l->last_error[0] = '\0';
		l->tries = 0;
		l->due_ms = lease_expires_ms(l);
		lease_note_add(out, "lease.ready", "%s in %s at %s", l->server_type, l->server_location, l->host);
		break;
	case LESSOR_PENDING:
		TEXT_SET(l->cursor, v->cursor);
		l->tries = 0;
		l->due_ms = facts->now_ms + earlier(v->wait_ms, PENDING_MOST_MS);
		break;
	case LESSOR_REFUSED:
		TEXT_SET(l->failure, v->reason);
		end(l, LEASE_FAILED, error_class_name(v->error_class), facts, out);
		lease_note_add(out, "lease.failed", "%s", v->reason);
		return;
	default:
		l->tries++;
		TEXT_SET(l->last_error, v->reason);
		l->due_ms = retry_due(l, v, PROVISION_BACKOFF_MS, PROVISION_BACKOFF_CAP_MS, facts);
		lease_note_add(out, "provision.retry", "%s", v->reason);
		break;
	}
	if (l->state == LEASE_PROVISIONING && !facts->clock_doubted)
		l->due_ms = earlier(l->due_ms, l->provision_deadline_ms);
	out->changed = 1;
}

static void retry_cleanup(struct lease *l, const struct lease_verdict *v, int64_t base,
			  int64_t cap, const struct lease_facts *facts)
{
	l->tries++;
	TEXT_SET(l->last_error, v->reason);
	l->due_ms = retry_due(l, v, base, cap, facts);
}

/* Has what is owed been owed for too long: by tries, by time, or by money? */
static int owed_too_long(const struct lease *l, const struct lease_facts *facts)
{
	int64_t owed_ms = facts->now_ms - l->cleanup_started_ms;

	if (!facts->billed)
		return owed_ms >= OWED_FREE_MS;
	return l->tries >= OWED_TRIES || owed_ms >= OWED_MS ||
	       l->price_hour_micros / 1000 * (owed_ms / 1000) / 3600 >= OWED_MICROS / 1000;
}

static void need_operator(struct lease *l, uint32_t error_class, const char *reason,
			  struct lease_outcome *out)
{
	int is_news = lease_attention_set(l, error_class, reason);

	if (l->cleanup == CLEANUP_OWED) {
		l->cleanup = CLEANUP_ATTENTION;
		is_news = 1;
	}
	if (is_news)
		lease_note_add(out, "lease.attention", "%s", l->attention);
}

/* It goes on by itself, and somebody should know that it does not end. */
static void warn_if_owed_too_long(struct lease *l, const struct lease_verdict *v,
				  const struct lease_facts *facts, struct lease_outcome *out)
{
	char reason[160];

	if (l->cleanup == CLEANUP_ATTENTION || !owed_too_long(l, facts))
		return;
	snprintf(reason, sizeof(reason), "its cleanup has not ended in %lld min: %.100s",
		 (long long)((facts->now_ms - l->cleanup_started_ms) / 60000),
		 l->last_error[0] ? l->last_error : v->reason);
	need_operator(l, LESSOR_CLASS_TRANSIENT, reason, out);
}

/* Breaks in a row; 1 if it has become a case for an operator. */
static int breach(struct lease *l, const struct lease_verdict *v, const struct lease_facts *facts,
		  struct lease_outcome *out)
{
	char reason[200];

	if (!v->is_breach) {
		l->breaches = 0;
		return 0;
	}
	if (++l->breaches < BREACHES_MOST)
		return 0;
	retry_cleanup(l, v, ATTENTION_BACKOFF_MS, ATTENTION_BACKOFF_CAP_MS, facts);
	snprintf(reason, sizeof(reason), "provider %s breaks its contract: %.120s", v->provider,
		 v->reason);
	need_operator(l, LESSOR_CLASS_BUG, reason, out);
	return 1;
}

static void cleanup_done(struct lease *l, const struct lease_verdict *v,
			 const struct lease_facts *facts, struct lease_outcome *out)
{
	out->changed = 1;
	/* Whatever it says last: nothing is left. */
	if (!facts->residue) {
		cleaned(l, facts, out);
		return;
	}
	if (breach(l, v, facts, out))
		return;
	switch (v->verdict) {
	case LESSOR_PENDING:
		TEXT_SET(l->cursor, v->cursor);
		l->due_ms = facts->now_ms + earlier(v->wait_ms, PENDING_MOST_MS);
		/* It moves again: whatever stood in its way is gone. */
		if (!owed_too_long(l, facts)) {
			l->cleanup = CLEANUP_OWED;
			l->attention[0] = '\0';
		}
		warn_if_owed_too_long(l, v, facts, out);
		break;
	case LESSOR_REFUSED:
		retry_cleanup(l, v, ATTENTION_BACKOFF_MS, ATTENTION_BACKOFF_CAP_MS, facts);
		need_operator(l, v->error_class, v->reason, out);
		break;
	default:
		retry_cleanup(l, v, CLEANUP_BACKOFF_MS, CLEANUP_BACKOFF_CAP_MS, facts);
		/* The first failure and then each doubling: the timeline tells, it does not flood. */
		if ((l->tries & (l->tries - 1)) == 0)
			lease_note_add(out, "cleanup.retry", "%s", v->reason);
		warn_if_owed_too_long(l, v, facts, out);
		break;
	}
}

/* What is kept is known: nothing stands in its way. */
static void kept_well(struct lease *l, const struct lease_facts *facts)
{
	if (l->attention_class != LESSOR_CLASS_NONE)
		l->attention[0] = '\0';
	l->tries = 0;
	l->cursor[0] = l->last_error[0] = '\0';
	l->due_ms = lease_retained_due(l, facts);
}

/* Only a person can tell what stands in the way of what is kept. */
static void kept_refused(struct lease *l, const struct lease_verdict *v,
			 const struct lease_facts *facts, struct lease_outcome *out)
{
	retry_cleanup(l, v, ATTENTION_BACKOFF_MS, ATTENTION_BACKOFF_CAP_MS, facts);
	if (lease_attention_set(l, v->error_class, v->reason))
		lease_note_add(out, "lease.attention", "%s", l->attention);
}

/* What is kept is being protected at the provider. */
static void retain_done(struct lease *l, const struct lease_verdict *v,
			const struct lease_facts *facts, struct lease_outcome *out)
{
	out->changed = 1;
	if (!facts->residue) {
		cleaned(l, facts, out);
	} else if (breach(l, v, facts, out)) {
		return;
	} else if (!facts->unprotected) {
		kept_well(l, facts);
		lease_note_add(out, "lease.protected",
			       "what it keeps is marked and protected at the provider");
	} else if (v->verdict == LESSOR_REFUSED) {
		kept_refused(l, v, facts, out);
	} else if (v->verdict == LESSOR_PENDING) {
		TEXT_SET(l->cursor, v->cursor);
		l->due_ms = facts->now_ms + earlier(v->wait_ms, PENDING_MOST_MS);
	} else {
		retry_cleanup(l, v, CLEANUP_BACKOFF_MS, CLEANUP_BACKOFF_CAP_MS, facts);
		if (l->tries == OWED_TRIES && lease_attention_set(l, LESSOR_CLASS_TRANSIENT,
								  v->reason))
			lease_note_add(out, "lease.attention", "%s", l->attention);
	}
}

/* Of a retained lease: what nobody knows is looked for, and what was found is told. */
static void look_done(struct lease *l, const struct lease_verdict *v,
		      const struct lease_facts *facts, struct lease_outcome *out)
{
	out->changed = 1;
	if (!facts->residue) {
		cleaned(l, facts, out);
	} else if (breach(l, v, facts, out)) {
		return;
	} else if (!facts->unsure) {
		kept_well(l, facts);
	} else if (v->verdict == LESSOR_REFUSED) {
		/* Something is there that may be it, and cannot be proven to be. */
		kept_refused(l, v, facts, out);
	} else {
		retry_cleanup(l, v, CLEANUP_BACKOFF_MS, CLEANUP_BACKOFF_CAP_MS, facts);
	}
}

void lease_step_done(struct lease *l, const struct lease_verdict *v,
		     const struct lease_facts *facts, struct lease_outcome *out)
{
	/* Defect 19: a late result decides, too. */
	if (v->epoch != l->epoch && !DEFECT(19)) {
		/* What it found out is in the ledger already; it decides nothing. */
		if (l->retained && facts->residue) {
			l->due_ms = lease_retained_due(l, facts);
		} else if (l->retained) {
			cleaned(l, facts, out);
		} else if (l->cleanup == CLEANUP_OWED || l->cleanup == CLEANUP_ATTENTION) {
			if (facts->residue)
				l->due_ms = lease_cleanup_due(facts);
			else
				cleaned(l, facts, out);
		}
		out->changed = 1;
		return;
	}
	if (v->op == LEASE_OP_PROVISION && (l->state == LEASE_PROVISIONING || DEFECT(19))) {
		provision_done(l, v, facts, out);
	} else if (v->op == LEASE_OP_CLEANUP && !lease_is_live(l) && !l->retained &&
		   l->cleanup != CLEANUP_DONE) {
		cleanup_done(l, v, facts, out);
	} else if (v->op == LEASE_OP_LOOK && l->retained) {
		look_done(l, v, facts, out);
	} else if (v->op == LEASE_OP_RETAIN && l->retained) {
		retain_done(l, v, facts, out);
	}
}

/* A no-delete release: from its commit on nothing of this lease is deleted. */
static void retain(struct lease *l, const struct lease_facts *facts, struct lease_outcome *out)
{
	l->retained = 1;
	l->cleanup = CLEANUP_RETAINED;
	l->retain_until_ms = 0;
	l->retain_reason[0] = '\0';
	/* Its rows become retained now, and none of them is protected yet. */
	l->due_ms = facts->can_protect ? facts->now_ms : lease_retained_due(l, facts);
	out->retain_rows = 1;
	out->raise_generation = 1;
	lease_note_add(out, "lease.retained",
		       "released without deleting: what it made is kept until an explicit delete");
}

void lease_release(struct lease *l, int delete_machine, int canceled,
		   const struct lease_facts *facts, struct lease_outcome *out)
{
	int live = lease_is_live(l);
	int explicit_delete = delete_machine == 1;

	if (delete_machine < 0)
		delete_machine = l->retained ? 0 : !l->keep;
	/* What may be going already cannot be kept; and of an ended lease only its machine is worth it. */
	if (!delete_machine && (facts->deleting || (!live && !l->retained && facts->residue &&
						    facts->server_gone))) {
		out->refusal = "cleanup_in_progress";
		return;
	}
	if (live) {
		end(l, LEASE_RELEASED, canceled ? "canceled" : "released", facts, out);
		l->released_ms = facts->now_ms;
		lease_note_add(out, canceled ? "lease.canceled" : "lease.released", "%s",
		     canceled ? "its creation was cancelled" : "released by its owner");
		if (!delete_machine && l->cleanup == CLEANUP_OWED)
			retain(l, facts, out);
		return;
	}
	if (!l->released_ms) {
		l->released_ms = facts->now_ms;
		out->changed = 1;
	}
	if (l->cleanup == CLEANUP_DONE)
		return;
	if (explicit_delete && l->cleanup == CLEANUP_ATTENTION) {
		/* However often it is asked for. */
		if (l->due_ms > facts->now_ms + ASKED_AGAIN_MS)
			l->due_ms = facts->now_ms + ASKED_AGAIN_MS;
		out->changed = 1;
	} else if (!delete_machine && !l->retained) {
		lease_goal_change(l, facts, out);
		retain(l, facts, out);
	} else if (explicit_delete && l->retained) {
		lease_goal_change(l, facts, out);
		l->retained = 0;
		l->cleanup = CLEANUP_OWED;
		l->cleanup_started_ms = facts->now_ms;
		l->due_ms = lease_cleanup_due(facts);
		out->unretain_rows = 1;
		lease_note_add(out, "lease.delete", "an explicit delete ends the retention");
	}
}

void lease_heartbeat(struct lease *l, int64_t idle_ms, const struct lease_facts *facts,
		     struct lease_outcome *out)
{
	if (DEFECT(20) && l->state == LEASE_EXPIRED) {	/* it is used, so it lives */
		l->state = LEASE_ACTIVE;
		out->changed = 1;
	}
	if (!lease_is_live(l)) {
		out->refusal = "lease_ended";
		return;
	}
	/* What does not end by itself now is still alive. */
	if (!DEFECT(20) && facts->now_ms >= lease_expires_ms(l) && !facts->clock_doubted &&
	    !facts->is_blind) {
		out->refusal = "lease_expired";
		return;
	}
	if (facts->now_ms > l->touched_ms)
		l->touched_ms = facts->now_ms;
	if (idle_ms && idle_ms != l->idle_ms) {
		l->idle_ms = idle_ms;
		l->updated_ms = facts->now_ms;
		/* A shorter idle time may end it before the due time that is set. */
		if (l->state == LEASE_ACTIVE)
			l->due_ms = lease_expires_ms(l);
		out->changed = 1;
	}
}
