/* SPDX-License-Identifier: MIT */
/* The small grammars of a request, each with complete strings, and the WebSocket handshake. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "http/token.h"
#include "http/websocket.h"
#include "util/alloc.h"

#define REPEAT_50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define REPEAT_250 REPEAT_50 REPEAT_50 REPEAT_50 REPEAT_50 REPEAT_50

static void a_host_is_a_name_or_an_address(void **state)
{
	static const struct {
		const char *text;
		size_t len;
	} cases[] = {
		{ "localhost", 9 },
		{ "A.b-c_1", 7 },
		{ "127.0.0.1", 9 },
		{ "a:1", 1 },
		{ "a:65535", 1 },
		{ "[::1]", 5 },
		{ "[::1]:80", 5 },
		{ "[::ffff:1.2.3.4]", 16 },
		{ REPEAT_250 "xxxxx", 255 },
		{ "", 0 },
		{ ":80", 0 },
		{ "a:", 0 },
		{ "a:65536", 0 },
		{ "a:100000", 0 },
		{ "a:8o", 0 },
		{ "a b", 0 },
		{ "a@b", 0 },
		{ "[]", 0 },
		{ "[:", 0 },
		{ "[:]", 0 },
		{ "[::1", 0 },
		{ "[::g]", 0 },
		{ "[::1]x", 0 },
		{ REPEAT_250 "xxxxxx", 0 },
		{ REPEAT_250 "xxxxxxxxxxxx", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t len = token_check_host(cases[i].text, strlen(cases[i].text));

		if (len != cases[i].len)
			fail_msg("'%s': %zu", cases[i].text, len);
	}
}

static void a_length_saturates(void **state)
{
	static const struct {
		const char *text;
		int rc;
		uint64_t value;
	} cases[] = {
		{ "0", 0, 0 },
		{ "12", 0, 12 },
		{ "18446744073709551614", 0, UINT64_MAX - 1 },
		{ "18446744073709551616", 0, UINT64_MAX },
		{ "99999999999999999999999", 0, UINT64_MAX },
		{ "", -1, 7 },
		{ "00", -1, 7 },
		{ "+1", -1, 7 },
		{ "1x", -1, 7 },
		{ "9999999999999999999999x", -1, 7 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t value = 7;
		int rc = token_read_length(cases[i].text, strlen(cases[i].text), &value);

		if (rc != cases[i].rc || value != cases[i].value)
			fail_msg("'%s': %d, %llu", cases[i].text, rc, (unsigned long long)value);
	}
}

static void escapes_decode_to_text(void **state)
{
	static const char *const good[] = { "", "/a", "%41", "%c3%a4", "/%E2%82%AC" };
	static const char *const bad[] = { "%",	  "%4",	 "%4g", "%g4",	"%00",
					   "%1f", "%7f", "%c3", "%c3/", "%ff" };
	char large[HTTP_LINE_SIZE + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		if (token_check_escapes(good[i], strlen(good[i])))
			fail_msg("'%s' is refused", good[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (!token_check_escapes(bad[i], strlen(bad[i])))
			fail_msg("'%s' is accepted", bad[i]);
	}
	memset(large, 'x', sizeof(large));
	assert_int_equal(token_check_escapes(large, sizeof(large) - 1), 0);
	assert_int_equal(token_check_escapes(large, sizeof(large)), -1);
}

static void a_list_has_elements(void **state)
{
	static const struct {
		const char *text;
		const char *elements; /* each in brackets */
	} cases[] = {
		{ "", "[]" },
		{ "a", "[a]" },
		{ "a,b", "[a][b]" },
		{ " a\t, \tb ", "[a][b]" },
		{ ",", "[][]" },
		{ "a,", "[a][]" },
		{ " , a b ,", "[][a b][]" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *at = cases[i].text, *end = at + strlen(at);
		struct http_span one;
		char got[64] = "";

		while (token_next_element(&at, end, &one))
			snprintf(got + strlen(got), sizeof(got) - strlen(got), "[%.*s]",
				 (int)one.len, one.at);
		assert_string_equal(got, cases[i].elements);
	}
}

