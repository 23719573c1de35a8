/* SPDX-License-Identifier: MIT */
/*
 * LD_PRELOAD library that counts a program's SQLite calls in the file COUNT_SQL. The file must
 * exist and be large enough for the counters below. Another process can map it and read them at
 * any time; the program needs no change.
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

/* The order matches tests/bench/counts.py. */
struct counts {
	atomic_ullong steps;		/* calls of sqlite3_step: one per row */
	atomic_ullong statements;	/* of these, the first call of each execution */
	atomic_ullong commits;		/* executions of COMMIT */
	atomic_ullong syncs;		/* fsync and fdatasync of any file */
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
		/* SQLite's internal statements, such as reading the schema, have no text. */
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
