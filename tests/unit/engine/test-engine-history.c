/* SPDX-License-Identifier: MIT */
/* Pruning of ended leases: when it happens, when it must not, and in how small steps. */
#include <stdio.h>

#include "engine/internal.h"
#include "fixture.h"
#include "util/text.h"

#define OTHER "cbx_000000000002"
#define NEWEST "cbx_999999999999"
#define DAY (24 * HOUR)
#define KEEP (10 * DAY)
#define HISTORY_TEST(f) cmocka_unit_test_setup_teardown(f, setup, fixture_teardown)

static int setup(void **state)
{
	(void)state;
	world_start(&w, NULL);
	w.d.config.sweep_ms = 6 * HOUR;
	w.d.config.probe_ms = HOUR;
	w.d.config.history_keep_ms = KEEP;
	world_restart(&w, NULL);
	world_pass(&w, 6 * MINUTE);
	return 0;
}

static void end_lease(const char *id, int delete_machine)
{
	struct asked a = { 0 };

	create_ready(id);
	world_release(&w, &a, id, delete_machine);
	assert_int_equal(a.request.result, RESULT_OK);
	world_pass(&w, MINUTE);
}

/* A lease that has ended, and one that has the newest numbers, which stays whatever its age. */
static void two_ended(void)
{
	end_lease(ID, 1);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
	end_lease(NEWEST, 1);
}

static int is_there(const char *id)
{
	struct lease l;

	return world_lease(&w, id, &l) == 0;
}

static int64_t pruned(void)
{
	struct account_figures figures;

	account_figures(w.d.account, &figures);
	return figures.pruned;
}

static void check(void)
{
	struct err err = { .text = "" };

	if (core_check(w.d.core, &err) || store_check(core_store(w.d.core), &err))
		fail_msg("%s", err.text);
}

/* ---- when ---------------------------------------------------------------------------------- */

static void an_old_lease_goes(void **state)
{
	(void)state;
	two_ended();
	world_pass(&w, KEEP - DAY);
	assert_true(is_there(ID));
	assert_int_equal(pruned(), 0);
	world_pass(&w, DAY + 2 * HOUR);
	assert_false(is_there(ID));
	assert_true(is_there(NEWEST));
	assert_int_equal(pruned(), 1);
	check();
	/* It is not in memory either: what asks for it finds nothing. */
	assert_int_equal(beat(ID), RESULT_NOT_FOUND);
	world_restart(&w, NULL);
	world_pass(&w, HOUR);
	check();
}

static void for_ever_is_for_ever(void **state)
{
	(void)state;
	w.d.config.history_keep_ms = 0;
	world_restart(&w, NULL);
	two_ended();
	world_pass(&w, 30 * DAY);
	assert_true(is_there(ID));
	assert_int_equal(pruned(), 0);
}

static void what_is_kept_stays_for_ever(void **state)
{
	(void)state;
	end_lease(ID, 0);
	end_lease(OTHER, 1);
	end_lease(NEWEST, 1);
	world_pass(&w, 60 * DAY);
	assert_true(is_there(ID));
	assert_int_equal(lease(ID).cleanup, CLEANUP_RETAINED);
	assert_false(is_there(OTHER));
	assert_int_equal(world_alive(&w), 1);
	assert_int_equal(w.deleted, 2);
}

/* ---- when not ------------------------------------------------------------------------------ */

static void without_a_sweep_nothing_goes(void **state)
{
	(void)state;
	w.d.config.sweep_ms = 0;
	world_restart(&w, NULL);
	two_ended();
	world_pass(&w, 30 * DAY);
	assert_true(is_there(ID));
}

static void a_sweep_that_fails_counts_for_nothing(void **state)
{
	(void)state;
	two_ended();
	w.list_fails = 1000000;
	world_pass(&w, 30 * DAY);
	assert_true(is_there(ID));
	w.list_fails = 0;
	world_pass(&w, 2 * DAY);
	assert_false(is_there(ID));
}

static void in_an_account_that_is_not_verified_nothing_goes(void **state)
{
	(void)state;
	two_ended();
	world_pass(&w, KEEP - HOUR);
	w.probe_refuses = 1;
	w.probe_class = LESSOR_CLASS_ACCOUNT;
	world_pass(&w, 5 * DAY);
	assert_true(is_there(ID));
	w.probe_refuses = 0;
	world_pass(&w, DAY);
	assert_false(is_there(ID));
}

static void in_a_frozen_account_nothing_goes(void **state)
{
	(void)state;
	two_ended();
	world_pass(&w, KEEP - HOUR);
	for (int day = 0; day < 5; day++) {
		core_freeze(w.d.core, "toy", "a test");
		world_pass(&w, DAY);
	}
	assert_true(is_there(ID));
	core_freeze(w.d.core, "toy", NULL);
	world_pass(&w, DAY);
	assert_false(is_there(ID));
}

static void while_the_clock_is_in_doubt_nothing_goes(void **state)
{
	(void)state;
	two_ended();
	world_pass(&w, 3 * DAY);
	w.d.wall_off_ms += 60 * DAY;
	world_settle(&w);
	assert_true(core_clock_is_suspect(w.d.core));
	world_pass(&w, 8 * MINUTE);
	assert_true(is_there(ID));
	w.d.wall_off_ms -= 60 * DAY;
	world_settle(&w);
	world_pass(&w, DAY);
	assert_true(is_there(ID));
	world_pass(&w, KEEP);
	assert_false(is_there(ID));
}

