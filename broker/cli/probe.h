/* SPDX-License-Identifier: MIT */
/*
 * Runs ssh without a terminal to learn something: whether it is installed, and whether a machine
 * lets its user log in. A signal to this process ends it (interrupt_pending).
 */
#pragma once

struct transport;

struct probe_result {
	int code;	/* as a shell tells it; 128 + the signal */
	int is_missing; /* the program cannot be run */
	char text[512]; /* its last line on standard error */
};

/* Runs argv without input; what it prints on standard output is discarded. */
void probe_run(char *const *argv, struct probe_result *ret);

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
