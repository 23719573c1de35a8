/* SPDX-License-Identifier: MIT */
#include "observe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"

#define PAGES_FREE 4	       /* each further page must save a request */
#define ACTION_IDS_MOST 25     /* per request; the API silently drops more */
#define ACTION_REQUESTS_MOST 8 /* per operation; the rest is left to the next one */

/* One observation: the awaited servers by ascending id. */
struct server_observation {
	struct lessor_call *call;
	struct awaited **by_id;
	size_t count, left;
	int64_t age_ms;
};

void observe_add(struct awaited *a, struct lessor_waiting *waiting,
		 const struct lessor_attempt *attempt, const struct lessor_resource *row)
{
	a->waiting = waiting;
	a->z = (struct hz){ .call = waiting->call, .lease = waiting->lease };
	a->id = strtoll(row->id, NULL, 10);
	readiness_begin(&a->readiness, &a->z, attempt, row);
}

static int compare_ids(const void *a, const void *b)
{
	int64_t left = (*(struct awaited *const *)a)->id;
	int64_t right = (*(struct awaited *const *)b)->id;

	return left < right ? -1 : left > right;
}

static int look_begin(struct server_observation *look, struct lessor_call *call, struct awaited *all,
		      size_t count)
{
	*look = (struct server_observation){ .call = call, .count = count, .left = count,
					     .age_ms = INT64_MAX };
	look->by_id = lessor_alloc(call, count * sizeof(struct awaited *));
	if (!look->by_id)
		return -1;
	for (size_t i = 0; i < count; i++) {
		/* Some leases joined slightly early and must not see the previous listing again. */
		int64_t age_ms = readiness_listing_age(&all[i].readiness) * 3 / 4;

		look->by_id[i] = &all[i];
		look->age_ms = age_ms < look->age_ms ? age_ms : look->age_ms;
	}
	qsort(look->by_id, count, sizeof(struct awaited *), compare_ids);
	return 0;
}

/* NULL: not awaited, or already found. */
static struct awaited *look_find(const struct server_observation *look, int64_t id)
{
	struct awaited key = { .id = id }, *key_at = &key, **found;

	found = bsearch(&key_at, look->by_id, look->count, sizeof(struct awaited *), compare_ids);
	return found && !(*found)->is_found ? *found : NULL;
}

static void check_item(struct server_observation *look, struct awaited *a, const json_t *item)
{
	struct server server;

	/* A server that cannot be parsed is read by its id later. */
	if (parse_server(item, &server))
		return;
	a->is_found = 1;
	look->left--;
	if (readiness_is_other(&a->readiness, &server))
		return;
	a->waiting->verdict = readiness_check(&a->readiness, &server);
	a->is_followed = !a->waiting->verdict;
}

/* One page; returns 1 if no further page is needed. */
static int check_page(struct server_observation *look, const struct reply *reply, int number)
{
	int64_t oldest = look->by_id[0]->id;
	struct list_page page;
	int is_last;
	json_t *item;
	size_t i;

	if (parse_page(reply->root, "servers", number, &page))
		return 1;
	is_last = !page.next;
	json_array_foreach(page.items, i, item) {
		struct awaited *a;
		char id[ID_ROOM];

		if (parse_id(json_object_get(item, "id"), id))
			continue;
		a = look_find(look, strtoll(id, NULL, 10));
		if (a)
			check_item(look, a, item);
		is_last |= strtoll(id, NULL, 10) < oldest;
	}
	/* Reading the remaining servers by id is cheaper than more pages. */
	return is_last || !look->left || (size_t)number + 1 >= PAGES_FREE + look->left;
}

/* The number of ids in "1,2". */
static size_t count_actions(const char *actions)
{
	size_t count = actions[0] != '\0';

	for (; *actions; actions++)
		count += *actions == ',';
	return count;
}

static void append_actions(const char *actions, char *path, size_t room)
{
	size_t len = strlen(path);

	while (*actions && len < room) {
		size_t id = strcspn(actions, ",");

		len += (size_t)snprintf(path + len, room - len, "%sid=%.*s",
					path[len - 1] == '?' ? "" : "&", (int)id, actions);
		actions += id + (actions[id] == ',');
	}
}

/* Reads the actions of some servers in one request. Returns where to continue. */
static size_t follow_some(struct server_observation *look, size_t from)
{
	char path[1024] = "/actions?";
	auto_reply reply = { 0 };
	const json_t *actions;
	size_t until, ids = 0;

	for (until = from; until < look->count; until++) {
		const struct awaited *a = look->by_id[until];
		size_t more = a->is_followed ? count_actions(a->readiness.row->action) : 0;

		if (ids + more > ACTION_IDS_MOST)
			break;
		ids += more;
		if (more)
			append_actions(a->readiness.row->action, path, sizeof(path));
	}
	if (!ids)
		return until;
	api_get(look->call, path, 0, &reply);
	actions = reply.rule ? NULL : json_object_get(reply.root, "actions");
	for (size_t i = from; i < until; i++) {
		struct awaited *a = look->by_id[i];

		if (a->is_followed && a->readiness.row->action[0])
			a->waiting->verdict = readiness_check_actions(&a->readiness, actions);
	}
	return until;
}

/* An adopted server has a list of actions of its own, which is left to its own step. */
static void follow_all(struct server_observation *look)
{
	size_t at = 0;

	for (int n = 0; n < ACTION_REQUESTS_MOST && at < look->count; n++)
		at = follow_some(look, at);
	for (; at < look->count; at++) {
		struct awaited *a = look->by_id[at];

		if (a->is_followed && a->readiness.row->action[0])
			a->waiting->verdict = readiness_pending(&a->readiness);
	}
}

/* After a failed read, the actions are not read either. */
static int look_failed(struct server_observation *look, const struct reply *reply)
{
	for (size_t i = 0; i < look->count; i++) {
		struct awaited *a = look->by_id[i];

		if (a->is_followed)
			a->waiting->verdict = readiness_pending(&a->readiness);
		else if (!a->is_found)
			a->waiting->verdict = readiness_read_failed(&a->readiness, reply);
	}
	return api_retry(look->call, reply, "waiting for servers");
}

int observe_look(struct lessor_call *call, struct awaited *all, size_t count)
{
	struct server_observation look;
	int is_last = 0;

	if (look_begin(&look, call, all, count))
		return lessor_retry(call, LESSOR_CLASS_BUG, 0, "out of memory");
	for (int number = 1; !is_last; number++) {
		char path[420];
		auto_reply reply = { 0 };

		readiness_listing_path(call, number, path, sizeof(path));
		api_get(call, path, look.age_ms, &reply);
		if (reply.rule)
			return look_failed(&look, &reply);
		is_last = check_page(&look, &reply, number);
	}
	follow_all(&look);
	return LESSOR_DONE;
}
