/* SPDX-License-Identifier: MIT */
/* Shared by client*.c, the only files of this room that use libcurl. */
#pragma once

#include <curl/curl.h>

#include "cli/client.h"
#include "util/buf.h"

#define RESPONSE_MAX (16 * 1024 * 1024) /* a page of 500 leases of 2 KiB is 1 MiB */

struct client {
	CURL *easy;
	char *url; /* for messages, as in the settings */
	char *url_from;
	char *base;	     /* paths are appended to it */
	char *socket;	     /* NULL for TCP */
	int saves;	     /* the settings are about to be saved */
	int direct;	     /* ignore proxies from the environment */
	char *authorization; /* the whole header line; NULL without a token */
	char *token_from;
	struct ca *ca; /* NULL: the system's */
	char curl_error[CURL_ERROR_SIZE];
};

/* ---- client_failure.c: they fill in ret->outcome, error and message ---- */

/* The transfer failed. */
void client_describe_failure(struct client *client, CURLcode code, const struct buf *body,
			     struct client_response *ret);
/* The response has another status than 2xx. */
void client_describe_refusal(const struct client *client, const struct client_request *request,
			     const char *body, struct client_response *ret);
