/* SPDX-License-Identifier: MIT */
/* Shared observations: which leases they cover, the results, and what they must not delay. */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/internal.h"
#include "util/text.h"
#include "fixture.h"

#define MANY 300
#define OBSERVE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, fixture_teardown)

static struct asked creates[MANY];

static int setup(void **state)
{
	(void)state;
	world_start_observing(&w, NULL);
	memset(creates, 0, sizeof(creates));
	return 0;
}

static const char *id_of(int i)
{
	static char id[24];

	snprintf(id, sizeof(id), "cbx_%012d", i + 1);
	return id;
}

static void create(int i)
{
	snprintf(creates[i].request.create.slug, sizeof(creates[i].request.create.slug), "box-%d", i);
	world_create(&w, &creates[i], id_of(i));
	assert_int_equal(creates[i].request.result, RESULT_CREATED);
}

static struct lease lease_at(int i)
{
	return lease(id_of(i));
}

static void expect_active(int count)
{
	for (int i = 0; i < count; i++)
		assert_int_equal(lease_at(i).state, LEASE_ACTIVE);
}

static void release(int i, int delete_machine)
{
	static struct asked a;

	a = (struct asked){ 0 };
	world_release(&w, &a, id_of(i), delete_machine);
	assert_int_equal(a.request.result, RESULT_OK);
}

/* ---- which leases it covers ---------------------------------------------------------- */

static void three_hundred_are_served_by_a_few_looks(void **state)
{
	(void)state;
	w.boot_polls = 10;
	for (int i = 0; i < MANY; i++)
		create(i);
	world_pass(&w, MINUTE);
	expect_active(MANY);
	/* One step per lease creates its server, and none observes it. */
	assert_int_equal(w.provisions, MANY);
	assert_int_equal(w.looked, MANY * 11);
	assert_in_range(w.looks, 11, 30);
	assert_int_equal(w.look_most, MANY);
}

static void without_observe_each_looks_for_itself(void **state)
{
	(void)state;
	world_end(&w);
	world_start(&w, NULL);
	w.boot_polls = 3;
	create(0);
	create(1);
	world_pass(&w, MINUTE);
	expect_active(2);
	assert_int_equal(w.looks, 0);
	assert_int_equal(w.provisions, 2 * 5);
}

/* Leases whose due times are slightly apart end up in one observation, and stay together. */
static void what_is_due_in_a_moment_comes_along(void **state)
{
	(void)state;
	w.boot_polls = 20;
	create(0);
	world_pass(&w, 100);
	create(1);
	world_pass(&w, MINUTE);
	expect_active(2);
	assert_int_equal(w.looked, 2 * 21);
	assert_in_range(w.looks, 21, 25);
}

/* The first observation of a server is due when it is likely to be ready, not before. */
static void nobody_is_looked_for_before_the_first_time(void **state)
{
	(void)state;
	w.boot_polls = 0;
	create(0);
	world_pass(&w, 100);
	create(1);
	world_pass(&w, 900);
	assert_int_equal(lease_at(0).state, LEASE_ACTIVE);
	assert_int_equal(lease_at(1).state, LEASE_PROVISIONING);
	world_pass(&w, 400);
	assert_int_equal(lease_at(1).state, LEASE_ACTIVE);
	assert_int_equal(w.looks, 2);
}

/* A single lease is observed when it is due; a second observation waits for the interval. */
static void looks_are_a_moment_apart(void **state)
{
	int64_t begun = w.d.now_ms;

	(void)state;
	create(0);
	world_pass(&w, 10);
	create(1);
	world_pass(&w, MINUTE);
	assert_in_range(lease_at(0).ready_ms - begun, 1000, 1001);
	assert_in_range(lease_at(1).ready_ms - begun, 1010, 1300);
}

static void a_clock_that_is_set_back_stops_no_look(void **state)
{
	(void)state;
	w.boot_polls = 1;
	create(0);
	create(1);
	world_pass(&w, 1000);
	assert_int_equal(w.looks, 1);
	release(1, 1);
	w.d.wall_off_ms -= HOUR;
	world_pass(&w, MINUTE);
	assert_int_equal(lease_at(0).state, LEASE_ACTIVE);
}

