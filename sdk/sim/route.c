/* SPDX-License-Identifier: MIT */
/*
 * Routing: the operation and handler of a request, and its subject.
 */
#include <string.h>

#include "sim/call.h"
#include "util/alloc.h"

struct route {
	const char *method, *path; /* '#' matches a number */
	enum op op;
	call_fn *handler;
};

static const struct route routes[] = {
	{ "GET", "/servers", OP_SERVER_LIST, server_list },
	{ "POST", "/servers", OP_SERVER_CREATE, server_create },
	{ "GET", "/servers/#", OP_SERVER_GET, server_get },
	{ "PUT", "/servers/#", OP_SERVER_UPDATE, server_update },
	{ "DELETE", "/servers/#", OP_SERVER_DELETE, server_delete },
	{ "GET", "/servers/#/actions", OP_SERVER_ACTIONS, action_list_server },
	{ "GET", "/servers/#/actions/#", OP_ACTION_GET, action_get },
	{ "GET", "/servers/actions/#", OP_ACTION_GET, action_get },
	{ "POST", "/servers/#/actions/poweron", OP_SERVER_ACT, server_power },
	{ "POST", "/servers/#/actions/poweroff", OP_SERVER_ACT, server_power },
	{ "POST", "/servers/#/actions/shutdown", OP_SERVER_ACT, server_power },
	{ "POST", "/servers/#/actions/reboot", OP_SERVER_ACT, server_power },
	{ "POST", "/servers/#/actions/reset", OP_SERVER_ACT, server_power },
	{ "POST", "/servers/#/actions/change_protection", OP_SERVER_ACT, server_protect },
	{ "GET", "/ssh_keys", OP_KEY_LIST, key_list },
	{ "POST", "/ssh_keys", OP_KEY_CREATE, key_create },
	{ "GET", "/ssh_keys/#", OP_KEY_GET, key_get },
	{ "PUT", "/ssh_keys/#", OP_KEY_UPDATE, key_update },
	{ "DELETE", "/ssh_keys/#", OP_KEY_DELETE, key_delete },
	{ "GET", "/actions", OP_ACTION_LIST, action_list },
	{ "GET", "/actions/#", OP_ACTION_GET, action_get },
	{ "GET", "/primary_ips", OP_IP_LIST, ip_list },
	{ "GET", "/primary_ips/#", OP_IP_GET, ip_get },
	{ "PUT", "/primary_ips/#", OP_IP_UPDATE, ip_update },
	{ "DELETE", "/primary_ips/#", OP_IP_DELETE, ip_delete },
	{ "POST", "/primary_ips/#/actions/change_protection", OP_IP_ACT, ip_protect },
	{ "GET", "/server_types", OP_TYPE_LIST, type_list },
	{ "GET", "/server_types/#", OP_TYPE_GET, type_get },
	{ "GET", "/locations", OP_LOCATION_LIST, location_list },
	{ "GET", "/locations/#", OP_LOCATION_GET, location_get },
	{ "GET", "/images", OP_IMAGE_FIND, image_list },
	{ "GET", "/images/#", OP_IMAGE_GET, image_get },
	{ "GET", "/pricing", OP_PRICING, pricing_get },
	{ "GET", "/datacenters", OP_OTHER, datacenter_refuse },
	{ "GET", "/datacenters/#", OP_OTHER, datacenter_refuse },
	{ "GET", "/volumes", OP_OTHER, empty_list },
	{ "GET", "/networks", OP_OTHER, empty_list },
	{ "GET", "/firewalls", OP_OTHER, empty_list },
	{ "GET", "/placement_groups", OP_OTHER, empty_list },
	{ "GET", "/load_balancers", OP_OTHER, empty_list },
	{ "GET", "/load_balancer_types", OP_OTHER, empty_list },
	{ "GET", "/floating_ips", OP_OTHER, empty_list },
	{ "GET", "/certificates", OP_OTHER, empty_list },
	{ "GET", "/isos", OP_OTHER, empty_list },
	{ "GET", "/zones", OP_OTHER, empty_list },
	{ "GET", "/storage_boxes", OP_OTHER, empty_list },
};

/* Sets ids to the numbers in the path. */
static int path_matches(const char *pattern, const char *path, int64_t ids[2])
{
	size_t n = 0;

	for (; *pattern; pattern++) {
		int64_t number = 0;
		size_t digits;

		if (*pattern != '#') {
			if (*path++ != *pattern)
				return 0;
			continue;
		}
		digits = strspn(path, "0123456789");
		if (!digits || digits > 18 || n == 2)
			return 0;
		for (size_t i = 0; i < digits; i++)
			number = number * 10 + (path[i] - '0');
		ids[n++] = number;
		path += digits;
	}
	return !*path;
}

