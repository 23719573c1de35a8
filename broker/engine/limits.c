/* SPDX-License-Identifier: MIT */
#include "engine/limits.h"

#include <stddef.h>
#include <string.h>

#include "store/store.h"
#include "util/alloc.h"

const char *limit_scope_name(enum limit_scope scope)
{
	static const char *const names[LIMIT_SCOPES] = {
		[LIMIT_NONE] = "",	     [LIMIT_OWNER] = "owner", [LIMIT_ORG] = "org",
		[LIMIT_ACCOUNT] = "account", [LIMIT_TOTAL] = "total",
	};

	return names[scope];
}

static void limit_replace(int64_t *limit, int64_t by)
{
	if (by != LIMIT_UNSET)
		*limit = by;
}

struct limits_for limits_of(const struct engine_limits *limits, const char *owner, const char *org,
			    const char *account)
{
	const char *const names[LIMIT_SCOPES] = {
		[LIMIT_NONE] = "",	   [LIMIT_OWNER] = owner, [LIMIT_ORG] = org,
		[LIMIT_ACCOUNT] = account, [LIMIT_TOTAL] = "",
	};
	struct limits_for ret = {
		.max_active = { 0, limits->max_active_owner, limits->max_active_org,
				limits->max_active_account, limits->max_active },
		.max_hour_micros = { 0, limits->max_hour_micros_owner, limits->max_hour_micros_org,
				     0, limits->max_hour_micros },
		.max_month_micros = { 0, limits->max_month_micros_owner,
				      limits->max_month_micros_org, 0, limits->max_month_micros },
	};

	for (int i = 0; i < limits->named_count; i++) {
		const struct limits_named *named = &limits->named[i];

		if (!names[named->scope][0] || strcmp(named->name, names[named->scope]) != 0)
			continue;
		limit_replace(&ret.max_active[named->scope], named->max_active);
		limit_replace(&ret.max_hour_micros[named->scope], named->max_hour_micros);
		limit_replace(&ret.max_month_micros[named->scope], named->max_month_micros);
	}
	return ret;
}

/* The first of them that is exceeded. */
static int hit_find(const struct limit_hit *all, size_t count, struct limit_hit *ret)
{
	for (size_t i = 0; i < count; i++) {
		if (all[i].max <= 0 || all[i].used <= all[i].max - all[i].more)
			continue;
		*ret = all[i];
		return 1;
	}
	*ret = (struct limit_hit){ .scope = LIMIT_NONE };
	return 0;
}

int limits_exceeded(const struct limits_for *limits, const struct store_counts *have, int64_t price,
		    struct limit_hit *ret)
{
	const struct {
		int64_t leases, micros;
	} used[LIMIT_SCOPES] = {
		[LIMIT_OWNER] = { have->owner, have->micros_owner },
		[LIMIT_ORG] = { have->org, have->micros_org },
		[LIMIT_ACCOUNT] = { have->account, have->micros_account },
		[LIMIT_TOTAL] = { have->all, have->micros_all },
	};
	struct limit_hit all[2 * LIMIT_SCOPES];
	size_t count = 0;

	for (int i = LIMIT_OWNER; i < LIMIT_SCOPES; i++) {
		all[count++] = (struct limit_hit){ .scope = (enum limit_scope)i,
						   .used = used[i].leases,
						   .max = limits->max_active[i],
						   .more = 1 };
		all[count++] = (struct limit_hit){ .scope = (enum limit_scope)i,
						   .is_price = 1,
						   .used = used[i].micros,
						   .max = limits->max_hour_micros[i],
						   .more = price };
	}
	return hit_find(all, count, ret);
}

int limits_month_is_set(const struct limits_for *limits)
{
	for (int i = LIMIT_OWNER; i < LIMIT_SCOPES; i++) {
		if (limits->max_month_micros[i] > 0)
			return 1;
	}
	return 0;
}

int limits_month_exceeded(const struct limits_for *limits, const struct store_spend *have,
			  int64_t more, struct limit_hit *ret)
{
	const struct store_money *const used[LIMIT_SCOPES] = {
		[LIMIT_OWNER] = &have->owner,
		[LIMIT_ORG] = &have->org,
		[LIMIT_ACCOUNT] = &have->account,
		[LIMIT_TOTAL] = &have->all,
	};
	struct limit_hit all[LIMIT_SCOPES];
	size_t count = 0;

	for (int i = LIMIT_OWNER; i < LIMIT_SCOPES; i++)
		all[count++] = (struct limit_hit){
			.scope = (enum limit_scope)i,
			.is_price = 1,
			.month_ms = have->month_ms,
			.used = used[i]->reserved_micros + used[i]->settled_micros,
			.max = limits->max_month_micros[i],
			.more = more,
		};
	return hit_find(all, count, ret);
}

int limit_is_too_small(const struct limit_hit *hit)
{
	return hit->scope != LIMIT_NONE && hit->more > hit->max;
}

const struct limits_pause *limits_pause_find(const struct engine_limits *limits, const char *account)
{
	const struct limits_pause *found = NULL;

	for (int i = 0; i < limits->pause_count; i++) {
		const struct limits_pause *pause = &limits->pauses[i];

		if (!pause->account[0])
			return pause;
		if (strcmp(pause->account, account) == 0)
			found = pause;
	}
	return found;
}
