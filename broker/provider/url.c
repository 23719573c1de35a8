/* SPDX-License-Identifier: MIT */
#include "provider/url.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#define HOST_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-."

int url_host_is_loopback(const char *host)
{
	struct in_addr address;

	if (strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0)
		return 1;
	/* a strict dotted quad: 127.evil.example must not pass */
	return inet_pton(AF_INET, host, &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}

/* Is the authority exactly this host, as written, with at most a port? */
static int authority_is_plain(const char *authority, const char *host, const char *port)
{
	char plain[URL_ORIGIN_MAX];
	size_t len = strcspn(authority, "/?#");
	int plain_len = snprintf(plain, sizeof(plain), "%s%s%s", host, port ? ":" : "",
				 port ? port : "");

	return plain_len >= 0 && (size_t)plain_len == len && memcmp(plain, authority, len) == 0;
}

/*
 * libcurl decodes hosts, completes IPv4 addresses and accepts characters that DNS names do not
 * have. Here a host must be written exactly as it is used, so that no other parser can read it
 * differently.
 */
static int host_is_plain(const char *authority, const char *host, const char *port)
{
	char literal[INET6_ADDRSTRLEN + 2];
	struct in6_addr address;
	size_t len = strcspn(authority, "]");

	if (host[0] != '[')
		return strspn(host, HOST_CHARS) == strlen(host) && host[0] != '.' &&
		       host[0] != '-' && authority_is_plain(authority, host, port);
	/* newer versions of libcurl normalise IPv6 addresses */
	if (authority[0] != '[' || authority[len] != ']' || len > INET6_ADDRSTRLEN)
		return 0;
	memcpy(literal, authority + 1, len - 1);
	literal[len - 1] = '\0';
	if (inet_pton(AF_INET6, literal, &address) != 1)
		return 0;
	memcpy(literal, authority, len + 1);
	literal[len + 1] = '\0';
	return authority_is_plain(authority, literal, port);
}

static int url_host_check(CURLU *url, const char *text, const char *authority, struct err *err)
{
	char *host = NULL, *port = NULL;
	CURLUcode code = curl_url_set(url, CURLUPART_URL, text,
				      CURLU_PATH_AS_IS | CURLU_DISALLOW_USER);
	int rc = 0;

	if (code == CURLUE_USER_NOT_ALLOWED)
		return err_set(err, ERR_INVALID, "must not contain a user name or password");
	if (code || curl_url_get(url, CURLUPART_HOST, &host, 0))
		return err_set(err, ERR_INVALID, "has no valid host");
	curl_url_get(url, CURLUPART_PORT, &port, 0);
	if (!host_is_plain(authority, host, port))
		rc = err_set(err, ERR_INVALID, "has no valid host");
	else if (strncmp(text, "http://", 7) == 0 && !url_host_is_loopback(host))
		rc = err_set(err, ERR_INVALID,
			     "must use https; http is allowed only for a loopback host");
	curl_free(host);
	curl_free(port);
	return rc;
}

static int base_path_check(const char *path, struct err *err)
{
	const char *rule;

	if (path[0] == '\0' || strcmp(path, "/") == 0)
		return 0;
	rule = url_path_broken_rule(path);
	if (rule)
		return err_set(err, ERR_INVALID, "has a base path that %s", rule);
	if (strpbrk(path, "?%"))
		return err_set(err, ERR_INVALID, "must not contain a query or percent-escapes");
	return 0;
}

int url_origin_check(const char *text, char ret[URL_ORIGIN_MAX], struct err *err)
{
	size_t len = strlen(text);
	const char *authority = strncmp(text, "https://", 8) == 0 ? text + 8 :
				strncmp(text, "http://", 7) == 0 ? text + 7 : NULL;
	CURLU *url;
	int rc;

	if (len >= URL_ORIGIN_MAX)
		return err_set(err, ERR_INVALID, "is longer than %d bytes", URL_ORIGIN_MAX - 1);
	if (!authority || strcspn(authority, "/?#") == 0)
		return err_set(err, ERR_INVALID, "must begin with https:// and a host");
	url = curl_url();
	if (!url)
		abort();
	rc = url_host_check(url, text, authority, err);
	curl_url_cleanup(url);
	if (rc || base_path_check(authority + strcspn(authority, "/?#"), err))
		return -1;
	while (len > 0 && text[len - 1] == '/')
		len--;
	memmove(ret, text, len);
	ret[len] = '\0';
	return 0;
}

/* Escapes such as %2e, %2f, %5c and %00 may be read differently by the server. */
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
			return "contains a space, a control character or a byte that must be escaped";
		if (c == '#')
			return "contains a '#'";
		if (query)
			continue;
		if (c == '?') {
			query = 1;
			continue;
		}
		if (c == '\\')
			return "contains a backslash";
		if (c == '%' && !escape_is_plain(p))
			return "contains an escape that is not allowed in a path";
		if (c == '/' && p[1] == '/')
			return "contains '//'";
		if (c == '/' && p[1] == '.') {
			const char *end = p + 1 + strspn(p + 1, ".");
			if (*end == '/' || *end == '?' || *end == '\0')
				return "contains a segment of dots";
		}
	}
	return NULL;
}

void url_path_describe(const char *path, char *ret, size_t size)
{
	size_t at = 0;
	int value = 0;
	int query = 0;

	for (const char *p = path; *p && at + 2 < size; p++) {
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

int url_address_is_local(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, address, sizeof(in));
		uint32_t ip = ntohl(in.sin_addr.s_addr);
		return ip >> 24 == 127 || ip >> 24 == 0 || ip >> 16 == 0xa9fe;
	}
	if (address->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;
		memcpy(&in6, address, sizeof(in6));
		const struct in6_addr *a = &in6.sin6_addr;
		if (IN6_IS_ADDR_V4MAPPED(a))
			return a->s6_addr[12] == 127 || a->s6_addr[12] == 0 ||
			       (a->s6_addr[12] == 0xa9 && a->s6_addr[13] == 0xfe);
		return IN6_IS_ADDR_LOOPBACK(a) || IN6_IS_ADDR_UNSPECIFIED(a) ||
		       IN6_IS_ADDR_LINKLOCAL(a);
	}
	return 1;
}
