/* SPDX-License-Identifier: MIT */
/*
 * Connections that stay open after their request: the sockets of GET /v1/control and the streams of
 * GET /v1/events. Here they have in common how many there may be, and that their token is verified
 * twice a second: it is accepted once, and may be revoked or expire long before they end. Loop
 * thread.
 */
#pragma once

#include <sys/queue.h>

#include "api/request.h"

#define HELD_AUTHORIZATION_SIZE 128

struct held {
	LIST_ENTRY(held) entry;
	struct api *api;
	struct caller caller;
	char authorization[HELD_AUTHORIZATION_SIZE]; /* wiped at the end */
	/* The token is no longer valid: tells the client why, and ends it. */
	void (*on_refused)(struct held *held, const char *why);
};

/*
 * Takes a place for the connection of this request. 0; -1: there is none left, in all or for this
 * owner, and 503 was answered.
 */
int held_begin(struct held *held, struct api_request *request,
	       void (*on_refused)(struct held *held, const char *why));
/* Gives the place back. */
void held_end(struct held *held);
/* 0: the token is valid; -1: on_refused was called. */
int held_check(struct held *held);
/* When no connection is left. */
void held_stop(struct api *api);
