/* SPDX-License-Identifier: MIT */
#pragma once

#include "daemon/command_line.h"

/* lessord --owed; returns the exit code. */
int residue_report_print(const struct command_line *line);
