/* SPDX-License-Identifier: MIT */
#include "table.h"

#include <time.h>

#include "api/json_body.h"

static int opens(const char *body, size_t len)
{
	struct api_error error = { 0 };
	struct json_body in;
	int rc = json_body_open(&in, body, len, 0, &error);

	if (rc) {
		assert_int_equal(error.status, 400);
		assert_string_equal(error.code, "invalid_json");
	}
	json_body_close(&in);
	return rc == 0;
}

static void b120_to_b129_bodies(void **state)
{
	static const struct {
		const char *row, *body;
		int good;
	} rows[] = {
		{ "object", "{}", 1 },
		{ "object in space", " {\"a\": 1} \n", 1 },
		{ "B120 empty", "", 0 },
		{ "B120 space", " \n\t", 0 },
		{ "B120 number", "1", 0 },
		{ "B120 string", "\"x\"", 0 },
		{ "B120 null", "null", 0 },
		{ "B120 array", "[]", 0 },
		{ "B121 trailing garbage", "{} x", 0 },
		{ "B121 two documents", "{}{}", 0 },
		{ "B121 trailing comma", "{\"a\":1,}", 0 },
		{ "B121 comment", "{/* */}", 0 },
		{ "B121 line comment", "{} // x", 0 },
		{ "B121 single quotes", "{'a':1}", 0 },
		{ "B121 BOM", "\xef\xbb\xbf{}", 0 },
		{ "B122 duplicate key", "{\"a\":1,\"a\":2}", 0 },
		{ "B122 duplicate by escape", "{\"a\":1,\"\\u0061\":2}", 0 },
		{ "B124 2^63", "{\"a\":9223372036854775808}", 0 },
		{ "B129 invalid UTF-8", "{\"a\":\"\xff\"}", 0 },
		{ "B129 overlong", "{\"a\":\"\xc0\xaf\"}", 0 },
		{ "B129 raw newline", "{\"a\":\"\n\"}", 0 },
		{ "B129 NUL escape", "{\"a\":\"\\u0000\"}", 0 },
		{ "B129 NUL in key", "{\"a\\u0000b\":1}", 0 },
		{ "B129 lone surrogate", "{\"a\":\"\\ud800\"}", 0 },
		{ "B128 unclosed object", "{\"a\":{", 0 },
		{ "B136 cut character", "{\"a\":\"\xc3\"}", 0 },
		{ "unclosed string", "{\"a", 0 },
		{ "escape at the end", "{\"a\\", 0 },
		{ "brackets in a string",
		  "{\"a\":\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"}", 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		print_message("%s\n", rows[i].row);
		assert_int_equal(opens(rows[i].body, strlen(rows[i].body)), rows[i].good);
	}
	assert_false(opens("{\"a\":\"\0\"}", 9));	      /* B129: raw NUL */
	assert_false(opens("{\0\"\0a\0\"\0:\0001\0}\0", 14)); /* B121: UTF-16 */
}

/* `head` n times, then `tail` n times. */
static char *nested(const char *head, const char *middle, const char *tail, int n)
{
	char *text = malloc((strlen(head) + strlen(tail)) * (size_t)n + strlen(middle) + 1);
	char *at = text;

	for (int i = 0; i < n; i++)
		at = stpcpy(at, head);
	at = stpcpy(at, middle);
	for (int i = 0; i < n; i++)
		at = stpcpy(at, tail);
	return text;
}

static int opens_free(char *body)
{
	clock_t start = clock();
	int rc = opens(body, strlen(body));

	/* B124, B133: the limit is 5 ms; ten times that for a sanitizer build. */
	assert_true(clock() - start < CLOCKS_PER_SEC / 20);
	free(body);
	return rc;
}

