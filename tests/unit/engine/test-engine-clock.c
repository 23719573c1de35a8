/* SPDX-License-Identifier: MIT */
/* The wall clock jumps, and the broker crashes repeatedly. */

#include <stdio.h>

#include "fixture.h"

#include "engine/internal.h"
#include "provider/account_state.h"

static void jump(int64_t ms)
{
	w.d.wall_off_ms += ms;
	world_settle(&w);
}

static void a_jump_forward_ends_nothing_at_once(void **state)
{
	(void)state;
	create_ready(ID);
	jump(48 * HOUR);
	assert_int_equal(lease(ID).state, LEASE_ACTIVE);
	assert_int_equal(beat(ID), RESULT_OK);
	world_pass(&w, 9 * MINUTE);
	assert_int_equal(lease(ID).state, LEASE_ACTIVE);
	/* After the clock is corrected nothing is lost. */
	jump(-48 * HOUR);
	world_pass(&w, 15 * MINUTE);
	assert_int_equal(lease(ID).state, LEASE_ACTIVE);
	assert_int_equal(world_alive(&w), 1);
	world_pass(&w, HOUR);
	assert_int_equal(lease(ID).state, LEASE_EXPIRED);
	assert_int_equal(world_alive(&w), 0);
}

static void a_clock_that_stays_is_believed(void **state)
{
	(void)state;
	create_ready(ID);
	jump(48 * HOUR);
	world_pass(&w, 12 * MINUTE);
	assert_int_equal(lease(ID).state, LEASE_EXPIRED);
	world_pass(&w, MINUTE);
	assert_int_equal(world_alive(&w), 0);
}

/* The account is lost, and claimed again by the same process. */
static void next_life(void)
{
	w.d.config.clock = core_clock_known(w.d.core);
	world_restart(&w, NULL);
	world_settle(&w);
}

static void a_doubt_outlasts_a_life(void **state)
{
	(void)state;
	create_ready(ID);
	jump(2 * HOUR);
	assert_true(core_clock_is_suspect(w.d.core));
	world_pass(&w, MINUTE);
	next_life();
	assert_true(core_clock_is_suspect(w.d.core));
	world_pass(&w, 8 * MINUTE);
	next_life();
	assert_int_equal(lease(ID).state, LEASE_ACTIVE);
	/* And ends when it would have without. */
	world_pass(&w, 2 * MINUTE);
	assert_false(core_clock_is_suspect(w.d.core));
	world_pass(&w, MINUTE);
	assert_int_equal(lease(ID).state, LEASE_EXPIRED);
}

static void a_jump_between_two_lives_is_one(void **state)
{
	(void)state;
	create_ready(ID);
	w.d.config.clock = core_clock_known(w.d.core);
	w.d.wall_off_ms += 2 * HOUR;
	world_restart(&w, NULL);
	world_settle(&w);
	world_pass(&w, 5 * MINUTE);
	assert_int_equal(lease(ID).state, LEASE_ACTIVE);
	jump(-2 * HOUR);
	world_pass(&w, 15 * MINUTE);
	assert_int_equal(lease(ID).state, LEASE_ACTIVE);
}

static void a_release_works_all_the_same(void **state)
{
	struct asked a = { 0 };

	(void)state;
	create_ready(ID);
	jump(48 * HOUR);
	world_release(&w, &a, ID, 1);
	world_settle(&w);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
	assert_int_equal(world_alive(&w), 0);
}

static void a_machine_in_the_making_is_not_given_up(void **state)
{
	struct asked a = { 0 };
	int64_t asked;

	(void)state;
	w.boot_polls = 30;
	world_create(&w, &a, ID);
	world_pass(&w, 5000);
	jump(2 * HOUR);
	asked = w.creates_sent;
	world_pass(&w, MINUTE);
	assert_int_equal(lease(ID).state, LEASE_ACTIVE);
	assert_int_equal(w.creates_sent, asked);
}

