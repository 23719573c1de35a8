/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit/test.h"
#include "scratch.h"
#include "store/sqlite/internal.h"
#include "util/text.h"
#include "vfs.h"

static void a_second_daemon_is_refused_a_tool_is_not(void **state)
{
	struct store *second = NULL;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(store_open(path, &env, &second, &err), -1);
	assert_int_equal(err.kind, ERR_BUSY);
	assert_non_null(strstr(err.text, "another lessord"));
	assert_int_equal(store_open_tool(path, &env, &second, &err), 0);
	store_close(second);
}

static void refused(const char *why)
{
	struct store *s = NULL;
	struct err err = { 0 };

	assert_int_equal(store_open(path, &env, &s, &err), -1);
	if (!strstr(err.text, why))
		fail_msg("expected '%s' in '%s'", why, err.text);
}

static void what_others_may_write_is_refused(void **state)
{
	(void)state;
	store_close(store);
	store = NULL;
	assert_int_equal(chmod(path, 0644), 0);
	refused("chmod 600");
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(chmod(folder, 0777), 0);
	refused("is writable by others");
	assert_int_equal(chmod(folder, 0700), 0);
}

static void a_link_is_refused(void **state)
{
	char target[128];

	(void)state;
	store_close(store);
	store = NULL;
	snprintf(target, sizeof(target), "%s.real", path);
	assert_int_equal(rename(path, target), 0);
	assert_int_equal(symlink(target, path), 0);
	refused("the store");
}

static void a_damaged_file_is_refused(void **state)
{
	int fd;

	(void)state;
	store_close(store);
	store = NULL;
	fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, "this is no database at all.....", 32, 0), 32);
	close(fd);
	refused("damaged");
	truncate(path, 700);
	refused("damaged");
}

static void a_damaged_page_is_found_at_start(void **state)
{
	char page[4096];
	int fd;

	(void)state;
	for (int i = 0; i < 20; i++) {
		char id[24];

		snprintf(id, sizeof(id), "cbx_%012d", i);
		scratch_insert(id);
	}
	store_close(store);
	store = NULL;
	memset(page, 0xee, sizeof(page));
	fd = open(path, O_WRONLY);
	/* From the second page on: inside a tree. */
	for (int i = 2; i < 12; i++)
		assert_int_equal(pwrite(fd, page, sizeof(page), 4096 * i), sizeof(page));
	close(fd);
	refused("damaged");
}

static void a_newer_schema_is_refused(void **state)
{
	sqlite3 *db;

	(void)state;
	store_close(store);
	store = NULL;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL);
	sqlite3_close(db);
	refused("newer lessord");
}

/*
 * A write fails at each point of a short life, once or permanently: nothing false is
 * acknowledged.
 */
static void a_failed_write_breaks_the_store_and_promises_nothing(void **state)
{
	static const int codes[] = { SQLITE_IOERR_WRITE, SQLITE_FULL };

	(void)state;
	for (int op = VFS_WRITE; op <= VFS_SYNC; op++) {
		for (long nth = 1; nth <= 6; nth++) {
			struct vfs_fault fault = { .op = (enum vfs_op)op, .nth = nth };
			struct lease back;
			char id[24];
			int promised;
			struct lease l;

			fault.code = op == VFS_SYNC ? SQLITE_IOERR_FSYNC : codes[nth % 2];
			fault.for_good = nth % 2;
			snprintf(id, sizeof(id), "cbx_%d%011ld", op, nth);
			l = scratch_lease(id);
			vfs_set(&fault);
			promised = store_begin(store, NULL) == 0 &&
				   store_lease_insert(store, &l, NULL) == 0 &&
				   store_commit(store, NULL) == 0;
			/*
			 * After a failed sync the outcome is unknown, so nothing may be
			 * acknowledged.
			 */
			if (op == VFS_SYNC && vfs_count(VFS_SYNC) >= nth)
				assert_false(promised);
			if (!promised)
				assert_true(store_broken(store));
			if (store_broken(store))
				assert_int_equal(store_begin(store, NULL), -1);
			vfs_set(NULL);
			store_close(store);
			store = scratch_open();
			if (promised)
				assert_int_equal(store_lease_by_id(store, id, &back, NULL), 0);
		}
	}
}

