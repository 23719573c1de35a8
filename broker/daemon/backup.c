/* SPDX-License-Identifier: MIT */
/*
 * lessord backup: for an operator or a timer, whether a daemon runs or not. Reads the database
 * only. See store/backup.h for what it promises.
 */
#include "daemon/backup.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/file_owner.h"
#include "store/backup.h"
#include "util/alloc.h"

/* Usually the second try finds the daemon that has just opened the database. */
#define TRIES 5

static volatile sig_atomic_t is_stopped;

static void on_stop(int number)
{
	is_stopped = number;
}

static int stop_requested(void)
{
	return is_stopped != 0;
}

/* A signal, or a limit on the size of files, ends the copy, not the process: it cleans up. */
static void signals_set(void)
{
	static const int stops[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = on_stop };

	for (size_t i = 0; i < ARRAY_LEN(stops); i++)
		sigaction(stops[i], &action, NULL);
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
}

static char *absolute_path(const char *path, struct err *err)
{
	char folder[PATH_MAX];

	if (path[0] == '/')
		return xstrdup(path);
	if (!getcwd(folder, sizeof(folder))) {
		err_set_errno(err, errno, "cannot determine the current directory");
		return NULL;
	}
	return xasprintf("%s/%s", folder, path);
}

/* Opened as the user who owns the database: root must leave no files of its own beside it. */
static int source_open(const char *path, struct store_backup **ret, struct err *err)
{
	int rc;

	if (file_owner_borrow(path, err))
		return -1;
	rc = store_backup_open(path, ret, err);
	/* Whatever it is, the database cannot be opened. */
	if (rc < 0 && err->kind != ERR_BUSY)
		err->kind = ERR_REFUSED;
	if (file_owner_return(rc < 0 ? NULL : err)) {
		if (!rc)
			store_backup_close(*ret);
		return -1;
	}
	return rc;
}

static int backup_once(const char *path, const char *target, struct store_backup_result *ret,
		       struct err *err)
{
	struct store_backup *backup;
	int rc = source_open(path, &backup, err);

	if (rc)
		return rc;
	/* Into a directory of the daemon's user: readable for that user's next backup. */
	if (file_owner_is_same(path, target) && file_owner_become(target, err))
		rc = -1;
	else
		rc = store_backup_write(backup, target, stop_requested, ret, err);
	store_backup_close(backup);
	return rc;
}

static int error_code(const struct err *err)
{
	switch (err->kind) {
	case ERR_INVALID:
		return EXIT_USAGE;
	case ERR_REFUSED:
	case ERR_BUSY:
		return EXIT_STORE;
	default:
		return EXIT_RUNTIME;
	}
}

static int result_print(const char *target, const struct store_backup_result *result)
{
	printf("%s: database of instance %s, %" PRId64 " bytes, checked\n", target,
	       result->instance, result->bytes);
	if (result->runs_bytes)
		printf("%s: its run history, %" PRId64 " bytes, checked\n", result->runs_path,
		       result->runs_bytes);
	if (!result->runs_failed)
		return EXIT_OK;
	fprintf(stderr, "lessord: the database is backed up, but not its run history: %s\n",
		result->runs_err.text);
	return EXIT_STORE;
}

/* A copy by us would be neither as complete nor as recent as one by PostgreSQL's own tools. */
static int refuse_postgres(const char *name)
{
	fprintf(stderr,
		"lessord: %s is a PostgreSQL database; back it up with PostgreSQL's own tools: "
		"pg_basebackup and an archive of the write-ahead log, from which any moment can be "
		"restored, or pg_dump for a copy; see SEVERAL DAEMONS in lessord(8)\n",
		name);
	return EXIT_USAGE;
}

static int backup_run(const char *path, const char *target_name)
{
	auto_free char *target = NULL;
	struct store_backup_result result;
	struct err err = { 0 };
	int rc = -1;

	if (store_is_missing(path))
		return command_line_no_store(path);
	target = absolute_path(target_name, &err);
	if (!target)
		return command_line_fail(&err, EXIT_RUNTIME);
	for (int i = 0; i < TRIES && rc < 0; i++) {
		err = (struct err){ 0 };
		rc = backup_once(path, target, &result, &err);
		if (rc < 0 && err.kind != ERR_BUSY)
			break;
	}
	if (rc < 0) {
		err_prefix(&err, "no backup was made: ");
		return command_line_fail(&err, error_code(&err));
	}
	return rc ? command_line_no_store(path) : result_print(target, &result);
}

int backup_command(const struct command_line *line)
{
	struct command_store store;
	int code = command_line_store(line, &store);

	if (code != EXIT_OK)
		return code;
	umask(077);
	signals_set();
	if (store.is_postgres)
		code = refuse_postgres(store.name);
	else
		code = backup_run(store.name, line->target);
	command_store_fini(&store);
	return code;
}
