/* SPDX-License-Identifier: MIT */
/*
 * Runs ssh without a terminal to learn something: whether it is installed, and whether a machine
 * lets its user log in. A signal to this process ends it (interrupt_pending).
 */
#pragma once

#include "cli/transport.h"

struct probe_result {
	int code;	/* as a shell tells it; 128 + the signal */
	int is_missing; /* the program cannot be run */
	char text[512]; /* its last line on standard error */
};

enum probe {
	PROBE_OK,	 /* logged in, and the command succeeded */
	PROBE_NOT_READY, /* logged in, and the command failed */
	PROBE_WRONG_KEY, /* another host key than the lease's */
	PROBE_DENIED,	 /* the machine does not accept the key */
	PROBE_SILENT,	 /* no connection */
};

/* Logs in and runs `command`. */
enum probe probe_login(const struct transport *transport, const char *command,
		       struct probe_result *ret);

/* -1 if ssh can be run and is configured, otherwise the exit code after an error. */
int probe_program(const struct cli *cli);

/* Says what an exit code of TRANSPORT_FAILED meant, after another try if that is of use. */
void probe_explain(const struct cli *cli, const struct transport *transport);
