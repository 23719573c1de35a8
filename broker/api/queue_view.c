/* SPDX-License-Identifier: MIT */
#include "api/queue_view.h"

#include "api/month.h"

#include <stdlib.h>
#include <string.h>

#include "util/alloc.h"

static struct queue_view *view_of(struct api *api)
{
	if (!api->queue_view)
		api->queue_view = xcalloc(1, sizeof(*api->queue_view));
	return api->queue_view;
}

static int entry_add(void *arg, const struct store_queued *row)
{
	struct queue_view *view = arg;

	if (view->count == view->size) {
		view->size = view->size ? view->size * 2 : 64;
		view->entries = xrealloc(view->entries, view->size * sizeof(*view->entries));
	}
	view->entries[view->count++] = (struct queue_entry){ .row = *row };
	return 0;
}

static int owner_compare(const struct store_queued *a, const struct store_queued *b)
{
	int by = strcmp(a->account, b->account);

	by = by ? by : strcmp(a->owner, b->owner);
	return by ? by : strcmp(a->org, b->org);
}

static int entry_by_owner(const void *x, const void *y)
{
	const struct queue_entry *a = x, *b = y;
	int by = owner_compare(&a->row, &b->row);

	return by ? by : a->row.n < b->row.n ? -1 : a->row.n > b->row.n;
}

static void entries_sort(struct queue_view *view, int (*compare)(const void *, const void *))
{
	if (view->count)
		qsort(view->entries, view->count, sizeof(*view->entries), compare);
}

/* Numbers the owners of each account, and the leases of each of them, from 1 on in `place`. */
static void owners_number(struct queue_view *view)
{
	entries_sort(view, entry_by_owner);
	view->group_count = 0;
	for (size_t i = 0; i < view->count; i++) {
		struct queue_entry *e = &view->entries[i];
		int is_first = !i || owner_compare(&e->row, &e[-1].row);

		e->place = is_first ? 1 : e[-1].place + 1;
		view->group_count += (size_t)is_first;
		e->group = view->group_count - 1;
		e->of = INT64_MAX;
	}
}

/* The owner's turn, in `of`. */
static void turn_set(void *arg, const struct store_queue_owner *turn)
{
	struct queue_view *view = arg;
	struct store_queued wanted = { .n = 0 };
	size_t low = 0, high = view->count;

	memcpy(wanted.account, turn->account, sizeof(wanted.account));
	memcpy(wanted.owner, turn->owner, sizeof(wanted.owner));
	memcpy(wanted.org, turn->org, sizeof(wanted.org));
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (owner_compare(&view->entries[middle].row, &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < view->count && !owner_compare(&view->entries[low].row, &wanted); low++)
		view->entries[low].of = turn->turn;
}

/* In each round every owner has one turn, and the order of the turns stays. */
static int entry_by_turn(const void *x, const void *y)
{
	const struct queue_entry *a = x, *b = y;
	int by = strcmp(a->row.account, b->row.account);

	if (by)
		return by;
	if (a->place != b->place)
		return a->place < b->place ? -1 : 1;
	return a->of < b->of ? -1 : a->of > b->of;
}

static void places_set(struct queue_view *view)
{
	size_t first = 0;

	entries_sort(view, entry_by_turn);
	for (size_t i = 0; i <= view->count; i++) {
		if (i < view->count &&
		    !strcmp(view->entries[i].row.account, view->entries[first].row.account))
			continue;
		for (size_t k = first; k < i; k++) {
			view->entries[k].place = (int64_t)(k - first + 1);
			view->entries[k].of = (int64_t)(i - first);
		}
		first = i;
	}
}

const struct queue_view *queue_view_read(struct api *api, struct err *err)
{
	struct queue_view *view = view_of(api);
	/* Before the store: what is committed meanwhile is read again. */
	uint64_t version = fleet_queue_version(api->parts.fleet);

	if (view->is_read && view->version == version)
		return view;
	view->count = 0;
	view->is_read = 0;
	if (store_queue_each(api->parts.reader, entry_add, view, err))
		return NULL;
	owners_number(view);
	if (store_queue_owner_each(api->parts.reader, turn_set, view, err))
		return NULL;
	places_set(view);
	view->version = version;
	view->is_read = 1;
	return view;
}

void queue_view_forget(struct api *api)
{
	if (api->queue_view)
		api->queue_view->is_read = 0;
}

void queue_view_fini(struct api *api)
{
	if (api->queue_view)
		free(api->queue_view->entries);
	free(api->queue_view);
	api->queue_view = NULL;
}

const char *queue_view_scope(struct api *api, const struct queue_entry *entry)
{
	const struct store_queued *row = &entry->row;
	const struct month_lease l = { row->owner, row->org, row->account, row->price_hour_micros,
				       0 };
	struct limit_hit hit;

	if (!month_limit_find(api, &l, &hit))
		return "queue";
	return limit_scope_name(hit.scope);
}

int queue_view_place(struct api *api, const struct lease *l, struct render_queue *ret)
{
	const struct queue_view *view;

	if (!lease_is_queued(l))
		return 0;
	view = queue_view_read(api, NULL);
	for (size_t i = 0; view && i < view->count; i++) {
		const struct queue_entry *e = &view->entries[i];

		if (e->row.n != l->n)
			continue;
		*ret = (struct render_queue){ e->place, e->of, e->row.since_ms, e->row.until_ms,
					      queue_view_scope(api, e) };
		return 1;
	}
	return 0;
}
