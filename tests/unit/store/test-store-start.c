/* SPDX-License-Identifier: MIT */
/*
 * What a start reads from the store besides the ledgers: due times, generations and its
 * location.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scratch.h"
#include "util/alloc.h"
#include "util/text.h"

#define NOW INT64_C(1800000000000)
#define HOUR INT64_C(3600000)
#define TEN_DAYS (240 * HOUR)

static void reopen(void)
{
	store_close(store);
	store = scratch_open();
}

/* ---- due ------------------------------------------------------------------------------ */

#define DUES 200

/* Row numbers come in blocks with PostgreSQL, so they may be any. */
struct dues {
	struct {
		int64_t n, due_ms;
	} rows[DUES];
	int count;
};

static void note_due(void *arg, int64_t n, int64_t due_ms)
{
	struct dues *dues = arg;

	assert_in_range(dues->count, 0, DUES - 1);
	for (int i = 0; i < dues->count; i++)
		assert_int_not_equal(dues->rows[i].n, n);
	dues->rows[dues->count].n = n;
	dues->rows[dues->count++].due_ms = due_ms;
}

/* 0: it was not reported. */
static int64_t due_at(const struct dues *dues, int64_t n)
{
	for (int i = 0; i < dues->count; i++) {
		if (dues->rows[i].n == n)
			return dues->rows[i].due_ms;
	}
	return 0;
}

static struct dues due_now(void)
{
	struct dues dues = { 0 };

	assert_int_equal(store_due_each(store, NULL, NOW, note_due, &dues, NULL), 0);
	return dues;
}

static void insert_due(struct lease *l)
{
	scratch_begin();
	assert_int_equal(store_lease_insert(store, l, NULL), 0);
	/* The last heartbeat is in a table of its own. */
	assert_int_equal(store_lease_update(store, l, NULL), 0);
	if (l->touched_ms > l->created_ms)
		assert_int_equal(store_touch(store, l->n, l->touched_ms, NULL), 0);
	scratch_commit();
}

static struct lease due_lease(int i, enum lease_state state, enum lease_cleanup cleanup)
{
	struct lease l;
	char id[24];

	snprintf(id, sizeof(id), "cbx_%012d", i);
	l = scratch_lease(id);
	l.state = state;
	l.cleanup = cleanup;
	l.created_ms = l.touched_ms = NOW - HOUR / 2;
	l.provision_deadline_ms = NOW + 1000;
	l.ttl_ms = 2 * HOUR;
	l.idle_ms = HOUR;
	l.retained = cleanup == CLEANUP_RETAINED;
	return l;
}

static void only_what_goes_on_is_due(void **state)
{
	static const struct {
		enum lease_state state;
		enum lease_cleanup cleanup;
		int64_t due_ms, want_ms;	/* want 0: not at all */
	} rows[] = {
		{ LEASE_PROVISIONING, CLEANUP_NONE, NOW + 5, NOW + 5 },
		{ LEASE_PROVISIONING, CLEANUP_NONE, NOW + TEN_DAYS, NOW + 1000 },
		{ LEASE_ACTIVE, CLEANUP_NONE, NOW + 5, NOW + 5 },
		{ LEASE_ACTIVE, CLEANUP_NONE, NOW + TEN_DAYS, NOW + HOUR / 2 },
		{ LEASE_ACTIVE, CLEANUP_NONE, 0, NOW + HOUR / 2 },
		{ LEASE_RELEASED, CLEANUP_OWED, NOW - HOUR, NOW - HOUR },
		{ LEASE_EXPIRED, CLEANUP_OWED, NOW + TEN_DAYS, NOW + HOUR },
		{ LEASE_FAILED, CLEANUP_OWED, 0, NOW + HOUR },
		{ LEASE_RELEASED, CLEANUP_ATTENTION, NOW + TEN_DAYS, NOW + HOUR },
		{ LEASE_RELEASED, CLEANUP_ATTENTION, 0, NOW + HOUR },
		{ LEASE_RELEASED, CLEANUP_RETAINED, 0, 0 },
		{ LEASE_RELEASED, CLEANUP_RETAINED, 1, 1 },
		{ LEASE_RELEASED, CLEANUP_RETAINED, NOW + TEN_DAYS, NOW + HOUR },
		{ LEASE_RELEASED, CLEANUP_DONE, 0, 0 },
		{ LEASE_RELEASED, CLEANUP_DONE, NOW, 0 },
	};
	int64_t numbers[ARRAY_LEN(rows)];
	struct dues dues;
	int want = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct lease l = due_lease((int)i, rows[i].state, rows[i].cleanup);

		l.due_ms = rows[i].due_ms;
		insert_due(&l);
		numbers[i] = l.n;
	}
	dues = due_now();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(due_at(&dues, numbers[i]), rows[i].want_ms);
		want += rows[i].want_ms != 0;
	}
	assert_int_equal(dues.count, want);
}

