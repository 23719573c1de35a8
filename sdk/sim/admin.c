/* SPDX-License-Identifier: MIT */
/*
 * /_sim/: the truth, and the strings to pull. Costs no token, counts no call.
 */
#include <string.h>

#include "sim/held.h"
#include "sim/out.h"
#include "sim/query.h"
#include "util/alloc.h"

#define ANSWER_MAX (1 << 30)

struct admin {
	struct cloud *cloud;
	const struct cloud_request *request;
	struct cloud_response *response;
	struct query query;
	json_t *body;			/* NULL: none, or no JSON */
	struct buf out;
	int lines; /* the response is one JSON object per line */
};

static void write_thing(struct admin *a, const struct thing *thing)
{
	struct buf *out = &a->out;

	out_begin(out, '{');
	out_key_int(out, "id", thing->id);
	out_key_str(out, "name", thing->name);
	out_key_str(out, "lease", thing->lease);
	out_key_str(out, "who", thing->who);
	out_key_int(out, "project", thing->project);
	out_key_int(out, "created_ms", thing->created_ms);
	out_key_bool(out, "protected", thing->protected_delete);
	out_key_bool(out, "shown", thing_is_shown(thing, a->cloud->now_ms));
	out_key(out, "labels");
	labels_write(&thing->labels, out);
	if (thing->kind == CLOUD_SERVER) {
		const struct server *s = (const struct server *)thing;

		out_key_str(out, "status", server_status(s, a->cloud->now_ms));
		out_key_str(out, "server_type", s->type->name);
		out_key_str(out, "location", s->location->name);
		out_key_bool(out, "locked", a->cloud->now_ms < s->locked_until_ms);
	} else if (thing->kind == CLOUD_IP) {
		const struct ip *ip = (const struct ip *)thing;

		out_key_str(out, "ip", ip->address);
		out_key_int(out, "server", ip->server);
		out_key_bool(out, "auto_delete", ip->auto_delete);
	} else {
		out_key_str(out, "fingerprint", ((const struct key *)thing)->fingerprint);
	}
	out_end(out, '}');
}

/* The objects that really exist, whatever faults make the API show. */
static int show_state(struct admin *a, struct err *err)
{
	static const char *const members[] = { "servers", "ssh_keys", "primary_ips" };
	struct cloud *cloud = a->cloud;
	int64_t project = query_get_int(&a->query, "project", -1);

	(void)err;
	out_begin(&a->out, '{');
	out_key_int(&a->out, "now_ms", cloud->now_ms);
	out_key_int(&a->out, "next_ms", cloud->wakeup_count ? cloud_next_ms(cloud) : -1);
	out_key_int(&a->out, "requests", (int64_t)cloud->requests);
	out_key_int(&a->out, "events", (int64_t)counts_event_count(cloud->counts));
	out_key_int(&a->out, "held", (int64_t)held_count(cloud));
	for (size_t k = 0; k < CLOUD_KIND_COUNT; k++) {
		const struct shelf *shelf = &cloud->shelves[k];

		out_key_begin(&a->out, members[k], '[');
		for (size_t i = 0; i < shelf->count; i++) {
			if (!shelf->all[i]->ghost
			    && (project < 0 || project == shelf->all[i]->project))
				write_thing(a, shelf->all[i]);
		}
		out_end(&a->out, ']');
	}
	out_end(&a->out, '}');
	return 0;
}

static int show_history(struct admin *a, struct err *err)
{
	int64_t after = query_get_int(&a->query, "after", 0);

	(void)err;
	counts_write_history(a->cloud->counts, (uint64_t)(after < 0 ? 0 : after), &a->out);
	return 0;
}

static int show_calls(struct admin *a, struct err *err)
{
	(void)err;
	counts_write_calls(a->cloud->counts, &a->out);
	return 0;
}

static int show_bill(struct admin *a, struct err *err)
{
	(void)err;
	counts_write_bill(a->cloud->counts, a->cloud->now_ms, &a->out);
	return 0;
}

static int show_requests(struct admin *a, struct err *err)
{
	const char *format = query_get(&a->query, "format");

	(void)err;
	a->lines = format && !strcmp(format, "lines");
	counts_write_requests(a->cloud->counts, a->lines, &a->out);
	return 0;
}

