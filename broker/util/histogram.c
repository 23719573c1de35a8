/* SPDX-License-Identifier: MIT */
#include "util/histogram.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "util/alloc.h"
#include "util/text.h"

#define MS INT64_C(1000)
#define S INT64_C(1000000)

const struct histogram_bounds histogram_quick = {
	.count = 13,
	.us = { MS, 2 * MS, 5 * MS, 10 * MS, 25 * MS, 50 * MS, 100 * MS, 250 * MS, 500 * MS, S,
		2500 * MS, 5 * S, 10 * S },
};

const struct histogram_bounds histogram_slow = {
	.count = 13,
	.us = { S, 2 * S, 5 * S, 10 * S, 20 * S, 30 * S, 60 * S, 120 * S, 300 * S, 600 * S,
		1200 * S, 1800 * S, 3600 * S },
};

struct histogram_set {
	const struct histogram_bounds *bounds;
	size_t most;
	pthread_mutex_t lock;
	/* guarded by `lock` */
	struct histogram_series **series;
	size_t count;
};

struct histogram_set *histogram_set_new(const struct histogram_bounds *bounds, size_t most)
{
	struct histogram_set *set = xcalloc(1, sizeof(*set));

	set->bounds = bounds;
	set->most = most;
	pthread_mutex_init(&set->lock, NULL);
	return set;
}

void histogram_set_free(struct histogram_set *set)
{
	if (!set)
		return;
	for (size_t i = 0; i < set->count; i++)
		free(set->series[i]);
	free(set->series);
	pthread_mutex_destroy(&set->lock);
	free(set);
}

const struct histogram_bounds *histogram_set_bounds(const struct histogram_set *set)
{
	return set->bounds;
}

static struct histogram_series *series_find(const struct histogram_set *set,
					    const struct histogram_series *wanted)
{
	for (size_t i = 0; i < set->count; i++) {
		if (memcmp(set->series[i]->labels, wanted->labels, sizeof(wanted->labels)) == 0)
			return set->series[i];
	}
	return NULL;
}

/* The series of these labels, which is made if there is none; `wanted` may become "other". */
static struct histogram_series *series_get(struct histogram_set *set,
					   struct histogram_series *wanted)
{
	struct histogram_series *found = series_find(set, wanted);

	if (!found && set->count >= set->most) {
		for (int i = 1; i < HISTOGRAM_LABELS; i++) {
			if (wanted->labels[i][0])
				memcpy(wanted->labels[i], "other", sizeof("other"));
			memset(wanted->labels[i] + strlen(wanted->labels[i]), 0,
			       sizeof(wanted->labels[i]) - strlen(wanted->labels[i]));
		}
		found = series_find(set, wanted);
	}
	if (found)
		return found;
	set->series = xrealloc(set->series, (set->count + 1) * sizeof(struct histogram_series *));
	set->series[set->count] = xcalloc(1, sizeof(*wanted));
	*set->series[set->count] = *wanted;
	return set->series[set->count++];
}

void histogram_set_add(struct histogram_set *set, const char *a, const char *b, const char *c,
		       int64_t us)
{
	struct histogram_series wanted = { .sum_us = 0 }, *to;
	size_t bucket = 0;

	if (!set)
		return;
	TEXT_SET(wanted.labels[0], a);
	TEXT_SET(wanted.labels[1], b);
	TEXT_SET(wanted.labels[2], c);
	if (us < 0)
		us = 0;
	while (bucket < set->bounds->count && us > set->bounds->us[bucket])
		bucket++;
	pthread_mutex_lock(&set->lock);
	to = series_get(set, &wanted);
	to->counts[bucket == set->bounds->count ? HISTOGRAM_BUCKETS : bucket]++;
	to->sum_us += (uint64_t)us;
	pthread_mutex_unlock(&set->lock);
}

/* The i-th series; 0: there is none. */
static int series_copy(struct histogram_set *set, size_t i, struct histogram_series *ret)
{
	int has;

	pthread_mutex_lock(&set->lock);
	has = i < set->count;
	if (has)
		*ret = *set->series[i];
	pthread_mutex_unlock(&set->lock);
	return has;
}

void histogram_set_each(struct histogram_set *set, histogram_fn fn, void *arg)
{
	struct histogram_series copy;

	for (size_t i = 0; series_copy(set, i, &copy); i++)
		fn(arg, &copy);
}
