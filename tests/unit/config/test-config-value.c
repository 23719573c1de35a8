/* SPDX-License-Identifier: MIT */
#include "config/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void numbers(void **state)
{
	static const char *const bad[] = { "", "-1", "+1", "1 ", " 1", "1.0", "0x10", "11", "one",
					   "99999999999999999999" };
	struct err err = { 0 };
	int64_t n = 7;

	(void)state;
	assert_int_equal(value_int("10", 0, 10, &n, &err), 0);
	assert_int_equal(n, 10);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(value_int(bad[i], 0, 10, &n, &err), -1);
		assert_non_null(strstr(err.text, "from 0 to 10"));
	}
	assert_int_equal(n, 10);
}

static void money(void **state)
{
	static const struct { const char *text; int64_t micros; } good[] = {
		{ "0", 0 }, { "12", 12000000 }, { "12.5", 12500000 }, { "0.004321", 4321 }, { "1.08", 1080000 },
	};
	static const char *const bad[] = { "", ".5", "1.", "1.0000001", "-1", "1,5", "1e3", "9999999999999999" };
	struct err err = { 0 };
	int64_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(value_money(good[i].text, &n, &err), 0);
		assert_int_equal(n, good[i].micros);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(value_money(bad[i], &n, &err), -1);
}

static void listeners(void **state)
{
	static const char *const bad[] = { "", "8480", ":8480", "localhost:8480", "127.0.0.1", "127.0.0.1:",
		"127.0.0.1:65536", "127.0.0.1:-1", "127.1:80", "::1:8480", "[::1]", "[::1:8480", "[]:1",
		"[127.0.0.1]:1", "*:8480", "unix:", "unix:relative", "unix:/a/../b", "0:80", "127.0.0.1:80x" };
	struct config_listen l;
	struct err err = { 0 };
	char path[200] = "unix:/";

	(void)state;
	assert_int_equal(value_listen("127.0.0.1:8480", &l, &err), 0);
	assert_true(l.family == CONFIG_TCP && l.port == 8480 && l.is_loopback);
	assert_int_equal(value_listen("127.9.9.9:0", &l, &err), 0);
	assert_true(l.is_loopback && l.port == 0);
	assert_int_equal(value_listen("[::1]:80", &l, &err), 0);
	assert_true(l.is_loopback);
	assert_string_equal(l.address, "::1");
	assert_int_equal(value_listen("0.0.0.0:80", &l, &err), 0);
	assert_false(l.is_loopback);
	assert_int_equal(value_listen("[::]:80", &l, &err), 0);
	assert_false(l.is_loopback);
	/* A mapped loopback address is loopback, but not treated as such: probably a mistake. */
	assert_int_equal(value_listen("[::ffff:127.0.0.1]:80", &l, &err), 0);
	assert_false(l.is_loopback);
	assert_int_equal(value_listen("unix:/run/lessor/lessord.sock", &l, &err), 0);
	assert_true(l.family == CONFIG_UNIX);
	assert_string_equal(l.path, "/run/lessor/lessord.sock");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(value_listen(bad[i], &l, &err), -1);
	memset(path + 6, 'x', 107);
	assert_int_equal(value_listen(path, &l, &err), -1);
}

static void peers(void **state)
{
	static const char *const good[] = { "a:1", "lessor-1.example.com:8480", "[::1]:65535",
					    "192.0.2.1:8480" };
	static const char *const bad[] = { "a",	      ":1",	  "a:",		"a:0",
					   "a:65536", "a/b:1",	  "::1:8480",	"[]:1",
					   "[x]:1",   "-a:1",	  "http://a:1", "a b:1",
					   "[::]:1",  "0.0.0.0:1" };
	struct err err = { 0 };
	char out[64];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(value_peer(good[i], sizeof(out), out, &err), 0);
		assert_string_equal(out, good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(value_peer(bad[i], sizeof(out), out, &err), -1);
	assert_int_equal(value_peer("abcdefgh:1", 10, out, &err), -1);
}

static void lists(void **state)
{
	const char *cursor = " a ,b,\tc";
	struct err err = { 0 };
	char item[4];

	(void)state;
	assert_int_equal(value_next(&cursor, item, sizeof(item), &err), 1);
	assert_string_equal(item, "a");
	assert_int_equal(value_next(&cursor, item, sizeof(item), &err), 1);
	assert_int_equal(value_next(&cursor, item, sizeof(item), &err), 1);
	assert_string_equal(item, "c");
	assert_int_equal(value_next(&cursor, item, sizeof(item), &err), 0);
	cursor = "a,,b";
	assert_int_equal(value_next(&cursor, item, sizeof(item), &err), 1);
	assert_int_equal(value_next(&cursor, item, sizeof(item), &err), -1);
	cursor = "long";
	assert_int_equal(value_next(&cursor, item, sizeof(item), &err), -1);
}

static void names(void **state)
{
	struct err err = { 0 };
	char out[8];

	(void)state;
	assert_int_equal(value_name("cx23-a.b", 9, (char[9]){ 0 }, &err), 0);
	assert_int_equal(value_name("12345678", sizeof(out), out, &err), -1);
	assert_int_equal(value_name("-a", sizeof(out), out, &err), -1);
	assert_int_equal(value_name("", sizeof(out), out, &err), -1);
	assert_int_equal(value_name("A", sizeof(out), out, &err), -1);
	assert_int_equal(value_image("A", sizeof(out), out, &err), 0);
	assert_int_equal(value_path("/a/..", sizeof(out), out, &err), -1);
	assert_int_equal(value_path("/a/..b", sizeof(out), out, &err), 0);
	assert_int_equal(value_word("a b", sizeof(out), out, &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers), cmocka_unit_test(money), cmocka_unit_test(listeners),
		cmocka_unit_test(peers),   cmocka_unit_test(lists), cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
