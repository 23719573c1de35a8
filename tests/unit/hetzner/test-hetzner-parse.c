/* SPDX-License-Identifier: MIT */
/*
 * The parsers: valid responses, and every false statement that a body can contain.
 */
#include <stdlib.h>
#include <string.h>

#include "unit/test.h"
#include "parse.h"

static json_t *load(const char *text)
{
	return json_loads(text, JSON_REJECT_DUPLICATES, NULL);
}

#define SERVER(id, rest) "{\"id\":" id ",\"name\":\"a\",\"status\":\"running\",\"labels\":{}" rest "}"

static int server_of(const char *text, struct server *ret, json_t **ret_root)
{
	*ret_root = load(text);
	return parse_server(*ret_root, ret);
}

static void good_server(void **state)
{
	static const char text[] =
		"{\"id\":118400001,\"name\":\"lessor-x\",\"status\":\"running\",\"locked\":true,"
		"\"created\":\"2026-01-18T15:29:59Z\",\"labels\":{\"lessor-lease\":\"cbx_1\",\"mine\":\"x\"},"
		"\"public_net\":{\"ipv4\":{\"ip\":\"203.0.113.7\"},\"ipv6\":null},"
		"\"server_type\":{\"id\":114,\"name\":\"cx23\"},\"location\":{\"name\":\"nbg1\"},"
		"\"protection\":{\"delete\":true,\"rebuild\":true},\"unknown\":[{\"x\":null}]}";
	struct lessor_observed seen;
	struct server s;
	json_t *root;

	(void)state;
	assert_int_equal(server_of(text, &s, &root), 0);
	assert_string_equal(s.thing.id, "118400001");
	assert_string_equal(s.thing.name, "lessor-x");
	assert_string_equal(s.status, "running");
	assert_string_equal(s.host, "203.0.113.7");
	assert_string_equal(s.type, "cx23");
	assert_string_equal(s.location, "nbg1");
	assert_true(s.locked && s.is_protected);
	assert_int_equal(s.thing.created_ms, 1768750199000);
	/* Other people's labels are ignored. */
	assert_int_equal(s.thing.label_count, 1);
	assert_string_equal(thing_label(&s.thing, "lessor-lease"), "cbx_1");
	assert_null(thing_label(&s.thing, "mine"));
	thing_observe(&s.thing, &seen);
	assert_int_equal(seen.kind, LESSOR_KIND_SERVER);
	assert_string_equal(seen.id, "118400001");
	json_decref(root);
}