/* Retries scheduled before a jump back must not wait for days. */
static void a_jump_back_calls_in_what_is_owed(void **state)
{
	struct asked a = { 0 };

	(void)state;
	create_ready(ID);
	w.delete_refusals = 100;
	world_release(&w, &a, ID, 1);
	world_pass(&w, HOUR);
	assert_int_equal(lease(ID).cleanup, CLEANUP_ATTENTION);
	w.delete_refusals = 0;
	jump(-72 * HOUR);
	/* The longest wait; the random backoff decides how long the last one was. */
	world_pass(&w, HOUR + MINUTE);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
	assert_int_equal(world_alive(&w), 0);
}

/* A lost create is searched for during the settle time, which a clock jump does not shorten. */
static void a_jump_settles_no_absence(void **state)
{
	struct asked a = { 0 };
	int sent;

	(void)state;
	w.create_fault = TOY_HIDE;
	w.create_fault_sticky = 1;
	world_create(&w, &a, ID);
	world_pass(&w, 3000);
	assert_int_equal(w.made, 1);
	sent = w.creates_sent;
	jump(24 * HOUR);
	world_pass(&w, 5 * MINUTE);
	assert_int_equal(w.creates_sent, sent);
	assert_int_equal(lease(ID).state, LEASE_PROVISIONING);
	w.create_fault = TOY_NONE;
	w.create_fault_sticky = 0;
	world_pass(&w, 2 * MINUTE);
	assert_int_equal(lease(ID).state, LEASE_ACTIVE);
	assert_int_equal(w.creates_sent, sent);
	assert_int_equal(world_alive(&w), 1);
}

static void small_steps_are_followed(void **state)
{
	(void)state;
	create_ready(ID);
	for (int i = 0; i < 3; i++) {
		jump(10 * MINUTE);
		world_pass(&w, 1000);
	}
	assert_int_equal(lease(ID).state, LEASE_EXPIRED);
}

static void a_crash_loop_costs_a_probe_each(void **state)
{
	struct asked a = { 0 };
	int probes;

	(void)state;
	create_ready(ID);
	w.strip_labels = 1;
	world_release(&w, &a, ID, 1);
	world_pass(&w, MINUTE);
	assert_int_equal(lease(ID).cleanup, CLEANUP_ATTENTION);
	probes = w.probes;
	w.cleanups = 0;
	for (int i = 0; i < 50; i++)
		world_restart(&w, NULL);
	assert_int_equal(w.probes, probes + 50);
	/* Its due time is in the store: a crash does not make it earlier. */
	assert_int_equal(w.cleanups, 0);
}

/* ---- a clock that is wrong at a start ---------------------------------------------------- */

#define DAY (24 * HOUR)

/* The provider answers, with a Date that is `off_ms` away from the true time. */
static void provider_dates(int64_t off_ms)
{
	const struct env_http_response answer = {
		.outcome = ENV_HTTP_ANSWERED,
		.status = 200,
		.retry_after_ms = -1,
		.rate_limit = -1,
		.rate_remaining = -1,
		.date_ms = w.d.now_ms + off_ms,
	};

	account_count_response(w.d.account, &answer);
}

/* As a new process under a clock that is `off_ms` away; it has not heard of a provider's time. */
static void restart_under(int64_t off_ms)
{
	w.d.wall_off_ms = off_ms;
	w.d.account->state->has_date = 0;
	world_restart(&w, NULL);
}

static void d9_a_wrong_clock_at_a_start_ends_nothing(void **state)
{
	static const int64_t offsets[] = { DAY, 365 * DAY, -DAY, -365 * DAY, HOUR, -HOUR };

	(void)state;
	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		char id[24];

		snprintf(id, sizeof(id), "cbx_0000000000%02x", (unsigned)i + 16);
		create_ready(id);
		/* The probe, without which nothing ends, brings a Date: here before it is needed. */
		w.d.wall_off_ms = offsets[i];
		provider_dates(0);
		world_restart(&w, NULL);
		/* However long it lasts, and through another start. */
		world_pass(&w, 12 * MINUTE);
		assert_int_equal(lease(id).state, LEASE_ACTIVE);
		world_restart(&w, NULL);
		world_pass(&w, 5 * MINUTE);
		assert_int_equal(lease(id).state, LEASE_ACTIVE);
		/* It is put right: trusted at once, and the lease ends when it should. */
		jump(-offsets[i]);
		world_pass(&w, MINUTE);
		assert_int_equal(lease(id).state, LEASE_ACTIVE);
		world_pass(&w, 2 * HOUR);
		assert_int_equal(lease(id).state, LEASE_EXPIRED);
		w.d.wall_off_ms = 0;
	}
	assert_int_equal(world_alive(&w), 0);
}

