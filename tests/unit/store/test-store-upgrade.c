/* SPDX-License-Identifier: MIT */
/*
 * Opens a database of an older schema, written by a real lessord (schema-6.sql): the upgrade
 * loses nothing, and ends with the schema of a new database.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/test.h"
#include "scratch.h"
#include "store/queue.h"
#include "store/runs.h"
#include "util/text.h"

#define PRICE 10472
#define SERVERS 5 /* with an id, in schema-6.sql */

/* ---- loading ------------------------------------------------------------------------ */

static char *read_file(const char *name)
{
	FILE *file = fopen(name, "r");
	char *text;
	long size;

	assert_non_null(file);
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	size = ftell(file);
	assert_true(size > 0);
	rewind(file);
	text = calloc(1, (size_t)size + 1);
	assert_non_null(text);
	assert_int_equal(fread(text, 1, (size_t)size, file), (size_t)size);
	fclose(file);
	return text;
}

/* A database of schema 6, changed before it is upgraded. */
static void load(const char *name, const char *change)
{
	char *text = read_file(SCHEMA_6), *error = NULL;
	sqlite3 *db;

	scratch_close();
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, text, NULL, NULL, &error) || sqlite3_exec(db, change, NULL, NULL, &error))
		fail_msg("%s: %s", name, error);
	sqlite3_close(db);
	free(text);
	store = scratch_open();
}

/* Replaces the new database of scratch.c by one of schema 6. */
static int setup(void **state)
{
	if (scratch_setup(state))
		return -1;
	load("old", "");
	return 0;
}

static void check(void)
{
	struct err err = { 0 };

	if (store_check(store, &err))
		fail_msg("%s", err.text);
}

/* ---- leases ------------------------------------------------------------------------- */

#define UPGRADED 1795970980000	/* some seconds after the last entry */

static const struct expected {
	const char *id, *slug;
	enum lease_state state;
	enum lease_cleanup cleanup;
	int retained;
	int64_t epoch;
	int tries;
	int64_t created_ms, ended_ms, due_ms, price, touched_ms;
	const char *end_reason, *last_error, *cursor, *host, *server_id, *type;
} leases[] = {
	{ "cbx_7b4e27740014", "done-delete", LEASE_RELEASED, CLEANUP_DONE, 0, 2, 0, 1795970937083,
	  1795970942117, 0, 327488, 1795970941646, "released", "", "", "203.0.113.2", "118443037",
	  "ccx33" },
	{ "cbx_c6c357b958b5", "active-one", LEASE_ACTIVE, CLEANUP_NONE, 0, 1, 0, 1795970943162,
	  0, 1795974547701, PRICE, 1795970948180, "", "", "", "203.0.113.3", "118443038", "cx23" },
	{ "cbx_ce44bb81089d", "kept-one", LEASE_RELEASED, CLEANUP_RETAINED, 1, 2, 0, 1795970948200,
	  1795970953237, 1, PRICE, 1795970952721, "released", "", "", "203.0.113.4", "118443041",
	  "cx23" },
	{ "cbx_7f76902aa213", "owed-one", LEASE_RELEASED, CLEANUP_OWED, 0, 2, 3, 1795970953268,
	  1795970958285, 1795970970415, PRICE, 1795970957797, "released",
	  "deleting: the provider answered with status 503", "", "203.0.113.5", "118443048", "cx23" },
	{ "cbx_8db8a23c6941", "booting-one", LEASE_PROVISIONING, CLEANUP_NONE, 0, 1, 0,
	  1795970962533, 0, 1795970968033, PRICE, 1795970962533, "", "", "boot 2 0 0 0", "", "", "" },
	{ "cbx_e1786594cce2", "unsure-one", LEASE_PROVISIONING, CLEANUP_NONE, 0, 1, 3,
	  1795970964538, 0, 1795970970477, PRICE, 1795970964538, "",
	  "whether lessor-unsure-one-43tttx5rs7xv was made is not settled yet", "", "", "", "" },
};

#define LEASES (sizeof(leases) / sizeof(leases[0]))

static struct lease lease_of(size_t i)
{
	struct lease l;

	assert_int_equal(store_lease_by_id(store, leases[i].id, &l, NULL), 0);
	return l;
}

