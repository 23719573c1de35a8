/* SPDX-License-Identifier: MIT */
/*
 * Runs a program of the system that uses a machine, in the foreground and with our terminal and
 * descriptors, and keeps the lease alive meanwhile. SIGINT, SIGTERM and SIGHUP end the program,
 * not this process: its caller decides what becomes of the lease.
 */
#pragma once

#include <jansson.h>

#include "cli/child.h"
#include "cli/cli.h"

struct session_result {
	int code;	/* the program's, as a shell tells it */
	int is_missing; /* the program cannot be run; reported */
	int signal;	/* asked this process to end; 0: none */
	int has_ended;	/* the lease ended meanwhile; reported */
};

/* `is_raw`: the program puts the terminal into raw mode. `child` says what runs. */
void session_run(struct cli *cli, const json_t *lease, struct child *child, int is_raw,
		 struct session_result *ret);
