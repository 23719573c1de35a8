/* SPDX-License-Identifier: MIT */
/*
 * Hundreds of waiting leases: counts the calls and parses of their observations; no lease may
 * cost more calls than a single one.
 *
 *   test-engine-crowd [LEASES]: with this many leases; also prints the CPU time of a life
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dlfcn.h>
#include <jansson.h>

#include "unit/engine/crowd.h"
#include "unit/test.h"

#define MINUTE 60000
#define PAGE 50
#define TEACHERS 4

static int leases = 300;
static int parses;

/* Overrides the library's function for host and plugin; counts the parses of waiting. */
__attribute__((visibility("default"))) json_t *json_loadb(const char *buffer, size_t len,
							  size_t flags, json_error_t *error)
{
	static json_t *(*real)(const char *, size_t, size_t, json_error_t *);

	if (!real)
		*(void **)(void *)&real = dlsym(RTLD_NEXT, "json_loadb");
	parses += crowd_is_running() && len > 15 && strncmp(buffer, "{\"servers\":[", 12) == 0;
	return real(buffer, len, flags, error);
}

/* All leases at once, from create to ready; a few lives before them teach the boot time. */
static struct crowd_counts live(int observes)
{
	struct crowd_config config = { .keys = "account", .cannot_observe = !observes };
	struct crowd_counts counts;

	crowd_begin(&config);
	for (int i = 0; i < TEACHERS; i++)
		crowd_live(i);
	crowd_reset_counts();
	parses = 0;
	for (int i = 0; i < leases; i++)
		crowd_create(TEACHERS + i);
	crowd_pass(3 * MINUTE);
	counts = crowd_counts();
	for (int i = 0; i < leases; i++)
		assert_int_equal(crowd_lease(TEACHERS + i).state, LEASE_ACTIVE);
	return counts;
}

static void release_all(void)
{
	for (int i = 0; i < leases; i++)
		crowd_release(TEACHERS + i);
	crowd_pass(5 * MINUTE);
	for (int i = 0; i < leases; i++)
		assert_int_equal(crowd_lease(TEACHERS + i).cleanup, CLEANUP_DONE);
}

static void a_crowd_is_looked_for_by_few_listings_each_parsed_once(void **state)
{
	int pages = (leases + PAGE - 1) / PAGE, together_parses;
	struct crowd_counts together, alone;

	(void)state;
	together = live(1);
	print_message("%d leases: %d observations, %d pages requested, %d read, %d parses\n",
		      leases, together.observations, together.listings, together.answers, parses);
	/* One observation whenever some become ready, not one per lease. */
	assert_in_range(together.observations, 1, 10);
	assert_in_range(together.listings, 1, 6 * pages);
	/* The plugin parses each page once, and the host once more if some are ready. */
	assert_in_range(parses, together.answers, 2 * together.answers);
	together_parses = parses;
	release_all();
	/* A life with account keys: six calls, of which they share one. */
	assert_in_range(crowd_counts().calls, 0, 6 * leases);
	crowd_end();
	alone = live(0);
	print_message("each by itself: %d pages requested, %d parses; a lease until ready: "
		      "%.2f ms of CPU, together %.2f ms, %.2f of it\n",
		      alone.listings, parses, alone.cpu_ms / leases, together.cpu_ms / leases,
		      together.cpu_ms / alone.cpu_ms);
	assert_true(together_parses * 2 < parses);
	crowd_end();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_crowd_is_looked_for_by_few_listings_each_parsed_once),
	};

	if (argc > 1)
		leases = (int)strtol(argv[1], NULL, 10);
	if (leases < 1 || leases > CROWD_LEASES_MAX - TEACHERS)
		return 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
