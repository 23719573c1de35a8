/* SPDX-License-Identifier: MIT */
/*
 * Parsers of values. Each returns 0, or -1 with an error that says what is allowed but not
 * the key, which the caller prefixes. Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "util/err.h"

/* Copies a checked string to `ret`, which has `size` bytes. */
typedef int (*value_text_fn)(const char *text, size_t size, char *ret, struct err *err);

int value_int(const char *text, int64_t min, int64_t max, int64_t *ret, struct err *err);
/* 12, 12.5, 0.004321, with at most six decimals; in millionths */
int value_money(const char *text, int64_t *ret, struct err *err);
void value_write_money(int64_t micros, char *out, size_t size);
int value_bool(const char *text, int *ret, struct err *err);
/* 127.0.0.1:8480, [::1]:0, unix:/path */
int value_listen(const char *text, struct config_listen *ret, struct err *err);
/* [a-z0-9][a-z0-9._-]* */
int value_name(const char *text, size_t size, char *ret, struct err *err);
/* The name of an image: also with capital letters. */
int value_image(const char *text, size_t size, char *ret, struct err *err);
/* Absolute, without ".." components. */
int value_path(const char *text, size_t size, char *ret, struct err *err);
/* HOST:PORT: a host name, a numeric address or [address], and a port that is not 0. */
int value_peer(const char *text, size_t size, char *ret, struct err *err);
/* postgresql://..., refused if it has a password. */
int value_postgres(const char *text, size_t size, char *ret, struct err *err);
/* Printable ASCII without spaces. */
int value_word(const char *text, size_t size, char *ret, struct err *err);
/*
 * Copies the next item of a comma-separated list to `item`, without spaces around it. 1, 0 at
 * the end, -1 if it is empty or too long.
 */
int value_next(const char **cursor, char *item, size_t size, struct err *err);
