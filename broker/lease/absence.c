/* SPDX-License-Identifier: MIT */
#include "lease/absence.h"

/* The earliest time at which an observation may count. */
static int64_t counts_from(const struct resource *r, const struct absence_facts *facts)
{
	int64_t settled_ms = r->changed_ms + facts->settle_ms;
	int64_t lands_ms = resource_lands_ms(r, facts->settle_ms, facts->store_ahead_ms);

	if (lessor_state_is_unsettled(r->state))
		return lands_ms > settled_ms ? lands_ms : settled_ms;
	return r->seen_ms ? 0 : r->created_ms + facts->settle_ms;
}

static int64_t apart_ms(const struct resource *r)
{
	/* Seen before and missing again: not a listing that lags behind a create. */
	return lessor_state_is_unsettled(r->state) && !r->seen_ms ? ABSENCE_LOOKUP_MS :
								    ABSENCE_APART_MS;
}

int64_t absence_next_ms(const struct resource *r, const struct absence_facts *facts)
{
	int64_t from = counts_from(r, facts);

	if (r->state == LESSOR_STATE_DELETING)
		return 0;
	return r->absent_count ? r->first_absent_ms + apart_ms(r) : from;
}

enum absence absence_observe(struct resource *r, const struct absence_facts *facts)
{
	if (r->state == LESSOR_STATE_DELETING)
		return ABSENCE_PROVEN;
	if (facts->is_clock_suspect || facts->begun_ms < counts_from(r, facts))
		return ABSENCE_IGNORED;
	/* The clock may have been set back since the first observation. */
	if (!r->absent_count || r->first_absent_ms > facts->begun_ms) {
		r->absent_count = 1;
		r->first_absent_ms = facts->ended_ms;
		return ABSENCE_COUNTED;
	}
	if (facts->begun_ms - r->first_absent_ms < apart_ms(r))
		return ABSENCE_COUNTED;
	r->absent_count++;
	return ABSENCE_PROVEN;
}

int absence_reset(struct resource *r)
{
	if (!r->absent_count)
		return 0;
	r->absent_count = 0;
	r->first_absent_ms = 0;
	return 1;
}
