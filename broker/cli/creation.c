/* SPDX-License-Identifier: MIT */
#include "cli/creation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "cli/interrupt.h"
#include "cli/lease_view.h"
#include "cli/notice.h"
#include "cli/text.h"
#include "cli/when.h"
#include "util/alloc.h"

#define REPLAY_WINDOW_MS 90000 /* contract 2.2: after that the create is cancelled */
#define REPLAY_PAUSE_MS 5000
#define POST_TIMEOUT_MS 300000 /* a coordinator without `Prefer: wait` responds when ready */
#define CANCEL_BUDGET_MS 10000
#define CANCEL_PAUSE_MS 2000
#define POST_WAIT_S 2 /* then progress is shown */

static void hex_mint(char *out, const char *prefix, size_t digits)
{
	unsigned char bytes[16];
	size_t i, len = strlen(prefix);

	if (getrandom(bytes, digits / 2, 0) != (ssize_t)(digits / 2))
		abort();
	memcpy(out, prefix, len);
	for (i = 0; i < digits / 2; i++)
		snprintf(out + len + 2 * i, 3, "%02x", bytes[i]);
}

void creation_init(struct creation *creation, json_t *body, int64_t wait_ms)
{
	*creation = (struct creation){ .body = body, .wait_ms = wait_ms };
	hex_mint(creation->lease_id, "cbx_", 12);
	hex_mint(creation->attempt_id, "cat_", 32);
	json_object_set_new(body, "leaseID", json_string(creation->lease_id));
	json_object_set_new(body, "createAttemptID", json_string(creation->attempt_id));
	progress_init(&creation->progress);
}

void creation_fini(struct creation *creation)
{
	json_decref(creation->body);
	json_decref(creation->doc);
	creation->body = creation->doc = NULL;
}

static void doc_keep(struct creation *creation, json_t *doc)
{
	json_incref(doc);
	json_decref(creation->doc);
	creation->doc = doc;
}

static const char *current_id(const struct creation *creation)
{
	const char *id = view_text(view_lease(creation->doc), "id");

	return *id ? id : creation->lease_id;
}

/* ---- cancelling ------------------------------------------------------------ */

/* The response must name exactly this create. */
static int cancel_is_attested(const struct creation *creation, const json_t *doc)
{
	const json_t *canceled = json_object_get(doc, "canceledCreate");

	return !strcmp(view_text(canceled, "requestedLeaseID"), creation->lease_id) &&
	       !strcmp(view_text(canceled, "createAttemptID"), creation->attempt_id) &&
	       !strcmp(view_text(canceled, "state"), "canceled");
}

/* Repeats the request until the cancel is attested or refused, or until `end`; 1: attested. */
static int cancel_send(struct creation *creation, struct cli *cli, int64_t end,
		       struct client_response *response)
{
	auto_free char *path = cli_lease_path(creation->lease_id, "/cancel-create");
	json_t *body = json_pack("{s:s}", "createAttemptID", creation->attempt_id);
	int last = 0, done = 0;

	for (;;) {
		int64_t left = end - when_mono_ms();
		const struct client_request request = {
			.method = "POST",
			.path = path,
			.body = body,
			.wait_s = 2,
			.timeout_ms = left > 2000 ? left : 2000,
		};

		client_call(cli->client, &request, response);
		done = cancel_is_attested(creation, response->doc);
		last = left <= 0 || interrupt_pending();
		if (done || last || !client_may_retry(response))
			break;
		client_response_fini(response);
		when_sleep(CANCEL_PAUSE_MS);
	}
	json_decref(body);
	return done;
}

/* Polls until nothing is left, or until `end`; the latest lease is in creation->doc. */
static void cancel_watch(struct creation *creation, struct cli *cli, int64_t end)
{
	auto_free char *path = cli_lease_path(current_id(creation), "");

	for (int polls = 0; !interrupt_pending() && when_mono_ms() < end; polls++) {
		const json_t *lease = view_lease(creation->doc);
		struct client_response response;

		if (!view_is_live(lease) && view_what_is_left(lease) != LEFT_PENDING)
			return;
		when_sleep_poll(polls);
		if (client_get(cli->client, path, &response) && view_lease(response.doc))
			doc_keep(creation, response.doc);
		client_response_fini(&response);
	}
}

