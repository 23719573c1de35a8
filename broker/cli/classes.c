/* SPDX-License-Identifier: MIT */
/* lessor classes: what a create can ask for, and what it costs. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "cli/lease_view.h"
#include "cli/offer.h"
#include "cli/table.h"
#include "cli/text.h"
#include "util/alloc.h"
#include "util/buf.h"

#define TYPES_TEXT_MAX 4096

/* "ccx13, cpx22, cx23" */
static char *types_join(const json_t *class)
{
	struct buf out;
	json_t *one;
	size_t i;

	buf_init(&out, TYPES_TEXT_MAX);
	json_array_foreach(json_object_get(class, "types"), i, one)
		buf_addf(&out, "%s%s", i ? ", " : "", view_text(one, "name"));
	return buf_take(&out);
}

static void classes_print(const json_t *doc)
{
	static const char *const headings[] = { "CLASS", ">PRICE", "TYPES", NULL };
	const char *preset = view_text(doc, "default");
	struct table *table = table_new(headings);
	json_t *one;
	size_t i;

	json_array_foreach(json_object_get(doc, "classes"), i, one) {
		const char *name = view_text(one, "name");
		auto_free char *types = types_join(one);
		auto_free char *price = view_price(one);
		const char *cells[] = { name, *price ? price : "unknown", types };

		table_add(table, cells);
	}
	table_print(table);
	table_free(table);
	text_print(stderr, "without --class: %s; a price is that of the first type available now",
		   preset);
}

int command_classes(struct cli *cli, int argc, char **argv)
{
	const char *account = NULL;
	const struct argv_option own[] = {
		{ "account", ARGV_VALUE, .value = &account },
		{ 0 },
	};
	struct client_response response;
	auto_free char *path = NULL;
	int code = cli_begin(cli, own, argc, argv, NULL, 0);

	if (code >= 0)
		return code;
	path = offer_path(account ? account : cli->settings.account);
	code = cli_get(cli, path, &response);
	if (code >= 0)
		return code;
	if (cli->json)
		cli_print_json(response.doc);
	else
		classes_print(response.doc);
	client_response_fini(&response);
	return EXIT_OK;
}
