/* SPDX-License-Identifier: MIT */
/*
 * The daemon: starts its parts in this order, and stops them in the reverse order.
 *
 *	configuration -> log -> store -> providers and accounts -> [threads from here]
 *	-> engine -> run history -> api and http -> listeners -> READY
 *
 * The main thread becomes the loop thread.
 */
#pragma once

#include <event2/event.h>
#include <pthread.h>

#include "api/api.h"
#include "config/config.h"
#include "daemon/accounts.h"
#include "daemon/command_line.h"
#include "engine/fleet.h"
#include "http/server.h"
#include "provider/http_client.h"
#include "runs/runs.h"

struct daemon_registry;
struct ssl_ctx_st;

/* From the file, and as many passed by the service manager. */
#define DAEMON_LISTENERS_MAX (2 * CONFIG_LISTENERS_MAX)

#define DAEMON_ADDRESS_SIZE 128

struct daemon {
	const struct command_line *command_line;
	struct config *config; /* what is in effect: as at the start, and as reloaded */
	struct env env;
	struct env_clock clock; /* what the engine thinks of the wall clock */
	struct http_client *client;
	struct store *reader;
	struct accounts accounts;
	struct daemon_registry *registry; /* of the daemons on this database */
	struct fleet *fleet;
	struct owner_config owners; /* of a shared store */
	struct runs *runs;
	struct store *runs_reader; /* NULL: no run history until the next start */
	struct event_base *base;
	struct api *api;
	struct http_server *server;
	uint32_t max_connections; /* as the configuration and the limit of descriptors allow */
	struct http_listener *listeners[DAEMON_LISTENERS_MAX];
	int listener_count;
	struct ssl_ctx_st *tls;
	int signal_fd;
	struct event *on_signal;
	int64_t watchdog_ms; /* interval of WATCHDOG=1; 0: none */
	struct event *on_watchdog;
	struct event *on_status;
	char status[1024]; /* as sent to the service manager */
	int reload_failed;
	char needs_restart[240]; /* what the last reload could not apply */

	/* shutdown */
	int stopping;
	int engine_stopped, server_empty;
	pthread_t stopper;
	int stopped_fd; /* eventfd: the stopper has finished */
	struct event *on_stopped, *on_late, *on_stuck;
};

/* Runs until a signal stops it; returns the exit code. */
int daemon_run(const struct command_line *line);

/* reload.c */
void daemon_api_config(const struct daemon *d, const struct config *config, struct api_config *ret);
void daemon_reload(struct daemon *d);

/* status.c */
int daemon_status_start(struct daemon *d, struct err *err);
/* Sends the status text if it has changed; at once with `before`, other assignments, if not "". */
void daemon_status_send(struct daemon *d, const char *before);

/* listen.c */
int daemon_listen(struct daemon *d, struct err *err);
/*
 * After daemon_listen: where other daemons of the same database reach this one, as
 * http://HOST:PORT or https://HOST:PORT. "": nowhere, as far as this one knows.
 */
void daemon_advertised(const struct daemon *d, char ret[DAEMON_ADDRESS_SIZE]);
