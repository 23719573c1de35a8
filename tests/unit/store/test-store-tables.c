/* SPDX-License-Identifier: MIT */
/*
 * The two dialects of the schema have the same tables and columns, those that store/tables.c names;
 * and PostgreSQL understands every statement of the rows.
 */
#include <libpq-fe.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver/postgres.h"
#include "store/postgres/schema.h"
#include "store/postgres/translate.h"
#include "store/runs.h"
#include "store/tables.h"
#include "unit/store/scratch.h"
#include "unit/test.h"
#include "util/text.h"

static struct postgres *server;
static const char *url; /* of a database with the schema */

/* ---- columns, as lines: TABLE.COLUMN TYPE, key or null, and the default ---------------------- */

#define LINES_MAX 400

struct lines {
	char *line[LINES_MAX];
	size_t count;
};

__attribute__((format(printf, 2, 3))) static void line_add(struct lines *lines, const char *fmt, ...)
{
	va_list args;

	assert_true(lines->count < LINES_MAX);
	va_start(args, fmt);
	assert_true(vasprintf(&lines->line[lines->count++], fmt, args) > 0);
	va_end(args);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void lines_sort(struct lines *lines)
{
	qsort(lines->line, lines->count, sizeof(lines->line[0]), by_text);
}

static void lines_free(struct lines *lines)
{
	for (size_t i = 0; i < lines->count; i++)
		free(lines->line[i]);
}

/* SQLite's types are names only; meta's value has none. */
static const char *type_of(const char *declared)
{
	return !strcmp(declared, "INTEGER") ? "bigint" :
	       !strcmp(declared, "TEXT")    ? "text" :
					      "bytea";
}

static void sqlite_read(const char *file, const char *but, struct lines *ret)
{
	static const char sql[] =
		"SELECT t.name, c.name, c.type, c.pk, c.\"notnull\", coalesce(c.dflt_value, '')"
		" FROM sqlite_schema t, pragma_table_info(t.name) c"
		" WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND t.name <> ?1";
	sqlite3_stmt *stmt;
	sqlite3 *db;

	assert_int_equal(sqlite3_open_v2(file, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	sqlite3_bind_text(stmt, 1, but, -1, SQLITE_STATIC);
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		const char *text = (const char *)sqlite3_column_text(stmt, 5);
		int is_key = sqlite3_column_int(stmt, 3), is_not_null = sqlite3_column_int(stmt, 4);

		line_add(ret, "%s.%s %s%s %s", sqlite3_column_text(stmt, 0),
			 sqlite3_column_text(stmt, 1),
			 type_of((const char *)sqlite3_column_text(stmt, 2)),
			 is_key	     ? " key" :
			 is_not_null ? "" :
				       " null",
			 text);
	}
	sqlite3_finalize(stmt);
	sqlite3_close(db);
}

static void postgres_read(struct lines *ret)
{
	static const char sql[] =
		"SELECT c.table_name, c.column_name, c.data_type, k.column_name IS NOT NULL,"
		" c.is_nullable = 'YES',"
		" coalesce(regexp_replace(c.column_default, '::[a-z ]+$', ''), '')"
		" FROM information_schema.columns c LEFT JOIN information_schema.key_column_usage k"
		" ON k.table_name = c.table_name AND k.column_name = c.column_name"
		" AND k.constraint_name = c.table_name || '_pkey'"
		" WHERE c.table_schema = 'public'";
	PGconn *conn = PQconnectdb(url);
	PGresult *result = PQexec(conn, sql);

	assert_int_equal(PQresultStatus(result), PGRES_TUPLES_OK);
	for (int i = 0; i < PQntuples(result); i++)
		line_add(ret, "%s.%s %s%s %s", PQgetvalue(result, i, 0), PQgetvalue(result, i, 1),
			 PQgetvalue(result, i, 2),
			 *PQgetvalue(result, i, 3) == 't' ? " key" :
			 *PQgetvalue(result, i, 4) == 't' ? " null" :
							    "",
			 PQgetvalue(result, i, 5));
	PQclear(result);
	PQfinish(conn);
}

/* ---- comparing -------------------------------------------------------------------------------- */

enum { IN_SQLITE, IN_POSTGRES };

/* Columns that only one dialect has, or has otherwise, and why. */
static struct exception {
	const char *column; /* a whole table: "name." */
	const char *why;
	int is_used[2];
} exceptions[] = {
	{ "shard.", "who owns an account; with SQLite the lock on the file says so", { 0 } },
	{ "lessor_schema.", "the schema's number; SQLite has PRAGMA user_version", { 0 } },
	{ "tally.account ", "two accounts' engines never wait for one row of totals", { 0 } },
	{ "spend.account ", "the same of one row of what a month costs", { 0 } },
	{ "event.commit_xid ", "the order of commits; in SQLite that of the numbers", { 0 } },
	{ "event.n ", "numbered by SQLite itself; here by a sequence, in the default", { 0 } },
};

#define EXCEPTIONS (sizeof(exceptions) / sizeof(exceptions[0]))

static int is_excepted(const char *line, int where)
{
	for (size_t i = 0; i < EXCEPTIONS; i++) {
		if (!strncmp(line, exceptions[i].column, strlen(exceptions[i].column))) {
			exceptions[i].is_used[where] = 1;
			return 1;
		}
	}
	return 0;
}

/* How many lines differ; each is printed. */
static int lines_compare(const struct lines *a, const struct lines *b, const char *names[2])
{
	size_t i = 0, k = 0;
	int wrong = 0;

	while (i < a->count || k < b->count) {
		int order = i == a->count ? 1 : k == b->count ? -1 : strcmp(a->line[i], b->line[k]);
		const char *line = order < 0 ? a->line[i] : b->line[k];

		if (order && !is_excepted(line, order > 0)) {
			print_error("only %s has: %s\n", names[order > 0], line);
			wrong++;
		}
		i += order <= 0;
		k += order >= 0;
	}
	return wrong;
}

/* The schema of two new files. */
static void sqlite_make(struct lines *ret)
{
	char runs_path[STORE_RUNS_PATH_SIZE];

	scratch_open_runs();
	store_runs_path(path, runs_path);
	sqlite_read(path, "", ret);
	/* Of two files each has an identity. */
	sqlite_read(runs_path, "meta", ret);
}

static void both_dialects_have_the_same_columns(void **state)
{
	static const char *names[] = { "SQLite", "PostgreSQL" };
	struct lines sqlite = { .count = 0 }, postgres = { .count = 0 };

	(void)state;
	sqlite_make(&sqlite);
	postgres_read(&postgres);
	lines_sort(&sqlite);
	lines_sort(&postgres);
	assert_true(sqlite.count > 200);
	assert_int_equal(lines_compare(&sqlite, &postgres, names), 0);
	for (size_t i = 0; i < EXCEPTIONS; i++) {
		if (!exceptions[i].is_used[IN_POSTGRES] && !exceptions[i].is_used[IN_SQLITE])
			fail_msg("%s is no exception any longer", exceptions[i].column);
	}
	lines_free(&sqlite);
	lines_free(&postgres);
}

static void table_add(const struct store_table *table, struct lines *ret)
{
	static const char *const types[] = { "bigint", "text", "bytea" };
	struct column columns[TABLE_COLUMNS_MAX];
	size_t keys, count = table_columns(table, columns, &keys);

	for (size_t i = 0; i < count; i++)
		line_add(ret, "%s.%s %s%s ", table->name, columns[i].name, types[columns[i].type],
			 i < keys		? " key" :
			 columns[i].is_nullable ? " null" :
						  "");
}

/* What handles all tables alike forgets none of their columns. */
static void the_table_of_names_is_complete(void **state)
{
	static const char *names[] = { "the table of names", "SQLite" };
	struct lines sqlite = { .count = 0 }, all = { .count = 0 };

	(void)state;
	sqlite_make(&sqlite);
	/* A default is the schema's own. */
	for (size_t i = 0; i < sqlite.count; i++)
		strrchr(sqlite.line[i], ' ')[1] = '\0';
	for (size_t i = 0; i < TABLES; i++)
		table_add(&tables[i], &all);
	lines_sort(&sqlite);
	lines_sort(&all);
	assert_int_equal(lines_compare(&all, &sqlite, names), 0);
	lines_free(&sqlite);
	lines_free(&all);
}

/* ---- statements ------------------------------------------------------------------------------- */

/* By statements.py: every SQL text of the rows. */
static const char *const statements[] = {
#include "statements.inc"
};

#define PARAMS_MAX 96
enum { OID_BLOB = 17, OID_NUMBER = 20, OID_SHORT = 21, OID_INT = 23, OID_TEXT = 25 };

static int is_used(const char *text, int index)
{
	char mark[16];
	size_t len = (size_t)snprintf(mark, sizeof(mark), "$%d", index);

	for (const char *s = text; (s = strstr(s, mark)) != NULL; s += len) {
		if (s[len] < '0' || s[len] > '9')
			return 1;
	}
	return 0;
}

static void statement_prepare(PGconn *conn, const char *text, int count, const Oid *types)
{
	PGresult *result = PQprepare(conn, "", text, count, types);

	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		fail_msg("%s: %s", text, PQerrorMessage(conn));
	PQclear(result);
}

/* As the rows bind them: a number is a bigint, and each column is read as one of three types. */
static void types_decide(PGconn *conn, const char *text, int count, Oid *types)
{
	PGresult *result = PQdescribePrepared(conn, "");

	assert_int_equal(PQresultStatus(result), PGRES_COMMAND_OK);
	assert_int_equal(PQnparams(result), count);
	for (int i = 0; i < count; i++) {
		types[i] = PQparamtype(result, i);
		if (types[i] == OID_INT || types[i] == OID_SHORT)
			types[i] = OID_NUMBER;
		if (types[i] != OID_NUMBER && types[i] != OID_TEXT && types[i] != OID_BLOB)
			fail_msg("parameter %d has type %u: %s", i + 1, types[i], text);
	}
	for (int i = 0; i < PQnfields(result); i++) {
		Oid type = PQftype(result, i);

		if (type != OID_NUMBER && type != OID_INT && type != OID_TEXT && type != OID_BLOB)
			fail_msg("column %d has type %u: %s", i + 1, type, text);
	}
	PQclear(result);
}

/* Small tables, or where reading all of it is the purpose: as in test-store-shape.c. */
static int may_be_scanned(const char *line)
{
	static const char *const small[] = { "token",	    "shard", "daemon",
					     "queue_owner", "stray", "sweep" };
	const char *table = strstr(line, "Seq Scan on ") + strlen("Seq Scan on ");

	for (size_t i = 0; i < sizeof(small) / sizeof(small[0]); i++) {
		if (!strncmp(table, small[i], strlen(small[i])))
			return 1;
	}
	return 0;
}

/* It replaces all that there is, once. */
static int is_of_a_move(const char *text)
{
	return !strcmp(text, "DELETE FROM meta");
}

/* There is an index for it: with sequential scans forbidden, one shows only if nothing else goes. */
static void plan_check(PGconn *conn, const char *text, int count, const Oid *types)
{
	char explain[1024] = "EXPLAIN EXECUTE one";
	PGresult *result = PQprepare(conn, "one", text, count, types);

	assert_int_equal(PQresultStatus(result), PGRES_COMMAND_OK);
	PQclear(result);
	for (int i = 0; i < count; i++)
		strcat(explain, i ? ", NULL" : "(NULL");
	strcat(explain, count ? ")" : "");
	result = PQexec(conn, explain);
	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		fail_msg("%s: %s", text, PQerrorMessage(conn));
	for (int i = 0; i < PQntuples(result); i++) {
		const char *line = PQgetvalue(result, i, 0);

		if (strstr(line, "Seq Scan on ") && !may_be_scanned(line) && !is_of_a_move(text))
			fail_msg("%s: %s", line, text);
	}
	PQclear(result);
	PQclear(PQexec(conn, "DEALLOCATE one"));
}

static void postgresql_understands_every_statement(void **state)
{
	PGconn *conn = PQconnectdb(url);

	(void)state;
	PQclear(PQexec(conn, "SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan"));
	for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
		Oid types[PARAMS_MAX] = { 0 };
		int count;
		char *text = translate(statements[i], PARAMS_MAX, &count);

		assert_non_null(text);
		for (int k = 0; k < count; k++)
			types[k] = is_used(text, k + 1) ? 0 : OID_TEXT;
		statement_prepare(conn, text, count, types);
		types_decide(conn, text, count, types);
		statement_prepare(conn, text, count, types);
		plan_check(conn, text, count, types);
		free(text);
	}
	PQfinish(conn);
}

/* ---- who waits for whom ------------------------------------------------------------------------ */

/* Begins a transaction with a lease, which is on the server when this returns. */
static struct store *lease_begin(const char *id, const char *account)
{
	struct lease l = scratch_lease(id), back;
	struct store *own;

	TEXT_SET(l.account, account);
	assert_int_equal(store_open(url, &env, &own, NULL), 0);
	assert_int_equal(store_begin(own, NULL), 0);
	assert_int_equal(store_lease_insert(own, &l, NULL), 0);
	assert_int_equal(store_lease_by_id(own, id, &back, NULL), 0);
	return own;
}

/* Each has changed the totals, of the same owner and organisation, and has not committed. */
static void two_accounts_do_not_wait_for_each_other(void **state)
{
	struct store *a = lease_begin("cbx_00000000000a", "first");
	struct store *b = lease_begin("cbx_00000000000b", "second");
	struct store_counts counts;

	(void)state;
	assert_int_equal(store_commit(b, NULL), 0);
	assert_int_equal(store_counts(b, "alice@example.com", "acme", "second", &counts, NULL), 0);
	assert_int_equal(counts.all, 1);
	assert_int_equal(store_commit(a, NULL), 0);
	assert_int_equal(store_counts(b, "alice@example.com", "acme", "second", &counts, NULL), 0);
	assert_int_equal(counts.all, 2);
	assert_int_equal(counts.owner, 2);
	assert_int_equal(counts.org, 2);
	assert_int_equal(counts.account, 1);
	assert_int_equal(counts.micros_all, 2 * 12345);
	assert_int_equal(store_check(a, NULL), 0);
	store_close(a);
	store_close(b);
}

static int64_t lease_number(struct store *of, const char *account)
{
	static int count;
	char id[24];
	struct lease l;

	snprintf(id, sizeof(id), "cbx_%012d", ++count);
	l = scratch_lease(id);
	TEXT_SET(l.account, account);
	assert_int_equal(store_begin(of, NULL), 0);
	assert_int_equal(store_lease_insert(of, &l, NULL), 0);
	assert_int_equal(store_commit(of, NULL), 0);
	return l.n;
}

/* PG_NUMBER_MS, for which a block of numbers is used. */
#define NUMBERS_MS 1000

/* An account where little happens does not number its rows from a block of long ago. */
static void rows_are_numbered_as_they_come(void **state)
{
	int64_t quiet, busy, until_ms;
	struct store *a, *b;
	struct lease l;

	(void)state;
	assert_int_equal(store_open(url, &env, &a, NULL), 0);
	assert_int_equal(store_open(url, &env, &b, NULL), 0);
	quiet = lease_number(a, "quiet");
	busy = lease_number(b, "busy");
	assert_true(busy > quiet);
	until_ms = env_mono_ms(&env) + NUMBERS_MS;
	while (env_mono_ms(&env) < until_ms)
		assert_int_equal(store_lease_by_n(a, busy, &l, NULL), 0);
	assert_true(lease_number(a, "quiet") > busy);
	store_close(a);
	store_close(b);
}

/* ---- a schema of another version -------------------------------------------------------------- */

#define WHY_SIZE sizeof(((struct err *)0)->text)

/* As store_open_view or store_open_tool, with the sentence in `ret`. */
static int open_on(const char *name, int is_reader, char ret[WHY_SIZE])
{
	struct store *opened;
	struct err err = { 0 };
	int rc = is_reader ? store_open_view(name, &opened, &err) :
			     store_open_tool(name, &env, &opened, &err);

	memcpy(ret, err.text, sizeof(err.text));
	if (rc == 0)
		store_close(opened);
	return rc;
}

#define OPENERS 4

static void *open_first(void *arg)
{
	struct store *own = NULL;
	struct err *err = arg;

	if (store_open(url, &env, &own, err) == 0)
		store_close(own);
	return NULL;
}

/* Several daemons start at once on a new database: each waits for the schema and the identity. */
static void several_may_be_the_first(void **state)
{
	const char *shared = url;
	pthread_t threads[OPENERS];
	struct err errs[OPENERS] = { 0 };

	(void)state;
	url = postgres_database(server);
	for (int i = 0; i < OPENERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, open_first, &errs[i]), 0);
	for (int i = 0; i < OPENERS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < OPENERS; i++) {
		if (errs[i].kind)
			fail_msg("%s", errs[i].text);
	}
	assert_int_equal(postgres_number(url, "SELECT count(*) FROM lessor_schema"), 1);
	assert_int_equal(postgres_number(url, "SELECT count(*) FROM meta"), 4);
	url = shared;
}