/* The last heartbeat moves it without being in the row. */
static void a_heartbeat_moves_what_is_due(void **state)
{
	struct lease l = due_lease(1, LEASE_ACTIVE, CLEANUP_NONE);
	struct dues dues;

	(void)state;
	l.due_ms = NOW + TEN_DAYS;
	insert_due(&l);
	dues = due_now();
	assert_int_equal(due_at(&dues, l.n), NOW + HOUR / 2);
	scratch_begin();
	assert_int_equal(store_touch(store, l.n, NOW, NULL), 0);
	scratch_commit();
	dues = due_now();
	assert_int_equal(due_at(&dues, l.n), NOW + HOUR);
	scratch_begin();
	assert_int_equal(store_touch(store, l.n, NOW + HOUR, NULL), 0);
	scratch_commit();
	dues = due_now();
	assert_int_equal(due_at(&dues, l.n), NOW + HOUR + HOUR / 2);
}

/* The end of a retention may be far away; no other due time of a retained lease is. */
static void the_named_end_is_due_when_it_comes(void **state)
{
	struct lease l = due_lease(1, LEASE_RELEASED, CLEANUP_RETAINED);
	struct dues dues;

	(void)state;
	l.due_ms = l.retain_until_ms = NOW + TEN_DAYS;
	insert_due(&l);
	dues = due_now();
	assert_int_equal(due_at(&dues, l.n), NOW + TEN_DAYS);
}

static int64_t some_time(unsigned int *seed)
{
	static const int64_t times[] = { 0, 1, NOW - TEN_DAYS, NOW - 1, NOW, NOW + 1, NOW + HOUR,
					 NOW + HOUR + 1, NOW + TEN_DAYS, INT64_MAX };

	return times[(size_t)rand_r(seed) % (sizeof(times) / sizeof(times[0]))];
}

/* The query and the rule agree on every row. */
static void due_times_are_those_of_the_rule(void **state)
{
	static struct lease leases[DUES];
	unsigned int seed = 1;
	struct dues dues;

	(void)state;
	for (int i = 0; i < DUES; i++) {
		struct lease *l = &leases[i];
		enum lease_state s = (enum lease_state)(rand_r(&seed) % LEASE_STATE_COUNT);

		*l = due_lease(i, s, s <= LEASE_ACTIVE ? CLEANUP_NONE :
			       (enum lease_cleanup)(CLEANUP_OWED + rand_r(&seed) % 4));
		l->due_ms = some_time(&seed);
		l->provision_deadline_ms = NOW + rand_r(&seed) % HOUR;
		l->touched_ms = l->created_ms + rand_r(&seed) % HOUR;
		l->ttl_ms = 1 + rand_r(&seed) % TEN_DAYS;
		l->idle_ms = rand_r(&seed) % 3 ? rand_r(&seed) % HOUR : 0;
		l->retain_until_ms = l->retained ? some_time(&seed) : 0;
		l->queue_ms = rand_r(&seed) % 2 ? 1 + rand_r(&seed) % HOUR : 0;
		if (l->queue_ms && rand_r(&seed) % 2)
			l->admitted_ms = l->created_ms + rand_r(&seed) % HOUR;
		insert_due(l);
	}
	dues = due_now();
	for (int i = 0; i < DUES; i++) {
		int64_t want = leases[i].cleanup == CLEANUP_DONE ? 0 : lease_due_ms(&leases[i], NOW);

		assert_int_equal(due_at(&dues, leases[i].n), want);
	}
}

