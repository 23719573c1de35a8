/* SPDX-License-Identifier: MIT */
#include "engine/limits.h"

#include <stddef.h>

#include "store/store.h"
#include "util/alloc.h"

const char *limit_scope_name(enum limit_scope scope)
{
	static const char *const names[] = {
		[LIMIT_NONE] = "",	     [LIMIT_OWNER] = "owner", [LIMIT_ORG] = "org",
		[LIMIT_ACCOUNT] = "account", [LIMIT_TOTAL] = "total",
	};

	return names[scope];
}

int limits_exceeded(const struct engine_limits *limits, const struct store_counts *have,
		    int64_t price, struct limit_hit *ret)
{
	const struct limit_hit all[] = {
		{ LIMIT_OWNER, 0, have->owner, limits->max_active_owner, 1, 0, 0 },
		{ LIMIT_OWNER, 1, have->micros_owner, limits->max_hour_micros_owner, price, 0, 0 },
		{ LIMIT_ORG, 0, have->org, limits->max_active_org, 1, 0, 0 },
		{ LIMIT_ORG, 1, have->micros_org, limits->max_hour_micros_org, price, 0, 0 },
		{ LIMIT_ACCOUNT, 0, have->account, limits->max_active_account, 1, 0, 0 },
		{ LIMIT_TOTAL, 0, have->all, limits->max_active, 1, 0, 0 },
		{ LIMIT_TOTAL, 1, have->micros_all, limits->max_hour_micros, price, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		if (all[i].max <= 0 || all[i].used + all[i].more <= all[i].max)
			continue;
		*ret = all[i];
		return 1;
	}
	*ret = (struct limit_hit){ .scope = LIMIT_NONE };
	return 0;
}

int limit_is_too_small(const struct limit_hit *hit)
{
	return hit->scope != LIMIT_NONE && hit->more > hit->max;
}
