/* SPDX-License-Identifier: MIT */
/*
 * Text to values, with errors that say what is allowed. Pure. Each returns 0 or
 * -1 with `err` filled; the text never names the key, the caller puts it before.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "util/err.h"

/* A text that fits `size` into `ret`. */
typedef int (*value_text_fn)(const char *text, size_t size, char *ret, struct err *err);

int value_int(const char *text, int64_t min, int64_t max, int64_t *ret, struct err *err);
/* 12, 12.5, 0.004321: at most six decimals, in millionths */
int value_money(const char *text, int64_t *ret, struct err *err);
void value_write_money(int64_t micros, char *out, size_t size);
int value_bool(const char *text, int *ret, struct err *err);
/* 127.0.0.1:8480, [::1]:0, unix:/path */
int value_listen(const char *text, struct config_listen *ret, struct err *err);
/* [a-z0-9][a-z0-9._-]* */
int value_name(const char *text, size_t size, char *ret, struct err *err);
/* An image's name: the same, and capital letters. */
int value_image(const char *text, size_t size, char *ret, struct err *err);
/* Begins with '/', has no '..', fits. */
int value_path(const char *text, size_t size, char *ret, struct err *err);
/* Printable ASCII without blanks. */
int value_word(const char *text, size_t size, char *ret, struct err *err);
/*
 * The next item of a comma-separated list, blanks around it removed, into `item`.
 * 1 there was one, 0 the end, -1 an empty or overlong one.
 */
int value_next(const char **cursor, char *item, size_t size, struct err *err);
