/* SPDX-License-Identifier: MIT */
/* What clients report about a run: what an event updates, what counts as a repetition. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "past.h"
#include "util/text.h"

#define DAY (24 * 3600 * INT64_C(1000))
#define ID "run_0123456789ab"

static struct past w;
static struct run_request request;

static int setup(void **state)
{
	(void)state;
	past_start(&w, 30 * DAY, DAY, 0);
	request = (struct run_request){ .op = RUN_CREATE, .id = ID, .text = "[\"make\"]" };
	TEXT_SET(request.told.label, "nightly");
	assert_int_equal(past_ask(&w, &request), 0);
	assert_int_equal(request.result, RUN_RESULT_CREATED);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	past_end(&w);
	return 0;
}

static struct run_row stored(void)
{
	struct store_scope all = { .all = 1 };
	struct run_row r;

	assert_int_equal(store_run_find(w.store, ID, &all, RUN_READ, &r, NULL), 0);
	return r;
}

static void report(enum run_op op)
{
	request.op = op;
	request.text = op == RUN_EVENT ? "{\"type\":\"phase\"}" : NULL;
	assert_int_equal(past_ask(&w, &request), 0);
	assert_int_equal(request.result, RUN_RESULT_OK);
	memset(&request.told, 0, sizeof(request.told));
	request.is_failed = 0;
}

static void an_event_updates_what_it_names(void **state)
{
	struct run_row r;

	(void)state;
	TEXT_SET(request.told.slug, "violet-prawn");
	TEXT_SET(request.told.account, "hetzner");
	TEXT_SET(request.told.target, "linux");
	TEXT_SET(request.told.windows_mode, "wsl");
	TEXT_SET(request.told.class_name, "fast");
	TEXT_SET(request.told.server_type, "ccx33");
	TEXT_SET(request.told.phase, "sync");
	report(RUN_EVENT);
	/* the next one names nothing and so changes nothing */
	report(RUN_EVENT);
	r = stored();
	assert_string_equal(r.slug, "violet-prawn");
	assert_string_equal(r.account, "hetzner");
	assert_string_equal(r.target, "linux");
	assert_string_equal(r.windows_mode, "wsl");
	assert_string_equal(r.class_name, "fast");
	assert_string_equal(r.server_type, "ccx33");
	assert_string_equal(r.phase, "sync");
	assert_string_equal(r.label, "nightly");
	assert_int_equal(r.event_count, 3);
}

static void a_phase_after_the_end_is_not_the_runs(void **state)
{
	struct run_row r;

	(void)state;
	TEXT_SET(request.told.phase, "sync");
	report(RUN_EVENT);
	request.told.has_exit_code = 1;
	TEXT_SET(request.told.blocked_stage, "upload");
	TEXT_SET(request.told.retry_likely, "yes");
	report(RUN_FINISH);
	TEXT_SET(request.told.phase, "lease.released");
	TEXT_SET(request.told.server_type, "ccx43");
	report(RUN_EVENT);
	r = stored();
	assert_string_not_equal(r.phase, "lease.released");
	assert_string_equal(r.server_type, "ccx43");
	assert_string_equal(r.blocked_stage, "upload");
	assert_string_equal(r.retry_likely, "yes");
	assert_int_equal(r.state, RUN_SUCCEEDED);
}

static void only_a_running_run_fails_by_an_event(void **state)
{
	struct run_row first, second;

	(void)state;
	request.is_failed = 1;
	report(RUN_EVENT);
	first = stored();
	assert_int_equal(first.state, RUN_FAILED);
	assert_int_equal(first.ended_ms, w.now_ms);
	past_pass(&w, 1000);
	request.is_failed = 1;
	report(RUN_EVENT);
	second = stored();
	assert_int_equal(second.ended_ms, first.ended_ms);
	/* a finish still decides */
	request.told.has_exit_code = 1;
	report(RUN_FINISH);
	second = stored();
	assert_int_equal(second.state, RUN_SUCCEEDED);
	request.is_failed = 1;
	report(RUN_EVENT);
	second = stored();
	assert_int_equal(second.state, RUN_SUCCEEDED);
}

static void the_same_create_is_the_same_run(void **state)
{
	static const struct {
		const char *command, *label, *owner, *org;
		enum run_result result;
	} cases[] = {
		{ "[\"make\"]", "nightly", "alice", "acme", RUN_RESULT_REPLAY },
		{ "[\"mace\"]", "nightly", "alice", "acme", RUN_RESULT_CONFLICT },
		{ "[\"make\",\"x\"]", "nightly", "alice", "acme", RUN_RESULT_CONFLICT },
		{ "[\"make\"]", "weekly", "alice", "acme", RUN_RESULT_CONFLICT },
		{ "[\"make\"]", "nightly", "bob", "acme", RUN_RESULT_CONFLICT },
		{ "[\"make\"]", "nightly", "alice", "other", RUN_RESULT_CONFLICT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		request = (struct run_request){ .op = RUN_CREATE,
						.id = ID,
						.text = cases[i].command };
		TEXT_SET(request.told.label, cases[i].label);
		TEXT_SET(request.caller.owner, cases[i].owner);
		TEXT_SET(request.caller.org, cases[i].org);
		assert_int_equal(past_ask(&w, &request), 0);
		if (request.result != cases[i].result)
			fail_msg("case %zu: result %d", i, request.result);
	}
	assert_int_equal(stored().event_count, 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(an_event_updates_what_it_names),
		T(a_phase_after_the_end_is_not_the_runs),
		T(only_a_running_run_fails_by_an_event),
		T(the_same_create_is_the_same_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
