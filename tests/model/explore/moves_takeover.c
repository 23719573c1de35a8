/* SPDX-License-Identifier: MIT */
/*
 * Another daemon claims the account in the middle of a step. It begins with what the store says, as
 * after a crash; but the step of the daemon before it is not over: the request that was committed
 * and permitted may be sent, or carried out by the provider, until what permits it has ended. Its
 * answer decides nothing, since each claim of that step is refused.
 */
#include "moves.h"

#include <lessor/provider.h>

#include "lease/deadline.h"

static int has_effect(enum step_point at)
{
	return at == AT_CREATE || at == AT_DELETE || at == AT_LIFT_LABEL || at == AT_LIFT ||
	       at == AT_LABEL || at == AT_PROTECT;
}

static const struct row *deposed_row(const struct world *w)
{
	return &w->store.rows[w->deposed.row];
}

int deposed_may_delete(const struct world *w)
{
	const struct deposed *d = &w->deposed;

	return (d->at == AT_DELETE || d->at == AT_LIFT_LABEL || d->at == AT_LIFT) &&
	       !row_is_over(deposed_row(w));
}

static void claim(struct mover *m)
{
	const struct step *step = &m->from->step;
	struct live *v = move_begin_of(m, &m->from->left.takeovers);
	int tick = tick_ms(m->live.config);

	if (!v)
		return;
	if (has_effect(step->at))
		v->w.deposed = (struct deposed){
			.at = step->at,
			.row = step->row,
			.writes = step->writes,
			.left = (PERMIT_MS + PERMIT_GUARD_MS + tick - 1) / tick,
		};
	world_restart(v);
	move_end(m, FAULTY, "another daemon CLAIMS the account");
}

/* The provider carries it out, if it can. */
static void carry_out(struct live *v, enum thing thing)
{
	struct object *o = &v->w.objects[thing];
	struct deposed *d = &v->w.deposed;

	if (d->at == AT_CREATE && !object_exists(o))
		world_make(v, thing);
	if (o->state != SHOWN)
		return;
	if (d->at == AT_DELETE && o->protection == OFF)
		world_destroy(v, thing);
	else if (d->at == AT_LIFT_LABEL || d->at == AT_LABEL)
		o->label = d->writes;
	else if (d->at == AT_LIFT)
		world_lift(v, thing);
	else if (d->at == AT_PROTECT)
		world_protect(v, thing);
}

/* One permit is for the label and for the lifting after it. */
static void go_on(struct deposed *d)
{
	if (d->at == AT_LIFT_LABEL)
		d->at = AT_LIFT;
	else
		*d = (struct deposed){ 0 };
}

void move_takeover(struct mover *m)
{
	enum thing thing = deposed_row(m->from)->thing;
	struct live *v;

	claim(m);
	if (m->from->deposed.at == AT_NOTHING)
		return;
	v = move_begin(m);
	carry_out(v, thing);
	go_on(&v->w.deposed);
	move_end(m, HEALTHY, "a request of the daemon before is carried out LATE: %s",
		 thing_name(thing));
	v = move_begin(m);
	v->w.deposed = (struct deposed){ 0 };
	move_end(m, HEALTHY, "the request of the daemon before is never sent");
}
