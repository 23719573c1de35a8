/* SPDX-License-Identifier: MIT */
/* What happens to the daemon: the provider, people, clients, operators, crashes, time. */
#include "moves.h"
#include "pack.h"

#include <string.h>

#include <lessor/provider.h>

/* ---- the provider ------------------------------------------------------------------------------------ */

static void object_gone(struct object *o)
{
	*o = (struct object){
		.state = GONE, .is_signed = 1, .action = o->action == ACTION_RUNS ? ACTION_DONE : o->action,
	};
}

static void provider_deletes(struct mover *m, enum thing thing)
{
	struct live *v = move_begin(m);

	object_gone(&v->w.objects[thing]);
	move_end(m, HEALTHY, "%s is gone", thing_name(thing));
	if (m->from->objects[thing].address == ADDRESS_USED) {
		v = move_begin(m);
		object_gone(&v->w.objects[thing]);
		v->w.objects[thing].address = ADDRESS_LEFT;
		move_end(m, HEALTHY, "%s is gone, its address is LEFT", thing_name(thing));
	}
	v = move_begin_of(m, &m->from->left.faults);
	if (!v)
		return;
	v->w.objects[thing].state = SHOWN;
	v->w.objects[thing].action = ACTION_FAILED;
	move_end(m, FAULTY, "the delete of %s FAILS later", thing_name(thing));
}

static void provider_late(struct mover *m, enum thing thing)
{
	struct live *v = move_begin(m);
	struct object *o = &v->w.objects[thing];
	enum late late = o->late;

	o->late = LATE_NOTHING;
	o->late_age = 0;
	if (late == LATE_LIFT)
		world_lift(v, thing);
	else if (late == LATE_PROTECT)
		world_protect(v, thing);
	else if (o->protection == OFF)
		world_destroy(v, thing);
	move_end(m, HEALTHY, "%s %s is executed LATE",
		 late == LATE_LIFT    ? "lifting" :
		 late == LATE_PROTECT ? "protecting" :
					"DELETE of",
		 thing_name(thing));
}

static void provider(struct mover *m, enum thing thing)
{
	const struct object *o = &m->from->objects[thing];
	struct live *v;

	if (o->state == HIDDEN) {
		v = move_begin(m);
		v->w.objects[thing].state = SHOWN;
		v->w.objects[thing].age = 0;
		move_end(m, HEALTHY, "%s appears", thing_name(thing));
	}
	if (o->state == GOING)
		provider_deletes(m, thing);
	if (o->late != LATE_NOTHING)
		provider_late(m, thing);
}

/* ---- people ---------------------------------------------------------------------------------------------- */

/*
 * Left out: a change between a step's read and the request that follows it, and a new label
 * while a lost request is on its way. No step can detect that.
 */
static void people(struct mover *m, enum thing thing)
{
	const struct object *o = &m->from->objects[thing];
	struct live *v;

	if (o->state != SHOWN || m->from->step.at != AT_NOTHING)
		return;
	v = thing == KEY || o->protection != OFF ? NULL : move_begin_of(m, &m->from->left.people);
	if (v) {
		v->w.objects[thing].protection = BY_A_PERSON;
		move_end(m, FAULTY, "a person PROTECTS %s", thing_name(thing));
	}
	v = o->protection == OFF ? NULL : move_begin_of(m, &m->from->left.people);
	if (v) {
		v->w.objects[thing].protection = OFF;
		v->w.is_bared = 1;
		move_end(m, FAULTY, "a person UNPROTECTS %s", thing_name(thing));
	}
	v = o->is_signed && o->late == LATE_NOTHING ? move_begin_of(m, &m->from->left.people) :
						      NULL;
	if (v) {
		v->w.objects[thing].is_signed = 0;
		move_end(m, FAULTY, "a person RELABELS %s", thing_name(thing));
	}
	v = o->is_marked ? NULL : move_begin_of(m, &m->from->left.marks);
	if (v) {
		v->w.objects[thing].label = (uint8_t)(m->from->store.epoch + 2);
		v->w.objects[thing].is_marked = 1;
		move_end(m, FAULTY, "another store KEEPS %s", thing_name(thing));
	}
}