static void a_resource_that_shows_after_the_end_keeps_its_lease(void **state)
{
	(void)state;
	two_ended();
	w.cloud[0].alive = 1;
	world_pass(&w, 40 * DAY);
	assert_true(is_there(ID));
	assert_int_equal(world_alive(&w), 1);
	/* Somebody removes it: no sweep sees it any longer. */
	w.cloud[0].alive = 0;
	world_pass(&w, 2 * DAY);
	assert_false(is_there(ID));
}

static int orphan_why(void *arg, const struct orphan *s)
{
	*(int *)arg = (int)s->why;
	return 0;
}

/* Once the lease is gone, what shows is reported, and never deleted. */
static void what_shows_after_that_is_reported_and_stays(void **state)
{
	int why = -1;

	(void)state;
	w.d.config.sweep_deletes = 1;
	world_restart(&w, NULL);
	two_ended();
	world_pass(&w, KEEP + DAY);
	assert_false(is_there(ID));
	w.deleted = 0;
	w.cloud[0].alive = 1;
	world_pass(&w, 5 * DAY);
	assert_int_equal(store_orphan_each(core_store(w.d.core), "toy", orphan_why, &why, NULL), 0);
	assert_int_equal(why, ORPHAN_UNKNOWN);
	assert_int_equal(w.deleted, 0);
	assert_int_equal(world_alive(&w), 1);
}

static void the_id_of_a_pruned_lease_is_a_new_lease(void **state)
{
	struct asked a = { 0 };

	(void)state;
	two_ended();
	world_pass(&w, KEEP + DAY);
	assert_false(is_there(ID));
	world_create(&w, &a, ID);
	world_pass(&w, MINUTE);
	assert_int_equal(lease(ID).state, LEASE_ACTIVE);
	world_release(&w, &a, ID, 1);
	world_pass(&w, MINUTE);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
	assert_int_equal(world_alive(&w), 0);
	check();
}

/* ---- in small steps ------------------------------------------------------------------------ */

#define MANY 60

static void many_ended(void)
{
	for (int i = 0; i < MANY; i++) {
		char id[24];

		snprintf(id, sizeof(id), "cbx_0000000001%02d", i);
		end_lease(id, 1);
	}
	end_lease(NEWEST, 1);
	world_pass(&w, KEEP - 2 * HOUR);
	assert_int_equal(pruned(), 0);
}

/* Passes time until the next step of pruning has been made: how many went. */
static int64_t next_step(void)
{
	int64_t before = pruned();

	for (int i = 0; i < 100000 && pruned() == before; i++) {
		int64_t next = driver_next_ms(&w.d);

		if (next > w.d.now_ms)
			w.d.now_ms = next;
		driver_run_queue(&w.d);
		driver_due(&w.d);
	}
	return pruned() - before;
}

static void a_step_is_small(void **state)
{
	int64_t sum = 0, most = 0;

	(void)state;
	many_ended();
	while (sum < MANY) {
		int64_t count = next_step();

		assert_true(count > 0);
		most = count > most ? count : most;
		sum += count;
		check();
	}
	assert_true(most <= STORE_HISTORY_MOST);
	assert_true(most > 1);
	assert_true(is_there(NEWEST));
}

static int always(void *arg)
{
	(void)arg;
	return 1;
}

static void a_step_ends_when_something_arrives(void **state)
{
	(void)state;
	many_ended();
	w.d.core->hooks.is_wanted = always;
	for (int i = 0; i < 5; i++)
		assert_int_equal(next_step(), 1);
	w.d.core->hooks.is_wanted = NULL;
	assert_true(next_step() > 1);
}

static void a_crash_between_two_steps_loses_nothing(void **state)
{
	int left = MANY;

	(void)state;
	many_ended();
	while (left > 0) {
		int64_t count = next_step();

		assert_true(count > 0);
		left -= (int)count;
		world_restart(&w, NULL);
		check();
		world_pass(&w, 6 * MINUTE);
		left = 0;
		for (int i = 0; i < MANY; i++) {
			char id[24];

			snprintf(id, sizeof(id), "cbx_0000000001%02d", i);
			left += is_there(id);
		}
	}
	assert_true(is_there(NEWEST));
	check();
}

/* A crash in the middle of a step undoes the step. */
static void a_crash_in_a_step_undoes_it(void **state)
{
	struct lease l;

	(void)state;
	two_ended();
	world_pass(&w, KEEP - 2 * HOUR);
	l = lease(ID);
	assert_int_equal(core_begin_locked(w.d.core, NULL), 0);
	assert_int_equal(store_history_drop(core_store(w.d.core), "toy", l.n, NULL), 0);
	world_restart(&w, NULL);
	assert_true(is_there(ID));
	check();
	world_pass(&w, DAY);
	assert_false(is_there(ID));
	check();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HISTORY_TEST(an_old_lease_goes),
		HISTORY_TEST(for_ever_is_for_ever),
		HISTORY_TEST(what_is_kept_stays_for_ever),
		HISTORY_TEST(without_a_sweep_nothing_goes),
		HISTORY_TEST(a_sweep_that_fails_counts_for_nothing),
		HISTORY_TEST(in_an_account_that_is_not_verified_nothing_goes),
		HISTORY_TEST(in_a_frozen_account_nothing_goes),
		HISTORY_TEST(while_the_clock_is_in_doubt_nothing_goes),
		HISTORY_TEST(a_resource_that_shows_after_the_end_keeps_its_lease),
		HISTORY_TEST(what_shows_after_that_is_reported_and_stays),
		HISTORY_TEST(the_id_of_a_pruned_lease_is_a_new_lease),
		HISTORY_TEST(a_step_is_small),
		HISTORY_TEST(a_step_ends_when_something_arrives),
		HISTORY_TEST(a_crash_between_two_steps_loses_nothing),
		HISTORY_TEST(a_crash_in_a_step_undoes_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
