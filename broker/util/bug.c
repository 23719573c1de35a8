/* SPDX-License-Identifier: MIT */
#include "util/bug.h"

#include <execinfo.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "util/journal.h"

#define FRAMES_MAX 64

const struct bug_signal bug_signals[BUG_SIGNALS] = {
	{ SIGSEGV, "SIGSEGV" }, { SIGBUS, "SIGBUS" },	{ SIGILL, "SIGILL" },
	{ SIGFPE, "SIGFPE" },	{ SIGABRT, "SIGABRT" },
};

void bug_abort(const char *file, int line, const char *function, const char *condition)
{
	void *frames[FRAMES_MAX];
	int count;

	dprintf(STDERR_FILENO, "%sBUG: %s:%d: %s: %s\n", journal_error(), file, line, function,
		condition);
	journal_line("Please report this with the lines below. Nothing unsaved was acknowledged.");
	count = backtrace(frames, FRAMES_MAX);
	for (int i = 0; i < count; i++) {
		dprintf(STDERR_FILENO, "%s", journal_error());
		backtrace_symbols_fd(frames + i, 1, STDERR_FILENO);
	}
	abort();
}
