/* SPDX-License-Identifier: MIT */
/*
 * Where the server is and who we are. A flag beats the environment, and that
 * beats the file. The token comes from a file or the environment, never from
 * the command line, and is shown to nobody but client_open.
 */
#pragma once

#include "util/err.h"

#define SETTINGS_TOKEN_MAX 4096

/* What the command line said; NULL where it said nothing. */
struct settings_flags {
	const char *url;
	const char *token_file;
	const char *config;
};

struct settings {
	char *url;		/* never NULL after a load */
	char *url_from;		/* "--url", "LESSOR_URL", a file's name: for error texts */
	char *token;		/* NULL: none; printable ASCII without blanks */
	char *token_from;
	char *account;		/* NULL: not said */
	char *class_name;
};

/*
 * Fills *ret from the flags, this process's environment and the settings file.
 * settings_fini frees it, after an error too.
 */
int settings_load(const struct settings_flags *flags, struct settings *ret, struct err *err);
void settings_fini(struct settings *settings);	/* wipes the token */
