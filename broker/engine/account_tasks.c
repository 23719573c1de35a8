/* SPDX-License-Identifier: MIT */
/*
 * The tasks of an account, as a table: how each starts, and what its result causes. When they
 * are due is decided in account_timers.c.
 */

#include <string.h>

#include "engine/internal.h"
#include "schedule/backoff.h"
#include "util/alloc.h"
#include "util/log.h"
#include "util/text.h"

/* Retry interval of the catalog task until the account is verified. */
#define UNVERIFIED_WAIT_MS 1000
/* After a generation of another process was found, the probe runs this often for an hour. */
#define SURPRISED_PROBE_MS (60 * 1000)
#define SURPRISED_MS (60 * 60 * 1000)
#define ACCOUNT_BACKOFF_MS 2000
#define ACCOUNT_BACKOFF_CAP_MS (60 * 1000)
/* Refused: an operator must act. The probe is repeated in case they have. */
#define ACCOUNT_REFUSED_CAP_MS (10 * 60 * 1000)
/* A warning after so many failures in a row: some seconds at a start, or some probes later. */
#define PROBES_WARNED 3

/* Starts a step of the account. It does not count towards max_steps, so that it never waits. */
static struct step *account_step_begin(struct core *core, struct core_account *a, enum step_op op)
{
	struct step *step = core_step_begin(core, a, op, 0);

	a->running--;
	return step;
}

static void task_retry(struct core *core, struct core_account *a, enum account_task task, int tries,
		       int64_t cap_ms, int64_t wait_ms)
{
	account_task_at(core, a, task, core_now(core) +
			backoff_ms(tries, ACCOUNT_BACKOFF_MS, cap_ms, wait_ms, core_random32(core)));
}

/* ---- probe ------------------------------------------------------------------------------- */

static void probe_start(struct core *core, struct core_account *a)
{
	struct step *step;

	/* Only one at a time: with two, the older write of the generation could arrive last. */
	if (a->probe_running) {
		a->probe_again = 1;
		return;
	}
	a->probe_running = 1;
	/* The probe may create a sentinel: first see whose are there. */
	if (core_neighbours_unknown(a)) {
		step = account_step_begin(core, a, STEP_LIST);
		step->list_kind = LESSOR_KIND_SENTINEL;
		return;
	}
	step = account_step_begin(core, a, STEP_PROBE);
	core_generation_due(core, a);
	a->probe_wanted = a->gen.is_wanted;
	ledger_copy(&a->own.ledger, &step->ledger);
}

static int64_t probe_ms(const struct core *core, struct core_account *a)
{
	int is_again = a->probe_again;
	int is_surprised = a->surprised_ms && core_now(core) - a->surprised_ms < SURPRISED_MS;

	/* The next probe covers everything that was requested while this one ran. */
	a->probe_again = 0;
	/*
	 * A raise that was wanted during the probe needs another one soon. If it was already wanted
	 * when the probe started, the plugin did not make it, and repeating would not help.
	 */
	if (is_again || (a->gen.is_wanted && !a->probe_wanted && !a->gen.is_fenced &&
			 a->gen.raised_ms))
		return 1000;
	return is_surprised && SURPRISED_PROBE_MS < core->config.probe_ms ? SURPRISED_PROBE_MS :
									   core->config.probe_ms;
}

/* The account could not be proven: `step` failed or was refused. */
static void probe_failed(struct core *core, struct core_account *a, const struct step *step)
{
	int blocks = step->verdict == LESSOR_REFUSED;

	a->probe_tries++;
	if (blocks)
		account_probed(a->account, 0, step->error_class, step->reason);
	if (blocks && !a->was_blocked) {
		a->was_blocked = 1;
		log_error(LOG_FIELDS({ "account", a->account->config.name },
				     { "class", error_class_name(step->error_class) }),
			  "account %s is blocked: %s; nothing is created, deleted or "
			  "concluded from absence in it until it is verified again",
			  a->account->config.name, step->reason);
		core_account_blocked(core, a);
	}
	if (!blocks && a->probe_tries == PROBES_WARNED)
		log_warning(LOG_FIELDS({ "account", a->account->config.name },
				       { "class", error_class_name(step->error_class) }),
			    "account %s cannot be verified: %s; nothing is created, deleted or concluded "
			    "from absence in it until it is; retrying",
			    a->account->config.name, step->reason);
	task_retry(core, a, TASK_PROBE, a->probe_tries,
		   blocks ? ACCOUNT_REFUSED_CAP_MS : ACCOUNT_BACKOFF_CAP_MS, step->wait_ms);
}

static int probe_done(struct core *core, struct core_account *a, struct step *step,
		      struct err *err)
{
	int64_t now = core_now(core);