#define TARDY_TICKS 5

/* ---- time ---------------------------------------------------------------------------------------------------- */

static uint8_t older(uint8_t age, int by, int most)
{
	return (uint8_t)(age + by < most ? age + by : most);
}

/* Must the provider act before the next tick? It has `settle`, or longer to show an object. */
static int is_due_at_the_provider(const struct config *c, const struct object *o)
{
	int most = c->is_tardy ? TARDY_TICKS : settle_ticks(c);

	return (o->state == HIDDEN && o->age >= most - 1) ||
	       (o->late != LATE_NOTHING && o->late_age >= settle_ticks(c) - 1);
}

static void age_rows(const struct config *config, struct store *s, int by)
{
	int most = age_most(config), least = lands_least(config);

	for (size_t i = 0; i < ROWS_MOST && s->rows[i].state; i++) {
		struct row *row = &s->rows[i];

		row->created = older(row->created, by, most);
		row->changed = older(row->changed, by, most);
		row->lands = (int16_t)(row->lands - by > least ? row->lands - by : least);
		row->lands = until_counts(config, row->state) ? row->lands : 0;
		if (row->absent_count && !row_is_over(row))
			row->absent_age = older(row->absent_age, by, most);
	}
}

static void tick(struct mover *m)
{
	int is_idle = m->from->step.at == AT_NOTHING;
	struct live *v;

	/* Without is_slow a step takes no time. */
	if (!is_idle && (!m->live.config->is_slow || m->from->step.begun >= STEP_TICKS ||
			 m->from->step.at == AT_END))
		return;
	for (int i = 0; i < OBJECTS; i++) {
		if (is_due_at_the_provider(m->live.config, &m->from->objects[i]))
			return;
	}
	if (m->from->deposed.left == 1)
		return;
	v = move_begin(m);
	v->w.deposed.left -= v->w.deposed.left > 0;
	age_rows(v->config, &v->w.store, 1);
	for (int i = 0; i < OBJECTS; i++) {
		struct object *o = &v->w.objects[i];

		o->age += o->state == HIDDEN;
		o->late_age = o->late != LATE_NOTHING ? o->late_age + 1 : 0;
	}
	v->w.step.begun = is_idle ? 0 : v->w.step.begun + 1;
	v->now_ms += v->shadow_of ? tick_ms(v->config) : 0;
	move_end(m, HEALTHY, "tick");
	v->now_ms -= v->shadow_of ? tick_ms(v->config) : 0;
}

static void time_over(struct mover *m)
{
	struct live *v;

	if (store_is_live(&m->from->store) && !m->from->is_time_over) {
		v = move_begin(m);
		live_time_over(v);
		move_end(m, FAULTY, "its time is OVER");
	}
	if (m->live.config->has_hours && !m->from->store.is_owed_long &&
	    (m->from->store.cleanup == CLEANUP_OWED || m->from->store.cleanup == CLEANUP_ATTENTION)) {
		v = move_begin(m);
		v->w.store.is_owed_long = 1;
		move_end(m, FAULTY, "HOURS pass");
	}
	if (m->from->store.until == UNTIL_LATER) {
		v = move_begin(m);
		v->w.store.until = UNTIL_OVER;
		move_end(m, FAULTY, "the time that its owner named is OVER");
	}
}

#define HOUR_MS INT64_C(3600000)

