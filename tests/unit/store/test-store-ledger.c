/* SPDX-License-Identifier: MIT */
/*
 * The ledger: rows are returned as stored, other users of a resource, and pending rows at a
 * start.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "scratch.h"

#define NOW INT64_C(1800000000000)

static void update(const struct resource *r)
{
	scratch_begin();
	assert_int_equal(store_resource_update(store, r, NULL), 0);
	scratch_commit();
}

static void update_lease(const struct lease *l)
{
	scratch_begin();
	assert_int_equal(store_lease_update(store, l, NULL), 0);
	scratch_commit();
}

static void the_ledger_comes_back_in_order(void **state)
{
	struct lease l = scratch_insert("cbx_000000000001");
	struct resource r = { .lease = l.n, .kind = LESSOR_KIND_SERVER, .attempt = 1, .ours = 1,
			      .state = LESSOR_STATE_INTENDED, .created_ms = 5, .account = "hetzner" };
	struct resource key = { .lease = l.n, .kind = LESSOR_KIND_KEY, .state = LESSOR_STATE_RETAINED,
				.ours = 1, .account = "hetzner", .id = "77", .action = "a",
				.evidence = "e", .created_ms = 1, .changed_ms = 2, .seen_ms = 3,
				.first_absent_ms = 4, .absent_count = 5, .authorized_ms = 6,
				.deletes_unknown = 7, .signed_lease = "cbx_000000000009",
				.retain_epoch = 8, .label_known = 9, .protect_by = PROTECT_OURS,
				.marked_ms = 10 };
	struct resource one;
	struct attempt a = { .lease = l.n, .number = 1, .type = "ccx33", .location = "nbg1" };
	struct ledger ledger;

	(void)state;
	scratch_begin();
	assert_int_equal(store_resource_insert(store, &r, NULL), 0);
	assert_int_equal(store_resource_insert(store, &key, NULL), 0);
	r.state = LESSOR_STATE_UNPROTECT_UNKNOWN;
	strcpy(r.id, "9007199254740993");
	strcpy(r.signed_lease, "cbx_000000000008");
	r.seen_ms = 13;
	r.first_absent_ms = 14;
	r.absent_count = 15;
	r.authorized_ms = 16;
	r.deletes_unknown = 17;
	r.retain_epoch = INT64_MAX;
	r.label_known = 19;
	r.protect_by = PROTECT_PERHAPS_OURS;
	r.marked_ms = 20;
	assert_int_equal(store_resource_update(store, &r, NULL), 0);
	assert_int_equal(store_attempt_insert(store, &a, NULL), 0);
	a.refused = LESSOR_CLASS_CAPACITY;
	strcpy(a.reason, "sold out");
	assert_int_equal(store_attempt_update(store, &a, NULL), 0);
	scratch_commit();
	assert_int_equal(store_ledger(store, l.n, &ledger, NULL), 0);
	assert_int_equal(ledger.resource_count, 2);
	assert_memory_equal(&ledger.resources[0], &r, sizeof(r));
	assert_memory_equal(&ledger.resources[1], &key, sizeof(key));
	assert_int_equal(ledger.attempt_count, 1);
	assert_memory_equal(&ledger.attempts[0], &a, sizeof(a));
	ledger_fini(&ledger);
	assert_int_equal(store_resource_by_n(store, key.n, &one, NULL), 0);
	assert_memory_equal(&one, &key, sizeof(key));
	assert_int_equal(store_resource_by_n(store, key.n + 1, &one, NULL), 1);
}

/* ---- other users of a resource ----------------------------------------------------------- */

static struct resource key_of(const struct lease *l, int ours, uint32_t state)
{
	struct resource r = { .lease = l->n, .kind = LESSOR_KIND_KEY, .state = state, .ours = ours,
			      .account = "hetzner", .id = "77" };

	scratch_begin();
	assert_int_equal(store_resource_insert(store, &r, NULL), 0);
	scratch_commit();
	return r;
}

static struct resource_users users_of(const char *account, uint32_t kind, const char *id, int64_t but)
{
	struct resource_users users;

	assert_int_equal(store_resource_users(store, account, kind, id, but, &users, NULL), 0);
	return users;
}

