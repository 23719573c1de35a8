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

/* One try; -1 if it does not lead anywhere, and another one will not either. */
static int machine_try(struct transport *transport, int64_t *denied_ms, enum probe *ret)
{
	struct probe_result result;
	int fd = machine_dial(&transport->machine, 0, &transport->port);

	*ret = PROBE_SILENT;
	if (fd < 0)
		return 0;
	close(fd);
	*ret = probe_login(transport, READY_COMMAND, &result);
	if (*ret != PROBE_DENIED) {
		*denied_ms = 0;
		return *ret == PROBE_WRONG_KEY ? -1 : 0;
	}
	if (!*denied_ms)
		*denied_ms = when_mono_ms();
	return when_mono_ms() - *denied_ms > DENIED_MS ? -1 : 0;
}

static int failure_report(const struct cli *cli, const struct transport *transport, enum probe last)
{
	const char *name = transport->machine.name;

	if (interrupt_pending())
		return 128 + interrupt_pending();
	if (last == PROBE_SILENT)
		return machine_report_silent(cli, &transport->machine);
	if (last == PROBE_NOT_READY) {
		text_error("%s: the machine of %s did not become ready in time; to see why: lessor "
			   "ssh %s -- sh -x " READY_PATH,
			   cli->command->name, name, name);
		return EXIT_UNREACHABLE;
	}
	transport_explain(cli, transport);
	return TRANSPORT_FAILED;
}

int readiness_await(struct cli *cli, struct transport *transport, const json_t *lease,
		    int64_t end_ms, struct progress *progress)
{
	struct heartbeat heartbeat;
	enum probe last = PROBE_SILENT;
	int64_t denied_ms = 0;
	int is_over = 0;

	heartbeat_init(&heartbeat, cli, lease);
	for (int polls = 0; !is_over && last != PROBE_OK && !interrupt_pending(); polls++) {
		progress_show(progress, "booting: %s", transport->machine.name);
		if (polls)
			when_sleep_poll(polls);
		if (heartbeat_left_ms(&heartbeat) == 0) {
			progress_clear(progress);
			heartbeat_run(&heartbeat);
		}
		is_over = heartbeat.has_ended || machine_try(transport, &denied_ms, &last) < 0 ||
			  when_mono_ms() >= end_ms;
	}
	progress_clear(progress);
	is_over = heartbeat.has_ended;
	heartbeat_fini(&heartbeat);
	if (last == PROBE_OK && !interrupt_pending())
		return -1;
	return is_over ? EXIT_ENDED : failure_report(cli, transport, last);
}
