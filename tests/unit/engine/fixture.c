/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include "util/text.h"

struct world w;

int fixture_setup(void **state)
{
	(void)state;
	world_start(&w, NULL);
	return 0;
}

int fixture_teardown(void **state)
{
	(void)state;
	world_end(&w);
	return 0;
}

struct lease lease(const char *id)
{
	struct lease l;

	assert_int_equal(world_lease(&w, id, &l), 0);
	return l;
}

struct resource first_row(const char *id)
{
	struct ledger ledger;
	struct resource r;

	assert_int_equal(store_ledger(core_store(w.d.core), lease(id).n, &ledger, NULL), 0);
	assert_true(ledger.resource_count > 0);
	r = ledger.resources[0];
	ledger_fini(&ledger);
	return r;
}

struct asked create_ready(const char *id)
{
	struct asked a = { 0 };

	world_create(&w, &a, id);
	assert_int_equal(a.answered, 1);
	assert_int_equal(a.request.result, RESULT_CREATED);
	world_pass(&w, 5000);
	assert_int_equal(lease(id).state, LEASE_ACTIVE);
	return a;
}

int beat(const char *id)
{
	struct asked a = { 0 };

	a.request.kind = REQUEST_HEARTBEAT;
	TEXT_SET(a.request.ref, id);
	world_ask(&w, &a);
	return a.request.result;
}
