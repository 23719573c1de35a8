/* SPDX-License-Identifier: MIT */
#include "table.h"

#include <jansson.h>
#include <lessor/provider.h>

#include "api/notice.h"
#include "util/buf.h"

#define HOUR_S 3600
#define DAY_S (24 * HOUR_S)

static struct notice_request asked;
static struct lease lease;
static struct attempt attempts[2];
static struct notices notices;

static int setup(void **state)
{
	(void)state;
	memset(&asked, 0, sizeof(asked));
	memset(&lease, 0, sizeof(lease));
	memset(attempts, 0, sizeof(attempts));
	asked.ttl_max_ms = asked.idle_max_ms = DAY_S * 1000;
	strcpy(lease.slug, "violet-prawn");
	strcpy(lease.image, "ubuntu-24.04");
	strcpy(lease.account, "hetzner");
	strcpy(lease.location, "fsn1");
	lease.ttl_ms = 5400000;
	lease.idle_ms = 1800000;
	strcpy(lease.types[0], "ccx23");
	strcpy(lease.types[1], "cx33");
	lease.type_count = 2;
	return 0;
}

static void compare(const char *holder)
{
	notices.count = 0;
	notice_compare(&asked, &lease, attempts, 2, holder, &notices);
}

static void expect(size_t i, const char *code, const char *message)
{
	assert_true(i < notices.count);
	assert_string_equal(notices.list[i].code, code);
	assert_string_equal(notices.list[i].message, message);
}

static void u4_nothing_asked_is_nothing_changed(void **state)
{
	(void)state;
	compare("cbx_0123456789ab");
	assert_int_equal(notices.count, 0);
	asked.ttl_seconds = 5400;
	asked.idle_seconds = 1800;
	strcpy(asked.slug_raw, "violet-prawn");
	strcpy(asked.slug, "violet-prawn");
	strcpy(asked.image, "ubuntu-24.04");
	strcpy(lease.server_type, "ccx23");
	strcpy(lease.server_location, "fsn1");
	strcpy(asked.location, "fsn1");
	compare(NULL);
	assert_int_equal(notices.count, 0);
	/* Absent and negative: the default, not a limit. */
	asked.ttl_seconds = -1;
	compare(NULL);
	assert_int_equal(notices.count, 0);
}

static void text_5_a_taken_slug_names_both(void **state)
{
	(void)state;
	strcpy(asked.slug_raw, "build");
	strcpy(asked.slug, "build");
	strcpy(lease.slug, "build-9653");
	compare("cbx_0123456789ab");
	assert_int_equal(notices.count, 1);
	expect(0, "slug_taken", "'build' is taken by cbx_0123456789ab; this one is build-9653");
	compare("");
	expect(0, "slug_taken", "'build' is taken; this one is build-9653");
	compare(NULL);
	expect(0, "slug_taken", "'build' is taken; this one is build-9653");
}

static void u4_a_slug_written_otherwise(void **state)
{
	(void)state;
	strcpy(asked.slug_raw, "Bad_Slug");
	strcpy(asked.slug, "bad-slug");
	strcpy(lease.slug, "bad-slug");
	compare(NULL);
	assert_int_equal(notices.count, 1);
	expect(0, "slug_changed", "slug 'Bad_Slug' is written 'bad-slug'");
	strcpy(lease.slug, "bad-slug-0001");
	compare(NULL);
	assert_int_equal(notices.count, 2);
	expect(1, "slug_taken", "'bad-slug' is taken; this one is bad-slug-0001");
}

