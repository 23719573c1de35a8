/* SPDX-License-Identifier: MIT */
#include "util/argv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static int json, wait_seen, help_seen;
static const char *file, *length;
static struct err err;

static const struct argv_option options[] = {
	{ "json", ARGV_FLAG, .seen = &json },
	{ "token-file", ARGV_VALUE, .value = &file },
	{ "wait", ARGV_OPTIONAL, .seen = &wait_seen, .value = &length },
	{ 0 },
};
static const struct argv_option common[] = {
	{ "token", ARGV_REFUSED, .why = "use LESSOR_TOKEN" },
	{ "help", ARGV_FLAG, .seen = &help_seen },
	{ "wait-not", ARGV_FLAG, .seen = &wait_seen, .mark = 5 },
	{ 0 },
};

static int abbreviations;

static int parse(const char **words, int max, int *count, int argc, ...)
{
	const struct argv_syntax syntax = {
		.options = options,
		.common = common,
		.abbreviations = abbreviations,
		.words_max = max,
	};
	char *argv[8];
	va_list ap;

	json = wait_seen = help_seen = 0;
	file = length = NULL;
	err = (struct err){ 0 };
	va_start(ap, argc);
	for (int i = 0; i < argc; i++)
		argv[i] = va_arg(ap, char *);
	va_end(ap);
	return argv_parse(&syntax, argc, argv, words, count, &err);
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
	/* an optional value needs '=' */
	assert_int_equal(parse(words, 2, &count, 2, "--wait", "ref"), 2);
	assert_int_equal(wait_seen, 1);
	assert_null(length);
	assert_string_equal(words[0], "ref");
	assert_int_equal(parse(words, 2, &count, 3, "--", "--json", "-"), 3);
	assert_int_equal(json, 0);
	assert_string_equal(words[0], "--json");
	/* up to the first word */
	assert_int_equal(parse(NULL, ARGV_FIRST_WORD, NULL, 3, "--json", "list", "--bad"), 1);
	/* the last one wins */
	assert_int_equal(parse(NULL, 0, NULL, 3, "--token-file=a", "--token-file", "-b"), 3);
	assert_string_equal(file, "-b");
	assert_int_equal(parse(NULL, 0, NULL, 1, "-h"), 1);
	assert_int_equal(help_seen, 1);
	assert_int_equal(parse(NULL, 0, NULL, 2, "--wait", "--wait-not"), 2);
	assert_int_equal(wait_seen, 5);
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
	assert_int_equal(parse(words, 1, &count, 1, "--=x"), -1);
	assert_int_equal(parse(NULL, 0, NULL, 1, "a"), -1);
	assert_non_null(strstr(err.text, "unexpected argument 'a'"));
	assert_int_equal(parse(NULL, 0, NULL, 1, "--no-such"), -1);
	assert_string_equal(err.text, "unknown option --no-such; the options are --json, "
				      "--token-file, --wait, --help, --wait-not");
}

static void abbreviated(void **state)
{
	(void)state;
	abbreviations = 1;
	assert_int_equal(parse(NULL, 0, NULL, 2, "--js", "--tok=f"), 2);
	assert_int_equal(json, 1);
	assert_string_equal(file, "f");
	/* a complete name that is also an abbreviation of another one */
	assert_int_equal(parse(NULL, 0, NULL, 1, "--wait=1s"), 1);
	assert_string_equal(length, "1s");
	assert_int_equal(parse(NULL, 0, NULL, 1, "--wai"), -1);
	assert_int_equal(parse(NULL, 0, NULL, 1, "--token=s3cret"), -1);
	assert_int_equal(parse(NULL, 0, NULL, 1, "--"), 1);
	abbreviations = 0;
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
		cmocka_unit_test(abbreviated),
		cmocka_unit_test(a_token_is_not_repeated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
