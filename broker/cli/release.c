/* SPDX-License-Identifier: MIT */
/* lessor release: releases a lease and reports what is left of it. */
#include "cli/release.h"

#include <stdio.h>
#include <string.h>

#include "cli/interrupt.h"
#include "cli/lease_view.h"
#include "cli/progress.h"
#include "cli/text.h"
#include "cli/when.h"
#include "util/alloc.h"
#include "util/time.h"

#define SEND_BUDGET_MS 60000 /* for the release to be accepted */
#define WATCH_MS 300000	     /* for the cleanup; other clients wait as long */
#define RETRY_PAUSE_MS 2000
#define PROTECT_WAIT_S 20 /* for a kept server to be protected at the provider */
#define POST_WAIT_S 2	  /* for the cleanup, before progress is shown */

/*
 * Retries: repeating a release changes nothing. `is_last`: also if lessord does not listen, as
 * nobody else will release it. -1, or the exit code after an error.
 */
static int release_send(struct cli *cli, const char *ref, json_t *body, int wait_s, int is_last,
			struct progress *progress, struct client_response *response)
{
	auto_free char *path = cli_lease_path(ref, "/release");
	int64_t end = when_mono_ms() + SEND_BUDGET_MS;
	const struct client_request request = {
		.method = "POST",
		.path = path,
		.body = body,
		.wait_s = wait_s,
	};

	for (;;) {
		int good = client_call(cli->client, &request, response);

		if (good && view_lease(response->doc))
			return -1;
		if (good)
			snprintf(response->error, sizeof(response->error),
				 "the response contains no lease");
		if (interrupt_pending()) {
			text_error("release: interrupted; the release may or may not have been "
				   "accepted; see: lessor show %s",
				   ref);
			return 128 + interrupt_pending();
		}
		if (good || !client_may_retry(response) ||
		    (response->outcome == CLIENT_NOT_SENT && !is_last) ||
		    when_mono_ms() + RETRY_PAUSE_MS >= end)
			return cli_fail(cli, response);
		progress_late(progress, response);
		client_response_fini(response);
		when_sleep(RETRY_PAUSE_MS);
	}
}

static int lease_is_settled(const json_t *lease)
{
	return !view_is_live(lease) && view_what_is_left(lease) != LEFT_PENDING;
}

/* Polls until the lease is settled or the time is over; *doc is the latest response, owned. */
static int release_watch(struct cli *cli, struct progress *progress, json_t **doc)
{
	auto_free char *path = cli_lease_path(view_text(view_lease(*doc), "id"), "");
	int64_t end = when_mono_ms() + WATCH_MS;
	struct client_response response;

	progress->no_events = 1;
	for (int polls = 0; !lease_is_settled(view_lease(*doc)) && when_mono_ms() < end; polls++) {
		auto_free char *left = view_residue(view_lease(*doc));

		progress_show(progress, "cleaning up %s", left);
		when_sleep_poll(polls);
		if (interrupt_pending())
			break;
		if (client_get(cli->client, path, &response) && view_lease(response.doc)) {
			progress->is_late = 0;
			json_decref(*doc);
			*doc = json_incref(response.doc);
		} else if (!interrupt_pending() && client_may_retry(&response)) {
			progress_late(progress, &response);
		} else if (!interrupt_pending()) {
			int code;

			progress_clear(progress);
			code = cli_fail(cli, &response);
			client_response_fini(&response);
			return code;
		}
		client_response_fini(&response);
	}
	progress_clear(progress);
	return -1;
}

static void pending_print(FILE *to, const json_t *lease, const char *name)
{
	const json_t *cleanup = json_object_get(lease, "cleanup");
	const char *error = view_text(cleanup, "lastError");
	auto_free char *left = view_residue(lease);

	if (!*error)
		error = view_text(lease, "cleanupError");
	text_print(to, "released %s, cleanup pending%s%s", name, *left ? ": " : "", left);
	if (*error)
		text_print(stderr, "last error: %s", error);
}

/* How safely the server is kept; nothing if the response does not say. */
static void retention_print(const json_t *lease)
{
	const char *retention = view_text(lease, "retention");
	const char *attention = view_text(lease, "attention");

	if (!strcmp(retention, "protected"))
		text_print(stderr, "it is protected against deletion at the provider");
	else if (!strcmp(retention, "recorded"))
		text_print(stderr, "it is recorded as kept, but is not protected at the provider");
	else if (!strcmp(retention, "unsure"))
		text_print(stderr,
			   "it is recorded as kept, but it is unknown whether it still exists");
	if (*attention)
		text_print(stderr, "operator action needed: %s", attention);
}

static void kept_print(FILE *to, const json_t *lease, const char *name)
{
	const char *server = view_text(lease, "cloudID");
	auto_free char *price = view_price(lease);
	auto_free char *left = view_residue(lease);

	if (!*left && *server) {
		free(left);
		left = xasprintf("server %s", server);
	}
	text_print(to, "released %s, kept: %s", name, *left ? left : "the server");
	retention_print(lease);
	text_print(stderr, "it keeps costing %s until: lessor release %s --delete",
		   *price ? price : "money", view_text(lease, "id"));
}

