/* SPDX-License-Identifier: MIT */
/* lessor daemons: the lessord on one database, and which of them owns which account. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "cli/lease_view.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/when.h"

/* Enough of an id to tell a few daemons apart; --json has all of it. */
#define SHORT_ID 8

static void id_shorten(const char *id, char out[SHORT_ID + 1])
{
	snprintf(out, SHORT_ID + 1, "%s", id);
}

static void daemons_print(const json_t *doc, int64_t now_ms)
{
	static const char *const headings[] = { "DAEMON", "ADDRESS", "~VERSION",
						"~~UP",	  "STATE",   NULL };
	struct table *table = table_new(headings);
	json_t *one;
	size_t i;

	json_array_foreach(json_object_get(doc, "daemons"), i, one) {
		char id[SHORT_ID + 1], up[WHEN_TEXT_SIZE], seen[WHEN_TEXT_SIZE], state[64];
		const char *cells[] = { id, view_text(one, "address"), view_text(one, "version"),
					up, state };

		id_shorten(view_text(one, "id"), id);
		when_write_length(view_text(one, "startedAt"), now_ms, up);
		when_write_minutes(view_text(one, "seenAt"), now_ms, seen);
		if (!json_is_true(json_object_get(one, "alive")))
			snprintf(state, sizeof(state), "silent, seen %s", seen);
		else
			snprintf(state, sizeof(state), "%s",
				 json_is_true(json_object_get(one, "self")) ? "alive, this one" :
									      "alive");
		table_add(table, cells);
	}
	table_print(table);
	table_free(table);
}

static void accounts_print(const json_t *doc, int64_t now_ms)
{
	static const char *const headings[] = { "ACCOUNT", "OWNER",   "SINCE",
						">EPOCH",  "~FROZEN", NULL };
	struct table *table = table_new(headings);
	json_t *one;
	size_t i;

	json_array_foreach(json_object_get(doc, "accounts"), i, one) {
		char id[SHORT_ID + 1], since[WHEN_TEXT_SIZE] = "", epoch[24];
		const char *owner = view_text(one, "daemon");
		const char *cells[] = { view_text(one, "account"), *owner ? id : "nobody", since,
					epoch, view_text(one, "frozen") };

		id_shorten(owner, id);
		if (*owner)
			when_write_minutes(view_text(one, "since"), now_ms, since);
		snprintf(epoch, sizeof(epoch), "%lld", (long long)view_int(one, "epoch"));
		table_add(table, cells);
	}
	if (table_count(table))
		text_print(stdout, "%s", "");
	table_print(table);
	table_free(table);
}

int command_daemons(struct cli *cli, int argc, char **argv)
{
	struct client_response response;
	int code = cli_begin(cli, NULL, argc, argv, NULL, 0);

	if (code < 0)
		code = cli_get(cli, "/v1/daemons", &response);
	if (code >= 0)
		return code;
	if (cli->json) {
		cli_print_json(response.doc);
	} else {
		daemons_print(response.doc, when_wall_ms());
		accounts_print(response.doc, when_wall_ms());
	}
	client_response_fini(&response);
	return EXIT_OK;
}
