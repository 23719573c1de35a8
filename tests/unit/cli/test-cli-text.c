/* SPDX-License-Identifier: MIT */
/* A response must not send control sequences to the terminal. */
#include "cli/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void safe(const char *in, const char *want)
{
	char *out = text_safe(in);

	assert_string_equal(out, want);
	free(out);
}

static void controls_are_escaped(void **state)
{
	(void)state;
	safe("plain text", "plain text");
	safe("", "");
	safe(NULL, "");
	safe("\x1b[31mred", "\\x1b[31mred");
	safe("a\nb\rc\td\x7f\x01", "a\\nb\\rc\\td\\x7f\\x01");
	safe("\xc2\x9b" "2J", "\\u009b2J");		/* C1 CSI */
	safe("\xc2\x85", "\\u0085");			/* next line */
}

static void letters_stay(void **state)
{
	(void)state;
	safe("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\xa6\x80",
	     "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\xa6\x80");
}

static void broken_utf8_is_shown_as_bytes(void **state)
{
	(void)state;
	safe("\xff" "a", "\\xffa");
	safe("\xc0\x9b", "\\xc0\\x9b");			/* overlong ESC-like */
	safe("\xe2\x82", "\\xe2\\x82");			/* truncated */
	safe("\xed\xa0\x80", "\\xed\\xa0\\x80");	/* a surrogate */
}

static void reordering_is_shown(void **state)
{
	(void)state;
	safe("a\xe2\x80\xae" "b", "a\\u202eb");
	safe("\xe2\x81\xa6", "\\u2066");
	safe("\xe2\x80\xa8", "\\u2028");
}

static void a_line_is_escaped_as_a_whole(void **state)
{
	char text[128] = "";
	FILE *f = fmemopen(text, sizeof(text), "w");

	(void)state;
	assert_non_null(f);
	text_print(f, "x %s y", "\x1b]0;title\x07\nroot#");
	fclose(f);
	assert_string_equal(text, "x \\x1b]0;title\\x07\\nroot# y\n");
}

static void shell_words_are_quoted(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "/home/a/.ssh/id", "/home/a/.ssh/id" },
		{ "a b", "'a b'" },
		{ "it's", "'it'\\''s'" },
		{ "-oProxyCommand=x", "'-oProxyCommand=x'" },
		{ "$(id)", "'$(id)'" },
		{ "~/x", "'~/x'" },
		{ "", "''" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *out = text_shell(rows[i].in);

		assert_string_equal(out, rows[i].want);
		free(out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(controls_are_escaped),
		cmocka_unit_test(letters_stay),
		cmocka_unit_test(broken_utf8_is_shown_as_bytes),
		cmocka_unit_test(reordering_is_shown),
		cmocka_unit_test(a_line_is_escaped_as_a_whole),
		cmocka_unit_test(shell_words_are_quoted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
