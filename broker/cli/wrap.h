/* SPDX-License-Identifier: MIT */
/*
 * Text in a width, in columns of a terminal. Lines break between words only, so a word that is
 * longer than the width makes a longer line. Text is escaped (cli/text.h) and valid in the locale.
 */
#pragma once

#include <stddef.h>
#include <stdio.h>

/* 0 if `to` is no terminal: then lines have any length. COLUMNS overrides the terminal's size. */
size_t wrap_width(FILE *to);
size_t wrap_columns(const char *text);
/* The columns of the longest word. */
size_t wrap_longest_word(const char *text);
/* `text` with newlines instead of spaces, each followed by `indent` spaces; the caller frees. */
char *wrap_words(const char *text, size_t width, size_t indent);
