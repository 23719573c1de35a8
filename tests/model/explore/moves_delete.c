/* SPDX-License-Identifier: MIT */
/* Steps that delete: read, permit, DELETE, its outcome, and absence. */
#include "moves.h"

#include <lessor/provider.h>

/* ---- the provider -------------------------------------------------------------------------------- */

static int server_exists(const struct world *w)
{
	return object_exists(&w->objects[SERVER_1]) || object_exists(&w->objects[SERVER_2]);
}

/* An address without a row would be left behind unnoticed. */
static int is_address_known(const struct world *w, enum thing server)
{
	enum thing address = server == SERVER_1 ? ADDRESS_1 : ADDRESS_2;

	if (w->objects[server].address == ADDRESS_NONE)
		return 1;
	for (size_t i = 0; i < ROWS_MOST && w->store.rows[i].state; i++) {
		if (w->store.rows[i].thing == address)
			return 1;
	}
	return 0;
}

/* Of a live lease only what a refused attempt left may be deleted. */
static int is_used(const struct world *w, enum thing thing)
{
	if (!store_is_live(&w->store) || w->is_restored)
		return 0;
	return thing == KEY || !(w->store.refused & 1u << (thing_attempt(thing) - 1));
}

void world_destroy(struct live *v, enum thing thing)
{
	struct object *o = &v->w.objects[thing];

	if (o->state != SHOWN)
		return;
	if (o->promise)
		live_wrong(v, "retained: deleted after the no-delete release");
	if (o->is_marked)
		live_wrong(v, "retained: deleted though another store keeps it");
	if (!o->is_signed)
		live_wrong(v, "foreign: deleted what a person relabelled");
	if (is_used(&v->w, thing))
		live_wrong(v, "use: deleted what a live lease uses");
	if (thing == KEY && server_exists(&v->w) && !v->w.is_restored && !v->config->is_tardy &&
	    !store_forgot(&v->w.store, SERVER_1) && !store_forgot(&v->w.store, SERVER_2))
		live_wrong(v, "order: the key was deleted, but its server exists");
	if (!v->w.is_restored && !is_address_known(&v->w, thing))
		live_wrong(v, "address: its server was deleted, but no row names it");
	o->state = GOING;
	o->action = ACTION_RUNS;
}

static void destroy(struct live *v)
{
	world_destroy(v, step_thing(&v->w));
}

/* ---- an exact read --------------------------------------------------------------------------------- */

static void read_it(struct mover *m, enum step_point seen, enum step_point absent)
{
	struct live *v = move_begin(m);
	int is_seen = step_shows(m->from, step_thing(m->from));

	step_saw(v, is_seen);
	v->w.step.at = (uint8_t)(is_seen ? seen : absent);
	move_end(m, HEALTHY, "read %s: %s", thing_name(step_thing(m->from)),
		 is_seen ? "found" : "not found");
}

static void read_lie(struct mover *m, enum step_point next, const char *what)
{
	struct live *v = move_begin_of(m, &m->from->left.lies);

	if (!v)
		return;
	step_saw(v, 0);
	v->w.step.is_proof = 1;
	v->w.step.at = (uint8_t)next;
	move_end(m, FAULTY, "read %s: LIE, %s", thing_name(step_thing(m->from)), what);
}

void move_read(struct mover *m)
{
	read_it(m, AT_SEEN, AT_ABSENT);
	if (!step_shows(m->from, step_thing(m->from)))
		return;
	read_lie(m, AT_ABSENT, "not found, not listed");
	read_lie(m, AT_LISTED_ONLY, "not found, but listed");
}

/* ---- absence ----------------------------------------------------------------------------------------- */

/* Ends the step, or continues if there is more to do. */
static void go_on(struct live *v)
{
	if (v->w.step.op == LEASE_OP_RETAIN)
		step_verdict(v, LESSOR_PENDING, LESSOR_CLASS_NONE);
	else
		step_plan(v);
}

/* Without the sentinel's answer the host makes no such claim, and the rule refuses it. */
static void claim_gone(struct live *v)
{
	if (step_say_kind(v, CLAIM_GONE))
		step_verdict(v, LESSOR_RETRY, LESSOR_CLASS_TRANSIENT);
	else
		go_on(v);
}

void move_absent(struct mover *m)
{
	struct live *v = move_begin(m);

	live_open(v);
	claim_gone(v);
	move_end(m, HEALTHY, "commit that %s is absent", thing_name(step_thing(m->from)));
}

void move_listed_only(struct mover *m)
{
	struct live *v = move_begin(m);

	step_say_kind(v, CLAIM_REPORT_PRESENT);
	step_verdict(v, LESSOR_RETRY, LESSOR_CLASS_PROVIDER);
	move_end(m, HEALTHY, "commit that %s is listed", thing_name(step_thing(m->from)));
}

/* ---- permits -------------------------------------------------------------------------------------------- */

/* Asks to lift its delete protection, if that is ours. */
static void ask_to_lift(struct mover *m)
{
	struct live *v = move_begin(m);
	struct lease_claim claim = step_claim(v, CLAIM_CHANGE);
	int rc;

	claim.change = LESSOR_CHANGE_UNPROTECT;
	live_open(v);
	step_note_address(v, step_thing(m->from));
	rc = step_say(v, &claim);
	if (rc || claim.is_done) {
		step_verdict(v, LESSOR_REFUSED, LESSOR_CLASS_OWNERSHIP);
	} else {
		v->w.step.writes = (uint8_t)v->a.ledger.resources[v->w.step.row].retain_epoch;
		v->w.step.at = AT_LIFT_LABEL;
	}
	move_end(m, HEALTHY, "permit to lift its protection: %s", rc ? "no" : "ok");
}

