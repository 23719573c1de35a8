/* SPDX-License-Identifier: MIT */
#include "cli/queue_watch.h"

#include <stdio.h>
#include <string.h>

#include "cli/beat.h"
#include "cli/lease_view.h"
#include "cli/text.h"
#include "cli/when.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/duration.h"
#include "util/time.h"

/* An answer that is missing is missed by the next look at the lease, too. */
static void heartbeat_send(struct cli *cli, const json_t *lease)
{
	auto_free char *path = cli_lease_path(view_text(lease, "id"), "/heartbeat");
	json_t *body = json_object();
	const struct client_request request = { .method = "POST", .path = path, .body = body };
	struct client_response response;

	client_call(cli->client, &request, &response);
	client_response_fini(&response);
	json_decref(body);
}

int queue_watch(struct queue_watch *watch, struct cli *cli, struct progress *progress,
		const json_t *lease)
{
	const json_t *queue = json_object_get(lease, "queue");
	int64_t place = view_int(queue, "place"), of = view_int(queue, "of");
	int64_t now_ms = when_mono_ms();

	if (!queue)
		return 0;
	if (progress->is_tty)
		progress_show(progress, "waiting for capacity: place %lld of %lld",
			      (long long)place, (long long)of);
	else if (place != watch->place)
		progress_note(progress, "waiting for capacity: place %lld of %lld",
			      (long long)place, (long long)of);
	watch->place = place;
	watch->of = of;
	if (!watch->heartbeat_ms)
		watch->heartbeat_ms = now_ms;
	if (now_ms - watch->heartbeat_ms >=
	    beat_interval_ms(view_int(lease, "idleTimeoutSeconds"))) {
		heartbeat_send(cli, lease);
		watch->heartbeat_ms = now_ms;
	}
	return 1;
}

/* ---- refusals ----------------------------------------------------------------------------- */

/* "build (ends in 12m), two" */
static void leases_write(struct buf *out, const json_t *leases)
{
	json_t *one;
	size_t i;

	json_array_foreach(leases, i, one) {
		const char *slug = view_text(one, "slug");
		char distance[WHEN_TEXT_SIZE];

		when_write_minutes(view_text(one, "expiresAt"), when_wall_ms(), distance);
		buf_addf(out, "%s%s", i ? ", " : "", *slug ? slug : view_text(one, "id"));
		if (*distance)
			buf_addf(out, " (ends %s)", distance);
	}
}

static const char *whose(const char *scope)
{
	return !strcmp(scope, "owner")	 ? "you have" :
	       !strcmp(scope, "org")	 ? "your organisation has" :
	       !strcmp(scope, "account") ? "the account has" :
					   "this server has";
}

static void limit_write(struct buf *out, const json_t *limit, const json_t *leases)
{
	const char *scope = view_text(limit, "scope");
	int is_own = !strcmp(scope, "owner");

	if (!strcmp(view_text(limit, "of"), "hourlyPrice"))
		buf_addf(out, "%s leases of %.2f of %.2f an hour, and this one costs %.2f",
			 whose(scope), view_real(limit, "used"), view_real(limit, "max"),
			 view_real(limit, "more"));
	else
		buf_addf(out, "%s %lld of %lld", whose(scope), (long long)view_int(limit, "used"),
			 (long long)view_int(limit, "max"));
	if (view_int(limit, "waiting"))
		buf_addf(out, ", and %lld waiting before this one",
			 (long long)view_int(limit, "waiting"));
	if (json_array_size(leases)) {
		buf_adds(out, is_own ? ": " : "; yours: ");
		leases_write(out, leases);
	} else if (!is_own) {
		buf_adds(out, ", none of them yours");
	}
}

static void advice_write(struct buf *out, const struct client_response *response, int is_waiting)
{
	const json_t *limit = json_object_get(response->doc, "limit");
	const char *code = client_error_code(response);
	char length[DURATION_TEXT_SIZE];
	int64_t retry_ms = response->retry_after_s * 1000;

	if (view_real(limit, "more") > view_real(limit, "max")) {
		buf_adds(out, "; this one alone exceeds the limit: choose a smaller class");
		return;
	}
	if (json_array_size(json_object_get(response->doc, "leases"))) {
		buf_adds(out, "; release one");
	} else {
		duration_summarize(retry_ms >= 60000 ? retry_ms / 60000 * 60000 : retry_ms, length);
		buf_addf(out, "; try again in %s", length);
	}
	if (code && !strcmp(code, "queue_full"))
		buf_adds(out, ": the queue is full, too");
	else if (is_waiting)
		buf_adds(out, ", or wait longer");
	else
		buf_adds(out, ", or: lessor create --wait-for-capacity");
}

void queue_describe_refusal(struct client_response *response, int is_waiting)
{
	const json_t *limit = json_object_get(response->doc, "limit");
	struct buf text;

	if (response->outcome != CLIENT_COMPLETE || response->status != 429 || !limit)
		return;
	buf_init(&text, sizeof(response->error));
	limit_write(&text, limit, json_object_get(response->doc, "leases"));
	advice_write(&text, response, is_waiting);
	snprintf(response->error, sizeof(response->error), "%s", buf_str(&text));
	buf_fini(&text);
	/* The sentence says it, where it helps. */
	response->retry_after_s = 0;
}
