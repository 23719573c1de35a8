/* SPDX-License-Identifier: MIT */
/* The money of a month: reserved when a lease is admitted, settled when it is proven gone; and pauses. */
#include <stdio.h>

#include "engine/internal.h"
#include "fixture.h"
#include "util/text.h"

#define PRICE 10000
#define DAY (24 * HOUR)

static struct engine_limits limits;

static void limits_set(void)
{
	limits.max_queued = limits.max_queued_owner = 100;
	core_set_limits(w.d.core, &limits);
}

static void prices_are(int64_t hour_micros)
{
	struct store_price prices[] = {
		{ .type = "small",
		  .location = "here",
		  .currency = "EUR",
		  .unit_ms = HOUR,
		  .hour_micros = hour_micros,
		  .available = 1 },
		{ .type = "middle",
		  .location = "here",
		  .currency = "EUR",
		  .unit_ms = HOUR,
		  .hour_micros = 2 * hour_micros,
		  .available = 1 },
	};

	driver_begin(&w.d);
	assert_int_equal(core_prices_replace(w.d.core, "toy", prices, 2, NULL), 0);
	driver_flush(&w.d);
}

/* The next month begins in `ms`. */
static void month_ends_in(int64_t ms)
{
	world_pass(&w, cost_next_month_ms(w.d.now_ms) - w.d.now_ms - ms);
}

static void begin(void)
{
	limits = (struct engine_limits){ 0 };
	limits_set();
	prices_are(PRICE);
	/* Far from the end of a month. */
	world_pass(&w, cost_next_month_ms(w.d.now_ms) - w.d.now_ms + 2 * DAY);
}

static struct asked create_for(const char *id, const char *owner, int64_t ttl_ms, int64_t queue_ms)
{
	struct asked a = { 0 };
	struct lease *l = &a.request.create;

	a.request.kind = REQUEST_CREATE;
	driver_wish(l, id, "toy", "small");
	TEXT_SET(l->slug, "violet-prawn");
	TEXT_SET(l->attempt_token, "t");
	l->ttl_ms = ttl_ms;
	l->idle_ms = 100 * DAY;
	l->queue_ms = queue_ms;
	TEXT_SET(a.request.caller.owner, owner);
	TEXT_SET(a.request.caller.org, "acme");
	world_ask(&w, &a);
	assert_int_equal(a.answered, 1);
	return a;
}

static enum request_result create_of(const char *id, const char *owner, int64_t ttl_ms)
{
	return create_for(id, owner, ttl_ms, 0).request.result;
}

static void release_as(const char *id, const char *owner, int delete_machine)
{
	struct asked r = { 0 };

	TEXT_SET(r.request.caller.owner, owner);
	TEXT_SET(r.request.caller.org, "acme");
	world_release(&w, &r, id, delete_machine);
	assert_int_equal(r.request.result, RESULT_OK);
}

/* What alice's leases take of a month, in hours of the type "small". */
static void expect_month(int64_t month_ms, int64_t reserved_hours, int64_t settled_hours)
{
	struct store_spend have = { .month_ms = month_ms };

	assert_int_equal(store_spend_get(core_store(w.d.core), "alice", "acme", "toy", &have, 1,
					 NULL),
			 0);
	assert_int_equal(have.owner.reserved_micros, reserved_hours * PRICE);
	assert_int_equal(have.owner.settled_micros, settled_hours * PRICE);
	assert_int_equal(have.account.reserved_micros, have.all.reserved_micros);
	assert_int_equal(have.account.settled_micros, have.org.settled_micros);
	assert_int_equal(store_check(core_store(w.d.core), NULL), 0);
	assert_int_equal(core_check(w.d.core, NULL), 0);
}

static void expect_now(int64_t reserved_hours, int64_t settled_hours)
{
	expect_month(cost_month_ms(w.d.now_ms), reserved_hours, settled_hours);
}

/* ---- reserved and settled ------------------------------------------------------------------ */

