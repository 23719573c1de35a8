/* SPDX-License-Identifier: MIT */
/* The command line of lessord. */
#pragma once

#include <stdio.h>

#include "util/err.h"

/* Exit codes; documented in lessord(8), so never renumbered. */
enum exit_code {
	EXIT_OK = 0,
	EXIT_RUNTIME = 1,  /* a failure while running */
	EXIT_USAGE = 2,	   /* the command line or the configuration is invalid */
	EXIT_PROVIDER = 3, /* a provider or its options were rejected */
	EXIT_STORE = 4,	   /* the database is damaged, too new, or cannot be opened */
	EXIT_SECOND = 5,   /* another lessord uses the database */
	EXIT_NO_TOKEN = 6, /* there is no usable client token */
	EXIT_OWED = 7,	   /* --owed: resources are left at a provider */
	EXIT_NO_STORE = 8, /* a command that only reads or changes a database: there is none */
};

enum command_line_mode {
	DO_RUN,
	DO_CHECK,
	DO_DUMP_CONFIG,
	DO_DUMP,
	DO_OWED,
	DO_SURVEY,
	DO_DOCTOR,
	DO_BACKUP,
	DO_MIGRATE,
	DO_TOKEN_ADD,
	DO_TOKEN_LIST,
	DO_TOKEN_ROTATE,
	DO_TOKEN_REVOKE,
	DO_VERSION,
	DO_HELP,
};

/* All borrowed from argv. */
struct command_line {
	enum command_line_mode mode;
	const char *config;
	const char *port_file; /* may be NULL */
	const char *provider;  /* DO_DUMP */
	const char *store;     /* token, backup: overrides the configuration; may be NULL */
	const char *target;    /* DO_BACKUP; set */
	const char *backups;   /* DO_DOCTOR: the directory of the backups; NULL: as configured */
	int is_json;	       /* DO_DOCTOR */
	const char *from, *to; /* DO_MIGRATE; `from` is set, `to` may be NULL */
	const char *owner, *org, *role, *label; /* DO_TOKEN_ADD; owner is set */
	const char *expires;			/* DO_TOKEN_ADD, DO_TOKEN_ROTATE */
	const char *grace;			/* DO_TOKEN_ROTATE */
	const char *id;				/* DO_TOKEN_REVOKE, DO_TOKEN_ROTATE; set */
};

/* `argv` begins with the program's name. 0, or -1 with `err` filled. */
int command_line_read(int argc, char **argv, struct command_line *ret, struct err *err);
void command_line_help(FILE *out);
/* Prints the error to standard error; returns `code`. */
int command_line_fail(const struct err *err, int code);
/* The database that a command works on. */
struct command_store {
	char *target; /* for store_open_tool; secret */
	char *name;   /* the same without a password */
	char *files;  /* config's store_files */
	int is_postgres;
};
/*
 * That of --store, or of the configuration. EXIT_OK, and the caller calls command_store_fini; or
 * another exit code, and the error is printed.
 */
int command_line_store(const struct command_line *line, struct command_store *ret);
/*
 * Can a store have this name? If not, prints why and returns an exit code. What is needed to use it
 * may be installed elsewhere, or not be needed.
 */
int command_line_name_check(const char *target);
void command_store_fini(struct command_store *store);
/* If run by root, switches to the owner of the directory of the files, for good. */
int command_store_become(const struct command_store *store, struct err *err);
/* Says that there is no database of this name; returns EXIT_NO_STORE. */
int command_line_no_store(const char *name);
