/* SPDX-License-Identifier: MIT */
#include "lease/aggregate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lessor/provider.h>

#include "lease/absence.h"
#include "lease/lifecycle.h"
#include "lease/resource_events.h"
#include "lease/times.h"
#include "util/alloc.h"
#include "util/text.h"

/* Leaves two notes for the consequences for the lease. */
#define FORGOTTEN_LINES_MAX (LEASE_NOTES_MAX - 2)

/* ---- the value --------------------------------------------------------------------------- */

void lease_aggregate_fini(struct lease_aggregate *a)
{
	ledger_fini(&a->ledger);
	*a = (struct lease_aggregate){ 0 };
}

/* A server that may become the lease's machine. */
static int is_awaited(const struct ledger *ledger, const struct resource *r)
{
	return r->kind == LESSOR_KIND_SERVER && r->ours &&
	       (r->state == LESSOR_STATE_PRESENT || lessor_state_is_unsettled(r->state)) &&
	       !attempt_is_refused(ledger, r->attempt);
}

/* What may have been created, and what the lease waits for. */
static void facts_await(const struct ledger *ledger, const struct resource *r, struct lease_facts *f)
{
	struct absence_facts absence = { .settle_ms = f->settle_ms,
					 .store_ahead_ms = f->store_ahead_ms };
	int64_t next;

	if (is_awaited(ledger, r)) {
		f->awaited++;
		f->awaited_ms = r->changed_ms > f->awaited_ms ? r->changed_ms : f->awaited_ms;
	}
	if (!r->ours || !lessor_state_is_unsettled(r->state))
		return;
	f->unsure++;
	next = absence_next_ms(r, &absence);
	if (next > f->now_ms && (!f->settles_ms || next < f->settles_ms))
		f->settles_ms = next;
}

/* The counts of the ledger that the lease's table uses. */
static void facts_count(const struct ledger *ledger, struct lease_facts *f)
{
	int servers = 0, gone = 0;

	f->residue = f->unsure = f->deleting = f->billed = f->unprotected = f->awaited = 0;
	f->awaited_ms = f->settles_ms = 0;
	for (size_t i = 0; i < ledger->resource_count; i++) {
		const struct resource *r = &ledger->resources[i];
		int is_residue = resource_is_residue(r);

		f->residue += is_residue;
		f->deleting += resource_may_be_deleting(r);
		f->billed += is_residue && resource_kind_is_billed(r->kind);
		facts_await(ledger, r, f);
		f->unprotected += is_residue && r->state == LESSOR_STATE_RETAINED && !r->marked_ms;
		servers += is_residue && r->kind == LESSOR_KIND_SERVER;
		gone += r->ours && r->kind == LESSOR_KIND_SERVER && r->state == LESSOR_STATE_GONE;
	}
	f->server_gone = gone && !servers;
}

static struct lease_facts facts_counted(const struct lease_aggregate *a,
					const struct lease_facts *facts)
{
	struct lease_facts f = *facts;

	facts_count(&a->ledger, &f);
	return f;
}

enum lease_op lease_next_op(const struct lease_aggregate *a, const struct lease_facts *facts)
{
	struct lease_facts f = facts_counted(a, facts);

	return lifecycle_next(&a->lease, &f);
}

/* ---- its events --------------------------------------------------------------------------- */

/* One event on its way through the tables. */
struct applying {
	struct lease_aggregate *a;
	const struct lease_event *e;
	struct lease_facts f;
	struct lease_effects *out;
};

static int to_row(struct applying *p, struct resource *r, int kind)
{
	struct row_event v = {
		.a = p->a, .l = p->a->lease.n ? &p->a->lease : NULL, .r = r, .e = p->e, .f = &p->f,
		.out = p->out,
	};

	return row_event_apply(&v, kind);
}

static void to_rows(struct applying *p, int kind)
{
	for (size_t i = 0; i < p->a->ledger.resource_count; i++) {
		struct resource *r = &p->a->ledger.resources[i];

		if (r->ours)
			to_row(p, r, kind);
	}
}

