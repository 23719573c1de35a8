/* SPDX-License-Identifier: MIT */
/*
 * lessord's URL, the token, the CAs and defaults. Options override the environment, which overrides
 * one file: that of --config, of the context (cli/contexts.h) that LESSOR_CONTEXT or `lessor
 * context use` names, or lessor.conf. --context overrides the environment as well. The token
 * comes from a file or the environment, never from the command line, and only client_open uses
 * it; a context's token is sent to its URL only.
 */
#pragma once

#include "util/ca.h"
#include "util/err.h"

#define SETTINGS_TOKEN_MAX 4096

/* From the command line; NULL: not given. */
struct settings_flags {
	const char *url;
	const char *token_file;
	const char *ca_file;
	const char *config;
	const char *context;
	int without_token; /* it is not read */
};

struct settings {
	char *url;		/* never NULL after a load */
	char *url_from;		/* "--url", "LESSOR_URL" or a file name, for messages */
	char *token;		/* printable ASCII without spaces; NULL: none */
	char *token_from;
	struct ca *ca;	    /* trusted for https; NULL: the system's */
	char *context;	    /* NULL: none */
	char *context_from; /* "--context", "LESSOR_CONTEXT" or a file name; NULL without one */
	int is_new;	    /* about to be saved by lessor login */
	char *account;	    /* NULL: not given */
	char *class_name;   /* NULL: not given */
};

/*
 * Fills *ret from the options, the environment and the settings file. settings_fini frees it,
 * also after an error.
 */
int settings_load(const struct settings_flags *flags, struct settings *ret, struct err *err);
void settings_fini(struct settings *settings);	/* wipes the token */

/*
 * What a context says, without the environment; settings_fini frees *ret, also after an error.
 * The token may be missing; unless `with_token`, it may also be damaged.
 */
int settings_load_context(const char *name, int with_token, struct settings *ret, struct err *err);

/* Reads a token from a file, which may be a pipe, or from text; the caller wipes and frees it. */
int settings_read_token(const char *path, char **ret, struct err *err);
int settings_parse_token(const char *text, const char *from, char **ret, struct err *err);
