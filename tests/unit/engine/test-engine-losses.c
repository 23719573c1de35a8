/* SPDX-License-Identifier: MIT */
/*
 * Accounts that are lost again and again under load, at every point of a batch, with real files
 * and the example provider, whose cloud is a directory. Each request gets one answer, what was
 * acknowledged is true, and in the end every machine that was ever made is found and removed.
 */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit/engine/owned.h"
#include "unit/test.h"
#include "util/text.h"

#define CLIENTS 3
#define LOSSES 48
#define LEASES 24 /* of one client, at once */

struct client {
	pthread_t thread;
	struct owned *o;
	int number;
	struct {
		int is_made, is_released; /* acknowledged */
	} leases[LEASES];
	int answers, refusals;
};

static struct owned o;
static struct client clients[CLIENTS];
static char cloud[96];

static void id_of(const struct client *c, int n, char ret[24])
{
	snprintf(ret, 24, "cbx_%06d%06d", c->number, n);
}

/* ---- clients: until there were enough losses ------------------------------------------------- */

/* One try. Is it answered, and not refused because the account moves? */
static int try(struct client *c, struct ask *a, int is_fast)
{
	enum request_result result;

	ask_submit(c->o, a);
	if (is_fast)
		ask_await_fast(c->o, a);
	else
		ask_await(a);
	result = a->request.result;
	c->answers++;
	if (ask_is_moving(a)) {
		c->refusals++;
		return 0;
	}
	REQUIRE(result == RESULT_CREATED || result == RESULT_REPLAY || result == RESULT_OK);
	return 1;
}

static void create(struct client *c, int n)
{
	static _Thread_local struct ask a;
	char id[24];

	id_of(c, n, id);
	ask_init(&a, REQUEST_CREATE, "");
	driver_wish(&a.request.create, id, "folder", "small");
	snprintf(a.request.create.slug, sizeof(a.request.create.slug), "box-%d-%d", c->number, n);
	a.request.create.ttl_ms = a.request.create.idle_ms = 3600000;
	/* So that it can be asked for again. */
	TEXT_SET(a.request.idempotency_key, id);
	TEXT_SET(a.request.body_hash, id);
	a.request.wait_ms = n % 3 ? 0 : 100;
	c->leases[n].is_made |= try(c, &a, 0);
}

static void heartbeat(struct client *c, int n)
{
	static _Thread_local struct ask a;
	char id[24];

	id_of(c, n, id);
	ask_init(&a, REQUEST_HEARTBEAT, id);
	a.request.caller.role = TOKEN_USER;
	ask_run(c->o, &a);
	c->answers++;
	c->refusals += ask_is_moving(&a);
	/* What was acknowledged is not forgotten. */
	REQUIRE(a.request.result != RESULT_NOT_FOUND);
}

/* -1: the account moves; 1: nothing is left of the lease. */
static int release(struct client *c, int n, int64_t wait_ms)
{
	static _Thread_local struct ask a;
	char id[24];

	id_of(c, n, id);
	ask_init(&a, REQUEST_RELEASE, id);
	a.request.delete_machine = 1;
	a.request.wait_ms = wait_ms;
	if (!try(c, &a, wait_ms > 0))
		return -1;
	c->leases[n].is_released = 1;
	return a.request.lease.cleanup == CLEANUP_DONE;
}

static void *client_main(void *arg)
{
	struct client *c = arg;
	uint32_t random = 1 + (uint32_t)c->number;

	while (atomic_load(&c->o->losses) < LOSSES) {
		int n;

		random = random * 1103515245 + 12345;
		n = (int)(random >> 16) % LEASES;
		if (!c->leases[n].is_made)
			create(c, n);
		else if (random >> 8 & 1 || c->leases[n].is_released)
			heartbeat(c, n);
		else
			release(c, n, 0);
	}
	return NULL;
}

/* ---- losses ---------------------------------------------------------------------------------- */

static void next_loss(struct owned *owned)
{
	int n = atomic_load(&owned->losses);

	if (n < LOSSES)
		owned_lose(owned, (enum owned_loss)(1 + n % (LOSS_COUNT - 1)), 1 + n * 7 % 13);
}

static void account_open(struct account **ret)
{
	const char *const options[] = { "base", cloud, NULL };
	struct account_config config = { .name = "folder",
					 .provider = "folder",
					 .location_count = 1,
					 .locations = { "here" },
					 .image = "image",
					 .max_steps = 8 };
	struct err err = { 0 };

	driver_options(&config, options);
	if (account_new(&o.env, driver_plugin(FOLDER_SO), &config, ret, &err))
		fail_msg("%s", err.text);
}

static int machine_exists(const char *name)
{
	char path[200];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", cloud, name);
	return lstat(path, &st) == 0;
}

static int machines(void)
{
	return driver_files(cloud);
}

/* What was acknowledged, and nothing else, is what the file holds. */
static void check_acknowledged(void)
{
	struct store *reader = NULL;
	struct lease l;
	int made = 0;

	assert_int_equal(store_open_reader(o.path, &reader, NULL), 0);
	for (int c = 0; c < CLIENTS; c++) {
		for (int n = 0; n < LEASES; n++) {
			char id[24];
			int rc;

			id_of(&clients[c], n, id);
			rc = store_lease_by_id(reader, id, &l, NULL);
			if (clients[c].leases[n].is_made)
				assert_int_equal(rc, 0);
			if (clients[c].leases[n].is_released)
				assert_int_equal(l.state, LEASE_RELEASED);
			else if (rc == 0 && l.state == LEASE_ACTIVE)
				assert_true(machine_exists(l.server_name));
			made += rc == 0;
		}
	}
	store_close(reader);
	assert_in_range(made, 1, CLIENTS * LEASES);
}

static void release_all(void)
{
	for (int c = 0; c < CLIENTS; c++) {
		for (int n = 0; n < LEASES; n++) {
			int rc;

			while ((rc = release(&clients[c], n, 3600000)) < 0)
				;
			assert_int_equal(rc, 1);
		}
	}
}

static void accounts_are_lost_under_load(void **state)
{
	static struct account *accounts[1];
	int answers = 0, refusals = 0;

	(void)state;
	owned_make(&o);
	snprintf(cloud, sizeof(cloud), "%s/cloud", o.folder);
	assert_int_equal(mkdir(cloud, 0700), 0);
	account_open(&accounts[0]);
	o.config.accounts = accounts;
	o.next = next_loss;
	owned_start(&o);
	for (int i = 0; i < CLIENTS; i++) {
		clients[i].o = &o;
		clients[i].number = i;
		assert_int_equal(pthread_create(&clients[i].thread, NULL, client_main, &clients[i]),
				 0);
	}
	for (int i = 0; i < CLIENTS; i++) {
		pthread_join(clients[i].thread, NULL);
		answers += clients[i].answers;
		refusals += clients[i].refusals;
	}
	owned_lose(&o, LOSS_NONE, 0);
	check_acknowledged();
	/* A create that was refused may have happened: it is asked for again, as a client does. */
	for (int c = 0; c < CLIENTS; c++) {
		for (int n = 0; n < LEASES; n++) {
			while (!clients[c].leases[n].is_made)
				create(&clients[c], n);
		}
	}
	release_all();
	print_message("%d losses, %d claims, %d answers of which %d refused\n",
		      atomic_load(&o.losses), atomic_load(&o.claims), answers, refusals);
	assert_in_range(refusals, 1, answers);
	assert_int_equal(machines(), 0);
	owned_stop(&o);
	account_free(accounts[0]);
	assert_int_equal(rmdir(cloud), 0);
	owned_remove(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accounts_are_lost_under_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
