/* SPDX-License-Identifier: MIT */
/*
 * GET /v1/events for as long as somebody listens: it connects again when the connection is lost, and
 * goes on after the last event, so that none is missed and none comes twice.
 */
#pragma once

#include <jansson.h>

#include "cli/cli.h"
#include "cli/sse.h"

/* What a listener returns: it, or an exit code to end with. */
#define EVENT_GO_ON (-1)
/* Connect again, and begin anew: what `begun` needs may succeed later (event_stream_retry). */
#define EVENT_AGAIN (-2)

struct event_stream;
struct event_listener {
	/*
	 * From here on events are told. `lost`: what came before it is not known any more, and why;
	 * NULL: nothing was lost.
	 */
	int (*begun)(void *arg, struct event_stream *stream, const char *lost);
	int (*event)(void *arg, json_t *event);
	/* Nothing more has arrived at the moment. */
	int (*pause)(void *arg);
	void *arg;
};

struct event_stream {
	struct cli *cli;
	const struct event_listener *listener;
	struct client *client; /* the listener may use that of `cli` */
	struct sse sse;
	int result;	   /* of the listener */
	int has_begun;	   /* this connection */
	int is_known;	   /* that there is such a stream: one has begun */
	int64_t good_ms;   /* when something came last; monotonic clock */
	int failures;	   /* since then */
	char why[400];	   /* of the last EVENT_AGAIN */
	const char *wrong; /* what a lessord does not send; NULL */
};

/* Returns an exit code; errors are reported. */
int event_stream_follow(struct cli *cli, const struct event_listener *listener);

/* For `begun`: EVENT_AGAIN, or the exit code if `response`, which it frees, is no passing error. */
int event_stream_retry(struct event_stream *stream, struct client_response *response);
