/* SPDX-License-Identifier: MIT */
/*
 * Serves a cloud on a port: the clock, the listeners, the pending requests. One thread, one
 * event loop.
 */
#pragma once

#include "sim/cloud.h"

struct shell;
struct ssl_ctx_st;

struct shell_config {
	const char *listen;	  /* "127.0.0.1:0" */
	const char *admin_listen; /* a second listener, which stays open; or NULL */
	struct ssl_ctx_st *tls;	  /* of the first; borrowed; NULL: plain HTTP */
	int virtual_clock;	  /* time advances only with /_sim/advance */
	int64_t speed;		  /* simulated seconds per real one */
	int64_t epoch_ms;	  /* the initial time; 0: now */
	int boxes;		  /* the servers are real machines: box/boxes.h */
	const char *box_user;	  /* for boxes_new */
};

/* The caller owns the cloud, which must outlive the shell. On error returns NULL with `err`;
 * err->kind is SHELL_NO_BOXES if boxes are not supported, otherwise it cannot listen. */
#define SHELL_NO_BOXES ERR_REFUSED
struct shell *shell_new(struct cloud *cloud, const struct shell_config *config, struct err *err);
void shell_free(struct shell *shell);
int shell_port(const struct shell *shell);
int shell_admin_port(const struct shell *shell); /* 0: none */
int64_t shell_now_ms(const struct shell *shell); /* on the cloud's clock */
void shell_run(struct shell *shell);		 /* until SIGTERM or SIGINT */
