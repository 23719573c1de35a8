/* SPDX-License-Identifier: MIT */
/* The wall clock jumps, and the broker crashes repeatedly. */

#include <stdio.h>

#include "fixture.h"

static void jump(int64_t ms)
{
	w.d.wall_off_ms += ms;
	world_settle(&w);
}

static int heartbeat(void)
{
	struct asked a = { 0 };

	a.request.kind = REQUEST_HEARTBEAT;
	strcpy(a.request.ref, ID);
	world_ask(&w, &a);
	return a.request.result;
}

static void a_jump_forward_ends_nothing_at_once(void **state)
{
	(void)state;
	create_ready(ID);
	jump(48 * HOUR);
	assert_int_equal(lease(ID).state, LEASE_ACTIVE);
	assert_int_equal(heartbeat(), RESULT_OK);
	world_pass(&w, 9 * MINUTE);
	assert_int_equal(lease(ID).state, LEASE_ACTIVE);
	/* After the clock is corrected nothing is lost. */
	jump(-48 * HOUR);
	world_pass(&w, 15 * MINUTE);
	assert_int_equal(lease(ID).state, LEASE_ACTIVE);
	assert_int_equal(world_alive(&w), 1);
	world_pass(&w, HOUR);
	assert_int_equal(lease(ID).state, LEASE_EXPIRED);
	assert_int_equal(world_alive(&w), 0);
}

static void a_clock_that_stays_is_believed(void **state)
{
	(void)state;
	create_ready(ID);
	jump(48 * HOUR);
	world_pass(&w, 12 * MINUTE);
	assert_int_equal(lease(ID).state, LEASE_EXPIRED);
	world_pass(&w, MINUTE);
	assert_int_equal(world_alive(&w), 0);
}

static void a_release_works_all_the_same(void **state)
{
	struct asked a = { 0 };

	(void)state;
	create_ready(ID);
	jump(48 * HOUR);
	world_release(&w, &a, ID, 1);
	world_settle(&w);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
	assert_int_equal(world_alive(&w), 0);
}

static void a_machine_in_the_making_is_not_given_up(void **state)
{
	struct asked a = { 0 };
	int64_t asked;

	(void)state;
	w.boot_polls = 30;
	world_create(&w, &a, ID);
	world_pass(&w, 5000);
	jump(2 * HOUR);
	asked = w.creates_sent;
	world_pass(&w, MINUTE);
	assert_int_equal(lease(ID).state, LEASE_ACTIVE);
	assert_int_equal(w.creates_sent, asked);
}

/* Retries scheduled before a jump back must not wait for days. */
static void a_jump_back_calls_in_what_is_owed(void **state)
{
	struct asked a = { 0 };

	(void)state;
	create_ready(ID);
	w.delete_refusals = 100;
	world_release(&w, &a, ID, 1);
	world_pass(&w, HOUR);
	assert_int_equal(lease(ID).cleanup, CLEANUP_ATTENTION);
	w.delete_refusals = 0;
	jump(-72 * HOUR);
	/* The longest wait; the random backoff decides how long the last one was. */
	world_pass(&w, HOUR + MINUTE);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
	assert_int_equal(world_alive(&w), 0);
}

/* A lost create is searched for during the settle time, which a clock jump does not shorten. */
static void a_jump_settles_no_absence(void **state)
{
	struct asked a = { 0 };
	int sent;

	(void)state;
	w.create_fault = TOY_HIDE;
	w.create_fault_sticky = 1;
	world_create(&w, &a, ID);
	world_pass(&w, 3000);
	assert_int_equal(w.made, 1);
	sent = w.creates_sent;
	jump(24 * HOUR);
	world_pass(&w, 5 * MINUTE);
	assert_int_equal(w.creates_sent, sent);
	assert_int_equal(lease(ID).state, LEASE_PROVISIONING);
	w.create_fault = TOY_NONE;
	w.create_fault_sticky = 0;
	world_pass(&w, 2 * MINUTE);
	assert_int_equal(lease(ID).state, LEASE_ACTIVE);
	assert_int_equal(w.creates_sent, sent);
	assert_int_equal(world_alive(&w), 1);
}

static void small_steps_are_followed(void **state)
{
	(void)state;
	create_ready(ID);
	for (int i = 0; i < 3; i++) {
		jump(10 * MINUTE);
		world_pass(&w, 1000);
	}
	assert_int_equal(lease(ID).state, LEASE_EXPIRED);
}

static void a_crash_loop_costs_a_probe_each(void **state)
{
	struct asked a = { 0 };
	int probes;

	(void)state;
	create_ready(ID);
	w.strip_labels = 1;
	world_release(&w, &a, ID, 1);
	world_pass(&w, MINUTE);
	assert_int_equal(lease(ID).cleanup, CLEANUP_ATTENTION);
	probes = w.probes;
	w.cleanups = 0;
	for (int i = 0; i < 50; i++)
		world_restart(&w, NULL);
	assert_int_equal(w.probes, probes + 50);
	/* Its due time is in the store: a crash does not make it earlier. */
	assert_int_equal(w.cleanups, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_jump_forward_ends_nothing_at_once),
		TEST(a_clock_that_stays_is_believed),
		TEST(a_release_works_all_the_same),
		TEST(a_machine_in_the_making_is_not_given_up),
		TEST(a_jump_back_calls_in_what_is_owed),
		TEST(a_jump_settles_no_absence),
		TEST(small_steps_are_followed),
		TEST(a_crash_loop_costs_a_probe_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
