/* SPDX-License-Identifier: MIT */
/* A store is moved from a file to PostgreSQL (store/move.h): everything is there, or nothing. */
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver/postgres.h"
#include "lease/ledger.h"
#include "scratch.h"
#include "store/backend.h"
#include "store/move.h"
#include "store/queue.h"
#include "unit/test.h"
#include "util/alloc.h"
#include "util/text.h"

static struct postgres *server;
static const char *url; /* of an empty database for this test */

/* ---- a store with something in every table ------------------------------------------------- */

static void old_database_load(void)
{
	auto_free char *command = xasprintf("cat '%s'", SCHEMA_6);
	char *text = NULL, *error = NULL;
	size_t len = 0;
	FILE *file = popen(command, "r");
	sqlite3 *db;

	assert_non_null(file);
	assert_true(getdelim(&text, &len, '\0', file) > 0);
	pclose(file);
	snprintf(path, sizeof(path), "%s/full", folder);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, text, NULL, NULL, &error))
		fail_msg("%s", error);
	sqlite3_close(db);
	free(text);
}

#define EVENTS 620 /* more than some pages */

static void leases_add(void)
{
	struct store_share share = { .name = "bob@example.com", .manage = 1 };
	struct store_queue_owner turn = {
		.account = "hetzner", .owner = "o", .org = "g", .turn = 7
	};
	struct lease l = scratch_insert("cbx_000000000001");

	scratch_begin();
	for (int i = 0; i < EVENTS; i++)
		assert_int_equal(store_event_add(store, l.n, i, "some.kind", "a text", NULL), 0);
	assert_int_equal(store_touch(store, l.n, 77, NULL), 0);
	assert_int_equal(store_share_replace(store, &l, &share, 1, 5, "o", NULL), 0);
	assert_int_equal(store_telemetry_add(store, l.n, 9, "{\"cpu\":1}", NULL), 0);
	assert_int_equal(store_queue_owner_put(store, &turn, NULL), 0);
	assert_int_equal(store_create_cancel(store, "cbx_2", "t", "o", "g", 1, NULL), 0);
	scratch_commit();
}

static void accounts_add(void)
{
	struct generation g = {
		.account = "hetzner", .current = 4, .pending = 5, .holder = "0123", .before = "4567"
	};
	struct orphan orphan = { .account = "hetzner",
				 .kind = 1,
				 .id = "7",
				 /* Latin 1, and cut. */
				 .name = "caf\xe9 \xc3" };
	struct store_crash crash = {
		.account = "hetzner", .op = "observe", .version = "1.2.3", .count = 2
	};
	struct store_price price = {
		.type = "cx23", .hour_micros = 5, .currency = "EUR", .available = 1
	};
	struct token token = {
		.id = "0123456789abcdef", .owner = "o", .org = "g", .hash = { 0, 255, 0, 1 }
	};
	struct sweep sweep = { .account = "hetzner", .begun_ms = 1, .error = "it's \"odd\"\n" };

	scratch_begin();
	assert_int_equal(store_generation_put(store, &g, NULL), 0);
	assert_int_equal(store_orphan_put(store, &orphan, NULL), 0);
	assert_int_equal(store_crash_put(store, &crash, NULL), 0);
	assert_int_equal(store_prices_replace(store, "hetzner", &price, 1, 9, NULL), 0);
	assert_int_equal(store_pause_put(store, "hetzner", 33, NULL), 0);
	assert_int_equal(store_token_add(store, &token, NULL), 0);
	assert_int_equal(store_sweep_put(store, &sweep, NULL), 0);
	assert_int_equal(store_clock_put(store, 123456, NULL), 0);
	assert_int_equal(store_place_put(store, "here", NULL), 0);
	assert_int_equal(store_neighbours_put(store, "hetzner", "abc def", NULL), 0);
	scratch_commit();
}

