/* SPDX-License-Identifier: MIT */
#include "stage.h"

#include <string.h>

#include "sim/label.h"
#include "sim/query.h"

static void keys_and_values_have_a_grammar(void **state)
{
	char longest[65];

	(void)state;
	memset(longest, 'a', sizeof(longest));
	longest[63] = '\0';
	assert_true(label_key_is_valid("a"));
	assert_true(label_key_is_valid("a-b_c.d"));
	assert_true(label_key_is_valid("example.com/name"));
	assert_true(label_key_is_valid(longest));
	assert_true(label_value_is_valid(""));
	assert_true(label_value_is_valid("20261123T070000Z"));
	assert_true(label_value_is_valid(longest));
	longest[63] = 'a';
	longest[64] = '\0';
	assert_false(label_key_is_valid(longest));
	assert_false(label_value_is_valid(longest));
	assert_false(label_key_is_valid(""));
	assert_false(label_key_is_valid("-a"));
	assert_false(label_key_is_valid("a."));
	assert_false(label_key_is_valid("/a"));
	assert_false(label_key_is_valid("a/"));
	assert_false(label_key_is_valid("hetzner.cloud/x"));
	assert_false(label_value_is_valid("a:b"));
	assert_false(label_value_is_valid("a@b"));
	assert_false(label_value_is_valid("a/b"));
	assert_false(label_value_is_valid("a+b"));
	assert_false(label_value_is_valid("a b"));
	assert_false(label_value_is_valid("a-"));
}

static void selectors_pick(void **state)
{
	static const struct {
		const char *text;
		int picks;
	} cases[] = {
		{ "", 1 }, { "env", 1 }, { "!env", 0 }, { "nope", 0 }, { "!nope", 1 },
		{ "env=test", 1 }, { "env==test", 1 }, { "env=prod", 0 }, { "env=", 0 },
		{ "env!=test", 0 }, { "env!=prod", 1 }, { "nope!=x", 1 },
		{ "env in (prod,test)", 1 }, { "env in ( prod )", 0 }, { "env in(test)", 1 },
		{ "env notin (prod)", 1 }, { "env notin (test,x)", 0 }, { "nope notin (x)", 1 },
		{ "env=test,tier=1", 1 }, { "env=test , tier=2", 0 }, { "in=x", 0 },
		{ "example.com/a=b", 1 }, { "empty=", 1 }, { "empty", 1 },
	};
	struct labels labels = { 0 };

	(void)state;
	labels_put(&labels, "env", "test");
	labels_put(&labels, "tier", "1");
	labels_put(&labels, "example.com/a", "b");
	labels_put(&labels, "empty", "");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct selector *selector = selector_parse(cases[i].text, NULL);

		assert_non_null(selector);
		if (selector_matches(selector, &labels) != cases[i].picks)
			fail_msg("'%s'", cases[i].text);
		selector_free(selector);
	}
	labels_fini(&labels);
}

static void bad_selectors_are_refused(void **state)
{
	static const char *const bad[] = {
		"=a", "a=b=c", "a b", "a,", ",a", "a,,b", "a in b", "a in (b", "a in (b c)", "!",
		"a=b:c", "a=b@c", "a in", "(a)", "a notin", "-a=b",
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct selector *selector = selector_parse(bad[i], &err);

		if (selector)
			fail_msg("'%s' was taken", bad[i]);
		assert_non_null(strstr(err.text, "invalid label_selector: "));
	}
	assert_null(selector_parse("a=b c", &err));
	assert_string_equal(err.text, "invalid label_selector: expected comma at pos 4");
}

static void queries_are_decoded(void **state)
{
	struct query q;

	(void)state;
	query_parse("/v1/a%20b?x=1&x=%32&y=a+b%2Bc&z&bad=%zz&nul=%00#frag", &q);
	assert_string_equal(q.path, "/v1/a b");
	assert_true(query_has(&q, "x", "1"));
	assert_true(query_has(&q, "x", "2"));
	assert_string_equal(query_get(&q, "y"), "a b+c");
	assert_string_equal(query_get(&q, "z"), "");
	assert_string_equal(query_get(&q, "bad"), "%zz");
	assert_string_equal(query_get(&q, "nul"), "%00");
	assert_int_equal(query_get_int(&q, "x", 7), 1);
	assert_int_equal(query_get_int(&q, "none", 7), 7);
	assert_int_equal(query_get_int(&q, "bad", 7), -1);
	query_fini(&q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_and_values_have_a_grammar),
		cmocka_unit_test(selectors_pick),
		cmocka_unit_test(bad_selectors_are_refused),
		cmocka_unit_test(queries_are_decoded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