static PGresult *sql_on(PGconn *conn, const char *sql)
{
	PGresult *result = PQexec(conn, sql);
	ExecStatusType status = PQresultStatus(result);

	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(conn));
	return result;
}

/* A daemon of the version before has a table in use, while one of this version starts. */
static void a_migration_that_waits_stops_nobody(void **state)
{
	const char *shared = url;
	PGconn *user, *other;
	pthread_t thread;
	struct err err = { 0 };

	(void)state;
	url = postgres_database(server);
	postgres_sql(url, pg_schema_13);
	postgres_sql(url,
		     "CREATE TABLE lessor_schema(number bigint PRIMARY KEY, oldest bigint NOT NULL);"
		     "INSERT INTO lessor_schema(number, oldest) VALUES(13, 13)");
	user = PQconnectdb(url);
	other = PQconnectdb(url);
	PQclear(sql_on(user, "BEGIN; SELECT count(*) FROM lease"));
	assert_int_equal(pthread_create(&thread, NULL, open_first, &err), 0);
	while (!postgres_number(url, "SELECT count(*) FROM pg_locks WHERE NOT granted"
				     " AND relation = 'lease'::regclass"))
		assert_int_equal(err.kind, ERR_NONE);
	PQclear(sql_on(other, "SET statement_timeout = '10s'"));
	PQclear(sql_on(other,
		       "INSERT INTO beat VALUES(1, 1); SELECT count(*) FROM lease, resource"));
	assert_int_equal(postgres_number(url, "SELECT number FROM lessor_schema"), 13);
	PQclear(sql_on(user, "COMMIT"));
	pthread_join(thread, NULL);
	if (err.kind)
		fail_msg("%s", err.text);
	assert_int_equal(postgres_number(url, "SELECT number FROM lessor_schema"), PG_SCHEMA_NEWEST);
	/* One that knows nothing of charges would leave money reserved for ever. */
	assert_true(postgres_number(url, "SELECT oldest FROM lessor_schema") >= 17);
	PQfinish(user);
	PQfinish(other);
	url = shared;
}

