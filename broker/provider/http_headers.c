/* SPDX-License-Identifier: MIT */
#include "provider/http_headers.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <curl/curl.h>

#include "util/alloc.h"

#define VALUE_MAX 256
#define NUMBER_MOST 1000000000000 /* more is implausible: a Unix time in seconds has ten digits */
#define RETRY_MOST_S 86400

void http_headers_init(struct http_headers *headers)
{
	*headers = (struct http_headers){
		.retry_after_ms = -1,
		.date_s = -1,
		.age_s = -1,
		.retry_date_s = -1,
		.rate_limit = -1,
		.rate_remaining = -1,
		.rate_reset_s = -1,
	};
}

/* Parses a number that parameters may follow; -1 for anything else. */
static int64_t number_parse(const char *text)
{
	int64_t value = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9'; p++) {
		value = value * 10 + (*p - '0');
		if (value > NUMBER_MOST)
			return -1;
	}
	return p > text && (*p == '\0' || strchr(" \t,;", *p)) ? value : -1;
}

/* "Fri, 21 Aug 2026 10:00:00 GMT", the only form that RFC 9110 allows senders */
static int64_t date_parse(const char *text)
{
	static const char form[] = "Aaa, 00 Aaa 0000 00:00:00 GMT";
	time_t at;

	/* curl_getdate accepts many other forms and fills in missing parts */
	for (size_t i = 0; i < sizeof(form); i++) {
		int is_letter = form[i] == 'a' || (form[i] == 'A' && form[i + 1] == 'a');

		if (is_letter ? !isalpha((unsigned char)text[i]) :
		    form[i] == '0' ? !isdigit((unsigned char)text[i]) : text[i] != form[i])
			return -1;
	}
	at = curl_getdate(text, NULL);
	return at < 0 ? -1 : (int64_t)at;
}

static int text_is_token(const char *text)
{
	return text[0] && strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				 "._-") == strlen(text);
}

static void headers_set_retry_after(struct http_headers *headers, const char *value)
{
	int64_t seconds = number_parse(value);

	if (seconds >= 0)
		headers->retry_after_ms = (seconds > RETRY_MOST_S ? RETRY_MOST_S : seconds) * 1000;
	else
		headers->retry_date_s = date_parse(value);
}

static void text_copy(char *at, size_t size, const char *value)
{
	size_t len = strlen(value);

	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)value[i] < 0x20 || (unsigned char)value[i] >= 0x7f)
			return;
	}
	snprintf(at, size, "%.*s", (int)size - 1, value);
}

static void headers_set(struct http_headers *headers, const char *name, const char *value)
{
	if (strcasecmp(name, "retry-after") == 0)
		headers_set_retry_after(headers, value);
	else if (strcasecmp(name, "date") == 0)
		headers->date_s = date_parse(value);
	else if (strcasecmp(name, "age") == 0)
		headers->age_s = number_parse(value);
	else if (strcasecmp(name, "ratelimit-limit") == 0)
		headers->rate_limit = number_parse(value);
	else if (strcasecmp(name, "ratelimit-remaining") == 0)
		headers->rate_remaining = number_parse(value);
	else if (strcasecmp(name, "ratelimit-reset") == 0)
		headers->rate_reset_s = number_parse(value);
	else if (strcasecmp(name, "content-type") == 0)
		text_copy(headers->content_type, sizeof(headers->content_type), value);
	else if (strcasecmp(name, "content-encoding") == 0 && strcasecmp(value, "identity") != 0)
		headers->is_encoded = 1;
	else if ((strcasecmp(name, "x-correlation-id") == 0 ||
		  (strcasecmp(name, "x-request-id") == 0 && !headers->request_id[0])) &&
		 text_is_token(value) && strlen(value) < sizeof(headers->request_id))
		text_copy(headers->request_id, sizeof(headers->request_id), value);
}

void http_headers_line(struct http_headers *headers, const char *line, size_t len)
{
	char text[VALUE_MAX];
	char *value;

	/* a status line: forget the fields of an interim response */
	if (len >= 5 && memcmp(line, "HTTP/", 5) == 0) {
		http_headers_init(headers);
		return;
	}
	while (len > 0 && strchr("\r\n \t", line[len - 1]))
		len--;
	if (len == 0)
		headers->is_complete = 1;
	if (len == 0 || len >= sizeof(text) || memchr(line, '\0', len))
		return;
	memcpy(text, line, len);
	text[len] = '\0';
	value = strchr(text, ':');
	if (!value)
		return;
	*value++ = '\0';
	value += strspn(value, " \t");
	headers_set(headers, text, value);
}

void http_headers_finish(const struct http_headers *headers, int64_t wall_s,
			 struct env_http_response *ret)
{
	ret->retry_after_ms = headers->retry_after_ms;
	if (ret->retry_after_ms < 0 && headers->retry_date_s >= 0) {
		/* relative to the sender's clock if the response has a Date */
		int64_t now_s = headers->date_s >= 0 ? headers->date_s : wall_s;
		int64_t wait_s = headers->retry_date_s > now_s ? headers->retry_date_s - now_s : 0;
		ret->retry_after_ms = (wait_s > RETRY_MOST_S ? RETRY_MOST_S : wait_s) * 1000;
	}
	ret->rate_limit = headers->rate_limit;
	ret->rate_remaining = headers->rate_remaining;
	ret->rate_reset_s = headers->rate_reset_s;
	ret->date_ms = headers->date_s > 0 && headers->age_s <= 0 ? headers->date_s * 1000 : 0;
	memcpy(ret->content_type, headers->content_type, sizeof(ret->content_type));
	memcpy(ret->request_id, headers->request_id, sizeof(ret->request_id));
}
