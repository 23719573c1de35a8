/* SPDX-License-Identifier: MIT */
#pragma once

#include "daemon/command_line.h"

/* lessord --owed: lists the leases with resources left at a provider; returns the exit code. */
int residue_report_print(const struct command_line *line);
