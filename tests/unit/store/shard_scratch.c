/* SPDX-License-Identifier: MIT */
#include "shard_scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/test.h"

#define STORES 64

struct postgres_pair pair;
struct pg_proxy proxy;
struct env env;
char database[32];
struct shard_claim shard_terms;

static struct store *stores[STORES];
static int databases;

int shard_group_setup(void **state)
{
	char path[128];

	(void)state;
	env_system(&env);
	setenv("LESSOR_MODULES", MODULES, 0);
	pair_start(&pair);
	pair_socket(&pair, PAIR_PRIMARY, path, sizeof(path));
	pg_proxy_start(&proxy, path);
	return 0;
}

int shard_group_teardown(void **state)
{
	(void)state;
	pg_proxy_stop(&proxy);
	pair_stop(&pair);
	return 0;
}

int shard_setup(void **state)
{
	(void)state;
	snprintf(database, sizeof(database), "test%d", ++databases);
	pair_database(&pair, database);
	shard_terms = (struct shard_claim){ .account = "hetzner",
					    .address = "10.0.0.1:8080",
					    .ttl_ms = TTL_MS,
					    .presume_ms = 50000 };
	return 0;
}

int shard_teardown(void **state)
{
	(void)state;
	for (int i = 0; i < STORES; i++) {
		store_close(stores[i]);
		stores[i] = NULL;
	}
	pg_proxy_tell(&proxy, "accept");
	pg_proxy_tell(&proxy, "pass c2s new");
	pg_proxy_tell(&proxy, "pass s2c new");
	return 0;
}

struct store *shard_store(const struct pg_proxy *by)
{
	char url[256];
	struct err err = { 0 };
	int i = 0;

	while (stores[i])
		assert_true(++i < STORES);
	pair_url(&pair, by, database, url, sizeof(url));
	if (store_open(url, &env, &stores[i], &err))
		fail_msg("%s", err.text);
	return stores[i];
}

void shard_store_close(struct store *store)
{
	for (int i = 0; i < STORES; i++) {
		if (stores[i] == store)
			stores[i] = NULL;
	}
	store_close(store);
}

void shard_nonce(char ret[SHARD_NONCE_CHARS + 1])
{
	unsigned char bytes[SHARD_NONCE_CHARS / 2];

	env_random(&env, bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
}

int shard_take(struct store *store, struct shard *ret)
{
	char nonce[SHARD_NONCE_CHARS + 1];
	struct shard_claim claim = shard_terms;
	struct shard own;
	struct err err = { 0 };
	int rc;

	shard_nonce(nonce);
	claim.nonce = nonce;
	rc = shard_claim(store, &claim, ret ? ret : &own, &err);
	if (rc < 0)
		fail_msg("%s", err.text);
	return rc;
}

int64_t shard_take_over(struct store *store, int64_t patience_ms, struct shard *ret)
{
	int64_t begin_ms = shard_clock_ms();
	char nonce[SHARD_NONCE_CHARS + 1];
	struct shard_claim claim = shard_terms;
	struct shard own;
	struct err err = { 0 };

	claim.nonce = nonce;
	do {
		if (shard_clock_ms() - begin_ms > patience_ms)
			fail_msg("the account was not taken over: %s", err.text);
		shard_nonce(nonce);
	} while (shard_claim(store, &claim, ret ? ret : &own, &err) != 0);
	return shard_clock_ms() - begin_ms;
}

void shard_write_begin(struct store *store, int64_t value)
{
	struct err err = { 0 };

	if (store_begin(store, &err) || store_pause_put(store, shard_terms.account, value, &err))
		fail_msg("%s", err.text);
}

int shard_write(struct store *store, int64_t value, struct err *err)
{
	if (store_begin(store, err))
		return -1;
	if (store_pause_put(store, shard_terms.account, value, err)) {
		store_rollback(store);
		return -1;
	}
	return store_commit(store, err);
}

static int64_t number_of(enum pair_server which, const char *sql)
{
	char text[64];

	pair_sql(&pair, which, database, text, sizeof(text), "%s", sql);
	return strtoll(text, NULL, 10);
}

int64_t shard_value(enum pair_server which)
{
	return number_of(which, "SELECT coalesce(max(until_ms), 0) FROM pause");
}

int64_t shard_column(enum pair_server which, const char *name)
{
	char sql[128];

	snprintf(sql, sizeof(sql), "SELECT %s FROM shard WHERE account = '%s'", name,
		 shard_terms.account);
	return number_of(which, sql);
}

void shard_clock_fake(void)
{
	/* Its tables are where they always are; the function is for those who look in `fake` first. */
	shard_store_close(shard_store(NULL));
	pair_sql(&pair, PAIR_PRIMARY, database, NULL, 0,
		 "CREATE SCHEMA fake; CREATE TABLE fake.ahead(s bigint);"
		 " INSERT INTO fake.ahead VALUES(0);"
		 " CREATE FUNCTION fake.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS"
		 " 'SELECT pg_catalog.clock_timestamp() + s * interval ''1 s'' FROM fake.ahead';"
		 " GRANT USAGE ON SCHEMA fake TO lessor; GRANT SELECT ON fake.ahead TO lessor;"
		 " ALTER ROLE lessor IN DATABASE %s SET search_path = fake, pg_catalog, public",
		 database);
}

void shard_clock_step(int seconds)
{
	pair_sql(&pair, PAIR_PRIMARY, database, NULL, 0, "UPDATE fake.ahead SET s = s + %d",
		 seconds);
}
