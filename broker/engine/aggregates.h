/* SPDX-License-Identifier: MIT */
/*
 * The aggregates in memory. The engine is the only writer of the store, so what was read
 * once stays true: a lease is read when something first happens to it, and afterwards
 * only written. Bounded: those that nothing has happened to for the longest time make
 * room between two batches, but none with a step under way or somebody waiting for it.
 *
 * The engine's thread only.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lease/aggregate.h"
#include "store/store.h"

#define AGGREGATES_MOST 4096

struct aggregates;

struct aggregates *aggregates_new(struct store *store, size_t most);
void aggregates_free(struct aggregates *all);	/* NULL is fine */

/*
 * The lease of that row. NULL: there is none (ERR_NOT_FOUND), or it cannot be read.
 * Valid until the next aggregates_trim or aggregates_drop.
 */
struct lease_aggregate *aggregates_get(struct aggregates *all, int64_t n, struct err *err);
/* The same by its id. 1: there is none; -1: it cannot be read. */
int aggregates_get_id(struct aggregates *all, const char *id, struct lease_aggregate **ret,
		      struct err *err);
/* Only if it is in memory already. */
struct lease_aggregate *aggregates_peek(struct aggregates *all, int64_t n);
struct lease_aggregate *aggregates_peek_id(struct aggregates *all, const char *id);
/* Takes in a new lease, copied; it is found once aggregates_named was told its row number. */
struct lease_aggregate *aggregates_begin(const struct lease *l);
void aggregates_named(struct aggregates *all, struct lease_aggregate *a);
/* It could not be written, and has no number. */
void aggregates_abandon(struct lease_aggregate *a);
/* Back to the bound. `is_pinned` says which must stay. */
void aggregates_trim(struct aggregates *all, int (*is_pinned)(void *arg, int64_t n), void *arg);
/* Somebody has written beside the engine, as only tests do: all is read again. */
void aggregates_clear(struct aggregates *all);
size_t aggregates_count(const struct aggregates *all);
/* After a commit: is all that is in memory what is stored? -1: not, `err` says where. */
int aggregates_check(const struct aggregates *all, struct err *err);
