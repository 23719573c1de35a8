/* SPDX-License-Identifier: MIT */
/*
 * The store's statements and transactions on a real PostgreSQL, in tables of this test's own. The
 * module is loaded as lessord loads it.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "driver/pg_proxy_control.h"
#include "driver/postgres.h"
#include "store/rows.h"
#include "store/shard.h"
#include "unit/test.h"
#include "util/alloc.h"
#include "util/env.h"

#define TABLES                                                                                    \
	"CREATE TABLE thing (n bigint PRIMARY KEY, name text NOT NULL, data bytea, size bigint);" \
	"CREATE SEQUENCE thing_n INCREMENT BY 1000"

static struct postgres *pg;
static const char *url;
static struct env env;
static struct store *store;

static int setup_all(void **state)
{
	(void)state;
	env_system(&env);
	pg = postgres_start();
	return 0;
}

static int teardown_all(void **state)
{
	(void)state;
	postgres_stop(pg);
	return 0;
}

static struct store *open_as(int (*open)(const char *, const struct env *, struct store **,
					 struct err *))
{
	struct err err = { 0 };
	struct store *s = NULL;

	if (open(url, &env, &s, &err))
		fail_msg("%s", err.text);
	return s;
}

static struct store *reader_open(void)
{
	struct err err = { 0 };
	struct store *s = NULL;

	if (store_open_reader(url, &s, &err))
		fail_msg("%s", err.text);
	return s;
}

static int setup(void **state)
{
	(void)state;
	if (!pg)
		return 0;
	if (!url)
		url = postgres_database(pg);
	else
		postgres_clear(url);
	store = open_as(store_open);
	postgres_sql(url, TABLES);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	store_close(store);
	store = NULL;
	return 0;
}

/* ---- helpers ------------------------------------------------------------------------------- */

static struct statement *prepare(struct store *s, const char *sql)
{
	struct err err = { 0 };
	struct statement *stmt = store_prepare(s, sql, &err);

	if (!stmt)
		fail_msg("%s", err.text);
	return stmt;
}

static void begin(void)
{
	struct err err = { 0 };

	if (store_begin(store, &err))
		fail_msg("%s", err.text);
}

static void commit(void)
{
	struct err err = { 0 };

	if (store_commit(store, &err))
		fail_msg("%s", err.text);
}

static int insert(int64_t n, const char *name, struct err *err)
{
	struct statement *stmt = prepare(store, "INSERT INTO thing(n, name) VALUES(?1, ?2)");

	bind_number(stmt, 1, n);
	bind_text(stmt, 2, name);
	return store_run(store, stmt, "inserting", err);
}

static int64_t number_by(struct store *s, const char *sql, struct err *err)
{
	struct statement *stmt = prepare(s, sql);
	int64_t n;

	if (store_row(s, stmt, "counting", err))
		return -1;
	n = column_number(stmt, 0);
	statement_end(stmt);
	return n;
}

static int64_t count_by(struct store *s, struct err *err)
{
	return number_by(s, "SELECT count(*) FROM thing", err);
}

static int64_t committed(void)
{
	return postgres_number(url, "SELECT count(*) FROM thing");
}

#define NEEDS_SERVER            \
	do {                    \
		(void)state;    \
		if (!pg)        \
			skip(); \
	} while (0)

/* ---- values --------------------------------------------------------------------------------- */

static void value_put(int64_t n, const char *name, const void *data, size_t len, int64_t size)
{
	struct statement *stmt = prepare(store, "INSERT INTO thing VALUES(?, ?, ?, ?)");

	bind_number(stmt, 1, n);
	bind_text(stmt, 2, name);
	if (data)
		bind_blob(stmt, 3, data, len);
	else
		bind_null(stmt, 3);
	bind_number(stmt, 4, size);
	assert_int_equal(store_run(store, stmt, "inserting", NULL), 0);
}

