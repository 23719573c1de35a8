/* SPDX-License-Identifier: MIT */
#include "live.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lessor/provider.h>

#include "lease/deadline.h"
#include "pack.h"
#include "util/text.h"

#define BEGIN_MS INT64_C(1800000000000)
#define HOUR_MS INT64_C(3600000)

/* The lease and its rows before an event: every change must be marked as a change. */
static struct lease lease_before;
static struct resource rows_before[ROWS_MOST];
static size_t rows_before_count;

void live_init(void)
{
	pack_init();
}

void live_wrong(struct live *v, const char *what)
{
	if (!v->wrong)
		v->wrong = what;
}

void live_begin(struct live *v, const struct world *w)
{
	v->w = *w;
	v->is_open = 0;
	v->wrong = NULL;
	if (!v->shadow_of)
		return;
	lease_aggregate_fini(&v->shadow);
	v->shadow.lease = v->shadow_of->lease;
	ledger_copy(&v->shadow_of->ledger, &v->shadow.ledger);
}

void live_open(struct live *v)
{
	if (!v->is_open)
		pack_open(v->config, &v->w, v->now_ms, &v->a);
	v->is_open = 1;
}

void live_end(struct live *v)
{
	struct store packed;
	const char *wrong;

	if (v->is_open) {
		wrong = pack_close(v->config, &v->a, v->now_ms, &v->w.store);
		if (wrong)
			live_wrong(v, wrong);
		v->is_open = 0;
	}
	v->w.is_time_over &= (uint8_t)store_is_live(&v->w.store);
	/* Recorded and protected differ when an older store is restored. */
	for (int i = 0; i < OBJECTS && v->config->budget.copies; i++) {
		if (v->w.objects[i].promise && v->w.store.retention == RETENTION_PROTECTED)
			v->w.objects[i].promise = PROMISE_PROTECTED;
	}
	if (!v->shadow_of)
		return;
	wrong = pack_close(v->config, &v->shadow, v->now_ms, &packed);
	if (wrong || memcmp(&packed, &v->w.store, sizeof(packed)) != 0)
		live_wrong(v, wrong ? wrong : "model: a decision needed what states omit");
}

void live_free(struct live *v)
{
	lease_aggregate_fini(&v->a);
	lease_aggregate_fini(&v->shadow);
}

void live_start(struct live *v, const struct config *config, struct world *ret)
{
	struct lease_event event = { .kind = LEASE_EVENT_BEGIN, .u.boot_ms = 4 * HOUR_MS };
	struct world w = { .account = ACCOUNT_VERIFIED, .was_verified = 1, .left = config->budget };

	v->config = config;
	v->now_ms = BEGIN_MS;
	for (int i = 0; i < OBJECTS; i++)
		w.objects[i].is_signed = 1;
	live_begin(v, &w);
	live_apply(v, &event);
	live_end(v);
	*ret = v->w;
}

/* ---- facts -------------------------------------------------------------------------------------- */

/* As in broker/engine/apply.c. A step that has ended is no longer running. */
static struct lease_facts facts(const struct live *v)
{
	int is_verified = v->w.account == ACCOUNT_VERIFIED;
	int is_fenced = v->w.account == ACCOUNT_FENCED;

	return (struct lease_facts){
		.now_ms = v->now_ms,
		.running = v->w.step.at != AT_NOTHING,
		.is_clock_suspect = v->w.is_clock_suspect,
		.account = "acc",
		.can_protect = !v->config->cannot_protect,
		.is_blind = !v->w.was_verified || is_fenced,
		.is_unsure = !is_verified,
		.is_blocked = v->w.account == ACCOUNT_BLOCKED || is_fenced,
		.block = is_fenced ? LEASE_BLOCK_FENCED : LEASE_BLOCK_ACCOUNT,
		.gate = { .is_verified = is_verified, .is_fenced = is_fenced },
		.is_shared = v->config->is_shared,
		.settle_ms = SETTLE_MS,
		.signer = pack_signer(),
	};
}

