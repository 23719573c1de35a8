/* SPDX-License-Identifier: MIT */
/*
 * Attention: refusals, cleanups that take too long and contract violations, and how each
 * ends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <lessor/provider.h>

#include "lease/attention.h"
#include "life.h"
#include "util/alloc.h"

#define MINUTE INT64_C(60000)
#define BEGAN (NOW + 60000) /* the cleanup of owed() starts */
#define TRIES_MOST 10
#define BREACHES_MOST 8

static struct lease_facts after(int64_t ms, int billed)
{
	return (struct lease_facts){ .now_ms = BEGAN + ms, .residue = 1, .billed = billed };
}

static int says(const struct lease *l, const char *text)
{
	return strstr(l->attention, text) != NULL;
}

/* ---- too long ------------------------------------------------------------------------- */

static void ten_failures_are_too_many(void **state)
{
	struct lease l = owed();
	struct lease_effects out;

	(void)state;
	for (int i = 1; i < TRIES_MOST; i++) {
		out = step(&l, LEASE_OP_CLEANUP, LESSOR_RETRY, after(i * 1000, 1));
		assert_int_equal(l.cleanup, CLEANUP_OWED);
		assert_string_equal(l.attention, "");
	}
	out = step(&l, LEASE_OP_CLEANUP, LESSOR_RETRY, after(2 * MINUTE, 1));
	assert_int_equal(l.cleanup, CLEANUP_ATTENTION);
	assert_true(says(&l, "cleanup not complete after 2 min: because"));
	assert_true(says(&l, "lessor resolve cbx_0123456789ab retry"));
	assert_int_equal(l.attention_class, LESSOR_CLASS_TRANSIENT);
	assert_int_equal(notes_of(&out, "lease.attention"), 1);
	/* The cleanup continues, and the timeline gets no second line. */
	assert_true(l.due_ms <= BEGAN + 2 * MINUTE + 15 * MINUTE);
	out = step(&l, LEASE_OP_CLEANUP, LESSOR_RETRY, after(3 * MINUTE, 1));
	assert_int_equal(notes_of(&out, "lease.attention"), 0);
	assert_true(says(&l, "after 2 min"));
}

static void u18_each_class_has_a_next_command(void **state)
{
	static const struct {
		uint32_t error_class;
		const char *action;
	} rows[] = {
		{ LESSOR_CLASS_NONE, "lessor release cbx_0123456789ab --delete" },
		{ LESSOR_CLASS_AUTH, "lessor providers" },
		{ LESSOR_CLASS_ACCOUNT, "lessor providers" },
		{ LESSOR_CLASS_PROTECTED, "lessor resolve cbx_0123456789ab retry" },
		{ LESSOR_CLASS_OWNERSHIP, "lessor resolve cbx_0123456789ab retry" },
		{ LESSOR_CLASS_BUG, "lessor resolve cbx_0123456789ab retry" },
		{ 4711, "lessor resolve cbx_0123456789ab retry" },
	};
	char action[ATTENTION_ACTION_SIZE];
	struct lease l = owed();

	(void)state;
	lease_attention_action(&l, action);
	assert_string_equal(action, "");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		lease_attention_set(&l, rows[i].error_class, "why");
		lease_attention_action(&l, action);
		assert_string_equal(action, rows[i].action);
		/* The text says the same, after the reason. */
		assert_true(says(&l, action));
		assert_memory_equal(l.attention, "why; ", 5);
	}
}

/* Whatever the verdict that finds it. */
static void too_long_ago(int verdict, int billed, int64_t micros, int64_t most_ms)
{
	struct lease l = owed();
	struct lease_effects out;

	l.price_hour_micros = micros;
	out = step(&l, LEASE_OP_CLEANUP, verdict, after(most_ms - 1000, billed));
	assert_int_equal(l.cleanup, CLEANUP_OWED);
	assert_string_equal(l.attention, "");
	out = step(&l, LEASE_OP_CLEANUP, verdict, after(most_ms, billed));
	assert_int_equal(l.cleanup, CLEANUP_ATTENTION);
	assert_true(says(&l, "cleanup not complete after"));
	assert_int_equal(notes_of(&out, "lease.attention"), 1);
}

