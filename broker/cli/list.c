/* SPDX-License-Identifier: MIT */
/* lessor list, show and heartbeat. */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/lease_view.h"
#include "cli/notice.h"
#include "cli/pages.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/when.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/time.h"

#define LIST_MAX 10000

static int array_has(const json_t *leases, const char *id)
{
	json_t *one;
	size_t i;

	json_array_foreach(leases, i, one) {
		if (!strcmp(view_text(one, "id"), id))
			return 1;
	}
	return 0;
}

/* A coordinator without our filters also sends other leases. */
static int lease_is_current(const json_t *kept, const json_t *lease)
{
	return (view_is_live(lease) || view_what_is_left(lease) != LEFT_NOTHING) &&
	       !array_has(kept, view_text(lease, "id"));
}

static int leases_fetch(struct cli *cli, const char *query, int only_current, json_t *into)
{
	int has_more = 0;
	int code = pages_fetch(cli, query, only_current ? lease_is_current : NULL, into, LIST_MAX,
			       &has_more);

	if (code < 0 && has_more)
		text_warning("list: only the newest %d are shown", LIST_MAX);
	return code;
}

/* What is listed, beside the exclusive views of command_list. */
struct list_filters {
	const char *owner;
	const char *account;
	const char *state;
	const char *class_name;
	const char *since; /* as the user wrote it */
	char since_text[TIME_TEXT_ROOM];
};

/* Appends `&key=value`, unless the value is NULL. */
static void query_add(struct buf *query, const char *key, const char *value)
{
	auto_free char *encoded = value ? client_encode(value) : NULL;

	if (encoded)
		buf_addf(query, "&%s=%s", key, encoded);
}

/* `view` is the query of the exclusive view; the caller frees. */
static char *query_build(const char *view, const struct list_filters *filters)
{
	struct buf query;

	buf_init(&query, 4096);
	buf_adds(&query, view);
	query_add(&query, "owner", filters->owner);
	query_add(&query, "provider", filters->account);
	query_add(&query, "state", filters->state);
	query_add(&query, "class", filters->class_name);
	query_add(&query, "since", filters->since ? filters->since_text : NULL);
	return buf_take(&query);
}

static const char *left_word(const json_t *lease)
{
	switch (view_what_is_left(lease)) {
	case LEFT_PENDING:
		return "cleaning up";
	case LEFT_ATTENTION:
		return "needs action";
	case LEFT_KEPT:
		return "kept";
	case LEFT_NOTHING:
		break;
	}
	return view_is_live(lease) ? "" : "gone";
}

/* ---- the table of leases ----------------------------------------------------------- */

/* The columns that are shown only if they say something. */
struct list_columns {
	int has_account; /* the leases are in several accounts */
	int has_owner;	 /* they are not just one's own */
};

/* Whose token is it? One's own leases need no owner. */
static int owner_is_shown(struct cli *cli, const json_t *leases)
{
	struct client_response response;
	json_t *one;
	size_t i;
	int is_shown = 0;

	if (client_get(cli->client, "/v1/whoami", &response)) {
		const char *role = view_text(response.doc, "role");

		is_shown = !strcmp(role, "admin") || !strcmp(role, "reader") ||
			   json_is_true(json_object_get(response.doc, "admin"));
		json_array_foreach(leases, i, one)
			is_shown |= strcmp(view_text(one, "owner"),
					   view_text(response.doc, "owner")) != 0;
	}
	client_response_fini(&response);
	return is_shown;
}

static struct list_columns columns_choose(struct cli *cli, const json_t *leases)
{
	const char *account = view_text(json_array_get(leases, 0), "provider");
	struct list_columns columns = { .has_owner = owner_is_shown(cli, leases) };
	json_t *one;
	size_t i;

	json_array_foreach(leases, i, one)
		columns.has_account |= strcmp(view_text(one, "provider"), account) != 0;
	return columns;
}

static struct table *leases_table(const struct list_columns *columns)
{
	const char *headings[12] = {
		"LEASE",   "SLUG",   "STATE", "~~~~TYPE", "~~~~~LOCATION",
		"~>PRICE", "~~>AGE", "ENDS",  "LEFT",
	};
	size_t count = 9;

	if (columns->has_account)
		headings[count++] = "~~~~~ACCOUNT";
	if (columns->has_owner)
		headings[count++] = "~~~OWNER";
	headings[count] = NULL;
	return table_new(headings);
}

static void lease_add(struct table *table, const struct list_columns *columns, const json_t *lease,
		      int64_t now_ms)
{
	char ends[WHEN_TEXT_SIZE], age[WHEN_TEXT_SIZE];
	auto_free char *price = view_price(lease);
	const char *cells[12] = {
		view_text(lease, "id"),
		view_text(lease, "slug"),
		view_text(lease, "state"),
		view_text(lease, "serverType"),
		view_text(lease, "region"),
		price,
		age,
		ends,
		left_word(lease),
	};
	size_t count = 9;

	when_write_length(view_text(lease, "createdAt"), now_ms, age);
	when_write_distance(view_text(lease, view_is_live(lease) ? "expiresAt" : "endedAt"), now_ms,
			    ends);
	if (columns->has_account)
		cells[count++] = view_text(lease, "provider");
	if (columns->has_owner)
		cells[count++] = view_text(lease, "owner");
	table_add(table, cells);
}

