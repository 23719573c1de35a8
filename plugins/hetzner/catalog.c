/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "account.h"
#include "api.h"
#include "candidate.h"
#include "image.h"
#include "parse.h"

#define PAGES_MAX 20
#define CURRENCY "EUR" /* server_types has no currency; Hetzner bills in this one */

/* Gross price per hour in a location; 0 if unknown. */
static int64_t price_in(const json_t *type, const char *location)
{
	size_t i;
	json_t *price;

	json_array_foreach(json_object_get(type, "prices"), i, price) {
		const char *name = json_string_value(json_object_get(price, "location"));
		const char *gross = json_string_value(
			json_object_get(json_object_get(price, "price_hourly"), "gross"));
		int64_t micros;

		if (!name || !gross || strcmp(name, location) != 0)
			continue;
		micros = parse_micros(gross);
		return micros > 0 ? micros : 0;
	}
	return 0;
}

/* What is deprecated can be ordered until the given day. */
static int is_orderable(struct lessor_call *call, const json_t *of)
{
	const char *until = json_string_value(json_object_get(json_object_get(of, "deprecation"),
							      "unavailable_after"));
	int64_t until_ms = until ? parse_time_ms(until) : 0;

	return !until_ms || lessor_now(call) < until_ms;
}

/* Offers one type in one location; appends the location to `known` if it can be ordered there. */
static int offer_location(struct lessor_call *call, const json_t *type, const char *name,
			  const json_t *location, char *known, size_t room)
{
	const char *where = json_string_value(json_object_get(location, "name"));
	const json_t *available = json_object_get(location, "available");
	int orderable;
	size_t len = strlen(known);

	if (!where)
		where = json_string_value(json_object_get(location, "location"));
	if (!where || !where[0] || strlen(where) > 24)
		return -1;
	orderable = is_orderable(call, type) && is_orderable(call, location);
	/* `available` is only a momentary hint; actual refusals are cached by soldout_mark. */
	if (orderable && len + strlen(where) + 2 < room)
		snprintf(known + len, room - len, "%s ", where);
	return lessor_offer(call, name, where, price_in(type, where), CURRENCY,
			    orderable && !json_is_false(available));
}

static int offer_type(struct lessor_call *call, const json_t *type)
{
	const char *name = json_string_value(json_object_get(type, "name"));
	const char *architecture = json_string_value(json_object_get(type, "architecture"));
	const json_t *locations = json_object_get(type, "locations");
	char known[512];
	size_t i;
	json_t *location;

	if (!name || !name[0] || strlen(name) > 24 || !architecture || strlen(architecture) > 16)
		return -1;
	/* Older responses have no `locations`; their prices list where a type is offered. */
	if (!json_is_array(locations))
		locations = json_object_get(type, "prices");
	if (!json_is_array(locations))
		return -1;
	snprintf(known, sizeof(known), "%s ", architecture);
	json_array_foreach(locations, i, location) {
		if (offer_location(call, type, name, location, known, sizeof(known)))
			return -1;
	}
	type_cache_put(call, name, known);
	return 0;
}

int account_catalog(struct lessor_call *call)
{
	for (int64_t number = 1; number <= PAGES_MAX; number++) {
		char path[64];
		auto_reply reply = { 0 };
		struct list_page page;
		size_t i;
		json_t *type;

		snprintf(path, sizeof(path), "/server_types?per_page=50&page=%" PRId64, number);
		api_get(call, path, 0, &reply);
		if (reply.rule)
			return api_retry(call, &reply, "reading the catalogue");
		if (parse_page(reply.root, "server_types", number, &page))
			break;
		json_array_foreach(page.items, i, type) {
			if (offer_type(call, type))
				return api_nonsense(call, "reading the catalogue");
		}
		if (!page.next) {
			type_cache_complete(call);
			image_note(call);
			return LESSOR_DONE;
		}
	}
	return api_nonsense(call, "reading the catalogue");
}
