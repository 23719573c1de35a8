/* SPDX-License-Identifier: MIT */
/*
 * Hundreds of waiting leases: the engine's core, the built Hetzner plugin in the real host and
 * the simulated cloud with one virtual clock. Counts the calls and parses of their observations;
 * no lease may cost more calls than a single one.
 *
 *   test-engine-crowd [LEASES]: with this many leases; also prints the CPU time of a life
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <dlfcn.h>
#include <jansson.h>

#include "unit/test.h"
#include "driver/driver.h"
#include "driver/wire.h"
#include "util/alloc.h"
#include "util/log.h"
#include "util/text.h"

#define CALL_MS 2
#define MINUTE 60000
#define PAGE 50
#define LEASES_MOST 2000
#define TEACHERS 4

static int leases = 300;

static struct driver d;
static struct lessor_provider table;
static struct cloud *cloud;
static struct asked asked[LEASES_MOST];
static int calls, listings, parses, answers, looks;

/* Overrides the library's function for host and plugin; counts the parses of waiting. */
__attribute__((visibility("default"))) json_t *json_loadb(const char *buffer, size_t len,
							  size_t flags, json_error_t *error)
{
	static json_t *(*real)(const char *, size_t, size_t, json_error_t *);

	if (!real)
		*(void **)(void *)&real = dlsym(RTLD_NEXT, "json_loadb");
	parses += d.running && len > 15 && strncmp(buffer, "{\"servers\":[", 12) == 0;
	return real(buffer, len, flags, error);
}

/* ---- the world ----------------------------------------------------------------------- */

static void http(void *data, const struct env_http_request *request,
		 struct env_http_response *answer)
{
	struct cloud_request ask = wire_request(request);
	struct cloud_response reply;

	(void)data;
	calls++;
	listings += strncmp(ask.target, "/v1/servers?label_selector", 26) == 0;
	d.now_ms += CALL_MS;
	wire_init(answer);
	cloud_response_init(&reply);
	cloud_handle(cloud, d.now_ms, &ask, &reply);
	wire_answered(&reply, answer);
	cloud_response_fini(&reply);
}

static void count_look(void *arg, struct step *step)
{
	(void)arg;
	looks += step->op == STEP_OBSERVE;
	answers += step->op == STEP_OBSERVE ? step->answers : 0;
}

static void world_begin(int observes)
{
	static const struct driver_hooks hooks = { .ran = count_look };
	static const char *const options[] = { "keys", "account", NULL };
	static const char few[] =
		"{\"config\":{\"max_servers\":10000,\"max_primary_ips\":10000,\"rate_on\":false},"
		"\"catalogue\":{\"withdrawn\":[{\"type\":\"*\"}],\"available\":[{\"type\":\"cx23\"}]}}";
	struct account_config account = { .name = "hetzner",
					  .max_steps = 8,
					  .location_count = 1,
					  .locations = { "fsn1" },
					  .image = "ubuntu-24.04",
					  .rate_per_hour = 1000000 };
	struct cloud_config config;
	struct err err = { 0 };

	log_setup(2, LOG_HUMAN, LOG_LEVEL_ERROR);
	driver_init(&d, &hooks, NULL);
	driver_folder(&d, "crowd");
	d.env.http = http;
	d.config.boot_ms = 15 * MINUTE;
	d.config.probe_ms = 30 * MINUTE;
	cloud_config_init(&config);
	config.requests_kept = config.history_kept = 16;
	cloud = cloud_new(&config);
	if (cloud_load(cloud, d.now_ms, few, strlen(few), &err))
		fail_msg("%s", err.text);
	table = *driver_plugin(HETZNER_SO);
	if (!observes)
		table.observe = NULL;
	account.token = xstrdup("t");
	driver_account(&d, &table, &account, options);
	driver_open(&d);
	driver_pass(&d, 1000);
}

static void world_end(void)
{
	driver_close(&d);
	driver_account_free(&d);
	cloud_free(cloud);
	driver_folder_remove(&d);
}

/* ---- clients --------------------------------------------------------------------------- */

