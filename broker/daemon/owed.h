/* SPDX-License-Identifier: MIT */
#pragma once

#include "daemon/command_line.h"

/* lessord --owed; returns the exit code. */
int owed_list(const struct command_line *line);
