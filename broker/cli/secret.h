/* SPDX-License-Identifier: MIT */
/* A token that a user types or pipes in. */
#pragma once

#include <stddef.h>

#include "util/err.h"

/*
 * Asks on standard error and reads a line from the terminal that is standard input, without echo.
 * 0, or -1: ERR_REFUSED if standard input is no terminal, ERR_BUSY after a signal
 * (interrupt_pending). The caller wipes and frees *ret.
 */
int secret_ask(const char *prompt, char **ret, struct err *err);
/* All of standard input, at most `max` bytes. */
int secret_read(size_t max, char **ret, struct err *err);
void secret_free(char *secret); /* wipes it; NULL is accepted */
