/* SPDX-License-Identifier: MIT */
/*
 * What a resource costs: the one place that turns times and prices into money. Pure. Amounts
 * are integers in millionths of the currency's unit, rounded once per resource and month.
 *
 * A provider bills in units, such as started hours. A unit belongs to the calendar month (UTC)
 * in which it begins, and a month of one resource never costs more than its monthly price.
 */
#pragma once

#include <stdint.h>

#include "lease/cost_terms.h"
#include "lease/ledger.h"

/* The bill of one resource: from its creation until it is proven gone. */
struct cost {
	int64_t resource; /* ledger row */
	int64_t lease;	  /* lease row */
	char lease_id[24], slug[48], owner[128], org[64], account[32];
	char type[32], location[32]; /* "" if unknown */
	struct cost_terms terms;
	int64_t from_ms;
	int64_t to_ms; /* 0: it may still exist */
};

/* What one resource costs. */
struct cost_sum {
	int64_t billed_ms; /* whole units */
	int64_t micros;
};

/*
 * Is the resource billed to its lease? Only what the lease created, and only once the provider
 * has shown it: a create with an unknown outcome is billed, from the moment of its intent, as
 * soon as a look-up finds the resource. Fills in from when, and until when (0: it may exist).
 */
int cost_of_resource(const struct resource *r, int64_t *ret_from_ms, int64_t *ret_to_ms);

/* The first moment of the month (UTC) that contains `ms`, and of the next one. */
int64_t cost_month_ms(int64_t ms);
int64_t cost_next_month_ms(int64_t ms);

/*
 * The units that begin in the month that contains `month_ms`, as seen at `until_ms`, until when
 * a resource that may exist is taken to exist.
 */
struct cost_sum cost_in_month(const struct cost *cost, int64_t month_ms, int64_t until_ms);
/* All of it, with each month limited by itself. */
struct cost_sum cost_total(const struct cost *cost, int64_t until_ms);
/* Each month from the first unit to the last, in order. */
typedef void (*cost_month_fn)(void *arg, int64_t month_ms, struct cost_sum sum);
void cost_each_month(const struct cost *cost, int64_t until_ms, cost_month_fn fn, void *arg);
/* `ms` of a resource that does not exist yet; 0 ms cost nothing. */
int64_t cost_expected(const struct cost_terms *terms, int64_t ms);
/* In another currency, of which one unit of this one is `rate_micros` millionths. */
int64_t cost_convert(int64_t micros, int64_t rate_micros);