static void create(int i)
{
	struct asked *a = &asked[i];
	struct lease *l = &a->request.create;
	char id[24];

	*a = (struct asked){ .request.kind = REQUEST_CREATE };
	snprintf(id, sizeof(id), "cbx_%012d", i + 1);
	driver_wish(l, id, "hetzner", "cx23");
	snprintf(l->slug, sizeof(l->slug), "box-%d", i + 1);
	strcpy(l->architecture, "x86");
	l->ttl_ms = l->idle_ms = 8 * 60 * MINUTE;
	driver_ask(&d, a);
	assert_int_equal(a->request.result, RESULT_CREATED);
}

static struct lease lease(int i)
{
	struct lease l;
	char id[24];

	snprintf(id, sizeof(id), "cbx_%012d", i + 1);
	assert_int_equal(driver_lease(&d, id, &l), 0);
	return l;
}

static void release(int i)
{
	struct asked *a = &asked[i];

	*a = (struct asked){ .request = { .kind = REQUEST_RELEASE, .delete_machine = 1 } };
	snprintf(a->request.ref, sizeof(a->request.ref), "cbx_%012d", i + 1);
	driver_ask(&d, a);
	assert_int_equal(a->request.result, RESULT_OK);
}

static void reset_counts(void)
{
	calls = listings = parses = answers = looks = 0;
}

/* A few lives one by one, which teach how long boots and deletes take. */
static void teach(void)
{
	for (int i = 0; i < TEACHERS; i++) {
		create(i);
		driver_pass(&d, 2 * MINUTE);
		assert_int_equal(lease(i).state, LEASE_ACTIVE);
		release(i);
		driver_pass(&d, 2 * MINUTE);
		assert_int_equal(lease(i).cleanup, CLEANUP_DONE);
	}
}

/* All leases at once, from create to ready. */
static double live(int observes)
{
	clock_t begun;

	world_begin(observes);
	teach();
	reset_counts();
	begun = clock();
	for (int i = 0; i < leases; i++)
		create(TEACHERS + i);
	driver_pass(&d, 3 * MINUTE);
	for (int i = 0; i < leases; i++)
		assert_int_equal(lease(TEACHERS + i).state, LEASE_ACTIVE);
	return (double)(clock() - begun) * 1000 / CLOCKS_PER_SEC / leases;
}

static void release_all(void)
{
	for (int i = 0; i < leases; i++)
		release(TEACHERS + i);
	driver_pass(&d, 5 * MINUTE);
	for (int i = 0; i < leases; i++)
		assert_int_equal(lease(TEACHERS + i).cleanup, CLEANUP_DONE);
}

/* ---- the test ------------------------------------------------------------------------------ */

static void a_crowd_is_looked_for_by_few_listings_each_parsed_once(void **state)
{
	int pages = (leases + PAGE - 1) / PAGE, together_parses;
	double together_ms, alone_ms;

	(void)state;
	together_ms = live(1);
	print_message("%d leases: %d observations, %d pages requested, %d read, %d parses\n",
		      leases, looks, listings, answers, parses);
	/* One observation whenever some become ready, not one per lease. */
	assert_in_range(looks, 1, 40);
	assert_in_range(listings, 1, 12 * pages);
	/* The plugin parses each page once, and the host once more if some are ready. */
	assert_in_range(parses, answers, 2 * answers);
	together_parses = parses;
	release_all();
	/* A life with account keys: six calls, of which they share one. */
	assert_in_range(calls, 0, 6 * leases);
	world_end();
	alone_ms = live(0);
	print_message("each by itself: %d pages requested, %d parses; a lease until ready: "
		      "%.2f ms of CPU (with the simulated cloud), together %.2f ms, %.2f of it\n",
		      listings, parses, alone_ms, together_ms, together_ms / alone_ms);
	assert_true(together_parses * 2 < parses);
	world_end();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_crowd_is_looked_for_by_few_listings_each_parsed_once),
	};

	if (argc > 1)
		leases = (int)strtol(argv[1], NULL, 10);
	if (leases < 1 || leases > LEASES_MOST - TEACHERS)
		return 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
