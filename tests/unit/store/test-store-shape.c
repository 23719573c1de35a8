/* SPDX-License-Identifier: MIT */
/* Invariants of all statements and of the totals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scratch.h"
#include "store/sqlite/internal.h"
#include "store/history.h"
#include "store/runs.h"
#include "util/text.h"
#include "vfs.h"

/* ---- every statement uses an index ------------------------------------------------ */

static int no_lease(void *arg, const struct lease *l)
{
	(void)arg;
	(void)l;
	return 0;
}

static int no_event(void *arg, const struct store_event *event)
{
	(void)arg;
	(void)event;
	return 0;
}

static void no_due(void *arg, int64_t n, int64_t due_ms)
{
	(void)arg;
	(void)n;
	(void)due_ms;
}

static void no_cost(void *arg, const struct store_cost_row *row)
{
	(void)arg;
	(void)row;
}

static void no_usage(void *arg, const struct store_usage_row *row)
{
	(void)arg;
	(void)row;
}

static void no_past(void *arg, const struct store_past_usage *row)
{
	(void)arg;
	(void)row;
}

static void no_token(void *arg, const struct token *token)
{
	(void)arg;
	(void)token;
}

static void no_share(void *arg, const struct store_share *share)
{
	(void)arg;
	(void)share;
}

static void no_sample(void *arg, const char *data)
{
	(void)arg;
	(void)data;
}

static int no_run(void *arg, const struct run_row *r, const char *command)
{
	(void)arg;
	(void)r;
	(void)command;
	return 0;
}

static int no_text(void *arg, const char *text, size_t len)
{
	(void)arg;
	(void)text;
	(void)len;
	return 0;
}

static int no_run_event(void *arg, int64_t seq, int64_t at_ms, const char *fields)
{
	(void)arg;
	(void)seq;
	(void)at_ms;
	(void)fields;
	return 0;
}

static void runs_every_shape(const struct store_scope *scope)
{
	struct store_run_list list = { .scope = *scope, .limit = 10 };
	struct run_row r;

	for (list.state = -1; list.state < RUN_STATE_COUNT; list.state++) {
		list.lease_id = NULL;
		assert_int_equal(store_run_each(runs, &list, no_run, NULL, NULL), 0);
		list.lease_id = "cbx_1";
		assert_int_equal(store_run_each(runs, &list, no_run, NULL, NULL), 0);
	}
	assert_int_equal(store_run_find(runs, "run_x", scope, RUN_READ, &r, NULL), 1);
	assert_int_equal(store_run_find(runs, "run_x", scope, RUN_WRITE, &r, NULL), 1);
}

static int no_orphan(void *arg, const struct orphan *s)
{
	(void)arg;
	(void)s;
	return 0;
}

static void list_every_shape(const struct store_scope *scope)
{
	for (int state = -1; state < LEASE_STATE_COUNT; state++) {
		for (int cleanup = -1; cleanup < LEASE_CLEANUP_COUNT; cleanup++) {
			struct store_list list = {
				.scope = *scope, .state = state, .cleanup = cleanup, .limit = 10,
			};

			assert_int_equal(store_lease_each(store, &list, no_lease, NULL, NULL), 0);
			list.slug = "none";
			assert_int_equal(store_lease_each(store, &list, no_lease, NULL, NULL), 0);
			list.slug = NULL;
			list.account = "hetzner";
			list.class_name = "tiny";
			list.owner = "bob";
			list.since_ms = 1;
			assert_int_equal(store_lease_each(store, &list, no_lease, NULL, NULL), 0);
			list.open = 1;
			assert_int_equal(store_lease_each(store, &list, no_lease, NULL, NULL), 0);
			list.attention = 1;
			assert_int_equal(store_lease_each(store, &list, no_lease, NULL, NULL), 0);
		}
	}
}

/* Both files. */
static void open_both(void)
{
	if (!runs)
		scratch_open_runs();
}

static void no_row(void *arg, int64_t n)
{
	(void)arg;
	(void)n;
}

