/* SPDX-License-Identifier: MIT */
/* Seeded random lives: a lease always makes progress, is retained, or has ended. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "life.h"

static struct lease_facts random_facts(uint32_t seed, int64_t now_ms)
{
	struct lease_facts facts = { .now_ms = now_ms, .random = seed };

	facts.residue = (int)(seed >> 3) % 3;
	facts.billed = facts.residue ? (int)(seed >> 4) % 2 : 0;
	facts.unsure = facts.residue ? (int)(seed >> 5) % 2 : 0;
	facts.deleting = facts.residue ? (seed >> 6) % 8 == 0 : 0;
	facts.unprotected = facts.residue ? (int)(seed >> 9) % 2 : 0;
	facts.can_protect = (int)(seed >> 10) % 2;
	facts.server_gone = facts.residue ? (seed >> 11) % 4 == 0 : 0;
	facts.is_blind = (seed >> 13) % 4 == 0;
	facts.is_clock_suspect = (seed >> 15) % 8 == 0;
	return facts;
}

/* One event; 1 if it is an explicit delete. */
static int random_event(struct lease *l, uint32_t seed, const struct lease_facts *facts)
{

	switch ((seed >> 24) % 16) {
	case 0:
		release(l, 1, *facts);
		return 1;
	case 1:
		release(l, 0, *facts);
		break;
	case 2:
		release(l, -1, *facts);
		break;
	case 3:
		heartbeat(l, 0, *facts);
		break;
	case 4:
	case 5:
		tick(l, *facts);
		break;
	case 6:
		happen(l, LEASE_EVENT_UNPROTECTED, *facts);
		break;
	case 7:
		happen(l, LEASE_EVENT_BLOCKED, *facts);
		break;
	case 8:
		happen(l, LEASE_EVENT_UNBLOCKED, *facts);
		break;
	case 9:
		happen(l, LEASE_EVENT_RETRY, *facts);
		break;
	default:
		(seed >> 20 & 3 ? step : broken_step)(l, lifecycle_next(l, facts),
						      1 + (int)(seed >> 16) % 5, *facts);
		break;
	}
	return 0;
}

static void check_life(const struct lease *l, const struct lease *before,
		       const struct lease_facts *facts, int is_delete)
{
	int64_t due = lease_due_ms(l, facts->now_ms);

	if (before->state >= LEASE_RELEASED)
		assert_int_equal(l->state, before->state);
	assert_true(l->epoch >= before->epoch);
	if (before->retained && !l->retained)
		assert_true(is_delete);
	if (l->retained)
		assert_true(l->cleanup == CLEANUP_RETAINED || l->cleanup == CLEANUP_DONE);
	if (!lease_is_live(l) && l->cleanup != CLEANUP_DONE && !l->retained)
		assert_true(l->due_ms > 0 && due > 0 && due <= facts->now_ms + HOUR);
	if (lease_is_live(l))
		assert_true(l->due_ms > 0 && due > 0 && due <= lease_deadline_ms(l));
	if (l->cleanup == CLEANUP_ATTENTION)
		assert_true(l->attention[0] != '\0');
}

static void always_moving_or_finished(void **state)
{
	uint32_t seed = 12345;

	(void)state;
	for (int life = 0; life < 20000; life++) {
		struct lease l = fresh();
		int64_t now_ms = NOW;

		l.keep = life & 1;
		for (int i = 0; i < 16; i++) {
			struct lease before = l;
			struct lease_facts facts;
			int is_delete;

			seed = seed * 1664525 + 1013904223;
			now_ms += (seed >> 8) % 900000;
			facts = random_facts(seed, now_ms);
			seed = seed * 1664525 + 1013904223;
			is_delete = random_event(&l, seed, &facts);
			check_life(&l, &before, &facts, is_delete);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(always_moving_or_finished),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