enum lease_op live_next_op(struct live *v)
{
	struct lease_facts f = facts(v);

	live_open(v);
	return lease_next_op(&v->a, &f);
}

int live_is_due(struct live *v)
{
	live_open(v);
	return lease_step_is_due(&v->a.lease, v->now_ms);
}

/* ---- what must hold for each event ----------------------------------------------------------- */

static void remember(const struct live *v)
{
	const struct ledger *ledger = &v->a.ledger;

	lease_before = v->a.lease;
	rows_before_count = ledger->resource_count;
	memcpy(rows_before, ledger->resources, rows_before_count * sizeof(rows_before[0]));
}

/* Only what is marked as changed is written to the store. */
static void check_written(struct live *v, enum lease_event_kind kind)
{
	const struct ledger *ledger = &v->a.ledger;
	struct lease after = v->a.lease;

	/* Heartbeats are stored in a table of their own. */
	if (kind == LEASE_EVENT_HEARTBEAT)
		after.touched_ms = lease_before.touched_ms;
	if (!v->out.changed && memcmp(&after, &lease_before, sizeof(after)) != 0)
		live_wrong(v, "unwritten: the lease changed, but is not marked as changed");
	for (size_t i = 0; i < rows_before_count; i++) {
		if (!ledger->resources[i].is_dirty &&
		    memcmp(&ledger->resources[i], &rows_before[i], sizeof(rows_before[i])) != 0)
			live_wrong(v, "unwritten: a row changed, but is not marked as changed");
	}
}

/* When and why a lease ended, and when it was first released, are written once. */
static void check_history(struct live *v)
{
	const struct lease *before = &lease_before, *l = &v->a.lease;

	if (before->ended_ms && (l->ended_ms != before->ended_ms || l->state != before->state ||
				 l->end_reason != before->end_reason))
		live_wrong(v, "history: when or why it ended was rewritten");
	if (before->released_ms && l->released_ms != before->released_ms)
		live_wrong(v, "history: when it was released was rewritten");
	if (l->epoch < before->epoch || (v->out.goal_changed && l->epoch == before->epoch))
		live_wrong(v, "history: the goal changed without a greater epoch");
}

/* A lease is due or finished; and no due time is beyond its limits. */
static void check_due(struct live *v)
{
	const struct lease *l = &v->a.lease;
	int64_t most = v->now_ms + LEASE_WAIT_MOST_MS;

	if (l->cleanup == CLEANUP_DONE) {
		if (l->due_ms)
			live_wrong(v, "due: finished, but due");
		return;
	}
	if (!l->due_ms && (!l->retained || live_next_op(v) != LEASE_OP_NONE))
		live_wrong(v, "due: neither finished nor due");
	if (lease_is_live(l) && lease_deadline_ms(l) > v->now_ms)
		most = lease_deadline_ms(l);
	if (l->due_ms > most && !(l->retained && l->due_ms == l->retain_until_ms))
		live_wrong(v, "due: the due time is beyond its limits");
}

/* After a no-delete release each row must get the label of that release or a later one. */
static void check_kept(struct live *v, enum lease_event_kind kind)
{
	const struct ledger *ledger = &v->a.ledger;

	if (kind != LEASE_EVENT_RELEASE || v->out.refusal || !v->a.lease.retained)
		return;
	for (size_t i = 0; i < ledger->resource_count; i++) {
		if (ledger->resources[i].state == LESSOR_STATE_RETAINED && v->out.goal_changed &&
		    ledger->resources[i].retain_epoch < v->a.lease.epoch)
			live_wrong(v, "retained: its label would be that of an older release");
	}
}

