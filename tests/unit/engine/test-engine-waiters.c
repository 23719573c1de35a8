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

static const int *answered_of(int i)
{
	return &waiting[i].answered;
}

static void ask_as(int i, const char *owner)
{
	char id[24];

	snprintf(id, sizeof(id), "cbx_%012d", i + 1);
	snprintf(waiting[i].request.create.slug, sizeof(waiting[i].request.create.slug), "box-%d",
		 i);
	TEXT_SET(waiting[i].request.caller.owner, owner);
	TEXT_SET(waiting[i].request.caller.org, "acme");
	waiting[i].request.wait_ms = MINUTE;
	world_create(&w, &waiting[i], id);
}

/* Row H4: an owner's share is exceeded by the owner alone, and the oldest of them is answered. */
static void h4_an_owner_waits_within_a_share(void **state)
{
	(void)state;
	memset(waiting, 0, sizeof(waiting));
	w.d.config.max_waiting_owner = 2;
	world_restart(&w, NULL);
	w.boot_polls = 1000;
	ask_as(0, "bob");
	for (int i = 1; i < 5; i++)
		ask_as(i, "alice");
	for (int i = 0; i < 5; i++) {
		int is_early = i == 1 || i == 2;

		assert_int_equal(*answered_of(i), is_early);
		assert_int_equal(waiting[i].request.early, is_early ? EARLY_OWNER : EARLY_NOT);
	}
	/* the answer is that of the end of the wait, and the machine comes all the same */
	assert_int_equal(waiting[1].request.result, RESULT_CREATED);
	assert_int_equal(waiting[1].request.lease.state, LEASE_PROVISIONING);
	w.boot_polls = 0;
	world_pass(&w, 30 * SECOND);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(*answered_of(i), 1);
		assert_int_equal(lease(waiting[i].request.lease.id).state, LEASE_ACTIVE);
	}
}

/* Row H4: if too many wait in all, or there is no room, the owner with most gives way. */
static void h4_the_owner_with_most_gives_way(void **state)
{
	(void)state;
	memset(waiting, 0, sizeof(waiting));
	w.d.config.max_waiting = 4;
	world_restart(&w, NULL);
	w.boot_polls = 1000;
	for (int i = 0; i < 3; i++)
		ask_as(i, "alice");
	ask_as(3, "bob");
	ask_as(4, "carol");
	assert_int_equal(waiting[0].request.early, EARLY_ALL);
	assert_int_equal(*answered_of(0), 1);
	driver_begin(&w.d);
	core_hurry(w.d.core, 1);
	driver_flush(&w.d);
	assert_int_equal(waiting[1].request.early, EARLY_ROOM);
	assert_int_equal(*answered_of(2) + *answered_of(3) + *answered_of(4), 0);
	driver_begin(&w.d);
	core_hurry(w.d.core, 100);
	driver_flush(&w.d);
	assert_int_equal(*answered_of(2) + *answered_of(3) + *answered_of(4), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_is_answered_at_its_own_time),
		TEST(what_is_ready_is_told_at_once),
		TEST(a_drain_answers_all),
		TEST(h4_an_owner_waits_within_a_share),
		TEST(h4_the_owner_with_most_gives_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
