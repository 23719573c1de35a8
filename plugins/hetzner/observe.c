/* SPDX-License-Identifier: MIT */
#include "observe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"

#define PAGES_FREE 4	 /* each further page must save a request */
#define PAGE_SIZE 50	 /* the most that the API allows */
#define PAGE_SIZE_FEW 10 /* for up to FEW: a page of 50 takes milliseconds to parse */
#define FEW 4
#define RANK_KEY "observe/rank"
#define RANK_KEEP_MS (60 * 1000)
#define RANK_MAX 100000
#define ACTION_IDS_MOST 25     /* per request; the API silently drops more */
#define ACTION_REQUESTS_MOST 8 /* per operation; the rest is left to the next one */

/* One observation: the awaited servers by ascending id. */
struct server_observation {
	struct lessor_call *call;
	struct awaited **by_id;
	size_t count, left;
	int64_t age_ms;
	int page_size;
	size_t pages;	/* read */
	long rank;	/* of the newest awaited server found, from 0, newest first; -1: none */
	int64_t newest; /* the greatest id on the page read last; 0: it is empty */
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
	*look = (struct server_observation){
		.call = call,
		.count = count,
		.left = count,
		.age_ms = INT64_MAX,
		.page_size = PAGE_SIZE,
		.rank = -1,
	};
	look->by_id = lessor_alloc(call, count * sizeof(struct awaited *));
	if (!look->by_id)
		return -1;
	for (size_t i = 0; i < count; i++) {
		int64_t age_ms = readiness_listing_age(&all[i].readiness);

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

/* Checks the servers of a page. Returns 1 if no page of older servers is needed. */
static int check_page(struct server_observation *look, const struct reply *reply, int number)
{
	int64_t oldest = look->by_id[0]->id;
	struct list_page page;
	int is_last;
	json_t *item;
	size_t i;
	long rank;

	look->pages++;
	look->newest = 0;
	if (parse_page(reply->root, "servers", number, &page))
		return 1;
	is_last = !page.next;
	json_array_foreach(page.items, i, item) {
		struct awaited *a;
		char text[ID_ROOM];
		int64_t id;

		if (parse_id(json_object_get(item, "id"), text))
			continue;
		id = strtoll(text, NULL, 10);
		look->newest = id > look->newest ? id : look->newest;
		is_last |= id < oldest;
		a = look_find(look, id);
		if (!a)
			continue;
		check_item(look, a, item);
		rank = (long)(number - 1) * look->page_size + (long)i;
		if (look->rank < 0 || rank < look->rank)
			look->rank = rank;
	}
	/* Reading the remaining servers by id is cheaper than more pages. */
	return is_last || !look->left || look->pages + 1 >= PAGES_FREE + look->left;
}

/* Is any server still awaited that is newer than all on the page read last? */
static int awaits_newer(const struct server_observation *look)
{
	for (size_t i = look->count; look->newest && i-- > 0;) {
		if (look->by_id[i]->id <= look->newest)
			return 0;
		if (!look->by_id[i]->is_found)
			return look->pages + 1 < PAGES_FREE + look->left;
	}
	return 0;
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

/*
 * Where the listing shows those that are expected now: with many waiting, they are behind all
 * newer ones, and about as many of these as at the observation before. -1: unknown.
 */
static long rank_expected(struct lessor_call *call)
{
	const char *text = lessor_cache_get(call, RANK_KEY);
	long rank = text ? strtol(text, NULL, 10) : -1;

	return rank > RANK_MAX ? -1 : rank;
}

static void rank_remember(const struct server_observation *look)
{
	char text[24];

	if (look->rank < 0)
		return;
	snprintf(text, sizeof(text), "%ld", look->rank);
	lessor_cache_put(look->call, RANK_KEY, text, RANK_KEEP_MS);
}

/* Reads and checks one page. -1: it could not be read, and *reply says why. */
static int look_at_page(struct server_observation *look, int number, struct reply *reply)
{
	char path[420];

	reply_clear(reply);
	readiness_listing_path(look->call, look->page_size, number, path, sizeof(path));
	api_get(look->call, path, look->age_ms, reply);
	return reply->rule ? -1 : check_page(look, reply, number);
}

/* Reads the pages on which awaited servers are expected. Returns -1 if one could not be read. */
static int look_at_pages(struct server_observation *look, struct reply *reply)
{
	long rank = rank_expected(look->call);
	int expected, number, last;
	int64_t newest;

	if (rank >= 0 && look->count <= FEW)
		look->page_size = PAGE_SIZE_FEW;
	expected = number = rank < 0 ? 1 : (int)(rank / look->page_size) + 1;
	last = look_at_page(look, number, reply);
	/* None is there: a full search, from the newest on. */
	if (last >= 0 && look->left == look->count &&
	    (expected > 1 || look->page_size < PAGE_SIZE)) {
		look->page_size = PAGE_SIZE;
		last = look_at_page(look, number = expected = 1, reply);
	}
	newest = look->newest;
	while (!last)
		last = look_at_page(look, ++number, reply);
	look->newest = newest;
	for (number = expected; last >= 0 && number > 1 && awaits_newer(look);)
		last = look_at_page(look, --number, reply);
	if (last >= 0)
		rank_remember(look);
	return last < 0 ? -1 : 0;
}

int observe_look(struct lessor_call *call, struct awaited *all, size_t count)
{
	struct server_observation look;
	auto_reply reply = { 0 };

	if (look_begin(&look, call, all, count))
		return lessor_retry(call, LESSOR_CLASS_BUG, 0, "out of memory");
	if (look_at_pages(&look, &reply))
		return look_failed(&look, &reply);
	follow_all(&look);
	return LESSOR_DONE;
}
