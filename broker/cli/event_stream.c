/* SPDX-License-Identifier: MIT */
#include "cli/event_stream.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "cli/interrupt.h"
#include "cli/lease_view.h"
#include "cli/outcome.h"
#include "cli/text.h"
#include "cli/when.h"

#define EVENT_MAX (256 * 1024)
#define IDLE_MS 45000	      /* lessord says something every 15 s */
#define RETRY_MS 1000	      /* unless the stream says it */
#define RETRY_MOST_MS 15000   /* after several failures */
#define SILENCE_MAX_MS 600000 /* give up after this long without a stream */

int event_stream_retry(struct event_stream *stream, struct client_response *response)
{
	int code = EVENT_AGAIN;

	if (client_may_retry(response))
		snprintf(stream->why, sizeof(stream->why), "%s", response->error);
	else
		code = cli_fail(stream->cli, response);
	client_response_fini(response);
	return code;
}

/* ---- one connection ----------------------------------------------------------------------- */

static void on_begun(struct event_stream *stream, const char *lost)
{
	const struct event_listener *listener = stream->listener;

	stream->has_begun = stream->is_known = 1;
	stream->result = listener->begun(listener->arg, stream, lost);
}

static int on_event(void *arg, const struct sse_event *event)
{
	struct event_stream *stream = arg;
	const struct event_listener *listener = stream->listener;
	json_t *data = json_loadb(event->data, event->len, JSON_REJECT_DUPLICATES, NULL);

	if (!json_is_object(data))
		stream->wrong = "the server sent an event that is not a JSON object";
	else if (!strcmp(event->name, "hello"))
		on_begun(stream, NULL);
	else if (!strcmp(event->name, "reset"))
		on_begun(stream, view_text(data, "message"));
	else if (!strcmp(event->name, "lease") && stream->has_begun)
		stream->result = listener->event(listener->arg, data);
	/* An `error` is the reason why the stream ends: the next connection is told the same. */
	json_decref(data);
	return stream->result != EVENT_GO_ON || stream->wrong || ferror(stdout);
}

static int on_bytes(void *arg, const char *data, size_t len)
{
	struct event_stream *stream = arg;
	const struct event_listener *listener = stream->listener;
	int rc = sse_feed(&stream->sse, data, len);

	if (rc < 0)
		stream->wrong = "the server sent an event that is too long";
	if (!rc && stream->has_begun) {
		stream->good_ms = when_mono_ms();
		stream->failures = 0;
		stream->result = listener->pause(listener->arg);
		fflush(stdout);
	}
	return rc || stream->result != EVENT_GO_ON || ferror(stdout) || interrupt_pending();
}

/* ---- all of them -------------------------------------------------------------------------- */

static int64_t wait_ms(const struct event_stream *stream, int64_t retry_after_s)
{
	int64_t ms = stream->sse.retry_ms ? stream->sse.retry_ms : RETRY_MS;
	unsigned int chance = 0;

	for (int i = 1; i < stream->failures && ms < RETRY_MOST_MS; i++)
		ms *= 2;
	if (ms > RETRY_MOST_MS)
		ms = RETRY_MOST_MS;
	/* All the clients of a lessord that was restarted come back: not at one moment. */
	if (getrandom(&chance, sizeof(chance), GRND_NONBLOCK) == sizeof(chance))
		ms = ms * 3 / 4 + ms * (int64_t)(chance % 1000) / 2000;
	return ms > retry_after_s * 1000 ? ms : retry_after_s * 1000;
}

static int report(const struct event_stream *stream, const char *code, int exit_code,
		  const char *text)
{
	text_error("%s: %s", stream->cli->command->name, text);
	outcome_fail(code, 0, text, NULL);
	return exit_code;
}

static int report_missing(const struct event_stream *stream, const struct client_response *response)
{
	static const char text[] =
		"this server has no stream of events (HTTP 404); --follow needs a "
		"newer lessord";

	text_error("%s: %s", stream->cli->command->name, text);
	outcome_fail("not_found", response->status, text, response->doc);
	return EXIT_ERROR;
}

/* After a connection. EVENT_GO_ON: try again. */
static int judge(struct event_stream *stream, int is_good, const struct client_response *response)
{
	int is_silent = when_mono_ms() - stream->good_ms > SILENCE_MAX_MS;

	if (stream->result >= 0)
		return stream->result;
	if (stream->wrong)
		return report(stream, "invalid_response", EXIT_ERROR, stream->wrong);
	if (interrupt_pending())
		return 128 + interrupt_pending();
	if (!is_good && response->outcome == CLIENT_COMPLETE && response->status == 404)
		return report_missing(stream, response);
	if (!is_good && (!stream->is_known || is_silent || !client_may_retry(response)))
		return cli_fail(stream->cli, response);
	if (is_silent)
		return report(stream, "no_response", EXIT_UNREACHABLE,
			      *stream->why ? stream->why : "the stream of events ends at once");
	return EVENT_GO_ON;
}

static int connection(struct event_stream *stream)
{
	const struct client_stream how = { .last_id = buf_str(&stream->sse.id),
					   .idle_ms = IDLE_MS,
					   .on_bytes = on_bytes,
					   .arg = stream };
	const struct client_request request = { .method = "GET",
						.path = "/v1/events",
						.stream = &how };
	struct client_response response;
	int good, code;

	sse_begin(&stream->sse);
	stream->has_begun = 0;
	stream->result = EVENT_GO_ON;
	stream->failures++;
	good = client_call(stream->client, &request, &response);
	code = judge(stream, good, &response);
	if (code == EVENT_GO_ON && !ferror(stdout)) {
		if (stream->result == EVENT_AGAIN)
			sse_forget(&stream->sse);
		when_sleep(wait_ms(stream, response.retry_after_s));
	}
	client_response_fini(&response);
	return code;
}

int event_stream_follow(struct cli *cli, const struct event_listener *listener)
{
	struct event_stream stream = { .cli = cli, .listener = listener, .good_ms = when_mono_ms() };
	int code = EVENT_GO_ON;

	stream.client = client_twin(cli->client);
	if (!stream.client)
		return report(&stream, "error", EXIT_ERROR, "cannot initialize libcurl");
	sse_init(&stream.sse, EVENT_MAX, on_event, &stream);
	/* If nobody reads what is printed, main knows whether that is an error. */
	while (code == EVENT_GO_ON && !ferror(stdout))
		code = interrupt_pending() ? 128 + interrupt_pending() : connection(&stream);
	sse_fini(&stream.sse);
	client_close(stream.client);
	return code == EVENT_GO_ON ? EXIT_OK : code;
}
