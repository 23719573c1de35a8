/* SPDX-License-Identifier: MIT */
/*
 * One client's connection: reads requests, one at a time, and sends answers the
 * way their wire directives say. HTTP/1.1, just as much of it as clients of an
 * API send. Knows nothing of the cloud but its request and response.
 */
#pragma once

#include <event2/bufferevent.h>
#include <event2/event.h>

#include "sim/cloud.h"

struct conn;

struct conn_owner {
	/* A request is there; it is valid during the call. conn_answer is called now or later. */
	void (*request)(void *arg, struct conn *conn, const struct cloud_request *request);
	/* The connection is about to be freed; `pending` is what conn_set_pending left there. */
	void (*closed)(void *arg, void *pending);
	void *arg;
};

/* Takes over the descriptor, and frees itself when either side ends the connection. */
void conn_new(struct event_base *base, int fd, int remote, const struct conn_owner *owner);
void conn_free_all(void);	/* at the end of the program */

/* Sends what `response` holds, and empties it. */
void conn_answer(struct conn *conn, struct cloud_response *response);
/* What is told to `closed` when the client leaves before its answer; NULL: nothing. */
void conn_set_pending(struct conn *conn, void *pending);