static void d9_days_off_are_believed_when_the_provider_says_so(void **state)
{
	(void)state;
	create_ready(ID);
	w.d.now_ms += 3 * DAY;
	restart_under(0);
	assert_int_equal(lease(ID).state, LEASE_ACTIVE);
	provider_dates(0);
	world_pass(&w, 2 * MINUTE);
	assert_int_equal(lease(ID).state, LEASE_EXPIRED);
}

/* Without any other clock: time for NTP, and then the machine must not bill for ever. */
static void d9_without_a_witness_it_is_doubted_for_ten_minutes(void **state)
{
	(void)state;
	create_ready(ID);
	w.d.now_ms += 3 * DAY;
	restart_under(0);
	world_pass(&w, 9 * MINUTE);
	assert_int_equal(lease(ID).state, LEASE_ACTIVE);
	world_pass(&w, 3 * MINUTE);
	assert_int_equal(lease(ID).state, LEASE_EXPIRED);
}

static void d9_a_provider_whose_clock_is_wrong_holds_up_nothing(void **state)
{
	(void)state;
	create_ready(ID);
	restart_under(0);
	provider_dates(5 * DAY);
	world_pass(&w, 2 * HOUR);
	assert_int_equal(lease(ID).state, LEASE_EXPIRED);
}

static int64_t synchronised(void *data)
{
	return driver_wall(data);
}

static void d9_ntp_is_a_witness(void **state)
{
	(void)state;
	create_ready(ID);
	w.d.now_ms += 3 * DAY;
	w.d.env.synchronised_ms = synchronised;
	restart_under(0);
	world_pass(&w, 2 * MINUTE);
	assert_int_equal(lease(ID).state, LEASE_EXPIRED);
	w.d.env.synchronised_ms = NULL;
}

static void d9_a_jump_is_doubted_as_long_as_the_provider_disagrees(void **state)
{
	(void)state;
	create_ready(ID);
	provider_dates(0);
	jump(48 * HOUR);
	for (int i = 0; i < 5; i++) {
		world_pass(&w, 20 * MINUTE);
		assert_int_equal(beat(ID), RESULT_OK);
		assert_int_equal(lease(ID).state, LEASE_ACTIVE);
	}
	jump(-48 * HOUR);
	/* The heartbeat of the wrong clock is as old as it really is. */
	assert_true(lease(ID).touched_ms <= driver_wall(&w.d));
	world_pass(&w, 2 * HOUR);
	assert_int_equal(lease(ID).state, LEASE_EXPIRED);
}

/* As at a boot before NTP has set the clock: the lease is minutes old, not days. */
static void d9_a_lease_made_by_a_slow_clock_does_not_end_when_it_is_set(void **state)
{
	(void)state;
	world_end(&w);
	world_start(&w, NULL);
	restart_under(-5 * DAY);
	provider_dates(0);
	world_pass(&w, 2000);
	create_ready(ID);
	jump(5 * DAY);
	world_pass(&w, 5 * MINUTE);
	assert_int_equal(lease(ID).state, LEASE_ACTIVE);
	world_pass(&w, 2 * HOUR);
	assert_int_equal(lease(ID).state, LEASE_EXPIRED);
}

/* ---- times that were written while it was ahead -------------------------------------------- */

