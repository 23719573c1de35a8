/* SPDX-License-Identifier: MIT */
/*
 * What a lease takes of the money of each calendar month (UTC). Pure.
 *
 * While something of the lease may cost money, the most that it is expected to cost until the end
 * of its TTL is reserved. When everything is proven gone, the reservation is replaced by the bills:
 * the charge is settled. The past months of what goes on are settled, too. A lease that never had
 * anything has no charges.
 *
 * Nobody knows when a retained lease ends, or one that needs an operator, or one that should have
 * ended more than an hour ago, because its deletes are refused, say: it reserves up to the end of the
 * current month, and has to be charged again in the next one.
 */
#pragma once

#include <stdint.h>

#include "lease/aggregate.h"
#include "lease/cost.h"

/* The newest ones are kept. */
#define CHARGE_MONTHS_MAX 40

struct charge {
	int64_t month_ms; /* cost_month_ms */
	int64_t reserved_micros, settled_micros;
};

struct charges {
	char currency[4]; /* "": unknown, or nothing */
	int count;
	struct charge months[CHARGE_MONTHS_MAX]; /* in order, without a gap */
};

/* `expected`: of the machine that a lease is to get. */
void charges_of(const struct lease_aggregate *a, const struct cost_terms *expected, int64_t now_ms,
		struct charges *ret);
/*
 * Has it outlived its TTL, although nobody wanted that? What it takes grows with the time, without any
 * event of it: it has to be charged again every hour.
 */
int charge_is_late(const struct lease *l, int64_t now_ms);
/* Reserved and settled in the month. */
int64_t charges_in(const struct charges *charges, int64_t month_ms);
/* Never 0. */
uint64_t charges_digest(const struct charges *charges);
