/* SPDX-License-Identifier: MIT */
#include "lease/charge.h"

#include <string.h>

#include "util/text.h"

#define HOUR_MS INT64_C(3600000)

struct summing {
	struct charges *charges;
	int64_t settled_before_ms; /* charges of earlier months are settled */
};

static struct charge *charge_append(struct charges *charges, int64_t month_ms)
{
	struct charge *last;

	if (charges->count == CHARGE_MONTHS_MAX) {
		memmove(&charges->months[0], &charges->months[1],
			(CHARGE_MONTHS_MAX - 1) * sizeof(charges->months[0]));
		charges->count--;
	}
	last = &charges->months[charges->count++];
	*last = (struct charge){ .month_ms = month_ms };
	return last;
}

static struct charge *charge_insert_first(struct charges *charges, int64_t month_ms)
{
	if (charges->count == CHARGE_MONTHS_MAX)
		return NULL;
	memmove(&charges->months[1], &charges->months[0],
		(size_t)charges->count * sizeof(charges->months[0]));
	charges->count++;
	charges->months[0] = (struct charge){ .month_ms = month_ms };
	return &charges->months[0];
}

/* The month's place; gaps between the months are filled. NULL: it is too old. */
static struct charge *charge_of_month(struct charges *charges, int64_t month_ms)
{
	struct charge *first = charges->count ? &charges->months[0] :
						charge_append(charges, month_ms);
	struct charge *last = &charges->months[charges->count - 1];

	while (last->month_ms < month_ms)
		last = charge_append(charges, cost_next_month_ms(last->month_ms));
	first = &charges->months[0];
	while (first && first->month_ms > month_ms)
		first = charge_insert_first(charges, cost_month_ms(first->month_ms - 1));
	for (int i = 0; first && i < charges->count; i++) {
		if (charges->months[i].month_ms == month_ms)
			return &charges->months[i];
	}
	return NULL;
}

static void micros_add(int64_t *sum, int64_t micros)
{
	if (__builtin_add_overflow(*sum, micros, sum) || *sum > INT64_MAX / 2)
		*sum = INT64_MAX / 2;
}

static void month_add(void *arg, int64_t month_ms, struct cost_sum sum)
{
	struct summing *s = arg;
	struct charge *charge = charge_of_month(s->charges, month_ms);

	if (charge)
		micros_add(month_ms < s->settled_before_ms ? &charge->settled_micros :
							     &charge->reserved_micros,
			   sum.micros);
}

static void cost_charge(struct summing *s, const struct cost *cost, int64_t until_ms)
{
	if (!s->charges->currency[0])
		TEXT_SET(s->charges->currency, cost->terms.currency);
	cost_each_month(cost, until_ms, month_add, s);
}

/* Does it stay until somebody decides? */
static int is_kept(const struct lease *l)
{
	return !lease_is_live(l) &&
	       (l->cleanup == CLEANUP_RETAINED || l->cleanup == CLEANUP_ATTENTION);
}

int charge_is_late(const struct lease *l, int64_t now_ms)
{
	return lease_counts(l) && !is_kept(l) && lease_ttl_end_ms(l) <= now_ms;
}

/* Until when what may exist is expected to cost something. */
static int64_t charged_until_ms(const struct lease *l, int64_t now_ms)
{
	int64_t end_ms = lease_ttl_end_ms(l);

	if (!is_kept(l) && end_ms > now_ms)
		return end_ms;
	if (is_kept(l) || now_ms - end_ms >= HOUR_MS)
		return cost_next_month_ms(now_ms);
	/* Its end takes a while: the next hour may begin, too. */
	return (now_ms / HOUR_MS + 1) * HOUR_MS;
}

static int is_free(const struct charge *charge)
{
	return !charge->reserved_micros && !charge->settled_micros;
}

static void ends_trim(struct charges *charges)
{
	int first = 0;

	while (charges->count && is_free(&charges->months[charges->count - 1]))
		charges->count--;
	while (first < charges->count && is_free(&charges->months[first]))
		first++;
	charges->count -= first;
	memmove(&charges->months[0], &charges->months[first],
		(size_t)charges->count * sizeof(charges->months[0]));
}

void charges_of(const struct lease_aggregate *a, const struct cost_terms *expected, int64_t now_ms,
		struct charges *ret)
{
	const struct lease *l = &a->lease;
	int64_t until_ms = charged_until_ms(l, now_ms);
	int counts = lease_counts(l), is_open = 0;
	struct summing s = {
		.charges = ret,
		.settled_before_ms = counts ? cost_month_ms(now_ms) : INT64_MAX,
	};

	ret->count = 0;
	ret->currency[0] = '\0';
	for (size_t i = 0; i < a->ledger.resource_count; i++) {
		const struct resource *r = &a->ledger.resources[i];
		struct cost cost = { .terms = r->terms };

		if (!cost_of_resource(r, &cost.from_ms, &cost.to_ms))
			continue;
		is_open |= !cost.to_ms;
		cost_charge(&s, &cost, until_ms);
	}
	/* Nothing of it is billed at the moment, but something will be. */
	if (counts && !is_open) {
		struct cost cost = { .terms = *expected,
				     .from_ms = lease_begun_ms(l),
				     .to_ms = until_ms };

		cost_charge(&s, &cost, until_ms);
	}
	ends_trim(ret);
}

int64_t charges_in(const struct charges *charges, int64_t month_ms)
{
	for (int i = 0; i < charges->count; i++) {
		const struct charge *charge = &charges->months[i];
		int64_t sum = charge->reserved_micros;

		if (charge->month_ms != month_ms)
			continue;
		micros_add(&sum, charge->settled_micros);
		return sum;
	}
	return 0;
}

uint64_t charges_digest(const struct charges *charges)
{
	uint64_t digest = UINT64_C(14695981039346656037);

	for (int i = 0; i < charges->count; i++) {
		const struct charge *charge = &charges->months[i];
		const uint64_t numbers[] = { (uint64_t)charge->month_ms,
					     (uint64_t)charge->reserved_micros,
					     (uint64_t)charge->settled_micros };

		for (size_t k = 0; k < sizeof(numbers) / sizeof(numbers[0]); k++)
			digest = (digest ^ numbers[k]) * UINT64_C(1099511628211) + k + 1;
	}
	for (const char *c = charges->currency; *c; c++)
		digest = (digest ^ (unsigned char)*c) * UINT64_C(1099511628211);
	return digest | 1;
}
