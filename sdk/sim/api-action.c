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

void action_list(struct call *call)
{
	int left = IDS_MAX;

	if (!query_get(&call->query, "id")) {
		reply_error(call, 410, "deprecated_api_endpoint",
			"the endpoint GET /actions was removed, use the id parameter",
			"{\"announcement\":\"https://docs.hetzner.cloud/changelog#2025-01-30\"}");
		return;
	}
	out_begin(&call->out, '{');
	out_key_begin(&call->out, "actions", '[');
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
		if (a)
			write_action(call, a);
	}
	out_end(&call->out, ']');
	out_end(&call->out, '}');
}

static int has_status(const struct call *call, const struct action *a)
{
	const char *status = call->now_ms < a->finish_ms ? "running"
		: a->failed ? "error" : "success";

	return !query_get(&call->query, "status") || query_has(&call->query, "status", status);
}

void action_list_server(struct call *call)
{
	struct server *s = (struct server *)call_need(call, CLOUD_SERVER, "server");
	const char *sort = query_get(&call->query, "sort");
	int backwards = sort && strstr(sort, ":desc");
	auto_free const struct action **all = NULL;
	struct page page;
	size_t count = 0;

	if (!s)
		return;
	all = xcalloc(s->action_count, sizeof(*all));
	for (size_t i = 0; i < s->action_count; i++) {
		size_t j = backwards ? s->action_count - 1 - i : i;
		const struct action *a = action_find(call->cloud, call->project, s->actions[j]);

		if (a && has_status(call, a))
			all[count++] = a;
	}
	if (page_begin(call, count, &page))
		return;
	out_begin(&call->out, '{');
	out_key_begin(&call->out, "actions", '[');
	for (size_t i = page.from; i < page.until; i++)
		write_action(call, all[i]);
	out_end(&call->out, ']');
	page_end(call, &page);
	out_end(&call->out, '}');
}
