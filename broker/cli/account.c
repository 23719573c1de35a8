/* SPDX-License-Identifier: MIT */
/* lessor providers, usage and whoami. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/lease_view.h"
#include "cli/table.h"
#include "cli/text.h"
#include "util/alloc.h"
#include "util/buf.h"

/* GET; prints the JSON or calls `print`. */
static int response_show(struct cli *cli, const char *path, void (*print)(const json_t *doc))
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

	return code < 0 ? response_show(cli, "/v1/providers", providers_print) : code;
}

static void usage_rows_add(struct table *table, const json_t *usage, const char *key,
			   const char *what)
{
	json_t *one;
	size_t i;

	json_array_foreach(json_object_get(usage, key), i, one) {
		char leases[24], active[24], hours[32], estimated[32], reserved[32];
		const char *cells[] = {
			what, view_text(one, "key"), leases, active, hours, estimated, reserved,
		};

		snprintf(leases, sizeof(leases), "%lld", (long long)view_int(one, "leases"));
		snprintf(active, sizeof(active), "%lld", (long long)view_int(one, "activeLeases"));
		snprintf(hours, sizeof(hours), "%.1f", view_real(one, "runtimeSeconds") / 3600);
		snprintf(estimated, sizeof(estimated), "%.2f", view_real(one, "estimatedUSD"));
		snprintf(reserved, sizeof(reserved), "%.2f", view_real(one, "reservedUSD"));
		table_add(table, cells);
	}
}

static void limits_print(const json_t *limits)
{
	static const struct {
		const char *key;
		const char *name;
		int money;
	} lines[] = {
		{ "maxActiveLeases", "active leases in total", 0 },
		{ "maxActiveLeasesPerOwner", "active leases per owner", 0 },
		{ "maxActiveLeasesPerOrg", "active leases per org", 0 },
		{ "maxMonthlyUSD", "USD per month in total", 1 },
		{ "maxMonthlyUSDPerOwner", "USD per month and owner", 1 },
		{ "maxMonthlyUSDPerOrg", "USD per month and org", 1 },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(lines); i++) {
		double value = view_real(limits, lines[i].key);

		if (value > 0)
			text_print(stdout, "limit: %.*f %s", lines[i].money ? 2 : 0, value,
				   lines[i].name);
	}
}

static void usage_print(const json_t *doc)
{
	static const char *const headings[] = { "BY",	   "KEY",  ">LEASES",	    "~~>ACTIVE",
						"~>HOURS", ">USD", ">RESERVED USD", NULL };
	const json_t *usage = json_object_get(doc, "usage");
	struct table *table = table_new(headings);

	text_fold(stdout, 2,
		  "%s: %lld leases, %lld active, %.1f hours, %.2f USD, %.2f USD reserved",
		  view_text(usage, "month"), (long long)view_int(usage, "leases"),
		  (long long)view_int(usage, "activeLeases"),
		  view_real(usage, "runtimeSeconds") / 3600, view_real(usage, "estimatedUSD"),
		  view_real(usage, "reservedUSD"));
	usage_rows_add(table, usage, "byOwner", "owner");
	usage_rows_add(table, usage, "byOrg", "org");
	usage_rows_add(table, usage, "byProvider", "account");
	usage_rows_add(table, usage, "byServerType", "type");
	fflush(stdout);
	table_print(table);
	table_free(table);
	limits_print(json_object_get(doc, "limits"));
}

static int month_is_valid(const char *month)
{
	int year, number, end = 0;

	if (strlen(month) != 7 || month[strspn(month, "0123456789-")])
		return 0;
	return sscanf(month, "%4d-%2d%n", &year, &number, &end) == 2 && end == 7 && year > 0 &&
	       number >= 1 && number <= 12;
}

int command_usage(struct cli *cli, int argc, char **argv)
{
	const char *month = NULL;
	int all = 0;
	const struct argv_option own[] = {
		{ "month", ARGV_VALUE, .value = &month },
		{ "all", ARGV_FLAG, .seen = &all },
		{ 0 },
	};
	auto_free char *path = NULL;
	char now[8];
	time_t seconds = time(NULL);
	struct tm tm;
	int code = cli_parse(cli, own, argc, argv, NULL, 0);

	if (code < 0 && month && !month_is_valid(month))
		code = cli_usage_error(cli, "--month must have the form YYYY-MM");
	if (code < 0)
		code = cli_connect(cli);
	if (code >= 0)
		return code;
	gmtime_r(&seconds, &tm);
	strftime(now, sizeof(now), "%Y-%m", &tm);
	path = xasprintf("/v1/usage?scope=%s&month=%s", all ? "all" : "user", month ? month : now);
	return response_show(cli, path, usage_print);
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

	return code < 0 ? response_show(cli, "/v1/whoami", whoami_print) : code;
}
