/* SPDX-License-Identifier: MIT */
#include "api/month.h"

#include <stdio.h>
#include <time.h>

#include "api/request.h"
#include "lease/cost.h"

#define HOUR_MS INT64_C(3600000)

const char *month_text(int64_t month_ms, char out[MONTH_TEXT_SIZE])
{
	time_t seconds = (time_t)(month_ms / 1000);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	snprintf(out, MONTH_TEXT_SIZE, "%04u-%02u", (unsigned)(tm.tm_year + 1900) % 10000,
		 (unsigned)(tm.tm_mon + 1) % 100);
	return out;
}

int month_read(struct api *api, const char *owner, const char *org, const char *account,
	       struct store_spend *ret, struct err *err)
{
	*ret = (struct store_spend){ .month_ms = cost_month_ms(api_now_ms(api)) };
	return store_spend_get(api->parts.reader, owner, org, account, ret, 1, err);
}

int month_limit_find(struct api *api, const struct month_lease *l, struct limit_hit *ret)
{
	struct limits_for limits = limits_of(&api->config.limits, l->owner, l->org, l->account);
	int64_t now = api_now_ms(api);
	struct cost cost = {
		.terms = { .hour_micros = l->price_hour_micros, .unit_ms = HOUR_MS },
		.from_ms = now,
		.to_ms = now + (l->ttl_ms > 0 ? l->ttl_ms : HOUR_MS),
	};
	struct store_counts have;
	struct store_spend month;

	if (store_counts(api->parts.reader, l->owner, l->org, l->account, &have, NULL) == 0 &&
	    limits_exceeded(&limits, &have, l->price_hour_micros, ret))
		return 1;
	*ret = (struct limit_hit){ .scope = LIMIT_NONE };
	if (!limits_month_is_set(&limits) ||
	    month_read(api, l->owner, l->org, l->account, &month, NULL))
		return 0;
	return limits_month_exceeded(&limits, &month, cost_in_month(&cost, now, now).micros, ret);
}
