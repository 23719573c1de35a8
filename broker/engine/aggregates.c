/* SPDX-License-Identifier: MIT */
#include "engine/aggregates.h"

#include <stdlib.h>
#include <string.h>

#include "util/alloc.h"
#include "util/bug.h"
#include "util/hash.h"

#define BUCKETS 4096

struct entry {
	struct lease_aggregate a;    /* first: callers hold a pointer to it */
	struct entry *by_n, *by_id;  /* next in the hash bucket */
	struct entry *newer, *older; /* by last use */
};

struct aggregates {
	struct store *store;
	const char *account; /* NULL: of all */
	size_t most, count;
	struct entry *by_n[BUCKETS], *by_id[BUCKETS];
	struct entry *newest, *oldest;
};

static size_t id_bucket(const char *id)
{
	return hash_fnv32(id, strlen(id)) % BUCKETS;
}

static size_t n_bucket(int64_t n)
{
	return (size_t)n % BUCKETS;
}

struct aggregates *aggregates_new(struct store *store, const char *account, size_t most)
{
	struct aggregates *all = xcalloc(1, sizeof(*all));

	all->store = store;
	all->account = account;
	all->most = most;
	return all;
}

/* ---- by last use ------------------------------------------------------------------------- */

static void list_take(struct aggregates *all, struct entry *e)
{
	if (e->newer)
		e->newer->older = e->older;
	else
		all->newest = e->older;
	if (e->older)
		e->older->newer = e->newer;
	else
		all->oldest = e->newer;
}

static void list_put(struct aggregates *all, struct entry *e)
{
	e->newer = NULL;
	e->older = all->newest;
	if (all->newest)
		all->newest->newer = e;
	else
		all->oldest = e;
	all->newest = e;
}

static struct entry *entry_touch(struct aggregates *all, struct entry *e)
{
	if (e && e != all->newest) {
		list_take(all, e);
		list_put(all, e);
	}
	return e;
}

static void entry_add(struct aggregates *all, struct entry *e)
{
	struct entry **n = &all->by_n[n_bucket(e->a.lease.n)];
	struct entry **id = &all->by_id[id_bucket(e->a.lease.id)];

	BUG_ON(e->a.lease.n <= 0);
	e->by_n = *n;
	*n = e;
	e->by_id = *id;
	*id = e;
	list_put(all, e);
	all->count++;
}

static void entry_drop(struct aggregates *all, struct entry *e)
{
	struct entry **at = &all->by_n[n_bucket(e->a.lease.n)];

	while (*at != e)
		at = &(*at)->by_n;
	*at = e->by_n;
	at = &all->by_id[id_bucket(e->a.lease.id)];
	while (*at != e)
		at = &(*at)->by_id;
	*at = e->by_id;
	list_take(all, e);
	lease_aggregate_fini(&e->a);
	free(e);
	all->count--;
}

void aggregates_clear(struct aggregates *all)
{
	while (all->newest)
		entry_drop(all, all->newest);
}

void aggregates_free(struct aggregates *all)
{
	if (!all)
		return;
	aggregates_clear(all);
	free(all);
}

/* ---- access ------------------------------------------------------------------------------ */

static struct lease_aggregate *aggregates_peek(struct aggregates *all, int64_t n)
{
	struct entry *e = all->by_n[n_bucket(n)];

	while (e && e->a.lease.n != n)
		e = e->by_n;
	return e ? &entry_touch(all, e)->a : NULL;
}

struct lease_aggregate *aggregates_peek_id(struct aggregates *all, const char *id)
{
	struct entry *e = all->by_id[id_bucket(id)];

	while (e && strcmp(e->a.lease.id, id) != 0)
		e = e->by_id;
	return e ? &entry_touch(all, e)->a : NULL;
}

/* Adds a lease that was read into `e`, and reads its ledger. NULL: error, and `e` is freed. */
static struct lease_aggregate *entry_load(struct aggregates *all, struct entry *e, struct err *err)
{
	if (all->account && strcmp(all->account, e->a.lease.account) != 0) {
		err_set(err, ERR_REFUSED, "the lease is of account %s, which another engine serves",
			e->a.lease.account);
		free(e);
		return NULL;
	}
	if (store_ledger(all->store, e->a.lease.n, &e->a.ledger, err)) {
		free(e);
		return NULL;
	}
	e->a.touched_written_ms = e->a.lease.touched_ms;
	entry_add(all, e);
	return &e->a;
}

