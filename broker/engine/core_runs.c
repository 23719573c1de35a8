/* SPDX-License-Identifier: MIT */
/*
 * Run history: what clients tell of their runs is written down, and the old of it is taken
 * away. Nothing here decides anything about a lease.
 */
#include "engine/core_internal.h"

#include <stdio.h>
#include <string.h>

#include "util/hash.h"
#include "util/log.h"
#include "util/text.h"

/* Account work has the negative keys near 0. */
#define SWEEP_MS (10 * 60 * 1000)
/* While there is more to take away: so much in a turn, so that others have theirs. */
#define SWEEP_PARTS 32
#define SWEEP_PAUSE_MS 20
/* What a run takes here beside its texts, roughly. */
#define RUN_BYTES 1024

/* 0: not at all, there are none. */
static void runs_at(struct core *core, int64_t due_ms)
{
	core->runs_due_ms = due_ms;
}

static void not_found(struct engine_request *r)
{
	core_say(r, RESULT_NOT_FOUND, "not_found", "there is no such run");
}

/* 0 found; 1 answered; -1 error. */
static int find(struct core *core, struct engine_request *r, struct run_row *run, struct err *err)
{
	struct store_scope scope = {
		.all = r->caller.role == TOKEN_ADMIN, .owner = r->caller.owner,
		.org = r->caller.org,
	};
	int rc = store_run_find(core->store, r->change->id, &scope, RUN_WRITE, run, err);

	if (rc == 1)
		not_found(r);
	return rc;
}

/* "" leaves what is there. */
#define TAKE(run, told, field) \
	do { \
		if ((told)->field[0]) \
			TEXT_SET((run)->field, (told)->field); \
	} while (0)

static int take_told(struct core *core, struct run_row *run, const struct run_row *told, struct err *err)
{
	TAKE(run, told, slug);
	TAKE(run, told, account);
	TAKE(run, told, target);
	TAKE(run, told, windows_mode);
	TAKE(run, told, class_name);
	TAKE(run, told, server_type);
	/* What comes after the end is of the lease, not of the run. */
	if (!run->finished)
		TAKE(run, told, phase);
	if (!told->lease_id[0])
		return 0;
	TEXT_SET(run->lease_id, told->lease_id);
	return store_run_lease_add(core->store, run->n, run->lease_id, err);
}

static int add_event(struct core *core, struct run_row *run, const char *fields, struct err *err)
{
	size_t len = strlen(fields);

	run->event_count++;
	run->event_bytes += (int64_t)len;
	run->bytes += (int64_t)len + 64;
	run->event_ms = core_now(core);
	return store_run_event_add(core->store, run->n, run->event_count, run->event_ms, fields,
				   err);
}

static int add_sample(struct core *core, struct run_row *run, const struct run_change *c,
		      struct err *err)
{
	if (!c->sample[0])
		return 0;
	return store_run_sample_add(core->store, run->n, c->sample_ms, c->sample, err);
}

/* ---- what is told ------------------------------------------------------------------- */

/* A lease that is there must be one that the caller may see; one that is not may be any. */
static int check_lease(struct core *core, struct engine_request *r, const char *id,
		       struct err *err)
{
	struct store_scope scope = {
		.all = r->caller.role == TOKEN_ADMIN, .owner = r->caller.owner,
		.org = r->caller.org,
	};
	struct lease l;
	int rc;

	if (!id[0])
		return 0;
	rc = store_lease_by_id(core->store, id, &l, err);
	if (rc == 0)
		rc = store_lease_visible(core->store, id, &scope, &l, err);
	else if (rc == 1)
		return 0;
	if (rc == 1)
		core_say(r, RESULT_NOT_FOUND, "not_found", "there is no such lease");
	return rc;
}

struct compared {
	const char *text;
	int is_same;
};

static int compare_command(void *arg, const char *text, size_t len)
{
	struct compared *compared = arg;

	compared->is_same = strlen(compared->text) == len && !memcmp(compared->text, text, len);
	return 1;
}

/* The same run told again, by a client that had no answer. 0 it is not there, 1 answered, -1. */
static int run_replay(struct core *core, struct engine_request *r, struct err *err)
{
	const struct store_scope all = { .all = 1 };
	struct run_change *c = r->change;
	struct run_row *run = &c->run;
	struct compared command = { .text = c->text };
	int rc = store_run_find(core->store, c->id, &all, RUN_WRITE, run, err);

	if (rc)
		return rc < 0 ? -1 : 0;
	if (store_run_command(core->store, run->n, compare_command, &command, err) < 0)
		return -1;
	if (command.is_same && !strcmp(run->label, c->told.label) &&
	    !strcmp(run->owner, r->caller.owner) && !strcmp(run->org, r->caller.org))
		r->result = RESULT_REPLAY;
	else
		core_say(r, RESULT_CONFLICT, "run_conflict", "another run has this id");
	return 1;
}

