/* SPDX-License-Identifier: MIT */
/*
 * The sums of a usage report: leases, their time, and what they cost in each currency, in total
 * and by owner, organisation, account and type. Amounts of different currencies are never added,
 * except in the members that end in USD, by the configured rates. Loop thread.
 */
#pragma once

#include "api/api.h"
#include "store/history.h"
#include "store/store.h"
#include "util/jsonw.h"

struct usage_sums;

/* The month that contains `month_ms`, as seen at `now_ms`. */
struct usage_sums *usage_sums_new(int64_t month_ms, int64_t now_ms);
void usage_sums_free(struct usage_sums *sums); /* NULL is allowed */

/* Counts a lease in the month in which it was created, and reserves what it will cost. */
void usage_sums_add_lease(struct usage_sums *sums, const struct store_usage_row *row);
/* The same for leases that were pruned since. */
void usage_sums_add_past(struct usage_sums *sums, const struct store_past_usage *row);
/* Adds a bill, if it concerns the month. */
void usage_sums_add_cost(struct usage_sums *sums, const struct store_cost_row *row);

/* The members of the totals, and the arrays of the groups. Sorts the groups. */
void usage_sums_render(struct usage_sums *sums, struct jsonw *w, const struct api_config *config);
