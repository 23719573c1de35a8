/* SPDX-License-Identifier: MIT */
#include "engine/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/alloc.h"
#include "util/log.h"
#include "util/text.h"

#define DUE_RETRY_MS 5000
/* What is past its time and may not end for now is looked at again after this long. */
#define POSTPONED_MS 60000
/* A shorter pause, or a smaller change of one, is not worth a write. */
#define PAUSE_KEPT_MS 2000

struct log_line {
	struct log_line *next;
	enum log_level level;
	char lease[24], account[32], event[40];
	char text[400];
};

static void load_due(void *arg, int64_t n, int64_t due_ms)
{
	heap_set(arg, n, due_ms);
}

/*
 * What a 429 said holds for the next process, too. By the wall clock, so it is written
 * again when that jumps.
 */
static void keep_pauses(struct core *core)
{
	for (size_t i = 0; i < core->account_count; i++) {
		struct core_account *a = &core->accounts[i];
		int64_t left = account_paused(a->account);
		int64_t until = core_now(core) + left;

		if (left < PAUSE_KEPT_MS || llabs(until - a->paused_until_ms) < PAUSE_KEPT_MS)
			continue;
		/* One that fails breaks the store, and the commit says so. */
		if (store_pause_put(core->store, a->account->config.name, until, NULL) == 0)
			a->paused_until_ms = until;
	}
}

static void log_lines_drop(struct core *core, struct log_line **from);

static int load_pauses(struct core *core, struct err *err)
{
	for (size_t i = 0; i < core->account_count; i++) {
		struct core_account *a = &core->accounts[i];

		if (store_pause_get(core->store, a->account->config.name, &a->paused_until_ms, err))
			return -1;
		if (a->paused_until_ms > core_now(core))
			account_pause(a->account, a->paused_until_ms - core_now(core));
	}
	return 0;
}

static int restart_one(struct core *core, int64_t lease_n, const char *account, struct err *err)
{
	static const struct lease_event event = { .kind = LEASE_EVENT_RESTART };
	struct core_account *own = lease_n ? NULL : core_account_find(core, account);
	struct lease_aggregate *a = own ? &own->own : core_lease(core, lease_n, err);

	/* The sentinel of an account that is not configured any more waits until it is. */
	if (!lease_n && !own)
		return 0;
	return a ? core_apply(core, a, &event, NULL, err) : -1;
}

/* What the process before this one left under way has an unknown outcome. */
static int restart(struct core *core, struct err *err)
{
	struct store_pending *pending;
	size_t count;
	int rc;

	for (size_t i = 0; i < core->account_count; i++) {
		struct lease_aggregate *own = &core->accounts[i].own;

		TEXT_SET(own->lease.account, core->accounts[i].account->config.name);
		if (store_account_ledger(core->store, own->lease.account, &own->ledger, err))
			return -1;
	}
	if (store_pending(core->store, &pending, &count, err))
		return -1;
	rc = 0;
	for (size_t i = 0; i < count && !rc; i++)
		rc = restart_one(core, pending[i].lease, pending[i].account, err);
	free(pending);
	return rc;
}

/*
 * What the process before this one left under way has an unknown outcome; and is this the
 * store that it worked with?
 */
static int begin_life(struct core *core, struct err *err)
{
	int rc = 0;

	if (store_begin(core->store, err))
		return -1;
	core->in_transaction = 1;
	rc = restart(core, err);
	for (size_t i = 0; i < core->account_count && !rc; i++)
		rc = core_generation_init(core, &core->accounts[i], err);
	if (!rc && core->config.place[0])
		rc = store_place_put(core->store, core->config.place, err);
	if (!rc)
		rc = core_missing_init(core, err);
	/* What waited for an account that is configured again; others wait for its proof. */
	for (size_t i = 0; i < core->account_count && !rc; i++) {
		if (!core->accounts[i].account->table->probe)
			core_account_unblocked(core, &core->accounts[i], 1);
	}
	if (rc) {
		store_rollback(core->store);
		core->in_transaction = 0;
		return -1;
	}
	return core_flush(core, err);
}

int core_new(const struct engine_config *config, const struct core_hooks *hooks,
	     struct core **ret, struct err *err)
{
	struct core *core = xcalloc(1, sizeof(*core));

