/* SPDX-License-Identifier: MIT */
/* lessor, the command line of lessord. */
#include <locale.h>
#include <stdio.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/interrupt.h"
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
		help_all(cli->help ? stdout : stderr, commands);
		return cli->help ? EXIT_OK : EXIT_USAGE;
	}
	cli->command = commands_find(argv[at]);
	if (!cli->command)
		return cli_usage_error(cli, "unknown command '%.40s'", argv[at]);
	return cli->command->run(cli, argc - at - 1, argv + at + 1);
}

int main(int argc, char **argv)
{
	struct cli cli = { 0 };
	int code;

	setlocale(LC_CTYPE, ""); /* for the column widths of tables */
	interrupt_setup();
	code = program_run(&cli, argc > 0 ? argc - 1 : 0, argv + (argc > 0));
	cli_end(&cli);
	if (output_finish() < 0) {
		text_error("cannot write to standard output");
		if (code == EXIT_OK)
			code = EXIT_ERROR;
	}
	return code;
}
