/* SPDX-License-Identifier: MIT */
#pragma once

#include "util/err.h"

/*
 * Root becomes the owner of the directory that the database at `path` is in: files that
 * root made there would be closed to the daemon. For a tool, before it opens anything.
 */
int file_owner_become(const char *path, struct err *err);
