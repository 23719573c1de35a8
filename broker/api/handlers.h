/* SPDX-License-Identifier: MIT */
/*
 * The handlers: what each route calls once the caller, the query and the body have passed
 * (api.c). Each answers its call, at once or when another thread is done. Only route.c and
 * api.c use them; what two of them need lies in a file below. Loop thread.
 */
#pragma once

#include "api/create_request.h"
#include "api/request.h"

void service_health(struct api_request *request);
void service_whoami(struct api_request *request);
void service_openapi(struct api_request *request);
void accounts_list(struct api_request *request);
void accounts_readiness(struct api_request *request);
void accounts_take_over(struct api_request *request);
void metrics_show(struct api_request *request);
void usage_show(struct api_request *request);
void usage_capacity(struct api_request *request);
void leases_list(struct api_request *request);
void leases_get(struct api_request *request);
void leases_events(struct api_request *request);
void leases_residue(struct api_request *request);
void create_post(struct api_request *request);
void create_put(struct api_request *request);
void lease_action_heartbeat(struct api_request *request);
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
void share_get(struct api_request *request);
void share_put(struct api_request *request);
void share_drop(struct api_request *request);
void pool_show(struct api_request *request);
void sweep_show(struct api_request *request);
void sweep_ask(struct api_request *request);

/* ---- bodies: the tables that their handlers read them by --------------------------------- */

extern const struct body_table body_heartbeat;
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

/* Once the head of a finish is known: where its body goes. */
void run_finish_head(struct api *api, const struct http_head *head, const struct route *route,
		     struct http_body_rule *rule);
/* Each ends what of its kind is still under way, at the end of the api. */
void usage_stop(struct api *api);
void runs_logs_stop(struct api *api);
void control_stop(struct api *api);
