/* SPDX-License-Identifier: MIT */
/*
 * A SQLite VFS that stands between the store and the disk, counts what is
 * written and synced, and fails the k-th of it, once or from then on. One per
 * process; it becomes the default VFS, so that the store under test is the
 * unchanged one.
 */
#pragma once

#include <stdint.h>

/*
 * As a code: the process ends there and then with VFS_POWER_CUT_EXIT, and any
 * part of what was written and not synced is lost, as `seed` says. Set it before
 * the store is opened, in a child.
 */
#define VFS_POWER_CUT (-1)
#define VFS_POWER_CUT_EXIT 77

enum vfs_op { VFS_WRITE, VFS_SYNC, VFS_TRUNCATE, VFS_OP_COUNT };

struct vfs_fault {
	enum vfs_op op;
	long nth;	/* fails the nth from now on (1 = the next); 0: none */
	int code;	/* SQLITE_IOERR_WRITE, SQLITE_FULL, SQLITE_IOERR_FSYNC, ... */
	int for_good;	/* and all that follow */
	uint32_t seed;	/* of a power cut */
	/* VFS_POWER_CUT: called instead of the exit, and must not return. */
	void (*cut)(void *arg);
	void *arg;
};

/* Registers it as the default. 0 or -1. */
int vfs_install(void);
/* Sets the next fault; NULL heals. Counts start again. */
void vfs_set(const struct vfs_fault *fault);
long vfs_count(enum vfs_op op);
/*
 * Files that are opened from now on are tracked whatever the fault is, so that
 * vfs_cut can drop what was not synced.
 */
void vfs_track(int on);
void vfs_cut(uint32_t seed);
/* One process, one connection to a file at a time: no locks, no shared memory. */
void vfs_alone(void);
