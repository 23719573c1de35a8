/* SPDX-License-Identifier: MIT */
#include "cli/login.h"

#include <string.h>
#include <unistd.h>

#include "cli/probe.h"
#include "cli/session.h"
#include "util/alloc.h"

struct command_line login_split(int *argc, char **argv)
{
	struct command_line line = { .is_given = 0 };

	for (int i = 0; i < *argc; i++) {
		if (strcmp(argv[i], "--") != 0)
			continue;
		line.is_given = 1;
		line.count = *argc - i - 1;
		line.words = argv + i + 1;
		*argc = i;
		break;
	}
	return line;
}

int login_refuse_words(const struct cli *cli, const char *word)
{
	return cli_usage_error(cli,
			       "unexpected argument '%.60s'; put -- before the command: lessor "
			       "%s REF -- COMMAND",
			       word, cli->command->name);
}

int login_exit(const struct cli *cli, const struct transport *transport,
	       const struct session_result *result)
{
	if (result->is_missing)
		return EXIT_ERROR;
	if (result->signal)
		return 128 + result->signal;
	if (result->code == TRANSPORT_FAILED && !result->has_ended)
		probe_explain(cli, transport);
	return result->code;
}

int login_session(struct cli *cli, const struct transport *transport, const json_t *lease,
		  const struct command_line *line, int no_tty)
{
	int has_tty = isatty(STDIN_FILENO) && (!line->count || isatty(STDOUT_FILENO)) && !no_tty;
	struct session_result result;
	struct words words = { 0 };
	struct child child = { .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1 };

	words_add(&words, transport_program());
	transport_add(transport, &words);
	words_add(&words, has_tty ? "-t" : "-T");
	if (has_tty && line->count) /* not "Connection closed" after the command's output */
		words_option(&words, "LogLevel=ERROR");
	words_add(&words, "--");
	words_add(&words, transport->destination);
	if (line->count) {
		auto_free char *remote = words_remote(line->count, line->words);

		words_add(&words, remote);
	}
	child.argv = words.list;
	session_run(cli, lease, &child, has_tty, &result);
	words_fini(&words);
	return login_exit(cli, transport, &result);
}
