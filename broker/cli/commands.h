/* SPDX-License-Identifier: MIT */
/*
 * The table of commands. Only main.c includes this: it hands a command down to its function
 * and to the help, so that no command depends on the table.
 */
#pragma once

#include "cli/cli.h"

extern const struct command commands[]; /* ends with a NULL name */

/* Reports that there is no such command, with the nearest one; returns the exit code. */
int commands_unknown(struct cli *cli, const char *name);
/* NULL if there is no such command. */
const struct command *commands_find(const char *name);
