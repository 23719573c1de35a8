/* SPDX-License-Identifier: MIT */
/*
 * What --json prints: the result of a command that succeeds, and for one that fails a single
 * object, whatever the reason:
 *
 *	{"error":"not_found","message":"there is no lease 'x' of yours","status":404}
 *
 * `error` is the server's code, or one of outcome_code's; `status` is absent unless the server has
 * responded. Further members are those of the response, or of the result as far as it goes, such
 * as `lease`. One command per process, so this is kept here and not in struct cli.
 */
#pragma once

#include <jansson.h>

/* Keeps the result, which is borrowed, until the command ends; a second one prints the first. */
void outcome_hold(json_t *doc);
/* Prints one line now; for commands that follow something. */
void outcome_print_line(const json_t *doc);

/*
 * Remembers why the command fails. The first call counts: what follows it is consequences.
 * `status` 0: no response; `doc`: the response, borrowed, may be NULL.
 */
void outcome_fail(const char *code, int status, const char *message, json_t *doc);

/*
 * Prints the result for exit code 0, otherwise the error. What outcome_fail does not say comes
 * from the last text_error of `command` (may be NULL) and from the exit code.
 */
void outcome_print(int exit_code, const char *command);

/* The `error` for an exit code other than 0 that has no other. */
const char *outcome_code(int exit_code);
