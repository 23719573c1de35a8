/* SPDX-License-Identifier: MIT */
/* lessor extend: moves the end of a lease. */
#include "cli/cli.h"

#include <stdio.h>

#include "cli/ends.h"
#include "cli/lease_view.h"
#include "cli/notice.h"
#include "cli/text.h"
#include "cli/when.h"
#include "util/alloc.h"
#include "util/time.h"

/* Whole seconds from a time of the lease until `end_ms`, rounded up; 0: there is no such time. */
static int64_t seconds_until(const json_t *lease, const char *key, int64_t end_ms)
{
	int64_t from_ms;

	if (time_parse(view_text(lease, key), &from_ms) || from_ms >= end_ms)
		return 0;
	return (end_ms - from_ms + 999) / 1000;
}

/*
 * The API takes whole times, so that a repeated request changes nothing. The idle timeout is
 * raised as well if it would end the lease earlier.
 */
static json_t *body_make(const json_t *lease, int64_t end_ms)
{
	json_t *body = json_object();
	int64_t idle = seconds_until(lease, "lastTouchedAt", end_ms);
	/* The lifetime of a lease that waited for capacity began later. */
	const char *began = *view_text(lease, "admittedAt") ? "admittedAt" : "createdAt";

	json_object_set_new(body, "ttlSeconds", json_integer(seconds_until(lease, began, end_ms)));
	if (idle > view_int(lease, "idleTimeoutSeconds") &&
	    view_int(lease, "idleTimeoutSeconds") > 0)
		json_object_set_new(body, "idleTimeoutSeconds", json_integer(idle));
	return body;
}

static int extend_send(struct cli *cli, const json_t *lease, int64_t end_ms,
		       struct client_response *response)
{
	auto_free char *path = cli_lease_path(view_text(lease, "id"), "/extend");
	struct client_request request = { .method = "POST", .path = path };
	int code = -1;

	request.body = body_make(lease, end_ms);
	if (!client_call(cli->client, &request, response))
		code = cli_fail(cli, response);
	json_decref(request.body);
	return code;
}

static void extend_print(const struct cli *cli, const json_t *before, json_t *doc,
			 const char *asked, int64_t end_ms)
{
	const json_t *lease = view_lease(doc);
	auto_free char *name = view_name(lease);
	int64_t old_ms;

	notice_print_extension(lease, asked);
	if (!time_parse(view_text(before, "expiresAt"), &old_ms) && old_ms >= end_ms)
		text_print(stderr, "note: it ends later anyway; nothing was shortened");
	if (cli->json) {
		cli_print_json(doc);
		return;
	}
	text_print(stdout, "%s %s", name, view_text(lease, "state"));
	ends_print(stdout, lease);
}

int command_extend(struct cli *cli, int argc, char **argv)
{
	struct client_response response = { 0 };
	struct err err = { 0 };
	json_t *before = NULL;
	const char *words[2];
	int64_t seconds, end_ms = 0;
	int code = cli_parse(cli, NULL, argc, argv, words, 2);

	if (code < 0 && when_parse_seconds(words[1], &seconds, &err))
		code = cli_usage_error(cli, "DURATION: %s", err.text);
	if (code < 0)
		code = cli_connect(cli);
	if (code < 0)
		code = cli_lease_fetch(cli, words[0], &before);
	if (code < 0) {
		end_ms = when_wall_ms() + seconds * 1000;
		code = extend_send(cli, view_lease(before), end_ms, &response);
	}
	if (code < 0)
		code = cli_lease_require(cli, &response);
	if (code < 0) {
		extend_print(cli, view_lease(before), response.doc, words[1], end_ms);
		code = EXIT_OK;
	}
	json_decref(before);
	client_response_fini(&response);
	return code;
}
