/* SPDX-License-Identifier: MIT */
/*
 * Run history: stores what clients report about their runs, and deletes old runs. Nothing here
 * decides anything about a lease.
 */
#include "runs/history.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schedule/clock.h"
#include "util/alloc.h"
#include "util/hash.h"
#include "util/log.h"
#include "util/text.h"

#define SWEEP_MS (10 * 60 * 1000)
/*
 * While there is more to delete: rows per turn and pause between turns, so that requests are
 * not delayed.
 */
#define SWEEP_PARTS 32
#define SWEEP_PAUSE_MS 20
/* approximate size of a run without its texts */
#define RUN_BYTES 1024

struct history {
	struct runs_config config;
	const struct env *env;
	struct store *store;
	struct clock_watch clock;
	int64_t due_ms;		/* 0: there are no runs */
	struct run_request_list answered; /* `done` is called after the commit */
	int in_transaction;
	int is_failing; /* reports could not be stored; this was logged */
	int has_failed; /* a report of this turn could not be stored */
};

static int64_t history_wall_ms(const struct history *history)
{
	return env_wall_ms(history->env);
}

static void request_fail(struct run_request *r, enum run_result result, const char *code,
			 const char *message)
{
	r->result = result;
	snprintf(r->code, sizeof(r->code), "%s", code);
	snprintf(r->message, sizeof(r->message), "%s", message);
}

void history_refuse(struct run_request *request, int is_broken)
{
	if (is_broken)
		request_fail(request, RUN_RESULT_UNAVAILABLE, "store_unavailable",
			     "run history is not available, leases are; the log of lessord says why");
	else
		request_fail(request, RUN_RESULT_UNAVAILABLE, "shutting_down",
			     "lessord is shutting down; try again");
	request->done(request);
}

static struct store_scope request_scope(const struct run_request *r)
{
	return (struct store_scope){ .all = r->caller.role == TOKEN_ADMIN, .owner = r->caller.owner,
				     .org = r->caller.org };
}

/* 0: found; 1: answered; -1: error. */
static int request_find_run(struct history *history, struct run_request *r, struct run_row *run,
			    struct err *err)
{
	struct store_scope scope = request_scope(r);
	int rc = store_run_find(history->store, r->id, &scope, RUN_WRITE, run, err);

	if (rc == 1)
		request_fail(r, RUN_RESULT_NOT_FOUND, "not_found", "no such run");
	return rc;
}

/* "" keeps the stored value. */
#define MERGE_TEXT(run, told, field)                           \
	do {                                                   \
		if ((told)->field[0])                          \
			TEXT_SET((run)->field, (told)->field); \
	} while (0)

static int run_merge(struct history *history, struct run_row *run, const struct run_row *told,
		     struct err *err)
{
	MERGE_TEXT(run, told, slug);
	MERGE_TEXT(run, told, account);
	MERGE_TEXT(run, told, target);
	MERGE_TEXT(run, told, windows_mode);
	MERGE_TEXT(run, told, class_name);
	MERGE_TEXT(run, told, server_type);
	/* a phase reported after the end belongs to the lease, not to the run */
	if (!run->finished)
		MERGE_TEXT(run, told, phase);
	if (!told->lease_id[0])
		return 0;
	TEXT_SET(run->lease_id, told->lease_id);
	return store_run_lease_add(history->store, run->n, run->lease_id, err);
}

static int event_add(struct history *history, struct run_row *run, const char *fields,
		     struct err *err)
{
	size_t len = strlen(fields);

	run->event_count++;
	run->event_bytes += (int64_t)len;
	run->bytes += (int64_t)len + 64;
	run->event_ms = history_wall_ms(history);
	return store_run_event_add(history->store, run->n, run->event_count, run->event_ms, fields,
				   err);
}

static int sample_add(struct history *history, struct run_row *run, const struct run_request *r,
		      struct err *err)
{
	if (!r->sample[0])
		return 0;
	return store_run_sample_add(history->store, run->n, r->sample_ms, r->sample, err);
}

/* ---- reports ---------------------------------------------------------------------------- */

/*
 * The lease, if it exists, must be visible to the caller; a run may also name one that does
 * not exist.
 */
static int lease_check(struct history *history, struct run_request *r, const char *id,
		       struct err *err)
{
	struct store *leases = history->config.leases;
	struct store_scope scope = request_scope(r);
	struct lease l;
	int rc;

