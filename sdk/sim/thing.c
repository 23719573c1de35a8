/* SPDX-License-Identifier: MIT */
/*
 * The objects of the cloud, of any kind.
 */
#include <string.h>

#include "sim/world.h"
#include "util/alloc.h"

/* xorshift64*; never zero. */
uint64_t world_random(struct cloud *cloud)
{
	uint64_t x = cloud->random;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	cloud->random = x;
	return x * 0x2545f4914f6cdd1dULL >> 8;
}

static size_t shelf_index(const struct shelf *shelf, int64_t id)
{
	size_t low = 0, high = shelf->count;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (shelf->all[mid]->id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct thing *world_find_any(const struct cloud *cloud, enum cloud_kind kind, int64_t id)
{
	const struct shelf *shelf = &cloud->shelves[kind];
	size_t i = shelf_index(shelf, id);

	return i < shelf->count && shelf->all[i]->id == id ? shelf->all[i] : NULL;
}

struct thing *world_find(const struct cloud *cloud, enum cloud_kind kind, int project, int64_t id)
{
	struct thing *thing = world_find_any(cloud, kind, id);

	return thing && thing->project == project && !thing->ghost ? thing : NULL;
}

struct thing *world_find_name(const struct cloud *cloud, enum cloud_kind kind, int project,
			      const char *name)
{
	const struct shelf *shelf = &cloud->shelves[kind];

	for (size_t i = 0; i < shelf->count; i++) {
		struct thing *thing = shelf->all[i];

		if (thing->project == project && !thing->ghost && !strcmp(thing->name, name))
			return thing;
	}
	return NULL;
}

size_t world_count(const struct cloud *cloud, enum cloud_kind kind, int project)
{
	const struct shelf *shelf = &cloud->shelves[kind];
	size_t n = 0;

	for (size_t i = 0; i < shelf->count; i++)
		n += shelf->all[i]->project == project && !shelf->all[i]->ghost;
	return n;
}

void world_tell(struct cloud *cloud, int64_t at_ms, const char *what, const struct thing *thing,
		const char *who, uint64_t request, const char *text)
{
	struct cloud_event event = {
		.at_ms = at_ms,
		.what = what,
		.kind = thing->kind,
		.id = thing->id,
		.name = thing->name,
		.lease = thing->lease,
		.who = who,
		.request = request,
		.text = text,
	};

	counts_event(cloud->counts, &event);
	if (cloud->config.observe)
		cloud->config.observe(cloud->config.observe_arg, &event);
}

void world_add(struct cloud *cloud, struct thing *thing, enum cloud_kind kind, int project,
	       const char *name, const char *who, uint64_t request)
{
	struct shelf *shelf = &cloud->shelves[kind];
	const char *lease = labels_get(&thing->labels, cloud->lease_label);

	thing->kind = kind;
	thing->project = project;
	thing->id = cloud->next_id[kind];
	cloud->next_id[kind] += 1 + (int64_t)(world_random(cloud) % 7);
	thing->name = xstrdup(name);
	thing->lease = xstrdup(lease ? lease : "");
	thing->who = xstrdup(who);
	thing->created_ms = cloud->now_ms;
	if (shelf->count == shelf->room) {
		shelf->room = shelf->room ? shelf->room * 2 : 16;
		shelf->all = xrealloc(shelf->all, shelf->room * sizeof(struct thing *));
	}
	shelf->all[shelf->count++] = thing;
	thing->record = counts_open(cloud->counts, kind, thing->id, name, thing->lease,
				    thing->created_ms);
	world_tell(cloud, cloud->now_ms, "created", thing, who, request, "");
}

void thing_free(struct thing *thing)
{
	if (thing->fini)
		thing->fini(thing);
	free(thing->name);
	free(thing->lease);
	free(thing->who);
	labels_fini(&thing->labels);
	free(thing);
}

void world_remove(struct cloud *cloud, struct thing *thing)
{
	struct shelf *shelf = &cloud->shelves[thing->kind];
	size_t i = shelf_index(shelf, thing->id);

	memmove(&shelf->all[i], &shelf->all[i + 1], (shelf->count - i - 1) * sizeof(struct thing *));
	shelf->count--;
	thing_free(thing);
}

void world_delete(struct cloud *cloud, int64_t at_ms, struct thing *thing, const char *who,
		  uint64_t request)
{
	thing->ghost = 1; /* observers of the event find it gone */
	world_tell(cloud, at_ms, "deleted", thing, who, request, "");
	counts_close(cloud->counts, thing->record, at_ms);
	world_remove(cloud, thing);
}

void thing_rename(struct cloud *cloud, struct thing *thing, const char *to, const char *who,
		  uint64_t request)
{
	struct thing before = *thing; /* the event has the old name */

	if (!strcmp(thing->name, to))
		return;
	thing->name = xstrdup(to);
	world_tell(cloud, cloud->now_ms, "renamed", &before, who, request, to);
	free(before.name);
}

void thing_relabel(struct cloud *cloud, struct thing *thing, struct labels *labels, const char *who,
		   uint64_t request)
{
	int same = labels_equal(&thing->labels, labels);

	labels_fini(&thing->labels);
	thing->labels = *labels;
	*labels = (struct labels){ 0 };
	if (!same)
		world_tell(cloud, cloud->now_ms, "relabelled", thing, who, request, "");
}

void thing_protect(struct cloud *cloud, struct thing *thing, int on, const char *who,
		   uint64_t request)
{
	int same = thing->protected_delete == on;

	thing->protected_delete = on;
	if (thing->kind == CLOUD_SERVER)
		((struct server *)thing)->protected_rebuild = on;
	if (!same)
		world_tell(cloud, cloud->now_ms, on ? "protected" : "unprotected", thing, who,
			   request, "");
}

void world_wake(struct cloud *cloud, int64_t at_ms, const struct thing *thing)
{
	struct wakeup *heap;
	size_t i = cloud->wakeup_count;

	if (at_ms == NEVER)
		return;
	if (i == cloud->wakeup_room) {
		cloud->wakeup_room = i ? i * 2 : 64;
		cloud->wakeups = xrealloc(cloud->wakeups,
					  cloud->wakeup_room * sizeof(*cloud->wakeups));
	}
	heap = cloud->wakeups;
	cloud->wakeup_count++;
	for (; i && heap[(i - 1) / 2].at_ms > at_ms; i = (i - 1) / 2)
		heap[i] = heap[(i - 1) / 2];
	heap[i] = (struct wakeup){ .at_ms = at_ms, .id = thing->id, .kind = thing->kind };
}

int thing_is_shown(const struct thing *thing, int64_t now_ms)
{
	return !thing->ghost &&
	       (now_ms < thing->hidden_from_ms || now_ms >= thing->hidden_until_ms);
}

int thing_is_listed(const struct thing *thing, int64_t now_ms)
{
	return now_ms >= thing->unlisted_until_ms;
}

/* Reads and lists can be hidden for different times, by one fault each. */
void thing_hide(struct thing *thing, int64_t now_ms, const struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		const json_t *args = plan->items[i].args;
		const char *where = args_str(args, "where", "both");
		int64_t until_ms = now_ms + args_int(args, "ms", 5000);

		if (plan->items[i].kind != FAULT_HIDDEN)
			continue;
		if (strcmp(where, "list")) {
			thing->hidden_from_ms = now_ms;
			if (thing->hidden_until_ms < until_ms)
				thing->hidden_until_ms = until_ms;
		}
		if (strcmp(where, "get") && thing->unlisted_until_ms < until_ms)
			thing->unlisted_until_ms = until_ms;
	}
}
