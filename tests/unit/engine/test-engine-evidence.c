/* SPDX-License-Identifier: MIT */
/* How what a step observed changes the ledger: absence, and adoption. */

#include <stdio.h>

#include "util/text.h"
#include "fixture.h"

static void release(void)
{
	struct asked a = { 0 };

	world_release(&w, &a, ID, 1);
	assert_int_equal(a.request.result, RESULT_OK);
}

struct rows {
	int all, gone;
	int named;		/* not gone, with the id of the first server */
};

static struct rows rows(void)
{
	struct rows rows = { 0 };
	struct ledger ledger;

	assert_int_equal(store_ledger(core_store(w.d.core), lease(ID).n, &ledger, NULL), 0);
	for (size_t i = 0; i < ledger.resource_count; i++) {
		const struct resource *r = &ledger.resources[i];
		int gone = r->state == LESSOR_STATE_GONE;

		rows.all++;
		rows.gone += gone;
		rows.named += !gone && strcmp(r->id, w.cloud[0].id) == 0;
	}
	ledger_fini(&ledger);
	return rows;
}

/* ---- absence ------------------------------------------------------------------------ */

/* Advances the clock to the next cleanup step. */
static void pass_to_a_cleanup(void)
{
	int64_t end = w.d.now_ms + 12 * HOUR;
	int cleanups = w.cleanups;

	while (w.cleanups == cleanups && w.d.now_ms < end)
		world_pass(&w, 1000);
	assert_int_equal(w.cleanups, cleanups + 1);
}

/*
 * 404, then a read that finds the server, and hours later two 404s within seconds: the first
 * 404 was contradicted and no longer counts, and the last two are too close together.
 */
static void a_read_resets_the_count_of_absences(void **state)
{
	int cleanups;

	(void)state;
	create_ready(ID);
	w.cloud[0].alive = 0;
	release();
	world_settle(&w);
	assert_int_equal(w.cleanups, 1);
	/* It is read, but without its labels it is not deleted. */
	w.cloud[0].alive = 1;
	w.strip_labels = 1;
	world_pass(&w, 2 * HOUR);
	assert_int_equal(lease(ID).cleanup, CLEANUP_ATTENTION);
	w.cloud[0].alive = 0;
	w.strip_labels = 0;
	pass_to_a_cleanup();
	cleanups = w.cleanups;
	world_pass(&w, 6000);
	assert_true(w.cleanups > cleanups);
	assert_int_not_equal(lease(ID).cleanup, CLEANUP_DONE);
	assert_int_equal(rows().gone, 0);
	w.cloud[0].alive = 1;
	world_pass(&w, 6 * HOUR);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
	assert_int_equal(world_alive(&w), 0);
	assert_int_equal(w.deleted, 1);
}

/* ---- adoption ----------------------------------------------------------------------- */

/* Recorded in the step, checked after it: an assertion that fails in a step leaves locks held. */
static struct {
	int accepted;
	int named[2];		/* rows().named after each */
} adoption;

static void adopt(struct world *world, struct lessor_call *call, int times)
{
	struct lessor_observed seen;

	world->before_cleanup = NULL;
	memset(&adoption, 0, sizeof(adoption));
	world_observe(world, &world->cloud[0], &seen);
	for (int i = 0; i < times; i++) {
		adoption.accepted += lessor_adopt(call, &seen) == 0;
		adoption.named[i] = rows().named;
	}
}

static void adopt_twice(struct world *world, struct lessor_call *call)
{
	adopt(world, call, 2);
}

static void check_adopted_twice(void)
{
	assert_null(w.before_cleanup);
	assert_int_equal(adoption.accepted, 2);
	assert_int_equal(adoption.named[0], 1);
	assert_int_equal(adoption.named[1], 1);
	assert_int_equal(rows().all, 1);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
	assert_int_equal(world_alive(&w), 0);
	assert_int_equal(w.deleted, 1);
}

static void adopting_a_known_id_adds_no_row(void **state)
{
	(void)state;
	create_ready(ID);
	w.before_cleanup = adopt_twice;
	release();
	world_pass(&w, MINUTE);
	check_adopted_twice();
}

static void adopting_a_lost_create_twice_adds_no_row(void **state)
{
	struct asked a = { 0 };

	(void)state;
	w.create_fault = TOY_HIDE;
	w.create_fault_sticky = 1;
	world_create(&w, &a, ID);
	world_settle(&w);
	assert_int_equal(rows().named, 0);
	w.create_fault = TOY_NONE;
	w.create_fault_sticky = 0;
	w.before_cleanup = adopt_twice;
	release();
	world_pass(&w, MINUTE);
	check_adopted_twice();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_read_resets_the_count_of_absences),
		TEST(adopting_a_known_id_adds_no_row),
		TEST(adopting_a_lost_create_twice_adds_no_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
