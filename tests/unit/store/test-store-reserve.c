/* SPDX-License-Identifier: MIT */
/*
 * D4 to D6 at the store: another process's lock, and a full disk. The disk is played, by its size
 * and that of the store's files, so that this needs no file system of its own (tests/api has
 * that: test_disk.py, test_lock.py).
 */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scratch.h"
#include "store/sqlite/reserve.h"
#include "store/runs.h"
#include "unit/test.h"
#include "vfs.h"

#define MIB (1024 * 1024)
/* The leases of a full store: each takes some pages of the log. */
#define MANY 2000

/* ---- a disk ------------------------------------------------------------------------- */

static int64_t disk_bytes; /* 0: without end */
static int64_t log_end;	   /* allocated in the log */

static int64_t size_of(const char *end)
{
	char name[128];
	struct stat st;

	snprintf(name, sizeof(name), "%s%s", path, end);
	return stat(name, &st) ? 0 : st.st_size;
}

static int64_t disk_used(void)
{
	int64_t log = size_of("-wal");

	return size_of("") + size_of("-shm") + size_of(".reserve") +
	       (log > log_end ? log : log_end);
}

static int64_t disk_free(const char *at)
{
	(void)at;
	if (!disk_bytes)
		return INT64_MAX;
	return disk_bytes > disk_used() ? disk_bytes - disk_used() : 0;
}

static int disk_allocate(int fd, int keep_size, int64_t at, int64_t len)
{
	int64_t had = keep_size ? log_end : size_of(".reserve");

	if (at + len > had && at + len - had > disk_free(NULL))
		return ENOSPC;
	if (keep_size && at + len > had)
		log_end = at + len;
	else if (!keep_size && at + len > had && ftruncate(fd, at + len))
		return errno;
	return 0;
}

/* Everything that is free is taken by others. */
static void disk_fill(void)
{
	disk_bytes = disk_used();
}

static int setup(void **state)
{
	static const struct reserve_disk disk = { .allocate = disk_allocate,
						  .free_bytes = disk_free };
	struct err err = { 0 };

	disk_bytes = log_end = 0;
	reserve_disk_set(&disk);
	if (scratch_setup(state))
		return -1;
	if (store_reserve_keep(store, &err))
		fail_msg("%s", err.text);
	return 0;
}

static int teardown(void **state)
{
	int rc = scratch_teardown(state);

	reserve_disk_set(NULL);
	return rc;
}

/* What a restart does; after a kill the log stays, here it is written back. */
static int reopen(struct err *err)
{
	store_close(store);
	store = NULL;
	log_end = 0;
	return store_open(path, &env, &store, err) || store_reserve_keep(store, err) ? -1 : 0;
}

/* -1: there is no room. */
static int insert_one(struct err *err)
{
	static int number;
	struct lease l;
	char id[24];

	snprintf(id, sizeof(id), "cbx_%012d", ++number);
	l = scratch_lease(id);
	if (store_begin(store, err))
		return -1;
	assert_int_equal(store_lease_insert(store, &l, err), 0);
	assert_int_equal(store_commit(store, err), 0);
	return 0;
}

/* ---- full ----------------------------------------------------------------------------- */

static void d5_the_reserve_is_kept_beside_the_database(void **state)
{
	char name[128];
	struct stat st;

	(void)state;
	snprintf(name, sizeof(name), "%s.reserve", path);
	assert_int_equal(stat(name, &st), 0);
	assert_int_equal(st.st_size, RESERVE_BYTES);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(insert_one(NULL), 0);
	assert_int_equal(store_state(store), STORE_WRITABLE);
	/* Secured before the transaction. */
	assert_true(log_end >= RESERVE_AHEAD);
}

