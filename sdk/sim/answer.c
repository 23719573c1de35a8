/* SPDX-License-Identifier: MIT */
/*
 * ANSWER faults, which replace the response.
 */
#include <string.h>

#include "sim/call.h"
#include "sim/out.h"
#include "util/alloc.h"

/* Faults that are just a status, a code and a message. */
static const struct plain {
	enum fault_kind kind;
	int status;
	const char *code, *message, *details;
} plains[] = {
	{ FAULT_SOLD_OUT, 412, "resource_unavailable", "error during placement", NULL },
	{ FAULT_LOCATION_DISABLED, 412, "resource_unavailable", "server location disabled", NULL },
	{ FAULT_PLACEMENT, 422, "placement_error", "error during placement", NULL },
	{ FAULT_UNIQUENESS, 409, "uniqueness_error", "server name is already used", "{}" },
	{ FAULT_CONFLICT, 409, "conflict", "resource was changed concurrently", NULL },
	{ FAULT_LOCKED, 423, "locked", "cannot perform operation because server is locked", NULL },
	{ FAULT_PROTECTED, 423, "protected", "server deletion is protected", NULL },
	{ FAULT_UNAUTHORIZED, 401, "unauthorized", "unable to authenticate", NULL },
	{ FAULT_TOKEN_READONLY, 401, "token_readonly", "token is only allowed to read", NULL },
	{ FAULT_FORBIDDEN, 403, "forbidden", "insufficient permissions", NULL },
	{ FAULT_MAINTENANCE, 403, "maintenance", "operation is blocked by maintenance", NULL },
	{ FAULT_NOT_FOUND, 404, "not_found", "resource not found", NULL },
	{ FAULT_DEPRECATED, 410, "deprecated_api_endpoint", "the endpoint was removed",
		"{\"announcement\":\"https://docs.hetzner.cloud/changelog\"}" },
	{ FAULT_SERVER_ERROR, 500, "server_error", "an internal error occurred", NULL },
	{ FAULT_UNAVAILABLE, 503, "unavailable", "service is temporarily unavailable", NULL },
};

static void add_headers(struct call *call, const json_t *headers)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)headers, name, value) {
		if (json_is_string(value))
			cloud_response_add_header(call->response, name, json_string_value(value));
	}
}

static void add_int(struct call *call, const char *name, int64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)value);
	cloud_response_add_header(call->response, name, text);
}

static void answer_html(struct call *call, int status, const char *title)
{
	call->gateway = 1;
	call->response->status = status;
	buf_clear(&call->out);
	buf_addf(&call->out, "<html>\r\n<head><title>%d %s</title></head>\r\n<body>\r\n"
		"<center><h1>%d %s</h1></center>\r\n</body>\r\n</html>\r\n",
		status, title, status, title);
	cloud_response_add_header(call->response, "Content-Type", "text/html");
}

static void answer_rate(struct call *call, const json_t *args)
{
	const char *how = args_str(args, "headers", "sane");
	int64_t now = (call->now_ms + call->cloud->config.skew_ms) / 1000;
	int64_t limit = call->cloud->config.rate_per_hour;
	char text[96];

	snprintf(text, sizeof(text), "limit of %lld requests per hour reached", (long long)limit);
	reply_error(call, 429, "rate_limit_exceeded", text, "null");
	call->gateway = call->rate_said = 1;
	cloud_response_add_header(call->response, "Content-Type", "application/json");
	if (json_object_get(args, "retry_after"))
		add_int(call, "Retry-After", args_int(args, "retry_after", 0));
	if (!strcmp(how, "none"))
		return;
	if (!strcmp(how, "text")) {
		cloud_response_add_header(call->response, "RateLimit-Limit", "many");
		cloud_response_add_header(call->response, "RateLimit-Remaining", "none");
		cloud_response_add_header(call->response, "RateLimit-Reset", "tomorrow");
		return;
	}
	add_int(call, "RateLimit-Limit", limit);
	add_int(call, "RateLimit-Remaining", !strcmp(how, "negative") ? -1 : 0);
	add_int(call, "RateLimit-Reset", !strcmp(how, "past") ? now - 86400
		: !strcmp(how, "far") ? now + 315360000LL
		: !strcmp(how, "negative") ? -now : now + 3600);
	if (!strcmp(how, "twice"))
		add_int(call, "RateLimit-Reset", now + 1);
}

