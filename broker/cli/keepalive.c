/* SPDX-License-Identifier: MIT */
/* lessor keepalive: heartbeats until the lease ends or somebody interrupts it. */
#include "cli/cli.h"

#include <stdio.h>

#include "cli/beat.h"
#include "cli/interrupt.h"
#include "cli/lease_view.h"
#include "cli/text.h"
#include "cli/when.h"
#include "util/alloc.h"
#include "util/duration.h"
#include "util/time.h"

/* Why and when it ended, as well as the server knows. Returns the exit code. */
static int end_report(struct cli *cli, const struct beat *beat)
{
	auto_free char *path = cli_lease_path(beat->id, "");
	auto_free char *name = view_name(beat->lease);
	struct client_response response;
	const json_t *lease;
	char distance[WHEN_TEXT_SIZE];
	const char *reason;

	if (!client_get(cli->client, path, &response) || !view_lease(response.doc)) {
		text_error("keepalive: %s has ended", name);
		client_response_fini(&response);
		return EXIT_ENDED;
	}
	lease = view_lease(response.doc);
	reason = view_text(lease, "endReason");
	when_write_distance(view_text(lease, "endedAt"), when_wall_ms(), distance);
	text_error("keepalive: %s has ended: %s%s%s%s%s", name, view_text(lease, "state"),
		   *reason ? ", " : "", reason, *distance ? ", " : "", distance);
	if (cli->json)
		cli_print_json(response.doc);
	client_response_fini(&response);
	return EXIT_ENDED;
}

/* Heartbeats never move the end of the time to live. */
static void start_print(const struct beat *beat)
{
	int64_t idle_s = view_int(beat->lease, "idleTimeoutSeconds");
	int64_t ttl_s = view_int(beat->lease, "ttlSeconds");
	auto_free char *name = view_name(beat->lease);
	char every[DURATION_TEXT_SIZE], end[TIME_TEXT_ROOM] = "", distance[WHEN_TEXT_SIZE] = "";
	int64_t created_ms;

	duration_summarize(beat_interval_ms(idle_s), every);
	if (ttl_s > 0 && time_parse(view_text(beat->lease, "createdAt"), &created_ms) == 0) {
		time_format(created_ms + ttl_s * 1000, end);
		when_write_distance(end, when_wall_ms(), distance);
	}
	text_print(stderr, "keeping %s alive: a heartbeat every %s, until Ctrl-C%s%s", name, every,
		   *distance ? "; its time to live ends " : "", distance);
}

static int interrupted_report(const struct beat *beat)
{
	auto_free char *name = view_name(beat->lease);
	char distance[WHEN_TEXT_SIZE];

	when_write_distance(view_text(beat->lease, "expiresAt"), when_wall_ms(), distance);
	text_print(stderr, "no more heartbeats: %s ends %s", name, *distance ? distance : "soon");
	return 128 + interrupt_pending();
}

static int beats_run(struct cli *cli, struct beat *beat)
{
	int is_late = 0, is_first = 1;

	while (!interrupt_pending()) {
		struct client_response response;
		enum beat_result result = beat_send(beat, cli->client, &response);
		int code = -1;

		if (interrupt_pending()) {
			/* the loop ends */
		} else if (result == BEAT_ENDED) {
			code = end_report(cli, beat);
		} else if (result == BEAT_REFUSED) {
			code = cli_fail(cli, &response);
		} else if (result == BEAT_LATE) {
			if (!is_late)
				text_print(stderr, "%s; retrying", response.error);
			is_late = 1;
		} else {
			if (is_first)
				start_print(beat);
			else if (is_late)
				text_print(stderr, "heartbeats arrive again");
			is_first = is_late = 0;
		}
		client_response_fini(&response);
		if (code >= 0)
			return code;
		when_sleep(beat_left_ms(beat));
	}
	return interrupted_report(beat);
}

int command_keepalive(struct cli *cli, int argc, char **argv)
{
	struct beat beat;
	json_t *doc = NULL;
	const char *ref;
	int code = cli_begin(cli, NULL, argc, argv, &ref, 1);

	if (code < 0)
		code = cli_lease_fetch(cli, ref, &doc);
	if (code < 0) {
		beat_init(&beat, view_lease(doc));
		code = view_is_live(beat.lease) ? beats_run(cli, &beat) : end_report(cli, &beat);
		beat_fini(&beat);
	}
	json_decref(doc);
	return code;
}
