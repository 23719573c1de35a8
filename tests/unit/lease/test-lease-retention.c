/* SPDX-License-Identifier: MIT */
/*
 * No-delete releases: when they are too late, what they keep, look-ups and protection, and
 * their end.
 */
#include <string.h>

#include <lessor/provider.h>

#include "unit/test.h"
#include "life.h"
#include "util/alloc.h"

#define LATER (NOW + 70000)
#define TEN_DAYS (240 * HOUR)

static struct lease needs_operator(void)
{
	struct lease l = owed();

	step(&l, LEASE_OP_CLEANUP, LESSOR_REFUSED,
	     (struct lease_facts){ .now_ms = NOW + 61000, .residue = 2, .billed = 1 });
	assert_int_equal(l.cleanup, CLEANUP_ATTENTION);
	return l;
}

static struct lease expired(void)
{
	struct lease l = ready();

	tick(&l, (struct lease_facts){ .now_ms = NOW + TTL, .residue = 2, .billed = 1 });
	assert_int_equal(l.state, LEASE_EXPIRED);
	return l;
}

static struct lease failed(void)
{
	struct lease l = fresh();

	step(&l, LEASE_OP_PROVISION, LESSOR_REFUSED,
	     (struct lease_facts){ .now_ms = NOW + 5, .residue = 2, .billed = 1 });
	assert_int_equal(l.state, LEASE_FAILED);
	return l;
}

static struct lease (*const lives[])(void) = {
	fresh, ready, owed, needs_operator, expired, failed, kept,
};

static void refused(struct lease *l, int delete_machine, const struct lease_facts *facts,
		    enum lease_refusal why)
{
	struct lease before = *l;
	struct lease_effects out = release(l, delete_machine, *facts);

	assert_int_equal(out.refusal, why);
	assert_memory_equal(l, &before, sizeof(before));
	assert_int_equal(out.changed + out.goal_changed + out.retain_rows + out.unretain_rows +
			 out.raise_generation + out.note_count, 0);
}

/* ---- too late ---------------------------------------------------------------------------- */

static void no_delete_while_a_delete_may_be_under_way(void **state)
{
	struct lease_facts facts = { .now_ms = LATER, .residue = 2, .billed = 1, .deleting = 1 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lives); i++) {
		struct lease l = lives[i]();

		refused(&l, 0, &facts, LEASE_REFUSAL_CLEANUP_RUNS);
		l.keep = 1;
		refused(&l, -1, &facts, LEASE_REFUSAL_CLEANUP_RUNS);
		/* A delete is in progress already. */
		assert_int_equal(release(&l, 1, facts).refusal, LEASE_REFUSAL_NONE);
	}
}

/* The key alone of an ended lease is not worth keeping. */
static void no_delete_when_the_machine_is_gone(void **state)
{
	struct lease_facts facts = { .now_ms = LATER, .residue = 1, .server_gone = 1 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lives); i++) {
		struct lease l = lives[i]();

		if (lease_is_live(&l) || l.retained) {
			/*
			 * The machine deleted by a rollback was another one; retained
			 * resources stay retained.
			 */
			assert_int_equal(release(&l, 0, facts).refusal, LEASE_REFUSAL_NONE);
			assert_int_equal(l.cleanup, CLEANUP_RETAINED);
			continue;
		}
		refused(&l, 0, &facts, LEASE_REFUSAL_MACHINE_GONE);
		l.keep = 1;
		refused(&l, -1, &facts, LEASE_REFUSAL_MACHINE_GONE);
		assert_int_equal(release(&l, 1, facts).refusal, LEASE_REFUSAL_NONE);
	}
}

/* Nothing is left, so nothing is too late. */
static void no_delete_of_nothing(void **state)
{
	struct lease l = owed();
	struct lease_facts facts = { .now_ms = LATER, .server_gone = 1 };

	(void)state;
	assert_int_equal(release(&l, 0, facts).refusal, LEASE_REFUSAL_NONE);
	step(&l, LEASE_OP_CLEANUP, LESSOR_GONE, facts);
	l = ready();
	release(&l, 0, facts);
	assert_int_equal(l.cleanup, CLEANUP_DONE);
	assert_false(l.retained);
}

/*
 * The last row is over, and the step that reported it still runs or was lost with its
 * process.
 */
