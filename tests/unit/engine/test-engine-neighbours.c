/* SPDX-License-Identifier: MIT */
/* Accounts in which another instance has a sentinel: nothing begins there before an operator agrees. */
#include "engine/internal.h"
#include "fixture.h"
#include "util/text.h"

static const struct core_account *account(void)
{
	return &w.d.core->accounts[0];
}

static int is_fenced(void)
{
	return account_is_fenced(account()->account);
}

/* An account that the core has just opened, with these instances in it; NULL: no more. */
static void open_with(const char *first, const char *second, const char *third)
{
	const char *const all[] = { first, second, third };

	w.neighbour_count = 0;
	for (int i = 0; i < 3 && all[i]; i++)
		w.neighbours[w.neighbour_count++] = all[i];
	w.probes = 0;
	world_restart(&w, NULL);
	world_settle(&w);
}

static enum request_result take_over(enum token_role role)
{
	struct asked a = { 0 };

	a.request.kind = REQUEST_ACCOUNT;
	a.request.caller.role = role;
	strcpy(a.request.expected_account, "toy");
	world_ask(&w, &a);
	assert_int_equal(a.answered, 1);
	return a.request.result;
}

static void is_blocked_by(const char *text)
{
	char why[256];

	assert_true(is_fenced());
	assert_true(account_is_blocked(account()->account, why, sizeof(why)));
	if (!strstr(why, text))
		fail_msg("'%s' does not contain '%s'", why, text);
	/* It is not even probed: a probe may create a sentinel. */
	assert_int_equal(w.probes, 0);
}

static void nothing_is_created(void)
{
	struct asked a = { 0 };

	world_create(&w, &a, ID);
	world_pass(&w, HOUR);
	assert_int_equal(w.made, 0);
	assert_int_equal(w.probes, 0);
}

static void c5_an_account_with_another_instance_is_blocked(void **state)
{
	(void)state;
	open_with("someother", NULL, NULL);
	is_blocked_by("another lessord database (instance someother) uses it");
	nothing_is_created();
	/* A restart changes nothing. */
	open_with("someother", NULL, NULL);
	is_blocked_by("someother");
}

static void c5_several_are_all_counted(void **state)
{
	(void)state;
	open_with("one", "two", "three");
	is_blocked_by("3 other lessord databases (instances one, two, ...)");
}

static void c5_what_cannot_be_an_instance_is_ignored(void **state)
{
	char own[sizeof(w.d.core->signer.instance)];

	(void)state;
	open_with("No.Instance", "", "a0123456789012345678901234567890123456789");
	assert_false(is_fenced());
	assert_int_equal(w.probes, 1);
	TEXT_SET(own, w.d.core->signer.instance);
	open_with(own, NULL, NULL);
	assert_false(is_fenced());
}

static void c5_the_operators_word_is_kept(void **state)
{
	(void)state;
	open_with("one", "two", NULL);
	assert_int_equal(take_over(TOKEN_READER), RESULT_FORBIDDEN);
	assert_true(is_fenced());
	assert_int_equal(take_over(TOKEN_ADMIN), RESULT_OK);
	assert_false(is_fenced());
	world_settle(&w);
	assert_int_equal(w.probes, 1);
	create_ready(ID);
	/* The toy never makes a sentinel, so that each start lists them. */
	for (int i = 0; i < 2; i++) {
		open_with("one", "two", NULL);
		assert_false(is_fenced());
		assert_int_equal(w.probes, 1);
	}
	/* It was about these, not about another one. */
	open_with("two", "three", "one");
	is_blocked_by("another lessord database (instance three)");
}

/* Before the first list of this process: the word counts for what the last one found. */
static void c5_the_word_may_come_right_after_a_restart(void **state)
{
	(void)state;
	open_with("one", NULL, NULL);
	world_restart(&w, NULL);
	assert_true(is_fenced());
	assert_int_equal(take_over(TOKEN_ADMIN), RESULT_OK);
	world_settle(&w);
	assert_false(is_fenced());
	assert_int_equal(w.probes, 1);
}

static void c5_an_account_is_listed_once_until_its_probe(void **state)
{
	int lists;

	(void)state;
	open_with(NULL, NULL, NULL);
	lists = w.sentinel_lists;
	world_pass(&w, HOUR);
	assert_int_equal(w.sentinel_lists, lists);
	assert_true(w.probes > 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(c5_an_account_with_another_instance_is_blocked),
		TEST(c5_several_are_all_counted),
		TEST(c5_what_cannot_be_an_instance_is_ignored),
		TEST(c5_the_operators_word_is_kept),
		TEST(c5_the_word_may_come_right_after_a_restart),
		TEST(c5_an_account_is_listed_once_until_its_probe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