	(void)err;
	a->probe_running = 0;
	/* A probe says nothing about a token that has replaced the one it used. */
	if (step->token_number != account_token_number(a->account)) {
		account_task_soon(core, a, TASK_PROBE);
		return 0;
	}
	if (step->verdict == LESSOR_DONE) {
		int was_blocked = a->was_blocked || account_is_blocked(a->account, NULL, 0);
		int is_start = !a->was_verified;
		int is_proof = is_start || a->was_blocked;
		int was_warned = a->probe_tries >= PROBES_WARNED;

		a->probe_tries = 0;
		if (!account_verify(a->account, step->token_number)) {
			account_task_soon(core, a, TASK_PROBE);
			return 0;
		}
		if (a->was_blocked || was_warned)
			log_notice(LOG_FIELDS({ "account", a->account->config.name }),
				   "account %s is verified again; resuming its work",
				   a->account->config.name);
		a->was_blocked = 0;
		/* Leases that waited for the first verification are due as the store says. */
		if (!a->was_verified)
			core_schedule_all(core, NULL);
		a->was_verified = 1;
		if ((was_blocked || is_start) && !account_is_fenced(a->account))
			core_account_unblocked(core, a, is_start && !was_blocked);
		/* What a restored store does not know must be found now. */
		if (is_proof)
			sweep_after_proof(core, a);
		account_task_at(core, a, TASK_PROBE, now + probe_ms(core, a));
	} else if (step->verdict == LESSOR_PENDING) {
		account_task_at(core, a, TASK_PROBE, now + (step->wait_ms > 0 ? step->wait_ms : 1));
	} else {
		probe_failed(core, a, step);
	}
	for (size_t i = 0; i < a->own.ledger.resource_count; i++) {
		const struct resource *r = &a->own.ledger.resources[i];

		if (r->kind == LESSOR_KIND_SENTINEL && r->state == LESSOR_STATE_PRESENT)
			account_set_sentinel(a->account, r->id);
	}
	return 0;
}

/* The account's sentinels were listed: the probe follows, unless an operator must agree first. */
static int sentinels_listed(struct core *core, struct core_account *a, struct step *step,
			    struct err *err)
{
	a->probe_running = 0;
	if (step->verdict != LESSOR_DONE) {
		probe_failed(core, a, step);
		return 0;
	}
	if (core_neighbours_listed(core, a, step, err))
		return -1;
	account_task_at(core, a, TASK_PROBE,
			a->is_alone ? core_now(core) : core_now(core) + probe_ms(core, a));
	return 0;
}

/* ---- catalogue ----------------------------------------------------------------------------- */

static void catalog_start(struct core *core, struct core_account *a)
{
	if (core_account_is_identified(core, a))
		account_step_begin(core, a, STEP_CATALOG);
	else
		account_task_at(core, a, TASK_CATALOG, core_now(core) + UNVERIFIED_WAIT_MS);
}

static int catalog_done(struct core *core, struct core_account *a, struct step *step,
			struct err *err)
{
	struct store_price *prices;
	struct err why = { 0 };

	(void)err;
	if (step->verdict != LESSOR_DONE) {
		a->catalog_tries++;
		task_retry(core, a, TASK_CATALOG, a->catalog_tries, ACCOUNT_BACKOFF_CAP_MS,
			   step->wait_ms);
		return 0;
	}
	a->catalog_tries = 0;
	if (account_set_note(a->account, step->note) && step->note[0])
		log_warning(LOG_FIELDS({ "account", a->account->config.name }), "account %s: %s",
			    a->account->config.name, step->note);
	account_task_at(core, a, TASK_CATALOG, core_now(core) + CATALOG_MS);
	/* Many rows, for creates that are refused now: the old prices stay in use. */
	if (store_state(core->store) == STORE_RESERVE)
		return 0;
	prices = xcalloc(step->price_count, sizeof(*prices));
	for (size_t i = 0; i < step->price_count; i++) {
		const struct step_price *from = &step->prices[i];

		TEXT_SET(prices[i].type, from->type);
		TEXT_SET(prices[i].location, from->location);
		TEXT_SET(prices[i].currency, from->currency);
		prices[i].hour_micros = from->hour_micros;
		prices[i].available = from->available;
		prices[i].month_micros = from->month_micros;
		prices[i].unit_ms = from->unit_ms;
		prices[i].minimum_ms = from->minimum_ms;
	}
	if (core_prices_replace(core, a->account->config.name, prices, step->price_count, &why))
		log_warning(LOG_FIELDS({ "error", why.text }),
			    "cannot store the prices of account %s; the old ones stay in use",
			    a->account->config.name);
	free(prices);
	return 0;
}

/* ---- the others ------------------------------------------------------------------------------ */

static void reload_start(struct core *core, struct core_account *a)
{
	account_step_begin(core, a, STEP_RELOAD);
}