static void check_lease(const struct expected *e)
{
	struct lease l;

	assert_int_equal(store_lease_by_id(store, e->id, &l, NULL), 0);
	assert_string_equal(l.owner, "alice@example.com");
	assert_string_equal(l.org, "acme");
	assert_string_equal(l.account, "hetzner");
	assert_string_equal(l.slug, e->slug);
	assert_string_equal(l.image, "ubuntu-24.04");
	assert_int_equal(l.ttl_ms, 14400000);
	assert_int_equal(l.idle_ms, 3600000);
	assert_int_equal(l.state, e->state);
	assert_int_equal(l.cleanup, e->cleanup);
	assert_int_equal(l.retained, e->retained);
	assert_int_equal(l.epoch, e->epoch);
	assert_int_equal(l.tries, e->tries);
	assert_int_equal(l.created_ms, e->created_ms);
	assert_int_equal(l.ended_ms, e->ended_ms);
	assert_int_equal(l.due_ms, e->due_ms);
	assert_int_equal(l.price_hour_micros, e->price);
	assert_int_equal(l.touched_ms, e->touched_ms);
	assert_int_equal(l.retention, e->retained ? RETENTION_RECORDED : RETENTION_NONE);
	assert_int_equal(l.is_billed, 1);
	assert_int_equal(l.breaches, 0);
	assert_int_equal(l.queue_ms, 0);
	assert_int_equal(l.admitted_ms, 0);
	assert_false(lease_is_queued(&l));
	assert_string_equal(l.currency, "EUR");
	assert_string_equal(lease_end_text(&l), e->end_reason);
	assert_string_equal(l.last_error, e->last_error);
	assert_string_equal(l.cursor, e->cursor);
	assert_string_equal(l.attention, "");
	assert_string_equal(l.host, e->host);
	assert_string_equal(l.server_id, e->server_id);
	assert_string_equal(l.server_type, e->type);
	assert_memory_equal(l.host_key, "ssh-ed25519 ", 12);
}

static void leases_survive(void **state)
{
	(void)state;
	check();
	for (size_t i = 0; i < LEASES; i++)
		check_lease(&leases[i]);
	assert_int_equal(lease_of(0).type_count, 3);
	assert_string_equal(lease_of(0).types[2], "cx53");
	assert_string_equal(lease_of(2).retain_reason, "the disk is evidence");
}

static void count_due(void *arg, int64_t n, int64_t due_ms)
{
	for (size_t i = 0; i < LEASES; i++) {
		if (lease_of(i).n == n)
			assert_int_equal(due_ms, leases[i].due_ms);
	}
	++*(int *)arg;
}

static void due_times_and_sums_survive(void **state)
{
	struct store_counts have;
	int due = 0;

	(void)state;
	assert_int_equal(store_due_each(store, NULL, UPGRADED, count_due, &due, NULL), 0);
	/* Retained leases are due as well now, to be protected. */
	assert_int_equal(due, 5);
	/* All but the lease whose cleanup is done. */
	assert_int_equal(store_counts(store, "alice@example.com", "acme", "hetzner", &have, NULL), 0);
	assert_int_equal(have.all, 5);
	assert_int_equal(have.owner, 5);
	assert_int_equal(have.org, 5);
	assert_int_equal(have.account, 5);
	assert_int_equal(have.micros_all, 5 * PRICE);
}

/* ---- the ledger --------------------------------------------------------------------- */

