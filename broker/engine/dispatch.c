/* SPDX-License-Identifier: MIT */
/* From "due" to a running step and back: places in an account, and what a verdict leads to. */
#include "engine/account_tasks.h"
#include "engine/internal.h"

#include <stdio.h>
#include <string.h>

#include "bootstrap/bootstrap.h"
#include "schedule/backoff.h"
#include "util/alloc.h"
#include "util/bug.h"
#include "util/log.h"
#include "util/text.h"

/* Longer than the longest provider call (a create may take a minute) by some reads. */
#define STEP_DEADLINE_MS 90000
/* How late a provider that does not say may show what it made. */
#define SETTLE_MS (5 * 60 * 1000)
#define ACCOUNT_BACKOFF_MS 2000
#define ACCOUNT_BACKOFF_CAP_MS (60 * 1000)
/* Refused: a person must act; asked again now and then in case they did. */
#define ACCOUNT_REFUSED_CAP_MS (10 * 60 * 1000)
/* A lease of an account that is not configured waits for a restart. */
#define MISSING_MS (60 * 60 * 1000)
#define DENIALS_FORGOTTEN_MS (60 * 60 * 1000)
#define DENIED_PROBE_MS 1000

/* How old a proof may be: one missed probe is no reason to stop. */
int core_account_is_proven(const struct core *core, const struct core_account *a)
{
	return !a->account->table->probe ||
	       account_is_proven(a->account, core->config.probe_ms * 3);
}

int core_account_is_verified(const struct core *core, const struct core_account *a)
{
	return core_account_is_proven(core, a) && !account_is_blocked(a->account, NULL, 0);
}

int core_account_is_readable(const struct core *core, const struct core_account *a)
{
	return core_account_is_proven(core, a) && (account_is_fenced(a->account) ||
				      !account_is_blocked(a->account, NULL, 0));
}

int64_t core_settle_ms(const struct core *core, const struct core_account *a)
{
	if (a->account->config.settle_ms)
		return a->account->config.settle_ms;
	if (core->config.settle_ms)
		return core->config.settle_ms;
	return a->account->table->visible_within_ms ? a->account->table->visible_within_ms :
						      SETTLE_MS;
}

/* ---- places --------------------------------------------------------------------- */

static void queue_push(struct core_account *a, enum step_queue which, int64_t n)
{
	struct queued *r = xcalloc(1, sizeof(*r));

	r->n = n;
	*a->last[which] = r;
	a->last[which] = &r->next;
}

int64_t queue_pop(struct core_account *a, enum step_queue which)
{
	struct queued *r = a->first[which];
	int64_t n;

	if (!r)
		return 0;
	a->first[which] = r->next;
	if (!a->first[which])
		a->last[which] = &a->first[which];
	n = r->n;
	free(r);
	return n;
}

/* The row's due time stays in the past until its step ran: after a crash it is due again. */
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
		queue = a->account->table->observe && ledger_awaits_server(&lease->ledger) ?
				QUEUE_OBSERVE :
				QUEUE_OTHER;
	queue_push(a, queue, l->n);
	if (account_is_blocked(a->account, NULL, 0))
		core_lease_blocked(core, l->n);
}

void queue_lease_alone(struct core *core, struct core_account *a, const struct lease *l)
{
	/* It waits for a place: until its step has run only the deadline may interrupt. */
	heap_set(core->due, l->n, lease_deadline_ms(l));
	queue_push(a, QUEUE_OTHER, l->n);
}

struct step *core_step_new(const struct core *core, struct core_account *a, enum step_op op)
{
	struct step *step = step_new(op, a->account);

	step->deadline_ms = core_now(core) + STEP_DEADLINE_MS;
	TEXT_SET(step->instance, core->signer.instance);
	TEXT_SET(step->account_key, core->account_key);
	return step;
}

void core_step_start(struct core *core, struct core_account *a, struct step *step, int64_t n)
{
	in_flight_add(core, n, step);
	a->running++;
	step->next = NULL;
	*core->starts_tail = step;
	core->starts_tail = &step->next;
}

struct step *core_step_begin(struct core *core, struct core_account *a, enum step_op op, int64_t n)
{
	struct step *step = core_step_new(core, a, op);

	core_step_start(core, a, step, n);
	return step;
}

