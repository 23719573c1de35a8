/* SPDX-License-Identifier: MIT */
/*
 * A command from the inventory: a list of words, the first of which is an absolute path. It
 * is not passed to a shell, and the value of a {placeholder} stays within its word.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include <lessor/provider.h>

#define COMMAND_WORDS_MAX 32
#define COMMAND_BYTES_MAX 4096

struct command {
	size_t count; /* 0: none */
	size_t len;
	char *text; /* the words, each terminated by NUL; owned */
};

/* The values of the placeholders {host}, {address}, {port}, {lease}. */
struct subject {
	const char *host;
	const char *address;
	const char *port;
	const char *lease;
};

/* `from` must be an array of strings; empty: no command. On -1 *ret_why is the broken rule. */
int command_parse(const json_t *from, struct command *ret, const char **ret_why);
void command_fini(struct command *command);
/* A new array of strings; NULL: no memory. */
json_t *command_json(const struct command *command);

/*
 * The words with placeholders replaced, as an argv for execve, in the call's scratch memory.
 * NULL: no memory, or too long.
 */
char **command_expand(struct lessor_call *call, const struct command *command,
		      const struct subject *subject);
