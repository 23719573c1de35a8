/* SPDX-License-Identifier: MIT */
/*
 * The context of one request, and the state that the files of this room share. Not for other
 * rooms. Loop thread only.
 *
 *	api_handle -> route -> caller -> body -> handler -> reply_json / reply_request_error
 *	                                            |
 *	                                            +-> engine_queue_submit -> engine -> completion -> finish
 *	                                            +-> run_queue_submit -> runs ----^
 */
#pragma once

#include <stdint.h>
#include <sys/queue.h>

#include "api/api.h"
#include "api/api_error.h"
#include "api/auth.h"
#include "api/cache.h"
#include "api/engine_queue.h"
#include "api/json_body.h"
#include "api/relay.h"
#include "api/route.h"
#include "api/run_queue.h"
#include "http/exchange.h"
#include "http/server.h"
#include "util/buf.h"
#include "util/jsonw.h"

struct api {
	struct api_parts parts;
	struct api_config config;
	struct auth *auth;
	struct completions *completions;
	struct engine_queue *engine_queue;
	struct run_queue *run_queue;
	struct relay *relay;		      /* NULL: no other daemon uses the database */
	const struct http_counters *counters; /* may be NULL */
	const struct route *routes;	      /* the route table */
	size_t route_count;
	uint64_t (*answers)[6];		     /* by route, plus one for no route, and status / 100 */
	uint64_t refusals[100];		     /* answers with status 400 to 499, by status - 400 */
	uint64_t store_errors;		     /* reads of the store that failed */
	int64_t store_error_ms;		     /* when the last one did, monotonic clock */
	LIST_HEAD(, usage_job) usage_jobs;   /* usage reports being put together */
	LIST_HEAD(, log_job) log_jobs;	     /* logs being sent */
	LIST_HEAD(, finish_job) finish_jobs; /* ends of runs being stored */
	LIST_HEAD(, control) controls;	     /* sockets */
	LIST_HEAD(, token_watch) watches;    /* what ends with a token (token_watch.h) */
	struct event *watch_timer;     /* NULL before the first; pending while there are any */
	struct event_feed *event_feed; /* events.c; NULL before the first stream */
	struct token_desk *token_desk;
	size_t token_jobs;		 /* changes of tokens that wait for it */
	struct event *uses_timer;	 /* NULL before the first use of a token */
	struct cache *cache;		 /* rendered leases */
	struct queue_view *queue_view;	 /* queue_view.c; NULL: not needed yet */
	struct lease_count *lease_count; /* lease_figures.c; NULL: not needed yet */
	/* Reused, so that a read allocates nothing. */
	struct buf out;
	struct lease lease;
};

/* The time by which leases end: the database's, if other daemons use it, else this machine's. */
static inline int64_t api_now_ms(const struct api *api)
{
	int64_t now_ms = daemons_now_ms(&api->parts.daemons);

	return now_ms ? now_ms : env_wall_ms(api->parts.env);
}

struct api_request {
	struct api *api;
	struct http_exchange *ex;
	const struct route *route;    /* NULL: no such route */
	uint64_t *answered;	      /* the route's row of api->answers */
	const struct http_head *head; /* borrowed from the exchange */
	struct caller caller;
	char param[ROUTE_PARAM_SIZE];
	char account[32]; /* that it is for, where several daemons share the store; "": not known */
	char create_id[24]; /* the lease's, if the client of a create chose it; "": it did not */
	/* of a change of a lease (condition.h) */
	int64_t epoch;			     /* the lease must still have it; 0: any */
	char lease[24];			     /* that the slug must still stand for; "": any */
	int is_conditional;		     /* the client named it, in If-Match */
	char request_id[LEASE_REQUEST_ROOM]; /* "": the request has no name */
	int64_t moving_ms; /* since when it waits for an owner, after the engine lost it; 0: never */
	int64_t epoch_seen;  /* of the lease when the request was accepted; 0: it does not matter */
	char lease_seen[24]; /* for which the slug stood then; "": the lease is named by its id */
	struct json_body body; /* only until the handler returns */
	struct api_error error;
};
