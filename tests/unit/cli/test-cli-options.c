/* SPDX-License-Identifier: MIT */
#include "cli/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static int json, wait_seen;
static const char *file, *length;
static struct err err;

static const struct option_spec specs[] = {
	{ "json", OPTION_FLAG, &json, NULL },
	{ "token-file", OPTION_VALUE, NULL, &file },
	{ "wait", OPTION_MAYBE, &wait_seen, &length },
	{ 0 },
};

static int parse(const char **words, int max, int *count, int argc, ...)
{
	char *argv[8];
	va_list ap;

	json = wait_seen = 0;
	file = length = NULL;
	err = (struct err){ 0 };
	va_start(ap, argc);
	for (int i = 0; i < argc; i++)
		argv[i] = va_arg(ap, char *);
	va_end(ap);
	return options_parse(specs, NULL, argc, argv, words, max, count, &err);
}

static void forms(void **state)
{
	const char *words[2];
	int count;

	(void)state;
	assert_int_equal(parse(words, 2, &count, 5, "a", "--json", "--token-file", "f", "b"), 5);
	assert_int_equal(count, 2);
	assert_string_equal(words[1], "b");
	assert_int_equal(json, 1);
	assert_string_equal(file, "f");
	assert_int_equal(parse(words, 2, &count, 2, "--token-file=x=y", "--wait=3m"), 2);
	assert_string_equal(file, "x=y");
	assert_string_equal(length, "3m");
	/* an optional value is only taken with '=' */
	assert_int_equal(parse(words, 2, &count, 2, "--wait", "ref"), 2);
	assert_int_equal(wait_seen, 1);
	assert_null(length);
	assert_string_equal(words[0], "ref");
	assert_int_equal(parse(words, 2, &count, 3, "--", "--json", "-"), 3);
	assert_int_equal(json, 0);
	assert_string_equal(words[0], "--json");
	/* up to the first word */
	assert_int_equal(parse(NULL, 0, NULL, 3, "--json", "list", "--bad"), 1);
}

static void refusals(void **state)
{
	const char *words[1];
	int count;

	(void)state;
	assert_int_equal(parse(words, 1, &count, 2, "a", "b"), -1);
	assert_int_equal(parse(words, 1, &count, 1, "--json=1"), -1);
	assert_int_equal(parse(words, 1, &count, 1, "--token-file"), -1);
	assert_int_equal(parse(words, 1, &count, 2, "--token-file", "--json"), -1);
	assert_int_equal(parse(words, 1, &count, 1, "--token-file="), -1);
	assert_int_equal(parse(words, 1, &count, 1, "-j"), -1);
	assert_int_equal(parse(words, 1, &count, 1, "--js"), -1);
}

static void a_token_is_not_repeated(void **state)
{
	const char *words[1];
	int count;

	(void)state;
	assert_int_equal(parse(words, 1, &count, 1, "--token=s3cret"), -1);
	assert_null(strstr(err.text, "s3cret"));
	assert_non_null(strstr(err.text, "LESSOR_TOKEN"));
	assert_null(file);
	assert_int_equal(parse(words, 1, &count, 2, "--token", "s3cret"), -1);
	assert_null(strstr(err.text, "s3cret"));
	assert_int_equal(parse(words, 1, &count, 1, "--tok=s3cret"), -1);
	assert_null(strstr(err.text, "s3cret"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms),
		cmocka_unit_test(refusals),
		cmocka_unit_test(a_token_is_not_repeated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