/* The clock jumps ahead: everything seems older than it is. */
static void clock_jumps(struct mover *m)
{
	struct lease_event event = {
		.kind = LEASE_EVENT_CLOCK_SET,
		.u.clock_by_ms = HOUR_MS,
	};
	int16_t ends[ROWS_MOST];
	struct live *v = m->from->is_clock_suspect ? NULL : move_begin_of(m, &m->from->left.clocks);

	if (v) {
		for (size_t i = 0; i < ROWS_MOST; i++)
			ends[i] = v->w.store.rows[i].lands;
		age_rows(v->config, &v->w.store, age_most(v->config));
		for (size_t i = 0; i < ROWS_MOST; i++)
			v->w.store.rows[i].lands = (int16_t)(ends[i] - HOUR_MS / tick_ms(v->config));
		v->w.is_clock_suspect = 1;
		v->w.is_time_over = 1;
		live_apply(v, &event);
		move_end(m, FAULTY, "the clock JUMPS ahead");
	}
	/* That takes ten minutes: steps are over, and the provider has shown what it created. */
	for (int i = 0; i < OBJECTS; i++) {
		if (m->from->objects[i].state == HIDDEN || m->from->objects[i].late != LATE_NOTHING)
			return;
	}
	if (!m->from->is_clock_suspect || m->from->step.at != AT_NOTHING)
		return;
	v = move_begin(m);
	v->w.is_clock_suspect = 0;
	age_rows(v->config, &v->w.store, age_most(v->config));
	move_end(m, HEALTHY, "the clock is trusted again");
}

/* ---- clients ----------------------------------------------------------------------------------------------------- */

/* May a delete be under way, whatever the store says? What an operator forgot does not count. */
static int is_being_deleted(const struct world *w)
{
	for (size_t i = 0; i < ROWS_MOST && w->store.rows[i].state; i++) {
		const struct row *row = &w->store.rows[i];

		if (row->thing < OBJECTS && !row_is_over(row) &&
		    (w->objects[row->thing].state == GOING ||
		     w->objects[row->thing].late == LATE_DELETE ||
		     w->objects[row->thing].late == LATE_LIFT))
			return 1;
	}
	return w->step.at == AT_DELETE || w->step.at == AT_LIFT_LABEL || w->step.at == AT_LIFT ||
	       deposed_may_delete(w);
}

struct ask {
	int delete_machine, is_cancel, has_until;
};

static void release(struct live *v, struct ask ask)
{
	struct lease_event event = {
		.kind = LEASE_EVENT_RELEASE,
		.u.release = {
			.delete_machine = ask.delete_machine, .is_cancel = ask.is_cancel,
			.until_ms = ask.has_until ? v->now_ms + INT64_C(7200000) : 0,
		},
	};

	live_apply(v, &event);
	if (!v->out.refusal && lease_is_live(&v->a.lease))
		live_wrong(v, "release: it was accepted, but the lease is still live");
}

/* A repeated release changes nothing, except the due time of a lease in attention. */
static void check_repeated(struct live *v, struct ask ask)
{
	struct lease_effects out = v->out;

	if (v->out.refusal || v->a.lease.cleanup == CLEANUP_ATTENTION || v->shadow_of)
		return;
	release(v, ask);
	if (v->out.changed || v->out.note_count || v->out.refusal)
		live_wrong(v, "history: a repeated release changed something");
	v->out = out;
}

static void promise(struct live *v)
{
	for (int i = 0; i < OBJECTS; i++) {
		if (store_holds(&v->w.store, i) && !v->w.objects[i].promise)
			v->w.objects[i].promise = PROMISE_RECORDED;
	}
}

/* Is the lease ended and its machine gone? Then nothing is left to retain. */
static int is_machine_gone(const struct world *w)
{
	for (int i = SERVER_1; i <= SERVER_2; i++) {
		if (store_holds(&w->store, i))
			return 0;
	}
	return !store_is_live(&w->store) && !w->store.is_retained &&
	       !store_forgot(&w->store, SERVER_1) && !store_forgot(&w->store, SERVER_2) &&
	       (w->objects[SERVER_1].state == GONE || w->objects[SERVER_2].state == GONE);
}

