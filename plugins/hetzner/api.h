/* SPDX-License-Identifier: MIT */
/*
 * Sends requests to Hetzner's API through the host, parses the responses as JSON and
 * classifies them. Failures are logged here with the provider's message and correlation
 * id, which are shown nowhere else.
 */
#pragma once

#include <jansson.h>
#include <lessor/provider.h>

#include "error.h"

struct reply {
	const struct rule *rule; /* NULL: a success, 2xx */
	uint32_t outcome;	 /* LESSOR_HAPPENED, ... */
	int status;
	json_t *root;	      /* the body if it is a JSON object, else NULL; owned */
	const char *message;  /* the provider's message, for hints and the log only */
	uint32_t error_class; /* of a failure */
	int64_t wait_ms;      /* of a failure: the minimum wait; 0: unknown */
	int64_t age_ms;	      /* of a shared response */
};

void reply_clear(struct reply *reply);
#define auto_reply __attribute__((cleanup(reply_clear))) struct reply

/* `share_ms`: see struct lessor_http_request; 0 for reads that must prove something. */
void api_get(struct lessor_call *call, const char *path, int64_t share_ms, struct reply *ret);
/* Takes ownership of `body`. If it is NULL (no memory, bad text), nothing is sent. */
void api_post(struct lessor_call *call, const char *path, json_t *body, int64_t row,
	      struct reply *ret);
/* Likewise. */
void api_put(struct lessor_call *call, const char *path, json_t *body, int64_t row,
	     struct reply *ret);
void api_delete(struct lessor_call *call, const char *path, int64_t row, struct reply *ret);

/* The verdict RETRY with the class and wait of a failed reply. `doing`: "creating the server". */
int api_retry(struct lessor_call *call, const struct reply *reply, const char *doing);
/* Likewise the verdict REFUSED. */
int api_refuse(struct lessor_call *call, const struct reply *reply, const char *doing);
/* RETRY for a success with an invalid body. */
int api_nonsense(struct lessor_call *call, const char *doing);

/* Percent-encodes a query value; truncates what does not fit, which our values always do. */
void api_encode(const char *text, char *ret, size_t room);
/* The path of the resource. */
void resource_path(const struct lessor_resource *row, char *ret, size_t room);
