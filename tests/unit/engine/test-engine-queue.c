/* SPDX-License-Identifier: MIT */
/* The queue for capacity: who is admitted next, and what a lease in it is until then. */

#include <stdio.h>

#include "engine/internal.h"
#include "store/queue.h"
#include "util/text.h"
#include "fixture.h"

#define PRICE 10000

static struct engine_limits limits;

static void set_limits(struct engine_limits wanted)
{
	limits = wanted;
	limits.max_queued = limits.max_queued ? limits.max_queued : 1000;
	limits.max_queued_owner = limits.max_queued_owner ? limits.max_queued_owner : 1000;
	core_set_limits(w.d.core, &limits);
}

/* Of the type "small", which every lease of join() has; "big" costs twice as much. */
static void set_price(int64_t micros)
{
	const struct store_price prices[] = {
		{ .type = "small",
		  .location = "here",
		  .hour_micros = micros,
		  .currency = "EUR",
		  .available = 1 },
		{ .type = "big",
		  .location = "here",
		  .hour_micros = 2 * micros,
		  .currency = "EUR",
		  .available = 1 },
	};

	driver_begin(&w.d);
	assert_int_equal(core_prices_replace(w.d.core, "toy", prices, 2, NULL), 0);
	driver_flush(&w.d);
}

/* "a3" is the third lease of owner a. */
static const char *id_of(const char *name)
{
	static char id[24];

	snprintf(id, sizeof(id), "cbx_%02x00000000%02x", (unsigned)(unsigned char)name[0],
		 (unsigned)(name[1] - '0'));
	return id;
}

static struct asked ask_sized(const char *name, const char *type, int64_t queue_ms)
{
	struct asked a = { 0 };
	struct lease *l = &a.request.create;

	a.request.kind = REQUEST_CREATE;
	driver_wish(l, id_of(name), "toy", type);
	snprintf(l->slug, sizeof(l->slug), "slug-%.2s", name);
	l->ttl_ms = HOUR;
	l->idle_ms = 30 * MINUTE;
	l->queue_ms = queue_ms;
	snprintf(a.request.caller.owner, sizeof(a.request.caller.owner), "%c", name[0]);
	TEXT_SET(a.request.caller.org, name[0] < 'x' ? "acme" : "other");
	world_ask(&w, &a);
	assert_int_equal(a.answered, 1);
	return a;
}

static struct asked ask_for(const char *name, int64_t queue_ms)
{
	return ask_sized(name, "small", queue_ms);
}

/* Each name asks for a lease, and waits if it must. */
static void join(const char *names)
{
	for (; *names; names += names[2] ? 3 : 2)
		assert_int_equal(ask_for(names, HOUR).request.result, RESULT_CREATED);
}

static void leave(const char *name)
{
	struct asked r = { 0 };

	r.request.caller.role = TOKEN_ADMIN;
	world_release(&w, &r, id_of(name), 1);
	assert_int_equal(r.request.result, RESULT_OK);
	world_pass(&w, 10 * SECOND);
}

static int is_queued(const char *name)
{
	struct lease l = lease(id_of(name));

	return lease_is_queued(&l);
}

/* The names that are in the queue, in the order of their arrival. */
static char waiting[200];

static int name_add(void *arg, const struct store_queued *row)
{
	size_t len = strlen(waiting);

	(void)arg;
	snprintf(waiting + len, sizeof(waiting) - len, "%s%s%c", len ? " " : "", row->owner,
		 row->id[15]);
	return 0;
}

static void expect_waiting(const char *names)
{
	waiting[0] = '\0';
	assert_int_equal(store_queue_each(core_store(w.d.core), name_add, NULL, NULL), 0);
	assert_string_equal(waiting, names);
	assert_int_equal(core_check(w.d.core, NULL), 0);
	assert_int_equal(store_check(core_store(w.d.core), NULL), 0);
}

/* The leases leave one by one, and let in whom it is the turn of: in this order. */
static void expect_order(const char *first, const char *names)
{
	char holder[3];

	memcpy(holder, first, 3);
	for (; *names; names += names[2] ? 3 : 2) {
		leave(holder);
		if (is_queued(names))
			fail_msg("%.2s still waits after %s left", names, holder);
		memcpy(holder, names, 2);
	}
}

/* ---- the order -------------------------------------------------------------------------- */

static void owners_take_turns(void **state)
{
	(void)state;
	set_limits((struct engine_limits){ .max_active = 1 });
	join("a1 a2 a3 a4 b1 c1 b2");
	expect_waiting("a2 a3 a4 b1 c1 b2");
	expect_order("a1", "a2 b1 c1 a3 b2 a4");
	expect_waiting("");
}