static void names_are_known_or_not(void **state)
{
	(void)state;
	assert_int_equal(token_find_field("host", 4), HTTP_FIELD_HOST);
	assert_int_equal(token_find_field("content-length", 14), HTTP_FIELD_CONTENT_LENGTH);
	assert_int_equal(token_find_field("content_length", 14), -2);
	assert_int_equal(token_find_field("content-lengti", 14), -1);
	assert_int_equal(token_find_field("x", 1), -1);
	assert_int_equal(token_find_method("GET", 3), HTTP_GET);
	assert_int_equal(token_find_method("get", 3), HTTP_METHOD_COUNT);
	assert_string_equal(http_method_name(HTTP_GET), "GET");
	assert_string_equal(http_method_name((enum http_method)99), "?");
	assert_int_equal(token_hex('f'), 15);
	assert_int_equal(token_hex('F'), 15);
	assert_int_equal(token_hex('g'), -1);
}

/* ---- the WebSocket handshake ----------------------------------------------------------------- */

#define START "GET /v1/control HTTP/1.1\r\nHost: localhost\r\n"
#define UPGRADE "Connection: upgrade\r\nUpgrade: websocket\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

static int refusal(const char *text, const char **ret_code)
{
	static struct http_head head;
	struct http_limits limits;
	struct http_parser parser;
	struct http_span body;
	const char *message;
	size_t used;

	http_limits_init(&limits);
	http_parser_begin(&parser, &head, &limits);
	assert_int_equal(http_parser_feed(&parser, text, strlen(text), &used, &body),
			 HTTP_STEP_HEAD);
	return http_websocket_refusal(&head, ret_code, &message);
}

static void a_handshake_is_complete(void **state)
{
	static const struct {
		const char *text;
		int status;
		const char *code;
	} cases[] = {
		{ START UPGRADE VERSION KEY "\r\n", 0, NULL },
		{ START UPGRADE VERSION KEY "Content-Length: 0\r\n\r\n", 0, NULL },
		{ START VERSION KEY "\r\n", 426, "websocket_required" },
		{ START "Connection: upgrade\r\nUpgrade: h2c\r\n" VERSION KEY "\r\n", 426,
		  "websocket_required" },
		{ "DELETE / HTTP/1.1\r\nHost: a\r\n" UPGRADE VERSION KEY "\r\n", 426,
		  "websocket_required" },
		{ "GET / HTTP/1.0\r\nHost: a\r\n" UPGRADE VERSION KEY "\r\n", 426,
		  "websocket_required" },
		{ START UPGRADE KEY "\r\n", 426, "websocket_required" },
		{ START UPGRADE "Sec-WebSocket-Version: 8\r\n" KEY "\r\n", 426,
		  "websocket_required" },
		{ START UPGRADE VERSION "\r\n", 400, "bad_handshake" },
		{ START UPGRADE VERSION "Sec-WebSocket-Key: dGhl\r\n\r\n", 400, "bad_handshake" },
		{ START UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=!\r\n\r\n", 400,
		  "bad_handshake" },
		{ START UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR==\r\n\r\n", 400,
		  "bad_handshake" },
		{ START UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhb!BsZSBub25jZQ==\r\n\r\n", 400,
		  "bad_handshake" },
		{ START "Connection: close, upgrade\r\nUpgrade: websocket\r\n" VERSION KEY "\r\n",
		  400, "bad_handshake" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *code = NULL;
		int status = refusal(cases[i].text, &code);

		if (status != cases[i].status)
			fail_msg("case %zu: %d %s", i, status, code);
		if (status)
			assert_string_equal(code, cases[i].code);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_host_is_a_name_or_an_address),
		cmocka_unit_test(a_length_saturates),
		cmocka_unit_test(escapes_decode_to_text),
		cmocka_unit_test(a_list_has_elements),
		cmocka_unit_test(names_are_known_or_not),
		cmocka_unit_test(a_handshake_is_complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