/* ---- the results --------------------------------------------------------------------- */

static void one_that_is_left_out_has_a_step_of_its_own(void **state)
{
	(void)state;
	w.boot_polls = 3;
	w.look_misses = "cbx_000000000002";
	for (int i = 0; i < 3; i++)
		create(i);
	world_pass(&w, MINUTE);
	expect_active(3);
	/* Whenever it is due, the observation runs first, and then its own step. */
	assert_int_equal(w.provisions, 3 + 4);
	assert_in_range(w.looks, 4, 8);
}

static void a_look_that_fails_is_a_failure_of_each(void **state)
{
	(void)state;
	w.look_verdict = LESSOR_RETRY;
	w.look_class = LESSOR_CLASS_RATE;
	for (int i = 0; i < 50; i++)
		create(i);
	world_pass(&w, 2 * SECOND);
	assert_int_equal(w.looks, 1);
	for (int i = 0; i < 50; i++) {
		struct lease l = lease_at(i);

		assert_int_equal(l.tries, 1);
		assert_string_equal(l.last_error, "the look fails");
		assert_true(l.due_ms >= w.d.now_ms + 3 * SECOND);
	}
	world_pass(&w, MINUTE);
	assert_int_equal(w.provisions, 50);
	/* Each backs off on its own, so few of them are due at the same time. */
	assert_in_range(w.looks, 3, 120);
	w.look_verdict = 0;
	world_pass(&w, 2 * MINUTE);
	expect_active(50);
	assert_int_equal(w.provisions, 50);
}

static void a_refused_credential_blocks_and_costs_nobody(void **state)
{
	(void)state;
	w.look_verdict = LESSOR_REFUSED;
	w.look_class = LESSOR_CLASS_AUTH;
	w.probe_refuses = 1;
	w.probe_class = LESSOR_CLASS_AUTH;
	create(0);
	create(1);
	world_pass(&w, MINUTE);
	assert_int_equal(w.looks, 1);
	assert_int_equal(account_is_blocked(w.d.account, NULL, 0), 1);
	assert_int_equal(lease_at(0).state, LEASE_PROVISIONING);
	assert_int_equal(lease_at(1).state, LEASE_PROVISIONING);
	w.look_verdict = w.probe_refuses = 0;
	world_pass(&w, 9 * MINUTE);
	expect_active(2);
	assert_int_equal(w.made, 2);
}

/* A read-only token verifies the account: what it refuses is retried less often. */
static void the_first_denial_is_probed_soon_and_the_next_ones_later(void **state)
{
	int probes = w.probes;

	(void)state;
	create(0);
	world_pass(&w, 999);
	w.look_verdict = LESSOR_REFUSED;
	w.look_class = LESSOR_CLASS_AUTH;
	world_pass(&w, 1);
	assert_int_equal(w.looks, 1);
	assert_int_equal(account_is_blocked(w.d.account, NULL, 0), 1);
	world_pass(&w, 999);
	assert_int_equal(w.probes, probes);
	world_pass(&w, 1);
	assert_int_equal(w.probes, probes + 1);
	world_pass(&w, 8 * MINUTE);
	assert_in_range(w.probes, probes + 4, probes + 14);
	assert_int_equal(lease_at(0).state, LEASE_PROVISIONING);
}

/* An observation verifies the account at least as well as a probe. */
static void a_look_that_succeeds_blocks_nothing(void **state)
{
	int probes = w.probes;

	(void)state;
	w.boot_polls = 2;
	create(0);
	for (int i = 0; i < 8; i++) {
		world_pass(&w, 500);
		assert_int_equal(account_is_blocked(w.d.account, NULL, 0), 0);
	}
	expect_active(1);
	assert_int_equal(w.looks, 3);
	assert_int_equal(w.probes, probes);
}