/*
 * What a machine made by this step would be born with. The host key is made anew for each
 * step and never stored: the one that counts is that of the step which made the machine,
 * whose public half is committed with the intent (lease/resource_creates.c).
 */
static void make_user_data(struct core *core, struct step *step)
{
	struct hostkey key = { .private_pem = "" };
	struct buf data;
	struct err err = { 0 };
	int with_key = (step->account->table->capabilities & LESSOR_CAN_USER_DATA) != 0;

	if (with_key && hostkey_make(core->env, &key, &err)) {
		log_warning(LOG_FIELDS({ "lease", step->lease.id }, { "error", err.text }),
			    "lease %s: its machine makes its own host key", step->lease.id);
		with_key = 0;
	}
	buf_init(&data, BOOTSTRAP_MAX);
	if (bootstrap_user_data(&step->lease, with_key ? &key : NULL, &data, &err)) {
		/* Checked when the lease was accepted; a step without it makes nothing. */
		log_error(LOG_FIELDS({ "lease", step->lease.id }, { "error", err.text }),
			  "lease %s: its cloud-init cannot be built", step->lease.id);
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
	[LEASE_OP_LOOK] = STEP_INSPECT,
	[LEASE_OP_RETAIN] = STEP_RETAIN,
};

static void lease_start(struct core *core, struct core_account *account, int64_t n)
{
	struct lease_aggregate *a;
	struct lease_facts facts;
	enum lease_op op;
	struct step *step;

	/* Since it was queued it may have been started, ended or put off. */
	if (in_flight_find(core, n))
		return;
	a = core_lease(core, n, NULL);
	if (!a || !lease_step_is_due(&a->lease, core_now(core)))
		return;
	facts = core_facts(core, a);
	op = lease_next_op(a, &facts);
	if (op == LEASE_OP_NONE)
		return;
	step = core_step_begin(core, account, step_ops[op], n);
	step->lease = a->lease;
	ledger_copy(&a->ledger, &step->ledger);
	step->epoch = a->lease.epoch;
	if (op == LEASE_OP_PROVISION)
		make_user_data(core, step);
	core_schedule(core, &a->lease);
}

void dispatch_ready(struct core *core, struct core_account *a)
{
	/*
	 * In an account that is not proven to be the one we know nothing new is made
	 * and nothing is concluded from absence: there is no step worth a call.
	 */
	if (core->draining || !core_account_is_proven(core, a) || account_is_blocked(a->account, NULL, 0))
		return;
	while (a->running < a->account->config.max_steps) {
		int64_t n = queue_pop(a, QUEUE_CLEANUP);

		if (!n && core_observe_start(core, a))
			continue;
		if (!n)
			n = queue_pop(a, QUEUE_OTHER);
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

/* ---- results ------------------------------------------------------------------------- */

static enum lease_op lease_op_of(enum step_op op)
{
	return op == STEP_PROVISION ? LEASE_OP_PROVISION :
	       op == STEP_CLEANUP ? LEASE_OP_CLEANUP :
	       op == STEP_RETAIN ? LEASE_OP_RETAIN : LEASE_OP_LOOK;
}

/* What the machine costs that this step made ready. */
static void find_price(struct core *core, const struct step *step, struct store_price *ret)
{
	*ret = (struct store_price){ 0 };
	if (step->op == STEP_PROVISION && step->verdict == LESSOR_DONE &&
	    store_price_get(core->store, step->account->config.name, step->server_type, step->location,
			    ret, NULL))
		*ret = (struct store_price){ 0 };
}

static int lease_result(struct core *core, struct step *step, const struct in_flight *ran,
			struct err *err)
{
	struct lease_aggregate *a = core_lease(core, step->lease.n, err);
	struct store_price price;
	struct lease_event event = {
		.kind = LEASE_EVENT_VERDICT,
		.u.verdict = {
			.op = lease_op_of(step->op),
			.epoch = step->epoch,
			.verdict = step->verdict,
			.error_class = step->error_class,
			.wait_ms = step->wait_ms,
			.is_breach = step->violation,
			.provider = step->account->table->name,
			.reason = step->reason,
			.cursor = step->cursor,
			.host = step->host,
			.server_id = step->server_id,
			.server_name = step->server_name,
			.server_type = step->server_type,
			.location = step->location,
			.shown = step->is_shown ? &step->shown : NULL,
			.currency = price.currency,
			.absence_ms = ran->absence_ms,
		},
	};

	if (!a || core_handover(core, a, err))
		return -1;
	find_price(core, step, &price);
	event.u.verdict.price_hour_micros = price.hour_micros;
	if (core_apply(core, a, &event, NULL, err))
		return -1;
	/* It is due by its row again, whatever the verdict changed. */
	core_schedule(core, &a->lease);
	return 0;
}

/*
 * Refused, whatever the probe says: a token that may only read proves the account and
 * deletes nothing. So the probe that would let the step go on waits longer each time.
 */
void core_step_denied(struct core *core, struct core_account *a, const struct step *step)
{
	int64_t now = core_now(core);
	int was_blocked = account_is_blocked(a->account, NULL, 0);

	account_probed(a->account, 0, step->error_class, step->reason);
	core_account_blocked(core, a);
	if (was_blocked)
		return;
	a->denials = now - a->denied_ms < DENIALS_FORGOTTEN_MS ? a->denials + 1 : 0;
	a->denied_ms = now;
	/* The step may have read something just now, and reads it again once the probe is well. */
	if (!a->denials)
		account_task_at(core, a, TASK_PROBE, now + DENIED_PROBE_MS);
	else
		account_task_at(core, a, TASK_PROBE,
				now + backoff_ms(a->denials, ACCOUNT_BACKOFF_MS, ACCOUNT_REFUSED_CAP_MS, 0,
					  core_random32(core)));
}

static int result(struct core *core, struct core_account *a, struct step *step,
		  const struct in_flight *ran, struct err *err)
{
	if (!step->lease.n)
		return account_task_done(core, a, step, err);
	/* One of many in a look has no place of its own. */
	a->running -= !step->look;
	BUG_ON(a->running < 0);
	return lease_result(core, step, ran, err);
}

static void step_log(const struct step *step)
{
	if (step->violation)
		log_error(LOG_FIELDS({ "provider", step->account->table->name },
				     { "account", step->account->config.name },
				     { "step", step_op_name(step->op) }, { "lease", step->lease.id }),
			  "the provider plugin broke its contract: %s", step->reason);
	else
		log_debug(LOG_FIELDS({ "account", step->account->config.name },
				     { "step", step_op_name(step->op) }, { "lease", step->lease.id },
				     { "reason", step->reason }),
			  "step done with verdict %d after %d calls", step->verdict, step->calls);
}

void core_step_result(struct core *core, struct core_account *a, struct step *step,
		      const struct in_flight *ran)
{
	struct err err = { 0 };

	/* Whatever the plugin made of it, or did after it: that an operator must look is decided. */
	if (ran->refusal_class) {
		step->verdict = LESSOR_REFUSED;
		step->error_class = ran->refusal_class;
		TEXT_SET(step->reason, ran->refusal);
	} else if (ran->not_now && step->verdict == LESSOR_REFUSED &&
		   step->error_class == LESSOR_CLASS_OWNERSHIP) {
		/* The plugin could only say "refused"; that it will pass is known here. */
		step->verdict = LESSOR_RETRY;
	}
	if (step->op == STEP_CLEANUP && step->verdict == LESSOR_GONE && !step->violation &&
	    ledger_residue(&step->ledger)) {
		step->violation = 1;
		TEXT_SET(step->reason, "it says that nothing is left, and the ledger still holds something");
	}
	step_log(step);
	if (result(core, a, step, ran, &err)) {
		log_error(LOG_FIELDS({ "lease", step->lease.id }, { "error", err.text }),
			  "a step's result could not be recorded");
		store_break(core->store);
	}
	/* The provider's word on the credential or the account counts at once, whichever step heard it. */
	if (step->verdict == LESSOR_REFUSED && step->op != STEP_PROBE && a->account->table->probe &&
	    !ran->refusal_class && (step->error_class == LESSOR_CLASS_AUTH ||
				    step->error_class == LESSOR_CLASS_ACCOUNT))
		core_step_denied(core, a, step);
}

void core_step_done(struct core *core, struct step *step)
{
	struct core_account *a = core_account_find(core, step->account->config.name);
	struct in_flight ran = in_flight_take(core, step);

	if (step->op == STEP_OBSERVE) {
		step_log(step);
		core_observe_done(core, a, step);
	} else {
		core_step_result(core, a, step, &ran);
		step_free(step);
	}
	dispatch_ready(core, a);
}