static void run_add(void)
{
	struct run_row run = { .id = "run_000000000001", .exit_code = -1 };
	size_t stored;

	assert_int_equal(store_begin(runs, NULL), 0);
	assert_int_equal(store_run_insert(runs, &run, "[\"ls\"]", NULL), 0);
	assert_int_equal(store_run_lease_add(runs, run.n, "cbx_000000000001", NULL), 0);
	assert_int_equal(store_run_event_add(runs, run.n, 1, 2, "{\"a\":1}", NULL), 0);
	assert_int_equal(store_run_sample_add(runs, run.n, 1, "{}", NULL), 0);
	assert_int_equal(store_run_results_put(runs, run.n, "{\"r\":1}", NULL), 0);
	assert_int_equal(store_run_receipt_put(runs, run.n, "{\"s\":1}", NULL), 0);
	for (int part = 0; part < 130; part++)
		assert_int_equal(store_run_log_put(runs, run.n, part, "\0line\n", 6, &stored, NULL),
				 0);
	assert_int_equal(store_commit(runs, NULL), 0);
}

static void fill(void)
{
	scratch_close();
	old_database_load();
	store = scratch_open();
	scratch_open_runs();
	leases_add();
	accounts_add();
	run_add();
}

/* ---- moving ---------------------------------------------------------------------------------- */

static int move_open(struct store **from, struct store **from_runs, struct store **to,
		     struct err *err)
{
	int is_lost;

	*from = *from_runs = *to = NULL;
	return store_open_source(path, &env, from, err) ||
	       store_open_runs(*from, &env, from_runs, &is_lost, err) ||
	       store_open_tool(url, &env, to, err);
}

/* Closes the store of the test. 0, or -1 with a sentence. */
static int move(struct store_move_result *ret, struct err *err)
{
	struct store *from, *from_runs, *to;
	struct store_move *m = NULL;
	int rc;

	scratch_close();
	*err = (struct err){ 0 };
	rc = move_open(&from, &from_runs, &to, err);
	if (!rc) {
		m = store_move_new(from, from_runs, to);
		rc = store_move_run(m, ret, err);
	}
	store_close(to);
	store_close(from_runs);
	store_close(from);
	store_move_free(m);
	return rc ? -1 : 0;
}

static void move_must(struct store_move_result *ret)
{
	struct err err;

	if (move(ret, &err))
		fail_msg("%s", err.text);
}

static void move_fails(const char *part)
{
	struct store_move_result result;
	struct err err;

	assert_int_equal(move(&result, &err), -1);
	if (!strstr(err.text, part))
		fail_msg("'%s' is not in '%s'", part, err.text);
}

static struct store *target_open(void)
{
	struct store *to;
	struct err err = { 0 };

	if (store_open(url, &env, &to, &err))
		fail_msg("%s", err.text);
	return to;
}

/* ---- what must be the same ------------------------------------------------------------------ */

#define LEASES_MAX 20

struct seen {
	struct signer signer;
	char account_key[512];
	struct lease leases[LEASES_MAX];
	struct ledger ledgers[LEASES_MAX];
	size_t count;
	struct store_counts counts;
	int64_t token_epoch, clock_ms;
	uint64_t events; /* a checksum */
	char accounts[200];
	char orphan[64];
	unsigned char token[32];
	char run[4096];
};

static int lease_see(void *arg, const struct lease *l)
{
	struct seen *seen = arg;

	assert_true(seen->count < LEASES_MAX);
	seen->leases[seen->count++] = *l;
	return 0;
}

static int event_see(void *arg, const struct store_event *event)
{
	struct seen *seen = arg;

	seen->events = seen->events * 31 + (uint64_t)event->n + (uint64_t)event->at_ms +
		       strlen(event->text);
	return 0;
}

static int account_see(void *arg, const char *account)
{
	struct seen *seen = arg;
	size_t len = strlen(seen->accounts);

	snprintf(seen->accounts + len, sizeof(seen->accounts) - len, "%s ", account);
	return 0;
}

static int orphan_see(void *arg, const struct orphan *orphan)
{
	TEXT_SET(((struct seen *)arg)->orphan, orphan->name);
	return 0;
}

static void token_see(void *arg, const struct token *token)
{
	if (!strcmp(token->id, "0123456789abcdef"))
		memcpy(((struct seen *)arg)->token, token->hash, sizeof(token->hash));
}

static int text_see(void *arg, const char *text, size_t len)
{
	struct seen *seen = arg;
	size_t used = strlen(seen->run);

	snprintf(seen->run + used, sizeof(seen->run) - used, "%zu:%.*s ", len, (int)len, text);
	return 0;
}

