/* SPDX-License-Identifier: MIT */
#include "http/token.h"

#include <string.h>
#include <strings.h>

#include "util/alloc.h"
#include "util/utf8.h"

/* From RFC 9110, 5.6.2; upper-case letters map to lower case. */
const unsigned char token_lower_table[256] = {
	['!'] = '!', ['#'] = '#', ['$'] = '$', ['%'] = '%', ['&'] = '&', ['\''] = '\'',
	['*'] = '*', ['+'] = '+', ['-'] = '-', ['.'] = '.', ['^'] = '^', ['_'] = '_',
	['`'] = '`', ['|'] = '|', ['~'] = '~',
	['0'] = '0', ['1'] = '1', ['2'] = '2', ['3'] = '3', ['4'] = '4', ['5'] = '5',
	['6'] = '6', ['7'] = '7', ['8'] = '8', ['9'] = '9',
	['a'] = 'a', ['A'] = 'a', ['b'] = 'b', ['B'] = 'b', ['c'] = 'c', ['C'] = 'c',
	['d'] = 'd', ['D'] = 'd', ['e'] = 'e', ['E'] = 'e', ['f'] = 'f', ['F'] = 'f',
	['g'] = 'g', ['G'] = 'g', ['h'] = 'h', ['H'] = 'h', ['i'] = 'i', ['I'] = 'i',
	['j'] = 'j', ['J'] = 'j', ['k'] = 'k', ['K'] = 'k', ['l'] = 'l', ['L'] = 'l',
	['m'] = 'm', ['M'] = 'm', ['n'] = 'n', ['N'] = 'n', ['o'] = 'o', ['O'] = 'o',
	['p'] = 'p', ['P'] = 'p', ['q'] = 'q', ['Q'] = 'q', ['r'] = 'r', ['R'] = 'r',
	['s'] = 's', ['S'] = 's', ['t'] = 't', ['T'] = 't', ['u'] = 'u', ['U'] = 'u',
	['v'] = 'v', ['V'] = 'v', ['w'] = 'w', ['W'] = 'w', ['x'] = 'x', ['X'] = 'x',
	['y'] = 'y', ['Y'] = 'y', ['z'] = 'z', ['Z'] = 'z',
};

#define T TOKEN_TARGET | TOKEN_VALUE
#define V TOKEN_VALUE

/* 16 characters per row */
const unsigned char token_class_table[256] = {
	0, 0, 0, 0, 0, 0, 0, 0, 0, V, 0, 0, 0, 0, 0, 0,
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	V, T, V, V, T, T, T, T, T, T, T, T, T, T, T, T,
	T, T, T, T, T, T, T, T, T, T, T, T, V, T, V, T,
	T, T, T, T, T, T, T, T, T, T, T, T, T, T, T, T,
	T, T, T, T, T, T, T, T, T, T, T, V, V, V, V, T,
	V, T, T, T, T, T, T, T, T, T, T, T, T, T, T, T,
	T, T, T, T, T, T, T, T, T, T, T, V, V, V, T, 0,
	[0x80 ... 0xff] = V,
};

#undef T
#undef V

int token_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static const char *const method_names[] = {
#define X(name) #name,
	HTTP_METHODS(X)
#undef X
};

const char *http_method_name(enum http_method method)
{
	return (unsigned)method < HTTP_METHOD_COUNT ? method_names[method] : "?";
}

enum http_method token_find_method(const char *text, size_t len)
{
	for (int m = 0; m < HTTP_METHOD_COUNT; m++) {
		const char *name = http_method_name((enum http_method)m);

		if (name[0] == text[0] && strlen(name) == len && !memcmp(name, text, len))
			return (enum http_method)m;
	}
	return HTTP_METHOD_COUNT;
}

static const struct {
	const char *text;
	uint8_t len;
} known_fields[] = {
#define X(name, text, single) { text, sizeof(text) - 1 },
	HTTP_KNOWN_FIELDS(X)
#undef X
};

/* Would they be equal if "_" in `name` were "-"? */
static int name_is_disguised(const char *name, const char *known, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if ((name[i] == '_' ? '-' : name[i]) != known[i])
			return 0;
	}
	return 1;
}