static int cancel_report(struct creation *creation, struct cli *cli, int64_t end)
{
	auto_free char *left = NULL;
	const json_t *lease;

	if (!view_lease(creation->doc)) {
		text_print(stderr, "cancelled: nothing was created");
		return EXIT_OK;
	}
	cancel_watch(creation, cli, end);
	lease = view_lease(creation->doc);
	if (!view_is_live(lease) && view_what_is_left(lease) == LEFT_NOTHING) {
		text_print(stderr, "cancelled: nothing is left");
		return EXIT_OK;
	}
	left = view_residue(lease);
	text_print(stderr, "cancelled; lessord is still cleaning up%s%s", *left ? ": " : "", left);
	text_print(stderr, "see: lessor show %s", current_id(creation));
	return EXIT_PENDING;
}

/* EXIT_OK: nothing is left; otherwise what may be left has been reported. */
static int creation_cancel(struct creation *creation, struct cli *cli)
{
	int64_t end = when_mono_ms() + CANCEL_BUDGET_MS;
	struct client_response response;
	int code;

	progress_clear(&creation->progress);
	interrupt_clear();
	text_print(stderr, "cancelling the create (at most 10 s; press Ctrl-C again to give up)");
	if (cancel_send(creation, cli, end, &response)) {
		if (view_lease(response.doc))
			doc_keep(creation, response.doc);
		code = cancel_report(creation, cli, end);
	} else {
		if (response.outcome == CLIENT_COMPLETE && !client_may_retry(&response))
			code = response.status < 300 ?
				       EXIT_ERROR :
				       exits_from_status(response.status,
							 client_error_code(&response));
		else
			code = EXIT_UNREACHABLE;
		text_error("cannot cancel the create: %s",
			   *response.error ? response.error : "the response does not confirm it");
		text_print(stderr,
			   "a machine of lease %s may exist until the lease ends; to release "
			   "it: lessor release %s",
			   current_id(creation), current_id(creation));
	}
	client_response_fini(&response);
	return code;
}

static int creation_interrupted(struct creation *creation, struct cli *cli)
{
	int number = interrupt_pending();
	int code = creation_cancel(creation, cli);

	return code == EXIT_OK ? 128 + number : code;
}

/* ---- requesting -------------------------------------------------------------- */

enum sent { SENT_ACCEPTED, SENT_REFUSED, SENT_UNREACHED, SENT_LOST, SENT_INTERRUPTED };

/*
 * Sends the same body until a response decides. *response is the last one; SENT_LOST: it is
 * unknown whether a machine is being created.
 */
static enum sent creation_send(struct creation *creation, struct cli *cli,
			       struct client_response *response)
{
	int64_t window = creation->wait_ms && creation->wait_ms < REPLAY_WINDOW_MS
			 ? creation->wait_ms : REPLAY_WINDOW_MS;
	int64_t timeout = POST_TIMEOUT_MS, pause = 1000, end = 0;
	int perhaps = 0, lost = 0;

	for (;;) {
		const struct client_request request = {
			.method = "POST",
			.path = "/v1/leases",
			.body = creation->body,
			.wait_s = creation->wait_ms ? POST_WAIT_S : CLIENT_NO_WAIT,
			.timeout_ms = timeout,
		};
		int good = client_call(cli->client, &request, response);

		if (good && view_lease(response->doc))
			return SENT_ACCEPTED;
		if (response->outcome != CLIENT_NOT_SENT)
			perhaps = 1;
		if (!perhaps) /* nothing was ever sent, so there is nothing to cancel */
			return SENT_UNREACHED;
		if (interrupt_pending())
			return SENT_INTERRUPTED;
		if (good)
			snprintf(response->error, sizeof(response->error),
				 "the response contains no lease");
		/*
		 * A refusal of the first try is final, even a 429. A refusal of a later try
		 * proves nothing about an earlier one, unless it contains the lease.
		 */
		else if (response->status == 429 && !lost)
			return SENT_REFUSED;
		else if (!client_may_retry(response))
			return lost && !view_lease(response->doc) ? SENT_LOST : SENT_REFUSED;
		lost = 1;
		progress_late(&creation->progress, response);
		if (!end)
			end = when_mono_ms() + window;
		if (when_mono_ms() + pause >= end)
			return SENT_LOST;
		client_response_fini(response);
		when_sleep(pause);
		if (interrupt_pending())
			return SENT_INTERRUPTED;
		pause = pause * 2 < REPLAY_PAUSE_MS ? pause * 2 : REPLAY_PAUSE_MS;
		timeout = end - when_mono_ms();
		if (timeout < 2000)
			timeout = 2000;
	}
}

/* ---- waiting ------------------------------------------------------------------- */

static int ended_report(struct creation *creation, const json_t *lease, const char *error)
{
	const char *failure = view_text(lease, "failureError");
	const char *why = *failure ? failure : error;
	auto_free char *name = view_name(lease);
	auto_free char *left = view_residue(lease);

	progress_clear(&creation->progress);
	text_error("create: %s %s%s%s", name, view_text(lease, "state"), *why ? ": " : "", why);
	view_print_attempts(stderr, lease);
	if (*left)
		text_print(stderr, "lessord is still cleaning up: %s", left);
	return EXIT_ENDED;
}

