/* SPDX-License-Identifier: MIT */
/* The store's SQL in PostgreSQL's words. Pure. */
#pragma once

/*
 * ?N becomes $N; bare ? are numbered in their order; INDEXED BY name is left out, since PostgreSQL
 * plans by statistics. Texts, names in quotes and comments stay as they are. *ret_params is the
 * highest number; the caller frees the text. NULL: more than `most`.
 */
char *translate(const char *sql, int most, int *ret_params);
/* The same statement, so that it fails with 22012 unless it changes exactly one row. */
char *translate_one(const char *translated);
