/* SPDX-License-Identifier: MIT */
/*
 * Applies events: gathers the facts, lets lease_apply decide, and writes what it changed.
 * Answers and log lines wait for the commit. All decisions precede the first write, so nothing
 * ever needs to be undone; a failed write breaks the store.
 */
#include "engine/internal.h"

#include <stdlib.h>
#include <string.h>

#include "engine/timings.h"
#include "util/text.h"

/* ---- facts --------------------------------------------------------------------------------- */

static void account_facts(struct core *core, const struct core_account *a, struct lease_facts *f)
{
	if (!a) {
		f->is_blind = f->is_unsure = f->is_blocked = 1;
		f->block = LEASE_BLOCK_MISSING;
		return;
	}
	f->gate.is_verified = core_account_is_verified(core, a);
	f->gate.is_fenced = account_is_fenced(a->account);
	f->can_protect = core_account_protects(a);
	f->gate.is_frozen = a->frozen[0] != '\0';
	f->has_lost_sight |= f->gate.is_frozen;
	f->is_blind = (a->account->table->probe && !a->was_verified) || f->gate.is_fenced;
	f->is_unsure = !f->gate.is_verified;
	f->is_blocked = account_is_blocked(a->account, NULL, 0);
	f->block = f->gate.is_fenced ? LEASE_BLOCK_FENCED : LEASE_BLOCK_ACCOUNT;
	f->gate.is_unlisted = a->is_unlisted;
	f->settle_ms = core_settle_ms(core, a);
	f->presumed_until_ms = a->presumed_until_ms ?
				       a->presumed_until_ms - core_store_ahead_ms(core) :
				       0;
}

struct lease_facts core_facts(struct core *core, const struct lease_aggregate *a)
{
	const struct in_flight *running = a->lease.n ? in_flight_find(core, a->lease.n) : NULL;
	struct lease_facts f = {
		.now_ms = core_now(core),
		.random = core_random32(core),
		.running = running != NULL,
		.running_since_ms = running ? running->begun_ms : 0,
		.is_clock_suspect = core_clock_is_suspect(core),
		.is_shared = core->config.is_shared,
		.store_ahead_ms = core_store_ahead_ms(core),
		.account = a->lease.account,
		.signer = &core->signer,
	};

	/* After the time was read: a pause between the two must not hide that it is too late. */
	f.has_lost_sight = core_has_lost_sight(core);
	account_facts(core, core_account_find(core, a->lease.account), &f);
	return f;
}

/* ---- writing ------------------------------------------------------------------------------- */

static int write_rows(struct core *core, struct lease_aggregate *a, struct err *err)
{
	for (size_t i = 0; i < a->ledger.attempt_count; i++) {
		struct attempt *t = &a->ledger.attempts[i];

		if (!t->is_dirty)
			continue;
		if (t->is_new ? store_attempt_insert(core->store, t, err) :
				store_attempt_update(core->store, t, err))
			return -1;
		t->is_dirty = t->is_new = 0;
	}
	for (size_t i = 0; i < a->ledger.resource_count; i++) {
		struct resource *r = &a->ledger.resources[i];

		if (!r->is_dirty)
			continue;
		if ((r->n ? store_resource_update(core->store, r, err) :
			    store_resource_insert(core->store, r, err)) ||
		    core_cost_write(core, a, r, err))
			return -1;
		r->is_dirty = 0;
	}
	return 0;
}

static enum log_level level_of(enum lease_note_log log)
{
	switch (log) {
	case NOTE_ERROR:
		return LOG_LEVEL_ERROR;
	case NOTE_WARNING:
	case NOTE_LOG_ONLY:
		return LOG_LEVEL_WARNING;
	case NOTE_NOTICE:
		return LOG_LEVEL_NOTICE;
	default:
		return LOG_LEVEL_INFO;
	}
}

