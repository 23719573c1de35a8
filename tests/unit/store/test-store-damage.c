/* SPDX-License-Identifier: MIT */
/*
 * A database that lost its tables to a damaged page or an operator's tool: every function
 * returns an error, writes nothing, and leaves its output alone. And the comparison of rows that
 * keeps copies honest names every column.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "scratch.h"
#include "store/runs.h"
#include "util/alloc.h"

#define NAMES_MAX 96

/* ---- lost tables ------------------------------------------------------------------------ */

static struct err error;

static sqlite3 *db_open(const char *file)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
	return db;
}

/* Drops all tables of a file through another connection. */
static void tables_drop(const char *file)
{
	static const char next[] = "SELECT 'DROP TABLE \"' || name || '\"' FROM sqlite_schema "
				   "WHERE type = 'table' AND name NOT LIKE 'sqlite_%' LIMIT 1";
	sqlite3 *db = db_open(file);

	for (;;) {
		sqlite3_stmt *stmt = NULL;
		char drop[128] = "";

		assert_int_equal(sqlite3_prepare_v2(db, next, -1, &stmt, NULL), SQLITE_OK);
		if (sqlite3_step(stmt) == SQLITE_ROW)
			snprintf(drop, sizeof(drop), "%s",
				 (const char *)sqlite3_column_text(stmt, 0));
		sqlite3_finalize(stmt);
		if (!drop[0])
			break;
		assert_int_equal(sqlite3_exec(db, drop, NULL, NULL, NULL), SQLITE_OK);
	}
	sqlite3_close(db);
}

