/* SPDX-License-Identifier: MIT */
/*
 * The handlers: what each route calls once the caller, the query and the body have passed
 * (api.c). Each answers its call, at once or when another thread is done. Only route.c and
 * api.c use them; what two of them need lies in a file below. Loop thread.
 */
#pragma once

#include "api/call.h"
#include "api/wish.h"

void service_health(struct call *call);
void service_whoami(struct call *call);
void service_openapi(struct call *call);
void accounts_list(struct call *call);
void accounts_readiness(struct call *call);
void accounts_take_over(struct call *call);
void metrics_show(struct call *call);
void usage_show(struct call *call);
void usage_capacity(struct call *call);
void leases_list(struct call *call);
void leases_get(struct call *call);
void leases_events(struct call *call);
void leases_residue(struct call *call);
void create_post(struct call *call);
void create_put(struct call *call);
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
void run_create(struct call *call);
void run_event_post(struct call *call);
void run_telemetry_post(struct call *call);
void run_finish_post(struct call *call);
void control_open(struct call *call);
void share_get(struct call *call);
void share_put(struct call *call);
void share_drop(struct call *call);
void pool_show(struct call *call);
void sweep_show(struct call *call);
void sweep_ask(struct call *call);

/* ---- bodies: the tables that their handlers read them by --------------------------------- */

extern const struct input_table body_heartbeat;
extern const struct input_table body_release;
extern const struct input_table body_delete;
extern const struct input_table body_cancel;
extern const struct input_table body_retry;
extern const struct input_table body_resolve;
extern const struct input_table body_share_put;
extern const struct input_table body_share;
extern const struct input_table body_share_drop;
extern const struct input_table body_take_over;
extern const struct input_table body_sweep;
extern const struct input_table body_run_create;
extern const struct input_table body_run_event;
extern const struct input_table body_run_telemetry;
extern const struct input_table body_run_finish;

/* ---- for api.c ------------------------------------------------------------------------- */

/* Once the head of a finish is known: where its body goes. */
void run_finish_head(struct api *api, const struct http_head *head, const struct route *route,
		     struct http_body_rule *rule);
/* Each ends what of its kind is still under way, at the end of the api. */
void usage_stop(struct api *api);
void runs_logs_stop(struct api *api);
void control_stop(struct api *api);