static void ask_everything(void)
{
	static const struct store_scope scopes[] = {
		{ .all = 1 }, { .owner = "alice@example.com", .org = "acme" }, { .owner = "", .org = "acme" },
	};
	static const struct store_create create = { "o", "g", "a", "none", "k", "cbx_x", "t" };
	struct store_idempotency known;
	struct store_create_facts facts;
	struct store_counts counts;
	struct store_price price;
	struct resource_users users;
	struct generation g;
	struct resource r;
	struct ledger ledger;
	struct sweep sweep;
	struct run_row run;
	struct store_history_lease old;
	struct lease l;
	char by[128];
	int64_t at_ms, n;
	struct store_spend spend = { 0 };
	struct charges charges;
	int is_last;

	open_both();
	assert_int_equal(store_lease_is_of(store, "cbx_x", "o", "g", NULL), 0);
	for (size_t i = 0; i < 3; i++) {
		list_every_shape(&scopes[i]);
		runs_every_shape(&scopes[i]);
		assert_int_equal(store_lease_visible(store, "cbx_x", &scopes[i], &l, NULL), 1);
		assert_int_equal(store_lease_by_slug(store, "none", &scopes[i], &l, NULL), 1);
		assert_int_equal(store_usage_each(store, &scopes[i], 0, 9, no_usage, NULL, NULL), 0);
		assert_int_equal(store_past_usage_each(store, &scopes[i], 0, no_past, NULL, NULL),
				 0);
		for (int part = COSTS_OPEN; part <= COSTS_BEGUN; part++) {
			struct store_cost_range range = { .part = (enum store_cost_part)part,
							  .to_ms = 9 };

			assert_int_equal(store_cost_each(store, &scopes[i], &range, no_cost, NULL,
							 NULL),
					 0);
		}
	}
	assert_int_equal(store_past_usage_leases(store, 0, &n, NULL), 0);
	assert_int_equal(store_history_event(store, &n, NULL), 0);
	assert_int_equal(store_history_next(store, "a", &(struct store_history_age){ 9, 0 },
					    &(struct store_history_place){ 0 }, &old, 1, NULL),
			 0);
	assert_int_equal(store_cost_oldest(store, 0, &at_ms, NULL), 0);
	assert_int_equal(store_cost_oldest(store, 1, &at_ms, NULL), 0);
	assert_int_equal(store_cost_of_lease(store, 99, no_cost, NULL, NULL), 0);
	assert_int_equal(store_lease_by_n(store, 99, &l, NULL), 1);
	assert_int_equal(store_lease_by_id(store, "cbx_x", &l, NULL), 1);
	assert_int_equal(store_slug_taken(store, "none", "o", "g", NULL), 0);
	assert_int_equal(store_lease_ended_by_slug(store, "none", "o", "g", &l, NULL), 1);
	assert_int_equal(store_owner_org(store, "o", by, sizeof(by), NULL), 0);
	assert_int_equal(store_due_each(store, NULL, 1, no_due, NULL, NULL), 0);
	assert_int_equal(store_counts(store, "o", "g", "a", &counts, NULL), 0);
	assert_int_equal(store_create_facts(store, &create, &facts, NULL), 0);
	assert_int_equal(store_charges_get(store, 99, &charges, NULL), 0);
	n = 0;
	assert_int_equal(store_charges_due(store, "a", 0, 1, &n, &at_ms, &is_last, NULL), 0);
	assert_int_equal(store_costs_incomplete_each(store, "a", no_row, NULL, NULL), 0);
	assert_int_equal(store_spend_get(store, "o", "g", "a", &spend, 1, NULL), 0);
	assert_int_equal(store_ledger(store, 99, &ledger, NULL), 0);
	assert_int_equal(store_account_ledger(store, "hetzner", &ledger, NULL), 0);
	assert_int_equal(store_resource_users(store, "a", 2, "1", 1, &users, NULL), 0);
	assert_int_equal(store_resource_by_n(store, 99, &r, NULL), 1);
	assert_int_equal(store_event_each(store, 99, 0, 10, no_event, NULL, NULL), 0);
	assert_int_equal(store_idempotency_get(store, "o", "g", "k", &known, NULL), 1);
	assert_int_equal(store_create_canceled(store, "cbx_x", "t", NULL), 0);
	assert_int_equal(store_token_each(store, no_token, NULL, NULL), 0);
	assert_int_equal(store_price_get(store, "a", "t", "", &price, NULL), 1);
	assert_int_equal(store_prices_age(store, "a", &n, NULL), 0);
	assert_int_equal(store_attention_count(store, &n, NULL), 0);
	assert_int_equal(store_resource_claim(store, "a", 2, "1", &n, NULL), 0);
	assert_int_equal(store_resource_lease(store, "a", 2, "1", &n, NULL), 0);
	assert_int_equal(store_pause_get(store, "a", &n, NULL), 0);
	assert_int_equal(store_generation_get(store, "a", &g, NULL), 0);
	assert_int_equal(store_place_get(store, by, sizeof(by), NULL), 0);
	assert_int_equal(store_sweep_get(store, "a", &sweep, NULL), 0);
	assert_int_equal(store_orphan_each(store, "a", no_orphan, NULL, NULL), 0);
	assert_int_equal(store_share_each(store, 1, no_share, NULL, &n, by, NULL), 0);
	assert_int_equal(store_telemetry_each(store, 1, no_sample, NULL, NULL), 0);
	assert_int_equal(store_run_command(runs, 1, no_text, NULL, NULL), 0);
	assert_int_equal(store_run_lease_each(runs, 1, no_text, NULL, NULL), 0);
	assert_int_equal(store_run_event_each(runs, 1, 0, 10, no_run_event, NULL, NULL), 0);
	assert_int_equal(store_run_sample_each(runs, 1, no_text, NULL, NULL), 0);
	assert_int_equal(store_run_results(runs, 1, no_text, NULL, NULL), 0);
	assert_int_equal(store_run_receipt(runs, 1, no_text, NULL, NULL), 0);
	assert_int_equal(store_run_log_get(runs, 1, 0, no_text, NULL, NULL), 1);
	assert_int_equal(store_run_any(runs, NULL), 0);
	assert_int_equal(store_run_stale(runs, 1, &run, NULL), 1);
	assert_int_equal(store_run_oldest(runs, 1, &run, NULL), 1);
	assert_int_equal(store_run_bytes(runs, &n, NULL), 0);
	assert_int_equal(store_run_log_size(runs, 1, &n, NULL), 0);
}

