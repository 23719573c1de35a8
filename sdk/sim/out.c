/* SPDX-License-Identifier: MIT */
#include "sim/out.h"

#include <string.h>
#include <time.h>

static void add_comma(struct buf *b)
{
	if (b->len && !strchr("{[:", b->data[b->len - 1]))
		buf_addc(b, ',');
}

void out_begin(struct buf *b, char bracket)
{
	add_comma(b);
	buf_addc(b, bracket);
}

void out_end(struct buf *b, char bracket)
{
	buf_addc(b, bracket);
}

static void add_quoted(struct buf *b, const char *s)
{
	const char *from = s;

	buf_addc(b, '"');
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		buf_add(b, from, (size_t)(s - from));
		from = s + 1;
		if (c >= 0x20)
			buf_addf(b, "\\%c", c);
		else
			buf_addf(b, "\\u%04x", c);
	}
	buf_add(b, from, (size_t)(s - from));
	buf_addc(b, '"');
}

void out_key(struct buf *b, const char *key)
{
	add_comma(b);
	add_quoted(b, key);
	buf_addc(b, ':');
}

void out_str(struct buf *b, const char *s)
{
	if (!s) {
		out_null(b);
		return;
	}
	add_comma(b);
	add_quoted(b, s);
}

void out_int(struct buf *b, int64_t n)
{
	add_comma(b);
	buf_addi(b, n);
}

void out_bool(struct buf *b, int yes)
{
	out_raw(b, yes ? "true" : "false");
}

void out_null(struct buf *b)
{
	out_raw(b, "null");
}

void out_raw(struct buf *b, const char *json)
{
	add_comma(b);
	buf_adds(b, json);
}

void out_time(struct buf *b, int64_t ms)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;
	char text[40];

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "\"%Y-%m-%dT%H:%M:%SZ\"", &tm);
	out_raw(b, text);
}

void out_key_str(struct buf *b, const char *key, const char *s)
{
	out_key(b, key);
	out_str(b, s);
}

void out_key_int(struct buf *b, const char *key, int64_t n)
{
	out_key(b, key);
	out_int(b, n);
}

void out_key_bool(struct buf *b, const char *key, int yes)
{
	out_key(b, key);
	out_bool(b, yes);
}

void out_key_null(struct buf *b, const char *key)
{
	out_key(b, key);
	out_null(b);
}

void out_key_raw(struct buf *b, const char *key, const char *json)
{
	out_key(b, key);
	out_raw(b, json);
}

void out_key_time(struct buf *b, const char *key, int64_t ms)
{
	out_key(b, key);
	out_time(b, ms);
}

void out_key_begin(struct buf *b, const char *key, char bracket)
{
	out_key(b, key);
	buf_addc(b, bracket);
}
