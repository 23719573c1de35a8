/* SPDX-License-Identifier: MIT */
/*
 * The body of POST /servers, checked in the same order as by Hetzner: form, references,
 * name, quota, availability.
 */
#include <string.h>

#include "sim/call.h"
#include "util/alloc.h"

#define USER_DATA_MAX 32768

static int complain_field(struct call *call, const char *field, const char *message)
{
	reply_field(call, field, message);
	return -1;
}

static int complain_text(struct call *call, const char *message)
{
	reply_text(call, message);
	return -1;
}

static int read_switch(struct call *call, const json_t *object, const char *key, int *ret)
{
	const json_t *value = json_object_get(object, key);

	if (!value || json_is_null(value))
		return 0;
	if (!json_is_boolean(value))
		return complain_field(call, key, "must be a boolean");
	*ret = json_is_true(value);
	return 0;
}

static int read_form(struct call *call, struct server_order *order)
{
	const char *name = json_string_value(json_object_get(call->body, "name"));
	const json_t *user_data = json_object_get(call->body, "user_data");
	struct labels labels;
	struct err err;

	if (name_complaint(CLOUD_SERVER, name))
		return complain_field(call, "name", name_complaint(CLOUD_SERVER, name));
	if (user_data && !json_is_null(user_data)) {
		if (!json_is_string(user_data))
			return complain_field(call, "user_data", "must be a string");
		if (json_string_length(user_data) > USER_DATA_MAX)
			return complain_field(call, "user_data",
				"Length must be between 0 and 32768.");
	}
	if (json_object_get(call->body, "datacenter"))
		return complain_field(call, "datacenter", "the field was removed, use location");
	order->labels = json_object_get(call->body, "labels");
	if (labels_read(order->labels, &labels, &err))
		return complain_field(call, "labels", err.text);
	labels_fini(&labels);
	return read_switch(call, call->body, "start_after_create", &order->start);
}

static int read_own_ip(struct call *call, const json_t *net, int v6, struct server_order *order)
{
	const json_t *value = json_object_get(net, v6 ? "ipv6" : "ipv4");
	struct ip *ip;

	if (!value || json_is_null(value))
		return 0;
	ip = json_is_integer(value) ? (struct ip *)world_find(call->cloud, CLOUD_IP,
		call->project, json_integer_value(value)) : NULL;
	if (!ip)
		return complain_text(call, "primary ip not found");
	if (ip->v6 != v6) {
		reply_error(call, 422, "primary_ip_version_mismatch",
			"primary IP has the wrong version", NULL);
		return -1;
	}
	if (ip->server || ip->gone_ms != NEVER) {
		reply_error(call, 422, "primary_ip_assigned", "primary IP is assigned", NULL);
		return -1;
	}
	order->own_ip[v6] = ip;
	return 0;
}

static int read_net(struct call *call, struct server_order *order)
{
	const json_t *net = json_object_get(call->body, "public_net");

	if (net && !json_is_null(net) && !json_is_object(net))
		return complain_field(call, "public_net", "must be an object");
	if (read_switch(call, net, "enable_ipv4", &order->ipv4)
	    || read_switch(call, net, "enable_ipv6", &order->ipv6)
	    || read_own_ip(call, net, 0, order) || read_own_ip(call, net, 1, order))
		return -1;
	if (!order->ipv4 && !order->ipv6)
		return complain_text(call,
				     "a server without public network needs a private network");
	return 0;
}

/* Attachable resources, none of which exist here. */
static int read_attachments(struct call *call)
{
	static const char *const members[] = { "networks", "volumes", "firewalls" };

	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		const json_t *list = json_object_get(call->body, members[i]);

		if (list && !json_is_null(list) && !json_is_array(list))
			return complain_field(call, members[i], "must be an array");
		if (json_array_size(list))
			return complain_field(call, members[i], "not found");
	}
	if (json_is_integer(json_object_get(call->body, "placement_group")))
		return complain_field(call, "placement_group", "not found");
	return 0;
}

/* A string is a name or a decimal id. */
static struct thing *find_key(struct call *call, const json_t *ref)
{
	struct thing *key = NULL;
	int64_t id = json_integer_value(ref);

	if (json_is_string(ref)) {
		key = world_find_name(call->cloud, CLOUD_KEY, call->project,
			json_string_value(ref));
		if (!key && number_parse(json_string_value(ref), &id))
			return NULL;
	}
	return key ? key : world_find(call->cloud, CLOUD_KEY, call->project, id);
}

static int read_keys(struct call *call, struct buf *keys)
{
	const json_t *list = json_object_get(call->body, "ssh_keys");
	size_t i;
	json_t *ref;
	char text[160];

	if (list && !json_is_null(list) && !json_is_array(list))
		return complain_field(call, "ssh_keys", "must be an array");
	json_array_foreach(list, i, ref) {
		const char *name = json_string_value(ref);
		const struct key *key = (const struct key *)find_key(call, ref);

		if (key) {
			buf_adds(keys, key->public_key);
			buf_addc(keys, '\n');
			continue;
		}
		if (name)
			snprintf(text, sizeof(text), "SSH key '%.100s' not found", name);
		else
			snprintf(text, sizeof(text), "SSH key '%lld' not found",
				(long long)json_integer_value(ref));
		return complain_text(call, text);
	}
	return 0;
}