static void no_delete_of_what_was_just_found_to_be_gone(void **state)
{
	struct lease_facts facts = { .now_ms = LATER, .server_gone = 1, .running = 1 };
	struct lease l = owed();

	(void)state;
	refused(&l, 0, &facts, LEASE_REFUSAL_MACHINE_GONE);
	facts.running = 0;
	assert_int_equal(release(&l, 0, facts).refusal, LEASE_REFUSAL_NONE);
	assert_int_equal(l.cleanup, CLEANUP_DONE);
	assert_false(l.retained);
}

/*
 * ---- retained
 * ------------------------------------------------------------------------------------
 */

static void no_delete_is_a_new_goal_that_older_copies_must_not_miss(void **state)
{
	struct lease_facts facts = { .now_ms = LATER, .residue = 2, .billed = 1 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lives); i++) {
		struct lease l = lives[i]();
		int64_t epoch = l.epoch;
		struct lease_effects out;

		if (l.retained)
			continue;
		l.tries = l.breaches = 5;
		out = release(&l, 0, facts);
		assert_int_equal(l.epoch, epoch + 1);
		assert_true(out.changed && out.goal_changed && out.retain_rows &&
			    out.raise_generation);
		assert_int_equal(notes_of(&out, "lease.retained"), 1);
		assert_int_equal(l.cleanup, CLEANUP_RETAINED);
		assert_int_equal(l.tries + l.breaches, 0);
		assert_string_equal(l.attention, "");
		/* A repetition changes nothing. */
		out = release(&l, 0, facts);
		assert_false(out.changed || out.raise_generation || out.retain_rows);
		assert_int_equal(l.epoch, epoch + 1);
	}
}

static void the_preset_decides_where_nothing_is_said(void **state)
{
	struct lease_facts facts = { .now_ms = LATER, .residue = 2, .billed = 1 };
	struct lease l = ready();

	(void)state;
	release(&l, -1, facts);
	assert_int_equal(l.cleanup, CLEANUP_OWED);
	l = ready();
	l.keep = 1;
	release(&l, -1, facts);
	assert_int_equal(l.cleanup, CLEANUP_RETAINED);
	/* And never ends a retention. */
	l.keep = 0;
	release(&l, -1, facts);
	assert_int_equal(l.cleanup, CLEANUP_RETAINED);
}

static void what_is_done_for_a_kept_lease(void **state)
{
	struct lease l = kept();

	(void)state;
	for (int i = 0; i < 8; i++) {
		struct lease_facts facts = { .now_ms = LATER, .residue = 2, .unsure = i & 1,
					     .unprotected = i >> 1 & 1, .can_protect = i >> 2 };

		/* Unknown resources are looked for first, to be protected as well. */
		assert_int_equal(lifecycle_next(&l, &facts), facts.unsure ? LEASE_OP_INSPECT :
							     i >> 1 == 3  ? LEASE_OP_RETAIN :
									    LEASE_OP_NONE);
	}
}

static void when_a_kept_lease_is_due(void **state)
{
	static const struct { int unsure, running, unprotected, can_protect; int64_t due_ms; } rows[] = {
		{ 0, 0, 0, 0, LATER + TEN_DAYS }, { 0, 0, 1, 0, LATER + TEN_DAYS },
		{ 0, 0, 0, 1, LATER + TEN_DAYS }, { 0, 0, 1, 1, LATER },
		{ 1, 0, 0, 0, LATER + 1000 }, { 1, 0, 1, 1, LATER + 1000 },
		{ 0, 1, 0, 0, LATER }, { 0, 1, 1, 1, LATER },
	};
	struct lease l = kept();

	(void)state;
	l.retain_until_ms = LATER + TEN_DAYS;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct lease_facts facts = { .now_ms = LATER, .residue = 2, .unsure = rows[i].unsure,
					     .running = rows[i].running,
					     .unprotected = rows[i].unprotected,
					     .can_protect = rows[i].can_protect };

		assert_int_equal(lease_retained_due(&l, &facts), rows[i].due_ms);
	}
}

/* Its rows become retained with the same commit; none is protected yet. */
static void protection_begins_at_once(void **state)
{
	struct lease l = ready();
	struct lease_facts facts = { .now_ms = LATER, .residue = 2, .billed = 1, .can_protect = 1 };

	(void)state;
	release(&l, 0, facts);
	assert_int_equal(l.due_ms, LATER);
	facts.unprotected = 2;
	assert_int_equal(lifecycle_next(&l, &facts), LEASE_OP_RETAIN);
	l = ready();
	facts.can_protect = 0;
	release(&l, 0, facts);
	assert_int_equal(l.due_ms, 0);
}

