/* SPDX-License-Identifier: MIT */
/* Steps that protect what a no-delete release retains, and lift it before an explicit delete. */
#include "moves.h"

#include <lessor/provider.h>

/* ---- the provider --------------------------------------------------------------------------------- */

void world_lift(struct live *v, enum thing thing)
{
	struct object *o = &v->w.objects[thing];

	if (o->state != SHOWN || o->protection == OFF)
		return;
	if (o->protection == BY_A_PERSON)
		live_wrong(v, "foreign: lifted a protection that a person set");
	if (o->promise)
		live_wrong(v, "retained: protection lifted after the no-delete release");
	if (o->is_marked)
		live_wrong(v, "retained: protection lifted though another store keeps it");
	o->protection = OFF;
}

static void lift(struct live *v)
{
	world_lift(v, step_thing(&v->w));
}

void world_protect(struct live *v, enum thing thing)
{
	struct object *o = &v->w.objects[thing];

	if (o->state == SHOWN && o->protection == OFF)
		o->protection = BY_US;
}

static void protect(struct live *v)
{
	world_protect(v, step_thing(&v->w));
}

static void write_label(struct live *v)
{
	step_object(v)->label = v->w.step.writes;
	v->w.step.is_labelled = 1;
}

/* A change to an object that does not exist or is being deleted is answered 404. */
static void change(struct mover *m, const struct request *r)
{
	if (m->from->objects[step_thing(m->from)].state == SHOWN && !m->from->is_other_project)
		move_request(m, r);
	else
		move_request_refused(m, r, "404");
}

static void read_it(struct mover *m, enum step_point seen, enum step_point absent)
{
	enum thing thing = step_thing(m->from);
	struct live *v = move_begin(m);
	int is_seen = step_shows(m->from, thing);

	step_saw(v, is_seen);
	v->w.step.at = (uint8_t)(is_seen ? seen : absent);
	move_end(m, HEALTHY, "read %s: %s", thing_name(thing),
		 !is_seen	 ? "not found" :
		 v->w.step.is_on ? "protected" :
				   "not protected");
}

static int changed(struct live *v, uint32_t change)
{
	struct lease_claim claim = step_claim(v, CLAIM_CHANGED);

	claim.change = change;
	return step_say(v, &claim);
}

/* ---- lifting: the label first -------------------------------------------------------------------------- */

void move_lift_label(struct mover *m)
{
	static const struct request raise = {
		.name = "raise its label", .carry_out = write_label, .accepted = AT_LIFT,
		.failed = AT_LIFT_READ,
	};

	change(m, &raise);
}

void move_lift(struct mover *m)
{
	static const struct request lifts = {
		.name = "LIFT its protection", .carry_out = lift, .accepted = AT_LIFT_READ,
		.failed = AT_LIFTED, .late = LATE_LIFT,
	};

	change(m, &lifts);
}

void move_lift_read(struct mover *m)
{
	read_it(m, AT_LIFTED, AT_LIFTED);
}

void move_lifted(struct mover *m)
{
	struct live *v = move_begin(m);

	/* If its label was not written, the protection was not changed. */
	if (!v->w.step.is_labelled)
		v->w.step.outcome = EFFECT_NOT_SENT;
	changed(v, LESSOR_CHANGE_UNPROTECT);
	step_verdict(v, v->w.step.outcome == EFFECT_ACCEPTED ? LESSOR_PENDING : LESSOR_RETRY,
		     LESSOR_CLASS_TRANSIENT);
	move_end(m, HEALTHY, "commit the state of its protection");
}

/* ---- keeping --------------------------------------------------------------------------------------------- */

void move_keep_read(struct mover *m)
{
	read_it(m, AT_KEEP_LABEL, AT_ABSENT);
}

/* May it be changed? 0: yes; 1: not necessary; -1: no. */
static int ask(struct live *v, uint32_t change)
{
	struct lease_claim claim = step_claim(v, CLAIM_CHANGE);
	int rc;

	claim.change = change;
	rc = step_say(v, &claim);
	if (rc)
		step_verdict(v, LESSOR_REFUSED, LESSOR_CLASS_OWNERSHIP);
	return rc ? -1 : claim.is_done;
}

static const char *answer_name(int rc)
{
	return rc < 0 ? "no" : rc ? "already done" : "ok";
}

/* It is labelled: a server's protection is next. */
static void protect_next(struct live *v)
{
	if (step_thing(&v->w) == KEY)
		step_verdict(v, LESSOR_PENDING, LESSOR_CLASS_NONE);
	else
		v->w.step.at = AT_KEEP_PROTECT;
}

void move_keep_label(struct mover *m)
{
	struct live *v = move_begin(m);
	int rc;

	live_open(v);
	if (step_thing(m->from) != KEY)
		step_note_address(v, step_thing(m->from));
	rc = ask(v, LESSOR_CHANGE_LABELS);
	if (rc > 0)
		protect_next(v);
	if (rc == 0) {
		v->w.step.writes = (uint8_t)v->a.ledger.resources[v->w.step.row].retain_epoch;
		v->w.step.at = AT_LABEL;
	}
	move_end(m, HEALTHY, "may %s be labelled: %s", thing_name(step_thing(m->from)),
		 answer_name(rc));
}

void move_label(struct mover *m)
{
	static const struct request labels = {
		.name = "write its label", .carry_out = write_label, .accepted = AT_LABEL_READ,
		.failed = AT_LABELLED,
	};

	change(m, &labels);
}

void move_label_read(struct mover *m)
{
	read_it(m, AT_LABELLED, AT_LABELLED);
}

void move_labelled(struct mover *m)
{
	struct live *v = move_begin(m);
	int is_read = v->w.step.outcome == EFFECT_ACCEPTED && v->w.step.saw;

	changed(v, LESSOR_CHANGE_LABELS);
	if (is_read && v->w.step.label == v->w.step.writes)
		protect_next(v);
	else if (v->w.step.outcome == EFFECT_ACCEPTED && !is_read)
		v->w.step.at = AT_ABSENT;
	else
		step_verdict(v, LESSOR_RETRY, LESSOR_CLASS_TRANSIENT);
	move_end(m, HEALTHY, "commit its label");
}

void move_keep_protect(struct mover *m)
{
	struct live *v = move_begin(m);
	int rc = ask(v, LESSOR_CHANGE_PROTECT);

	if (rc > 0)
		step_verdict(v, LESSOR_PENDING, LESSOR_CLASS_NONE);
	if (rc == 0)
		v->w.step.at = AT_PROTECT;
	move_end(m, HEALTHY, "may it be protected: %s", answer_name(rc));
}

void move_protect(struct mover *m)
{
	static const struct request protects = {
		.name = "PROTECT", .carry_out = protect, .accepted = AT_PROTECT_READ,
		.failed = AT_PROTECTED, .late = LATE_PROTECT,
	};

	change(m, &protects);
}

void move_protect_read(struct mover *m)
{
	read_it(m, AT_PROTECTED, AT_PROTECTED);
}

void move_protected(struct mover *m)
{
	struct live *v = move_begin(m);

	changed(v, LESSOR_CHANGE_PROTECT);
	step_verdict(v, v->w.step.is_on ? LESSOR_PENDING : LESSOR_RETRY, LESSOR_CLASS_TRANSIENT);
	move_end(m, HEALTHY, "commit its protection: %s", m->from->step.is_on ? "on" : "off");
}
