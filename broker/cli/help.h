/* SPDX-License-Identifier: MIT */
/* What --help and --version print. */
#pragma once

#include <stdio.h>

struct command;

/* `commands` ends with a NULL name. */
void help_all(FILE *to, const struct command *commands);
void help_command(FILE *to, const struct command *command);
void help_version(FILE *to);
const char *help_version_text(void);