static void test_values(void **state)
{
	static const char blob[] = { 0, 1, '\'', -1, 0, '\\' };
	struct statement *stmt;
	const char *data;
	size_t len;

	NEEDS_SERVER;
	begin();
	value_put(1, "it's \xc3\xa4 $1 ? \\", blob, sizeof(blob), INT64_MAX);
	value_put(2, "", NULL, 0, INT64_MIN);
	value_put(3, "x", "", 0, -1);
	commit();

	stmt = prepare(store, "SELECT n, name, data, size, n = 1, size + 0.0, 7::int FROM thing"
			      " WHERE n >= ?1 AND (?2 <> 0 OR n > 5) ORDER BY n LIMIT ?4");
	bind_number(stmt, 1, 1);
	bind_number(stmt, 2, INT64_C(1) << 40); /* compared with an int4 */
	bind_text(stmt, 3, "is not in the text");
	bind_number(stmt, 4, 10);
	bind_number(stmt, 9, 10); /* not there: ignored */
	assert_int_equal(store_row(store, stmt, "reading", NULL), 0);
	assert_int_equal(column_number(stmt, 0), 1);
	assert_string_equal(column_string(stmt, 0), "1");
	assert_string_equal(column_string(stmt, 1), "it's \xc3\xa4 $1 ? \\");
	data = column_data(stmt, 2, &len);
	assert_int_equal(len, sizeof(blob));
	assert_memory_equal(data, blob, sizeof(blob));
	assert_true(column_number(stmt, 3) == INT64_MAX);
	assert_int_equal(column_number(stmt, 4), 1);
	assert_true(column_number(stmt, 5) == INT64_MAX);
	assert_int_equal(column_number(stmt, 6), 7);
	assert_int_equal(store_row(store, stmt, "reading", NULL), 0);
	assert_string_equal(column_string(stmt, 1), "");
	assert_null(column_data(stmt, 2, &len));
	assert_int_equal(column_number(stmt, 2), 0);
	assert_true(column_number(stmt, 3) == INT64_MIN);
	assert_int_equal(column_number(stmt, 4), 0);
	assert_int_equal(store_row(store, stmt, "reading", NULL), 0);
	assert_null(column_data(stmt, 2, &len));
	assert_int_equal(len, 0);
	assert_true(column_number(stmt, 5) == -1);
	assert_int_equal(store_row(store, stmt, "reading", NULL), 1);
	/* Again from the start. */
	assert_int_equal(store_row(store, stmt, "reading", NULL), 0);
	assert_int_equal(column_number(stmt, 0), 1);
	statement_end(stmt);
}

static void test_sums_and_numbers_in_texts(void **state)
{
	struct statement *stmt;

	NEEDS_SERVER;
	begin();
	value_put(1, "1234567", NULL, 0, INT64_MAX);
	value_put(2, "00x", NULL, 0, -INT64_MAX);
	value_put(3, "-5", NULL, 0, -10050000);
	commit();
	stmt = prepare(store, "SELECT sum(size), (SELECT sum(size) FROM thing WHERE n > 9),"
			      " (SELECT name FROM thing WHERE n = 3), sum(n * 10000) FROM thing");
	assert_int_equal(store_row(store, stmt, "summing", NULL), 0);
	assert_int_equal(column_number(stmt, 0), -10050000);
	assert_int_equal(column_number(stmt, 1), 0);
	assert_int_equal(column_number(stmt, 2), -5);
	assert_int_equal(column_number(stmt, 3), 60000);
	statement_end(stmt);
}

/* A parameter that was NULL first, and a number as a text, prepare the statement anew. */
static void test_types_change(void **state)
{
	NEEDS_SERVER;
	begin();
	value_put(1, "a", NULL, 0, 1);
	value_put(2, "b", "data", 4, 1);
	value_put(3, "c", NULL, 0, 1);
	value_put(4, "d", "more", 4, 1);
	commit();
	assert_int_equal(postgres_number(url, "SELECT count(*) FROM thing WHERE data IS NULL"), 2);
	assert_int_equal(postgres_number(url, "SELECT length(data) FROM thing WHERE n = 4"), 4);
}

/* A byte that is not UTF-8 is refused by the server, and would cost the whole batch. */
static void test_texts_that_are_not_utf8(void **state)
{
	struct statement *stmt;
	char cut[] = "caf\xc3";

	NEEDS_SERVER;
	begin();
	assert_int_equal(insert(1, cut, NULL), 0);
	assert_int_equal(insert(2, "\xff|\xed\xa0\x80|", NULL), 0);
	commit();
	stmt = prepare(store, "SELECT name FROM thing ORDER BY n");
	assert_int_equal(store_row(store, stmt, "reading", NULL), 0);
	assert_string_equal(column_string(stmt, 0), "caf?");
	assert_int_equal(store_row(store, stmt, "reading", NULL), 0);
	assert_string_equal(column_string(stmt, 0), "?|???|");
	statement_end(stmt);
}

static void test_statements_within_rows(void **state)
{
	struct statement *outer, *inner;
	int rows = 0;

	NEEDS_SERVER;
	begin();
	for (int i = 0; i < 3; i++)
		assert_int_equal(insert(i, "x", NULL), 0);
	outer = prepare(store, "SELECT n FROM thing ORDER BY n");
	inner = prepare(store, "SELECT count(*) FROM thing WHERE n <= ?1");
	while (store_row(store, outer, "reading", NULL) == 0) {
		bind_number(inner, 1, column_number(outer, 0));
		assert_int_equal(store_row(store, inner, "counting", NULL), 0);
		assert_int_equal(column_number(inner, 0), ++rows);
		statement_end(inner);
	}
	assert_int_equal(rows, 3);
	commit();
}

