/* SPDX-License-Identifier: MIT */
/*
 * A cloud on a port: the clock, the listeners, the requests that wait. One
 * thread, one event loop.
 */
#pragma once

#include "sim/cloud.h"

struct shell;

struct shell_config {
	const char *listen;		/* "127.0.0.1:0" */
	const char *admin_listen;	/* a second listener, which stays open; or NULL */
	int virtual_clock;		/* time moves by /_sim/advance alone */
	int64_t speed;			/* simulated seconds per real one */
	int64_t epoch_ms;		/* where the clock begins; 0: now */
	int boxes;			/* machines stand behind the servers: box/boxes.h */
	const char *box_user;		/* as boxes_new takes it */
};

/* The cloud is the caller's, and outlives the shell. NULL and `err`: SHELL_NO_BOXES in
 * err->kind when there can be no boxes on this system, else it cannot listen. */
#define SHELL_NO_BOXES ERR_REFUSED
struct shell *shell_new(struct cloud *cloud, const struct shell_config *config, struct err *err);
void shell_free(struct shell *shell);
int shell_port(const struct shell *shell);
int shell_admin_port(const struct shell *shell);	/* 0: there is none */
int64_t shell_now_ms(const struct shell *shell);	/* on the cloud's clock */
void shell_run(struct shell *shell);		/* until SIGTERM or SIGINT */
