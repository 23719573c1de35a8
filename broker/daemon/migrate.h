/* SPDX-License-Identifier: MIT */
#pragma once

#include "daemon/command_line.h"

/* lessord migrate: moves a database file to PostgreSQL (store/move.h). Returns an exit code. */
int migrate_command(const struct command_line *line);
