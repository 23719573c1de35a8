/* SPDX-License-Identifier: MIT */
/* The commands, and what `--help` says of them. */
#pragma once

#include <stddef.h>
#include <stdio.h>

struct command;

const struct command *help_find(const char *name);	/* NULL if there is none */
void help_all(FILE *to);
void help_command(FILE *to, const struct command *command);
void help_version(FILE *to);
