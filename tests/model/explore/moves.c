/* SPDX-License-Identifier: MIT */
/*
 * A step as the plugins execute it (plugins/hetzner), together with its host and the engine:
 * one request or one commit at a time.
 */
#include "moves.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <lessor/provider.h>

/* ---- moves ------------------------------------------------------------------------------------ */

struct live *move_begin(struct mover *m)
{
	live_begin(&m->live, m->from);
	return &m->live;
}

struct live *move_begin_of(struct mover *m, const uint8_t *left)
{
	size_t offset = (size_t)(left - (const uint8_t *)m->from);

	if (!*left)
		return NULL;
	live_begin(&m->live, m->from);
	--((uint8_t *)&m->live.w)[offset];
	return &m->live;
}

void move_end(struct mover *m, int is_healthy, const char *fmt, ...)
{
	va_list ap;

	live_end(&m->live);
	if (m->wants_labels) {
		va_start(ap, fmt);
		vsnprintf(m->label, sizeof(m->label), fmt, ap);
		va_end(ap);
	}
	m->found(m, is_healthy);
}

void moves_of(struct mover *m, const struct world *w)
{
	m->from = w;
	move_daemon(m);
	move_world(m);
}

/* ---- what all steps have in common ------------------------------------------------------------ */

enum thing step_thing(const struct world *w)
{
	return w->store.rows[w->step.row].thing;
}

struct object *step_object(struct live *v)
{
	return &v->w.objects[step_thing(&v->w)];
}

int step_shows(const struct world *w, enum thing thing)
{
	const struct object *o = &w->objects[thing];

	return !w->is_other_project && (o->state == SHOWN || o->state == GOING);
}

void step_saw(struct live *v, int is_seen)
{
	const struct object *o = step_object(v);
	struct step *step = &v->w.step;

	step->saw = (uint8_t)is_seen;
	step->label = is_seen ? o->label : 0;
	step->is_on = is_seen && o->protection != OFF;
	step->is_signed = is_seen ? o->is_signed : 1;
	step->is_proof = !v->w.is_other_project;
}

struct lease_claim step_claim(const struct live *v, enum lease_claim_kind kind)
{
	const struct step *step = &v->w.step;
	struct lease_claim claim = { .kind = kind, .row = step->row + 1 };

	claim.evidence.outcome = step->outcome;
	claim.evidence.is_labelled = step->is_labelled;
	claim.evidence.is_proof = step->is_proof;
	claim.evidence.is_gave_up = step->is_gave_up;
	claim.evidence.is_absent = !step->saw;
	return claim;
}

int step_say(struct live *v, struct lease_claim *claim)
{
	const struct step *step = &v->w.step;

	if (step->saw) {
		claim->evidence.is_read = claim->evidence.is_seen = 1;
		claim->evidence.seen = live_observed(step_thing(&v->w), step->label, step->is_on,
						     step->is_signed);
	}
	return live_claim(v, claim);
}

int step_say_kind(struct live *v, enum lease_claim_kind kind)
{
	struct lease_claim claim = step_claim(v, kind);

	return step_say(v, &claim);
}

/* ---- requests with an effect ----------------------------------------------------------------- */

static void outcome(struct mover *m, int is_healthy, const struct request *r,
		    enum effect_outcome outcome, const char *how)
{
	struct step *step = &m->live.w.step;

	/* Earlier reads no longer count. */
	step->saw = step->label = step->is_on = step->is_proof = 0;
	step->is_signed = 1;
	step->outcome = (uint8_t)outcome;
	step->at = (uint8_t)(outcome == EFFECT_ACCEPTED ? r->accepted : r->failed);
	move_end(m, is_healthy, "%s: %s", r->name, how);
}

/* Its goal is gone: the request in flight is abandoned, and no other is sent. */
static int is_cancelled(const struct world *w)
{
	return w->step.epoch != w->store.epoch;
}

