/* SPDX-License-Identifier: MIT */
#include "lease/cost.h"

#include <time.h>

#define HOUR_MS INT64_C(3600000)
/* A damaged store may hold any time: later ones would not fit into a year. */
#define LAST_MS INT64_C(253402300800000) /* the year 10000 */
#define LONGEST_MS (INT64_C(100) * 366 * 24 * HOUR_MS)

static int64_t clamp_ms(int64_t ms)
{
	return ms < 0 ? 0 : ms > LAST_MS ? LAST_MS : ms;
}

int cost_of_resource(const struct resource *r, int64_t *ret_from_ms, int64_t *ret_to_ms)
{
	if (!r->lease || !r->ours || !r->id[0] || !resource_kind_is_billed(r->kind) ||
	    r->state == LESSOR_STATE_NEVER_EXISTED)
		return 0;
	*ret_from_ms = r->created_ms;
	*ret_to_ms = 0;
	if (r->state == LESSOR_STATE_GONE || r->state == LESSOR_STATE_DISOWNED ||
	    r->state == LESSOR_STATE_HANDED_OVER)
		*ret_to_ms = r->changed_ms;
	return 1;
}

static int64_t month_shift(int64_t ms, int months)
{
	time_t seconds = (time_t)(clamp_ms(ms) / 1000);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	tm = (struct tm){ .tm_year = tm.tm_year, .tm_mon = tm.tm_mon + months, .tm_mday = 1 };
	return (int64_t)timegm(&tm) * 1000;
}

int64_t cost_month_ms(int64_t ms)
{
	return month_shift(ms, 0);
}

int64_t cost_next_month_ms(int64_t ms)
{
	return month_shift(ms, 1);
}

/* How many units have begun `ms` after the first one, which begins at 0. */
static int64_t units_before(int64_t ms, int64_t unit_ms)
{
	return ms > 0 ? (ms - 1) / unit_ms + 1 : 0;
}

/* The time of a resource in units, limited to times that a calendar has. */
struct span {
	int64_t from_ms, unit_ms, units;
};

static struct span cost_span(const struct cost *cost, int64_t until_ms)
{
	struct span span = { .from_ms = clamp_ms(cost->from_ms),
			     .unit_ms = cost->terms.unit_ms > 0 ? cost->terms.unit_ms : 1 };
	int64_t ms = clamp_ms(cost->to_ms ? cost->to_ms : until_ms) - span.from_ms;

	if (span.unit_ms > LONGEST_MS)
		span.unit_ms = LONGEST_MS;
	if (ms < cost->terms.minimum_ms)
		ms = cost->terms.minimum_ms;
	if (ms < 1)
		ms = 1;
	if (ms > LONGEST_MS)
		ms = LONGEST_MS;
	span.units = units_before(ms, span.unit_ms);
	return span;
}

static int64_t price_of(const struct cost_terms *terms, int64_t ms)
{
	__int128 micros = ((__int128)ms * terms->hour_micros + HOUR_MS / 2) / HOUR_MS;

	if (micros > INT64_MAX / 2)
		micros = INT64_MAX / 2;
	if (terms->month_micros > 0 && micros > terms->month_micros)
		return terms->month_micros;
	return (int64_t)micros;
}

static struct cost_sum span_in_month(const struct cost *cost, const struct span *span,
				     int64_t month_ms)
{
	int64_t first = units_before(cost_month_ms(month_ms) - span->from_ms, span->unit_ms);
	int64_t end = units_before(cost_next_month_ms(month_ms) - span->from_ms, span->unit_ms);
	struct cost_sum sum = { 0 };

	if (end > span->units)
		end = span->units;
	if (first >= end)
		return sum;
	sum.billed_ms = (end - first) * span->unit_ms;
	sum.micros = price_of(&cost->terms, sum.billed_ms);
	return sum;
}

struct cost_sum cost_in_month(const struct cost *cost, int64_t month_ms, int64_t until_ms)
{
	struct span span = cost_span(cost, until_ms);

	return span_in_month(cost, &span, month_ms);
}

void cost_each_month(const struct cost *cost, int64_t until_ms, cost_month_fn fn, void *arg)
{
	struct span span = cost_span(cost, until_ms);
	int64_t last_ms = span.from_ms + (span.units - 1) * span.unit_ms;

	for (int64_t month = cost_month_ms(span.from_ms); month <= last_ms;
	     month = cost_next_month_ms(month))
		fn(arg, month, span_in_month(cost, &span, month));
}

static void sum_add(void *arg, int64_t month_ms, struct cost_sum one)
{
	struct cost_sum *sum = arg;

	(void)month_ms;
	sum->billed_ms += one.billed_ms;
	if (__builtin_add_overflow(sum->micros, one.micros, &sum->micros))
		sum->micros = INT64_MAX / 2;
}

struct cost_sum cost_total(const struct cost *cost, int64_t until_ms)
{
	struct cost_sum sum = { 0 };

	cost_each_month(cost, until_ms, sum_add, &sum);
	return sum;
}

int64_t cost_expected(const struct cost_terms *terms, int64_t ms)
{
	struct cost cost = { .terms = *terms, .to_ms = ms };

	return ms > 0 ? cost_total(&cost, 0).micros : 0;
}

int64_t cost_convert(int64_t micros, int64_t rate_micros)
{
	__int128 converted = ((__int128)micros * rate_micros + 500000) / 1000000;

	return converted > INT64_MAX / 2 ? INT64_MAX / 2 : (int64_t)converted;
}
