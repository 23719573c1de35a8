/* SPDX-License-Identifier: MIT */
/*
 * Room on the disk, secured before it is needed. A commit that fails ends the daemon, since its
 * memory and the store then differ, so a full disk has to be noticed before a transaction
 * decides anything.
 *
 * Two things together give that. Before each transaction, blocks are allocated in the log
 * itself, beyond its end: nobody else can take them, and the commit cannot fail for lack of
 * them. And a file beside the database, DATABASE.reserve, holds blocks that are moved there
 * piece by piece once the disk is full. A file of its own outlives the process (the log and
 * its index do not), so that a restart on a full disk has the room that opening takes; it needs
 * no help of SQLite, and an operator sees what it is and how large.
 *
 * While the store lives on its reserve (STORE_RESERVE), the caller should create nothing new
 * and keep its transactions short; the log is checkpointed early, so that its blocks are used
 * again and again. If the reserve is used up as well (STORE_FULL), store_begin fails with
 * ERR_BUSY and has changed nothing. When there is room again, the reserve is made anew, and
 * everything continues by itself.
 *
 * Limits: the room for one transaction is bounded (RESERVE_AHEAD_LOW); a file system that cannot
 * allocate blocks in advance (ZFS, NFS), or that copies on write, gives only the second file.
 */
#pragma once

#include <stdint.h>

/* The size of the file; a quarter of a small file system, but not less than the least. */
#define RESERVE_BYTES (4 * 1024 * 1024)
#define RESERVE_LEAST (1024 * 1024)
/* Allocated in the log before each transaction; and while it comes from the reserve. */
#define RESERVE_AHEAD (1024 * 1024)
#define RESERVE_AHEAD_LOW (512 * 1024)

/* The file system, so that a test can play a full one. */
struct reserve_disk {
	/* Allocates [at, at + len) of the file; with `keep_size`, also beyond its end. 0, or an errno. */
	int (*allocate)(int fd, int keep_size, int64_t at, int64_t len);
	/* Free bytes of the file system of `path`; -1: unknown. */
	int64_t (*free_bytes)(const char *path);
	/* Its size; NULL: large. */
	int64_t (*size_bytes)(const char *path);
};
/* For all stores that are opened from now on; NULL: the real one. Before any thread is started. */
void reserve_disk_set(const struct reserve_disk *disk);