/* A lease that waits for the next observation is marked as blocked like any other. */
static void who_waits_for_a_look_is_blocked_with_its_account(void **state)
{
	(void)state;
	create(0);
	world_pass(&w, 10);
	create(1);
	w.boot_polls = 1;
	/* The first observation has run; the second must wait for the interval. */
	world_pass(&w, 1100);
	assert_int_equal(w.looks, 1);
	account_probed(w.d.account, 0, LESSOR_CLASS_AUTH, "the token is refused");
	core_account_blocked(w.d.core, core_account_find(w.d.core, w.d.account->config.name));
	world_settle(&w);
	assert_int_equal(lease_at(1).state, LEASE_PROVISIONING);
	assert_true(lease_at(1).attention[0]);
}

/* Neither an unexplained refusal nor a breach of contract keeps a lease from its machine. */
static void a_look_that_cannot_be_leaves_it_to_provision(void **state)
{
	static const int verdicts[] = { LESSOR_REFUSED, 42, LESSOR_GONE, LESSOR_PENDING };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		int before = w.provisions, looks = w.looks;

		w.look_verdict = verdicts[i];
		w.look_class = LESSOR_CLASS_INVALID;
		w.boot_polls = 2;
		create((int)i);
		world_pass(&w, MINUTE);
		assert_int_equal(lease_at((int)i).state, LEASE_ACTIVE);
		assert_int_equal(w.provisions - before, 4);
		assert_int_equal(w.looks - looks, 3);
	}
}

static void a_restart_changes_nothing(void **state)
{
	(void)state;
	w.boot_polls = 5;
	for (int i = 0; i < 20; i++)
		create(i);
	world_pass(&w, 3 * SECOND);
	world_restart(&w, NULL);
	world_pass(&w, MINUTE);
	expect_active(20);
	assert_int_equal(w.provisions, 20);
	assert_int_equal(w.made, 20);
}

/* ---- while it runs --------------------------------------------------------------------- */

static int was_cancelled;

static void release_first(struct world *world, struct lessor_call *call)
{
	world->during_look = NULL;
	release(0, 1);
	was_cancelled = lessor_cancelled(call);
}

static void a_release_during_the_look_is_obeyed(void **state)
{
	(void)state;
	create(0);
	create(1);
	w.during_look = release_first;
	world_pass(&w, MINUTE);
	/* The others still wait for it. */
	assert_int_equal(was_cancelled, 0);
	assert_int_equal(lease_at(0).state, LEASE_RELEASED);
	assert_int_equal(lease_at(0).cleanup, CLEANUP_DONE);
	assert_int_equal(lease_at(0).ready_ms, 0);
	assert_int_equal(lease_at(1).state, LEASE_ACTIVE);
	assert_int_equal(world_alive(&w), 1);
}

static void nobody_waits_for_it_any_more(void **state)
{
	(void)state;
	create(0);
	w.during_look = release_first;
	world_pass(&w, MINUTE);
	assert_int_equal(was_cancelled, 1);
	assert_int_equal(lease_at(0).cleanup, CLEANUP_DONE);
}

static void keep_first(struct world *world, struct lessor_call *call)
{
	(void)call;
	world->during_look = NULL;
	release(0, 0);
}

static void a_no_delete_during_the_look_keeps(void **state)
{
	(void)state;
	create(0);
	w.during_look = keep_first;
	w.look_misses = id_of(0);
	world_pass(&w, HOUR);
	assert_int_equal(lease_at(0).cleanup, CLEANUP_RETAINED);
	assert_int_equal(world_alive(&w), 1);
	assert_int_equal(w.deleted, 0);
}

/* With max_steps 1, observations and other steps do not starve each other. */
static void cleanups_first_then_looks_then_creates(void **state)
{
	(void)state;
	w.d.account->config.max_steps = 1;
	w.boot_polls = 50;
	create(0);
	create(1);
	world_pass(&w, 1500);
	for (int i = 2; i < 12; i++)
		create(i);
	release(0, 1);
	w.d.now_ms += 700;
	w.ops[0] = '\0';
	world_settle(&w);
	assert_memory_equal(w.ops, "CLP", 3);
	world_pass(&w, 2 * MINUTE);
	for (int i = 1; i < 12; i++)
		assert_int_equal(lease_at(i).state, LEASE_ACTIVE);
}

