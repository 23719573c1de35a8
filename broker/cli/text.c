/* SPDX-License-Identifier: MIT */
#include "cli/text.h"

#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include "cli/wrap.h"
#include "util/alloc.h"
#include "util/utf8.h"

#define LINE_MAX_BYTES (256 * 1024)

static int is_hidden(uint32_t c)
{
	return (c >= 0x80 && c < 0xa0) ||	/* C1: 0x9b starts a control sequence */
	       c == 0x061c || c == 0x200e || c == 0x200f ||
	       (c >= 0x2028 && c <= 0x202e) ||	/* separators and direction overrides */
	       (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

void text_escape(struct buf *out, const char *s)
{
	size_t left = s ? strlen(s) : 0;
	uint32_t c;
	size_t len;

	for (; left; s += len, left -= len) {
		len = utf8_next(s, left, &c);
		if (c == UTF8_BAD)
			buf_addf(out, "\\x%02x", (unsigned char)*s);
		else if (c == '\n')
			buf_adds(out, "\\n");
		else if (c == '\r')
			buf_adds(out, "\\r");
		else if (c == '\t')
			buf_adds(out, "\\t");
		else if (c < 0x20 || c == 0x7f)
			buf_addf(out, "\\x%02x", (unsigned)c);
		else if (is_hidden(c))
			buf_addf(out, "\\u%04x", (unsigned)c);
		else
			buf_add(out, s, len);
	}
}

char *text_safe(const char *s)
{
	struct buf b;

	buf_init(&b, LINE_MAX_BYTES);
	text_escape(&b, s);
	return buf_take(&b);
}

char *text_vsafe(const char *fmt, va_list ap)
{
	auto_free char *raw = NULL;

	if (vasprintf(&raw, fmt, ap) < 0)
		raw = NULL;
	return text_safe(raw);
}

static char last_error[512];

__attribute__((format(printf, 3, 0))) static void line_print(FILE *to, const char *prefix,
							     const char *fmt, va_list ap)
{
	auto_free char *raw = NULL;
	auto_free char *safe = NULL;

	if (vasprintf(&raw, fmt, ap) < 0) {
		raw = NULL;
		return;
	}
	safe = text_safe(raw);
	fprintf(to, "%s%s\n", prefix, safe);
}

void text_print(FILE *to, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	line_print(to, "", fmt, ap);
	va_end(ap);
}

void text_fold(FILE *to, size_t indent, const char *fmt, ...)
{
	size_t width = wrap_width(to);
	auto_free char *safe = NULL;
	auto_free char *lines = NULL;
	va_list ap;

	va_start(ap, fmt);
	safe = text_vsafe(fmt, ap);
	va_end(ap);
	lines = width ? wrap_words(safe, width, indent) : NULL;
	fprintf(to, "%s\n", lines ? lines : safe);
}

void text_error(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	va_start(ap, fmt);
	vsnprintf(last_error, sizeof(last_error), fmt, ap);
	va_end(ap);
	va_start(ap, fmt);
	line_print(stderr, "lessor: ", fmt, ap);
	va_end(ap);
}

void text_warning(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	va_start(ap, fmt);
	line_print(stderr, "lessor: warning: ", fmt, ap);
	va_end(ap);
}

const char *text_last_error(void)
{
	return last_error;
}

char *text_shell(const char *s)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_@%+=:,./-";
	struct buf b;

	if (*s && s[0] != '-' && s[strspn(s, plain)] == '\0')
		return xstrdup(s);
	buf_init(&b, LINE_MAX_BYTES);
	buf_addc(&b, '\'');
	for (; *s; s++) {
		if (*s == '\'')
			buf_adds(&b, "'\\''");
		else
			buf_addc(&b, *s);
	}
	buf_addc(&b, '\'');
	return buf_take(&b);
}
