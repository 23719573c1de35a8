/* SPDX-License-Identifier: MIT */
#include "sim/catalogue.h"

#include <stdlib.h>
#include <string.h>

#include "sim/out.h"
#include "util/alloc.h"

#define TEXT_MAX (1 << 20)
/* Dates of a change of stock, which has none: 2025-10-16 and 2026-01-01; 2026-10-01 and 2037. */
#define INVENTED_GONE_ANNOUNCED_MS 1760594400000
#define INVENTED_GONE_MS 1767225600000
#define INVENTED_ANNOUNCED_MS 1790834400000
#define INVENTED_ENDS_MS 2114380800000

const char *arch_name(enum arch arch)
{
	return arch == ARCH_ARM ? "arm" : "x86";
}

const struct image *catalogue_find_image(const struct catalogue *cat, const json_t *ref,
					 enum arch arch)
{
	int64_t id = catalogue_reference_id(ref);

	for (size_t i = 0; i < catalogue_image_count(); i++) {
		const struct image *image = catalogue_image(i);

		if (catalogue_image_stage(cat, image) & STOCK_GONE)
			continue;
		if (image->id == id || (catalogue_is_named(ref, image->name) && image->arch == arch))
			return image;
	}
	return NULL;
}

/* Singapore costs more than Europe. */
int64_t catalogue_month_price(const struct server_type *type, const struct location *location)
{
	int64_t price = (int64_t)type->month_cents * 10000;

	return location->id == 6 ? price * 27 / 20 / 10000 * 10000 : price;
}

/* The monthly price caps after about 26 days; hourly prices have four decimals. */
int64_t catalogue_hour_price(const struct server_type *type, const struct location *location)
{
	return (catalogue_month_price(type, location) / 625 + 50) / 100 * 100;
}

int64_t catalogue_traffic(const struct location *location)
{
	int64_t tib = 1LL << 40;

	return location->id <= 3 ? 20 * tib : location->id <= 5 ? tib : tib / 2;
}

int64_t catalogue_gross(int64_t net)
{
	return net * 119 / 100;
}

/* A price object, with Hetzner's number of digits. */
static void write_price(struct buf *out, const char *key, int64_t net)
{
	int64_t gross = catalogue_gross(net);
	char text[64];

	out_key_begin(out, key, '{');
	snprintf(text, sizeof(text), "%lld.%06lld0000000000", (long long)(net / 1000000),
		(long long)(net % 1000000));
	out_key_str(out, "net", text);
	snprintf(text, sizeof(text), "%lld.%06lld0000000000", (long long)(gross / 1000000),
		(long long)(gross % 1000000));
	out_key_str(out, "gross", text);
	out_end(out, '}');
}

static void write_type_prices(struct buf *out, const struct server_type *type)
{
	out_key_begin(out, "prices", '[');
	for (size_t i = 0; i < LOCATION_COUNT; i++) {
		if (!(type->where & (1U << i)))
			continue;
		out_begin(out, '{');
		out_key_str(out, "location", catalogue_location(i)->name);
		write_price(out, "price_hourly", catalogue_hour_price(type, catalogue_location(i)));
		write_price(out, "price_monthly",
			    catalogue_month_price(type, catalogue_location(i)));
		out_key_int(out, "included_traffic", catalogue_traffic(catalogue_location(i)));
		write_price(out, "price_per_tb_traffic", 1000000);
		out_end(out, '}');
	}
	out_end(out, ']');
}

/* Null, or the dates of the calendar, or invented ones for a change that has none. */
static void write_deprecation(struct buf *out, const struct catalogue *cat,
			      const struct retirement *retirement, unsigned stock)
{
	int64_t announced_ms = INVENTED_ANNOUNCED_MS, ends_ms = INVENTED_ENDS_MS;

	out_key(out, "deprecation");
	if (!(stock & (STOCK_GONE | STOCK_DEPRECATED))) {
		out_null(out);
		return;
	}
	if (calendar_stage(cat, retirement)) {
		announced_ms = retirement->announced_ms;
		ends_ms = retirement->ends_ms;
	} else if (stock & STOCK_GONE) {
		announced_ms = INVENTED_GONE_ANNOUNCED_MS;
		ends_ms = INVENTED_GONE_MS;
	}
	out_begin(out, '{');
	out_key_time(out, "announced", announced_ms);
	out_key_time(out, "unavailable_after", ends_ms);
	out_end(out, '}');
}