/* ---- transactions ----------------------------------------------------------------------------- */

static void test_commit_and_rollback(void **state)
{
	NEEDS_SERVER;
	begin();
	assert_false(store_is_written(store));
	assert_int_equal(insert(1, "a", NULL), 0);
	assert_true(store_is_written(store));
	assert_int_equal(committed(), 0);
	commit();
	assert_int_equal(committed(), 1);

	begin();
	assert_int_equal(insert(2, "b", NULL), 0);
	/* Its own writes are seen by a read, and by nobody else. */
	assert_int_equal(count_by(store, NULL), 2);
	assert_int_equal(committed(), 1);
	store_rollback(store);
	assert_int_equal(count_by(store, NULL), 1);
	assert_int_equal(committed(), 1);

	/* Without a read nothing has been looked at when it is undone. */
	begin();
	assert_int_equal(insert(3, "c", NULL), 0);
	store_rollback(store);
	assert_int_equal(committed(), 1);

	begin();
	store_rollback(store);
	begin();
	commit();
	assert_false(store_broken(store));
	assert_int_equal(postgres_number(url, "SELECT count(*) FROM pg_stat_activity WHERE"
					      " application_name = 'lessord'"
					      " AND state LIKE 'idle in transaction%'"),
			 0);
}

static void test_a_large_batch(void **state)
{
	auto_free char *text = xcalloc(1, 2001);

	NEEDS_SERVER;
	memset(text, 'x', 2000);
	begin();
	for (int i = 0; i < 5000; i++)
		assert_int_equal(insert(i, text, NULL), 0);
	commit();
	assert_int_equal(committed(), 5000);
}

static void test_an_error_is_put_off_to_the_commit(void **state)
{
	struct err err = { 0 };

	NEEDS_SERVER;
	begin();
	assert_int_equal(insert(1, "a", NULL), 0);
	assert_int_equal(insert(1, "again", NULL), 0);
	assert_int_equal(insert(2, "after", NULL), 0);
	assert_int_equal(store_commit(store, &err), -1);
	assert_int_equal(err.kind, ERR_CONFLICT);
	assert_non_null(strstr(err.text, "(inserting; PostgreSQL 23505)"));
	/* The values of a row are no message. */
	assert_null(strstr(err.text, "again"));
	assert_true(store_broken(store));
	assert_int_equal(committed(), 0);
	assert_int_equal(store_begin(store, &err), -1);
}

static void test_an_error_is_found_by_a_read(void **state)
{
	struct err err = { 0 };

	NEEDS_SERVER;
	begin();
	assert_int_equal(insert(1, "a", NULL), 0);
	assert_int_equal(insert(1, "again", NULL), 0);
	assert_int_equal(count_by(store, &err), -1);
	assert_int_equal(err.kind, ERR_CONFLICT);
	/* Nothing more is sent. */
	assert_int_equal(insert(2, "b", &err), -1);
	assert_int_equal(err.kind, ERR_CONFLICT);
	store_rollback(store);
	assert_false(store_broken(store));
	assert_int_equal(committed(), 0);
	/* The statement that was prepared in the part that was skipped works. */
	begin();
	assert_int_equal(insert(2, "b", NULL), 0);
	assert_int_equal(count_by(store, NULL), 1);
	commit();
	assert_int_equal(committed(), 1);
}

/* Prepared only in the part that the server skipped. */
static void test_what_was_skipped_is_prepared_again(void **state)
{
	struct statement *stmt = NULL;

	NEEDS_SERVER;
	begin();
	assert_int_equal(insert(1, "a", NULL), 0);
	assert_int_equal(insert(1, "again", NULL), 0);
	stmt = prepare(store, "DELETE FROM thing WHERE n = ?1");
	bind_number(stmt, 1, 1);
	assert_int_equal(store_run(store, stmt, "deleting", NULL), 0);
	store_rollback(store);
	begin();
	bind_number(stmt, 1, 1);
	assert_int_equal(store_run(store, stmt, "deleting", NULL), 0);
	commit();
}

static int rename_one(int64_t n, const char *name, struct err *err)
{
	struct statement *stmt = prepare(store, "UPDATE thing SET name = ?1 WHERE n = ?2");

	bind_text(stmt, 1, name);
	bind_number(stmt, 2, n);
	return store_run_one(store, stmt, "renaming", err);
}