static int show_faults(struct admin *a, struct err *err)
{
	(void)err;
	rules_write(a->cloud->rules, &a->out);
	return 0;
}

static int add_faults(struct admin *a, struct err *err)
{
	if (rules_add(a->cloud->rules, a->cloud->now_ms, a->body, err))
		return -1;
	return show_faults(a, err);
}

static int remove_faults(struct admin *a, struct err *err)
{
	int64_t id = query_get_int(&a->query, "id", 0);

	if (id < 0)
		return err_set(err, ERR_INVALID, "id must be a number");
	rules_remove(a->cloud->rules, id);
	return show_faults(a, err);
}

static int change_config(struct admin *a, struct err *err)
{
	return config_change(a->cloud, a->body, err);
}

static int change_token(struct admin *a, struct err *err)
{
	return config_change_token(a->cloud, a->body, err);
}

static int change_catalogue(struct admin *a, struct err *err)
{
	return catalogue_change(&a->cloud->catalogue, a->body, err);
}

static int act_human(struct admin *a, struct err *err)
{
	return human_act(a->cloud, a->cloud->now_ms, a->body, err);
}

static int load_scenario(struct admin *a, struct err *err)
{
	return cloud_load(a->cloud, a->cloud->now_ms, a->request->body ? a->request->body : "",
		a->request->body_len, err);
}

/* With a body: start over with this scenario. */
static int reset_world(struct admin *a, struct err *err)
{
	world_clear(a->cloud);
	return a->request->body_len ? load_scenario(a, err) : 0;
}

static const struct endpoint {
	const char *method, *path;
	int (*fn)(struct admin *a, struct err *err);
	int needs_body;
} endpoints[] = {
	{ "GET", "/_sim/state", show_state, 0 },
	{ "GET", "/_sim/history", show_history, 0 },
	{ "GET", "/_sim/calls", show_calls, 0 },
	{ "GET", "/_sim/bill", show_bill, 0 },
	{ "GET", "/_sim/requests", show_requests, 0 },
	{ "GET", "/_sim/faults", show_faults, 0 },
	{ "POST", "/_sim/faults", add_faults, 1 },
	{ "DELETE", "/_sim/faults", remove_faults, 0 },
	{ "POST", "/_sim/config", change_config, 1 },
	{ "POST", "/_sim/token", change_token, 1 },
	{ "POST", "/_sim/catalogue", change_catalogue, 1 },
	{ "POST", "/_sim/human", act_human, 1 },
	{ "POST", "/_sim/load", load_scenario, 1 },
	{ "POST", "/_sim/reset", reset_world, 0 },
};

static void answer_error(struct admin *a, int status, const char *text)
{
	buf_clear(&a->out);
	a->response->status = status;
	a->lines = 0;
	out_begin(&a->out, '{');
	out_key_str(&a->out, "error", text);
	out_end(&a->out, '}');
}

static void dispatch_request(struct admin *a)
{
	struct err err = { 0 };

	if (a->request->remote) {
		answer_error(a, 403, "only available from this machine");
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(endpoints); i++) {
		const struct endpoint *e = &endpoints[i];

		if (strcmp(e->path, a->query.path) || strcmp(e->method, a->request->method))
			continue;
		if (e->needs_body && !a->body)
			answer_error(a, 400, "the body must be JSON");
		else if (e->fn(a, &err))
			answer_error(a, err.kind == ERR_NOT_FOUND ? 404 : 400, err.text);
		else if (!a->out.len && !a->lines)
			buf_adds(&a->out, "{\"ok\":true}");
		return;
	}
	answer_error(a, 404, "no such endpoint");
}

void admin_handle(struct cloud *cloud, int64_t now_ms, const struct cloud_request *request,
	struct cloud_response *response)
{
	struct admin a = { .cloud = cloud, .request = request, .response = response };

	cloud_advance(cloud, now_ms);
	query_parse(request->target, &a.query);
	buf_init(&a.out, ANSWER_MAX);
	if (request->body && request->body_len)
		a.body = json_loadb(request->body, request->body_len, 0, NULL);
	dispatch_request(&a);
	cloud_response_add_header(response, "Content-Type",
		a.lines ? "application/x-ndjson" : "application/json");
	response->body_len = a.out.len;
	response->body = buf_take(&a.out);
	json_decref(a.body);
	query_fini(&a.query);
}