static void an_owner_who_comes_again_waits_for_the_others_turn(void **state)
{
	(void)state;
	set_limits((struct engine_limits){ .max_active_account = 1 });
	join("a1 b1 c1");
	expect_order("a1", "b1");
	/* b has had its turn, c not yet. */
	join("b2 a2");
	expect_order("b1", "c1 b2 a2");
}

static void who_leaves_gives_the_turn_to_the_next_of_the_owner(void **state)
{
	(void)state;
	set_limits((struct engine_limits){ .max_active = 1 });
	join("x1 a1 a2 b1 c1");
	leave("a1");
	leave("b1");
	assert_int_equal(lease(id_of("a1")).cleanup, CLEANUP_DONE);
	expect_waiting("a2 c1");
	expect_order("x1", "a2 c1");
}

static void places_and_turns_survive_a_restart(void **state)
{
	static const char *const order[] = { "b1", "c1", "a3", "b2", "a4" };
	const char *holder = "a2";

	(void)state;
	set_limits((struct engine_limits){ .max_active = 1 });
	join("a1 a2 a3 a4 b1 c1 b2");
	expect_order("a1", "a2");
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		world_restart(&w, &limits);
		leave(holder);
		assert_false(is_queued(order[i]));
		holder = order[i];
	}
	expect_waiting("");
}

static void who_has_reached_their_own_limit_is_skipped(void **state)
{
	(void)state;
	set_limits((struct engine_limits){ .max_active = 3, .max_active_owner = 2 });
	join("a1 a2 a3 a4 b1 b2 b3");
	/* a3 and a4 wait for a1 and a2; b2 and b3 for the total. */
	expect_waiting("a3 a4 b2 b3");
	leave("b1");
	expect_waiting("a3 a4 b3");
	leave("a1");
	expect_waiting("a4 b3");
	leave("b2");
	expect_waiting("a4");
}

static void small_ones_do_not_overtake_a_large_one(void **state)
{
	struct asked small;

	(void)state;
	set_price(PRICE);
	set_limits((struct engine_limits){ .max_hour_micros = 3 * PRICE });
	join("a1 a2");
	ask_sized("b1", "big", HOUR);
	/* There is room for these, but b1 would wait for ever. */
	join("c1");
	expect_waiting("b1 c1");
	small = ask_for("x1", 0);
	assert_int_equal(small.request.result, RESULT_LIMIT);
	assert_int_equal(small.request.limit.scope, LIMIT_TOTAL);
	assert_int_equal(small.request.limit.ahead, 2);
	leave("a1");
	expect_waiting("c1");
	leave("a2");
	expect_waiting("");
}

/* A large one that its owner's limit stops is in nobody else's way. */
static void a_create_overtakes_others_but_not_ones_own(void **state)
{
	struct asked a;

	(void)state;
	set_price(PRICE);
	set_limits((struct engine_limits){ .max_hour_micros_owner = 2 * PRICE });
	join("a1");
	ask_sized("a2", "big", HOUR);
	expect_waiting("a2");
	a = ask_for("a3", 0);
	assert_int_equal(a.request.result, RESULT_LIMIT);
	assert_int_equal(a.request.limit.scope, LIMIT_OWNER);
	join("a4");
	a = ask_for("b1", 0);
	assert_int_equal(a.request.result, RESULT_CREATED);
	expect_waiting("a2 a4");
	leave("a1");
	expect_waiting("a4");
	leave("a2");
	expect_waiting("");
}

/* The price that counts is the one at the admission. */
static void a_price_is_looked_up_again(void **state)
{
	(void)state;
	set_price(PRICE);
	set_limits((struct engine_limits){ .max_hour_micros = 3 * PRICE });
	join("a1 a2 a3 b1 c1");
	world_pass(&w, MINUTE);
	expect_waiting("b1 c1");
	set_price(2 * PRICE);
	leave("a1");
	expect_waiting("b1 c1");
	leave("a2");
	expect_waiting("c1");
	assert_int_equal(lease(id_of("b1")).price_hour_micros, 2 * PRICE);
}

static void raised_limits_admit(void **state)
{
	(void)state;
	set_limits((struct engine_limits){ .max_active = 1 });
	join("a1 a2 b1 b2 c1");
	set_limits((struct engine_limits){ .max_active = 3 });
	world_settle(&w);
	expect_waiting("b2 c1");
	set_limits((struct engine_limits){ .max_active = 0 });
	world_settle(&w);
	expect_waiting("");
	world_pass(&w, MINUTE);
	assert_int_equal(world_alive(&w), 5);
}

/* ---- a lease in the queue ---------------------------------------------------------------- */

