/* SPDX-License-Identifier: MIT */
/*
 * What an account does beside its leases, as a table: how each task begins, and what its
 * end leads to. When they are due is in account_timers.c.
 */

#include <string.h>

#include "engine/internal.h"
#include "schedule/backoff.h"
#include "util/alloc.h"
#include "util/log.h"
#include "util/text.h"

/* Prices are not asked for in an account that is not known yet. */
#define UNVERIFIED_WAIT_MS 1000
/* After another generation was found, the sentinel is read this often for an hour. */
#define SURPRISED_PROBE_MS (60 * 1000)
#define SURPRISED_MS (60 * 60 * 1000)
#define ACCOUNT_BACKOFF_MS 2000
#define ACCOUNT_BACKOFF_CAP_MS (60 * 1000)
/* Refused: an operator must act; asked again now and then in case they did. */
#define ACCOUNT_REFUSED_CAP_MS (10 * 60 * 1000)

/* A step of the account, which has a place of its own: it must run when all others wait. */
static struct step *begin(struct core *core, struct core_account *a, enum step_op op)
{
	struct step *step = core_step_begin(core, a, op, 0);

	a->running--;
	return step;
}

static void retry_at(struct core *core, struct core_account *a, enum account_task task, int tries,
		     int64_t cap_ms, int64_t wait_ms)
{
	account_task_at(core, a, task, core_now(core) +
			backoff_ms(tries, ACCOUNT_BACKOFF_MS, cap_ms, wait_ms, core_random32(core)));
}

/* ---- probe ------------------------------------------------------------------------------- */

static void probe_start(struct core *core, struct core_account *a)
{
	struct step *step;

	/* One at a time: of two writes of the counter the older one could arrive last. */
	if (a->probe_running) {
		a->probe_again = 1;
		return;
	}
	step = begin(core, a, STEP_PROBE);
	a->probe_running = 1;
	core_generation_due(core, a);
	a->probe_wanted = a->gen.is_wanted;
	ledger_copy(&a->own.ledger, &step->ledger);
}

static int64_t probe_ms(const struct core *core, struct core_account *a)
{
	int is_again = a->probe_again;
	int is_surprised = a->surprised_ms && core_now(core) - a->surprised_ms < SURPRISED_MS;

	/* Of what was asked for while this one ran the next one takes care. */
	a->probe_again = 0;
	/* What was wanted before it began, and was not asked for, is not asked for the next time. */
	if (is_again || (a->gen.is_wanted && !a->probe_wanted && !a->gen.is_fenced &&
			 a->gen.raised_ms))
		return 1000;
	return is_surprised && SURPRISED_PROBE_MS < core->config.probe_ms ? SURPRISED_PROBE_MS :
									   core->config.probe_ms;
}

static int probe_done(struct core *core, struct core_account *a, struct step *step,
		      struct err *err)
{
	int64_t now = core_now(core);

	(void)err;
	a->probe_running = 0;
	if (step->verdict == LESSOR_DONE) {
		int was_blocked = a->was_blocked || account_is_blocked(a->account, NULL, 0);
		int is_start = !a->was_verified;

		a->probe_tries = 0;
		account_probed(a->account, 1, LESSOR_CLASS_NONE, NULL);
		if (a->was_blocked)
			log_notice(LOG_FIELDS({ "account", a->account->config.name }),
				   "account %s is proven again; work goes on",
				   a->account->config.name);
		a->was_blocked = 0;
		/* What waited for the account to be known is due when it was due. */
		if (!a->was_verified)
			core_schedule_all(core, NULL);
		a->was_verified = 1;
		if ((was_blocked || is_start) && !account_is_fenced(a->account))
			core_account_unblocked(core, a, is_start && !was_blocked);
		account_task_at(core, a, TASK_PROBE, now + probe_ms(core, a));
	} else if (step->verdict == LESSOR_PENDING) {
		account_task_at(core, a, TASK_PROBE, now + (step->wait_ms > 0 ? step->wait_ms : 1));
	} else {
		int blocks = step->verdict == LESSOR_REFUSED;

		a->probe_tries++;
		if (blocks)
			account_probed(a->account, 0, step->error_class, step->reason);
		if (blocks && !a->was_blocked) {
			a->was_blocked = 1;
			log_error(LOG_FIELDS({ "account", a->account->config.name },
					     { "class", error_class_name(step->error_class) }),
				  "account %s is blocked: %s; nothing new is made and nothing is concluded "
				  "from absence until it is proven again", a->account->config.name,
				  step->reason);
			core_account_blocked(core, a);
		}
		retry_at(core, a, TASK_PROBE, a->probe_tries,
			 blocks ? ACCOUNT_REFUSED_CAP_MS : ACCOUNT_BACKOFF_CAP_MS, step->wait_ms);
	}
	for (size_t i = 0; i < a->own.ledger.resource_count; i++) {
		const struct resource *r = &a->own.ledger.resources[i];

		if (r->kind == LESSOR_KIND_SENTINEL && r->state == LESSOR_STATE_PRESENT)
			account_set_sentinel(a->account, r->id);
	}
	return 0;
}