static void test_run_one(void **state)
{
	struct err err = { 0 };

	NEEDS_SERVER;
	begin();
	assert_int_equal(insert(1, "a", NULL), 0);
	assert_int_equal(rename_one(1, "b", NULL), 0);
	commit();
	assert_int_equal(postgres_number(url, "SELECT count(*) FROM thing WHERE name = 'b'"), 1);

	/* A row that is not there: nothing of the batch stays. */
	begin();
	assert_int_equal(insert(2, "c", NULL), 0);
	assert_int_equal(rename_one(7, "d", NULL), 0);
	assert_int_equal(store_commit(store, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(committed(), 1);
	assert_true(store_broken(store));
}

static void test_changed(void **state)
{
	struct statement *stmt;

	NEEDS_SERVER;
	begin();
	for (int i = 0; i < 5; i++)
		assert_int_equal(insert(i, "x", NULL), 0);
	stmt = prepare(store, "DELETE FROM thing WHERE n >= ?1");
	bind_number(stmt, 1, 2);
	assert_int_equal(store_run(store, stmt, "deleting", NULL), 0);
	assert_int_equal(store_changed(store, stmt, NULL), 3);
	bind_number(stmt, 1, 9);
	assert_int_equal(store_run(store, stmt, "deleting", NULL), 0);
	assert_int_equal(store_changed(store, stmt, NULL), 0);
	commit();
	assert_int_equal(committed(), 2);
}

/* Row numbers are fetched in blocks of so many. */
#define BLOCK 1000

static int64_t insert_new(struct store *s)
{
	struct statement *stmt = prepare(s, "INSERT INTO thing(name, n) VALUES(?1, ?2)");
	int64_t n = 0;

	assert_int_equal(store_begin(s, NULL), 0);
	bind_text(stmt, 1, "new");
	assert_int_equal(store_run_new(s, stmt, 2, "thing", &n, "inserting", NULL), 0);
	assert_int_equal(store_commit(s, NULL), 0);
	return n;
}

/* The next of the block, or, since a block is used for a second only, the first of another. */
static int64_t insert_next(struct store *s, int64_t last)
{
	int64_t n = insert_new(s);

	if (n != last + 1) {
		assert_true(n > last);
		assert_int_equal(n % BLOCK, 1);
	}
	return n;
}

static void test_run_new(void **state)
{
	struct store *other;
	int64_t n, others;

	NEEDS_SERVER;
	n = insert_new(store);
	for (int i = 1; i < 1500; i++)
		n = insert_next(store, n);
	assert_true(n >= 1500);
	/* Another daemon's block. */
	other = open_as(store_open_tool);
	others = insert_new(other);
	assert_true(others > n);
	assert_int_equal(others % BLOCK, 1);
	n = insert_next(store, n);
	assert_int_not_equal(n, others);
	store_close(other);
	assert_int_equal(committed(), 1502);
}

/* There are none, so what was written after one cannot be undone alone. */
static void test_savepoints(void **state)
{
	NEEDS_SERVER;
	begin();
	assert_int_equal(insert(1, "a", NULL), 0);
	assert_int_equal(store_savepoint(store, NULL), 0);
	assert_int_equal(count_by(store, NULL), 1);
	store_savepoint_undo(store);
	assert_int_equal(store_savepoint(store, NULL), 0);
	assert_int_equal(insert(2, "b", NULL), 0);
	assert_int_equal(store_savepoint_keep(store, NULL), 0);
	commit();
	assert_int_equal(committed(), 2);

	begin();
	assert_int_equal(store_savepoint(store, NULL), 0);
	assert_int_equal(insert(3, "c", NULL), 0);
	store_savepoint_undo(store);
	assert_true(store_broken(store));
	assert_int_equal(store_commit(store, NULL), -1);
	assert_int_equal(committed(), 2);
}

static void test_snapshot(void **state)
{
	struct store *reader;

	NEEDS_SERVER;
	reader = reader_open();
	begin();
	assert_int_equal(insert(1, "a", NULL), 0);
	commit();
	assert_int_equal(store_snapshot_begin(reader, NULL), 0);
	assert_int_equal(count_by(reader, NULL), 1);
	begin();
	assert_int_equal(insert(2, "b", NULL), 0);
	commit();
	assert_int_equal(count_by(reader, NULL), 1);
	store_snapshot_end(reader);
	assert_int_equal(count_by(reader, NULL), 2);
	assert_int_equal(store_snapshot_begin(reader, NULL), 0);
	store_snapshot_end(reader);
	assert_int_equal(count_by(reader, NULL), 2);
	store_close(reader);
}

static void test_a_snapshot_with_an_error(void **state)
{
	struct store *reader;
	struct statement *stmt;
	struct err err = { 0 };

	NEEDS_SERVER;
	reader = reader_open();
	assert_int_equal(store_snapshot_begin(reader, NULL), 0);
	stmt = prepare(reader, "SELECT 1 / (?1 - ?1)");
	bind_number(stmt, 1, 1);
	assert_int_equal(store_row(reader, stmt, "dividing", &err), -1);
	assert_int_equal(count_by(reader, &err), -1);
	store_snapshot_end(reader);
	assert_int_equal(count_by(reader, NULL), 0);
	store_close(reader);
}

/* ---- two connections ------------------------------------------------------------------------------ */

static void claim(struct store *s, const char *nonce, int64_t ttl_ms)
{
	struct shard_claim terms = {
		.account = "hetzner", .nonce = nonce, .address = "here", .ttl_ms = ttl_ms
	};
	struct shard row;
	struct err err = { 0 };

	if (shard_claim(s, &terms, &row, &err))
		fail_msg("%s", err.text);
}

/* Whoever does not get it goes on without. */
static void test_create_lock(void **state)
{
	static const char lock_limit[] = "SELECT current_setting('lock_timeout')";
	struct store *other;
	struct err err = { 0 };
	int64_t begun;

	NEEDS_SERVER;
	other = open_as(store_open_tool);
	/* An owner whose time is not up: it is not ended. */
	claim(store, "11111111111111111111111111111111", 60000);
	begin();
	assert_int_equal(store_create_lock(store, NULL), 0);
	assert_int_equal(store_create_lock(store, NULL), 0);
	assert_int_equal(insert(1, "a", NULL), 0);
	assert_int_equal(count_by(store, NULL), 1);
	assert_int_equal(store_begin(other, NULL), 0);
	begun = env_mono_ms(&env);
	for (int i = 0; i < 20; i++)
		assert_int_equal(store_create_lock(other, &err), 1);
	assert_int_equal(err.kind, ERR_BUSY);
	/* They wait together. */
	assert_true(env_mono_ms(&env) - begun < 10000);
	assert_int_equal(count_by(other, NULL), 0);
	assert_int_equal(store_commit(other, NULL), 0);
	assert_false(store_broken(other));
	commit();
	assert_int_equal(store_begin(other, NULL), 0);
	assert_int_equal(store_create_lock(other, NULL), 0);
	assert_int_equal(count_by(other, NULL), 1);
	/* Other locks are waited for as before. */
	assert_int_equal(number_by(other, lock_limit, NULL), 0);
	assert_int_equal(store_commit(other, NULL), 0);
	store_close(other);
}

/* An owner that stands still in a create, and whose account nobody else serves. */
static void test_the_create_lock_is_taken_from_a_stopped_owner(void **state)
{
	struct store *other;
	struct err err = { 0 };

	NEEDS_SERVER;
	other = open_as(store_open_tool);
	claim(store, "22222222222222222222222222222222", 1);
	begin();
	assert_int_equal(store_create_lock(store, NULL), 0);
	assert_int_equal(insert(1, "a", NULL), 0);
	assert_int_equal(count_by(store, NULL), 1);
	assert_int_equal(store_begin(other, NULL), 0);
	if (store_create_lock(other, &err))
		fail_msg("%s", err.text);
	assert_int_equal(count_by(other, NULL), 0);
	assert_int_equal(store_commit(other, NULL), 0);
	assert_int_equal(store_commit(store, &err), -1);
	assert_int_equal(committed(), 0);
	store_close(other);
}

/* Who makes the identity at the first start of all owns no account whose time could be up. */
static void test_the_create_lock_is_taken_from_a_stopped_start(void **state)
{
	struct store *first, *other;
	struct err err = { 0 };
	int64_t begun;
	int rc;

	NEEDS_SERVER;
	first = open_as(store_open_tool);
	other = open_as(store_open_tool);
	assert_int_equal(store_begin(first, NULL), 0);
	assert_int_equal(store_create_lock(first, NULL), 0);
	begun = env_mono_ms(&env);
	do {
		assert_int_equal(store_begin(other, NULL), 0);
		rc = store_create_lock(other, &err);
		assert_true(rc >= 0);
		/* Not one that is only slow. */
		assert_true(rc == 1 || env_mono_ms(&env) - begun >= SHARD_TTL_MS);
		assert_true(env_mono_ms(&env) - begun < 20000);
		store_rollback(other);
	} while (rc);
	assert_int_equal(count_by(first, &err), -1);
	store_rollback(first);
	store_close(first);
	store_close(other);
}

/* ---- a server that ends ----------------------------------------------------------------------------- */

static void test_the_writer_is_broken_by_a_crash(void **state)
{
	struct err err = { 0 };

	NEEDS_SERVER;
	if (!postgres_can_crash(pg))
		skip();
	begin();
	assert_int_equal(insert(1, "a", NULL), 0);
	assert_int_equal(count_by(store, NULL), 1);
	postgres_crash(pg);
	assert_int_equal(store_commit(store, &err), -1);
	assert_true(store_broken(store));
	assert_int_equal(store_begin(store, &err), -1);
	postgres_restart(pg);
	assert_int_equal(committed(), 0);
	assert_int_equal(store_begin(store, &err), -1);
}

/* Nothing was open: nothing is lost. */
static void test_the_writer_goes_on_after_a_crash(void **state)
{
	struct err err = { 0 };

	NEEDS_SERVER;
	if (!postgres_can_crash(pg))
		skip();
	begin();
	assert_int_equal(insert(1, "a", NULL), 0);
	commit();
	postgres_crash(pg);
	assert_int_equal(store_begin(store, &err), -1);
	assert_int_equal(err.kind, ERR_BUSY);
	assert_int_equal(store_state(store), STORE_AWAY);
	assert_false(store_broken(store));
	postgres_restart(pg);
	begin();
	assert_int_equal(insert(2, "b", NULL), 0);
	commit();
	assert_int_equal(store_state(store), STORE_WRITABLE);
	assert_int_equal(committed(), 2);
}

static void assert_writes_nothing(struct store *s)
{
	struct statement *stmt = prepare(s, "INSERT INTO thing(n, name) VALUES(7, 'x') RETURNING n");
	struct err err = { 0 };

	assert_int_equal(store_row(s, stmt, "inserting", &err), -1);
	assert_int_equal(err.kind, ERR_REFUSED);
	assert_int_equal(count_by(s, NULL), 0);
}

static void test_a_reader_cannot_write(void **state)
{
	struct store *reader, *view;

	NEEDS_SERVER;
	reader = reader_open();
	assert_writes_nothing(reader);
	assert_int_equal(store_open_view(url, &view, NULL), 0);
	assert_writes_nothing(view);
	store_close(view);
	if (postgres_can_crash(pg)) {
		postgres_crash(pg);
		postgres_restart(pg);
		/* In its next session, too. */
		assert_writes_nothing(reader);
	}
	store_close(reader);
}

static void default_set(const char *isolation)
{
	auto_free char *sql = xasprintf("DO $$ BEGIN EXECUTE format('ALTER DATABASE %%I SET"
					" default_transaction_isolation = %%L',"
					" current_database(), '%s'); END $$",
					isolation);

	postgres_sql(url, sql);
}

static void test_other_defaults_of_the_database(void **state)
{
	static const char sql[] = "SELECT (current_setting('transaction_isolation') ="
				  " 'read committed')::int";
	auto_free char *more = NULL;
	struct store *other = NULL, *reader;
	int rc;

	NEEDS_SERVER;
	/* Options of the URL's own count, too. */
	more = xasprintf("%s%coptions=-c%%20work_mem%%3D7MB", url, strchr(url, '?') ? '&' : '?');
	default_set("serializable");
	reader = reader_open();
	rc = store_open_tool(more, &env, &other, NULL);
	default_set("read committed");
	assert_int_equal(rc, 0);
	assert_int_equal(number_by(reader, sql, NULL), 1);
	assert_int_equal(number_by(other, sql, NULL), 1);
	assert_int_equal(number_by(other, "SELECT (current_setting('work_mem') = '7MB')::int", NULL),
			 1);
	assert_int_equal(store_begin(other, NULL), 0);
	assert_int_equal(number_by(other, sql, NULL), 1);
	assert_int_equal(store_commit(other, NULL), 0);
	store_close(reader);
	store_close(other);
}

static void test_a_reader_connects_again(void **state)
{
	struct store *reader;
	struct err err = { 0 };

	NEEDS_SERVER;
	if (!postgres_can_crash(pg))
		skip();
	reader = reader_open();
	begin();
	assert_int_equal(insert(1, "a", NULL), 0);
	commit();
	assert_int_equal(count_by(reader, NULL), 1);
	/* It does not notice a restart. */
	postgres_crash(pg);
	postgres_restart(pg);
	assert_int_equal(count_by(reader, NULL), 1);
	/* While the server is away, it fails, and tries again after a second, not before. */
	postgres_crash(pg);
	assert_int_equal(count_by(reader, &err), -1);
	assert_int_equal(store_snapshot_begin(reader, &err), -1);
	assert_int_equal(err.kind, ERR_BUSY);
	postgres_restart(pg);
	for (int64_t until = env_mono_ms(&env) + 10000; count_by(reader, &err) != 1;)
		assert_true(env_mono_ms(&env) < until);
	assert_false(store_broken(reader));
	store_close(reader);
}

/*
 * A connection into nothing is not waited for as long as TCP would. What was sent before the
 * silence may have been done: the writer is broken. The reader then fails at once, not after
 * another wait each time.
 */
static void test_a_silent_server_is_given_up(void **state)
{
	auto_free char *target = NULL, *through = NULL;
	struct store *writer = NULL, *reader = NULL;
	struct pg_proxy proxy;
	struct err err = { 0 };
	int64_t begun;

	NEEDS_SERVER;
	if (!postgres_socket_folder(pg))
		skip();
	target = xasprintf("%s/.s.PGSQL.5432", postgres_socket_folder(pg));
	pg_proxy_start(&proxy, target);
	through = xasprintf("postgresql://postgres@127.0.0.1:%d/%.*s", proxy.port,
			    (int)strcspn(url + strlen("postgresql:///"), "?"),
			    url + strlen("postgresql:///"));
	if (store_open(through, &env, &writer, &err) || store_open_reader(through, &reader, &err))
		fail_msg("%s", err.text);
	assert_int_equal(count_by(reader, NULL), 0);
	assert_int_equal(store_begin(writer, NULL), 0);
	assert_int_equal(count_by(writer, NULL), 0);
	pg_proxy_tell(&proxy, "hold s2c all");
	pg_proxy_tell(&proxy, "hold s2c new");
	begun = env_mono_ms(&env);
	assert_int_equal(count_by(writer, &err), -1);
	assert_true(env_mono_ms(&env) - begun < 15000);
	assert_int_equal(store_commit(writer, &err), -1);
	assert_true(store_broken(writer));
	/* The loop thread waits for it, and with it all clients: a second, and once. */
	begun = env_mono_ms(&env);
	assert_int_equal(count_by(reader, &err), -1);
	assert_true(env_mono_ms(&env) - begun < 4000);
	begun = env_mono_ms(&env);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(store_snapshot_begin(reader, &err), -1);
	assert_int_equal(err.kind, ERR_BUSY);
	assert_true(env_mono_ms(&env) - begun < 5000);
	pg_proxy_tell(&proxy, "pass s2c new");
	pg_proxy_tell(&proxy, "pass s2c all");
	for (begun = env_mono_ms(&env); count_by(reader, &err) != 0;)
		assert_true(env_mono_ms(&env) - begun < 10000);
	store_close(reader);
	store_close(writer);
	pg_proxy_stop(&proxy);
}

/* How long reads take in all, and how many there were, until one fails. */
static int64_t reads_until_a_failure(struct store *reader, int *ret_count)
{
	int64_t begun = env_mono_ms(&env);
	struct err err = { 0 };

	for (*ret_count = 0; count_by(reader, &err) == 0; ++*ret_count)
		assert_true(env_mono_ms(&env) - begun < 20000);
	return env_mono_ms(&env) - begun;
}

/* How often this thread gave the processor away because it had to wait. */
static long waits_of_thread(void)
{
	struct rusage usage;

	assert_int_equal(getrusage(RUSAGE_THREAD, &usage), 0);
	return usage.ru_nvcsw;
}

/*
 * A server that answers late, every time: after a few reads the loop thread waits for none, and a
 * session that is no better does not make it begin anew.
 */
static void test_a_slow_server_is_not_waited_for_again_and_again(void **state)
{
	static const int late_ms[] = { 700, 1300 };
	auto_free char *target = NULL, *through = NULL;
	struct store *reader = NULL;
	struct pg_proxy proxy;
	struct err err = { 0 };

	NEEDS_SERVER;
	if (!postgres_socket_folder(pg))
		skip();
	target = xasprintf("%s/.s.PGSQL.5432", postgres_socket_folder(pg));
	pg_proxy_start(&proxy, target);
	through = xasprintf("postgresql://postgres@127.0.0.1:%d/%.*s", proxy.port,
			    (int)strcspn(url + strlen("postgresql:///"), "?"),
			    url + strlen("postgresql:///"));
	if (store_open_reader(through, &reader, &err))
		fail_msg("%s", err.text);
	for (size_t i = 0; i < ARRAY_LEN(late_ms); i++) {
		int64_t begun, waited = 0;
		int count;

		pg_proxy_tell(&proxy, "delay s2c all %d", late_ms[i]);
		pg_proxy_tell(&proxy, "delay s2c new %d", late_ms[i]);
		assert_true(reads_until_a_failure(reader, &count) < 6000);
		assert_true(count <= 3);
		/*
		 * Of six seconds, how many does the loop thread stand still? Not while it could run, but
		 * another program did.
		 */
		for (begun = env_mono_ms(&env); env_mono_ms(&env) - begun < 6000;) {
			int64_t before = env_mono_ms(&env);
			long waits = waits_of_thread();

			assert_int_equal(count_by(reader, &err), -1);
			assert_int_equal(err.kind, ERR_BUSY);
			if (waits_of_thread() > waits && env_mono_ms(&env) - before >= 50)
				waited += env_mono_ms(&env) - before;
		}
		assert_true(waited < 1000);
		pg_proxy_tell(&proxy, "delay s2c new 0");
		pg_proxy_tell(&proxy, "delay s2c all 0");
		for (begun = env_mono_ms(&env); count_by(reader, &err) != 0;)
			assert_true(env_mono_ms(&env) - begun < 10000);
	}
	store_close(reader);
	pg_proxy_stop(&proxy);
}

/* Another transaction may hold what it writes, and what it reads is old by then. */
static void test_a_poll_does_not_wait(void **state)
{
	struct statement *stmt;
	struct store *poll;
	struct err err = { 0 };
	int64_t begun;

	NEEDS_SERVER;
	poll = open_as(store_open_poll);
	begin();
	assert_int_equal(insert(1, "a", &err), 0);
	assert_int_equal(count_by(store, &err), 1);
	stmt = prepare(poll, "INSERT INTO thing(n, name) VALUES(1, 'b')");
	begun = env_mono_ms(&env);
	assert_int_equal(store_begin(poll, &err), 0);
	assert_int_equal(store_run(poll, stmt, "inserting", &err), 0);
	assert_int_equal(store_commit(poll, &err), -1);
	assert_in_range(env_mono_ms(&env) - begun, 1000, 8000);
	store_close(poll);
	commit();
}

/* ---- names ------------------------------------------------------------------------------------------ */

static void test_no_password_in_messages(void **state)
{
	static const char *const urls[] = {
		"postgresql://alice:s3cret@localhost:1/db",
		"postgres://alice:s3cret@127.0.0.1:1,127.0.0.1:2/db",
		"postgresql://alice:s3cret@[::1/db",
		"postgresql://alice:s3cret@localhost/db?nonsense",
		"postgresql://alice@localhost:1/db?password=s3cret",
		"postgresql:///db?host=/nonexistent&password=s3cret&port=1",
	};
	struct store *s = NULL;

	NEEDS_SERVER;
	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		struct err err = { 0 };

		assert_int_equal(store_open_tool(urls[i], &env, &s, &err), -1);
		assert_true(err.text[0] != '\0');
		if (strstr(err.text, "s3cret"))
			fail_msg("%s", err.text);
	}
}

static void test_names(void **state)
{
	NEEDS_SERVER;
	assert_true(store_is_shared(store));
	assert_int_equal(store_data_version(store), 0);
	assert_true(store_view_holds(store));
	assert_int_equal(strncmp(store->name, "postgresql://postgres@", 22), 0);
	assert_false(store_name_is_shared("/var/lib/lessor/lessor.db"));
	assert_false(store_name_is_shared("postgresql"));
	assert_true(store_name_is_shared("postgres://x"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_values),
		TEST(test_sums_and_numbers_in_texts),
		TEST(test_types_change),
		TEST(test_texts_that_are_not_utf8),
		TEST(test_statements_within_rows),
		TEST(test_commit_and_rollback),
		TEST(test_a_large_batch),
		TEST(test_an_error_is_put_off_to_the_commit),
		TEST(test_an_error_is_found_by_a_read),
		TEST(test_what_was_skipped_is_prepared_again),
		TEST(test_run_one),
		TEST(test_changed),
		TEST(test_run_new),
		TEST(test_savepoints),
		TEST(test_snapshot),
		TEST(test_a_snapshot_with_an_error),
		TEST(test_create_lock),
		TEST(test_the_create_lock_is_taken_from_a_stopped_owner),
		TEST(test_the_create_lock_is_taken_from_a_stopped_start),
		TEST(test_the_writer_is_broken_by_a_crash),
		TEST(test_the_writer_goes_on_after_a_crash),
		TEST(test_a_reader_cannot_write),
		TEST(test_other_defaults_of_the_database),
		TEST(test_a_reader_connects_again),
		TEST(test_a_silent_server_is_given_up),
		TEST(test_a_slow_server_is_not_waited_for_again_and_again),
		TEST(test_a_poll_does_not_wait),
		TEST(test_no_password_in_messages),
		TEST(test_names),
	};

	return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
