/* SPDX-License-Identifier: MIT */
#include "sim/world.h"

#include <string.h>

#include "sim/held.h"
#include "util/alloc.h"

#define TOKENS_MAX 10000

static void start_world(struct cloud *cloud)
{
	/* Seeds 0 and 1 must differ, and the state must not be 0. */
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
	start_world(cloud);
	return cloud;
}

static void stop_world(struct cloud *cloud)
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
	stop_world(cloud);
	start_world(cloud);
	for (size_t i = 0; i < cloud->token_count; i++)
		cloud->tokens[i]->revoked = 0;
}

void cloud_free(struct cloud *cloud)
{
	if (!cloud)
		return;
	stop_world(cloud);
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

static struct wakeup pop_wakeup(struct cloud *cloud)
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

static void run_wakeup(struct cloud *cloud, const struct wakeup *w)
{
	struct thing *thing = world_find_any(cloud, w->kind, w->id);

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
		struct wakeup w = pop_wakeup(cloud);

		if (w.at_ms > cloud->now_ms)
			cloud->now_ms = w.at_ms;
		run_wakeup(cloud, &w);
	}
	if (now_ms > cloud->now_ms)
		cloud->now_ms = now_ms;
	catalogue_advance(&cloud->catalogue, cloud->now_ms);
}

int64_t cloud_next_ms(const struct cloud *cloud)
{
	return cloud->wakeup_count ? cloud->wakeups[0].at_ms : NEVER;
}

static struct cloud_object show_object(const struct cloud *cloud, const struct thing *thing)
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
			struct cloud_object o = show_object(cloud, cloud->shelves[k].all[i]);

			if (!cloud->shelves[k].all[i]->ghost)
				fn(arg, &o);
		}
	}
}

int cloud_object_find(const struct cloud *cloud, enum cloud_kind kind, int64_t id,
	struct cloud_object *ret)
{
	const struct thing *thing = world_find_any(cloud, kind, id);

	if (!thing || thing->ghost)
		return -1;
	*ret = show_object(cloud, thing);
	return 0;
}

const char *cloud_object_label(const struct cloud *cloud, enum cloud_kind kind, int64_t id,
	const char *key)
{
	const struct thing *thing = world_find_any(cloud, kind, id);

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
