/* SPDX-License-Identifier: MIT */
/*
 * Keeps a plugin's requests within the account's origin: checks the origin that an operator
 * may configure, and that a path cannot leave it. libcurl parses URLs, here and when it sends
 * the request; the rules here are stricter and reject whatever is not plainly allowed. Pure.
 */
#pragma once

#include <stddef.h>
#include <sys/socket.h>

#include "util/err.h"

#define URL_ORIGIN_MAX 256
#define URL_PATH_MAX 4096

/*
 * Checks an origin with an optional base path: https, or http for a loopback host; no user, no
 * query, no fragment, nothing that needs decoding. `ret` is the origin without a trailing
 * slash. On failure ERR_INVALID with the rule, which quotes no value.
 */
int url_origin_check(const char *text, char ret[URL_ORIGIN_MAX], struct err *err);
/* Is this a loopback host ("127.0.0.1", "[::1]", "localhost")? */
int url_host_is_loopback(const char *host);

/* Returns NULL, or the rule that a request's path (with query) breaks, as "contains ...". */
const char *url_path_broken_rule(const char *path);
/* The path for log lines, without the values of the query. */
void url_path_describe(const char *path, char *ret, size_t size);
/*
 * Loopback, unspecified and link-local addresses (a cloud's metadata service) are never a
 * provider.
 */
int url_address_is_local(const struct sockaddr *address);
