/* SPDX-License-Identifier: MIT */
/*
 * Preloaded, counts what a program asks of SQLite: into the file COUNT_SQL, which is there
 * already and has room for the numbers below, so that whoever mapped it can read them at any
 * time, and the program needs to know nothing of it.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PUBLIC __attribute__((visibility("default")))

/* The order is that of tests/bench/counts.py. */
struct counts {
	atomic_ullong steps;		/* sqlite3_step: what is asked of SQLite, row by row */
	atomic_ullong statements;	/* of these, the first one of each execution */
	atomic_ullong commits;		/* executions of COMMIT */
	atomic_ullong syncs;		/* of any file: what waits for the disk */
};

static struct counts nowhere, *counts = &nowhere;
static int (*real_step)(sqlite3_stmt *);
static int (*real_fsync)(int), (*real_fdatasync)(int);

static void *real(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

__attribute__((constructor)) static void count_begin(void)
{
	const char *path = getenv("COUNT_SQL");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *at = MAP_FAILED;

	*(void **)&real_step = real("sqlite3_step");
	*(void **)&real_fsync = real("fsync");
	*(void **)&real_fdatasync = real("fdatasync");
	if (fd < 0)
		return;
	at = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at != MAP_FAILED)
		counts = at;
	close(fd);
}

int PUBLIC sqlite3_step(sqlite3_stmt *stmt)
{
	const char *sql = sqlite3_sql(stmt);

	counts->steps++;
	if (!sqlite3_stmt_busy(stmt)) {
		counts->statements++;
		/* SQLite's own statements, as when it reads the schema, have no text. */
		if (sql && !strncmp(sql, "COMMIT", 6))
			counts->commits++;
	}
	return real_step(stmt);
}

int PUBLIC fsync(int fd)
{
	counts->syncs++;
	return real_fsync(fd);
}

int PUBLIC fdatasync(int fd)
{
	counts->syncs++;
	return real_fdatasync(fd);
}
