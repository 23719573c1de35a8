/* SPDX-License-Identifier: MIT */
/* What becomes of an orphan: whose it is, how long it must stay, and how many may go at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "lease/orphan.h"
#include "util/alloc.h"

#define NOW INT64_C(1800000000000)
#define GRACE INT64_C(3600000)

/* Seen twice, long enough apart and often enough, by the last complete sweep. */
static const struct orphan ripe = {
	.account = "hetzner",
	.kind = LESSOR_KIND_SERVER,
	.id = "17",
	.name = "a-server",
	.lease = "cbx_0123456789ab",
	.attempt = 1,
	.why = ORPHAN_ENDED,
	.made_ms = NOW - GRACE,
	.first_ms = NOW - ORPHAN_CONFIRM_MS,
	.last_ms = NOW,
	.sightings = 2,
};
static const struct sweep sweep = { .account = "hetzner", .done_ms = NOW };

static int is_held(const struct orphan *s, int64_t now_ms)
{
	return orphan_holds(s, &sweep, 0, GRACE, now_ms) != NULL;
}

static void what_is_ripe_may_go(void **state)
{
	struct orphan s = ripe;
	struct sweep none = { 0 };

	(void)state;
	assert_false(is_held(&s, NOW));
	assert_non_null(orphan_holds(&s, &sweep, 1, GRACE, NOW));
	assert_non_null(orphan_holds(&s, &none, 0, GRACE, NOW));
	s.sightings = 1;
	assert_true(is_held(&s, NOW));
	s = ripe;
	s.first_ms++;
	assert_true(is_held(&s, NOW));
	s = ripe;
	s.first_ms -= ORPHAN_CONFIRM_MS + 1;
	s.last_ms -= ORPHAN_CONFIRM_MS;
	assert_false(is_held(&s, NOW));
	s.last_ms--;
	assert_true(is_held(&s, NOW));
}

static void only_of_an_ended_lease(void **state)
{
	(void)state;
	for (int why = 0; why < ORPHAN_WHY_COUNT; why++) {
		struct orphan s = ripe;

		s.why = (enum orphan_why)why;
		assert_int_equal(is_held(&s, NOW),
				 why != ORPHAN_ENDED && why != ORPHAN_NEWER_THAN_STORE);
	}
}

/* The provider's time counts where it is older than the first sighting, and only there. */
static void its_age_is_from_when_it_was_made(void **state)
{
	struct orphan s = ripe;

	(void)state;
	s.made_ms++;
	assert_true(is_held(&s, NOW));
	assert_false(is_held(&s, NOW + 1));
	/* Not said, or later than it was seen. */
	s.made_ms = 0;
	assert_true(is_held(&s, s.first_ms + GRACE - 1));
	assert_false(is_held(&s, s.first_ms + GRACE));
	s.made_ms = NOW + GRACE;
	assert_false(is_held(&s, s.first_ms + GRACE));
}

static int judge(uint32_t state, const char *row_name, const char *row_id)
{
	struct lease l = { .state = LEASE_RELEASED, .account = "hetzner" };
	struct resource row = { .kind = LESSOR_KIND_SERVER, .state = state };
	struct ledger ledger = { .resources = &row, .resource_count = 1 };

	strcpy(row.name, row_name);
	strcpy(row.id, row_id);
	return orphan_classify(&ripe, &l, &ledger);
}

static void whose_it_is(void **state)
{
	struct lease l = { .state = LEASE_RELEASED, .account = "hetzner" };
	struct ledger none = { 0 };

	(void)state;
	assert_int_equal(orphan_classify(&ripe, NULL, &none), ORPHAN_UNKNOWN);
	assert_int_equal(orphan_classify(&ripe, &l, &none), ORPHAN_NEWER_THAN_STORE);
	l.retained = 1;
	assert_int_equal(orphan_classify(&ripe, &l, &none), ORPHAN_RETAINED);
	strcpy(l.account, "other");
	assert_int_equal(orphan_classify(&ripe, &l, &none), ORPHAN_UNKNOWN);
	/* The ledger claims it, by its id or, while it has none, by its name. */
	assert_int_equal(judge(LESSOR_STATE_PRESENT, "a-server", "17"), -1);
	assert_int_equal(judge(LESSOR_STATE_UNKNOWN, "a-server", ""), -1);
	assert_int_equal(judge(LESSOR_STATE_DISOWNED, "a-server", "17"), -1);
	assert_int_equal(judge(LESSOR_STATE_PRESENT, "a-server", "18"), ORPHAN_ENDED);
	assert_int_equal(judge(LESSOR_STATE_GONE, "a-server", "17"), ORPHAN_ENDED);
	assert_int_equal(judge(LESSOR_STATE_GONE, "another", "17"), ORPHAN_NEWER_THAN_STORE);
}

static void few_at_once(void **state)
{
	int64_t last = orphan_limit(0);

	(void)state;
	assert_true(last >= 1);
	for (int64_t n = 0; n < 1000; n++) {
		assert_true(orphan_limit(n) >= last);
		assert_true(orphan_limit(n) <= last + 1);
		last = orphan_limit(n);
	}
	assert_true(orphan_limit(100000) < 50000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_ripe_may_go),
		cmocka_unit_test(only_of_an_ended_lease),
		cmocka_unit_test(its_age_is_from_when_it_was_made),
		cmocka_unit_test(whose_it_is),
		cmocka_unit_test(few_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