static void a_month_has_room_for_what_is_reserved_in_it(void **state)
{
	struct asked a;

	(void)state;
	begin();
	limits.max_month_micros_owner = 12 * PRICE;
	limits_set();
	assert_int_equal(create_of("cbx_000000000001", "alice", 5 * HOUR), RESULT_CREATED);
	expect_now(5, 0);
	assert_int_equal(create_of("cbx_000000000002", "alice", 7 * HOUR), RESULT_CREATED);
	a = create_for("cbx_000000000003", "alice", HOUR, 0);
	assert_int_equal(a.request.result, RESULT_LIMIT);
	assert_string_equal(a.request.code, "cost_limit_exceeded");
	assert_int_equal(a.request.limit.scope, LIMIT_OWNER);
	assert_int_equal(a.request.limit.month_ms, cost_month_ms(w.d.now_ms));
	assert_int_equal(a.request.limit.used, 12 * PRICE);
	assert_int_equal(a.request.limit.max, 12 * PRICE);
	assert_int_equal(a.request.limit.more, PRICE);
	/* Another owner has a month of his own. */
	assert_int_equal(create_of("cbx_000000000004", "bob", 7 * HOUR), RESULT_CREATED);
	world_pass(&w, 10 * MINUTE);
	expect_now(12, 0);
	/* What is released early is billed as far as it was used, and the rest is free again. */
	release_as("cbx_000000000002", "alice", 1);
	world_pass(&w, 10 * MINUTE);
	expect_now(5, 1);
	assert_int_equal(create_of("cbx_000000000005", "alice", 7 * HOUR), RESULT_LIMIT);
	assert_int_equal(create_of("cbx_000000000006", "alice", 6 * HOUR), RESULT_CREATED);
	world_pass(&w, 8 * HOUR);
	expect_now(0, 1 + 5 + 6);
}

static void each_scope_has_its_month(void **state)
{
	static const struct {
		size_t at;
		enum limit_scope scope;
		int colleague;
	} rows[] = {
		{ offsetof(struct engine_limits, max_month_micros), LIMIT_TOTAL, 1 },
		{ offsetof(struct engine_limits, max_month_micros_owner), LIMIT_OWNER, 0 },
		{ offsetof(struct engine_limits, max_month_micros_org), LIMIT_ORG, 1 },
	};
	const int64_t max = 5 * PRICE;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct asked a;

		fixture_teardown(NULL);
		fixture_setup(NULL);
		begin();
		memcpy((char *)&limits + rows[i].at, &max, sizeof(max));
		limits_set();
		assert_int_equal(create_of("cbx_000000000001", "alice", 5 * HOUR), RESULT_CREATED);
		a = create_for("cbx_000000000002", "alice", HOUR, 0);
		assert_int_equal(a.request.result, RESULT_LIMIT);
		assert_int_equal(a.request.limit.scope, rows[i].scope);
		assert_int_equal(create_of("cbx_000000000003", "bob", HOUR),
				 rows[i].colleague ? RESULT_LIMIT : RESULT_CREATED);
	}
}

static void a_cancelled_create_gives_its_reservation_back_at_once(void **state)
{
	struct asked c = { 0 };

	(void)state;
	begin();
	w.create_fault = TOY_SOLD_OUT;
	w.create_fault_sticky = 1;
	assert_int_equal(create_of(ID, "alice", 5 * HOUR), RESULT_CREATED);
	expect_now(5, 0);
	c.request.kind = REQUEST_CANCEL_CREATE;
	TEXT_SET(c.request.ref, ID);
	TEXT_SET(c.request.attempt_token, "t");
	TEXT_SET(c.request.caller.owner, "alice");
	TEXT_SET(c.request.caller.org, "acme");
	world_ask(&w, &c);
	expect_now(0, 0);
}