static const struct row {
	int lease;		/* index, -1: the account's own */
	uint32_t kind, state, attempt;
	int ours;
	const char *id;
} rows[] = {
	{ -1, LESSOR_KIND_SENTINEL, LESSOR_STATE_PRESENT, 0, 1, "31297463" },
	{ 0, LESSOR_KIND_KEY, LESSOR_STATE_GONE, 0, 1, "31297468" },
	{ 0, LESSOR_KIND_SERVER, LESSOR_STATE_GONE, 1, 1, "" },
	{ 0, LESSOR_KIND_SERVER, LESSOR_STATE_GONE, 2, 1, "118443037" },
	{ 0, LESSOR_KIND_ADDRESS, LESSOR_STATE_PRESENT, 0, 0, "95374812" },
	{ 1, LESSOR_KIND_KEY, LESSOR_STATE_PRESENT, 0, 1, "31297472" },
	{ 1, LESSOR_KIND_SERVER, LESSOR_STATE_PRESENT, 1, 1, "118443038" },
	{ 1, LESSOR_KIND_ADDRESS, LESSOR_STATE_PRESENT, 0, 0, "95374815" },
	{ 2, LESSOR_KIND_KEY, LESSOR_STATE_RETAINED, 0, 1, "31297478" },
	{ 2, LESSOR_KIND_SERVER, LESSOR_STATE_RETAINED, 1, 1, "118443041" },
	{ 2, LESSOR_KIND_ADDRESS, LESSOR_STATE_PRESENT, 0, 0, "95374822" },
	{ 3, LESSOR_KIND_KEY, LESSOR_STATE_PRESENT, 0, 1, "31297480" },
	{ 3, LESSOR_KIND_SERVER, LESSOR_STATE_PRESENT, 1, 1, "118443048" },
	{ 3, LESSOR_KIND_ADDRESS, LESSOR_STATE_PRESENT, 0, 0, "95374823" },
	{ 4, LESSOR_KIND_KEY, LESSOR_STATE_GONE, 0, 1, "" },
	{ 4, LESSOR_KIND_KEY, LESSOR_STATE_PRESENT, 0, 0, "31297472" },
	{ 4, LESSOR_KIND_SERVER, LESSOR_STATE_PRESENT, 1, 1, "118443049" },
	{ 4, LESSOR_KIND_ADDRESS, LESSOR_STATE_PRESENT, 0, 0, "95374825" },
	{ 5, LESSOR_KIND_KEY, LESSOR_STATE_PRESENT, 0, 1, "31297481" },
	{ 5, LESSOR_KIND_SERVER, LESSOR_STATE_UNKNOWN, 1, 1, "" },
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

/*
 * The name derives from the instance, its key and the lease: ownership can still be
 * verified.
 */
static void check_name(const struct signer *signer, const struct lease *l,
		       const struct resource *r)
{
	char name[64];

	if (!r->ours)
		return;
	ledger_name(signer, r->account, l, r->kind, r->attempt, name);
	assert_string_equal(r->name, name);
}

static void check_new_columns(const struct resource *r, const struct lease *l)
{
	assert_int_equal(r->retain_epoch, r->state == LESSOR_STATE_RETAINED ? l->epoch : 0);
	assert_int_equal(r->label_known, 0);
	assert_int_equal(r->protect_by, PROTECT_NOT_OURS);
	assert_int_equal(r->marked_ms, 0);
	assert_int_equal(r->seen_ms, 0);
	assert_int_equal(r->authorized_ms, 0);
	assert_int_equal(r->deletes_unknown, 0);
	assert_string_equal(r->signed_lease, "");
}

/* Compares the rows of one lease with rows[at] and following; returns the index after them. */
static size_t check_ledger(const struct signer *signer, int lease, size_t at)
{
	struct lease l = lease < 0 ? (struct lease){ 0 } : lease_of((size_t)lease);
	struct ledger ledger;

	if (lease < 0)
		assert_int_equal(store_account_ledger(store, "hetzner", &ledger, NULL), 0);
	else
		assert_int_equal(store_ledger(store, l.n, &ledger, NULL), 0);
	for (size_t i = 0; i < ledger.resource_count; i++, at++) {
		const struct resource *r = &ledger.resources[i];

		assert_true(at < ROWS);
		assert_int_equal(rows[at].lease, lease);
		assert_int_equal(r->lease, l.n);
		assert_string_equal(r->account, "hetzner");
		assert_int_equal(r->kind, rows[at].kind);
		assert_int_equal(r->state, rows[at].state);
		assert_int_equal(r->attempt, rows[at].attempt);
		assert_int_equal(r->ours, rows[at].ours);
		assert_string_equal(r->id, rows[at].id);
		assert_true(r->created_ms > 0 && r->changed_ms >= r->created_ms);
		check_new_columns(r, &l);
		assert_true(r->evidence[0]);
		check_name(signer, lease < 0 ? NULL : &l, r);
	}
	ledger_fini(&ledger);
	return at;
}

static void ledgers_survive(void **state)
{
	static const unsigned char key[] = { 0x93, 0x9a, 0xb3, 0x00 };
	struct signer signer;
	size_t at = 0;

	(void)state;
	assert_int_equal(store_signer(store, &signer, NULL), 0);
	assert_string_equal(signer.instance, "losz2cvugh5m32z6");
	assert_memory_equal(signer.key, key, sizeof(key));
	for (int lease = -1; lease < (int)LEASES; lease++)
		at = check_ledger(&signer, lease, at);
	assert_int_equal(at, ROWS);
}

static void attempts_survive(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEASES; i++) {
		struct ledger ledger;
		size_t last;

		assert_int_equal(store_ledger(store, lease_of(i).n, &ledger, NULL), 0);
		assert_int_equal(ledger.attempt_count, i == 0 ? 2 : 1);
		last = ledger.attempt_count - 1;
		assert_int_equal(ledger.attempts[last].number, last + 1);
		assert_int_equal(ledger.attempts[last].refused, 0);
		assert_true(ledger.attempts[last].started_ms > leases[i].created_ms);
		assert_string_equal(ledger.attempts[last].type, i == 0 ? "ccx33" : "cx23");
		if (i == 0) {
			assert_string_equal(ledger.attempts[0].location, "fsn1");
			assert_int_equal(ledger.attempts[0].refused, LESSOR_CLASS_CAPACITY);
			assert_string_equal(ledger.attempts[0].reason, "sold out");
			assert_string_equal(ledger.attempts[1].location, "nbg1");
		}
		ledger_fini(&ledger);
	}
}

