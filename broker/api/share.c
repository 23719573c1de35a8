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

/* Roles, by whether they may manage. */
static const char *const share_roles[] = { "use", "manage", NULL };

#define SHARE_ROLE "use or manage"

struct share_body {
	json_t *share; /* the same two, as an answer shows them; NULL: absent */
	json_t *users;
	int org; /* its place in share_roles; -1: absent */
};

/* clang-format off */
static const struct input_field share_fields[] = {
	{ .name = "share", .type = INPUT_OBJECT, INPUT_TO(share_body, share),
	  .members = &body_share },
	{ .name = "users", .type = INPUT_MAP, INPUT_TO(share_body, users), .expected = SHARE_ROLE,
	  .code = "invalid_share", .choices = share_roles },
	{ .name = "org", .type = INPUT_CHOICE, .flags = INPUT_EMPTY | INPUT_TYPE_CODE,
	  INPUT_TO(share_body, org), .expected = SHARE_ROLE, .code = "invalid_share",
	  .choices = share_roles },
};
/* clang-format on */

const struct input_table body_share_put = INPUT_TABLE("SharePut", NULL, share_fields);
static const struct input_table body_share_outer = { NULL, NULL, share_fields, 1 };
const struct input_table body_share = { "ShareMembers", NULL, share_fields + 1,
					ARRAY_LEN(share_fields) - 1 };

struct share_drop_body {
	char user[256];
	int org;
};

/* clang-format off */
static const struct input_field share_drop_fields[] = {
	{ .name = "user", .type = INPUT_TEXT, .flags = INPUT_EMPTY,
	  INPUT_AT(share_drop_body, user), .expected = "the name of a user" },
	{ .name = "org", .type = INPUT_BOOL, INPUT_TO(share_drop_body, org) },
};
/* clang-format on */

const struct input_table body_share_drop = INPUT_TABLE("ShareDrop", NULL, share_drop_fields);

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

/* The whole share as it will be; also within "share", as an answer shows it. */
static int read_put(struct input *in, struct roster *roster)
{
	struct share_body body = { .org = -1 };
	const char *key;
	json_t *value;
	char name[128];

	if (input_read(in, in->root, &body_share_outer, &body) ||
	    input_read(in, body.share ? body.share : in->root, &body_share, &body))
		return -1;
	json_object_foreach (body.users, key, value) {
		const char *role = json_string_value(value);

		if (read_name(in, key, name) ||
		    (role && role[0] && add(in, roster, name, !strcmp(role, "manage"))))
			return -1;
	}
	return body.org < 0 ? 0 : add(in, roster, "", body.org);
}

/* {"user": NAME}, {"org": true}, both, or nothing: then all. */
static int read_drop(struct input *in, struct roster *roster)
{
	struct share_drop_body body = { .user = "" };
	char name[128];

	if (input_read(in, in->root, &body_share_drop, &body) ||
	    (body.user[0] && (read_name(in, body.user, name) || add(in, roster, name, 0))))
		return -1;
	return body.org ? add(in, roster, "", 0) : 0;
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