/* ---- catalogue ----------------------------------------------------------------------------- */

static void catalog_start(struct core *core, struct core_account *a)
{
	if (core_account_is_identified(core, a))
		begin(core, a, STEP_CATALOG);
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
		retry_at(core, a, TASK_CATALOG, a->catalog_tries, ACCOUNT_BACKOFF_CAP_MS, step->wait_ms);
		return 0;
	}
	a->catalog_tries = 0;
	account_task_at(core, a, TASK_CATALOG, core_now(core) + CATALOG_MS);
	prices = xcalloc(step->price_count, sizeof(*prices));
	for (size_t i = 0; i < step->price_count; i++) {
		const struct step_price *from = &step->prices[i];

		TEXT_SET(prices[i].type, from->type);
		TEXT_SET(prices[i].location, from->location);
		TEXT_SET(prices[i].currency, from->currency);
		prices[i].hour_micros = from->hour_micros;
		prices[i].available = from->available;
	}
	if (store_prices_replace(core->store, a->account->config.name, prices, step->price_count,
				 core_now(core), &why))
		log_warning(LOG_FIELDS({ "error", why.text }),
			    "the catalogue of account %s was not kept; the old prices stay",
			    a->account->config.name);
	free(prices);
	return 0;
}

/* ---- the others ------------------------------------------------------------------------------ */

static void reload_start(struct core *core, struct core_account *a)
{
	begin(core, a, STEP_RELOAD);
}

void core_reload(struct core *core)
{
	for (size_t i = 0; i < core->account_count; i++)
		account_task_soon(core, &core->accounts[i], TASK_RELOAD);
}

static int reload_done(struct core *core, struct core_account *a, struct step *step,
		       struct err *err)
{
	const char *name = a->account->config.name;

	(void)err;
	if (step->verdict == LESSOR_DONE) {
		a->reload_tries = 0;
		log_notice(LOG_FIELDS({ "account", name }), "account %s has read its files again", name);
		/* What there is may be something else now. */
		account_task_soon(core, a, TASK_CATALOG);
	} else if (step->verdict == LESSOR_REFUSED) {
		a->reload_tries = 0;
		log_error(LOG_FIELDS({ "account", name }),
			  "account %s keeps what it had: %s", name, step->reason);
	} else {
		a->reload_tries++;
		log_warning(LOG_FIELDS({ "account", name }),
			    "account %s could not read its files again and tries once more: %s", name,
			    step->reason);
		retry_at(core, a, TASK_RELOAD, a->reload_tries, ACCOUNT_BACKOFF_CAP_MS, step->wait_ms);
	}
	return 0;
}

/* A new one takes a place like any step of a lease: dispatch_ready starts it. */
static void look_start(struct core *core, struct core_account *a)
{
	core_observe_go_on(core, a);
}

static int list_done(struct core *core, struct core_account *a, struct step *step, struct err *err)
{
	if (!core_is_pool(step))
		return core_sweep_done(core, a, step, err);
	core_pool_done(core, a, step);
	return 0;
}

/* ---- the table --------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	void (*start)(struct core *core, struct core_account *a);
	/* what the end of its step leads to; NULL: it has none of its own */
	enum step_op op;
	int (*done)(struct core *core, struct core_account *a, struct step *step, struct err *err);
} tasks[TASK_COUNT] = {
	[TASK_PROBE] = { "probe", probe_start, STEP_PROBE, probe_done },
	[TASK_CATALOG] = { "catalog", catalog_start, STEP_CATALOG, catalog_done },
	[TASK_SWEEP] = { "sweep", core_sweep_due, STEP_LIST, list_done },
	[TASK_RELOAD] = { "reload", reload_start, STEP_RELOAD, reload_done },
	[TASK_LOOK] = { "look", look_start, STEP_OBSERVE, NULL },
};

static void begin_task(struct core *core, struct core_account *a, enum account_task task)
{
	/* What has ended is still taken in. */
	if (core->draining && task != TASK_LOOK)
		return;
	log_debug(LOG_FIELDS({ "account", a->account->config.name }), "task %s is due",
		  tasks[task].name);
	tasks[task].start(core, a);
}

void account_tasks_due(struct core *core, int64_t now_ms)
{
	/* Each at most once: what is due again at once waits for the next turn. */
	for (size_t i = 0; i < core->account_count * TASK_COUNT; i++) {
		int64_t key = heap_pop(core->tasks, now_ms);

		if (!key)
			return;
		begin_task(core, &core->accounts[(key - 1) / TASK_COUNT],
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
