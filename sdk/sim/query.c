/* SPDX-License-Identifier: MIT */
#include "sim/query.h"

#include <stdlib.h>
#include <string.h>

#include "util/alloc.h"

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* %00 is not decoded: it would end the string. */
static char *percent_decode(const char *s, size_t len, int plus)
{
	char *out = xcalloc(1, len + 1);
	char *p = out;

	for (size_t i = 0; i < len; i++) {
		int hi = s[i] == '%' && i + 2 < len ? hex_value(s[i + 1]) : -1;
		int lo = hi >= 0 ? hex_value(s[i + 2]) : -1;

		if (lo >= 0 && (hi || lo)) {
			*p++ = (char)(hi * 16 + lo);
			i += 2;
		} else {
			*p++ = plus && s[i] == '+' ? ' ' : s[i];
		}
	}
	return out;
}

void query_parse(const char *target, struct query *ret)
{
	size_t path = strcspn(target, "?#");
	const char *at = target + path;

	*ret = (struct query){ .path = percent_decode(target, path, 0) };
	if (*at != '?')
		return;
	at++;
	while (*at && *at != '#' && ret->count < QUERY_PARAMS_MAX) {
		size_t len = strcspn(at, "&#");
		const char *eq = memchr(at, '=', len);
		size_t key = eq ? (size_t)(eq - at) : len;
		struct query_param *param = &ret->params[ret->count];

		if (len) {
			param->key = percent_decode(at, key, 1);
			param->value = eq ? percent_decode(eq + 1, len - key - 1, 1) : xstrdup("");
			ret->count++;
		}
		at += len;
		if (*at == '&')
			at++;
	}
}

void query_fini(struct query *query)
{
	for (size_t i = 0; i < query->count; i++) {
		free(query->params[i].key);
		free(query->params[i].value);
	}
	free(query->path);
	*query = (struct query){ 0 };
}

const char *query_get(const struct query *query, const char *key)
{
	for (size_t i = 0; i < query->count; i++) {
		if (!strcmp(query->params[i].key, key))
			return query->params[i].value;
	}
	return NULL;
}

int query_has(const struct query *query, const char *key, const char *value)
{
	for (size_t i = 0; i < query->count; i++) {
		if (!strcmp(query->params[i].key, key) && !strcmp(query->params[i].value, value))
			return 1;
	}
	return 0;
}

int query_sorts(const struct query_param *param, const char *key)
{
	size_t len = strlen(key);

	if (strcmp(param->key, "sort") || strncmp(param->value, key, len))
		return 0;
	if (!strcmp(param->value + len, ":desc"))
		return -1;
	return !param->value[len] || !strcmp(param->value + len, ":asc");
}

int query_is_true(const struct query *query, const char *key)
{
	const char *text = query_get(query, key);

	return text && (!strcasecmp(text, "true") || !strcmp(text, "1"));
}

int number_parse(const char *text, int64_t *ret)
{
	int64_t n = 0;

	if (!*text)
		return -1;
	for (; *text; text++) {
		if (*text < '0' || *text > '9' || n > (INT64_MAX - 9) / 10)
			return -1;
		n = n * 10 + (*text - '0');
	}
	*ret = n;
	return 0;
}

int64_t query_get_int(const struct query *query, const char *key, int64_t otherwise)
{
	const char *text = query_get(query, key);
	int64_t n;

	if (!text)
		return otherwise;
	return number_parse(text, &n) ? -1 : n;
}