/* A finished row reopens only if its object was found, or if an operator adopts it. */
static void check_over(struct live *v, const struct lease_event *event)
{
	const struct ledger *ledger = &v->a.ledger;
	int is_found = event->kind == LEASE_EVENT_ADOPT || event->kind == LEASE_EVENT_LATE_ARRIVAL ||
		       (event->kind == LEASE_EVENT_CLAIM &&
			event->u.claim.claim->kind == CLAIM_ADOPT);

	for (size_t i = 0; i < rows_before_count; i++) {
		if (lessor_state_is_over(rows_before[i].state) &&
		    !lessor_state_is_over(ledger->resources[i].state) &&
		    (!is_found || (rows_before[i].state == LESSOR_STATE_DISOWNED &&
				   event->kind != LEASE_EVENT_ADOPT)))
			live_wrong(v, "over: a finished row was reopened");
	}
}

/* When blind, or while the clock is in doubt, nothing ends by itself. */
static void check_blind(struct live *v, const struct lease_event *event, int is_blind)
{
	if (event->kind == LEASE_EVENT_TICK && lease_is_live(&lease_before) &&
	    !lease_is_live(&v->a.lease) &&
	    (v->w.is_clock_suspect ||
	     (is_blind && (lease_before.state == LEASE_ACTIVE || ledger_residue(&v->a.ledger)))))
		live_wrong(v, "blind: it ended by itself");
}

static int is_servers_row(const struct lease *l, const struct resource *r)
{
	return r->ours && r->kind == LESSOR_KIND_SERVER && r->state == LESSOR_STATE_PRESENT &&
	       strcmp(r->id, l->server_id) == 0;
}

static void check_aggregate(struct live *v)
{
	const struct ledger *ledger = &v->a.ledger;
	const struct lease *l = &v->a.lease;
	int servers = 0, deleting = 0;

	for (size_t i = 0; i < ledger->resource_count; i++) {
		servers += is_servers_row(l, &ledger->resources[i]);
		deleting += resource_may_be_deleting(&ledger->resources[i]);
	}
	if (l->retained && deleting)
		live_wrong(v, "honest: retained, but a delete of it may be under way");
	if (l->cleanup == CLEANUP_DONE && ledger_residue(ledger))
		live_wrong(v, "done: but something of it may exist");
	if (l->state == LEASE_ACTIVE && servers != 1)
		live_wrong(v, "active: without the server that was handed out");
	if (lease_is_live(l) != (l->cleanup == CLEANUP_NONE) ||
	    (l->retained ? l->cleanup != CLEANUP_RETAINED && l->cleanup != CLEANUP_DONE :
			   l->cleanup == CLEANUP_RETAINED))
		live_wrong(v, "state: cleanup contradicts state or retention");
}

/* ---- events -------------------------------------------------------------------------------------------- */

/* Simulates the store: numbers new rows and clears the marks of changed ones. */
static void written(struct ledger *ledger)
{
	for (size_t i = 0; i < ledger->resource_count; i++) {
		ledger->resources[i].n = (int64_t)i + 1;
		ledger->resources[i].is_dirty = 0;
	}
	for (size_t i = 0; i < ledger->attempt_count; i++)
		ledger->attempts[i].is_dirty = ledger->attempts[i].is_new = 0;
}

static void apply_to_shadow(struct live *v, const struct lease_event *event)
{
	struct lease_facts f = facts(v);
	struct lease_effects out = { 0 };
	struct lease_event e = *event;
	struct lease_claim claim;

	if (e.kind == LEASE_EVENT_CLAIM) {
		claim = *e.u.claim.claim;
		e.u.claim.claim = &claim;
	}
	/* The limits of ten tries and an hour are not part of the comparison. */
	if (v->shadow.lease.tries > 5)
		v->shadow.lease.tries = 5;
	if (v->shadow.lease.cleanup_started_ms < v->now_ms - HOUR_MS / 2)
		v->shadow.lease.cleanup_started_ms = v->now_ms - HOUR_MS / 2;
	lease_apply(&v->shadow, &e, &f, &out);
	written(&v->shadow.ledger);
}