/* ---- protected --------------------------------------------------------------------------------- */

static struct lease_facts to_protect(void)
{
	return (struct lease_facts){ .now_ms = LATER, .residue = 2, .billed = 1, .unprotected = 1,
				     .can_protect = 1 };
}

static void protected_is_what_the_ledger_says(void **state)
{
	static const int verdicts[] = { LESSOR_DONE, LESSOR_PENDING, LESSOR_RETRY, LESSOR_REFUSED };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(verdicts); i++) {
		struct lease l = kept();
		struct lease_facts facts = to_protect();
		struct lease_effects out;

		l.tries = 3;
		strcpy(l.last_error, "before");
		/* The plugin's word does not count. */
		out = step(&l, LEASE_OP_RETAIN, verdicts[i], facts);
		assert_int_equal(notes_of(&out, "lease.protected"), 0);
		facts.unprotected = 0;
		out = step(&l, LEASE_OP_RETAIN, verdicts[i], facts);
		assert_int_equal(notes_of(&out, "lease.protected"), 1);
		assert_int_equal(l.cleanup, CLEANUP_RETAINED);
		assert_int_equal(l.tries, 0);
		assert_int_equal(l.due_ms, 0);
		assert_string_equal(l.last_error, "");
		assert_string_equal(l.cursor, "");
		assert_string_equal(l.attention, "");
	}
}

static void a_pending_protection_goes_on_where_it_was(void **state)
{
	struct lease l = kept();
	struct lease_facts facts = to_protect();
	struct lease_verdict v = { .op = LEASE_OP_RETAIN, .epoch = l.epoch, .verdict = LESSOR_PENDING,
				   .wait_ms = 3000, .reason = "", .cursor = "label 17" };
	struct lease_effects out = { 0 };

	(void)state;
	out = end_step(&l, &v, &facts);
	assert_true(out.changed);
	assert_int_equal(l.due_ms, LATER + 3000);
	assert_string_equal(l.cursor, "label 17");
	v.wait_ms = HOUR;
	out = end_step(&l, &v, &facts);
	assert_int_equal(l.due_ms, LATER + 300000);
}

static void a_refused_protection_needs_an_operator(void **state)
{
	struct lease l = kept();
	struct lease_effects out = step(&l, LEASE_OP_RETAIN, LESSOR_REFUSED, to_protect());

	(void)state;
	assert_int_equal(l.cleanup, CLEANUP_RETAINED);
	assert_string_equal(l.attention,
			    "because; once that is fixed: lessor resolve cbx_0123456789ab retry");
	assert_int_equal(notes_of(&out, "lease.attention"), 1);
	assert_true(l.due_ms >= LATER + 150000);
	out = step(&l, LEASE_OP_RETAIN, LESSOR_REFUSED, to_protect());
	assert_int_equal(out.note_count, 0);
	assert_int_equal(l.tries, 2);
}

static void a_protection_that_fails_ten_times_needs_an_operator(void **state)
{
	struct lease l = kept();
	struct lease_effects out;

	(void)state;
	for (int i = 1; i < 10; i++) {
		out = step(&l, LEASE_OP_RETAIN, LESSOR_RETRY, to_protect());
		assert_int_equal(l.tries, i);
		assert_string_equal(l.attention, "");
		assert_string_equal(l.last_error, "because");
		assert_true(l.due_ms > LATER && l.due_ms <= LATER + 15 * 60000);
	}
	out = step(&l, LEASE_OP_RETAIN, LESSOR_RETRY, to_protect());
	assert_int_equal(l.attention_class, LESSOR_CLASS_TRANSIENT);
	assert_non_null(strstr(l.attention, "because"));
	assert_int_equal(notes_of(&out, "lease.attention"), 1);
	out = step(&l, LEASE_OP_RETAIN, LESSOR_RETRY, to_protect());
	assert_int_equal(out.note_count, 0);
	assert_int_equal(l.cleanup, CLEANUP_RETAINED);
}

static void nothing_is_left_to_protect(void **state)
{
	static const enum lease_op ops[] = { LEASE_OP_RETAIN, LEASE_OP_INSPECT };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
		struct lease l = kept();
		struct lease_effects out = step(&l, ops[i], LESSOR_RETRY,
						(struct lease_facts){ .now_ms = LATER });

		assert_int_equal(l.cleanup, CLEANUP_DONE);
		assert_int_equal(l.due_ms, 0);
		assert_int_equal(notes_of(&out, "lease.cleaned"), 1);
		/* A tick finds none, either, if the step's result is lost. */
		l = kept();
		out = tick(&l, (struct lease_facts){ .now_ms = LATER });
		assert_true(out.changed);
		assert_int_equal(l.cleanup, CLEANUP_DONE);
	}
}

