/* SPDX-License-Identifier: MIT */
#include "daemon/crash_report.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/command_line.h"
#include "provider/running.h"
#include "util/alloc.h"
#include "util/bug.h"
#include "util/hash.h"
#include "util/journal.h"
#include "util/log.h"
#include "util/text.h"

/* At most: one per crash since the last start that could read them. */
#define RECORDS_MAX 64

static char path[512]; /* where to record what crashed */
static struct sigaction before[BUG_SIGNALS];
static atomic_int is_watching;

/* Only what is async-signal-safe. */
static void text_write(const char *text)
{
	ssize_t written = write(STDERR_FILENO, text, strlen(text));

	(void)written;
}

/* Only what is async-signal-safe: for the next start, which counts the crashes. */
static void record_write(void)
{
	const char *record = running_here_record();
	int fd = record && path[0] ?
			 open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600) :
			 -1;
	ssize_t written;

	if (fd < 0)
		return;
	written = write(fd, record, strlen(record));
	written = write(fd, "\n", 1);
	(void)written;
	fsync(fd);
	close(fd);
}

static void on_crash(int number)
{
	const char *where = running_here();

	record_write();

	for (size_t i = 0; i < BUG_SIGNALS; i++) {
		if (bug_signals[i].number != number)
			continue;
		text_write(journal_error());
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
	record_write();
	log_error(NULL, "exit() was called in %s; lessord ends, and must be started again",
		  where[0] ? where : "lessord itself, which never does");
	_exit(EXIT_RUNTIME);
}

int crash_report_check(const char *files, struct err *err)
{
	auto_free char *directory = xstrdup(files);

	*strrchr(directory, '/') = '\0';
	if (access(directory[0] ? directory : "/", W_OK | X_OK) == 0)
		return 0;
	return err_set(err, ERR_IO,
		       "the directory %s cannot be used: %s; without it lessord does not notice that "
		       "an operation crashes it again and again",
		       directory, strerror(errno));
}

void crash_report_begin(const char *files)
{
	struct sigaction action = { .sa_handler = on_crash, .sa_flags = SA_ONSTACK };

	snprintf(path, sizeof(path), "%s-crash", files);
	sigfillset(&action.sa_mask);
	for (size_t i = 0; i < BUG_SIGNALS; i++)
		sigaction(bug_signals[i].number, &action, &before[i]);
	atomic_store(&is_watching, 1);
	/* That of libcrypto frees what other threads use at this moment, so ours must run first. */
	hash_begin();
	atexit(on_exit_called);
}

void crash_report_end(void)
{
	atomic_store(&is_watching, 0);
}

size_t crash_report_read(struct engine_crash **ret)
{
	FILE *file = fopen(path, "re");
	char line[160];
	size_t count = 0;

	*ret = NULL;
	if (!file)
		return 0;
	while (count < RECORDS_MAX && fgets(line, sizeof(line), file)) {
		struct engine_crash crash = { .account = "" };

		if (sscanf(line, "%31s %15s %23s", crash.account, crash.op, crash.lease) != 3)
			continue;
		if (strcmp(crash.lease, "-") == 0)
			crash.lease[0] = '\0';
		*ret = xgrow(*ret, count, sizeof(**ret));
		(*ret)[count++] = crash;
	}
	fclose(file);
	return count;
}

void crash_report_counted(void)
{
	unlink(path);
}
