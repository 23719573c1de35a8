/* SPDX-License-Identifier: MIT */
/* GET /v1/classes: the classes of this server, and what they cost in an account. */
#include <string.h>

#include "api/catalogue.h"
#include "api/handlers.h"
#include "api/lookup.h"
#include "api/org_policy.h"
#include "api/query.h"
#include "api/reply.h"
#include "util/text.h"

static void price_render(struct jsonw *w, const struct store_price *price)
{
	jsonw_micros(w, "hourlyPrice", price->hour_micros);
	jsonw_text_if(w, "currency", price->currency);
}

static void class_render(const struct api *api, struct jsonw *w, const struct account *account,
			 const struct api_class *class)
{
	struct store_price price, first = { .type = "" };

	jsonw_object(w, NULL);
	jsonw_text(w, "name", class->name);
	jsonw_array(w, "types");
	for (int i = 0; i < class->type_count; i++) {
		jsonw_object(w, NULL);
		jsonw_text(w, "name", class->types[i]);
		if (catalogue_price(api, account, class->types[i], &price) == 0) {
			price_render(w, &price);
			jsonw_bool(w, "available", price.available);
			if (price.available && !first.type[0])
				first = price;
		}
		jsonw_end_object(w);
	}
	jsonw_end_array(w);
	/* Of the first type that can be had. */
	if (first.type[0]) {
		jsonw_text(w, "type", first.type);
		price_render(w, &first);
	}
	jsonw_end_object(w);
}

/* The account of the query, or the one that a create gets which names none. NULL: answered. */
static const struct account *account_find(struct api_request *request)
{
	const struct api *api = request->api;
	char name[32] = "";
	const struct account *account;

	TEXT_SET(name, org_default_account(api, request->caller.org));
	if (query_text(request, "provider", name, sizeof(name)) < 0) {
		reply_request_error(request);
		return NULL;
	}
	account = lookup_account(api, name);
	if (account)
		return account;
	api_error_no_account(&request->error, 400, "invalid_provider", name, api->parts.accounts,
			     api->parts.account_count);
	reply_request_error(request);
	return NULL;
}

void classes_list(struct api_request *request)
{
	const struct api *api = request->api;
	const struct account *account = account_find(request);
	struct jsonw w;

	if (!account)
		return;
	w = reply_begin(request);
	jsonw_object(&w, NULL);
	jsonw_text(&w, "default", api->config.default_class);
	jsonw_text(&w, "provider", account->config.name);
	jsonw_array(&w, "classes");
	for (int i = 0; i < api->config.class_count; i++)
		class_render(api, &w, account, &api->config.classes[i]);
	jsonw_end_array(&w);
	jsonw_end_object(&w);
	reply_json(request, 200);
}
