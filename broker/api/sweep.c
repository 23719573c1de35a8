/* SPDX-License-Identifier: MIT */
/* The sweep as an operator sees it: what was seen, what would be done, and the asking for it. */
#include <stdlib.h>
#include <string.h>

#include "api/call.h"
#include "api/result.h"
#include "lease/orphan.h"
#include "util/alloc.h"

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

static int render_account(const struct call *call, struct jsonw *w, const char *account,
			  struct err *err)
{
	const struct api *api = call->api;
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
					   api->config.sweep_grace_ms, call_now(call)));
	jsonw_end_array(w);
	jsonw_end_object(w);
	return 0;
}

/* `given` < 0: nothing was asked for. */
static void answer(struct call *call, int64_t given)
{
	struct jsonw w = call_begin(call);
	struct err err = { 0 };

	jsonw_object(&w, NULL);
	jsonw_text(&w, "mode", call->api->config.sweep_deletes ? "delete" : "report");
	if (given >= 0)
		jsonw_int(&w, "deleting", given);
	jsonw_array(&w, "accounts");
	for (size_t i = 0; i < call->api->parts.account_count; i++) {
		if (render_account(call, &w, call->api->parts.accounts[i]->config.name, &err)) {
			call_broken(call, &err);
			return;
		}
	}
	jsonw_end_array(&w);
	jsonw_end_object(&w);
	call_answer(call, 200);
}

void sweep_show(struct call *call)
{
	answer(call, -1);
}

static void sweep_finish(struct call *call, struct engine_request *request)
{
	if (result_check(call, request) == 0)
		answer(call, request->sweep == SWEEP_DELETE ? request->count : -1);
}

static int read_sweep(struct input *in, struct engine_request *request)
{
	char action[16] = "";

	input_text(in, "action", action, sizeof(action));
	input_text(in, "provider", request->expected_account, sizeof(request->expected_account));
	input_line(in, "reason", request->reason, sizeof(request->reason));
	if (!strcmp(action, "run"))
		request->sweep = SWEEP_RUN;
	else if (!strcmp(action, "looked"))
		request->sweep = SWEEP_LOOKED;
	else if (!strcmp(action, "delete"))
		request->sweep = SWEEP_DELETE;
	else
		input_fail(in, 400, "invalid_field", "action must be run, looked or delete");
	return in->failed ? -1 : 0;
}

void sweep_ask(struct call *call)
{
	struct api *api = call->api;
	struct engine_request *request = call_request(call, REQUEST_SWEEP);

	if (!request)
		return;
	call->input.fault = &call->fault;
	if (read_sweep(&call->input, request)) {
		change_refuse(call, request);
		return;
	}
	queue_submit(api->queue, request, sweep_finish);
}