/* Applies the event to the lease, then the consequences to its rows. */
static void to_lease(struct applying *p, int kind)
{
	facts_count(&p->a->ledger, &p->f);
	lifecycle_apply(&p->a->lease, kind, p->e, &p->f, p->out);
	if (p->out->retain_rows)
		to_rows(p, ROW_RETAIN);
	if (p->out->unretain_rows)
		to_rows(p, ROW_UNRETAIN);
	p->out->retain_rows = p->out->unretain_rows = 0;
	facts_count(&p->a->ledger, &p->f);
}

static void aggregate_release(struct applying *p)
{
	to_lease(p, LEASE_EVENT_RELEASE);
	if (p->out->refusal)
		return;
	/* Tell the client that it is neither deleted nor protected now. */
	if (p->out->changed && p->f.is_unsure && p->f.is_blocked)
		to_lease(p, LEASE_EVENT_BLOCKED);
	to_lease(p, LIFE_RETAIN_UNTIL);
}

static void aggregate_claim(struct applying *p)
{
	struct row_event v = {
		.a = p->a, .l = p->a->lease.n ? &p->a->lease : NULL, .claim = p->e->u.claim.claim,
		.e = p->e, .f = &p->f, .out = p->out,
	};

	v.claim->err = (struct err){ 0 };
	v.claim->result = claim_apply(&v);
	/*
	 * A resource carries a retention label that this store does not know: retain all of
	 * the lease.
	 */
	if (p->out->retain_rows)
		to_rows(p, ROW_RETAIN);
	p->out->retain_rows = 0;
	if (p->out->has_row)
		v.claim->resource = p->a->ledger.resources[p->out->row_index];
}

/*
 * Ready requires a server of the ledger that this step has read and verified as ours: one
 * with another name or without its labels could not be deleted later.
 */
static void aggregate_verdict(struct applying *p)
{
	const struct lease_verdict *v = &p->e->u.verdict;
	struct lease_event refused = *p->e;
	char reason[256];
	struct err why = { 0 };

	for (size_t i = 0; v->shown && i < p->a->ledger.resource_count; i++) {
		struct resource *r = &p->a->ledger.resources[i];

		if (v->op != LEASE_OP_PROVISION || v->verdict != LESSOR_DONE ||
		    r->kind != LESSOR_KIND_SERVER || strcmp(r->id, v->server_id) != 0)
			continue;
		if (ledger_verify(p->f.signer, r->account, &p->a->lease, r, v->shown, &why)) {
			snprintf(reason, sizeof(reason),
				 "server %s does not match the ledger: %.160s", r->id, why.text);
			refused.u.verdict.verdict = LESSOR_REFUSED;
			refused.u.verdict.error_class = LESSOR_CLASS_OWNERSHIP;
			refused.u.verdict.reason = reason;
			p->e = &refused;
			break;
		}
		r->seen_ms = p->f.now_ms;
		r->is_dirty = 1;
	}
	to_lease(p, LEASE_EVENT_VERDICT);
	p->e = NULL; /* `refused` goes out of scope */
}

static void aggregate_clock_set(struct applying *p)
{
	/* aggregate_times has moved what was written by a clock that was known to be wrong. */
	ledger_clock_set(&p->a->ledger, p->f.now_ms, p->e->u.clock_by_ms,
			 p->f.is_shared || p->e->u.clock_to_ms);
	to_lease(p, LEASE_EVENT_CLOCK_SET);
}

/* ---- what operators decide ---------------------------------------------------------------- */

static void note_decision(struct applying *p, const struct resource *r, const char *verb)
{
	const struct lease_decision *d = &p->e->u.decision;
	char what[128] = "";

	if (r)
		snprintf(what, sizeof(what), "%s %s%s%s ", resource_kind_name(r->kind), r->name,
			 r->id[0] ? " id " : "", r->id);
	lease_note_add(p->out, NOTE_NOTICE, "lease.resolved", "%s: %sby %s%s%s", verb, what, d->by,
		       d->reason[0] ? ": " : "", d->reason);
}