static int run_create(struct core *core, struct engine_request *r, struct err *err)
{
	struct run_change *c = r->change;
	struct run_row *run = &c->run;
	unsigned char bytes[6];
	int rc = c->id[0] ? run_replay(core, r, err) : 0;

	if (rc == 0)
		rc = check_lease(core, r, c->told.lease_id, err);
	if (rc)
		return rc < 0 ? -1 : 0;
	*run = c->told;
	if (c->id[0]) {
		TEXT_SET(run->id, c->id);
	} else {
		env_random(core->env, bytes, sizeof(bytes));
		memcpy(run->id, "run_", 4);
		hash_hex(bytes, sizeof(bytes), run->id + 4);
	}
	TEXT_SET(run->owner, r->caller.owner);
	TEXT_SET(run->org, r->caller.org);
	TEXT_SET(run->phase, "starting");
	run->started_ms = run->event_ms = core_now(core);
	run->bytes = RUN_BYTES + (int64_t)strlen(c->text);
	if (store_run_insert(core->store, run, c->text, err) ||
	    (run->lease_id[0] && store_run_lease_add(core->store, run->n, run->lease_id, err)) ||
	    add_event(core, run, "{\"type\":\"run.started\",\"phase\":\"starting\"}", err) ||
	    store_run_update(core->store, run, err))
		return -1;
	TEXT_SET(c->id, run->id);
	if (!core->runs_due_ms)
		runs_at(core, core_now(core) + SWEEP_MS);
	r->result = RESULT_CREATED;
	return 0;
}

static int run_event(struct core *core, struct engine_request *r, struct run_row *run,
		     struct err *err)
{
	struct run_change *c = r->change;
	int rc;

	if (run->event_count >= RUN_EVENTS_MAX ||
	    run->event_bytes + (int64_t)strlen(c->text) > RUN_EVENT_BYTES_MAX) {
		core_say(r, RESULT_CONFLICT, "run_too_large", "this run has too many events");
		return 0;
	}
	rc = check_lease(core, r, c->told.lease_id, err);
	if (rc)
		return rc < 0 ? -1 : 0;
	if (take_told(core, run, &c->told, err) || add_event(core, run, c->text, err))
		return -1;
	if (c->is_failed && run->state == RUN_RUNNING) {
		run->state = RUN_FAILED;
		run->ended_ms = core_now(core);
	}
	c->seq = run->event_count;
	c->at_ms = run->event_ms;
	r->result = RESULT_OK;
	return store_run_update(core->store, run, err);
}

static int run_sample(struct core *core, struct engine_request *r, struct run_row *run,
		      struct err *err)
{
	run->event_ms = core_now(core);
	r->result = RESULT_OK;
	return add_sample(core, run, r->change, err) || store_run_update(core->store, run, err) ?
	       -1 : 0;
}

static int run_log(struct core *core, struct engine_request *r, struct run_row *run,
		   struct err *err)
{
	struct run_change *c = r->change;
	size_t stored;

	/* It has its log already, and keeps it. */
	if (run->finished) {
		r->result = RESULT_REPLAY;
		return 0;
	}
	if (store_run_log_put(core->store, run->n, c->part, c->data, c->len, &stored, err))
		return -1;
	/* Should nobody come to finish it, it is counted all the same. */
	run->bytes += (int64_t)stored;
	run->event_ms = core_now(core);
	r->result = RESULT_OK;
	return store_run_update(core->store, run, err);
}

static int take_size(void *arg, const char *text, size_t len)
{
	(void)text;
	*(int64_t *)arg = (int64_t)len;
	return 1;
}

static int run_finish(struct core *core, struct engine_request *r, struct run_row *run,
		      struct err *err)
{
	struct run_change *c = r->change;
	char event[96];
	int64_t stored, command = 0;

