/* SPDX-License-Identifier: MIT */
/* Daemons that find each other through the rows of a database: here a file, which holds them, too. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit/test.h"
#include "daemon/registry.h"
#include "util/alloc.h"

static char folder[64], path[96];
static struct env env;

static int setup(void **state)
{
	struct store *store;
	struct err err = { 0 };

	(void)state;
	env_system(&env);
	snprintf(folder, sizeof(folder), "%.40s/lessor-registry-XXXXXX",
		 getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/store", folder);
	if (store_open(path, &env, &store, &err))
		return -1;
	store_close(store);
	return 0;
}

static int teardown(void **state)
{
	static const char *const tails[] = { "", "-wal", "-shm", ".lock" };
	char name[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
		snprintf(name, sizeof(name), "%s%s", path, tails[i]);
		unlink(name);
	}
	return rmdir(folder);
}

static struct daemon_registry *registry_make(const char *store)
{
	static const char *const accounts[] = { "one", "two" };
	struct registry_config config = {
		.env = &env, .store = store, .version = "9", .accounts = accounts, .account_count = 2
	};
	struct daemon_registry *registry;
	struct err err = { 0 };

	assert_int_equal(registry_new(&config, &registry, &err), 0);
	return registry;
}

static void round_run(struct daemon_registry *registry)
{
	struct err err = { 0 };

	if (registry_round(registry, &err))
		fail_msg("%s", err.text);
}

static void count_daemon(void *arg, const struct daemon_view *view)
{
	assert_string_equal(view->version, "9");
	assert_int_equal(view->schema, STORE_SCHEMA);
	*(int *)arg += view->is_alive;
}

static int alive(struct daemon_registry *registry)
{
	struct daemons_source source;
	int count = 0;

	registry_source(registry, &source);
	source.daemons(source.arg, count_daemon, &count);
	return count;
}

static void daemons_find_each_other(void **state)
{
	struct daemon_registry *a = registry_make(path), *b = registry_make(path);

	(void)state;
	assert_string_not_equal(registry_self(a), registry_self(b));
	assert_int_equal(strlen(registry_self(a)), 32);
	round_run(a);
	assert_int_equal(alive(a), 1);
	round_run(b);
	round_run(a);
	assert_int_equal(alive(a), 2);
	assert_int_equal(alive(b), 2);
	/* One that ends takes its row out. */
	registry_free(b);
	round_run(a);
	assert_int_equal(alive(a), 1);
	registry_free(a);
}

static void count_row(void *arg, const struct store_daemon *row)
{
	(void)row;
	++*(int *)arg;
}

/* How many rows there are; reading them delays no writer. */
static int rows(struct store *reader)
{
	int count = 0;

	assert_int_equal(store_daemon_each(reader, count_row, &count, NULL), 0);
	return count;
}

static void the_thread_does_the_rounds(void **state)
{
	struct daemon_registry *a = registry_make(path), *b = registry_make(path);
	struct err err = { 0 };
	int64_t until = env_mono_ms(&env) + 20000;
	struct store *reader;

	(void)state;
	round_run(b);
	assert_int_equal(store_open_reader(path, &reader, &err), 0);
	assert_int_equal(rows(reader), 1);
	assert_int_equal(registry_start(a, "http://127.0.0.1:1", &err), 0);
	while (rows(reader) < 2 && env_mono_ms(&env) < until)
		;
	assert_int_equal(rows(reader), 2);
	while (alive(a) < 2 && env_mono_ms(&env) < until)
		assert_int_equal(rows(reader), 2);
	assert_int_equal(alive(a), 2);
	store_close(reader);
	registry_free(a);
	registry_free(b);
}

/* Its own rounds are an hour apart. */
static void who_seeks_an_owner_gets_a_round(void **state)
{
	struct registry_config config = {
		.env = &env, .store = path, .version = "9", .round_ms = 3600000
	};
	int64_t until = env_mono_ms(&env) + 20000;
	struct daemon_registry *a, *b = registry_make(path);
	struct err err = { 0 };
	struct store *reader;

	(void)state;
	assert_int_equal(registry_new(&config, &a, &err), 0);
	assert_int_equal(store_open_reader(path, &reader, &err), 0);
	assert_int_equal(registry_start(a, "http://127.0.0.1:1", &err), 0);
	while (alive(a) < 1 || rows(reader) < 1)
		assert_true(env_mono_ms(&env) < until);
	round_run(b);
	while (alive(a) < 2) {
		assert_true(env_mono_ms(&env) < until);
		registry_seek(a);
	}
	store_close(reader);
	registry_free(a);
	registry_free(b);
}

static void count_account(void *arg, const struct owned_view *view)
{
	*(int *)arg += view->daemon[0] != '\0' && view->epoch == 1;
}

/* On a file this daemon is the only one, and owns what it has. */
static void without_others_all_is_ours(void **state)
{
	struct daemon_registry *a = registry_make(NULL);
	struct daemons_source source;
	struct relay_route route;
	struct err err = { 0 };
	int count = 0;

	(void)state;
	assert_int_equal(registry_start(a, "http://127.0.0.1:1", &err), 0);
	assert_int_equal(alive(a), 1);
	registry_source(a, &source);
	source.accounts(source.arg, count_account, &count);
	assert_int_equal(count, 2);
	registry_route(a, "one", &route);
	assert_int_equal(route.place, RELAY_SELF);
	registry_free(a);
}

static void a_database_that_does_not_answer_is_no_end(void **state)
{
	struct daemon_registry *a = registry_make(path);
	struct err err = { 0 };

	(void)state;
	round_run(a);
	registry_free(a);
	a = registry_make("/nonexistent/store");
	assert_int_equal(registry_round(a, &err), -1);
	assert_int_equal(registry_round(a, &err), -1);
	registry_free(a);
}

static void the_key_is_the_databases(void **state)
{
	unsigned char keys[2][STORE_PEER_KEY_SIZE], zero[STORE_PEER_KEY_SIZE] = { 0 };
	struct signer signer;
	struct store *store;
	struct err err = { 0 };

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(store_open_tool(path, &env, &store, &err), 0);
		assert_int_equal(store_peer_key(store, keys[i], &err), 0);
		assert_int_equal(store_signer(store, &signer, &err), 0);
		store_close(store);
	}
	assert_memory_equal(keys[0], keys[1], sizeof(keys[0]));
	assert_memory_not_equal(keys[0], zero, sizeof(zero));
	assert_memory_not_equal(keys[0], signer.key, sizeof(zero));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(daemons_find_each_other, setup, teardown),
		cmocka_unit_test_setup_teardown(the_thread_does_the_rounds, setup, teardown),
		cmocka_unit_test_setup_teardown(who_seeks_an_owner_gets_a_round, setup, teardown),
		cmocka_unit_test_setup_teardown(without_others_all_is_ours, setup, teardown),
		cmocka_unit_test_setup_teardown(a_database_that_does_not_answer_is_no_end, setup,
						teardown),
		cmocka_unit_test_setup_teardown(the_key_is_the_databases, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