/* It is given back in pieces; then nothing can begin; nothing breaks, and it is made again. */
static void d5_a_full_disk_uses_the_reserve_and_recovers(void **state)
{
	struct err err = { 0 };
	struct store *reader;
	struct lease back;
	int count = 0, low = 0;

	(void)state;
	insert_one(NULL);
	/* Whoever reads this for long keeps the log from beginning anew. */
	assert_int_equal(store_open_reader(path, &reader, &err), 0);
	assert_int_equal(store_snapshot_begin(reader, &err), 0);
	assert_int_equal(store_lease_by_n(reader, 1, &back, &err), 0);
	disk_fill();
	while (count < MANY && insert_one(&err) == 0) {
		enum store_state now = store_state(store);

		count++;
		if (now == STORE_RESERVE && !low++)
			assert_true(size_of(".reserve") > 0);
		if (low)
			assert_int_equal(now, STORE_RESERVE);
	}
	assert_in_range(low, 50, MANY);
	assert_int_equal(err.kind, ERR_BUSY);
	assert_non_null(strstr(err.text, "no room"));
	assert_int_equal(store_state(store), STORE_FULL);
	assert_int_equal(size_of(".reserve"), 0);
	assert_false(store_broken(store));
	assert_int_equal(insert_one(&err), -1);
	store_snapshot_end(reader);
	store_close(reader);
	disk_bytes += 64 * MIB;
	assert_int_equal(insert_one(&err), 0);
	assert_int_equal(store_state(store), STORE_WRITABLE);
	assert_int_equal(size_of(".reserve"), RESERVE_BYTES);
}

/* Changes of what is there need no more of the disk, as the log is used again and again. */
static void d5_on_the_reserve_the_log_stays_short(void **state)
{
	struct lease l;
	int64_t used;

	(void)state;
	insert_one(NULL);
	l = scratch_insert("cbx_1");
	disk_fill();
	while (store_state(store) == STORE_WRITABLE)
		assert_int_equal(insert_one(NULL), 0);
	used = size_of(".reserve");
	for (int i = 0; i < 300; i++) {
		assert_int_equal(store_begin(store, NULL), 0);
		l.due_ms++;
		assert_int_equal(store_lease_update(store, &l, NULL), 0);
		assert_int_equal(store_commit(store, NULL), 0);
	}
	assert_int_equal(store_state(store), STORE_RESERVE);
	assert_true(size_of(".reserve") + MIB > used);
	assert_true(size_of(".reserve") > 0);
	assert_int_equal(store_check(store, NULL), 0);
}

static void d5_a_restart_on_a_full_disk_uses_the_reserve(void **state)
{
	struct err err = { 0 };

	(void)state;
	insert_one(NULL);
	store_close(store);
	store = NULL;
	log_end = 0;
	disk_fill();
	if (reopen(&err) || insert_one(&err))
		fail_msg("%s", err.text);
	assert_int_equal(store_state(store), STORE_RESERVE);
	assert_in_range(size_of(".reserve"), 1, RESERVE_BYTES - 1);
	/* And once more. */
	disk_fill();
	if (reopen(&err) || insert_one(&err))
		fail_msg("%s", err.text);
	disk_bytes = 0;
	assert_int_equal(insert_one(&err), 0);
	assert_int_equal(store_state(store), STORE_WRITABLE);
}

static void d6_without_room_and_reserve_nothing_is_opened(void **state)
{
	struct err err = { 0 };
	char name[128];

	(void)state;
	insert_one(NULL);
	store_close(store);
	store = NULL;
	log_end = 0;
	snprintf(name, sizeof(name), "%s.reserve", path);
	assert_int_equal(unlink(name), 0);
	disk_fill();
	assert_int_equal(store_open(path, &env, &store, &err), -1);
	assert_true(store_err_is_full(&err));
	assert_non_null(strstr(err.text, "is full"));
	/* Nothing was made. */
	assert_int_equal(size_of("-shm"), 0);
	/* A view needs no room. */
	assert_int_equal(store_open_view(path, &store, &err), 0);
	store_close(store);
	store = NULL;
	disk_bytes = 0;
	assert_int_equal(store_open(path, &env, &store, &err), 0);
}

/* The log and its index stay when a process is killed: a view makes an index in memory. */
static void d6_a_view_of_a_killed_daemons_files_writes_nothing(void **state)
{
	char command[512];
	struct store *view;
	struct lease back;
	int64_t size;

	(void)state;
	scratch_insert("cbx_1");
	/* As a kill leaves them. */
	snprintf(command, sizeof(command),
		 "mkdir -m 700 %s/k && cp -p %s %s-wal %s/k && : >%s/k/db-shm", folder, path, path,
		 folder, folder);
	assert_int_equal(system(command), 0);
	snprintf(command, sizeof(command), "%s/k/db", folder);
	assert_int_equal(chmod(command, 0600), 0);
	assert_int_equal(store_open_view(command, &view, NULL), 0);
	assert_int_equal(store_lease_by_id(view, "cbx_1", &back, NULL), 0);
	store_close(view);
	snprintf(command, sizeof(command), "%s/k/db-shm", folder);
	struct stat st;

	assert_int_equal(stat(command, &st), 0);
	size = st.st_size;
	assert_int_equal(size, 0);
}

