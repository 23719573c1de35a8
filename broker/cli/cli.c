/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/help.h"
#include "cli/interrupt.h"
#include "cli/text.h"
#include "util/alloc.h"

void cli_common_options(struct cli *cli, struct argv_option out[CLI_COMMON_MAX])
{
	const struct argv_option common[CLI_COMMON_MAX] = {
		{ "url", ARGV_VALUE, .value = &cli->flags.url },
		{ "token-file", ARGV_VALUE, .value = &cli->flags.token_file },
		{ "ca-file", ARGV_VALUE, .value = &cli->flags.ca_file },
		{ "config", ARGV_VALUE, .value = &cli->flags.config },
		{ "json", ARGV_FLAG, .seen = &cli->json },
		{ "help", ARGV_FLAG, .seen = &cli->help },
		{ "version", ARGV_FLAG, .seen = &cli->version },
		{ "token", ARGV_REFUSED,
		  .why = "there is no --token, because every user of this "
			 "machine can read a command line; use LESSOR_TOKEN or --token-file" },
		{ 0 },
	};

	memcpy(out, common, sizeof(common));
}

int cli_usage_error(const struct cli *cli, const char *fmt, ...)
{
	auto_free char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	text_error("%s", text ? text : "invalid usage");
	if (cli->command)
		text_print(stderr, "see: lessor %s --help", cli->command->name);
	else
		text_print(stderr, "see: lessor --help");
	return EXIT_USAGE;
}

int cli_parse(struct cli *cli, const struct argv_option *own, int argc, char **argv,
	      const char **words, int want)
{
	int count;

	return cli_parse_more(cli, own, argc, argv, words, want, want, &count);
}

int cli_parse_more(struct cli *cli, const struct argv_option *own, int argc, char **argv,
		   const char **words, int want, int most, int *ret_count)
{
	struct argv_option common[CLI_COMMON_MAX];
	const struct argv_syntax syntax = { .options = own, .common = common, .words_max = most };
	struct err err = { 0 };
	int count = 0;

	cli_common_options(cli, common);
	if (argv_parse(&syntax, argc, argv, words, &count, &err) < 0)
		return cli_usage_error(cli, "%s", err.text);
	if (cli->help) {
		help_command(stdout, cli->command);
		return EXIT_OK;
	}
	if (cli->version) {
		help_version(stdout);
		return EXIT_OK;
	}
	*ret_count = count;
	if (count < want || (want && !*words[0]))
		return cli_usage_error(cli, "missing argument; usage: lessor %s %s",
				       cli->command->name, cli->command->usage);
	return -1;
}

int cli_connect(struct cli *cli)
{
	struct err err = { 0 };

	if (settings_load(&cli->flags, &cli->settings, &err) == 0)
		cli->client = client_open(&cli->settings, &err);
	if (cli->client)
		return -1;
	text_error("%s", err.text);
	return EXIT_USAGE;
}

int cli_begin(struct cli *cli, const struct argv_option *own, int argc, char **argv,
	      const char **words, int want)
{
	int code = cli_parse(cli, own, argc, argv, words, want);

	return code < 0 ? cli_connect(cli) : code;
}

void cli_end(struct cli *cli)
{
	client_close(cli->client);
	cli->client = NULL;
	settings_fini(&cli->settings);
}

int cli_fail(const struct cli *cli, const struct client_response *response)
{
	if (interrupt_pending() && response->outcome != CLIENT_COMPLETE)
		return 128 + interrupt_pending();
	if (response->retry_after_s > 0)
		text_error("%s: %s; retry in %lld s", cli->command->name, response->error,
			   (long long)response->retry_after_s);
	else
		text_error("%s: %s", cli->command->name, response->error);
	if (response->outcome != CLIENT_COMPLETE)
		return EXIT_UNREACHABLE;
	return exits_from_status(response->status, client_error_code(response));
}

int cli_get(struct cli *cli, const char *path, struct client_response *ret)
{
	int code = -1;

	if (!client_get(cli->client, path, ret)) {
		code = cli_fail(cli, ret);
		client_response_fini(ret);
	}
	return code;
}

int cli_show(struct cli *cli, const char *path, void (*print)(const json_t *doc))
{
	struct client_response response;
	int code = cli_get(cli, path, &response);

	if (code >= 0)
		return code;
	if (cli->json)
		cli_print_json(response.doc);
	else
		print(response.doc);
	client_response_fini(&response);
	return EXIT_OK;
}

void cli_print_json(const json_t *doc)
{
	/* 15 digits print 0.61 as 0.61; a terminal must not receive raw C1 controls. */
	size_t flags = JSON_COMPACT | JSON_REAL_PRECISION(15);

	if (isatty(STDOUT_FILENO))
		flags |= JSON_ENSURE_ASCII;
	json_dumpf(doc, stdout, flags);
	putchar('\n');
	fflush(stdout);
}

char *cli_lease_path(const char *ref, const char *rest)
{
	auto_free char *encoded = client_encode(ref);

	return xasprintf("/v1/leases/%s%s", encoded, rest);
}
