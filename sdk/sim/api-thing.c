/* SPDX-License-Identifier: MIT */
/*
 * Changes that apply to all kinds of objects: name, labels, protection.
 */
#include <string.h>

#include "sim/call.h"

#define NAME_MAX_LEN 255

/* RFC 1123: labels of letters, digits and inner hyphens, joined by dots. */
static int is_hostname(const char *s)
{
	size_t len = strlen(s);

	if (!len || len > 253)
		return 0;
	for (;;) {
		size_t word = strcspn(s, ".");

		if (!word || word > 63 || s[0] == '-' || s[word - 1] == '-')
			return 0;
		for (size_t i = 0; i < word; i++) {
			char c = (char)(s[i] | 0x20);

			if (!(c >= 'a' && c <= 'z') && !(s[i] >= '0' && s[i] <= '9') && s[i] != '-')
				return 0;
		}
		if (!s[word])
			return 1;
		s += word + 1;
	}
}

const char *name_complaint(enum cloud_kind kind, const char *name)
{
	if (kind == CLOUD_SERVER)
		return name && is_hostname(name) ? NULL : "Name must be a valid hostname.";
	return name && *name && strlen(name) <= NAME_MAX_LEN ? NULL
		: "Length must be between 1 and 255.";
}

void reply_name_taken(struct call *call, enum cloud_kind kind)
{
	static const char *const texts[CLOUD_KIND_COUNT] = {
		"server name is already used", "SSH key name is already used",
		"Primary IP name is already used",
	};

	reply_error(call, 409, "uniqueness_error", texts[kind],
		"{\"fields\":[{\"name\":\"name\"}]}");
}

static int is_taken(const struct call *call, const struct thing *thing, const char *name)
{
	const struct thing *other = world_find_name(call->cloud, thing->kind, thing->project, name);

	return other && other != thing;
}

int thing_update(struct call *call, struct thing *thing)
{
	const json_t *given = json_object_get(call->body, "name");
	const char *name = json_string_value(given);
	json_t *new_labels = json_object_get(call->body, "labels");
	struct labels labels;
	struct err err;

	if (!json_is_object(call->body)) {
		reply_error(call, 422, "json_error", "the body must be an object", "{}");
		return -1;
	}
	if (given && name_complaint(thing->kind, name)) {
		reply_field(call, "name", name_complaint(thing->kind, name));
		return -1;
	}
	if (labels_read(new_labels, &labels, &err)) {
		reply_field(call, "labels", err.text);
		return -1;
	}
	if (name && is_taken(call, thing, name)) {
		labels_fini(&labels);
		reply_name_taken(call, thing->kind);
		return -1;
	}
	call->effect = 1;
	if (name)
		thing_rename(call->cloud, thing, name, call_who(call), call->number);
	if (call_has(call, FAULT_LABELS_LOST))
		labels_fini(&labels);
	else if (new_labels)
		thing_relabel(call->cloud, thing, &labels, call_who(call), call->number);
	return 0;
}

void reply_protect(struct call *call, struct thing *thing, int on, struct action *action)
{
	const json_t *error = plan_find(&call->plan, FAULT_PROTECT_ERROR);

	call->effect = 1;
	if (error)
		action_fail(action, error);
	else if (!call_has(call, FAULT_PROTECT_IGNORED))
		thing_protect(call->cloud, thing, on, call_who(call), call->number);
	reply_action(call, 201, action);
}
