/* SPDX-License-Identifier: MIT */
/*
 * Histograms of durations, with fixed buckets, for the metrics.
 *
 * A set is a number of series that differ in their labels, up to HISTOGRAM_LABELS texts. It is
 * bounded: once it has `most` series, a new combination is counted in a series whose labels other
 * than the first are "other". The first must be bounded by the caller, as accounts are by the
 * configuration. A series is never removed, so that counters never go back.
 *
 * Threads: every function may be called by any thread at any time; a lock of the set is held for a
 * search among few series, never for a system call. The copy that histogram_set_each passes on is
 * consistent: its sum and its buckets are of the same observations.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_BUCKETS 14
#define HISTOGRAM_LABELS 3
#define HISTOGRAM_LABEL_SIZE 32

/* Upper bounds in microseconds, rising; what is above the last is counted in +Inf only. */
struct histogram_bounds {
	size_t count; /* at most HISTOGRAM_BUCKETS */
	int64_t us[HISTOGRAM_BUCKETS];
};
extern const struct histogram_bounds histogram_quick; /* 1 ms to 10 s: commits, rounds, calls */
extern const struct histogram_bounds histogram_slow;  /* 1 s to 1 h: lives of machines */

struct histogram_series {
	char labels[HISTOGRAM_LABELS][HISTOGRAM_LABEL_SIZE];
	uint64_t counts[HISTOGRAM_BUCKETS + 1]; /* of each bucket alone; the last is above all bounds */
	uint64_t sum_us;
};

struct histogram_set;

/* `bounds` is borrowed. */
struct histogram_set *histogram_set_new(const struct histogram_bounds *bounds, size_t most);
void histogram_set_free(struct histogram_set *set); /* NULL is allowed */
const struct histogram_bounds *histogram_set_bounds(const struct histogram_set *set);
/* Adds an observation; a negative one counts as 0. Labels that do not exist are "". NULL: nothing. */
void histogram_set_add(struct histogram_set *set, const char *a, const char *b, const char *c,
		       int64_t us);
/* Calls fn for a copy of each series, in order of their first observation; without the lock. */
typedef void (*histogram_fn)(void *arg, const struct histogram_series *series);
void histogram_set_each(struct histogram_set *set, histogram_fn fn, void *arg);
