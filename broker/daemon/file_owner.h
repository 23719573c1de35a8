/* SPDX-License-Identifier: MIT */
#pragma once

#include "util/err.h"

/*
 * If the process is root, switches to the owner of the directory that contains `path`, since
 * the daemon could not open files that root creates there. For tools, before they open
 * anything.
 */
int file_owner_become(const char *path, struct err *err);

/* The same until file_owner_return, for a tool that also writes where only its caller may. */
int file_owner_borrow(const char *path, struct err *err);
int file_owner_return(struct err *err);
/* Do the directories that contain the two paths belong to the same user? */
int file_owner_is_same(const char *a, const char *b);
