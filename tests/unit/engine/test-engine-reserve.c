/* SPDX-License-Identifier: MIT */
/*
 * D5: the store lives on its reserve, because the disk is full. Nothing new is created; what is
 * there can be released, kept and cleaned up; everything continues by itself.
 */

#include <errno.h>

#include "fixture.h"
#include "store/sqlite/reserve.h"
#include "util/text.h"

static int is_full;

static int disk_allocate(int fd, int keep_size, int64_t at, int64_t len)
{
	(void)fd;
	(void)at;
	(void)len;
	/* The log has its room; the reserve cannot be made whole. */
	return is_full && !keep_size ? ENOSPC : 0;
}

static int64_t disk_free(const char *path)
{
	(void)path;
	return is_full ? 0 : INT64_MAX;
}

static int setup(void **state)
{
	static const struct reserve_disk disk = { .allocate = disk_allocate,
						  .free_bytes = disk_free };

	is_full = 0;
	reserve_disk_set(&disk);
	return fixture_setup(state);
}

static int teardown(void **state)
{
	int rc = fixture_teardown(state);

	reserve_disk_set(NULL);
	return rc;
}

static void disk_fill(void)
{
	is_full = 1;
	assert_int_equal(store_reserve_keep(core_store(w.d.core), NULL), 0);
	world_settle(&w);
	assert_int_equal(store_state(core_store(w.d.core)), STORE_RESERVE);
}

static void d5_creates_are_refused_and_replays_are_answered(void **state)
{
	struct asked first = { 0 }, again = { 0 }, other = { 0 };

	(void)state;
	TEXT_SET(first.request.create.attempt_token, "cat_1");
	world_create(&w, &first, ID);
	world_pass(&w, MINUTE);
	disk_fill();
	world_create(&w, &other, "cbx_000000000002");
	assert_true(other.answered);
	assert_int_equal(other.request.result, RESULT_UNAVAILABLE);
	assert_string_equal(other.request.code, "store_unavailable");
	assert_non_null(strstr(other.request.message, "full"));
	TEXT_SET(again.request.create.attempt_token, "cat_1");
	world_create(&w, &again, ID);
	assert_int_equal(again.request.result, RESULT_REPLAY);
	/* Room again: at the next transaction, without a restart. */
	is_full = 0;
	other = (struct asked){ 0 };
	world_create(&w, &other, "cbx_000000000002");
	world_pass(&w, MINUTE);
	assert_int_equal(other.request.result, RESULT_CREATED);
	assert_int_equal(store_state(core_store(w.d.core)), STORE_WRITABLE);
}

static void d5_releases_keeps_and_results_are_written(void **state)
{
	struct asked a = { 0 };

	(void)state;
	create_ready(ID);
	disk_fill();
	world_release(&w, &a, ID, 0);
	assert_int_equal(a.request.result, RESULT_OK);
	assert_int_equal(lease(ID).cleanup, CLEANUP_RETAINED);
	a = (struct asked){ 0 };
	world_release(&w, &a, ID, 1);
	world_pass(&w, MINUTE);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
	assert_int_equal(world_alive(&w), 0);
	assert_int_equal(core_check(w.d.core, NULL), 0);
	assert_int_equal(store_state(core_store(w.d.core)), STORE_RESERVE);
}

/* A create that was accepted before goes on: its machine may exist, and costs money. */
static void d5_a_create_in_progress_is_completed(void **state)
{
	struct asked a = { 0 };

	(void)state;
	w.boot_polls = 5;
	world_create(&w, &a, ID);
	world_pass(&w, 2 * SECOND);
	assert_int_equal(lease(ID).state, LEASE_PROVISIONING);
	disk_fill();
	world_pass(&w, MINUTE);
	assert_int_equal(lease(ID).state, LEASE_ACTIVE);
}

/* A heartbeat keeps the lease; its sample, which only adds to the history, is not stored. */
static void d5_heartbeats_are_written_without_samples(void **state)
{
	struct asked a = { 0 };
	int64_t before;

	(void)state;
	create_ready(ID);
	disk_fill();
	before = lease(ID).touched_ms;
	w.d.now_ms += SECOND;
	a.request.kind = REQUEST_HEARTBEAT;
	TEXT_SET(a.request.ref, ID);
	TEXT_SET(a.request.sample, "{\"load\":1}");
	a.request.sample_ms = w.d.now_ms;
	world_ask(&w, &a);
	assert_int_equal(a.request.result, RESULT_OK);
	assert_true(lease(ID).touched_ms > before);
}

#undef TEST
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(d5_creates_are_refused_and_replays_are_answered),
		TEST(d5_releases_keeps_and_results_are_written),
		TEST(d5_a_create_in_progress_is_completed),
		TEST(d5_heartbeats_are_written_without_samples),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
