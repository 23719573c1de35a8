/* SPDX-License-Identifier: MIT */
/*
 * The place of the database: its machine and file, as a string. It stays the same across
 * restarts, reboots and a restore that overwrites the file's contents, and differs for a copy
 * elsewhere and for a file that replaced it.
 */
#pragma once

#include <stddef.h>

#include "util/err.h"

int place_describe(const char *store, char *ret, size_t size, struct err *err);
