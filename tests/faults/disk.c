/* SPDX-License-Identifier: MIT */
/*
 * A full disk. It is played by its size and that of the store's files, because the real one has
 * room: the store asks it before each transaction (store/sqlite/reserve.h), and what the store then
 * writes to its log must fit.
 */
#include "world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/sqlite/reserve.h"

static struct {
	const struct world *world;
	int64_t bytes;	 /* 0: not full */
	int64_t log_end; /* allocated in the log of this life */
} disk;

static int64_t size_of(const char *end)
{
	char name[200];
	struct stat st;

	snprintf(name, sizeof(name), "%s%s", disk.world->d.path, end);
	return stat(name, &st) ? 0 : st.st_size;
}

/* What is allocated beyond its end, and what a log has that outlived its process. */
static int64_t log_size(void)
{
	int64_t log = size_of("-wal");

	return log > disk.log_end ? log : disk.log_end;
}

static int64_t disk_used(void)
{
	/* The database grows through SQLite, which asks the real disk. */
	return size_of("-shm") + size_of(".reserve") + log_size();
}

static int64_t disk_free(const char *path)
{
	int64_t used = disk_used();

	(void)path;
	if (!disk.bytes)
		return INT64_MAX;
	return disk.bytes > used ? disk.bytes - used : 0;
}

static int disk_allocate(int fd, int keep_size, int64_t at, int64_t len)
{
	int64_t room = disk_free(NULL);
	int64_t had = keep_size ? log_size() : size_of(".reserve");

	if (at + len <= had)
		return 0;
	if (at + len - had > room)
		return ENOSPC;
	if (keep_size)
		disk.log_end = at + len;
	else if (ftruncate(fd, at + len))
		return errno;
	return 0;
}

void disk_play(struct world *w)
{
	static const struct reserve_disk played = { .allocate = disk_allocate,
						    .free_bytes = disk_free };

	disk.world = w;
	disk.bytes = disk.log_end = 0;
	reserve_disk_set(&played);
	if (store_reserve_keep(core_store(w->d.core), NULL))
		abort();
}

int disk_is_played(const struct world *w)
{
	return w->plan.act == ACT_DISK_FULL;
}

int disk_is_full(void)
{
	return disk.bytes > 0;
}

/* Others take everything that is free. */
void disk_fill(void)
{
	disk.bytes = disk_used();
}

void disk_reborn(struct world *w, const char *old)
{
	char from[200], to[200];

	snprintf(from, sizeof(from), "%s.reserve", old);
	snprintf(to, sizeof(to), "%s.reserve", w->d.path);
	if (!disk_is_played(w) || rename(from, to))
		return;
	/* What the process had allocated in the log is gone with it. */
	disk.log_end = 0;
	/*
	 * Others take that, too, as long as the reserve lasts for this life: with less, the start ends
	 * with a sentence (test-store-reserve), and a world has no place for a process that is not
	 * there.
	 */
	if (disk.bytes && size_of(".reserve") >= RESERVE_LEAST)
		disk_fill();
}

void disk_empty(struct world *w)
{
	(void)w;
	disk.bytes = 0;
}

void disk_committed(struct world *w)
{
	if (disk.bytes && disk_used() > disk.bytes)
		violate(w, "I35: a commit took %lld bytes that the disk does not have",
			(long long)(disk_used() - disk.bytes));
}
