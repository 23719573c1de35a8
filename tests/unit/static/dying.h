/* SPDX-License-Identifier: MIT */
/*
 * The effects of the plugin's book and runs, put in front of the real ones when they are
 * compiled into the plugin that dies (-include). STATIC_DIES_AT=N ends the process at the
 * Nth place; each effect has one before it and one after it. STATIC_DISK_BREAKS=before, or
 * after, has the removal of a host's record fail, undone or done.
 */
#pragma once

#include <fcntl.h>
#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

int dying_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags);
int dying_unlinkat(int dir, const char *name, int flags);
int dying_renameat(int from_dir, const char *from, int to_dir, const char *to);
int dying_fsync(int fd);
pid_t dying_fork(void);

#define linkat dying_linkat
#define unlinkat dying_unlinkat
#define renameat dying_renameat
#define fsync dying_fsync
#define fork dying_fork