static void request_lost(struct mover *m, const struct request *r)
{
	struct live *v;

	v = move_begin_of(m, &m->from->left.faults);
	if (v)
		outcome(m, FAULTY, r, EFFECT_REFUSED, "REFUSED");
	v = move_begin_of(m, &m->from->left.faults);
	if (v)
		outcome(m, FAULTY, r, EFFECT_UNKNOWN, "LOST before");
	v = is_cancelled(m->from) ? move_begin(m) : move_begin_of(m, &m->from->left.faults);
	if (v) {
		r->carry_out(v);
		outcome(m, FAULTY, r, EFFECT_UNKNOWN, "LOST after");
	}
}

/* The request is executed late, whether it was answered or not. */
static void request_late(struct mover *m, const struct request *r, enum effect_outcome how)
{
	struct live *v = r->late && m->live.config->has_late ?
			 move_begin_of(m, &m->from->left.faults) : NULL;

	if (!v)
		return;
	step_object(v)->late = (uint8_t)r->late;
	step_object(v)->late_age = 0;
	outcome(m, FAULTY, r, how, how == EFFECT_UNKNOWN ? "LOST, comes late" : "answered, comes late");
}

void move_request(struct mover *m, const struct request *r)
{
	struct live *v = move_begin(m);

	r->carry_out(v);
	outcome(m, HEALTHY, r, EFFECT_ACCEPTED, "answered");
	if (is_cancelled(m->from)) {
		move_begin(m);
		outcome(m, HEALTHY, r, EFFECT_NOT_SENT, "cancelled");
	}
	request_lost(m, r);
	request_late(m, r, EFFECT_UNKNOWN);
	/* An accepted delete is shown for a while anyway; an answered lift has taken effect. */
	if (r->late == LATE_PROTECT)
		request_late(m, r, EFFECT_ACCEPTED);
}

void move_request_refused(struct mover *m, const struct request *r, const char *why)
{
	move_begin(m);
	outcome(m, HEALTHY, r, EFFECT_REFUSED, why);
	if (move_begin_of(m, &m->from->left.faults))
		outcome(m, FAULTY, r, EFFECT_UNKNOWN, "LOST, but was refused");
}

static enum thing address_of(enum thing server)
{
	return server == SERVER_1 ? ADDRESS_1 : ADDRESS_2;
}

void step_note_address(struct live *v, enum thing server)
{
	enum thing address = address_of(server);
	struct lease_claim claim = {
		.kind = CLAIM_REUSE, .resource_kind = LESSOR_KIND_ADDRESS, .id = live_id(address),
	};
	uint8_t row = v->w.step.row;

	if (v->w.objects[server].address != ADDRESS_USED)
		return;
	for (size_t i = 0; i < v->a.ledger.resource_count; i++) {
		if (v->a.ledger.resources[i].kind == LESSOR_KIND_ADDRESS &&
		    strcmp(v->a.ledger.resources[i].id, claim.id) == 0)
			return;
	}
	live_claim(v, &claim);
	v->w.step.row = row;
}

/* As in core_step_done: the answers to its claims take precedence over the plugin's verdict. */
void step_verdict(struct live *v, int verdict, uint32_t error_class)
{
	struct step *step = &v->w.step;

	if (step->refusal) {
		verdict = LESSOR_REFUSED;
		error_class = step->refusal;
	} else if (step->is_not_now && verdict == LESSOR_REFUSED &&
		   error_class == LESSOR_CLASS_OWNERSHIP) {
		verdict = LESSOR_RETRY;
	}
	/* Nothing else of the step matters now, except the server that is handed out. */
	*step = (struct step){
		.at = AT_END, .op = step->op, .epoch = step->epoch,
		.verdict = (uint8_t)verdict, .error_class = (uint8_t)error_class,
		.thing = verdict == LESSOR_DONE ? step->thing : 0,
		.label = verdict == LESSOR_DONE ? step->label : 0,
		.is_signed = verdict == LESSOR_DONE ? step->is_signed : 0,
	};
}

static const char *verdict_name(int verdict)
{
	static const char *const names[] = {
		[LESSOR_DONE] = "done", [LESSOR_PENDING] = "pending", [LESSOR_RETRY] = "retry",
		[LESSOR_REFUSED] = "refused", [LESSOR_GONE] = "gone",
	};

	return names[verdict];
}

/* ---- a step begins --------------------------------------------------------------------------------- */

static int is_refused(const struct live *v, uint32_t attempt)
{
	return attempt && v->a.ledger.attempts[attempt - 1].refused;
}

