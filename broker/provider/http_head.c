/* SPDX-License-Identifier: MIT */
#include "provider/http_head.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "util/alloc.h"

#define VALUE_MAX 256
#define NUMBER_MOST 1000000000000	/* absurd beyond: a unix time in seconds has ten digits */
#define RETRY_MOST_S 86400

void http_head_init(struct http_head *head)
{
	*head = (struct http_head){
		.retry_after_ms = -1,
		.date_s = -1,
		.retry_date_s = -1,
		.rate_limit = -1,
		.rate_remaining = -1,
		.rate_reset_s = -1,
	};
}

/* A plain number, maybe with parameters after it; -1 for anything else. */
static int64_t parse_number(const char *text)
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

/* "Fri, 21 Aug 2026 10:00:00 GMT", the one form that RFC 9110 allows to send */
static int64_t parse_date(const char *text)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm tm = { 0 };
	char day[8], month[8];
	int used = 0;

	if (sscanf(text, "%4[A-Za-z,] %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT%n", day, &tm.tm_mday,
		   month,
		   &tm.tm_year, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &used) != 7 || !used)
		return -1;
	const char *at = strlen(month) == 3 ? strstr(months, month) : NULL;
	if (!at || (at - months) % 3 != 0 || tm.tm_year < 1970 || tm.tm_year > 9999)
		return -1;
	tm.tm_mon = (int)((at - months) / 3);
	tm.tm_year -= 1900;
	return (int64_t)timegm(&tm);
}

static int is_token(const char *text)
{
	return text[0] && strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				 "._-") == strlen(text);
}

static void set_retry_after(struct http_head *head, const char *value)
{
	int64_t seconds = parse_number(value);

	if (seconds >= 0)
		head->retry_after_ms = (seconds > RETRY_MOST_S ? RETRY_MOST_S : seconds) * 1000;
	else
		head->retry_date_s = parse_date(value);
}

static void set_text(char *at, size_t room, const char *value)
{
	size_t len = strlen(value);

	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)value[i] < 0x20 || (unsigned char)value[i] >= 0x7f)
			return;
	}
	snprintf(at, room, "%.*s", (int)room - 1, value);
}

static void head_field(struct http_head *head, const char *name, const char *value)
{
	if (strcasecmp(name, "retry-after") == 0)
		set_retry_after(head, value);
	else if (strcasecmp(name, "date") == 0)
		head->date_s = parse_date(value);
	else if (strcasecmp(name, "ratelimit-limit") == 0)
		head->rate_limit = parse_number(value);
	else if (strcasecmp(name, "ratelimit-remaining") == 0)
		head->rate_remaining = parse_number(value);
	else if (strcasecmp(name, "ratelimit-reset") == 0)
		head->rate_reset_s = parse_number(value);
	else if (strcasecmp(name, "content-type") == 0)
		set_text(head->content_type, sizeof(head->content_type), value);
	else if (strcasecmp(name, "content-encoding") == 0 && strcasecmp(value, "identity") != 0)
		head->is_encoded = 1;
	else if ((strcasecmp(name, "x-correlation-id") == 0 ||
		  (strcasecmp(name, "x-request-id") == 0 && !head->request_id[0])) &&
		 is_token(value) && strlen(value) < sizeof(head->request_id))
		set_text(head->request_id, sizeof(head->request_id), value);
}

void http_head_line(struct http_head *head, const char *line, size_t len)
{
	char text[VALUE_MAX];
	char *value;

	/* a status line: what an interim answer said is not said of this one */
	if (len >= 5 && memcmp(line, "HTTP/", 5) == 0) {
		http_head_init(head);
		return;
	}
	while (len > 0 && strchr("\r\n \t", line[len - 1]))
		len--;
	if (len == 0)
		head->is_complete = 1;
	if (len == 0 || len >= sizeof(text) || memchr(line, '\0', len))
		return;
	memcpy(text, line, len);
	text[len] = '\0';
	value = strchr(text, ':');
	if (!value)
		return;
	*value++ = '\0';
	value += strspn(value, " \t");
	head_field(head, text, value);
}

void http_head_finish(const struct http_head *head, int64_t wall_s, struct env_http_answer *ret)
{
	ret->retry_after_ms = head->retry_after_ms;
	if (ret->retry_after_ms < 0 && head->retry_date_s >= 0) {
		/* by the sender's own clock where it is known */
		int64_t now_s = head->date_s >= 0 ? head->date_s : wall_s;
		int64_t wait_s = head->retry_date_s > now_s ? head->retry_date_s - now_s : 0;
		ret->retry_after_ms = (wait_s > RETRY_MOST_S ? RETRY_MOST_S : wait_s) * 1000;
	}
	ret->rate_limit = head->rate_limit;
	ret->rate_remaining = head->rate_remaining;
	ret->rate_reset_s = head->rate_reset_s;
	memcpy(ret->content_type, head->content_type, sizeof(ret->content_type));
	memcpy(ret->request_id, head->request_id, sizeof(ret->request_id));
}
