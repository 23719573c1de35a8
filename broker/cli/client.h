/* SPDX-License-Identifier: MIT */
/*
 * The one file that knows libcurl: requests to the server, one after another.
 * No redirects, certificates always checked, every answer bounded in size and
 * time, and a fresh connection for what is not a GET, because libcurl would
 * silently send it again on a kept one that has died.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "cli/settings.h"
#include "util/err.h"

struct client;

enum client_outcome {
	CLIENT_ANSWERED,	/* a complete answer with a status; `doc` may still be NULL */
	CLIENT_NOT_SENT,	/* nothing reached the server */
	CLIENT_LOST,		/* sent, or maybe, and no complete answer */
	CLIENT_INTERRUPTED,	/* Ctrl-C; sent, or maybe */
};

struct client_request {
	const char *method;
	const char *path;	/* "/v1/..."; its parts are encoded already */
	json_t *body;		/* borrowed; NULL sends none */
	int wait_s;		/* > 0: asks the server to answer after that many seconds */
	int64_t timeout_ms;	/* 0: CLIENT_TIMEOUT_MS */
};

#define CLIENT_TIMEOUT_MS 30000

struct client_answer {
	enum client_outcome outcome;
	int status;
	json_t *doc;		/* NULL when the body is no JSON object */
	int64_t retry_after_s;	/* 0: not said */
	char error[400];	/* one sentence: why there is no (good) answer; unescaped */
};

/* The settings are borrowed. Checks the URL; nothing is sent. NULL with `err` filled. */
struct client *client_open(const struct settings *settings, struct err *err);
void client_close(struct client *client);

/*
 * Always fills *ret; client_answer_fini frees it. 1 if it is a 2xx with a JSON
 * object, else 0 and ret->error says what is wrong.
 */
int client_call(struct client *client, const struct client_request *request,
		struct client_answer *ret);
int client_get(struct client *client, const char *path, struct client_answer *ret);
void client_answer_fini(struct client_answer *answer);

/* Could another try of the same request end differently? */
int client_may_retry(const struct client_answer *answer);
/* The server's "error" code; NULL if it gave none. */
const char *client_error_code(const struct client_answer *answer);

/* `text` as one part of a path or a query; the caller frees. */
char *client_encode(const char *text);