static int find_unsettled(const struct live *v, uint32_t kind)
{
	for (size_t i = 0; i < v->a.ledger.resource_count; i++) {
		const struct resource *r = &v->a.ledger.resources[i];

		if (r->kind == kind && lessor_state_is_unsettled(r->state))
			return 1;
	}
	return 0;
}

/* The first unfinished row of the kind, from `first` on; -1: none. */
static int find_open(const struct live *v, uint32_t kind, int first)
{
	for (size_t i = (size_t)first; i < v->a.ledger.resource_count; i++) {
		const struct resource *r = &v->a.ledger.resources[i];

		if (r->kind == kind && r->ours && !lessor_state_is_over(r->state))
			return (int)i;
	}
	return -1;
}

static void plan_list(struct live *v, enum thing thing)
{
	v->w.step.at = AT_LIST;
	v->w.step.thing = (uint8_t)thing;
}

/* As in remove_resource. */
static void plan_removal(struct live *v, int row)
{
	const struct resource *r = &v->a.ledger.resources[row];

	v->w.step.row = (uint8_t)row;
	switch (r->state) {
	case LESSOR_STATE_DELETING:
		v->w.step.at = AT_FOLLOW;
		return;
	case LESSOR_STATE_PRESENT:
	case LESSOR_STATE_DELETE_UNKNOWN:
	case LESSOR_STATE_UNPROTECT_UNKNOWN:
		v->w.step.at = AT_READ;
		return;
	case LESSOR_STATE_RETAINED:
		step_verdict(v, LESSOR_REFUSED, LESSOR_CLASS_OWNERSHIP);
		return;
	default:
		step_verdict(v, LESSOR_RETRY, LESSOR_CLASS_TRANSIENT);
		return;
	}
}

static void plan_cleanup(struct live *v)
{
	int row = find_open(v, LESSOR_KIND_SERVER, 0);

	if (find_unsettled(v, LESSOR_KIND_SERVER)) {
		plan_list(v, SERVER_1);
		return;
	}
	if (find_unsettled(v, LESSOR_KIND_KEY)) {
		plan_list(v, KEY);
		return;
	}
	if (row < 0)
		row = find_open(v, LESSOR_KIND_KEY, 0);
	if (row < 0)
		step_verdict(v, LESSOR_GONE, LESSOR_CLASS_NONE);
	else
		plan_removal(v, row);
}

static void plan_make(struct live *v, enum thing thing)
{
	v->w.step.at = AT_INTEND;
	v->w.step.thing = (uint8_t)thing;
}

/* The open attempt has no server: its key is created first, then the server. */
static void plan_server(struct live *v, int is_open)
{
	int key = find_open(v, LESSOR_KIND_KEY, 0);

	if (find_unsettled(v, LESSOR_KIND_KEY))
		plan_list(v, KEY);
	else if (key < 0 || v->a.ledger.resources[key].state != LESSOR_STATE_PRESENT)
		plan_make(v, KEY);
	else if (is_open)
		plan_make(v, (enum thing)(SERVER_1 + v->a.ledger.attempt_count - 1));
	else if (v->a.ledger.attempt_count < (size_t)v->config->attempts)
		v->w.step.at = AT_ATTEMPT;
	else
		step_verdict(v, LESSOR_REFUSED, LESSOR_CLASS_CAPACITY);
}

static void plan_provision(struct live *v)
{
	uint32_t last = (uint32_t)v->a.ledger.attempt_count;
	int is_open = last && !is_refused(v, last);
	int row = -1;

	if (find_unsettled(v, LESSOR_KIND_SERVER)) {
		plan_list(v, SERVER_1);
		return;
	}
	while ((row = find_open(v, LESSOR_KIND_SERVER, row + 1)) >= 0) {
		if (is_refused(v, v->a.ledger.resources[row].attempt)) {
			plan_removal(v, row);
			return;
		}
		if (is_open && v->a.ledger.resources[row].attempt == last) {
			v->w.step.row = (uint8_t)row;
			v->w.step.at = AT_WAIT;
			return;
		}
	}
	plan_server(v, is_open);
}

