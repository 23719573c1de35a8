/* SPDX-License-Identifier: MIT */
/*
 * Who else may use a lease. A share reaches users of the lease's own organisation: by
 * their name in lower case, or all of them. It opens the API; it hands out no SSH key.
 */
#include <stdlib.h>
#include <string.h>

#include "api/engine_request.h"
#include "api/grammar.h"
#include "api/handlers.h"
#include "api/lookup.h"
#include "api/result.h"
#include "api/roster.h"
#include "util/alloc.h"

static void share_answer(struct call *call, const struct lease *l)
{
	struct roster roster;
	struct err err = { 0 };
	struct jsonw w;

	if (roster_read(call, l, &roster, &err)) {
		call_broken(call, &err);
		return;
	}
	w = call_begin(call);
	jsonw_object(&w, NULL);
	jsonw_text(&w, "leaseID", l->id);
	roster_render(&w, &roster);
	jsonw_end_object(&w);
	call_answer(call, 200);
}

void share_get(struct call *call)
{
	struct roster roster;
	struct err err = { 0 };

	if (lookup_lease(call))
		return;
	if (roster_read(call, &call->api->lease, &roster, &err))
		call_broken(call, &err);
	else if (!roster_is_visible(&call->caller, &call->api->lease, &roster))
		call_error(call, 403, "forbidden", "The lease is shared with you to be used only.");
	else
		share_answer(call, &call->api->lease);
}

/* ---- changing ------------------------------------------------------------------------ */

static int wrong(struct input *in, const char *what)
{
	return input_fail(in, 400, "invalid_share", "%s", what);
}

/* 1 there, 0 not, -1 wrong. */
static int read_role(struct input *in, const json_t *value, int *ret_manage)
{
	const char *text = json_string_value(value);

	if (!value || json_is_null(value) || (text && !text[0]))
		return 0;
	if (!text || (strcmp(text, "use") && strcmp(text, "manage")))
		return wrong(in, "a share must be use or manage");
	*ret_manage = !strcmp(text, "manage");
	return 1;
}

static int read_name(struct input *in, const char *text, char out[128])
{
	size_t len;

	text += strspn(text, " \t");
	len = strlen(text);
	while (len && strchr(" \t", text[len - 1]))
		len--;
	if (len >= 128)
		return wrong(in, "the name of a user is too long");
	memcpy(out, text, len);
	out[len] = '\0';
	roster_lower(out);
	return grammar_is_owner(out) ? 0 : wrong(in, "the name of a user is not one");
}

static int add(struct input *in, struct roster *roster, const char *name, int manage)
{
	for (size_t i = 0; i < roster->count; i++) {
		if (!strcmp(roster->list[i].name, name))
			return wrong(in, "a user is named twice");
	}
	if (roster->count == ROSTER_MAX)
		return wrong(in, "a lease may be shared with 64 users");
	memcpy(roster->list[roster->count].name, name, strlen(name) + 1);
	roster->list[roster->count++].manage = manage;
	return 0;
}

/* The whole share as it is to be; also within "share", as it was given out. */
static int read_put(struct input *in, struct roster *roster)
{
	json_t *users = NULL;
	json_t *inner = NULL;
	json_t *outer = in->root;
	const char *key;
	json_t *value;
	char name[128];
	int manage = 0;

	if (input_object(in, "share", &inner))
		in->root = inner;
	input_object(in, "users", &users);
	json_object_foreach(users, key, value) {
		int rc = read_role(in, value, &manage);

		if (rc < 0 || read_name(in, key, name) || (rc && add(in, roster, name, manage)))
			break;
	}
	if (read_role(in, json_object_get(in->root, "org"), &manage) > 0)
		add(in, roster, "", manage);
	in->root = outer;
	return in->failed ? -1 : 0;
}

/* {"user": NAME}, {"org": true}, both, or nothing: then all. */
static int read_drop(struct input *in, struct roster *roster)
{
	char text[256] = "";
	char name[128];
	int org = 0;

	if (input_text(in, "user", text, sizeof(text)) && text[0] &&
	    read_name(in, text, name) == 0)
		add(in, roster, name, 0);
	input_bool(in, "org", &org);
	if (org)
		add(in, roster, "", 0);
	return in->failed ? -1 : 0;
}

static void share_finish(struct call *call, struct engine_request *request)
{
	free((void *)request->shares);
	request->shares = NULL;
	if (result_check(call, request) == 0)
		share_answer(call, &request->lease);
}

static void share_submit(struct call *call, int is_put)
{
	struct engine_request *request = engine_request_begin_lease(call, REQUEST_SHARE);
	struct roster roster = { .count = 0 };
	struct store_share *copy;

	if (!request)
		return;
	call->input.fault = &call->fault;
	if (is_put ? read_put(&call->input, &roster) : read_drop(&call->input, &roster)) {
		engine_request_refuse(call, request);
		return;
	}
	copy = xcalloc(roster.count ? roster.count : 1, sizeof(*copy));
	memcpy(copy, roster.list, roster.count * sizeof(*copy));
	request->shares = copy;
	request->share_count = roster.count;
	request->share = is_put ? SHARE_PUT : roster.count ? SHARE_DROP : SHARE_DROP_ALL;
	queue_submit(call->api->queue, request, share_finish);
}

void share_put(struct call *call)
{
	share_submit(call, 1);
}

void share_drop(struct call *call)
{
	share_submit(call, 0);
}
