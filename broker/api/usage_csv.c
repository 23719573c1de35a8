/* SPDX-License-Identifier: MIT */
#include "api/usage_csv.h"

#include <inttypes.h>
#include <string.h>

#include "util/time.h"

#define HOUR_MS 3600000

void usage_csv_head(struct buf *out)
{
	buf_adds(out, "lease,slug,owner,org,account,type,location,from,to,hours,currency,"
		      "hourly_price,amount\r\n");
}

/* Quoted where the format requires it, and the comma after it. */
static void text_add(struct buf *out, const char *text)
{
	if (!text[strcspn(text, ",\"\r\n")]) {
		buf_adds(out, text);
	} else {
		buf_addc(out, '"');
		for (; *text; text++) {
			if (*text == '"')
				buf_addc(out, '"');
			buf_addc(out, *text);
		}
		buf_addc(out, '"');
	}
	buf_addc(out, ',');
}

static void time_add(struct buf *out, int64_t ms)
{
	char text[TIME_TEXT_ROOM] = "";

	if (ms)
		time_format(ms, text);
	text_add(out, text);
}

/* At least two decimals, and at most six. */
static void money_add(struct buf *out, int64_t micros)
{
	int64_t rest = micros % 1000000;
	int places = 6;

	while (places > 2 && rest % 10 == 0) {
		rest /= 10;
		places--;
	}
	buf_addf(out, "%" PRId64 ".%0*" PRId64, micros / 1000000, places, rest);
}

void usage_csv_line(struct buf *out, const struct cost *cost, int64_t month_ms, int64_t now_ms)
{
	struct cost_sum sum = cost_in_month(cost, month_ms, now_ms);

	if (!sum.billed_ms)
		return;
	text_add(out, cost->lease_id);
	text_add(out, cost->slug);
	text_add(out, cost->owner);
	text_add(out, cost->org);
	text_add(out, cost->account);
	text_add(out, cost->type);
	text_add(out, cost->location);
	time_add(out, cost->from_ms);
	time_add(out, cost->to_ms);
	/* Thousandths suffice for seconds to add up. */
	buf_addf(out, "%" PRId64 ".%03" PRId64 ",", sum.billed_ms / HOUR_MS,
		 sum.billed_ms % HOUR_MS / 3600);
	text_add(out, cost->terms.currency);
	if (cost->terms.currency[0]) {
		money_add(out, cost->terms.hour_micros);
		buf_addc(out, ',');
		money_add(out, sum.micros);
	} else {
		buf_addc(out, ',');
	}
	buf_adds(out, "\r\n");
}