static void plan_look(struct live *v)
{
	if (find_unsettled(v, LESSOR_KIND_SERVER))
		plan_list(v, SERVER_1);
	else if (find_unsettled(v, LESSOR_KIND_KEY))
		plan_list(v, KEY);
	else
		step_verdict(v, LESSOR_DONE, LESSOR_CLASS_NONE);
}

/* As in protection_keep: servers first. */
static void plan_retain(struct live *v)
{
	static const uint32_t order[] = { LESSOR_KIND_SERVER, LESSOR_KIND_KEY };

	for (size_t k = 0; k < 2; k++) {
		for (size_t i = 0; i < v->a.ledger.resource_count; i++) {
			const struct resource *r = &v->a.ledger.resources[i];

			if (r->kind != order[k] || !r->ours || !r->id[0] || r->marked_ms ||
			    r->state != LESSOR_STATE_RETAINED)
				continue;
			v->w.step.row = (uint8_t)i;
			v->w.step.at = AT_KEEP_READ;
			return;
		}
	}
	step_verdict(v, LESSOR_DONE, LESSOR_CLASS_NONE);
}

void step_plan(struct live *v)
{
	struct step *step = &v->w.step;

	*step = (struct step){
		.at = AT_END, .op = step->op, .epoch = step->epoch, .begun = step->begun,
		.is_signed = 1, .refusal = step->refusal, .is_not_now = step->is_not_now,
	};
	/* A step whose goal is gone is cancelled: it sends no more requests. */
	if (step->epoch != v->a.lease.epoch)
		step_verdict(v, LESSOR_RETRY, LESSOR_CLASS_TRANSIENT);
	else if (step->op == LEASE_OP_PROVISION)
		plan_provision(v);
	else if (step->op == LEASE_OP_CLEANUP)
		plan_cleanup(v);
	else if (step->op == LEASE_OP_INSPECT)
		plan_look(v);
	else
		plan_retain(v);
}

static const char *op_name(enum lease_op op)
{
	static const char *const names[] = {
		[LEASE_OP_PROVISION] = "provision",
		[LEASE_OP_CLEANUP] = "cleanup",
		[LEASE_OP_INSPECT] = "look",
		[LEASE_OP_RETAIN] = "retain",
	};

	return names[op];
}

/* The lease is due. Returns the operation to start, if it may start now. */
static enum lease_op tick(struct live *v)
{
	live_apply_kind(v, LEASE_EVENT_TICK);
	if (v->w.step.at != AT_NOTHING || v->w.account != ACCOUNT_VERIFIED || !live_is_due(v))
		return LEASE_OP_NONE;
	return live_next_op(v);
}

static void begin(struct live *v, enum lease_op op)
{
	v->w.step.op = (uint8_t)op;
	v->w.step.epoch = (uint8_t)v->a.lease.epoch;
	step_plan(v);
}

/* A wild plugin creates in any order ... */
static void make_wild(struct mover *m)
{
	int is_attempt = m->from->store.attempts < m->live.config->attempts;

	for (int i = 0; i < OBJECTS + is_attempt; i++) {
		struct live *v = move_begin(m);

		tick(v);
		begin(v, LEASE_OP_PROVISION);
		if (v->w.step.at == AT_END)
			continue;
		v->w.step.at = i == OBJECTS ? AT_ATTEMPT : AT_INTEND;
		v->w.step.thing = (uint8_t)(i == OBJECTS ? 0 : i);
		v->w.step.row = 0;
		move_end(m, FAULTY, "provision begins, out of order");
	}
}

/* ... and requests deletes in any order. */
static void begin_wild(struct mover *m, enum lease_op op)
{
	size_t count;

	if (!m->live.config->is_wild || (op != LEASE_OP_CLEANUP && op != LEASE_OP_PROVISION))
		return;
	if (op == LEASE_OP_PROVISION)
		make_wild(m);
	for (size_t i = 0; i < ROWS_MOST && m->from->store.rows[i].state; i++) {
		struct live *v = move_begin(m);

		tick(v);
		count = v->a.ledger.resource_count;
		if (i >= count || v->a.ledger.resources[i].kind == LESSOR_KIND_ADDRESS ||
		    (v->a.ledger.resources[i].state != LESSOR_STATE_PRESENT &&
		     v->a.ledger.resources[i].state != LESSOR_STATE_DELETE_UNKNOWN))
			continue;
		begin(v, op);
		v->w.step.at = AT_READ;
		v->w.step.row = (uint8_t)i;
		v->w.step.thing = 0;
		move_end(m, FAULTY, "%s begins, out of order", op_name(op));
	}
}