static void d8_a_lease_of_the_future_keeps_its_limits(void **state)
{
	struct lease l;

	(void)state;
	restart_under(400 * DAY);
	create_ready(ID);
	restart_under(0);
	provider_dates(0);
	world_pass(&w, 2 * MINUTE);
	l = lease(ID);
	assert_int_equal(l.state, LEASE_ACTIVE);
	assert_true(l.created_ms <= driver_wall(&w.d));
	assert_true(lease_expires_ms(&l) <= driver_wall(&w.d) + l.ttl_ms);
	assert_int_equal(beat(ID), RESULT_OK);
	l = lease(ID);
	assert_int_equal(l.touched_ms, driver_wall(&w.d));
	world_pass(&w, 2 * HOUR);
	assert_int_equal(lease(ID).state, LEASE_EXPIRED);
	assert_int_equal(world_alive(&w), 0);
}

static void d8_what_is_owed_by_a_lease_of_the_future_is_tried_now(void **state)
{
	struct asked a = { 0 };

	(void)state;
	restart_under(400 * DAY);
	create_ready(ID);
	w.delete_refusals = 100;
	world_release(&w, &a, ID, 1);
	world_pass(&w, HOUR);
	w.delete_refusals = 0;
	restart_under(0);
	provider_dates(0);
	world_pass(&w, HOUR + 2 * MINUTE);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
	assert_int_equal(world_alive(&w), 0);
	/* History, too: usage counts it in this month. */
	assert_true(lease(ID).created_ms <= lease(ID).ended_ms);
	assert_true(lease(ID).ended_ms <= driver_wall(&w.d));
}

static void d8_a_lost_create_of_the_future_settles(void **state)
{
	struct asked a = { 0 };

	(void)state;
	restart_under(400 * DAY);
	w.create_fault = TOY_LOST_NOT_MADE;
	world_create(&w, &a, ID);
	world_settle(&w);
	restart_under(0);
	provider_dates(0);
	world_pass(&w, 20 * MINUTE);
	assert_int_equal(lease(ID).state, LEASE_ACTIVE);
	assert_int_equal(world_alive(&w), 1);
}

static void d8_a_retention_of_the_future_ends_after_its_duration(void **state)
{
	struct asked a = { 0 };
	int64_t until;

	(void)state;
	restart_under(400 * DAY);
	create_ready(ID);
	a.request.retain_until_ms = driver_wall(&w.d) + 30 * DAY;
	world_release(&w, &a, ID, 0);
	world_settle(&w);
	assert_int_equal(lease(ID).cleanup, CLEANUP_RETAINED);
	restart_under(0);
	provider_dates(0);
	world_pass(&w, 2 * MINUTE);
	until = lease(ID).retain_until_ms - driver_wall(&w.d);
	assert_true(until > 29 * DAY && until <= 30 * DAY);
	world_pass(&w, 31 * DAY);
	assert_string_not_equal(lease(ID).attention, "");
	assert_int_equal(world_alive(&w), 1);
}

/* ---- several engines, one clock ------------------------------------------------------------ */

static void what_one_engine_doubts_another_does_not_end(void **state)
{
	struct env_clock clock = { 0 };
	enum env_clock_word other = ENV_CLOCK_SILENT;

	(void)state;
	w.d.env.clock = &clock;
	world_restart(&w, NULL);
	create_ready(ID);
	assert_false(env_is_clock_suspect(&w.d.env));
	/* The other knows no other clock; this one is told soon that all is well. */
	jump(48 * HOUR);
	env_clock_say(&clock, other, ENV_CLOCK_DOUBTED, 48 * HOUR);
	other = ENV_CLOCK_DOUBTED;
	assert_true(env_is_clock_suspect(&w.d.env));
	assert_int_equal(env_likely_ms(&w.d.env), driver_wall(&w.d) - 48 * HOUR);
	provider_dates(48 * HOUR);
	world_pass(&w, 2 * SECOND);
	assert_false(env_is_clock_suspect(&w.d.env));
	/* What tells the other that it is wrong counts, whatever this one says, and how often. */
	env_clock_say(&clock, other, ENV_CLOCK_CONTRADICTED, 2 * HOUR);
	other = ENV_CLOCK_CONTRADICTED;
	for (int i = 0; i < 5; i++) {
		provider_dates(48 * HOUR);
		world_pass(&w, 2 * SECOND);
		assert_true(env_is_clock_suspect(&w.d.env));
		assert_int_equal(env_likely_ms(&w.d.env), driver_wall(&w.d) - 2 * HOUR);
	}
	env_clock_say(&clock, other, ENV_CLOCK_SILENT, 0);
	assert_false(env_is_clock_suspect(&w.d.env));
	w.d.env.clock = NULL;
}

