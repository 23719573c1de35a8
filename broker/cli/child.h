/* SPDX-License-Identifier: MIT */
/* Starts a program of the system in our process group and terminal. */
#pragma once

#include <sys/types.h>

struct child {
	char *const *argv;     /* a program, found on PATH; NULL: `run` is called instead */
	int (*run)(void *arg); /* its result is the exit code */
	void *arg;
	int stdin_fd, stdout_fd, stderr_fd; /* borrowed; -1: ours */
	pid_t pid;
};

/*
 * The child has no signal blocked, and the actions of all signals that this program handles are
 * the default ones. -1 with errno if the program cannot be run.
 */
int child_start(struct child *child);
/* waitpid's status as a shell tells it. */
int child_exit_code(int status);
