/* SPDX-License-Identifier: MIT */
/*
 * lessor-plugin-check: would lessord accept this plugin? It uses the same loader as
 * lessord, so that both accept the same plugins. Only the plugin's entry function is
 * called, which by contract has no side effects.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "loader/loader.h"
#include "util/err.h"

enum { EXIT_ACCEPTED = 0, EXIT_REJECTED = 1, EXIT_USAGE = 2 };

static void print_help(FILE *out)
{
	fputs("lessor-plugin-check: check whether lessord would accept a provider plugin\n"
	      "\n"
	      "  lessor-plugin-check PLUGIN.so\n"
	      "      Print its description, one key=value per line, if it would be accepted,\n"
	      "      otherwise the reason. Like lessord it rejects files and directories that\n"
	      "      others can write to, and symbolic links.\n"
	      "  lessor-plugin-check --version | --help\n"
	      "\n"
	      "Exit codes: 0 accepted, 1 rejected, 2 invalid command line.\n",
	      out);
}

/* Made absolute for the loader, but not resolved: the loader rejects links. */
static int path_absolute(const char *path, char *ret, size_t room, struct err *err)
{
	char here[512] = "";
	int len;

	if (path[0] != '/' && !getcwd(here, sizeof(here)))
		return err_set(err, ERR_INVALID,
			       "provider '%s': cannot determine the current directory", path);
	len = snprintf(ret, room, "%s%s%s", here, path[0] == '/' ? "" : "/", path);
	if (len < 0 || (size_t)len >= room)
		return err_set(err, ERR_INVALID, "provider '%.64s': path too long", path);
	return 0;
}

/* The configuration names providers, not files: lessord looks for NAME in NAME.so. */
static int name_check(const struct provider *provider, struct err *err)
{
	const char *name = provider->table.name;
	const char *file = strrchr(provider->path, '/') + 1;
	size_t len = strlen(name);

	if (strncmp(file, name, len) == 0 && strcmp(file + len, ".so") == 0)
		return 0;
	return err_set(err, ERR_REFUSED,
		       "provider '%s' refused: its name is '%s', so lessord would look for %s.so",
		       provider->path, name, name);
}

int main(int argc, char **argv)
{
	struct provider provider = { 0 };
	struct err err = { 0 };
	char path[1024];

	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		print_help(stdout);
		return EXIT_ACCEPTED;
	}
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("lessor-plugin-check " LESSOR_VERSION);
		return EXIT_ACCEPTED;
	}
	if (argc != 2 || argv[1][0] == '-' || argv[1][0] == '\0') {
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (path_absolute(argv[1], path, sizeof(path), &err) ||
	    provider_load("", path, &provider, &err) || name_check(&provider, &err)) {
		fprintf(stderr, "lessor-plugin-check: %s\n", err.text);
		return EXIT_REJECTED;
	}
	provider_dump(&provider, stdout);
	return fflush(stdout) == 0 ? EXIT_ACCEPTED : EXIT_USAGE;
}
