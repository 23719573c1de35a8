/* SPDX-License-Identifier: MIT */
#include "store/postgres/translate.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "util/alloc.h"
#include "util/buf.h"
#include "util/bug.h"

#define INDEXED "INDEXED"
#define BY "BY"
#define TEXT_MAX (1024 * 1024) /* a literal of this program: never reached */

static int is_name(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* The length of a text, a quoted name or a comment at `s`; 0: there is none. */
static size_t quoted_len(const char *s)
{
	const char *end;

	if (*s == '\'' || *s == '"') {
		/* A doubled quote is the end of one and the begin of the next: the same result. */
		end = strchr(s + 1, *s);
		return end ? (size_t)(end + 1 - s) : strlen(s);
	}
	if (s[0] == '-' && s[1] == '-')
		return strcspn(s, "\n");
	if (s[0] == '/' && s[1] == '*') {
		end = strstr(s + 2, "*/");
		return end ? (size_t)(end + 2 - s) : strlen(s);
	}
	return 0;
}

static size_t word_len(const char *s, const char *word)
{
	size_t len = strlen(word);

	return strncasecmp(s, word, len) == 0 && !is_name(s[len]) ? len : 0;
}

static size_t space_len(const char *s)
{
	return strspn(s, " \t\n");
}

/* The length of "INDEXED BY name " at `s`, the begin of a word; 0: it is something else. */
static size_t indexed_len(const char *s)
{
	size_t len = word_len(s, INDEXED), part;

	if (!len)
		return 0;
	len += space_len(s + len);
	part = word_len(s + len, BY);
	if (!part)
		return 0;
	len += part;
	len += space_len(s + len);
	while (is_name(s[len]))
		len++;
	return len + space_len(s + len);
}

/* The number behind a ? or $, or the next one. Adds it as PostgreSQL's. */
static size_t param_add(struct buf *out, const char *s, int *last, int *most)
{
	size_t len = 1;
	int n = 0;

	while (isdigit((unsigned char)s[len]) && n < 100000)
		n = n * 10 + (s[len++] - '0');
	if (len == 1)
		n = *last + 1;
	if (n > *most)
		*most = n;
	*last = n > *last ? n : *last;
	buf_addf(out, "$%d", n);
	return len;
}

char *translate(const char *sql, int most, int *ret_params)
{
	struct buf out;
	int last = 0, highest = 0;
	size_t len;

	buf_init(&out, TEXT_MAX);
	for (const char *s = sql; *s; s += len) {
		int is_begin = s == sql || !is_name(s[-1]);

		len = quoted_len(s);
		if (len) {
			buf_add(&out, s, len);
		} else if (is_begin && (len = indexed_len(s)) != 0) {
			/* Left out. */
		} else if (*s == '?' || (*s == '$' && isdigit((unsigned char)s[1]))) {
			len = param_add(&out, s, &last, &highest);
		} else {
			len = 1;
			buf_add(&out, s, len);
		}
	}
	*ret_params = highest;
	BUG_ON(out.overflow);
	if (highest <= most)
		return buf_take(&out);
	buf_fini(&out);
	return NULL;
}

char *translate_one(const char *translated)
{
	return xasprintf("WITH changed AS (%s RETURNING 1)"
			 " SELECT 1 / (count(*) = 1)::int FROM changed",
			 translated);
}
