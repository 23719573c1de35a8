/* SPDX-License-Identifier: MIT */
#include "cli/beat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void the_interval_is_a_third_of_the_idle_timeout(void **state)
{
	static const struct {
		int64_t idle_s;
		int64_t ms;
	} cases[] = {
		{ 0, 60000 },	{ -1, 60000 },	 { 1, 500 },	   { 6, 3000 },
		{ 10, 5000 },	{ 14, 5000 },	 { 15, 5000 },	   { 30, 10000 },
		{ 180, 60000 }, { 1800, 60000 }, { 86400, 60000 }, { INT64_MAX, 60000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(beat_interval_ms(cases[i].idle_s), cases[i].ms);
}

static void the_first_is_due_at_once(void **state)
{
	json_t *lease = json_pack("{s:s, s:i}", "id", "cbx_1", "idleTimeoutSeconds", 1800);
	struct beat beat;

	(void)state;
	beat_init(&beat, lease);
	assert_int_equal(beat_left_ms(&beat), 0);
	assert_string_equal(beat.id, "cbx_1");
	beat_fini(&beat);
	json_decref(lease);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_interval_is_a_third_of_the_idle_timeout),
		cmocka_unit_test(the_first_is_due_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
