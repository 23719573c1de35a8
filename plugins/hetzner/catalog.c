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
#define HOUR_MS 3600000

/*
 * What is the same for all types: Hetzner bills the primary IPv4 address, which every server of
 * ours has, apart from the server, and server_types names no currency.
 */
struct pricing {
	char currency[4];
	const json_t *addresses; /* the prices of an IPv4 address by location; NULL: not known */
};

struct price {
	int64_t hour, month; /* gross, in millionths; 0 if unknown */
};

static int64_t gross_of(const json_t *price, const char *member)
{
	const char *gross =
		json_string_value(json_object_get(json_object_get(price, member), "gross"));
	int64_t micros = gross ? parse_micros(gross) : 0;

	return micros > 0 ? micros : 0;
}

/* Of an array of prices by location. */
static struct price price_in(const json_t *prices, const char *location)
{
	struct price ret = { 0 };
	size_t i;
	json_t *price;

	json_array_foreach(prices, i, price) {
		const char *name = json_string_value(json_object_get(price, "location"));

		if (!name || strcmp(name, location) != 0)
			continue;
		ret.hour = gross_of(price, "price_hourly");
		ret.month = gross_of(price, "price_monthly");
		break;
	}
	return ret;
}

/* Both are billed in the same hours. */
static struct price price_with_address(const struct pricing *pricing, const json_t *type,
				       const char *location)
{
	struct price price = price_in(json_object_get(type, "prices"), location);
	struct price address = price_in(pricing->addresses, location);

	if (!price.hour)
		return price;
	price.hour += address.hour;
	price.month = price.month && (address.month || !address.hour) ?
			      price.month + address.month :
			      0;
	return price;
}

/* The members come and go: without them, prices are those of the servers alone, in euros. */
static void pricing_read(const json_t *root, struct pricing *ret)
{
	const json_t *pricing = json_object_get(root, "pricing");
	const char *currency = json_string_value(json_object_get(pricing, "currency"));
	size_t i;
	json_t *one;

	*ret = (struct pricing){ .currency = "EUR" };
	if (currency && strlen(currency) == 3)
		memcpy(ret->currency, currency, 4);
	json_array_foreach(json_object_get(pricing, "primary_ips"), i, one) {
		const char *family = json_string_value(json_object_get(one, "type"));

		if (family && strcmp(family, "ipv4") == 0)
			ret->addresses = json_object_get(one, "prices");
	}
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
static int offer_location(struct lessor_call *call, const struct pricing *pricing,
			  const json_t *type, const json_t *location, char *known, size_t room)
{
	const char *name = json_string_value(json_object_get(type, "name"));
	const char *where = json_string_value(json_object_get(location, "name"));
	const json_t *available = json_object_get(location, "available");
	int orderable;
	size_t len = strlen(known);
	struct price price;

	if (!where)
		where = json_string_value(json_object_get(location, "location"));
	if (!where || !where[0] || strlen(where) > 24)
		return -1;
	orderable = is_orderable(call, type) && is_orderable(call, location);
	/* `available` is only a momentary hint; actual refusals are cached by soldout_mark. */
	if (orderable && len + strlen(where) + 2 < room)
		snprintf(known + len, room - len, "%s ", where);
	price = price_with_address(pricing, type, where);
	return lessor_offer_billed(call, &((struct lessor_offer){
						 .size = sizeof(struct lessor_offer),
						 .available = orderable && !json_is_false(available),
						 .type = name,
						 .location = where,
						 .currency = pricing->currency,
						 .price_hour_micros = price.hour,
						 .price_month_micros = price.month,
						 .unit_ms = HOUR_MS,
					 }));
}

static int offer_type(struct lessor_call *call, const struct pricing *pricing, const json_t *type)
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
		if (offer_location(call, pricing, type, location, known, sizeof(known)))
			return -1;
	}
	type_cache_put(call, name, known);
	return 0;
}

static int catalog_read(struct lessor_call *call, const struct pricing *pricing)
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
			if (offer_type(call, pricing, type))
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

int account_catalog(struct lessor_call *call)
{
	auto_reply reply = { 0 };
	struct pricing pricing;

	api_get(call, "/pricing", 0, &reply);
	if (reply.rule && reply.rule->on_get == GET_RETRY)
		return api_retry(call, &reply, "reading the prices");
	pricing_read(reply.root, &pricing);
	return catalog_read(call, &pricing);
}
