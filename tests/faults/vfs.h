/* SPDX-License-Identifier: MIT */
/*
 * A SQLite VFS between the store and the disk. It counts writes and syncs and makes
 * the k-th one fail, once or permanently. One per process; it becomes the default
 * VFS, so that the store under test is unchanged.
 */
#pragma once

#include <stdint.h>

/*
 * As a code: the process exits at once with VFS_POWER_CUT_EXIT, and a part of the
 * unsynced writes, chosen by `seed`, is lost. Set it before the store is opened, in
 * a child process.
 */
#define VFS_POWER_CUT (-1)
#define VFS_POWER_CUT_EXIT 77

enum vfs_op { VFS_WRITE, VFS_SYNC, VFS_TRUNCATE, VFS_OP_COUNT };

struct vfs_fault {
	enum vfs_op op;
	long nth;	/* fails the nth from now on (1 = the next); 0: none */
	int code;	/* SQLITE_IOERR_WRITE, SQLITE_FULL, SQLITE_IOERR_FSYNC, ... */
	int for_good;	/* also fails all later ones */
	uint32_t seed;	/* of a power cut */
	/* VFS_POWER_CUT: called instead of the exit, and must not return. */
	void (*cut)(void *arg);
	void *arg;
};

/* Registers it as the default. 0 or -1. */
int vfs_install(void);
/* Sets the next fault; NULL: none. Resets the counts. */
void vfs_set(const struct vfs_fault *fault);
long vfs_count(enum vfs_op op);
/*
 * Tracks all files opened from now on, whatever the fault is, so that vfs_cut can
 * drop their unsynced writes.
 */
void vfs_track(int on);
void vfs_cut(uint32_t seed);
/* Only one connection to a file at a time: turns off locks and shared memory. */
void vfs_alone(void);