	core->config = *config;
	core->hooks = *hooks;
	core->env = config->env;
	core->store = config->store;
	core->answers_tail = &core->answers;
	core->starts_tail = &core->starts;
	core->log_lines_tail = &core->log_lines;
	core->due = heap_new();
	core->tasks = heap_new();
	core->aggregates = aggregates_new(core->store, AGGREGATES_MOST);
	core->account_count = config->account_count;
	core->accounts = xcalloc(config->account_count, sizeof(*core->accounts));
	for (size_t i = 0; i < config->account_count; i++) {
		core->accounts[i].account = config->accounts[i];
		for (int q = 0; q < QUEUE_COUNT; q++)
			core->accounts[i].last[q] = &core->accounts[i].first[q];
		core_observe_init(&core->accounts[i]);
	}
	if (store_signer(core->store, &core->signer, err) ||
	    store_account_key(core->store, core->account_key, sizeof(core->account_key), err) ||
	    load_pauses(core, err) || begin_life(core, err) ||
	    store_due_each(core->store, core_now(core), load_due, core->due, err)) {
		core_free(core);
		return -1;
	}
	account_tasks_init(core);
	*ret = core;
	return 0;
}

static void queued_free(struct queued *list)
{
	while (list) {
		struct queued *next = list->next;

		free(list);
		list = next;
	}
}

void core_free(struct core *core)
{
	if (!core)
		return;
	for (size_t i = 0; i < core->account_count; i++) {
		for (int q = 0; q < QUEUE_COUNT; q++)
			queued_free(core->accounts[i].first[q]);
		free(core->accounts[i].listed);
		lease_aggregate_fini(&core->accounts[i].own);
		free(core->accounts[i].look.seen);
		step_free(core->accounts[i].look.ended);
	}
	while (core->starts) {
		struct step *next = core->starts->next;

		step_free(core->starts);
		core->starts = next;
	}
	log_lines_drop(core, &core->log_lines);
	heap_free(core->due);
	heap_free(core->tasks);
	aggregates_free(core->aggregates);
	free(core->accounts);
	in_flight_fini(core);
	free(core);
}

int64_t core_now(const struct core *core)
{
	return env_wall_ms(core->env);
}

uint32_t core_random32(struct core *core)
{
	/* Each event asks for one, and few need it: a system call for each would be dear. */
	if (!core->random_left) {
		env_random(core->env, core->random, sizeof(core->random));
		core->random_left = sizeof(core->random) / sizeof(core->random[0]);
	}
	return core->random[--core->random_left];
}

struct core_account *core_account_find(struct core *core, const char *name)
{
	for (size_t i = 0; i < core->account_count; i++) {
		if (strcmp(core->accounts[i].account->config.name, name) == 0)
			return &core->accounts[i];
	}
	return NULL;
}

int core_check(const struct core *core, struct err *err)
{
	return aggregates_check(core->aggregates, err);
}

struct store *core_store(const struct core *core)
{
	return core->store;
}

void core_set_limits(struct core *core, const struct engine_limits *limits)
{
	core->config.limits = *limits;
}

/* ---- transactions ------------------------------------------------------------- */

int core_begin(struct core *core, struct err *err)
{
	if (core->in_transaction)
		return 0;
	if (store_begin_at_write(core->store, err))
		return -1;
	core->in_transaction = 1;
	core_clock_watch(core);
	return 0;
}

void core_answer(struct core *core, struct engine_request *request)
{
	request->next = NULL;
	*core->answers_tail = request;
	core->answers_tail = &request->next;
}

static void release_answers(struct core *core)
{
	struct engine_request *request = core->answers;

	core->answers = NULL;
	core->answers_tail = &core->answers;
	while (request) {
		struct engine_request *next = request->next;

		request->done(request);
		request = next;
	}
}

/* What was decided is said once it is true. */
static void release_log_lines(struct core *core)
{
	while (core->log_lines) {
		struct log_line *t = core->log_lines;

		core->log_lines = t->next;
		log_write(t->level, LOG_FIELDS({ t->lease[0] ? "lease" : "account",
						 t->lease[0] ? t->lease : t->account },
					       { t->lease[0] ? "account" : NULL, t->account },
					       { t->event[0] ? "event" : NULL, t->event }), "%s", t->text);
		free(t);
	}
	core->log_lines_tail = &core->log_lines;
}

void core_log_later(struct core *core, const struct log_origin *tell, const char *fmt, ...)
{
	struct log_line *t = xcalloc(1, sizeof(*t));
	va_list ap;

	t->level = tell->level;
	TEXT_SET(t->lease, tell->lease);
	TEXT_SET(t->account, tell->account);
	TEXT_SET(t->event, tell->event);
	va_start(ap, fmt);
	vsnprintf(t->text, sizeof(t->text), fmt, ap);
	va_end(ap);
	*core->log_lines_tail = t;
	core->log_lines_tail = &t->next;
}

static void log_lines_drop(struct core *core, struct log_line **from)
{
	while (*from) {
		struct log_line *t = *from;

		*from = t->next;
		free(t);
	}
	core->log_lines_tail = from;
}