static void nothing_is_done_for_it_and_nothing_counts(void **state)
{
	struct store_counts counts;
	struct ledger ledger;
	struct lease l;

	(void)state;
	set_limits((struct engine_limits){ .max_active_owner = 1 });
	join("a1 a2");
	world_pass(&w, 20 * MINUTE);
	l = lease(id_of("a2"));
	assert_int_equal(l.state, LEASE_PROVISIONING);
	assert_true(lease_is_queued(&l));
	assert_int_equal(w.made, 1);
	assert_int_equal(store_ledger(core_store(w.d.core), l.n, &ledger, NULL), 0);
	assert_int_equal(ledger.resource_count + ledger.attempt_count, 0);
	ledger_fini(&ledger);
	assert_int_equal(store_counts(core_store(w.d.core), "a", "acme", "toy", &counts, NULL), 0);
	assert_int_equal(counts.owner, 1);
	expect_waiting("a2");
}

/* The boot deadline and the TTL count from the admission. */
static void its_time_begins_with_the_admission(void **state)
{
	struct lease l;
	int64_t joined_ms = driver_wall(&w.d);

	(void)state;
	set_limits((struct engine_limits){ .max_active_owner = 1 });
	join("a1 a2");
	world_pass(&w, 25 * MINUTE);
	leave("a1");
	l = lease(id_of("a2"));
	assert_in_range(l.admitted_ms, joined_ms + 25 * MINUTE, joined_ms + 26 * MINUTE);
	assert_int_equal(l.created_ms, joined_ms);
	assert_int_equal(l.provision_deadline_ms - l.admitted_ms, w.d.config.boot_ms);
	world_pass(&w, MINUTE);
	l = lease(id_of("a2"));
	assert_int_equal(l.state, LEASE_ACTIVE);
	assert_int_equal(lease_begun_ms(&l) + l.ttl_ms, l.admitted_ms + HOUR);
	/* Kept alive by heartbeats, it ends an hour after its admission. */
	for (int i = 0; i < 6 && lease_is_live(&l); i++) {
		struct asked beat = { 0 };

		world_pass(&w, 10 * MINUTE);
		beat.request.kind = REQUEST_HEARTBEAT;
		beat.request.caller.role = TOKEN_ADMIN;
		TEXT_SET(beat.request.ref, l.id);
		world_ask(&w, &beat);
		l = lease(id_of("a2"));
	}
	world_pass(&w, MINUTE);
	l = lease(id_of("a2"));
	assert_int_equal(l.end_reason, LEASE_END_TTL);
	assert_in_range(l.ended_ms, l.admitted_ms + HOUR, l.admitted_ms + HOUR + SECOND);
}

static void it_ends_after_its_wait(void **state)
{
	struct asked again;
	struct lease l;

	(void)state;
	set_limits((struct engine_limits){ .max_active_owner = 1 });
	join("a1");
	assert_int_equal(ask_for("a2", 10 * MINUTE).request.result, RESULT_CREATED);
	world_pass(&w, 10 * MINUTE + SECOND);
	l = lease(id_of("a2"));
	assert_int_equal(l.state, LEASE_FAILED);
	assert_int_equal(l.end_reason, LEASE_END_QUEUE);
	assert_int_equal(l.cleanup, CLEANUP_DONE);
	assert_int_equal(l.ended_ms - l.created_ms, 10 * MINUTE);
	again = ask_for("a3", 0);
	assert_int_equal(again.request.result, RESULT_LIMIT);
	expect_waiting("");
}

/* As an abandoned machine does; a heartbeat keeps the place. */
static void it_ends_when_its_client_is_gone(void **state)
{
	struct asked beat = { 0 };

	(void)state;
	set_limits((struct engine_limits){ .max_active_owner = 1 });
	join("a1");
	assert_int_equal(ask_for("a2", 10 * HOUR).request.result, RESULT_CREATED);
	world_pass(&w, 20 * MINUTE);
	beat.request.kind = REQUEST_HEARTBEAT;
	beat.request.caller.role = TOKEN_ADMIN;
	TEXT_SET(beat.request.ref, id_of("a2"));
	world_ask(&w, &beat);
	assert_int_equal(beat.request.result, RESULT_OK);
	world_pass(&w, 5 * MINUTE);
	world_restart(&w, &limits);
	world_pass(&w, 20 * MINUTE);
	/* a1 has idled away meanwhile. */
	assert_int_equal(lease(id_of("a1")).end_reason, LEASE_END_IDLE);
	assert_int_equal(lease(id_of("a2")).state, LEASE_ACTIVE);
	assert_int_equal(ask_for("a3", 10 * HOUR).request.result, RESULT_CREATED);
	beat.answered = 0;
	world_ask(&w, &beat);
	world_pass(&w, 29 * MINUTE);
	beat.answered = 0;
	world_ask(&w, &beat);
	world_pass(&w, 2 * MINUTE);
	assert_int_equal(lease(id_of("a3")).state, LEASE_EXPIRED);
	assert_int_equal(lease(id_of("a3")).end_reason, LEASE_END_IDLE);
	assert_int_equal(lease(id_of("a3")).cleanup, CLEANUP_DONE);
	expect_waiting("");
}

