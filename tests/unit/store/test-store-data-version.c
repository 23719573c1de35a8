/* SPDX-License-Identifier: MIT */
/* Snapshots of a reader, and its data version: does it change with every commit? */
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit/test.h"
#include "scratch.h"
#include "store/sqlite/internal.h"

static struct store *reader;

static int setup(void **state)
{
	int64_t count;

	if (scratch_setup(state) || store_open_reader(path, &reader, NULL))
		return -1;
	return store_attention_count(reader, &count, NULL);
}

static int teardown(void **state)
{
	store_close(reader);
	return scratch_teardown(state);
}

static void touch(struct store *writer, int64_t n, int64_t ms)
{
	assert_int_equal(store_begin(writer, NULL), 0);
	assert_int_equal(store_touch(writer, n, ms, NULL), 0);
	assert_int_equal(store_commit(writer, NULL), 0);
}

static int64_t touched(int64_t n)
{
	struct lease l;

	assert_int_equal(store_lease_by_n(reader, n, &l, NULL), 0);
	return l.touched_ms;
}

static void every_commit_changes_it_and_nothing_else_does(void **state)
{
	struct lease l = scratch_insert("cbx_000000000001");
	uint64_t before = store_data_version(reader), now;

	(void)state;
	assert_int_not_equal(before, 0);
	assert_int_equal(store_data_version(reader), before);
	touched(l.n);
	assert_int_equal(store_data_version(reader), before);
	for (int i = 1; i <= 3; i++) {
		touch(store, l.n, 5000 + i);
		now = store_data_version(reader);
		assert_int_not_equal(now, before);
		assert_int_equal(store_data_version(reader), now);
		before = now;
	}
	/* Neither an open transaction nor a rollback is a change. */
	scratch_begin();
	assert_int_equal(store_touch(store, l.n, 6000, NULL), 0);
	assert_int_equal(store_data_version(reader), before);
	store_rollback(store);
	assert_int_equal(store_data_version(reader), before);
	assert_int_equal(touched(l.n), 5003);
}

