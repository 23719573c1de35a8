/* SPDX-License-Identifier: MIT */
/* lessor sweep: orphans, which are resources of ours in no ledger. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "cli/lease_view.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/when.h"
#include "util/alloc.h"

static void account_print(const json_t *account, int64_t now_ms)
{
	const char *error = view_text(account, "error");
	char distance[WHEN_TEXT_SIZE];

	when_write_distance(view_text(account, "sweptAt"), now_ms, distance);
	if (*distance)
		text_fold(stdout, 2, "%s: swept %s, %lld resources of ours, %zu orphans",
			  view_text(account, "account"), distance,
			  (long long)view_int(account, "objects"),
			  json_array_size(json_object_get(account, "strays")));
	else
		text_fold(stdout, 2, "%s: not swept yet; to sweep now: lessor sweep --run",
			  view_text(account, "account"));
	if (view_int(account, "unproven"))
		text_fold(stdout, 2,
			  "%s: %lld copies, with our labels but without a valid signature; lessord never "
			  "deletes them: delete at the provider what is not needed",
			  view_text(account, "account"), (long long)view_int(account, "unproven"));
	if (*error)
		text_print(stderr,
			   "%s: the last sweep did not complete: %s; to repeat it: lessor sweep --run",
			   view_text(account, "account"), error);
	if (json_is_true(json_object_get(account, "storeIsBehind")))
		text_print(stderr,
			   "%s has resources that the database does not know. Was an older copy "
			   "restored? Orphans are not deleted there until somebody has looked, and "
			   "says so: lessor sweep --looked",
			   view_text(account, "account"));
}

static void sweep_print(const json_t *doc)
{
	static const char *const headings[] = { "~~ACCOUNT", "KIND",   "ID",
						"~~~NAME",   "~LEASE", "WHY",
						"~~~~SEEN",  "WHAT",   NULL };
	struct table *table = table_new(headings);
	int64_t now_ms = when_wall_ms();
	json_t *account, *one;
	size_t i, k;

	json_array_foreach(json_object_get(doc, "accounts"), i, account) {
		account_print(account, now_ms);
		json_array_foreach(json_object_get(account, "strays"), k, one) {
			char since[WHEN_TEXT_SIZE];
			const char *stays = view_text(one, "stays");
			const char *cells[] = {
				view_text(account, "account"), view_text(one, "kind"),
				view_text(one, "id"), view_text(one, "name"),
				view_text(one, "lease"), view_text(one, "why"), since,
				*stays ? stays : "would be deleted",
			};

			when_write_distance(view_text(one, "firstSeenAt"), now_ms, since);
			table_add(table, cells);
		}
	}
	fflush(stdout);
	table_print(table);
	table_free(table);
}

static int sweep_result(const struct cli *cli, const struct client_response *response, int deletes)
{
	if (cli->json) {
		cli_print_json(response->doc);
		return EXIT_OK;
	}
	if (deletes)
		text_print(stdout, "%lld orphan%s handed to cleanup",
			   (long long)view_int(response->doc, "deleting"),
			   view_int(response->doc, "deleting") == 1 ? "" : "s");
	sweep_print(response->doc);
	return EXIT_OK;
}

int command_sweep(struct cli *cli, int argc, char **argv)
{
	int run = 0, looked = 0, delete = 0;
	const char *account = NULL, *reason = NULL;
	const struct argv_option own[] = {
		{ "run", ARGV_FLAG, .seen = &run },
		{ "looked", ARGV_FLAG, .seen = &looked },
		{ "delete", ARGV_FLAG, .seen = &delete },
		{ "account", ARGV_VALUE, .value = &account },
		{ "reason", ARGV_VALUE, .value = &reason },
		{ 0 },
	};
	struct client_request request = { .method = "POST", .path = "/v1/admin/sweep" };
	struct client_response response;
	int code = cli_parse(cli, own, argc, argv, NULL, 0);

	if (code < 0 && run + looked + delete > 1)
		code = cli_usage_error(cli, "--run, --looked and --delete are mutually exclusive");
	if (code < 0 && !(run + looked + delete) && (account || reason))
		code = cli_usage_error(cli,
				       "--account and --reason need --run, --looked or --delete");
	if (code < 0)
		code = cli_connect(cli);
	if (code >= 0)
		return code;
	if (!(run + looked + delete)) {
		code = cli_get(cli, request.path, &response);
		if (code >= 0)
			return code;
	} else {
		request.body = json_pack("{s:s}", "action", run ? "run" : looked ? "looked" :
					 "delete");
		if (account)
			json_object_set_new(request.body, "provider", json_string(account));
		if (reason)
			json_object_set_new(request.body, "reason", json_string(reason));
		if (!client_call(cli->client, &request, &response))
			code = cli_fail(cli, &response);
		json_decref(request.body);
	}
	if (code < 0)
		code = sweep_result(cli, &response, delete);
	client_response_fini(&response);
	return code;
}
