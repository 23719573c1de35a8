/* SPDX-License-Identifier: MIT */
#include "util/jsonw.h"

#include <string.h>

#include "util/time.h"
#include "util/utf8.h"

void jsonw_init(struct jsonw *w, struct buf *out)
{
	w->out = out;
	w->comma = 0;
}

static int is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))
#define HIGH EACH(0x80)

/* 1 if one of the eight bytes is not plain. Only such a byte causes a borrow or carry. */
static inline int has_special(uint64_t x)
{
	uint64_t quote = x ^ EACH('"');
	uint64_t slash = x ^ EACH('\\');

	return ((((x - EACH(0x20)) & ~x) | ((quote - EACH(1)) & ~quote) |
		 ((slash - EACH(1)) & ~slash) | x | (x + EACH(1))) & HIGH) != 0;
}

static inline uint64_t word_at(const char *s)
{
	uint64_t x;

	memcpy(&x, s, sizeof(x));
	return x;
}

static inline int is_all_plain(const char *s, size_t len)
{
	uint64_t x = EACH('x');

	if (len < sizeof(x)) {
		memcpy(&x, s, len);
		return !has_special(x);
	}
	/* The last word may overlap the previous one. */
	for (size_t i = 0; i + sizeof(x) < len; i += sizeof(x)) {
		if (has_special(word_at(s + i)))
			return 0;
	}
	return !has_special(word_at(s + len - sizeof(x)));
}

static void special_add(struct buf *out, uint32_t c)
{
	static const char hex[] = "0123456789abcdef";
	char text[6] = { '\\', 'u', '0', '0', hex[c >> 4 & 15], hex[c & 15] };

	switch (c) {
	case '"':
		buf_add(out, "\\\"", 2);
		return;
	case '\\':
		buf_add(out, "\\\\", 2);
		return;
	case '\n':
		buf_add(out, "\\n", 2);
		return;
	case '\t':
		buf_add(out, "\\t", 2);
		return;
	default:
		buf_add(out, text, 6);
	}
}

/* Copies plain runs whole; replaces invalid UTF-8 with U+FFFD. */
static void escaped_add(struct buf *out, const char *s, size_t len)
{
	buf_addc(out, '"');
	while (len) {
		size_t run = 0;
		uint32_t c;

		while (run < len && is_plain((unsigned char)s[run]))
			run++;
		if (run) {
			buf_add(out, s, run);
			s += run;
			len -= run;
			continue;
		}
		run = utf8_next(s, len, &c);
		if (c == UTF8_BAD)
			buf_add(out, "\xef\xbf\xbd", 3);
		else if (c < 0x20 || c == 0x7f || c == '"' || c == '\\')
			special_add(out, c);
		else
			buf_add(out, s, run);
		s += run;
		len -= run;
	}
	buf_addc(out, '"');
}

/* `before` and `after` are a character or 0. */
static void string_add(struct buf *out, char before, const char *s, char after)
{
	size_t len = strlen(s);
	size_t all = (before != 0) + 1 + len + 1 + (after != 0);
	char *to;

	if (!is_all_plain(s, len)) {
		if (before)
			buf_addc(out, before);
		escaped_add(out, s, len);
		if (after)
			buf_addc(out, after);
		return;
	}
	to = buf_reserve(out, all);
	if (!to)
		return;
	if (before)
		*to++ = before;
	*to++ = '"';
	memcpy(to, s, len);
	to[len] = '"';
	if (after)
		to[len + 1] = after;
	buf_grow(out, all);
}

static void value_begin(struct jsonw *w, const char *key)
{
	if (key)
		string_add(w->out, w->comma ? ',' : 0, key, ':');
	else if (w->comma)
		buf_addc(w->out, ',');
	w->comma = 1;
}

void jsonw_object(struct jsonw *w, const char *key)
{
	value_begin(w, key);
	buf_addc(w->out, '{');
	w->comma = 0;
}

void jsonw_end_object(struct jsonw *w)
{
	buf_addc(w->out, '}');
	w->comma = 1;
}

void jsonw_array(struct jsonw *w, const char *key)
{
	value_begin(w, key);
	buf_addc(w->out, '[');
	w->comma = 0;
}

void jsonw_end_array(struct jsonw *w)
{
	buf_addc(w->out, ']');
	w->comma = 1;
}

void jsonw_text(struct jsonw *w, const char *key, const char *value)
{
	if (!value) {
		jsonw_null(w, key);
		return;
	}
	value_begin(w, key);
	string_add(w->out, 0, value, 0);
}

void jsonw_text_if(struct jsonw *w, const char *key, const char *value)
{
	if (value && *value)
		jsonw_text(w, key, value);
}

void jsonw_int(struct jsonw *w, const char *key, int64_t value)
{
	value_begin(w, key);
	buf_addi(w->out, value);
}

void jsonw_int_text(struct jsonw *w, const char *key, int64_t value)
{
	value_begin(w, key);
	buf_addc(w->out, '"');
	buf_addi(w->out, value);
	buf_addc(w->out, '"');
}

void jsonw_bool(struct jsonw *w, const char *key, int value)
{
	value_begin(w, key);
	if (value)
		buf_add(w->out, "true", 4);
	else
		buf_add(w->out, "false", 5);
}

void jsonw_null(struct jsonw *w, const char *key)
{
	value_begin(w, key);
	buf_add(w->out, "null", 4);
}

void jsonw_micros(struct jsonw *w, const char *key, int64_t micros)
{
	uint64_t size = micros < 0 ? 0 - (uint64_t)micros : (uint64_t)micros;
	uint64_t part = size % 1000000;
	char digits[8];
	int i, len = 7;

	value_begin(w, key);
	if (micros < 0)
		buf_addc(w->out, '-');
	buf_addi(w->out, (int64_t)(size / 1000000));
	if (!part)
		return;
	digits[0] = '.';
	for (i = 6; i > 0; i--) {
		digits[i] = (char)('0' + part % 10);
		part /= 10;
	}
	while (digits[len - 1] == '0')
		len--;
	buf_add(w->out, digits, (size_t)len);
}

void jsonw_time(struct jsonw *w, const char *key, int64_t ms)
{
	char *to;

	if (!ms)
		return;
	value_begin(w, key);
	/* The closing quote overwrites the NUL of the text. */
	to = buf_reserve(w->out, TIME_TEXT_ROOM + 1);
	if (!to)
		return;
	to[0] = '"';
	time_format(ms, to + 1);
	to[TIME_TEXT_ROOM] = '"';
	buf_grow(w->out, TIME_TEXT_ROOM + 1);
}

void jsonw_raw(struct jsonw *w, const char *key, const char *json)
{
	value_begin(w, key);
	buf_adds(w->out, json);
}
