/* SPDX-License-Identifier: MIT */
/* lessor usage. */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/lease_view.h"
#include "cli/table.h"
#include "cli/text.h"
#include "util/alloc.h"
#include "util/buf.h"

#define CSV_TIMEOUT_MS (10 * 60 * 1000)

/* Two decimals, or four of less than a unit. */
static void money_add(struct buf *out, double amount, const char *currency)
{
	/* Back to the millionths that were sent, to round as decimals are: 0.005 is 0.01. */
	int64_t micros = (int64_t)(amount * 1e6 + 0.5);
	int64_t places = micros < 1000000 && micros % 10000 ? 4 : 2;
	int64_t unit = places == 4 ? 10000 : 100;
	int64_t rounded = (micros + 500000 / unit) / (1000000 / unit);

	buf_addf(out, "%s%" PRId64 ".%0*" PRId64 " %s", out->len ? " + " : "", rounded / unit,
		 (int)places, rounded % unit, currency);
}

/* An amount of each currency, "5.90 EUR + 1.20 USD"; the caller frees. */
static char *costs_join(const json_t *sum, const char *key, const char *usd_key)
{
	const json_t *costs = json_object_get(sum, "costs");
	struct buf out;
	json_t *one;
	size_t i;

	buf_init(&out, 4096);
	json_array_foreach(costs, i, one)
		money_add(&out, view_real(one, key), view_text(one, "currency"));
	/* Another coordinator has only dollars. */
	if (!json_is_array(costs))
		money_add(&out, view_real(sum, usd_key), "USD");
	return buf_take(&out);
}

/* The hours that are billed, or for which the leases lived. */
static double sum_hours(const json_t *sum)
{
	const char *key = json_object_get(sum, "billedSeconds") ? "billedSeconds" :
								  "runtimeSeconds";

	return view_real(sum, key) / 3600;
}

static void usage_rows_add(struct table *table, const json_t *usage, const char *key,
			   const char *what)
{
	json_t *one;
	size_t i;

	json_array_foreach(json_object_get(usage, key), i, one) {
		char leases[24], active[24], hours[32];
		auto_free char *cost = costs_join(one, "amount", "estimatedUSD");
		auto_free char *reserved = costs_join(one, "reserved", "reservedUSD");
		const char *cells[] = {
			what, view_text(one, "key"), leases, active, hours, cost, reserved,
		};

		snprintf(leases, sizeof(leases), "%" PRId64, view_int(one, "leases"));
		snprintf(active, sizeof(active), "%" PRId64, view_int(one, "activeLeases"));
		snprintf(hours, sizeof(hours), "%.1f", sum_hours(one));
		table_add(table, cells);
	}
}

static void limits_print(const json_t *limits)
{
	static const struct {
		const char *key;
		const char *name;
		int places;
	} lines[] = {
		{ "maxActiveLeases", "active leases in total", 0 },
		{ "maxActiveLeasesPerOwner", "active leases per owner", 0 },
		{ "maxActiveLeasesPerOrg", "active leases per org", 0 },
		{ "maxActiveLeasesPerProvider", "active leases per account", 0 },
		{ "maxHourlyPrice", "per hour in total", 2 },
		{ "maxHourlyPricePerOwner", "per hour and owner", 2 },
		{ "maxHourlyPricePerOrg", "per hour and org", 2 },
		{ "maxMonthlyCost", "per month in total", 2 },
		{ "maxMonthlyCostPerOwner", "per month and owner", 2 },
		{ "maxMonthlyCostPerOrg", "per month and org", 2 },
		{ "maxMonthlyUSD", "USD per month in total", 2 },
		{ "maxMonthlyUSDPerOwner", "USD per month and owner", 2 },
		{ "maxMonthlyUSDPerOrg", "USD per month and org", 2 },
	};

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		double value = view_real(limits, lines[i].key);

		if (value > 0)
			text_print(stdout, "limit: %.*f %s", lines[i].places, value, lines[i].name);
	}
}

static void usage_print(const json_t *doc)
{
	static const char *const headings[] = { "BY",	   "KEY",   ">LEASES",	 "~~>ACTIVE",
						"~>HOURS", ">COST", ">RESERVED", NULL };
	const json_t *usage = json_object_get(doc, "usage");
	struct table *table = table_new(headings);
	auto_free char *cost = costs_join(usage, "amount", "estimatedUSD");
	auto_free char *reserved = costs_join(usage, "reserved", "reservedUSD");

	text_fold(stdout, 2,
		  "%s: %" PRId64 " leases, %" PRId64 " active, %.1f hours, %s, %s reserved",
		  view_text(usage, "month"), view_int(usage, "leases"),
		  view_int(usage, "activeLeases"), sum_hours(usage), *cost ? cost : "no cost",
		  *reserved ? reserved : "nothing");
	if (view_int(usage, "unpriced"))
		text_fold(stdout, 2,
			  "%" PRId64 " machines have no known price and are not included",
			  view_int(usage, "unpriced"));
	usage_rows_add(table, usage, "byOwner", "owner");
	usage_rows_add(table, usage, "byOrg", "org");
	usage_rows_add(table, usage, "byProvider", "account");
	usage_rows_add(table, usage, "byServerType", "type");
	fflush(stdout);
	table_print(table);
	table_free(table);
	limits_print(json_object_get(doc, "limits"));
}

static int csv_print(struct cli *cli, const char *path)
{
	const struct client_request request = {
		.method = "GET", .path = path, .timeout_ms = CSV_TIMEOUT_MS, .csv = stdout
	};
	struct client_response response;
	int is_good = client_call(cli->client, &request, &response) && !response.doc;
	int code = EXIT_OK;

	if (response.doc && response.status == 200)
		snprintf(response.error, sizeof(response.error),
			 "this server has no CSV of its usage");
	if (!is_good)
		code = cli_fail(cli, &response);
	client_response_fini(&response);
	return code;
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
	int all = 0, csv = 0;
	const struct argv_option own[] = {
		{ "month", ARGV_VALUE, .value = &month },
		{ "all", ARGV_FLAG, .seen = &all },
		{ "csv", ARGV_FLAG, .seen = &csv },
		{ 0 },
	};
	auto_free char *path = NULL;
	char now[8];
	time_t seconds = time(NULL);
	struct tm tm;
	int code = cli_parse(cli, own, argc, argv, NULL, 0);

	if (code < 0 && month && !month_is_valid(month))
		code = cli_usage_error(cli, "--month must have the form YYYY-MM");
	if (code < 0 && csv && cli->json)
		code = cli_usage_error(cli, "--csv and --json exclude each other");
	if (code < 0)
		code = cli_connect(cli);
	if (code >= 0)
		return code;
	gmtime_r(&seconds, &tm);
	strftime(now, sizeof(now), "%Y-%m", &tm);
	path = xasprintf("/v1/usage?scope=%s&month=%s", all ? "all" : "user", month ? month : now);
	return csv ? csv_print(cli, path) : cli_show(cli, path, usage_print);
}
