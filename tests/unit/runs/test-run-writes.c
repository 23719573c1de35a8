/* SPDX-License-Identifier: MIT */
/*
 * Every request of run history, with each of its writes failing in turn, as when memory runs
 * out: the answer is never a success, the request leaves no trace, and the next one works.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "../engine/fuse.h"
#include "past.h"
#include "util/text.h"

#define ID "cbx_000000000001"
#define OTHER "cbx_000000000002"
#define DAY INT64_C(86400000)
#define WRITES_MAX 64

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

static const struct request {
	const char *name;
	void (*before)(void);
	void (*ask)(void);
	int least; /* minimum number of writes */
} requests[] = {
	{ "create", nothing, ask_run_create, 4 },
	{ "event", a_run, run_event, 3 },
	{ "sample", a_run, run_sample, 2 },
	{ "log", a_run, run_log, 2 },
	{ "finish", a_run_with_a_log, run_finish, 6 },
};

/* Lets the write after `writes` others fail. 1: it failed; 0: the request makes no more writes. */
static int fails_at(const struct request *request, int writes)
{
	struct run_request fresh = change;
	uint32_t before;
	int left;

	fuse_set(writes);
	before = fuse_sum_of_everything();
	request->ask();
	left = fuse_left();
	if (change.result == RUN_RESULT_OK || change.result == RUN_RESULT_CREATED) {
		if (left < 0)
			fail_msg("%s: write %d failed, and the answer was a success", request->name,
				 writes + 1);
		return 0;
	}
	if (change.result != RUN_RESULT_UNAVAILABLE)
		fail_msg("%s: write %d failed: %s", request->name, writes + 1, change.code);
	assert_string_equal(change.code, "store_unavailable");
	if (fuse_sum_of_everything() != before)
		fail_msg("%s: write %d failed, and something of it stayed", request->name,
			 writes + 1);
	assert_false(store_broken(w.store));
	change = fresh;
	return 1;
}

static int setup(void **state)
{
	char path[STORE_RUNS_PATH_ROOM];
	const struct request *request = *state;

	past_start(&w, 30 * DAY, DAY, 0);
	request->before();
	store_runs_path(w.path, path);
	fuse_arm(path);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fuse_end();
	past_end(&w);
	return 0;
}

static void no_failed_write_is_answered_with_success(void **state)
{
	const struct request *request = *state;
	int writes = 0;

	while (writes < WRITES_MAX && fails_at(request, writes))
		writes++;
	assert_in_range(writes, request->least, WRITES_MAX - 1);
}

int main(void)
{
	struct CMUnitTest tests[sizeof(requests) / sizeof(requests[0])];

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		tests[i] = (struct CMUnitTest){
			.name = requests[i].name,
			.test_func = no_failed_write_is_answered_with_success,
			.setup_func = setup,
			.teardown_func = teardown,
			.initial_state = (void *)(uintptr_t)&requests[i],
		};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
