/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "past.h"
#include "unit/test.h"
#include "util/log.h"
#include "util/text.h"

#define MUST(condition, err) \
	do { \
		if (!(condition)) \
			fail_msg("%s: %s", #condition, (err).text); \
	} while (0)

static int64_t past_now(void *data)
{
	return ((const struct past *)data)->now_ms;
}

static int64_t past_mono(void *data)
{
	const struct past *w = data;

	return w->now_ms - w->jumped_ms;
}

static void past_random(void *data, void *out, size_t len)
{
	struct past *w = data;

	for (size_t i = 0; i < len; i++)
		((unsigned char *)out)[i] = (unsigned char)((w->seed = w->seed * 1664525 +
							     1013904223) >> 24);
}

/* the return value of the turn tells the test */
static void on_broken(void *arg, const char *why)
{
	(void)arg;
	(void)why;
}

static void begin(struct past *w)
{
	struct runs_config config = {
		.env = &w->env, .keep_ms = w->keep_ms, .stale_ms = w->stale_ms,
		.bytes_max = w->bytes_max, .on_broken = on_broken,
	};
	struct err err = { 0 };
	int is_lost;

	MUST(store_open(w->path, &w->env, &w->leases, &err) == 0, err);
	MUST(store_open_runs(w->leases, &w->env, &w->store, &is_lost, &err) == 0, err);
	/* here one thread has both connections; in the daemon this one is a reader */
	store_runs_use(w->store, w->leases);
	config.store = w->store;
	config.leases = w->leases;
	w->history = history_new(&config);
}

static void finish(struct past *w)
{
	history_free(w->history);
	store_close(w->store);
	store_close(w->leases);
}

void past_start(struct past *w, int64_t keep_ms, int64_t stale_ms, int64_t bytes_max)
{
	memset(w, 0, sizeof(*w));
	log_setup(2, LOG_HUMAN, LOG_LEVEL_ERROR);
	umask(077);
	w->now_ms = INT64_C(1800000000000);
	w->seed = 42;
	w->keep_ms = keep_ms;
	w->stale_ms = stale_ms;
	w->bytes_max = bytes_max;
	w->env = (struct env){ .data = w, .wall_ms = past_now, .mono_ms = past_mono,
			       .random = past_random };
	snprintf(w->folder, sizeof(w->folder), "%.40s/lessor-runs-XXXXXX",
		 getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	assert_non_null(mkdtemp(w->folder));
	snprintf(w->path, sizeof(w->path), "%s/lessor.db", w->folder);
	begin(w);
}

void past_end(struct past *w)
{
	char command[96];

	finish(w);
	snprintf(command, sizeof(command), "rm -rf '%s'", w->folder);
	assert_int_equal(system(command), 0);
}

void past_restart(struct past *w)
{
	finish(w);
	begin(w);
}

static void turn(struct past *w)
{
	struct err err = { 0 };

	MUST(history_begin(w->history, &err) == 0, err);
	history_due(w->history);
	MUST(history_flush(w->history, &err) == 0, err);
}

void past_settle(struct past *w)
{
	int64_t next;

	do {
		turn(w);
		next = history_next_ms(w->history);
	} while (next && next <= w->now_ms);
}

void past_pass(struct past *w, int64_t ms)
{
	int64_t end = w->now_ms + ms;
	int64_t next;

	past_settle(w);
	while ((next = history_next_ms(w->history)) != 0 && next <= end) {
		w->now_ms = next;
		past_settle(w);
	}
	w->now_ms = end;
	past_settle(w);
}

static void answered(struct run_request *r)
{
	++*(int *)r->user;
}

int past_ask(struct past *w, struct run_request *r)
{
	struct err err = { 0 };
	int answers = 0;
	int rc;

	r->user = &answers;
	r->done = answered;
	if (!r->caller.owner[0]) {
		TEXT_SET(r->caller.owner, "alice");
		TEXT_SET(r->caller.org, "acme");
	}
	if (history_begin(w->history, &err))
		return -1;
	history_request(w->history, r);
	assert_int_equal(answers, 0);
	rc = history_flush(w->history, &err);
	assert_int_equal(answers, 1);
	return rc;
}

void past_lease(struct past *w, const char *id, const char *owner)
{
	struct lease l = { .created_ms = w->now_ms };

	TEXT_SET(l.id, id);
	TEXT_SET(l.owner, owner);
	TEXT_SET(l.org, "acme");
	assert_int_equal(store_begin(w->leases, NULL), 0);
	assert_int_equal(store_lease_insert(w->leases, &l, NULL), 0);
	assert_int_equal(store_commit(w->leases, NULL), 0);
}