static void write_everything(void)
{
	struct lease l = scratch_insert("cbx_1");
	struct resource r = { .lease = l.n, .kind = 1, .state = 1 };
	struct attempt a = { .lease = l.n, .number = 1 };
	struct store_idempotency known = { .lease_n = l.n };
	struct store_pending *pending;
	size_t pending_count;
	struct store_price price = { .type = "t" };
	struct token token = { .id = "tok" };
	struct generation g = { .account = "b" };
	struct sweep sweep = { .account = "b" };
	struct orphan orphan = { .account = "b", .kind = 1, .id = "7" };
	struct store_share share = { .name = "bob" };
	struct cost cost = { .resource = 1, .lease = 1, .from_ms = 1 };
	struct charges charges = { .count = 1, .months = { { .settled_micros = 5 } } };

	scratch_begin();
	assert_int_equal(store_charges_put(store, &l, &charges, 0, NULL), 0);
	assert_int_equal(store_lease_update(store, &l, NULL), 0);
	assert_int_equal(store_touch(store, l.n, 5, NULL), 0);
	assert_int_equal(store_resource_insert(store, &r, NULL), 0);
	assert_int_equal(store_resource_update(store, &r, NULL), 0);
	assert_int_equal(store_attempt_insert(store, &a, NULL), 0);
	assert_int_equal(store_attempt_update(store, &a, NULL), 0);
	assert_int_equal(store_event_add(store, l.n, 1, "k", "t", NULL), 0);
	assert_int_equal(store_idempotency_put(store, "o", "g", "k2", &known, 1, NULL), 0);
	assert_int_equal(store_create_cancel(store, "cbx_2", "t", "o", "g", 1, NULL), 0);
	assert_int_equal(store_token_add(store, &token, NULL), 0);
	assert_int_equal(store_token_revoke(store, "tok", 2, NULL), 0);
	assert_int_equal(store_prices_replace(store, "b", &price, 1, 1, NULL), 0);
	assert_int_equal(store_cost_put(store, &cost, NULL), 0);
	assert_int_equal(store_cost_times_put(store, &cost, NULL), 0);
	assert_int_equal(store_costs_complete(store, "b", NULL), 0);
	assert_int_equal(store_pause_put(store, "b", 1, NULL), 0);
	assert_int_equal(store_pending(store, &pending, &pending_count, NULL), 0);
	free(pending);
	assert_int_equal(store_generation_put(store, &g, NULL), 0);
	assert_int_equal(store_place_put(store, "here", NULL), 0);
	assert_int_equal(store_sweep_put(store, &sweep, NULL), 0);
	assert_int_equal(store_orphan_put(store, &orphan, NULL), 0);
	assert_int_equal(store_orphan_drop(store, "b", 1, "7", NULL), 0);
	assert_int_equal(store_share_replace(store, &l, &share, 1, 1, "o", NULL), 0);
	assert_int_equal(store_telemetry_add(store, l.n, 1, "{}", NULL), 0);
	assert_int_equal(store_telemetry_drop(store, l.n, NULL), 0);
	assert_int_equal(store_history_drop(store, "b", l.n, NULL), 0);
	scratch_commit();
}