static void a_key_is_shared_while_another_may_use_it(void **state)
{
	struct lease a = scratch_insert("cbx_000000000001"), b = scratch_insert("cbx_000000000002");

	(void)state;
	key_of(&b, 0, LESSOR_STATE_PRESENT);
	assert_int_equal(users_of("hetzner", LESSOR_KIND_KEY, "77", a.n).count, 1);
	assert_int_equal(users_of("hetzner", LESSOR_KIND_KEY, "77", 0).count, 1);
	/* Not the lease itself, nor another account, kind or id. */
	assert_int_equal(users_of("hetzner", LESSOR_KIND_KEY, "77", b.n).count, 0);
	assert_int_equal(users_of("other", LESSOR_KIND_KEY, "77", a.n).count, 0);
	assert_int_equal(users_of("hetzner", LESSOR_KIND_SERVER, "77", a.n).count, 0);
	assert_int_equal(users_of("hetzner", LESSOR_KIND_KEY, "7", a.n).count, 0);
	b.state = LEASE_RELEASED;
	for (int c = CLEANUP_OWED; c <= CLEANUP_DONE; c++) {
		b.cleanup = (enum lease_cleanup)c;
		update_lease(&b);
		assert_int_equal(users_of("hetzner", LESSOR_KIND_KEY, "77", a.n).count,
				 c != CLEANUP_DONE);
	}
}

/* A row without an id is not shared. */
static void rows_without_an_id_share_nothing(void **state)
{
	struct lease a = scratch_insert("cbx_000000000001");
	struct resource r = { .lease = a.n, .kind = LESSOR_KIND_KEY, .state = LESSOR_STATE_UNKNOWN,
			      .ours = 1, .account = "hetzner" };

	(void)state;
	scratch_begin();
	store_resource_insert(store, &r, NULL);
	scratch_commit();
	assert_int_equal(users_of("hetzner", LESSOR_KIND_KEY, "", 0).count, 0);
}

static void users_by_the_states_of_their_rows(void **state)
{
	struct lease a = scratch_insert("cbx_000000000001"), b = scratch_insert("cbx_000000000002");

	(void)state;
	for (int ours = 0; ours < 2; ours++) {
		struct resource r = key_of(&b, ours, LESSOR_STATE_PRESENT);

		for (r.state = 1; r.state <= LESSOR_STATE_UNPROTECT_UNKNOWN; r.state++) {
			struct resource as_ours = r;
			int is_user = !lessor_state_is_over(r.state);
			struct resource_users users;

			update(&r);
			users = users_of("hetzner", LESSOR_KIND_KEY, "77", a.n);
			as_ours.ours = 1;
			assert_int_equal(users.count, is_user);
			assert_int_equal(users.owners, is_user && ours);
			assert_int_equal(users.heir, is_user && !ours ? r.n : 0);
			assert_int_equal(users.deleting, resource_may_be_deleting(&as_ours));
		}
		r.state = LESSOR_STATE_GONE;
		update(&r);
	}
}

static void the_oldest_of_those_that_did_not_make_it_inherits(void **state)
{
	struct lease a = scratch_insert("cbx_000000000001"), b = scratch_insert("cbx_000000000002");
	struct lease c = scratch_insert("cbx_000000000003"), d = scratch_insert("cbx_000000000004");
	struct resource heir;
	struct resource_users users;

	(void)state;
	key_of(&a, 1, LESSOR_STATE_PRESENT);
	key_of(&b, 1, LESSOR_STATE_DELETING);
	heir = key_of(&c, 0, LESSOR_STATE_PRESENT);
	key_of(&d, 0, LESSOR_STATE_PRESENT);
	users = users_of("hetzner", LESSOR_KIND_KEY, "77", a.n);
	assert_int_equal(users.count, 3);
	assert_int_equal(users.owners, 1);
	assert_int_equal(users.deleting, 1);
	assert_int_equal(users.heir, heir.n);
	/* A lease that is done inherits nothing. */
	c.state = LEASE_RELEASED;
	c.cleanup = CLEANUP_DONE;
	update_lease(&c);
	assert_int_equal(users_of("hetzner", LESSOR_KIND_KEY, "77", a.n).heir, heir.n + 1);
}