/* How many, and what those that may cost money cost; in the currency of the first price. */
static void total_print(const json_t *leases)
{
	const char *currency = "";
	double sum = 0;
	json_t *one;
	size_t i;

	json_array_foreach(leases, i, one) {
		const char *of = view_text(one, "currency");

		if (!view_is_live(one) && view_what_is_left(one) == LEFT_NOTHING)
			continue;
		if (!*currency)
			currency = of;
		if (strcmp(currency, of) && *of)
			currency = NULL;
		if (!currency)
			break;
		sum += view_real(one, "hourlyPrice");
	}
	if (json_array_size(leases) < 2)
		return;
	if (currency && sum > 0)
		text_print(stderr, "%zu leases, %.4g %s/h", json_array_size(leases), sum, currency);
	else
		text_print(stderr, "%zu leases", json_array_size(leases));
}

static void leases_print(struct cli *cli, const json_t *leases)
{
	struct list_columns columns;
	struct table *table;
	int64_t now_ms = when_wall_ms();
	json_t *one;
	size_t i;

	if (!json_array_size(leases)) {
		text_print(stderr, "no leases");
		return;
	}
	columns = columns_choose(cli, leases);
	table = leases_table(&columns);
	json_array_foreach(leases, i, one)
		lease_add(table, &columns, one, now_ms);
	table_print(table);
	table_free(table);
	/* Nobody reads on, as in `lessor list | head`. */
	if (!fflush(stdout) && !ferror(stdout))
		total_print(leases);
}

/* Leases that cost money because a client wants to keep the server. */
static void retained_print(const json_t *leases)
{
	static const char *const headings[] = { "LEASE",	"~~SLUG", "~~OWNER", "~~~~KEPT",
						"~~~RETENTION", "~SINCE", "UNTIL",   ">COST",
						"REASON",	NULL };
	struct table *table = table_new(headings);
	int64_t now_ms = when_wall_ms();
	json_t *one;
	size_t i;

	json_array_foreach(leases, i, one) {
		char since[WHEN_TEXT_SIZE], until[WHEN_TEXT_SIZE], cost[40] = "";
		auto_free char *left = view_residue(one);
		const char *cells[] = {
			view_text(one, "id"), view_text(one, "slug"), view_text(one, "owner"), left,
			view_text(one, "retention"), since, until, cost,
			view_text(one, "retainReason"),
		};

		when_write_distance(view_text(one, "endedAt"), now_ms, since);
		when_write_distance(view_text(one, "retainUntil"), now_ms, until);
		if (view_real(one, "runningCost") > 0)
			snprintf(cost, sizeof(cost), "%.2f %.8s", view_real(one, "runningCost"),
				 view_text(one, "currency"));
		table_add(table, cells);
	}
	if (!table_count(table))
		text_print(stderr, "no leases");
	table_print(table);
	table_free(table);
}

static void attention_print(const json_t *leases)
{
	static const char *const headings[] = { "LEASE", "~~SLUG", "~OWNER", "~~~LEFT",
						"NEXT",	 "REASON", NULL };
	struct table *table = table_new(headings);
	json_t *one;
	size_t i;

	json_array_foreach(leases, i, one) {
		auto_free char *left = view_residue(one);
		auto_free char *reason = view_attention_reason(one);
		const char *cells[] = {
			view_text(one, "id"),
			view_text(one, "slug"),
			view_text(one, "owner"),
			left,
			view_text(one, "attentionAction"),
			reason,
		};

		table_add(table, cells);
	}
	if (!table_count(table))
		text_print(stderr, "no leases");
	table_print(table);
	table_free(table);
}

/* ---- the commands ------------------------------------------------------------------ */

/* Before anything is sent. -1 to continue, otherwise the exit code. */
static int state_check(const struct cli *cli, const char *state)
{
	static const char *const states[] = { "provisioning", "active", "released", "expired",
					      "failed" };
	size_t i;

	for (i = 0; state && i < ARRAY_LEN(states); i++) {
		if (!strcmp(states[i], state))
			state = NULL;
	}
	if (!state)
		return -1;
	return cli_usage_error(cli,
			       "--state '%.40s' is not a state; the states are provisioning, active, "
			       "released, expired and failed",
			       state);
}

struct list_views {
	int all, retained, attention;
};

