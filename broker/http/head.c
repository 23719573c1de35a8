/* SPDX-License-Identifier: MIT */
/* Access to a request head, the limits, and the texts of the parser's lists. */
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