static void drain(struct world *world, struct lessor_call *call)
{
	(void)call;
	world->during_look = NULL;
	core_drain(world->d.core);
}

static void a_drain_lets_the_look_end(void **state)
{
	(void)state;
	create(0);
	create(1);
	create(2);
	w.look_misses = "cbx_000000000002";
	w.during_look = drain;
	world_pass(&w, 2 * SECOND);
	assert_int_equal(w.looks, 1);
	assert_int_equal(core_steps_running(w.d.core), 0);
	assert_int_equal(lease_at(0).state, LEASE_ACTIVE);
	assert_int_equal(lease_at(1).state, LEASE_PROVISIONING);
	world_restart(&w, NULL);
	w.look_misses = NULL;
	world_pass(&w, MINUTE);
	expect_active(3);
}

/* Then, too, the results are applied over several batches. */
static void a_drain_lets_all_have_their_results(void **state)
{
	(void)state;
	for (int i = 0; i < 250; i++)
		create(i);
	w.during_look = drain;
	world_pass(&w, 2 * SECOND);
	assert_int_equal(w.looks, 1);
	assert_int_equal(w.looked, 250);
	assert_int_equal(core_steps_running(w.d.core), 0);
	expect_active(250);
}

/* A process that ends in between loses only the results that are not yet applied. */
static void a_restart_between_the_results(void **state)
{
	int active = 0;

	(void)state;
	for (int i = 0; i < MANY; i++)
		create(i);
	world_pass(&w, 999);
	w.d.now_ms++;
	while (!w.looks) {
		driver_due(&w.d);
		driver_run_queue(&w.d);
	}
	for (int i = 0; i < MANY; i++)
		active += lease_at(i).state == LEASE_ACTIVE;
	assert_in_range(active, 1, MANY - 1);
	world_restart(&w, NULL);
	world_pass(&w, MINUTE);
	expect_active(MANY);
	assert_int_equal(w.made, MANY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OBSERVE_TEST(three_hundred_are_served_by_a_few_looks),
		OBSERVE_TEST(without_observe_each_looks_for_itself),
		OBSERVE_TEST(what_is_due_in_a_moment_comes_along),
		OBSERVE_TEST(nobody_is_looked_for_before_the_first_time),
		OBSERVE_TEST(looks_are_a_moment_apart),
		OBSERVE_TEST(a_clock_that_is_set_back_stops_no_look),
		OBSERVE_TEST(one_that_is_left_out_has_a_step_of_its_own),
		OBSERVE_TEST(a_look_that_fails_is_a_failure_of_each),
		OBSERVE_TEST(a_refused_credential_blocks_and_costs_nobody),
		OBSERVE_TEST(the_first_denial_is_probed_soon_and_the_next_ones_later),
		OBSERVE_TEST(a_look_that_succeeds_blocks_nothing),
		OBSERVE_TEST(who_waits_for_a_look_is_blocked_with_its_account),
		OBSERVE_TEST(a_look_that_cannot_be_leaves_it_to_provision),
		OBSERVE_TEST(a_restart_changes_nothing),
		OBSERVE_TEST(a_release_during_the_look_is_obeyed),
		OBSERVE_TEST(nobody_waits_for_it_any_more),
		OBSERVE_TEST(a_no_delete_during_the_look_keeps),
		OBSERVE_TEST(cleanups_first_then_looks_then_creates),
		OBSERVE_TEST(a_drain_lets_the_look_end),
		OBSERVE_TEST(a_drain_lets_all_have_their_results),
		OBSERVE_TEST(a_restart_between_the_results),
	};

	/* Hundreds of leases are thousands of commits. */
	if (access("/dev/shm", W_OK) == 0)
		setenv("TMPDIR", "/dev/shm", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