static void a_refused_create_reserves_nothing(void **state)
{
	(void)state;
	begin();
	w.create_fault = TOY_SOLD_OUT;
	w.create_fault_sticky = 1;
	assert_int_equal(create_of(ID, "alice", 5 * HOUR), RESULT_CREATED);
	world_pass(&w, HOUR);
	assert_int_equal(lease(ID).state, LEASE_FAILED);
	expect_now(0, 0);
}

/* Until it is known whether there is a machine. */
static void an_unknown_create_keeps_its_reservation(void **state)
{
	(void)state;
	begin();
	w.create_fault = TOY_LOST_MADE;
	assert_int_equal(create_of(ID, "alice", 5 * HOUR), RESULT_CREATED);
	while (w.made == 0)
		world_pass(&w, SECOND);
	release_as(ID, "alice", 1);
	expect_now(5, 0);
	world_pass(&w, 2 * HOUR);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
	expect_now(0, 1);
}

static void nothing_drifts_through_crashes(void **state)
{
	(void)state;
	begin();
	for (int at = 0; at < 6; at++) {
		char id[24];

		snprintf(id, sizeof(id), "cbx_00000000001%d", at);
		assert_int_equal(create_of(id, "alice", 3 * HOUR), RESULT_CREATED);
		for (int i = 0; i < at; i++)
			world_pass(&w, SECOND);
		world_restart(&w, &limits);
		expect_now(3, at);
		world_pass(&w, MINUTE);
		release_as(id, "alice", 1);
		for (int i = 0; i < at; i++)
			world_pass(&w, SECOND);
		world_restart(&w, &limits);
		world_pass(&w, 10 * MINUTE);
		expect_now(0, at + 1);
	}
}

static void ask_types(const char *types)
{
	static struct asked a;
	struct lease *l = &a.request.create;

	memset(&a, 0, sizeof(a));
	a.request.kind = REQUEST_CREATE;
	driver_wish(l, ID, "toy", types);
	TEXT_SET(l->slug, "violet-prawn");
	l->ttl_ms = 5 * HOUR;
	TEXT_SET(a.request.caller.owner, "alice");
	TEXT_SET(a.request.caller.org, "acme");
	world_ask(&w, &a);
	assert_int_equal(a.request.result, RESULT_CREATED);
}

/* Not what was asked for first: as soon as there is a server, long before it is ready. */
static void what_is_made_is_reserved_at_its_own_price(void **state)
{
	(void)state;
	begin();
	w.create_fault = TOY_SOLD_OUT;
	w.boot_polls = 1000000;
	ask_types("small,middle");
	expect_now(5, 0);
	while (w.made == 0)
		world_pass(&w, SECOND);
	assert_int_equal(lease(ID).state, LEASE_PROVISIONING);
	expect_now(10, 0);
	/* It is not ready in time. */
	world_pass(&w, HOUR);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
	expect_now(0, 2);
}

/* ---- months ----------------------------------------------------------------------------------- */

static void a_lease_takes_of_each_month_what_it_runs_in_it(void **state)
{
	int64_t march, april;
	struct asked a;

	(void)state;
	begin();
	month_ends_in(2 * HOUR);
	march = cost_month_ms(w.d.now_ms);
	april = cost_next_month_ms(w.d.now_ms);
	limits.max_month_micros_owner = 6 * PRICE;
	limits_set();
	assert_int_equal(create_of("cbx_000000000001", "alice", 5 * HOUR), RESULT_CREATED);
	expect_month(march, 2, 0);
	expect_month(april, 3, 0);
	/* There is room in this month, but not in the next one. */
	a = create_for("cbx_000000000002", "alice", 6 * HOUR, 0);
	assert_int_equal(a.request.result, RESULT_LIMIT);
	assert_int_equal(a.request.limit.month_ms, april);
	assert_int_equal(a.request.limit.more, 4 * PRICE);
	assert_int_equal(create_of("cbx_000000000003", "alice", 5 * HOUR), RESULT_CREATED);
	world_pass(&w, DAY);
	expect_month(march, 0, 4);
	expect_month(april, 0, 6);
	assert_int_equal(create_of("cbx_000000000004", "alice", HOUR), RESULT_LIMIT);
	month_ends_in(0);
	expect_now(0, 0);
	assert_int_equal(create_of("cbx_000000000005", "alice", HOUR), RESULT_CREATED);
}

