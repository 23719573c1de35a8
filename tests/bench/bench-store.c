/* SPDX-License-Identifier: MIT */
/*
 * Measures the store without a daemon. Not a test: it prints tables.
 *
 *   bench-store [-d FOLDER] [-t SECONDS] [-l LEASES] [touch] [life] [start]
 *   bench-store -u URL [-t SECONDS]
 *
 * touch: the limit of group commit: heartbeats per second when N of them share
 *        a commit, over 1 and 1,000 leases, compared with a bare SQLite loop that
 *        writes the same rows with the same settings.
 * life:  creates and single reads with LEASES ended leases in the file, and with none.
 * start: store_open with LEASES ended leases, and store_check.
 * -u:    heartbeats in an empty PostgreSQL database, one statement per commit, compared with
 *        pgbench, 64 clients that update the same rows one by one.
 */
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/store.h"
#include "touches.h"
#include "util/env.h"

static const char *folder = ".";
static double seconds = 2;
static long leases = 100000;
static struct env env;

static void die(const char *doing, const struct err *err)
{
	fprintf(stderr, "bench-store: %s: %s\n", doing, err ? err->text : "failed");
	exit(1);
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- files ------------------------------------------------------------------------ */

static const char *store_path(void)
{
	static char path[400];

	snprintf(path, sizeof(path), "%s/bench.db", folder);
	return path;
}

static void store_remove(void)
{
	static const char *const tails[] = { "", "-wal", "-shm", ".lock" };
	char path[420];

	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", store_path(), tails[i]);
		unlink(path);
	}
}

static long file_kib(const char *tail)
{
	char path[420];
	struct stat st;

	snprintf(path, sizeof(path), "%s%s", store_path(), tail);
	return stat(path, &st) ? 0 : (long)(st.st_size / 1024);
}

/* ---- leases ----------------------------------------------------------------------- */