static void find_route(struct call *call)
{
	const char *path = call->query.path;
	int64_t ids[2] = { -1, -1 };

	call->handler = reply_no_path;
	call->op = OP_OTHER;
	if (strncmp(path, "/v1/", 4))
		return;
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		if (!path_matches(routes[i].path, path + 3, ids))
			continue;
		call->id = ids[0];
		call->sub_id = ids[1];
		if (!strcmp(routes[i].method, call->request->method)) {
			call->op = routes[i].op;
			call->handler = routes[i].handler;
			return;
		}
		call->handler = reply_no_method;
	}
}

void call_parse(struct call *call)
{
	const struct cloud_request *r = call->request;
	const struct query *q = &call->query;

	call->id = call->sub_id = -1;
	query_parse(r->target, &call->query);
	buf_init(&call->out, 64 << 20);
	find_route(call);
	if (call->op == OP_SERVER_LIST && query_get(q, "name"))
		call->op = OP_SERVER_FIND;
	if (call->op == OP_KEY_LIST && (query_get(q, "name") || query_get(q, "fingerprint")))
		call->op = OP_KEY_FIND;
	if (r->body && r->body_len)
		call->body = json_loadb(r->body, r->body_len, 0, NULL);
}

void call_clear(struct call *call)
{
	query_fini(&call->query);
	buf_fini(&call->out);
	json_decref(call->body);
	plan_fini(&call->plan);
}

static void set_text(char *to, size_t size, const char *from)
{
	if (from && *from && !*to)
		snprintf(to, size, "%s", from);
}

/* An object by id, existing or deleted. */
static void study_object(struct call *call, enum cloud_kind kind, int64_t id)
{
	const struct thing *thing = world_find(call->cloud, kind, call->project, id);

	set_text(call->lease, sizeof(call->lease), counts_lease_of(call->cloud->counts, kind, id));
	if (!thing)
		return;
	set_text(call->name, sizeof(call->name), thing->name);
	if (kind == CLOUD_SERVER) {
		call->type = ((const struct server *)thing)->type;
		call->location = ((const struct server *)thing)->location;
	}
}

/* If all actions belong to one lease, the request is counted for it. */
static void study_actions(struct call *call)
{
	const char *lease = NULL;

	for (size_t i = 0; i < call->query.count; i++) {
		const struct action *a;
		const char *whose;
		int64_t id;

		if (strcmp(call->query.params[i].key, "id")
		    || number_parse(call->query.params[i].value, &id))
			continue;
		a = action_find(call->cloud, call->project, id);
		if (!a)
			continue;
		whose = counts_lease_of(call->cloud->counts, a->kind, a->thing);
		if (lease && strcmp(lease, whose))
			return;
		lease = whose;
	}
	set_text(call->lease, sizeof(call->lease), lease);
}

static void study_body(struct call *call)
{
	const json_t *labels = json_object_get(call->body, "labels");
	const char *label = call->cloud->lease_label;

	set_text(call->lease, sizeof(call->lease),
		 json_string_value(json_object_get(labels, label)));
	set_text(call->name, sizeof(call->name),
		 json_string_value(json_object_get(call->body, "name")));
	if (call->op == OP_SERVER_CREATE) {
		call->type = catalogue_find_type(json_object_get(call->body, "server_type"));
		call->location = catalogue_find_location(json_object_get(call->body, "location"));
	}
}

static void study_query(struct call *call)
{
	const char *text = query_get(&call->query, "label_selector");
	struct selector *selector = text ? selector_parse(text, NULL) : NULL;

	set_text(call->name, sizeof(call->name), query_get(&call->query, "name"));
	if (selector)
		set_text(call->lease, sizeof(call->lease),
			 selector_asks(selector, call->cloud->lease_label));
	selector_free(selector);
	if (*call->name)
		set_text(call->lease, sizeof(call->lease),
			 counts_lease_named(call->cloud->counts, call->name));
}

void call_study(struct call *call)
{
	const struct action *a;

	switch (call->op) {
	case OP_KEY_CREATE:
	case OP_SERVER_CREATE:
		study_body(call);
		break;
	case OP_KEY_FIND:
	case OP_KEY_LIST:
	case OP_SERVER_FIND:
	case OP_SERVER_LIST:
	case OP_IP_LIST:
		study_query(call);
		break;
	case OP_ACTION_LIST:
		study_actions(call);
		break;
	case OP_ACTION_GET:
		a = action_find(call->cloud, call->project,
			call->sub_id >= 0 ? call->sub_id : call->id);
		if (a)
			study_object(call, a->kind, a->thing);
		break;
	case OP_KEY_GET:
	case OP_KEY_UPDATE:
	case OP_KEY_DELETE:
		study_object(call, CLOUD_KEY, call->id);
		break;
	case OP_IP_GET:
	case OP_IP_UPDATE:
	case OP_IP_DELETE:
	case OP_IP_ACT:
		study_object(call, CLOUD_IP, call->id);
		break;
	default:
		if (!strncmp(op_name(call->op), "s.", 2))
			study_object(call, CLOUD_SERVER, call->id);
		break;
	}
}
