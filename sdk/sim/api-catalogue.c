/* SPDX-License-Identifier: MIT */
/*
 * Read-only endpoints: types, locations, images, prices, and empty lists for everything that
 * is not simulated.
 */
#include <string.h>

#include "sim/call.h"
#include "sim/out.h"
#include "util/alloc.h"

/* Replies with one page of the given catalogue entries. */
static void reply_indexes(struct call *call, const char *member, const size_t *all, size_t count,
	const char *(*json)(struct call *call, size_t index))
{
	struct page page;

	if (page_begin(call, count, &page))
		return;
	out_begin(&call->out, '{');
	out_key_begin(&call->out, member, '[');
	for (size_t i = page.from; i < page.until; i++)
		out_raw(&call->out, json(call, all[i]));
	out_end(&call->out, ']');
	page_end(call, &page);
	out_end(&call->out, '}');
}

static void reply_one(struct call *call, const char *member, const char *json)
{
	out_begin(&call->out, '{');
	out_key_raw(&call->out, member, json);
	out_end(&call->out, '}');
}

static int is_asked(const struct call *call, const char *key, const char *value)
{
	return !query_get(&call->query, key) || query_has(&call->query, key, value);
}

static const char *type_json(struct call *call, size_t i)
{
	return catalogue_type_json(&call->cloud->catalogue, catalogue_type(i));
}

static const char *location_json(struct call *call, size_t i)
{
	return catalogue_location_json(&call->cloud->catalogue, catalogue_location(i));
}

static const char *image_json(struct call *call, size_t i)
{
	return catalogue_image_json(&call->cloud->catalogue, catalogue_image(i));
}

void type_list(struct call *call)
{
	size_t all[128], count = 0;

	for (size_t i = 0; i < catalogue_type_count() && count < ARRAY_LEN(all); i++) {
		if (is_asked(call, "name", catalogue_type(i)->name) &&
		    !catalogue_is_withdrawn(&call->cloud->catalogue, catalogue_type(i)))
			all[count++] = i;
	}
	reply_indexes(call, "server_types", all, count, type_json);
}

void type_get(struct call *call)
{
	for (size_t i = 0; i < catalogue_type_count(); i++) {
		if (catalogue_type(i)->id == call->id) {
			reply_one(call, "server_type", type_json(call, i));
			return;
		}
	}
	reply_not_found(call, "server type");
}

void location_list(struct call *call)
{
	size_t all[LOCATION_COUNT], count = 0;

	for (size_t i = 0; i < LOCATION_COUNT; i++) {
		if (is_asked(call, "name", catalogue_location(i)->name))
			all[count++] = i;
	}
	reply_indexes(call, "locations", all, count, location_json);
}

void location_get(struct call *call)
{
	for (size_t i = 0; i < LOCATION_COUNT; i++) {
		if (catalogue_location(i)->id == call->id) {
			reply_one(call, "location", location_json(call, i));
			return;
		}
	}
	reply_not_found(call, "location");
}

void image_list(struct call *call)
{
	const char *deprecated = query_get(&call->query, "include_deprecated");
	int old = deprecated && !strcmp(deprecated, "true");
	size_t all[128], count = 0;

	for (size_t i = 0; i < catalogue_image_count() && count < ARRAY_LEN(all); i++) {
		const struct image *image = catalogue_image(i);

		if (is_asked(call, "name", image->name)
		    && is_asked(call, "architecture", arch_name(image->arch))
		    && is_asked(call, "type", "system") && is_asked(call, "status", "available")
		    && !query_get(&call->query, "bound_to") && (old || !image->deprecated))
			all[count++] = i;
	}
	reply_indexes(call, "images", all, count, image_json);
}

void image_get(struct call *call)
{
	for (size_t i = 0; i < catalogue_image_count(); i++) {
		if (catalogue_image(i)->id == call->id) {
			reply_one(call, "image", image_json(call, i));
			return;
		}
	}
	reply_not_found(call, "image");
}

void pricing_get(struct call *call)
{
	catalogue_write_pricing(&call->out);
}

void datacenter_refuse(struct call *call)
{
	reply_error(call, 410, "deprecated_api_endpoint",
		"the datacenters endpoint was removed, use locations and server types instead",
		"{\"announcement\":\"https://docs.hetzner.cloud/changelog#2026-06-02\"}");
}

void empty_list(struct call *call)
{
	reply_indexes(call, strrchr(call->query.path, '/') + 1, NULL, 0, NULL);
}
