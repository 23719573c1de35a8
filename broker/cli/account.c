/* SPDX-License-Identifier: MIT */
/* lessor providers and whoami. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "cli/lease_view.h"
#include "cli/table.h"
#include "cli/text.h"
#include "util/alloc.h"
#include "util/buf.h"

/* "a, b, c" from an array of strings; the caller frees. */
static char *list_join(const json_t *list)
{
	struct buf out;
	json_t *one;
	size_t i;

	buf_init(&out, 65536);
	json_array_foreach(list, i, one) {
		const char *text = json_string_value(one);

		buf_addf(&out, "%s%s", i ? ", " : "", text ? text : "?");
	}
	return buf_take(&out);
}

static const char *account_state(const json_t *account)
{
	if (json_is_true(json_object_get(account, "fenced")))
		return "fenced";
	if (json_is_true(json_object_get(account, "blocked")) ||
	    *view_text(account, "blocked"))
		return "blocked";
	if (json_is_false(json_object_get(account, "configured")))
		return "not configured";
	if (json_is_true(json_object_get(account, "frozen")))
		return "frozen";
	/* Another daemon owns it, and has verified it. */
	if (strcmp(view_text(account, "daemon"), "other") == 0)
		return "ready";
	return *view_text(account, "provenAt") ? "ready" : "not verified";
}

static void classes_print(const json_t *classes)
{
	static const char *const headings[] = { "CLASS", "TYPES", NULL };
	struct table *table = table_new(headings);
	json_t *one;
	size_t i;

	json_array_foreach(classes, i, one) {
		auto_free char *types = list_join(json_object_get(one, "types"));
		const char *cells[] = { view_text(one, "name"), types };

		table_add(table, cells);
	}
	if (table_count(table))
		text_print(stdout, "%s", "");
	fflush(stdout);
	table_print(table);
	table_free(table);
}

static void providers_print(const json_t *doc)
{
	static const char *const headings[] = { "ACCOUNT", "~~PLUGIN", "STATE", "LOCATIONS",
						"~IMAGE",  "MESSAGE",  NULL };
	struct table *table = table_new(headings);
	json_t *one;
	size_t i;

	json_array_foreach(json_object_get(doc, "providers"), i, one) {
		auto_free char *locations = list_join(json_object_get(one, "locations"));
		const char *cells[] = {
			view_text(one, "name"), view_text(one, "plugin"), account_state(one),
			locations, view_text(one, "image"), view_text(one, "message"),
		};

		table_add(table, cells);
	}
	if (!table_count(table))
		text_print(stderr, "no providers");
	table_print(table);
	table_free(table);
	classes_print(json_object_get(doc, "classes"));
}

int command_providers(struct cli *cli, int argc, char **argv)
{
	int code = cli_begin(cli, NULL, argc, argv, NULL, 0);

	return code < 0 ? cli_show(cli, "/v1/providers", providers_print) : code;
}

static void whoami_print(const json_t *doc)
{
	const char *org = view_text(doc, "org");
	const char *end = view_text(doc, "tokenExpiresAt");

	text_print(stdout, "%s%s%s%s", view_text(doc, "owner"), *org ? " of " : "", org,
		   json_is_true(json_object_get(doc, "admin")) ? ", admin" : "");
	if (*end)
		text_print(stdout, "the token expires %s", end);
}

int command_whoami(struct cli *cli, int argc, char **argv)
{
	int code = cli_begin(cli, NULL, argc, argv, NULL, 0);

	return code < 0 ? cli_show(cli, "/v1/whoami", whoami_print) : code;
}
