/* SPDX-License-Identifier: MIT */
/* lessor capacity: how much of which limit is used. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "cli/lease_view.h"
#include "cli/table.h"
#include "cli/text.h"
#include "util/alloc.h"

/* "0.1 EUR/h"; "-" if there is no such member. */
static char *money_text(const json_t *scope, const char *key, const char *currency)
{
	if (!json_object_get(scope, key))
		return xstrdup("-");
	return xasprintf("%.4g %s/h", view_real(scope, key), currency);
}

/* The same of a month: "12.50 EUR". */
static char *month_text(const json_t *scope, const char *key, const char *currency)
{
	if (!json_object_get(scope, key))
		return xstrdup("-");
	return xasprintf("%.2f %s", view_real(scope, key), currency);
}

static void scope_add(struct table *table, const json_t *scope, const char *owner,
		      const char *currency)
{
	const char *name = view_text(scope, "scope"), *account = view_text(scope, "provider");
	auto_free char *used = xasprintf("%lld", (long long)view_int(scope, "used"));
	auto_free char *max = json_object_get(scope, "max") ?
				      xasprintf("%lld", (long long)view_int(scope, "max")) :
				      xstrdup("-");
	auto_free char *price = money_text(scope, "hourlyPrice", currency);
	auto_free char *price_max = money_text(scope, "maxHourlyPrice", currency);
	auto_free char *text = !strcmp(name, "owner") ? xasprintf("owner %s", owner) :
			       *account		      ? xasprintf("account %s", account) :
							xstrdup(name);
	auto_free char *month = month_text(scope, "monthlyCost", currency);
	auto_free char *month_max = month_text(scope, "maxMonthlyCost", currency);
	const char *cells[] = { text, used, max, price, price_max, month, month_max };

	table_add(table, cells);
}

/* Of the server, or of an account. */
static void pause_print(const json_t *of, const char *what)
{
	const char *reason = view_text(of, "pausedReason");

	if (json_is_true(json_object_get(of, "paused")))
		text_print(stdout, "%s is paused%s%s: nothing new is created", what,
			   *reason ? ", " : "", reason);
}

static void pauses_print(const json_t *doc)
{
	json_t *one;
	size_t i;

	pause_print(doc, "the server");
	json_array_foreach(json_object_get(doc, "scopes"), i, one) {
		auto_free char *what = xasprintf("account %s", view_text(one, "provider"));

		if (!json_is_true(json_object_get(doc, "paused")))
			pause_print(one, what);
	}
}

static void capacity_print(const json_t *doc)
{
	static const char *const headings[] = { "SCOPE",      ">USED",	">MAX",	      ">PRICE",
						">MAX PRICE", ">MONTH", ">MAX MONTH", NULL };
	struct table *table = table_new(headings);
	json_t *one;
	size_t i;

	json_array_foreach(json_object_get(doc, "scopes"), i, one)
		scope_add(table, one, view_text(doc, "owner"), view_text(doc, "currency"));
	table_print(table);
	table_free(table);
	pauses_print(doc);
	/* A lessord without scopes. */
	if (!json_object_get(doc, "scopes"))
		text_print(stdout, "%s: %lld active leases", view_text(doc, "owner"),
			   (long long)view_int(doc, "activeLeases"));
}

int command_capacity(struct cli *cli, int argc, char **argv)
{
	struct client_response response;
	int code = cli_begin(cli, NULL, argc, argv, NULL, 0);

	if (code < 0)
		code = cli_get(cli, "/v1/capacity", &response);
	if (code >= 0)
		return code;
	if (cli->json)
		cli_print_json(response.doc);
	else
		capacity_print(response.doc);
	client_response_fini(&response);
	return EXIT_OK;
}
