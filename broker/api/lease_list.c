/* SPDX-License-Identifier: MIT */
/* GET /v1/leases and GET /v1/admin/leases: contract 2.6. */
#include <stdio.h>
#include <string.h>

#include "api/handlers.h"
#include "api/lookup.h"
#include "api/query.h"
#include "api/queue_view.h"
#include "api/render.h"
#include "api/reply.h"
#include "api/unsure.h"
#include "api/validate.h"

#define LIST_DEFAULT 100
#define LIST_MAX 500
/* The form of pages that clients from 0.71 on ask for. */
#define PAGINATION "keyset-v1"

/* The tables of names end with NULL, for query_choice. */
#define NAME(name, text) text,
static const char *const states[] = { LEASE_STATES(NAME) NULL };
static const char *const cleanups[] = { LEASE_CLEANUPS(NAME) NULL };
#undef NAME
static const char *const flags[] = { "false", "true", NULL };
static const char *const views[] = { "current", NULL };
static const char *const paginations[] = { PAGINATION, NULL };

/* ---- the query ----------------------------------------------------------------------- */

/* The request's own texts, to which the list's conditions point. */
struct lease_list_query {
	struct store_list list;
	char account[32];
	char class_name[32];
	char slug[ROUTE_PARAM_SIZE];
	char owner[128];
	char org[64];
	int is_paged; /* the client names the form of pages */
};

/* -1, and 0 for an absent key, as `none`. */
static int read_choice(struct api_request *request, const char *key, const char *const *choices,
		       int none, int *ret)
{
	*ret = none;
	return query_choice(request, key, choices, ret) < 0 ? -1 : 0;
}

static int read_states(struct api_request *request, struct lease_list_query *query)
{
	struct store_list *list = &query->list;
	int view, pagination;

	if (read_choice(request, "state", states, -1, &list->state) ||
	    read_choice(request, "cleanup", cleanups, -1, &list->cleanup) ||
	    read_choice(request, "attention", flags, 0, &list->attention) ||
	    read_choice(request, "view", views, -1, &view) ||
	    read_choice(request, "pagination", paginations, -1, &pagination))
		return -1;
	list->open = view >= 0;
	query->is_paged = pagination >= 0;
	return 0;
}

/* A slug as a person writes it: contract 3.3. */
static int read_slug(struct api_request *request, struct lease_list_query *query)
{
	int rc = query_text(request, "slug", query->slug, sizeof(query->slug));

	if (rc < 0 || (rc > 0 && !lookup_lease_ref(query->slug)))
		return api_error_set(&request->error, 400, "invalid_query",
				     "slug must be a slug: letters, digits and single hyphens");
	query->list.slug = rc > 0 ? query->slug : NULL;
	return 0;
}

static int read_texts(struct api_request *request, struct lease_list_query *query)
{
	struct store_list *list = &query->list;
	int account = query_text(request, "provider", query->account, sizeof(query->account));
	int class = query_text(request, "class", query->class_name, sizeof(query->class_name));

	if (account < 0 || class < 0 || read_slug(request, query) ||
	    query_time(request, "since", &list->since_ms) < 0)
		return -1;
	list->account = account > 0 ? query->account : NULL;
	list->class_name = class > 0 ? query->class_name : NULL;
	return 0;
}

/* An admin chooses whose leases to list; for others the token decides. */
static int read_owner(struct api_request *request, struct lease_list_query *query)
{
	struct store_list *list = &query->list;
	struct err err = { 0 };
	int rc = 1;

	if (query_text(request, "owner", query->owner, sizeof(query->owner)) < 0 ||
	    query_text(request, "org", query->org, sizeof(query->org)) < 0)
		return -1;
	if (!list->scope.all || !(query->owner[0] || query->org[0]))
		return 0;
	if (!query->org[0])
		rc = store_owner_org(request->api->parts.reader, query->owner, query->org,
				     sizeof(query->org), &err);
	if (rc < 0)
		return api_error_set(&request->error, 503, "store_unavailable",
				     "The store cannot be read now; try again.");
	/* An owner in several organisations is compared row by row. */
	if (rc > 1)
		list->owner = query->owner;
	else
		list->scope = (struct store_scope){ 0, query->owner, query->org, SHARED_NOT };
	return 0;
}

