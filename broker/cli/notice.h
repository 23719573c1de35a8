/* SPDX-License-Identifier: MIT */
/* Notices: what the server changed in a request. Standard error, one per line. */
#pragma once

#include <jansson.h>

/* Prints those of the lease in an answer. */
void notice_print(const json_t *lease);
/*
 * The same after an extension by `asked`, a duration: the server names the whole lifetime that it
 * was sent, which the user has not seen.
 */
void notice_print_extension(const json_t *lease, const char *asked);
/*
 * Once the machine is known: prints that it is not of the type or not in the location that the
 * `body` of the create asked for, unless the lease has a notice that says so. The answer to a
 * create may come earlier than the machine.
 */
void notice_print_fallback(const json_t *lease, const json_t *body);
