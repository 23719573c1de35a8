/* SPDX-License-Identifier: MIT */
/*
 * The daemon's HTTP client, called through env->http. Uses libcurl, which only http_client.c,
 * http_headers.c and url.c include.
 *
 * Each thread keeps one handle in a multi of its own: connections and the system's parsed CA
 * store are reused, and threads share nothing of curl. A connection is reused only by requests
 * that trust the same CAs. Requests other than GET use a fresh connection,
 * because libcurl silently repeats a POST if a reused connection closes before the response.
 *
 * Outcomes: NOT_SENT only for failures before the first byte of the request (resolving,
 * connecting, TLS); LOST for failures after that; BROKEN for a redirect, an oversized
 * response, or one that is not valid HTTP.
 */
#pragma once

#include "util/ca.h"
#include "util/env.h"
#include "util/err.h"

struct http_client;

struct http_client_config {
	struct ca *ca;		/* for requests without their own; NULL: the system's */
	const char *proxy;	/* NULL: none; the environment is ignored */
	const char *user_agent;	/* NULL: "lessord" */
	/*
	 * Allows plain http, and loopback and link-local addresses, for any host. Otherwise
	 * both are limited to loopback hosts.
	 */
	int allow_plain;
};

/*
 * Sets env->http and env->data; the functions of env_system do not use the latter. Call on the
 * main thread before starting others. `config` may be NULL; its `ca` gets another reference.
 */
int http_client_new(const struct http_client_config *config, struct env *env,
		    struct http_client **ret, struct err *err);
/* Call after the last request, when all threads that used it have ended (each frees its handle). */
void http_client_free(struct http_client *client);
