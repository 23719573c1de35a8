/* SPDX-License-Identifier: MIT */
/*
 * The handlers: the functions of the route table, called after the caller, the query and the
 * syntax of the body have been checked (api.c). Each answers its request, at once or when
 * another thread has finished. Only route.c and api.c use them; what several of them share is
 * in the files below them. Loop thread.
 */
#pragma once

#include "api/create_request.h"
#include "api/request.h"

void service_health(struct api_request *request);
void service_whoami(struct api_request *request);
void service_openapi(struct api_request *request);
void accounts_list(struct api_request *request);
void accounts_readiness(struct api_request *request);
void classes_list(struct api_request *request);
void daemons_list(struct api_request *request);
void accounts_take_over(struct api_request *request);
void metrics_show(struct api_request *request);
void usage_show(struct api_request *request);
void capacity_show(struct api_request *request);
void queue_show(struct api_request *request);
void leases_list(struct api_request *request);
void leases_get(struct api_request *request);
void leases_events(struct api_request *request);
void leases_residue(struct api_request *request);
void create_post(struct api_request *request);
void create_put(struct api_request *request);
void lease_action_heartbeat(struct api_request *request);
void lease_action_extend(struct api_request *request);
void lease_action_release(struct api_request *request);
void lease_action_delete(struct api_request *request);
void lease_action_cancel(struct api_request *request);
void lease_action_retry(struct api_request *request);
void lease_action_resolve(struct api_request *request);
void runs_list(struct api_request *request);
void runs_get(struct api_request *request);
void runs_logs(struct api_request *request);
void runs_receipt(struct api_request *request);
void runs_events(struct api_request *request);
void run_create(struct api_request *request);
void run_event_post(struct api_request *request);
void run_telemetry_post(struct api_request *request);
void run_finish_post(struct api_request *request);
void control_open(struct api_request *request);
void events_follow(struct api_request *request);
void share_get(struct api_request *request);
void share_put(struct api_request *request);
void share_drop(struct api_request *request);
void pool_show(struct api_request *request);
void sweep_show(struct api_request *request);
void sweep_ask(struct api_request *request);

/* ---- the tables of their bodies --------------------------------- */

extern const struct body_table body_heartbeat;
extern const struct body_table body_extend;
extern const struct body_table body_release;
extern const struct body_table body_delete;
extern const struct body_table body_cancel;
extern const struct body_table body_retry;
extern const struct body_table body_resolve;
extern const struct body_table body_share_put;
extern const struct body_table body_share;
extern const struct body_table body_share_drop;
extern const struct body_table body_take_over;
extern const struct body_table body_sweep;
extern const struct body_table body_run_create;
extern const struct body_table body_run_event;
extern const struct body_table body_run_telemetry;
extern const struct body_table body_run_finish;

/* ---- for api.c ------------------------------------------------------------------------- */

/* Called with the head of a finish, before its body: decides where the body goes. */
void run_finish_head(struct api *api, const struct caller *caller, const char *id,
		     struct http_body_rule *rule);
/* Each ends the work of its kind that is still open, when the api ends. */
void usage_stop(struct api *api);
void runs_logs_stop(struct api *api);
void control_stop(struct api *api);