static int run_see(void *arg, const struct run_row *r, const char *command)
{
	struct seen *seen = arg;
	size_t used = strlen(seen->run);

	snprintf(seen->run + used, sizeof(seen->run) - used, "%s %lld %s; ", r->id,
		 (long long)r->exit_code, command);
	return 0;
}

static void runs_look(struct store *of, struct store *of_runs, struct seen *seen)
{
	struct store_run_list list = { .scope = { .all = 1 }, .state = -1, .limit = 100 };
	struct run_row run;

	store_runs_use(of_runs, of);
	assert_int_equal(store_run_each(of_runs, &list, run_see, seen, NULL), 0);
	assert_int_equal(store_run_find(of_runs, "run_000000000001", &list.scope, RUN_READ, &run,
					NULL),
			 0);
	assert_int_equal(store_run_log_get(of_runs, run.n, 129, text_see, seen, NULL), 0);
	assert_int_equal(store_run_results(of_runs, run.n, text_see, seen, NULL), 0);
	assert_int_equal(store_run_receipt(of_runs, run.n, text_see, seen, NULL), 0);
	assert_int_equal(store_run_lease_each(of_runs, run.n, text_see, seen, NULL), 0);
}

static void look(struct store *of, struct store *of_runs, struct seen *seen)
{
	struct store_list list = {
		.scope = { .all = 1 }, .state = -1, .cleanup = -1, .limit = LEASES_MAX
	};
	int is_trusted;

	memset(seen, 0, sizeof(*seen));
	assert_int_equal(store_signer(of, &seen->signer, NULL), 0);
	assert_int_equal(store_account_key(of, seen->account_key, sizeof(seen->account_key), NULL),
			 0);
	assert_int_equal(store_lease_each(of, &list, lease_see, seen, NULL), 0);
	for (size_t i = 0; i < seen->count; i++) {
		assert_int_equal(store_ledger(of, seen->leases[i].n, &seen->ledgers[i], NULL), 0);
		assert_int_equal(store_event_each(of, seen->leases[i].n, 0, 10000, event_see, seen,
						  NULL),
				 0);
	}
	assert_int_equal(store_counts(of, "alice@example.com", "acme", "hetzner", &seen->counts,
				      NULL),
			 0);
	assert_int_equal(store_token_epoch(of, &seen->token_epoch, NULL), 0);
	assert_int_equal(store_clock_get(of, &seen->clock_ms, &is_trusted, NULL), 0);
	assert_int_equal(store_account_each(of, account_see, seen, NULL), 0);
	assert_int_equal(store_orphan_each(of, "hetzner", orphan_see, seen, NULL), 0);
	assert_int_equal(store_token_each(of, token_see, seen, NULL), 0);
	runs_look(of, of_runs, seen);
}

static void seen_compare(const struct seen *was, const struct seen *is)
{
	assert_memory_equal(&was->signer, &is->signer, sizeof(was->signer));
	assert_string_equal(was->account_key, is->account_key);
	assert_int_equal(was->count, is->count);
	for (size_t i = 0; i < was->count; i++) {
		assert_null(store_lease_differs(&was->leases[i], &is->leases[i]));
		assert_int_equal(was->ledgers[i].resource_count, is->ledgers[i].resource_count);
		for (size_t k = 0; k < was->ledgers[i].resource_count; k++)
			assert_null(store_resource_differs(&was->ledgers[i].resources[k],
							   &is->ledgers[i].resources[k]));
		assert_int_equal(was->ledgers[i].attempt_count, is->ledgers[i].attempt_count);
	}
	assert_memory_equal(&was->counts, &is->counts, sizeof(was->counts));
	assert_true(was->counts.all > 0);
	assert_int_equal(was->token_epoch, is->token_epoch);
	assert_int_equal(was->clock_ms, is->clock_ms);
	assert_int_equal(was->events, is->events);
	assert_string_equal(was->accounts, is->accounts);
	assert_memory_equal(was->token, is->token, sizeof(was->token));
	assert_string_equal(was->run, is->run);
}

