/* SPDX-License-Identifier: MIT */
/* The sweep for operators: what was found, what would be deleted, and starting one. */
#include <stdlib.h>
#include <string.h>

#include "api/engine_request.h"
#include "api/engine_response.h"
#include "api/handlers.h"
#include "api/lookup.h"
#include "api/reply.h"
#include "lease/orphan.h"
#include "util/alloc.h"
#include "util/text.h"

#define ORPHANS_SHOWN 1000 /* of one account */

struct showing {
	struct orphan *list;
	size_t count;
	int64_t looked_ms;
	int any_newer_than_store;
};

static int showing_add(void *arg, const struct orphan *s)
{
	struct showing *showing = arg;

	showing->any_newer_than_store |= orphan_is_newer_than_store(s->why) &&
					 s->first_ms > showing->looked_ms;
	if (showing->count < ORPHANS_SHOWN)
		showing->list[showing->count++] = *s;
	return 0;
}

static void render_orphan(struct jsonw *w, const struct orphan *s, const char *holds)
{
	jsonw_object(w, NULL);
	jsonw_text(w, "kind", resource_kind_name(s->kind));
	jsonw_text(w, "id", s->id);
	jsonw_text(w, "name", s->name);
	jsonw_text(w, "lease", s->lease);
	jsonw_text(w, "why", orphan_why_name(s->why));
	jsonw_time(w, "createdAt", s->made_ms);
	jsonw_time(w, "firstSeenAt", s->first_ms);
	jsonw_time(w, "lastSeenAt", s->last_ms);
	jsonw_int(w, "sightings", s->sightings);
	jsonw_bool(w, "wouldDelete", !holds);
	jsonw_text_if(w, "stays", holds);
	jsonw_end_object(w);
}

static int render_account(const struct api_request *request, struct jsonw *w, const char *account,
			  struct err *err)
{
	const struct api *api = request->api;
	auto_free struct orphan *list = xcalloc(ORPHANS_SHOWN, sizeof(*list));
	struct showing showing = { .list = list };
	struct sweep sweep;

	if (store_sweep_get(api->parts.reader, account, &sweep, err))
		return -1;
	showing.looked_ms = sweep.looked_ms;
	if (store_orphan_each(api->parts.reader, account, showing_add, &showing, err))
		return -1;
	jsonw_object(w, NULL);
	jsonw_text(w, "account", account);
	jsonw_time(w, "begunAt", sweep.begun_ms);
	jsonw_time(w, "sweptAt", sweep.done_ms);
	jsonw_text_if(w, "error", sweep.error);
	jsonw_int(w, "objects", sweep.objects);
	jsonw_int(w, "unproven", sweep.unverified);
	jsonw_bool(w, "storeIsBehind", showing.any_newer_than_store);
	jsonw_time(w, "lookedAt", sweep.looked_ms);
	jsonw_text_if(w, "lookedBy", sweep.looked_by);
	jsonw_time(w, "deletedAt", sweep.deleted_ms);
	jsonw_int(w, "atOnce", orphan_limit(sweep.objects));
	jsonw_array(w, "strays");
	for (size_t i = 0; i < showing.count; i++)
		render_orphan(w, &list[i],
			      orphan_holds(&list[i], &sweep, showing.any_newer_than_store,
					   api->config.sweep_grace_ms, lookup_now_ms(request)));
	jsonw_end_array(w);
	jsonw_end_object(w);
	return 0;
}

/* `given`: orphans handed to cleanup; < 0: not shown. */
static void sweep_reply(struct api_request *request, int64_t given)
{
	struct jsonw w = reply_begin(request);
	struct err err = { 0 };

	jsonw_object(&w, NULL);
	jsonw_text(&w, "mode", request->api->config.sweep_deletes ? "delete" : "report");
	if (given >= 0)
		jsonw_int(&w, "deleting", given);
	jsonw_array(&w, "accounts");
	for (size_t i = 0; i < request->api->parts.account_count; i++) {
		if (render_account(request, &w, request->api->parts.accounts[i]->config.name,
				   &err)) {
			reply_store_error(request, &err);
			return;
		}
	}
	jsonw_end_array(&w);
	jsonw_end_object(&w);
	reply_json(request, 200);
}

void sweep_show(struct api_request *request)
{
	sweep_reply(request, -1);
}

static void sweep_finish(struct api_request *request, struct engine_request *engine_request)
{
	if (engine_response_check(request, engine_request) == 0)
		sweep_reply(request,
			    engine_request->sweep == SWEEP_DELETE ? engine_request->count : -1);
}

struct sweep_body {
	int action; /* index of sweep_actions */
	char account[32];
	char reason[160];
};

static const char *const sweep_actions[] = { "run", "looked", "delete", NULL };
static const enum request_sweep sweeps[] = { SWEEP_RUN, SWEEP_LOOKED, SWEEP_DELETE };

/* clang-format off */
static const struct body_field sweep_fields[] = {
	{ .name = "action", .type = FIELD_CHOICE, .flags = FIELD_REQUIRED,
	  FIELD_TO(sweep_body, action), .expected = "run, looked or delete",
	  .choices = sweep_actions },
	{ .name = "provider", .type = FIELD_TEXT, FIELD_AT(sweep_body, account),
	  .expected = "the name of an account" },
	{ .name = "reason", .type = FIELD_LINE, FIELD_AT(sweep_body, reason),
	  .expected = "one line of text" },
};
/* clang-format on */

const struct body_table body_sweep = BODY_TABLE("SweepAsk", NULL, sweep_fields);

void sweep_ask(struct api_request *request)
{
	struct api *api = request->api;
	struct engine_request *engine_request = engine_request_begin(request, REQUEST_SWEEP);
	struct sweep_body body = { .account = "" };

	if (!engine_request)
		return;
	if (json_body_read(&request->body, request->body.root, &body_sweep, &body)) {
		engine_request_refuse(request, engine_request);
		return;
	}
	if (body.account[0] && !lookup_account(api, body.account)) {
		api_error_no_account(&request->error, 400, "invalid_provider", body.account,
				     api->parts.accounts, api->parts.account_count);
		engine_request_refuse(request, engine_request);
		return;
	}
	engine_request->sweep = sweeps[body.action];
	TEXT_SET(engine_request->expected_account, body.account);
	TEXT_SET(engine_request->reason, body.reason);
	engine_queue_submit(api->engine_queue, engine_request, sweep_finish);
}
