/* SPDX-License-Identifier: MIT */
/*
 * An OpenSSH public key line, checked to the last byte: it goes into cloud-init and
 * to the provider. Exactly `type base64 [comment]`, one space each; the decoded
 * blob holds the same type, the lengths that type has, and nothing more. Pure.
 */
#pragma once

#include <stddef.h>

#include "api/api_error.h"

/*
 * Copies the line without its one allowed trailing newline. -1: `out` is "", and
 * `error` names what is allowed and never repeats the input.
 */
int sshkey_check(const char *line, char *out, size_t room, struct api_error *error);
