/* SPDX-License-Identifier: MIT */
#include "parse.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PREFIX "lessor-"
#define NAME_MAX_LEN 255
#define LABELS_SANE 1000

int parse_id(const json_t *json, char ret[ID_ROOM])
{
	/* Reals, strings and numbers beyond 63 bits are not ids. */
	if (!json_is_integer(json) || json_integer_value(json) <= 0)
		return -1;
	snprintf(ret, ID_ROOM, "%" JSON_INTEGER_FORMAT, json_integer_value(json));
	return 0;
}

/* A string member; "" if absent or null, NULL if it is not a string. */
static const char *text_or_empty(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	if (!value || json_is_null(value))
		return "";
	return json_string_value(value);
}

static int parse_labels(const json_t *labels, struct thing *ret)
{
	const char *key;
	json_t *value;

	if (!json_is_object(labels) || json_object_size(labels) > LABELS_SANE)
		return -1;
	json_object_foreach((json_t *)labels, key, value) {
		if (!json_is_string(value))
			return -1;
		if (strncmp(key, PREFIX, strlen(PREFIX)) != 0)
			continue;
		if (ret->label_count == THING_LABELS_MAX)
			return -1;
		ret->labels[ret->label_count++] =
			(struct lessor_label){ key, json_string_value(value) };
	}
	return 0;
}

static int parse_thing(const json_t *json, uint32_t kind, struct thing *ret)
{
	const char *created;

	*ret = (struct thing){ .kind = kind };
	if (!json_is_object(json) || parse_id(json_object_get(json, "id"), ret->id))
		return -1;
	ret->name = json_string_value(json_object_get(json, "name"));
	if (!ret->name || !ret->name[0] || strlen(ret->name) > NAME_MAX_LEN)
		return -1;
	created = json_string_value(json_object_get(json, "created"));
	ret->created_ms = created ? parse_time_ms(created) : 0;
	return parse_labels(json_object_get(json, "labels"), ret);
}

int host_is_usable(const char *ipv4)
{
	struct in_addr address;
	uint32_t ip;

	if (inet_pton(AF_INET, ipv4, &address) != 1)
		return 0;
	ip = ntohl(address.s_addr);
	return ip >> 24 != 0 && ip >> 24 != 127 && ip >> 16 != 0xa9fe && ip >> 28 < 0xe;
}

/* 127.0.x.y is excluded: local services listen there. */
int host_is_local(const char *ipv4)
{
	struct in_addr address;
	uint32_t ip;

	if (inet_pton(AF_INET, ipv4, &address) != 1)
		return 0;
	ip = ntohl(address.s_addr);
	return ip >> 24 == 127 && ip >> 16 != 0x7f00;
}

/*
 * An invalid address counts as not assigned yet: it must not hide a machine that has to be
 * deleted, nor make a whole listing unusable.
 */
static void parse_host(const json_t *net, struct server *ret)
{
	const char *ip = json_string_value(json_object_get(json_object_get(net, "ipv4"), "ip"));

	ret->host = ip && host_is_usable(ip) ? ip : "";
	ret->local_host = ip && host_is_local(ip) ? ip : "";
}

int parse_server(const json_t *json, struct server *ret)
{
	*ret = (struct server){ 0 };
	if (parse_thing(json, LESSOR_KIND_SERVER, &ret->thing))
		return -1;
	ret->status = json_string_value(json_object_get(json, "status"));
	if (!ret->status)
		return -1;
	parse_host(json_object_get(json, "public_net"), ret);
	/* Only recorded; a response without it is valid. */
	if (parse_id(json_object_get(json_object_get(json_object_get(json, "public_net"), "ipv4"),
				     "id"), ret->address_id))
		ret->address_id[0] = '\0';
	ret->type = text_or_empty(json_object_get(json, "server_type"), "name");
	ret->location = text_or_empty(json_object_get(json, "location"), "name");
	if (!ret->type || !ret->location)
		return -1;
	ret->locked = json_is_true(json_object_get(json, "locked"));
	ret->is_protected = json_is_true(json_object_get(json_object_get(json, "protection"),
							 "delete"));
	return 0;
}

int parse_key(const json_t *json, uint32_t kind, struct ssh_key *ret)
{
	*ret = (struct ssh_key){ 0 };
	if (parse_thing(json, kind, &ret->thing))
		return -1;
	ret->fingerprint = json_string_value(json_object_get(json, "fingerprint"));
	return ret->fingerprint ? 0 : -1;
}

int parse_address(const json_t *json, struct address *ret)
{
	const json_t *user = json_object_get(json, "assignee_id");
	const char *type = json_string_value(json_object_get(json, "type"));

	*ret = (struct address){ 0 };
	if (parse_thing(json, LESSOR_KIND_ADDRESS, &ret->thing) || !user || !type)
		return -1;
	ret->is_used = !json_is_null(user);
	ret->is_v6 = strcmp(type, "ipv4") != 0;
	return 0;
}