static void seen_fini(struct seen *seen)
{
	for (size_t i = 0; i < seen->count; i++)
		ledger_fini(&seen->ledgers[i]);
}

/* ---- tests ------------------------------------------------------------------------------------- */

static void everything_is_there(void **state)
{
	static struct seen was, is;
	struct store_move_result result;
	struct store *to, *to_runs;
	struct err err = { 0 };
	int is_lost;

	(void)state;
	fill();
	look(store, runs, &was);
	move_must(&result);
	assert_int_equal(result.leases, was.count);
	assert_int_equal(result.runs, 2);
	assert_true(result.rows > EVENTS + 130);
	assert_false(result.is_repeated);
	to = target_open();
	if (store_open_runs(to, &env, &to_runs, &is_lost, &err))
		fail_msg("%s", err.text);
	look(to, to_runs, &is);
	seen_compare(&was, &is);
	/* The server would refuse these bytes. */
	assert_int_equal(result.mended, 1);
	assert_string_equal(was.orphan, "caf\xe9 \xc3");
	assert_string_equal(is.orphan, "caf? ?");
	if (store_check(to, &err))
		fail_msg("%s", err.text);
	seen_fini(&was);
	seen_fini(&is);
	store_close(to_runs);
	store_close(to);
}

/* New rows are numbered after the old ones, and totals go on. */
static void the_moved_store_is_in_use(void **state)
{
	struct lease l = scratch_lease("cbx_00000000000a"), last;
	struct store_counts before, after;
	struct store_move_result result;
	struct store *to;

	(void)state;
	fill();
	assert_int_equal(store_lease_by_id(store, "cbx_000000000001", &last, NULL), 0);
	move_must(&result);
	to = target_open();
	assert_int_equal(store_counts(to, l.owner, l.org, l.account, &before, NULL), 0);
	assert_int_equal(store_begin(to, NULL), 0);
	assert_int_equal(store_lease_insert(to, &l, NULL), 0);
	assert_int_equal(store_event_add(to, l.n, 1, "k", "t", NULL), 0);
	assert_int_equal(store_commit(to, NULL), 0);
	assert_true(l.n > last.n);
	assert_int_equal(store_counts(to, l.owner, l.org, l.account, &after, NULL), 0);
	assert_int_equal(after.all, before.all + 1);
	assert_int_equal(after.micros_all, before.micros_all + l.price_hour_micros);
	assert_int_equal(after.account, before.account + 1);
	store_close(to);
}

static void the_file_is_not_used_again(void **state)
{
	struct store_move_result result;
	struct store *again;
	struct err err = { 0 };

	(void)state;
	fill();
	move_must(&result);
	assert_int_equal(store_open(path, &env, &again, &err), -1);
	assert_int_equal(err.kind, ERR_REFUSED);
	assert_non_null(strstr(err.text, "was moved to postgresql://"));
	assert_int_equal(store_open_tool(path, &env, &again, &err), -1);
	assert_int_equal(store_open_view(path, &again, &err), -1);
	assert_non_null(strstr(err.text, "was moved to postgresql://"));
	/* The same again changes nothing, and neither does another target. */
	move_must(&result);
	assert_true(result.is_repeated);
	url = postgres_database(server);
	move_fails("was moved to postgresql://");
	assert_int_equal(postgres_number(url, "SELECT count(*) FROM lease"), 0);
}

/* `lessord token add`, say, which had opened the file and waited for the move. */
static void a_tool_does_not_write_into_the_moved_file(void **state)
{
	struct store_move_result result;
	struct store *tool;
	struct err err = { 0 };

	(void)state;
	fill();
	assert_int_equal(store_open_tool(path, &env, &tool, &err), 0);
	move_must(&result);
	assert_int_equal(store_begin(tool, &err), -1);
	assert_int_equal(err.kind, ERR_REFUSED);
	assert_non_null(strstr(err.text, "was moved to postgresql://"));
	store_close(tool);
}

