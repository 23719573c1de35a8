/* SPDX-License-Identifier: MIT */
/* The words of a command line, as execvp(3) takes them. */
#pragma once

#include <stddef.h>

struct words {
	char **list; /* ends with NULL; NULL while empty */
	size_t count;
};

/* Appends a copy. */
void words_add(struct words *words, const char *word);
/* Appends `-o` and the formatted option. */
void words_option(struct words *words, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void words_fini(struct words *words);

/*
 * The command line that a remote shell runs. One word is a line for that shell, as with ssh;
 * several are quoted, so that the command receives exactly these. The caller frees.
 */
char *words_remote(int count, char *const *list);
