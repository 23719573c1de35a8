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

struct store_scope call_scope(const struct call *call);
/* The decoded value of a query key: 1, 0 absent or empty. Too long for `room`: `fault` and -1. */
int call_query(struct call *call, const char *key, char *out, size_t room);
/* As above, a number cut to [low, high]. */
int call_query_int(struct call *call, const char *key, int64_t low, int64_t high, int64_t *ret);
/*
 * How long to wait: "Prefer: wait=N" or "respond-async", else `preset`; cut to the maximum.
 * *ret_asked, unless it is NULL: did the client itself ask to wait?
 */
int64_t call_wait_ms(const struct call *call, int64_t preset, int *ret_asked);
/* A request of this kind for the engine (queue.h); NULL when the call was answered instead. */
struct engine_request *call_request(struct call *call, enum request_kind kind);
/* The same for run history. */
struct run_request *call_run_request(struct call *call, enum run_op op);
struct account *call_account(const struct api *api, const char *name);
/* Is its account gone from the configuration, blocked, fenced, or not proven since the start? */
int call_is_unsure(const struct api *api, const struct lease *l);
int64_t call_now(const struct call *call);

/* ---- handlers ------------------------------------------------------------------------ */

void service_health(struct call *call);
void service_whoami(struct call *call);
void service_openapi(struct call *call);
void accounts_list(struct call *call);
void accounts_readiness(struct call *call);
void accounts_take_over(struct call *call);
void metrics_show(struct call *call);
void usage_show(struct call *call);
void usage_capacity(struct call *call);
void usage_stop(struct api *api);	/* ends what is still being put together */
void leases_list(struct call *call);
void leases_get(struct call *call);
void leases_events(struct call *call);
void leases_residue(struct call *call);
void create_post(struct call *call);
void create_put(struct call *call);
/* The request for the lease of the path; NULL when the call was answered. */
struct engine_request *change_begin(struct call *call, enum request_kind kind);
/* Sends call->fault, and the request is gone. */
void change_refuse(struct call *call, struct engine_request *request);
void change_heartbeat(struct call *call);
void change_release(struct call *call);
void change_delete(struct call *call);
void change_cancel(struct call *call);
void change_retry(struct call *call);
void change_resolve(struct call *call);
void runs_list(struct call *call);
void runs_get(struct call *call);
void runs_logs(struct call *call);
void runs_receipt(struct call *call);
void runs_events(struct call *call);
void runs_logs_stop(struct api *api);	/* ends the logs that are still being sent */
void run_create(struct call *call);
void run_event_post(struct call *call);
void run_telemetry_post(struct call *call);
void run_finish_post(struct call *call);
/* Once the head of a finish is known: where its body goes. */
void run_finish_head(struct api *api, const struct http_head *head, const struct route *route,
		     struct http_body_rule *rule);
void control_open(struct call *call);
void control_stop(struct api *api);	/* forgets all sockets; they are closed by their server */
/* Something was added to a run: whoever follows it is told. */
void control_run_changed(struct api *api, const char *run_id);
void share_get(struct call *call);
void share_put(struct call *call);
void share_drop(struct call *call);
void pool_show(struct call *call);
void sweep_show(struct call *call);
void sweep_ask(struct call *call);
