/* SPDX-License-Identifier: MIT */
/*
 * Which file of which machine the database is, as a text that stays the same through
 * restarts, reboots and a copy over the file's contents, and is another one for a copy
 * elsewhere and for a file that replaced it.
 */
#pragma once

#include <stddef.h>

#include "util/err.h"

int place_describe(const char *store, char *ret, size_t size, struct err *err);
