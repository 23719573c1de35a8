/* SPDX-License-Identifier: MIT */
#include "api/input.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int input_fail(struct input *in, int status, const char *code, const char *fmt, ...)
{
	char message[FAULT_TEXT];
	va_list ap;

	if (in->failed)
		return -1;
	in->failed = 1;
	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	return fault_set(in->fault, status, code, "%s", message);
}

/*
 * jansson recurses to 2,048 levels and takes any number of members; this bounds both,
 * and the length of a string, before it sees the text. What is not JSON at all passes
 * and is refused there.
 */
static int input_bound(struct input *in, const char *body, size_t len,
		       const struct input_bounds *bounds)
{
	size_t depth = 0;
	size_t items = 0;
	size_t string = 0;
	int inside = 0;

	for (size_t i = 0; i < len; i++) {
		char c = body[i];

		if (inside) {
			if (c == '\\' && i + 1 < len)
				i++;
			else if (c == '"')
				inside = 0;
			if (i - string > bounds->string)
				return input_fail(in, 400, "invalid_json",
						  "a string of the body is longer than %zu bytes",
						  bounds->string);
			continue;
		}
		switch (c) {
		case '"':
			inside = 1;
			string = i;
			break;
		case '{':
		case '[':
			if (++depth > INPUT_DEPTH_MAX)
				return input_fail(in, 400, "invalid_json",
						  "the body is nested more than %d levels deep",
						  INPUT_DEPTH_MAX);
			break;
		case '}':
		case ']':
			if (depth)
				depth--;
			break;
		case ',':
			if (++items >= bounds->items)
				return input_fail(in, 400, "invalid_json",
						  "the body has more than %zu members",
						  bounds->items);
			break;
		default:
			break;
		}
	}
	return 0;
}

int input_open_wide(struct input *in, const char *body, size_t len,
		    const struct input_bounds *bounds, struct fault *fault)
{
	json_error_t error;

	memset(in, 0, sizeof(*in));
	in->fault = fault;
	if (input_bound(in, body, len, bounds))
		return -1;
	in->root = json_loadb(body, len, JSON_REJECT_DUPLICATES |
			      (bounds->allow_nul ? JSON_ALLOW_NUL : 0), &error);
	if (!in->root)
		return input_fail(in, 400, "invalid_json",
				  json_error_code(&error) == json_error_duplicate_key ?
				  "the body names a field twice" :
				  "the body is not one well-formed JSON object");
	if (!json_is_object(in->root))
		return input_fail(in, 400, "invalid_json", "the body must be a JSON object");
	return 0;
}

int input_open(struct input *in, const char *body, size_t len, int may_be_empty,
	       struct fault *fault)
{
	static const struct input_bounds bounds = { INPUT_ITEMS_MAX, INPUT_STRING_MAX, 0 };

	if (len == 0 && may_be_empty) {
		memset(in, 0, sizeof(*in));
		in->fault = fault;
		in->root = json_object();
		return 0;
	}
	return input_open_wide(in, body, len, &bounds, fault);
}

void input_close(struct input *in)
{
	json_decref(in->root);
	in->root = NULL;
}

static json_t *input_get(struct input *in, const char *key)
{
	json_t *value = in->failed ? NULL : json_object_get(in->root, key);

	return json_is_null(value) ? NULL : value;
}

int input_text(struct input *in, const char *key, char *out, size_t room)
{
	json_t *value = input_get(in, key);
	size_t len;

	if (!value)
		return 0;
	if (!json_is_string(value)) {
		input_fail(in, 400, "invalid_field", "%s must be a string", key);
		return 0;
	}
	len = json_string_length(value);
	if (len >= room || memchr(json_string_value(value), '\0', len)) {
		input_fail(in, 400, "invalid_field", "%s must be at most %zu bytes long", key,
			   room - 1);
		return 0;
	}
	memcpy(out, json_string_value(value), len);
	out[len] = '\0';
	return 1;
}

int input_line(struct input *in, const char *key, char *out, size_t room)
{
	if (!input_text(in, key, out, room))
		return 0;
	for (const char *c = out; *c; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f) {
			input_fail(in, 400, "invalid_field", "%s must be one line of text", key);
			return 0;
		}
	}
	return 1;
}

int input_int(struct input *in, const char *key, int64_t *ret)
{
	json_t *value = input_get(in, key);

	if (!value)
		return 0;
	if (!json_is_integer(value)) {
		input_fail(in, 400, "invalid_field",
			   "%s must be an integer, without fraction or exponent", key);
		return 0;
	}
	*ret = json_integer_value(value);
	return 1;
}

int input_bool(struct input *in, const char *key, int *ret)
{
	json_t *value = input_get(in, key);

	if (!value)
		return 0;
	if (!json_is_boolean(value)) {
		input_fail(in, 400, "invalid_field", "%s must be true or false", key);
		return 0;
	}
	*ret = json_is_true(value);
	return 1;
}

int input_texts(struct input *in, const char *key, size_t max, json_t **ret)
{
	json_t *value = input_get(in, key);
	json_t *item;
	size_t i;

	if (!value)
		return 0;
	if (!json_is_array(value) || json_array_size(value) > max) {
		input_fail(in, 400, "invalid_field", "%s must be an array of at most %zu strings",
			   key, max);
		return 0;
	}
	json_array_foreach(value, i, item) {
		if (!json_is_string(item)) {
			input_fail(in, 400, "invalid_field", "%s must hold only strings", key);
			return 0;
		}
	}
	*ret = value;
	return 1;
}

int input_object(struct input *in, const char *key, json_t **ret)
{
	json_t *value = input_get(in, key);

	if (!value)
		return 0;
	if (!json_is_object(value)) {
		input_fail(in, 400, "invalid_field", "%s must be an object", key);
		return 0;
	}
	*ret = value;
	return 1;
}

size_t input_cut(const char *text, size_t len, size_t max)
{
	if (len <= max)
		return len;
	len = max;
	while (len && ((unsigned char)text[len] & 0xc0) == 0x80)
		len--;
	return len;
}
