/* SPDX-License-Identifier: MIT */
/*
 * lessor-plugin-check: would lessord take this plugin? Asked of the loader that lessord
 * has, so that what is accepted here is not refused there. Nothing of the plugin is run
 * but its entry, which by contract does nothing.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "loader/loader.h"
#include "util/err.h"

enum { EXIT_TAKEN = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2 };

static void print_help(FILE *out)
{
	fputs("lessor-plugin-check: would lessord take this provider plugin?\n"
	      "\n"
	      "  lessor-plugin-check PLUGIN.so\n"
	      "      What it says of itself, one key=value a line, if it would be taken; else\n"
	      "      one line that says why not. Like lessord it refuses a file or a directory\n"
	      "      that others could write, and symbolic links.\n"
	      "  lessor-plugin-check --version | --help\n"
	      "\n"
	      "Exit codes: 0 it would be taken, 1 it would not, 2 command line.\n",
	      out);
}

/* Absolute, as the loader wants it; not resolved, since links are for the loader to refuse. */
static int path_absolute(const char *path, char *ret, size_t room, struct err *err)
{
	char here[512] = "";
	int len;

	if (path[0] != '/' && !getcwd(here, sizeof(here)))
		return err_set(err, ERR_INVALID, "provider '%s': where we are cannot be told", path);
	len = snprintf(ret, room, "%s%s%s", here, path[0] == '/' ? "" : "/", path);
	if (len < 0 || (size_t)len >= room)
		return err_set(err, ERR_INVALID, "provider '%.64s': its path is too long", path);
	return 0;
}

/* The configuration names providers, not files: NAME is looked for as NAME.so. */
static int name_check(const struct provider *provider, struct err *err)
{
	const char *name = provider->table.name;
	const char *file = strrchr(provider->path, '/') + 1;
	size_t len = strlen(name);

	if (strncmp(file, name, len) == 0 && strcmp(file + len, ".so") == 0)
		return 0;
	return err_set(err, ERR_REFUSED,
		       "provider '%s' refused: it calls itself '%s', and would be looked for as %s.so",
		       provider->path, name, name);
}

int main(int argc, char **argv)
{
	struct provider provider = { 0 };
	struct err err = { 0 };
	char path[1024];

	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		print_help(stdout);
		return EXIT_TAKEN;
	}
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("lessor-plugin-check " LESSOR_VERSION);
		return EXIT_TAKEN;
	}
	if (argc != 2 || argv[1][0] == '-' || argv[1][0] == '\0') {
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (path_absolute(argv[1], path, sizeof(path), &err) ||
	    provider_load("", path, &provider, &err) || name_check(&provider, &err)) {
		fprintf(stderr, "lessor-plugin-check: %s\n", err.text);
		return EXIT_REFUSED;
	}
	provider_dump(&provider, stdout);
	return fflush(stdout) == 0 ? EXIT_TAKEN : EXIT_USAGE;
}