/* An object that may be the resource exists, unverified. */
static void a_refused_look_needs_an_operator(void **state)
{
	struct lease l = kept();
	struct lease_facts facts = to_protect();
	struct lease_effects out;

	(void)state;
	facts.unsure = 1;
	out = step(&l, LEASE_OP_INSPECT, LESSOR_REFUSED, facts);
	assert_int_equal(notes_of(&out, "lease.attention"), 1);
	assert_true(l.attention[0] && l.due_ms >= LATER + 150000);
	assert_int_equal(l.cleanup, CLEANUP_RETAINED);
	out = step(&l, LEASE_OP_INSPECT, LESSOR_REFUSED, facts);
	assert_int_equal(out.note_count, 0);
	step(&l, LEASE_OP_INSPECT, LESSOR_RETRY, facts);
	assert_true(l.attention[0]);
	/* Found: protect it at once. */
	facts.unsure = 0;
	step(&l, LEASE_OP_INSPECT, LESSOR_DONE, facts);
	assert_string_equal(l.attention, "");
	assert_int_equal(l.due_ms, LATER);
}

/* An explicit delete while a step protects. */
static void a_late_protection_decides_nothing(void **state)
{
	struct lease l = kept();
	struct lease_facts facts = to_protect();
	struct lease_effects out = { 0 };
	struct lease_verdict v = { .op = LEASE_OP_RETAIN, .epoch = l.epoch, .verdict = LESSOR_REFUSED,
				   .reason = "because" };

	(void)state;
	release(&l, 1, facts);
	facts.now_ms += 5000;
	out = end_step(&l, &v, &facts);
	assert_int_equal(l.cleanup, CLEANUP_OWED);
	assert_string_equal(l.attention, "");
	assert_int_equal(l.due_ms, facts.now_ms);
	assert_int_equal(lifecycle_next(&l, &facts), LEASE_OP_CLEANUP);
	/* By its epoch it is stale, and the lease is not retained. */
	v.epoch = l.epoch;
	out = end_step(&l, &v, &facts);
	assert_false(out.changed);
}

static void a_lost_protection_is_made_again(void **state)
{
	struct lease l = kept(), before = owed();
	struct lease_facts facts = to_protect();
	struct lease_effects out = { 0 };

	(void)state;
	out = happen(&l, LEASE_EVENT_UNPROTECTED, facts);
	assert_true(out.changed);
	assert_int_equal(l.due_ms, LATER);
	assert_int_equal(notes_of(&out, "lease.unprotected"), 1);
	assert_int_equal(lifecycle_next(&l, &facts), LEASE_OP_RETAIN);
	l = before;
	out = happen(&l, LEASE_EVENT_UNPROTECTED, facts);
	assert_false(out.changed);
	assert_memory_equal(&l, &before, sizeof(l));
}

/* ---- until ------------------------------------------------------------------------------------- */

static void the_end_of_the_time_is_told_and_ends_nothing(void **state)
{
	struct lease l = kept();
	struct lease_facts facts = { .now_ms = LATER, .residue = 2, .billed = 1, .is_blind = 1 };
	struct lease_effects out = { 0 };

	(void)state;
	out = until(&l, LATER + TEN_DAYS, "evidence", facts);
	assert_int_equal(l.due_ms, LATER + TEN_DAYS);
	facts.now_ms = LATER + TEN_DAYS - 1;
	assert_false(tick(&l, facts).changed);
	facts.now_ms++;
	facts.is_clock_suspect = 1;
	assert_false(tick(&l, facts).changed);
	facts.is_clock_suspect = 0;
	out = tick(&l, facts);
	assert_int_equal(notes_of(&out, "lease.attention"), 1);
	assert_non_null(strstr(l.attention, "its retention period is over"));
	assert_int_equal(l.cleanup, CLEANUP_RETAINED);
	assert_int_equal(l.due_ms, 0);
	assert_false(tick(&l, facts).changed);
	/* A successful look-up or protection does not resolve it. */
	step(&l, LEASE_OP_RETAIN, LESSOR_DONE, facts);
	assert_true(l.attention[0]);
	/* Another end does. */
	out = until(&l, facts.now_ms + HOUR, "evidence", facts);
	assert_string_equal(l.attention, "");
	assert_int_equal(l.due_ms, facts.now_ms + HOUR);
}