/* There is nothing to retain. */
static void a_release_without_delete_leaves_nothing(void **state)
{
	struct asked r = { 0 };

	(void)state;
	set_limits((struct engine_limits){ .max_active_owner = 1 });
	join("a1 a2");
	r.request.caller.role = TOKEN_ADMIN;
	world_release(&w, &r, id_of("a2"), 0);
	assert_int_equal(r.request.result, RESULT_OK);
	assert_int_equal(lease(id_of("a2")).state, LEASE_RELEASED);
	assert_int_equal(lease(id_of("a2")).cleanup, CLEANUP_DONE);
	assert_int_equal(lease(id_of("a2")).retained, 0);
	expect_waiting("");
}

/* The answer was lost: the same create has the same place. */
static void a_repeated_create_keeps_its_place(void **state)
{
	(void)state;
	set_limits((struct engine_limits){ .max_active = 1 });
	join("a1 b1 c1");
	for (int i = 0; i < 2; i++) {
		struct asked a = { 0 };

		TEXT_SET(a.request.idempotency_key, "again");
		TEXT_SET(a.request.body_hash, "hash");
		TEXT_SET(a.request.caller.owner, "d");
		TEXT_SET(a.request.caller.org, "acme");
		a.request.create.queue_ms = HOUR;
		world_create(&w, &a, id_of("d1"));
		assert_int_equal(a.request.result, i ? RESULT_REPLAY : RESULT_CREATED);
		assert_string_equal(a.request.lease.id, id_of("d1"));
	}
	join("e1");
	expect_waiting("b1 c1 d1 e1");
}

/* ---- what is refused ----------------------------------------------------------------------- */

static void the_queue_has_an_end(void **state)
{
	struct asked a;

	(void)state;
	set_limits(
		(struct engine_limits){ .max_active = 1, .max_queued = 3, .max_queued_owner = 2 });
	join("a1 a2 a3");
	a = ask_for("a4", HOUR);
	assert_int_equal(a.request.result, RESULT_LIMIT);
	assert_string_equal(a.request.code, "queue_full");
	assert_int_equal(a.request.limit.is_queue_full, 1);
	join("b1");
	a = ask_for("c1", HOUR);
	assert_string_equal(a.request.code, "queue_full");
	expect_waiting("a2 a3 b1");
}

static void what_can_never_fit_does_not_wait(void **state)
{
	struct asked a;

	(void)state;
	set_price(3 * PRICE);
	set_limits((struct engine_limits){ .max_hour_micros_owner = 2 * PRICE });
	a = ask_for("a1", HOUR);
	assert_int_equal(a.request.result, RESULT_LIMIT);
	assert_string_equal(a.request.code, "cost_limit_exceeded");
	assert_int_equal(a.request.limit.scope, LIMIT_OWNER);
	assert_int_equal(a.request.limit.is_price, 1);
	assert_int_equal(a.request.limit.max, 2 * PRICE);
	expect_waiting("");
}

static void u7_a_refusal_says_which_limit_and_how_much_is_used(void **state)
{
	struct asked a;

	(void)state;
	set_limits((struct engine_limits){ .max_active = 3, .max_active_owner = 2 });
	join("a1 a2 b1");
	a = ask_for("a3", 0);
	assert_int_equal(a.request.limit.scope, LIMIT_OWNER);
	assert_int_equal(a.request.limit.used, 2);
	assert_int_equal(a.request.limit.max, 2);
	a = ask_for("c1", 0);
	assert_int_equal(a.request.limit.scope, LIMIT_TOTAL);
	assert_int_equal(a.request.limit.used, 3);
	assert_int_equal(a.request.limit.max, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(owners_take_turns),
		TEST(an_owner_who_comes_again_waits_for_the_others_turn),
		TEST(who_leaves_gives_the_turn_to_the_next_of_the_owner),
		TEST(places_and_turns_survive_a_restart),
		TEST(who_has_reached_their_own_limit_is_skipped),
		TEST(small_ones_do_not_overtake_a_large_one),
		TEST(a_create_overtakes_others_but_not_ones_own),
		TEST(a_price_is_looked_up_again),
		TEST(raised_limits_admit),
		TEST(nothing_is_done_for_it_and_nothing_counts),
		TEST(its_time_begins_with_the_admission),
		TEST(it_ends_after_its_wait),
		TEST(it_ends_when_its_client_is_gone),
		TEST(a_release_without_delete_leaves_nothing),
		TEST(a_repeated_create_keeps_its_place),
		TEST(the_queue_has_an_end),
		TEST(what_can_never_fit_does_not_wait),
		TEST(u7_a_refusal_says_which_limit_and_how_much_is_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