/* Updates creation->doc; -1 to continue, otherwise the exit code. */
static int lease_refresh(struct creation *creation, struct cli *cli)
{
	auto_free char *path = cli_lease_path(current_id(creation), "");
	struct client_response response;
	int code = -1;

	if (client_get(cli->client, path, &response) && view_lease(response.doc)) {
		doc_keep(creation, response.doc);
		progress_follow(&creation->progress, cli->client, view_lease(creation->doc));
	} else if (interrupt_pending()) {
		/* the caller checks */
	} else if (client_may_retry(&response)) {
		progress_late(&creation->progress, &response);
	} else {
		progress_clear(&creation->progress);
		code = cli_fail(cli, &response);
		text_print(stderr, "lease %s continues; see: lessor show %s", current_id(creation),
			   current_id(creation));
	}
	client_response_fini(&response);
	return code;
}

static int creation_wait(struct creation *creation, struct cli *cli)
{
	int64_t end = creation->progress.start_ms + creation->wait_ms;
	int code = -1;

	progress_follow(&creation->progress, cli->client, view_lease(creation->doc));
	for (int polls = 0; code < 0; polls++) {
		const json_t *lease = view_lease(creation->doc);

		if (!view_is_live(lease))
			return ended_report(creation, lease, view_text(lease, "endReason"));
		if (interrupt_pending()) /* even if the machine is ready by now */
			return creation_interrupted(creation, cli);
		if (view_is_ready(lease)) {
			progress_clear(&creation->progress);
			return EXIT_OK;
		}
		if (when_mono_ms() >= end) {
			progress_clear(&creation->progress);
			text_error("create: timed out waiting for %s; the create continues",
				   current_id(creation));
			text_print(stderr, "see: lessor show %s; to release it: lessor release %s",
				   current_id(creation), current_id(creation));
			return EXIT_UNREACHABLE;
		}
		if (queue_watch(&creation->queue, cli, &creation->progress, lease))
			end = when_mono_ms() + creation->wait_ms; /* for the machine */
		else
			progress_show(&creation->progress, "%s: %s %s %s",
				      view_text(lease, "state"), view_text(lease, "slug"),
				      view_text(lease, "serverType"), view_text(lease, "region"));
		when_sleep_poll(polls);
		if (interrupt_pending())
			continue;
		code = lease_refresh(creation, cli);
	}
	return code;
}

/* An error has only a reference to the lease; the whole one tells the attempts. */
static void lease_complete(struct creation *creation, struct cli *cli)
{
	auto_free char *path = cli_lease_path(current_id(creation), "");
	struct client_response response;

	if (client_get(cli->client, path, &response) && view_lease(response.doc))
		doc_keep(creation, response.doc);
	client_response_fini(&response);
}

int creation_run(struct creation *creation, struct cli *cli)
{
	struct client_response response;
	enum sent sent;
	int code;

	progress_show(&creation->progress, "requesting a machine");
	sent = creation_send(creation, cli, &response);
	progress_clear(&creation->progress);
	if (sent == SENT_ACCEPTED) {
		auto_free char *name = view_name(view_lease(response.doc));

		doc_keep(creation, response.doc);
		client_response_fini(&response);
		if (interrupt_pending())
			return creation_interrupted(creation, cli);
		text_print(stderr, "lease %s", name);
		notice_print(view_lease(creation->doc));
		if (creation->wait_ms)
			return creation_wait(creation, cli);
		if (!view_is_live(view_lease(creation->doc)))
			return ended_report(creation, view_lease(creation->doc), "");
		return EXIT_OK;
	}
	if (sent == SENT_INTERRUPTED) {
		client_response_fini(&response);
		return creation_interrupted(creation, cli);
	}
	if (sent == SENT_REFUSED && view_lease(response.doc)) {
		/* It was accepted and has failed since, or had ended before. */
		doc_keep(creation, response.doc);
		lease_complete(creation, cli);
		code = ended_report(creation, view_lease(creation->doc), response.error);
		client_response_fini(&response);
		return code;
	}
	queue_describe_refusal(&response,
			       json_object_get(creation->body, "waitForCapacity") != NULL);
	code = cli_fail(cli, &response);
	if (sent == SENT_LOST) {
		int cancelled = creation_cancel(creation, cli);

		if (cancelled != EXIT_OK)
			code = cancelled;
	}
	client_response_fini(&response);
	return code;
}
