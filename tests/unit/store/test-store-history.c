/* SPDX-License-Identifier: MIT */
/* Which ended leases may be pruned, what goes with them, and what stays. */
#include <stdio.h>
#include <string.h>

#include "lease/cost.h"
#include "store/history.h"
#include "unit/test.h"
#include "unit/store/scratch.h"
#include "util/text.h"

#define OLD "cbx_000000000001"
#define NEWEST "cbx_999999999999"
#define ACCOUNT "hetzner"
#define DAY_MS INT64_C(86400000)
/* A month, the moment in it at which the leases were created, and what is older than that goes. */
#define MONTH_MS INT64_C(1767225600000)
#define CREATED_MS (MONTH_MS + 10 * DAY_MS)
#define ENDED_MS (CREATED_MS + 5000)
#define BEFORE_MS (CREATED_MS + 400 * DAY_MS)

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, scratch_teardown)

#define DONE(call) assert_int_equal(call, 0)

static struct lease old_lease(const char *id)
{
	struct lease l = scratch_lease(id);

	l.state = LEASE_RELEASED;
	l.cleanup = CLEANUP_DONE;
	l.due_ms = 0;
	l.created_ms = CREATED_MS;
	l.ended_ms = ENDED_MS;
	l.updated_ms = ENDED_MS + 1000;
	l.end_reason = LEASE_END_RELEASED;
	TEXT_SET(l.server_type, "cpx62");
	return l;
}

static struct resource resource_of(const struct lease *l, uint32_t kind, uint32_t state,
				   const char *id)
{
	struct resource r = {
		.lease = l->n,
		.attempt = 1,
		.kind = kind,
		.state = state,
		.ours = 1,
		.created_ms = CREATED_MS,
		.changed_ms = ENDED_MS,
	};

	TEXT_SET(r.account, l->account);
	TEXT_SET(r.id, id);
	TEXT_SET(r.name, id);
	return r;
}

static struct cost bill_of(const struct lease *l, const struct resource *r)
{
	struct cost c = {
		.resource = r->n,
		.lease = l->n,
		.from_ms = CREATED_MS,
		.to_ms = ENDED_MS,
		.terms = { .hour_micros = 62500, .unit_ms = 3600000, .currency = "EUR" },
	};

	TEXT_SET(c.lease_id, l->id);
	TEXT_SET(c.slug, l->slug);
	TEXT_SET(c.owner, l->owner);
	TEXT_SET(c.org, l->org);
	TEXT_SET(c.account, l->account);
	TEXT_SET(c.type, l->server_type);
	return c;
}

/* With a row in each table, as a life leaves them. In a transaction. */
static void old_insert(struct lease *l)
{
	struct attempt a = { .number = 1, .type = "cpx62" };
	struct store_share share = { .name = "bob" };
	struct store_idempotency known = { .hash = "h" };
	struct resource r, key;
	struct cost bill;

	DONE(store_lease_insert(store, l, NULL));
	r = resource_of(l, LESSOR_KIND_SERVER, LESSOR_STATE_GONE, l->id);
	key = resource_of(l, LESSOR_KIND_KEY, LESSOR_STATE_NEVER_EXISTED, "");
	a.lease = known.lease_n = l->n;
	DONE(store_resource_insert(store, &r, NULL));
	DONE(store_resource_insert(store, &key, NULL));
	bill = bill_of(l, &r);
	DONE(store_cost_put(store, &bill, NULL));
	DONE(store_attempt_insert(store, &a, NULL));
	DONE(store_event_add(store, l->n, CREATED_MS, "lease.created", "it began", NULL));
	DONE(store_event_add(store, l->n, ENDED_MS, "lease.ended", "it ended", NULL));
	DONE(store_touch(store, l->n, CREATED_MS, NULL));
	DONE(store_share_replace(store, l, &share, 1, CREATED_MS, "alice", NULL));
	DONE(store_telemetry_add(store, l->n, CREATED_MS, "{}", NULL));
	DONE(store_idempotency_put(store, l->owner, l->org, l->id, &known, CREATED_MS, NULL));
}

/* The lease under test, and a later one that has the newest numbers. */
static struct lease old;

static void guard_insert(void)
{
	struct lease l = old_lease(NEWEST);

	l.updated_ms = l.ended_ms = BEFORE_MS + 1;
	old_insert(&l);
}

