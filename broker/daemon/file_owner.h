/* SPDX-License-Identifier: MIT */
#pragma once

#include "util/err.h"

/*
 * If the process is root, switches to the owner of the directory that contains `path`, since
 * the daemon could not open files that root creates there. For tools, before they open
 * anything.
 */
int file_owner_become(const char *path, struct err *err);