/* Without a location the API takes the first one that has the type. */
static const struct location *pick_location(const struct call *call, const struct server_type *type)
{
	const struct location *first = NULL;

	for (size_t i = 0; i < LOCATION_COUNT; i++) {
		const struct location *l = catalogue_location(i);
		unsigned stock = catalogue_stock(&call->cloud->catalogue, type, l);

		if (!(type->where & (1U << i)))
			continue;
		if (!first)
			first = l;
		if (!(stock & (STOCK_SOLD_OUT | STOCK_GONE))
		    && !(call->cloud->catalogue.disabled & (1U << i)))
			return l;
	}
	return first;
}

static int read_references(struct call *call, struct server_order *order)
{
	const json_t *location = json_object_get(call->body, "location");
	const json_t *image = json_object_get(call->body, "image");
	const json_t *type = json_object_get(call->body, "server_type");
	const struct catalogue *cat = &call->cloud->catalogue;
	char text[120];

	if (!type || !image)
		return complain_field(call, type ? "image" : "server_type",
			"Missing data for required field.");
	order->type = catalogue_find_type(type);
	if (!order->type)
		return complain_field(call, "server_type", "server type not found");
	if (location && !json_is_null(location)) {
		order->location = catalogue_find_location(location);
		if (!order->location) {
			snprintf(text, sizeof(text), "location '%.60s' not found",
				json_is_string(location) ? json_string_value(location) : "?");
			return complain_text(call, text);
		}
	} else {
		order->location = pick_location(call, order->type);
	}
	order->image = catalogue_find_image(cat, image, order->type->arch);
	if (!order->image && catalogue_find_image(cat, image, !order->type->arch))
		return complain_text(call, "image has wrong architecture");
	if (!order->image && call->cloud->config.image_field)
		return complain_field(call, "image", "image not found");
	if (!order->image)
		return complain_text(call, "image not found");
	if (order->image->arch != order->type->arch)
		return complain_text(call, "image has wrong architecture");
	if (!(order->type->where & (1U << catalogue_location_index(order->location))))
		return complain_text(call, "unsupported location for server type");
	if (catalogue_stock(cat, order->type, order->location) & STOCK_GONE) {
		snprintf(text, sizeof(text), "server type %d is deprecated", order->type->id);
		return complain_text(call, text);
	}
	return 0;
}

static int complain_limit(struct call *call, const char *message, const char *limit)
{
	char details[96];

	snprintf(details, sizeof(details), "{\"limits\":[{\"name\":\"%s\"}]}", limit);
	reply_error(call, 403, "resource_limit_exceeded", message, details);
	return -1;
}

static int check_limits(struct call *call, const struct server_order *order)
{
	const struct cloud_config *config = &call->cloud->config;
	const struct shelf *servers = &call->cloud->shelves[CLOUD_SERVER];
	int64_t count = 0, cores = 0, ips = 0;

	for (size_t i = 0; i < servers->count; i++) {
		const struct server *s = (const struct server *)servers->all[i];

		if (s->base.project != call->project || s->base.ghost)
			continue;
		count++;
		cores += s->type->dedicated ? s->type->cores : 0;
	}
	if (count >= config->max_servers)
		return complain_limit(call, "server limit exceeded", "server_limit");
	if (order->type->dedicated && cores + order->type->cores > config->max_dedicated_cores)
		return complain_limit(call, "dedicated_core_limit exceeded",
			"dedicated_core_limit");
	ips = (order->ipv4 && !order->own_ip[0]) + (order->ipv6 && !order->own_ip[1]);
	if ((int64_t)world_count(call->cloud, CLOUD_IP, call->project) + ips
	    > config->max_primary_ips)
		return complain_limit(call, "Primary IP limit exceeded", "primary_ip_limit");
	return 0;
}

static int check_stock(struct call *call, const struct server_order *order)
{
	const struct catalogue *cat = &call->cloud->catalogue;
	const char *text = NULL;

	if (cat->disabled & (1U << catalogue_location_index(order->location)))
		text = "server location disabled";
	else if (catalogue_stock(cat, order->type, order->location) & STOCK_SOLD_OUT)
		text = "error during placement";
	if (!text)
		return 0;
	reply_error(call, 412, "resource_unavailable", text, NULL);
	return -1;
}

/* Fault: another client creates a server with the same name first, if there is none yet. */
static void take_name(struct call *call, struct server_order order)
{
	const char *name = json_string_value(json_object_get(call->body, "name"));
	struct plan none = { 0 };

	if (!call_has(call, FAULT_NAME_TAKEN) ||
	    world_find_name(call->cloud, CLOUD_SERVER, call->project, name))
		return;
	order.labels = NULL;
	order.user_data = order.keys = NULL;
	order.own_ip[0] = order.own_ip[1] = NULL;
	server_new(call->cloud, call->project, name, &order, &none, "human", 0);
}

int order_read(struct call *call, struct server_order *ret, struct buf *keys)
{
	*ret = (struct server_order){ .ipv4 = 1, .ipv6 = 1, .start = 1 };
	if (read_form(call, ret) || read_references(call, ret) || read_attachments(call)
	    || read_net(call, ret) || read_keys(call, keys))
		return -1;
	ret->user_data = json_string_value(json_object_get(call->body, "user_data"));
	ret->keys = buf_str(keys);
	take_name(call, *ret);
	if (world_find_name(call->cloud, CLOUD_SERVER, call->project,
		json_string_value(json_object_get(call->body, "name")))) {
		reply_name_taken(call, CLOUD_SERVER);
		return -1;
	}
	return check_limits(call, ret) || check_stock(call, ret) ? -1 : 0;
}