/* The file was marked, and then the process ended before the target was committed. */
static void an_interrupted_move_is_done_again(void **state)
{
	struct store_move_result result;
	auto_free char *sql = NULL;
	struct store *to;
	sqlite3 *db;

	(void)state;
	fill();
	scratch_close();
	to = target_open();
	sql = xasprintf("INSERT INTO meta(key, value) VALUES('moved', '%s')", to->name);
	store_close(to);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	move_must(&result);
	assert_false(result.is_repeated);
	assert_int_equal(result.leases, 7);
	assert_int_equal(postgres_number(url, "SELECT count(*) FROM lease"), 7);
}

static void target_make(void)
{
	struct store *to;

	assert_int_equal(store_open_tool(url, &env, &to, NULL), 0);
	store_close(to);
}

/* Nothing has changed: neither the target, nor the file, which is still in use. */
static void check_untouched(int64_t events)
{
	assert_int_equal(postgres_number(url, "SELECT count(*) FROM event"), events);
	assert_int_equal(postgres_number(url, "SELECT count(*) FROM meta WHERE key = 'clock'"), 0);
	store = scratch_open();
}

static void a_target_in_use_is_refused(void **state)
{
	(void)state;
	fill();
	target_make();
	postgres_sql(url, "INSERT INTO event(lease, at_ms, kind, text) VALUES(1, 1, '', '')");
	move_fails("is not empty (event)");
	check_untouched(1);
	/* A daemon started on it, and has not leased anything yet. */
	url = postgres_database(server);
	target_make();
	postgres_sql(url, "INSERT INTO shard(account) VALUES('hetzner')");
	move_fails("a lessord has used it");
	check_untouched(0);
	url = postgres_database(server);
	target_make();
	postgres_sql(url, "INSERT INTO meta(key) VALUES('clock.x')");
	move_fails("is not empty (meta)");
	check_untouched(0);
}

static void a_copy_that_differs_does_not_count(void **state)
{
	(void)state;
	fill();
	target_make();
	postgres_sql(url, "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
			  " IF NEW.n = 300 THEN NEW.text := 'b text'; END IF; RETURN NEW; END $$");
	postgres_sql(url, "CREATE TRIGGER spoil BEFORE INSERT ON event"
			  " FOR EACH ROW EXECUTE FUNCTION spoil()");
	move_fails("table event is not the same");
	check_untouched(0);
	scratch_close();
	postgres_sql(url, "DROP TRIGGER spoil ON event");
	postgres_sql(url, "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
			  " IF NEW.part = 100 THEN RETURN NULL; END IF; RETURN NEW; END $$");
	postgres_sql(url, "CREATE TRIGGER lose BEFORE INSERT ON run_log"
			  " FOR EACH ROW EXECUTE FUNCTION lose()");
	move_fails("table run_log is not the same");
	check_untouched(0);
	scratch_close();
	postgres_sql(url, "DROP TRIGGER lose ON run_log");
	postgres_sql(url, "DROP TRIGGER lease_added ON lease");
	move_fails("table tally is not the same");
	check_untouched(0);
}

static void a_file_in_use_is_refused(void **state)
{
	struct store *again;
	struct err err = { 0 };

	(void)state;
	fill();
	assert_int_equal(store_open_source(path, &env, &again, &err), -1);
	assert_int_equal(err.kind, ERR_BUSY);
	assert_int_equal(err.native, EWOULDBLOCK);
}

/* It was moved, and then the file was restored from a backup made before. */
static void an_older_copy_is_refused(void **state)
{
	struct store_move_result result;
	sqlite3 *db;

	(void)state;
	fill();
	move_must(&result);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "DELETE FROM meta WHERE key = 'moved'", NULL, NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(db);
	move_fails("of which");
}

static int database_make(void **state)
{
	if (!server)
		server = postgres_start();
	if (!server)
		exit(77);
	url = postgres_database(server);
	return scratch_setup(state);
}

static int server_end(void **state)
{
	(void)state;
	postgres_stop(server);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, database_make, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(everything_is_there),
		TEST(the_moved_store_is_in_use),
		TEST(the_file_is_not_used_again),
		TEST(an_interrupted_move_is_done_again),
		TEST(a_tool_does_not_write_into_the_moved_file),
		TEST(a_target_in_use_is_refused),
		TEST(a_copy_that_differs_does_not_count),
		TEST(a_file_in_use_is_refused),
		TEST(an_older_copy_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, server_end);
}