static void answer_redirect(struct call *call, const json_t *args)
{
	const char *to = args_str(args, "to", "same");
	const char *target = call->request->target;
	const char *before = !strcmp(to, "same") || !strcmp(to, "other") || !strcmp(to, "http")
		? "" : to;
	auto_free char *location = NULL;

	if (!strcmp(to, "other"))
		before = "http://127.0.0.2:9";
	if (!strcmp(to, "http"))
		before = "http://api.example.com";
	if (!strcmp(to, "file"))
		before = "file://";
	location = strstr(to, "://") ? xstrdup(to) : xasprintf("%s%s", before, target);
	call->response->status = (int)args_int(args, "status", 307);
	buf_clear(&call->out);
	cloud_response_add_header(call->response, "Location", location);
}

static void answer_limit(struct call *call, const json_t *args)
{
	const char *limit = args_str(args, "limit", "server_limit");
	const char *message = !strcmp(limit, "dedicated_core_limit")
		? "dedicated_core_limit exceeded"
		: !strcmp(limit, "primary_ip_limit") ? "Primary IP limit exceeded"
		: "server limit exceeded";
	struct buf details;

	buf_init(&details, 4096);
	buf_adds(&details, "{\"limits\":[{\"name\":");
	out_str(&details, limit);
	buf_adds(&details, "}]}");
	reply_error(call, 403, "resource_limit_exceeded", args_str(args, "message", message),
		buf_str(&details));
	buf_fini(&details);
}

static void answer_error(struct call *call, const json_t *args)
{
	const json_t *details = json_object_get(args, "details");
	auto_free char *text = details ? json_dumps(details, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

	reply_error(call, (int)args_int(args, "status", 500),
		args_str(args, "code", "server_error"),
		args_str(args, "message", "an error occurred"), text);
}

static void answer_plain(struct call *call, enum fault_kind kind, const json_t *args)
{
	for (size_t i = 0; i < ARRAY_LEN(plains); i++) {
		const struct plain *p = &plains[i];

		if (p->kind != kind)
			continue;
		reply_error(call, p->status, p->code, args_str(args, "message", p->message),
			p->details);
		return;
	}
}

void answer_fault(struct call *call, const struct plan_item *item)
{
	const json_t *args = item->args;

	switch (item->kind) {
	case FAULT_ERROR:
		answer_error(call, args);
		break;
	case FAULT_LIMIT:
		answer_limit(call, args);
		break;
	case FAULT_INVALID_INPUT:
		reply_field(call, args_str(args, "field", "name"),
			args_str(args, "message", "is not valid"));
		break;
	case FAULT_RATE_LIMITED:
		answer_rate(call, args);
		break;
	case FAULT_BAD_GATEWAY:
		answer_html(call, 502, "Bad Gateway");
		break;
	case FAULT_GATEWAY_TIMEOUT:
		if (args_true(args, "json", 0))
			reply_error(call, 504, "timeout", "the request timed out", NULL);
		else
			answer_html(call, 504, "Gateway Time-out");
		break;
	case FAULT_REDIRECT:
		answer_redirect(call, args);
		break;
	case FAULT_STATUS:
		call->response->status = (int)args_int(args, "status", 418);
		buf_clear(&call->out);
		break;
	default:
		answer_plain(call, item->kind, args);
		break;
	}
	if (item->kind == FAULT_UNAVAILABLE && json_object_get(args, "retry_after"))
		add_int(call, "Retry-After", args_int(args, "retry_after", 0));
	add_headers(call, json_object_get(args, "headers"));
}