/* ---- locked, overwritten ---------------------------------------------------------------- */

static void d4_a_lock_of_another_process_is_a_state(void **state)
{
	struct store *tool = NULL;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(store_open_tool(path, &env, &tool, &err), 0);
	assert_int_equal(store_begin(tool, &err), 0);
	assert_int_equal(store_begin(store, &err), -1);
	assert_int_equal(err.kind, ERR_BUSY);
	assert_non_null(strstr(err.text, "another process holds its write lock"));
	assert_int_equal(store_state(store), STORE_LOCKED);
	store_rollback(tool);
	assert_int_equal(insert_one(&err), 0);
	assert_int_equal(store_state(store), STORE_WRITABLE);
	store_close(tool);
}

/* The name leads to the same file, and its content is another. */
static void d1_a_database_overwritten_in_place_is_noticed(void **state)
{
	char command[512];
	struct err err = { 0 };

	(void)state;
	scratch_insert("cbx_1");
	snprintf(command, sizeof(command), "cp %s %s.old && cat %s.old >%s", path, path, path, path);
	assert_int_equal(system(command), 0);
	assert_int_equal(store_begin(store, &err), -1);
	assert_non_null(strstr(err.text, "overwritten"));
	assert_true(store_broken(store));
}

/* Checkpoints of this and of other connections write there, too. */
static void d1_checkpoints_are_not_taken_for_that(void **state)
{
	sqlite3 *db;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	for (int i = 0; i < 50; i++) {
		if (insert_one(&err))
			fail_msg("%s", err.text);
		assert_int_equal(sqlite3_exec(db,
					      i % 2 ? "PRAGMA wal_checkpoint" :
						      "PRAGMA wal_checkpoint(TRUNCATE)",
					      NULL, NULL, NULL),
				 SQLITE_OK);
	}
	sqlite3_close(db);
	assert_int_equal(insert_one(&err), 0);
}

/* ---- sentences -------------------------------------------------------------------------- */

static void d5_codes_of_sqlite_are_sentences(void **state)
{
	static const struct {
		int code;
		const char *part;
	} codes[] = {
		{ SQLITE_FULL, "no room left on its file system; free some" },
		{ SQLITE_IOERR_WRITE, "the disk or its file system fails" },
		{ SQLITE_READONLY, "read-only" },
		{ SQLITE_IOERR_NOMEM, "not enough memory" },
		{ SQLITE_CANTOPEN, "cannot be opened" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		struct vfs_fault fault = {
			.op = VFS_WRITE, .nth = 1, .code = codes[i].code, .for_good = 1
		};
		struct lease l = scratch_lease("cbx_1");
		struct err err = { 0 };

		vfs_set(&fault);
		assert_int_equal(store_begin(store, &err), 0);
		assert_int_equal(store_lease_insert(store, &l, &err) || store_commit(store, &err),
				 1);
		vfs_set(NULL);
		if (!strstr(err.text, codes[i].part) || strstr(err.text, "disk I/O error"))
			fail_msg("%d: %s", codes[i].code, err.text);
		assert_int_equal(reopen(&err), 0);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(d5_the_reserve_is_kept_beside_the_database),
		TEST(d5_a_full_disk_uses_the_reserve_and_recovers),
		TEST(d5_on_the_reserve_the_log_stays_short),
		TEST(d5_a_restart_on_a_full_disk_uses_the_reserve),
		TEST(d6_without_room_and_reserve_nothing_is_opened),
		TEST(d6_a_view_of_a_killed_daemons_files_writes_nothing),
		TEST(d4_a_lock_of_another_process_is_a_state),
		TEST(d1_a_database_overwritten_in_place_is_noticed),
		TEST(d1_checkpoints_are_not_taken_for_that),
		TEST(d5_codes_of_sqlite_are_sentences),
	};

	if (vfs_install())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