struct lease_aggregate *aggregates_get(struct aggregates *all, int64_t n, struct err *err)
{
	struct lease_aggregate *a = aggregates_peek(all, n);
	struct entry *e;
	int rc;

	if (a)
		return a;
	e = xcalloc(1, sizeof(*e));
	rc = store_lease_by_n(all->store, n, &e->a.lease, err);
	if (rc == 0)
		return entry_load(all, e, err);
	if (rc == 1)
		err_set(err, ERR_NOT_FOUND, "no lease in row %lld", (long long)n);
	free(e);
	return NULL;
}

int aggregates_get_id(struct aggregates *all, const char *id, struct lease_aggregate **ret,
		      struct err *err)
{
	struct entry *e;
	int rc;

	*ret = aggregates_peek_id(all, id);
	if (*ret)
		return 0;
	e = xcalloc(1, sizeof(*e));
	rc = store_lease_by_id(all->store, id, &e->a.lease, err);
	if (rc) {
		free(e);
		return rc;
	}
	*ret = entry_load(all, e, err);
	return *ret ? 0 : -1;
}

struct lease_aggregate *aggregates_begin(const struct lease *l)
{
	struct entry *e = xcalloc(1, sizeof(*e));

	e->a.lease = *l;
	e->a.lease.n = 0;
	return &e->a;
}

void aggregates_named(struct aggregates *all, struct lease_aggregate *a)
{
	entry_add(all, (struct entry *)(void *)a);
}

void aggregates_abandon(struct lease_aggregate *a)
{
	lease_aggregate_fini(a);
	free(a); /* the first member of its entry */
}

void aggregates_trim(struct aggregates *all, int (*is_pinned)(void *arg, int64_t n), void *arg)
{
	struct entry *e = all->oldest;

	while (e && all->count > all->most) {
		struct entry *newer = e->newer;

		if (!is_pinned(arg, e->a.lease.n))
			entry_drop(all, e);
		e = newer;
	}
}

void aggregates_drop(struct aggregates *all, int64_t n)
{
	struct entry *e = all->by_n[n_bucket(n)];

	while (e && e->a.lease.n != n)
		e = e->by_n;
	if (e)
		entry_drop(all, e);
}

size_t aggregates_count(const struct aggregates *all)
{
	return all->count;
}

static int check_rows(const struct lease_aggregate *a, const struct ledger *stored, struct err *err)
{
	const struct ledger *have = &a->ledger;
	const char *what = have->resource_count != stored->resource_count ? "number of rows" :
			   have->attempt_count != stored->attempt_count ? "number of attempts" : NULL;

	for (size_t i = 0; i < have->resource_count && !what; i++)
		what = have->resources[i].is_dirty ? "a row that was not written" :
		       store_resource_differs(&have->resources[i], &stored->resources[i]);
	for (size_t i = 0; i < have->attempt_count && !what; i++)
		what = have->attempts[i].refused != stored->attempts[i].refused ||
		       strcmp(have->attempts[i].reason, stored->attempts[i].reason) ? "an attempt" : NULL;
	return what ? err_set(err, ERR_INTERNAL, "%s: memory and store differ: %s", a->lease.id, what) : 0;
}

static int check_one(const struct aggregates *all, const struct lease_aggregate *a, struct err *err)
{
	struct ledger stored;
	struct lease l;
	const char *what;
	int rc;

	if (store_lease_by_n(all->store, a->lease.n, &l, err) ||
	    store_ledger(all->store, a->lease.n, &stored, err))
		return -1;
	what = store_lease_differs(&a->lease, &l);
	rc = what ? err_set(err, ERR_INTERNAL, "%s: memory and store differ: %s", a->lease.id, what) :
		    check_rows(a, &stored, err);
	ledger_fini(&stored);
	return rc;
}

int aggregates_check(const struct aggregates *all, struct err *err)
{
	for (const struct entry *e = all->newest; e; e = e->older) {
		if (check_one(all, &e->a, err))
			return -1;
	}
	return 0;
}
