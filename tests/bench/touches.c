/* SPDX-License-Identifier: MIT */
#include "touches.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "store/shard.h"
#include "util/alloc.h"
#include "util/env.h"

#define LEASES 1000
#define ROUNDS 3
#define BATCH_MOST 512
#define SAMPLES 100000

struct touches {
	struct store *store;
	const char *url;
	double seconds;
	int64_t clock;
	long next;
	double took[SAMPLES];
};

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int batch_write(struct touches *t, int size, struct err *err)
{
	int64_t n[BATCH_MOST], ms[BATCH_MOST];

	for (int i = 0; i < size; i++) {
		n[i] = t->next++ % LEASES + 1;
		ms[i] = ++t->clock;
	}
	return store_begin(t->store, err) || store_touch_many(t->store, n, ms, (size_t)size, err) ||
			       store_commit(t->store, err) ?
		       -1 :
		       0;
}

struct figure {
	double per_s, p50_us, p99_us;
};

static int batches_measure(struct touches *t, int size, struct figure *ret, struct err *err)
{
	double start = now_s(), last = start, now = start;
	long count = 0;

	for (; now - start < t->seconds && count < SAMPLES; count++) {
		if (batch_write(t, size, err))
			return -1;
		now = now_s();
		t->took[count] = now - last;
		last = now;
	}
	qsort(t->took, (size_t)count, sizeof(t->took[0]), compare);
	*ret = (struct figure){ .per_s = (double)count * size / (now - start),
				.p50_us = t->took[count / 2] * 1e6,
				.p99_us = t->took[count * 99 / 100] * 1e6 };
	return 0;
}

static FILE *pgbench_begin(const struct touches *t, const char *script)
{
	auto_free char *command =
		xasprintf("PATH=$PATH:$(echo /usr/lib/postgresql/*/bin | tr ' ' :) pgbench -n -f %s"
			  " -c 64 -j 2 -M prepared -T %d '%s' 2>&1",
			  script, (int)(t->seconds + 0.5), t->url);

	return popen(command, "r");
}

/* The same rows, one per transaction, 64 at once. Transactions per second; 0: there is no pgbench. */
static double pgbench_measure(const struct touches *t)
{
	char script[] = "/tmp/bench-touches-XXXXXX", line[256];
	int fd = mkstemp(script);
	double per_s = 0;
	FILE *f;

	if (fd < 0)
		return 0;
	dprintf(fd,
		"\\set n random(1, %d)\n"
		"UPDATE beat SET touched_ms = touched_ms + 1 WHERE lease = :n;\n",
		LEASES);
	close(fd);
	f = pgbench_begin(t, script);
	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "tps = ", 6) == 0)
			per_s = strtod(line + 6, NULL);
		else if (strstr(line, "error"))
			fputs(line, stderr);
	}
	if (f)
		pclose(f);
	unlink(script);
	return per_s;
}

/* The three alternate, so that other load affects all; the median counts. */
static int row_print(struct touches *t, int size, struct err *err)
{
	struct figure figures[ROUNDS];
	double rates[ROUNDS], bench[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		if (batches_measure(t, size, &figures[i], err))
			return -1;
		rates[i] = figures[i].per_s;
		bench[i] = pgbench_measure(t);
	}
	qsort(rates, ROUNDS, sizeof(rates[0]), compare);
	qsort(bench, ROUNDS, sizeof(bench[0]), compare);
	printf("%6d %12.0f %9.0f %9.0f %12.0f %6.2f\n", size, rates[ROUNDS / 2],
	       figures[ROUNDS - 1].p50_us, figures[ROUNDS - 1].p99_us, bench[ROUNDS / 2],
	       bench[ROUNDS / 2] > 0 ? rates[ROUNDS / 2] / bench[ROUNDS / 2] : 0);
	fflush(stdout);
	return 0;
}

static int table_print(struct touches *t, const char *title, struct err *err)
{
	static const int sizes[] = { 1, 64, 512 };

	printf("%s\n%6s %12s %9s %9s %12s %6s\n", title, "N", "touches/s", "p50 us", "p99 us",
	       "pgbench/s", "ratio");
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		if (row_print(t, sizes[i], err))
			return -1;
	}
	return 0;
}

static int leases_make(struct touches *t, touches_lease_fn lease_add, struct err *err)
{
	if (store_begin(t->store, err))
		return -1;
	for (long i = 0; i < LEASES; i++)
		lease_add(t->store, i, 0);
	return store_commit(t->store, err);
}

/* As the engine writes: behind the fence of an account that it owns. */
static int account_claim(struct touches *t, struct err *err)
{
	struct shard_claim claim = { .account = "hetzner",
				     .nonce = "0123456789abcdef0123456789abcdef",
				     .address = "",
				     .ttl_ms = SHARD_TTL_MS };
	struct shard row;
	int rc = shard_claim(t->store, &claim, &row, err);

	return rc == 1 ?
		       err_set(err, ERR_BUSY, "somebody owns the account; use an empty database") :
		       rc;
}

int touches_measure(const char *url, double seconds, touches_lease_fn lease_add, struct err *err)
{
	struct touches *t = xcalloc(1, sizeof(*t));
	struct env env;
	int rc;

	env_system(&env);
	t->url = url;
	t->seconds = seconds;
	t->clock = 1787306400000;
	rc = store_open(url, &env, &t->store, err) || leases_make(t, lease_add, err) ||
	     table_print(t, "heartbeats, without a fence", err) || account_claim(t, err) ||
	     table_print(t, "heartbeats, as the owner of an account", err);
	store_close(t->store);
	free(t);
	return rc ? -1 : 0;
}
