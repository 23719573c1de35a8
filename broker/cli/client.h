/* SPDX-License-Identifier: MIT */
/*
 * Requests to lessord, one at a time; only client*.c use libcurl here. Redirects are
 * not followed, certificates are always verified, and every response is limited in size and
 * time. Everything but a GET uses a fresh connection, because libcurl silently resends a
 * request on a kept connection that has died.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/settings.h"
#include "util/err.h"

struct client;

enum client_outcome {
	CLIENT_COMPLETE,    /* a complete response with a status; `doc` may still be NULL */
	CLIENT_NOT_SENT,    /* nothing was sent */
	CLIENT_LOST,	    /* possibly sent, and no complete response */
	CLIENT_INTERRUPTED, /* possibly sent, then a signal */
};

/* Server-sent events instead of JSON: a response of any length, which is handled as it arrives. */
struct client_stream {
	const char *last_id; /* go on after this event; "": say nothing */
	int64_t idle_ms;     /* after so long without a byte the connection counts as lost */
	/* Nonzero ends the request. It may use another client. */
	int (*on_bytes)(void *arg, const char *data, size_t len);
	void *arg;
};

struct client_request {
	const char *method;
	const char *path;	/* "/v1/..."; already percent-encoded */
	json_t *body;		/* borrowed; may be NULL */
	int wait_s;		/* > 0: ask lessord to respond within that many seconds; or
				 * CLIENT_NO_WAIT */
	int64_t timeout_ms;	/* 0: CLIENT_TIMEOUT_MS */
	/* Called about once a second; nonzero ends the request. NULL: only a signal ends it. */
	int (*stop)(void *arg);
	void *stop_arg;
	FILE *csv; /* ask for CSV, and write it here as it arrives, of any length;
				 * NULL: JSON */
	const struct client_stream *stream; /* may be NULL; then there is no timeout_ms */
};

#define CLIENT_TIMEOUT_MS 30000
#define CLIENT_NO_WAIT (-1) /* ask lessord to respond once the request is accepted */

struct client_response {
	enum client_outcome outcome;
	int status;
	json_t *doc;	       /* NULL if the body is not a JSON object */
	int64_t retry_after_s; /* 0: none given */
	int is_tls;	       /* nothing was sent, because TLS failed */
	char error[400];       /* one sentence, unescaped: why this is not a success */
	char message[400];     /* the same without code and status; "": as `error` */
};

/* Copies the settings and checks the URL; sends nothing. On error NULL, with `err` filled. */
struct client *client_open(const struct settings *settings, struct err *err);
/* The same server and token over a connection of its own. NULL: out of memory. */
struct client *client_twin(const struct client *client);
void client_close(struct client *client);

/*
 * Always fills *ret; client_response_fini frees it. 1 for a 2xx with a JSON object, or with the
 * CSV that was asked for, or if a stream has begun, however it has ended; otherwise 0 and ret->error
 * says what is wrong.
 */
int client_call(struct client *client, const struct client_request *request,
		struct client_response *ret);
int client_get(struct client *client, const char *path, struct client_response *ret);

/* Who has sent the last response; 0: unknown. */
struct client_peer {
	int64_t date_ms;    /* its clock */
	int64_t expires_ms; /* its certificate */
};
void client_peer(struct client *client, struct client_peer *ret);
void client_response_fini(struct client_response *response);

/* 1 if repeating the same request may succeed. */
int client_may_retry(const struct client_response *response);
/* The "error" code of the response; NULL if it has none. */
const char *client_error_code(const struct client_response *response);

/* `text` percent-encoded for a path or query; the caller frees. */
char *client_encode(const char *text);
