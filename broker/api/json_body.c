/* SPDX-License-Identifier: MIT */
#include "api/json_body.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/validate.h"
#include "util/time.h"

#define MEMBER_NAME_SIZE 48 /* of an unknown member, in a message */

int json_body_fail(struct json_body *in, int status, const char *code, const char *fmt, ...)
{
	char message[API_ERROR_TEXT];
	va_list ap;

	if (in->failed)
		return -1;
	in->failed = 1;
	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	return api_error_set(in->error, status, code, "%s", message);
}

/*
 * jansson recurses to 2,048 levels and accepts any number of members. This limits both, and
 * the length of a string, before jansson sees the text. It leaves malformed JSON to jansson.
 */
static int json_body_check(struct json_body *in, const char *body, size_t len,
			   const struct json_body_bounds *bounds)
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
				return json_body_fail(in, 400, "invalid_json",
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
			if (++depth > JSON_BODY_DEPTH_MAX)
				return json_body_fail(in, 400, "invalid_json",
						      "the body is nested more than %d levels deep",
						      JSON_BODY_DEPTH_MAX);
			break;
		case '}':
		case ']':
			if (depth)
				depth--;
			break;
		case ',':
			if (++items >= bounds->items)
				return json_body_fail(in, 400, "invalid_json",
						      "the body has more than %zu members and elements",
						      bounds->items);
			break;
		default:
			break;
		}
	}
	return 0;
}

int json_body_open_wide(struct json_body *in, const char *body, size_t len,
			const struct json_body_bounds *bounds, struct api_error *error)
{
	json_error_t parse_error;

	memset(in, 0, sizeof(*in));
	in->error = error;
	if (json_body_check(in, body, len, bounds))
		return -1;
	in->root = json_loadb(body, len,
			      JSON_REJECT_DUPLICATES | (bounds->allow_nul ? JSON_ALLOW_NUL : 0),
			      &parse_error);
	if (!in->root)
		return json_body_fail(in, 400, "invalid_json",
				      json_error_code(&parse_error) == json_error_duplicate_key ?
					      "the body has a duplicate member" :
					      "the body is not one well-formed JSON object");
	if (!json_is_object(in->root))
		return json_body_fail(in, 400, "invalid_json", "the body must be a JSON object");
	return 0;
}

int json_body_open(struct json_body *in, const char *body, size_t len, int may_be_empty,
		   struct api_error *error)
{
	static const struct json_body_bounds bounds = { JSON_BODY_ITEMS_MAX, JSON_BODY_STRING_MAX,
							0 };

	if (len == 0 && may_be_empty) {
		memset(in, 0, sizeof(*in));
		in->error = error;
		in->root = json_object();
		return 0;
	}
	return json_body_open_wide(in, body, len, &bounds, error);
}

void json_body_close(struct json_body *in)
{
	json_decref(in->root);
	in->root = NULL;
}

size_t json_body_cut(const char *text, size_t len, size_t max)
{
	if (len <= max)
		return len;
	len = max;
	while (len && ((unsigned char)text[len] & 0xc0) == 0x80)
		len--;
	return len;
}

/* ---- reading by a table -------------------------------------------------------------- */

/* One field being read: where it comes from and where it goes. */
struct body_step {
	struct json_body *in;
	const struct body_table *table;
	const struct body_field *field;
	json_t *value;
	char *target;
};