static void an_engine_that_ends_says_no_more(void **state)
{
	struct env_clock clock = { 0 };

	(void)state;
	create_ready(ID);
	w.d.env.clock = &clock;
	restart_under(-5 * DAY);
	assert_true(env_is_clock_suspect(&w.d.env));
	driver_close(&w.d);
	assert_false(env_is_clock_suspect(&w.d.env));
	w.d.env.clock = NULL;
	driver_open(&w.d);
}

/* ---- several daemons, one store ------------------------------------------------------------ */

/* The next owner, on a machine whose clock is `off_ms` away from the store's. */
static void move_to(int64_t off_ms)
{
	w.d.config.store_ahead_ms = -off_ms;
	restart_under(off_ms);
}

/* The store's clock is the right one in these cases, so the time of the world is. */
static void an_owner_whose_clock_is_ahead_ends_nothing_early(void **state)
{
	(void)state;
	create_ready(ID);
	world_pass(&w, 20 * MINUTE);
	move_to(14 * MINUTE);
	world_pass(&w, 9 * MINUTE);
	assert_int_equal(lease(ID).state, LEASE_ACTIVE);
	world_pass(&w, 2 * MINUTE);
	assert_int_equal(lease(ID).state, LEASE_EXPIRED);
	assert_in_range(lease(ID).ended_ms, w.d.now_ms - 2 * MINUTE, w.d.now_ms);
	world_pass(&w, 2 * MINUTE);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
}

static void a_heartbeat_by_a_slow_clock_is_not_old(void **state)
{
	(void)state;
	move_to(-14 * MINUTE);
	create_ready(ID);
	assert_in_range(lease(ID).created_ms, w.d.now_ms - MINUTE, w.d.now_ms);
	world_pass(&w, 20 * MINUTE);
	assert_int_equal(beat(ID), RESULT_OK);
	assert_int_equal(lease(ID).touched_ms, w.d.now_ms);
	move_to(0);
	world_pass(&w, 29 * MINUTE);
	assert_int_equal(lease(ID).state, LEASE_ACTIVE);
	world_pass(&w, 2 * MINUTE);
	assert_int_equal(lease(ID).state, LEASE_EXPIRED);
}

/* What the store's clock says goes on when the machine's is set, before it is measured again. */
static void a_step_of_an_owners_clock_moves_nothing(void **state)
{
	struct asked a = { 0 };

	(void)state;
	create_ready(ID);
	move_to(-MINUTE);
	world_pass(&w, MINUTE);
	w.delete_refusals = 1;
	world_release(&w, &a, ID, 1);
	w.d.wall_off_ms += 20 * MINUTE;
	assert_int_equal(core_now(w.d.core), w.d.now_ms);
	world_pass(&w, SECOND);
	assert_int_equal(core_clock_is_suspect(w.d.core), 0);
	core_store_clock(w.d.core, -19 * MINUTE);
	assert_int_equal(core_now(w.d.core), w.d.now_ms);
	world_pass(&w, MINUTE);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
	assert_in_range(lease(ID).ended_ms, w.d.now_ms - 2 * MINUTE, w.d.now_ms);
}

