/* SPDX-License-Identifier: MIT */
/*
 * A client connection: reads requests, one at a time, and sends responses according to their
 * wire directives. Implements only as much of HTTP/1.1 as API clients use. Of the cloud it
 * knows only request and response.
 */
#pragma once

#include <event2/bufferevent.h>
#include <event2/event.h>

#include "sim/cloud.h"

struct conn;
struct ssl_ctx_st;

struct conn_owner {
	/* A request was read; it is valid during the call. Call conn_answer now or later. */
	void (*request)(void *arg, struct conn *conn, const struct cloud_request *request);
	/* The connection is about to be freed; `pending` was set by conn_set_pending. */
	void (*closed)(void *arg, void *pending);
	void *arg;
};

/*
 * Takes ownership of the descriptor; frees itself when either side closes the connection.
 * `tls`: from tls_open, must outlive the connection; NULL: plain.
 */
void conn_new(struct event_base *base, int fd, int remote, struct ssl_ctx_st *tls,
	      const struct conn_owner *owner);
void conn_free_all(void); /* at the end of the program */

/* Sends `response` and clears it. */
void conn_answer(struct conn *conn, struct cloud_response *response);
/* The argument of `closed` if the client disconnects before the response; or NULL. */
void conn_set_pending(struct conn *conn, void *pending);
