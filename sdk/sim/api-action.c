/* SPDX-License-Identifier: MIT */
/*
 * /actions.
 */
#include <string.h>

#include "sim/call.h"
#include "sim/out.h"
#include "util/alloc.h"

enum { IDS_MAX = 25 };

int64_t action_end_ms(const struct call *call, int64_t lasts_ms)
{
	return call_has(call, FAULT_ENDLESS) ? NEVER : call->now_ms + lasts_ms;
}

void write_made(struct call *call, struct action *a)
{
	action_write(call->cloud, a, call->now_ms, &call->out);
	if (call_has(call, FAULT_ACTION_UNKNOWN))
		a->unknown = 1;
}

void reply_action(struct call *call, int status, struct action *a)
{
	call->response->status = status;
	out_begin(&call->out, '{');
	out_key(&call->out, "action");
	write_made(call, a);
	out_end(&call->out, '}');
}

static void write_action(struct call *call, const struct action *a)
{
	action_write(call->cloud, a, call->now_ms, &call->out);
}

void action_get(struct call *call)
{
	int64_t id = call->sub_id >= 0 ? call->sub_id : call->id;
	const struct action *a = action_find(call->cloud, call->project, id);

	if (!a || (call->sub_id >= 0 && (a->kind != CLOUD_SERVER || a->thing != call->id))) {
		call->id = id;
		reply_not_found(call, "action");
		return;
	}
	out_begin(&call->out, '{');
	out_key(&call->out, "action");
	write_action(call, a);
	out_end(&call->out, '}');
}

static const char *action_status(const struct action *a, int64_t now_ms)
{
	return now_ms < a->finish_ms ? "running" : a->failed ? "error" : "success";
}

static int64_t sign(int64_t x, int64_t y)
{
	return x < y ? -1 : x > y;
}

/* `sort` may be repeated; the first one counts most. */
static int by_query(const void *a, const void *b, void *arg)
{
	const struct action *x = *(const struct action *const *)a;
	const struct action *y = *(const struct action *const *)b;
	const struct call *call = arg;

	for (size_t i = 0; i < call->query.count; i++) {
		const struct query_param *param = &call->query.params[i];
		int64_t differ = query_sorts(param, "command") * strcmp(x->command, y->command);

		differ = differ ? differ :
				  query_sorts(param, "status") *
					  strcmp(action_status(x, call->now_ms),
						 action_status(y, call->now_ms));
		differ = differ ?
				 differ :
				 query_sorts(param, "started") * sign(x->started_ms, y->started_ms);
		differ = differ ? differ :
				  query_sorts(param, "finished") * sign(x->finish_ms, y->finish_ms);
		differ = differ ? differ : query_sorts(param, "id") * sign(x->id, y->id);
		if (differ)
			return differ < 0 ? -1 : 1;
	}
	return (int)sign(x->id, y->id);
}

static void write_actions(struct call *call, const struct action *const *all, size_t from,
			  size_t until)
{
	out_key_begin(&call->out, "actions", '[');
	for (size_t i = from; i < until; i++)
		write_action(call, all[i]);
	out_end(&call->out, ']');
}

static int has_status(const struct call *call, const struct action *a)
{
	return !query_get(&call->query, "status") ||
	       query_has(&call->query, "status", action_status(a, call->now_ms));
}

void action_list(struct call *call)
{
	const struct action *all[IDS_MAX];
	size_t count = 0;
	int left = IDS_MAX;

	if (!query_get(&call->query, "id")) {
		reply_error(call, 410, "deprecated_api_endpoint",
			"the endpoint GET /actions was removed, use the id parameter",
			"{\"announcement\":\"https://docs.hetzner.cloud/changelog#2025-01-30\"}");
		return;
	}
	for (size_t i = 0; i < call->query.count && left; i++) {
		const struct query_param *param = &call->query.params[i];
		const struct action *a;
		int64_t id;

		if (strcmp(param->key, "id"))
			continue;
		/* Like the API, silently drop ids beyond the limit. */
		left--;
		if (number_parse(param->value, &id))
			continue;
		a = action_find(call->cloud, call->project, id);
		if (a && has_status(call, a))
			all[count++] = a;
	}
	if (query_get(&call->query, "sort"))
		qsort_r(all, count, sizeof(*all), by_query, call);
	out_begin(&call->out, '{');
	write_actions(call, all, 0, count);
	out_end(&call->out, '}');
}

void action_list_server(struct call *call)
{
	struct server *s = (struct server *)call_need(call, CLOUD_SERVER, "server");
	auto_free const struct action **all = NULL;
	struct page page;
	size_t count = 0;

	if (!s)
		return;
	all = xcalloc(s->action_count, sizeof(*all));
	for (size_t i = 0; i < s->action_count; i++) {
		const struct action *a = action_find(call->cloud, call->project, s->actions[i]);

		if (a && has_status(call, a))
			all[count++] = a;
	}
	if (count)
		qsort_r(all, count, sizeof(*all), by_query, call);
	if (page_begin(call, count, &page))
		return;
	out_begin(&call->out, '{');
	write_actions(call, all, page.from, page.until);
	page_end(call, &page);
	out_end(&call->out, '}');
}
