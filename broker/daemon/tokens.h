/* SPDX-License-Identifier: MIT */
#pragma once

#include "daemon/command_line.h"
#include "store/store.h"

/* lessord token add, list, rotate and revoke; returns the exit code. */
int tokens_command(const struct command_line *line);

/* 1 if there is a token that is neither revoked nor expired, 0 if not, -1 on error. */
int tokens_usable(struct store *store, int64_t now_ms, struct err *err);
