/* SPDX-License-Identifier: MIT */
/*
 * Requests to other daemons: an HTTP client whose sockets and timers belong to the event loop, so
 * that nothing here waits. Connections are kept and used again. Loop thread only.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "api/forwarded.h"
#include "http/parser.h"
#include "util/buf.h"
#include "util/err.h"

struct event_base;
struct peer_client;
struct peer_call;

/* In this order; "": the answer has none. */
#define PEER_FIELDS(X)                  \
	X(CONTENT_TYPE, "content-type") \
	X(ETAG, "etag")                 \
	X(RETRY_AFTER, "retry-after")   \
	X(ALLOW, "allow")               \
	X(NEWEST, FORWARDED_NEWEST_FIELD)

enum peer_field {
#define X(name, text) PEER_##name,
	PEER_FIELDS(X)
#undef X
		PEER_FIELD_COUNT
};

struct peer_request {
	const char *address; /* "https://HOST:PORT" */
	const char *target;
	enum http_method method;
	const char *const *lines; /* of the head, "Name: value"; copied */
	size_t line_count;
	const char *body; /* borrowed until the answer; NULL: none */
	size_t body_len;
};

struct peer_answer {
	int status;	 /* 0: no answer; whether the request arrived is unknown */
	char error[160]; /* of status 0: why */
	char fields[PEER_FIELD_COUNT][64];
	struct buf body;
};

/* `answer` is valid during the call, in which further requests may be made. */
typedef void (*peer_done_fn)(const struct peer_answer *answer, void *arg);

/*
 * `ca_file` are the authorities that peers' certificates are of; "": the system's. At most
 * `connections` are open, and `per_peer` to one address, so that a peer that hangs leaves some for
 * the others; beyond that requests wait for one. The caller decides how long a call may take. The log
 * says when a peer cannot be reached, and when it can be again.
 */
int peer_client_new(struct event_base *base, const char *ca_file, long connections, long per_peer,
		    struct peer_client **ret, struct err *err);
/* `done` is called later, once, unless the call is cancelled. */
struct peer_call *peer_send(struct peer_client *client, const struct peer_request *request,
			    peer_done_fn done, void *arg);
void peer_cancel(struct peer_call *call);
/* Cancels what is under way. NULL is allowed. */
void peer_client_free(struct peer_client *client);
