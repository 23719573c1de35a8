/* SPDX-License-Identifier: MIT */
#include "cli/wrap.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void check(const char *text, size_t width, size_t indent, const char *want)
{
	char *got = wrap_words(text, width, indent);

	assert_string_equal(got, want);
	free(got);
}

static void u9_lines_break_between_words(void **state)
{
	(void)state;
	check("", 10, 0, "");
	check("a b", 10, 0, "a b");
	check("one two three", 7, 0, "one two\nthree");
	check("one two three", 8, 2, "one two\n  three");
	check("one  two", 8, 0, "one  two"); /* what fits stays as it is */
	check("one  two", 7, 0, "one\ntwo");
	check("longer-than-that it", 5, 0, "longer-than-that\nit");
	check("ab longer-than-that", 5, 2, "ab\n  longer-than-that");
	check("a longer-than-that", 5, 2, "a longer-than-that"); /* there is nothing to gain */
	check("   first", 20, 0, "   first");
	check("x ", 1, 0, "x ");
}

static void columns_are_those_of_the_terminal(void **state)
{
	(void)state;
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		skip();
	assert_int_equal(wrap_columns("größer"), 6);
	assert_int_equal(wrap_columns("漢字"), 4);
	assert_int_equal(wrap_columns("e\xcc\x81"), 1); /* a combining accent */
	assert_int_equal(wrap_columns("\xff\xfe"), 2);	/* not UTF-8 */
	assert_int_equal(wrap_longest_word("  größer als"), 6);
	assert_int_equal(wrap_longest_word(""), 0);
	check("größer größer", 6, 0, "größer\ngrößer");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(u9_lines_break_between_words),
		cmocka_unit_test(columns_are_those_of_the_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