static void what_is_kept_takes_of_each_month_that_begins(void **state)
{
	int64_t first;

	(void)state;
	begin();
	month_ends_in(DAY);
	first = cost_month_ms(w.d.now_ms);
	assert_int_equal(create_of(ID, "alice", HOUR), RESULT_CREATED);
	world_pass(&w, MINUTE);
	release_as(ID, "alice", 0);
	world_pass(&w, MINUTE);
	expect_month(first, 24, 0);
	month_ends_in(0);
	world_pass(&w, MINUTE);
	expect_month(first, 0, 24);
	expect_now((cost_next_month_ms(w.d.now_ms) - cost_month_ms(w.d.now_ms)) / HOUR, 0);
	/* Also if nobody was there when it began. */
	month_ends_in(HOUR);
	w.d.now_ms += 2 * HOUR;
	world_restart(&w, &limits);
	world_pass(&w, MINUTE);
	expect_now((cost_next_month_ms(w.d.now_ms) - cost_month_ms(w.d.now_ms)) / HOUR, 0);
	release_as(ID, "alice", 1);
	world_pass(&w, 10 * MINUTE);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
	expect_now(0, 2);
}

/* The account cannot be used, so nothing is deleted, and nothing happens to the lease. */
static void what_is_late_takes_more_by_the_hour(void **state)
{
	int64_t first, next;

	(void)state;
	begin();
	month_ends_in(10 * HOUR + MINUTE);
	first = cost_month_ms(w.d.now_ms);
	next = cost_next_month_ms(w.d.now_ms);
	assert_int_equal(create_of(ID, "alice", HOUR), RESULT_CREATED);
	world_pass(&w, MINUTE);
	w.probe_refuses = 1;
	world_pass(&w, 58 * MINUTE);
	expect_month(first, 1, 0);
	world_pass(&w, 3 * HOUR);
	assert_int_not_equal(lease(ID).cleanup, CLEANUP_DONE);
	expect_month(first, 11, 0);
	month_ends_in(0);
	world_pass(&w, MINUTE);
	expect_month(first, 0, 11);
	expect_month(next, (cost_next_month_ms(next) - next) / HOUR, 0);
	world_pass(&w, 2 * HOUR);
	w.probe_refuses = 0;
	world_pass(&w, 30 * MINUTE);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
	expect_month(first, 0, 11);
	expect_month(next, 0, 2);
}

/* Its deletes are refused: it is cleaned up again and again, in vain. */
static void what_cannot_be_deleted_takes_the_rest_of_the_month(void **state)
{
	(void)state;
	begin();
	assert_int_equal(create_of(ID, "alice", HOUR), RESULT_CREATED);
	world_pass(&w, MINUTE);
	month_ends_in(20 * DAY);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
	assert_int_equal(create_of("cbx_000000000002", "alice", HOUR), RESULT_CREATED);
	w.delete_refusals = 1000000;
	world_pass(&w, 3 * HOUR);
	assert_int_not_equal(lease("cbx_000000000002").cleanup, CLEANUP_DONE);
	expect_now(20 * 24, 1);
	limits.max_month_micros_owner = (20 * 24 + 2) * PRICE;
	limits_set();
	assert_int_equal(create_of("cbx_000000000003", "alice", 2 * HOUR), RESULT_LIMIT);
	assert_int_equal(create_of("cbx_000000000003", "alice", HOUR), RESULT_CREATED);
}