	if (run->finished) {
		r->result = RESULT_REPLAY;
		return 0;
	}
	run->has_exit_code = 1;
	run->exit_code = c->told.exit_code;
	run->sync_ms = c->told.sync_ms;
	run->command_ms = c->told.command_ms;
	run->log_bytes = c->told.log_bytes;
	run->log_truncated = c->told.log_truncated;
	TAKE(run, &c->told, blocked_stage);
	TAKE(run, &c->told, retry_likely);
	run->state = run->exit_code ? RUN_FAILED : RUN_SUCCEEDED;
	run->ended_ms = core_now(core);
	TEXT_SET(run->phase, run_state_name(run->state));
	snprintf(event, sizeof(event),
		 "{\"type\":\"command.finished\",\"phase\":\"command\",\"exitCode\":%lld}",
		 (long long)run->exit_code);
	if (store_run_log_cut(core->store, run->n, c->part, err) ||
	    (c->text && store_run_results_put(core->store, run->n, c->text, err)) ||
	    (c->receipt && store_run_receipt_put(core->store, run->n, c->receipt, err)) ||
	    add_sample(core, run, c, err) || add_event(core, run, event, err))
		return -1;
	if (store_run_log_size(core->store, run->n, &stored, err) ||
	    store_run_command(core->store, run->n, take_size, &command, err) < 0)
		return -1;
	run->bytes = RUN_BYTES + command + run->event_bytes + 64 * run->event_count + stored +
		     (c->text ? (int64_t)strlen(c->text) : 0) +
		     (c->receipt ? (int64_t)strlen(c->receipt) : 0);
	run->finished = 1;
	r->result = RESULT_OK;
	return store_run_update(core->store, run, err);
}

int core_request_run(struct core *core, struct engine_request *r, struct err *err)
{
	static int (*const ops[])(struct core *, struct engine_request *, struct run_row *,
				  struct err *) = {
		[RUN_EVENT] = run_event,
		[RUN_SAMPLE] = run_sample,
		[RUN_LOG] = run_log,
		[RUN_FINISH] = run_finish,
	};
	struct run_row *run = &r->change->run;
	int rc;

	if (r->change->op == RUN_CREATE)
		return run_create(core, r, err);
	rc = find(core, r, run, err);
	if (rc)
		return rc < 0 ? -1 : 0;
	return ops[r->change->op](core, r, run, err);
}

/* ---- what is old ------------------------------------------------------------------------ */

/* Whose client died: nobody will say how it ended. 1 there was one, 0, -1. */
static int close_stale(struct core *core, struct err *err)
{
	int64_t now = core_now(core);
	struct run_row run;
	int rc = store_run_stale(core->store, now - core->config.run_stale_ms, &run, err);

	if (rc)
		return rc < 0 ? -1 : 0;
	run.state = RUN_FAILED;
	/* When it was last heard of: its age counts from there. */
	run.ended_ms = run.event_ms;
	TEXT_SET(run.phase, "abandoned");
	return store_run_update(core->store, &run, err) ? -1 : 1;
}

/* 1 something was taken away, 0 nothing has to be, -1. */
static int drop_oldest(struct core *core, struct err *err)
{
	int64_t now = core_now(core);
	int64_t bytes = 0;
	struct run_row run;
	int rc = 1;

	if (core->config.run_keep_ms)
		rc = store_run_oldest(core->store, now - core->config.run_keep_ms, &run, err);
	if (rc == 1 && core->config.run_bytes_max) {
		if (store_run_bytes(core->store, &bytes, err))
			return -1;
		if (bytes > core->config.run_bytes_max)
			rc = store_run_oldest(core->store, INT64_MAX, &run, err);
	}
	if (rc)
		return rc < 0 ? -1 : 0;
	return store_run_drop(core->store, run.n, SWEEP_PARTS, err) < 0 ? -1 : 1;
}

static int sweep(struct core *core, struct err *err)
{
	int rc;

	/* An age means nothing while the clock is doubted. */
	if (core_clock_doubted(core))
		return 0;
	rc = close_stale(core, err);
	return rc ? rc : drop_oldest(core, err);
}

void core_runs_due(struct core *core)
{
	struct err err = { 0 };
	int rc;

	if (core->draining)
		return;
	runs_at(core, core_now(core) + SWEEP_MS);
	if (store_savepoint(core->store, &err))
		return;
	rc = sweep(core, &err);
	if (rc < 0) {
		store_savepoint_undo(core->store);
		log_warning(LOG_FIELDS({ "error", err.text }), "old runs could not be taken away");
		return;
	}
	store_savepoint_keep(core->store, NULL);
	if (rc)
		runs_at(core, core_now(core) + SWEEP_PAUSE_MS);
	else if (store_run_any(core->store, NULL) == 0)
		runs_at(core, 0);
}

void core_runs_init(struct core *core)
{
	/* A crash loop sweeps no more often than once in a while. */
	if (store_run_any(core->store, NULL) > 0)
		runs_at(core, core_now(core) + SWEEP_MS);
}
