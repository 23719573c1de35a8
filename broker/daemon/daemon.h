/* SPDX-License-Identifier: MIT */
/*
 * The daemon: puts the rooms together, in this order, and takes them apart in the
 * other one.
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
#include "engine/engine.h"
#include "http/server.h"
#include "provider/http_client.h"
#include "runs/runs.h"

struct ssl_ctx_st;

/* Those of the file, and as many that a service manager hands over. */
#define DAEMON_LISTENERS_MAX (2 * CONFIG_LISTENERS_MAX)

struct daemon {
	const struct command_line *command_line;
	struct config *config;		/* as at the start */
	struct env env;
	struct http_client *client;
	struct store *reader;
	struct accounts accounts;
	struct engine *engine;
	struct runs *runs;
	struct store *runs_reader;	/* NULL: there is no run history in this life */
	struct event_base *base;
	struct api *api;
	struct http_server *server;
	struct http_listener *listeners[DAEMON_LISTENERS_MAX];
	int listener_count;
	struct ssl_ctx_st *tls;
	int signal_fd;
	struct event *on_signal;
	int64_t watchdog_ms;		/* how often the service manager hears of us; 0: never */
	struct event *on_watchdog;

	/* the end */
	int stopping;
	int engine_stopped, server_empty;
	pthread_t stopper;
	int stopped_fd;			/* eventfd: the stopper is through */
	struct event *on_stopped, *on_late;
};

/* Runs until a signal ends it; returns the exit code. */
int daemon_run(const struct command_line *line);

/* reload.c */
void daemon_api_config(const struct config *config, struct api_config *ret);
void daemon_reload(struct daemon *d);

/* listen.c */
int daemon_listen(struct daemon *d, struct err *err);
