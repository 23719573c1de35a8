/* SPDX-License-Identifier: MIT */
#include "job.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor.h"

#define FILE_ROOM (ALLOCATION_ID_ROOM + 8)
#define TEXT_ROOM 2048

static const char *const kinds[] = {
	[JOB_PROBE] = "probe",
	[JOB_PREPARE] = "prepare",
	[JOB_RESET] = "reset",
};

const char *job_kind_name(enum job_kind kind)
{
	return kinds[kind];
}

static const char *file_of(const char *id, char ret[FILE_ROOM])
{
	snprintf(ret, FILE_ROOM, "run-%.*s", ALLOCATION_ID_ROOM, id);
	return ret;
}

/* ---- starting --------------------------------------------------------------------------- */

static int address_parse(const struct job_order *order, struct supervision *supervision)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&supervision->to;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&supervision->to;

	if (inet_pton(AF_INET, order->address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)order->port);
		supervision->to_len = sizeof(*v4);
		return 0;
	}
	if (inet_pton(AF_INET6, order->address, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)order->port);
		supervision->to_len = sizeof(*v6);
		return 0;
	}
	errno = EADDRNOTAVAIL;
	return -1;
}

/* A pipe that contains the whole input, so that no writer is needed. */
static int input_make(const char *input, int *ret)
{
	size_t len = input ? strlen(input) : 0;
	int ends[2];

	*ret = -1;
	if (!len)
		return 0;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK))
		return -1;
	if (write(ends[1], input, len) != (ssize_t)len) {
		close(ends[0]);
		close(ends[1]);
		errno = EMSGSIZE;
		return -1;
	}
	close(ends[1]);
	fcntl(ends[0], F_SETFL, 0);
	*ret = ends[0];
	return 0;
}

static int header_write(struct lessor_call *call, const struct job_order *order,
			struct supervision *supervision)
{
	char text[128];
	int len = snprintf(text, sizeof(text), "run %s %" PRId64 " %" PRId64 "\n", kinds[order->kind],
			   lessor_now(call), order->timeout_ms);

	supervision->header_len = len;
	return write(supervision->job_fd, text, (size_t)len) == len ? 0 : -1;
}

/*
 * The daemon's signal handlers must not run in the child: all signals are blocked until it
 * has reset them. The parent waits until the child has closed the daemon's descriptors,
 * because until then it also holds their locks.
 */
static int supervisor_fork(const struct supervision *supervision)
{
	sigset_t all, before;
	int ends[2], why;
	char nothing;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return -1;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0)
		supervisor_run(supervision);
	why = errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	close(ends[1]);
	while (pid > 0 && read(ends[0], &nothing, 1) < 0 && errno == EINTR)
		;
	close(ends[0]);
	errno = why;
	return pid < 0 ? -1 : 0;
}

int job_start(struct lessor_call *call, const struct registry *registry,
	      const struct job_order *order)
{
	struct supervision supervision = { .input_fd = -1,
					   .argv = order->argv,
					   .envp = order->envp,
					   .wants_ssh = order->wants_ssh,
					   .timeout_ms = order->timeout_ms };
	char file[FILE_ROOM];
	int failed, why;

	if (!order->argv && address_parse(order, &supervision))
		return -1;
	file_of(order->id, file);
	/* A new file: a process that still has the old one open must not write to this one. */
	unlinkat(registry->dir, file, 0);
	supervision.job_fd = openat(registry->dir, file,
				    O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
				    0600);
	failed = supervision.job_fd < 0 || flock(supervision.job_fd, LOCK_EX | LOCK_NB) ||
		 header_write(call, order, &supervision) ||
		 input_make(order->input, &supervision.input_fd) || supervisor_fork(&supervision);
	why = errno;
	if (supervision.input_fd >= 0)
		close(supervision.input_fd);
	/* The lock remains: the supervisor holds it too. */
	if (supervision.job_fd >= 0)
		close(supervision.job_fd);
	if (failed)
		unlinkat(registry->dir, file, 0);
	errno = why;
	return failed ? -1 : 0;
}

/* ---- reading ------------------------------------------------------------------------------ */

/* One line of the file: "run KIND STARTED TIMEOUT", "pid N", "stop", "said TEXT", "end 0|1 HOW". */
static void line_read(char *line, struct job *ret, pid_t *ret_pid)
{
	char kind[16];

	if (sscanf(line, "run %15s %" SCNd64 " %" SCNd64, kind, &ret->started_ms,
		   &ret->timeout_ms) == 3) {
		for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
			if (strcmp(kind, kinds[i]) == 0)
				ret->kind = (enum job_kind)i;
		}
	} else if (strncmp(line, "pid ", 4) == 0) {
		*ret_pid = (pid_t)strtol(line + 4, NULL, 10);
	} else if (strncmp(line, "said ", 5) == 0) {
		snprintf(ret->said, sizeof(ret->said), "%s", line + 5);
	} else if (strncmp(line, "end 0", 5) == 0) {
		ret->state = JOB_SUCCEEDED;
	} else if (strncmp(line, "end 1 ", 6) == 0) {
		ret->state = JOB_FAILED;
		snprintf(ret->how, sizeof(ret->how), "%s", line + 6);
	}
}

/* Incomplete lines are ignored. */
static void text_read(char *text, struct job *ret, pid_t *ret_pid)
{
	char *end;

	while ((end = strchr(text, '\n')) != NULL) {
		*end = '\0';
		line_read(text, ret, ret_pid);
		text = end + 1;
	}
}

int job_read(const struct registry *registry, const char *id, struct job *ret)
{
	char file[FILE_ROOM], text[TEXT_ROOM];
	int fd = openat(registry->dir, file_of(id, file), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	pid_t pid = 0;
	ssize_t len;
	int active;

	*ret = (struct job){ .state = JOB_NONE };
	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	/* Test the lock first: if it is free, the file is complete. */
	active = flock(fd, LOCK_SH | LOCK_NB) != 0;
	len = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (len < 0)
		return -1;
	text[len] = '\0';
	ret->state = JOB_LOST;
	text_read(text, ret, &pid);
	if (active)
		ret->state = JOB_ACTIVE;
	else if (pid > 0) /* reaps it if it is our child */
		waitpid(pid, NULL, WNOHANG);
	return 0;
}

void job_stop(const struct registry *registry, const char *id)
{
	char file[FILE_ROOM];
	int fd = openat(registry->dir, file_of(id, file),
			O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return;
	/* If the write fails, the job ends by its own timeout. */
	if (write(fd, "stop\n", 5) != 5)
		errno = 0;
	close(fd);
}

void job_forget(const struct registry *registry, const char *id)
{
	char file[FILE_ROOM];

	unlinkat(registry->dir, file_of(id, file), 0);
}
