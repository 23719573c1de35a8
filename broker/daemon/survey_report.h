/* SPDX-License-Identifier: MIT */
/* lessord check: what the database offers, one line for each finding. Reads only. */
#pragma once

#include "daemon/command_line.h"

int survey_report_print(const struct command_line *line);