static void b124_b127_b128_b132_sizes(void **state)
{
	char *text;

	(void)state;
	assert_true(opens_free(nested("{\"a\":", "1", "}", 32)));
	assert_false(opens_free(nested("{\"a\":", "1", "}", 33)));
	assert_false(opens_free(nested("{\"a\":", "1", "}", 2049)));
	assert_false(opens_free(nested("[", "", "", 60000)));
	assert_false(opens_free(nested("{\"a\":", "", "", 12000)));
	text = malloc(65536);
	strcpy(text, "{\"a\":");
	memset(text + 5, '9', 60000);
	strcpy(text + 60005, "}");
	assert_false(opens_free(text)); /* B124 */
	text = malloc(65536);
	strcpy(text, "{\"");
	memset(text + 2, 'k', 60000);
	strcpy(text + 60002, "\":1}");
	assert_false(opens_free(text)); /* B132: key of 60 KB */
	text = malloc(200000);
	strcpy(text, "{");
	for (int i = 0, at = 1; i < 10000; i++)
		at += sprintf(text + at, "%s\"k%d\":1%s", i ? "," : "", i, i == 9999 ? "}" : "");
	assert_false(opens_free(text)); /* B132: 10,000 keys */
}

/* ---- reading by a table ------------------------------------------------------------------ */

struct body {
	int64_t number, when;
	int flag, truth, choice;
	char text[4], line[8], cut[4], other[8], code[8];
	json_t *list, *map, *object, *string, *figure;
};

static int is_even(const char *text)
{
	return strlen(text) % 2 == 0;
}

static const char *const choices[] = { "red", "green", NULL };

/* clang-format off */
static const struct body_field fields[] = {
	{ .name = "number", .type = FIELD_INT, FIELD_TO(body, number) },
	{ .name = "range", .type = FIELD_INT, FIELD_TO(body, number), .low = 1, .high = 9,
	  .expected = "1 to 9" },
	{ .name = "flag", .type = FIELD_BOOL, FIELD_TO(body, flag) },
	{ .name = "off", .type = FIELD_BOOL, .flags = FIELD_ONLY_FALSE, FIELD_TO(body, flag),
	  .expected = "false", .code = "unsupported_feature" },
	{ .name = "on", .type = FIELD_BOOL, .flags = FIELD_ONLY_TRUE, FIELD_TO(body, truth),
	  .expected = "true" },
	{ .name = "text", .type = FIELD_TEXT, FIELD_AT(body, text) },
	{ .name = "line", .type = FIELD_LINE, FIELD_AT(body, line) },
	{ .name = "cut", .type = FIELD_CUT, FIELD_AT(body, cut), .check = is_even,
	  .expected = "even", .code = "odd" },
	{ .name = "other", .type = FIELD_TEXT, .flags = FIELD_EMPTY, FIELD_AT(body, other),
	  .check = is_even, .expected = "even" },
	{ .name = "otherName", .type = FIELD_TEXT, .flags = FIELD_EMPTY | FIELD_FALLBACK,
	  FIELD_AT(body, other), .check = is_even, .expected = "even" },
	{ .name = "lenient", .type = FIELD_TEXT, .flags = FIELD_LENIENT, FIELD_AT(body, other),
	  .check = is_even, .expected = "even" },
	{ .name = "choice", .type = FIELD_CHOICE, FIELD_TO(body, choice), .choices = choices,
	  .expected = "red or green" },
	{ .name = "when", .type = FIELD_TIME, FIELD_TO(body, when), .low = 1, .high = INT64_MAX,
	  .expected = "a time" },
	{ .name = "list", .type = FIELD_STRINGS, .at = offsetof(struct body, list), .size = 2,
	  .check = is_even, .expected = "even" },
	{ .name = "any", .type = FIELD_STRINGS, FIELD_TO(body, list) },
	{ .name = "map", .type = FIELD_MAP, FIELD_TO(body, map), .choices = choices,
	  .expected = "red or green", .code = "no_color" },
	{ .name = "object", .type = FIELD_OBJECT, FIELD_TO(body, object) },
	{ .name = "string", .type = FIELD_STRING, FIELD_TO(body, string) },
	{ .name = "figure", .type = FIELD_NUMBER, .flags = FIELD_TYPE_CODE, FIELD_TO(body, figure),
	  .expected = "a number", .code = "no_figure" },
	{ .name = "nullable", .type = FIELD_STRINGS, .flags = FIELD_NULL, FIELD_TO(body, list) },
};
/* clang-format on */
static const struct body_table table = BODY_TABLE(NULL, NULL, fields);
static const struct body_table strict = { NULL, NULL, fields, 3, 1 };

