/* SPDX-License-Identifier: MIT */
/*
 * Conditions that a test can wait for instead of sleeping. A range is "3" (exactly), "3-" (at
 * least) or "-3" (at most).
 */
#include <string.h>

#include "sim/held.h"
#include "sim/query.h"
#include "util/alloc.h"

static int in_range(const char *range, size_t len, uint64_t n, int *ret)
{
	auto_free char *text = xstrndup(range, len);
	int most = *text == '-';
	int least = len > 1 && text[len - 1] == '-';
	int64_t bound;

	if (least)
		text[len - 1] = '\0';
	if (number_parse(text + most, &bound))
		return -1;
	*ret = most ? n <= (uint64_t)bound : least ? n >= (uint64_t)bound : n == (uint64_t)bound;
	return 0;
}

/* "s.create:3-", or "s.create:3-:LEASE". */
static int calls_met(struct cloud *cloud, const char *value, int *ret)
{
	size_t op = strcspn(value, ":");
	const char *range = value + op + (value[op] == ':');
	size_t len = strcspn(range, ":");
	auto_free char *name = xstrndup(value, op);

	if (strcmp(name, "all") && op_find(name) == OP_COUNT)
		return -1;
	return in_range(range, len, cloud_calls(cloud, strcmp(name, "all") ? name : NULL,
		range[len] ? range + len + 1 : NULL), ret);
}

/* "NAME:running". */
static int status_met(struct cloud *cloud, const char *value, int *ret)
{
	size_t len = strcspn(value, ":");
	auto_free char *name = xstrndup(value, len);
	const struct thing *thing = world_find_name(cloud, CLOUD_SERVER, 0, name);

	if (!value[len])
		return -1;
	*ret = thing && !strcmp(server_status((const struct server *)thing, cloud->now_ms),
		value + len + 1);
	return 0;
}

struct search {
	const char *what, *name;
	size_t what_len;
	int found;
};

static void search_visit(void *arg, const struct cloud_event *e)
{
	struct search *s = arg;

	if (strlen(e->what) == s->what_len && !strncmp(e->what, s->what, s->what_len)
	    && (!*s->name || !strcmp(s->name, e->name)))
		s->found = 1;
}

/* "deleted", or "deleted:NAME". */
static int event_met(struct cloud *cloud, const char *value, int *ret)
{
	struct search s = { .what = value, .what_len = strcspn(value, ":") };

	s.name = value + s.what_len + (value[s.what_len] == ':');
	counts_visit(cloud->counts, 0, search_visit, &s);
	*ret = s.found;
	return 0;
}

static int is_there(struct cloud *cloud, const char *name)
{
	for (int k = 0; k < CLOUD_KIND_COUNT; k++) {
		if (world_find_name(cloud, (enum cloud_kind)k, 0, name))
			return 1;
	}
	return 0;
}

static int condition_met(struct cloud *cloud, const struct query_param *p, int *ret)
{
	const struct {
		const char *key;
		uint64_t n;
	} numbers[] = {
		{ "servers", world_count(cloud, CLOUD_SERVER, 0) },
		{ "ssh_keys", world_count(cloud, CLOUD_KEY, 0) },
		{ "primary_ips", world_count(cloud, CLOUD_IP, 0) },
		{ "held", held_count(cloud) },
		{ "events", counts_event_count(cloud->counts) },
		{ "requests", cloud->requests },
		{ "faults", rules_pending(cloud->rules) },
	};

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		if (!strcmp(numbers[i].key, p->key))
			return in_range(p->value, strlen(p->value), numbers[i].n, ret);
	}
	*ret = 1;
	if (!strcmp(p->key, "timeout_ms"))
		return 0;
	if (!strcmp(p->key, "calls"))
		return calls_met(cloud, p->value, ret);
	if (!strcmp(p->key, "status"))
		return status_met(cloud, p->value, ret);
	if (!strcmp(p->key, "event"))
		return event_met(cloud, p->value, ret);
	if (!strcmp(p->key, "gone") || !strcmp(p->key, "exists")) {
		*ret = is_there(cloud, p->value) == !strcmp(p->key, "exists");
		return 0;
	}
	return -1;
}

int cloud_wait_met(struct cloud *cloud, int64_t now_ms, const char *target, struct err *err)
{
	struct query query;
	int all = 1, met = 0;

	cloud_advance(cloud, now_ms);
	query_parse(target, &query);
	for (size_t i = 0; i < query.count && all >= 0; i++) {
		if (condition_met(cloud, &query.params[i], &met))
			all = err_set(err, ERR_INVALID, "'%s=%s' is not a valid condition",
				      query.params[i].key, query.params[i].value);
		else
			all = all && met;
	}
	query_fini(&query);
	return all;
}
