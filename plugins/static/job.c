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

#define FILE_ROOM (RECORD_ID_ROOM + 8)
#define TEXT_ROOM 2048

static const char *const kinds[] = {
	[RUN_PROBE] = "probe", [RUN_PREPARE] = "prepare", [RUN_RESET] = "reset",
};

const char *run_kind_name(enum run_kind kind)
{
	return kinds[kind];
}

static const char *file_of(const char *id, char ret[FILE_ROOM])
{
	snprintf(ret, FILE_ROOM, "run-%.*s", RECORD_ID_ROOM, id);
	return ret;
}

/* ---- starting --------------------------------------------------------------------------- */

static int address_parse(const struct run_order *order, struct job *job)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&job->to;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&job->to;

	if (inet_pton(AF_INET, order->address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)order->port);
		job->to_len = sizeof(*v4);
		return 0;
	}
	if (inet_pton(AF_INET6, order->address, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)order->port);
		job->to_len = sizeof(*v6);
		return 0;
	}
	errno = EADDRNOTAVAIL;
	return -1;
}

/* A pipe that holds all of the input, so that nobody need be there to write it. */
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

static int header_write(struct lessor_call *call, const struct run_order *order, struct job *job)
{
	char text[128];
	int len = snprintf(text, sizeof(text), "run %s %" PRId64 " %" PRId64 "\n", kinds[order->kind],
			   lessor_now(call), order->timeout_ms);

	job->header_len = len;
	return write(job->run_fd, text, (size_t)len) == len ? 0 : -1;
}

/*
 * No handler of the daemon's may run in the child: all signals wait until it has none. And
 * until it has let go of what the daemon has open, whose locks it holds as well, we wait.
 */
static int job_fork(const struct job *job)
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
		supervise(job);
	why = errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	close(ends[1]);
	while (pid > 0 && read(ends[0], &nothing, 1) < 0 && errno == EINTR)
		;
	close(ends[0]);
	errno = why;
	return pid < 0 ? -1 : 0;
}

int run_start(struct lessor_call *call, const struct book *book, const struct run_order *order)
{
	struct job job = { .input_fd = -1, .argv = order->argv, .envp = order->envp,
			   .wants_ssh = order->wants_ssh, .timeout_ms = order->timeout_ms };
	char file[FILE_ROOM];
	int failed, why;

	if (!order->argv && address_parse(order, &job))
		return -1;
	file_of(order->id, file);
	/* Not the same file: whatever still had the old one must not speak in this one. */
	unlinkat(book->dir, file, 0);
	job.run_fd = openat(book->dir, file,
			    O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	failed = job.run_fd < 0 || flock(job.run_fd, LOCK_EX | LOCK_NB) ||
		 header_write(call, order, &job) || input_make(order->input, &job.input_fd) ||
		 job_fork(&job);
	why = errno;
	if (job.input_fd >= 0)
		close(job.input_fd);
	/* The lock goes on: the supervisor has it, too. */
	if (job.run_fd >= 0)
		close(job.run_fd);
	if (failed)
		unlinkat(book->dir, file, 0);
	errno = why;
	return failed ? -1 : 0;
}

/* ---- looking ------------------------------------------------------------------------------ */

/* One line of the file: "run KIND STARTED TIMEOUT", "pid N", "stop", "said TEXT", "end 0|1 HOW". */
static void line_read(char *line, struct run *ret, pid_t *ret_pid)
{
	char kind[16];

	if (sscanf(line, "run %15s %" SCNd64 " %" SCNd64, kind, &ret->started_ms,
		   &ret->timeout_ms) == 3) {
		for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
			if (strcmp(kind, kinds[i]) == 0)
				ret->kind = (enum run_kind)i;
		}
	} else if (strncmp(line, "pid ", 4) == 0) {
		*ret_pid = (pid_t)strtol(line + 4, NULL, 10);
	} else if (strncmp(line, "said ", 5) == 0) {
		snprintf(ret->said, sizeof(ret->said), "%s", line + 5);
	} else if (strncmp(line, "end 0", 5) == 0) {
		ret->state = RUN_WELL;
	} else if (strncmp(line, "end 1 ", 6) == 0) {
		ret->state = RUN_BADLY;
		snprintf(ret->how, sizeof(ret->how), "%s", line + 6);
	}
}

/* What is not a whole line was not said. */
static void text_read(char *text, struct run *ret, pid_t *ret_pid)
{
	char *end;

	while ((end = strchr(text, '\n')) != NULL) {
		*end = '\0';
		line_read(text, ret, ret_pid);
		text = end + 1;
	}
}

int run_look(const struct book *book, const char *id, struct run *ret)
{
	char file[FILE_ROOM], text[TEXT_ROOM];
	int fd = openat(book->dir, file_of(id, file), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	pid_t pid = 0;
	ssize_t len;
	int active;

	*ret = (struct run){ .state = RUN_NONE };
	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	/* The lock first: what is read after it was free is all that will ever be. */
	active = flock(fd, LOCK_SH | LOCK_NB) != 0;
	len = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (len < 0)
		return -1;
	text[len] = '\0';
	ret->state = RUN_LOST;
	text_read(text, ret, &pid);
	if (active)
		ret->state = RUN_ACTIVE;
	else if (pid > 0)	/* if it was our child; a daemon started later has nothing to wait for */
		waitpid(pid, NULL, WNOHANG);
	return 0;
}

void run_stop(const struct book *book, const char *id)
{
	char file[FILE_ROOM];
	int fd = openat(book->dir, file_of(id, file), O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return;
	/* If it cannot be told, its own timeout ends it. */
	if (write(fd, "stop\n", 5) != 5)
		errno = 0;
	close(fd);
}

void run_forget(const struct book *book, const char *id)
{
	char file[FILE_ROOM];

	unlinkat(book->dir, file_of(id, file), 0);
}