/* clang-format off */
static const struct body_field inner_fields[] = {
	{ .name = "code", .type = FIELD_TEXT, .flags = FIELD_REQUIRED, FIELD_AT(body, code),
	  .expected = "a code", .code = "no_code" },
};
/* clang-format on */
static const struct body_table inner = BODY_TABLE(NULL, "outer", inner_fields);

static struct api_error error;
static struct body body;

/* Reads `text` into `body`: 0, or -1 and `error` is filled in. */
static int reads_by(const struct body_table *by, const char *text)
{
	struct json_body in;
	int rc;

	memset(&error, 0, sizeof(error));
	memset(&body, 0, sizeof(body));
	assert_int_equal(json_body_open(&in, text, strlen(text), 0, &error), 0);
	rc = json_body_read(&in, in.root, by, &body);
	assert_int_equal(rc, in.failed ? -1 : 0);
	json_body_close(&in);
	return rc;
}

static void b125_integers(void **state)
{
	static const char *const bad[] = { "5.0", "5e0", "true", "\"5\"", "[]", "{}", "1.5" };
	char text[64];

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		snprintf(text, sizeof(text), "{\"number\":%s}", bad[i]);
		assert_int_equal(reads_by(&table, text), -1);
		assert_int_equal(body.number, 0);
		assert_string_equal(error.code, "invalid_field");
		assert_string_equal(error.message,
				    "number must be an integer, without fraction or exponent");
	}
}

