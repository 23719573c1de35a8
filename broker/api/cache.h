/* SPDX-License-Identifier: MIT */
/*
 * A cache of rendered leases. An entry is valid for one lease id, one caller and one
 * store_data_version(): until the next commit, rendering again would give the same bytes. At
 * most CACHE_SLOTS entries of CACHE_ENTRY_MAX bytes. Loop thread only.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "engine/engine.h"
#include "util/buf.h"

#define CACHE_SLOTS 2048
#define CACHE_ENTRY_MAX 2048

struct cache;

struct cache *cache_new(void);
void cache_free(struct cache *cache); /* NULL is allowed */
/*
 * NULL: not cached. Borrowed until the next cache_put. Version 0 is never found. *ret_epoch is that
 * of the lease.
 */
const struct buf *cache_find(const struct cache *cache, uint64_t version,
			     const struct caller *caller, const char *id, int64_t *ret_epoch);
/* Replaces the entry in its slot. Does nothing if the version is 0 or the answer too large. */
void cache_put(struct cache *cache, uint64_t version, const struct caller *caller, const char *id,
	       int64_t epoch, const struct buf *answer);
