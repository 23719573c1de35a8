/* SPDX-License-Identifier: MIT */
/*
 * Whatever happens, the host key in a lease belongs to the machine that it names: a client with
 * another key refuses to log in.
 */
#include <stdio.h>

#include "fixture.h"

/* Checks the only machine, and returns the active lease. */
static struct lease check(void)
{
	struct lease l;

	assert_int_equal(world_alive(&w), 1);
	assert_int_equal(world_lease(&w, ID, &l), 0);
	assert_int_equal(l.state, LEASE_ACTIVE);
	assert_true(!strncmp(l.host_key, "ssh-ed25519 AAAA", 16));
	for (int i = 0; i < CLOUD_MAX; i++) {
		if (w.cloud[i].alive)
			assert_string_equal(w.cloud[i].host_key, l.host_key);
	}
	return l;
}

static struct asked a;

static void create(void)
{
	memset(&a, 0, sizeof(a));
	world_create(&w, &a, ID);
	assert_int_equal(a.answered, 1);
}

static void the_machine_has_the_key_that_is_told(void **state)
{
	(void)state;
	create();
	world_pass(&w, 5000);
	check();
}

static void through_every_fault_of_a_create(void **state)
{
	static const enum toy_fault faults[] = { TOY_SOLD_OUT, TOY_LOST_MADE, TOY_LOST_NOT_MADE };

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		w.create_fault = faults[i];
		create();
		world_pass(&w, 10 * 60 * 1000);
		check();
		world_end(&w);
		memset(&w, 0, sizeof(w));
		world_start(&w, NULL);
	}
}

static void through_a_crash_in_the_middle(void **state)
{
	(void)state;
	for (int lost = 0; lost < 2; lost++) {
		w.create_fault = lost ? TOY_LOST_MADE : TOY_NONE;
		w.boot_polls = 5;
		create();
		world_settle(&w);
		world_restart(&w, NULL);
		world_pass(&w, 10 * 60 * 1000);
		check();
		world_restart(&w, NULL);
		world_pass(&w, 1000);
		check();
		world_end(&w);
		memset(&w, 0, sizeof(w));
		world_start(&w, NULL);
	}
}

/* The database contains only the public key. */
static void the_private_half_is_stored_nowhere(void **state)
{
	char bytes[65536];
	const char *tails[] = { "", "-wal" };
	int seen_public = 0;

	(void)state;
	create();
	world_pass(&w, 5000);
	check();
	for (int i = 0; i < 2; i++) {
		char path[200];
		FILE *f;
		size_t n;

		snprintf(path, sizeof(path), "%s%s", w.d.path, tails[i]);
		f = fopen(path, "rb");
		while (f && (n = fread(bytes, 1, sizeof(bytes), f)) > 0) {
			assert_null(memmem(bytes, n, "PRIVATE KEY", 11));
			seen_public |= memmem(bytes, n, "ssh-ed25519 ", 12) != NULL;
		}
		if (f)
			fclose(f);
	}
	assert_true(seen_public);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_machine_has_the_key_that_is_told),
		TEST(through_every_fault_of_a_create),
		TEST(through_a_crash_in_the_middle),
		TEST(the_private_half_is_stored_nowhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