static void a_newer_schema_is_read_but_not_written(void **state)
{
	const char *other = postgres_database(server);
	char why[WHY_SIZE];

	(void)state;
	assert_int_equal(open_on(other, 1, why), 1);
	assert_int_equal(open_on(other, 0, why), 0);
	assert_int_equal(open_on(other, 1, why), 0);
	/* The next version added something; this one may go on. */
	postgres_sql(other, "UPDATE lessor_schema SET number = 1000");
	assert_int_equal(open_on(other, 0, why), 0);
	assert_int_equal(open_on(other, 1, why), 0);
	/* The one after it removed something. */
	postgres_sql(other, "UPDATE lessor_schema SET oldest = 1000");
	assert_int_equal(open_on(other, 0, why), -1);
	assert_non_null(strstr(why, "was written by a newer lessord (schema 1000"));
	assert_int_equal(open_on(other, 1, why), 0);
	postgres_sql(other, "UPDATE lessor_schema SET number = 1, oldest = 1");
	assert_int_equal(open_on(other, 1, why), -1);
	assert_non_null(strstr(why, "was written by an older lessord (schema 1"));
}

static void a_database_of_another_encoding_is_refused(void **state)
{
	const char *other = postgres_database(server);
	char why[WHY_SIZE], name[64], sql[200];
	char *latin;

	(void)state;
	assert_int_equal(sscanf(strstr(other, "lessor_"), "%63[a-z0-9_]", name), 1);
	snprintf(sql, sizeof(sql), "CREATE DATABASE %s_l ENCODING 'LATIN1' TEMPLATE template0",
		 name);
	postgres_sql(other, sql);
	assert_true(asprintf(&latin, "%.*s%s_l%s", (int)(strstr(other, name) - other), other, name,
			     strstr(other, name) + strlen(name)) > 0);
	assert_int_equal(open_on(latin, 0, why), -1);
	assert_non_null(strstr(why, "is not UTF8"));
	free(latin);
}

/* ---- the program ------------------------------------------------------------------------------ */

static int database_make(void **state)
{
	struct store *opened = NULL;
	struct err err = { 0 };

	(void)state;
	server = postgres_start();
	if (!server)
		exit(77);
	url = postgres_database(server);
	env_system(&env);
	if (store_open_tool(url, &env, &opened, &err))
		fail_msg("%s", err.text);
	store_close(opened);
	return 0;
}

static int database_end(void **state)
{
	(void)state;
	postgres_stop(server);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(both_dialects_have_the_same_columns),
		TEST(the_table_of_names_is_complete),
		TEST(postgresql_understands_every_statement),
		TEST(two_accounts_do_not_wait_for_each_other),
		TEST(rows_are_numbered_as_they_come),
		TEST(several_may_be_the_first),
		TEST(a_migration_that_waits_stops_nobody),
		TEST(a_newer_schema_is_read_but_not_written),
		TEST(a_database_of_another_encoding_is_refused),
	};

	return cmocka_run_group_tests(tests, database_make, database_end);
}
