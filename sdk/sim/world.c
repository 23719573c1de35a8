/* SPDX-License-Identifier: MIT */
#include "sim/world.h"

#include <string.h>

#include "sim/held.h"
#include "util/alloc.h"

#define TOKENS_MAX 10000

const char *cloud_kind_name(enum cloud_kind kind)
{
	static const char *const names[CLOUD_KIND_COUNT] = { "server", "ssh_key", "primary_ip" };

	return names[kind];
}

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

static void start(struct cloud *cloud)
{
	/* A seed of 0 and one of 1 must differ, and none may be 0 inside. */
	cloud->random = (cloud->config.seed + 1) * 0x9e3779b97f4a7c15ULL | 1;
	for (int i = 0; i < 8; i++)
		world_random(cloud);
	cloud->next_id[CLOUD_SERVER] = 118400001 + (int64_t)(world_random(cloud) % 100000);
	cloud->next_id[CLOUD_KEY] = 31200001 + (int64_t)(world_random(cloud) % 100000);
	cloud->next_id[CLOUD_IP] = 95300001 + (int64_t)(world_random(cloud) % 100000);
	cloud->next_action_id = 606028482673874 + (int64_t)(world_random(cloud) % 100000);
	for (size_t i = 0; i < PROJECTS_MAX; i++)
		cloud->buckets[i] = (struct bucket){ .at_ms = -1 };
	catalogue_init(&cloud->catalogue);
	cloud->rules = rules_new();
	cloud->counts = counts_new(cloud->config.history_kept, cloud->config.requests_kept);
}

struct cloud *cloud_new(const struct cloud_config *config)
{
	struct cloud *cloud = xcalloc(1, sizeof(*cloud));

	cloud->config = *config;
	cloud->lease_label = xstrdup(config->lease_label);
	cloud->config.lease_label = cloud->lease_label;
	cloud->token_any = 1;
	start(cloud);
	return cloud;
}

static void thing_free(struct thing *thing)
{
	free(thing->name);
	free(thing->lease);
	free(thing->who);
	labels_fini(&thing->labels);
	switch (thing->kind) {
	case CLOUD_SERVER:
		server_free((struct server *)thing);
		break;
	case CLOUD_KEY:
		key_free((struct key *)thing);
		break;
	default:
		ip_free((struct ip *)thing);
		break;
	}
}

static void stop(struct cloud *cloud)
{
	for (size_t k = 0; k < CLOUD_KIND_COUNT; k++) {
		struct shelf *shelf = &cloud->shelves[k];

		for (size_t i = 0; i < shelf->count; i++)
			thing_free(shelf->all[i]);
		free(shelf->all);
		*shelf = (struct shelf){ 0 };
	}
	for (size_t i = 0; i < cloud->action_count; i++) {
		free(cloud->actions[i].code);
		free(cloud->actions[i].message);
	}
	free(cloud->actions);
	cloud->actions = NULL;
	cloud->action_count = cloud->action_room = 0;
	free(cloud->wakeups);
	cloud->wakeups = NULL;
	cloud->wakeup_count = cloud->wakeup_room = 0;
	cloud->addresses = 0;
	held_free_all(cloud);
	catalogue_fini(&cloud->catalogue);
	rules_free(cloud->rules);
	counts_free(cloud->counts);
}

void world_clear(struct cloud *cloud)
{
	stop(cloud);
	start(cloud);
	for (size_t i = 0; i < cloud->token_count; i++)
		cloud->tokens[i]->revoked = 0;
}

void cloud_free(struct cloud *cloud)
{
	if (!cloud)
		return;
	stop(cloud);
	for (size_t i = 0; i < cloud->token_count; i++) {
		free(cloud->tokens[i]->value);
		free(cloud->tokens[i]);
	}
	free(cloud->tokens);
	free(cloud->lease_label);
	free(cloud);
}

static struct token *add_token(struct cloud *cloud, const char *value)
{
	struct token *token = xcalloc(1, sizeof(*token));

	cloud->tokens = xrealloc(cloud->tokens, (cloud->token_count + 1) * sizeof(struct token *));
	cloud->tokens[cloud->token_count++] = token;
	token->value = xstrdup(value);
	snprintf(token->name, sizeof(token->name), "t%zu", cloud->token_count);
	return token;
}

void cloud_add_token(struct cloud *cloud, const char *value, int project, int readonly)
{
	struct token *token = add_token(cloud, value);

	token->project = project >= 0 && project < PROJECTS_MAX ? project : 0;
	token->readonly = readonly;
	cloud->token_any = 0;
}

struct token *world_token(struct cloud *cloud, const char *value)
{
	for (size_t i = 0; i < cloud->token_count; i++) {
		if (!strcmp(cloud->tokens[i]->value, value))
			return cloud->tokens[i]->revoked ? NULL : cloud->tokens[i];
	}
	if (!cloud->token_any || !*value || cloud->token_count >= TOKENS_MAX)
		return NULL;
	return add_token(cloud, value);
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

/* Of any project, ghosts included. */
static struct thing *find_any(const struct cloud *cloud, enum cloud_kind kind, int64_t id)
{
	const struct shelf *shelf = &cloud->shelves[kind];
	size_t i = shelf_index(shelf, id);