static void release_keep(struct mover *m, int has_until)
{
	struct ask ask = { .delete_machine = 0, .has_until = has_until };
	struct live *v = move_begin_of(m, &m->from->left.calls);

	if (!v)
		return;
	release(v, ask);
	check_repeated(v, ask);
	if (!v->out.refusal && v->a.lease.retained) {
		if (is_being_deleted(m->from) && !m->from->is_restored)
			live_wrong(v, "honest: answered retained, but a delete is under way");
		if (is_machine_gone(m->from) && !m->from->is_restored)
			live_wrong(v, "honest: answered retained, but the machine is gone");
		promise(v);
	}
	move_end(m, FAULTY, "client: release, KEEP%s: %s", has_until ? " for two hours" : "",
		 v->out.refusal ? "no" : "ok");
}

/* As in request_cancel: a retained lease stays retained. */
static void cancel(struct mover *m)
{
	int is_kept = m->from->store.is_retained;
	struct live *v = move_begin_of(m, &m->from->left.calls);

	if (!v)
		return;
	release(v, (struct ask){ .delete_machine = is_kept ? -1 : 1, .is_cancel = 1 });
	if (v->out.refusal || is_kept != v->a.lease.retained)
		live_wrong(v, "cancel: it was refused, or ended a retention");
	move_end(m, FAULTY, "client: CANCEL");
}

static void release_delete(struct mover *m)
{
	struct live *v = move_begin_of(m, &m->from->left.calls);

	if (!v)
		return;
	release(v, (struct ask){ .delete_machine = 1 });
	check_repeated(v, (struct ask){ .delete_machine = 1 });
	if (v->out.refusal)
		live_wrong(v, "release: a delete was refused");
	for (int i = 0; i < OBJECTS; i++) {
		v->w.objects[i].promise = PROMISE_NONE;
		/* A client that requests this delete knows that this store retains it. */
		v->w.objects[i].is_marked &= !m->from->store.is_retained;
	}
	move_end(m, FAULTY, "client: release, DELETE");
}

static enum lease_refusal heartbeat_refusal(const struct world *w)
{
	int is_blind = !w->was_verified || w->account == ACCOUNT_FENCED;

	if (!store_is_live(&w->store))
		return LEASE_REFUSAL_ENDED;
	return w->is_time_over && !is_blind && !w->is_clock_suspect ? LEASE_REFUSAL_EXPIRED :
								      LEASE_REFUSAL_NONE;
}

static void heartbeat(struct mover *m)
{
	struct live *v;

	/* A running step makes no difference. */
	if (m->from->step.at != AT_NOTHING)
		return;
	/* While provisioning the TTL counts; is_time_over is the wait for the machine. */
	if (m->from->store.state == LEASE_PROVISIONING && m->from->is_time_over)
		return;
	v = move_begin(m);
	live_apply_kind(v, LEASE_EVENT_HEARTBEAT);
	if (v->out.refusal != heartbeat_refusal(m->from))
		live_wrong(v, "heartbeat: an ended lease was revived, or a live one refused");
	move_end(m, HEALTHY, "heartbeat");
}

/* ---- operators ------------------------------------------------------------------------------------------------------ */

static void decide(struct mover *m, enum lease_event_kind kind, struct lease_decision decision,
		   const char *name)
{
	struct live *v = move_begin_of(m, &m->from->left.operators);
	struct lease_event event = { .kind = kind, .u.decision = decision };

	if (!v)
		return;
	event.u.decision.by = "op";
	event.u.decision.reason = "";
	live_apply(v, &event);
	if (!v->out.refusal)
		move_end(m, FAULTY, "operator: %s", name);
}