/* ---- the rest ----------------------------------------------------------------------- */

static int count_event(void *arg, const struct store_event *event)
{
	assert_true(event->at_ms > 0 && event->kind[0]);
	++*(int *)arg;
	return 0;
}

static void check_share(void *arg, const struct store_share *share)
{
	assert_string_equal(share->name, "bob@example.com");
	assert_int_equal(share->manage, 0);
	++*(int *)arg;
}

static void check_token(void *arg, const struct token *token)
{
	assert_string_equal(token->id, "253d8ef25afd7e25");
	assert_string_equal(token->owner, "alice@example.com");
	++*(int *)arg;
}

static void what_belongs_to_leases_survives(void **state)
{
	static const int events[LEASES] = { 20, 9, 11, 15, 9, 9 };
	struct store_idempotency known;
	struct store_price price;
	char by[128];
	int64_t at_ms;
	int shares = 0, tokens = 0;

	(void)state;
	for (size_t i = 0; i < LEASES; i++) {
		int count = 0;

		assert_int_equal(store_event_each(store, lease_of(i).n, 0, 1000, count_event, &count,
						  NULL), 0);
		assert_int_equal(count, events[i]);
	}
	assert_int_equal(store_idempotency_get(store, "alice@example.com", "acme", "build-4711",
					       &known, NULL), 0);
	assert_int_equal(known.lease_n, lease_of(5).n);
	assert_int_equal(store_share_each(store, lease_of(1).n, check_share, &shares, &at_ms, by,
					  NULL), 0);
	assert_int_equal(shares, 1);
	assert_int_equal(store_token_each(store, check_token, &tokens, NULL), 0);
	assert_int_equal(tokens, 1);
	assert_int_equal(store_price_get(store, "hetzner", "cx23", "nbg1", &price, NULL), 0);
	assert_int_equal(price.hour_micros, PRICE);
}

static void count_cost(void *arg, const struct store_cost_row *row)
{
	const struct cost *cost = &row->cost;
	struct resource r;
	struct lease l;

	++*(int *)arg;
	assert_int_equal(store_resource_by_n(store, cost->resource, &r, NULL), 0);
	assert_int_equal(store_lease_by_n(store, cost->lease, &l, NULL), 0);
	assert_int_equal(r.kind, LESSOR_KIND_SERVER);
	assert_int_equal(cost->from_ms, r.created_ms);
	assert_int_equal(cost->to_ms, r.state == LESSOR_STATE_GONE ? r.changed_ms : 0);
	assert_string_equal(cost->lease_id, l.id);
	assert_string_equal(cost->slug, l.slug);
	assert_string_equal(cost->owner, l.owner);
	assert_string_equal(cost->org, l.org);
	assert_string_equal(cost->account, "hetzner");
	/* Of the attempt that made it. */
	assert_string_equal(cost->type, cost->lease == 1 ? "ccx33" : "cx23");
	assert_string_equal(cost->location, cost->lease == 1 ? "nbg1" : "fsn1");
	assert_string_equal(cost->terms.currency, "EUR");
	if (l.price_hour_micros)
		assert_int_equal(cost->terms.hour_micros, l.price_hour_micros);
	/* How it is billed is not known before the next catalogue. */
	assert_int_equal(cost->terms.unit_ms, 0);
}