/* The call fails with a reason that names the lost table. */
#define FAILS(call)                                            \
	do {                                                   \
		error = (struct err){ 0 };                     \
		if ((call) != -1)                              \
			fail_msg("%s does not fail", #call);   \
		if (!strstr(error.text, "no such table"))      \
			fail_msg("%s: %s", #call, error.text); \
	} while (0)

static int unexpected(void)
{
	fail_msg("called without a row");
	return 1;
}

static int on_lease(void *arg, const struct lease *l)
{
	(void)arg;
	(void)l;
	return unexpected();
}

static void on_due(void *arg, int64_t n, int64_t due_ms)
{
	(void)arg;
	(void)n;
	(void)due_ms;
	unexpected();
}

static int on_account(void *arg, const char *account)
{
	(void)arg;
	(void)account;
	return unexpected();
}

static void on_share(void *arg, const struct store_share *share)
{
	(void)arg;
	(void)share;
	unexpected();
}

static void on_telemetry(void *arg, const char *data)
{
	(void)arg;
	(void)data;
	unexpected();
}

static void on_cost(void *arg, const struct store_cost_row *row)
{
	(void)arg;
	(void)row;
}

static void on_usage(void *arg, const struct store_usage_row *row)
{
	(void)arg;
	(void)row;
	unexpected();
}

static int on_event(void *arg, const struct store_event *event)
{
	(void)arg;
	(void)event;
	return unexpected();
}

static void on_token(void *arg, const struct token *token)
{
	(void)arg;
	(void)token;
	unexpected();
}

static int on_text(void *arg, const char *text, size_t len)
{
	(void)arg;
	(void)text;
	(void)len;
	return unexpected();
}

static int on_run(void *arg, const struct run_row *r, const char *command)
{
	(void)arg;
	(void)r;
	(void)command;
	return unexpected();
}

static int on_run_event(void *arg, int64_t seq, int64_t at_ms, const char *fields)
{
	(void)arg;
	(void)seq;
	(void)at_ms;
	(void)fields;
	return unexpected();
}

static const struct store_scope mine = { .owner = "alice@example.com", .org = "acme" };

static void leases_fail(void)
{
	struct store_list list = { .scope = mine, .state = -1, .cleanup = -1, .limit = 10 };
	struct lease l = scratch_lease("cbx_000000000001"), back = { 0 };
	struct store_counts counts;
	struct store_share share = { .name = "bob" };
	struct store_cost_range range = { .part = COSTS_BEGUN, .to_ms = 9 };
	struct cost cost = { .resource = 1 };
	int64_t at_ms;
	char by[128];

	FAILS(store_lease_insert(store, &l, &error));
	FAILS(store_lease_update(store, &l, &error));
	FAILS(store_lease_by_n(store, 1, &back, &error));
	FAILS(store_lease_by_id(store, l.id, &back, &error));
	FAILS(store_lease_is_of(store, l.id, l.owner, l.org, &error));
	FAILS(store_lease_visible(store, l.id, &mine, &back, &error));
	FAILS(store_lease_by_slug(store, l.slug, &mine, &back, &error));
	FAILS(store_slug_taken(store, l.slug, l.owner, l.org, &error));
	FAILS(store_lease_each(store, &list, on_lease, NULL, &error));
	FAILS(store_attention_count(store, &at_ms, &error));
	FAILS(store_due_each(store, NULL, 0, on_due, NULL, &error));
	FAILS(store_touch(store, 1, 2, &error));
	FAILS(store_counts(store, l.owner, l.org, l.account, &counts, &error));
	FAILS(store_account_each(store, on_account, NULL, &error));
	FAILS(store_usage_each(store, &mine, 0, 1, on_usage, NULL, &error));
	FAILS(store_cost_put(store, &cost, &error));
	FAILS(store_cost_times_put(store, &cost, &error));
	FAILS(store_costs_complete(store, "hetzner", &error));
	FAILS(store_cost_oldest(store, 0, &at_ms, &error));
	FAILS(store_cost_of_lease(store, 1, on_cost, NULL, &error));
	FAILS(store_cost_each(store, &mine, &range, on_cost, NULL, &error));
	FAILS(store_share_each(store, 1, on_share, NULL, &at_ms, by, &error));
	FAILS(store_share_replace(store, &l, &share, 1, 0, "bob", &error));
	FAILS(store_telemetry_add(store, 1, 0, "{}", &error));
	FAILS(store_telemetry_each(store, 1, on_telemetry, NULL, &error));
	FAILS(store_telemetry_drop(store, 1, &error));
	assert_int_equal(back.n, 0);
}

static void ledgers_fail(void)
{
	struct resource row = { .lease = 1, .n = 1 }, back;
	struct attempt attempt = { .lease = 1 };
	struct store_pending *pending = NULL;
	struct resource_users users;
	struct ledger ledger;
	size_t count;
	int64_t n;

	FAILS(store_ledger(store, 1, &ledger, &error));
	FAILS(store_account_ledger(store, "hetzner", &ledger, &error));
	FAILS(store_resource_insert(store, &row, &error));
	FAILS(store_resource_update(store, &row, &error));
	FAILS(store_resource_by_n(store, 1, &back, &error));
	FAILS(store_resource_users(store, "hetzner", 1, "42", 1, &users, &error));
	FAILS(store_pending(store, &pending, &count, &error));
	FAILS(store_resource_claim(store, "hetzner", 1, "42", &n, &error));
	FAILS(store_resource_lease(store, "hetzner", 1, "42", &n, &error));
	FAILS(store_attempt_insert(store, &attempt, &error));
	FAILS(store_attempt_update(store, &attempt, &error));
}

static void records_fail(void)
{
	struct store_idempotency idempotency = { .lease_n = 1 };
	struct token token = { .id = "0123456789abcdef", .owner = "alice" };
	struct store_price price = { .type = "ccx33", .currency = "EUR" };
	struct generation generation = { 0 };
	char key[512];
	int64_t n;

	FAILS(store_event_add(store, 1, 0, "lease.created", "created", &error));
	FAILS(store_event_each(store, 1, 0, 10, on_event, NULL, &error));
	FAILS(store_idempotency_get(store, "alice", "acme", "k", &idempotency, &error));
	FAILS(store_idempotency_put(store, "alice", "acme", "k", &idempotency, 0, &error));
	FAILS(store_create_canceled(store, "cbx_000000000001", "cat_1", &error));
	FAILS(store_create_cancel(store, "cbx_000000000001", "cat_1", "alice", "acme", 0, &error));
	FAILS(store_token_add(store, &token, &error));
	FAILS(store_token_revoke(store, token.id, 0, &error));
	FAILS(store_token_each(store, on_token, NULL, &error));
	FAILS(store_token_epoch(store, &n, &error));
	FAILS(store_prices_replace(store, "hetzner", &price, 1, 0, &error));
	FAILS(store_price_get(store, "hetzner", "ccx33", "fsn1", &price, &error));
	FAILS(store_prices_age(store, "hetzner", &n, &error));
	FAILS(store_pause_get(store, "hetzner", &n, &error));
	FAILS(store_pause_put(store, "hetzner", 1, &error));
	FAILS(store_generation_get(store, "hetzner", &generation, &error));
	FAILS(store_generation_put(store, &generation, &error));
	FAILS(store_place_get(store, key, sizeof(key), &error));
	FAILS(store_place_put(store, "here", &error));
	FAILS(store_account_key(store, key, sizeof(key), &error));
}

static void no_function_works_without_its_table(void **state)
{
	(void)state;
	tables_drop(path);
	leases_fail();
	ledgers_fail();
	records_fail();
	/* a missing table is no failed write: nothing that was acknowledged is in doubt */
	assert_false(store_broken(store));
}

static void a_database_without_tables_is_not_opened(void **state)
{
	struct store *again = NULL;

	(void)state;
	scratch_close();
	tables_drop(path);
	error = (struct err){ 0 };
	assert_int_equal(store_open(path, &env, &again, &error), -1);
	assert_null(again);
	assert_string_not_equal(error.text, "");
}

static void no_run_function_works_without_its_table(void **state)
{
	struct store_run_list list = { .scope = mine, .state = -1, .limit = 10 };
	struct run_row r = { .id = "run_000000000001", .n = 1 }, back;
	char file[STORE_RUNS_PATH_SIZE];
	size_t stored;
	int64_t n;

	(void)state;
	scratch_open_runs();
	store_runs_path(path, file);
	tables_drop(file);
	FAILS(store_run_insert(runs, &r, "[]", &error));
	FAILS(store_run_update(runs, &r, &error));
	FAILS(store_run_find(runs, r.id, &mine, RUN_READ, &back, &error));
	FAILS(store_run_find(runs, r.id, &mine, RUN_WRITE, &back, &error));
	FAILS(store_run_each(runs, &list, on_run, NULL, &error));
	FAILS(store_run_command(runs, 1, on_text, NULL, &error));
	FAILS(store_run_lease_add(runs, 1, "cbx_000000000001", &error));
	FAILS(store_run_lease_each(runs, 1, on_text, NULL, &error));
	FAILS(store_run_event_add(runs, 1, 1, 0, "{}", &error));
	FAILS(store_run_event_each(runs, 1, 0, 10, on_run_event, NULL, &error));
	FAILS(store_run_sample_add(runs, 1, 0, "{}", &error));
	FAILS(store_run_sample_each(runs, 1, on_text, NULL, &error));
	FAILS(store_run_results_put(runs, 1, "{}", &error));
	FAILS(store_run_results(runs, 1, on_text, NULL, &error));
	FAILS(store_run_receipt_put(runs, 1, "{}", &error));
	FAILS(store_run_receipt(runs, 1, on_text, NULL, &error));
	FAILS(store_run_log_put(runs, 1, 0, "x", 1, &stored, &error));
	FAILS(store_run_log_cut(runs, 1, 0, &error));
	FAILS(store_run_log_get(runs, 1, 0, on_text, NULL, &error));
	FAILS(store_run_log_size(runs, 1, &n, &error));
	FAILS(store_run_any(runs, &error));
	FAILS(store_run_stale(runs, 1, &back, &error));
	FAILS(store_run_oldest(runs, 1, &back, &error));
	FAILS(store_run_bytes(runs, &n, &error));
	FAILS(store_run_drop(runs, 1, 10, &error));
	assert_false(store_broken(runs));
}

/* ---- the comparison of rows -------------------------------------------------------------- */

/* Distinct names, borrowed. */
struct names {
	const char *list[NAMES_MAX];
	size_t count;
};

static int names_has(const struct names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++) {
		if (strcmp(names->list[i], name) == 0)
			return 1;
	}
	return 0;
}

static void names_add(struct names *names, const char *name)
{
	if (!name || names_has(names, name))
		return;
	assert_in_range(names->count, 0, NAMES_MAX - 1);
	names->list[names->count++] = name;
}

/* Every column of the table must be among the names. */
static void columns_are_named(const char *table, const struct names *names)
{
	sqlite3 *db = db_open(path);
	sqlite3_stmt *stmt = NULL;
	int count = 0;

	assert_int_equal(sqlite3_prepare_v2(db, "SELECT name FROM pragma_table_info(?)", -1, &stmt,
					    NULL),
			 SQLITE_OK);
	sqlite3_bind_text(stmt, 1, table, -1, SQLITE_STATIC);
	for (; sqlite3_step(stmt) == SQLITE_ROW; count++) {
		const char *column = (const char *)sqlite3_column_text(stmt, 0);

		if (!names_has(names, column))
			fail_msg("a difference in %s.%s is not noticed", table, column);
	}
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	assert_in_range(count, 20, NAMES_MAX);
}

static void two_leases_differ_in_every_column(void **state)
{
	struct lease *a = xcalloc(1, sizeof(*a)), *b = xcalloc(1, sizeof(*b));
	struct names names = { 0 };

	(void)state;
	assert_null(store_lease_differs(a, b));
	for (size_t i = 0; i < sizeof(*b); i++) {
		((unsigned char *)b)[i] = 1;
		names_add(&names, store_lease_differs(a, b));
		((unsigned char *)b)[i] = 0;
	}
	columns_are_named("lease", &names);
	free(a);
	free(b);
}

static void two_resources_differ_in_every_column(void **state)
{
	struct resource a = { 0 }, b = { 0 };
	struct names names = { 0 };

	(void)state;
	assert_null(store_resource_differs(&a, &b));
	for (size_t i = 0; i < sizeof(b); i++) {
		((unsigned char *)&b)[i] = 1;
		names_add(&names, store_resource_differs(&a, &b));
		((unsigned char *)&b)[i] = 0;
	}
	columns_are_named("resource", &names);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_function_works_without_its_table),
		TEST(a_database_without_tables_is_not_opened),
		TEST(no_run_function_works_without_its_table),
		TEST(two_leases_differ_in_every_column),
		TEST(two_resources_differ_in_every_column),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
