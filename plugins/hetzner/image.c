/* SPDX-License-Identifier: MIT */
#include "image.h"

#include <stdio.h>
#include <string.h>

#include "api.h"

#define SHARE_MS (60 * 1000)

/* An image that retired is still described by its id, and can no longer be ordered. */
static int is_orderable(const json_t *image)
{
	const char *status = json_string_value(json_object_get(image, "status"));
	const json_t *deleted = json_object_get(image, "deleted");

	return (!deleted || json_is_null(deleted)) && (!status || strcmp(status, "available") == 0);
}

static enum image_state image_judge(const json_t *image, const char *architecture)
{
	const char *of = json_string_value(json_object_get(image, "architecture"));

	if (!is_orderable(image))
		return IMAGE_MISSING;
	if (architecture[0] && of && strcmp(of, architecture) != 0)
		return IMAGE_OTHER_ARCHITECTURE;
	return IMAGE_OFFERED;
}

static enum image_state look_by_id(struct hz *z, const char *architecture)
{
	char path[128];
	auto_reply reply = { 0 };
	const json_t *image;

	snprintf(path, sizeof(path), "/images/%.64s", z->lease->image);
	api_get(z->call, path, SHARE_MS, &reply);
	if (reply.rule)
		return reply.rule->on_get == GET_GONE ? IMAGE_MISSING : IMAGE_UNKNOWN;
	image = json_object_get(reply.root, "image");
	return json_is_object(image) ? image_judge(image, architecture) : IMAGE_UNKNOWN;
}

/* A name stands for one image per architecture. */
static enum image_state look_by_name(struct hz *z, const char *architecture)
{
	char name[200], path[280];
	auto_reply reply = { 0 };
	enum image_state best = IMAGE_MISSING;
	const json_t *images;
	size_t i;
	json_t *image;

	api_encode(z->lease->image, name, sizeof(name));
	snprintf(path, sizeof(path), "/images?include_deprecated=true&per_page=50&name=%s", name);
	api_get(z->call, path, SHARE_MS, &reply);
	images = json_object_get(reply.root, "images");
	if (reply.rule || !json_is_array(images))
		return IMAGE_UNKNOWN;
	json_array_foreach(images, i, image) {
		const char *named = json_string_value(json_object_get(image, "name"));
		enum image_state state;

		/* The provider's filter is used but not trusted. */
		if (!named || strcmp(named, z->lease->image) != 0)
			continue;
		state = image_judge(image, architecture);
		if (state < best)
			best = state;
	}
	return best;
}

enum image_state image_look(struct hz *z, const char *architecture)
{
	const char *image = z->lease->image;

	if (!image[0])
		return IMAGE_UNKNOWN;
	return image[strspn(image, "0123456789")] ? look_by_name(z, architecture) :
						    look_by_id(z, architecture);
}
