/* SPDX-License-Identifier: MIT */
/*
 * Command-line options, read by one table for each program or command. Not getopt_long: its
 * errors quote the value of an option, which may be a secret, and its abbreviations would
 * read `--token SECRET` as `--token-file SECRET`. Here an error never repeats a value.
 */
#pragma once

#include "util/err.h"

enum argv_kind {
	ARGV_FLAG,     /* --name */
	ARGV_VALUE,    /* --name=VALUE, or --name VALUE unless VALUE begins with -- */
	ARGV_OPTIONAL, /* --name, --name=VALUE */
	ARGV_REFUSED,  /* never accepted: `why` is the error */
};

struct argv_option {
	const char *name; /* without --; NULL ends a table */
	enum argv_kind kind;
	int *seen; /* set to `mark`, or to 1 if that is 0; may be NULL */
	int mark;
	const char **value; /* points into argv, is never ""; may be NULL */
	const char *why;    /* ARGV_REFUSED */
};

struct argv_syntax {
	const struct argv_option *options; /* may be NULL */
	const struct argv_option *common;  /* more of them; may be NULL */
	int abbreviations;		   /* an unambiguous beginning of a name stands for it */
	int words_max; /* operands to accept; ARGV_FIRST_WORD: stop before the first */
};

#define ARGV_FIRST_WORD (-1)

/*
 * Reads argv[0..argc), which does not begin with the program's name. -h is --help; after
 * "--" everything is a word; a later option overrides an earlier one. `words` has space for
 * words_max and may be NULL if there are none; words and values point into argv. Returns how
 * many elements were read, or -1 with `err` filled; then some variables may be set.
 */
int argv_parse(const struct argv_syntax *syntax, int argc, char **argv, const char **words,
	       int *ret_words, struct err *err);