static void text_6_times_that_are_too_long(void **state)
{
	static const struct {
		int64_t asked, max;
		const char *message;
	} rows[] = {
		{ 3 * DAY_S, DAY_S, "ttl: 3d is more than this server allows: 24h" },
		{ DAY_S, 90 * 60, "ttl: 24h is more than this server allows: 1h30m" },
		{ 2 * DAY_S + 61, 59, "ttl: 48h1m1s is more than this server allows: 59s" },
		{ INT64_MAX, DAY_S,
		  "ttl: 2562047788015215h30m7s is more than this server allows: 24h" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		asked.ttl_seconds = rows[i].asked;
		asked.ttl_max_ms = lease.ttl_ms = rows[i].max * 1000;
		compare(NULL);
		assert_int_equal(notices.count, 1);
		expect(0, "ttl_shortened", rows[i].message);
	}
	asked.ttl_seconds = 0;
	asked.idle_seconds = 2 * DAY_S;
	lease.idle_ms = DAY_S * 1000;
	compare(NULL);
	expect(0, "idle_shortened", "idle timeout: 2d is more than this server allows: 24h");
	/* A later heartbeat chose less: no limit did. */
	asked.idle_seconds = HOUR_S;
	lease.idle_ms = 60000;
	compare(NULL);
	assert_int_equal(notices.count, 0);
	/* The limit was lower, or higher, when the lease got its time. */
	asked.idle_seconds = 3 * DAY_S;
	lease.idle_ms = 2 * DAY_S * INT64_C(1000);
	compare(NULL);
	expect(0, "idle_shortened", "idle timeout: 3d is more than this server allows: 2d");
}

static void u4_fallbacks_say_why(void **state)
{
	(void)state;
	strcpy(asked.location, "fsn1");
	compare(NULL);
	assert_int_equal(notices.count, 0); /* no machine so far */
	strcpy(lease.server_type, "cx33");
	strcpy(lease.server_location, "nbg1");
	strcpy(attempts[0].type, "ccx23");
	strcpy(attempts[0].location, "fsn1");
	attempts[0].refused = LESSOR_CLASS_CAPACITY;
	compare(NULL);
	assert_int_equal(notices.count, 2);
	expect(0, "type_fallback",
	       "ccx23 is not available (capacity); this machine is of type cx33");
	expect(1, "location_fallback", "fsn1 is not available (capacity); this machine is in nbg1");
	attempts[0].refused = 0;
	compare(NULL);
	expect(0, "type_fallback", "ccx23 is not available; this machine is of type cx33");
	strcpy(asked.image, "ubuntu-26.04");
	compare(NULL);
	expect(2, "image_replaced",
	       "image ubuntu-26.04 is not offered here; this machine has ubuntu-24.04");
}

/* Not tried at all, so there is no attempt to name; said before the machine is known as well. */
static void x1_a_location_that_the_account_does_not_have(void **state)
{
	(void)state;
	strcpy(asked.location, "ash");
	lease.location[0] = '\0';
	compare(NULL);
	assert_int_equal(notices.count, 1);
	expect(0, "location_fallback",
	       "ash is not a location of account hetzner; another one is used");
	strcpy(lease.server_type, "ccx23");
	strcpy(lease.server_location, "nbg1");
	compare(NULL);
	assert_int_equal(notices.count, 1);
	expect(0, "location_fallback",
	       "ash is not a location of account hetzner; this machine is in nbg1");
}

static void u4_the_array_is_absent_without_notices(void **state)
{
	struct buf out;
	struct jsonw w;
	json_t *doc;

	(void)state;
	for (int i = 0; i < 2; i++) {
		json_t *list;

		buf_init(&out, 65536);
		jsonw_init(&w, &out);
		jsonw_object(&w, NULL);
		compare(NULL);
		notice_render(&w, &notices);
		jsonw_end_object(&w);
		doc = json_loads(buf_str(&out), 0, NULL);
		list = json_object_get(doc, "notices");
		if (!i)
			assert_null(list);
		else
			assert_string_equal(json_string_value(
						    json_object_get(json_array_get(list, 0),
								    "code")),
					    "slug_taken");
		json_decref(doc);
		buf_fini(&out);
		strcpy(asked.slug, "build");
		strcpy(asked.slug_raw, "build");
	}
}

static void u4_more_notices_than_fit_are_dropped(void **state)
{
	(void)state;
	notices.count = 0;
	for (int i = 0; i < 2 * NOTICES_MAX; i++)
		notice_add(&notices, "slug_taken", "%0300d", i);
	assert_int_equal(notices.count, NOTICES_MAX);
	assert_int_equal(strlen(notices.list[0].message), sizeof(notices.list[0].message) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(u4_nothing_asked_is_nothing_changed, setup),
		cmocka_unit_test_setup(text_5_a_taken_slug_names_both, setup),
		cmocka_unit_test_setup(u4_a_slug_written_otherwise, setup),
		cmocka_unit_test_setup(text_6_times_that_are_too_long, setup),
		cmocka_unit_test_setup(u4_fallbacks_say_why, setup),
		cmocka_unit_test_setup(x1_a_location_that_the_account_does_not_have, setup),
		cmocka_unit_test_setup(u4_the_array_is_absent_without_notices, setup),
		cmocka_unit_test_setup(u4_more_notices_than_fit_are_dropped, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
