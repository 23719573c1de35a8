/* SPDX-License-Identifier: MIT */
#include "provider/url.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

static int is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static int is_host_char(char c)
{
	return is_alnum(c) || c == '-' || c == '.';
}

int url_host_is_loopback(const char *host, size_t len)
{
	const char *end = host + len;
	const char *colon;

	if (len > 0 && host[0] == '[')
		return len >= 5 && strncmp(host, "[::1]", 5) == 0 && (len == 5 || host[5] == ':');
	colon = memchr(host, ':', len);
	if (colon)
		end = colon;
	len = (size_t)(end - host);
	if (len == 9 && strncasecmp(host, "localhost", 9) == 0)
		return 1;
	/* 127.a.b.c, four plain decimal numbers: 127.evil.example must not pass */
	if (len < 9 || len > 15 || strncmp(host, "127.", 4) != 0)
		return 0;
	int dots = 0;
	int digits = 0;
	for (size_t i = 0; i < len; i++) {
		if (host[i] == '.') {
			if (digits == 0)
				return 0;
			dots++;
			digits = 0;
		} else if (host[i] >= '0' && host[i] <= '9' && digits < 3) {
			digits++;
		} else {
			return 0;
		}
	}
	return dots == 3 && digits > 0;
}

const char *url_host(const char *url, size_t *ret_len)
{
	if (strncmp(url, "https://", 8) == 0)
		url += 8;
	else if (strncmp(url, "http://", 7) == 0)
		url += 7;
	else
		return NULL;
	*ret_len = strcspn(url, "/?#");
	return *ret_len > 0 ? url : NULL;
}

/* host or [v6], then maybe a port */
static int host_is_sane(const char *host, size_t len)
{
	size_t i = 0;

	if (len > 0 && host[0] == '[') {
		const char *close = memchr(host, ']', len);
		if (!close || close == host + 1)
			return 0;
		for (i = 1; host + i < close; i++) {
			if (!strchr("0123456789abcdefABCDEF:.", host[i]))
				return 0;
		}
		i++;
	} else {
		while (i < len && is_host_char(host[i]))
			i++;
		if (i == 0 || host[0] == '.' || host[0] == '-')
			return 0;
	}
	if (i == len)
		return 1;
	if (host[i] != ':' || len - i < 2 || len - i > 6)
		return 0;
	for (i++; i < len; i++) {
		if (host[i] < '0' || host[i] > '9')
			return 0;
	}
	return 1;
}

int url_origin_check(const char *text, char ret[URL_ORIGIN_MAX], struct err *err)
{
	size_t len = strlen(text);
	size_t host_len = 0;
	const char *host;

	if (len >= URL_ORIGIN_MAX)
		return err_set(err, ERR_INVALID, "is longer than %d bytes", URL_ORIGIN_MAX - 1);
	host = url_host(text, &host_len);
	if (!host)
		return err_set(err, ERR_INVALID, "must begin with https:// and a host");
	if (memchr(host, '@', host_len))
		return err_set(err, ERR_INVALID, "must not carry a user or password");
	if (!host_is_sane(host, host_len))
		return err_set(err, ERR_INVALID, "has no sane host");
	if (strncmp(text, "http://", 7) == 0 && !url_host_is_loopback(host, host_len))
		return err_set(err, ERR_INVALID,
			       "must be https; http is allowed for a loopback host only");

	const char *path = host + host_len;
	if (path[0] != '\0' && strcmp(path, "/") != 0) {
		const char *rule = url_path_broken_rule(path);
		if (rule)
			return err_set(err, ERR_INVALID, "has a base path that %s", rule);
		if (strpbrk(path, "?%"))
			return err_set(err, ERR_INVALID, "must have no query and no escapes");
	}
	while (len > 0 && text[len - 1] == '/')
		len--;
	memmove(ret, text, len);
	ret[len] = '\0';
	return 0;
}

/* %2e, %2f, %5c, %00 and the like would mean one thing here and another there. */
static int escape_is_plain(const char *p)
{
	static const char hex[] = "0123456789abcdef";
	const char *hi = p[1] ? memchr(hex, p[1] | 0x20, 16) : NULL;
	const char *lo = hi && p[2] ? memchr(hex, p[2] | 0x20, 16) : NULL;

	if (!hi || !lo)
		return 0;
	int c = (int)((hi - hex) * 16 + (lo - hex));
	return c >= 0x20 && c != 0x7f && c != '.' && c != '/' && c != '\\' && c != '?' && c != '#';
}

const char *url_path_broken_rule(const char *path)
{
	const char *p;
	int query = 0;

	if (path[0] != '/')
		return "does not begin with '/'";
	if (strlen(path) > URL_PATH_MAX)
		return "is too long";
	for (p = path; *p; p++) {
		unsigned char c = (unsigned char)*p;
		if (c <= 0x20 || c >= 0x7f)
			return "holds a blank, a control character or a byte that must be escaped";
		if (c == '#')
			return "holds a '#'";
		if (query)
			continue;
		if (c == '?') {
			query = 1;
			continue;
		}
		if (c == '\\')
			return "holds a backslash";
		if (c == '%' && !escape_is_plain(p))
			return "escapes what must not be escaped in a path";
		if (c == '/' && p[1] == '/')
			return "holds '//'";
		if (c == '/' && p[1] == '.') {
			const char *end = p + 1 + strspn(p + 1, ".");
			if (*end == '/' || *end == '?' || *end == '\0')
				return "holds a segment of dots";
		}
	}
	return NULL;
}

const char *url_path_last(const char *path, size_t *ret_len)
{
	size_t len = strcspn(path, "?");
	size_t start = len;

	while (start > 0 && path[start - 1] != '/')
		start--;
	*ret_len = len - start;
	return path + start;
}

void url_path_describe(const char *path, char *ret, size_t room)
{
	size_t at = 0;
	int value = 0;
	int query = 0;

	for (const char *p = path; *p && at + 2 < room; p++) {
		if (*p == '?')
			query = 1;
		if (query && *p == '=') {
			ret[at++] = '=';
			value = 1;
			continue;
		}
		if (*p == '&')
			value = 0;
		if (!value)
			ret[at++] = *p;
	}
	ret[at] = '\0';
}