static void commits_of_all_connections_and_processes_count(void **state)
{
	struct lease l = scratch_insert("cbx_000000000001");
	struct store *tool = NULL;
	uint64_t before = store_data_version(reader);
	int status;
	pid_t child;

	(void)state;
	assert_int_equal(store_open_tool(path, &env, &tool, NULL), 0);
	before = store_data_version(reader);
	touch(tool, l.n, 7000);
	assert_int_not_equal(store_data_version(reader), before);
	store_close(tool);
	before = store_data_version(reader);
	child = fork();
	if (child == 0) {
		struct store *other = NULL;

		/* Inherited connections are not used: their locks belong to the parent. */
		if (store_open_tool(path, &env, &other, NULL) || store_begin(other, NULL) ||
		    store_touch(other, l.n, 8000, NULL) || store_commit(other, NULL))
			_exit(1);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_not_equal(store_data_version(reader), before);
	assert_int_equal(touched(l.n), 8000);
}

/* No version repeats when the log is restarted. */
static void versions_survive_a_reset_of_the_log(void **state)
{
	struct lease l = scratch_insert("cbx_000000000001");
	uint64_t last = store_data_version(reader);

	(void)state;
	for (int i = 1; i < 20; i++) {
		uint64_t now;

		assert_int_equal(sqlite3_wal_checkpoint_v2(store->file->db, NULL,
							   i % 2 ? SQLITE_CHECKPOINT_RESTART :
								   SQLITE_CHECKPOINT_TRUNCATE,
							   NULL, NULL),
				 SQLITE_OK);
		touch(store, l.n, 5000 + i);
		now = store_data_version(reader);
		assert_true(now > last);
		last = now;
		assert_int_equal(touched(l.n), 5000 + i);
		assert_int_equal(store_data_version(reader), now);
	}
}

static void without_a_log_there_is_none(void **state)
{
	struct store *view = NULL;

	(void)state;
	store_close(reader);
	store_close(store);
	reader = store = NULL;
	assert_int_equal(store_open_view(path, &view, NULL), 0);
	assert_int_equal(store_data_version(view), 0);
	store_close(view);
}

static void a_snapshot_is_of_one_moment(void **state)
{
	struct lease l = scratch_insert("cbx_000000000001");

	(void)state;
	touch(store, l.n, 5000);
	assert_int_equal(store_snapshot_begin(reader, NULL), 0);
	assert_int_equal(touched(l.n), 5000);
	touch(store, l.n, 6000);
	assert_int_equal(touched(l.n), 5000);
	assert_int_equal(store_snapshot_begin(reader, NULL), -1);
	store_snapshot_end(reader);
	assert_int_equal(touched(l.n), 6000);
	assert_int_equal(store_snapshot_begin(reader, NULL), 0);
	assert_int_equal(touched(l.n), 6000);
	store_snapshot_end(reader);
}

/*
 * ---- a writer on another thread: no acknowledged commit is missed
 * ---------------------------
 */

#define READS 500

static struct {
	int64_t n;
	atomic_llong answered;
	atomic_int is_over;
} race;

static void *write_on(void *arg)
{
	(void)arg;
	for (int64_t i = 1; !atomic_load(&race.is_over); i++) {
		if (store_begin(store, NULL) || store_touch(store, race.n, 1000 + i, NULL) ||
		    store_commit(store, NULL))
			abort();
		atomic_store_explicit(&race.answered, i, memory_order_release);
	}
	return NULL;
}

static void what_was_answered_is_never_missed(void **state)
{
	struct lease l = scratch_insert("cbx_000000000001");
	pthread_t thread;
	int64_t cached = 0, hits = 0, missed = 0;
	uint64_t cached_version = 0;

	(void)state;
	/* Durability is not tested here. */
	assert_int_equal(store_exec(store, "PRAGMA synchronous = OFF", "setting up", NULL), 0);
	race.n = l.n;
	atomic_store(&race.answered, 0);
	atomic_store(&race.is_over, 0);
	assert_int_equal(pthread_create(&thread, NULL, write_on, NULL), 0);
	for (int reads = 0; reads < READS && !missed;) {
		int64_t answered = atomic_load_explicit(&race.answered, memory_order_acquire);
		uint64_t version = store_data_version(reader);

		if (version == cached_version) {
			hits++;
		} else {
			assert_int_equal(store_snapshot_begin(reader, NULL), 0);
			cached = touched(l.n);
			store_snapshot_end(reader);
			cached_version = version;
			reads++;
		}
		missed = cached < 1000 + answered;
	}
	atomic_store(&race.is_over, 1);
	pthread_join(thread, NULL);
	print_message("%d read, %lld cached\n", READS, (long long)hits);
	assert_int_equal(missed, 0);
	assert_int_not_equal(cached_version, 0);
}

/* Of a log whose index is not what this program knows, nothing is concluded. */
static void an_index_of_another_kind_tells_nothing(void **state)
{
	static const struct {
		off_t offset;
		unsigned char byte;
	} rows[] = { { 0, 0xff }, { 12, 0 } };
	uint64_t before;
	char index[120];
	int fd;

	(void)state;
	scratch_insert("cbx_000000000001");
	before = store_data_version(reader);
	assert_int_not_equal(before, 0);
	snprintf(index, sizeof(index), "%s-shm", path);
	fd = open(index, O_RDWR);
	assert_true(fd >= 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned char byte;

		assert_int_equal(pread(fd, &byte, 1, rows[i].offset), 1);
		assert_int_not_equal(byte, rows[i].byte);
		assert_int_equal(pwrite(fd, &rows[i].byte, 1, rows[i].offset), 1);
		assert_int_equal(store_data_version(reader), 0);
		assert_int_equal(pwrite(fd, &byte, 1, rows[i].offset), 1);
		assert_int_equal(store_data_version(reader), before);
	}
	close(fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(every_commit_changes_it_and_nothing_else_does),
		TEST(commits_of_all_connections_and_processes_count),
		TEST(versions_survive_a_reset_of_the_log),
		TEST(without_a_log_there_is_none),
		TEST(an_index_of_another_kind_tells_nothing),
		TEST(a_snapshot_is_of_one_moment),
		TEST(what_was_answered_is_never_missed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
