/* SPDX-License-Identifier: MIT */
#include "cli/session.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/heartbeat.h"
#include "cli/interrupt.h"
#include "cli/text.h"
#include "cli/when.h"

#define SESSION_DISCONNECTED 255 /* of ssh and scp */
#define GRACE_MS 3000		 /* for the program to end by itself, and again after SIGTERM */

struct session {
	struct heartbeat heartbeat;
	struct child *child;
	int signal_fd;
	int has_exited;
	int status;
	int signal;	 /* as in the result */
	int next_signal; /* for the program at next_ms; 0: none */
	int64_t next_ms;
};

/* `after_ms` from now, unless something is to come earlier. */
static void signal_plan(struct session *s, int number, int64_t after_ms)
{
	int64_t at = when_mono_ms() + after_ms;

	if (s->next_signal && s->next_ms <= at)
		return;
	s->next_signal = number;
	s->next_ms = at;
}

static void child_check(struct session *s)
{
	int status;
	pid_t pid;

	while (!s->has_exited && (pid = waitpid(s->child->pid, &status, WNOHANG | WUNTRACED)) > 0) {
		if (!WIFSTOPPED(status)) {
			s->has_exited = 1;
			s->status = status;
		} else if (isatty(STDIN_FILENO)) {
			/* ssh's escape ~^Z stops ssh alone; the shell waits for us. */
			raise(SIGSTOP);
		}
	}
}

static void signals_read(struct session *s)
{
	struct signalfd_siginfo info;

	while (read(s->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		int number = (int)info.ssi_signo;

		if (number == SIGCHLD)
			continue;
		/* The terminal has sent it to the program as well. */
		if (info.ssi_code != SI_KERNEL)
			kill(s->child->pid, number);
		signal_plan(s, number == SIGTERM ? SIGKILL : SIGTERM, GRACE_MS);
		s->signal = number;
	}
	child_check(s);
}

/* For a request that is under way: nobody waits for it any more. */
static int session_is_over(void *arg)
{
	struct session *s = arg;

	signals_read(s);
	return s->has_exited || s->signal;
}

static void planned_send(struct session *s)
{
	if (!s->next_signal || when_mono_ms() < s->next_ms || s->has_exited)
		return;
	kill(s->child->pid, s->next_signal);
	kill(s->child->pid, SIGCONT);
	s->next_signal = 0;
	signal_plan(s, SIGKILL, GRACE_MS);
}

static int timeout_choose(const struct session *s)
{
	int64_t left = s->signal ? -1 : heartbeat_left_ms(&s->heartbeat);
	int64_t planned = s->next_ms - when_mono_ms();

	if (s->next_signal && (left < 0 || planned < left))
		left = planned > 0 ? planned : 0;
	return left > 60000 ? 60000 : (int)left;
}

static void session_loop(struct session *s)
{
	struct pollfd wait = { .fd = s->signal_fd, .events = POLLIN };

	for (;;) {
		signals_read(s);
		if (s->has_exited)
			return;
		planned_send(s);
		if (!s->signal && heartbeat_left_ms(&s->heartbeat) == 0) {
			heartbeat_run(&s->heartbeat);
			if (s->heartbeat.has_ended)
				signal_plan(s, SIGTERM, GRACE_MS);
			continue;
		}
		poll(&wait, 1, timeout_choose(s));
	}
}

void session_run(struct cli *cli, const json_t *lease, struct child *child, int is_raw,
		 struct session_result *ret)
{
	struct session s = { .child = child };
	sigset_t ours, before;

	*ret = (struct session_result){ .code = 127 };
	sigemptyset(&ours);
	interrupt_add(&ours);
	sigaddset(&ours, SIGCHLD);
	sigprocmask(SIG_BLOCK, &ours, &before);
	s.signal_fd = signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
	if (interrupt_pending()) {
		ret->signal = interrupt_pending();
	} else if (s.signal_fd < 0 || child_start(child)) {
		text_error("%s: cannot run '%s': %m", cli->command->name,
			   child->argv ? child->argv[0] : "a process");
		ret->is_missing = 1;
	} else {
		heartbeat_init(&s.heartbeat, cli, lease);
		heartbeat_stop_by(&s.heartbeat, session_is_over, &s);
		s.heartbeat.is_raw = is_raw && isatty(STDERR_FILENO);
		session_loop(&s);
		ret->code = child_exit_code(s.status);
		cli->foreign_exit = 1;
		ret->signal = s.signal;
		heartbeat_stop_by(&s.heartbeat, NULL, NULL);
		s.heartbeat.is_raw = 0;
		if (ret->code == SESSION_DISCONNECTED && !s.signal)
			heartbeat_check(&s.heartbeat);
		ret->has_ended = s.heartbeat.has_ended;
		heartbeat_fini(&s.heartbeat);
	}
	if (s.signal_fd >= 0)
		close(s.signal_fd);
	sigprocmask(SIG_SETMASK, &before, NULL);
}
