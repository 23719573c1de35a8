/* SPDX-License-Identifier: MIT */
/* lessor events: the timeline of a lease, once or continuously. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "cli/interrupt.h"
#include "cli/lease_view.h"
#include "cli/outcome.h"
#include "cli/text.h"
#include "cli/when.h"
#include "util/alloc.h"

#define PAGE 500
#define POLL_MS 1000
#define SILENCE_MAX_MS 120000 /* give up after this long without a good response */

static void event_print(const struct cli *cli, const json_t *event)
{
	const char *text = view_event_text(event);

	if (cli->json)
		outcome_print_line(event);
	else
		text_fold(stdout, 2, "%s  %s%s%s", view_text(event, "at"), view_event_type(event),
			  *text ? "  " : "", text);
}

/* Prints the page after *seq; the number of events, or -1 without a good response. */
static int page_print(struct cli *cli, const char *id, int64_t *seq,
		      struct client_response *response)
{
	auto_free char *rest = xasprintf("/events?after=%lld&limit=%d", (long long)*seq, PAGE);
	auto_free char *path = cli_lease_path(id, rest);
	json_t *one;
	size_t i;
	int count = 0;

	if (!client_get(cli->client, path, response))
		return -1;
	json_array_foreach(json_object_get(response->doc, "events"), i, one) {
		if (view_int(one, "seq") <= *seq)
			continue;
		*seq = view_int(one, "seq");
		event_print(cli, one);
		count++;
	}
	fflush(stdout);
	return count;
}

/* 1: no further events are possible; 0: they are; -1: no good response. */
static int lease_is_over(struct cli *cli, const char *id, struct client_response *response)
{
	auto_free char *path = cli_lease_path(id, "");
	const json_t *lease;

	if (!client_get(cli->client, path, response))
		return -1;
	lease = view_lease(response->doc);
	if (!lease)
		return 0;
	return !view_is_live(lease) && view_what_is_left(lease) == LEFT_NOTHING;
}

/* `id` must be an id, because a slug ends with its lease. */
static int events_follow(struct cli *cli, const char *id)
{
	int64_t seq = 0, good_ms = when_mono_ms();
	struct client_response response;
	int over = 0, count;

	while (!interrupt_pending() && !ferror(stdout)) {
		count = page_print(cli, id, &seq, &response);
		if (count == 0 && over) /* no event followed the end */
			return client_response_fini(&response), EXIT_OK;
		if (count == 0) {
			client_response_fini(&response);
			over = lease_is_over(cli, id, &response);
			if (over < 0)
				count = -1;
		}
		if (count < 0 &&
		    (!client_may_retry(&response) || when_mono_ms() - good_ms > SILENCE_MAX_MS)) {
			int code = cli_fail(cli, &response);

			client_response_fini(&response);
			return code;
		}
		if (count >= 0)
			good_ms = when_mono_ms();
		client_response_fini(&response);
		if (count <= 0 && over <= 0)
			when_sleep(POLL_MS);
	}
	/* Otherwise nobody reads on; main knows whether that is an error. */
	return interrupt_pending() ? 128 + interrupt_pending() : EXIT_OK;
}

/* All events, page by page; with --json as one document. */
static int events_once(struct cli *cli, const char *id)
{
	json_t *all = json_array();
	struct client_response response;
	int64_t seq = 0;
	size_t i, got;
	json_t *one;
	int code;

	do {
		auto_free char *rest = xasprintf("/events?after=%lld&limit=%d", (long long)seq,
						 PAGE);
		auto_free char *path = cli_lease_path(id, rest);

		code = cli_get(cli, path, &response);
		if (code >= 0) {
			json_decref(all);
			return code;
		}
		got = 0;
		json_array_foreach(json_object_get(response.doc, "events"), i, one) {
			if (view_int(one, "seq") <= seq)
				continue;
			seq = view_int(one, "seq");
			json_array_append(all, one);
			if (!cli->json)
				event_print(cli, one);
			got++;
		}
		client_response_fini(&response);
	} while (got == PAGE);
	if (cli->json) {
		json_t *doc = json_pack("{s:O}", "events", all);

		cli_print_json(doc);
		json_decref(doc);
	}
	json_decref(all);
	return EXIT_OK;
}

int command_events(struct cli *cli, int argc, char **argv)
{
	const char *ref;
	int follow = 0;
	const struct argv_option own[] = {
		{ "follow", ARGV_FLAG, .seen = &follow },
		{ 0 },
	};
	struct client_response response;
	auto_free char *path = NULL;
	auto_free char *id = NULL;
	int code = cli_begin(cli, own, argc, argv, &ref, 1);

	if (code >= 0)
		return code;
	if (!follow)
		return events_once(cli, ref);
	path = cli_lease_path(ref, "");
	code = cli_get(cli, path, &response);
	if (code >= 0)
		return code;
	id = xstrdup(view_lease(response.doc) ? view_text(view_lease(response.doc), "id") : ref);
	client_response_fini(&response);
	return events_follow(cli, id);
}
