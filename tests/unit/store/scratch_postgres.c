/* SPDX-License-Identifier: MIT */
/* The rows' tests on PostgreSQL: one server for the program, a database for each test. */
#include <stdio.h>
#include <stdlib.h>

#include "driver/postgres.h"
#include "scratch.h"
#include "unit/test.h"

char folder[64];

static struct postgres *server;

static void server_stop(void)
{
	postgres_stop(server);
}

int scratch_is_file(void)
{
	return 0;
}

int scratch_setup(void **state)
{
	(void)state;
	if (!server) {
		server = postgres_start();
		if (!server)
			exit(77);
		atexit(server_stop);
	}
	snprintf(path, sizeof(path), "%s", postgres_database(server));
	env_system(&env);
	store = scratch_open();
	return 0;
}

int scratch_teardown(void **state)
{
	struct err err = { 0 };

	(void)state;
	/* Totals and references, after whatever the test did; run tests write parts of no run. */
	if (store && !runs && store_check(store, &err))
		fail_msg("%s", err.text);
	scratch_close();
	return 0;
}
