/* SPDX-License-Identifier: MIT */
#include "image.h"

#include <stdio.h>
#include <string.h>

#include "api.h"

#define SHARE_MS (60 * 1000)
#define KEEP_MS (4 * 60 * 60 * 1000) /* longer than between two catalogues */

/* An image that retired is still described by its id, and can no longer be ordered. */
static int is_orderable(const json_t *image)
{
	const char *status = json_string_value(json_object_get(image, "status"));
	const json_t *deleted = json_object_get(image, "deleted");

	return (!deleted || json_is_null(deleted)) && (!status || strcmp(status, "available") == 0);
}

static void take_date(const json_t *image, char ret[IMAGE_DATE_ROOM])
{
	const json_t *deprecation = json_object_get(image, "deprecation");
	const char *until = json_string_value(json_object_get(deprecation, "unavailable_after"));

	snprintf(ret, IMAGE_DATE_ROOM, "%.10s", until && parse_time_ms(until) ? until : "");
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

static enum image_state look_by_id(struct lessor_call *call, const char *id,
				   const char *architecture, char ret_until[IMAGE_DATE_ROOM])
{
	char path[128];
	auto_reply reply = { 0 };
	const json_t *image;

	snprintf(path, sizeof(path), "/images/%.64s", id);
	api_get(call, path, SHARE_MS, &reply);
	if (reply.rule)
		return reply.rule->on_get == GET_GONE ? IMAGE_MISSING : IMAGE_UNKNOWN;
	image = json_object_get(reply.root, "image");
	take_date(image, ret_until);
	return json_is_object(image) ? image_judge(image, architecture) : IMAGE_UNKNOWN;
}

/* A name stands for one image per architecture. */
static enum image_state look_by_name(struct lessor_call *call, const char *image_name,
				     const char *architecture, char ret_until[IMAGE_DATE_ROOM])
{
	char name[200], path[280];
	auto_reply reply = { 0 };
	enum image_state best = IMAGE_MISSING;
	const json_t *images;
	size_t i;
	json_t *image;

	api_encode(image_name, name, sizeof(name));
	snprintf(path, sizeof(path), "/images?include_deprecated=true&per_page=50&name=%s", name);
	api_get(call, path, SHARE_MS, &reply);
	images = json_object_get(reply.root, "images");
	if (reply.rule || !json_is_array(images))
		return IMAGE_UNKNOWN;
	json_array_foreach(images, i, image) {
		const char *named = json_string_value(json_object_get(image, "name"));
		enum image_state state;

		/* The provider's filter is used but not trusted. */
		if (!named || strcmp(named, image_name) != 0)
			continue;
		state = image_judge(image, architecture);
		if (state >= best)
			continue;
		best = state;
		take_date(image, ret_until);
	}
	return best;
}

enum image_state image_look(struct lessor_call *call, const char *image, const char *architecture,
			    char ret_until[IMAGE_DATE_ROOM])
{
	ret_until[0] = '\0';
	if (!image[0])
		return IMAGE_UNKNOWN;
	return image[strspn(image, "0123456789")] ?
		       look_by_name(call, image, architecture, ret_until) :
		       look_by_id(call, image, architecture, ret_until);
}

/* ---- the account's own image ------------------------------------------------------------ */

void image_remember(struct hz *z)
{
	lessor_cache_put(z->call, "image/own", z->lease->image, KEEP_MS);
}

void image_note(struct lessor_call *call)
{
	const char *image = lessor_cache_get(call, "image/own");
	const char *before = lessor_cache_get(call, "image/note");
	char until[IMAGE_DATE_ROOM], note[160] = "";

	if (!image)
		return;
	switch (image_look(call, image, "", until)) {
	case IMAGE_UNKNOWN:
		snprintf(note, sizeof(note), "%s", before ? before : "");
		break;
	case IMAGE_MISSING:
		snprintf(note, sizeof(note),
			 "The provider has no image '%.64s'; change the "
			 "account's image.",
			 image);
		break;
	case IMAGE_OFFERED:
	case IMAGE_OTHER_ARCHITECTURE:
		if (until[0])
			snprintf(note, sizeof(note),
				 "Its image '%.64s' retires on %s; change the "
				 "account's image before.",
				 image, until);
		break;
	}
	lessor_cache_put(call, "image/note", note, KEEP_MS);
	lessor_output(call, LESSOR_OUT_NOTE, note);
}
