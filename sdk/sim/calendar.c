/* SPDX-License-Identifier: MIT */
/*
 * The calendar: when images, and types in a location, are announced to retire, and when they do.
 * Until then they can be ordered; afterwards lists omit them, and reads by id describe them.
 */
#include <string.h>

#include "sim/catalogue.h"
#include "sim/fault.h"
#include "util/alloc.h"
#include "util/time.h"

#define EUROPE 7U /* the first three locations */
/* Hetzner announces about this long ahead. */
#define NOTICE_MS (91LL * 86400 * 1000)

static const struct {
	const char *type, *image;
	unsigned where; /* of a type */
	const char *announced, *ends;
} dates[] = {
	{ "cx22", NULL, EUROPE, "2025-10-16T06:00:00Z", "2026-01-01T00:00:00Z" },
	{ "cx32", NULL, EUROPE, "2025-10-16T06:00:00Z", "2026-01-01T00:00:00Z" },
	{ "cx42", NULL, EUROPE, "2025-10-16T06:00:00Z", "2026-01-01T00:00:00Z" },
	{ "cx52", NULL, EUROPE, "2025-10-16T06:00:00Z", "2026-01-01T00:00:00Z" },
	{ NULL, "fedora-41", 0, "2025-11-05T00:00:00Z", "2026-02-05T00:00:00Z" },
	{ NULL, "debian-11", 0, "2026-09-01T00:00:00Z", "2026-12-01T00:00:00Z" },
};

static struct retirement *type_end(const struct catalogue *cat, size_t type, size_t location)
{
	return &cat->type_ends[type * LOCATION_COUNT + location];
}

static int is_meant(const char *pattern, const char *name)
{
	return !strcmp(pattern, "*") || !strcmp(pattern, name);
}

/* The images or types of this name, or all ("*"). Returns how many. */
static int images_retire(struct catalogue *cat, const char *name, struct retirement when)
{
	int count = 0;

	for (size_t i = 0; i < catalogue_image_count(); i++) {
		if (!is_meant(name, catalogue_image(i)->name))
			continue;
		cat->image_ends[i] = when;
		count++;
	}
	return count;
}

static int types_retire(struct catalogue *cat, const char *name, unsigned where,
			struct retirement when)
{
	int count = 0;

	for (size_t i = 0; i < catalogue_type_count(); i++) {
		if (!is_meant(name, catalogue_type(i)->name))
			continue;
		count++;
		for (size_t l = 0; l < LOCATION_COUNT; l++) {
			if (where & (1U << l))
				*type_end(cat, i, l) = when;
		}
	}
	return count;
}

void calendar_init(struct catalogue *cat)
{
	cat->type_ends = xcalloc(catalogue_type_count() * LOCATION_COUNT, sizeof(*cat->type_ends));
	cat->image_ends = xcalloc(catalogue_image_count(), sizeof(*cat->image_ends));
	for (size_t i = 0; i < ARRAY_LEN(dates); i++) {
		struct retirement when = { 0 };

		time_parse(dates[i].announced, &when.announced_ms);
		time_parse(dates[i].ends, &when.ends_ms);
		if (dates[i].image)
			images_retire(cat, dates[i].image, when);
		else
			types_retire(cat, dates[i].type, dates[i].where, when);
	}
}

void calendar_fini(struct catalogue *cat)
{
	free(cat->type_ends);
	free(cat->image_ends);
}

const struct retirement *calendar_type(const struct catalogue *cat, const struct server_type *type,
				       const struct location *location)
{
	return type_end(cat, catalogue_type_index(type), catalogue_location_index(location));
}

const struct retirement *calendar_image(const struct catalogue *cat, const struct image *image)
{
	return &cat->image_ends[catalogue_image_index(image)];
}

unsigned calendar_stage(const struct catalogue *cat, const struct retirement *retirement)
{
	if (!retirement->announced_ms || cat->now_ms < retirement->announced_ms)
		return 0;
	return cat->now_ms < retirement->ends_ms ? STOCK_DEPRECATED : STOCK_GONE | STOCK_WITHDRAWN;
}

void calendar_forget_type(struct catalogue *cat, const struct server_type *type,
			  const struct location *location)
{
	unsigned where = location ? 1U << catalogue_location_index(location) : ~0U;

	types_retire(cat, type->name, where, (struct retirement){ 0 });
}

/* -1: not a time. */
static int read_time(const json_t *json, const char *key, int64_t otherwise, int64_t *ret_ms,
		     struct err *err)
{
	const json_t *value = json_object_get(json, key);

	*ret_ms = otherwise;
	if (!value)
		return 0;
	if (!json_is_string(value) || time_parse(json_string_value(value), ret_ms))
		return err_set(err, ERR_INVALID, "'%s' must be a time like 2026-12-01T00:00:00Z",
			       key);
	return 0;
}

/*
 * One of "retired": {"image":"debian-12"}, or {"type":"cx23","location":"nbg1"} (each missing or
 * "*": all); "announced" (now) and "unavailable_after" (91 days later) are times; "in_ms" stands
 * for the latter, counted from now.
 */
static int retire_one(struct catalogue *cat, const json_t *json, struct err *err)
{
	const json_t *location = json_object_get(json, "location");
	const char *image = args_str(json, "image", NULL);
	const char *type = args_str(json, "type", "*");
	const struct location *at = NULL;
	struct retirement when;

	if (read_time(json, "announced", cat->now_ms, &when.announced_ms, err) ||
	    read_time(json, "unavailable_after", when.announced_ms + NOTICE_MS, &when.ends_ms, err))
		return -1;
	if (json_object_get(json, "in_ms"))
		when.ends_ms = cat->now_ms + args_int(json, "in_ms", 0);
	if (image)
		return images_retire(cat, image, when) ? 0 :
							 err_set(err, ERR_INVALID, "no such image");
	if (location && strcmp(args_str(json, "location", ""), "*")) {
		at = catalogue_find_location(location);
		if (!at)
			return err_set(err, ERR_INVALID, "no such location");
	}
	return types_retire(cat, type, at ? 1U << catalogue_location_index(at) : ~0U, when) ?
		       0 :
		       err_set(err, ERR_INVALID, "no such server type");
}

int calendar_change(struct catalogue *cat, const json_t *list, struct err *err)
{
	size_t i;
	json_t *item;

	if (list && !json_is_array(list))
		return err_set(err, ERR_INVALID, "'retired' is a list of objects");
	json_array_foreach(list, i, item) {
		if (retire_one(cat, item, err))
			return -1;
	}
	return 0;
}

static int64_t date_earlier(int64_t next_ms, int64_t date_ms, int64_t now_ms)
{
	return date_ms > now_ms && date_ms < next_ms ? date_ms : next_ms;
}

int64_t calendar_next_ms(const struct catalogue *cat)
{
	size_t types = catalogue_type_count() * LOCATION_COUNT;
	int64_t next_ms = INT64_MAX;

	for (size_t i = 0; i < types + catalogue_image_count(); i++) {
		const struct retirement *r = i < types ? &cat->type_ends[i] :
							 &cat->image_ends[i - types];

		next_ms = date_earlier(next_ms, r->announced_ms, cat->now_ms);
		next_ms = date_earlier(next_ms, r->ends_ms, cat->now_ms);
	}
	return next_ms;
}