static void count_unit(void *arg, const struct store_cost_row *row)
{
	if (strcmp(row->cost.type, "cx23") != 0)
		return;
	++*(int *)arg;
	assert_int_equal(row->cost.terms.unit_ms, 3600000);
	assert_int_equal(row->cost.terms.hour_micros, PRICE);
	assert_int_equal(row->cost.terms.month_micros, 5 * PRICE);
}

/* Every server that an older version made has a bill, as far as its price is known. */
static void u12_what_was_made_before_is_billed(void **state)
{
	struct store_price price = { .type = "cx23",
				     .location = "fsn1",
				     .hour_micros = 2 * PRICE,
				     .currency = "EUR",
				     .month_micros = 5 * PRICE,
				     .unit_ms = 3600000 };
	struct store_cost_range range = { .part = COSTS_BEGUN, .to_ms = INT64_MAX };
	struct store_scope scope = { .all = 1 };
	int count = 0, complete = 0;
	int64_t at_ms;

	(void)state;
	assert_int_equal(store_cost_each(store, &scope, &range, count_cost, &count, NULL), 0);
	assert_int_equal(count, SERVERS);
	/* The catalogue is due at once; prices that are known stay. */
	assert_int_equal(store_prices_age(store, "hetzner", &at_ms, NULL), 0);
	assert_int_equal(at_ms, 0);
	scratch_begin();
	assert_int_equal(store_prices_replace(store, "hetzner", &price, 1, 1, NULL), 0);
	assert_int_equal(store_costs_complete(store, "hetzner", NULL), 0);
	scratch_commit();
	assert_int_equal(store_cost_each(store, &scope, &range, count_unit, &complete, NULL), 0);
	assert_int_equal(complete, SERVERS - 1);
}

static int check_part(void *arg, const char *text, size_t len)
{
	static const char log[] = "all tests passed\n";

	assert_int_equal(len, strlen(log));
	assert_memory_equal(text, log, len);
	++*(int *)arg;
	return 0;
}

static void runs_survive(void **state)
{
	const struct store_scope all = { .all = 1 };
	struct run_row run;
	int parts = 0;

	(void)state;
	scratch_open_runs();
	assert_int_equal(store_run_find(runs, "run_4b8df44f2ad9", &all, RUN_READ, &run, NULL), 0);
	assert_int_equal(run.state, RUN_SUCCEEDED);
	assert_int_equal(run.finished, 1);
	assert_string_equal(run.lease_id, leases[1].id);
	assert_int_equal(store_run_log_get(runs, run.n, 0, check_part, &parts, NULL), 0);
	assert_int_equal(parts, 1);
}

/* ---- what the upgrade concludes --------------------------------------------------------- */

/* Cases: the residue of a lease, by state and cleanup, and whether it costs money. */
static void only_what_is_billed_counts(void **state)
{
	/* "kept-one" and "owed-one", row by row: the key, the server, the address that is not ours. */
	static const struct { const char *change; int billed; } cases[] = {
		{ "", 1 },
		{ "UPDATE resource SET state = 5 WHERE kind = 1;", 0 },
		{ "UPDATE resource SET state = 7 WHERE kind = 1;", 0 },
		{ "UPDATE resource SET state = 2, id = '' WHERE kind = 1;", 1 },
		{ "UPDATE resource SET state = 4 WHERE kind = 1;", 1 },
		{ "UPDATE resource SET state = 5;", 0 },
		{ "UPDATE resource SET state = 5 WHERE kind = 1;"
		  "UPDATE resource SET ours = 1 WHERE kind = 3;", 1 },
		{ "UPDATE resource SET ours = 0 WHERE kind = 1;", 0 },
		{ "UPDATE resource SET state = 5 WHERE kind = 1;"
		  "UPDATE lease SET cleanup = 3 WHERE cleanup IN (1, 2);", 0 },
	};
	char name[16];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct store_counts have;

		snprintf(name, sizeof(name), "billed-%zu", i);
		load(name, cases[i].change);
		check();
		assert_int_equal(lease_of(2).is_billed, cases[i].billed);
		assert_int_equal(lease_of(3).is_billed, cases[i].billed);
		/* The three live ones count, whatever they have created. */
		assert_int_equal(store_counts(store, "alice@example.com", "acme", "hetzner", &have, NULL),
				 0);
		assert_int_equal(have.all, 3 + 2 * cases[i].billed);
		assert_int_equal(have.owner, have.all);
		assert_int_equal(have.org, have.all);
		assert_int_equal(have.account, have.all);
		assert_int_equal(have.micros_all, have.all * PRICE);
	}
}

