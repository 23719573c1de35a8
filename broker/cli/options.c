/* SPDX-License-Identifier: MIT */
#include "cli/options.h"

#include <stdio.h>
#include <string.h>

static const struct option_spec *spec_find(const struct option_spec *specs, const char *name,
					   size_t len)
{
	for (; specs && specs->name; specs++) {
		if (strlen(specs->name) == len && !memcmp(specs->name, name, len))
			return specs;
	}
	return NULL;
}

static void names_add(const struct option_spec *specs, char *text, size_t room)
{
	for (; specs && specs->name; specs++) {
		size_t len = strlen(text);

		snprintf(text + len, room - len, "%s--%s", len ? ", " : "", specs->name);
	}
}

static int unknown(const struct option_spec *specs, const struct option_spec *more,
		   const char *name, size_t len, struct err *err)
{
	char names[256] = "";

	if (len == 5 && !memcmp(name, "token", 5))
		return err_set(err, ERR_INVALID,
			       "there is no --token, because every user of this machine can read "
			       "a command line: use LESSOR_TOKEN or --token-file");
	names_add(specs, names, sizeof(names));
	names_add(more, names, sizeof(names));
	return err_set(err, ERR_INVALID, "there is no --%.*s here; there are %s",
		       len > 24 ? 24 : (int)len, name, names);
}

/* One flag at argv[0]; how many of argv it took, -1 on error. */
static int option_read(const struct option_spec *specs, const struct option_spec *more, int argc,
		       char **argv, struct err *err)
{
	const char *name = argv[0] + 2;
	size_t len = strcspn(name, "=");
	const char *value = name[len] == '=' ? name + len + 1 : NULL;
	const struct option_spec *spec = spec_find(specs, name, len);
	int used = 1;

	if (!spec)
		spec = spec_find(more, name, len);
	if (!spec)
		return unknown(specs, more, name, len, err);
	if (spec->kind == OPTION_FLAG && value)
		return err_set(err, ERR_INVALID, "--%s takes no value", spec->name);
	if (spec->kind == OPTION_VALUE && !value) {
		if (argc < 2 || !strncmp(argv[1], "--", 2))
			return err_set(err, ERR_INVALID, "--%s needs a value", spec->name);
		value = argv[1];
		used = 2;
	}
	if (spec->kind != OPTION_FLAG && value && !*value)
		return err_set(err, ERR_INVALID, "--%s needs a value", spec->name);
	if (spec->seen)
		*spec->seen = 1;
	if (spec->value)
		*spec->value = value;
	return used;
}

int options_parse(const struct option_spec *specs, const struct option_spec *more, int argc,
		  char **argv, const char **words, int max_words, int *ret_words,
		  struct err *err)
{
	int only_words = 0, count = 0, used, i = 0;
	char *help[] = { (char *)"--help" };

	while (i < argc) {
		const char *arg = argv[i];

		if (only_words || arg[0] != '-' || !arg[1]) {
			if (!words)
				break;
			if (count == max_words)
				return err_set(err, ERR_INVALID, "'%.60s' is one word too many",
					       arg);
			words[count++] = arg;
			i++;
			continue;
		}
		if (!strcmp(arg, "--")) {
			only_words = 1;
			i++;
			continue;
		}
		if (!strcmp(arg, "-h")) {
			used = option_read(specs, more, 1, help, err);
		} else if (arg[1] == '-') {
			used = option_read(specs, more, argc - i, argv + i, err);
		} else {
			used = err_set(err, ERR_INVALID, "flags are written out, like --json; "
				       "only -h has one letter");
		}
		if (used < 0)
			return -1;
		i += used;
	}
	if (ret_words)
		*ret_words = count;
	return i;
}
