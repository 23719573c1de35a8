/* SPDX-License-Identifier: MIT */
#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The descriptors that are kept; all above are closed. */
#define JOB_FD 3
#define INPUT_FD 4
#define FIRST_FREE 5
#define PARKED 16

#define LOOK_MS 200  /* how often to check whether to stop */
#define TERM_MS 2000 /* from SIGTERM to SIGKILL */
#define REST_MS 5000 /* for processes that a command left behind to end */
#define TAIL_ROOM 390

struct watch {
	const struct supervision *supervision;
	int64_t stop_size; /* if the run file is longer, somebody wrote "stop" */
	int64_t deadline_ms;
	char tail[TAIL_ROOM];	/* the end of the output */
	size_t tail_len;
};

static int64_t mono_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- text, without stdio: another thread may have held its locks during fork ---- */

struct text {
	char at[TAIL_ROOM + 160];
	size_t len;
};

static void text_add(struct text *text, const char *more)
{
	while (*more && text->len < sizeof(text->at))
		text->at[text->len++] = *more++;
}

static void text_add_number(struct text *text, long number)
{
	char digits[24];
	size_t at = sizeof(digits) - 1;

	digits[at] = '\0';
	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number && at);
	text_add(text, digits + at);
}

static int64_t text_write(const struct text *text)
{
	ssize_t put = write(JOB_FD, text->at, text->len);

	return put < 0 ? 0 : put;
}

/* Writes the outcome in one write and syncs it before exit releases the lock. */
static _Noreturn void outcome_write(const struct watch *w, int is_well, const char *how, long number)
{
	struct text text = { .len = 0 };

	if (w->tail_len) {
		text_add(&text, "said ");
		for (size_t i = 0; i < w->tail_len; i++) {
			unsigned char c = (unsigned char)w->tail[i];

			text.at[text.len++] = (char)(c < 0x20 || c > 0x7e ? ' ' : c);
		}
		text_add(&text, "\n");
	}
	text_add(&text, is_well ? "end 0" : "end 1 ");
	if (!is_well) {
		text_add(&text, how);
		if (number >= 0)
			text_add_number(&text, number);
	}
	text_add(&text, "\n");
	text_write(&text);
	fsync(JOB_FD);
	_exit(0);
}

/* ---- detaching from the daemon --------------------------------------------------------- */

static void close_from(unsigned first)
{
	if (syscall(SYS_close_range, first, ~0u, 0) == 0)
		return;
	for (int fd = (int)first; fd < 65536; fd++)
		close(fd);
}

/*
 * Closes everything of the daemon's: its store, whose lock the next daemon needs, and its
 * sockets.
 */
static void descriptors_arrange(const struct supervision *supervision)
{
	int null = fcntl(open("/dev/null", O_RDWR), F_DUPFD, PARKED);
	int job = fcntl(supervision->job_fd, F_DUPFD, PARKED);
	int input = fcntl(supervision->input_fd >= 0 ? supervision->input_fd : null, F_DUPFD,
			  PARKED);

	for (int fd = 0; fd < JOB_FD; fd++)
		dup2(null, fd);
	/* The command inherits the run file and thereby the lock. */
	dup2(job, JOB_FD);
	dup2(input, INPUT_FD);
	close_from(FIRST_FREE);
}

static void signals_reset(void)
{
	struct sigaction preset;
	sigset_t none;

	memset(&preset, 0, sizeof(preset));
	preset.sa_handler = SIG_DFL;
	for (int number = 1; number < NSIG; number++)
		sigaction(number, &preset, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* ---- a command ------------------------------------------------------------------------------ */

static _Noreturn void command_exec(const struct supervision *supervision, pid_t supervisor,
				   int output)
{
	static const char complaint[] = "it cannot be executed\n";

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != supervisor)
		_exit(126);
	dup2(INPUT_FD, 0);
	dup2(output, 1);
	dup2(output, 2);
	close_from(INPUT_FD);
	execve(supervision->argv[0], supervision->argv, supervision->envp);
	if (write(2, complaint, sizeof(complaint) - 1) < 0)
		_exit(126);
	_exit(127);
}

static void tail_add(struct watch *w, const char *text, size_t len)
{
	if (len >= TAIL_ROOM) {
		text += len - TAIL_ROOM;
		len = TAIL_ROOM;
		w->tail_len = 0;
	} else if (w->tail_len + len > TAIL_ROOM) {
		size_t drop = w->tail_len + len - TAIL_ROOM;

		memmove(w->tail, w->tail + drop, w->tail_len - drop);
		w->tail_len -= drop;
	}
	memcpy(w->tail + w->tail_len, text, len);
	w->tail_len += len;
}

/* Reads the available output; 0 at its end. */
static int output_take(struct watch *w, int fd)
{
	char piece[512];
	ssize_t got;

	while ((got = read(fd, piece, sizeof(piece))) > 0)
		tail_add(w, piece, (size_t)got);
	return got != 0;
}

static int is_told_to_stop(const struct watch *w)
{
	struct stat st;

	return fstat(JOB_FD, &st) == 0 && st.st_size > w->stop_size;
}

/*
 * Kills the processes that the command left behind, also outside its process group: they
 * have become our children, which the kernel lists in a file. Without that file they are left
 * to end by themselves.
 */
static void rest_kill(void)
{
	char list[512];
	int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? 0 : read(fd, list, sizeof(list) - 1);
	pid_t pid = 0;

	if (fd >= 0)
		close(fd);
	for (ssize_t i = 0; i < len; i++) {
		if (list[i] >= '0' && list[i] <= '9') {
			pid = pid * 10 + (list[i] - '0');
		} else if (pid > 0) {
			kill(pid, SIGKILL);
			pid = 0;
		}
	}
}

static void rest_end(void)
{
	int64_t until = mono_ms() + REST_MS;

	while (mono_ms() < until) {
		pid_t pid = waitpid(-1, NULL, WNOHANG);

		if (pid < 0)
			return;
		if (pid == 0) {
			rest_kill();
			poll(NULL, 0, 10);
		}
	}
}

static int is_over(pid_t pid)
{
	siginfo_t info;

	info.si_pid = 0;
	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) || info.si_pid == pid;
}

