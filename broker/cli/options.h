/* SPDX-License-Identifier: MIT */
/*
 * Flags, by their whole name only: getopt_long would take `--token SECRET` for
 * `--token-file SECRET` and then quote the secret in its error. The value of a
 * flag that is not known is never repeated.
 */
#pragma once

#include <stddef.h>

#include "util/err.h"

enum option_kind {
	OPTION_FLAG,	/* --name */
	OPTION_VALUE,	/* --name VALUE, --name=VALUE */
	OPTION_MAYBE,	/* --name, --name=VALUE */
};

struct option_spec {
	const char *name;	/* without --; NULL ends a list */
	enum option_kind kind;
	int *seen;		/* set to 1; may be NULL */
	const char **value;	/* points into argv; NULL for a flag */
};

/*
 * Reads argv[0..argc), a later flag winning over an earlier one, until the end
 * or, when `words` is NULL, the first word that is no flag. Words are collected
 * otherwise; more than `max_words` is an error. `more` may be NULL.
 * Returns how many of argv were read, -1 on error.
 */
int options_parse(const struct option_spec *specs, const struct option_spec *more, int argc,
		  char **argv, const char **words, int max_words, int *ret_words,
		  struct err *err);