static void aggregate_retry(struct applying *p)
{
	to_lease(p, LEASE_EVENT_RETRY);
	if (!p->out->refusal)
		note_decision(p, NULL, "retry");
}

/* A permitted delete may be in progress: no decision can be confirmed now. */
static int is_under_way(const struct resource *r)
{
	return r->state == LESSOR_STATE_DELETE_AUTHORIZED ||
	       r->state == LESSOR_STATE_UNPROTECT_AUTHORIZED;
}

/* Rows beyond FORGOTTEN_LINES_MAX are only counted. */
static void note_forgotten(struct applying *p, const struct resource *r, int done)
{
	const struct lease_decision *d = &p->e->u.decision;

	if (r && done < FORGOTTEN_LINES_MAX)
		note_decision(p, r, "forgotten");
	else if (!r && done > FORGOTTEN_LINES_MAX)
		lease_note_add(p->out, NOTE_NOTICE, "lease.resolved", "forgotten: %d more by %s%s%s",
			       done - FORGOTTEN_LINES_MAX, d->by, d->reason[0] ? ": " : "", d->reason);
}

static void aggregate_forget(struct applying *p)
{
	struct ledger *ledger = &p->a->ledger;
	int64_t row = p->e->u.decision.row;
	int done = 0;

	if (lease_is_live(&p->a->lease)) {
		p->out->refusal = LEASE_REFUSAL_ALIVE;
		return;
	}
	for (size_t i = 0; i < ledger->resource_count; i++) {
		if (is_under_way(&ledger->resources[i])) {
			p->out->refusal = LEASE_REFUSAL_CLEANUP_RUNS;
			return;
		}
	}
	for (size_t i = 0; i < ledger->resource_count; i++) {
		struct resource *r = &ledger->resources[i];

		if (!resource_is_residue(r) || (row && row != r->n))
			continue;
		to_row(p, r, ROW_FORGET);
		note_forgotten(p, r, done++);
	}
	note_forgotten(p, NULL, done);
	if (done)
		to_lease(p, LIFE_FORGOTTEN);
	else
		p->out->refusal = LEASE_REFUSAL_NOTHING_TO_FORGET;
}

struct resource *lease_row_meant(const struct lease_aggregate *a, int64_t row)
{
	struct resource *only = NULL;
	int found = 0;

	for (size_t i = 0; i < a->ledger.resource_count; i++) {
		struct resource *r = &a->ledger.resources[i];

		if (!r->ours)
			continue;
		if (row == r->n)
			return r;
		if (!row && resource_is_residue(r) && !r->id[0]) {
			only = r;
			found++;
		}
	}
	return found == 1 ? only : NULL;
}

static enum lease_refusal may_adopt(const struct applying *p, const struct resource *r)
{
	if (lease_is_live(&p->a->lease))
		return LEASE_REFUSAL_ALIVE;
	if (!r)
		return LEASE_REFUSAL_NO_SUCH_RESOURCE;
	if (p->e->u.decision.claimed_by && p->e->u.decision.claimed_by != r->n)
		return LEASE_REFUSAL_CLAIMED;
	return is_under_way(r) ? LEASE_REFUSAL_CLEANUP_RUNS : LEASE_REFUSAL_NONE;
}