static int result_code(const json_t *lease)
{
	enum view_left left = view_what_is_left(lease);

	return !view_is_live(lease) && (left == LEFT_NOTHING || left == LEFT_KEPT) ? EXIT_OK
	       : EXIT_PENDING;
}

static void result_print(FILE *to, const json_t *lease)
{
	auto_free char *name = view_name(lease);
	const char *state = view_text(lease, "state");
	const char *attention = view_text(lease, "attention");

	if (view_is_live(lease)) {
		text_print(to, "%s is still %s", name, state);
		return;
	}
	switch (view_what_is_left(lease)) {
	case LEFT_KEPT:
		kept_print(to, lease, name);
		break;
	case LEFT_PENDING:
		pending_print(to, lease, name);
		text_print(stderr, "lessord continues with it; see: lessor show %s",
			   view_text(lease, "id"));
		break;
	case LEFT_ATTENTION:
		pending_print(to, lease, name);
		text_print(stderr, "operator action needed%s%s", *attention ? ": " : "", attention);
		break;
	case LEFT_NOTHING:
		if (!strcmp(state, "released"))
			text_print(to, "released %s, nothing is left", name);
		else
			text_print(to, "nothing is left of %s, which had already %s", name, state);
		break;
	}
}

/* A duration from now, or a time. -1, or the exit code after an error. */
static int until_parse(const struct cli *cli, const char *text, char out[TIME_TEXT_ROOM])
{
	int64_t seconds, ms;

	if (when_parse_seconds(text, &seconds, NULL) == 0)
		ms = when_wall_ms() + seconds * 1000;
	else if (time_parse(text, &ms))
		return cli_usage_error(cli,
				       "--until: '%.40s' is neither a duration from 1s to 366d "
				       "nor a time; write for example 7d, 1h30m or "
				       "2026-08-21T10:00:00Z",
				       text);
	time_format(ms, out);
	return -1;
}

int release_lease(struct cli *cli, const char *id)
{
	struct client_response response;
	struct progress progress;
	json_t *body = json_object(), *doc = NULL;
	int code;

	progress_init(&progress);
	code = release_send(cli, id, body, POST_WAIT_S, 1, &progress, &response);
	json_decref(body);
	if (code < 0) {
		doc = json_incref(response.doc);
		code = release_watch(cli, &progress, &doc);
	}
	client_response_fini(&response);
	if (code < 0) {
		result_print(stderr, view_lease(doc));
		code = result_code(view_lease(doc));
	}
	json_decref(doc);
	return code;
}

int command_release(struct cli *cli, int argc, char **argv)
{
	int keep = 0, delete = 0, no_wait = 0;
	const char *until = NULL, *reason = NULL;
	char until_text[TIME_TEXT_ROOM];
	const struct argv_option own[] = {
		{ "keep-server", ARGV_FLAG, .seen = &keep },
		{ "delete", ARGV_FLAG, .seen = &delete },
		{ "no-wait", ARGV_FLAG, .seen = &no_wait },
		{ "until", ARGV_VALUE, .value = &until },
		{ "reason", ARGV_VALUE, .value = &reason },
		{ 0 },
	};
	struct client_response response;
	struct progress progress;
	const char *ref;
	json_t *body, *doc = NULL;
	int code = cli_parse(cli, own, argc, argv, &ref, 1);

	if (code < 0 && keep && delete)
		code = cli_usage_error(cli, "--keep-server and --delete are mutually exclusive");
	if (code < 0 && (until || reason) && !keep)
		code = cli_usage_error(cli, "--until and --reason need --keep-server");
	if (code < 0 && until)
		code = until_parse(cli, until, until_text);
	if (code < 0)
		code = cli_connect(cli);
	if (code >= 0)
		return code;
	progress_init(&progress);
	body = json_object();
	if (keep || delete) /* otherwise the lease's own `keep` decides */
		json_object_set_new(body, "delete", json_boolean(delete));
	if (until)
		json_object_set_new(body, "retainUntil", json_string(until_text));
	if (reason)
		json_object_set_new(body, "reason", json_string(reason));
	code = release_send(cli, ref, body,
			    no_wait ? CLIENT_NO_WAIT :
			    keep    ? PROTECT_WAIT_S :
				      POST_WAIT_S,
			    0, &progress, &response);
	json_decref(body);
	if (code < 0) {
		doc = json_incref(response.doc);
		if (!no_wait)
			code = release_watch(cli, &progress, &doc);
	}
	client_response_fini(&response);
	if (code < 0) {
		if (cli->json)
			cli_print_json(doc);
		else
			result_print(stdout, view_lease(doc));
		code = result_code(view_lease(doc));
		if (code == EXIT_PENDING && no_wait)
			code = EXIT_OK; /* the cleanup was not waited for */
		if (code == EXIT_PENDING && interrupt_pending()) {
			text_error("release: interrupted; the release was accepted and continues");
			code = 128 + interrupt_pending();
		}
	}
	json_decref(doc);
	return code;
}
