/* SPDX-License-Identifier: MIT */
/* lessor events: the timeline of a lease, or what happens to all of them. */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/event_stream.h"
#include "cli/lease_view.h"
#include "cli/outcome.h"
#include "cli/text.h"
#include "cli/when.h"
#include "util/alloc.h"

#define PAGE 500

static void event_print(const struct cli *cli, const json_t *event)
{
	const char *text = view_event_text(event);

	if (cli->json)
		outcome_print_line(event);
	else
		text_fold(stdout, 2, "%s  %s%s%s", view_text(event, "at"), view_event_type(event),
			  *text ? "  " : "", text);
}

/* ---- following --------------------------------------------------------------------------- */

/* The numbers that were printed, in ascending order. */
struct printed {
	int64_t *n;
	size_t count, room;
};

/* 1: it is new, and is one of them now. */
static int printed_add(struct printed *printed, int64_t n)
{
	size_t low = 0, high = printed->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (printed->n[middle] < n)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < printed->count && printed->n[low] == n)
		return 0;
	if (printed->count == printed->room) {
		printed->room = printed->room ? printed->room * 2 : 64;
		printed->n = xrealloc(printed->n, printed->room * sizeof(*printed->n));
	}
	memmove(printed->n + low + 1, printed->n + low,
		(printed->count - low) * sizeof(*printed->n));
	printed->n[low] = n;
	printed->count++;
	return 1;
}

/*
 * A lease that is followed. Its past is read when the stream has begun, so that nothing falls in
 * between; what comes twice therefore is known by its number. Not by the highest one: with several
 * lessord, an event with a lower number may be the later one.
 */
struct followed {
	struct cli *cli;
	json_t *lease;
	struct printed printed;
	int is_caught_up; /* the past was printed */
	int has_news;	  /* something came since the lease was looked at */
	int64_t look_ms;
};

/* Not everything that ends what is left of a lease is an event; less than between two comments. */
#define LOOK_MS 10000

static void followed_print(struct followed *followed, json_t *event)
{
	static const char *const keys[] = { "leaseID", "slug", "provider" };
	static const char *const names[] = { "id", "slug", "provider" };
	json_t *whole;
	size_t i;

	if (!printed_add(&followed->printed, view_int(event, "seq")))
		return;
	whole = json_object();
	/* A line is the same, whichever way it came. */
	for (i = 0; i < ARRAY_LEN(keys); i++)
		json_object_set_new(whole, keys[i],
				    json_string(view_text(followed->lease, names[i])));
	json_object_update(whole, event);
	event_print(followed->cli, whole);
	json_decref(whole);
}

/* Everything so far. 0, or -1 with *response, which the caller frees. */
static int past_print(struct followed *followed, struct client_response *response)
{
	int64_t seq = 0;
	size_t got, i;
	json_t *one;

	do {
		auto_free char *rest = xasprintf("/events?after=%lld&limit=%d", (long long)seq,
						 PAGE);
		auto_free char *path = cli_lease_path(view_text(followed->lease, "id"), rest);

		if (!client_get(followed->cli->client, path, response))
			return -1;
		got = 0;
		json_array_foreach(json_object_get(response->doc, "events"), i, one) {
			if (view_int(one, "seq") <= seq)
				continue;
			seq = view_int(one, "seq");
			followed_print(followed, one);
			got++;
		}
		client_response_fini(response);
	} while (got == PAGE);
	return 0;
}

/* Looks at the lease; once it is over, the rest of its past is printed, and that is the end. */
static int followed_look(struct followed *followed)
{
	auto_free char *path = cli_lease_path(view_text(followed->lease, "id"), "");
	struct client_response response;
	const json_t *lease;
	int is_over, code = EVENT_GO_ON;

	if (client_get(followed->cli->client, path, &response)) {
		lease = view_lease(response.doc);
		is_over = lease && !view_is_live(lease) && view_what_is_left(lease) == LEFT_NOTHING;
		client_response_fini(&response);
		if (!is_over || past_print(followed, &response) == 0) {
			followed->has_news = 0;
			followed->look_ms = when_mono_ms();
			return is_over ? EXIT_OK : EVENT_GO_ON;
		}
	}
	if (!client_may_retry(&response))
		code = cli_fail(followed->cli, &response);
	client_response_fini(&response);
	return code;
}