static void move_start(struct mover *m)
{
	struct live *v = move_begin(m);
	enum lease_op op = tick(v);

	move_end(m, HEALTHY, "it is due");
	if (op == LEASE_OP_NONE)
		return;
	v = move_begin(m);
	tick(v);
	begin(v, op);
	move_end(m, HEALTHY, "%s begins", op_name(op));
	begin_wild(m, op);
}

/* ---- a step ends ------------------------------------------------------------------------------------ */

static void move_verdict(struct mover *m)
{
	struct live *v = move_begin(m);
	struct step step = v->w.step;
	enum thing server = SERVER_1;
	struct lessor_observed shown = { 0 };
	struct lease_event event = {
		.kind = LEASE_EVENT_VERDICT,
		.u.verdict = {
			.op = step.op, .epoch = step.epoch, .verdict = step.verdict,
			.error_class = step.error_class, .provider = "model", .reason = "because",
			.cursor = "", .host = "192.0.2.1", .server_name = "n", .server_type = "t",
			.location = "l", .server_id = "",
		},
	};

	if (step.verdict == LESSOR_DONE && step.op == LEASE_OP_PROVISION) {
		server = step.thing;
		shown = live_observed(server, step.label, 0, step.is_signed);
		event.u.verdict.server_id = live_id(server);
		event.u.verdict.shown = &shown;
	}
	v->w.step = (struct step){ 0 };
	live_apply(v, &event);
	move_end(m, HEALTHY, "verdict: %s", verdict_name(step.verdict));
}

/* ---- the table ------------------------------------------------------------------------------------------ */

static void (*const points[STEP_POINT_COUNT])(struct mover *m) = {
	[AT_NOTHING] = move_start,
	[AT_END] = move_verdict,
	[AT_ATTEMPT] = move_attempt,
	[AT_INTEND] = move_intend,
	[AT_CREATE] = move_create,
	[AT_CREATED] = move_created,
	[AT_WAIT] = move_wait,
	[AT_READY] = move_ready,
	[AT_GIVE_UP] = move_give_up,
	[AT_LIST] = move_list,
	[AT_LISTED] = move_listed,
	[AT_READ] = move_read,
	[AT_SEEN] = move_seen,
	[AT_ABSENT] = move_absent,
	[AT_LISTED_ONLY] = move_listed_only,
	[AT_DELETE] = move_delete,
	[AT_DELETED] = move_deleted,
	[AT_READ_AGAIN] = move_read_again,
	[AT_NOT_FOUND] = move_not_found,
	[AT_READ_404] = move_read_404,
	[AT_FOLLOW] = move_follow,
	[AT_REPORT_PRESENT] = move_report_present,
	[AT_LIFT_LABEL] = move_lift_label,
	[AT_LIFT] = move_lift,
	[AT_LIFT_READ] = move_lift_read,
	[AT_LIFTED] = move_lifted,
	[AT_KEEP_READ] = move_keep_read,
	[AT_KEEP_LABEL] = move_keep_label,
	[AT_LABEL] = move_label,
	[AT_LABEL_READ] = move_label_read,
	[AT_LABELLED] = move_labelled,
	[AT_KEEP_PROTECT] = move_keep_protect,
	[AT_PROTECT] = move_protect,
	[AT_PROTECT_READ] = move_protect_read,
	[AT_PROTECTED] = move_protected,
};

/* The lease's deadline may also pass while a step runs. */
static void move_deadline(struct mover *m)
{
	struct live *v;

	if (!m->from->is_time_over || m->from->step.at == AT_NOTHING)
		return;
	v = move_begin(m);
	tick(v);
	move_end(m, HEALTHY, "it is due while its step runs");
}

void move_daemon(struct mover *m)
{
	points[m->from->step.at](m);
	move_deadline(m);
}
