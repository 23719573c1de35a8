/* SPDX-License-Identifier: MIT */
/* The supervisor's side of job.h: the code between fork and _exit. */
#pragma once

#include <stdint.h>
#include <sys/socket.h>

struct supervision {
	int job_fd;	    /* open for appending, and locked */
	int input_fd;	    /* -1: none */
	int64_t header_len; /* of job_fd, before the supervisor writes its own line */
	char *const *argv;  /* NULL: a probe of `to` */
	char *const *envp;
	struct sockaddr_storage to;
	socklen_t to_len;
	int wants_ssh;
	int64_t timeout_ms;
};

/*
 * Called in a new process with all signals blocked. The parent has threads, so this only
 * makes system calls and allocates no memory.
 */
_Noreturn void supervisor_run(const struct supervision *supervision);