/* As in store_resource_claim. */
static int64_t claimed_by(const struct world *w, enum thing thing)
{
	for (size_t i = 0; i < ROWS_MOST && w->store.rows[i].state; i++) {
		if (w->store.rows[i].thing == thing && w->store.rows[i].has_id &&
		    (!row_is_over(&w->store.rows[i]) ||
		     w->store.rows[i].state == LESSOR_STATE_DISOWNED))
			return (int64_t)i + 1;
	}
	return 0;
}

static void operators(struct mover *m)
{
	if (!m->from->left.operators)
		return;
	decide(m, LEASE_EVENT_RETRY, (struct lease_decision){ .row = 0 }, "RETRY");
	decide(m, LEASE_EVENT_FORGET, (struct lease_decision){ .row = 0 }, "FORGET");
	for (size_t i = 0; i < ROWS_MOST && m->from->store.rows[i].state; i++) {
		const struct row *row = &m->from->store.rows[i];

		if (row->thing < OBJECTS && m->from->objects[row->thing].state == SHOWN &&
		    (!row->has_id || row_is_over(row)))
			decide(m, LEASE_EVENT_ADOPT, (struct lease_decision){
				.row = (int64_t)i + 1, .resource_id = live_id(row->thing),
				.claimed_by = claimed_by(m->from, row->thing),
			}, "ADOPT");
	}
}

/* A sweep sees that a retained server is no longer protected. */
static void sweep(struct mover *m)
{
	for (size_t i = 0; i < ROWS_MOST && m->from->store.rows[i].state; i++) {
		const struct row *row = &m->from->store.rows[i];
		struct lease_event event = {
			.kind = LEASE_EVENT_UNPROTECTED, .u.seen.row = (int64_t)i + 1,
		};
		struct live *v;

		if (row->state != LESSOR_STATE_RETAINED || !row->is_marked || !m->from->is_bared ||
		    row->thing == KEY || m->from->objects[row->thing].protection != OFF ||
		    !step_shows(m->from, row->thing))
			continue;
		v = move_begin(m);
		live_apply(v, &event);
		move_end(m, HEALTHY, "a sweep sees that %s is not protected", thing_name(row->thing));
	}
}

/* An intended resource that was concluded absent appears after all. */
static void sweep_late(struct mover *m, enum thing thing)
{
	struct lessor_observed seen = live_observed(thing, 0, 0, 1);
	struct lease_event event = {
		.kind = LEASE_EVENT_LATE_ARRIVAL,
		.u.seen = { .kind = seen.kind, .attempt = thing_attempt(thing), .name = seen.name,
			    .id = seen.id },
	};

	if (!step_shows(m->from, thing) || store_holds(&m->from->store, thing) ||
	    store_forgot(&m->from->store, thing))
		return;
	live_apply(move_begin(m), &event);
	move_end(m, HEALTHY, "a sweep sees %s", thing_name(thing));
}

/* ---- the account, crashes, older stores ---------------------------------------------------------------------------------- */

static void probe(struct mover *m)
{
	struct live *v;
	struct lease_event event = { .kind = LEASE_EVENT_UNBLOCKED };
	int is_blocked = m->from->account == ACCOUNT_BLOCKED;

	/* The probe would find nothing new. */
	if (m->from->account == ACCOUNT_FENCED ||
	    m->from->account == (m->from->is_other_project ? ACCOUNT_BLOCKED : ACCOUNT_VERIFIED))
		return;
	v = move_begin(m);
	if (m->from->is_other_project) {
		v->w.account = ACCOUNT_BLOCKED;
		/* Waiting leases are notified. */
		if (m->from->step.at == AT_NOTHING)
			live_apply_kind(v, LEASE_EVENT_BLOCKED);
		move_end(m, HEALTHY, "probe: another project");
		return;
	}
	event.u.is_start = !m->from->was_verified && !is_blocked;
	v->w.account = ACCOUNT_VERIFIED;
	v->w.was_verified = 1;
	live_apply(v, &event);
	move_end(m, HEALTHY, "probe: ours");
}

