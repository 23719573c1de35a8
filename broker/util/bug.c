/* SPDX-License-Identifier: MIT */
#include "util/bug.h"

#include <execinfo.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FRAMES_MAX 64

const struct bug_signal bug_signals[BUG_SIGNALS] = {
	{ SIGSEGV, "SIGSEGV" }, { SIGBUS, "SIGBUS" },	{ SIGILL, "SIGILL" },
	{ SIGFPE, "SIGFPE" },	{ SIGABRT, "SIGABRT" },
};

void bug_abort(const char *file, int line, const char *function, const char *condition)
{
	void *frames[FRAMES_MAX];
	int count;

	dprintf(STDERR_FILENO, "BUG: %s:%d: %s: %s\n"
		"Please report this with the lines below. Nothing unsaved was acknowledged.\n",
		file, line, function, condition);
	count = backtrace(frames, FRAMES_MAX);
	backtrace_symbols_fd(frames, count, STDERR_FILENO);
	abort();
}