static int setup(void **state)
{
	if (scratch_setup(state))
		return -1;
	old = old_lease(OLD);
	scratch_begin();
	old_insert(&old);
	guard_insert();
	scratch_commit();
	return 0;
}

static struct store_history_lease found[STORE_HISTORY_MOST];

static int next(const char *account, const struct store_history_place *after, int most)
{
	static const struct store_history_age age = { BEFORE_MS, MONTH_MS + 31 * DAY_MS };
	int count = store_history_next(store, account, &age, after, found, most, NULL);

	assert_true(count >= 0);
	return count;
}

static int from_start(void)
{
	return next(ACCOUNT, &(struct store_history_place){ 0 }, STORE_HISTORY_MOST);
}

/* May the lease under test go? */
static int may_go(void)
{
	int count = from_start();

	for (int i = 0; i < count; i++) {
		if (found[i].place.n == old.n)
			return found[i].may_go;
	}
	return 0;
}

static void drop(int64_t n)
{
	scratch_begin();
	DONE(store_history_drop(store, ACCOUNT, n, NULL));
	scratch_commit();
}

/* ---- what goes, and what stays of it ------------------------------------------------------- */

static struct {
	int rows;
	struct store_past_usage last;
	int events, shares, samples, bills;
} seen;

static void past_add(void *arg, const struct store_past_usage *row)
{
	(void)arg;
	seen.rows++;
	seen.last = *row;
}

static int event_add(void *arg, const struct store_event *event)
{
	(void)arg;
	(void)event;
	seen.events++;
	return 0;
}

static void share_add(void *arg, const struct store_share *share)
{
	(void)arg;
	(void)share;
	seen.shares++;
}

static void sample_add(void *arg, const char *data)
{
	(void)arg;
	(void)data;
	seen.samples++;
}

static void bill_add(void *arg, const struct store_cost_row *row)
{
	(void)arg;
	assert_int_equal(row->cost.to_ms, ENDED_MS);
	assert_string_equal(row->cost.lease_id, OLD);
	seen.bills++;
}

static void look(void)
{
	struct store_scope all = { .all = 1 };
	int64_t at_ms;
	char by[128];

	memset(&seen, 0, sizeof(seen));
	DONE(store_event_each(store, old.n, 0, 100, event_add, NULL, NULL));
	DONE(store_share_each(store, old.n, share_add, NULL, &at_ms, by, NULL));
	DONE(store_telemetry_each(store, old.n, sample_add, NULL, NULL));
	DONE(store_cost_of_lease(store, old.n, bill_add, NULL, NULL));
	DONE(store_past_usage_each(store, &all, MONTH_MS, past_add, NULL, NULL));
}

static void everything_of_it_goes_but_its_usage(void **state)
{
	struct store_idempotency known;
	struct ledger ledger;
	struct lease l;
	struct err err = { .text = "" };

	(void)state;
	look();
	assert_int_equal(seen.events, 2);
	assert_int_equal(seen.shares, 1);
	assert_int_equal(seen.samples, 1);
	assert_int_equal(seen.rows, 0);
	assert_int_equal(may_go(), 1);
	assert_string_equal(found[0].id, OLD);
	drop(old.n);
	look();
	assert_int_equal(seen.events + seen.shares + seen.samples, 0);
	assert_int_equal(store_lease_by_n(store, old.n, &l, NULL), 1);
	assert_int_equal(store_lease_by_id(store, OLD, &l, NULL), 1);
	DONE(store_ledger(store, old.n, &ledger, NULL));
	assert_int_equal(ledger.resource_count + ledger.attempt_count, 0);
	ledger_fini(&ledger);
	assert_int_equal(store_idempotency_get(store, old.owner, old.org, OLD, &known, NULL), 1);
	assert_int_equal(seen.bills, 1);
	assert_int_equal(seen.rows, 1);
	assert_int_equal(seen.last.leases, 1);
	assert_int_equal(seen.last.runtime_ms, ENDED_MS - CREATED_MS);
	assert_string_equal(seen.last.owner, old.owner);
	assert_string_equal(seen.last.type, "cpx62");
	assert_int_equal(from_start(), 0);
	/* The other one has everything still. */
	assert_int_equal(store_lease_by_id(store, NEWEST, &l, NULL), 0);
	assert_int_equal(store_idempotency_get(store, old.owner, old.org, NEWEST, &known, NULL), 0);
	if (store_check(store, &err))
		fail_msg("%s", err.text);
}

