/* SPDX-License-Identifier: MIT */
/* lessor queue: who waits for capacity, and in which place. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "cli/lease_view.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/when.h"

#define COLUMNS_MAX 8

/* Do the entries differ in this member? Only then it gets a column. */
static int is_mixed(const json_t *entries, const char *key)
{
	const char *first = view_text(json_array_get(entries, 0), key);
	json_t *one;
	size_t i;

	json_array_foreach(entries, i, one) {
		if (strcmp(view_text(one, key), first))
			return 1;
	}
	return 0;
}

static void entries_print(const json_t *entries)
{
	int has_owner = is_mixed(entries, "owner"), has_account = is_mixed(entries, "provider");
	const char *headings[COLUMNS_MAX] = { "PLACE", "LEASE", "SLUG" };
	int64_t now_ms = when_wall_ms();
	struct table *table;
	json_t *one;
	size_t i, columns = 3;

	if (has_owner)
		headings[columns++] = "OWNER";
	if (has_account)
		headings[columns++] = "ACCOUNT";
	headings[columns++] = "SINCE";
	headings[columns] = "LIMIT";
	table = table_new(headings);
	json_array_foreach(entries, i, one) {
		char place[48], since[WHEN_TEXT_SIZE];
		const char *cells[COLUMNS_MAX] = { place, view_text(one, "id"),
						   view_text(one, "slug") };

		columns = 3;
		snprintf(place, sizeof(place), "%lld of %lld", (long long)view_int(one, "place"),
			 (long long)view_int(one, "of"));
		when_write_minutes(view_text(one, "since"), now_ms, since);
		if (has_owner)
			cells[columns++] = view_text(one, "owner");
		if (has_account)
			cells[columns++] = view_text(one, "provider");
		cells[columns++] = since;
		cells[columns] = view_text(one, "scope");
		table_add(table, cells);
	}
	table_print(table);
	table_free(table);
}

static void totals_print(const json_t *accounts)
{
	json_t *one;
	size_t i;

	json_array_foreach(accounts, i, one)
		text_print(stderr, "%s: %lld waiting in all", view_text(one, "provider"),
			   (long long)view_int(one, "waiting"));
}

int command_queue(struct cli *cli, int argc, char **argv)
{
	struct client_response response;
	const json_t *entries;
	int code = cli_begin(cli, NULL, argc, argv, NULL, 0);

	if (code < 0)
		code = cli_get(cli, "/v1/queue", &response);
	if (code >= 0)
		return code;
	entries = json_object_get(response.doc, "queue");
	if (cli->json) {
		cli_print_json(response.doc);
	} else if (!json_array_size(entries)) {
		text_print(stderr, "nothing of yours waits for capacity");
		totals_print(json_object_get(response.doc, "accounts"));
	} else {
		entries_print(entries);
	}
	client_response_fini(&response);
	return EXIT_OK;
}