/* Tokens end by the machine's clock, which no engine on a shared store goes by. */
static void a_step_of_an_owners_clock_is_told_to_others(void **state)
{
	struct env_clock clock = { 0 };

	(void)state;
	w.d.env.clock = &clock;
	move_to(-MINUTE);
	create_ready(ID);
	world_pass(&w, 2 * SECOND);
	assert_false(env_is_clock_suspect(&w.d.env));
	w.d.wall_off_ms += 24 * HOUR;
	world_pass(&w, 2 * SECOND);
	assert_true(env_is_clock_suspect(&w.d.env));
	assert_in_range(env_likely_ms(&w.d.env), w.d.now_ms - MINUTE, w.d.now_ms + MINUTE);
	w.d.wall_off_ms -= 24 * HOUR;
	world_pass(&w, 2 * SECOND);
	assert_false(env_is_clock_suspect(&w.d.env));
	world_restart(&w, NULL);
	w.d.env.clock = NULL;
}

/* The store's own clock may be set: that is noticed before anything is decided by it. */
static void a_step_of_the_stores_clock_is_doubted(void **state)
{
	(void)state;
	create_ready(ID);
	move_to(-MINUTE);
	world_pass(&w, MINUTE);
	assert_int_equal(core_begin(w.d.core, NULL), 0);
	core_store_clock(w.d.core, 10 * HOUR);
	assert_int_equal(core_clock_is_suspect(w.d.core), 1);
	assert_int_equal(core_flush(w.d.core, NULL), 0);
	world_pass(&w, SECOND);
	assert_int_equal(lease(ID).state, LEASE_ACTIVE);
}

/* Its answer took longer, or the clock was set; permits end too late rather than too early. */
static void the_least_difference_is_the_clock(void **state)
{
	(void)state;
	create_ready(ID);
	world_pass(&w, MINUTE);
	move_to(-MINUTE);
	assert_int_equal(core_now(w.d.core), w.d.now_ms);
	core_store_clock(w.d.core, MINUTE + 3 * SECOND);
	assert_int_equal(core_now(w.d.core), w.d.now_ms);
	assert_int_equal(core_store_ahead_ms(w.d.core), 3 * SECOND);
	core_store_clock(w.d.core, MINUTE - SECOND);
	assert_int_equal(core_now(w.d.core), w.d.now_ms - SECOND);
	assert_int_equal(core_store_ahead_ms(w.d.core), 0);
	core_store_clock(w.d.core, 10 * MINUTE);
	assert_int_equal(core_now(w.d.core), w.d.now_ms + 9 * MINUTE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_jump_forward_ends_nothing_at_once),
		TEST(a_clock_that_stays_is_believed),
		TEST(a_doubt_outlasts_a_life),
		TEST(a_jump_between_two_lives_is_one),
		TEST(a_release_works_all_the_same),
		TEST(a_machine_in_the_making_is_not_given_up),
		TEST(a_jump_back_calls_in_what_is_owed),
		TEST(a_jump_settles_no_absence),
		TEST(small_steps_are_followed),
		TEST(a_crash_loop_costs_a_probe_each),
		TEST(what_one_engine_doubts_another_does_not_end),
		TEST(an_engine_that_ends_says_no_more),
		TEST(an_owner_whose_clock_is_ahead_ends_nothing_early),
		TEST(a_heartbeat_by_a_slow_clock_is_not_old),
		TEST(a_step_of_an_owners_clock_moves_nothing),
		TEST(a_step_of_an_owners_clock_is_told_to_others),
		TEST(a_step_of_the_stores_clock_is_doubted),
		TEST(the_least_difference_is_the_clock),
		TEST(d9_a_wrong_clock_at_a_start_ends_nothing),
		TEST(d9_days_off_are_believed_when_the_provider_says_so),
		TEST(d9_without_a_witness_it_is_doubted_for_ten_minutes),
		TEST(d9_a_provider_whose_clock_is_wrong_holds_up_nothing),
		TEST(d9_ntp_is_a_witness),
		TEST(d9_a_jump_is_doubted_as_long_as_the_provider_disagrees),
		TEST(d9_a_lease_made_by_a_slow_clock_does_not_end_when_it_is_set),
		TEST(d8_a_lease_of_the_future_keeps_its_limits),
		TEST(d8_what_is_owed_by_a_lease_of_the_future_is_tried_now),
		TEST(d8_a_lost_create_of_the_future_settles),
		TEST(d8_a_retention_of_the_future_ends_after_its_duration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