/* Rows that are gone, never existed or were handed over claim nothing; disowned rows do. */
static void what_is_not_there_is_not_claimed(void **state)
{
	struct lease l = scratch_insert("cbx_000000000001");
	struct resource r = key_of(&l, 0, LESSOR_STATE_PRESENT);
	int64_t n, lease;

	(void)state;
	for (r.state = 1; r.state <= LESSOR_STATE_UNPROTECT_UNKNOWN; r.state++) {
		update(&r);
		assert_int_equal(store_resource_claim(store, "hetzner", LESSOR_KIND_KEY, "77", &n, NULL),
				 0);
		assert_int_equal(n, lessor_state_is_over(r.state) && r.state != LESSOR_STATE_DISOWNED ?
				 0 : r.n);
		assert_int_equal(store_resource_lease(store, "hetzner", LESSOR_KIND_KEY, "77", &lease,
						      NULL), 0);
		assert_int_equal(lease, l.n);
	}
	/* The creator's row is preferred to a user's. */
	r.state = LESSOR_STATE_PRESENT;
	update(&r);
	r = key_of(&l, 1, LESSOR_STATE_PRESENT);
	assert_int_equal(store_resource_claim(store, "hetzner", LESSOR_KIND_KEY, "77", &n, NULL), 0);
	assert_int_equal(n, r.n);
}

/* ---- a start ------------------------------------------------------------------------------- */

/* Rows in a state that only a running step may leave. */
static void a_start_knows_what_may_be_under_way(void **state)
{
	struct lease l = scratch_insert("cbx_000000000001");
	struct lease done = scratch_insert("cbx_000000000002");
	struct store_pending *pending;
	size_t count;

	(void)state;
	for (uint32_t s = 1; s <= LESSOR_STATE_UNPROTECT_UNKNOWN; s++) {
		struct resource r = { .lease = l.n, .kind = LESSOR_KIND_SERVER, .ours = 1,
				      .account = "hetzner", .state = s };
		int is_pending = s == LESSOR_STATE_INTENDED || s == LESSOR_STATE_DELETE_AUTHORIZED ||
				 s == LESSOR_STATE_UNPROTECT_AUTHORIZED;

		scratch_begin();
		assert_int_equal(store_resource_insert(store, &r, NULL), 0);
		scratch_commit();
		assert_int_equal(store_pending(store, &pending, &count, NULL), 0);
		assert_int_equal(count, is_pending);
		if (count) {
			assert_int_equal(pending[0].lease, l.n);
			assert_string_equal(pending[0].account, "hetzner");
		}
		free(pending);
		r.lease = done.n;
		r.state = LESSOR_STATE_GONE;
		update(&r);
	}
}

/* Also the account's own rows, of every account. */
static void a_start_reads_every_ledger(void **state)
{
	struct lease l = scratch_insert("cbx_000000000001");
	struct resource r = { .kind = LESSOR_KIND_SENTINEL, .state = LESSOR_STATE_INTENDED,
			      .ours = 1, .account = "hetzner" };
	struct store_pending *pending;
	size_t count;

	(void)state;
	scratch_begin();
	store_resource_insert(store, &r, NULL);
	r.lease = l.n;
	strcpy(r.account, "other");
	store_resource_insert(store, &r, NULL);
	scratch_commit();
	assert_int_equal(store_pending(store, &pending, &count, NULL), 0);
	assert_int_equal(count, 2);
	assert_int_equal(pending[0].lease, 0);
	assert_string_equal(pending[0].account, "hetzner");
	assert_int_equal(pending[1].lease, l.n);
	assert_string_equal(pending[1].account, "other");
	free(pending);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_ledger_comes_back_in_order),
		TEST(a_key_is_shared_while_another_may_use_it),
		TEST(rows_without_an_id_share_nothing),
		TEST(users_by_the_states_of_their_rows),
		TEST(the_oldest_of_those_that_did_not_make_it_inherits),
		TEST(what_is_not_there_is_not_claimed),
		TEST(a_start_knows_what_may_be_under_way),
		TEST(a_start_reads_every_ledger),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