static void lease_fill(struct lease *l, long i, int ended)
{
	memset(l, 0, sizeof(*l));
	snprintf(l->id, sizeof(l->id), "cbx_%012lx", (unsigned long)i * 2654435761ul & 0xffffffffffff);
	snprintf(l->owner, sizeof(l->owner), "owner%ld@example.org", i % 50);
	strcpy(l->org, "example");
	strcpy(l->account, "hetzner");
	snprintf(l->slug, sizeof(l->slug), "blue-whale-%ld", i);
	strcpy(l->class_name, "standard");
	strcpy(l->requested_type, "cpx62");
	for (int t = 0; t < 4; t++)
		snprintf(l->types[t], sizeof(l->types[t]), "cpx%d2", 6 - t);
	l->type_count = 4;
	strcpy(l->location, "fsn1");
	strcpy(l->image, "ubuntu-24.04");
	strcpy(l->architecture, "x86");
	strcpy(l->ssh_user, "crabbox");
	l->ssh_port = 2222;
	strcpy(l->work_root, "/work/crabbox");
	strcpy(l->public_key, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGxlc3NvcmxlC3NvcmxlC3NvcmxlC3NvcmxlC3No bench");
	l->ttl_ms = 5400000;
	l->idle_ms = 1800000;
	l->created_ms = l->touched_ms = 1787306400000 + i * 1000;
	l->updated_ms = l->created_ms;
	l->provision_deadline_ms = l->created_ms + 900000;
	l->epoch = 1;
	l->state = ended ? LEASE_RELEASED : LEASE_ACTIVE;
	l->cleanup = ended ? CLEANUP_DONE : CLEANUP_NONE;
	l->ended_ms = ended ? l->created_ms + 600000 : 0;
	l->due_ms = ended ? 0 : l->created_ms + 1800000;
	strcpy(l->host, "203.0.113.10");
	snprintf(l->server_id, sizeof(l->server_id), "%ld", 100000000 + i);
	strcpy(l->server_name, "lessor-abcdefgh-cbx-0123456789ab-1");
	strcpy(l->server_type, "cpx62");
	strcpy(l->server_location, "fsn1");
	l->price_hour_micros = 62500;
	l->is_billed = !ended;
	strcpy(l->currency, "EUR");
}

/* All rows that the create of one machine writes. */
static void lease_add(struct store *store, long i, int ended)
{
	struct resource r = { .kind = LESSOR_KIND_SERVER, .ours = 1, .attempt = 1 };
	struct attempt a = { .number = 1 };
	struct lease l;
	struct err err;

	lease_fill(&l, i, ended);
	if (store_lease_insert(store, &l, &err))
		die("inserting", &err);
	r.lease = a.lease = l.n;
	r.state = ended ? LESSOR_STATE_GONE : LESSOR_STATE_PRESENT;
	strcpy(r.account, l.account);
	strcpy(r.name, l.server_name);
	strcpy(r.id, l.server_id);
	strcpy(a.type, l.server_type);
	strcpy(a.location, l.server_location);
	if (store_resource_insert(store, &r, &err) || store_attempt_insert(store, &a, &err) ||
	    store_touch(store, l.n, l.touched_ms, &err) ||
	    store_event_add(store, l.n, l.created_ms, "lease.created", "asked for by the bench", &err) ||
	    store_event_add(store, l.n, l.created_ms, "server.created", "a server was made", &err))
		die("inserting", &err);
}

static struct store *store_with(long count, int ended)
{
	struct store *store;
	struct err err;

	store_remove();
	if (store_open(store_path(), &env, &store, &err))
		die("opening", &err);
	for (long i = 0; i < count;) {
		if (store_begin(store, &err))
			die("beginning", &err);
		for (int k = 0; k < 5000 && i < count; k++, i++)
			lease_add(store, i, ended);
		if (store_commit(store, &err))
			die("committing", &err);
	}
	return store;
}

/* ---- measuring ---------------------------------------------------------------------- */

#define SAMPLES 100000

struct rate {
	double per_s;
	double p50_us, p99_us; /* per commit */
};

typedef void (*batch_fn)(void *arg, long first, int n);	/* begins, writes n rows, commits */

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static struct rate measure(batch_fn batch, void *arg, int n)
{
	static double took[SAMPLES];
	double start = now_s(), last = start, now = start;
	long batches = 0;

	while (now - start < seconds) {
		batch(arg, batches * n, n);
		now = now_s();
		took[batches++ % SAMPLES] = now - last;
		last = now;
	}
	if (batches > SAMPLES)
		qsort(took, SAMPLES, sizeof(double), compare);
	else
		qsort(took, (size_t)batches, sizeof(double), compare);
	return (struct rate){
		.per_s = (double)(batches * n) / (now - start),
		.p50_us = took[(batches > SAMPLES ? SAMPLES : batches) / 2] * 1e6,
		.p99_us = took[(batches > SAMPLES ? SAMPLES : batches) * 99 / 100] * 1e6,
	};
}

/* ---- touch ---------------------------------------------------------------------------- */

struct touch {
	struct store *store;
	sqlite3 *db;
	sqlite3_stmt *begin, *commit, *update;
	long rows;
	int64_t clock;
};

static void touch_store(void *arg, long first, int n)
{
	struct touch *t = arg;
	struct err err;

	if (store_begin(t->store, &err))
		die("beginning", &err);
	for (int i = 0; i < n; i++)
		if (store_touch(t->store, (first + i) % t->rows + 1, ++t->clock, &err))
			die("touching", &err);
	if (store_commit(t->store, &err))
		die("committing", &err);
}

static void step(sqlite3 *db, sqlite3_stmt *stmt)
{
	struct err err = { 0 };

	if (sqlite3_step(stmt) != SQLITE_DONE) {
		snprintf(err.text, sizeof(err.text), "%s", sqlite3_errmsg(db));
		die("bare SQLite", &err);
	}
	sqlite3_reset(stmt);
}

static void touch_bare(void *arg, long first, int n)
{
	struct touch *t = arg;

	step(t->db, t->begin);
	for (int i = 0; i < n; i++) {
		sqlite3_bind_int64(t->update, 1, (first + i) % t->rows + 1);
		sqlite3_bind_int64(t->update, 2, ++t->clock);
		step(t->db, t->update);
	}
	step(t->db, t->commit);
}

static void bare_open(struct touch *t)
{
	if (sqlite3_open_v2(store_path(), &t->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) ||
	    sqlite3_exec(t->db, "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000", NULL,
			 NULL, NULL) ||
	    sqlite3_prepare_v2(t->db, "BEGIN IMMEDIATE", -1, &t->begin, NULL) ||
	    sqlite3_prepare_v2(t->db, "COMMIT", -1, &t->commit, NULL) ||
	    sqlite3_prepare_v2(t->db, "UPDATE beat SET touched_ms = ?2 WHERE lease = ?1", -1,
			       &t->update, NULL))
		die("opening bare SQLite", NULL);
}

static void bare_close(struct touch *t)
{
	sqlite3_finalize(t->begin);
	sqlite3_finalize(t->commit);
	sqlite3_finalize(t->update);
	sqlite3_close(t->db);
}

#define ROUNDS 3

static int compare_rates(const void *a, const void *b)
{
	return compare(&((const struct rate *)a)->per_s, &((const struct rate *)b)->per_s);
}

/* The two alternate, so that other load affects both; the median round counts. */
static void run_touch_with(struct touch *t, int n)
{
	struct rate of_store[ROUNDS], of_bare[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		of_store[i] = measure(touch_store, t, n);
		of_bare[i] = measure(touch_bare, t, n);
	}
	qsort(of_store, ROUNDS, sizeof(of_store[0]), compare_rates);
	qsort(of_bare, ROUNDS, sizeof(of_bare[0]), compare_rates);
	printf("%-6ld %6d %12.0f %9.0f %9.0f %12.0f %6.2f\n", t->rows, n, of_store[ROUNDS / 2].per_s,
	       of_store[ROUNDS / 2].p50_us, of_store[ROUNDS / 2].p99_us, of_bare[ROUNDS / 2].per_s,
	       of_store[ROUNDS / 2].per_s / of_bare[ROUNDS / 2].per_s);
}

static void run_touch(void)
{
	static const long rows[] = { 1, 1000 };
	static const int sizes[] = { 1, 8, 64, 512 };

	printf("%-6s %6s %12s %9s %9s %12s %6s\n", "rows", "N", "touches/s", "p50 us", "p99 us",
	       "bare/s", "ratio");
	for (size_t r = 0; r < 2; r++) {
		struct touch t = { .rows = rows[r], .clock = 1787306400000 };

		t.store = store_with(rows[r], 0);
		bare_open(&t);
		for (size_t s = 0; s < 4; s++)
			run_touch_with(&t, sizes[s]);
		bare_close(&t);
		store_close(t.store);
	}
}

/* ---- life ------------------------------------------------------------------------------- */

struct life {
	struct store *store;
	long next;	/* number of the next lease to create */
	long count;	/* leases to read from */
};

static void create_batch(void *arg, long first, int n)
{
	struct life *f = arg;
	struct store_counts have;
	struct err err;

	(void)first;
	if (store_begin(f->store, &err))
		die("beginning", &err);
	for (int i = 0; i < n; i++) {
		if (store_savepoint(f->store, &err) ||
		    store_counts(f->store, "owner1@example.org", "example", "hetzner", &have, &err))
			die("counting", &err);
		lease_add(f->store, f->next++, 0);
		if (store_savepoint_keep(f->store, &err))
			die("keeping", &err);
	}
	if (store_commit(f->store, &err))
		die("committing", &err);
}

static void read_by_n(void *arg, long first, int n)
{
	struct life *f = arg;
	struct lease l;

	for (long i = first; i < first + n; i++)
		if (store_lease_by_n(f->store, i * 7919 % f->count + 1, &l, NULL))
			die("reading", NULL);
}

static void read_by_id(void *arg, long first, int n)
{
	struct life *f = arg;
	struct lease want, l;

	for (long i = first; i < first + n; i++) {
		snprintf(want.id, sizeof(want.id), "cbx_%012lx",
			 (unsigned long)(i * 7919 % f->count) * 2654435761ul & 0xffffffffffff);
		if (store_lease_by_id(f->store, want.id, &l, NULL))
			die("reading", NULL);
	}
}

static void read_counts(void *arg, long first, int n)
{
	struct life *f = arg;
	struct store_counts have;

	(void)first;
	while (n--)
		if (store_counts(f->store, "owner1@example.org", "example", "hetzner", &have, NULL))
			die("counting", NULL);
}

static int ignore(void *arg, const struct lease *l)
{
	(void)arg;
	(void)l;
	return 0;
}

static void list_some(struct store *reader, const char *what, const char *owner, int state,
		      int cleanup, const char *account)
{
	struct store_list list = { .state = state, .cleanup = cleanup, .limit = 100 };
	double start = now_s();

	list.scope.all = !owner;
	list.scope.owner = owner;
	list.scope.org = "example";
	list.account = account;
	if (store_lease_each(reader, &list, ignore, NULL, NULL))
		die("listing", NULL);
	printf("  list: %-38s %10.0f us\n", what, (now_s() - start) * 1e6);
}

static void run_life_with(long ended)
{
	struct life f = { .next = ended, .count = ended };
	struct store *reader, *writer;
	struct err err;

	writer = f.store = store_with(ended, 1);
	printf("%ld ended leases, %ld KiB\n", ended, file_kib(""));
	if (store_open_reader(store_path(), &reader, &err))
		die("opening a reader", &err);
	if (ended) {
		f.store = reader;
		printf("  %-44s %10.2f us\n", "read by number", 1e6 / measure(read_by_n, &f, 100).per_s);
		printf("  %-44s %10.2f us\n", "read by id", 1e6 / measure(read_by_id, &f, 100).per_s);
		f.count = 1000;
		printf("  %-44s %10.2f us\n", "read by id, among 1,000",
		       1e6 / measure(read_by_id, &f, 100).per_s);
		f.store = writer;
list_some(reader, "all, newest 100", NULL, -1, -1, NULL);
		list_some(reader, "all, active (none)", NULL, LEASE_ACTIVE, -1, NULL);
		list_some(reader, "all, failed (none)", NULL, LEASE_FAILED, -1, NULL);
		list_some(reader, "all, attention (none)", NULL, -1, CLEANUP_ATTENTION, NULL);
		list_some(reader, "all, an unused account", NULL, -1, -1, "none");
		list_some(reader, "one owner, newest 100", "owner1@example.org", -1, -1, NULL);
		list_some(reader, "one owner, expired (none)", "owner1@example.org", LEASE_EXPIRED, -1,
			  NULL);
		list_some(reader, "one owner, retained (none)", "owner1@example.org", -1,
			  CLEANUP_RETAINED, NULL);
	}
	for (int n = 1; n <= 64; n *= 8) {
		struct rate rate = measure(create_batch, &f, n);

		printf("  creates, %2d to a commit %35.0f /s\n", n, rate.per_s);
	}
	printf("  %ld live now: store_counts %31.2f us\n", f.next - ended,
	       1e6 / measure(read_counts, &f, 10).per_s);
	store_close(reader);
	store_close(writer);
}

/* ---- start -------------------------------------------------------------------------------- */

static void count_due(void *arg, int64_t n, int64_t due_ms)
{
	(void)n;
	(void)due_ms;
	++*(long *)arg;
}

static void run_start(void)
{
	struct store *store = store_with(leases, 1);
	struct err err;
	long due = 0;

	store_close(store);
	for (int i = 0; i < 3; i++) {
		double start = now_s(), opened;

		if (store_open(store_path(), &env, &store, &err))
			die("opening", &err);
		opened = now_s();
		if (store_due_each(store, NULL, env_wall_ms(&env), count_due, &due, &err))
			die("reading what is due", &err);
		printf("start with %ld ended leases, %ld KiB: open %.1f ms, due %.1f ms\n", leases,
		       file_kib(""), (opened - start) * 1e3, (now_s() - opened) * 1e3);
		if (i == 2) {
			opened = now_s();
			if (store_check(store, &err))
				die("checking", &err);
			printf("store_check: %.0f ms\n", (now_s() - opened) * 1e3);
		}
		store_close(store);
	}
}

int main(int argc, char **argv)
{
	const char *url = NULL;
	struct err err;
	int c, all;

	while ((c = getopt(argc, argv, "d:t:l:u:")) != -1) {
		if (c == 'd')
			folder = optarg;
		else if (c == 't')
			seconds = strtod(optarg, NULL);
		else if (c == 'l')
			leases = strtol(optarg, NULL, 10);
		else if (c == 'u')
			url = optarg;
		else
			return 2;
	}
	if (url) {
		if (touches_measure(url, seconds, lease_add, &err))
			die("measuring", &err);
		return 0;
	}
	env_system(&env);
	all = optind == argc;
	for (int i = optind; all || i < argc; i++) {
		if (all || strcmp(argv[i], "touch") == 0)
			run_touch();
		if (all || strcmp(argv[i], "life") == 0) {
			run_life_with(0);
			run_life_with(leases);
		}
		if (all || strcmp(argv[i], "start") == 0)
			run_start();
		if (all)
			break;
	}
	store_remove();
	return 0;
}