void live_apply(struct live *v, const struct lease_event *event)
{
	struct lease_facts f = facts(v);

	live_open(v);
	if (v->shadow_of)
		apply_to_shadow(v, event);
	remember(v);
	memset(&v->out, 0, sizeof(v->out));
	lease_apply(&v->a, event, &f, &v->out);
	if (v->a.ledger.resource_count > ROWS_MOST) {
		fprintf(stderr, "the model has room for only %d rows\n", ROWS_MOST);
		abort();
	}
	check_written(v, event->kind);
	written(&v->a.ledger);
	check_over(v, event);
	check_blind(v, event, f.is_blind);
	check_kept(v, event->kind);
	check_history(v);
	check_aggregate(v);
	check_due(v);
}

void live_apply_kind(struct live *v, enum lease_event_kind kind)
{
	struct lease_event event = { .kind = kind };

	live_apply(v, &event);
}

int live_claim(struct live *v, struct lease_claim *claim)
{
	struct step *step = &v->w.step;
	struct lease_event event = {
		.kind = LEASE_EVENT_CLAIM,
		.u.claim = { .claim = claim, .epoch = step->epoch, .host_key = "" },
	};
	int64_t row;
	int is_stale;

	/* As in claim_until. The only process of a store knows when its requests are over. */
	if (v->config->is_shared)
		event.u.claim.until_ms = v->now_ms + PERMIT_MS + PERMIT_GUARD_MS;
	live_open(v);
	is_stale = step->epoch != v->a.lease.epoch;
	claim->evidence.begun_ms = v->now_ms - (int64_t)step->begun * tick_ms(v->config);
	claim->text = claim->text ? claim->text : "because";
	row = claim->row;
	live_apply(v, &event);
	if (row && v->out.has_row && v->out.row_index + 1 != (size_t)row)
		live_wrong(v, "claim: the answer was for another row");
	/* As core_claim records it for the end of the step. */
	step->is_not_now |= (uint8_t)v->out.not_now;
	if (v->out.refusal_class && !step->refusal)
		step->refusal = (uint8_t)v->out.refusal_class;
	if (v->out.has_row && (claim->kind == CLAIM_INTEND || claim->kind == CLAIM_PERMIT))
		step->row = (uint8_t)v->out.row_index;
	if (is_stale && claim->result == 0 &&
	    (claim->kind == CLAIM_INTEND || claim->kind == CLAIM_PERMIT || claim->kind == CLAIM_CHANGE ||
	     claim->kind == CLAIM_ATTEMPT))
		live_wrong(v, "stale: a step of an older goal was granted a claim");
	return claim->result;
}

void live_time_over(struct live *v)
{
	v->w.is_time_over = 1;
	v->shadow.lease.created_ms -= 8 * HOUR_MS;
	v->shadow.lease.touched_ms = v->shadow.lease.created_ms;
	v->shadow.lease.provision_deadline_ms -= 8 * HOUR_MS;
}

/* ---- what is read ---------------------------------------------------------------------------------------- */

const char *live_id(enum thing thing)
{
	return pack_id(thing);
}

struct lessor_observed live_observed(enum thing thing, int label, int is_on, int is_signed)
{
	static struct lessor_label list[LABELS_MAX + 1];
	static char number[8];
	const struct labels *labels = pack_labels(thing);
	struct lessor_observed seen = {
		.size = sizeof(seen), .kind = thing_kind(thing), .id = pack_id(thing),
		.name = pack_name(thing), .labels = list,
		.protection = thing == KEY ? LESSOR_PROTECTION_UNKNOWN :
			      is_on ? LESSOR_PROTECTION_ON : LESSOR_PROTECTION_OFF,
	};

	for (size_t i = 0; i < labels->count; i++) {
		/* A person removed its signature. */
		if (is_signed || strcmp(labels->items[i].key, LESSOR_LABEL_SIG) != 0)
			list[seen.label_count++] = labels->items[i];
	}
	if (label) {
		snprintf(number, sizeof(number), "%d", label);
		list[seen.label_count++] = (struct lessor_label){ LESSOR_LABEL_RETAIN, number };
	}
	return seen;
}
