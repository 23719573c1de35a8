/* SPDX-License-Identifier: MIT */
#include "api/query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/validate.h"
#include "util/time.h"

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return (c | 32) - 'a' + 10;
}

/* The parser has checked that two hex digits follow each "%", of no control character. */
static int query_decode(const char *text, size_t len, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (n + 1 >= size)
			return -1;
		if (text[i] == '%' && i + 2 < len) {
			out[n++] = (char)(hex_value(text[i + 1]) << 4 | hex_value(text[i + 2]));
			i += 2;
		} else {
			out[n++] = text[i] == '+' ? ' ' : text[i];
		}
	}
	out[n] = '\0';
	return 0;
}

int query_text(struct api_request *request, const char *key, char *out, size_t size)
{
	const char *at = request->head->query;
	size_t key_len = strlen(key);

	while (at && *at) {
		size_t len = strcspn(at, "&");

		if (len > key_len + 1 && !memcmp(at, key, key_len) && at[key_len] == '=') {
			if (query_decode(at + key_len + 1, len - key_len - 1, out, size) == 0)
				return 1;
			return api_error_set(&request->error, 400, "invalid_query",
					     "the value of the query key %s is too long", key);
		}
		at += len;
		at += *at == '&';
	}
	return 0;
}

/* "a", "a or b", "a, b or c" */
static void choices_write(const char *const *choices, char *out, size_t size)
{
	size_t len = 0;

	out[0] = '\0';
	for (int i = 0; choices[i] && len < size; i++)
		len += (size_t)snprintf(out + len, size - len, "%s%s",
					!i	       ? "" :
					choices[i + 1] ? ", " :
							 " or ",
					choices[i]);
}

int query_choice(struct api_request *request, const char *key, const char *const *choices, int *ret)
{
	char text[32], allowed[160];
	int rc = query_text(request, key, text, sizeof(text));

	if (rc == 0)
		return 0;
	for (int i = 0; rc > 0 && choices[i]; i++) {
		if (!strcmp(choices[i], text)) {
			*ret = i;
			return 1;
		}
	}
	choices_write(choices, allowed, sizeof(allowed));
	return api_error_set(&request->error, 400, "invalid_query", "%s must be %s", key, allowed);
}

int query_time(struct api_request *request, const char *key, int64_t *ret_ms)
{
	char text[40], *blank;
	int rc = query_text(request, key, text, sizeof(text));

	if (rc == 0)
		return 0;
	/* A "+" of the offset that was not encoded. */
	blank = rc > 0 ? strchr(text, ' ') : NULL;
	if (blank)
		*blank = '+';
	if (rc > 0 && time_parse(text, ret_ms) == 0)
		return 1;
	return api_error_set(&request->error, 400, "invalid_query",
			     "%s must be a time as in 2026-08-21T10:00:00Z", key);
}

int query_int(struct api_request *request, const char *key, int64_t low, int64_t high, int64_t *ret)
{
	char text[24];
	int rc = query_text(request, key, text, sizeof(text));
	int64_t value;

	if (rc <= 0)
		return rc;
	if (!validate_number(text))
		return api_error_set(&request->error, 400, "invalid_query",
				     "the value of the query key %s must be a whole number", key);
	value = strtoll(text, NULL, 10);
	*ret = value < low ? low : value > high ? high : value;
	return 1;
}

int64_t query_wait_ms(const struct api_request *request, int64_t default_ms, int *ret_asked)
{
	const char *at = http_head_find(request->head, "prefer");
	int64_t wait = default_ms;
	int asked = 0;

	while (at && *at) {
		at += strspn(at, " \t,;");
		if (!strncasecmp(at, "wait=", 5) && at[5] >= '0' && at[5] <= '9') {
			wait = strtoll(at + 5, NULL, 10);
			wait = wait > 86400 ? 86400000 : wait * 1000;
			asked = 1;
		} else if (!strncasecmp(at, "respond-async", 13)) {
			wait = 0;
		}
		at += strcspn(at, ",;");
	}
	if (ret_asked)
		*ret_asked = asked;
	return wait < request->api->config.wait_max_ms ? wait : request->api->config.wait_max_ms;
}