static void write_offer(struct buf *out, const struct catalogue *cat,
			const struct server_type *type, const struct location *location)
{
	unsigned stock = catalogue_stock(cat, type, location);
	int shown = !(stock & STOCK_SOLD_OUT) || (stock & STOCK_HIDDEN);
	int available = shown && !(stock & STOCK_GONE);

	out_begin(out, '{');
	out_key_int(out, "id", location->id);
	out_key_str(out, "name", location->name);
	write_deprecation(out, cat, calendar_type(cat, type, location), stock);
	out_key_bool(out, "available", available);
	out_key_bool(out, "recommended", available && !(stock & STOCK_DEPRECATED));
	out_end(out, '}');
}

/* A location where it is not phased out, or else the last one. */
static const struct location *last_resort(const struct catalogue *cat,
					  const struct server_type *type)
{
	const struct location *last = NULL;

	for (size_t i = 0; i < LOCATION_COUNT; i++) {
		if (!(type->where & (1U << i)))
			continue;
		last = catalogue_location(i);
		if (!(catalogue_stock(cat, type, last) & (STOCK_DEPRECATED | STOCK_GONE)))
			break;
	}
	return last;
}

/* "CPX 11", "CX23", "CCX13 Dedicated CPU": as Hetzner writes them. */
static void write_description(struct buf *out, const struct server_type *type)
{
	char upper[16], text[40];
	size_t letters;

	snprintf(upper, sizeof(upper), "%s", type->name);
	for (char *p = upper; *p; p++)
		*p = (char)(*p >= 'a' && *p <= 'z' ? *p - 32 : *p);
	letters = strcspn(upper, "0123456789");
	snprintf(text, sizeof(text), "%.*s%s%s%s", (int)letters, upper,
		 !strncmp(upper, "CPX", 3) ? " " : "", upper + letters,
		 type->dedicated ? " Dedicated CPU" : "");
	out_key_str(out, "description", text);
}

static void write_type(struct buf *out, const struct catalogue *cat, const struct server_type *type)
{
	const struct location *last = last_resort(cat, type);
	unsigned stock = catalogue_stock(cat, type, last);

	out_begin(out, '{');
	out_key_int(out, "id", type->id);
	out_key_str(out, "name", type->name);
	write_description(out, type);
	out_key_str(out, "category", type->category);
	out_key_int(out, "cores", type->cores);
	out_key(out, "memory");
	buf_addf(out, "%d.0", type->memory_gb);
	out_key_int(out, "disk", type->disk_gb);
	out_key_bool(out, "deprecated", (stock & (STOCK_DEPRECATED | STOCK_GONE)) != 0);
	write_deprecation(out, cat, calendar_type(cat, type, last), stock);
	write_type_prices(out, type);
	out_key_str(out, "storage_type", "local");
	out_key_str(out, "cpu_type", type->dedicated ? "dedicated" : "shared");
	out_key_str(out, "architecture", arch_name(type->arch));
	out_key_begin(out, "locations", '[');
	for (size_t i = 0; i < LOCATION_COUNT; i++) {
		if (type->where & (1U << i))
			write_offer(out, cat, type, catalogue_location(i));
	}
	out_end(out, ']');
	out_end(out, '}');
}

static char *render_location(const struct location *l)
{
	struct buf b;

	buf_init(&b, TEXT_MAX);
	out_begin(&b, '{');
	out_key_int(&b, "id", l->id);
	out_key_str(&b, "name", l->name);
	out_key_str(&b, "description", l->description);
	out_key_str(&b, "country", l->country);
	out_key_str(&b, "city", l->city);
	out_key(&b, "latitude");
	buf_addf(&b, "%.6f", l->latitude);
	out_key(&b, "longitude");
	buf_addf(&b, "%.6f", l->longitude);
	out_key_str(&b, "network_zone", l->zone);
	out_end(&b, '}');
	return buf_take(&b);
}

static char *render_image(const struct catalogue *cat, const struct image *image)
{
	const struct retirement *retirement = calendar_image(cat, image);
	unsigned stage = catalogue_image_stage(cat, image);
	struct buf b;

	buf_init(&b, TEXT_MAX);
	out_begin(&b, '{');
	out_key_int(&b, "id", image->id);
	out_key_str(&b, "type", "system");
	out_key_str(&b, "status", stage & STOCK_GONE ? "unavailable" : "available");
	out_key_str(&b, "name", image->name);
	out_key_str(&b, "description", image->description);
	out_key_null(&b, "image_size");
	out_key_int(&b, "disk_size", 5);
	out_key_str(&b, "created", "2024-04-25T13:26:27Z");
	out_key_null(&b, "created_from");
	out_key_null(&b, "bound_to");
	out_key_str(&b, "os_flavor", image->flavor);
	out_key_str(&b, "os_version", image->version);
	out_key_bool(&b, "rapid_deploy", 1);
	out_key_raw(&b, "protection", "{\"delete\":false}");
	out_key(&b, "deprecated");
	if (stage)
		out_time(&b, retirement->announced_ms);
	else
		out_null(&b);
	write_deprecation(&b, cat, retirement, stage);
	out_key(&b, "deleted");
	if (stage & STOCK_GONE)
		out_time(&b, retirement->ends_ms);
	else
		out_null(&b);
	out_key_raw(&b, "labels", "{}");
	out_key_str(&b, "architecture", arch_name(image->arch));
	out_end(&b, '}');
	return buf_take(&b);
}

