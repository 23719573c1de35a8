/* SPDX-License-Identifier: MIT */
#include "cli/heartbeat.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/lease_view.h"
#include "cli/text.h"
#include "cli/when.h"
#include "util/alloc.h"
#include "util/duration.h"
#include "util/time.h"

#define TIMEOUT_MS 10000
#define WARN_MS (5 * 60000)

void heartbeat_init(struct heartbeat *heartbeat, struct cli *cli, const json_t *lease)
{
	const char *slug = view_text(lease, "slug");

	*heartbeat = (struct heartbeat){
		.cli = cli,
		.name = xstrdup(*slug ? slug : view_text(lease, "id")),
	};
	beat_init(&heartbeat->beat, lease);
}

void heartbeat_fini(struct heartbeat *heartbeat)
{
	beat_fini(&heartbeat->beat);
	free(heartbeat->name);
	*heartbeat = (struct heartbeat){ 0 };
}

void heartbeat_stop_by(struct heartbeat *heartbeat, int (*stop)(void *arg), void *arg)
{
	heartbeat->beat.stop = stop;
	heartbeat->beat.stop_arg = arg;
}

void heartbeat_tell(const struct heartbeat *heartbeat, const char *fmt, ...)
{
	auto_free char *safe = NULL;
	const char *end = heartbeat->is_raw ? "\r\n" : "\n";
	va_list ap;

	va_start(ap, fmt);
	safe = text_vsafe(fmt, ap);
	va_end(ap);
	fprintf(stderr, "%slessor: %s%s", heartbeat->is_raw ? "\r\n" : "", safe, end);
	fflush(stderr);
}

int64_t heartbeat_left_ms(const struct heartbeat *heartbeat)
{
	int64_t left = beat_left_ms(&heartbeat->beat), warn;

	if (heartbeat->has_ended)
		return -1;
	if (!heartbeat->warn_ms)
		return left;
	warn = heartbeat->warn_ms - when_mono_ms();
	if (warn < 0)
		warn = 0;
	return warn < left ? warn : left;
}

/*
 * When the TTL ends, on our clock. All times are lessord's, counted from this heartbeat, so a
 * clock that differs from lessord's does not matter.
 */
static void end_update(struct heartbeat *heartbeat, const json_t *lease)
{
	int64_t touched, expires, created, end;

	if (time_parse(view_text(lease, "lastTouchedAt"), &touched) ||
	    time_parse(view_text(lease, "expiresAt"), &expires))
		return;
	/* Idleness would end it later than this, so the TTL does. */
	end = expires;
	if (expires >= touched + view_int(lease, "idleTimeoutSeconds") * 1000) {
		if (time_parse(view_text(lease, "createdAt"), &created))
			return;
		end = created + view_int(lease, "ttlSeconds") * 1000;
		if (end < expires) /* counted from a later moment */
			return;
	}
	end = when_mono_ms() + end - touched;
	/* After an extension there is another end to warn of. */
	if (!heartbeat->end_ms || end > heartbeat->end_ms + WARN_MS / 2)
		heartbeat->warn_ms = end > WARN_MS ? end - WARN_MS : 1;
	heartbeat->end_ms = end;
}

static void end_warn(struct heartbeat *heartbeat)
{
	int64_t left = (heartbeat->end_ms - when_mono_ms()) / 1000 * 1000;
	char length[DURATION_TEXT_SIZE];

	heartbeat->warn_ms = 0;
	if (left <= 0)
		return;
	duration_summarize(left, length);
	heartbeat_tell(heartbeat,
		       "warning: %s ends in %s (ttl), and its machine with it; to keep "
		       "it: lessor extend %s 1h",
		       heartbeat->name, length, heartbeat->name);
}

/* Says when and why the lease ended, as far as the response says. */
static void ended_tell(struct heartbeat *heartbeat, const json_t *lease)
{
	const char *at = view_text(lease, "endedAt");
	const char *why = view_text(lease, "endReason");

	heartbeat_tell(heartbeat,
		       "the lease %s ended%s%s%s%s%s, and its machine with it; for a new "
		       "one: lessor create",
		       heartbeat->name, *at ? " at " : "", at, *why ? " (" : "", why,
		       *why ? ")" : "");
	heartbeat->has_ended = 1;
}

static int lease_get(const struct heartbeat *heartbeat, struct client_response *ret)
{
	auto_free char *path = cli_lease_path(heartbeat->beat.id, "");
	const struct client_request request = {
		.method = "GET",
		.path = path,
		.timeout_ms = TIMEOUT_MS,
		.stop = heartbeat->beat.stop,
		.stop_arg = heartbeat->beat.stop_arg,
	};

	return client_call(heartbeat->cli->client, &request, ret) && view_lease(ret->doc);
}

static void ended_explain(struct heartbeat *heartbeat)
{
	struct client_response response;
	int good = lease_get(heartbeat, &response);

	ended_tell(heartbeat, good ? view_lease(response.doc) : NULL);
	client_response_fini(&response);
}

void heartbeat_check(struct heartbeat *heartbeat)
{
	struct client_response response;

	if (heartbeat->has_ended)
		return;
	if (lease_get(heartbeat, &response) && !view_is_live(view_lease(response.doc)))
		ended_tell(heartbeat, view_lease(response.doc));
	client_response_fini(&response);
}

static void failure_tell(struct heartbeat *heartbeat, const struct client_response *response)
{
	if (!heartbeat->is_late)
		heartbeat_tell(heartbeat,
			       "warning: a heartbeat failed: %s; the machine goes on, and the next "
			       "heartbeat follows in %lld s",
			       response->error,
			       (long long)(beat_left_ms(&heartbeat->beat) + 999) / 1000);
	heartbeat->is_late = 1;
}

static void heartbeat_send(struct heartbeat *heartbeat)
{
	struct beat *beat = &heartbeat->beat;
	struct client_response response;
	enum beat_result result = beat_send(beat, heartbeat->cli->client, &response);

	if (result == BEAT_ALIVE) {
		heartbeat->is_late = 0;
		end_update(heartbeat, beat->lease);
	} else if (beat->stop && beat->stop(beat->stop_arg)) {
		/* what it was for is over */
	} else if (result == BEAT_ENDED) {
		ended_explain(heartbeat);
	} else {
		failure_tell(heartbeat, &response);
	}
	client_response_fini(&response);
}

void heartbeat_run(struct heartbeat *heartbeat)
{
	if (heartbeat->has_ended)
		return;
	if (beat_left_ms(&heartbeat->beat) == 0)
		heartbeat_send(heartbeat);
	if (heartbeat->warn_ms && !heartbeat->has_ended && when_mono_ms() >= heartbeat->warn_ms)
		end_warn(heartbeat);
}