/* Waits for the command; returns its wait status. *ret_why: why it was killed, or NULL. */
static int command_wait(struct watch *w, pid_t pid, int output, const char **ret_why)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	int64_t term_ms = 0;
	int status = 0;

	*ret_why = NULL;
	for (;;) {
		struct pollfd fds[2] = { { .fd = output, .events = POLLIN },
					 { .fd = pidfd, .events = POLLIN } };

		/* Without a pidfd its end is noticed slightly later. */
		poll(fds, 2, pidfd < 0 ? 20 : LOOK_MS);
		if (fds[0].revents && !output_take(w, output))
			output = -1;
		if (is_over(pid))
			break;
		if (!*ret_why && mono_ms() >= w->deadline_ms)
			*ret_why = "it exceeded its timeout";
		if (!*ret_why && is_told_to_stop(w))
			*ret_why = "it was stopped";
		if (*ret_why && !term_ms) {
			term_ms = mono_ms();
			kill(-pid, SIGTERM);
		} else if (*ret_why && mono_ms() - term_ms >= TERM_MS) {
			kill(-pid, SIGKILL);
		}
	}
	if (output >= 0)
		output_take(w, output);
	/* Until it is reaped, its pid and process group cannot be reused. */
	kill(-pid, SIGKILL);
	waitpid(pid, &status, 0);
	return status;
}

static _Noreturn void command_run(struct watch *w)
{
	pid_t self = getpid(), pid;
	const char *why;
	int ends[2];
	int status;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK))
		outcome_write(w, 0, "no pipe, error ", errno);
	pid = fork();
	if (pid < 0)
		outcome_write(w, 0, "no process, error ", errno);
	if (pid == 0)
		command_exec(w->supervision, self, ends[1]);
	/* Also in the parent, since either of us may run first. */
	setpgid(pid, pid);
	close(ends[1]);
	close(INPUT_FD);
	status = command_wait(w, pid, ends[0], &why);
	rest_end();
	if (why)
		outcome_write(w, 0, why, -1);
	if (WIFSIGNALED(status))
		outcome_write(w, 0, "killed by signal ", WTERMSIG(status));
	outcome_write(w, WEXITSTATUS(status) == 0, "exit status ", WEXITSTATUS(status));
}

/* ---- probing a port --------------------------------------------------------------------------- */

static void poll_wait(struct watch *w, int fd, short events)
{
	struct pollfd one = { .fd = fd, .events = events };

	while (poll(&one, 1, LOOK_MS) <= 0) {
		if (mono_ms() >= w->deadline_ms)
			outcome_write(w, 0, "no answer in time", -1);
		if (is_told_to_stop(w))
			outcome_write(w, 0, "it was stopped", -1);
	}
}

static int is_greeting(const struct watch *w)
{
	static const char word[] = "SSH-";

	for (size_t i = 0; i + sizeof(word) - 1 <= w->tail_len; i++) {
		if ((i == 0 || w->tail[i - 1] == '\n') &&
		    memcmp(w->tail + i, word, sizeof(word) - 1) == 0)
			return 1;
	}
	return 0;
}

static _Noreturn void port_look(struct watch *w)
{
	const struct supervision *supervision = w->supervision;
	int fd = socket(supervision->to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t len = sizeof(int);
	char piece[128];
	int error = 0;

	if (fd < 0)
		outcome_write(w, 0, "no socket, error ", errno);
	if (connect(fd, (const struct sockaddr *)&supervision->to, supervision->to_len) &&
	    errno != EINPROGRESS)
		error = errno;
	if (!error) {
		poll_wait(w, fd, POLLOUT);
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
	}
	if (error == ECONNREFUSED)
		outcome_write(w, 0, "its port refuses connections", -1);
	if (error)
		outcome_write(w, 0, "it cannot be reached, error ", error);
	while (supervision->wants_ssh && !is_greeting(w)) {
		ssize_t got;

		poll_wait(w, fd, POLLIN);
		got = read(fd, piece, sizeof(piece));
		if (got <= 0 || w->tail_len + (size_t)got > TAIL_ROOM)
			outcome_write(w, 0, "its port does not speak SSH", -1);
		tail_add(w, piece, (size_t)got);
	}
	outcome_write(w, 1, "", -1);
}

_Noreturn void supervisor_run(const struct supervision *supervision)
{
	struct watch w = { .supervision = supervision };
	struct text text = { .len = 0 };

	descriptors_arrange(supervision);
	signals_reset();
	setsid();
	/* This process has a copy of the daemon's memory, which nobody may read. */
	prctl(PR_SET_DUMPABLE, 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	prctl(PR_SET_NAME, "lessor-static");
	if (chdir("/"))
		_exit(1);
	text_add(&text, "pid ");
	text_add_number(&text, getpid());
	text_add(&text, "\n");
	w.stop_size = supervision->header_len + text_write(&text);
	w.deadline_ms = mono_ms() + supervision->timeout_ms;
	if (supervision->argv)
		command_run(&w);
	port_look(&w);
}
