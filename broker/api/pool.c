/* SPDX-License-Identifier: MIT */
/*
 * GET /v1/pool: the servers that are really there, for `list --all` and `doctor` of an
 * admin (contract 2.12). The client tells orphans by the label "lease", which is only
 * given where the broker's signature is right.
 */
#include <stdlib.h>
#include <string.h>

#include "api/engine_request.h"
#include "api/handlers.h"
#include "api/lookup.h"
#include "api/result.h"

/* What the client prints of a lease; an unknown one has its id alone. */
static void render_lease_labels(struct call *call, struct jsonw *w, const char *id)
{
	struct lease *l = &call->api->lease;

	jsonw_text(w, "lease", id);
	if (store_lease_by_id(call->api->parts.reader, id, l, NULL))
		return;
	jsonw_text(w, "slug", l->slug);
	jsonw_text(w, "keep", l->keep ? "true" : "false");
	jsonw_text(w, "target", "linux");
	jsonw_text(w, "class", l->class_name);
	jsonw_text(w, "owner", l->owner);
	jsonw_text(w, "state", lease_state_name(lease_shown_state(l)));
	jsonw_text(w, "cleanup", lease_cleanup_name(l->cleanup));
}

static void render_machine(struct call *call, struct jsonw *w, const struct pool_machine *m)
{
	jsonw_object(w, NULL);
	jsonw_text(w, "id", m->id);
	jsonw_text(w, "provider", m->account);
	jsonw_text(w, "cloudID", m->id);
	jsonw_text(w, "name", m->name);
	jsonw_text(w, "status", m->status);
	jsonw_text(w, "serverType", m->type);
	jsonw_text(w, "host", m->address);
	jsonw_object(w, "labels");
	jsonw_text(w, "crabbox", "true");
	jsonw_text(w, "provider", m->account);
	if (m->lease[0])
		render_lease_labels(call, w, m->lease);
	for (int i = 0; i < m->label_count; i++) {
		/* Those of the provider's that could be taken for ours are left out. */
		if (!strncmp(m->labels[i].key, "lessor-", 7))
			jsonw_text(w, m->labels[i].key, m->labels[i].value);
	}
	jsonw_end_object(w);
	jsonw_end_object(w);
}

static void pool_finish(struct call *call, struct engine_request *request)
{
	struct jsonw w;

	if (result_check(call, request) == 0) {
		w = call_begin(call);
		jsonw_object(&w, NULL);
		jsonw_array(&w, "machines");
		for (size_t i = 0; i < request->pool_count; i++)
			render_machine(call, &w, &request->pool[i]);
		jsonw_end_array(&w);
		jsonw_end_object(&w);
		call_answer(call, 200);
	}
	free(request->pool);
	request->pool = NULL;
}

void pool_show(struct call *call)
{
	struct api *api = call->api;
	struct engine_request *request;
	char account[32] = "";

	if (call_query(call, "provider", account, sizeof(account)) < 0) {
		call_fault(call);
		return;
	}
	if (account[0] && !lookup_account(api, account)) {
		call_error(call, 400, "invalid_provider", "There is no provider of that name.");
		return;
	}
	request = engine_request_begin(call, REQUEST_POOL);
	if (!request)
		return;
	memcpy(request->expected_account, account, sizeof(account));
	queue_submit(api->queue, request, pool_finish);
}
