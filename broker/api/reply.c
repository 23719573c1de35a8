/* SPDX-License-Identifier: MIT */
#include "api/reply.h"

#include <stdio.h>
#include <string.h>

#include "api/validate.h"
#include "util/log.h"

/* After this long without an error, the next one begins a new series. */
#define STORE_ERROR_PAUSE_MS 60000

static void status_count(struct api *api, uint64_t answered[6], int status)
{
	answered[status / 100 % 6]++;
	if (status / 100 == 4)
		api->refusals[status % 100]++;
}

void reply_count(struct api *api, const struct route *route, int status)
{
	status_count(api, api->answers[route ? (size_t)(route - api->routes) : api->route_count],
		     status);
}

struct jsonw reply_begin(struct api_request *request)
{
	struct jsonw w;

	buf_clear(&request->api->out);
	jsonw_init(&w, &request->api->out);
	return w;
}

void reply_epoch(struct api_request *request, int64_t epoch)
{
	char tag[24];

	snprintf(tag, sizeof(tag), "\"%lld\"", (long long)epoch);
	http_reply_header(request->ex, "ETag", tag);
}

void reply_text(struct api_request *request, int status, const char *type, const char *body,
		size_t len)
{
	status_count(request->api, request->answered, status);
	http_reply(request->ex, status, type, body, len);
}

void reply_stream(struct api_request *request, const char *type, http_drain_fn on_drain, void *arg)
{
	status_count(request->api, request->answered, 200);
	http_stream_begin(request->ex, 200, type, on_drain, arg);
}

void reply_json(struct api_request *request, int status)
{
	struct buf *out = &request->api->out;

	if (out->overflow) {
		log_error(NULL, "an answer exceeded %u bytes; sent 500 instead", REPLY_MAX);
		reply_error(request, 500, "answer_too_large",
			    "The answer is too large; ask for less of it.");
		return;
	}
	reply_text(request, status, "application/json", buf_str(out), out->len);
	/* Do not keep the memory of one long list. */
	if (out->room > (1u << 20))
		buf_fini(out);
}

void reply_error(struct api_request *request, int status, const char *code, const char *message)
{
	status_count(request->api, request->answered, status);
	http_reply_error(request->ex, status, code, message);
}

void reply_busy(struct api_request *request)
{
	http_reply_header(request->ex, "Retry-After", "1");
	reply_error(request, 503, "busy", "Too many requests are waiting; try again.");
}

void reply_request_error(struct api_request *request)
{
	reply_error(request, request->error.status, request->error.code, request->error.message);
}

void reply_not_found(struct api_request *request)
{
	static const struct {
		const char *segment;
		const char *what;
		int is_private; /* it may exist and belong to someone else */
	} kinds[] = {
		{ "{lease}", "lease", 1 },
		{ "{run}", "run", 1 },
		{ "{account}", "account", 0 },
	};
	const char *path = request->route ? request->route->path : "";
	const char *param = request->param;
	char message[128] = "Not found.";

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		/* Clients act on some words of a body: only what may be a name is repeated. */
		int named = validate_slug(param) || validate_lease_id(param);

		if (strstr(path, kinds[i].segment))
			snprintf(message, sizeof(message), "There is no %s%s%s%s%s%s.",
				 named ? "" : "such ", kinds[i].what, named ? " '" : "",
				 named ? param : "", named ? "'" : "",
				 kinds[i].is_private && request->caller.role != TOKEN_ADMIN ?
					 " of yours" :
					 "");
	}
	reply_error(request, 404, "not_found", message);
}

void reply_store_error(struct api_request *request, const struct err *err)
{
	struct api *api = request->api;
	int64_t now = env_mono_ms(api->parts.env);

	/* Once for a series, however many requests it meets; the others are counted. */
	if (!api->store_errors || now - api->store_error_ms > STORE_ERROR_PAUSE_MS)
		log_error(LOG_FIELDS({ "request", http_exchange_id(request->ex) },
				     { "error", err->text }),
			  "cannot read the database; such requests are answered 503, and counted in "
			  "lessor_store_read_errors_total");
	api->store_errors++;
	api->store_error_ms = now;
	http_reply_header(request->ex, "Retry-After", "1");
	reply_error(request, 503, "store_unavailable", "The store cannot be read now; try again.");
}
