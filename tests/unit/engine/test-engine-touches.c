/* SPDX-License-Identifier: MIT */
/* Heartbeats: those of a batch are written together, with its commit. */
#include "engine/internal.h"
#include "util/text.h"
#include "fixture.h"

#define OTHER "cbx_000000000002"
#define IDLE "cbx_000000000003"

static void answered(struct engine_request *r)
{
	(*(int *)r->user)++;
}

/* Within the batch, which ends with driver_flush. */
static void touch(const char *id, struct engine_request *r, int *answers)
{
	*r = (struct engine_request){
		.kind = REQUEST_HEARTBEAT,
		.done = answered,
		.user = answers,
	};
	TEXT_SET(r->ref, id);
	TEXT_SET(r->caller.owner, "alice");
	TEXT_SET(r->caller.org, "acme");
	w.d.now_ms++;
	core_request(w.d.core, r);
}

static void those_of_a_batch_are_committed_with_it(void **state)
{
	struct engine_request requests[3];
	int64_t idle_ms, last_ms;
	int answers = 0;

	(void)state;
	create_ready(ID);
	create_ready(OTHER);
	create_ready(IDLE);
	idle_ms = lease(IDLE).touched_ms;
	world_pass(&w, MINUTE);
	driver_begin(&w.d);
	touch(ID, &requests[0], &answers);
	touch(OTHER, &requests[1], &answers);
	touch(ID, &requests[2], &answers);
	last_ms = core_now(w.d.core);
	assert_int_equal(answers, 0);
	assert_int_equal(driver_flush(&w.d), 0);
	assert_int_equal(answers, 3);
	assert_int_equal(requests[2].result, RESULT_OK);
	assert_int_equal(lease(ID).touched_ms, last_ms);
	assert_int_equal(lease(OTHER).touched_ms, last_ms - 1);
	assert_int_equal(lease(IDLE).touched_ms, idle_ms);
	assert_int_equal(core_check(w.d.core, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(those_of_a_batch_are_committed_with_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
