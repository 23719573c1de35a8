/* SPDX-License-Identifier: MIT */
/* The engine's threads: the contents of the store's file when a step's claim is answered. */
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "driver/instance.h"
#include "unit/test.h"
#include "engine/engine.h"
#include "provider/account.h"
#include "util/text.h"

#define ID "cbx_0123456789ab"

static char folder[64], path[96];
static int provisioned, in_the_file;
static sem_t looked;		/* the plugin has read the file */

/* The number of rows of that state in the file, as another process sees it. */
static int rows_in_file(uint32_t state)
{
	struct ledger ledger = { 0 };
	struct store *store = NULL;
	struct lease l;
	int count = 0;

	if (store_open_reader(path, &store, NULL) || store_lease_by_id(store, ID, &l, NULL) ||
	    store_ledger(store, l.n, &ledger, NULL))
		abort();
	for (size_t i = 0; i < ledger.resource_count; i++)
		count += ledger.resources[i].state == state;
	ledger_fini(&ledger);
	store_close(store);
	return count;
}

/* A provider with its own I/O that creates its resource as soon as the claim is granted. */
static int provision(void *instance, struct lessor_call *call, const struct lessor_lease *lease)
{
	struct lessor_intent intent = { .size = sizeof(intent) };

	(void)instance;
	if (!lessor_attempt_open(call, 1, lease->types[0], lease->locations[0]) &&
	    !lessor_intend(call, LESSOR_KIND_SERVER, 1, &intent)) {
		in_the_file = rows_in_file(LESSOR_STATE_INTENDED);
		sem_post(&looked);
		lessor_not_created(call, intent.row, "nothing is created here");
	}
	provisioned++;
	return lessor_refuse(call, LESSOR_CLASS_CAPACITY, "nothing is created here");
}

static int cleanup(void *instance, struct lessor_call *call, const struct lessor_lease *lease)
{
	(void)instance;
	(void)call;
	(void)lease;
	return LESSOR_GONE;
}

static const struct lessor_provider table = {
	.size = sizeof(table),
	.abi = LESSOR_ABI,
	.name = "own-io",
	.version = "1",
	.summary = "makes nothing",
	.concurrency = LESSOR_SERIAL,
	.capabilities = LESSOR_OWN_IO,
	.open = instance_open,
	.close = instance_close,
	.provision = provision,
	.cleanup = cleanup,
};

/* Delays the commit, so that a step that does not wait for it would read the file first. */
static void point(void *data, const char *name)
{
	struct timespec until;

	(void)data;
	if (strcmp(name, "before-commit") != 0)
		return;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 100000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	sem_timedwait(&looked, &until);
}

static void broken(void *arg, const char *why)
{
	(void)arg;
	fprintf(stderr, "the store is broken: %s\n", why);
	abort();
}

static void answered(struct engine_request *request)
{
	sem_post(request->user);
}

static void create(struct engine *engine)
{
	static struct engine_request request;
	struct lease *l = &request.create;
	struct timespec until;
	sem_t done;

	request.kind = REQUEST_CREATE;
	request.wait_ms = 60000;
	request.done = answered;
	request.user = &done;
	TEXT_SET(request.caller.owner, "alice");
	TEXT_SET(request.caller.org, "acme");
	TEXT_SET(l->id, ID);
	TEXT_SET(l->slug, "box");
	TEXT_SET(l->account, "own-io");
	TEXT_SET(l->class_name, "standard");
	TEXT_SET(l->ssh_user, "crabbox");
	TEXT_SET(l->work_root, "/work/crabbox");
	TEXT_SET(l->public_key, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5yBg7v5l4r0p8C0kq1J3m8Zkq"
		 "X5b5w5y5e5r5t5y5u x");
	l->ssh_port = 22;
	TEXT_SET(l->types[0], "small");
	l->type_count = 1;
	l->ttl_ms = l->idle_ms = 3600000;
	sem_init(&done, 0, 0);
	engine_submit(engine, &request);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 60;
	assert_int_equal(sem_timedwait(&done, &until), 0);
	sem_destroy(&done);
	assert_int_equal(request.lease.end_reason, LEASE_END_CLASS_CAPACITY);
}

static void a_yes_is_durable_before_it_is_acted_on(void **state)
{
	struct account_config account = { .location_count = 1, .max_steps = 1 };
	struct account *accounts[1];
	struct env env;
	struct engine_config config = {
		.env = &env, .accounts = accounts, .account_count = 1, .worker_threads = 1,
		.boot_ms = 600000, .probe_ms = 300000, .on_broken = broken,
	};
	struct engine *engine = NULL;
	struct err err = { 0 };

	(void)state;
	sem_init(&looked, 0, 0);
	env_system(&env);
	env.point = point;
	TEXT_SET(account.name, "own-io");
	TEXT_SET(account.provider, "own-io");
	TEXT_SET(account.locations[0], "here");
	TEXT_SET(account.image, "image");
	assert_int_equal(account_new(&env, &table, &account, &accounts[0], &err), 0);
	assert_int_equal(store_open(path, &env, &config.store, &err), 0);
	assert_int_equal(engine_new(&config, &engine, &err), 0);
	create(engine);
	assert_int_equal(provisioned, 1);
	assert_int_equal(in_the_file, 1);
	engine_stop(engine, 10000);
	assert_int_equal(rows_in_file(LESSOR_STATE_NEVER_EXISTED), 1);
	engine_free(engine);
	account_free(accounts[0]);
}

static int folder_make(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "%.40s/lessor-engine-XXXXXX",
		 getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/store", folder);
	return 0;
}

static int folder_remove(void **state)
{
	static const char *const tails[] = { "", "-wal", "-shm", ".lock" };
	char name[128];

	(void)state;
	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		snprintf(name, sizeof(name), "%s%s", path, tails[i]);
		unlink(name);
	}
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_yes_is_durable_before_it_is_acted_on),
	};

	return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
