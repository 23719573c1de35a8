/* SPDX-License-Identifier: MIT */
/*
 * GET /v1/pool: the servers that exist at the provider, for an admin's `list --all` and
 * `doctor` (contract 2.12). The client recognises orphans by the label "lease", which is
 * present only where the broker's signature is valid.
 */
#include <stdlib.h>
#include <string.h>

#include "api/engine_request.h"
#include "api/engine_response.h"
#include "api/handlers.h"
#include "api/lookup.h"
#include "api/query.h"
#include "api/reply.h"

/* The lease whose signature the machine bears, if the store has it. */
static const struct lease *lease_of(struct api_request *request, const struct pool_machine *m)
{
	struct lease *l = &request->api->lease;

	if (!m->lease[0] || store_lease_by_id(request->api->parts.reader, m->lease, l, NULL))
		return NULL;
	return l;
}

/* The inventory's address, else the one that the lease of exactly this machine has. */
static const char *host_of(const struct pool_machine *m, const struct lease *l)
{
	if (m->address[0] || !l || strcmp(m->account, l->account) || strcmp(m->id, l->server_id))
		return m->address;
	return l->host;
}

/* What the client prints of a lease; of an unknown one (NULL) only the id. */
static void render_lease_labels(struct jsonw *w, const char *id, const struct lease *l)
{
	jsonw_text(w, "lease", id);
	if (!l)
		return;
	jsonw_text(w, "slug", l->slug);
	jsonw_text(w, "keep", l->keep ? "true" : "false");
	jsonw_text(w, "target", "linux");
	jsonw_text(w, "class", l->class_name);
	jsonw_text(w, "owner", l->owner);
	jsonw_text(w, "state", lease_state_name(lease_shown_state(l)));
	jsonw_text(w, "cleanup", lease_cleanup_name(l->cleanup));
}

static void render_machine(struct api_request *request, struct jsonw *w,
			   const struct pool_machine *m)
{
	const struct lease *l = lease_of(request, m);

	jsonw_object(w, NULL);
	jsonw_text(w, "id", m->id);
	jsonw_text(w, "provider", m->account);
	jsonw_text(w, "cloudID", m->id);
	jsonw_text(w, "name", m->name);
	jsonw_text(w, "status", m->status);
	jsonw_text(w, "serverType", m->type);
	jsonw_text(w, "host", host_of(m, l));
	jsonw_object(w, "labels");
	jsonw_text(w, "crabbox", "true");
	jsonw_text(w, "provider", m->account);
	if (m->lease[0])
		render_lease_labels(w, m->lease, l);
	for (int i = 0; i < m->label_count; i++) {
		/* Other labels at the provider could be mistaken for those above. */
		if (!strncmp(m->labels[i].key, "lessor-", 7))
			jsonw_text(w, m->labels[i].key, m->labels[i].value);
	}
	jsonw_end_object(w);
	jsonw_end_object(w);
}

static void pool_finish(struct api_request *request, struct engine_request *engine_request)
{
	struct jsonw w;

	if (engine_response_check(request, engine_request) == 0) {
		w = reply_begin(request);
		jsonw_object(&w, NULL);
		jsonw_array(&w, "machines");
		for (size_t i = 0; i < engine_request->pool_count; i++)
			render_machine(request, &w, &engine_request->pool[i]);
		jsonw_end_array(&w);
		jsonw_end_object(&w);
		reply_json(request, 200);
	}
	free(engine_request->pool);
	engine_request->pool = NULL;
}

void pool_show(struct api_request *request)
{
	struct api *api = request->api;
	struct engine_request *engine_request;
	char account[32] = "";

	if (query_text(request, "provider", account, sizeof(account)) < 0) {
		reply_request_error(request);
		return;
	}
	if (account[0] && !lookup_account(api, account)) {
		api_error_no_account(&request->error, 400, "invalid_provider", account,
				     api->parts.accounts, api->parts.account_count);
		reply_request_error(request);
		return;
	}
	engine_request = engine_request_begin(request, REQUEST_POOL);
	if (!engine_request)
		return;
	memcpy(engine_request->expected_account, account, sizeof(account));
	engine_queue_submit(api->engine_queue, engine_request, pool_finish);
}