static void aggregate_adopt(struct applying *p)
{
	const struct lease_decision *d = &p->e->u.decision;
	const struct lease *l = &p->a->lease;
	struct resource *r = lease_row_meant(p->a, d->row);

	p->out->refusal = may_adopt(p, r);
	if (p->out->refusal)
		return;
	/* What the row knew of another resource does not apply to this one. */
	if (strcmp(r->id, d->resource_id) != 0) {
		r->protect_by = PROTECT_NOT_OURS;
		r->label_known = 0;
		r->deletes_unknown = 0;
		r->until_ms = 0;
	}
	TEXT_SET(r->id, d->resource_id);
	if (l->retained && r->retain_epoch < l->epoch)
		r->retain_epoch = l->epoch;
	r->marked_ms = 0;
	r->action[0] = '\0';
	absence_reset(r);
	r->state = l->retained	      ? LESSOR_STATE_RETAINED :
		   r->deletes_unknown ? LESSOR_STATE_DELETE_UNKNOWN :
					LESSOR_STATE_PRESENT;
	r->changed_ms = p->f.now_ms;
	r->is_dirty = 1;
	snprintf(r->evidence, sizeof(r->evidence), "adopted by %.60s: %.80s", d->by, d->reason);
	note_decision(p, r, "adopted");
	to_lease(p, LIFE_FOUND);
}

/* ---- what a sweep saw ---------------------------------------------------------------------- */

static int is_late(const struct resource *r, const struct lease_sighting *s)
{
	return r->kind == s->kind && r->attempt == s->attempt && r->ours &&
	       strcmp(r->name, s->name) == 0 && (!r->id[0] || strcmp(r->id, s->id) == 0) &&
	       (r->state == LESSOR_STATE_NEVER_EXISTED ||
		(r->state == LESSOR_STATE_GONE && r->absent_count));
}

/*
 * A resource with an intent that was concluded to be absent was seen after all. Its row says
 * whose it is, so its cleanup resumes by itself. No effect otherwise.
 */
static void aggregate_late_arrival(struct applying *p)
{
	const struct lease_sighting *s = &p->e->u.seen;
	const struct lease *l = &p->a->lease;
	struct resource *late = NULL;

	for (size_t i = 0; i < p->a->ledger.resource_count; i++) {
		struct resource *r = &p->a->ledger.resources[i];

		/* A resource that we deleted and that is back is an ordinary orphan. */
		if (r->kind == s->kind && strcmp(r->id, s->id) == 0 &&
		    r->state == LESSOR_STATE_GONE && !r->absent_count)
			return;
		if (is_late(r, s))
			late = r;
	}
	if (!late || lease_is_live(l))
		return;
	TEXT_SET(late->id, s->id);
	TEXT_SET(late->evidence, "appeared after it was concluded to be absent");
	late->state = l->retained ? LESSOR_STATE_RETAINED : LESSOR_STATE_PRESENT;
	late->retain_epoch = l->retained ? l->epoch : late->retain_epoch;
	late->changed_ms = late->seen_ms = p->f.now_ms;
	late->marked_ms = 0;
	absence_reset(late);
	late->is_dirty = 1;
	p->out->has_row = 1;
	p->out->row_index = (size_t)(late - p->a->ledger.resources);
	to_lease(p, LIFE_FOUND);
	lease_note_add(p->out, NOTE_ERROR, "lease.late",
		       "%s %s id %s appeared after it was concluded to be "
		       "absent; cleanup resumes; is `settle` of account %s too short?",
		       resource_kind_name(s->kind), s->name, s->id, p->f.account);
}

static void aggregate_swept(struct applying *p)
{
	const struct lease_sighting *s = &p->e->u.seen;
	struct resource r = {
		.lease = p->a->lease.n, .kind = s->kind, .attempt = s->attempt,
		.state = LESSOR_STATE_PRESENT, .ours = 1,
		.created_ms = p->f.now_ms, .changed_ms = p->f.now_ms,
	};

	/* Checked before; repeated here, since this adds the row. */
	if (lease_is_live(&p->a->lease)) {
		p->out->refusal = LEASE_REFUSAL_ALIVE;
		return;
	}
	if (p->a->lease.retained) {
		p->out->refusal = LEASE_REFUSAL_CLAIMED;
		return;
	}
	TEXT_SET(r.account, p->f.account);
	TEXT_SET(r.name, s->name);
	TEXT_SET(r.id, s->id);
	TEXT_SET(r.evidence, "found by a sweep, signature verified");
	ledger_add(&p->a->ledger, &r);
	to_lease(p, LIFE_FOUND);
	lease_note_add(p->out, NOTE_INFO, "lease.swept",
		       "orphan %s %s id %s was handed to cleanup by %s%s%s",
		       resource_kind_name(s->kind), s->name, s->id, s->by, s->reason[0] ? ": " : "",
		       s->reason);
}