void world_restart(struct live *v)
{
	v->w.step = (struct step){ 0 };
	/* The fence is stored. */
	if (v->w.account != ACCOUNT_FENCED)
		v->w.account = ACCOUNT_UNKNOWN;
	v->w.was_verified = 0;
	live_apply_kind(v, LEASE_EVENT_RESTART);
}

static void crash(struct mover *m)
{
	struct live *v = move_begin_of(m, &m->from->left.crashes);

	if (!v)
		return;
	world_restart(v);
	move_end(m, FAULTY, "CRASH");
}

/* Left out: a flip between a DELETE and the read that follows it; no step can detect that. */
static void flip(struct mover *m)
{
	int is_between = m->from->step.at == AT_DELETED || m->from->step.at == AT_READ_AGAIN;
	struct live *v = is_between ? NULL : move_begin_of(m, &m->from->left.flips);

	if (!v)
		return;
	v->w.is_other_project = !v->w.is_other_project;
	move_end(m, FAULTY, "the token opens %s", v->w.is_other_project ? "ANOTHER project" :
									  "our project again");
}

/* Another daemon raised the generation: this store may be behind. */
static void fence(struct mover *m)
{
	struct live *v = m->from->account == ACCOUNT_FENCED ? NULL :
			 move_begin_of(m, &m->from->left.fences);

	if (!v)
		return;
	v->w.account = ACCOUNT_FENCED;
	if (v->w.step.at == AT_NOTHING)
		live_apply_kind(v, LEASE_EVENT_BLOCKED);
	move_end(m, FAULTY, "its account is FENCED");
}

/* An operator takes the account over: protection is verified again. */
static void take_over(struct mover *m)
{
	struct lease_event event = { .kind = LEASE_EVENT_UNPROTECTED };
	struct live *v;

	if (m->from->account != ACCOUNT_FENCED)
		return;
	v = move_begin(m);
	for (int i = 0; i < ROWS_MOST && m->from->store.rows[i].state; i++) {
		event.u.seen.row = i + 1;
		live_apply(v, &event);
	}
	/* A probe follows; it matters only if it is the first, or if it finds another project. */
	v->w.account = v->w.is_other_project || !v->w.was_verified ? ACCOUNT_UNKNOWN :
								     ACCOUNT_VERIFIED;
	live_apply_kind(v, LEASE_EVENT_UNBLOCKED);
	move_end(m, HEALTHY, "operator: TAKE OVER");
}

/* A backup is taken and later restored: what was only recorded since then is lost. */
static void copies(struct mover *m)
{
	struct live *v;

	if (!m->from->left.copies)
		return;
	if (!m->from->copy.epoch) {
		v = move_begin(m);
		v->w.copy = v->w.store;
		move_end(m, FAULTY, "a BACKUP is taken");
		return;
	}
	v = move_begin_of(m, &m->from->left.copies);
	v->w.store = v->w.copy;
	memset(&v->w.copy, 0, sizeof(v->w.copy));
	v->w.is_restored = 1;
	for (int i = 0; i < OBJECTS; i++) {
		if (v->w.objects[i].promise == PROMISE_RECORDED && !v->w.store.is_retained)
			v->w.objects[i].promise = PROMISE_NONE;
	}
	world_restart(v);
	move_end(m, FAULTY, "the backup is RESTORED");
}

void move_world(struct mover *m)
{
	for (int i = 0; i < OBJECTS; i++) {
		provider(m, i);
		people(m, i);
		if (m->live.config->is_tardy)
			sweep_late(m, i);
	}
	tick(m);
	time_over(m);
	clock_jumps(m);
	release_keep(m, 0);
	if (m->live.config->has_until) {
		release_keep(m, 1);
		cancel(m);
	}
	release_delete(m);
	heartbeat(m);
	operators(m);
	sweep(m);
	probe(m);
	crash(m);
	flip(m);
	fence(m);
	take_over(m);
	copies(m);
	move_takeover(m);
}