	if (!id[0])
		return 0;
	rc = store_lease_by_id(leases, id, &l, err);
	if (rc == 0)
		rc = store_lease_visible(leases, id, &scope, &l, err);
	else if (rc == 1)
		return 0;
	if (rc == 1)
		request_fail(r, RUN_RESULT_NOT_FOUND, "not_found", "no such lease");
	return rc;
}

struct compared {
	const char *text;
	int is_same;
};

static int command_compare(void *arg, const char *text, size_t len)
{
	struct compared *compared = arg;

	compared->is_same = strlen(compared->text) == len && !memcmp(compared->text, text, len);
	return 1;
}

/*
 * Handles a repeated create, by a client that got no response. 0: no such run yet; 1:
 * answered; -1: error.
 */
static int run_replay(struct history *history, struct run_request *r, struct err *err)
{
	const struct store_scope all = { .all = 1 };
	struct run_row *run = &r->run;
	struct compared command = { .text = r->text };
	int rc = store_run_find(history->store, r->id, &all, RUN_WRITE, run, err);

	if (rc)
		return rc < 0 ? -1 : 0;
	if (store_run_command(history->store, run->n, command_compare, &command, err) < 0)
		return -1;
	if (command.is_same && !strcmp(run->label, r->told.label) &&
	    !strcmp(run->owner, r->caller.owner) && !strcmp(run->org, r->caller.org))
		r->result = RUN_RESULT_REPLAY;
	else
		request_fail(r, RUN_RESULT_CONFLICT, "run_conflict",
			     "another run has this id; use a new one");
	return 1;
}

static int run_create(struct history *history, struct run_request *r, struct err *err)
{
	struct run_row *run = &r->run;
	unsigned char bytes[6];
	int rc = r->id[0] ? run_replay(history, r, err) : 0;

	if (rc == 0)
		rc = lease_check(history, r, r->told.lease_id, err);
	if (rc)
		return rc < 0 ? -1 : 0;
	*run = r->told;
	if (r->id[0]) {
		TEXT_SET(run->id, r->id);
	} else {
		env_random(history->env, bytes, sizeof(bytes));
		memcpy(run->id, "run_", 4);
		hash_hex(bytes, sizeof(bytes), run->id + 4);
	}
	TEXT_SET(run->owner, r->caller.owner);
	TEXT_SET(run->org, r->caller.org);
	TEXT_SET(run->phase, "starting");
	run->started_ms = run->event_ms = history_wall_ms(history);
	run->bytes = RUN_BYTES + (int64_t)strlen(r->text);
	if (store_run_insert(history->store, run, r->text, err) ||
	    (run->lease_id[0] && store_run_lease_add(history->store, run->n, run->lease_id, err)) ||
	    event_add(history, run, "{\"type\":\"run.started\",\"phase\":\"starting\"}", err) ||
	    store_run_update(history->store, run, err))
		return -1;
	TEXT_SET(r->id, run->id);
	if (!history->due_ms)
		history->due_ms = history_wall_ms(history) + SWEEP_MS;
	r->result = RUN_RESULT_CREATED;
	return 0;
}

static int run_event(struct history *history, struct run_request *r, struct run_row *run,
		     struct err *err)
{
	int rc;

	if (run->event_count >= RUN_EVENTS_MAX ||
	    run->event_bytes + (int64_t)strlen(r->text) > RUN_EVENT_BYTES_MAX) {
		request_fail(r, RUN_RESULT_CONFLICT, "run_too_large", "this run has too many events");
		return 0;
	}
	rc = lease_check(history, r, r->told.lease_id, err);
	if (rc)
		return rc < 0 ? -1 : 0;
	if (run_merge(history, run, &r->told, err) || event_add(history, run, r->text, err))
		return -1;
	if (r->is_failed && run->state == RUN_RUNNING) {
		run->state = RUN_FAILED;
		run->ended_ms = history_wall_ms(history);
	}
	r->seq = run->event_count;
	r->at_ms = run->event_ms;
	r->result = RUN_RESULT_OK;
	return store_run_update(history->store, run, err);
}

static int run_sample(struct history *history, struct run_request *r, struct run_row *run,
		      struct err *err)
{
	run->event_ms = history_wall_ms(history);
	r->result = RUN_RESULT_OK;
	return sample_add(history, run, r, err) || store_run_update(history->store, run, err) ? -1 :
												0;
}

static int run_log(struct history *history, struct run_request *r, struct run_row *run,
		   struct err *err)
{
	size_t stored;

