/* SPDX-License-Identifier: MIT */
/*
 * Every request of run history, with each of its writes failing in turn, as when memory runs
 * out: the answer is never a success, the request leaves no trace, and the next one works.
 */
#include <stdio.h>
#include <string.h>

#include "unit/test.h"
#include "driver/fuse.h"
#include "past.h"
#include "util/text.h"

#define ID "cbx_000000000001"
#define OTHER "cbx_000000000002"
#define DAY INT64_C(86400000)

static struct past w;
static struct run_request change;

static void ask_run_create(void)
{
	change = (struct run_request){ .op = RUN_CREATE, .text = "[\"make\"]" };
	TEXT_SET(change.told.lease_id, ID);
	past_ask(&w, &change);
}

static void nothing(void)
{
	past_lease(&w, ID, "alice");
}

static void a_run(void)
{
	nothing();
	ask_run_create();
	assert_int_equal(change.result, RUN_RESULT_CREATED);
}

static void ask(enum run_op op)
{
	change.op = op;
	past_ask(&w, &change);
}

static void a_run_with_a_log(void)
{
	a_run();
	for (change.part = 0; change.part < 3; change.part++) {
		change.data = "hello";
		change.len = 5;
		ask(RUN_LOG);
		assert_int_equal(change.result, RUN_RESULT_OK);
	}
}

static void run_event(void)
{
	change.text = "{\"type\":\"stdout\"}";
	TEXT_SET(change.told.lease_id, OTHER);
	ask(RUN_EVENT);
}

static void run_sample(void)
{
	TEXT_SET(change.sample, "{\"load\":3}");
	change.sample_ms = w.now_ms;
	ask(RUN_SAMPLE);
}

static void run_log(void)
{
	change.data = "other";
	change.len = 5;
	change.part = 3;
	ask(RUN_LOG);
}

static void run_finish(void)
{
	change.text = "{\"tests\":1}";
	change.receipt = "{\"signed\":\"so\"}";
	TEXT_SET(change.sample, "{\"load\":4}");
	change.sample_ms = w.now_ms;
	change.part = 2;
	ask(RUN_FINISH);
}

static const struct fuse_case requests[] = {
	{ "create", nothing, ask_run_create, 4 },
	{ "event", a_run, run_event, 3 },
	{ "sample", a_run, run_sample, 2 },
	{ "log", a_run, run_log, 2 },
	{ "finish", a_run_with_a_log, run_finish, 6 },
};

/* ---- the room --------------------------------------------------------------------------- */

static struct run_request saved; /* as the state before the request left it */
static int is_saved;

static const char *start(void)
{
	static char path[STORE_RUNS_PATH_SIZE];

	past_start(&w, 30 * DAY, DAY, 0);
	store_runs_path(w.path, path);
	is_saved = 0;
	return path;
}

static void end(void)
{
	past_end(&w);
}

static void prepare(void)
{
	if (is_saved)
		change = saved;
	saved = change;
	is_saved = 1;
}

static enum fuse_answer answer(const struct fuse_case *one)
{
	if (change.result == RUN_RESULT_OK || change.result == RUN_RESULT_CREATED)
		return FUSE_SUCCESS;
	if (change.result != RUN_RESULT_UNAVAILABLE)
		fail_msg("%s: %s", one->name, change.code);
	assert_string_equal(change.code, "store_unavailable");
	assert_false(store_broken(w.store));
	return FUSE_REFUSED;
}

int main(void)
{
	const struct fuse_room room = {
		.cases = requests,
		.count = sizeof(requests) / sizeof(requests[0]),
		.start = start,
		.end = end,
		.answer = answer,
		.prepare = prepare,
	};

	return fuse_run(&room);
}