static void ids(void **state)
{
	static const struct { const char *id; int good; } rows[] = {
		{ "1", 1 }, { "606028482673874", 1 }, { "9223372036854775807", 1 },
		{ "\"1\"", 0 }, { "1.0", 0 }, { "1e3", 0 }, { "1.5", 0 }, { "0", 0 }, { "-1", 0 },
		{ "null", 0 }, { "true", 0 }, { "[1]", 0 }, { "{}", 0 },
		{ "9223372036854775808", 0 }, { "18446744073709551617", 0 }, { "1e400", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[200];
		struct server s;
		json_t *root;

		snprintf(text, sizeof(text), "{\"id\":%s,\"name\":\"a\",\"status\":\"off\",\"labels\":{}}",
			 rows[i].id);
		if ((server_of(text, &s, &root) == 0) != rows[i].good)
			fail_msg("id %s", rows[i].id);
		if (rows[i].good)
			assert_string_equal(s.thing.id, rows[i].id);
		json_decref(root);
	}
}

static void bad_servers(void **state)
{
	static const char *const texts[] = {
		"<html><body>502</body></html>", "", "[]", "null", "\"x\"", "1", "{}",
		"{\"name\":\"a\",\"status\":\"off\",\"labels\":{}}",
		"{\"id\":1,\"status\":\"off\",\"labels\":{}}",
		"{\"id\":1,\"name\":\"\",\"status\":\"off\",\"labels\":{}}",
		"{\"id\":1,\"name\":7,\"status\":\"off\",\"labels\":{}}",
		"{\"id\":1,\"name\":\"a\",\"labels\":{}}",
		"{\"id\":1,\"name\":\"a\",\"status\":null,\"labels\":{}}",
		"{\"id\":1,\"name\":\"a\",\"status\":\"off\"}",
		"{\"id\":1,\"name\":\"a\",\"status\":\"off\",\"labels\":null}",
		"{\"id\":1,\"name\":\"a\",\"status\":\"off\",\"labels\":[]}",
		"{\"id\":1,\"name\":\"a\",\"status\":\"off\",\"labels\":{\"k\":1}}",
		"{\"id\":1,\"id\":2,\"name\":\"a\",\"status\":\"off\",\"labels\":{}}",
		"{\"id\":1,\"name\":\"a\\u0000b\",\"status\":\"off\",\"labels\":{}}",
		"{\"id\":1,\"name\":\"\\ud800\",\"status\":\"off\",\"labels\":{}}",
		"{\"id\":1,\"name\":\"\xff\",\"status\":\"off\",\"labels\":{}}",
		"{\"id\":1,\"name\":\"a\",\"status\":\"off\",\"labels\":{}",
		"{\"id\":1,\"name\":\"a\",\"status\":\"off\",\"labels\":{},\"server_type\":{\"name\":3}}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct server s;
		json_t *root;

		if (server_of(texts[i], &s, &root) == 0)
			fail_msg("accepted: %s", texts[i]);
		json_decref(root);
	}
}

static void deep_nesting(void **state)
{
	char *text = malloc(100001);

	(void)state;
	memset(text, '[', 100000);
	text[100000] = '\0';
	assert_null(load(text));
	free(text);
}

/* An impossible address counts as missing; the server is still parsed. */
static void addresses(void **state)
{
	static const struct { const char *net, *host, *local; } rows[] = {
		{ "", "", "" },
		{ ",\"public_net\":null", "", "" },
		{ ",\"public_net\":[]", "", "" },
		{ ",\"public_net\":{}", "", "" },
		{ ",\"public_net\":{\"ipv4\":null}", "", "" },
		{ ",\"public_net\":{\"ipv4\":{}}", "", "" },
		{ ",\"public_net\":{\"ipv4\":{\"ip\":null}}", "", "" },
		{ ",\"public_net\":{\"ipv4\":{\"ip\":5}}", "", "" },
		{ ",\"public_net\":{\"ipv4\":{\"ip\":\"198.51.100.1\"}}", "198.51.100.1", "" },
		{ ",\"public_net\":{\"ipv4\":{\"ip\":\"127.0.0.1\"}}", "", "" },
		{ ",\"public_net\":{\"ipv4\":{\"ip\":\"169.254.169.254\"}}", "", "" },
		{ ",\"public_net\":{\"ipv4\":{\"ip\":\"0.0.0.0\"}}", "", "" },
		{ ",\"public_net\":{\"ipv4\":{\"ip\":\"224.0.0.1\"}}", "", "" },
		{ ",\"public_net\":{\"ipv4\":{\"ip\":\"255.255.255.255\"}}", "", "" },
		{ ",\"public_net\":{\"ipv4\":{\"ip\":\"1.2.3\"}}", "", "" },
		{ ",\"public_net\":{\"ipv4\":{\"ip\":\"1.2.3.4\\n\"}}", "", "" },
		{ ",\"public_net\":{\"ipv4\":{\"ip\":\"\\u001b[2J1.2.3.4\"}}", "", "" },
		{ ",\"public_net\":{\"ipv4\":{\"ip\":\"example.org\"}}", "", "" },
		{ ",\"public_net\":{\"ipv4\":{\"ip\":\"2001:db8::1\"}}", "", "" },
		{ ",\"public_net\":{\"ipv4\":{\"ip\":\"127.0.255.255\"}}", "", "" },
		{ ",\"public_net\":{\"ipv4\":{\"ip\":\"127.1.0.0\"}}", "", "127.1.0.0" },
		{ ",\"public_net\":{\"ipv4\":{\"ip\":\"128.0.0.1\"}}", "128.0.0.1", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[300];
		struct server s;
		json_t *root;

		snprintf(text, sizeof(text), SERVER("1", "%s"), rows[i].net);
		assert_int_equal(server_of(text, &s, &root), 0);
		assert_string_equal(s.host, rows[i].host);
		assert_string_equal(s.local_host, rows[i].local);
		json_decref(root);
	}
}

static void odd_but_good(void **state)
{
	struct server s;
	json_t *root;

	(void)state;
	assert_int_equal(server_of("{\"id\":1,\"name\":\"a.\",\"status\":\"quarantine\",\"labels\":{}}", &s,
				   &root), 0);
	assert_string_equal(s.status, "quarantine");
	assert_int_equal(s.thing.created_ms, 0);
	assert_string_equal(s.type, "");
	json_decref(root);
}

static void too_many_of_our_labels(void **state)
{
	json_t *root = load(SERVER("1", ""));
	json_t *labels = json_object_get(root, "labels");
	struct server s;

	(void)state;
	for (int i = 0; i <= THING_LABELS_MAX; i++) {
		char key[32];

		snprintf(key, sizeof(key), "lessor-%d", i);
		assert_int_equal(parse_server(root, &s), 0);
		json_object_set_new(labels, key, json_string("x"));
	}
	assert_int_equal(parse_server(root, &s), -1);
	json_decref(root);
}

static void keys(void **state)
{
	static const char *const bad[] = {
		"{\"id\":1,\"name\":\"k\",\"labels\":{}}",
		"{\"id\":1,\"name\":\"k\",\"labels\":{},\"fingerprint\":1}",
		"{\"id\":\"1\",\"name\":\"k\",\"labels\":{},\"fingerprint\":\"aa\"}",
		"{\"id\":1,\"name\":\"k\",\"fingerprint\":\"aa\"}",
	};
	json_t *root = load("{\"id\":7,\"name\":\"k\",\"labels\":{},\"fingerprint\":\"aa:bb\"}");
	struct ssh_key k;

	(void)state;
	assert_int_equal(parse_key(root, LESSOR_KIND_SENTINEL, &k), 0);
	assert_int_equal(k.thing.kind, LESSOR_KIND_SENTINEL);
	assert_string_equal(k.fingerprint, "aa:bb");
	json_decref(root);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		root = load(bad[i]);
		assert_int_equal(parse_key(root, LESSOR_KIND_KEY, &k), -1);
		json_decref(root);
	}
}

static void actions(void **state)
{
	static const struct {
		const char *text;
		int rc;
		enum action_status status;
		int mine;
	} rows[] = {
		{ "{\"id\":606028482673874,\"command\":\"delete_server\",\"status\":\"running\","
		  "\"resources\":[{\"id\":5,\"type\":\"server\"},{\"id\":9,\"type\":\"image\"}]}",
		  0, ACTION_RUNNING, 1 },
		{ "{\"id\":1,\"command\":\"x\",\"status\":\"success\",\"error\":null}", 0,
		  ACTION_SUCCESS, 1 },
		{ "{\"id\":1,\"command\":\"x\",\"status\":\"error\",\"error\":null,\"resources\":[]}",
		  0, ACTION_ERROR, 1 },
		{ "{\"id\":1,\"command\":\"x\",\"status\":\"error\"}", 0, ACTION_ERROR, 1 },
		/* Progress proves nothing. */
		{ "{\"id\":1,\"command\":\"x\",\"status\":\"running\",\"progress\":100}", 0,
		  ACTION_RUNNING, 1 },
		{ "{\"id\":1,\"command\":\"x\",\"status\":\"pondering\"}", 0, ACTION_RUNNING, 1 },
		{ "{\"id\":1,\"command\":\"x\",\"status\":\"success\","
		  "\"resources\":[{\"id\":6,\"type\":\"server\"}]}",
		  0, ACTION_SUCCESS, 0 },
		{ "{\"id\":1,\"command\":\"x\",\"status\":\"success\","
		  "\"resources\":[{\"id\":5,\"type\":\"server\"},{\"id\":6,\"type\":\"server\"}]}",
		  0, ACTION_SUCCESS, 0 },
		{ "{\"command\":\"x\",\"status\":\"success\"}", -1, ACTION_RUNNING, 0 },
		{ "{\"id\":\"1\",\"command\":\"x\",\"status\":\"success\"}", -1, ACTION_RUNNING, 0 },
		{ "{\"id\":1,\"status\":\"success\"}", -1, ACTION_RUNNING, 0 },
		{ "{\"id\":1,\"command\":\"x\"}", -1, ACTION_RUNNING, 0 },
		{ "null", -1, ACTION_RUNNING, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *root = json_loads(rows[i].text, JSON_DECODE_ANY, NULL);
		struct action a;

		if (parse_action(root, &a) != rows[i].rc)
			fail_msg("%s", rows[i].text);
		if (rows[i].rc == 0) {
			assert_int_equal(a.status, rows[i].status);
			assert_int_equal(action_is_of(&a, "5"), rows[i].mine);
		}
		json_decref(root);
	}
}

static void pages(void **state)
{
#define META(x) "{\"servers\":[],\"meta\":{\"pagination\":{" x "}}}"
	static const struct {
		const char *text;
		int rc;
		int64_t next, total;
	} rows[] = {
		{ META("\"page\":2,\"next_page\":3,\"total_entries\":101"), 0, 3, 101 },
		{ META("\"page\":2,\"next_page\":null,\"total_entries\":null"), 0, 0, -1 },
		{ META("\"page\":2"), 0, 0, -1 },
		{ META(""), 0, 0, -1 },
		/* Wrong page; next page that is the same, earlier, far ahead, or not a number. */
		{ META("\"page\":1,\"next_page\":2"), -1, 0, 0 },
		{ META("\"page\":2,\"next_page\":2"), -1, 0, 0 },
		{ META("\"page\":2,\"next_page\":1"), -1, 0, 0 },
		{ META("\"page\":2,\"next_page\":9"), -1, 0, 0 },
		{ META("\"page\":2,\"next_page\":\"3\""), -1, 0, 0 },
		{ META("\"page\":2,\"total_entries\":-1"), -1, 0, 0 },
		{ META("\"page\":2,\"total_entries\":\"1\""), -1, 0, 0 },
		{ "{\"servers\":[]}", -1, 0, 0 },
		{ "{\"servers\":{},\"meta\":{\"pagination\":{}}}", -1, 0, 0 },
		{ "{\"meta\":{\"pagination\":{}}}", -1, 0, 0 },
		{ "{\"error\":{\"code\":\"x\",\"message\":\"y\"}}", -1, 0, 0 },
		{ "{}", -1, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *root = load(rows[i].text);
		struct list_page page;

		if (parse_page(root, "servers", 2, &page) != rows[i].rc)
			fail_msg("%s", rows[i].text);
		if (rows[i].rc == 0) {
			assert_int_equal(page.next, rows[i].next);
			assert_int_equal(page.total, rows[i].total);
		}
		json_decref(root);
	}
}

static void times_and_prices(void **state)
{
	(void)state;
	assert_int_equal(parse_time_ms("2026-01-18T15:29:59Z"), 1768750199000);
	assert_int_equal(parse_time_ms("2026-01-18T15:29:59+00:00"), 1768750199000);
	assert_int_equal(parse_time_ms("2026-01-18T16:29:59.123456+01:00"), 1768750199000);
	assert_int_equal(parse_time_ms("2026-01-18T14:59:59-00:30"), 1768750199000);
	assert_int_equal(parse_time_ms("yesterday"), 0);
	assert_int_equal(parse_time_ms("2026-13-18T15:29:59Z"), 0);
	assert_int_equal(parse_time_ms("2026-01-18T15:29:59"), 0);
	assert_int_equal(parse_time_ms(""), 0);
	assert_int_equal(parse_micros("0.0072000000000000"), 7200);
	assert_int_equal(parse_micros("1.08"), 1080000);
	assert_int_equal(parse_micros("5"), 5000000);
	assert_int_equal(parse_micros("0.0000005"), 1);
	assert_int_equal(parse_micros("0.00000049"), 0);
	assert_int_equal(parse_micros("0.9999999"), 1000000);
	assert_int_equal(parse_micros("-1"), -1);
	assert_int_equal(parse_micros(""), -1);
	assert_int_equal(parse_micros("1e3"), -1);
	assert_int_equal(parse_micros("12345678901"), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_server), cmocka_unit_test(ids), cmocka_unit_test(bad_servers),
		cmocka_unit_test(deep_nesting), cmocka_unit_test(addresses), cmocka_unit_test(odd_but_good),
		cmocka_unit_test(too_many_of_our_labels), cmocka_unit_test(keys),
		cmocka_unit_test(actions), cmocka_unit_test(pages), cmocka_unit_test(times_and_prices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