	/* a finished run keeps the log that it has */
	if (run->finished) {
		r->result = RUN_RESULT_REPLAY;
		return 0;
	}
	if (store_run_log_put(history->store, run->n, r->part, r->data, r->len, &stored, err))
		return -1;
	/* count it now, since the run may never be finished */
	run->bytes += (int64_t)stored;
	run->event_ms = history_wall_ms(history);
	r->result = RUN_RESULT_OK;
	return store_run_update(history->store, run, err);
}

static int size_store(void *arg, const char *text, size_t len)
{
	(void)text;
	*(int64_t *)arg = (int64_t)len;
	return 1;
}

static int run_finish(struct history *history, struct run_request *r, struct run_row *run,
		      struct err *err)
{
	char event[96];
	int64_t stored, command = 0;

	if (run->finished) {
		r->result = RUN_RESULT_REPLAY;
		return 0;
	}
	run->has_exit_code = 1;
	run->exit_code = r->told.exit_code;
	run->sync_ms = r->told.sync_ms;
	run->command_ms = r->told.command_ms;
	run->log_bytes = r->told.log_bytes;
	run->log_truncated = r->told.log_truncated;
	MERGE_TEXT(run, &r->told, blocked_stage);
	MERGE_TEXT(run, &r->told, retry_likely);
	run->state = run->exit_code ? RUN_FAILED : RUN_SUCCEEDED;
	run->ended_ms = history_wall_ms(history);
	TEXT_SET(run->phase, run_state_name(run->state));
	snprintf(event, sizeof(event),
		 "{\"type\":\"command.finished\",\"phase\":\"command\",\"exitCode\":%lld}",
		 (long long)run->exit_code);
	if (store_run_log_cut(history->store, run->n, r->part, err) ||
	    (r->text && store_run_results_put(history->store, run->n, r->text, err)) ||
	    (r->receipt && store_run_receipt_put(history->store, run->n, r->receipt, err)) ||
	    sample_add(history, run, r, err) || event_add(history, run, event, err))
		return -1;
	if (store_run_log_size(history->store, run->n, &stored, err) ||
	    store_run_command(history->store, run->n, size_store, &command, err) < 0)
		return -1;
	run->bytes = RUN_BYTES + command + run->event_bytes + 64 * run->event_count + stored +
		     (r->text ? (int64_t)strlen(r->text) : 0) +
		     (r->receipt ? (int64_t)strlen(r->receipt) : 0);
	run->finished = 1;
	r->result = RUN_RESULT_OK;
	return store_run_update(history->store, run, err);
}

static int request_handle(struct history *history, struct run_request *r, struct err *err)
{
	static int (*const ops[])(struct history *, struct run_request *, struct run_row *,
				  struct err *) = {
		[RUN_EVENT] = run_event,
		[RUN_SAMPLE] = run_sample,
		[RUN_LOG] = run_log,
		[RUN_FINISH] = run_finish,
	};
	struct run_row *run = &r->run;
	int rc;

	if (r->op == RUN_CREATE)
		return run_create(history, r, err);
	rc = request_find_run(history, r, run, err);
	if (rc)
		return rc < 0 ? -1 : 0;
	return ops[r->op](history, r, run, err);
}

/* ---- retention -------------------------------------------------------------------------- */

/* Ends a run whose client has died. 1: there was one; 0: none; -1: error. */
static int run_close_stale(struct history *history, struct err *err)
{
	int64_t now = history_wall_ms(history);
	struct run_row run;
	int rc = store_run_stale(history->store, now - history->config.stale_ms, &run, err);

	if (rc)
		return rc < 0 ? -1 : 0;
	run.state = RUN_FAILED;
	/* the last report: the run's age counts from there */
	run.ended_ms = run.event_ms;
	TEXT_SET(run.phase, "abandoned");
	return store_run_update(history->store, &run, err) ? -1 : 1;
}

/*
 * Deletes part of the oldest run, if it must go. 1: something was deleted; 0: nothing to
 * delete; -1: error.
 */
static int run_drop_oldest(struct history *history, struct err *err)
{
	int64_t now = history_wall_ms(history);
	int64_t bytes = 0;
	struct run_row run;
	int rc = 1;

	if (history->config.keep_ms)
		rc = store_run_oldest(history->store, now - history->config.keep_ms, &run, err);
	if (rc == 1 && history->config.bytes_max) {
		if (store_run_bytes(history->store, &bytes, err))
			return -1;
		if (bytes > history->config.bytes_max)
			rc = store_run_oldest(history->store, INT64_MAX, &run, err);
	}
	if (rc)
		return rc < 0 ? -1 : 0;
	return store_run_drop(history->store, run.n, SWEEP_PARTS, err) < 0 ? -1 : 1;
}