static void leases_of_an_older_version_are_charged_at_the_start(void **state)
{
	(void)state;
	begin();
	assert_int_equal(create_of(ID, "alice", 5 * HOUR), RESULT_CREATED);
	world_pass(&w, MINUTE);
	driver_begin(&w.d);
	{
		const struct charges none = { 0 };
		struct lease l = lease(ID);

		assert_int_equal(store_charges_put(core_store(w.d.core), &l, &none, 0, NULL), 0);
	}
	driver_flush(&w.d);
	expect_now(0, 0);
	world_restart(&w, &limits);
	world_pass(&w, MINUTE);
	expect_now(5, 0);
}

static void a_price_that_comes_later_counts_from_then_on(void **state)
{
	(void)state;
	limits = (struct engine_limits){ 0 };
	limits_set();
	world_pass(&w, cost_next_month_ms(w.d.now_ms) - w.d.now_ms + 2 * DAY);
	assert_int_equal(create_of(ID, "alice", 5 * HOUR), RESULT_CREATED);
	world_pass(&w, MINUTE);
	expect_now(0, 0);
	prices_are(PRICE);
	world_settle(&w);
	expect_now(5, 0);
	release_as(ID, "alice", 1);
	world_pass(&w, 10 * MINUTE);
	expect_now(0, 1);
}

/* ---- extending --------------------------------------------------------------------------------- */

static struct asked extend(int64_t ttl_ms)
{
	struct asked a = { 0 };

	a.request.kind = REQUEST_EXTEND;
	TEXT_SET(a.request.ref, ID);
	TEXT_SET(a.request.caller.owner, "alice");
	TEXT_SET(a.request.caller.org, "acme");
	a.request.extend_ttl_ms = ttl_ms;
	world_ask(&w, &a);
	assert_int_equal(a.answered, 1);
	return a;
}

static void an_extension_reserves_more_or_is_refused(void **state)
{
	struct asked a;

	(void)state;
	begin();
	limits.max_month_micros_owner = 10 * PRICE;
	limits_set();
	assert_int_equal(create_of(ID, "alice", 5 * HOUR), RESULT_CREATED);
	world_pass(&w, MINUTE);
	assert_int_equal(extend(9 * HOUR).request.result, RESULT_OK);
	expect_now(9, 0);
	a = extend(12 * HOUR);
	assert_int_equal(a.request.result, RESULT_LIMIT);
	assert_string_equal(a.request.code, "cost_limit_exceeded");
	assert_int_equal(a.request.limit.used, 9 * PRICE);
	assert_int_equal(a.request.limit.more, 3 * PRICE);
	assert_int_equal(lease(ID).ttl_ms, 9 * HOUR);
	expect_now(9, 0);
	assert_int_equal(extend(10 * HOUR).request.result, RESULT_OK);
	expect_now(10, 0);
}

/* ---- by name ------------------------------------------------------------------------------------ */

static void name_limit(enum limit_scope scope, const char *name, int64_t active, int64_t hour,
		       int64_t month)
{
	struct limits_named *named = &limits.named[limits.named_count++];

	*named = (struct limits_named){ .scope = scope,
					.max_active = active,
					.max_hour_micros = hour,
					.max_month_micros = month };
	TEXT_SET(named->name, name);
	limits_set();
}

static void a_named_limit_takes_the_place_of_the_general_one(void **state)
{
	(void)state;
	begin();
	limits.max_active_owner = 1;
	limits.max_month_micros_owner = 100 * PRICE;
	name_limit(LIMIT_OWNER, "alice", 2, LIMIT_UNSET, LIMIT_UNSET);
	assert_int_equal(create_of("cbx_000000000001", "alice", HOUR), RESULT_CREATED);
	assert_int_equal(create_of("cbx_000000000002", "alice", HOUR), RESULT_CREATED);
	assert_int_equal(create_of("cbx_000000000003", "alice", HOUR), RESULT_LIMIT);
	assert_int_equal(create_of("cbx_000000000004", "bob", HOUR), RESULT_CREATED);
	assert_int_equal(create_of("cbx_000000000005", "bob", HOUR), RESULT_LIMIT);
	/* 0: no limit. The general one of the month still holds. */
	limits.named[0].max_active = 0;
	limits_set();
	assert_int_equal(create_of("cbx_000000000006", "alice", 98 * HOUR), RESULT_CREATED);
	assert_int_equal(create_of("cbx_000000000007", "alice", HOUR), RESULT_LIMIT);
}

