/* SPDX-License-Identifier: MIT */
#pragma once

#include "daemon/command_line.h"

/* lessord backup: copies the database while a daemon may be using it. Returns an exit code. */
int backup_command(const struct command_line *line);
