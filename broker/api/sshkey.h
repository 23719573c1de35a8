/* SPDX-License-Identifier: MIT */
/*
 * Checks an OpenSSH public key line completely, because it goes into cloud-init and to the
 * provider. It must be exactly `type base64 [comment]` with single spaces, and the decoded
 * blob must have the same type, valid lengths for it, and nothing else. Pure.
 */
#pragma once

#include <stddef.h>

#include "api/api_error.h"

/*
 * Copies the line without its trailing newline, of which one is allowed. -1: `out` is "", and
 * `error` says what is allowed, without repeating the input.
 */
int sshkey_check(const char *line, char *out, size_t size, struct api_error *error);
