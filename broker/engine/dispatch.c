/* SPDX-License-Identifier: MIT */
/* Turns due leases into steps, and finished steps into results. */
#include "engine/internal.h"

#include "bootstrap/bootstrap.h"
#include "util/bug.h"
#include "util/log.h"
#include "util/text.h"

/* Retry interval of a lease whose account is not configured; configuring it takes a restart. */
#define MISSING_MS (60 * 60 * 1000)

static enum step_queue provision_queue(const struct core *core, const struct core_account *a,
				       const struct lease_aggregate *lease)
{
	if (ledger_begins(&lease->ledger))
		return QUEUE_BEGIN;
	/* A last look (lease/last_look.c) is a step of its own, with calls of its own. */
	return a->account->table->observe && ledger_awaits_server(&lease->ledger) &&
			       !lease_is_late(&lease->lease, core_now(core)) ?
		       QUEUE_OBSERVE :
		       QUEUE_OTHER;
}

/* The row's due time stays in the past until the step has run: after a crash it is due again. */
void queue_lease(struct core *core, const struct lease_aggregate *lease)
{
	const struct lease *l = &lease->lease;
	struct core_account *a = core_account_find(core, l->account);
	enum step_queue queue = QUEUE_CLEANUP;

	if (!a) {
		core_lease_blocked(core, l->n);
		heap_set(core->due, l->n, core_now(core) + MISSING_MS);
		return;
	}
	if (l->state == LEASE_PROVISIONING)
		queue = provision_queue(core, a, lease);
	queue_push(a, queue, l);
	if (account_is_blocked(a->account, NULL, 0))
		core_lease_blocked(core, l->n);
}

/*
 * Builds the cloud-init of a machine that this step may create. Each step gets a new host key,
 * which is never stored: only the key of the step that creates the machine matters, and its
 * public half is committed with the intent (lease/resource_creates.c).
 */
static void make_user_data(struct core *core, struct step *step)
{
	struct hostkey key = { .private_pem = "" };
	struct buf data;
	struct err err = { 0 };
	int with_key = (step->account->table->capabilities & LESSOR_CAN_USER_DATA) != 0;

	if (with_key && hostkey_make(core->env, &key, &err)) {
		log_warning(LOG_FIELDS({ "lease", step->lease.id }, { "error", err.text }),
			    "lease %s: cannot generate a host key; the machine will make its own",
			    step->lease.id);
		with_key = 0;
	}
	buf_init(&data, BOOTSTRAP_MAX);
	if (bootstrap_user_data(&step->lease, with_key ? &key : NULL, &data, &err)) {
		/* Unexpected: this was checked at the create. The step will create nothing. */
		log_error(LOG_FIELDS({ "lease", step->lease.id }, { "error", err.text }),
			  "lease %s: cannot build its cloud-init", step->lease.id);
		buf_clear(&data);
	} else if (with_key) {
		TEXT_SET(step->host_key, key.public_line);
	}
	if (with_key)
		hostkey_wipe(&key);
	step->user_data_len = data.len;
	step->user_data = buf_take(&data);
}

static const enum step_op step_ops[] = {
	[LEASE_OP_PROVISION] = STEP_PROVISION,
	[LEASE_OP_CLEANUP] = STEP_CLEANUP,
	[LEASE_OP_INSPECT] = STEP_INSPECT,
	[LEASE_OP_RETAIN] = STEP_RETAIN,
};

static void lease_start(struct core *core, struct core_account *account, int64_t n)
{
	struct lease_aggregate *a;
	struct lease_facts facts;
	enum lease_op op;
	struct step *step;

	/* Since it was queued, the lease may have been started, ended or postponed. */
	if (in_flight_find(core, n))
		return;
	a = core_lease(core, n, NULL);
	if (!a || !lease_step_is_due(&a->lease, core_now(core)))
		return;
	facts = core_facts(core, a);
	op = lease_next_op(a, &facts);
	if (op == LEASE_OP_NONE)
		return;
	step = core_step_new(core, account, step_ops[op]);
	step->lease = a->lease;
	if (core_crash_is_held(core, step)) {
		core_crash_postpone(core, &a->lease);
		step_free(step);
		return;
	}
	core_step_start(core, account, step, n);
	ledger_copy(&a->ledger, &step->ledger);
	step->epoch = a->lease.epoch;
	if (op == LEASE_OP_PROVISION) {
		make_user_data(core, step);
		in_flight_find(core, n)->is_begin = ledger_begins(&a->ledger);
		account->begins += in_flight_find(core, n)->is_begin;
	}
	core_schedule(core, &a->lease);
}

/*
 * Takes the next lease whose step looks something up or begins something. While the budget has
 * no call for a create, what would begin waits here, in turn, and not in a backoff of its own.
 */
static int64_t pop_in_turn(struct core *core, struct core_account *a)
{
	int64_t wait_ms = STAILQ_EMPTY(&a->queues[QUEUE_BEGIN]) ?
				  0 :
				  account_budget_wait(a->account, BUDGET_CREATE, a->begins);
	int64_t n = 0;

	if (wait_ms)
		account_task_at(core, a, TASK_DISPATCH, core_now(core) + wait_ms);
	if (!a->is_others_turn && !wait_ms)
		n = queue_pop(a, QUEUE_BEGIN);
	if (!n)
		n = queue_pop(a, QUEUE_OTHER);
	if (!n && !wait_ms)
		n = queue_pop(a, QUEUE_BEGIN);
	a->is_others_turn = !a->is_others_turn;
	return n;
}

/* While the account has free places. */
static void dispatch_ready(struct core *core, struct core_account *a)
{
	/*
	 * In an account that is not verified nothing may be created, deleted or concluded from
	 * absence, so no step could achieve anything.
	 */
	if (core->draining || core->resting || !core_account_is_identified(core, a) ||
	    account_is_blocked(a->account, NULL, 0))
		return;
	while (a->running < a->account->config.max_steps) {
		/* A cleanup could delete nothing yet. */
		int64_t n = a->is_unlisted ? 0 : queue_pop(a, QUEUE_CLEANUP);

		if (!n && core_observe_start(core, a))
			continue;
		if (!n)
			n = pop_in_turn(core, a);
		if (!n)
			break;
		lease_start(core, a, n);
	}
}

void dispatch_all(struct core *core)
{
	for (size_t i = 0; i < core->account_count; i++)
		dispatch_ready(core, &core->accounts[i]);
}

/* The step of an account task has run. */
static void task_step_done(struct core *core, struct core_account *a, struct step *step)
{
	struct err err = { 0 };

	core_step_log(step);
	if (account_task_done(core, a, step, &err))
		core_step_unrecorded(core, step, &err);
	if (step->op != STEP_PROBE && step_is_denied(step))
		core_step_denied(core, a, step);
	step_free(step);
}

void core_step_done(struct core *core, struct step *step)
{
	struct core_account *a = core_account_find(core, step->account->config.name);
	struct in_flight ran = in_flight_take(core, step);

	a->begins -= ran.is_begin;
	BUG_ON(a->begins < 0);
	core_overdue_over(core, &ran);
	core_crash_over(core, step);
	/* What it brought about the time counts before what it allows: a probe lets leases end. */
	if (step->op == STEP_PROBE)
		core_clock_watch(core);
	if (step->op == STEP_OBSERVE) {
		core_step_log(step);
		core_observe_done(core, a, step);
	} else if (!step->lease.n) {
		task_step_done(core, a, step);
	} else {
		core_step_result(core, a, step, &ran);
		step_free(step);
	}
	dispatch_ready(core, a);
}
