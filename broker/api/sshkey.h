/* SPDX-License-Identifier: MIT */
/*
 * Checks an OpenSSH public key line completely, because it goes into cloud-init and to the
 * provider. It must be `type base64 [comment]` on one line without control characters, and the
 * decoded blob must have the same type, valid lengths for it, and nothing else. Pure.
 */
#pragma once

#include <stddef.h>

#include "api/api_error.h"

/*
 * Writes `type base64`, with one space: white space around the line and the comment, which may
 * be any text, are ignored. -1: `out` is "", and `error` says what is allowed, without repeating
 * the input.
 */
int sshkey_check(const char *line, char *out, size_t size, struct api_error *error);
