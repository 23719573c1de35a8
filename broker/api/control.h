/* SPDX-License-Identifier: MIT */
/*
 * The sockets of GET /v1/control (contract 2.9): what is sent on them, and the runs that they
 * follow. control.c opens and closes them and reads their messages. Loop thread.
 */
#pragma once

#include <sys/queue.h>

#include "api/request.h"
#include "api/token_watch.h"
#include "store/runs.h"

#define CONTROL_FOLLOWS_MAX 16 /* runs that one socket follows */

struct beat;
struct http_socket;

struct follow {
	char run_id[RUN_ID_SIZE];
	int64_t n;   /* the run's row */
	int64_t seq; /* of the last event sent */
	int limit;   /* events in one message */
};

struct control {
	LIST_ENTRY(control) entry;
	struct api *api;
	struct http_socket *socket;
	struct token_watch watch;
	LIST_HEAD(, beat) beats;
	int beat_count;
	struct follow follows[CONTROL_FOLLOWS_MAX];
	int follow_count;
	int is_full; /* waits for the client to read */
};

/* Starts a message in api->out, which is emptied. */
struct jsonw control_begin(struct control *c, const char *type);
/* Ends the message and sends it; may set is_full. */
void control_send(struct control *c, struct jsonw *w);
void control_error(struct control *c, const char *code, const char *message);

/* Reads a message that subscribes to a run, and sends its events or an error. */
void control_subscribe(struct control *c, struct json_body *in);
/* The client has read: sends what has waited for that. */
void control_drained(struct control *c);
/* Call it after a run has changed: sends the new events to the sockets that follow it. */
void control_run_changed(struct api *api, const char *run_id);
