/* SPDX-License-Identifier: MIT */
/*
 * The queue for capacity as clients see it: read from the store when it has changed, at most once
 * for each change, with the place of every lease in it. Where other daemons change it, too, nothing
 * tells that they did: then it is read at most once for each request. Loop thread.
 */
#pragma once

#include "api/render.h"
#include "api/request.h"
#include "store/queue.h"

struct queue_entry {
	struct store_queued row;
	int64_t place; /* 1: the next of its account */
	int64_t of;    /* leases that wait in its account */
	size_t group;  /* the same for all of its account and owner; less than group_count */
};

struct queue_view {
	uint64_t version; /* fleet_queue_version */
	int is_read;
	struct queue_entry *entries; /* by account and place */
	size_t count, size;
	size_t group_count;
};

/* The queue as committed. Valid until the next call. NULL: it cannot be read, `err` is set. */
const struct queue_view *queue_view_read(struct api *api, struct err *err);
/* It may have changed: the next call reads it. */
void queue_view_forget(struct api *api);
void queue_view_fini(struct api *api);
/*
 * What stops the entry: the first limit that it would exceed, or "queue" for those before it. A
 * static text.
 */
const char *queue_view_scope(struct api *api, const struct queue_entry *entry);
/* The place of a lease. 0: it is not in the queue, or no longer. */
int queue_view_place(struct api *api, const struct lease *l, struct render_queue *ret);
