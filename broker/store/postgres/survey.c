/* SPDX-License-Identifier: MIT */
/*
 * What a PostgreSQL server offers. Each part asks one question, and turns the answer into a
 * sentence that says what to do.
 */
#include "store/survey.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/postgres/internal.h"
#include "util/alloc.h"
#include "util/bug.h"

#define CLOCK_DIFFERENCE_MS 1000
#define WAL_RETRY_MS 1000

struct survey {
	struct pg_connection *c;
	const struct store_needs *needs;
	store_finding_fn fn;
	void *arg;
	int is_standby;
};

#define FIND(s, topic, grade, ...) store_find((s)->fn, (s)->arg, topic, grade, __VA_ARGS__)

/* One row. */
static int ask(struct survey *s, const char *sql, PGresult **ret, struct err *err)
{
	if (pg_query(s->c, sql, NULL, 0, ret, "examining the database", err))
		return -1;
	if (PQntuples(*ret) == 1)
		return 0;
	PQclear(*ret);
	return err_set(err, ERR_INTERNAL, "%s: not a single row: %.60s", s->c->store.name, sql);
}

static const char *text_at(const PGresult *row, int column)
{
	return PQgetvalue(row, 0, column);
}

static int64_t number_at(const PGresult *row, int column)
{
	return strtoll(PQgetvalue(row, 0, column), NULL, 10);
}

static int is_true(const PGresult *row, int column)
{
	return PQgetvalue(row, 0, column)[0] == 't';
}

static int64_t wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- the server ---------------------------------------------------------------------- */

static int server_survey(struct survey *s, struct err *err)
{
	PGresult *row;

	if (ask(s,
		"SELECT current_setting('server_version'), pg_is_in_recovery(), "
		"current_setting('server_encoding'), current_setting('fsync'), "
		"current_setting('full_page_writes'), pg_backend_pid(), "
		"current_setting('default_transaction_read_only') = 'on', current_user",
		&row, err))
		return -1;
	/* An older one is refused when the session begins. */
	FIND(s, "version", STORE_GOOD, "PostgreSQL %s; 14 or later is needed", text_at(row, 0));
	s->is_standby = is_true(row, 1);
	if (s->is_standby)
		FIND(s, "primary", STORE_WRONG,
		     "this server is a standby and takes no changes; name the primary, or all "
		     "servers, separated by commas, of which lessord finds the primary itself");
	else if (is_true(row, 6))
		FIND(s, "primary", STORE_WRONG,
		     "sessions of this role are read-only; run: ALTER ROLE \"%.60s\" SET "
		     "default_transaction_read_only = off",
		     text_at(row, 7));
	else
		FIND(s, "primary", STORE_GOOD, "this server is a primary");
	if (strcmp(text_at(row, 2), "UTF8") != 0)
		FIND(s, "encoding", STORE_WRONG,
		     "the database's encoding is %s; create one with ENCODING 'UTF8'",
		     text_at(row, 2));
	if (strcmp(text_at(row, 3), "on") != 0 || strcmp(text_at(row, 4), "on") != 0)
		FIND(s, "durability", STORE_WRONG,
		     "fsync = %s and full_page_writes = %s: a crash of the server's machine can "
		     "lose or damage what was acknowledged; set both to on",
		     text_at(row, 3), text_at(row, 4));
	if (number_at(row, 5) != PQbackendPID(s->c->conn))
		FIND(s, "pooler", STORE_WRONG,
		     "there is a connection pooler between lessord and the server; connect to the "
		     "server itself, since each daemon keeps a few sessions and their state");
	PQclear(row);
	return 0;
}

static int clock_survey(struct survey *s, struct err *err)
{
	int64_t before_ms = wall_ms(), after_ms, difference_ms;
	PGresult *row;

	if (ask(s, "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint", &row, err))
		return -1;
	after_ms = wall_ms();
	difference_ms = number_at(row, 0) - (before_ms + after_ms) / 2;
	PQclear(row);
	if (llabs(difference_ms) > CLOCK_DIFFERENCE_MS + (after_ms - before_ms) / 2)
		FIND(s, "clock", STORE_NOTE,
		     "the server's clock is %" PRId64 " ms %s of this machine's; synchronise both "
		     "with NTP, because the times of leases come from both",
		     (int64_t)llabs(difference_ms), difference_ms > 0 ? "ahead" : "behind");
	else
		FIND(s, "clock", STORE_GOOD,
		     "the server's clock and this machine's agree within %d ms",
		     CLOCK_DIFFERENCE_MS);
	return 0;
}

/* ---- the connection -------------------------------------------------------------------- */