static void each_type_has_its_errors(void **state)
{
	static const struct {
		const char *text, *code, *message;
	} rows[] = {
		{ "{\"range\":0}", "invalid_field", "range must be 1 to 9" },
		{ "{\"range\":10}", "invalid_field", "range must be 1 to 9" },
		{ "{\"flag\":1}", "invalid_field", "flag must be true or false" },
		{ "{\"off\":true}", "unsupported_feature", "off must be false" },
		{ "{\"on\":false}", "invalid_field", "on must be true" },
		{ "{\"text\":1}", "invalid_field", "text must be a string" },
		{ "{\"text\":\"1234\"}", "invalid_field", "text must be at most 3 bytes long" },
		{ "{\"line\":\"a\\nb\"}", "invalid_field", "line must be one line of text" },
		{ "{\"line\":\"a\\u007f\"}", "invalid_field", "line must be one line of text" },
		{ "{\"cut\":\"12345\"}", "odd", "cut must be even" },
		{ "{\"cut\":1}", "invalid_field", "cut must be a string" },
		{ "{\"other\":\"1\"}", "invalid_field", "other must be even" },
		{ "{\"other\":\"\",\"otherName\":\"1\"}", "invalid_field",
		  "otherName must be even" },
		{ "{\"choice\":\"blue\"}", "invalid_field", "choice must be red or green" },
		{ "{\"choice\":\"\"}", "invalid_field", "choice must be red or green" },
		{ "{\"choice\":0}", "invalid_field", "choice must be a string" },
		{ "{\"when\":\"noon\"}", "invalid_field", "when must be a time" },
		{ "{\"when\":\"1970-01-01T00:00:00Z\"}", "invalid_field", "when must be a time" },
		{ "{\"when\":0}", "invalid_field", "when must be a string" },
		{ "{\"list\":\"12\"}", "invalid_field",
		  "list must be an array of at most 2 strings" },
		{ "{\"list\":[\"\",\"\",\"\"]}", "invalid_field",
		  "list must be an array of at most 2 strings" },
		{ "{\"list\":[\"12\",2]}", "invalid_field", "list must hold only strings" },
		{ "{\"list\":[\"12\",\"1\"]}", "invalid_field", "list must each be even" },
		{ "{\"any\":{}}", "invalid_field", "any must be an array of strings" },
		{ "{\"map\":[]}", "invalid_field", "map must be an object" },
		{ "{\"map\":{\"a\":\"blue\"}}", "no_color", "map must each be red or green" },
		{ "{\"map\":{\"a\":1}}", "no_color", "map must each be red or green" },
		{ "{\"object\":[]}", "invalid_field", "object must be an object" },
		{ "{\"string\":[]}", "invalid_field", "string must be a string" },
		{ "{\"figure\":\"1\"}", "no_figure", "figure must be a number" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		print_message("%s\n", rows[i].text);
		assert_int_equal(reads_by(&table, rows[i].text), -1);
		assert_int_equal(error.status, 400);
		assert_string_equal(error.code, rows[i].code);
		assert_string_equal(error.message, rows[i].message);
	}
	assert_int_equal(reads_by(&inner, "{}"), -1);
	assert_string_equal(error.code, "no_code");
	assert_string_equal(error.message, "outer.code is required: a code");
	assert_int_equal(reads_by(&inner, "{\"code\":null}"), -1);
	assert_int_equal(reads_by(&inner, "{\"code\":\"\"}"), 0);
}

static void each_type_goes_to_its_place(void **state)
{
	(void)state;
	assert_int_equal(reads_by(&table,
				  "{\"range\":9,\"flag\":true,\"on\":true,\"text\":\"123\","
				  "\"line\":\"a b\",\"cut\":\"12\xc3\xa4\",\"otherName\":\"four\","
				  "\"choice\":\"green\",\"when\":\"1970-01-01T00:00:01Z\","
				  "\"list\":[\"12\"],\"map\":{\"a\":\"red\",\"b\":null,\"c\":\"\"},"
				  "\"object\":{},\"string\":\"s\",\"figure\":1.5}"),
			 0);
	assert_int_equal(body.number, 9);
	assert_int_equal(body.flag, 1);
	assert_int_equal(body.truth, 1);
	assert_string_equal(body.text, "123");
	assert_string_equal(body.line, "a b");
	assert_string_equal(body.cut, "12");
	assert_string_equal(body.other, "four");
	assert_int_equal(body.choice, 1);
	assert_int_equal(body.when, 1000);
	assert_true(body.list && body.map && body.object && body.string && body.figure);
	/* The other name is read only if the first one is absent. */
	assert_int_equal(reads_by(&table, "{\"other\":\"1234\",\"otherName\":\"1\","
					  "\"lenient\":\"1\",\"nullable\":null,\"unknown\":5}"),
			 0);
	assert_string_equal(body.other, "1234");
	assert_int_equal(reads_by(&table, "{\"lenient\":\"1\"}"), 0);
	assert_string_equal(body.other, "");
}

/* h6, as a kind: every known member, by every table, with each type that it has not. */
static void h6_a_known_member_of_the_wrong_type_is_named(void **state)
{
	static const char *const values[] = { "null", "true", "5", "1.5", "\"x\"", "[]", "{}" };
	static const char *const right[] = {
		[FIELD_TEXT] = "\"x\"",	  [FIELD_LINE] = "\"x\"",   [FIELD_CUT] = "\"x\"",
		[FIELD_CHOICE] = "\"x\"", [FIELD_TIME] = "\"x\"",   [FIELD_INT] = "5",
		[FIELD_BOOL] = "true",	  [FIELD_STRINGS] = "[]",   [FIELD_MAP] = "{}",
		[FIELD_STRING] = "\"x\"", [FIELD_NUMBER] = "5 1.5", [FIELD_COUNT] = "5 1.5",
		[FIELD_OBJECT] = "{}",
	};
	char text[64];

	(void)state;
	for (size_t i = 0; i < COUNT(fields); i++) {
		for (size_t k = 0; k < COUNT(values); k++) {
			if (strstr(right[fields[i].type], values[k]))
				continue;
			if (!k && fields[i].flags & FIELD_NULL)
				continue;
			snprintf(text, sizeof(text), "{\"%s\":%s}", fields[i].name, values[k]);
			print_message("%s\n", text);
			assert_int_equal(reads_by(&table, text), -1);
			assert_int_equal(error.status, 400);
			assert_memory_equal(error.message, fields[i].name, strlen(fields[i].name));
		}
	}
	/* Also where another name of the field was read before. */
	assert_int_equal(reads_by(&table, "{\"other\":\"1234\",\"otherName\":5}"), -1);
	assert_string_equal(error.message, "otherName must be a string");
	assert_int_equal(reads_by(&table, "{\"nullable\":null}"), 0);
}

static void h6_a_strict_table_lists_what_it_knows(void **state)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
		{ "{\"other\":1}", "other is not known here. Known members: number, range, flag." },
		{ "{\"flag\":true,\"FLAG\":1}",
		  "FLAG is not known here. Known members: number, range, flag." },
		{ "{\"\":1}", "a member is not known here. Known members: number, range, flag." },
		{ "{\"a\\nb\":1}",
		  "a member is not known here. Known members: number, range, flag." },
		{ "{\"not_found\":1}",
		  "not found is not known here. Known members: number, range, flag." },
		{ "{\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\":1}",
		  "a member is not known here. Known members: number, range, flag." },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		print_message("%s\n", rows[i].text);
		assert_int_equal(reads_by(&strict, rows[i].text), -1);
		assert_int_equal(error.status, 400);
		assert_string_equal(error.code, "unknown_member");
		assert_string_equal(error.message, rows[i].message);
		assert_int_equal(body.flag, 0);
	}
	assert_int_equal(reads_by(&strict, "{\"flag\":true}"), 0);
	assert_int_equal(reads_by(&strict, "{}"), 0);
}

