/* SPDX-License-Identifier: MIT */
/*
 * lessord's URL, the token, the CAs and defaults. Options override the environment, which overrides
 * the file. The token comes from a file or the environment, never from the command line, and
 * only client_open uses it.
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
};

struct settings {
	char *url;		/* never NULL after a load */
	char *url_from;		/* "--url", "LESSOR_URL" or a file name, for messages */
	char *token;		/* printable ASCII without spaces; NULL: none */
	char *token_from;
	struct ca *ca;	  /* trusted for https; NULL: the system's */
	char *account;	  /* NULL: not given */
	char *class_name; /* NULL: not given */
};

/*
 * Fills *ret from the options, the environment and the settings file. settings_fini frees it,
 * also after an error.
 */
int settings_load(const struct settings_flags *flags, struct settings *ret, struct err *err);
void settings_fini(struct settings *settings);	/* wipes the token */
