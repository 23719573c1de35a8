/* SPDX-License-Identifier: MIT */
#include "driver/postgres.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <libpq-fe.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "util/alloc.h"
#include "util/bug.h"

#define BINARIES "/usr/lib/postgresql/*/bin"
#define READY_MS 60000
#define LOOK_MS 250

struct postgres {
	char folder[96];
	char bin[128];
	const char *given; /* LESSOR_TEST_PG */
	char **urls;
	size_t count;
	pid_t pid; /* of the server; 0: it is not ours, or does not run */
};

static int64_t mono_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static char *url_of(const struct postgres *pg, const char *database)
{
	const char *given = pg->given;

	if (given)
		return xasprintf("%s%s%s", given, given[strlen(given) - 1] == '/' ? "" : "/",
				 database);
	return xasprintf("postgresql:///%s?host=%s&user=postgres", database, pg->folder);
}

/* The newest version's programs. */
static int binaries_find(char *ret, size_t size)
{
	glob_t found = { 0 };
	int rc = glob(BINARIES, 0, NULL, &found);

	if (rc == 0)
		snprintf(ret, size, "%s", found.gl_pathv[found.gl_pathc - 1]);
	globfree(&found);
	return rc;
}

/* In the child: it must not outlive the test, and the server refuses to be root. */
static void child_begin(const struct postgres *pg)
{
	const struct passwd *user = geteuid() == 0 ? getpwnam("postgres") : NULL;
	char log[128];
	int fd;

	if (user && (initgroups(user->pw_name, user->pw_gid) || setgid(user->pw_gid) ||
		     setuid(user->pw_uid)))
		_exit(126);
	prctl(PR_SET_PDEATHSIG, SIGQUIT);
	snprintf(log, sizeof(log), "%s/log", pg->folder);
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd >= 0) {
		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
	}
	if (chdir(pg->folder))
		_exit(126);
}

static void log_show(const struct postgres *pg)
{
	char line[256];
	auto_free char *path = xasprintf("%s/log", pg->folder);
	FILE *f = fopen(path, "re");

	while (f && fgets(line, sizeof(line), f))
		fputs(line, stderr);
	if (f)
		fclose(f);
}

static void cluster_make(const struct postgres *pg)
{
	auto_free char *program = xasprintf("%s/initdb", pg->bin);
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		child_begin(pg);
		execl(program, program, "-D", "data", "-U", "postgres", "-A", "trust", "-E", "UTF8",
		      "--locale=C", "--no-sync", (char *)NULL);
		_exit(127);
	}
	BUG_ON(pid < 0 || waitpid(pid, &status, 0) != pid);
	if (status)
		log_show(pg);
	BUG_ON(status);
}

/* Waits until the server notes its state in postmaster.pid, or a moment. */
static void state_wait(int watch)
{
	char events[4096];
	struct pollfd fd = { .fd = watch, .events = POLLIN };

	if (poll(&fd, 1, LOOK_MS) > 0 && read(watch, events, sizeof(events)) < 0)
		BUG_ON(errno != EAGAIN);
}

static void server_run(const struct postgres *pg)
{
	auto_free char *program = xasprintf("%s/postgres", pg->bin);

	child_begin(pg);
	execl(program, program, "-D", "data", "-k", pg->folder, "-c", "listen_addresses=", "-c",
	      "max_connections=100", "-c", "shared_buffers=16MB", "-c", "log_min_messages=error",
	      "-c", "fsync=off", (char *)NULL);
	_exit(127);
}

static void server_start(struct postgres *pg)
{
	auto_free char *url = url_of(pg, "postgres");
	auto_close int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	auto_free char *data = xasprintf("%s/data", pg->folder);
	int64_t until_ms = mono_ms() + READY_MS;

	BUG_ON(watch < 0 || inotify_add_watch(watch, data, IN_MODIFY | IN_CREATE) < 0);
	pg->pid = fork();
	BUG_ON(pg->pid < 0);
	if (pg->pid == 0)
		server_run(pg);
	while (PQping(url) != PQPING_OK) {
		int has_ended = waitpid(pg->pid, NULL, WNOHANG) != 0;

		if (has_ended || mono_ms() > until_ms)
			log_show(pg);
		BUG_ON(has_ended || mono_ms() > until_ms);
		state_wait(watch);
	}
}

