/* SPDX-License-Identifier: MIT */
/* GET /v1/capacity: how much of its limits the caller uses, and what that costs per hour. */
#include "api/catalogue.h"
#include "api/handlers.h"
#include "api/lookup.h"
#include "api/reply.h"

/* What counts against the limits of one scope; a limit of 0: none. */
struct usage_of {
	const char *scope;
	int64_t used, max;
	int64_t micros, micros_max;
	int is_shown; /* also without a limit */
};

static void scope_render(struct jsonw *w, const struct usage_of *usage, const char *account)
{
	if (!usage->is_shown && !usage->max && !usage->micros_max)
		return;
	jsonw_object(w, NULL);
	jsonw_text(w, "scope", usage->scope);
	jsonw_text_if(w, "provider", account);
	jsonw_int(w, "used", usage->used);
	if (usage->max)
		jsonw_int(w, "max", usage->max);
	/* Prices are not limited per account. */
	if (!account)
		jsonw_micros(w, "hourlyPrice", usage->micros);
	if (usage->micros_max)
		jsonw_micros(w, "maxHourlyPrice", usage->micros_max);
	jsonw_end_object(w);
}

/* -1: an account could not be read; the error is filled in. */
static int accounts_render(const struct api_request *request, struct jsonw *w, struct err *err)
{
	const struct api *api = request->api;
	const struct caller *caller = &request->caller;

	for (size_t i = 0; i < api->parts.account_count; i++) {
		const char *name = api->parts.accounts[i]->config.name;
		struct store_counts counts;
		struct usage_of usage = {
			.scope = "account",
			.max = api->config.limits.max_active_account,
			.is_shown = caller->role == TOKEN_ADMIN,
		};

		if (store_counts(api->parts.reader, caller->owner, caller->org, name, &counts, err))
			return -1;
		usage.used = counts.account;
		scope_render(w, &usage, name);
	}
	return 0;
}

static int scopes_render(const struct api_request *request, const struct store_counts *have,
			 struct jsonw *w, struct err *err)
{
	const struct engine_limits *limits = &request->api->config.limits;
	int is_admin = request->caller.role == TOKEN_ADMIN;
	const struct usage_of owner = { "owner",
					have->owner,
					limits->max_active_owner,
					have->micros_owner,
					limits->max_hour_micros_owner,
					1 };
	const struct usage_of org = { "org",
				      have->org,
				      limits->max_active_org,
				      have->micros_org,
				      limits->max_hour_micros_org,
				      request->caller.role != TOKEN_USER };
	const struct usage_of total = {
		"total", have->all, limits->max_active, have->micros_all, limits->max_hour_micros,
		is_admin
	};

	scope_render(w, &owner, NULL);
	scope_render(w, &org, NULL);
	if (accounts_render(request, w, err))
		return -1;
	scope_render(w, &total, NULL);
	return 0;
}

/* Of the first price that is known; the limits have no currency of their own. */
static const char *currency_find(const struct api *api, struct store_price *price)
{
	for (size_t i = 0; i < api->parts.account_count; i++) {
		for (int c = 0; c < api->config.class_count; c++) {
			const struct api_class *class = &api->config.classes[c];

			if (class->type_count && catalogue_price(api, api->parts.accounts[i],
								 class->types[0], price) == 0)
				return price->currency;
		}
	}
	return "";
}

void capacity_show(struct api_request *request)
{
	const struct api *api = request->api;
	struct store_counts counts;
	struct store_price price;
	struct err err = { 0 };
	struct jsonw w;

	if (store_counts(api->parts.reader, request->caller.owner, request->caller.org, "", &counts,
			 &err)) {
		reply_store_error(request, &err);
		return;
	}
	w = reply_begin(request);
	jsonw_object(&w, NULL);
	jsonw_text(&w, "owner", request->caller.owner);
	jsonw_int(&w, "activeLeases", counts.owner);
	jsonw_int(&w, "effectiveLimit", api->config.limits.max_active_owner);
	jsonw_time(&w, "observedAt", lookup_now_ms(request));
	jsonw_text_if(&w, "currency", currency_find(api, &price));
	jsonw_array(&w, "scopes");
	if (scopes_render(request, &counts, &w, &err)) {
		reply_store_error(request, &err);
		return;
	}
	jsonw_end_array(&w);
	jsonw_end_object(&w);
	reply_json(request, 200);
}
