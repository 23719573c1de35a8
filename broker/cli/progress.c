/* SPDX-License-Identifier: MIT */
#include "cli/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/lease_view.h"
#include "cli/text.h"
#include "cli/when.h"
#include "util/alloc.h"
#include "util/utf8.h"

void progress_init(struct progress *progress)
{
	*progress = (struct progress){
		.is_tty = isatty(STDERR_FILENO),
		.start_ms = when_mono_ms(),
	};
}

void progress_clear(struct progress *progress)
{
	if (progress->shown)
		fputs("\r\033[K", stderr);
	progress->shown = 0;
}

/* How many bytes of `text` fit into one line of the terminal. */
static int line_fit(const char *text)
{
	struct winsize size = { 0 };
	size_t len = strlen(text), at = 0;
	int room = 79;
	uint32_t c;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1)
		room = size.ws_col - 1;
	while (at < len && room-- > 0)
		at += utf8_next(text + at, len - at, &c);
	return (int)at;
}

void progress_show(struct progress *progress, const char *fmt, ...)
{
	auto_free char *raw = NULL;
	auto_free char *safe = NULL;
	auto_free char *line = NULL;
	va_list ap;

	if (!progress->is_tty)
		return;
	va_start(ap, fmt);
	if (vasprintf(&raw, fmt, ap) < 0)
		raw = NULL;
	va_end(ap);
	safe = text_safe(raw);
	line = xasprintf("%llds %s", (long long)(when_mono_ms() - progress->start_ms) / 1000, safe);
	fprintf(stderr, "\r\033[K%.*s", line_fit(line), line);
	fflush(stderr);
	progress->shown = 1;
}

void progress_note(struct progress *progress, const char *fmt, ...)
{
	auto_free char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	progress_clear(progress);
	text_print(stderr, "%s", text ? text : "");
}

static void events_follow(struct progress *progress, struct client *client, const json_t *lease)
{
	auto_free char *rest = xasprintf("/events?after=%lld&limit=100",
					 (long long)progress->event);
	auto_free char *path = cli_lease_path(view_text(lease, "id"), rest);
	struct client_response response;
	json_t *one;
	size_t i;

	if (progress->no_events)
		return;
	if (!client_get(client, path, &response)) {
		/* Only lessord has events; the attempts below replace them. */
		progress->no_events = response.outcome == CLIENT_COMPLETE && response.status < 500;
		client_response_fini(&response);
		return;
	}
	json_array_foreach(json_object_get(response.doc, "events"), i, one) {
		const char *text = view_event_text(one);

		if (view_int(one, "seq") <= progress->event)
			continue;
		progress->event = view_int(one, "seq");
		progress_note(progress, "  %s%s%s", view_event_type(one), *text ? ": " : "", text);
	}
	client_response_fini(&response);
}

void progress_follow(struct progress *progress, struct client *client, const json_t *lease)
{
	const json_t *attempts = json_object_get(lease, "provisioningAttempts");

	progress->is_late = 0;
	events_follow(progress, client, lease);
	/* lessord's events include the attempts, and arrive earlier. */
	if (!progress->no_events)
		return;
	for (; progress->attempts < json_array_size(attempts); progress->attempts++) {
		auto_free char *text = view_attempt(json_array_get(attempts, progress->attempts));

		progress_note(progress, "  attempt %zu: %s", progress->attempts + 1, text);
	}
}

void progress_late(struct progress *progress, const struct client_response *response)
{
	if (!progress->is_late)
		progress_note(progress, "%s; retrying", response->error);
	progress->is_late = 1;
}
