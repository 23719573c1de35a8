/* SPDX-License-Identifier: MIT */
/*
 * One request on its way through this room, and what the files of the room share;
 * nobody outside includes it. Loop thread only.
 *
 *	api_handle -> route -> caller -> body -> handler -> call_answer / call_fault
 *	                                            |
 *	                                            +-> queue_submit -> engine -> completion -> finish
 *	                                            +-> run_queue_submit -> runs ----^
 */
#pragma once

#include <stdint.h>

#include "api/api.h"
#include "api/auth.h"
#include "api/cache.h"
#include "api/fault.h"
#include "api/input.h"
#include "api/queue.h"
#include "api/route.h"
#include "api/run_queue.h"
#include "http/exchange.h"
#include "http/server.h"
#include "util/buf.h"
#include "util/jsonw.h"

#define API_ANSWER_MAX (8u << 20)	/* bytes of one answer */

struct api {
	struct api_parts parts;
	struct api_config config;
	struct auth *auth;
	struct completions *completions;
	struct queue *queue;
	struct run_queue *run_queue;
	const struct http_counters *counters;	/* may be NULL */
	const struct route *routes;		/* the table, for who shows it */
	size_t route_count;
	uint64_t (*answers)[6];		/* by route (one more for none) and status / 100 */
	struct usage_job *usage_jobs;	/* usage answers being put together */
	struct log_job *log_jobs;	/* logs being sent */
	struct finish_job *finish_jobs;	/* ends of runs being stored */
	struct control *controls;	/* sockets */
	size_t control_count;
	struct cache *cache;		/* rendered leases */
	/* Used again and again, so that a read allocates nothing. */
	struct buf out;
	struct lease lease;
};

struct call {
	struct api *api;
	struct http_exchange *ex;
	const struct route *route;	/* NULL: no such */
	uint64_t *answered;		/* the route's row of api->answers */
	const struct http_head *head;	/* as long as the exchange */
	struct caller caller;
	char param[ROUTE_PARAM_ROOM];
	struct input input;		/* the body; only until the handler returns */
	struct fault fault;
};

/* ---- answers: each ends the call ------------------------------------------------ */

/* Starts an answer in api->out. */
struct jsonw call_begin(struct call *call);
/* Sends api->out as JSON. */
void call_answer(struct call *call, int status);
void call_answer_text(struct call *call, int status, const char *type, const char *body,
		      size_t len);
/* The head of an answer that is then streamed (http/exchange.h). */
void call_stream(struct call *call, const char *type, http_drain_fn on_drain, void *arg);
/* Sends call->fault. */
void call_fault(struct call *call);
void call_error(struct call *call, int status, const char *code, const char *message);
/* The one answer for what is not there and for what is another's. */
void call_not_found(struct call *call);
/* The store could not be read: logged, and 503. */
void call_broken(struct call *call, const struct err *err);

/* ---- what a call asked ------------------------------------------------------------ */

/* The decoded value of a query key: 1, 0 absent or empty. Too long for `room`: `fault` and -1. */
int call_query(struct call *call, const char *key, char *out, size_t room);
/* As above, a number cut to [low, high]. */
int call_query_int(struct call *call, const char *key, int64_t low, int64_t high, int64_t *ret);
/*
 * How long to wait: "Prefer: wait=N" or "respond-async", else `preset`; cut to the maximum.
 * *ret_asked, unless it is NULL: did the client itself ask to wait?
 */
int64_t call_wait_ms(const struct call *call, int64_t preset, int *ret_asked);
int64_t call_now(const struct call *call);
