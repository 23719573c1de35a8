/* SPDX-License-Identifier: MIT */
#pragma once

#include "daemon/command_line.h"
#include "store/store.h"

/* lessord token add|list|revoke; returns the exit code. */
int tokens_command(const struct command_line *line);

/* Is there a token that is neither revoked nor expired? 1, 0, -1. */
int tokens_usable(struct store *store, int64_t now_ms, struct err *err);