int parse_action(const json_t *json, struct action *ret)
{
	const char *status = json_string_value(json_object_get(json, "status"));

	*ret = (struct action){ 0 };
	ret->command = json_string_value(json_object_get(json, "command"));
	if (!status || !ret->command || parse_id(json_object_get(json, "id"), ret->id))
		return -1;
	/* Any unknown status counts as running. */
	ret->status = strcmp(status, "success") == 0 ? ACTION_SUCCESS :
		      strcmp(status, "error") == 0 ? ACTION_ERROR : ACTION_RUNNING;
	ret->resources = json_object_get(json, "resources");
	ret->has_resource = json_array_size(ret->resources) > 0;
	return 0;
}

int action_is_of(const struct action *action, const char *server_id)
{
	size_t i;
	json_t *resource;
	int named = 0;

	json_array_foreach(action->resources, i, resource) {
		const char *type = json_string_value(json_object_get(resource, "type"));
		char id[ID_ROOM];

		if (!type || strcmp(type, "server") != 0)
			continue;
		if (parse_id(json_object_get(resource, "id"), id) || strcmp(id, server_id) != 0)
			return 0;
		named = 1;
	}
	return named || !action->has_resource;
}

int action_is(const struct action *action, const char *command, const char *server_id)
{
	return strcmp(action->command, command) == 0 && action->has_resource &&
	       action_is_of(action, server_id);
}

int parse_page(const json_t *root, const char *member, int64_t page, struct list_page *ret)
{
	const json_t *pages = json_object_get(json_object_get(root, "meta"), "pagination");
	const json_t *number = json_object_get(pages, "page");
	const json_t *next = json_object_get(pages, "next_page");
	const json_t *total = json_object_get(pages, "total_entries");

	*ret = (struct list_page){ .items = json_object_get(root, member), .total = -1 };
	if (!json_is_array(ret->items) || !json_is_object(pages))
		return -1;
	if (number && json_integer_value(number) != page)
		return -1;
	if (next && !json_is_null(next)) {
		if (!json_is_integer(next) || json_integer_value(next) != page + 1)
			return -1;
		ret->next = json_integer_value(next);
	}
	if (total && !json_is_null(total)) {
		if (!json_is_integer(total) || json_integer_value(total) < 0)
			return -1;
		ret->total = json_integer_value(total);
	}
	return 0;
}

int64_t parse_time_ms(const char *text)
{
	int year, month, day, hour, minute, second, taken = 0;
	int off_hour = 0, off_minute = 0;
	char sign;
	struct tm tm = { 0 };

	if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%n", &year, &month, &day, &hour, &minute, &second,
		   &taken) != 6 || !taken)
		return 0;
	text += taken;
	if (*text == '.')
		text += 1 + strspn(text + 1, "0123456789");
	if (strcmp(text, "Z") != 0) {
		if (sscanf(text, "%c%2d:%2d", &sign, &off_hour, &off_minute) != 3 ||
		    (sign != '+' && sign != '-'))
			return 0;
		if (sign == '-') {
			off_hour = -off_hour;
			off_minute = -off_minute;
		}
	}
	if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31 || hour < 0 ||
	    hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60)
		return 0;
	tm.tm_year = year - 1900;
	tm.tm_mon = month - 1;
	tm.tm_mday = day;
	tm.tm_hour = hour;
	tm.tm_min = minute;
	tm.tm_sec = second;
	return ((int64_t)timegm(&tm) - (off_hour * 60 + off_minute) * 60) * 1000;
}

int64_t parse_micros(const char *text)
{
	size_t whole = strspn(text, "0123456789");
	int64_t micros = 0;
	int places = 0;

	if (!whole || whole > 9)
		return -1;
	for (size_t i = 0; i < whole; i++)
		micros = micros * 10 + (text[i] - '0');
	text += whole;
	if (*text == '.')
		text++;
	for (; *text >= '0' && *text <= '9'; text++, places++) {
		if (places < 6)
			micros = micros * 10 + (*text - '0');
		else if (places == 6 && *text >= '5')
			micros++;
	}
	for (; places < 6; places++)
		micros *= 10;
	return *text ? -1 : micros;
}

const char *thing_label(const struct thing *thing, const char *key)
{
	for (size_t i = 0; i < thing->label_count; i++) {
		if (strcmp(thing->labels[i].key, key) == 0)
			return thing->labels[i].value;
	}
	return NULL;
}

void thing_observe(const struct thing *thing, struct lessor_observed *ret)
{
	*ret = (struct lessor_observed){
		.size = sizeof(*ret),
		.kind = thing->kind,
		.id = thing->id,
		.name = thing->name,
		.labels = thing->labels,
		.label_count = thing->label_count,
		.created_ms = thing->created_ms,
	};
}
