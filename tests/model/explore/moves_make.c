/* SPDX-License-Identifier: MIT */
/* Steps that create resources, look them up, and wait for them. */
#include "moves.h"

#include <string.h>

#include <lessor/provider.h>

/* ---- attempts ----------------------------------------------------------------------------------- */

static int refuse_attempt(struct live *v, uint32_t attempt)
{
	struct lease_claim claim = {
		.kind = CLAIM_ATTEMPT_REFUSED, .attempt = attempt,
		.error_class = LESSOR_CLASS_CAPACITY,
	};

	return live_claim(v, &claim);
}

void move_attempt(struct mover *m)
{
	struct live *v = move_begin(m);
	struct lease_claim claim = {
		.kind = CLAIM_ATTEMPT, .attempt = m->from->store.attempts + 1u, .type = "t",
		.location = "l",
	};
	int rc = live_claim(v, &claim);

	step_verdict(v, rc ? LESSOR_RETRY : LESSOR_PENDING, LESSOR_CLASS_TRANSIENT);
	move_end(m, HEALTHY, "attempt %u", claim.attempt);
}

/* ---- creates ------------------------------------------------------------------------------------ */

void move_intend(struct mover *m)
{
	struct live *v = move_begin(m);
	enum thing thing = v->w.step.thing;
	struct lease_claim claim = {
		.kind = CLAIM_INTEND, .resource_kind = thing_kind(thing),
		.attempt = thing_attempt(thing),
	};
	int rc = live_claim(v, &claim);

	if (rc)
		step_verdict(v, LESSOR_RETRY, LESSOR_CLASS_TRANSIENT);
	else
		v->w.step.at = AT_CREATE;
	move_end(m, HEALTHY, "intend %s: %s", thing_name(thing), rc ? "no" : "ok");
}

void world_make(struct live *v, enum thing thing)
{
	struct object *o = &v->w.objects[thing];

	for (int i = SERVER_1; i <= SERVER_2; i++) {
		if (thing != KEY && thing != (enum thing)i && object_exists(&v->w.objects[i]) &&
		    !v->w.is_restored && !v->config->is_tardy)
			live_wrong(v, "order: created a second server while the first may exist");
	}
	/* Ids are never reused, but here the second object would have the id of the first. */
	for (size_t i = 0; o->state == GONE && i < ROWS_MOST && v->w.store.rows[i].state; i++) {
		if (v->w.store.rows[i].thing == thing && v->w.store.rows[i].has_id)
			live_wrong(v, "model: an object that is gone was created again");
	}
	*o = (struct object){
		.state = HIDDEN, .is_signed = 1,
		.address = v->config->has_address && thing != KEY ? ADDRESS_USED : ADDRESS_NONE,
	};
}

static void make(struct live *v)
{
	world_make(v, step_thing(&v->w));
}

void move_create(struct mover *m)
{
	static const struct request create = {
		.name = "create", .carry_out = make, .accepted = AT_CREATED, .failed = AT_CREATED,
	};

	/* An older store repeats the create: a look-up must find out whose the object is. */
	if (object_exists(&m->from->objects[step_thing(m->from)])) {
		struct live *v = move_begin(m);

		v->w.step.outcome = EFFECT_UNKNOWN;
		v->w.step.at = AT_CREATED;
		move_end(m, HEALTHY, "create: the name is taken");
		return;
	}
	move_request(m, &create);
}

static void created(struct mover *m)
{
	struct live *v = move_begin(m);
	enum thing thing = step_thing(m->from);
	struct lease_claim claim = step_claim(v, CLAIM_CREATED);
	int rc;

	claim.id = live_id(thing);
	claim.action = thing == KEY ? "" : "60";
	rc = live_claim(v, &claim);
	if (!rc && thing != KEY)
		step_note_address(v, thing);
	step_verdict(v, rc ? LESSOR_RETRY : LESSOR_PENDING, LESSOR_CLASS_TRANSIENT);
	move_end(m, HEALTHY, "created %s", thing_name(thing));
}

/* Refused for now, or permanently: then the next server type is tried. */
static void not_created(struct mover *m, int is_for_good)
{
	struct live *v = move_begin(m);
	enum thing thing = step_thing(m->from);

	step_say_kind(v, CLAIM_NOT_CREATED);
	if (!is_for_good) {
		step_verdict(v, LESSOR_RETRY, LESSOR_CLASS_TRANSIENT);
	} else if (thing == KEY) {
		step_verdict(v, LESSOR_REFUSED, LESSOR_CLASS_INVALID);
	} else {
		refuse_attempt(v, thing_attempt(thing));
		step_verdict(v, LESSOR_PENDING, LESSOR_CLASS_NONE);
	}
	move_end(m, HEALTHY, "%s was not created%s", thing_name(thing), is_for_good ? "" : ", for now");
}

void move_created(struct mover *m)
{
	struct live *v;

	switch (m->from->step.outcome) {
	case EFFECT_ACCEPTED:
		created(m);
		return;
	case EFFECT_UNKNOWN:
		v = move_begin(m);
		step_say_kind(v, CLAIM_UNKNOWN);
		step_verdict(v, LESSOR_RETRY, LESSOR_CLASS_TRANSIENT);
		move_end(m, HEALTHY, "unknown whether %s was created",
			 thing_name(step_thing(m->from)));
		return;
	default:
		not_created(m, 0);
		if (m->from->step.outcome == EFFECT_REFUSED)
			not_created(m, 1);
		return;
	}
}

