/* SPDX-License-Identifier: MIT */
/*
 * lessord doctor: examines an installation, whether a daemon runs or not, and says what to do. It
 * reads only: the database through a view, the providers by one list call each; it takes no lock,
 * migrates nothing and ends within 30 seconds.
 */
#pragma once

#include "daemon/command_line.h"

/* 0: nothing has failed; 1: something is to be done. */
int doctor_command(const struct command_line *line);