int token_find_field(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(known_fields); i++) {
		const char *known = known_fields[i].text;

		if (known_fields[i].len != len || known[0] != name[0])
			continue;
		if (!memcmp(known, name, len))
			return (int)i;
		if (name_is_disguised(name, known, len))
			return -2;
	}
	return -1;
}

int token_check_escapes(const char *text, size_t len)
{
	char decoded[HTTP_LINE_SIZE];
	size_t n = 0;

	if (len > sizeof(decoded))
		return -1;
	for (size_t i = 0; i < len; i++) {
		int byte = (unsigned char)text[i];

		if (byte == '%') {
			int high, low;

			if (len - i < 3)
				return -1;
			high = token_hex(text[i + 1]);
			low = token_hex(text[i + 2]);
			if (high < 0 || low < 0)
				return -1;
			byte = high * 16 + low;
			if (byte < 0x20 || byte == 0x7f)
				return -1;
			i += 2;
		}
		decoded[n++] = (char)byte;
	}
	return utf8_valid(decoded, n) ? 0 : -1;
}

static int text_is_port(const char *text, size_t len)
{
	unsigned value = 0;

	if (!len || len > 5)
		return 0;
	for (size_t i = 0; i < len; i++) {
		if (!token_is_digit(text[i]))
			return 0;
		value = value * 10 + (unsigned)(text[i] - '0');
	}
	return value <= 65535;
}

size_t token_check_host(const char *text, size_t len)
{
	size_t n = 0;

	if (!len || len > 255 + 6)
		return 0;
	if (text[0] == '[') {
		n = 1;
		while (n < len && (token_hex(text[n]) >= 0 || text[n] == ':' || text[n] == '.'))
			n++;
		if (n < 3 || n >= len || text[n] != ']')
			return 0;
		n++;
	} else {
		while (n < len && (token_is_digit(text[n]) || text[n] == '-' || text[n] == '.' ||
				   text[n] == '_' ||
				   (token_lower(text[n]) >= 'a' && token_lower(text[n]) <= 'z')))
			n++;
	}
	if (!n || n > 255)
		return 0;
	if (n < len && (text[n] != ':' || !text_is_port(text + n + 1, len - n - 1)))
		return 0;
	return n;
}

int token_read_length(const char *text, size_t len, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (!len || (len > 1 && text[0] == '0'))
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (!token_is_digit(text[i]))
			return -1;
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (unsigned)(text[i] - '0'), &value))
			value = UINT64_MAX;
		if (value == UINT64_MAX) {
			while (++i < len) {
				if (!token_is_digit(text[i]))
					return -1;
			}
		}
	}
	*ret_value = value;
	return 0;
}

int token_next_element(const char **at, const char *end, struct http_span *ret_element)
{
	const char *from = *at;
	const char *to;

	if (!from || from > end)
		return 0;
	to = from == end ? NULL : memchr(from, ',', (size_t)(end - from));
	/* NULL: the last element was returned */
	*at = to ? to + 1 : NULL;
	if (!to)
		to = end;
	while (from < to && (*from == ' ' || *from == '\t'))
		from++;
	while (from < to && (to[-1] == ' ' || to[-1] == '\t'))
		to--;
	*ret_element = (struct http_span){ from, (size_t)(to - from) };
	return 1;
}

enum http_refusal token_check_coding(const char *text, size_t len)
{
	const char *at = text;
	struct http_span one;
	int chunked = 0, other = 0;

	while (token_next_element(&at, text + len, &one)) {
		if (!one.len)
			return HTTP_REFUSED_CODING;
		for (size_t i = 0; i < one.len; i++) {
			if (!token_lower(one.at[i]))
				return HTTP_REFUSED_CODING;
		}
		/* chunked must be last and must not be repeated */
		if (chunked)
			return HTTP_REFUSED_CODING;
		if (one.len == 7 && !strncasecmp(one.at, "chunked", 7))
			chunked = 1;
		else
			other = 1;
	}
	return other ? HTTP_REFUSED_CODING_UNKNOWN : HTTP_REFUSED_NONE;
}
