/* SPDX-License-Identifier: MIT */
/* The sweep: what it finds, what it reports, and what it must never do. */

#include <stdio.h>
#include <stdlib.h>

#include "engine/internal.h"
#include "util/text.h"
#include "fixture.h"

#define OTHER "cbx_000000000002"
#define SWEEP_TEST(f) cmocka_unit_test_setup_teardown(f, setup, fixture_teardown)

static int setup(void **state)
{
	(void)state;
	world_start(&w, NULL);
	w.d.config.sweep_ms = 30 * MINUTE;
	world_restart(&w, NULL);
	/* The first sweep ran as soon as the account was verified; then one every 30 minutes. */
	world_pass(&w, 6 * MINUTE);
	return 0;
}

static struct {
	struct orphan list[8];
	int count;
} seen;

static int orphan_add(void *arg, const struct orphan *s)
{
	(void)arg;
	seen.list[seen.count++] = *s;
	return seen.count == 8;
}

static int orphans(void)
{
	seen.count = 0;
	assert_int_equal(store_orphan_each(core_store(w.d.core), "toy", orphan_add, NULL, NULL), 0);
	return seen.count;
}

static struct sweep sweep(void)
{
	struct sweep s;

	assert_int_equal(store_sweep_get(core_store(w.d.core), "toy", &s, NULL), 0);
	return s;
}

static int64_t ask(enum request_sweep what)
{
	struct asked a = { 0 };

	a.request.kind = REQUEST_SWEEP;
	a.request.sweep = what;
	a.request.caller.role = TOKEN_ADMIN;
	strcpy(a.request.caller.owner, "root");
	world_ask(&w, &a);
	assert_int_equal(a.answered, 1);
	assert_int_equal(a.request.result, RESULT_OK);
	return a.request.count;
}

/* A lease ends with its cleanup done; then its server exists after all. */
static void left_over(const char *id)
{
	struct asked a = { 0 };
	int at = w.made;

	create_ready(id);
	world_release(&w, &a, id, 1);
	world_pass(&w, MINUTE);
	assert_int_equal(lease(id).cleanup, CLEANUP_DONE);
	w.cloud[at].alive = 1;
	w.deleted = 0;
}

static void what_the_ledger_names_is_no_orphan(void **state)
{
	struct asked a = { 0 };

	(void)state;
	create_ready(ID);
	create_ready(OTHER);
	world_release(&w, &a, OTHER, 0);
	world_pass(&w, 20 * MINUTE);
	world_restart(&w, NULL);
	world_pass(&w, 20 * MINUTE);
	assert_true(w.lists > 0);
	assert_int_equal(sweep().objects, 2);
	assert_int_equal(orphans(), 0);
}

static void an_orphan_is_reported_and_stays(void **state)
{
	(void)state;
	left_over(ID);
	world_pass(&w, 12 * HOUR);
	assert_int_equal(orphans(), 1);
	assert_string_equal(seen.list[0].lease, ID);
	assert_int_equal(seen.list[0].why, ORPHAN_ENDED);
	assert_true(seen.list[0].sightings > 2);
	assert_null(orphan_holds(&seen.list[0], &(struct sweep){ .done_ms = sweep().done_ms }, 0,
				 HOUR, w.d.now_ms));
	assert_int_equal(world_alive(&w), 1);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
}

static void an_operator_may_have_it_deleted(void **state)
{
	(void)state;
	left_over(ID);
	/* Not seen yet, then seen only once, then too young. */
	assert_int_equal(ask(SWEEP_DELETE), 0);
	world_pass(&w, 31 * MINUTE);
	assert_int_equal(orphans(), 1);
	assert_int_equal(ask(SWEEP_DELETE), 0);
	world_pass(&w, 30 * MINUTE);
	assert_int_equal(seen.list[0].sightings, 1);
	assert_int_equal(ask(SWEEP_DELETE), 0);
	assert_int_equal(world_alive(&w), 1);
	world_pass(&w, HOUR);
	assert_int_equal(ask(SWEEP_DELETE), 1);
	world_pass(&w, MINUTE);
	assert_int_equal(world_alive(&w), 0);
	assert_int_equal(w.deleted, 1);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
	assert_int_equal(orphans(), 0);
}