static void an_hour_is_too_long_and_money_makes_it_shorter(void **state)
{
	static const int verdicts[] = { LESSOR_RETRY, LESSOR_PENDING };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(verdicts); i++) {
		too_long_ago(verdicts[i], 1, 0, HOUR);
		too_long_ago(verdicts[i], 1, 1000000, HOUR);
		too_long_ago(verdicts[i], 1, 2000000, HOUR / 2);
		too_long_ago(verdicts[i], 1, 60000000, MINUTE);
		/* Free resources may take a day, whatever the price of the lease. */
		too_long_ago(verdicts[i], 0, 0, 24 * HOUR);
		too_long_ago(verdicts[i], 0, 60000000, 24 * HOUR);
	}
}

static void what_is_free_may_fail_often(void **state)
{
	struct lease l = owed();

	(void)state;
	for (int i = 0; i < 10 * TRIES_MOST; i++)
		step(&l, LEASE_OP_CLEANUP, LESSOR_RETRY, after(i * 1000, 0));
	assert_int_equal(l.cleanup, CLEANUP_OWED);
	assert_string_equal(l.attention, "");
}

static void progress_does_not_end_what_took_too_long(void **state)
{
	struct lease l = owed();

	(void)state;
	step(&l, LEASE_OP_CLEANUP, LESSOR_PENDING, after(HOUR, 1));
	assert_int_equal(l.cleanup, CLEANUP_ATTENTION);
	for (int i = 0; i < 5; i++) {
		struct lease_effects out = step(&l, LEASE_OP_CLEANUP, LESSOR_PENDING,
						after(HOUR + i * 1000, 1));

		assert_int_equal(l.cleanup, CLEANUP_ATTENTION);
		assert_true(says(&l, "after 60 min"));
		assert_int_equal(out.note_count, 0);
	}
	/* Once only free resources are left, there is more time. */
	step(&l, LEASE_OP_CLEANUP, LESSOR_PENDING, after(HOUR + 6000, 0));
	assert_int_equal(l.cleanup, CLEANUP_OWED);
	assert_string_equal(l.attention, "");
}

static void the_end_ends_it(void **state)
{
	struct lease l = owed();

	(void)state;
	step(&l, LEASE_OP_CLEANUP, LESSOR_PENDING, after(HOUR, 1));
	step(&l, LEASE_OP_CLEANUP, LESSOR_RETRY, (struct lease_facts){ .now_ms = BEGAN + 2 * HOUR });
	assert_int_equal(l.cleanup, CLEANUP_DONE);
	assert_string_equal(l.attention, "");
	assert_string_equal(l.last_error, "");
	assert_int_equal(l.due_ms, 0);
}

static void an_operators_retry_begins_to_count_anew(void **state)
{
	struct lease l = owed();
	struct lease_facts facts = after(MINUTE, 1);

	(void)state;
	for (int i = 0; i < TRIES_MOST; i++)
		step(&l, LEASE_OP_CLEANUP, LESSOR_RETRY, facts);
	assert_int_equal(l.cleanup, CLEANUP_ATTENTION);
	happen(&l, LEASE_EVENT_RETRY, facts);
	assert_int_equal(l.tries, 0);
	assert_int_equal(l.due_ms, facts.now_ms);
	/* Progress clears attention again. */
	step(&l, LEASE_OP_CLEANUP, LESSOR_PENDING, facts);
	assert_int_equal(l.cleanup, CLEANUP_OWED);
	assert_string_equal(l.attention, "");
}

/* ---- refused ------------------------------------------------------------------------------ */

static void a_refusal_ends_when_it_moves_again(void **state)
{
	struct lease l = owed();
	struct lease_effects out = step(&l, LEASE_OP_CLEANUP, LESSOR_REFUSED, after(MINUTE, 1));

	(void)state;
	assert_int_equal(l.cleanup, CLEANUP_ATTENTION);
	assert_int_equal(notes_of(&out, "lease.attention"), 1);
	assert_true(l.due_ms >= BEGAN + MINUTE + 150000);
	/* A repetition is not recorded. */
	out = step(&l, LEASE_OP_CLEANUP, LESSOR_REFUSED, after(2 * MINUTE, 1));
	assert_int_equal(notes_of(&out, "lease.attention"), 0);
	/* A failure of another kind does not clear the refusal. */
	step(&l, LEASE_OP_CLEANUP, LESSOR_RETRY, after(3 * MINUTE, 1));
	assert_int_equal(l.cleanup, CLEANUP_ATTENTION);
	step(&l, LEASE_OP_CLEANUP, LESSOR_PENDING, after(4 * MINUTE, 1));
	assert_int_equal(l.cleanup, CLEANUP_OWED);
	assert_string_equal(l.attention, "");
	assert_string_equal(l.cursor, "c1");
}

