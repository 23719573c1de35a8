/* SPDX-License-Identifier: MIT */
/*
 * Reads what a usage report of one month is about, hour by hour, so that no read is long: the
 * bills that concern the month, in three parts, and then the leases that were created in it, first
 * those that were pruned since. Loop thread.
 */
#pragma once

#include "store/history.h"
#include "store/store.h"

/* In the order in which they are read. */
enum usage_part { PART_OPEN, PART_ENDED, PART_BEGUN, PART_PAST, PART_LEASES, PART_COUNT };

/* The first members are set by the caller; on_lease NULL: without the leases. */
struct usage_reader {
	struct store *store;
	const struct store_scope *scope; /* borrowed */
	int64_t month_ms, now_ms;
	store_cost_fn on_cost;
	store_usage_fn on_lease;
	store_past_usage_fn on_past; /* with on_lease */
	void *arg;
	/* The part that is being read, and what of it is left. */
	enum usage_part part;
	int64_t from_ms, to_ms;
	int64_t past_leases; /* how many leases of the month were pruned when that was read */
};

/* Call when the first members are set; and again, to read all once more. */
int usage_reader_begin(struct usage_reader *reader, struct err *err);
/*
 * Reads the next hour. 0: there is more; 1: all is read; 2: all is read, and leases of the month were
 * pruned meanwhile, so that it has to be read once more; -1.
 */
int usage_reader_next(struct usage_reader *reader, struct err *err);
