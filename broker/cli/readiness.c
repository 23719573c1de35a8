/* SPDX-License-Identifier: MIT */
#include "cli/readiness.h"

#include <string.h>
#include <unistd.h>

#include "cli/heartbeat.h"
#include "cli/interrupt.h"
#include "cli/lease_view.h"
#include "cli/probe.h"
#include "cli/text.h"
#include "cli/when.h"
#include "util/alloc.h"

#define READY_PATH "/usr/local/bin/crabbox-ready"
/* cloud-init writes the program before it lets the user in. */
#define READY_COMMAND "test ! -e " READY_PATH " || " READY_PATH " >/dev/null 2>&1"
/* A key that is refused for longer than this will not be accepted. */
#define DENIED_MS 20000

int readiness_await_lease(struct cli *cli, json_t **doc, int64_t end_ms, struct progress *progress)
{
	auto_free char *path = cli_lease_path(view_text(view_lease(*doc), "id"), "");
	struct client_response response;

	for (int polls = 0; view_is_live(view_lease(*doc)) && !view_is_ready(view_lease(*doc));
	     polls++) {
		if (when_mono_ms() >= end_ms)
			break;
		progress_show(progress, "%s: %s", view_text(view_lease(*doc), "state"),
			      view_text(view_lease(*doc), "slug"));
		when_sleep_poll(polls);
		if (interrupt_pending())
			return 128 + interrupt_pending();
		if (client_get(cli->client, path, &response) && view_lease(response.doc)) {
			json_decref(*doc);
			*doc = json_incref(response.doc);
			progress->is_late = 0;
		} else if (client_may_retry(&response)) {
			progress_late(progress, &response);
		} else {
			int code = cli_fail(cli, &response);

			client_response_fini(&response);
			return code;
		}
		client_response_fini(&response);
	}
	progress_clear(progress);
	return -1;
}

/* The tries so far. */
struct tries {
	enum probe last;
	struct probe_result result; /* of the last login */
	int has_answered;	    /* a port accepted a connection the last time */
	int64_t denied_ms;	    /* since when the key is refused; 0: it is not */
};

/* One try; -1 if it does not lead anywhere, and another one will not either. */
static int machine_try(struct transport *transport, struct tries *tries)
{
	int fd = machine_dial(&transport->machine, 0, &transport->port);

	tries->last = PROBE_SILENT;
	tries->has_answered = fd >= 0;
	if (fd < 0)
		return 0;
	close(fd);
	tries->last = probe_login(transport, READY_COMMAND, &tries->result);
	if (tries->last != PROBE_DENIED) {
		tries->denied_ms = 0;
		return tries->last == PROBE_WRONG_KEY ? -1 : 0;
	}
	if (!tries->denied_ms)
		tries->denied_ms = when_mono_ms();
	return when_mono_ms() - tries->denied_ms > DENIED_MS ? -1 : 0;
}

static int failure_report(const struct cli *cli, const struct transport *transport,
			  const struct tries *tries)
{
	const char *name = transport->machine.name;

	if (interrupt_pending())
		return 128 + interrupt_pending();
	if (!tries->has_answered)
		return machine_report_silent(cli, &transport->machine);
	if (tries->last == PROBE_NOT_READY) {
		text_error("%s: the machine of %s did not become ready in time; to see why: lessor "
			   "ssh %s -- sh -x " READY_PATH,
			   cli->command->name, name, name);
		return EXIT_UNREACHABLE;
	}
	probe_explain(cli, transport);
	return TRANSPORT_FAILED;
}

int readiness_await(struct cli *cli, struct transport *transport, const json_t *lease,
		    int64_t end_ms, struct progress *progress)
{
	struct heartbeat heartbeat;
	struct tries tries = { .last = PROBE_SILENT };
	int is_over = 0;

	heartbeat_init(&heartbeat, cli, lease);
	for (int polls = 0; !is_over && tries.last != PROBE_OK && !interrupt_pending(); polls++) {
		progress_show(progress, "booting: %s", transport->machine.name);
		if (polls)
			when_sleep_poll(polls);
		if (heartbeat_left_ms(&heartbeat) == 0) {
			progress_clear(progress);
			heartbeat_run(&heartbeat);
		}
		is_over = heartbeat.has_ended || machine_try(transport, &tries) < 0 ||
			  when_mono_ms() >= end_ms;
	}
	progress_clear(progress);
	is_over = heartbeat.has_ended;
	heartbeat_fini(&heartbeat);
	if (tries.last == PROBE_OK && !interrupt_pending())
		return -1;
	return is_over ? EXIT_ENDED : failure_report(cli, transport, &tries);
}
