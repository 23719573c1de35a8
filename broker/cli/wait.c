/* SPDX-License-Identifier: MIT */
/* lessor wait: until a machine is ready, or until nothing of its lease is left. */
#include "cli/cli.h"

#include <string.h>

#include "cli/interrupt.h"
#include "cli/lease_view.h"
#include "cli/progress.h"
#include "cli/text.h"
#include "cli/when.h"
#include "util/alloc.h"

#define TIMEOUT_S (15 * 60)

struct wait_for {
	int gone; /* otherwise: ready */
	int64_t end_ms;
	json_t *doc; /* the latest response with the lease; owned */
};

/* -1 while it is neither so nor impossible, otherwise the exit code; errors are reported. */
static int lease_judge(const struct wait_for *wait)
{
	const json_t *lease = view_lease(wait->doc);
	enum view_left left = view_what_is_left(lease);
	auto_free char *name = view_name(lease);
	const char *reason = view_text(lease, "failureError");
	const char *attention = view_text(lease, "attention");

	if (!*reason)
		reason = view_text(lease, "endReason");
	if (!wait->gone && view_is_ready(lease))
		return EXIT_OK;
	if (view_is_live(lease))
		return -1;
	if (!wait->gone) {
		text_error("wait: %s is %s and will not be ready%s%s", name,
			   view_text(lease, "state"), *reason ? ": " : "", reason);
		return EXIT_ENDED;
	}
	if (left == LEFT_KEPT)
		text_error("wait: the server of %s is kept and will not go away; to delete it: "
			   "lessor release %s --delete",
			   name, view_text(lease, "id"));
	else if (left == LEFT_ATTENTION)
		text_error("wait: %s needs operator action%s%s; see: lessor show %s", name,
			   *attention ? ": " : "", attention, view_text(lease, "id"));
	return left == LEFT_NOTHING ? EXIT_OK : left == LEFT_PENDING ? -1 : EXIT_PENDING;
}

/* Replaces wait->doc; -1 to continue, otherwise the exit code after an error. */
static int lease_poll(struct cli *cli, const char *path, struct wait_for *wait,
		      struct progress *progress)
{
	struct client_response response;
	int good = client_get(cli->client, path, &response);
	int code = -1;

	if (good && view_lease(response.doc)) {
		json_decref(wait->doc);
		wait->doc = json_incref(response.doc);
		progress->is_late = 0;
	} else if (good) {
		code = cli_lease_require(cli, &response);
	} else if (client_may_retry(&response) && wait->doc) {
		progress_late(progress, &response);
	} else {
		progress_clear(progress);
		code = cli_fail(cli, &response);
	}
	client_response_fini(&response);
	return code;
}

static int wait_run(struct cli *cli, const char *ref, struct wait_for *wait)
{
	auto_free char *path = cli_lease_path(ref, "");
	struct progress progress;
	int code;

	progress_init(&progress);
	code = lease_poll(cli, path, wait, &progress);
	if (code >= 0)
		return code;
	free(path); /* a slug ends with its lease */
	path = cli_lease_path(view_text(view_lease(wait->doc), "id"), "");
	for (int polls = 0; (code = lease_judge(wait)) < 0; polls++) {
		progress_show(&progress, "%s %s", view_text(view_lease(wait->doc), "slug"),
			      view_is_live(view_lease(wait->doc)) ?
				      view_text(view_lease(wait->doc), "state") :
				      "cleaning up");
		when_sleep_poll(polls);
		if (interrupt_pending())
			code = 128 + interrupt_pending();
		else if (when_mono_ms() >= wait->end_ms)
			code = EXIT_UNREACHABLE;
		else
			code = lease_poll(cli, path, wait, &progress);
		if (code >= 0)
			break;
	}
	progress_clear(&progress);
	if (code == EXIT_UNREACHABLE && when_mono_ms() >= wait->end_ms)
		text_error("wait: timed out: %s is %s", ref,
			   view_is_live(view_lease(wait->doc)) ?
				   view_text(view_lease(wait->doc), "state") :
				   "not cleaned up yet");
	return code;
}

static int result_print(struct cli *cli, const struct wait_for *wait)
{
	const json_t *lease = view_lease(wait->doc);
	auto_free char *name = view_name(lease);

	if (cli->json)
		return EXIT_OK;
	if (!wait->gone)
		return view_print_ready(stdout, lease, NULL) ? EXIT_ERROR : EXIT_OK;
	text_print(stdout, "%s has %s, nothing is left", name,
		   !strcmp(view_text(lease, "state"), "released") ? "been released" :
								    view_text(lease, "state"));
	return EXIT_OK;
}

int command_wait(struct cli *cli, int argc, char **argv)
{
	const char *what = "ready", *timeout = NULL, *ref;
	const struct argv_option own[] = {
		{ "for", ARGV_VALUE, .value = &what },
		{ "timeout", ARGV_VALUE, .value = &timeout },
		{ 0 },
	};
	int64_t seconds = TIMEOUT_S;
	struct wait_for wait = { 0 };
	struct err err = { 0 };
	int code = cli_parse(cli, own, argc, argv, &ref, 1);

	if (code < 0 && strcmp(what, "ready") != 0 && strcmp(what, "gone") != 0)
		code = cli_usage_error(cli, "--for must be ready or gone, not '%.40s'", what);
	if (code < 0 && timeout && when_parse_seconds(timeout, &seconds, &err))
		code = cli_usage_error(cli, "--timeout: %s", err.text);
	if (code < 0)
		code = cli_connect(cli);
	if (code >= 0)
		return code;
	wait.gone = !strcmp(what, "gone");
	wait.end_ms = when_mono_ms() + seconds * 1000;
	code = wait_run(cli, ref, &wait);
	if (cli->json && wait.doc)
		cli_print_json(wait.doc);
	if (code == EXIT_OK)
		code = result_print(cli, &wait);
	json_decref(wait.doc);
	return code;
}