static void who_deletes_again_has_it_looked_at_soon(void **state)
{
	struct lease l = owed();
	struct lease_effects out;

	(void)state;
	step(&l, LEASE_OP_CLEANUP, LESSOR_REFUSED, after(MINUTE, 1));
	out = release(&l, 1, after(MINUTE + 1000, 1));
	assert_int_equal(out.refusal, LEASE_REFUSAL_NONE);
	assert_true(out.changed);
	assert_int_equal(l.due_ms, after(MINUTE + 2000, 1).now_ms);
	/* A repeated request delays nothing. */
	release(&l, 1, after(MINUTE + 1500, 1));
	assert_int_equal(l.due_ms, after(MINUTE + 2000, 1).now_ms);
	/* Attention lasts until there is progress. */
	assert_int_equal(l.cleanup, CLEANUP_ATTENTION);
	assert_true(l.attention[0] != '\0');
}

static void each_class_says_what_to_do(void **state)
{
	static const struct {
		uint32_t error_class;
		const char *what;
	} rows[] = {
		{ LESSOR_CLASS_NONE, "lessor release cbx_0123456789ab --delete, or --keep-server" },
		{ LESSOR_CLASS_AUTH, "it resumes once the account is verified" },
		{ LESSOR_CLASS_ACCOUNT, "it resumes once the account is verified" },
		{ LESSOR_CLASS_PROTECTED, "remove its protection there, then: lessor resolve" },
		{ LESSOR_CLASS_OWNERSHIP, "retry, or forget --reason TEXT" },
		{ LESSOR_CLASS_CONFLICT, "retry, or forget --reason TEXT" },
		{ LESSOR_CLASS_BUG, "once that is fixed: lessor resolve" },
	};
	char reason[400], what[400];

	(void)state;
	memset(reason, 'x', sizeof(reason) - 1);
	reason[sizeof(reason) - 1] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct lease l = owed();

		assert_int_equal(lease_attention_set(&l, rows[i].error_class, "why"), 1);
		assert_int_equal(lease_attention_set(&l, rows[i].error_class, "why"), 0);
		assert_int_equal(l.attention_class, rows[i].error_class);
		assert_memory_equal(l.attention, "why; ", 5);
		assert_true(says(&l, rows[i].what));
		strcpy(what, l.attention + strlen("why"));
		/* The reason may be truncated, the action may not. */
		assert_int_equal(lease_attention_set(&l, rows[i].error_class, reason), 1);
		assert_int_equal(strlen(l.attention), sizeof(l.attention) - 1);
		assert_string_equal(l.attention + sizeof(l.attention) - 1 - strlen(what), what);
	}
}

/* ---- broken ------------------------------------------------------------------------------- */

static void breaches(struct lease *l, enum lease_op op, int count)
{
	for (int i = 0; i < count; i++) {
		int tries = l->tries;

		broken_step(l, op, LESSOR_RETRY, after(i * 100, 0));
		/* In addition to any other failure. */
		assert_int_equal(l->tries, tries + 1);
		assert_true(l->due_ms > BEGAN + i * 100);
	}
}

static void eight_breaches_in_a_row_are_no_accident(void **state)
{
	static const int verdicts[] = { LESSOR_RETRY, LESSOR_PENDING, LESSOR_GONE, LESSOR_DONE, 77 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(verdicts); i++) {
		struct lease l = owed();
		struct lease_effects out;

		breaches(&l, LEASE_OP_CLEANUP, BREACHES_MOST - 1);
		assert_int_equal(l.cleanup, CLEANUP_OWED);
		assert_string_equal(l.attention, "");
		out = broken_step(&l, LEASE_OP_CLEANUP, verdicts[i], after(MINUTE, 0));
		assert_int_equal(l.cleanup, CLEANUP_ATTENTION);
		assert_int_equal(l.attention_class, LESSOR_CLASS_BUG);
		assert_true(says(&l, "provider plugin violates its contract: because"));
		assert_int_equal(notes_of(&out, "lease.attention"), 1);
		assert_true(l.due_ms >= BEGAN + MINUTE + 150000);
		/* Further ones are retried slowly and not recorded. */
		out = broken_step(&l, LEASE_OP_CLEANUP, verdicts[i], after(2 * MINUTE, 0));
		assert_int_equal(out.note_count, 0);
		assert_true(l.due_ms >= BEGAN + 2 * MINUTE + 150000);
	}
}