static void only_what_is_kept_is_kept_until(void **state)
{
	struct lease_facts facts = { .now_ms = LATER, .residue = 2, .billed = 1 };
	struct lease_effects out = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lives); i++) {
		struct lease l = lives[i](), before = l;

		if (l.retained)
			continue;
		out = until(&l, LATER + HOUR, "evidence", facts);
		assert_memory_equal(&l, &before, sizeof(l));
	}
	struct lease l = kept();

	out = until(&l, LATER + HOUR, "evidence", facts);
	assert_true(out.changed);
	assert_int_equal(l.retain_until_ms, LATER + HOUR);
	assert_string_equal(l.retain_reason, "evidence");
	assert_int_equal(l.updated_ms, LATER);
	assert_int_equal(notes_of(&out, "lease.retain-until"), 1);
	/* A repetition is not recorded; another reason or end is. */
	out = until(&l, LATER + HOUR, "evidence", facts);
	assert_false(out.changed);
	out = until(&l, LATER + HOUR, "curiosity", facts);
	assert_true(out.changed);
	out = (struct lease_effects){ 0 };
	/* Omitted values stay unchanged. */
	assert_false(until(&l, 0, "curiosity", facts).changed);
	assert_false(until(&l, LATER + HOUR, "", facts).changed);
	assert_true(until(&l, LATER + 2 * HOUR, "", facts).changed);
	assert_string_equal(l.retain_reason, "curiosity");
	assert_int_equal(l.due_ms, LATER + 2 * HOUR);
	/* Attention for another reason stays. */
	lease_attention_set(&l, LESSOR_CLASS_CONFLICT, "why");
	out = until(&l, LATER + HOUR, "", facts);
	assert_true(l.attention[0]);
	/* Once it is gone, it is no longer retained. */
	step(&l, LEASE_OP_INSPECT, LESSOR_GONE, (struct lease_facts){ .now_ms = LATER });
	out = until(&l, LATER + TEN_DAYS, "", facts);
	assert_false(out.changed);
}

static void a_tick_brings_up_what_is_due(void **state)
{
	struct lease l = kept();
	struct lease_facts facts = { .now_ms = LATER, .residue = 2, .billed = 1 };

	(void)state;
	/* Made due by an upgrade, with nothing to do. */
	l.due_ms = 1;
	assert_true(tick(&l, facts).changed);
	assert_int_equal(l.due_ms, 0);
	/* It waits for its next try. */
	l.due_ms = LATER + 5000;
	facts.unprotected = facts.can_protect = 1;
	assert_false(tick(&l, facts).changed);
	assert_int_equal(l.due_ms, LATER + 5000);
}

/* ---- its end ----------------------------------------------------------------------------------- */

static void an_explicit_delete_is_a_new_goal(void **state)
{
	struct lease l = kept();
	struct lease_facts facts = to_protect();
	struct lease_effects out;
	int64_t epoch = l.epoch;

	(void)state;
	l.retain_until_ms = 1;
	facts.can_protect = 0;
	tick(&l, facts);
	assert_true(l.attention[0]);
	l.tries = l.breaches = 5;
	strcpy(l.cursor, "of the protection");
	strcpy(l.last_error, "of the protection");
	out = release(&l, 1, facts);
	assert_true(out.changed && out.goal_changed && out.unretain_rows);
	assert_false(out.retain_rows || out.raise_generation);
	assert_false(l.retained);
	assert_int_equal(l.epoch, epoch + 1);
	assert_int_equal(l.cleanup, CLEANUP_OWED);
	assert_int_equal(l.cleanup_started_ms, LATER);
	assert_int_equal(l.due_ms, LATER);
	assert_int_equal(l.tries + l.breaches, 0);
	assert_string_equal(l.cursor, "");
	assert_string_equal(l.last_error, "");
	/* The attention was resolved. */
	assert_string_equal(l.attention, "");
	assert_int_equal(notes_of(&out, "lease.delete"), 1);
}

