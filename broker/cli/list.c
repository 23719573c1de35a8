/* SPDX-License-Identifier: MIT */
/* lessor list, show and heartbeat. */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/lease_view.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/when.h"
#include "util/alloc.h"

#define PAGE 500 /* lessord's maximum */
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

/* Appends a page of leases; *before becomes the start of the next page, NULL at the end. */
static int page_fetch(struct cli *cli, const char *query, int only_current, json_t *into,
		      char **before)
{
	auto_free char *from = *before ? client_encode(*before) : NULL;
	auto_free char *path = xasprintf("/v1/leases?limit=%d%s%s%s", PAGE, query,
					 from ? "&before=" : "", from ? from : "");
	struct client_response response;
	const char *next;
	json_t *one;
	size_t i;
	int code = cli_get(cli, path, &response);

	if (code >= 0)
		return code;
	json_array_foreach(json_object_get(response.doc, "leases"), i, one) {
		/* A coordinator without our filters also sends other leases. */
		if (only_current && ((!view_is_live(one) &&
				      view_what_is_left(one) == LEFT_NOTHING) ||
				     array_has(into, view_text(one, "id"))))
			continue;
		json_array_append(into, one);
	}
	next = view_text(response.doc, "nextBefore");
	free(*before);
	*before = *next ? xstrdup(next) : NULL;
	client_response_fini(&response);
	return -1;
}

static int leases_fetch(struct cli *cli, const char *query, int only_current, json_t *into)
{
	auto_free char *before = NULL;
	int code;

	do {
		code = page_fetch(cli, query, only_current, into, &before);
		if (code >= 0)
			return code;
	} while (before && json_array_size(into) < LIST_MAX);
	if (before)
		text_warning("list: only the newest %d are shown", LIST_MAX);
	return -1;
}

/* Live leases, and ended ones that may still cost money. */
static int leases_current(struct cli *cli, json_t *into)
{
	static const char *const queries[] = {
		"&state=provisioning", "&state=active",
		"&cleanup=owed", "&cleanup=attention", "&cleanup=retained",
	};
	int code = -1;
	size_t i;

	for (i = 0; i < ARRAY_LEN(queries) && code < 0; i++)
		code = leases_fetch(cli, queries[i], 1, into);
	return code;
}

static int leases_some(struct cli *cli, const char *state, json_t *into)
{
	auto_free char *encoded = state ? client_encode(state) : NULL;
	auto_free char *query = encoded ? xasprintf("&state=%s", encoded) : xstrdup("");

	return leases_fetch(cli, query, 0, into);
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

static void leases_print(const json_t *leases)
{
	static const char *const headings[] = { "LEASE",      "SLUG",	  "STATE",
						"~~~ACCOUNT", "~~~~TYPE", "~~HOST",
						"~ENDS",      "LEFT",	  NULL };
	struct table *table = table_new(headings);
	int64_t now_ms = when_wall_ms();
	json_t *one;
	size_t i;

	json_array_foreach(leases, i, one) {
		char distance[WHEN_TEXT_SIZE];
		const char *cells[] = {
			view_text(one, "id"), view_text(one, "slug"), view_text(one, "state"),
			view_text(one, "provider"), view_text(one, "serverType"),
			view_text(one, "host"), distance, left_word(one),
		};

		when_write_distance(view_text(one, view_is_live(one) ? "expiresAt" : "endedAt"),
				    now_ms, distance);
		table_add(table, cells);
	}
	if (!table_count(table))
		text_print(stderr, "no leases");
	table_print(table);
	table_free(table);
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
	static const char *const headings[] = { "LEASE",   "~~OWNER",	"~STATE",
						"~~~LEFT", "ATTENTION", NULL };
	struct table *table = table_new(headings);
	json_t *one;
	size_t i;

	json_array_foreach(leases, i, one) {
		auto_free char *left = view_residue(one);
		const char *cells[] = {
			view_text(one, "id"), view_text(one, "owner"), view_text(one, "state"), left,
			view_text(one, "attention"),
		};

		table_add(table, cells);
	}
	if (!table_count(table))
		text_print(stderr, "no leases");
	table_print(table);
	table_free(table);
}

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

int command_list(struct cli *cli, int argc, char **argv)
{
	const char *state = NULL;
	int all = 0, retained = 0, attention = 0;
	const struct argv_option own[] = {
		{ "all", ARGV_FLAG, .seen = &all },
		{ "state", ARGV_VALUE, .value = &state },
		{ "retained", ARGV_FLAG, .seen = &retained },
		{ "attention", ARGV_FLAG, .seen = &attention },
		{ 0 },
	};
	json_t *leases, *doc;
	int code = cli_parse(cli, own, argc, argv, NULL, 0);

	if (code < 0 && all + (state != NULL) + retained + attention > 1)
		code = cli_usage_error(cli, "--all, --state, --retained and --attention are "
					    "mutually exclusive");
	if (code < 0)
		code = state_check(cli, state);
	if (code < 0)
		code = cli_connect(cli);
	if (code >= 0)
		return code;
	leases = json_array();
	if (retained || attention)
		code = leases_fetch(cli, retained ? "&cleanup=retained" : "&attention=true", 0, leases);
	else
		code = all || state ? leases_some(cli, state, leases) :
		       leases_current(cli, leases);
	doc = json_pack("{s:o}", "leases", leases);
	if (code < 0) {
		if (cli->json)
			cli_print_json(doc);
		else if (retained)
			retained_print(leases);
		else if (attention)
			attention_print(leases);
		else
			leases_print(leases);
		code = EXIT_OK;
	}
	json_decref(doc);
	return code;
}

int command_show(struct cli *cli, int argc, char **argv)
{
	struct client_response response;
	auto_free char *path = NULL;
	const char *ref;
	int code = cli_begin(cli, NULL, argc, argv, &ref, 1);

	if (code >= 0)
		return code;
	path = cli_lease_path(ref, "");
	code = cli_get(cli, path, &response);
	if (code >= 0)
		return code;
	code = cli_lease_require(cli, &response);
	if (code < 0) {
		if (cli->json)
			cli_print_json(response.doc);
		else
			view_print(stdout, view_lease(response.doc));
		code = EXIT_OK;
	}
	client_response_fini(&response);
	return code;
}

static int heartbeat_print(const struct cli *cli, const struct client_response *response)
{
	const json_t *lease = view_lease(response->doc);
	auto_free char *name = view_name(lease);
	char distance[WHEN_TEXT_SIZE];

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
