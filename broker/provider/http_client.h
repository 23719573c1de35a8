/* SPDX-License-Identifier: MIT */
/*
 * The daemon's HTTP client, behind env->http: libcurl, known to http.c alone.
 *
 * Each thread has one kept handle in a private multi, so that connections and
 * the parsed CA store are reused and nothing of curl is shared. What is not a
 * GET goes out on a connection of its own: libcurl silently sends a POST again
 * when a kept connection dies before the answer.
 *
 * Outcomes: NOT_SENT only before the request's first byte (resolving,
 * connecting, TLS), LOST for whatever goes wrong after, BROKEN for a redirect,
 * an answer over its size, or one that is not HTTP.
 */
#pragma once

#include "util/env.h"
#include "util/err.h"

struct http_client;

struct http_client_config {
	const char *ca_file;	/* NULL: the system's; libcurl itself ignores SSL_CERT_FILE */
	const char *proxy;	/* NULL: none; the environment is ignored */
	const char *user_agent;	/* NULL: "lessord" */
	/*
	 * http, and addresses of this machine and of the link, for any host. Without
	 * it both are for loopback hosts only.
	 */
	int allow_plain;
};

/*
 * Sets env->http and env->data; env_system's functions do not need the latter.
 * Main thread, before there are others. `config` may be NULL.
 */
int http_client_new(const struct http_client_config *config, struct env *env,
		    struct http_client **ret, struct err *err);
/* After all threads that used it are gone (their handles go with them), and after the last call. */
void http_client_free(struct http_client *client);