static void release_starts(struct core *core)
{
	struct step *step = core->starts;

	core->starts = NULL;
	core->starts_tail = &core->starts;
	while (step) {
		struct step *next = step->next;

		step->next = NULL;
		core->hooks.start(core->hooks.arg, step);
		step = next;
	}
}

static int is_pinned(void *arg, int64_t n)
{
	struct core *core = arg;

	return in_flight_find(core, n) || core_is_awaited(core, n);
}

int core_must_flush(const struct core *core)
{
	return core->answers || core->starts || core->log_lines || store_broken(core->store);
}

/* Commits, if there is anything. */
static int commit(struct core *core, struct err *err)
{
	int is_written;

	keep_pauses(core);
	is_written = store_is_written(core->store);
	if (is_written)
		env_point(core->env, "before-commit");
	core->in_transaction = 0;
	if (store_commit(core->store, err))
		return -1;
	if (is_written)
		env_point(core->env, "after-commit");
	return 0;
}

int core_flush(struct core *core, struct err *err)
{
	if (core->in_transaction && commit(core, err))
		return -1;
	release_log_lines(core);
	release_answers(core);
	release_starts(core);
	aggregates_trim(core->aggregates, is_pinned, core);
	return store_broken(core->store) ? err_set(err, ERR_IO, "the store is broken") : 0;
}

/* ---- what every event needs ------------------------------------------------------ */

int core_account_protects(const struct core_account *a)
{
	return a->account->table->retain != NULL && a->account->config.protect_retained;
}

int core_note(struct core *core, int64_t lease_n, const char *kind, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return store_event_add(core->store, lease_n, core_now(core), kind, text, NULL);
}

void core_schedule(struct core *core, const struct lease *l)
{
	/* While a step runs only the deadline may interrupt; its result sets the next due time. */
	heap_set(core->due, l->n,
		 in_flight_find(core, l->n) ? lease_deadline_ms(l) :
					      lease_due_ms(l, core_now(core)));
}

/* ---- due times --------------------------------------------------------------------- */

/* What is past its deadline and yet goes on, as while the clock is doubted, must not spin. */
static void wait_further(struct core *core, const struct lease *l, int is_stepping, int64_t now_ms)
{
	int64_t due_ms = is_stepping ? lease_deadline_ms(l) : lease_due_ms(l, now_ms);

	if (due_ms && due_ms <= now_ms) {
		due_ms = now_ms + POSTPONED_MS;
		if (!is_stepping && l->due_ms > now_ms && l->due_ms < due_ms)
			due_ms = l->due_ms;
	}
	heap_set(core->due, l->n, due_ms);
}

static void lease_due(struct core *core, int64_t n)
{
	static const struct lease_event tick = { .kind = LEASE_EVENT_TICK };
	struct err err = { 0 };
	struct lease_aggregate *a = core_lease(core, n, &err);
	struct lease_facts facts;
	int is_running, is_ready;

	if (!a) {
		if (err.kind == ERR_NOT_FOUND)
			return;
		log_error(LOG_FIELDS({ "error", err.text }),
			  "a due lease could not be looked at; trying again in %d s",
			  DUE_RETRY_MS / 1000);
		heap_set(core->due, n, core_now(core) + DUE_RETRY_MS);
		return;
	}
	facts = core_facts(core, a);
	if (core_apply_facts(core, a, &tick, &facts, NULL, &err))
		return;
	is_running = in_flight_find(core, n) != NULL;
	/* It waits for a place then, which may take. */
	is_ready = !is_running && lease_next_op(a, &facts) != LEASE_OP_NONE &&
		   lease_step_is_due(&a->lease, facts.now_ms);
	wait_further(core, &a->lease, is_running || is_ready, facts.now_ms);
	if (is_ready)
		queue_lease(core, a);
}

void core_due(struct core *core)
{
	int64_t now = core_now(core);
	int64_t n;

	account_tasks_due(core, now);
	/* Bounded, so that a backlog does not hold up the answers of this batch. */
	for (int i = 0; i < 256 && (n = heap_pop(core->due, now)) != 0; i++)
		lease_due(core, n);
	core_wait_timeouts(core, now, 0);
	dispatch_all(core);
}

static int64_t sooner(int64_t a, int64_t b)
{
	return !a || (b && b < a) ? b : a;
}

int64_t core_next_ms(const struct core *core)
{
	return sooner(sooner(heap_next(core->due), heap_next(core->tasks)), core->next_waiter_ms);
}

void core_drain(struct core *core)
{
	core->draining = 1;
	core_wait_timeouts(core, core_now(core), 1);
	core_pool_drain(core);
}