static void write_every_run(void)
{
	struct run_row run = { .id = "run_1" };
	size_t stored;

	open_both();
	assert_int_equal(store_begin(runs, NULL), 0);
	assert_int_equal(store_run_insert(runs, &run, "null", NULL), 0);
	assert_int_equal(store_run_update(runs, &run, NULL), 0);
	assert_int_equal(store_run_lease_add(runs, run.n, "cbx_1", NULL), 0);
	assert_int_equal(store_run_event_add(runs, run.n, 1, 1, "{}", NULL), 0);
	assert_int_equal(store_run_sample_add(runs, run.n, 1, "{}", NULL), 0);
	assert_int_equal(store_run_results_put(runs, run.n, "{}", NULL), 0);
	assert_int_equal(store_run_receipt_put(runs, run.n, "{}", NULL), 0);
	assert_int_equal(store_run_log_put(runs, run.n, 0, "x", 1, &stored, NULL), 0);
	assert_int_equal(store_run_log_cut(runs, run.n, 1, NULL), 0);
	assert_int_equal(store_run_drop(runs, run.n, 10, NULL), 0);
	assert_int_equal(store_commit(runs, NULL), 0);
}

/* Full scans are allowed of small tables, or where that is the purpose. */
static int is_allowed(const char *detail)
{
	static const char *const allowed[] = {
		"SCAN lease USING INDEX lease_current",
		"SCAN lease USING INDEX lease_attention",
		"SCAN lease USING COVERING INDEX lease_attention",
		"SCAN token",
		"SCAN run USING COVERING INDEX run_size",
		"SCAN sqlite_master",
		"SCAN sqlite_schema",
		"SCAN CONSTANT ROW",
		"SCAN c", /* of the few leases that were just found by an index */
		"SCAN e", /* and of one number */
		"SCAN 3 CONSTANT ROWS",
	};

	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		if (strcmp(detail, allowed[i]) == 0)
			return 1;
	return 0;
}

static void check_plan(struct store *of, const char *sql)
{
	int is_list = strstr(sql, "ORDER BY lease.n") != NULL;
	sqlite3_stmt *stmt;
	char explain[8192];

	if (!strncmp(sql, "PRAGMA", 6) || !strncmp(sql, "BEGIN", 5) || !strncmp(sql, "COMMIT", 6))
		return;
	snprintf(explain, sizeof(explain), "EXPLAIN QUERY PLAN %s", sql);
	assert_int_equal(sqlite3_prepare_v2(of->file->db, explain, -1, &stmt, NULL), SQLITE_OK);
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		const char *detail = (const char *)sqlite3_column_text(stmt, 3);

		if (!strncmp(detail, "SCAN", 4) && !is_allowed(detail))
			fail_msg("'%s' in: %s", detail, sql);
		if (is_list && strstr(detail, "TEMP B-TREE"))
			fail_msg("a list sorts instead of following an index: %s", sql);
	}
	sqlite3_finalize(stmt);
}