static int connection_survey(struct survey *s, struct err *err)
{
	PGresult *row;
	int is_remote, is_encrypted;

	if (ask(s,
		"SELECT inet_client_addr() IS NOT NULL AND NOT inet_client_addr() <<= '127.0.0.0/8' "
		"AND inet_client_addr() <> '::1', "
		"coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false)",
		&row, err))
		return -1;
	is_remote = is_true(row, 0);
	is_encrypted = is_true(row, 1);
	PQclear(row);
	if (is_remote && !is_encrypted)
		FIND(s, "encryption", STORE_NOTE,
		     "the connection is not encrypted; add sslmode=verify-full to the URL, unless the "
		     "network between is private");
	else
		FIND(s, "encryption", STORE_GOOD,
		     is_encrypted ? "the connection is encrypted" : "the connection is local");
	return 0;
}

/* The limit that leaves least: the server's, the database's or the role's. */
static int room_survey(struct survey *s, struct err *err)
{
	PGresult *row;
	int64_t most, used;

	if (ask(s,
		"WITH a AS (SELECT datid, usesysid FROM pg_stat_activity"
		" WHERE backend_type = 'client backend') "
		"SELECT whose, most, used FROM ("
		"SELECT 'server' AS whose, current_setting('max_connections')::bigint"
		" - current_setting('superuser_reserved_connections')::bigint AS most,"
		" (SELECT count(*) FROM a) AS used "
		"UNION ALL SELECT 'database', datconnlimit, (SELECT count(*) FROM a WHERE datid = oid)"
		" FROM pg_database WHERE datname = current_database() "
		"UNION ALL SELECT 'role', rolconnlimit, (SELECT count(*) FROM a WHERE usesysid = oid)"
		" FROM pg_roles WHERE rolname = current_user) AS l "
		"WHERE most >= 0 ORDER BY most - used LIMIT 1",
		&row, err))
		return -1;
	most = number_at(row, 1);
	used = number_at(row, 2);
	if (most < s->needs->connections)
		FIND(s, "connections", STORE_WRONG,
		     "the %s allows %" PRId64
		     " connections, and a lessord needs up to %d; raise %s",
		     text_at(row, 0), most, s->needs->connections,
		     strcmp(text_at(row, 0), "server") ? "its CONNECTION LIMIT" : "max_connections");
	else if (most - used < s->needs->connections)
		FIND(s, "connections", STORE_NOTE,
		     "%" PRId64 " of the %s's %" PRId64
		     " connections are in use, and a lessord needs up to %d; raise %s if this one "
		     "does not run yet",
		     used, text_at(row, 0), most, s->needs->connections,
		     strcmp(text_at(row, 0), "server") ? "its CONNECTION LIMIT" : "max_connections");
	else
		FIND(s, "connections", STORE_GOOD,
		     "there is room for the %d connections of a lessord; %" PRId64
		     " of the %s's %" PRId64 " are in use",
		     s->needs->connections, used, text_at(row, 0), most);
	PQclear(row);
	return 0;
}

/* A server that cancels a commit leaves its outcome unknown. */
static int timeouts_survey(struct survey *s, struct err *err)
{
	static const char *const names[] = { "statement_timeout", "transaction_timeout",
					     "idle_session_timeout" };
	PGresult *row;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *const params[] = { names[i] };
		int is_set;

		if (pg_query(s->c,
			     "SELECT coalesce(current_setting($1, true), '0') NOT IN ('0', ''), "
			     "current_setting($1, true), current_user",
			     params, 1, &row, "examining the database", err))
			return -1;
		is_set = is_true(row, 0);
		if (is_set)
			FIND(s, "timeouts", STORE_WRONG,
			     "%s is %s for this role, so the server may cancel what lessord still "
			     "waits for; run: ALTER ROLE \"%s\" SET %s = 0",
			     names[i], text_at(row, 1), text_at(row, 2), names[i]);
		PQclear(row);
	}
	return 0;
}

/* ---- standbys --------------------------------------------------------------------------- */

static void sync_find(struct survey *s, const char *commit, const char *names, int64_t sync,
		      int64_t all, int64_t hidden)
{
	enum store_grade grade = s->needs->require_sync ? STORE_WRONG : STORE_NOTE;

	if (strcmp(commit, "off") == 0)
		FIND(s, "standby", STORE_WRONG,
		     "synchronous_commit = off: what was acknowledged can be lost in a crash of the "
		     "server; set it to on");
	else if (hidden && names[0])
		FIND(s, "standby", STORE_NOTE,
		     "synchronous_standby_names = '%.80s', but this role may not see which standbys "
		     "are connected; run: GRANT pg_monitor TO the role",
		     names);
	else if (!sync || strcmp(commit, "local") == 0)
		FIND(s, "standby", grade,
		     "no synchronous standby (%" PRId64 " connected, synchronous_standby_names = "
		     "'%.80s', synchronous_commit = %s): changes that were acknowledged last are lost "
		     "in a fail-over%s",
		     all, names, commit,
		     s->needs->require_sync ? ", and require_sync = yes refuses to work like that" :
					      "");
	else if (!strstr(names, "ANY") || sync < 2)
		FIND(s, "standby", STORE_NOTE,
		     "%" PRId64
		     " synchronous standby%s; while none answers, every change waits: with "
		     "two, set synchronous_standby_names = 'ANY 1 (a, b)' on all servers",
		     sync, sync == 1 ? "" : "s");
	else
		FIND(s, "standby", STORE_GOOD, "%" PRId64 " synchronous standbys, '%.80s'", sync,
		     names);
}

