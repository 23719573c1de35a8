/* SPDX-License-Identifier: MIT */
/* What ssh and run have in common: the command after `--`, and the session in the machine. */
#pragma once

#include "cli/cli.h"
#include "cli/session.h"
#include "cli/transport.h"

struct command_line {
	int is_given;	    /* there was a `--` */
	int count;	    /* of the words after it */
	char *const *words; /* borrowed */
};

/* Cuts *argc at the first `--`, before the options are read. */
struct command_line login_split(int *argc, char **argv);
/* For a command without `--`. Returns the exit code. */
int login_refuse_words(const struct cli *cli, const char *word);

/*
 * Logs in, or runs the command, with our descriptors. A command has a terminal if standard input
 * and output are one, unless `no_tty`. Returns the exit code: the command's, 255 if the connection
 * failed, which is explained, or 128 and the signal that ended this process's work.
 */
int login_session(struct cli *cli, const struct transport *transport, const json_t *lease,
		  const struct command_line *line, int no_tty);

/* The exit code after a session of ssh or scp; explains why the connection failed, if it did. */
int login_exit(const struct cli *cli, const struct transport *transport,
	       const struct session_result *result);
