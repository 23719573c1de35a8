/* SPDX-License-Identifier: MIT */
#include "daemon/crash_report.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/command_line.h"
#include "provider/running.h"
#include "util/bug.h"
#include "util/log.h"

static struct sigaction before[BUG_SIGNALS];
static atomic_int is_watching;

/* Only what is async-signal-safe. */
static void text_write(const char *text)
{
	ssize_t written = write(STDERR_FILENO, text, strlen(text));

	(void)written;
}

static void on_crash(int number)
{
	const char *where = running_here();

	for (size_t i = 0; i < BUG_SIGNALS; i++) {
		if (bug_signals[i].number != number)
			continue;
		text_write("lessord: crashed with ");
		text_write(bug_signals[i].name);
		text_write(where[0] ? " in " : " outside of any provider");
		text_write(where);
		text_write("\n");
		/* Whoever reported crashes before does it now; else the process dies of it. */
		sigaction(number, &before[i], NULL);
	}
	raise(number);
}

static void on_exit_called(void)
{
	const char *where = running_here();

	if (!atomic_load(&is_watching))
		return;
	log_error(NULL, "exit() was called in %s; lessord ends, and must be started again",
		  where[0] ? where : "lessord itself, which never does");
	_exit(EXIT_RUNTIME);
}

void crash_report_begin(void)
{
	struct sigaction action = { .sa_handler = on_crash };

	sigfillset(&action.sa_mask);
	for (size_t i = 0; i < BUG_SIGNALS; i++)
		sigaction(bug_signals[i].number, &action, &before[i]);
	atomic_store(&is_watching, 1);
	atexit(on_exit_called);
}

void crash_report_end(void)
{
	atomic_store(&is_watching, 0);
}