static void what_was_committed_survives_a_kill(void **state)
{
	(void)state;
	for (int k = 1; k <= 5; k++) {
		pid_t pid;
		int status;

		store_close(store);
		store = NULL;
		pid = fork();
		if (pid == 0) {
			store = scratch_open();
			for (int i = 0; i < k; i++) {
				char id[24];

				snprintf(id, sizeof(id), "cbx_%03d%09d", k, i);
				scratch_insert(id);
			}
			scratch_begin();
			struct lease l = scratch_lease("cbx_notcommitted");

			store_lease_insert(store, &l, NULL);
			kill(getpid(), SIGKILL);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		store = scratch_open();
		for (int i = 0; i < k; i++) {
			struct lease back;
			char id[24];

			snprintf(id, sizeof(id), "cbx_%03d%09d", k, i);
			assert_int_equal(store_lease_by_id(store, id, &back, NULL), 0);
		}
		struct lease back;

		assert_int_equal(store_lease_by_id(store, "cbx_notcommitted", &back, NULL), 1);
	}
}

/* ---- what the guard sees ---------------------------------------------------------- */

static void files_are_ours_alone_whatever_the_umask(void **state)
{
	static const char *const tails[] = { "", "-wal", "-shm", ".lock" };
	struct stat st;

	(void)state;
	store_close(store);
	unlink(path);
	umask(0);
	store = scratch_open();
	scratch_insert("cbx_1");
	umask(077);
	for (size_t i = 0; i < 4; i++) {
		char name[128];

		snprintf(name, sizeof(name), "%s%s", path, tails[i]);
		assert_int_equal(stat(name, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
	}
}

static void a_sticky_folder_is_refused_too(void **state)
{
	(void)state;
	store_close(store);
	store = NULL;
	assert_int_equal(chmod(folder, 01777), 0);
	refused("is writable by others");
	assert_int_equal(chmod(folder, 0700), 0);
}

static void a_file_that_was_cut_is_refused(void **state)
{
	struct stat st;

	(void)state;
	store_close(store);
	store = NULL;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(truncate(path, st.st_size - 4096), 0);
	refused("it ends after");
}

static void another_programs_database_is_refused(void **state)
{
	sqlite3 *db;

	(void)state;
	store_close(store);
	store = NULL;
	assert_int_equal(unlink(path), 0);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "CREATE TABLE bookmark(url)", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(chmod(path, 0600), 0);
	refused("another program");
}

static void the_lock_ends_with_its_holder(void **state)
{
	(void)state;
	store_close(store);
	store = scratch_open();
}

static void a_tool_makes_no_schema_under_a_daemons_lock(void **state)
{
	char name[128];
	struct store *tool = NULL;
	struct err err = { 0 };
	int fd;

	(void)state;
	store_close(store);
	store = NULL;
	assert_int_equal(unlink(path), 0);
	snprintf(name, sizeof(name), "%s.lock", path);
	fd = open(name, O_RDWR);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(store_open_tool(path, &env, &tool, &err), -1);
	assert_int_equal(err.kind, ERR_BUSY);
	close(fd);
	assert_int_equal(store_open_tool(path, &env, &tool, &err), 0);
	store_close(tool);
}

static void a_lock_held_by_another_writer_is_busy_and_breaks_nothing(void **state)
{
	struct store *tool = NULL;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(store_open_tool(path, &env, &tool, &err), 0);
	assert_int_equal(store_begin(tool, &err), 0);
	assert_int_equal(store_begin(store, &err), -1);
	assert_int_equal(err.kind, ERR_BUSY);
	assert_false(store_broken(store));
	store_rollback(tool);
	assert_int_equal(store_begin(store, &err), 0);
	store_rollback(store);
	store_close(tool);
}

/* ---- the disk ------------------------------------------------------------------------ */

/* Closing checkpoints the log; if that fails, the log still has everything. */
static void a_failed_checkpoint_loses_nothing(void **state)
{
	(void)state;
	for (int op = VFS_WRITE; op < VFS_OP_COUNT; op++) {
		for (long nth = 1; nth <= 6; nth++) {
			struct vfs_fault fault = {
				.op = (enum vfs_op)op, .nth = nth, .code = SQLITE_IOERR, .for_good = nth % 2,
			};
			struct lease back;
			struct err err = { 0 };
			char id[24];

			snprintf(id, sizeof(id), "cbx_%d%011ld", op, nth);
			scratch_insert(id);
			vfs_set(&fault);
			store_close(store);
			vfs_set(NULL);
			store = scratch_open();
			assert_int_equal(store_lease_by_id(store, id, &back, NULL), 0);
			if (store_check(store, &err))
				fail_msg("%s", err.text);
		}
	}
}

/* A child commits until the power fails, and reports each commit. */
static void live_until_the_power_goes(const struct vfs_fault *fault, int tell)
{
	struct store *s = NULL;

	vfs_set(fault);
	if (store_open(path, &env, &s, NULL))
		_exit(1);
	/* Frequent checkpoints, so that the power failure also hits one. */
	store_exec(s, "PRAGMA wal_autocheckpoint = 10", "", NULL);
	for (int i = 0;; i++) {
		struct lease l;
		char id[24];

		snprintf(id, sizeof(id), "cbx_%05u%07d", fault->seed, i);
		l = scratch_lease(id);
		if (store_begin(s, NULL) || store_lease_insert(s, &l, NULL) ||
		    store_touch(s, l.n, i + 1, NULL) ||
		    store_event_add(s, l.n, 1, "lease.created", "made", NULL) || store_commit(s, NULL) ||
		    write(tell, id, sizeof(id)) != (ssize_t)sizeof(id))
			_exit(1);
	}
}

static void what_was_promised_survives_a_power_cut(void **state)
{
	static char promised[4096][24];
	int count = 0;

	(void)state;
	store_close(store);
	store = NULL;
	for (uint32_t seed = 1; seed <= 40; seed++) {
		struct vfs_fault fault = {
			.op = seed % 3 ? VFS_WRITE : VFS_SYNC, .code = VFS_POWER_CUT, .seed = seed,
			.nth = seed % 3 ? 1 + seed * 97 % 900 : 1 + seed * 31 % 90,
		};
		int pipe_fds[2], status;
		struct err err = { 0 };
		char shm[128];
		pid_t pid;

		assert_int_equal(pipe(pipe_fds), 0);
		pid = fork();
		if (pid == 0)
			live_until_the_power_goes(&fault, pipe_fds[1]);
		close(pipe_fds[1]);
		while (count < 4096 && read(pipe_fds[0], promised[count], 24) == 24)
			count++;
		close(pipe_fds[0]);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), VFS_POWER_CUT_EXIT);
		/* Mapped memory does not survive a power failure. */
		snprintf(shm, sizeof(shm), "%s-shm", path);
		unlink(shm);
		store = scratch_open();
		for (int i = 0; i < count; i++) {
			struct lease back;

			if (store_lease_by_id(store, promised[i], &back, NULL))
				fail_msg("seed %u: %s was promised and is not there", seed, promised[i]);
		}
		if (store_check(store, &err))
			fail_msg("seed %u: %s", seed, err.text);
		store_close(store);
		store = NULL;
	}
	assert_true(count > 200);
	vfs_set(NULL);
}

/* Several first starts at once: one creates schema and identity, all agree. */
static void first_starts_at_once_agree(void **state)
{
	static const char *const ends[] = { "", "-wal", "-shm" };
	struct signer all[4], ours;
	int pipe_fds[2];

	(void)state;
	store_close(store);
	store = NULL;
	for (int round = 0; round < 5; round++) {
		int busy = 0;

		/* Processes that close it at the same moment may all leave the log to the others. */
		for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
			char name[256];

			snprintf(name, sizeof(name), "%s%s", path, ends[i]);
			unlink(name);
		}
		assert_int_equal(pipe(pipe_fds), 0);
		for (int i = 0; i < 4; i++) {
			struct store *tool = NULL;
			struct err err = { 0 };

			if (fork())
				continue;
			/* Busy is a valid answer; a retry succeeds. */
			alarm(60);
			while (store_open_tool(path, &env, &tool, &err)) {
				if (err.kind != ERR_BUSY)
					_exit(1);
			}
			if (store_signer(tool, &ours, NULL) ||
			    write(pipe_fds[1], &ours, sizeof(ours)) != (ssize_t)sizeof(ours))
				_exit(1);
			store_close(tool);
			_exit(0);
		}
		close(pipe_fds[1]);
		for (int i = 0; i < 4; i++) {
			int status;

			assert_int_equal(read(pipe_fds[0], &all[i], sizeof(all[i])), sizeof(all[i]));
			assert_memory_equal(&all[i], &all[0], sizeof(all[i]));
			assert_true(wait(&status) > 0);
			busy += status;
		}
		assert_int_equal(busy, 0);
		close(pipe_fds[0]);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_second_daemon_is_refused_a_tool_is_not),
		TEST(what_others_may_write_is_refused),
		TEST(a_link_is_refused),
		TEST(a_damaged_file_is_refused),
		TEST(a_damaged_page_is_found_at_start),
		TEST(a_newer_schema_is_refused),
		TEST(a_failed_write_breaks_the_store_and_promises_nothing),
		TEST(what_was_committed_survives_a_kill),
		TEST(files_are_ours_alone_whatever_the_umask),
		TEST(a_sticky_folder_is_refused_too),
		TEST(a_file_that_was_cut_is_refused),
		TEST(another_programs_database_is_refused),
		TEST(the_lock_ends_with_its_holder),
		TEST(a_tool_makes_no_schema_under_a_daemons_lock),
		TEST(a_lock_held_by_another_writer_is_busy_and_breaks_nothing),
		TEST(a_failed_checkpoint_loses_nothing),
		TEST(what_was_promised_survives_a_power_cut),
		TEST(first_starts_at_once_agree),
	};

	if (vfs_install())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