static void organisations_and_accounts_have_limits_by_name(void **state)
{
	struct asked a;

	(void)state;
	begin();
	name_limit(LIMIT_ORG, "other", 1, LIMIT_UNSET, LIMIT_UNSET);
	name_limit(LIMIT_ORG, "acme", 3, LIMIT_UNSET, LIMIT_UNSET);
	name_limit(LIMIT_ACCOUNT, "toy", LIMIT_UNSET, 2 * PRICE, 4 * PRICE);
	assert_int_equal(create_of("cbx_000000000001", "alice", HOUR), RESULT_CREATED);
	a = create_for("cbx_000000000002", "bob", 4 * HOUR, 0);
	assert_int_equal(a.request.result, RESULT_LIMIT);
	assert_int_equal(a.request.limit.scope, LIMIT_ACCOUNT);
	assert_int_equal(a.request.limit.month_ms, cost_month_ms(w.d.now_ms));
	assert_int_equal(create_of("cbx_000000000003", "bob", HOUR), RESULT_CREATED);
	a = create_for("cbx_000000000004", "cat", HOUR, 0);
	assert_int_equal(a.request.limit.scope, LIMIT_ACCOUNT);
	assert_int_equal(a.request.limit.is_price, 1);
	assert_int_equal(a.request.limit.month_ms, 0);
	limits.named[2].max_hour_micros = 0;
	limits_set();
	assert_int_equal(create_of("cbx_000000000005", "cat", HOUR), RESULT_CREATED);
	a = create_for("cbx_000000000006", "cat", HOUR, 0);
	assert_int_equal(a.request.limit.scope, LIMIT_ORG);
	assert_int_equal(a.request.limit.max, 3);
}

/* ---- the queue, and pauses ------------------------------------------------------------------- */

static int is_waiting(const char *id)
{
	struct lease l = lease(id);

	return lease_is_queued(&l);
}

static void the_queue_waits_for_money_that_becomes_free(void **state)
{
	(void)state;
	begin();
	limits.max_month_micros = 10 * PRICE;
	limits_set();
	assert_int_equal(create_of("cbx_000000000001", "alice", 8 * HOUR), RESULT_CREATED);
	world_pass(&w, MINUTE);
	assert_int_equal(create_for("cbx_000000000002", "bob", 4 * HOUR, DAY).request.result,
			 RESULT_CREATED);
	assert_true(is_waiting("cbx_000000000002"));
	expect_now(8, 0);
	world_pass(&w, HOUR);
	assert_true(is_waiting("cbx_000000000002"));
	release_as("cbx_000000000001", "alice", 1);
	world_pass(&w, MINUTE);
	assert_false(is_waiting("cbx_000000000002"));
	expect_now(0, 2);
}

/* What is made costs less than what was asked for first. */
static void the_queue_waits_for_a_reservation_that_becomes_less(void **state)
{
	(void)state;
	begin();
	limits.max_month_micros = 10 * PRICE;
	limits_set();
	w.create_fault = TOY_SOLD_OUT;
	w.boot_polls = 1000000;
	ask_types("middle,small");
	expect_now(10, 0);
	assert_int_equal(create_for("cbx_000000000002", "bob", 5 * HOUR, DAY).request.result,
			 RESULT_CREATED);
	assert_true(is_waiting("cbx_000000000002"));
	while (w.made == 0)
		world_pass(&w, SECOND);
	world_pass(&w, SECOND);
	assert_int_equal(lease(ID).state, LEASE_PROVISIONING);
	expect_now(5, 0);
	assert_false(is_waiting("cbx_000000000002"));
}

