/* SPDX-License-Identifier: MIT */
/*
 * What keeps a plugin's requests where they belong: an origin that an operator may
 * configure, and a path that cannot leave it. libcurl takes URLs apart, as it will
 * when it sends the request; the rules here are stricter: whatever is not plainly
 * allowed is refused. Pure.
 */
#pragma once

#include <stddef.h>

#include "util/err.h"

#define URL_ORIGIN_MAX 256
#define URL_PATH_MAX 4096

/*
 * An origin with an optional base path: https, or http for a loopback host; no
 * user, no query, no fragment, nothing that needs decoding. `ret` is it without
 * a slash at the end. ERR_INVALID with the rule, which names no value.
 */
int url_origin_check(const char *text, char ret[URL_ORIGIN_MAX], struct err *err);
/* Is this host ("127.0.0.1", "[::1]", "localhost") this machine? */
int url_host_is_loopback(const char *host);

/* NULL, or the rule that a request's path (with query) breaks. */
const char *url_path_broken_rule(const char *path);
/* The path for a log line: values in the query are left out. */
void url_path_describe(const char *path, char *ret, size_t size);
