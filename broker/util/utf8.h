/* SPDX-License-Identifier: MIT */
/* Strict UTF-8: no overlong forms, surrogates or values above U+10FFFF. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Decodes the character at `s`, which has `len` > 0 bytes, and returns its length. Invalid
 * UTF-8 is one byte and *ret is UTF8_BAD.
 */
#define UTF8_BAD 0xffffffffu
size_t utf8_next(const char *s, size_t len, uint32_t *ret);
int utf8_valid(const char *s, size_t len);
