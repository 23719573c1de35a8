/* SPDX-License-Identifier: MIT */
/* lessor, the command line of lessord. */
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/interrupt.h"
#include "cli/outcome.h"
#include "cli/text.h"
#include "util/output.h"

static int program_run(struct cli *cli, int argc, char **argv)
{
	struct argv_option common[CLI_COMMON_MAX];
	const struct argv_syntax syntax = { .common = common, .words_max = ARGV_FIRST_WORD };
	struct err err = { 0 };
	int at;

	cli_common_options(cli, common);
	at = argv_parse(&syntax, argc, argv, NULL, NULL, &err);
	if (at < 0)
		return cli_usage_error(cli, "%s", err.text);
	if (cli->version) {
		help_version(stdout);
		return EXIT_OK;
	}
	if (at == argc) {
		if (!cli->help)
			outcome_fail("invalid_usage", 0, "no command given; see lessor --help",
				     NULL);
		help_all(cli->help ? stdout : stderr, commands);
		return cli->help ? EXIT_OK : EXIT_USAGE;
	}
	cli->command = commands_find(argv[at]);
	if (!cli->command)
		return commands_unknown(cli, argv[at]);
	return cli->command->run(cli, argc - at - 1, argv + at + 1);
}

/* Before the options are read: an error in one of them is JSON, too. */
static int json_is_wanted(int argc, char **argv)
{
	for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (!strcmp(argv[i], "--json"))
			return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct cli cli = { 0 };
	char **rest;
	int code;

	setlocale(LC_CTYPE, ""); /* for the column widths of tables */
	interrupt_setup();
	rest = argv + (argc > 0);
	argc -= argc > 0;
	cli.json = json_is_wanted(argc, rest);
	code = program_run(&cli, argc, rest);
	if (cli.json && !(cli.foreign_exit && code))
		outcome_print(code, cli.command ? cli.command->name : NULL);
	cli_end(&cli);
	if (output_finish() < 0) {
		text_error("cannot write to standard output");
		if (code == EXIT_OK)
			code = EXIT_ERROR;
	}
	return code;
}
