/* SPDX-License-Identifier: MIT */
/*
 * Who else may use a lease. A lease can be shared with users of its own organisation: by name,
 * in lower case, or with all of them. Sharing grants access to the API, not to the machine.
 */
#include <stdlib.h>
#include <string.h>

#include "api/engine_request.h"
#include "api/engine_response.h"
#include "api/handlers.h"
#include "api/lookup.h"
#include "api/reply.h"
#include "api/roster.h"
#include "api/validate.h"
#include "util/alloc.h"

static void share_answer(struct api_request *request, const struct lease *l)
{
	struct roster roster;
	struct err err = { 0 };
	struct jsonw w;

	if (roster_read(request, l, &roster, &err)) {
		reply_store_error(request, &err);
		return;
	}
	w = reply_begin(request);
	jsonw_object(&w, NULL);
	jsonw_text(&w, "leaseID", l->id);
	roster_render(&w, &roster);
	jsonw_end_object(&w);
	reply_json(request, 200);
}

void share_get(struct api_request *request)
{
	struct roster roster;
	struct err err = { 0 };

	if (lookup_lease(request))
		return;
	if (roster_read(request, &request->api->lease, &roster, &err))
		reply_store_error(request, &err);
	else if (!roster_is_visible(&request->caller, &request->api->lease, &roster))
		reply_error(request, 403, "forbidden", "You may use this lease, but not manage it.");
	else
		share_answer(request, &request->api->lease);
}

/* ---- changing ------------------------------------------------------------------------ */

static int share_refuse(struct json_body *in, const char *what)
{
	return json_body_fail(in, 400, "invalid_share", "%s", what);
}

/* The index is 1 for the role that may manage. */
static const char *const share_roles[] = { "use", "manage", NULL };

#define SHARE_ROLE "use or manage"

struct share_body {
	json_t *share; /* the other two, nested as in an answer; NULL: absent */
	json_t *users;
	int org; /* index of share_roles; -1: absent */
};

/* clang-format off */
static const struct body_field share_fields[] = {
	{ .name = "share", .type = FIELD_OBJECT, FIELD_TO(share_body, share),
	  .members = &body_share },
	{ .name = "users", .type = FIELD_MAP, FIELD_TO(share_body, users), .expected = SHARE_ROLE,
	  .code = "invalid_share", .choices = share_roles },
	{ .name = "org", .type = FIELD_CHOICE, .flags = FIELD_EMPTY | FIELD_TYPE_CODE,
	  FIELD_TO(share_body, org), .expected = SHARE_ROLE, .code = "invalid_share",
	  .choices = share_roles },
};
/* clang-format on */

const struct body_table body_share_put = BODY_TABLE("SharePut", NULL, share_fields);
static const struct body_table body_share_outer = { NULL, NULL, share_fields, 1, 0 };
const struct body_table body_share = { "ShareMembers", NULL, share_fields + 1,
				       ARRAY_LEN(share_fields) - 1, 0 };

/* The members beside "share" are not used then; their types are checked nevertheless. */
struct share_unused_body {
	json_t *users, *org;
};

/* clang-format off */
static const struct body_field share_unused_fields[] = {
	{ .name = "users", .type = FIELD_OBJECT, FIELD_TO(share_unused_body, users) },
	{ .name = "org", .type = FIELD_STRING, .flags = FIELD_TYPE_CODE,
	  FIELD_TO(share_unused_body, org), .expected = SHARE_ROLE, .code = "invalid_share" },
};
/* clang-format on */

static const struct body_table body_share_unused = BODY_TABLE(NULL, NULL, share_unused_fields);

struct share_drop_body {
	char user[256];
	int org;
};

/* clang-format off */
static const struct body_field share_drop_fields[] = {
	{ .name = "user", .type = FIELD_TEXT, .flags = FIELD_EMPTY,
	  FIELD_AT(share_drop_body, user), .expected = "the name of a user" },
	{ .name = "org", .type = FIELD_BOOL, FIELD_TO(share_drop_body, org) },
};
/* clang-format on */

