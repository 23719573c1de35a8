/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scratch.h"
#include "unit/test.h"
#include "store/runs.h"
#include "util/text.h"
#include "vfs.h"
#ifdef SCRATCH_POSTGRES
#include "driver/postgres.h"
#endif

char folder[64];
char path[96];
struct env env;
struct store *store, *runs;

struct store *scratch_open(void)
{
	struct store *s = NULL;
	struct err err = { 0 };

	if (store_open(path, &env, &s, &err))
		fail_msg("%s", err.text);
	return s;
}

void scratch_open_runs(void)
{
	struct err err = { 0 };
	int is_lost;

	if (store_open_runs(store, &env, &runs, &is_lost, &err))
		fail_msg("%s", err.text);
	store_runs_use(runs, store);
}

void scratch_close(void)
{
	store_close(runs);
	store_close(store);
	runs = store = NULL;
}

#ifdef SCRATCH_POSTGRES
static struct postgres *server;

static void server_end(void)
{
	postgres_stop(server);
}

/* -1: there is no PostgreSQL. */
static int database_make(void)
{
	if (server) {
		postgres_clear(path);
		return 0;
	}
	server = postgres_start();
	if (!server)
		return -1;
	atexit(server_end);
	assert_in_range(snprintf(path, sizeof(path), "%s", postgres_database(server)), 1,
			sizeof(path) - 1);
	return 0;
}
#else
static int database_make(void)
{
	return -1;
}
#endif

int scratch_setup(void **state)
{
	const char *backend = getenv("LESSOR_TEST_STORE");

	(void)state;
	umask(077);
	snprintf(folder, sizeof(folder), "%.30s/lessor-store-XXXXXX",
		 getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	if (!mkdtemp(folder))
		return -1;
	if (!backend || strcmp(backend, "postgresql") != 0)
		snprintf(path, sizeof(path), "%s/db", folder);
	else if (database_make())
		exit(77);
	env_system(&env);
	vfs_set(NULL);
	store = scratch_open();
	return 0;
}

int scratch_teardown(void **state)
{
	char command[128];

	(void)state;
	vfs_set(NULL);
	scratch_close();
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

struct lease scratch_lease(const char *id)
{
	struct lease l = {
		.type_explicit = 1, .type_count = 2, .ssh_port = 2222, .fallback_ports = { 22, 2022 },
		.fallback_count = 2, .keep = 1, .ttl_ms = 5400000, .idle_ms = 1800000,
		.created_ms = 1000, .provision_deadline_ms = 2000, .state = LEASE_PROVISIONING,
		.epoch = 1, .due_ms = 1000, .price_hour_micros = 12345, .touched_ms = 1000,
	};

	TEXT_SET(l.id, id);
	strcpy(l.attempt_token, "cat_1");
	strcpy(l.owner, "alice@example.com");
	strcpy(l.org, "acme");
	strcpy(l.account, "hetzner");
	strcpy(l.slug, "violet-prawn");
	l.location_preferred = 1;
	strcpy(l.class_name, "standard");
	strcpy(l.types[0], "ccx33");
	strcpy(l.types[1], "cpx62");
	strcpy(l.public_key, "ssh-ed25519 AAAA '\"; DROP TABLE lease;--");
	strcpy(l.currency, "EUR");
	return l;
}

void scratch_begin(void)
{
	assert_int_equal(store_begin(store, NULL), 0);
}

void scratch_commit(void)
{
	assert_int_equal(store_commit(store, NULL), 0);
}

int scratch_end(int rc, struct err *err)
{
	if (rc == 0)
		return store_commit(store, err);
	store_rollback(store);
	return rc;
}

struct lease scratch_insert(const char *id)
{
	struct lease l = scratch_lease(id);
	struct err err = { 0 };

	scratch_begin();
	if (store_lease_insert(store, &l, &err))
		fail_msg("%s", err.text);
	scratch_commit();
	return l;
}