static int followed_begun(void *arg, struct event_stream *stream, const char *lost)
{
	struct followed *followed = arg;
	struct client_response response;

	followed->has_news = 1;
	if (followed->is_caught_up && !lost)
		return EVENT_GO_ON;
	followed->is_caught_up = 0;
	if (past_print(followed, &response))
		return event_stream_retry(stream, &response);
	followed->is_caught_up = 1;
	return EVENT_GO_ON;
}

static int followed_event(void *arg, json_t *event)
{
	struct followed *followed = arg;

	if (strcmp(view_text(event, "leaseID"), view_text(followed->lease, "id")) != 0)
		return EVENT_GO_ON;
	followed_print(followed, event);
	followed->has_news = 1;
	return EVENT_GO_ON;
}

static int followed_pause(void *arg)
{
	struct followed *followed = arg;

	if (!followed->has_news && when_mono_ms() - followed->look_ms < LOOK_MS)
		return EVENT_GO_ON;
	return followed_look(followed);
}

static int events_follow(struct cli *cli, const char *ref)
{
	struct followed followed = { .cli = cli };
	const struct event_listener listener = { .begun = followed_begun,
						 .event = followed_event,
						 .pause = followed_pause,
						 .arg = &followed };
	json_t *doc;
	int code = cli_lease_fetch(cli, ref, &doc);

	if (code >= 0)
		return code;
	followed.lease = view_lease(doc);
	code = event_stream_follow(cli, &listener);
	free(followed.printed.n);
	json_decref(doc);
	return code;
}

/* ---- all leases --------------------------------------------------------------------------- */

static int all_begun(void *arg, struct event_stream *stream, const char *lost)
{
	(void)arg;
	(void)stream;
	if (lost)
		text_warning("events may be missing here: %s", lost);
	return EVENT_GO_ON;
}

static int all_event(void *arg, json_t *event)
{
	const struct cli *cli = arg;
	const char *text = view_event_text(event), *slug = view_text(event, "slug");

	if (cli->json)
		outcome_print_line(event);
	else
		text_fold(stdout, 2, "%s  %s  %s%s%s", view_text(event, "at"),
			  *slug ? slug : view_text(event, "leaseID"), view_event_type(event),
			  *text ? "  " : "", text);
	return EVENT_GO_ON;
}

static int all_pause(void *arg)
{
	(void)arg;
	return EVENT_GO_ON;
}

static int all_follow(struct cli *cli)
{
	const struct event_listener listener = {
		.begun = all_begun, .event = all_event, .pause = all_pause, .arg = cli
	};

	return event_stream_follow(cli, &listener);
}

/* ---- once --------------------------------------------------------------------------------- */

/* With --json as one document. */
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
	const char *ref = NULL;
	int follow = 0, count = 0;
	const struct argv_option own[] = {
		{ "follow", ARGV_FLAG, .seen = &follow },
		{ 0 },
	};
	int code = cli_parse_more(cli, own, argc, argv, &ref, 0, 1, &count);

	if (code < 0 && !count && !follow)
		return cli_usage_error(cli, "name a lease, or follow all of them with --follow");
	if (code < 0 && count && !*ref)
		return cli_usage_error(cli, "missing argument; usage: lessor %s %s",
				       cli->command->name, cli->command->usage);
	if (code < 0)
		code = cli_connect(cli);
	if (code >= 0)
		return code;
	if (!count)
		return all_follow(cli);
	return follow ? events_follow(cli, ref) : events_once(cli, ref);
}