void core_reload(struct core *core)
{
	for (size_t i = 0; i < core->account_count; i++) {
		struct core_account *a = &core->accounts[i];

		/* A failed write marks the store broken; the commit then fails. */
		core_crash_retry(core, a->account->config.name, "", NULL);
		account_task_soon(core, a, TASK_RELOAD);
		/* What blocked it may have been corrected. */
		if (account_is_blocked(a->account, NULL, 0))
			account_task_soon(core, a, TASK_PROBE);
		if (a->token_number == account_token_number(a->account))
			continue;
		/* As after a start: which account the new token opens is not known. */
		a->token_number = account_token_number(a->account);
		a->was_verified = 0;
		a->probe_tries = 0;
		account_task_soon(core, a, TASK_PROBE);
	}
}

static int reload_done(struct core *core, struct core_account *a, struct step *step,
		       struct err *err)
{
	const char *name = a->account->config.name;

	(void)err;
	if (step->verdict == LESSOR_DONE) {
		a->reload_tries = 0;
		log_notice(LOG_FIELDS({ "account", name }), "account %s has reloaded its files",
			   name);
		/* The files may define what the account offers. */
		account_task_soon(core, a, TASK_CATALOG);
	} else if (step->verdict == LESSOR_REFUSED) {
		a->reload_tries = 0;
		log_error(LOG_FIELDS({ "account", name }),
			  "account %s keeps its previous files: %s", name, step->reason);
	} else {
		a->reload_tries++;
		log_warning(LOG_FIELDS({ "account", name }),
			    "account %s could not reload its files and will retry: %s", name,
			    step->reason);
		task_retry(core, a, TASK_RELOAD, a->reload_tries, ACCOUNT_BACKOFF_CAP_MS,
			   step->wait_ms);
	}
	return 0;
}

/* A new observation counts towards max_steps, like a lease's step: dispatch_ready starts it. */
static void observe_start(struct core *core, struct core_account *a)
{
	core_observe_continue(core, a);
}

/* core_due starts what is queued after the tasks. */
static void dispatch_due(struct core *core, struct core_account *a)
{
	core_thaw(core, a);
}

static int list_done(struct core *core, struct core_account *a, struct step *step, struct err *err)
{
	if (core_is_forget(step))
		return core_forget_done(core, a, step, err);
	if (step->list_kind == LESSOR_KIND_SENTINEL)
		return sentinels_listed(core, a, step, err);
	if (!core_is_pool(step))
		return core_sweep_done(core, a, step, err);
	core_pool_done(core, a, step);
	return 0;
}

/* ---- the table --------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	void (*start)(struct core *core, struct core_account *a);
	/* applies the result of its step; NULL: core_step_done handles that step itself */
	enum step_op op;
	int (*done)(struct core *core, struct core_account *a, struct step *step, struct err *err);
} tasks[TASK_COUNT] = {
	[TASK_PROBE] = { "probe", probe_start, STEP_PROBE, probe_done },
	[TASK_CATALOG] = { "catalog", catalog_start, STEP_CATALOG, catalog_done },
	[TASK_SWEEP] = { "sweep", core_sweep_due, STEP_LIST, list_done },
	[TASK_RELOAD] = { "reload", reload_start, STEP_RELOAD, reload_done },
	[TASK_OBSERVE] = { "observe", observe_start, STEP_OBSERVE, NULL },
	[TASK_DISPATCH] = { "dispatch", dispatch_due, STEP_OBSERVE, NULL },
	[TASK_MONTH] = { "month", core_month_due, STEP_OBSERVE, NULL },
};

/* When a task is looked at again that is due while the core rests. */
#define REST_LOOK_MS 1000

static void task_start(struct core *core, struct core_account *a, enum account_task task)
{
	/* Results of an observation that has run are applied even while draining. */
	if ((core->draining || a->is_held) && task != TASK_OBSERVE)
		return;
	if (core->resting && task != TASK_OBSERVE) {
		account_task_at(core, a, task, core_now(core) + REST_LOOK_MS);
		return;
	}
	log_debug(LOG_FIELDS({ "account", a->account->config.name }), "task %s is due",
		  tasks[task].name);
	tasks[task].start(core, a);
}

void account_tasks_due(struct core *core, int64_t now_ms)
{
	/* Each task at most once: one that is due again at once waits for the next batch. */
	for (size_t i = 0; i < core->account_count * TASK_COUNT; i++) {
		int64_t key = heap_pop(core->tasks, now_ms);

		if (!key)
			return;
		task_start(core, &core->accounts[(key - 1) / TASK_COUNT],
			   (enum account_task)((key - 1) % TASK_COUNT));
	}
}

int account_task_done(struct core *core, struct core_account *a, struct step *step,
		      struct err *err)
{
	for (int i = 0; i < TASK_COUNT; i++) {
		if (tasks[i].op == step->op && tasks[i].done)
			return tasks[i].done(core, a, step, err);
	}
	return 0;
}
