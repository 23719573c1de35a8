/* SPDX-License-Identifier: MIT */
#include "driver/postgres_pair.h"

#include <fcntl.h>
#include <glob.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit/test.h"

static const char *const names[] = { "one", "two" };

static const char settings[] = "listen_addresses = ''\n"
			       "port = 5432\n"
			       "shared_buffers = 16MB\n"
			       /* No test takes the power away. */
			       "fsync = off\n"
			       "max_connections = 80\n"
			       "wal_level = replica\n"
			       "wal_keep_size = 64MB\n"
			       "wal_retrieve_retry_interval = 100ms\n"
			       "wal_sender_timeout = 0\n"
			       "wal_receiver_timeout = 0\n"
			       "wal_receiver_status_interval = 1s\n";

static const char access_rules[] = "local all postgres trust\n"
				   "local replication postgres trust\n"
				   "local all lessor trust\n";

/* The servers refuse to run as root. */
static const char *as_postgres(void)
{
	return geteuid() ? "" : "setpriv --reuid=postgres --regid=postgres --clear-groups -- ";
}

static int find_bin(char *ret, size_t size)
{
	glob_t found;
	int rc = glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &found);

	if (!rc)
		snprintf(ret, size, "%.*s",
			 (int)(strrchr(found.gl_pathv[found.gl_pathc - 1], '/') -
			       found.gl_pathv[found.gl_pathc - 1]),
			 found.gl_pathv[found.gl_pathc - 1]);
	globfree(&found);
	return rc;
}

int pair_possible(void)
{
	char bin[128];

	return !find_bin(bin, sizeof(bin)) && (geteuid() || getpwnam("postgres"));
}