static void aggregate_unprotected(struct applying *p)
{
	for (size_t i = 0; i < p->a->ledger.resource_count; i++) {
		struct resource *r = &p->a->ledger.resources[i];

		if (r->n != p->e->u.seen.row || r->state != LESSOR_STATE_RETAINED)
			continue;
		r->marked_ms = 0;
		r->is_dirty = 1;
		to_lease(p, LEASE_EVENT_UNPROTECTED);
	}
}

static void aggregate_kept(struct applying *p)
{
	for (size_t i = 0; i < p->a->ledger.resource_count; i++) {
		if (p->a->ledger.resources[i].n == p->e->u.seen.row)
			to_row(p, &p->a->ledger.resources[i], ROW_KEPT);
	}
	if (p->out->retain_rows)
		to_rows(p, ROW_RETAIN);
	p->out->retain_rows = 0;
	/* Its label must be written. */
	to_lease(p, LEASE_EVENT_UNPROTECTED);
}

/* ---- keys of two leases ---------------------------------------------------------------------- */

const struct resource *lease_next_handover(const struct lease_aggregate *a,
					   const struct resource *after)
{
	const struct ledger *ledger = &a->ledger;
	const struct resource *end = ledger->resources + ledger->resource_count;

	if (lease_is_live(&a->lease) || a->lease.retained || a->lease.cleanup == CLEANUP_DONE)
		return NULL;
	/* The server first: it may need the key until it is gone. */
	for (const struct resource *r = ledger->resources; r != end; r++) {
		if (r->kind != LESSOR_KIND_KEY && resource_is_residue(r))
			return NULL;
	}
	for (const struct resource *r = after ? after + 1 : ledger->resources; r != end; r++) {
		if (r->kind == LESSOR_KIND_KEY && r->ours && r->state == LESSOR_STATE_PRESENT && r->id[0])
			return r;
	}
	return NULL;
}

static void aggregate_hand_over(struct applying *p)
{
	for (size_t i = 0; i < p->a->ledger.resource_count; i++) {
		if (p->a->ledger.resources[i].n == p->e->u.handover.row)
			to_row(p, &p->a->ledger.resources[i], ROW_HAND_OVER);
	}
}

/* The user's row becomes the owner's. */
static void aggregate_inherit(struct applying *p)
{
	const struct resource *from = p->e->u.handover.from;
	struct lease *l = &p->a->lease;
	struct resource *r = NULL;

	for (size_t i = 0; i < p->a->ledger.resource_count; i++) {
		if (p->a->ledger.resources[i].n == p->e->u.handover.row)
			r = &p->a->ledger.resources[i];
	}
	if (!r)
		return;
	r->ours = 1;
	r->attempt = from->attempt;
	r->seen_ms = from->seen_ms;
	r->state = l->retained ? LESSOR_STATE_RETAINED : LESSOR_STATE_PRESENT;
	/* Its label holds an epoch of the previous lease. */
	r->retain_epoch = l->retained && l->epoch > from->retain_epoch ? l->epoch : from->retain_epoch;
	r->label_known = from->label_known;
	r->marked_ms = 0;
	r->changed_ms = p->f.now_ms;
	r->is_dirty = 1;
	TEXT_SET(r->name, from->name);
	TEXT_SET(r->signed_lease, from->signed_lease[0] ? from->signed_lease :
							   p->e->u.handover.from_lease);
	TEXT_SET(r->evidence, "handed over by the lease that made it");
	lease_note_add(p->out, NOTE_QUIET, "key.inherited", "%s id %s: from %s", r->name, r->id,
		       p->e->u.handover.from_lease);
	if (!l->retained)
		return;
	/* Its label must be written. */
	l->due_ms = p->f.now_ms;
	p->out->changed = 1;
}