static void where_it_is_configured_it_happens_by_itself(void **state)
{
	(void)state;
	w.d.config.sweep_deletes = 1;
	world_restart(&w, NULL);
	left_over(ID);
	world_pass(&w, 3 * HOUR);
	assert_int_equal(world_alive(&w), 0);
	assert_int_equal(w.deleted, 1);
}

/* The same gate applies: a resource that is not proven ours when read is not deleted. */
static void the_gate_has_the_last_word(void **state)
{
	(void)state;
	left_over(ID);
	world_pass(&w, 2 * HOUR);
	w.strip_labels = 1;
	assert_int_equal(ask(SWEEP_DELETE), 1);
	world_pass(&w, HOUR);
	assert_int_equal(lease(ID).cleanup, CLEANUP_ATTENTION);
	assert_int_equal(world_alive(&w), 1);
}

static void copies_and_strangers_are_no_orphans(void **state)
{
	(void)state;
	left_over(ID);
	/* Our labels on a server with another name. */
	TEXT_SET(w.cloud[0].name, "a-copy");
	world_pass(&w, 3 * HOUR);
	assert_int_equal(orphans(), 0);
	assert_int_equal(sweep().unverified, 1);
	assert_int_equal(ask(SWEEP_DELETE), 0);
	assert_int_equal(world_alive(&w), 1);
}

static void a_sighting_with_a_gap_begins_anew(void **state)
{
	(void)state;
	left_over(ID);
	world_pass(&w, 40 * MINUTE);
	assert_int_equal(orphans(), 1);
	w.cloud[0].alive = 0;
	world_pass(&w, 30 * MINUTE);
	assert_int_equal(orphans(), 0);
	w.cloud[0].alive = 1;
	world_pass(&w, 30 * MINUTE);
	assert_int_equal(orphans(), 1);
	assert_int_equal(seen.list[0].sightings, 1);
	assert_int_equal(ask(SWEEP_DELETE), 0);
}

static void a_sweep_that_was_not_complete_counts_for_nothing(void **state)
{
	int64_t before = sweep().done_ms;

	(void)state;
	left_over(ID);
	w.list_fails = 3;
	world_pass(&w, 25 * MINUTE);
	assert_int_equal(orphans(), 0);
	assert_int_equal(sweep().done_ms, before);
	assert_string_equal(sweep().error, "half of the pages");
	world_pass(&w, 30 * MINUTE);
	assert_int_equal(orphans(), 1);
	assert_string_equal(sweep().error, "");
}

static void a_kept_lease_is_left_alone(void **state)
{
	struct asked a = { 0 };
	struct lease l;

	(void)state;
	w.d.config.sweep_deletes = 1;
	world_restart(&w, NULL);
	create_ready(ID);
	world_release(&w, &a, ID, 0);
	/* A second server of the lease that is missing from its ledger: the worst case. */
	w.cloud[1] = w.cloud[0];
	TEXT_SET(w.cloud[1].id, "77");
	for (size_t i = 0; i < w.cloud[1].labels.count; i++)
		w.cloud[1].labels.items[i] = (struct lessor_label){ w.cloud[1].keys[i],
								    w.cloud[1].labels.text[i] };
	world_pass(&w, 6 * HOUR);
	assert_int_equal(orphans(), 1);
	assert_int_equal(seen.list[0].why, ORPHAN_RETAINED);
	assert_int_equal(ask(SWEEP_DELETE), 0);
	world_pass(&w, 6 * HOUR);
	assert_int_equal(world_alive(&w), 2);
	assert_int_equal(w.deleted, 0);
	l = lease(ID);
	assert_int_equal(l.cleanup, CLEANUP_RETAINED);
}