void catalogue_init(struct catalogue *cat)
{
	*cat = (struct catalogue){ 0 };
	cat->stock = xcalloc(catalogue_type_count(), LOCATION_COUNT);
	cat->types = xcalloc(catalogue_type_count(), sizeof(*cat->types));
	cat->images = xcalloc(catalogue_image_count(), sizeof(*cat->images));
	calendar_init(cat);
	for (size_t i = 0; i < LOCATION_COUNT; i++)
		cat->locations[i] = render_location(catalogue_location(i));
}

static void forget_texts(struct catalogue *cat)
{
	for (size_t i = 0; i < catalogue_type_count(); i++) {
		free(cat->types[i]);
		cat->types[i] = NULL;
	}
	for (size_t i = 0; i < catalogue_image_count(); i++) {
		free(cat->images[i]);
		cat->images[i] = NULL;
	}
}

void catalogue_fini(struct catalogue *cat)
{
	forget_texts(cat);
	free(cat->types);
	for (size_t i = 0; i < LOCATION_COUNT; i++)
		free(cat->locations[i]);
	free(cat->images);
	free(cat->stock);
	calendar_fini(cat);
	*cat = (struct catalogue){ 0 };
}

void catalogue_advance(struct catalogue *cat, int64_t now_ms)
{
	cat->now_ms = now_ms;
	if (now_ms < cat->next_ms)
		return;
	forget_texts(cat);
	cat->next_ms = calendar_next_ms(cat);
}

unsigned catalogue_stock(const struct catalogue *cat, const struct server_type *type,
	const struct location *location)
{
	return cat->stock[catalogue_type_index(type) * LOCATION_COUNT +
			  catalogue_location_index(location)] |
	       calendar_stage(cat, calendar_type(cat, type, location));
}

unsigned catalogue_image_stage(const struct catalogue *cat, const struct image *image)
{
	return calendar_stage(cat, calendar_image(cat, image));
}

int catalogue_is_withdrawn(const struct catalogue *cat, const struct server_type *type)
{
	for (size_t i = 0; i < LOCATION_COUNT; i++) {
		if ((type->where & (1U << i)) &&
		    !(catalogue_stock(cat, type, catalogue_location(i)) & STOCK_WITHDRAWN))
			return 0;
	}
	return 1;
}

const char *catalogue_type_json(struct catalogue *cat, const struct server_type *type)
{
	char **text = &cat->types[catalogue_type_index(type)];

	if (!*text) {
		struct buf b;

		buf_init(&b, TEXT_MAX);
		write_type(&b, cat, type);
		*text = buf_take(&b);
	}
	return *text;
}

const char *catalogue_location_json(const struct catalogue *cat, const struct location *location)
{
	return cat->locations[catalogue_location_index(location)];
}

const char *catalogue_image_json(struct catalogue *cat, const struct image *image)
{
	char **text = &cat->images[catalogue_image_index(image)];

	if (!*text)
		*text = render_image(cat, image);
	return *text;
}

static int is_any(const json_t *ref)
{
	return !ref || catalogue_is_named(ref, "*");
}

static int mark_stock(struct catalogue *cat, const json_t *list, unsigned set, struct err *err)
{
	size_t i;
	json_t *item;

	if (list && !json_is_array(list))
		return err_set(err, ERR_INVALID, "a catalogue change is a list of objects");
	json_array_foreach(list, i, item) {
		const json_t *t = json_object_get(item, "type");
		const json_t *l = json_object_get(item, "location");
		const struct server_type *type = is_any(t) ? NULL : catalogue_find_type(t);
		const struct location *location = is_any(l) ? NULL : catalogue_find_location(l);
		unsigned hidden = json_is_true(json_object_get(item, "hidden")) ? STOCK_HIDDEN : 0;

		if ((!is_any(t) && !type) || (!is_any(l) && !location))
			return err_set(err, ERR_INVALID, "no such server type or location");
		/* What is named becomes available again even if its time is over. */
		if (!set && type)
			calendar_forget_type(cat, type, location);
		for (size_t j = 0; j < catalogue_type_count() * LOCATION_COUNT; j++) {
			if (type && type != catalogue_type(j / LOCATION_COUNT))
				continue;
			if (location && location != catalogue_location(j % LOCATION_COUNT))
				continue;
			cat->stock[j] = (unsigned char)(set ? cat->stock[j] | set | hidden : 0);
		}
	}
	return 0;
}