static int standby_survey(struct survey *s, struct err *err)
{
	PGresult *row;
	int64_t retry_ms;

	if (s->is_standby)
		return 0;
	if (ask(s,
		"SELECT current_setting('synchronous_commit'), "
		"current_setting('synchronous_standby_names'), "
		"count(*) FILTER (WHERE sync_state IN ('sync', 'quorum')), count(*), "
		"count(*) FILTER (WHERE sync_state IS NULL), "
		"(SELECT setting FROM pg_settings WHERE name = 'wal_retrieve_retry_interval') "
		"FROM pg_stat_replication",
		&row, err))
		return -1;
	sync_find(s, text_at(row, 0), text_at(row, 1), number_at(row, 2), number_at(row, 3),
		  number_at(row, 4));
	retry_ms = number_at(row, 5);
	PQclear(row);
	if (retry_ms > WAL_RETRY_MS)
		FIND(s, "promotion", STORE_NOTE,
		     "wal_retrieve_retry_interval = %" PRId64
		     " ms: a standby with this setting may "
		     "take as long to become the primary; set it to 100ms on all servers",
		     retry_ms);
	else
		FIND(s, "promotion", STORE_GOOD, "wal_retrieve_retry_interval = %" PRId64 " ms",
		     retry_ms);
	return 0;
}

/* ---- the database --------------------------------------------------------------------- */

static int privileges_survey(struct survey *s, struct err *err)
{
	PGresult *row;

	if (ask(s,
		"SELECT current_user, coalesce(current_schema(), ''), "
		"coalesce(has_schema_privilege(current_schema(), 'CREATE'), false), "
		"has_function_privilege('pg_control_system()', 'EXECUTE'), "
		"(SELECT rolsuper FROM pg_roles WHERE rolname = current_user)",
		&row, err))
		return -1;
	if (!is_true(row, 2))
		FIND(s, "privileges", STORE_WRONG,
		     "the role %.60s may not create tables; make it the owner of its database: ALTER "
		     "DATABASE ... OWNER TO \"%.60s\", or GRANT CREATE ON SCHEMA public",
		     text_at(row, 0), text_at(row, 0));
	else if (!is_true(row, 3))
		FIND(s, "privileges", STORE_WRONG,
		     "the role %.60s may not read the server's identity; run: GRANT EXECUTE ON FUNCTION "
		     "pg_control_system() TO \"%.60s\"",
		     text_at(row, 0), text_at(row, 0));
	else if (is_true(row, 4))
		FIND(s, "privileges", STORE_NOTE,
		     "the role %.60s is a superuser; lessord needs only a database of its own",
		     text_at(row, 0));
	else
		FIND(s, "privileges", STORE_GOOD,
		     "the role %.60s may do what is needed in schema %.60s", text_at(row, 0),
		     text_at(row, 1));
	PQclear(row);
	return 0;
}

static void schema_survey(struct survey *s)
{
	struct err why = { 0 };
	int rc = pg_schema_usable(s->c, &why);

	if (rc == 0)
		FIND(s, "schema", STORE_GOOD, "this version can use the tables");
	else if (rc > 0)
		FIND(s, "schema", STORE_NOTE,
		     "there are no tables yet; the first lessord or `lessord token add` creates them");
	else
		FIND(s, "schema", STORE_WRONG, "%.300s", why.text);
}

/* ---- all of it ------------------------------------------------------------------------- */

/* To the primary, if there is one; else to any, to say what is wrong with it. */
static struct pg_connection *survey_connect(const char *target, struct err *err)
{
	auto_free char *any = xasprintf("%s%ctarget_session_attrs=any", target,
					strchr(target, '?') ? '&' : '?');
	const char *const tries[] = { target, any };
	struct err first = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
		struct pg_connection *c = pg_new(tries[i], NULL, STORE_TOOL, i ? NULL : &first);

		if (!c)
			break;
		c->store.backend = &backend_postgres;
		if (!pg_connect(c, i ? NULL : &first)) {
			explicit_bzero(any, strlen(any));
			return c;
		}
		store_close(&c->store);
	}
	if (err)
		*err = first;
	explicit_bzero(any, strlen(any));
	return NULL;
}

int pg_survey(const char *target, const struct store_needs *needs, store_finding_fn fn, void *arg,
	      struct err *err)
{
	static int (*const parts[])(struct survey *, struct err *) = {
		server_survey,	 connection_survey, clock_survey,      standby_survey,
		timeouts_survey, room_survey,	    privileges_survey,
	};
	struct survey s = { .needs = needs, .fn = fn, .arg = arg };
	int rc = 0;

	s.c = survey_connect(target, err);
	if (!s.c)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(parts) && !rc; i++)
		rc = parts[i](&s, err);
	if (!rc)
		schema_survey(&s);
	store_close(&s.c->store);
	return rc;
}
