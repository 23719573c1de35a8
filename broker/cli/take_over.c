/* SPDX-License-Identifier: MIT */
/* lessor account take-over: an operator ends the fencing of an account. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "cli/lease_view.h"
#include "cli/text.h"
#include "util/alloc.h"

static int take_over_check(const struct cli *cli, const char *action, int looked)
{
	if (strcmp(action, "take-over"))
		return cli_usage_error(cli, "the action must be take-over NAME");
	if (!looked)
		return cli_usage_error(cli,
				       "take-over needs --looked: first check lessor sweep, lessor "
				       "list --retained and lessor list --attention");
	return -1;
}

static void take_over_print(const json_t *doc)
{
	const json_t *account = json_object_get(doc, "account");

	text_print(stdout, "%s: taken over", view_text(account, "name"));
	text_print(stderr, "%s", view_text(account, "message"));
}

int command_account(struct cli *cli, int argc, char **argv)
{
	const char *reason = NULL, *words[2];
	int looked = 0;
	const struct argv_option own[] = {
		{ "looked", ARGV_FLAG, .seen = &looked },
		{ "reason", ARGV_VALUE, .value = &reason },
		{ 0 },
	};
	struct client_request request = { .method = "POST" };
	struct client_response response;
	auto_free char *name = NULL, *path = NULL;
	int code = cli_parse(cli, own, argc, argv, words, 2);

	if (code < 0)
		code = take_over_check(cli, words[0], looked);
	if (code < 0)
		code = cli_connect(cli);
	if (code >= 0)
		return code;
	name = client_encode(words[1]);
	path = xasprintf("/v1/admin/accounts/%s/take-over", name);
	request.path = path;
	request.body = json_pack("{s:b}", "looked", 1);
	if (reason)
		json_object_set_new(request.body, "reason", json_string(reason));
	code = EXIT_OK;
	if (!client_call(cli->client, &request, &response))
		code = cli_fail(cli, &response);
	else if (cli->json)
		cli_print_json(response.doc);
	else
		take_over_print(response.doc);
	json_decref(request.body);
	client_response_fini(&response);
	return code;
}
