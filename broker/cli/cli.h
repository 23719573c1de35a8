/* SPDX-License-Identifier: MIT */
/*
 * What all commands share: the common options, the connection to lessord, and the
 * translation of an error into a message and an exit code. Single-threaded. Results go to
 * standard output, everything else to standard error.
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
	int (*run)(struct cli *cli, int argc, char **argv); /* argv begins after NAME */
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

/* The table of the common options, which are stored in `cli`. */
#define CLI_COMMON_MAX 9
void cli_common_options(struct cli *cli, struct argv_option out[CLI_COMMON_MAX]);

/*
 * Reads the command's options (`own` may be NULL) and exactly `want` words, loads the
 * settings and opens the client. Returns -1 to continue, otherwise the exit code.
 */
int cli_begin(struct cli *cli, const struct argv_option *own, int argc, char **argv,
	      const char **words, int want);
/* The two halves of cli_begin, for a command that checks its options in between. */
int cli_parse(struct cli *cli, const struct argv_option *own, int argc, char **argv,
	      const char **words, int want);
/* From `want` to `most` words; *ret_count is their number. */
int cli_parse_more(struct cli *cli, const struct argv_option *own, int argc, char **argv,
		   const char **words, int want, int most, int *ret_count);
int cli_connect(struct cli *cli);
void cli_end(struct cli *cli);

int cli_usage_error(const struct cli *cli, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Reports a response that is an error, or its absence, in one line; returns the exit code. */
int cli_fail(const struct cli *cli, const struct client_response *response);

/* GET into *ret. Returns -1 on success, otherwise the exit code; the error is reported. */
int cli_get(struct cli *cli, const char *path, struct client_response *ret);

/* GET; prints the JSON with --json, else calls `print`. Returns the exit code. */
int cli_show(struct cli *cli, const char *path, void (*print)(const json_t *doc));

/* One line of JSON on standard output. */
void cli_print_json(const json_t *doc);

/* "/v1/leases/REF" and `rest`, with REF percent-encoded; the caller frees. */
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
