/* SPDX-License-Identifier: MIT */
/* Access to a request head, packing one, the limits, and the texts of the parser's lists. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "http/parser.h"
#include "http/token.h"

static const struct {
	int status;
	const char *code;
	const char *message;
} refusals[] = {
#define X(name, status, code, text) { status, code, text },
	HTTP_REFUSALS(X)
#undef X
};

int http_refusal_status(enum http_refusal refusal)
{
	return refusals[refusal].status;
}

const char *http_refusal_code(enum http_refusal refusal)
{
	return refusals[refusal].code;
}

const char *http_refusal_message(enum http_refusal refusal)
{
	return refusals[refusal].message;
}

const char *http_head_find(const struct http_head *head, const char *name)
{
	size_t len = strlen(name);

	for (unsigned i = 0; i < head->field_count; i++) {
		const struct http_field *f = &head->fields[i];

		if (f->name_len == len && !memcmp(f->name, name, len))
			return f->value;
	}
	return NULL;
}

const char *http_head_known(const struct http_head *head, enum http_known_field field)
{
	return head->known[field] ? head->fields[head->known[field] - 1].value : NULL;
}

static int field_lists(const struct http_field *f, const char *token)
{
	const char *at = f->value;
	size_t len = strlen(token);
	struct http_span one;

	while (token_next_element(&at, f->value + f->value_len, &one)) {
		if (one.len == len && !strncasecmp(one.at, token, len))
			return 1;
	}
	return 0;
}

int http_head_lists(const struct http_head *head, enum http_known_field field, const char *token)
{
	unsigned i = head->known[field];
	const struct http_field *first;

	if (!i)
		return 0;
	first = &head->fields[i - 1];
	for (; i <= head->field_count; i++) {
		const struct http_field *f = &head->fields[i - 1];

		if (f->name_len == first->name_len && !memcmp(f->name, first->name, f->name_len) &&
		    field_lists(f, token))
			return 1;
	}
	return 0;
}

/* ---- packing ------------------------------------------------------------------------- */

/* Followed by the fields, and then the text. */
struct packed_head {
	const char *text; /* of the packed head: what its pointers point into */
	uint32_t text_len;
	uint32_t field_count;
	unsigned char start[offsetof(struct http_head, fields)];
};

/* The field that is being read is kept too; its pointers may not be set yet. */
static size_t fields_kept(const struct http_head *head)
{
	return head->field_count < HTTP_FIELD_COUNT_MAX ? head->field_count + 1 :
							  HTTP_FIELD_COUNT_MAX;
}

size_t http_head_packed_size(const struct http_head *head)
{
	return sizeof(struct packed_head) + fields_kept(head) * sizeof(struct http_field) +
	       head->text_len;
}

void http_head_pack(const struct http_head *head, void *packed)
{
	struct packed_head *to = packed;
	size_t fields = fields_kept(head) * sizeof(struct http_field);
	char *rest = (char *)(to + 1);

	to->text = head->text;
	to->text_len = head->text_len;
	to->field_count = (uint32_t)fields_kept(head);
	memcpy(to->start, head, sizeof(to->start));
	memcpy(rest, head->fields, fields);
	memcpy(rest + fields, head->text, head->text_len);
}

/* Computed with integers: a pointer that is not set yet has any value, and is never used. */
static void pointer_move(const char **at, uintptr_t distance)
{
	if (*at)
		*at = (const char *)((uintptr_t)*at + distance);
}

void http_head_unpack(struct http_head *head, const void *packed)
{
	const struct packed_head *from = packed;
	const char *rest = (const char *)(from + 1);
	size_t fields = from->field_count * sizeof(struct http_field);
	uintptr_t distance = (uintptr_t)head->text - (uintptr_t)from->text;

	memcpy(head, from->start, sizeof(from->start));
	memcpy(head->fields, rest, fields);
	memcpy(head->text, rest + fields, from->text_len);
	head->text_len = from->text_len;
	pointer_move(&head->target, distance);
	pointer_move(&head->path, distance);
	pointer_move(&head->query, distance);
	pointer_move(&head->host, distance);
	for (uint32_t i = 0; i < from->field_count; i++) {
		pointer_move(&head->fields[i].name, distance);
		pointer_move(&head->fields[i].value, distance);
	}
}

/* ---- limits ---------------------------------------------------------------------------- */

void http_limits_init(struct http_limits *limits)
{
	*limits = (struct http_limits){
		.line_max = HTTP_LINE_SIZE,
		.field_max = 8192,
		.fields_max = HTTP_FIELDS_SIZE,
		.field_count = HTTP_FIELD_COUNT_MAX,
		.body_max = 65536,
	};
}

static uint32_t limit_clamp(uint32_t value, uint32_t max)
{
	return value < max ? value : max;
}

void http_limits_clamp(struct http_limits *limits)
{
	limits->line_max = limit_clamp(limits->line_max, HTTP_LINE_SIZE);
	limits->fields_max = limit_clamp(limits->fields_max, HTTP_FIELDS_SIZE);
	limits->field_max = limit_clamp(limits->field_max, limits->fields_max);
	limits->field_count = limit_clamp(limits->field_count, HTTP_FIELD_COUNT_MAX);
}