/* Keep, delete, keep, delete: each has its own epoch and label. */
static void keep_and_delete_by_turns(void **state)
{
	struct lease l = kept();
	struct lease_facts facts = { .now_ms = LATER, .residue = 2, .billed = 1 };
	int64_t epoch = l.epoch;

	(void)state;
	until(&l, LATER + TEN_DAYS, "evidence", facts);
	for (int i = 0; i < 3; i++) {
		assert_true(release(&l, 1, facts).unretain_rows);
		assert_int_equal(l.epoch, ++epoch);
		assert_true(release(&l, 0, facts).retain_rows);
		assert_int_equal(l.epoch, ++epoch);
		assert_true(l.retained);
		/* End and reason of the previous retention do not apply. */
		assert_int_equal(l.retain_until_ms, 0);
		assert_string_equal(l.retain_reason, "");
	}
}

/*
 * ---- labels of a newer store
 * ---------------------------------------------------------------------
 */

static void kept_by_a_store_that_knew_more(void **state)
{
	struct lease_facts facts = to_protect();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lives); i++) {
		struct lease l = lives[i](), before = l;
		struct lease_effects out = { 0 };

		l.retain_until_ms = 1;
		strcpy(l.retain_reason, "of another time");
		out = happen(&l, LIFE_KEPT_ELSEWHERE, facts);
		assert_int_equal(l.retain_until_ms, 0);
		assert_string_equal(l.retain_reason, "");
		assert_true(out.changed && out.goal_changed && out.retain_rows);
		assert_true(l.retained);
		assert_int_equal(l.cleanup, CLEANUP_RETAINED);
		assert_int_equal(l.epoch, before.epoch + 1);
		/* An ended lease keeps its end. */
		assert_int_equal(l.state, lease_is_live(&before) ? LEASE_RELEASED : before.state);
		assert_int_equal(l.end_reason,
				 lease_is_live(&before) ? LEASE_END_RELEASED : before.end_reason);
		assert_int_equal(l.ended_ms, lease_is_live(&before) ? LATER : before.ended_ms);
		assert_int_equal(notes_of(&out, "lease.attention"), 1);
		assert_non_null(strstr(l.attention, "this store does not know"));
		assert_non_null(strstr(l.attention, "lessor release cbx_0123456789ab --delete"));
		assert_in_range(l.due_ms, LATER, LATER + 5000);
	}
}

/* Protecting it does not resolve the attention. */
static void what_another_store_kept_stays_in_attention_until_its_owner_decides(void **state)
{
	struct lease_facts facts = to_protect();

	(void)state;
	for (int is_delete = 0; is_delete < 2; is_delete++) {
		struct lease l = ready();

		happen(&l, LIFE_KEPT_ELSEWHERE, facts);
		facts.unprotected = 0;
		step(&l, LEASE_OP_RETAIN, LESSOR_DONE, facts);
		tick(&l, facts);
		assert_true(l.attention[0]);
		assert_int_equal(l.due_ms, 0);
		if (is_delete)
			release(&l, 1, facts);
		else
			until(&l, LATER + HOUR, "ours", facts);
		assert_string_equal(l.attention, "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_delete_while_a_delete_may_be_under_way),
		cmocka_unit_test(no_delete_when_the_machine_is_gone),
		cmocka_unit_test(no_delete_of_nothing),
		cmocka_unit_test(no_delete_of_what_was_just_found_to_be_gone),
		cmocka_unit_test(no_delete_is_a_new_goal_that_older_copies_must_not_miss),
		cmocka_unit_test(the_preset_decides_where_nothing_is_said),
		cmocka_unit_test(what_is_done_for_a_kept_lease),
		cmocka_unit_test(when_a_kept_lease_is_due),
		cmocka_unit_test(protection_begins_at_once),
		cmocka_unit_test(protected_is_what_the_ledger_says),
		cmocka_unit_test(a_pending_protection_goes_on_where_it_was),
		cmocka_unit_test(a_refused_protection_needs_an_operator),
		cmocka_unit_test(a_protection_that_fails_ten_times_needs_an_operator),
		cmocka_unit_test(nothing_is_left_to_protect),
		cmocka_unit_test(a_refused_look_needs_an_operator),
		cmocka_unit_test(a_late_protection_decides_nothing),
		cmocka_unit_test(a_lost_protection_is_made_again),
		cmocka_unit_test(the_end_of_the_time_is_told_and_ends_nothing),
		cmocka_unit_test(only_what_is_kept_is_kept_until),
		cmocka_unit_test(a_tick_brings_up_what_is_due),
		cmocka_unit_test(an_explicit_delete_is_a_new_goal),
		cmocka_unit_test(keep_and_delete_by_turns),
		cmocka_unit_test(kept_by_a_store_that_knew_more),
		cmocka_unit_test(what_another_store_kept_stays_in_attention_until_its_owner_decides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
