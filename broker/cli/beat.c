/* SPDX-License-Identifier: MIT */
#include "cli/beat.h"

#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/lease_view.h"
#include "cli/when.h"
#include "util/alloc.h"

#define INTERVAL_MIN_MS INT64_C(5000)
#define INTERVAL_MAX_MS INT64_C(60000)
#define TIMEOUT_MS 10000
#define RETRY_MS INT64_C(2000)

int64_t beat_interval_ms(int64_t idle_s)
{
	int64_t idle_ms;

	if (idle_s <= 0 || idle_s > INTERVAL_MAX_MS / 1000 * 3)
		return INTERVAL_MAX_MS;
	idle_ms = idle_s * 1000;
	/* An idle timeout of a few seconds leaves no time for the minimum. */
	if (idle_ms / 2 < INTERVAL_MIN_MS)
		return idle_ms / 2;
	return idle_ms / 3 < INTERVAL_MIN_MS ? INTERVAL_MIN_MS : idle_ms / 3;
}

void beat_init(struct beat *beat, const json_t *lease)
{
	*beat = (struct beat){
		.id = xstrdup(view_text(lease, "id")),
		.lease = json_deep_copy(lease),
		.due_ms = when_mono_ms(),
	};
}

void beat_fini(struct beat *beat)
{
	free(beat->id);
	json_decref(beat->lease);
	*beat = (struct beat){ 0 };
}

int64_t beat_left_ms(const struct beat *beat)
{
	int64_t left = beat->due_ms - when_mono_ms();

	return left > 0 ? left : 0;
}

static int is_ended(const struct client_response *response)
{
	const char *code = client_error_code(response);

	/* Our lease was here before, so a 404 means that it is over. */
	return response->outcome == CLIENT_COMPLETE &&
	       (response->status == 404 ||
		(response->status == 409 && code &&
		 (!strcmp(code, "lease_ended") || !strcmp(code, "lease_expired"))));
}

enum beat_result beat_send(struct beat *beat, struct client *client,
			   struct client_response *response)
{
	auto_free char *path = cli_lease_path(beat->id, "/heartbeat");
	json_t *body = json_object();
	const struct client_request request = {
		.method = "POST",
		.path = path,
		.body = body,
		.timeout_ms = TIMEOUT_MS,
		.stop = beat->stop,
		.stop_arg = beat->stop_arg,
	};
	int64_t interval_ms = beat_interval_ms(view_int(beat->lease, "idleTimeoutSeconds"));
	int64_t start_ms = when_mono_ms();
	int good = client_call(client, &request, response);

	json_decref(body);
	if (good && view_lease(response->doc)) {
		json_decref(beat->lease);
		beat->lease = json_incref(view_lease(response->doc));
		beat->failures = 0;
		beat->due_ms = start_ms +
			       beat_interval_ms(view_int(beat->lease, "idleTimeoutSeconds"));
		return view_is_live(beat->lease) ? BEAT_ALIVE : BEAT_ENDED;
	}
	beat->failures++;
	beat->due_ms = when_mono_ms() + (RETRY_MS < interval_ms ? RETRY_MS : interval_ms);
	if (is_ended(response))
		return BEAT_ENDED;
	if (good || client_may_retry(response) || response->outcome == CLIENT_INTERRUPTED)
		return BEAT_LATE;
	return BEAT_REFUSED;
}