static void the_first_error_stays(void **state)
{
	(void)state;
	assert_int_equal(reads_by(&table, "{\"text\":\"12345\",\"object\":1}"), -1);
	assert_string_equal(error.message, "text must be at most 3 bytes long");
	assert_int_equal(reads_by(&table, "{\"object\":1,\"text\":\"12345\"}"), -1);
	assert_string_equal(error.message, "text must be at most 3 bytes long");
}

static void an_empty_body_is_an_object_where_it_may_be(void **state)
{
	struct json_body in;

	(void)state;
	assert_int_equal(json_body_open(&in, "", 0, 1, &error), 0);
	assert_true(json_is_object(in.root));
	json_body_close(&in);
	/* B135: a body that is not empty must be complete. */
	assert_int_equal(json_body_open(&in, "{\"delete\":", 10, 1, &error), -1);
	json_body_close(&in);
	assert_int_equal(json_body_open(&in, " ", 1, 1, &error), -1);
	json_body_close(&in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(b120_to_b129_bodies),
		cmocka_unit_test(b124_b127_b128_b132_sizes),
		cmocka_unit_test(b125_integers),
		cmocka_unit_test(each_type_has_its_errors),
		cmocka_unit_test(each_type_goes_to_its_place),
		cmocka_unit_test(h6_a_known_member_of_the_wrong_type_is_named),
		cmocka_unit_test(h6_a_strict_table_lists_what_it_knows),
		cmocka_unit_test(the_first_error_stays),
		cmocka_unit_test(an_empty_body_is_an_object_where_it_may_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
