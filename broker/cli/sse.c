/* SPDX-License-Identifier: MIT */
#include "cli/sse.h"

#include <string.h>

#define BOM "\xef\xbb\xbf"

void sse_init(struct sse *sse, size_t max, sse_fn fn, void *arg)
{
	*sse = (struct sse){ .fn = fn, .arg = arg };
	buf_init(&sse->line, max);
	buf_init(&sse->data, max + 1); /* it ends with a newline until it is passed on */
	buf_init(&sse->name, max);
	buf_init(&sse->id, max);
	buf_init(&sse->next_id, max);
}

void sse_fini(struct sse *sse)
{
	buf_fini(&sse->line);
	buf_fini(&sse->data);
	buf_fini(&sse->name);
	buf_fini(&sse->id);
	buf_fini(&sse->next_id);
}

static void text_set(struct buf *to, const char *data, size_t len)
{
	buf_clear(to);
	buf_add(to, data, len);
}

void sse_begin(struct sse *sse)
{
	buf_clear(&sse->line);
	buf_clear(&sse->data);
	buf_clear(&sse->name);
	text_set(&sse->next_id, buf_str(&sse->id), sse->id.len);
	sse->is_started = sse->is_cr = 0;
}

void sse_forget(struct sse *sse)
{
	buf_clear(&sse->id);
	buf_clear(&sse->next_id);
}

/* An empty line. The id counts even if there is no data, and so no event. */
static int event_end(struct sse *sse)
{
	struct sse_event event;
	int rc = 0;

	text_set(&sse->id, buf_str(&sse->next_id), sse->next_id.len);
	if (sse->data.len) {
		sse->data.data[--sse->data.len] = '\0';
		event = (struct sse_event){
			.name = sse->name.len ? buf_str(&sse->name) : "message",
			.data = buf_str(&sse->data),
			.len = sse->data.len,
			.id = buf_str(&sse->id),
		};
		rc = sse->fn(sse->arg, &event) ? 1 : 0;
	}
	buf_clear(&sse->data);
	buf_clear(&sse->name);
	return rc;
}

/* Only digits are a time; else the field is ignored. */
static void retry_set(struct sse *sse, const char *value, size_t len)
{
	int64_t ms = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		if (value[i] < '0' || value[i] > '9')
			return;
		ms = ms * 10 + (value[i] - '0');
		if (ms > SSE_RETRY_MAX_MS)
			ms = SSE_RETRY_MAX_MS;
	}
	if (len)
		sse->retry_ms = ms;
}

static int is_field(const char *name, const char *line, size_t len)
{
	return strlen(name) == len && !memcmp(name, line, len);
}

static int line_end(struct sse *sse)
{
	const char *line = buf_str(&sse->line);
	size_t len = sse->line.len, name_len;
	const char *colon, *value;
	size_t value_len;

	if (!sse->is_started && len >= strlen(BOM) && !memcmp(line, BOM, strlen(BOM))) {
		line += strlen(BOM);
		len -= strlen(BOM);
	}
	sse->is_started = 1;
	if (!len)
		return event_end(sse);
	colon = memchr(line, ':', len);
	name_len = colon ? (size_t)(colon - line) : len;
	value = colon ? colon + 1 : line + len;
	value_len = (size_t)(line + len - value);
	if (value_len && *value == ' ') {
		value++;
		value_len--;
	}
	if (is_field("data", line, name_len)) {
		buf_add(&sse->data, value, value_len);
		buf_addc(&sse->data, '\n');
	} else if (is_field("event", line, name_len)) {
		text_set(&sse->name, value, value_len);
	} else if (is_field("id", line, name_len) && !memchr(value, '\0', value_len)) {
		text_set(&sse->next_id, value, value_len);
	} else if (is_field("retry", line, name_len)) {
		retry_set(sse, value, value_len);
	}
	return sse->data.overflow ? -1 : 0;
}

int sse_feed(struct sse *sse, const char *data, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		int is_rest = sse->is_cr && data[i] == '\n';
		int rc;

		sse->is_cr = data[i] == '\r';
		if (is_rest)
			continue;
		if (data[i] != '\n' && data[i] != '\r') {
			buf_addc(&sse->line, data[i]);
			if (sse->line.overflow)
				return -1;
			continue;
		}
		rc = line_end(sse);
		buf_clear(&sse->line);
		if (rc)
			return rc;
	}
	return 0;
}
