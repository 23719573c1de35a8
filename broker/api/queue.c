/* SPDX-License-Identifier: MIT */
/* GET /v1/queue: the leases that wait for capacity, and their places. */
#include <stdlib.h>
#include <string.h>

#include "api/handlers.h"
#include "api/lookup.h"
#include "api/queue_view.h"
#include "api/reply.h"
#include "util/alloc.h"

#define SHOWN_MAX 500

/* What was found out for one owner in one account. */
struct group_scope {
	const char *text; /* NULL: not yet */
	int64_t price;
};

static int is_visible(const struct store_scope *scope, const struct store_queued *row)
{
	return scope->all || (!strcmp(scope->org, row->org) &&
			      (!scope->owner || !strcmp(scope->owner, row->owner)));
}

static void entry_render(struct api_request *request, struct jsonw *w, const struct queue_entry *e,
			 struct group_scope *known)
{
	if (!known->text || known->price != e->row.price_hour_micros) {
		known->text = queue_view_scope(request->api, e);
		known->price = e->row.price_hour_micros;
	}
	jsonw_object(w, NULL);
	jsonw_text(w, "id", e->row.id);
	jsonw_text(w, "slug", e->row.slug);
	jsonw_text(w, "provider", e->row.account);
	jsonw_text(w, "owner", e->row.owner);
	jsonw_text(w, "org", e->row.org);
	jsonw_int(w, "place", e->place);
	jsonw_int(w, "of", e->of);
	jsonw_time(w, "since", e->row.since_ms);
	jsonw_time(w, "until", e->row.until_ms);
	jsonw_text(w, "scope", known->text);
	jsonw_end_object(w);
}

static void entries_render(struct api_request *request, struct jsonw *w,
			   const struct queue_view *view)
{
	struct store_scope scope = lookup_scope(&request->caller);
	auto_free struct group_scope *known = xcalloc(view->group_count + 1, sizeof(*known));
	int shown = 0;

	jsonw_array(w, "queue");
	for (size_t i = 0; i < view->count && shown < SHOWN_MAX; i++) {
		const struct queue_entry *e = &view->entries[i];

		if (!is_visible(&scope, &e->row))
			continue;
		entry_render(request, w, e, &known[e->group]);
		shown++;
	}
	jsonw_end_array(w);
}

/* Of others only how many there are. */
static void totals_render(struct jsonw *w, const struct queue_view *view)
{
	jsonw_array(w, "accounts");
	for (size_t i = 0; i < view->count; i++) {
		if (view->entries[i].place != 1)
			continue;
		jsonw_object(w, NULL);
		jsonw_text(w, "provider", view->entries[i].row.account);
		jsonw_int(w, "waiting", view->entries[i].of);
		jsonw_end_object(w);
	}
	jsonw_end_array(w);
}

void queue_show(struct api_request *request)
{
	struct err err = { 0 };
	const struct queue_view *view = queue_view_read(request->api, &err);
	struct jsonw w;

	if (!view) {
		reply_store_error(request, &err);
		return;
	}
	w = reply_begin(request);
	jsonw_object(&w, NULL);
	entries_render(request, &w, view);
	totals_render(&w, view);
	jsonw_end_object(&w);
	reply_json(request, 200);
}
