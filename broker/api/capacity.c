/* SPDX-License-Identifier: MIT */
/*
 * GET /v1/capacity: how much of its limits the caller uses, what that costs per hour and in this
 * month, and what is paused.
 */
#include "api/catalogue.h"
#include "api/handlers.h"
#include "api/lookup.h"
#include "api/month.h"
#include "api/org_policy.h"
#include "api/reply.h"

/* What counts against the limits of one scope; a limit of 0: none. */
struct usage_of {
	enum limit_scope scope;
	int64_t leases, micros;
	const struct store_money *month;
	int is_shown; /* also without a limit */
};

static void prices_render(struct jsonw *w, const struct usage_of *usage,
			  const struct limits_for *limits)
{
	int64_t max = limits->max_hour_micros[usage->scope];

	if (usage->scope != LIMIT_ACCOUNT || max)
		jsonw_micros(w, "hourlyPrice", usage->micros);
	if (max)
		jsonw_micros(w, "maxHourlyPrice", max);
}

static void month_render(struct jsonw *w, const struct usage_of *usage,
			 const struct limits_for *limits)
{
	int64_t max = limits->max_month_micros[usage->scope];

	jsonw_micros(w, "monthlyCost", usage->month->reserved_micros + usage->month->settled_micros);
	jsonw_micros(w, "monthlyReserved", usage->month->reserved_micros);
	if (max)
		jsonw_micros(w, "maxMonthlyCost", max);
}

static void pause_render(struct jsonw *w, const struct limits_pause *pause)
{
	if (!pause)
		return;
	jsonw_bool(w, "paused", 1);
	jsonw_text_if(w, "pausedReason", pause->reason);
}

/* `account` only of its own scope. */
static void scope_render(struct jsonw *w, const struct usage_of *usage,
			 const struct limits_for *limits, const char *account,
			 const struct limits_pause *pause)
{
	if (!usage->is_shown && !limits->max_active[usage->scope] &&
	    !limits->max_hour_micros[usage->scope] && !limits->max_month_micros[usage->scope] &&
	    !pause)
		return;
	jsonw_object(w, NULL);
	jsonw_text(w, "scope", limit_scope_name(usage->scope));
	jsonw_text_if(w, "provider", account);
	jsonw_int(w, "used", usage->leases);
	if (limits->max_active[usage->scope])
		jsonw_int(w, "max", limits->max_active[usage->scope]);
	prices_render(w, usage, limits);
	month_render(w, usage, limits);
	pause_render(w, pause);
	jsonw_end_object(w);
}

/* -1: an account could not be read; the error is filled in. */
static int account_render(const struct api_request *request, const char *name, struct jsonw *w,
			  struct err *err)
{
	struct api *api = request->api;
	const struct caller *caller = &request->caller;
	struct limits_for limits = limits_of(&api->config.limits, caller->owner, caller->org, name);
	struct store_counts counts;
	struct store_spend month;
	struct usage_of usage = { .scope = LIMIT_ACCOUNT, .is_shown = caller->role == TOKEN_ADMIN };

	if (store_counts(api->parts.reader, caller->owner, caller->org, name, &counts, err) ||
	    month_read(api, caller->owner, caller->org, name, &month, err))
		return -1;
	usage.leases = counts.account;
	usage.micros = counts.micros_account;
	usage.month = &month.account;
	scope_render(w, &usage, &limits, name, limits_pause_find(&api->config.limits, name));
	return 0;
}

static int accounts_render(const struct api_request *request, struct jsonw *w, struct err *err)
{
	const struct api *api = request->api;
	const struct caller *caller = &request->caller;

	for (size_t i = 0; i < api->parts.account_count; i++) {
		const char *name = api->parts.accounts[i]->config.name;

		if (caller->role == TOKEN_USER && !org_may_use(&api->config, caller->org, name))
			continue;
		if (account_render(request, name, w, err))
			return -1;
	}
	return 0;
}

static int scopes_render(const struct api_request *request, const struct store_counts *have,
			 const struct store_spend *month, struct jsonw *w, struct err *err)
{
	const struct caller *caller = &request->caller;
	struct limits_for limits = limits_of(&request->api->config.limits, caller->owner,
					     caller->org, "");
	const struct usage_of owner = { LIMIT_OWNER, have->owner, have->micros_owner, &month->owner,
					1 };
	const struct usage_of org = { LIMIT_ORG, have->org, have->micros_org, &month->org,
				      caller->role != TOKEN_USER };
	const struct usage_of total = { LIMIT_TOTAL, have->all, have->micros_all, &month->all,
					caller->role == TOKEN_ADMIN };

	scope_render(w, &owner, &limits, NULL, NULL);
	scope_render(w, &org, &limits, NULL, NULL);
	if (accounts_render(request, w, err))
		return -1;
	scope_render(w, &total, &limits, NULL, NULL);
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
	const struct caller *caller = &request->caller;
	struct limits_for limits = limits_of(&api->config.limits, caller->owner, caller->org, "");
	struct store_counts counts;
	struct store_spend month;
	struct store_price price;
	struct err err = { 0 };
	char name[MONTH_TEXT_SIZE];
	struct jsonw w;

	if (store_counts(api->parts.reader, caller->owner, caller->org, "", &counts, &err) ||
	    month_read(request->api, caller->owner, caller->org, "", &month, &err)) {
		reply_store_error(request, &err);
		return;
	}
	w = reply_begin(request);
	jsonw_object(&w, NULL);
	jsonw_text(&w, "owner", caller->owner);
	jsonw_int(&w, "activeLeases", counts.owner);
	jsonw_int(&w, "effectiveLimit", limits.max_active[LIMIT_OWNER]);
	jsonw_time(&w, "observedAt", lookup_now_ms(request));
	jsonw_text_if(&w, "currency", currency_find(api, &price));
	jsonw_text(&w, "month", month_text(month.month_ms, name));
	pause_render(&w, limits_pause_find(&api->config.limits, ""));
	jsonw_array(&w, "scopes");
	if (scopes_render(request, &counts, &month, &w, &err)) {
		reply_store_error(request, &err);
		return;
	}
	jsonw_end_array(&w);
	jsonw_end_object(&w);
	reply_json(request, 200);
}
