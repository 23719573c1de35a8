/* SPDX-License-Identifier: MIT */
#include "cli/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/interrupt.h"
#include "util/alloc.h"

static void descriptor_set(int from, int to)
{
	if (from >= 0)
		dup2(from, to);
}

/* In the child; tells `failed` the errno if there is no such program. */
static _Noreturn void child_become(const struct child *child, int failed)
{
	sigset_t none;
	ssize_t sent;
	int error;

	interrupt_default();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	descriptor_set(child->stdin_fd, STDIN_FILENO);
	descriptor_set(child->stdout_fd, STDOUT_FILENO);
	descriptor_set(child->stderr_fd, STDERR_FILENO);
	if (!child->argv) {
		close(failed);
		_exit(child->run(child->arg));
	}
	/* ssh needs no token, and its configuration may send variables to the machine. */
	unsetenv("LESSOR_TOKEN");
	unsetenv("CRABBOX_COORDINATOR_TOKEN");
	execvp(child->argv[0], child->argv);
	error = errno;
	sent = write(failed, &error, sizeof(error));
	_exit(sent ? 127 : 126);
}

int child_start(struct child *child)
{
	auto_close int from = -1;
	int ends[2], error = 0;
	ssize_t len;

	if (pipe2(ends, O_CLOEXEC))
		return -1;
	from = ends[0];
	child->pid = fork();
	if (child->pid == 0)
		child_become(child, ends[1]);
	close(ends[1]);
	if (child->pid < 0)
		return -1;
	/* Ends when the program runs, or the child has closed its end. */
	do {
		len = read(from, &error, sizeof(error));
	} while (len < 0 && errno == EINTR);
	if (len != sizeof(error))
		return 0;
	while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
		;
	errno = error;
	return -1;
}

int child_exit_code(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
