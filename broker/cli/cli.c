/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/help.h"
#include "cli/interrupt.h"
#include "cli/lease_view.h"
#include "cli/outcome.h"
#include "cli/text.h"
#include "util/alloc.h"

void cli_common_options(struct cli *cli, struct argv_option out[CLI_COMMON_MAX])
{
	const struct argv_option common[CLI_COMMON_MAX] = {
		{ "url", ARGV_VALUE, .value = &cli->flags.url },
		{ "token-file", ARGV_VALUE, .value = &cli->flags.token_file },
		{ "ca-file", ARGV_VALUE, .value = &cli->flags.ca_file },
		{ "context", ARGV_VALUE, .value = &cli->flags.context },
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
	outcome_fail("invalid_usage", 0, text ? text : "invalid usage", NULL);
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

int cli_settings_error(const struct cli *cli, const struct err *err)
{
	(void)cli;
	text_error("%s", err->text);
	outcome_fail("invalid_settings", 0, err->text, NULL);
	return EXIT_USAGE;
}

int cli_connect(struct cli *cli)
{
	struct err err = { 0 };

	if (settings_load(&cli->flags, &cli->settings, &err) == 0)
		cli->client = client_open(&cli->settings, &err);
	if (cli->client)
		return -1;
	return cli_settings_error(cli, &err);
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

/* The `error` of a failure that has no code of the server. */
static const char *failure_code(const struct client_response *response)
{
	if (client_error_code(response))
		return client_error_code(response);
	if (response->outcome == CLIENT_NOT_SENT)
		return "unreachable";
	if (response->outcome != CLIENT_COMPLETE)
		return "no_response";
	return response->status < 300 ? "invalid_response" : "http_error";
}

int cli_fail(const struct cli *cli, const struct client_response *response)
{
	const char *message = *response->message ? response->message : response->error;

	if (interrupt_pending() && response->outcome != CLIENT_COMPLETE)
		return 128 + interrupt_pending();
	if (response->retry_after_s > 0)
		text_error("%s: %s; retry in %lld s", cli->command->name, response->error,
			   (long long)response->retry_after_s);
	else
		text_error("%s: %s", cli->command->name, response->error);
	outcome_fail(failure_code(response), response->status, message, response->doc);
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

void cli_print_json(json_t *doc)
{
	outcome_hold(doc);
}

int cli_lease_require(const struct cli *cli, const struct client_response *response)
{
	if (view_lease(response->doc))
		return -1;
	text_error("%s: the response contains no lease", cli->command->name);
	outcome_fail("invalid_response", response->status, "the response contains no lease", NULL);
	return EXIT_ERROR;
}

int cli_lease_fetch(struct cli *cli, const char *ref, json_t **ret_doc)
{
	auto_free char *path = cli_lease_path(ref, "");
	struct client_response response;
	int code = cli_get(cli, path, &response);

	if (code >= 0)
		return code;
	code = cli_lease_require(cli, &response);
	if (code < 0)
		*ret_doc = json_incref(response.doc);
	client_response_fini(&response);
	return code;
}

char *cli_lease_path(const char *ref, const char *rest)
{
	auto_free char *encoded = client_encode(ref);

	return xasprintf("/v1/leases/%s%s", encoded, rest);
}