static void a_step_that_keeps_the_contract_begins_anew(void **state)
{
	struct lease l = owed();

	(void)state;
	for (int i = 0; i < 3; i++) {
		breaches(&l, LEASE_OP_CLEANUP, BREACHES_MOST - 1);
		step(&l, LEASE_OP_CLEANUP, LESSOR_RETRY, after(i, 0));
		assert_int_equal(l.breaches, 0);
		assert_int_equal(l.cleanup, CLEANUP_OWED);
	}
	breaches(&l, LEASE_OP_CLEANUP, BREACHES_MOST);
	assert_int_equal(l.cleanup, CLEANUP_ATTENTION);
	step(&l, LEASE_OP_CLEANUP, LESSOR_PENDING, after(MINUTE, 0));
	assert_int_equal(l.cleanup, CLEANUP_OWED);
	assert_string_equal(l.attention, "");
}

/* Despite the violations, nothing is left. */
static void a_breach_does_not_keep_what_is_gone(void **state)
{
	struct lease l = owed();

	(void)state;
	breaches(&l, LEASE_OP_CLEANUP, BREACHES_MOST);
	broken_step(&l, LEASE_OP_CLEANUP, LESSOR_GONE, (struct lease_facts){ .now_ms = BEGAN + HOUR });
	assert_int_equal(l.cleanup, CLEANUP_DONE);
	assert_string_equal(l.attention, "");
}

/* A retained lease stays retained; one line in the timeline. */
static void breaches_of_what_looks_or_protects(void **state)
{
	static const enum lease_op ops[] = { LEASE_OP_INSPECT, LEASE_OP_RETAIN };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
		struct lease l = kept();
		struct lease_facts facts = after(MINUTE, 1);
		struct lease_effects out;

		facts.unsure = facts.unprotected = 1;
		for (int k = 1; k < BREACHES_MOST; k++) {
			broken_step(&l, ops[i], LESSOR_RETRY, facts);
			assert_string_equal(l.attention, "");
		}
		out = broken_step(&l, ops[i], LESSOR_RETRY, facts);
		assert_true(says(&l, "provider plugin violates its contract"));
		assert_int_equal(notes_of(&out, "lease.attention"), 1);
		assert_int_equal(l.cleanup, CLEANUP_RETAINED);
		assert_true(l.due_ms >= facts.now_ms + 150000);
		out = broken_step(&l, ops[i], LESSOR_RETRY, facts);
		assert_int_equal(out.note_count, 0);
		/* A correct step clears it. */
		facts.unsure = facts.unprotected = 0;
		step(&l, ops[i], LESSOR_DONE, facts);
		assert_string_equal(l.attention, "");
		assert_int_equal(l.breaches, 0);
	}
}

/* The violations belonged to another goal. */
static void a_new_goal_counts_its_own_breaches(void **state)
{
	struct lease l = owed();
	struct lease_facts facts = after(MINUTE, 1);

	(void)state;
	breaches(&l, LEASE_OP_CLEANUP, BREACHES_MOST - 1);
	release(&l, 0, facts);
	assert_true(l.retained);
	facts.unprotected = 1;
	broken_step(&l, LEASE_OP_RETAIN, LESSOR_RETRY, facts);
	assert_string_equal(l.attention, "");
	for (int i = 2; i < BREACHES_MOST; i++)
		broken_step(&l, LEASE_OP_RETAIN, LESSOR_RETRY, facts);
	release(&l, 1, facts);
	assert_int_equal(l.cleanup, CLEANUP_OWED);
	broken_step(&l, LEASE_OP_CLEANUP, LESSOR_RETRY, facts);
	assert_string_equal(l.attention, "");
}

static struct lease refused(void)
{
	struct lease l = owed();

	step(&l, LEASE_OP_CLEANUP, LESSOR_REFUSED, after(0, 1));
	assert_int_equal(l.cleanup, CLEANUP_ATTENTION);
	return l;
}

/* ---- the account --------------------------------------------------------------------------- */

