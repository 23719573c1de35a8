/* SPDX-License-Identifier: MIT */
/* Steps whose plugin does not return though their deadline has passed. */
#include "fixture.h"

static int64_t overdue(void)
{
	struct account_figures figures;

	account_figures(w.d.account, &figures);
	return figures.overdue;
}

static void p1_a_step_past_its_deadline_is_seen(void **state)
{
	struct asked a = { 0 };

	(void)state;
	world_create(&w, &a, ID);
	/* Started, and in the plugin. */
	driver_due(&w.d);
	w.d.now_ms += 80 * SECOND;
	driver_due(&w.d);
	assert_string_equal(lease(ID).attention, "");
	assert_int_equal(overdue(), 0);
	w.d.now_ms += 20 * SECOND;
	for (int i = 0; i < 3; i++) {
		driver_due(&w.d);
		w.d.now_ms += 2 * SECOND;
	}
	assert_non_null(strstr(lease(ID).attention, "has not returned from provision"));
	assert_int_equal(overdue(), 1);
	/* It returns after all. */
	world_settle(&w);
	assert_string_equal(lease(ID).attention, "");
	assert_int_equal(overdue(), 0);
}

static void p1_a_release_does_not_hide_it(void **state)
{
	struct asked a = { 0 }, release = { 0 };

	(void)state;
	world_create(&w, &a, ID);
	driver_due(&w.d);
	w.d.now_ms += 100 * SECOND;
	driver_due(&w.d);
	world_release(&w, &release, ID, 1);
	driver_due(&w.d);
	w.d.now_ms += 2 * SECOND;
	driver_due(&w.d);
	assert_int_equal(lease(ID).state, LEASE_RELEASED);
	assert_non_null(strstr(lease(ID).attention, "has not returned from provision"));
	world_settle(&w);
	world_pass(&w, MINUTE);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
	assert_string_equal(lease(ID).attention, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(p1_a_step_past_its_deadline_is_seen),
		TEST(p1_a_release_does_not_hide_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