/* A store that is older than the provider: it does not know some of the resources. */
static void after_a_restore_nothing_goes_until_somebody_looked(void **state)
{
	char command[300];

	(void)state;
	left_over(ID);
	snprintf(command, sizeof(command),
		 "cd '%s' && cp store old && cp store-wal old-wal 2>&-; true", w.d.folder);
	assert_int_equal(system(command), 0);
	create_ready(OTHER);
	snprintf(command, sizeof(command),
		 "cd '%s' && rm -f store-wal store-shm && mv old store && "
		 "mv old-wal store-wal 2>&-; true",
		 w.d.folder);
	/* The core holds the file open: it is replaced while no core runs. */
	w.between_lives = command;
	world_restart(&w, NULL);
	world_pass(&w, 6 * HOUR);
	assert_int_equal(orphans(), 2);
	assert_int_equal(seen.list[0].why, ORPHAN_ENDED);
	assert_int_equal(seen.list[1].why, ORPHAN_UNKNOWN);
	assert_int_equal(ask(SWEEP_DELETE), 0);
	assert_int_equal(world_alive(&w), 2);
	ask(SWEEP_LOOKED);
	assert_string_equal(sweep().looked_by, "root");
	assert_int_equal(ask(SWEEP_DELETE), 1);
	world_pass(&w, HOUR);
	/* Resources that this store does not know are never deleted. */
	assert_int_equal(world_alive(&w), 1);
	assert_int_equal(orphans(), 1);
	assert_int_equal(ask(SWEEP_DELETE), 0);
}

static void never_many_at_once(void **state)
{
	(void)state;
	w.d.config.sweep_deletes = 1;
	world_restart(&w, NULL);
	for (int i = 0; i < 5; i++) {
		char id[24];

		snprintf(id, sizeof(id), "cbx_00000000000%d", i);
		left_over(id);
	}
	world_pass(&w, 12 * HOUR);
	assert_int_equal(world_alive(&w), 5);
	assert_int_equal(ask(SWEEP_DELETE), 3);
	world_pass(&w, MINUTE);
	assert_int_equal(ask(SWEEP_DELETE), 0);
	assert_int_equal(world_alive(&w), 2);
	world_pass(&w, HOUR);
	assert_int_equal(world_alive(&w), 0);
}

static void a_blocked_account_is_not_swept(void **state)
{
	int lists;

	(void)state;
	left_over(ID);
	w.probe_refuses = 1;
	w.probe_class = LESSOR_CLASS_ACCOUNT;
	world_pass(&w, 20 * MINUTE);
	lists = w.lists;
	world_pass(&w, 12 * HOUR);
	assert_int_equal(w.lists, lists);
	assert_int_equal(orphans(), 0);
	assert_int_equal(ask(SWEEP_DELETE), 0);
}

/* A sweep that was due while the account was not verified; a second passes until it is. */
static void c7_a_sweep_that_was_due_runs_at_once_after_the_proof(void **state)
{
	int64_t begun;

	(void)state;
	w.probe_refuses = 1;
	w.probe_class = LESSOR_CLASS_ACCOUNT;
	w.d.now_ms += HOUR;
	world_restart(&w, NULL);
	begun = sweep().begun_ms;
	world_pass(&w, 10 * SECOND);
	assert_int_equal(sweep().begun_ms, begun);
	w.probe_refuses = 0;
	account_task_soon(w.d.core, &w.d.core->accounts[0], TASK_PROBE);
	world_pass(&w, 1);
	assert_true(sweep().begun_ms > begun);
	assert_int_equal(sweep().begun_ms, sweep().done_ms);
	/* Once: later proofs change nothing. */
	begun = sweep().begun_ms;
	world_pass(&w, 20 * MINUTE);
	assert_int_equal(sweep().begun_ms, begun);
}

static void c7_the_first_sweep_runs_at_once_after_the_proof(void **state)
{
	(void)state;
	w.d.config.sweep_ms = 30 * MINUTE;
	world_restart(&w, NULL);
	world_pass(&w, 1);
	assert_int_not_equal(sweep().done_ms, 0);
	assert_true(w.d.now_ms - sweep().begun_ms < SECOND);
}

static void c7_a_fence_brings_the_sweep_forward(void **state)
{
	int64_t begun = sweep().begun_ms;

	(void)state;
	/* As for a store that was moved or overtaken; the toy has no generation. */
	w.neighbours[w.neighbour_count++] = "someother";
	world_restart(&w, NULL);
	world_pass(&w, 1);
	assert_true(w.d.core->accounts[0].gen.is_fenced);
	assert_true(sweep().begun_ms > begun);
	/* Not at each start: the fence stays. */
	begun = sweep().begun_ms;
	world_restart(&w, NULL);
	world_pass(&w, 1);
	assert_int_equal(sweep().begun_ms, begun);
}

