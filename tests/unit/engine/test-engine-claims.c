/* SPDX-License-Identifier: MIT */
/* A step's claim while the store fails: it is refused, and no request is sent. */
#include "driver/fuse.h"
#include "fixture.h"

static void break_the_next_write(struct world *world, struct lessor_call *call)
{
	(void)call;
	world->may_break = 1;
	fuse_set(0);
}

static void an_intent_that_is_not_stored_makes_nothing(void **state)
{
	struct asked a = { 0 };

	(void)state;
	fuse_arm(w.d.path);
	w.before_create = break_the_next_write;
	world_create(&w, &a, ID);
	driver_due(&w.d);
	driver_run_queue(&w.d);
	assert_true(w.is_broken);
	assert_int_equal(w.provisions, 1);
	assert_int_equal(w.creates_sent, 0);
	/* The next process continues as if there had been no claim. */
	fuse_set(1000000000);
	w.before_create = NULL;
	w.may_break = 0;
	world_restart(&w, NULL);
	world_pass(&w, MINUTE);
	assert_int_equal(lease(ID).state, LEASE_ACTIVE);
	assert_int_equal(w.made, 1);
	fuse_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_intent_that_is_not_stored_makes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
