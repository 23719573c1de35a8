/* SPDX-License-Identifier: MIT */
#include "command.h"

#include <stdlib.h>
#include <string.h>

static int words_check(const json_t *from, size_t *ret_len, const char **ret_why)
{
	size_t i, len = 0;
	json_t *word;

	*ret_why = "must be a list of words, such as [\"/usr/bin/ssh\", \"{address}\"]";
	if (!json_is_array(from))
		return -1;
	json_array_foreach(from, i, word) {
		if (!json_is_string(word))
			return -1;
		len += json_string_length(word) + 1;
	}
	*ret_why = "has more than 32 words or 4096 bytes";
	if (json_array_size(from) > COMMAND_WORDS_MAX || len > COMMAND_BYTES_MAX)
		return -1;
	*ret_why = "must begin with the absolute path of a program";
	if (json_array_size(from) && json_string_value(json_array_get(from, 0))[0] != '/')
		return -1;
	*ret_len = len;
	return 0;
}

int command_parse(const json_t *from, struct command *ret, const char **ret_why)
{
	size_t i, at = 0;
	json_t *word;

	*ret = (struct command){ 0 };
	if (words_check(from, &ret->len, ret_why))
		return -1;
	if (!ret->len)
		return 0;
	ret->text = malloc(ret->len);
	if (!ret->text) {
		*ret_why = "cannot be processed: out of memory";
		return -1;
	}
	json_array_foreach(from, i, word) {
		size_t len = json_string_length(word) + 1;

		memcpy(ret->text + at, json_string_value(word), len);
		at += len;
	}
	ret->count = json_array_size(from);
	return 0;
}

void command_fini(struct command *command)
{
	free(command->text);
	*command = (struct command){ 0 };
}

json_t *command_json(const struct command *command)
{
	json_t *array = json_array();
	const char *word = command->text;

	for (size_t i = 0; array && i < command->count; i++) {
		json_array_append_new(array, json_string(word));
		word += strlen(word) + 1;
	}
	if (array && json_array_size(array) == command->count)
		return array;
	json_decref(array);
	return NULL;
}

/* The value and length of the placeholder that `text` begins with; NULL: none. */
static const char *placeholder_value(const char *text, const struct subject *subject,
				     size_t *ret_len)
{
	const struct { const char *name, *value; } known[] = {
		{ "{host}", subject->host }, { "{address}", subject->address },
		{ "{port}", subject->port }, { "{lease}", subject->lease },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		*ret_len = strlen(known[i].name);
		if (strncmp(text, known[i].name, *ret_len) == 0)
			return known[i].value;
	}
	return NULL;
}

/* Copies one word with its NUL. Returns where the next one goes, NULL if there is no room. */
static char *word_expand(const char *word, const struct subject *subject, char *at, const char *end)
{
	while (*word) {
		size_t skip = 1, len = 1;
		const char *value = word;

		if (*word == '{') {
			size_t found;
			const char *put_in = placeholder_value(word, subject, &found);

			if (put_in) {
				value = put_in;
				len = strlen(put_in);
				skip = found;
			}
		}
		if (len >= (size_t)(end - at))
			return NULL;
		memcpy(at, value, len);
		at += len;
		word += skip;
	}
	*at = '\0';
	return at + 1;
}

char **command_expand(struct lessor_call *call, const struct command *command,
		      const struct subject *subject)
{
	const size_t room = 4 * COMMAND_BYTES_MAX;
	char **argv = lessor_alloc(call, (command->count + 1) * sizeof(*argv));
	char *text = lessor_alloc(call, room);
	const char *word = command->text;
	const char *end = text ? text + room : NULL;

	if (!argv || !text)
		return NULL;
	for (size_t i = 0; i < command->count; i++) {
		argv[i] = text;
		text = word_expand(word, subject, text, end);
		if (!text || text == end)
			return NULL;
		word += strlen(word) + 1;
	}
	return argv;
}
