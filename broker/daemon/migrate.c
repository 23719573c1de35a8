/* SPDX-License-Identifier: MIT */
/* lessord migrate: once, by an operator, while no daemon runs. */
#include "daemon/migrate.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config/config.h"
#include "config/value.h"
#include "daemon/file_owner.h"
#include "store/move.h"
#include "util/alloc.h"

#define FILE_SCHEME "sqlite:"

struct migration {
	struct env env;
	struct store *from, *runs, *to;
	struct store_move *move;
};

static void migration_fini(struct migration *m)
{
	store_close(m->to);
	store_close(m->runs);
	store_close(m->from);
	store_move_free(m->move);
}

static int error_code(const struct err *err)
{
	if (err->kind == ERR_BUSY && err->native == EWOULDBLOCK)
		return EXIT_SECOND;
	return err->kind == ERR_REFUSED ? EXIT_STORE : EXIT_RUNTIME;
}

static int source_open(struct migration *m, const char *path, struct err *err)
{
	char runs_path[STORE_RUNS_PATH_SIZE];
	int is_lost;

	if (file_owner_become(path, err) || store_open_source(path, &m->env, &m->from, err) ||
	    store_open_runs(m->from, &m->env, &m->runs, &is_lost, err))
		return -1;
	if (is_lost) {
		store_runs_path(path, runs_path);
		fprintf(stderr, "lessord: the run history %s is missing, and is not moved\n",
			runs_path);
	}
	return 0;
}

static void result_print(const struct store_move_result *result, const char *path, const char *name)
{
	if (result->is_repeated) {
		printf("%s was moved to %s before; nothing was done\n", path, name);
		return;
	}
	printf("%s: %" PRId64 " leases, %" PRId64 " runs, %" PRId64 " rows in all, compared\n",
	       name, result->leases, result->runs, result->rows);
	if (result->mended)
		printf("%" PRId64 " texts were not valid UTF-8: the invalid bytes are now '?'\n",
		       result->mended);
	printf("%s is no longer used; keep it as a backup\n", path);
}

static int migrate(const char *path, const char *target, const char *name)
{
	struct migration m = { .from = NULL };
	struct store_move_result result = { .rows = 0 };
	struct err err = { 0 };
	int rc;

	if (store_is_missing(path))
		return command_line_no_store(path);
	env_system(&m.env);
	rc = source_open(&m, path, &err) || store_open_tool(target, &m.env, &m.to, &err);
	if (!rc) {
		m.move = store_move_new(m.from, m.runs, m.to);
		rc = store_move_run(m.move, &result, &err);
	}
	migration_fini(&m);
	if (rc)
		return command_line_fail(&err, error_code(&err));
	result_print(&result, path, name);
	return EXIT_OK;
}

/* The password comes from a file or the environment, by libpq's own rules. */
static int to_url(const char *path, const char *to)
{
	char url[256];
	struct err err = { 0 };
	int code;

	if (value_postgres(to, sizeof(url), url, &err) == 0) {
		code = command_line_name_check(url);
		return code == EXIT_OK ? migrate(path, url, url) : code;
	}
	if (err.kind == ERR_REFUSED)
		err_set(&err, ERR_REFUSED,
			"--to must not contain a password, which every user of this machine could "
			"read; use --config with [store] password_file, or a PGPASSFILE");
	err_prefix(&err, "--to: ");
	return command_line_fail(&err, EXIT_USAGE);
}

static int to_configured(const struct command_line *line, const char *path)
{
	struct command_store store;
	int code = command_line_store(line, &store);

	if (code != EXIT_OK)
		return code;
	if (store.is_postgres) {
		code = migrate(path, store.target, store.name);
	} else {
		fprintf(stderr,
			"lessord: %s has no PostgreSQL database to move to; set url in [store] and remove "
			"`store` from [server], or use --to\n",
			line->config);
		code = EXIT_USAGE;
	}
	command_store_fini(&store);
	return code;
}

int migrate_command(const struct command_line *line)
{
	const char *path = line->from;

	if (strncmp(path, FILE_SCHEME, strlen(FILE_SCHEME)) == 0)
		path += strlen(FILE_SCHEME);
	if (path[0] != '/') {
		fprintf(stderr,
			"lessord: --from needs sqlite: and the absolute path of a database\n");
		return EXIT_USAGE;
	}
	umask(077);
	return line->to ? to_url(path, line->to) : to_configured(line, path);
}
