/* SPDX-License-Identifier: MIT */
/* The online backup: a pair of whole copies, or the previous one and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scratch.h"
#include "store/backup.h"
#include "util/text.h"
#include "vfs.h"

#define FIRST "cbx_000000000001"
#define SECOND "cbx_000000000002"

static char copies[96], target[128], target_runs[STORE_RUNS_PATH_SIZE];

static int setup(void **state)
{
	if (scratch_setup(state))
		return -1;
	snprintf(copies, sizeof(copies), "%s/copies", folder);
	snprintf(target, sizeof(target), "%s/lessor.db", copies);
	store_runs_path(target, target_runs);
	scratch_open_runs();
	scratch_insert(FIRST);
	return mkdir(copies, 0700);
}

/* ---- helpers ------------------------------------------------------------------------ */

static int parts_left; /* -1: no limit */

static int stop(void)
{
	return parts_left >= 0 && parts_left-- == 0;
}

static int backup_from(const char *from, struct store_backup_result *ret, struct err *err)
{
	struct store_backup *backup = NULL;
	int rc;

	*err = (struct err){ 0 };
	assert_int_equal(store_backup_open(from, &backup, err), 0);
	rc = store_backup_write(backup, target, stop, ret, err);
	store_backup_close(backup);
	return rc;
}

static struct store_backup_result back_up(void)
{
	struct store_backup_result result;
	struct err err;

	parts_left = -1;
	if (backup_from(path, &result, &err))
		fail_msg("%s", err.text);
	return result;
}

/* How many leases the copy has; nothing is left beside it. */
static int64_t leases_in_copy(void)
{
	char uri[160];
	sqlite3 *db;
	sqlite3_stmt *stmt;
	int64_t count;

	snprintf(uri, sizeof(uri), "file://%s?immutable=1", target);
	assert_int_equal(sqlite3_open_v2(uri, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL), 0);
	assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM lease", -1, &stmt, NULL), 0);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	count = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return count;
}

static int file_count(void)
{
	DIR *dir = opendir(copies);
	const struct dirent *entry;
	int count = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

static ino_t inode(const char *name)
{
	struct stat st;

	assert_int_equal(stat(name, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	return st.st_ino;
}

/* ---- cases -------------------------------------------------------------------------- */

static void u13_a_copy_is_whole_and_alone(void **state)
{
	struct store_backup_result result = back_up();
	struct signer signer;

	(void)state;
	assert_int_equal(store_signer(store, &signer, NULL), 0);
	assert_string_equal(result.instance, signer.instance);
	assert_string_equal(result.runs_path, target_runs);
	assert_true(result.bytes > 0 && result.runs_bytes > 0 && !result.runs_failed);
	assert_int_equal(leases_in_copy(), 1);
	assert_int_equal(file_count(), 2);
}

/* What is committed while it is copied belongs to the next one. */
static void u13_a_snapshot_ignores_later_commits(void **state)
{
	struct store_backup_result result;
	struct store_backup *backup;
	struct err err = { 0 };

	(void)state;
	parts_left = -1;
	assert_int_equal(store_backup_open(path, &backup, &err), 0);
	scratch_insert(SECOND);
	assert_int_equal(store_backup_write(backup, target, stop, &result, &err), 0);
	store_backup_close(backup);
	assert_int_equal(leases_in_copy(), 1);
	back_up();
	assert_int_equal(leases_in_copy(), 2);
}

static void u13_one_that_is_stopped_keeps_the_previous_one(void **state)
{
	struct store_backup_result result;
	ino_t leases, history;
	struct err err;
	int at = 0;

	(void)state;
	back_up();
	leases = inode(target);
	history = inode(target_runs);
	scratch_insert(SECOND);
	for (;; at++) {
		parts_left = at;
		if (backup_from(path, &result, &err) == 0)
			break;
		assert_non_null(strstr(err.text, "stopped by a signal"));
		assert_int_equal(inode(target), leases);
		assert_int_equal(inode(target_runs), history);
		assert_int_equal(file_count(), 2);
	}
	assert_true(at >= 2);
	assert_int_equal(leases_in_copy(), 2);
}

/* A full or a broken disk, at each write. */
static void u13_a_write_that_fails_keeps_the_previous_one(void **state)
{
	static const int codes[] = { SQLITE_FULL, SQLITE_IOERR_WRITE };
	struct store_backup_result result;
	struct err err;
	ino_t leases;
	int failed = 0;

	(void)state;
	back_up();
	leases = inode(target);
	scratch_insert(SECOND);
	for (int nth = 1; nth < 400; nth += 3) {
		struct vfs_fault fault = {
			.op = VFS_WRITE,
			.nth = nth,
			.code = codes[nth % 2],
			.for_good = 1,
		};
		int rc;

		parts_left = -1;
		vfs_set(&fault);
		rc = backup_from(path, &result, &err);
		vfs_set(NULL);
		assert_int_equal(file_count(), 2);
		if (rc == 0)
			break;
		failed++;
		assert_int_equal(err.kind, ERR_IO);
		assert_non_null(strstr(err.text, "cannot write "));
		assert_int_equal(inode(target), leases);
		assert_int_equal(leases_in_copy(), 1);
	}
	assert_true(failed > 3);
	assert_int_equal(leases_in_copy(), 2);
	/* The source is not touched by any of it. */
	assert_int_equal(store_broken(store), 0);
	assert_int_equal(store_check(store, NULL), 0);
}

/* As before an upgrade: it is copied as it is. */
static void u13_an_older_schema_is_copied(void **state)
{
	struct store_backup_result result;
	struct err err;
	char old[128], command[512];

	(void)state;
	snprintf(old, sizeof(old), "%s/old", folder);
	snprintf(command, sizeof(command), "rm -f '%s'", old);
	assert_int_equal(system(command), 0);
	{
		sqlite3 *db;
		FILE *file = fopen(SCHEMA_7, "re");
		char *text = calloc(1, 4 << 20);

		assert_non_null(file);
		assert_non_null(text);
		assert_true(fread(text, 1, (4 << 20) - 1, file) > 0);
		fclose(file);
		assert_int_equal(sqlite3_open(old, &db), 0);
		assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), 0);
		sqlite3_close(db);
		free(text);
	}
	parts_left = -1;
	if (backup_from(old, &result, &err))
		fail_msg("%s", err.text);
	assert_int_equal(result.runs_bytes, 0);
	assert_int_equal(file_count(), 1);
	assert_true(leases_in_copy() > 0);
}

static void u13_without_a_database_there_is_none(void **state)
{
	struct store_backup *backup;
	char none[128];

	(void)state;
	snprintf(none, sizeof(none), "%s/none", folder);
	assert_int_equal(store_backup_open(none, &backup, NULL), 1);
	assert_int_equal(file_count(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, scratch_teardown)
		TEST(u13_a_copy_is_whole_and_alone),
		TEST(u13_a_snapshot_ignores_later_commits),
		TEST(u13_one_that_is_stopped_keeps_the_previous_one),
		TEST(u13_a_write_that_fails_keeps_the_previous_one),
		TEST(u13_an_older_schema_is_copied),
		TEST(u13_without_a_database_there_is_none),
	};

	if (vfs_install())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