static void no_statement_reads_a_growing_table_whole(void **state)
{
	(void)state;
	ask_everything();
	write_everything();
	write_every_run();
	assert_true(store->file->statement_count > 35);
	for (size_t i = 0; i < store->file->statement_count; i++)
		check_plan(store, store->file->statements[i].sql);
	assert_true(runs->file->statement_count > 25);
	for (size_t i = 0; i < runs->file->statement_count; i++)
		check_plan(runs, runs->file->statements[i].sql);
}

/* The plan of the one statement that contains `part`. */
static void plan_of(const char *part, char *ret, size_t size)
{
	const char *sql = NULL;
	char explain[8192];
	sqlite3_stmt *stmt;

	for (size_t i = 0; i < store->file->statement_count; i++) {
		if (strstr(store->file->statements[i].sql, part)) {
			assert_null(sql);
			sql = store->file->statements[i].sql;
		}
	}
	assert_non_null(sql);
	snprintf(explain, sizeof(explain), "EXPLAIN QUERY PLAN %s", sql);
	assert_int_equal(sqlite3_prepare_v2(store->file->db, explain, -1, &stmt, NULL), SQLITE_OK);
	ret[0] = '\0';
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		size_t len = strlen(ret);

		snprintf(ret + len, size - len, "%s; ", (const char *)sqlite3_column_text(stmt, 3));
	}
	sqlite3_finalize(stmt);
}

/* A start reads only open leases, however many have ended. */
static void a_start_walks_small_indexes(void **state)
{
	static const struct {
		const char *part, *index;
	} rows[] = {
		{ "SELECT DISTINCT lease", "USING INDEX resource_pending" },
		{ "due_ms = retain_until_ms", "SCAN lease USING INDEX lease_current; SEARCH beat" },
		{ "ORDER BY resource.n", "SEARCH resource USING INDEX resource_id" },
		/* And a usage report only what concerns its month. */
		{ "to_ms = 0 AND from_ms >= ?1", "SEARCH cost USING INDEX cost_to" },
		{ "to_ms >= ?1", "SEARCH cost USING INDEX cost_to" },
		{ "WHERE from_ms >= ?1", "SEARCH cost USING INDEX cost_from" },
		{ "UPDATE cost INDEXED", "SEARCH cost USING INDEX cost_incomplete" },
		{ "SELECT lease FROM cost INDEXED", "SEARCH cost USING INDEX cost_incomplete" },
		/* A create, what the month has. */
		{ "FROM spend WHERE scope = 0", "SEARCH spend USING PRIMARY KEY" },
		{ "SELECT n, CASE WHEN EXISTS(SELECT 1 FROM charge", "USING INDEX lease_current" },
	};
	char plan[1024];

	(void)state;
	ask_everything();
	write_everything();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		plan_of(rows[i].part, plan, sizeof(plan));
		if (!strstr(plan, rows[i].index))
			fail_msg("'%s' is not in '%s'", rows[i].index, plan);
	}
}

/* ---- the totals equal a count ----------------------------------------------------------- */

#define LEASES 40

static struct lease leases[LEASES];
static int lease_count;

static void check_counts(void)
{
	static const char *const owners[] = { "ann", "ben", "cat" };
	static const char *const orgs[] = { "acme", "beta" };

	for (int i = 0; i < 6; i++) {
		struct store_counts want = { 0 }, got;

		for (int k = 0; k < lease_count; k++) {
			const struct lease *l = &leases[k];
			int in_org = lease_counts(l) && !strcmp(l->org, orgs[i % 2]);
			int in_owner = in_org && !strcmp(l->owner, owners[i % 3]);

			want.all += lease_counts(l);
			want.org += in_org;
			want.owner += in_owner;
			want.account += lease_counts(l) && !strcmp(l->account, orgs[i % 2]);
			want.micros_all += lease_counts(l) * l->price_hour_micros;
			want.micros_org += in_org * l->price_hour_micros;
			want.micros_owner += in_owner * l->price_hour_micros;
			want.micros_account += (lease_counts(l) &&
						!strcmp(l->account, orgs[i % 2])) *
					       l->price_hour_micros;
		}
		assert_int_equal(store_counts(store, owners[i % 3], orgs[i % 2], orgs[i % 2], &got, NULL),
				 0);
		assert_memory_equal(&want, &got, sizeof(got));
	}
}