static void usage_of_many_is_one_row(void **state)
{
	int64_t leases;

	(void)state;
	for (int i = 0; i < 3; i++) {
		char id[24];
		struct lease l;

		snprintf(id, sizeof(id), "cbx_00000000010%d", i);
		l = old_lease(id);
		if (i == 2) /* it waited for capacity to its end */
			l.queue_ms = 1000;
		scratch_begin();
		old_insert(&l);
		DONE(store_history_drop(store, ACCOUNT, l.n, NULL));
		scratch_commit();
	}
	look();
	assert_int_equal(seen.rows, 1);
	assert_int_equal(seen.last.leases, 2);
	assert_int_equal(seen.last.runtime_ms, 2 * (ENDED_MS - CREATED_MS));
	DONE(store_past_usage_leases(store, MONTH_MS, &leases, NULL));
	assert_int_equal(leases, 2);
	DONE(store_past_usage_leases(store, cost_next_month_ms(MONTH_MS), &leases, NULL));
	assert_int_equal(leases, 0);
}

static int past_rows(const char *owner, const char *org)
{
	struct store_scope scope = { .owner = owner, .org = org };

	memset(&seen, 0, sizeof(seen));
	DONE(store_past_usage_each(store, &scope, MONTH_MS, past_add, NULL, NULL));
	return seen.rows;
}

static void usage_is_shown_to_whom_it_belongs(void **state)
{
	(void)state;
	drop(old.n);
	assert_int_equal(past_rows(old.owner, old.org), 1);
	assert_int_equal(past_rows("", old.org), 1);
	assert_int_equal(past_rows("mallory", old.org), 0);
	assert_int_equal(past_rows(old.owner, "other"), 0);
}

static int event_last(void *arg, const struct store_event *event)
{
	*(int64_t *)arg = event->n;
	return 0;
}

static void the_newest_pruned_event_is_known(void **state)
{
	struct lease l = old_lease("cbx_000000000200");
	int64_t n, last = 0;

	(void)state;
	DONE(store_history_event(store, &n, NULL));
	assert_int_equal(n, 0);
	scratch_begin();
	old_insert(&l);
	scratch_commit();
	DONE(store_event_each(store, l.n, 0, 100, event_last, &last, NULL));
	drop(l.n);
	DONE(store_history_event(store, &n, NULL));
	assert_int_equal(n, last);
	/* An older one changes nothing. */
	drop(old.n);
	DONE(store_history_event(store, &n, NULL));
	assert_int_equal(n, last);
}

/* ---- in which order ------------------------------------------------------------------------ */

static void the_oldest_come_first_and_each_once(void **state)
{
	struct store_history_place place = { 0 };
	int count, total = 0;

	(void)state;
	scratch_begin();
	for (int i = 0; i < 9; i++) {
		char id[24];
		struct lease l;

		snprintf(id, sizeof(id), "cbx_00000000030%d", i);
		l = old_lease(id);
		l.updated_ms += 9 - i / 2;
		old_insert(&l);
	}
	scratch_commit();
	while ((count = next(ACCOUNT, &place, 4)) > 0) {
		for (int i = 0; i < count; i++) {
			assert_true(found[i].place.updated_ms > place.updated_ms ||
				    (found[i].place.updated_ms == place.updated_ms &&
				     found[i].place.n > place.n));
			place = found[i].place;
		}
		total += count;
	}
	assert_int_equal(total, 10);
	assert_int_equal(next("other", &(struct store_history_place){ 0 }, 4), 0);
}

/* ---- what never goes: each reason alone ---------------------------------------------------- */

static void lease_change(void (*change)(struct lease *l))
{
	change(&old);
	scratch_begin();
	DONE(store_lease_update(store, &old, NULL));
	scratch_commit();
}