/* Runs a shell command; its output is in the folder's log. */
static void run(struct postgres_pair *pair, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void run(struct postgres_pair *pair, const char *fmt, ...)
{
	char command[1024], whole[1400];
	va_list args;

	va_start(args, fmt);
	vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	snprintf(whole, sizeof(whole), "cd / && %s%s/%s >>%s/log 2>&1 </dev/null", as_postgres(),
		 pair->bin, command, pair->folder);
	if (system(whole) != 0) {
		snprintf(whole, sizeof(whole), "tail -n 20 %s/log >&2", pair->folder);
		(void)!system(whole);
		fail_msg("%s failed", command);
	}
}

static void file_write(struct postgres_pair *pair, enum pair_server which, const char *name,
		       const char *how, const char *text)
{
	char path[160];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s/%s", pair->folder, names[which], name);
	file = fopen(path, how);
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
	if (!geteuid())
		assert_int_equal(chown(path, getpwnam("postgres")->pw_uid, (gid_t)-1), 0);
}

/* Waits for the end of the test program, and ends what it leaves behind. */
static void guard(struct postgres_pair *pair)
{
	char command[1024];
	int ends[2];

	/* Not inherited by the servers, or it would never be closed. */
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pair->alive = ends[1];
	pair->guard = fork();
	if (pair->guard != 0) {
		close(ends[0]);
		return;
	}
	close(ends[1]);
	setsid();
	(void)!read(ends[0], command, 1);
	for (int i = 0; i < 2; i++) {
		snprintf(command, sizeof(command),
			 "cd / && test ! -e %s/%s/postmaster.pid || %s%s/pg_ctl stop -w -D %s/%s -m immediate"
			 " >>%s/log 2>&1",
			 pair->folder, names[i], as_postgres(), pair->bin, pair->folder, names[i],
			 pair->folder);
		(void)!system(command);
	}
	snprintf(command, sizeof(command), "rm -rf '%s'", pair->folder);
	(void)!system(command);
	_exit(0);
}

static void server_start(struct postgres_pair *pair, enum pair_server which)
{
	char text[160];

	snprintf(text, sizeof(text), "unix_socket_directories = '%s/%s.socket'\n", pair->folder,
		 names[which]);
	file_write(pair, which, "postgresql.conf", "a", text);
	snprintf(text, sizeof(text), "%s/%s.socket", pair->folder, names[which]);
	assert_int_equal(mkdir(text, 0755), 0);
	if (!geteuid())
		assert_int_equal(chown(text, getpwnam("postgres")->pw_uid, (gid_t)-1), 0);
	run(pair, "pg_ctl start -w -D %s/%s -l %s/%s/log", pair->folder, names[which], pair->folder,
	    names[which]);
}

void pair_start(struct postgres_pair *pair)
{
	memset(pair, 0, sizeof(*pair));
	assert_int_equal(find_bin(pair->bin, sizeof(pair->bin)), 0);
	snprintf(pair->folder, sizeof(pair->folder), "%.30s/lessor-pair-XXXXXX",
		 getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	assert_non_null(mkdtemp(pair->folder));
	assert_int_equal(chmod(pair->folder, 0755), 0);
	if (!geteuid())
		assert_int_equal(chown(pair->folder, getpwnam("postgres")->pw_uid, (gid_t)-1), 0);
	guard(pair);
	run(pair, "initdb -D %s/one -U postgres -A trust -E UTF8 --locale=C -N", pair->folder);
	file_write(pair, PAIR_PRIMARY, "postgresql.conf", "w", settings);
	file_write(pair, PAIR_PRIMARY, "pg_hba.conf", "w", access_rules);
	server_start(pair, PAIR_PRIMARY);
	pair_sql(pair, PAIR_PRIMARY, "postgres", NULL, 0, "CREATE ROLE lessor LOGIN");
}

void pair_standby_add(struct postgres_pair *pair)
{
	char text[256];

	run(pair, "pg_basebackup -D %s/two -h %s/one.socket -U postgres -c fast -X stream -N",
	    pair->folder, pair->folder);
	file_write(pair, PAIR_STANDBY, "postgresql.conf", "w", settings);
	file_write(pair, PAIR_STANDBY, "postgresql.auto.conf", "w", "");
	pair_socket(pair, PAIR_PRIMARY, text, sizeof(text));
	pg_proxy_start(&pair->link, text);
	snprintf(text, sizeof(text),
		 "primary_conninfo = 'host=127.0.0.1 port=%d user=postgres application_name=two"
		 " sslmode=disable gssencmode=disable'\n",
		 pair->link.port);
	file_write(pair, PAIR_STANDBY, "postgresql.conf", "a", text);
	file_write(pair, PAIR_STANDBY, "standby.signal", "w", "");
	server_start(pair, PAIR_STANDBY);
	pair->has_standby = 1;
}

void pair_stop(struct postgres_pair *pair)
{
	close(pair->alive);
	waitpid(pair->guard, NULL, 0);
	pg_proxy_stop(&pair->link);
	memset(pair, 0, sizeof(*pair));
}

void pair_database(struct postgres_pair *pair, const char *name)
{
	pair_sql(pair, PAIR_PRIMARY, "postgres", NULL, 0, "CREATE DATABASE %s OWNER lessor", name);
}

void pair_sql(struct postgres_pair *pair, enum pair_server which, const char *database, char *ret,
	      size_t size, const char *fmt, ...)
{
	char sql[1024], command[1600], own[512];
	va_list args;
	size_t len;
	FILE *out;

	va_start(args, fmt);
	vsnprintf(sql, sizeof(sql), fmt, args);
	va_end(args);
	snprintf(command, sizeof(command),
		 "PGOPTIONS='-c statement_timeout=30s' %s/psql -XAtq -v ON_ERROR_STOP=1 -h %s/%s.socket -U postgres -d %s -c \"%s\" 2>&1",
		 pair->bin, pair->folder, names[which], database, sql);
	out = popen(command, "r");
	assert_non_null(out);
	len = fread(own, 1, sizeof(own) - 1, out);
	own[len] = '\0';
	own[strcspn(own, "\n")] = '\0';
	if (pclose(out) != 0)
		fail_msg("%s: %s", sql, own);
	if (ret)
		snprintf(ret, size, "%s", own);
}

void pair_sync(struct postgres_pair *pair, int is_on)
{
	char text[32];

	pair_sql(pair, PAIR_PRIMARY, "postgres", NULL, 0,
		 "ALTER SYSTEM SET synchronous_standby_names = '%s'", is_on ? "two" : "");
	pair_sql(pair, PAIR_PRIMARY, "postgres", NULL, 0, "SELECT pg_reload_conf()");
	/*
	 * Each look is a new session, which has the setting that it was started with. When it has
	 * the new one, the older sessions were told of it, too.
	 */
	do
		pair_sql(pair, PAIR_PRIMARY, "postgres", text, sizeof(text),
			 is_on ? "SELECT (current_setting('synchronous_standby_names') <> '' AND EXISTS("
				 "SELECT FROM pg_stat_replication WHERE sync_state = 'sync'))::int" :
				 "SELECT (current_setting('synchronous_standby_names') = '')::int");
	while (atoi(text) != 1);
}

void pair_cut(struct postgres_pair *pair)
{
	pg_proxy_tell(&pair->link, "refuse");
	pg_proxy_tell(&pair->link, "kill all");
}

void pair_promote(struct postgres_pair *pair)
{
	run(pair, "pg_ctl promote -w -D %s/two", pair->folder);
}

void pair_socket(const struct postgres_pair *pair, enum pair_server which, char *ret, size_t size)
{
	snprintf(ret, size, "%s/%s.socket/.s.PGSQL.5432", pair->folder, names[which]);
}

void pair_url(const struct postgres_pair *pair, const struct pg_proxy *proxy, const char *database,
	      char *ret, size_t size)
{
	if (proxy)
		snprintf(ret, size,
			 "postgresql://lessor@127.0.0.1:%d/%s?sslmode=disable&gssencmode=disable",
			 proxy->port, database);
	else
		snprintf(ret, size, "postgresql://lessor@/%s?host=%s/one.socket", database,
			 pair->folder);
}