	return i < shelf->count && shelf->all[i]->id == id ? shelf->all[i] : NULL;
}

struct thing *world_find(const struct cloud *cloud, enum cloud_kind kind, int project, int64_t id)
{
	struct thing *thing = find_any(cloud, kind, id);

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
		.at_ms = at_ms, .what = what, .kind = thing->kind, .id = thing->id,
		.name = thing->name, .lease = thing->lease, .who = who, .request = request,
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

void world_remove(struct cloud *cloud, struct thing *thing)
{
	struct shelf *shelf = &cloud->shelves[thing->kind];
	size_t i = shelf_index(shelf, thing->id);

	memmove(&shelf->all[i], &shelf->all[i + 1],
		(shelf->count - i - 1) * sizeof(struct thing *));
	shelf->count--;
	thing_free(thing);
}

void world_delete(struct cloud *cloud, int64_t at_ms, struct thing *thing, const char *who,
	uint64_t request)
{
	thing->ghost = 1;	/* who is told finds it gone */
	world_tell(cloud, at_ms, "deleted", thing, who, request, "");
	counts_close(cloud->counts, thing->record, at_ms);
	world_remove(cloud, thing);
}

void thing_rename(struct cloud *cloud, struct thing *thing, const char *to, const char *who,
	uint64_t request)
{
	struct thing before = *thing;	/* by this name it is told of */

	if (!strcmp(thing->name, to))
		return;
	thing->name = xstrdup(to);
	world_tell(cloud, cloud->now_ms, "renamed", &before, who, request, to);
	free(before.name);
}

void thing_relabel(struct cloud *cloud, struct thing *thing, struct labels *labels,
	const char *who, uint64_t request)
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

static struct wakeup pop(struct cloud *cloud)
{
	struct wakeup *heap = cloud->wakeups;
	struct wakeup top = heap[0], last = heap[--cloud->wakeup_count];
	size_t n = cloud->wakeup_count, i = 0;

	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= n)
			break;
		if (child + 1 < n && heap[child + 1].at_ms < heap[child].at_ms)
			child++;
		if (last.at_ms <= heap[child].at_ms)
			break;
		heap[i] = heap[child];
		i = child;
	}
	heap[i] = last;
	return top;
}

static void wake(struct cloud *cloud, const struct wakeup *w)
{
	struct thing *thing = find_any(cloud, w->kind, w->id);

	if (!thing)
		return;
	if (w->kind == CLOUD_SERVER)
		server_wake(cloud, (struct server *)thing, w->at_ms);
	else if (w->kind == CLOUD_IP && ((struct ip *)thing)->gone_ms <= w->at_ms)
		world_delete(cloud, w->at_ms, thing, "cloud", 0);
}

void cloud_advance(struct cloud *cloud, int64_t now_ms)
{
	while (cloud->wakeup_count && cloud->wakeups[0].at_ms <= now_ms) {
		struct wakeup w = pop(cloud);

		if (w.at_ms > cloud->now_ms)
			cloud->now_ms = w.at_ms;
		wake(cloud, &w);
	}
	if (now_ms > cloud->now_ms)
		cloud->now_ms = now_ms;
}

int64_t cloud_next_ms(const struct cloud *cloud)
{
	return cloud->wakeup_count ? cloud->wakeups[0].at_ms : NEVER;
}

static struct cloud_object show(const struct cloud *cloud, const struct thing *thing)
{
	struct cloud_object o = {
		.kind = thing->kind, .project = thing->project, .id = thing->id,
		.name = thing->name, .lease = thing->lease, .who = thing->who,
		.created_ms = thing->created_ms, .status = "",
		.is_protected = thing->protected_delete,
		.is_hidden = !thing_is_shown(thing, cloud->now_ms),
		.is_unlisted = !thing_is_listed(thing, cloud->now_ms),
	};

	if (thing->kind == CLOUD_SERVER)
		o.status = server_status((const struct server *)thing, cloud->now_ms);
	else if (thing->kind == CLOUD_IP)
		o.server = ((const struct ip *)thing)->server;
	return o;
}

void cloud_visit_objects(const struct cloud *cloud, cloud_object_fn *fn, void *arg)
{
	for (size_t k = 0; k < CLOUD_KIND_COUNT; k++) {
		for (size_t i = 0; i < cloud->shelves[k].count; i++) {
			struct cloud_object o = show(cloud, cloud->shelves[k].all[i]);

			if (!cloud->shelves[k].all[i]->ghost)
				fn(arg, &o);
		}
	}
}

int cloud_object_find(const struct cloud *cloud, enum cloud_kind kind, int64_t id,
	struct cloud_object *ret)
{
	const struct thing *thing = find_any(cloud, kind, id);

	if (!thing || thing->ghost)
		return -1;
	*ret = show(cloud, thing);
	return 0;
}

const char *cloud_object_label(const struct cloud *cloud, enum cloud_kind kind, int64_t id,
	const char *key)
{
	const struct thing *thing = find_any(cloud, kind, id);

	return thing && !thing->ghost ? labels_get(&thing->labels, key) : NULL;
}

void cloud_visit_events(struct cloud *cloud, uint64_t after_seq, cloud_event_fn *fn, void *arg)
{
	counts_visit(cloud->counts, after_seq, fn, arg);
}

uint64_t cloud_calls(const struct cloud *cloud, const char *op, const char *lease)
{
	enum op which = op ? op_find(op) : OP_COUNT;

	return op && which == OP_COUNT ? 0 : counts_calls(cloud->counts, which, lease);
}

int thing_is_shown(const struct thing *thing, int64_t now_ms)
{
	return !thing->ghost
		&& (now_ms < thing->hidden_from_ms || now_ms >= thing->hidden_until_ms);
}

int thing_is_listed(const struct thing *thing, int64_t now_ms)
{
	return now_ms >= thing->unlisted_until_ms;
}

/* Reads and lists can be hidden for times of their own, by a fault each. */
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