#define LEASE_STAYS(name, statement)               \
	static void name##_change(struct lease *l) \
	{                                          \
		statement;                         \
	}                                          \
	static void name(void **state)             \
	{                                          \
		(void)state;                       \
		assert_int_equal(may_go(), 1);     \
		lease_change(name##_change);       \
		assert_int_equal(may_go(), 0);     \
	}

LEASE_STAYS(what_is_live_stays, l->state = LEASE_ACTIVE)
LEASE_STAYS(what_owes_its_cleanup_stays, l->cleanup = CLEANUP_OWED)
LEASE_STAYS(what_is_kept_stays, l->cleanup = CLEANUP_RETAINED)
LEASE_STAYS(what_waits_for_an_operator_stays, l->cleanup = CLEANUP_ATTENTION)
LEASE_STAYS(what_was_released_without_delete_stays, l->retained = 1)
LEASE_STAYS(what_is_protected_stays, l->retention = RETENTION_PROTECTED)
LEASE_STAYS(what_is_in_attention_stays, TEXT_SET(l->attention, "look"))
LEASE_STAYS(what_is_due_stays, l->due_ms = 1)
LEASE_STAYS(what_changed_lately_stays, l->updated_ms = BEFORE_MS)
LEASE_STAYS(what_has_no_end_stays, l->ended_ms = 0)

/* One more row in its ledger; another lease has the newest numbers all the same. */
static void row_add(struct resource *r)
{
	struct lease l = old_lease("cbx_999999999998");

	l.updated_ms = l.ended_ms = BEFORE_MS + 1;
	scratch_begin();
	DONE(store_resource_insert(store, r, NULL));
	old_insert(&l);
	scratch_commit();
}

static void row_set(struct resource *r, uint32_t state)
{
	r->state = state;
	scratch_begin();
	DONE(store_resource_update(store, r, NULL));
	scratch_commit();
}

static void a_resource_that_may_exist_keeps_it(void **state)
{
	static const uint32_t states[] = {
		LESSOR_STATE_INTENDED,
		LESSOR_STATE_UNKNOWN,
		LESSOR_STATE_PRESENT,
		LESSOR_STATE_DELETING,
		LESSOR_STATE_RETAINED,
		LESSOR_STATE_DISOWNED,
		LESSOR_STATE_DELETE_AUTHORIZED,
		LESSOR_STATE_DELETE_UNKNOWN,
		LESSOR_STATE_UNPROTECT_AUTHORIZED,
		LESSOR_STATE_UNPROTECT_UNKNOWN,
	};
	struct resource row;

	(void)state;
	row = resource_of(&old, LESSOR_KIND_SERVER, LESSOR_STATE_GONE, "77");
	row_add(&row);
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		row_set(&row, LESSOR_STATE_GONE);
		assert_int_equal(may_go(), 1);
		row_set(&row, states[i]);
		assert_int_equal(may_go(), 0);
	}
}

static void what_it_only_used_does_not_keep_it(void **state)
{
	struct resource r = resource_of(&old, LESSOR_KIND_KEY, LESSOR_STATE_PRESENT, "5");

	(void)state;
	r.ours = 0;
	row_add(&r);
	assert_int_equal(may_go(), 1);
}

static void a_key_that_another_lease_took_over_keeps_it(void **state)
{
	struct resource r = resource_of(&old, LESSOR_KIND_KEY, LESSOR_STATE_HANDED_OVER, "5");
	struct resource heir;
	struct lease l = old_lease("cbx_000000000400");

	(void)state;
	row_add(&r);
	assert_int_equal(may_go(), 1);
	scratch_begin();
	l.updated_ms = BEFORE_MS + 1;
	old_insert(&l);
	heir = resource_of(&l, LESSOR_KIND_KEY, LESSOR_STATE_PRESENT, "5");
	DONE(store_resource_insert(store, &heir, NULL));
	scratch_commit();
	assert_int_equal(may_go(), 0);
	row_set(&heir, LESSOR_STATE_GONE);
	assert_int_equal(may_go(), 1);
}

static void a_row_that_changed_lately_keeps_it(void **state)
{
	struct resource r = resource_of(&old, LESSOR_KIND_KEY, LESSOR_STATE_GONE, "5");

	(void)state;
	r.changed_ms = BEFORE_MS;
	row_add(&r);
	assert_int_equal(may_go(), 0);
}

static void a_permit_that_has_not_ended_keeps_it(void **state)
{
	struct resource r = resource_of(&old, LESSOR_KIND_KEY, LESSOR_STATE_GONE, "5");

	(void)state;
	r.until_ms = BEFORE_MS;
	row_add(&r);
	assert_int_equal(may_go(), 0);
}