static void the_queue_waits_for_the_next_month(void **state)
{
	(void)state;
	begin();
	limits.max_month_micros = 10 * PRICE;
	limits_set();
	assert_int_equal(create_of("cbx_000000000001", "alice", 10 * HOUR), RESULT_CREATED);
	world_pass(&w, 12 * HOUR);
	month_ends_in(2 * HOUR);
	assert_int_equal(create_for("cbx_000000000002", "bob", 4 * HOUR, DAY).request.result,
			 RESULT_CREATED);
	world_pass(&w, HOUR);
	assert_true(is_waiting("cbx_000000000002"));
	world_pass(&w, HOUR + MINUTE);
	assert_false(is_waiting("cbx_000000000002"));
}

static void pause(const char *account, const char *reason)
{
	struct limits_pause *p = &limits.pauses[limits.pause_count++];

	TEXT_SET(p->account, account);
	TEXT_SET(p->reason, reason);
	limits_set();
}

static void a_pause_refuses_what_is_new_and_lets_go_what_ends(void **state)
{
	struct asked a;

	(void)state;
	begin();
	limits.max_active = 1;
	limits_set();
	assert_int_equal(create_of("cbx_000000000001", "alice", 8 * HOUR), RESULT_CREATED);
	assert_int_equal(create_for("cbx_000000000002", "bob", HOUR, DAY).request.result,
			 RESULT_CREATED);
	world_pass(&w, MINUTE);
	pause("toy", "the provider moves");
	a = create_for("cbx_000000000003", "cat", HOUR, DAY);
	assert_int_equal(a.request.result, RESULT_UNAVAILABLE);
	assert_string_equal(a.request.code, "paused");
	assert_non_null(strstr(a.request.message, "account toy is paused"));
	assert_non_null(strstr(a.request.message, "the provider moves"));
	assert_int_equal(a.request.retry_ms, MINUTE);
	/* A create that was accepted is still answered. */
	assert_int_equal(create_of("cbx_000000000001", "alice", 8 * HOUR), RESULT_REPLAY);
	release_as("cbx_000000000001", "alice", 1);
	world_pass(&w, HOUR);
	assert_int_equal(lease("cbx_000000000001").cleanup, CLEANUP_DONE);
	assert_true(is_waiting("cbx_000000000002"));
	limits.pause_count = 0;
	limits_set();
	world_pass(&w, MINUTE);
	assert_false(is_waiting("cbx_000000000002"));
	pause("", "");
	a = create_for("cbx_000000000004", "cat", HOUR, 0);
	assert_string_equal(a.request.code, "paused");
	assert_non_null(strstr(a.request.message, "this server is paused"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_month_has_room_for_what_is_reserved_in_it),
		TEST(each_scope_has_its_month),
		TEST(a_cancelled_create_gives_its_reservation_back_at_once),
		TEST(a_refused_create_reserves_nothing),
		TEST(an_unknown_create_keeps_its_reservation),
		TEST(nothing_drifts_through_crashes),
		TEST(what_is_made_is_reserved_at_its_own_price),
		TEST(a_lease_takes_of_each_month_what_it_runs_in_it),
		TEST(what_is_kept_takes_of_each_month_that_begins),
		TEST(what_is_late_takes_more_by_the_hour),
		TEST(what_cannot_be_deleted_takes_the_rest_of_the_month),
		TEST(leases_of_an_older_version_are_charged_at_the_start),
		TEST(a_price_that_comes_later_counts_from_then_on),
		TEST(an_extension_reserves_more_or_is_refused),
		TEST(a_named_limit_takes_the_place_of_the_general_one),
		TEST(organisations_and_accounts_have_limits_by_name),
		TEST(the_queue_waits_for_money_that_becomes_free),
		TEST(the_queue_waits_for_a_reservation_that_becomes_less),
		TEST(the_queue_waits_for_the_next_month),
		TEST(a_pause_refuses_what_is_new_and_lets_go_what_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