/* ---- generations ------------------------------------------------------------------------ */

static void put_generation(const struct generation *g)
{
	scratch_begin();
	assert_int_equal(store_generation_put(store, g, NULL), 0);
	scratch_commit();
}

static struct generation get_generation(const char *account)
{
	struct generation g;

	memset(&g, 'x', sizeof(g));
	assert_int_equal(store_generation_get(store, account, &g, NULL), 0);
	return g;
}

static void a_generation_outlives_the_process(void **state)
{
	struct generation none = { .account = "hetzner" }, got;
	struct generation g = { .account = "hetzner", .current = INT64_MAX - 1, .pending = INT64_MAX,
				.holder = "0123456789abcdef0123456789abcdef",
				.before = "fedcba9876543210fedcba9876543210", .is_fenced = 1,
				.why = "it is older" };

	(void)state;
	got = get_generation("hetzner");
	assert_memory_equal(&got, &none, sizeof(none));
	put_generation(&g);
	reopen();
	got = get_generation("hetzner");
	assert_memory_equal(&got, &g, sizeof(g));
	got = get_generation("other");
	assert_int_equal(got.current, 0);
	assert_string_equal(got.account, "other");
	/* The next one replaces it. */
	g.current = g.pending = 7;
	g.is_fenced = 0;
	memset(g.why, 0, sizeof(g.why));
	put_generation(&g);
	got = get_generation("hetzner");
	assert_memory_equal(&got, &g, sizeof(g));
}

/* Known only to this process. */
static void what_a_process_found_is_not_kept(void **state)
{
	struct generation g = { .account = "hetzner", .current = 3, .pending = 4, .nonce = "nonce",
				.is_wanted = 1, .raised_ms = 5, .found = 6, .found_holder = "holder" };
	struct generation got;

	(void)state;
	put_generation(&g);
	got = get_generation("hetzner");
	assert_int_equal(got.current, 3);
	assert_int_equal(got.pending, 4);
	assert_string_equal(got.nonce, "");
	assert_string_equal(got.found_holder, "");
	assert_int_equal(got.is_wanted + got.raised_ms + got.found, 0);
}

/*
 * ---- location
 * -----------------------------------------------------------------------------
 */

static void the_place_outlives_the_process(void **state)
{
	char place[64] = "x", room[8];

	(void)state;
	assert_int_equal(store_place_get(store, place, sizeof(place), NULL), 0);
	assert_string_equal(place, "");
	for (int i = 0; i < 2; i++) {
		scratch_begin();
		assert_int_equal(store_place_put(store, i ? "machine 2 8:1 17" : "machine 1", NULL), 0);
		scratch_commit();
		reopen();
		assert_int_equal(store_place_get(store, place, sizeof(place), NULL), 0);
		assert_string_equal(place, i ? "machine 2 8:1 17" : "machine 1");
	}
	/* A value that does not fit was not written by this function. */
	assert_int_equal(store_place_get(store, room, sizeof(room), NULL), -1);
	assert_string_equal(room, "");
}

static void the_identity_does_not_depend_on_the_place(void **state)
{
	struct signer a, b;

	(void)state;
	assert_int_equal(store_signer(store, &a, NULL), 0);
	scratch_begin();
	assert_int_equal(store_place_put(store, "elsewhere", NULL), 0);
	scratch_commit();
	assert_int_equal(store_signer(store, &b, NULL), 0);
	assert_memory_equal(&a, &b, sizeof(a));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(only_what_goes_on_is_due),
		TEST(a_heartbeat_moves_what_is_due),
		TEST(the_named_end_is_due_when_it_comes),
		TEST(due_times_are_those_of_the_rule),
		TEST(a_generation_outlives_the_process),
		TEST(what_a_process_found_is_not_kept),
		TEST(the_place_outlives_the_process),
		TEST(the_identity_does_not_depend_on_the_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