static void an_open_bill_keeps_it(void **state)
{
	struct ledger ledger;
	struct cost bill;

	(void)state;
	DONE(store_ledger(store, old.n, &ledger, NULL));
	bill = bill_of(&old, &ledger.resources[0]);
	ledger_fini(&ledger);
	bill.to_ms = 0;
	scratch_begin();
	DONE(store_cost_times_put(store, &bill, NULL));
	scratch_commit();
	assert_int_equal(may_go(), 0);
}

/* Limits are decided by the totals of this month, from which its charge would go. */
static void a_charge_of_this_month_keeps_it(void **state)
{
	struct charges charges = {
		.currency = "EUR",
		.count = 1,
		.months = { { MONTH_MS, 0, 5 } },
	};

	(void)state;
	scratch_begin();
	DONE(store_charges_put(store, &old, &charges, 1, NULL));
	scratch_commit();
	assert_int_equal(may_go(), 1);
	charges.months[0].month_ms = MONTH_MS + 31 * DAY_MS;
	scratch_begin();
	DONE(store_charges_put(store, &old, &charges, 0, NULL));
	scratch_commit();
	assert_int_equal(may_go(), 0);
}

static void an_orphan_of_it_keeps_it(void **state)
{
	struct orphan s = {
		.account = "other", .kind = LESSOR_KIND_SERVER, .id = "77", .lease = OLD
	};

	(void)state;
	scratch_begin();
	DONE(store_orphan_put(store, &s, NULL));
	scratch_commit();
	assert_int_equal(may_go(), 1);
	TEXT_SET(s.account, ACCOUNT);
	scratch_begin();
	DONE(store_orphan_put(store, &s, NULL));
	scratch_commit();
	assert_int_equal(may_go(), 0);
}

static void the_newest_lease_stays(void **state)
{
	struct lease l = old_lease("cbx_000000000500");
	struct resource r;

	(void)state;
	scratch_begin();
	DONE(store_lease_insert(store, &l, NULL));
	scratch_commit();
	old = l;
	assert_int_equal(may_go(), 0);
	scratch_begin();
	l = old_lease("cbx_000000000501");
	DONE(store_lease_insert(store, &l, NULL));
	scratch_commit();
	assert_int_equal(may_go(), 1);
	/* Nor does the one with the newest resource, */
	r = resource_of(&old, LESSOR_KIND_SERVER, LESSOR_STATE_GONE, "9");
	scratch_begin();
	DONE(store_resource_insert(store, &r, NULL));
	scratch_commit();
	assert_int_equal(may_go(), 0);
	r.lease = l.n;
	r.n = 0;
	scratch_begin();
	DONE(store_resource_insert(store, &r, NULL));
	scratch_commit();
	assert_int_equal(may_go(), 1);
	/* nor with the newest event. */
	scratch_begin();
	DONE(store_event_add(store, old.n, 1, "k", "t", NULL));
	scratch_commit();
	assert_int_equal(may_go(), 0);
	scratch_begin();
	DONE(store_event_add(store, l.n, 1, "k", "t", NULL));
	scratch_commit();
	assert_int_equal(may_go(), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(everything_of_it_goes_but_its_usage),
		TEST(usage_of_many_is_one_row),
		TEST(usage_is_shown_to_whom_it_belongs),
		TEST(the_newest_pruned_event_is_known),
		TEST(the_oldest_come_first_and_each_once),
		TEST(what_is_live_stays),
		TEST(what_owes_its_cleanup_stays),
		TEST(what_is_kept_stays),
		TEST(what_waits_for_an_operator_stays),
		TEST(what_was_released_without_delete_stays),
		TEST(what_is_protected_stays),
		TEST(what_is_in_attention_stays),
		TEST(what_is_due_stays),
		TEST(what_changed_lately_stays),
		TEST(what_has_no_end_stays),
		TEST(a_resource_that_may_exist_keeps_it),
		TEST(what_it_only_used_does_not_keep_it),
		TEST(a_key_that_another_lease_took_over_keeps_it),
		TEST(a_row_that_changed_lately_keeps_it),
		TEST(a_permit_that_has_not_ended_keeps_it),
		TEST(an_open_bill_keeps_it),
		TEST(a_charge_of_this_month_keeps_it),
		TEST(an_orphan_of_it_keeps_it),
		TEST(the_newest_lease_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
