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

/* Sorts indexes into the catalogue by the request's `sort`. */
struct index_order {
	const struct query *query;
	int (*by_id)(size_t i, size_t j);
	int (*by_name)(size_t i, size_t j);
};

static int by_query(const void *a, const void *b, void *arg)
{
	size_t i = *(const size_t *)a, j = *(const size_t *)b;
	const struct index_order *order = arg;

	for (size_t p = 0; p < order->query->count; p++) {
		const struct query_param *param = &order->query->params[p];
		int differ = query_sorts(param, "id") * order->by_id(i, j);

		if (!differ)
			differ = query_sorts(param, "name") * order->by_name(i, j);
		if (differ)
			return differ;
	}
	return i < j ? -1 : i > j;
}

static int type_by_id(size_t i, size_t j)
{
	return catalogue_type(i)->id - catalogue_type(j)->id;
}

static int type_by_name(size_t i, size_t j)
{
	return strcmp(catalogue_type(i)->name, catalogue_type(j)->name);
}

static int location_by_id(size_t i, size_t j)
{
	return catalogue_location(i)->id - catalogue_location(j)->id;
}

static int location_by_name(size_t i, size_t j)
{
	return strcmp(catalogue_location(i)->name, catalogue_location(j)->name);
}

static int image_by_id(size_t i, size_t j)
{
	int64_t a = catalogue_image(i)->id, b = catalogue_image(j)->id;

	return a < b ? -1 : a > b;
}

static int image_by_name(size_t i, size_t j)
{
	return strcmp(catalogue_image(i)->name, catalogue_image(j)->name);
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
	qsort_r(all, count, sizeof(*all), by_query,
		&(struct index_order){ &call->query, type_by_id, type_by_name });
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
	qsort_r(all, count, sizeof(*all), by_query,
		&(struct index_order){ &call->query, location_by_id, location_by_name });
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

static int image_is_listed(struct call *call, const struct image *image)
{
	unsigned stage = catalogue_image_stage(&call->cloud->catalogue, image);

	if (stage & STOCK_GONE)
		return 0;
	if ((stage & STOCK_DEPRECATED) && !query_is_true(&call->query, "include_deprecated"))
		return 0;
	/* There are only system images: none has labels or is bound to a server. */
	return is_asked(call, "name", image->name) &&
	       is_asked(call, "architecture", arch_name(image->arch)) &&
	       is_asked(call, "type", "system") && is_asked(call, "status", "available") &&
	       !query_get(&call->query, "bound_to");
}

void image_list(struct call *call)
{
	const char *text = query_get(&call->query, "label_selector");
	const struct labels none = { 0 };
	struct selector *selector = NULL;
	size_t all[128], count = 0;
	struct err err;

	if (text) {
		selector = selector_parse(text, &err);
		if (!selector) {
			reply_text(call, err.text);
			return;
		}
	}
	for (size_t i = 0; i < catalogue_image_count() && count < ARRAY_LEN(all); i++) {
		if (image_is_listed(call, catalogue_image(i)) &&
		    (!selector || selector_matches(selector, &none)))
			all[count++] = i;
	}
	selector_free(selector);
	qsort_r(all, count, sizeof(*all), by_query,
		&(struct index_order){ &call->query, image_by_id, image_by_name });
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
	catalogue_write_pricing(&call->cloud->catalogue, &call->out);
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
