/* SPDX-License-Identifier: MIT */
/* A create as the command line describes it: for `lessor create`, and for `lessor run`. */
#pragma once

#include <stdint.h>

#include "cli/cli.h"
#include "cli/creation.h"
#include "cli/keyfile.h"

#define CREATE_WAIT_S (15 * 60)
#define CREATE_QUEUE_S (24 * 60 * 60) /* the most */

struct create_flags {
	const char *class_name, *type, *ttl, *idle, *slug, *account, *location, *image, *key;
	const char *wait_text, *queue_text;
	int keep, wait, no_wait, queue;
	int64_t ttl_s, idle_s, wait_s, queue_s;
};

#define CREATE_OPTIONS_MAX 32

/*
 * Reads the options of create, those of `more` (may be NULL; it replaces options with the same
 * name) and at most `most` words, as cli_parse_more does. Preset wait_s to
 * CREATE_WAIT_S and queue_s to CREATE_QUEUE_S.
 */
int create_parse(struct cli *cli, struct create_flags *f, const struct argv_option *more, int argc,
		 char **argv, const char **words, int most, int *ret_count);

/* 1 if an option says what to create, or how. */
int create_is_described(const struct create_flags *f);

/*
 * Sends the request and waits for the machine: creation_run with the key and the settings. Returns
 * the exit code; the caller frees *creation and *key, which it has zeroed, in any case.
 */
int create_lease(struct cli *cli, const struct create_flags *f, struct creation *creation,
		 struct keyfile *key);
