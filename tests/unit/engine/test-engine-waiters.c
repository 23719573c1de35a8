/* SPDX-License-Identifier: MIT */
/* Requests that wait for their lease: each is answered at its own time, and none is lost. */
#include <stdio.h>

#include "fixture.h"
#include "util/text.h"

#define COUNT 6

/* Wait times, in no order. */
static const int64_t waits[COUNT] = { 20 * SECOND, 5 * SECOND, 40 * SECOND,
				      5 * SECOND,  MINUTE,     10 * SECOND };
static struct asked waiting[COUNT];

static void create_all(void)
{
	memset(waiting, 0, sizeof(waiting));
	for (int i = 0; i < COUNT; i++) {
		char id[24];

		snprintf(id, sizeof(id), "cbx_%012d", i + 1);
		snprintf(waiting[i].request.create.slug, sizeof(waiting[i].request.create.slug),
			 "box-%d", i);
		waiting[i].request.wait_ms = waits[i];
		world_create(&w, &waiting[i], id);
		assert_int_equal(waiting[i].answered, 0);
	}
}

static void each_is_answered_at_its_own_time(void **state)
{
	int64_t begun = w.d.now_ms;

	(void)state;
	w.boot_polls = 1000;
	create_all();
	for (int64_t at = SECOND; at <= MINUTE + SECOND; at += SECOND) {
		world_pass(&w, begun + at - w.d.now_ms);
		for (int i = 0; i < COUNT; i++)
			assert_int_equal(waiting[i].answered, at >= waits[i]);
	}
	for (int i = 0; i < COUNT; i++)
		assert_int_equal(waiting[i].request.lease.state, LEASE_PROVISIONING);
}

static void what_is_ready_is_told_at_once(void **state)
{
	(void)state;
	create_all();
	world_pass(&w, 4 * SECOND);
	for (int i = 0; i < COUNT; i++) {
		assert_int_equal(waiting[i].answered, 1);
		assert_int_equal(waiting[i].request.lease.state, LEASE_ACTIVE);
	}
}

static void a_drain_answers_all(void **state)
{
	(void)state;
	w.boot_polls = 1000;
	create_all();
	world_pass(&w, SECOND);
	driver_begin(&w.d);
	core_drain(w.d.core);
	driver_flush(&w.d);
	for (int i = 0; i < COUNT; i++)
		assert_int_equal(waiting[i].answered, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_is_answered_at_its_own_time),
		TEST(what_is_ready_is_told_at_once),
		TEST(a_drain_answers_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
