/* SPDX-License-Identifier: MIT */
#include "util/argv.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define NAME_SHOWN_MAX 24 /* bytes; what follows an unknown name may be a secret */

/* How many options of a table `name` may stand for; 1 if one is called that. *ret: the last. */
static int table_find(const struct argv_option *option, const char *name, size_t len,
		      int abbreviations, const struct argv_option **ret)
{
	int count = 0;

	for (; option && option->name; option++) {
		if (strncmp(option->name, name, len) != 0)
			continue;
		if (!option->name[len]) {
			*ret = option;
			return 1;
		}
		if (abbreviations && len && option->kind != ARGV_REFUSED) {
			*ret = option;
			count++;
		}
	}
	return count;
}

static const struct argv_option *option_find(const struct argv_syntax *syntax, const char *name,
					     size_t len)
{
	const struct argv_option *found = NULL;
	int count = table_find(syntax->options, name, len, syntax->abbreviations, &found);

	if (count == 1 && !found->name[len])
		return found;
	count += table_find(syntax->common, name, len, syntax->abbreviations, &found);
	return count == 1 || (found && !found->name[len]) ? found : NULL;
}

static void names_add(const struct argv_option *option, char *text, size_t size)
{
	for (; option && option->name; option++) {
		size_t len = strlen(text);

		if (option->kind != ARGV_REFUSED)
			snprintf(text + len, size - len, "%s--%s", len ? ", " : "", option->name);
	}
}

static int unknown_refuse(const struct argv_syntax *syntax, const char *name, size_t len,
			  struct err *err)
{
	char names[448] = "";

	names_add(syntax->options, names, sizeof(names));
	names_add(syntax->common, names, sizeof(names));
	return err_set(err, ERR_INVALID, "unknown option --%.*s; the options are %s",
		       len > NAME_SHOWN_MAX ? NAME_SHOWN_MAX : (int)len, name, names);
}

/* One option at argv[0]; how many elements it took, -1 on error. */
static int option_read(const struct argv_syntax *syntax, int argc, char **argv, struct err *err)
{
	const char *name = argv[0] + 2;
	size_t len = strcspn(name, "=");
	const char *value = name[len] == '=' ? name + len + 1 : NULL;
	const struct argv_option *option = option_find(syntax, name, len);
	int used = 1;

	if (!option)
		return unknown_refuse(syntax, name, len, err);
	if (option->kind == ARGV_REFUSED)
		return err_set(err, ERR_INVALID, "%s", option->why);
	if (option->kind == ARGV_FLAG && value)
		return err_set(err, ERR_INVALID, "--%s takes no value", option->name);
	if (option->kind == ARGV_VALUE && !value && argc > 1 && strncmp(argv[1], "--", 2) != 0) {
		value = argv[1];
		used = 2;
	}
	if (value ? !*value : option->kind == ARGV_VALUE)
		return err_set(err, ERR_INVALID, "--%s needs a value", option->name);
	if (option->seen)
		*option->seen = option->mark ? option->mark : 1;
	if (option->value)
		*option->value = value;
	return used;
}

int argv_parse(const struct argv_syntax *syntax, int argc, char **argv, const char **words,
	       int *ret_words, struct err *err)
{
	char *help[] = { (char *)"--help" };
	int only_words = 0, count = 0, i = 0;

	while (i < argc) {
		const char *arg = argv[i];
		int used = 1;

		if (only_words || arg[0] != '-' || !arg[1]) {
			if (syntax->words_max == ARGV_FIRST_WORD)
				break;
			if (count == syntax->words_max)
				return err_set(err, ERR_INVALID, "unexpected argument '%.60s'", arg);
			words[count++] = arg;
		} else if (strcmp(arg, "--") == 0) {
			only_words = 1;
		} else if (strcmp(arg, "-h") == 0) {
			used = option_read(syntax, 1, help, err);
		} else if (arg[1] == '-') {
			used = option_read(syntax, argc - i, argv + i, err);
		} else {
			used = err_set(err, ERR_INVALID,
				       "options have long names, such as --help; "
				       "-h is the only short one");
		}
		if (used < 0)
			return -1;
		i += used;
	}
	if (ret_words)
		*ret_words = count;
	return i;
}