static void crashes_make_no_sweeps(void **state)
{
	int lists;

	(void)state;
	world_pass(&w, HOUR);
	lists = w.lists;
	for (int i = 0; i < 50; i++)
		world_restart(&w, NULL);
	assert_int_equal(w.lists, lists);
}

static void others_may_not_sweep(void **state)
{
	struct asked a = { 0 };

	(void)state;
	a.request.kind = REQUEST_SWEEP;
	world_ask(&w, &a);
	assert_int_equal(a.request.result, RESULT_FORBIDDEN);
}

/* As a process that sees the store for the first time: it may be an old copy. */
static void start_fresh(void)
{
	w.d.config.is_fresh = 1;
	w.lists = w.deleted = 0;
	world_restart(&w, NULL);
}

/* A server that a later start has to delete. */
static void refuse_a_delete(void)
{
	struct asked a = { 0 };

	create_ready(ID);
	world_pass(&w, 2 * MINUTE);
	w.delete_refusals = 1;
	world_release(&w, &a, ID, 1);
	world_settle(&w);
	w.d.now_ms += 10 * MINUTE;
}

static int deleted_then;

/* Called with each list of the inventory. */
static void nothing_was_deleted(struct world *world)
{
	deleted_then += world->deleted;
}

static void a_fresh_start_lists_before_it_deletes(void **state)
{
	(void)state;
	refuse_a_delete();
	assert_int_equal(world_alive(&w), 1);
	deleted_then = 0;
	w.during_list = nothing_was_deleted;
	w.list_fails = 0;
	start_fresh();
	/* Creates wait for nothing; and it is a matter of moments. */
	create_ready(OTHER);
	world_pass(&w, SECOND);
	assert_true(w.lists >= 3);
	assert_int_equal(deleted_then, 0);
	assert_int_equal(w.deleted, 1);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
}

/* What cannot be listed now is deleted all the same: each permit reads what it concerns. */
static void a_list_that_fails_stops_no_delete(void **state)
{
	(void)state;
	refuse_a_delete();
	w.list_fails = 1;
	start_fresh();
	world_pass(&w, SECOND);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
}

/* Nor does a crash loop list again and again; its deletes wait until it is allowed to. */
static void a_crash_loop_lists_once_a_minute(void **state)
{
	struct asked a = { 0 };

	(void)state;
	create_ready(ID);
	w.delete_refusals = 1;
	world_release(&w, &a, ID, 1);
	world_settle(&w);
	w.d.now_ms += 10 * MINUTE;
	w.list_fails = 1;
	/* It ends before anything is deleted. */
	w.delete_refusals = 1;
	start_fresh();
	world_settle(&w);
	assert_int_equal(w.lists, 1);
	for (int i = 0; i < 20; i++) {
		start_fresh();
		world_settle(&w);
		assert_int_equal(w.lists, 0);
	}
	world_pass(&w, 61 * SECOND);
	assert_true(w.lists > 0);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SWEEP_TEST(a_fresh_start_lists_before_it_deletes),
		SWEEP_TEST(a_list_that_fails_stops_no_delete),
		SWEEP_TEST(a_crash_loop_lists_once_a_minute),
		SWEEP_TEST(what_the_ledger_names_is_no_orphan),
		SWEEP_TEST(an_orphan_is_reported_and_stays),
		SWEEP_TEST(an_operator_may_have_it_deleted),
		SWEEP_TEST(where_it_is_configured_it_happens_by_itself),
		SWEEP_TEST(the_gate_has_the_last_word),
		SWEEP_TEST(copies_and_strangers_are_no_orphans),
		SWEEP_TEST(a_sighting_with_a_gap_begins_anew),
		SWEEP_TEST(a_sweep_that_was_not_complete_counts_for_nothing),
		SWEEP_TEST(a_kept_lease_is_left_alone),
		SWEEP_TEST(after_a_restore_nothing_goes_until_somebody_looked),
		SWEEP_TEST(never_many_at_once),
		SWEEP_TEST(a_blocked_account_is_not_swept),
		SWEEP_TEST(c7_a_sweep_that_was_due_runs_at_once_after_the_proof),
		TEST(c7_the_first_sweep_runs_at_once_after_the_proof),
		SWEEP_TEST(c7_a_fence_brings_the_sweep_forward),
		SWEEP_TEST(crashes_make_no_sweeps),
		SWEEP_TEST(others_may_not_sweep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