const struct body_table body_share_drop = BODY_TABLE("ShareDrop", NULL, share_drop_fields);

static int read_name(struct json_body *in, const char *text, char out[128])
{
	size_t len;

	text += strspn(text, " \t");
	len = strlen(text);
	while (len && strchr(" \t", text[len - 1]))
		len--;
	if (len >= 128)
		return share_refuse(in, "the name of a user must be at most 127 bytes long");
	memcpy(out, text, len);
	out[len] = '\0';
	roster_lower(out);
	return validate_owner(out) ?
		       0 :
		       share_refuse(in, "the name of a user must be 1 to 127 of [A-Za-z0-9._@:+-]");
}

static int roster_add_user(struct json_body *in, struct roster *roster, const char *name, int manage)
{
	for (size_t i = 0; i < roster->count; i++) {
		if (!strcmp(roster->list[i].name, name))
			return share_refuse(in, "a user is named twice");
	}
	if (roster->count == ROSTER_MAX)
		return share_refuse(in, "a lease can be shared with at most 64 users");
	memcpy(roster->list[roster->count].name, name, strlen(name) + 1);
	roster->list[roster->count++].manage = manage;
	return 0;
}

/* Replaces all users; they may also be nested in "share", as in an answer. */
static int read_put(struct json_body *in, struct roster *roster)
{
	struct share_body body = { .org = -1 };
	struct share_unused_body unused;
	const char *key;
	json_t *value;
	char name[128];

	if (json_body_read(in, in->root, &body_share_outer, &body) ||
	    (body.share && json_body_read(in, in->root, &body_share_unused, &unused)) ||
	    json_body_read(in, body.share ? body.share : in->root, &body_share, &body))
		return -1;
	json_object_foreach(body.users, key, value) {
		const char *role = json_string_value(value);

		if (read_name(in, key, name) ||
		    (role && role[0] && roster_add_user(in, roster, name, !strcmp(role, "manage"))))
			return -1;
	}
	return body.org < 0 ? 0 : roster_add_user(in, roster, "", body.org);
}

/* {"user": NAME}, {"org": true} or both; an empty body removes all. */
static int read_drop(struct json_body *in, struct roster *roster)
{
	struct share_drop_body body = { .user = "" };
	char name[128];

	if (json_body_read(in, in->root, &body_share_drop, &body) ||
	    (body.user[0] &&
	     (read_name(in, body.user, name) || roster_add_user(in, roster, name, 0))))
		return -1;
	return body.org ? roster_add_user(in, roster, "", 0) : 0;
}

static void share_finish(struct api_request *request, struct engine_request *engine_request)
{
	free((void *)engine_request->shares);
	engine_request->shares = NULL;
	if (engine_response_check(request, engine_request) == 0)
		share_answer(request, &engine_request->lease);
}

static void share_submit(struct api_request *request, int is_put)
{
	struct engine_request *engine_request = engine_request_begin_lease(request, REQUEST_SHARE);
	struct roster roster = { .count = 0 };
	struct store_share *copy;

	if (!engine_request)
		return;
	if (is_put ? read_put(&request->body, &roster) : read_drop(&request->body, &roster)) {
		engine_request_refuse(request, engine_request);
		return;
	}
	copy = xcalloc(roster.count ? roster.count : 1, sizeof(*copy));
	memcpy(copy, roster.list, roster.count * sizeof(*copy));
	engine_request->shares = copy;
	engine_request->share_count = roster.count;
	engine_request->share = is_put ? SHARE_PUT : roster.count ? SHARE_DROP : SHARE_DROP_ALL;
	engine_queue_submit(request->api->engine_queue, engine_request, share_finish);
}

void share_put(struct api_request *request)
{
	share_submit(request, 1);
}

void share_drop(struct api_request *request)
{
	share_submit(request, 0);
}