static int switch_locations(struct catalogue *cat, const json_t *list, int off, struct err *err)
{
	size_t i;
	json_t *item;

	json_array_foreach(list, i, item) {
		const struct location *location = is_any(item) ? NULL
			: catalogue_find_location(item);

		if (!location && !is_any(item))
			return err_set(err, ERR_INVALID, "no such location");
		for (size_t j = 0; j < LOCATION_COUNT; j++) {
			if (location && location != catalogue_location(j))
				continue;
			cat->disabled &= ~(1U << j);
			cat->disabled |= off ? 1U << j : 0;
		}
	}
	return 0;
}

int catalogue_change(struct catalogue *cat, const json_t *change, struct err *err)
{
	forget_texts(cat);
	if (!json_is_object(change))
		return err_set(err, ERR_INVALID, "a catalogue change is an object");
	if (mark_stock(cat, json_object_get(change, "withdrawn"), STOCK_GONE | STOCK_WITHDRAWN,
		       err) ||
	    mark_stock(cat, json_object_get(change, "available"), 0, err) ||
	    mark_stock(cat, json_object_get(change, "sold_out"), STOCK_SOLD_OUT, err) ||
	    mark_stock(cat, json_object_get(change, "deprecated"), STOCK_DEPRECATED, err) ||
	    mark_stock(cat, json_object_get(change, "gone"), STOCK_GONE, err) ||
	    calendar_change(cat, json_object_get(change, "retired"), err))
		return -1;
	cat->next_ms = calendar_next_ms(cat);
	if (switch_locations(cat, json_object_get(change, "enabled_locations"), 0, err))
		return -1;
	return switch_locations(cat, json_object_get(change, "disabled_locations"), 1, err);
}

static void write_ip_prices(struct buf *out, const char *kind, int hourly)
{
	static const char *const families[] = { "ipv4", "ipv6" };

	out_key_begin(out, kind, '[');
	for (size_t f = 0; f < ARRAY_LEN(families); f++) {
		out_begin(out, '{');
		out_key_str(out, "type", families[f]);
		out_key_begin(out, "prices", '[');
		for (size_t i = 0; i < LOCATION_COUNT; i++) {
			out_begin(out, '{');
			out_key_str(out, "location", catalogue_location(i)->name);
			if (hourly)
				write_price(out, "price_hourly", f ? 0 : IPV4_HOUR_PRICE);
			write_price(out, "price_monthly", !hourly ? 3000000
				: f ? 0 : IPV4_MONTH_PRICE);
			out_end(out, '}');
		}
		out_end(out, ']');
		out_end(out, '}');
	}
	out_end(out, ']');
}

void catalogue_write_pricing(const struct catalogue *cat, struct buf *out)
{
	out_begin(out, '{');
	out_key_begin(out, "pricing", '{');
	out_key_str(out, "currency", "EUR");
	out_key_str(out, "vat_rate", CATALOGUE_VAT_TEXT);
	out_key_begin(out, "image", '{');
	write_price(out, "price_per_gb_month", 14300);
	out_end(out, '}');
	out_key_begin(out, "floating_ip", '{');
	write_price(out, "price_monthly", 3000000);
	out_end(out, '}');
	/* A known client panics if there are fewer of these than primary IPs. */
	write_ip_prices(out, "floating_ips", 0);
	out_key_begin(out, "traffic", '{');
	write_price(out, "price_per_tb", 1000000);
	out_end(out, '}');
	out_key_raw(out, "server_backup", "{\"percentage\":\"20.0000000000\"}");
	out_key_begin(out, "volume", '{');
	write_price(out, "price_per_gb_month", 57200);
	out_end(out, '}');
	out_key_begin(out, "server_types", '[');
	for (size_t i = 0; i < catalogue_type_count(); i++) {
		if (catalogue_is_withdrawn(cat, catalogue_type(i)))
			continue;
		out_begin(out, '{');
		out_key_int(out, "id", catalogue_type(i)->id);
		out_key_str(out, "name", catalogue_type(i)->name);
		write_type_prices(out, catalogue_type(i));
		out_end(out, '}');
	}
	out_end(out, ']');
	out_key_raw(out, "load_balancer_types", "[]");
	write_ip_prices(out, "primary_ips", 1);
	out_end(out, '}');
	out_end(out, '}');
}