static int note_account(void *arg, const char *account)
{
	assert_string_equal(account, "hetzner");
	++*(int *)arg;
	return 0;
}

/* The totals also list the accounts. */
static void an_account_of_which_nothing_counts_is_known(void **state)
{
	int accounts = 0;

	(void)state;
	load("ended", "UPDATE lease SET state = 2, cleanup = 4;");
	check();
	assert_int_equal(store_account_each(store, note_account, &accounts, NULL), 0);
	assert_int_equal(accounts, 1);
}

static void what_is_unknown_of_a_kept_lease_makes_it_unsure(void **state)
{
	struct ledger ledger;

	(void)state;
	load("unsure", "UPDATE resource SET state = 2, id = '' WHERE kind = 1 AND state = 6;");
	assert_int_equal(lease_of(2).retention, RETENTION_UNSURE);
	assert_int_equal(lease_of(2).due_ms, 1);
	assert_int_equal(store_ledger(store, lease_of(2).n, &ledger, NULL), 0);
	for (size_t i = 0; i < ledger.resource_count; i++)
		assert_int_equal(ledger.resources[i].retain_epoch,
				 ledger.resources[i].kind == LESSOR_KIND_KEY ? 2 : 0);
	ledger_fini(&ledger);
	/* Another lease's does not. */
	load("sure", "UPDATE resource SET state = 2 WHERE kind = 1 AND state = 3;");
	assert_int_equal(lease_of(2).retention, RETENTION_RECORDED);
}

static void what_was_kept_and_is_gone_stays_done(void **state)
{
	(void)state;
	load("gone", "UPDATE resource SET state = 5; UPDATE lease SET cleanup = 4, due_ms = 0"
	     " WHERE retained;");
	assert_int_equal(lease_of(2).cleanup, CLEANUP_DONE);
	assert_int_equal(lease_of(2).retention, RETENTION_NONE);
	assert_int_equal(lease_of(2).due_ms, 0);
}

/* Counted by older rules; for rows that are gone they show that no delete of ours did it. */
static void looks_of_before_prove_nothing(void **state)
{
	(void)state;
	load("looks", "UPDATE resource SET looks = 3, first_look_ms = 1795970960000;");
	for (size_t i = 0; i < LEASES; i++) {
		struct ledger ledger;

		assert_int_equal(store_ledger(store, lease_of(i).n, &ledger, NULL), 0);
		for (size_t k = 0; k < ledger.resource_count; k++) {
			const struct resource *r = &ledger.resources[k];
			int is_gone = r->state == LESSOR_STATE_GONE;

			assert_int_equal(r->absent_count, is_gone ? 3 : 0);
			assert_int_equal(r->first_absent_ms, is_gone ? 1795970960000 : 0);
		}
		ledger_fini(&ledger);
	}
}

/* ---- after the upgrade -------------------------------------------------------------- */

/* It can be written to, closed and opened again. */
static void an_upgraded_database_is_in_use(void **state)
{
	struct lease owed = lease_of(3);
	struct ledger ledger;

	(void)state;
	scratch_insert("cbx_000000000001");
	scratch_begin();
	owed.cleanup = CLEANUP_DONE;
	owed.due_ms = 0;
	assert_int_equal(store_lease_update(store, &owed, NULL), 0);
	assert_int_equal(store_ledger(store, owed.n, &ledger, NULL), 0);
	for (size_t i = 0; i < ledger.resource_count; i++) {
		ledger.resources[i].state = LESSOR_STATE_GONE;
		assert_int_equal(store_resource_update(store, &ledger.resources[i], NULL), 0);
	}
	ledger_fini(&ledger);
	scratch_commit();
	check();
	store_close(store);
	store = scratch_open();
	check();
	assert_int_equal(lease_of(3).cleanup, CLEANUP_DONE);
	check_lease(&leases[2]);
}

static int add_line(void *arg, int count, char **values, char **names)
{
	char **text = arg;

	(void)count;
	(void)names;
	*text = sqlite3_mprintf("%z%s\n", *text, values[0]);
	return 0;
}