static void random_change(unsigned int *seed)
{
	static const char *const owners[] = { "ann", "ben", "cat" };
	static const char *const orgs[] = { "acme", "beta" };
	int k = rand_r(seed) % LEASES;
	struct lease *l = &leases[k];
	struct lease before;

	if (k >= lease_count) {
		char id[24];

		l = &leases[lease_count];
		snprintf(id, sizeof(id), "cbx_%012d", lease_count);
		*l = scratch_lease(id);
		TEXT_SET(l->owner, owners[rand_r(seed) % 3]);
		TEXT_SET(l->org, orgs[rand_r(seed) % 2]);
		TEXT_SET(l->account, orgs[rand_r(seed) % 2]);
	}
	before = *l;
	l->state = (enum lease_state)(rand_r(seed) % LEASE_STATE_COUNT);
	l->cleanup = (enum lease_cleanup)(rand_r(seed) % LEASE_CLEANUP_COUNT);
	l->is_billed = rand_r(seed) % 2;
	l->price_hour_micros = rand_r(seed) % 3 * 1000;
	assert_int_equal(store_savepoint(store, NULL), 0);
	assert_int_equal(l->n ? store_lease_update(store, l, NULL) : store_lease_insert(store, l, NULL),
			 0);
	if (rand_r(seed) % 4) {
		assert_int_equal(store_savepoint_keep(store, NULL), 0);
		lease_count += l == &leases[lease_count];
	} else {
		store_savepoint_undo(store);
		*l = before;
	}
}

static void the_sums_are_what_counting_would_say(void **state)
{
	unsigned int seed = 7;
	struct err err = { 0 };

	(void)state;
	lease_count = 0;
	for (int round = 0; round < 40; round++) {
		struct lease kept[LEASES];
		int kept_count = lease_count;

		memcpy(kept, leases, sizeof(kept));
		scratch_begin();
		for (int i = 0; i < 25; i++)
			random_change(&seed);
		check_counts();
		if (rand_r(&seed) % 4) {
			scratch_commit();
		} else {
			store_rollback(store);
			memcpy(leases, kept, sizeof(kept));
			lease_count = kept_count;
		}
		check_counts();
	}
	assert_int_equal(lease_count, LEASES);
	if (store_check(store, &err))
		fail_msg("%s", err.text);
}

static void a_check_finds_what_does_not_agree(void **state)
{
	struct lease l = scratch_insert("cbx_1");
	struct resource r = { .lease = l.n + 1, .kind = 1, .state = 1 };
	const struct charges charges = { .count = 1, .months = { { .settled_micros = 5 } } };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(store_check(store, &err), 0);
	scratch_begin();
	assert_int_equal(store_exec(store, "UPDATE tally SET leases = 2 WHERE scope = 1", "", NULL), 0);
	scratch_commit();
	assert_int_equal(store_check(store, &err), -1);
	assert_non_null(strstr(err.text, "usage totals"));
	scratch_begin();
	assert_int_equal(store_exec(store, "UPDATE tally SET leases = 1 WHERE scope = 1", "", NULL), 0);
	assert_int_equal(store_charges_put(store, &l, &charges, 1, NULL), 0);
	assert_int_equal(store_exec(store, "UPDATE spend SET settled_micros = 4 WHERE scope = 3",
				    "", NULL),
			 0);
	scratch_commit();
	assert_int_equal(store_check(store, &err), -1);
	assert_non_null(strstr(err.text, "monthly totals"));
	scratch_begin();
	assert_int_equal(store_exec(store, "UPDATE spend SET settled_micros = 5 WHERE scope = 3",
				    "", NULL),
			 0);
	assert_int_equal(store_resource_insert(store, &r, NULL), 0);
	scratch_commit();
	assert_int_equal(store_check(store, &err), -1);
	assert_non_null(strstr(err.text, "resources without a lease"));
	assert_false(store_broken(store));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_statement_reads_a_growing_table_whole),
		TEST(a_start_walks_small_indexes),
		TEST(the_sums_are_what_counting_would_say),
		TEST(a_check_finds_what_does_not_agree),
	};

	if (vfs_install())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