static int step_fail(const struct body_step *step, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The message is "NAME WHAT"; NAME is a path if the table is of a nested object. */
static int step_fail(const struct body_step *step, const char *code, const char *fmt, ...)
{
	const char *of = step->table->of;
	char what[API_ERROR_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return json_body_fail(step->in, 400, code ? code : "invalid_field", "%s%s%s %s",
			      of ? of : "", of ? "." : "", step->field->name, what);
}

/* The type of a value, which is checked first, and its name in messages. */
static const struct {
	const char *name;
	unsigned kinds; /* bits of 1 << json_type */
} field_types[] = {
	[FIELD_TEXT] = { "a string", 1u << JSON_STRING },
	[FIELD_LINE] = { "a string", 1u << JSON_STRING },
	[FIELD_CUT] = { "a string", 1u << JSON_STRING },
	[FIELD_CHOICE] = { "a string", 1u << JSON_STRING },
	[FIELD_TIME] = { "a string", 1u << JSON_STRING },
	[FIELD_INT] = { "an integer, without fraction or exponent", 1u << JSON_INTEGER },
	[FIELD_BOOL] = { "true or false", 1u << JSON_TRUE | 1u << JSON_FALSE },
	[FIELD_STRINGS] = { "an array of strings", 1u << JSON_ARRAY },
	[FIELD_MAP] = { "an object", 1u << JSON_OBJECT },
	[FIELD_STRING] = { "a string", 1u << JSON_STRING },
	[FIELD_NUMBER] = { "a number", 1u << JSON_INTEGER | 1u << JSON_REAL },
	[FIELD_COUNT] = { "a number", 1u << JSON_INTEGER | 1u << JSON_REAL },
	[FIELD_OBJECT] = { "an object", 1u << JSON_OBJECT },
};

static int step_wrong_type(const struct body_step *step)
{
	const struct body_field *field = step->field;

	if (field->flags & FIELD_TYPE_CODE)
		return step_fail(step, field->code, "must be %s", field->expected);
	if (field->type == FIELD_STRINGS && field->size)
		return step_fail(step, NULL, "must be an array of at most %zu strings", field->size);
	return step_fail(step, NULL, "must be %s", field_types[field->type].name);
}

/* An invalid value of a field that may be left out counts as absent. */
#define step_wrong_value(step, code, ...) \
	((step)->field->flags & FIELD_LENIENT ? 0 : step_fail(step, code, __VA_ARGS__))

static int step_unexpected(const struct body_step *step)
{
	return step_wrong_value(step, step->field->code, "must be %s", step->field->expected);
}

static int is_one_line(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return 0;
	}
	return 1;
}

/* Each reader returns 1: written; 0: counts as absent; -1: an error. */
static int read_text(const struct body_step *step)
{
	const struct body_field *field = step->field;
	const char *text = json_string_value(step->value);
	size_t len = json_string_length(step->value);

	if (!len && field->flags & FIELD_EMPTY)
		return 0;
	if (field->type == FIELD_CUT)
		len = json_body_cut(text, strlen(text), field->size - 1);
	else if (len >= field->size || memchr(text, '\0', len))
		return step_wrong_value(step, NULL, "must be at most %zu bytes long",
					field->size - 1);
	if (field->type == FIELD_LINE && !is_one_line(text))
		return step_wrong_value(step, NULL, "must be one line of text");
	if (field->type != FIELD_CUT && field->check && !field->check(text))
		return step_unexpected(step);
	memcpy(step->target, text, len);
	step->target[len] = '\0';
	if (field->type == FIELD_CUT && field->check && !field->check(step->target))
		return step_unexpected(step);
	return 1;
}

/* The index of a text among the choices; -1: it is none of them. */
static int choice_place(const struct body_field *field, const char *text)
{
	for (int i = 0; field->choices[i]; i++) {
		if (!strcmp(field->choices[i], text))
			return i;
	}
	return -1;
}

static int read_choice(const struct body_step *step)
{
	const char *text = json_string_value(step->value);
	int place;

	if (!text[0] && step->field->flags & FIELD_EMPTY)
		return 0;
	place = choice_place(step->field, text);
	if (place < 0)
		return step_unexpected(step);
	memcpy(step->target, &place, sizeof(place));
	return 1;
}

static int is_in_range(const struct body_field *field, int64_t value)
{
	return (!field->low && !field->high) || (value >= field->low && value <= field->high);
}

static int read_time(const struct body_step *step)
{
	const char *text = json_string_value(step->value);
	int64_t ms;

	if (time_parse(text, &ms) || !is_in_range(step->field, ms))
		return step_unexpected(step);
	memcpy(step->target, &ms, sizeof(ms));
	return 1;
}

static int read_int(const struct body_step *step)
{
	int64_t value = json_integer_value(step->value);

	if (!is_in_range(step->field, value))
		return step_unexpected(step);
	memcpy(step->target, &value, sizeof(value));
	return 1;
}

static int read_bool(const struct body_step *step)
{
	unsigned flags = step->field->flags;
	int value = json_is_true(step->value);

	if ((value && flags & FIELD_ONLY_FALSE) || (!value && flags & FIELD_ONLY_TRUE))
		return step_unexpected(step);
	memcpy(step->target, &value, sizeof(value));
	return 1;
}

static int read_strings(const struct body_step *step)
{
	const struct body_field *field = step->field;
	json_t *item;
	size_t i;

	if (field->size && json_array_size(step->value) > field->size)
		return step_wrong_type(step);
	json_array_foreach(step->value, i, item) {
		if (!json_is_string(item))
			return step_fail(step, NULL, "must hold only strings");
		if (field->check && !field->check(json_string_value(item)))
			return step_fail(step, field->code, "must each be %s", field->expected);
	}
	memcpy(step->target, &step->value, sizeof(step->value));
	return 1;
}

static int read_map(const struct body_step *step)
{
	const char *name;
	json_t *value;

	json_object_foreach(step->value, name, value) {
		const char *text = json_string_value(value);

		if (json_is_null(value) || (text && !text[0]))
			continue;
		if (!text || choice_place(step->field, text) < 0)
			return step_fail(step, step->field->code, "must each be %s",
					 step->field->expected);
	}
	memcpy(step->target, &step->value, sizeof(step->value));
	return 1;
}

/* A value that the caller interprets itself. */
static int read_value(const struct body_step *step)
{
	memcpy(step->target, &step->value, sizeof(step->value));
	return 1;
}

static int read_value_of_type(const struct body_step *step)
{
	switch (step->field->type) {
	case FIELD_TEXT:
	case FIELD_LINE:
	case FIELD_CUT:
		return read_text(step);
	case FIELD_CHOICE:
		return read_choice(step);
	case FIELD_TIME:
		return read_time(step);
	case FIELD_INT:
		return read_int(step);
	case FIELD_BOOL:
		return read_bool(step);
	case FIELD_STRINGS:
		return read_strings(step);
	case FIELD_MAP:
		return read_map(step);
	default:
		return read_value(step);
	}
}

/* `is_skipped`: only the type matters; the field was there under another name. */
static int read_field(const struct body_step *step, int is_skipped)
{
	if (step->field->flags & FIELD_NULL && json_is_null(step->value))
		return 0;
	if (!(field_types[step->field->type].kinds & 1u << json_typeof(step->value)))
		return step_wrong_type(step);
	if (step->field->flags & FIELD_IGNORED)
		return 0;
	return is_skipped ? 1 : read_value_of_type(step);
}

/*
 * By a strict table, a member that it does not have is an error. The name is the client's
 * text: it is repeated only if it is a plain word.
 */
static int check_members(struct json_body *in, json_t *object, const struct body_table *table)
{
	char known[160] = "";
	char name[MEMBER_NAME_SIZE];
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value) {
		size_t i = 0;

		while (i < table->count && strcmp(table->fields[i].name, key))
			i++;
		if (i < table->count)
			continue;
		for (i = 0; i < table->count; i++) {
			if (!(table->fields[i].flags & FIELD_IGNORED))
				api_error_add_name(known, sizeof(known), table->fields[i].name);
		}
		api_error_scrub(validate_word(key, sizeof(name) - 1) ? key : "a member", name,
				sizeof(name));
		return json_body_fail(in, 400, "unknown_member",
				      "%s is not known here. Known members: %s.", name, known);
	}
	return 0;
}

int json_body_read(struct json_body *in, json_t *object, const struct body_table *table,
		   void *target)
{
	int was_there = 0;

	if (table->is_strict && check_members(in, object, table))
		return -1;
	for (size_t i = 0; i < table->count && !in->failed; i++) {
		const struct body_field *field = &table->fields[i];
		struct body_step step = { in, table, field, json_object_get(object, field->name),
					  (char *)target + field->at };
		int is_skipped = field->flags & FIELD_FALLBACK && was_there;
		int is_there = step.value ? read_field(&step, is_skipped) : 0;

		if (!is_there && field->flags & FIELD_REQUIRED && !in->failed)
			step_fail(&step, field->code, "is required: %s", field->expected);
		was_there = is_there || is_skipped;
	}
	return in->failed ? -1 : 0;
}