static int history_sweep(struct history *history, struct err *err)
{
	int rc;

	/* ages mean nothing while the clock is in doubt */
	if (clock_is_suspect(&history->clock, env_mono_ms(history->env)) ||
	    env_is_clock_suspect(history->env))
		return 0;
	rc = run_close_stale(history, err);
	return rc ? rc : run_drop_oldest(history, err);
}

void history_due(struct history *history)
{
	struct err err = { 0 };
	int rc;

	if (!history->due_ms || history->due_ms > history_wall_ms(history))
		return;
	history->due_ms = history_wall_ms(history) + SWEEP_MS;
	if (store_savepoint(history->store, &err))
		return;
	rc = history_sweep(history, &err);
	if (rc < 0) {
		store_savepoint_undo(history->store);
		log_warning(LOG_FIELDS({ "error", err.text }),
			    "cannot delete old runs; retrying later");
		return;
	}
	store_savepoint_keep(history->store, NULL);
	if (rc)
		history->due_ms = history_wall_ms(history) + SWEEP_PAUSE_MS;
	else if (store_run_any(history->store, NULL) == 0)
		history->due_ms = 0;
}

int64_t history_next_ms(const struct history *history)
{
	return history->due_ms;
}

/* ---- turns ------------------------------------------------------------------------------ */

struct history *history_new(const struct runs_config *config)
{
	struct history *history = xcalloc(1, sizeof(*history));

	history->config = *config;
	history->env = config->env;
	history->store = config->store;
	STAILQ_INIT(&history->answered);
	/* the first sweep waits too, so that a crash loop does not sweep at each start */
	if (store_run_any(history->store, NULL) > 0)
		history->due_ms = history_wall_ms(history) + SWEEP_MS;
	return history;
}

void history_free(struct history *history)
{
	free(history);
}

int history_begin(struct history *history, struct err *err)
{
	clock_observe(&history->clock, history_wall_ms(history), env_mono_ms(history->env));
	if (store_begin(history->store, err))
		return -1;
	history->in_transaction = 1;
	return 0;
}

/* Rolls back a failed request alone: memory holds no copy of what it wrote. */
static int request_apply(struct history *history, struct run_request *r, struct err *err)
{
	if (store_savepoint(history->store, err))
		return -1;
	if (request_handle(history, r, err) == 0)
		return store_savepoint_keep(history->store, err);
	store_savepoint_undo(history->store);
	return -1;
}

void history_watch(struct history *history, const struct err *why)
{
	if (why && !history->is_failing)
		log_error(LOG_FIELDS({ "error", why->text }),
			  "cannot store reports about runs; their clients are asked to try again");
	else if (!why && history->is_failing)
		log_notice(NULL, "reports about runs are stored again");
	history->is_failing = why != NULL;
}

void history_request(struct history *history, struct run_request *r)
{
	struct err err = { 0 };

	/* readers may change nothing */
	if (r->caller.role == TOKEN_READER) {
		request_fail(r, RUN_RESULT_FORBIDDEN, "forbidden",
			     "this token is read-only; use one of role user or admin");
	} else if (request_apply(history, r, &err)) {
		history->has_failed = 1;
		history_watch(history, &err);
		request_fail(r, RUN_RESULT_UNAVAILABLE, "store_unavailable",
			     "cannot store the request; try again");
	}
	STAILQ_INSERT_TAIL(&history->answered, r, link);
}

int history_flush(struct history *history, struct err *err)
{
	struct run_request_list answered = STAILQ_HEAD_INITIALIZER(answered);
	struct run_request *r;
	int rc = history->in_transaction && store_commit(history->store, err) ? -1 : 0;

	/* before any client gets its answer and asks again */
	if (rc && store_broken(history->store))
		history->config.on_broken(history->config.on_broken_arg, err->text);
	else if (rc || (!history->has_failed && !STAILQ_EMPTY(&history->answered)))
		history_watch(history, rc ? err : NULL);
	history->has_failed = 0;
	history->in_transaction = 0;
	STAILQ_CONCAT(&answered, &history->answered);
	while ((r = STAILQ_FIRST(&answered)) != NULL) {
		STAILQ_REMOVE_HEAD(&answered, link);
		if (rc)
			history_refuse(r, 1);
		else
			r->done(r);
	}
	return rc;
}
