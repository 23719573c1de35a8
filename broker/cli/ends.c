/* SPDX-License-Identifier: MIT */
#include "cli/ends.h"

#include "cli/lease_view.h"
#include "cli/text.h"
#include "cli/when.h"
#include "util/time.h"

void ends_print(FILE *to, const json_t *lease)
{
	char soon[WHEN_TEXT_SIZE], last[WHEN_TEXT_SIZE], at[TIME_TEXT_ROOM];
	const char *expires = view_text(lease, "expiresAt");
	int64_t now_ms = when_wall_ms(), expires_ms, ttl_end_ms;

	if (!view_is_live(lease) || time_parse(expires, &expires_ms))
		return;
	when_write_distance(expires, now_ms, soon);
	/* Whole seconds lie within one of each other if the TTL ends it. */
	if (time_parse(view_text(lease,
				 *view_text(lease, "admittedAt") ? "admittedAt" : "createdAt"),
		       &ttl_end_ms) ||
	    !view_int(lease, "ttlSeconds") ||
	    (ttl_end_ms += view_int(lease, "ttlSeconds") * 1000) - expires_ms < 1000) {
		text_print(to, "ends %s (%s)", soon, expires);
		return;
	}
	time_format(ttl_end_ms, at);
	when_write_distance(at, now_ms, last);
	text_print(to, "ends %s without a heartbeat (%s), at the latest %s", soon, expires, last);
}