/*
 * ---- all events
 * ------------------------------------------------------------------------------
 */

/*
 * What remains of an ended lease: does it cost money, how is it retained? Whether the
 * account is reliable changes independently; the API adds that when it shows the lease.
 */
static void aggregate_derive(struct applying *p)
{
	struct lease *l = &p->a->lease;
	const struct lease_facts *f = &p->f;

	if (lease_is_live(l)) {
		l->is_billed = 1;
		l->retention = RETENTION_NONE;
		return;
	}
	facts_count(&p->a->ledger, &p->f);
	/* A running step may still create something. */
	l->is_billed = f->billed > 0 || f->running;
	l->retention = !l->retained || l->cleanup == CLEANUP_DONE ? RETENTION_NONE :
		       f->unsure || f->running ? RETENTION_UNSURE :
		       f->unprotected || !f->can_protect ? RETENTION_RECORDED : RETENTION_PROTECTED;
}

static void aggregate_restart(struct applying *p)
{
	for (size_t i = 0; i < p->a->ledger.resource_count; i++)
		to_row(p, &p->a->ledger.resources[i], ROW_RESTART);
}

/* No rule below meets a time of the future, unless the clock is in doubt. */
static void aggregate_times(struct applying *p)
{
	struct times_change change = { 0 };

	if (p->e->kind == LEASE_EVENT_CLOCK_SET && p->e->u.clock_to_ms) {
		change = (struct times_change){ p->e->u.clock_from_ms, p->e->u.clock_to_ms,
						p->e->u.clock_by_ms };
		p->out->times_changed |= lease_times_move(&p->a->lease, &change);
		ledger_times_move(&p->a->ledger, &change, p->f.is_shared);
	}
	if (!p->f.is_clock_suspect) {
		p->out->times_changed |= lease_times_mend(&p->a->lease, p->f.now_ms);
		ledger_times_mend(&p->a->ledger, p->f.now_ms, p->f.is_shared);
	}
	p->out->changed |= p->out->times_changed;
}

/* Events that concern rows. All others concern the lease alone. */
static void (*const handlers[LEASE_EVENT_COUNT])(struct applying *p) = {
	[LEASE_EVENT_RELEASE] = aggregate_release,
	[LEASE_EVENT_CLOCK_SET] = aggregate_clock_set,
	[LEASE_EVENT_RESTART] = aggregate_restart,
	[LEASE_EVENT_VERDICT] = aggregate_verdict,
	[LEASE_EVENT_CLAIM] = aggregate_claim,
	[LEASE_EVENT_RETRY] = aggregate_retry,
	[LEASE_EVENT_FORGET] = aggregate_forget,
	[LEASE_EVENT_ADOPT] = aggregate_adopt,
	[LEASE_EVENT_LATE_ARRIVAL] = aggregate_late_arrival,
	[LEASE_EVENT_SWEPT] = aggregate_swept,
	[LEASE_EVENT_UNPROTECTED] = aggregate_unprotected,
	[LEASE_EVENT_KEPT] = aggregate_kept,
	[LEASE_EVENT_HAND_OVER] = aggregate_hand_over,
	[LEASE_EVENT_INHERIT] = aggregate_inherit,
};

void lease_apply(struct lease_aggregate *a, const struct lease_event *event,
		 const struct lease_facts *facts, struct lease_effects *out)
{
	struct applying p = { .a = a, .e = event, .f = *facts, .out = out };

	aggregate_times(&p);
	if (handlers[event->kind])
		handlers[event->kind](&p);
	else
		to_lease(&p, (int)event->kind);
	if (out->changed)
		aggregate_derive(&p);
	if (out->changed && !out->refusal && facts->request_id && facts->request_id[0])
		TEXT_SET(a->lease.last_request, facts->request_id);
}