/* ---- the queue, since schema 9 -------------------------------------------------------- */

static int count_queued(void *arg, const struct store_queued *row)
{
	assert_string_equal(row->id, "cbx_00000000000a");
	++*(int *)arg;
	return 0;
}

/* The totals of the old file and the new triggers agree. */
static void an_upgraded_database_has_a_queue(void **state)
{
	struct store_queue_owner turn = { "hetzner", "alice@example.com", "acme", 7 };
	struct store_counts have;
	struct lease l = lease_of(4);
	int count = 0;

	(void)state;
	assert_int_equal(store_queue_each(store, count_queued, &count, NULL), 0);
	assert_int_equal(count, 0);
	TEXT_SET(l.id, "cbx_00000000000a");
	l.queue_ms = 1000;
	assert_int_equal(store_begin(store, NULL), 0);
	assert_int_equal(store_lease_insert(store, &l, NULL), 0);
	assert_int_equal(store_queue_owner_put(store, &turn, NULL), 0);
	assert_int_equal(store_commit(store, NULL), 0);
	assert_int_equal(store_queue_each(store, count_queued, &count, NULL), 0);
	assert_int_equal(count, 1);
	assert_int_equal(store_counts(store, "alice@example.com", "acme", "hetzner", &have, NULL),
			 0);
	assert_int_equal(have.all, 5);
	check();
	l.admitted_ms = UPGRADED;
	assert_int_equal(store_begin(store, NULL), 0);
	assert_int_equal(store_lease_update(store, &l, NULL), 0);
	assert_int_equal(store_queue_owner_drop(store, &turn, NULL), 0);
	assert_int_equal(store_commit(store, NULL), 0);
	assert_int_equal(store_counts(store, "alice@example.com", "acme", "hetzner", &have, NULL),
			 0);
	assert_int_equal(have.all, 6);
	assert_int_equal(have.micros_owner, 6 * PRICE);
	check();
}

static char *schema_of(const char *name)
{
	char *text = sqlite3_mprintf("%s", "");
	sqlite3 *db;

	assert_int_equal(sqlite3_open_v2(name, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "SELECT sql FROM sqlite_schema WHERE sql <> '' ORDER BY name",
				      add_line, &text, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version", add_line, &text, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA application_id", add_line, &text, NULL), SQLITE_OK);
	sqlite3_close(db);
	return text;
}

/* It would differ if a released migration had been edited. */
static void numbers_of_meta_survive(void **state)
{
	int64_t epoch, at_ms;
	int is_trusted;

	(void)state;
	assert_int_equal(store_token_epoch(store, &epoch, NULL), 0);
	assert_int_equal(epoch, 1);
	load("clock", "INSERT INTO meta VALUES('clock', 1795970980001);"
		      "UPDATE meta SET value = X'3332' WHERE key = 'token_epoch'");
	assert_int_equal(store_clock_get(store, &at_ms, &is_trusted, NULL), 0);
	assert_int_equal(at_ms, 1795970980001);
	assert_true(is_trusted);
	assert_int_equal(store_token_epoch(store, &epoch, NULL), 0);
	assert_int_equal(epoch, 32);
}

static void an_upgraded_database_has_the_schema_of_a_new_one(void **state)
{
	char fresh[96], *want, *have;

	(void)state;
	/* Until the runs are moved, it also has their tables. */
	scratch_open_runs();
	snprintf(fresh, sizeof(fresh), "%s/db", folder);
	want = schema_of(fresh);
	have = schema_of(path);
	assert_string_equal(have, want);
	sqlite3_free(want);
	sqlite3_free(have);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(leases_survive),
		TEST(due_times_and_sums_survive),
		TEST(ledgers_survive),
		TEST(attempts_survive),
		TEST(what_belongs_to_leases_survives),
		TEST(u12_what_was_made_before_is_billed),
		TEST(runs_survive),
		TEST(only_what_is_billed_counts),
		TEST(an_account_of_which_nothing_counts_is_known),
		TEST(what_is_unknown_of_a_kept_lease_makes_it_unsure),
		TEST(what_was_kept_and_is_gone_stays_done),
		TEST(looks_of_before_prove_nothing),
		TEST(an_upgraded_database_is_in_use),
		TEST(an_upgraded_database_has_a_queue),
		TEST(numbers_of_meta_survive),
		TEST(an_upgraded_database_has_the_schema_of_a_new_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
