/* SPDX-License-Identifier: MIT */
/* lessor resolve: an operator's decision about a lease in attention. */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/lease_view.h"
#include "cli/text.h"
#include "util/alloc.h"

static int is_row(const char *text)
{
	return *text && strlen(text) < 18 && text[strspn(text, "0123456789")] == '\0';
}

static int resolve_check(const struct cli *cli, const char *const *words, int count,
			 const char *row, const char *reason)
{
	const char *action = words[1];
	int adopts = !strcmp(action, "adopt");

	if (strcmp(action, "retry") && strcmp(action, "forget") && !adopts)
		return cli_usage_error(cli, "the action must be retry, forget or adopt ID");
	if (adopts != (count == 3))
		return cli_usage_error(cli,
				       adopts ? "adopt needs the resource's id at the provider" :
						"%s takes no ID",
				       action);
	if (row && !is_row(row))
		return cli_usage_error(cli, "--resource must be the number of a row; lessor show "
					    "lists them");
	if (strcmp(action, "retry") && (!reason || !*reason))
		return cli_usage_error(cli,
				       "%s needs a reason: repeat it with --reason TEXT, which "
				       "is recorded in the timeline",
				       action);
	return -1;
}

static char *resolve_path(const char *ref, const char *action)
{
	auto_free char *encoded = client_encode(ref);

	/* Owners may retry; the other actions are for admins. */
	if (!strcmp(action, "retry"))
		return cli_lease_path(ref, "/retry");
	return xasprintf("/v1/admin/leases/%s/resolve", encoded);
}

static void resolve_print(const json_t *lease, const char *action)
{
	auto_free char *name = view_name(lease);
	auto_free char *left = view_residue(lease);
	const char *attention = view_text(lease, "attention");

	text_print(stdout, "%s: %s%s%s", name,
		   !strcmp(action, "retry")  ? "retrying now" :
		   !strcmp(action, "forget") ? "forgotten" :
					       "adopted",
		   *left ? "; left: " : "", left);
	if (*attention)
		text_print(stderr, "operator action needed: %s", attention);
}

int command_resolve(struct cli *cli, int argc, char **argv)
{
	const char *row = NULL, *reason = NULL;
	const struct argv_option own[] = {
		{ "resource", ARGV_VALUE, .value = &row },
		{ "reason", ARGV_VALUE, .value = &reason },
		{ 0 },
	};
	struct client_request request = { .method = "POST" };
	struct client_response response;
	auto_free char *path = NULL;
	const char *words[3];
	int count;
	int code = cli_parse_more(cli, own, argc, argv, words, 2, 3, &count);

	if (code < 0)
		code = resolve_check(cli, words, count, row, reason);
	if (code < 0)
		code = cli_connect(cli);
	if (code >= 0)
		return code;
	path = resolve_path(words[0], words[1]);
	request.path = path;
	request.body = json_pack("{s:s}", "action", words[1]);
	if (reason)
		json_object_set_new(request.body, "reason", json_string(reason));
	if (row)
		json_object_set_new(request.body, "resource", json_integer(atoll(row)));
	if (count == 3)
		json_object_set_new(request.body, "id", json_string(words[2]));
	if (!client_call(cli->client, &request, &response)) {
		code = cli_fail(cli, &response);
	} else if (cli->json) {
		cli_print_json(response.doc);
		code = EXIT_OK;
	} else {
		resolve_print(view_lease(response.doc), words[1]);
		code = EXIT_OK;
	}
	json_decref(request.body);
	client_response_fini(&response);
	return code;
}