/* -1, or the exit code after an error. */
static int list_options(struct cli *cli, int argc, char **argv, struct list_views *views,
			struct list_filters *filters)
{
	const struct argv_option own[] = {
		{ "all", ARGV_FLAG, .seen = &views->all },
		{ "state", ARGV_VALUE, .value = &filters->state },
		{ "class", ARGV_VALUE, .value = &filters->class_name },
		{ "account", ARGV_VALUE, .value = &filters->account },
		{ "owner", ARGV_VALUE, .value = &filters->owner },
		{ "since", ARGV_VALUE, .value = &filters->since },
		{ "retained", ARGV_FLAG, .seen = &views->retained },
		{ "attention", ARGV_FLAG, .seen = &views->attention },
		{ 0 },
	};
	struct err err = { 0 };
	int code = cli_parse(cli, own, argc, argv, NULL, 0);

	if (code < 0 &&
	    views->all + (filters->state != NULL) + views->retained + views->attention > 1)
		code = cli_usage_error(cli, "--all, --state, --retained and --attention are "
					    "mutually exclusive");
	if (code < 0 && filters->since &&
	    when_parse_since(filters->since, when_wall_ms(), filters->since_text, &err))
		code = cli_usage_error(cli, "--since: %s", err.text);
	return code;
}

/* Live leases, and ended ones that may still cost money, unless something else is asked for. */
static const char *view_query(const struct list_views *views, const struct list_filters *filters)
{
	if (views->retained)
		return "&cleanup=retained";
	if (views->attention)
		return "&attention=true";
	return views->all || filters->state ? "" : "&view=current";
}

static void list_print(struct cli *cli, const struct list_views *views, const json_t *leases)
{
	if (views->retained)
		retained_print(leases);
	else if (views->attention)
		attention_print(leases);
	else
		leases_print(cli, leases);
}

int command_list(struct cli *cli, int argc, char **argv)
{
	struct list_filters filters = { .owner = NULL };
	struct list_views views = { .all = 0 };
	auto_free char *query = NULL;
	json_t *leases, *doc;
	int code = list_options(cli, argc, argv, &views, &filters);

	if (code < 0)
		code = state_check(cli, filters.state);
	if (code < 0)
		code = cli_connect(cli);
	if (code >= 0)
		return code;
	query = query_build(view_query(&views, &filters), &filters);
	leases = json_array();
	doc = json_pack("{s:o}", "leases", leases);
	code = leases_fetch(cli, query, strstr(query, "view=current") != NULL, leases);
	if (code < 0) {
		if (cli->json)
			cli_print_json(doc);
		else
			list_print(cli, &views, leases);
		code = EXIT_OK;
	}
	json_decref(doc);
	return code;
}

int command_show(struct cli *cli, int argc, char **argv)
{
	json_t *doc = NULL;
	const char *ref;
	int code = cli_begin(cli, NULL, argc, argv, &ref, 1);

	if (code < 0)
		code = cli_lease_fetch(cli, ref, &doc);
	if (code < 0) {
		if (cli->json)
			cli_print_json(doc);
		else
			view_print(stdout, view_lease(doc));
		code = EXIT_OK;
	}
	json_decref(doc);
	return code;
}

static int heartbeat_print(const struct cli *cli, const struct client_response *response)
{
	const json_t *lease = view_lease(response->doc);
	auto_free char *name = view_name(lease);
	char distance[WHEN_TEXT_SIZE];

	notice_print(lease);
	if (cli->json) {
		cli_print_json(response->doc);
		return EXIT_OK;
	}
	when_write_distance(view_text(lease, "expiresAt"), when_wall_ms(), distance);
	text_print(stdout, "%s %s, ends %s (%s)", name, view_text(lease, "state"), distance,
		   view_text(lease, "expiresAt"));
	return EXIT_OK;
}

int command_heartbeat(struct cli *cli, int argc, char **argv)
{
	const char *idle = NULL, *ref;
	const struct argv_option own[] = {
		{ "idle", ARGV_VALUE, .value = &idle },
		{ 0 },
	};
	struct client_request request = { .method = "POST" };
	struct client_response response;
	struct err err = { 0 };
	auto_free char *path = NULL;
	int64_t seconds;
	int code = cli_parse(cli, own, argc, argv, &ref, 1);

	if (code < 0 && idle && when_parse_seconds(idle, &seconds, &err))
		code = cli_usage_error(cli, "--idle: %s", err.text);
	if (code < 0)
		code = cli_connect(cli);
	if (code >= 0)
		return code;
	path = cli_lease_path(ref, "/heartbeat");
	request.path = path;
	request.body = json_object();
	if (idle)
		json_object_set_new(request.body, "idleTimeoutSeconds", json_integer(seconds));
	if (client_call(cli->client, &request, &response))
		code = cli_lease_require(cli, &response);
	else
		code = cli_fail(cli, &response);
	if (code < 0)
		code = heartbeat_print(cli, &response);
	json_decref(request.body);
	client_response_fini(&response);
	return code;
}
