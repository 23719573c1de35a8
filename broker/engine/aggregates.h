/* SPDX-License-Identifier: MIT */
/*
 * The aggregates in memory: a write-through cache. The engine is the only writer of the store,
 * so an aggregate that was read once stays valid; it is read on first use and then only written.
 * The cache is bounded: between two batches the least recently used aggregates are evicted,
 * except those with a step in flight or a waiting request.
 *
 * Engine thread only.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lease/aggregate.h"
#include "store/store.h"

#define AGGREGATES_MOST 4096

struct aggregates;

/*
 * Borrows the store. `most`: how many aggregates aggregates_trim leaves. `account`: only its leases
 * are read (borrowed); others, which another engine changes, are ERR_REFUSED. NULL: all.
 */
struct aggregates *aggregates_new(struct store *store, const char *account, size_t most);
void aggregates_free(struct aggregates *all);	/* NULL is fine */

/*
 * The lease of that row. NULL: there is none (ERR_NOT_FOUND), or it cannot be read.
 * Valid until the next aggregates_trim or aggregates_clear.
 */
struct lease_aggregate *aggregates_get(struct aggregates *all, int64_t n, struct err *err);
/* The same by id. 0: found; 1: there is none; -1: it cannot be read. */
int aggregates_get_id(struct aggregates *all, const char *id, struct lease_aggregate **ret,
		      struct err *err);
/* The same, without reading the store. NULL: not in memory. */
struct lease_aggregate *aggregates_peek_id(struct aggregates *all, const char *id);
/*
 * Makes the aggregate of a new lease from a copy of `l`. Pass it to aggregates_named once its
 * row is inserted and lease.n set; only then can it be found. Otherwise to aggregates_abandon.
 */
struct lease_aggregate *aggregates_begin(const struct lease *l);
void aggregates_named(struct aggregates *all, struct lease_aggregate *a);
/* Frees a new aggregate whose row could not be inserted. */
void aggregates_abandon(struct lease_aggregate *a);
/* Evicts down to the bound, except those for which `is_pinned` returns non-zero. */
void aggregates_trim(struct aggregates *all, int (*is_pinned)(void *arg, int64_t n), void *arg);
/* The lease's row is removed: so is the lease, if it is in memory. */
void aggregates_drop(struct aggregates *all, int64_t n);
/* Evicts everything. For tests that write to the store behind the engine's back. */
void aggregates_clear(struct aggregates *all);
size_t aggregates_count(const struct aggregates *all);
/* After a commit: compares all aggregates with the store. -1: they differ; `err` says where. */
int aggregates_check(const struct aggregates *all, struct err *err);
