/* SPDX-License-Identifier: MIT */
/* GET /v1/daemons: the daemons on this database, and which of them owns which account. */
#include "api/daemons.h"

#include "api/handlers.h"
#include "api/reply.h"

static void daemon_render(void *arg, const struct daemon_view *view)
{
	struct jsonw *w = arg;

	jsonw_object(w, NULL);
	jsonw_text(w, "id", view->id);
	jsonw_text_if(w, "address", view->address);
	jsonw_text(w, "version", view->version);
	jsonw_int(w, "schema", view->schema);
	jsonw_time(w, "startedAt", view->started_ms);
	jsonw_time(w, "seenAt", view->seen_ms);
	jsonw_bool(w, "self", view->is_self);
	jsonw_bool(w, "alive", view->is_alive);
	jsonw_end_object(w);
}

static void owned_render(void *arg, const struct owned_view *view)
{
	struct jsonw *w = arg;

	jsonw_object(w, NULL);
	jsonw_text(w, "account", view->account);
	jsonw_text(w, "daemon", view->daemon);
	jsonw_text_if(w, "address", view->address);
	jsonw_time(w, "since", view->since_ms);
	jsonw_int(w, "epoch", view->epoch);
	jsonw_text_if(w, "frozen", view->frozen);
	jsonw_end_object(w);
}

void daemons_list(struct api_request *request)
{
	const struct daemons_source *source = &request->api->parts.daemons;
	struct jsonw w = reply_begin(request);

	jsonw_object(&w, NULL);
	jsonw_array(&w, "daemons");
	if (source->daemons)
		source->daemons(source->arg, daemon_render, &w);
	jsonw_end_array(&w);
	jsonw_array(&w, "accounts");
	if (source->accounts)
		source->accounts(source->arg, owned_render, &w);
	jsonw_end_array(&w);
	jsonw_end_object(&w);
	reply_json(request, 200);
}