/* ---- waiting for the server ---------------------------------------------------------------------- */

static void give_up(struct mover *m, struct live *v, int is_healthy, const char *why)
{
	if (!v)
		return;
	v->w.step.at = AT_GIVE_UP;
	move_end(m, is_healthy, "give up the server: %s", why);
}

static void go_on(struct mover *m, const char *why)
{
	step_verdict(move_begin(m), LESSOR_PENDING, LESSOR_CLASS_NONE);
	move_end(m, HEALTHY, "the server %s", why);
}

void move_wait(struct mover *m)
{
	enum thing server = step_thing(m->from);
	struct live *v;

	if (!step_shows(m->from, server)) {
		go_on(m, "is not shown");
		give_up(m, move_begin(m), HEALTHY, "it is not shown");
		return;
	}
	if (!m->from->objects[server].is_signed) {
		go_on(m, "is no longer ours");
		give_up(m, move_begin(m), HEALTHY, "it is not ours");
		return;
	}
	v = move_begin(m);
	step_saw(v, 1);
	v->w.step.thing = (uint8_t)server;
	v->w.step.at = AT_READY;
	move_end(m, HEALTHY, "the server runs");
	give_up(m, move_begin_of(m, &m->from->left.faults), FAULTY, "it does not START");
}

void move_ready(struct mover *m)
{
	struct live *v = move_begin(m);

	live_open(v);
	step_note_address(v, v->w.step.thing);
	step_verdict(v, LESSOR_DONE, LESSOR_CLASS_NONE);
	move_end(m, HEALTHY, "ready");
}

void move_give_up(struct mover *m)
{
	struct live *v = move_begin(m);
	int rc = refuse_attempt(v, thing_attempt(step_thing(m->from)));

	step_verdict(v, rc ? LESSOR_RETRY : LESSOR_PENDING, LESSOR_CLASS_TRANSIENT);
	move_end(m, HEALTHY, "the attempt is closed");
}

/* ---- look-ups -------------------------------------------------------------------------------------- */

static int is_listed(const struct world *w, enum thing thing)
{
	return thing_kind(thing) == thing_kind(w->step.thing);
}

void move_list(struct mover *m)
{
	struct live *v = move_begin(m);
	uint8_t shown = 0;

	for (int i = 0; i < OBJECTS; i++) {
		if (is_listed(m->from, i) && step_shows(m->from, i))
			shown |= (uint8_t)(1u << i);
	}
	v->w.step.saw = shown;
	v->w.step.is_proof = !v->w.is_other_project;
	v->w.step.at = AT_LISTED;
	move_end(m, HEALTHY, "list by name and labels: %s", shown ? "found" : "nothing");
	v = shown ? move_begin_of(m, &m->from->left.lies) : NULL;
	if (!v)
		return;
	v->w.step.is_proof = 1;
	v->w.step.at = AT_LISTED;
	move_end(m, FAULTY, "list by name and labels: LIE, nothing");
}

/* Adopts what was found, if it is ours. Returns a bit for each object that is not. */
static unsigned int adopt_found(struct live *v)
{
	unsigned int strange = 0;
	uint8_t found = v->w.step.saw;

	/* A listing is not a read of its row. */
	v->w.step.saw = 0;
	live_open(v);
	for (int i = 0; i < OBJECTS; i++) {
		const struct object *o = &v->w.objects[i];
		struct lessor_observed seen = live_observed(i, o->label, o->protection != OFF,
							    o->is_signed);
		struct lease_claim claim = {
			.kind = CLAIM_ADOPT, .seen = &seen, .id = seen.id,
			.resource_kind = seen.kind,
		};

		if (found & 1u << i && live_claim(v, &claim))
			strange |= 1u << i;
	}
	return strange;
}

static int is_meant(const struct resource *r, enum thing thing)
{
	return r->kind == thing_kind(thing) && r->attempt == thing_attempt(thing);
}

/* Applies the completed look-up to one row. Returns the verdict. */
static int row_reconcile(struct live *v, size_t row, unsigned int strange)
{
	for (int i = 0; i < OBJECTS; i++) {
		if (strange & 1u << i && is_meant(&v->a.ledger.resources[row], i))
			return LESSOR_REFUSED;
	}
	v->w.step.row = (uint8_t)row;
	return step_say_kind(v, CLAIM_REPORT_ABSENT) ? LESSOR_RETRY : LESSOR_PENDING;
}

void move_listed(struct mover *m)
{
	struct live *v = move_begin(m);
	unsigned int strange = adopt_found(v);
	int verdict = LESSOR_PENDING;

	for (size_t i = 0; i < v->a.ledger.resource_count; i++) {
		const struct resource *r = &v->a.ledger.resources[i];
		int settled;

		if (!lessor_state_is_unsettled(r->state) || r->kind != thing_kind(v->w.step.thing))
			continue;
		settled = row_reconcile(v, i, strange);
		verdict = settled == LESSOR_PENDING ? verdict : settled;
	}
	if (verdict == LESSOR_PENDING && v->w.step.op == LEASE_OP_INSPECT)
		verdict = LESSOR_RETRY;
	step_verdict(v, verdict, verdict == LESSOR_REFUSED ? LESSOR_CLASS_OWNERSHIP :
							     LESSOR_CLASS_TRANSIENT);
	move_end(m, HEALTHY, "commit the look-up");
}