/*
 * "before" or "cursor" is what the previous page gave: the id of the last lease that it read,
 * which must be visible.
 */
static int read_before(struct api_request *request, struct store_list *list)
{
	struct store_scope scope = lookup_scope(&request->caller);
	const char *key = "cursor";
	char id[24];
	struct err err = { 0 };
	int rc = query_text(request, key, id, sizeof(id));

	if (rc == 0) {
		key = "before";
		rc = query_text(request, key, id, sizeof(id));
	}
	if (rc == 0)
		return 0;
	if (rc < 0 || !validate_lease_id(id) ||
	    store_lease_visible(request->api->parts.reader, id, &scope, &request->api->lease, &err))
		return api_error_set(&request->error, 400, "invalid_query",
				     "%s must be what the previous page gave, the id of a visible "
				     "lease; begin again without it",
				     key);
	list->before_n = request->api->lease.n;
	return 0;
}

static int query_read(struct api_request *request, struct lease_list_query *query)
{
	int64_t limit = LIST_DEFAULT;

	if (read_states(request, query) || read_texts(request, query) ||
	    query_int(request, "limit", 1, LIST_MAX, &limit) < 0 || read_owner(request, query))
		return -1;
	query->list.limit = (int)limit;
	return read_before(request, &query->list);
}

/* ---- the answer ---------------------------------------------------------------------- */

struct lease_listing {
	struct api *api;
	int is_whole; /* with residue and running cost */
	int64_t now_ms;
	struct jsonw w;
};

/* Lists of leases that are retained or need an operator are short, and show the residue. */
static int listing_add(void *arg, const struct lease *l)
{
	struct lease_listing *listing = arg;
	struct ledger ledger = { 0 };
	struct render_parts parts = { .is_unsure = lease_is_unsure(listing->api, l) };
	struct render_queue queue;

	if (queue_view_place(listing->api, l, &queue))
		parts.queue = &queue;
	if (listing->is_whole) {
		parts.now_ms = listing->now_ms;
		parts.running_micros = lookup_running_micros(listing->api, l);
	}
	if (listing->is_whole &&
	    store_ledger(listing->api->parts.reader, l->n, &ledger, NULL) == 0) {
		parts.resources = ledger.resources;
		parts.resource_count = ledger.resource_count;
	}
	render_lease(&listing->w, NULL, l, &parts);
	ledger_fini(&ledger);
	return listing->w.out->overflow;
}

void leases_list(struct api_request *request)
{
	struct lease_list_query query = { .list.scope = lookup_scope(&request->caller) };
	struct lease_listing listing = { .api = request->api };
	struct store_list_end end;
	struct err err;

	if (query_read(request, &query)) {
		reply_request_error(request);
		return;
	}
	listing.now_ms = lookup_now_ms(request);
	listing.is_whole = query.list.attention || query.list.cleanup == CLEANUP_RETAINED ||
			   query.list.cleanup == CLEANUP_ATTENTION;
	listing.w = reply_begin(request);
	jsonw_object(&listing.w, NULL);
	if (query.is_paged)
		jsonw_text(&listing.w, "pagination", PAGINATION);
	jsonw_array(&listing.w, "leases");
	if (store_lease_page(request->api->parts.reader, &query.list, listing_add, &listing, &end,
			     &err)) {
		reply_store_error(request, &err);
		return;
	}
	jsonw_end_array(&listing.w);
	if (end.n) {
		jsonw_text(&listing.w, "nextBefore", end.id);
		jsonw_text(&listing.w, "nextCursor", end.id);
	}
	jsonw_end_object(&listing.w);
	reply_json(request, 200);
}
