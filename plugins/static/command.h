/* SPDX-License-Identifier: MIT */
/*
 * A command as the inventory gives it: a list of words, the first an absolute path.
 * No shell ever sees it, and what is put in for a {placeholder} stays within its word.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include <lessor/provider.h>

#define COMMAND_WORDS_MAX 32
#define COMMAND_BYTES_MAX 4096

struct command {
	size_t count;	/* 0: none */
	size_t len;
	char *text;	/* the words, each ended by NUL; owned */
};

/* What stands for the placeholders: {host}, {address}, {port}, {lease}. */
struct subject {
	const char *host;
	const char *address;
	const char *port;
	const char *lease;
};

/* `from` must be an array of strings; an empty one is no command. On -1 *ret_why says the rule. */
int command_parse(const json_t *from, struct command *ret, const char **ret_why);
void command_fini(struct command *command);
/* A new array of strings, NULL without memory. */
json_t *command_json(const struct command *command);

/*
 * The words with their placeholders filled in, as execve wants them, in the call's scratch
 * memory. NULL: no memory, or too long.
 */
char **command_expand(struct lessor_call *call, const struct command *command,
		      const struct subject *subject);
