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
	int json; /* known before the options are read: errors about them are JSON, too */
	int help;
	int version;
	int foreign_exit; /* the exit code is that of a program which was run, not ours */
	struct settings settings;
	struct client *client;
};

/* The table of the common options, which are stored in `cli`. */
#define CLI_COMMON_MAX 10
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

/* Reports an error of the settings, before anything was sent; returns the exit code. */
int cli_settings_error(const struct cli *cli, const struct err *err);

int cli_usage_error(const struct cli *cli, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Reports a response that is an error, or its absence, in one line; returns the exit code. */
int cli_fail(const struct cli *cli, const struct client_response *response);

/* GET into *ret. Returns -1 on success, otherwise the exit code; the error is reported. */
int cli_get(struct cli *cli, const char *path, struct client_response *ret);

/* GET; prints the JSON with --json, else calls `print`. Returns the exit code. */
int cli_show(struct cli *cli, const char *path, void (*print)(const json_t *doc));

/*
 * The result under --json, borrowed: printed as one line when the command ends. A command that
 * fails after this prints it with the error (cli/outcome.h).
 */
void cli_print_json(json_t *doc);
/* -1 if the response has a lease, otherwise the exit code after an error. */
int cli_lease_require(const struct cli *cli, const struct client_response *response);
/*
 * Fetches a lease. -1, and *ret_doc is the response, which has one, and which the caller decrefs;
 * otherwise the exit code, and the error is reported.
 */
int cli_lease_fetch(struct cli *cli, const char *ref, json_t **ret_doc);

/* "/v1/leases/REF" and `rest`, with REF percent-encoded; the caller frees. */
char *cli_lease_path(const char *ref, const char *rest);

int command_capacity(struct cli *cli, int argc, char **argv);
int command_daemons(struct cli *cli, int argc, char **argv);
int command_doctor(struct cli *cli, int argc, char **argv);
int command_classes(struct cli *cli, int argc, char **argv);
int command_create(struct cli *cli, int argc, char **argv);
int command_run(struct cli *cli, int argc, char **argv);
int command_ssh(struct cli *cli, int argc, char **argv);
int command_cp(struct cli *cli, int argc, char **argv);
int command_ssh_config(struct cli *cli, int argc, char **argv);
int command_list(struct cli *cli, int argc, char **argv);
int command_show(struct cli *cli, int argc, char **argv);
int command_events(struct cli *cli, int argc, char **argv);
int command_extend(struct cli *cli, int argc, char **argv);
int command_heartbeat(struct cli *cli, int argc, char **argv);
int command_release(struct cli *cli, int argc, char **argv);
int command_resolve(struct cli *cli, int argc, char **argv);
int command_queue(struct cli *cli, int argc, char **argv);
int command_sweep(struct cli *cli, int argc, char **argv);
int command_account(struct cli *cli, int argc, char **argv);
int command_providers(struct cli *cli, int argc, char **argv);
int command_usage(struct cli *cli, int argc, char **argv);
int command_whoami(struct cli *cli, int argc, char **argv);
int command_login(struct cli *cli, int argc, char **argv);
int command_logout(struct cli *cli, int argc, char **argv);
int command_context(struct cli *cli, int argc, char **argv);
int command_token(struct cli *cli, int argc, char **argv);
int command_version(struct cli *cli, int argc, char **argv);
int command_wait(struct cli *cli, int argc, char **argv);
int command_keepalive(struct cli *cli, int argc, char **argv);