static void what_waits_for_its_account_goes_on_with_it(void **state)
{
	struct lease l = owed();
	struct lease_facts facts = after(MINUTE, 1);
	struct lease_effects out = { 0 };

	(void)state;
	out = happen(&l, LEASE_EVENT_BLOCKED, facts);
	assert_int_equal(notes_of(&out, "lease.attention"), 1);
	assert_true(says(&l, "account hetzner is blocked"));
	/* Independent of the state: cleanup stays owed. */
	assert_int_equal(l.cleanup, CLEANUP_OWED);
	out = happen(&l, LEASE_EVENT_BLOCKED, facts);
	assert_false(out.changed);
	l.due_ms = BEGAN + HOUR;
	out = happen(&l, LEASE_EVENT_UNBLOCKED, facts);
	assert_string_equal(l.attention, "");
	assert_int_equal(l.due_ms, facts.now_ms);
	/* A lease with nothing to do is unchanged. */
	out = happen(&l, LEASE_EVENT_UNBLOCKED, facts);
	assert_false(out.changed);
}

/* A running step sets the due time itself; a retained lease keeps its due time. */
static void what_goes_on_is_due_as_it_was(void **state)
{
	struct lease l = owed();
	struct lease_facts facts = after(MINUTE, 1);
	struct lease_effects out = { 0 };

	(void)state;
	l.tries = 3;
	out = happen(&l, LEASE_EVENT_BLOCKED, facts);
	l.due_ms = BEGAN + HOUR;
	facts.running = 1;
	out = happen(&l, LEASE_EVENT_UNBLOCKED, facts);
	assert_true(out.changed);
	assert_int_equal(notes_of(&out, "lease.unblocked"), 1);
	assert_int_equal(l.due_ms, BEGAN + HOUR);
	assert_int_equal(l.tries, 0);
	l = kept();
	l.due_ms = BEGAN + HOUR;
	facts.running = 0;
	lease_attention_set(&l, LESSOR_CLASS_ACCOUNT, "why");
	out = happen(&l, LEASE_EVENT_UNBLOCKED, facts);
	assert_int_equal(l.due_ms, 0);
	assert_string_equal(l.attention, "");
	/* Attention raised by a step because of its account stays until a step succeeds. */
	l = refused();
	lease_attention_set(&l, LESSOR_CLASS_AUTH, "why");
	out = happen(&l, LEASE_EVENT_UNBLOCKED, facts);
	assert_true(says(&l, "why"));
	assert_int_equal(l.due_ms, facts.now_ms);
	/* Attention for other reasons still waits for an operator. */
	l = refused();
	l.due_ms = BEGAN + HOUR;
	out = happen(&l, LEASE_EVENT_UNBLOCKED, facts);
	assert_int_equal(l.due_ms, BEGAN + HOUR);
}

static void only_what_goes_on_is_tried_again(void **state)
{
	struct lease l = ready(), before = l;
	struct lease_facts facts = after(MINUTE, 1);
	struct lease_effects out = { 0 };

	(void)state;
	out = happen(&l, LEASE_EVENT_RETRY, facts);
	assert_int_equal(out.refusal, LEASE_REFUSAL_NOTHING_TO_RETRY);
	assert_memory_equal(&l, &before, sizeof(l));
	l = kept();
	out = happen(&l, LEASE_EVENT_RETRY, facts);
	assert_int_equal(out.refusal, LEASE_REFUSAL_NOTHING_TO_RETRY);
	facts.unprotected = facts.can_protect = 1;
	out = happen(&l, LEASE_EVENT_RETRY, facts);
	assert_int_equal(out.refusal, LEASE_REFUSAL_NONE);
	assert_true(out.changed);
	assert_int_equal(l.due_ms, facts.now_ms);
}

static void what_wants_nothing_is_not_blocked(void **state)
{
	struct lease l = ready();
	struct lease_facts facts = after(MINUTE, 1);
	struct lease_effects out = { 0 };

	(void)state;
	out = happen(&l, LEASE_EVENT_BLOCKED, facts);
	assert_false(out.changed);
	l = kept();
	out = happen(&l, LEASE_EVENT_BLOCKED, facts);
	assert_false(out.changed);
	/* Except if protection is pending. */
	facts.unprotected = facts.can_protect = 1;
	out = happen(&l, LEASE_EVENT_BLOCKED, facts);
	assert_true(out.changed);
}

/*
 * ---- found and disowned resources
 * -----------------------------------------------------------
 */

