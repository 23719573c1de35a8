/* SPDX-License-Identifier: MIT */
/*
 * Requests to Hetzner's API through the host, and their answers read as JSON and
 * judged. Failures are logged here, with the provider's words and correlation
 * id; they go nowhere else.
 */
#pragma once

#include <jansson.h>
#include <lessor/provider.h>

#include "error.h"

struct reply {
	const struct rule *rule;	/* NULL: a success, 2xx */
	uint32_t outcome;		/* LESSOR_HAPPENED, ... */
	int status;
	json_t *root;			/* the body if it is a JSON object, else NULL; owned */
	const char *message;		/* the provider's words, for hints and the log only */
	uint32_t error_class;		/* of a failure */
	int64_t wait_ms;		/* of a failure: at least so long; 0: not said */
	int64_t age_ms;			/* of a shared answer */
};

void reply_clear(struct reply *reply);
#define auto_reply __attribute__((cleanup(reply_clear))) struct reply

/* `share_ms`: see struct lessor_http_request; 0 for whatever proves something. */
void api_get(struct lessor_call *call, const char *path, int64_t share_ms, struct reply *ret);
/* Takes over `body`; NULL (out of memory, bad text) makes it a request that was not sent. */
void api_post(struct lessor_call *call, const char *path, json_t *body, int64_t row,
	      struct reply *ret);
/* Likewise. */
void api_put(struct lessor_call *call, const char *path, json_t *body, int64_t row,
	     struct reply *ret);
void api_delete(struct lessor_call *call, const char *path, int64_t row, struct reply *ret);

/* The verdict RETRY with the class and wait of a failed reply. `doing`: "creating the server". */
int api_retry(struct lessor_call *call, const struct reply *reply, const char *doing);
/* The verdict REFUSED likewise. */
int api_refuse(struct lessor_call *call, const struct reply *reply, const char *doing);
/* RETRY for a success whose body is not what it must be. */
int api_nonsense(struct lessor_call *call, const char *doing);

/* Percent-encodes for a query value; cut if it does not fit, which our values never do. */
void api_encode(const char *text, char *ret, size_t room);
/* Where it is read, changed and deleted. */
void resource_path(const struct lessor_resource *row, char *ret, size_t room);