static int write_notes(struct core *core, const struct lease *l, const struct lease_effects *out,
		       struct err *err)
{
	for (int i = 0; i < out->note_count; i++) {
		const struct lease_note *note = &out->notes[i];

		if (note->log != NOTE_LOG_ONLY &&
		    store_event_add(core->store, l->n, core_now(core), note->kind, note->text, err))
			return -1;
		if (note->log != NOTE_QUIET)
			core_log_later(core,
				       &(struct log_origin){ .level = level_of(note->log),
							     .lease = l->id,
							     .account = l->account,
							     .event = note->kind },
				       "lease %s: %s", l->id, note->text);
	}
	return 0;
}

static int aggregate_write(struct core *core, struct lease_aggregate *a,
			   const struct lease_effects *out, struct err *err)
{
	struct lease *l = &a->lease;

	if (out->is_new) {
		if (store_lease_insert(core->store, l, err))
			return -1;
		a->touched_written_ms = l->touched_ms;
		aggregates_named(core->aggregates, a);
		return write_notes(core, l, out, err);
	}
	if (write_rows(core, a, err))
		return -1;
	if (!l->n)
		return 0;
	if (out->changed && store_lease_update(core->store, l, err))
		return -1;
	if (out->times_changed && store_lease_times_put(core->store, l, err))
		return -1;
	/* A heartbeat, or a lease that became active, whose idle time starts now. */
	if (l->touched_ms != a->touched_written_ms)
		core_touch(core, l->n);
	/* The lease has ended: its telemetry is no longer needed. */
	if (out->goal_changed && !lease_is_live(l) && store_telemetry_drop(core->store, l->n, err))
		return -1;
	return write_notes(core, l, out, err);
}

/* The effects other than writing the aggregate: schedules, waiters, the running step. */
static int effects_carry_out(struct core *core, struct lease_aggregate *a,
			     const struct lease_effects *out, struct err *err)
{
	struct core_account *account = core_account_find(core, a->lease.account);

	if (out->sweep_soon && account && core_sweep_soon(core, account, err))
		return -1;
	if (!a->lease.n)
		return 0;
	if (out->raise_generation)
		core_generation_raise(core, a->lease.account);
	if (out->goal_changed) {
		struct in_flight *running = in_flight_find(core, a->lease.n);

		/*
		 * A protection that has been requested must be read back: otherwise nobody knows
		 * that it is ours, and no delete may remove it.
		 */
		if (running && running->step->op != STEP_RETAIN)
			in_flight_cancel(running);
	}
	if (out->changed) {
		core_schedule(core, &a->lease);
		core_wake(core, a);
	}
	return 0;
}

int core_apply_facts(struct core *core, struct lease_aggregate *a, const struct lease_event *event,
		     const struct lease_facts *facts, struct lease_effects *out, struct err *err)
{
	struct capacity_use before = capacity_use(&a->lease);
	struct timings_mark mark = timings_mark(&a->lease);
	struct charge_mark charged = core_charge_mark(a);
	struct lease_effects own;

	if (!out)
		out = &own;
	memset(out, 0, sizeof(*out));
	lease_apply(a, event, facts, out);
	if (aggregate_write(core, a, out, err) ||
	    core_charges_follow(core, a, &charged, out->is_new, err) ||
	    effects_carry_out(core, a, out, err) ||
	    (out->changed && capacity_follow(core, &a->lease, &before, err))) {
		/* Memory and store now differ. */
		store_break(core->store);
		return -1;
	}
	timings_follow(core->config.timings, &core->timed, &mark, &a->lease, facts->now_ms);
	return 0;
}

int core_apply(struct core *core, struct lease_aggregate *a, const struct lease_event *event,
	       struct lease_effects *out, struct err *err)
{
	struct lease_facts facts = core_facts(core, a);

	return core_apply_facts(core, a, event, &facts, out, err);
}

int core_apply_request(struct core *core, struct lease_aggregate *a,
		       const struct lease_event *event, const struct engine_request *r,
		       struct lease_effects *out, struct err *err)
{
	struct lease_facts facts = core_facts(core, a);

	facts.request_id = r->request_id;
	return core_apply_facts(core, a, event, &facts, out, err);
}