static void what_turns_up_is_owed_or_kept(void **state)
{
	struct lease_facts facts = { .now_ms = BEGAN + MINUTE, .residue = 1, .billed = 1 };
	struct lease l = owed();
	struct lease_effects out = { 0 };

	(void)state;
	step(&l, LEASE_OP_CLEANUP, LESSOR_GONE, (struct lease_facts){ .now_ms = NOW + 61000 });
	assert_int_equal(l.cleanup, CLEANUP_DONE);
	out = happen(&l, LIFE_FOUND, facts);
	assert_true(out.changed && out.goal_changed);
	assert_int_equal(l.cleanup, CLEANUP_OWED);
	assert_int_equal(l.cleanup_started_ms, BEGAN + MINUTE);
	assert_int_equal(l.due_ms, BEGAN + MINUTE);
	/* A cleanup in progress keeps its start time. */
	l = refused();
	out = happen(&l, LIFE_FOUND, facts);
	assert_int_equal(l.cleanup, CLEANUP_OWED);
	assert_int_equal(l.cleanup_started_ms, BEGAN);
	assert_string_equal(l.attention, "");
	l = kept();
	step(&l, LEASE_OP_INSPECT, LESSOR_GONE, (struct lease_facts){ .now_ms = NOW + 61000 });
	assert_int_equal(l.cleanup, CLEANUP_DONE);
	facts.unprotected = facts.can_protect = 1;
	out = happen(&l, LIFE_FOUND, facts);
	assert_true(l.retained);
	assert_int_equal(l.cleanup, CLEANUP_RETAINED);
	assert_int_equal(l.due_ms, facts.now_ms);
}

static void what_was_forgotten_is_nobodys(void **state)
{
	struct lease_facts facts = { .now_ms = BEGAN + MINUTE };
	struct lease_effects out = { 0 };
	struct lease l = refused();

	(void)state;
	out = happen(&l, LIFE_FORGOTTEN, facts);
	assert_true(out.goal_changed);
	assert_int_equal(notes_of(&out, "lease.forgotten"), 1);
	assert_int_equal(l.cleanup, CLEANUP_DONE);
	assert_int_equal(l.due_ms, 0);
	assert_string_equal(l.attention, "");
	/* A running step may still report a resource. */
	l = refused();
	facts.running = 1;
	out = happen(&l, LIFE_FORGOTTEN, facts);
	assert_int_equal(l.cleanup, CLEANUP_OWED);
	assert_int_equal(l.due_ms, BEGAN + MINUTE);
	l = kept();
	facts = (struct lease_facts){ .now_ms = BEGAN + MINUTE, .residue = 1 };
	l.due_ms = BEGAN + HOUR;
	out = happen(&l, LIFE_FORGOTTEN, facts);
	assert_int_equal(l.cleanup, CLEANUP_RETAINED);
	assert_int_equal(l.due_ms, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ten_failures_are_too_many),
		cmocka_unit_test(u18_each_class_has_a_next_command),
		cmocka_unit_test(an_hour_is_too_long_and_money_makes_it_shorter),
		cmocka_unit_test(what_is_free_may_fail_often),
		cmocka_unit_test(progress_does_not_end_what_took_too_long),
		cmocka_unit_test(the_end_ends_it),
		cmocka_unit_test(an_operators_retry_begins_to_count_anew),
		cmocka_unit_test(a_refusal_ends_when_it_moves_again),
		cmocka_unit_test(who_deletes_again_has_it_looked_at_soon),
		cmocka_unit_test(each_class_says_what_to_do),
		cmocka_unit_test(eight_breaches_in_a_row_are_no_accident),
		cmocka_unit_test(a_step_that_keeps_the_contract_begins_anew),
		cmocka_unit_test(a_breach_does_not_keep_what_is_gone),
		cmocka_unit_test(breaches_of_what_looks_or_protects),
		cmocka_unit_test(a_new_goal_counts_its_own_breaches),
		cmocka_unit_test(what_waits_for_its_account_goes_on_with_it),
		cmocka_unit_test(what_goes_on_is_due_as_it_was),
		cmocka_unit_test(only_what_goes_on_is_tried_again),
		cmocka_unit_test(what_wants_nothing_is_not_blocked),
		cmocka_unit_test(what_turns_up_is_owed_or_kept),
		cmocka_unit_test(what_was_forgotten_is_nobodys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
