/* SPDX-License-Identifier: MIT */
#include "api/usage_reader.h"

#include "lease/cost.h"

#define HOUR_MS 3600000
#define DAY_MS (24 * HOUR_MS)

/*
 * Sets the window of the part; it may be empty. No window is longer than what the store knows of,
 * whatever month is asked for.
 */
static int part_begin(struct usage_reader *reader, struct err *err)
{
	int64_t end_ms = cost_next_month_ms(reader->month_ms);
	/* Nothing was created, and nothing has ended, after now. */
	int64_t last_ms = reader->now_ms + HOUR_MS;
	int64_t oldest_ms;

	if (store_cost_oldest(reader->store, reader->part == PART_OPEN, &oldest_ms, err))
		return -1;
	reader->from_ms = reader->month_ms;
	reader->to_ms = end_ms < last_ms ? end_ms : last_ms;
	if (reader->part == PART_OPEN) {
		reader->from_ms = oldest_ms;
		reader->to_ms = reader->month_ms < last_ms ? reader->month_ms : last_ms;
	} else if (reader->part == PART_ENDED) {
		/* A minimum may be billed beyond the end, for at most a day. */
		reader->from_ms -= DAY_MS;
		reader->to_ms = oldest_ms < reader->month_ms ? last_ms : 0;
		if (reader->from_ms < oldest_ms)
			reader->from_ms = oldest_ms;
	}
	/* 0 stands for what may still exist. */
	if (reader->from_ms < 1)
		reader->from_ms = 1;
	return 0;
}

int usage_reader_begin(struct usage_reader *reader, struct err *err)
{
	reader->part = PART_OPEN;
	return part_begin(reader, err);
}

static int hour_read(struct usage_reader *reader, struct err *err)
{
	static const enum store_cost_part parts[PART_PAST] = {
		[PART_OPEN] = COSTS_OPEN,
		[PART_ENDED] = COSTS_ENDED,
		[PART_BEGUN] = COSTS_BEGUN,
	};
	int64_t from_ms = reader->from_ms;
	int64_t to_ms = reader->to_ms - from_ms > HOUR_MS ? from_ms + HOUR_MS : reader->to_ms;
	struct store_cost_range range = { .from_ms = from_ms,
					  .to_ms = to_ms,
					  .before_ms = reader->month_ms };

	reader->from_ms = to_ms;
	if (reader->part == PART_LEASES)
		return store_usage_each(reader->store, reader->scope, from_ms, to_ms,
					reader->on_lease, reader->arg, err);
	range.part = parts[reader->part];
	return store_cost_each(reader->store, reader->scope, &range, reader->on_cost, reader->arg,
			       err);
}

/* The number first: what is pruned after that shows at the end. */
static int past_read(struct usage_reader *reader, struct err *err)
{
	return store_past_usage_leases(reader->store, reader->month_ms, &reader->past_leases, err) ||
			       store_past_usage_each(reader->store, reader->scope, reader->month_ms,
						     reader->on_past, reader->arg, err) ?
		       -1 :
		       0;
}

static int end_check(const struct usage_reader *reader, struct err *err)
{
	int64_t now;

	if (store_past_usage_leases(reader->store, reader->month_ms, &now, err))
		return -1;
	return now == reader->past_leases ? 1 : 2;
}

int usage_reader_next(struct usage_reader *reader, struct err *err)
{
	if (reader->from_ms < reader->to_ms)
		return hour_read(reader, err);
	switch (++reader->part) {
	case PART_PAST:
		return reader->on_lease ? past_read(reader, err) : 1;
	case PART_COUNT:
		return end_check(reader, err);
	default:
		return part_begin(reader, err);
	}
}
