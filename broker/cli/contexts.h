/* SPDX-License-Identifier: MIT */
/*
 * The servers that `lessor login` has saved, by name, beside the settings file:
 *
 *	contexts/NAME.conf	settings, in the form of lessor.conf
 *	contexts/NAME.token	the token, mode 0600
 *	context			the name of the current one
 *
 * Files are replaced with rename(2), so that a reader sees the old one or the new one. Only names
 * and files here; cli/settings.h reads what is in them.
 */
#pragma once

#include <stddef.h>

#include "util/err.h"

#define CONTEXT_NONE "none" /* as a name: no context, but lessor.conf */

/* A letter or digit, then at most 62 of these and of ".", "_" and "-". */
int context_name_check(const char *name, struct err *err);

/* A file beside the settings file; NULL without a home directory. The caller frees. */
char *contexts_path(const char *file);
char *context_conf_path(const char *name);
char *context_token_path(const char *name);

/* 0, also if there is none: then *ret is NULL. The caller frees. */
int context_current(char **ret, struct err *err);
/* NULL: none. The context must exist. */
int context_use(const char *name, struct err *err);
/* An error that lists those there are, unless the context exists. */
int context_require(const char *name, struct err *err);

/* The names in order; the caller frees with contexts_free. None is no error. */
int contexts_list(char ***ret, size_t *ret_count, struct err *err);
void contexts_free(char **names, size_t count);

/* Writes both files; with `conf` NULL only the token. */
int context_write(const char *name, const char *conf, const char *token, struct err *err);
/* Removes the token; no error if there is none. */
int context_remove_token(const char *name, struct err *err);
/* Removes all of it; a current one is no longer. */
int context_remove(const char *name, struct err *err);
