/* SPDX-License-Identifier: MIT */
/* lessor resolve: what a person decides about a lease that cannot go on by itself. */
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
		return cli_usage_error(cli, "resolve does retry, forget or adopt ID");
	if (adopts != (count == 3))
		return cli_usage_error(cli, adopts ? "adopt needs the provider's id" :
				       "%s takes no more words", action);
	if (row && !is_row(row))
		return cli_usage_error(cli, "--resource: the number of a row; lessor show names it");
	if (strcmp(action, "retry") && (!reason || !*reason))
		return cli_usage_error(cli, "%s needs --reason TEXT; it stays in the timeline",
				       action);
	return -1;
}

static char *resolve_path(const char *ref, const char *action)
{
	auto_free char *encoded = client_encode(ref);

	/* An owner may retry; the rest is an admin's. */
	if (!strcmp(action, "retry"))
		return cli_lease_path(ref, "/retry");
	return xasprintf("/v1/admin/leases/%s/resolve", encoded);
}

static void resolve_tell(const json_t *lease, const char *action)
{
	auto_free char *name = view_name(lease);
	auto_free char *left = view_residue(lease);
	const char *attention = view_text(lease, "attention");

	text_say(stdout, "%s: %s%s%s", name, !strcmp(action, "retry") ? "tried again now" :
		 !strcmp(action, "forget") ? "forgotten" : "adopted", *left ? "; left: " : "", left);
	if (*attention)
		text_say(stderr, "a person is needed: %s", attention);
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
	struct client_answer answer;
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
	if (!client_call(cli->client, &request, &answer)) {
		code = cli_fail(cli, &answer);
	} else if (cli->json) {
		cli_print_json(answer.doc);
		code = EXIT_OK;
	} else {
		resolve_tell(view_lease(answer.doc), words[1]);
		code = EXIT_OK;
	}
	json_decref(request.body);
	client_answer_fini(&answer);
	return code;
}