void move_seen(struct mover *m)
{
	struct live *v;
	int rc;

	if (m->from->step.is_on) {
		ask_to_lift(m);
		return;
	}
	v = move_begin(m);
	live_open(v);
	if (step_thing(m->from) != KEY)
		step_note_address(v, step_thing(m->from));
	rc = step_say_kind(v, CLAIM_PERMIT);
	if (rc)
		step_verdict(v, LESSOR_REFUSED, LESSOR_CLASS_OWNERSHIP);
	else
		v->w.step.at = AT_DELETE;
	move_end(m, HEALTHY, "permit to delete %s: %s", thing_name(step_thing(m->from)),
		 rc ? "no" : "ok");
}

/* ---- the delete ------------------------------------------------------------------------------------------- */

void move_delete(struct mover *m)
{
	static const struct request deletes = {
		.name = "DELETE", .carry_out = destroy, .accepted = AT_DELETED, .failed = AT_DELETED,
		.late = LATE_DELETE,
	};
	static const struct request not_found = { .name = "DELETE", .failed = AT_NOT_FOUND };
	enum thing thing = step_thing(m->from);

	if (!step_shows(m->from, thing))
		move_request_refused(m, &not_found, "404");
	else if (m->from->objects[thing].protection != OFF)
		move_request_refused(m, &deletes, "423 protected");
	else
		move_request(m, &deletes);
}

static void delete_accepted(struct mover *m)
{
	struct live *v = move_begin(m);
	enum thing thing = step_thing(m->from);
	struct lease_claim claim = step_claim(v, CLAIM_DELETING);
	int rc;

	claim.action = thing == KEY ? "" : "70";
	rc = live_claim(v, &claim);
	if (rc || thing != KEY)
		step_verdict(v, rc ? LESSOR_RETRY : LESSOR_PENDING, LESSOR_CLASS_TRANSIENT);
	else
		v->w.step.at = AT_READ_AGAIN;
	move_end(m, HEALTHY, "commit that the delete of %s was accepted", thing_name(thing));
}

void move_deleted(struct mover *m)
{
	enum effect_outcome outcome = m->from->step.outcome;
	int is_refused = outcome == EFFECT_NOT_SENT || outcome == EFFECT_REFUSED;
	struct live *v;

	if (outcome == EFFECT_ACCEPTED) {
		delete_accepted(m);
		return;
	}
	v = move_begin(m);
	step_say_kind(v, is_refused ? CLAIM_REPORT_PRESENT : CLAIM_DELETE_UNKNOWN);
	step_verdict(v, is_refused && m->from->objects[step_thing(m->from)].protection != OFF ?
		     LESSOR_REFUSED : LESSOR_RETRY, LESSOR_CLASS_PROTECTED);
	move_end(m, HEALTHY, "commit that the delete %s", is_refused ? "had no effect" : "is unknown");
}

/* A key is deleted at once; a read confirms it. The answered DELETE proves the project. */
void move_read_again(struct mover *m)
{
	struct live *v = move_begin(m);
	int is_seen = step_shows(m->from, step_thing(m->from));

	step_saw(v, is_seen);
	v->w.step.is_proof = 1;
	if (is_seen)
		step_verdict(v, LESSOR_PENDING, LESSOR_CLASS_NONE);
	else
		v->w.step.at = AT_ABSENT;
	move_end(m, HEALTHY, "read %s: %s", thing_name(step_thing(m->from)),
		 is_seen ? "found" : "not found");
}

void move_not_found(struct mover *m)
{
	read_it(m, AT_READ_404, AT_READ_404);
}

/* The delete was answered 404, and then the object was read. */
void move_read_404(struct mover *m)
{
	struct live *v = move_begin(m);
	struct lease_claim claim = step_claim(v, CLAIM_REPORT_PRESENT);

	/* The response alone first settles what the permit was for. */
	live_claim(v, &claim);
	if (v->w.step.saw)
		step_verdict(v, LESSOR_RETRY, LESSOR_CLASS_PROVIDER);
	else
		claim_gone(v);
	move_end(m, HEALTHY, "commit that the delete found nothing");
}

/* ---- a delete that was accepted ------------------------------------------------------------------------------ */

static void follow_end(struct mover *m, struct live *v, enum step_point next, const char *what)
{
	if (next == AT_END)
		step_verdict(v, LESSOR_PENDING, LESSOR_CLASS_NONE);
	else
		v->w.step.at = (uint8_t)next;
	move_end(m, HEALTHY, "follow the delete of %s: %s", thing_name(step_thing(m->from)), what);
}

void move_follow(struct mover *m)
{
	const struct row *row = &m->from->store.rows[m->from->step.row];
	const struct object *o = &m->from->objects[row->thing];
	int is_seen = step_shows(m->from, row->thing);
	struct live *v = move_begin(m);

	step_saw(v, is_seen);
	if (row->has_action && o->action == ACTION_FAILED && v->w.step.is_proof) {
		v->w.step.is_gave_up = 1;
		follow_end(m, v, AT_REPORT_PRESENT, "it failed");
		return;
	}
	follow_end(m, v, is_seen ? AT_END : AT_ABSENT, is_seen ? "found" : "not found");
	/* After this time the delete is repeated. */
	if (!is_seen || row->changed < settle_ticks(m->live.config))
		return;
	v = move_begin(m);
	step_saw(v, 1);
	follow_end(m, v, AT_REPORT_PRESENT, "found, for too long");
}

void move_report_present(struct mover *m)
{
	struct live *v = move_begin(m);

	step_say_kind(v, CLAIM_REPORT_PRESENT);
	step_verdict(v, LESSOR_RETRY, LESSOR_CLASS_TRANSIENT);
	move_end(m, HEALTHY, "commit that %s still exists", thing_name(step_thing(m->from)));
}
