/* SPDX-License-Identifier: MIT */
/*
 * What every command shares: the common flags, the way to the server, and how
 * an error becomes a line and an exit code. One thread; results go to standard
 * output, everything else to standard error.
 */
#pragma once

#include <jansson.h>

#include "cli/client.h"
#include "cli/exits.h"
#include "cli/settings.h"
#include "util/argv.h"

struct cli;

struct command {
	const char *name;
	const char *usage;	/* "REF [--idle D]" */
	const char *summary;	/* one line of `lessor --help` */
	const char *help;	/* lines of `lessor NAME --help`, each with its newline */
	int (*run)(struct cli *cli, int argc, char **argv);	/* argv: what follows NAME */
};

struct cli {
	const struct command *command;
	struct settings_flags flags;
	int json;
	int help;
	int version;
	struct settings settings;
	struct client *client;
};

/* The common flags, filled into `cli`; a list of CLI_COMMON_MAX with its end. */
#define CLI_COMMON_MAX 8
void cli_common_options(struct cli *cli, struct argv_option out[CLI_COMMON_MAX]);

/*
 * Reads the command's flags (`own` may be NULL) and exactly `want` words, loads
 * the settings and opens the client. -1: go on; else the exit code to return.
 */
int cli_begin(struct cli *cli, const struct argv_option *own, int argc, char **argv,
	      const char **words, int want);
/* The two halves of it, for a command that checks its flags before the settings. */
int cli_parse(struct cli *cli, const struct argv_option *own, int argc, char **argv,
	      const char **words, int want);
/* From `want` to `most` words; how many came in *ret_count. */
int cli_parse_more(struct cli *cli, const struct argv_option *own, int argc, char **argv,
		   const char **words, int want, int most, int *ret_count);
int cli_connect(struct cli *cli);
void cli_end(struct cli *cli);

int cli_usage_error(const struct cli *cli, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* One line about an answer that is not good; the exit code it means. */
int cli_fail(const struct cli *cli, const struct client_answer *answer);

/* GET into *ret; -1 if good, else the exit code, said already. */
int cli_get(struct cli *cli, const char *path, struct client_answer *ret);

/* One line of JSON on standard output. */
void cli_print_json(const json_t *doc);

/* "/v1/leases/REF" and `rest`, the reference encoded; the caller frees. */
char *cli_lease_path(const char *ref, const char *rest);

int command_create(struct cli *cli, int argc, char **argv);
int command_list(struct cli *cli, int argc, char **argv);
int command_show(struct cli *cli, int argc, char **argv);
int command_events(struct cli *cli, int argc, char **argv);
int command_heartbeat(struct cli *cli, int argc, char **argv);
int command_release(struct cli *cli, int argc, char **argv);
int command_resolve(struct cli *cli, int argc, char **argv);
int command_sweep(struct cli *cli, int argc, char **argv);
int command_account(struct cli *cli, int argc, char **argv);
int command_providers(struct cli *cli, int argc, char **argv);
int command_usage(struct cli *cli, int argc, char **argv);
int command_whoami(struct cli *cli, int argc, char **argv);
