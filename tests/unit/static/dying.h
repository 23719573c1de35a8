/* SPDX-License-Identifier: MIT */
/*
 * Replaces the effects of the plugin's registry and jobs when they are compiled into the
 * plugin that dies (-include). STATIC_DIES_AT=N ends the process at the Nth place; there is
 * one before and one after each effect. With STATIC_DISK_BREAKS=before or =after, the removal
 * of a host's record fails before or after it takes effect.
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