struct postgres *postgres_start(void)
{
	const char *given = getenv("LESSOR_TEST_PG");
	const char *tmp = getenv("TMPDIR");
	struct postgres *pg = xcalloc(1, sizeof(*pg));

	pg->given = given;
	if (given)
		return pg;
	if (binaries_find(pg->bin, sizeof(pg->bin))) {
		fprintf(stderr, "skipped: there is no PostgreSQL server (package postgresql)\n");
		free(pg);
		return NULL;
	}
	snprintf(pg->folder, sizeof(pg->folder), "%.40s/lessor-pg-XXXXXX", tmp ? tmp : "/tmp");
	BUG_ON(!mkdtemp(pg->folder));
	if (geteuid() == 0) {
		const struct passwd *user = getpwnam("postgres");

		BUG_ON(!user || chown(pg->folder, user->pw_uid, user->pw_gid));
	}
	cluster_make(pg);
	server_start(pg);
	return pg;
}

void postgres_stop(struct postgres *pg)
{
	auto_free char *command = NULL;

	if (!pg)
		return;
	if (pg->pid)
		postgres_crash(pg);
	for (size_t i = 0; i < pg->count; i++)
		free(pg->urls[i]);
	free(pg->urls);
	if (pg->folder[0]) {
		command = xasprintf("rm -rf '%s'", pg->folder);
		BUG_ON(system(command));
	}
	free(pg);
}

const char *postgres_database(struct postgres *pg)
{
	auto_free char *admin = url_of(pg, "postgres");
	auto_free char *name = xasprintf("lessor_%d_%zu", (int)getpid(), pg->count);
	auto_free char *sql = xasprintf("DROP DATABASE IF EXISTS %s; CREATE DATABASE %s", name,
					name);
	char *second = strchr(sql, ';');

	*second++ = '\0';
	postgres_sql(admin, sql);
	postgres_sql(admin, second);
	pg->urls = xgrow(pg->urls, pg->count, sizeof(*pg->urls));
	pg->urls[pg->count] = url_of(pg, name);
	return pg->urls[pg->count++];
}

const char *postgres_socket_folder(const struct postgres *pg)
{
	return pg->folder[0] ? pg->folder : NULL;
}

int postgres_can_crash(const struct postgres *pg)
{
	return pg->folder[0] != '\0';
}

void postgres_crash(struct postgres *pg)
{
	/* "Immediate shutdown": no clean up, the next start recovers as after a crash. */
	BUG_ON(kill(pg->pid, SIGQUIT));
	BUG_ON(waitpid(pg->pid, NULL, 0) != pg->pid);
	pg->pid = 0;
}

void postgres_restart(struct postgres *pg)
{
	BUG_ON(pg->pid);
	server_start(pg);
}

static void notice_ignore(void *arg, const char *message)
{
	(void)arg;
	(void)message;
}

static PGresult *sql_run(const char *url, const char *sql, PGconn **ret)
{
	PGconn *conn = PQconnectdb(url);
	PGresult *result;
	ExecStatusType status;

	PQsetNoticeProcessor(conn, notice_ignore, NULL);
	result = PQexec(conn, sql);
	status = PQresultStatus(result);
	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		fprintf(stderr, "%s: %s\n", sql, PQerrorMessage(conn));
	BUG_ON(status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK);
	*ret = conn;
	return result;
}

void postgres_sql(const char *url, const char *sql)
{
	PGconn *conn;

	PQclear(sql_run(url, sql, &conn));
	PQfinish(conn);
}

int64_t postgres_number(const char *url, const char *sql)
{
	PGconn *conn;
	PGresult *result = sql_run(url, sql, &conn);
	int64_t n;

	BUG_ON(PQntuples(result) != 1);
	n = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
	PQclear(result);
	PQfinish(conn);
	return n;
}

void postgres_clear(const char *url)
{
	postgres_sql(url, "DROP SCHEMA public CASCADE; CREATE SCHEMA public");
}
