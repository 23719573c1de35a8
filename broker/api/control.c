/* SPDX-License-Identifier: MIT */
/*
 * GET /v1/control: the WebSocket over which a client sends heartbeats and follows runs
 * (contract 2.9). It offers nothing that the routes do not; it saves requests. No message is
 * longer than the client reads by default. The token is verified with every message and twice
 * a second: if it was revoked or has expired, the socket is closed.
 */
#include <stdlib.h>
#include <string.h>

#include "api/control.h"
#include "api/handlers.h"
#include "api/lookup.h"
#include "api/relay_target.h"
#include "api/reply.h"
#include "api/telemetry.h"
#include "api/validate.h"
#include "http/websocket.h"
#include "util/alloc.h"
#include "util/hash.h"
#include "util/log.h"
#include "util/text.h"
#include "util/time.h"

#define BEATS_MAX 8 /* heartbeats of one socket that wait for the engine */
#define MESSAGE_IN_MAX 65536

/* A heartbeat that waits for the engine; its socket may be closed meanwhile. */
struct beat {
	LIST_ENTRY(beat) entry;
	struct control *control;
	char lease[ROUTE_PARAM_SIZE];
};

/* ---- life --------------------------------------------------------------------------- */

static void control_free(struct control *c)
{
	struct beat *beat;

	LIST_REMOVE(c, entry);
	token_watch_end(&c->watch);
	for (beat = LIST_FIRST(&c->beats); beat; beat = LIST_NEXT(beat, entry))
		beat->control = NULL;
	free(c);
}

static void control_close(struct control *c, uint16_t code)
{
	http_socket_close(c->socket, code);
	control_free(c);
}

void control_stop(struct api *api)
{
	while (!LIST_EMPTY(&api->controls))
		control_close(LIST_FIRST(&api->controls), FRAME_CODE_GOING_AWAY);
}

static void on_token_end(struct token_watch *watch, const char *why)
{
	struct control *c =
		(struct control *)(void *)((char *)watch - offsetof(struct control, watch));

	control_error(c, "unauthorized", why);
	control_close(c, FRAME_CODE_POLICY);
}

/* ---- heartbeats ---------------------------------------------------------------------------- */

static void control_send_beat(struct control *c, const char *lease, int64_t expires_ms,
			      const char *error)
{
	struct jsonw w = control_begin(c, "heartbeat");

	jsonw_text(&w, "leaseID", lease);
	jsonw_bool(&w, "ok", !error);
	if (error)
		jsonw_text(&w, "error", error);
	else
		jsonw_time(&w, "expiresAt", expires_ms);
	control_send(c, &w);
}

static void beat_finish(struct api_request *request, struct engine_request *engine_request)
{
	struct beat *beat = engine_request->user;
	struct control *c = beat->control;
	int ok = engine_request->result == RESULT_OK;

	(void)request;
	if (c) {
		LIST_REMOVE(beat, entry);
		c->beat_count--;
		control_send_beat(c, ok ? engine_request->lease.id : beat->lease,
				  lease_expires_ms(&engine_request->lease),
				  ok			  ? NULL :
				  engine_request->code[0] ? engine_request->code :
							    "internal");
	}
	free(beat);
}

/* Messages have no schema in openapi.json. */
struct beat_body {
	char lease[64];
	char expected_account[32];
	json_t *telemetry;
	int64_t idle_seconds;
};

/* clang-format off */
static const struct body_field beat_fields[] = {
	{ .name = "leaseID", .type = FIELD_TEXT, FIELD_AT(beat_body, lease) },
	{ .name = "expectedProvider", .type = FIELD_TEXT, FIELD_AT(beat_body, expected_account) },
	{ .name = "telemetry", .type = FIELD_OBJECT, FIELD_TO(beat_body, telemetry),
	  .members = &body_telemetry },
	/* 0 stands for "absent" where a client cannot leave it out. */
	{ .name = "idleTimeoutSeconds", .type = FIELD_INT, FIELD_TO(beat_body, idle_seconds),
	  .expected = "positive", .high = INT64_MAX },
};
/* clang-format on */

static const struct body_table body_beat = BODY_TABLE(NULL, NULL, beat_fields);

static int read_beat(struct control *c, struct json_body *in, struct engine_request *engine_request)
{
	struct beat_body body = { .lease = "" };
	int64_t max = c->api->config.idle_max_ms / 1000;
	int rc = json_body_read(in, in->root, &body_beat, &body);

	TEXT_SET(engine_request->ref, body.lease);
	TEXT_SET(engine_request->expected_account, body.expected_account);
	engine_request->idle_ms = (body.idle_seconds > max ? max : body.idle_seconds) * 1000;
	if (!rc && body.telemetry)
		rc = telemetry_read(in, body.telemetry, api_now_ms(c->api),
				    &engine_request->sample_ms, engine_request->sample,
				    sizeof(engine_request->sample));
	if (!validate_lease_id(engine_request->ref) && !validate_slug(engine_request->ref))
		rc = json_body_fail(in, 404, "not_found", "No such lease.");
	return rc < 0 ? -1 : 0;
}

/* ---- of a lease whose account another daemon owns ---- */

static struct beat *beat_begin(struct control *c, const char *lease)
{
	struct beat *beat = xcalloc(1, sizeof(*beat));

	text_set(beat->lease, sizeof(beat->lease), lease);
	beat->control = c;
	LIST_INSERT_HEAD(&c->beats, beat, entry);
	c->beat_count++;
	return beat;
}

/* The owner has answered, as POST /v1/leases/{lease}/heartbeat does. */
static void beat_told(void *arg, int status, const char *body)
{
	struct beat *beat = arg;
	struct control *c = beat->control;
	json_t *doc = json_loads(body, 0, NULL);
	json_t *lease = json_object_get(doc, "lease");
	const char *id = json_string_value(json_object_get(lease, "id"));
	const char *expires = json_string_value(json_object_get(lease, "expiresAt"));
	const char *error = json_string_value(json_object_get(doc, "error"));
	int64_t expires_ms = 0;

	if (c) {
		LIST_REMOVE(beat, entry);
		c->beat_count--;
		if (status == 200 && id && expires && time_parse(expires, &expires_ms) == 0)
			control_send_beat(c, id, expires_ms, NULL);
		else
			control_send_beat(c, beat->lease, 0, error ? error : "account_moving");
	}
	json_decref(doc);
	free(beat);
}

/* The message as the body of such a request. */
static char *beat_body(const struct json_body *in)
{
	static const char *const members[] = { "expectedProvider", "telemetry" };
	json_t *idle = json_object_get(in->root, "idleTimeoutSeconds");
	json_t *body = json_object();
	char *text;

	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		json_t *value = json_object_get(in->root, members[i]);

		if (value && strcmp(json_string_value(value) ? json_string_value(value) : "-", ""))
			json_object_set(body, members[i], value);
	}
	if (json_integer_value(idle) > 0)
		json_object_set(body, "idleTimeoutSeconds", idle);
	text = json_dumps(body, JSON_COMPACT);
	json_decref(body);
	return text;
}

/* 1: the heartbeat goes elsewhere, or is answered. 0: it is for this daemon. */
static int beat_relay(struct control *c, const struct json_body *in,
		      struct engine_request *engine_request)
{
	struct api_request request = { .api = c->api, .caller = c->watch.caller };
	struct relay_target target;
	struct relay_post post = { .account = target.account, .caller = &c->watch.caller };
	auto_free char *path = NULL;
	struct beat *beat;
	char *body;
	int rc = c->api->relay ? relay_target_own(&request, engine_request->ref, &target) : -1;

	if (rc == 0)
		control_send_beat(c, engine_request->ref, 0, "not_found");
	/* Without the database, only what is in memory tells. */
	if (rc <= 0)
		return rc == 0;
	TEXT_SET(engine_request->account, target.account);
	path = xasprintf("/v1/leases/%s/heartbeat", c->api->lease.id);
	body = beat_body(in);
	post.target = path;
	post.body = body ? body : "{}";
	beat = beat_begin(c, c->api->lease.id);
	rc = relay_post(c->api->relay, &post, beat_told, beat);
	free(body);
	if (rc > 0)
		return 1;
	LIST_REMOVE(beat, entry);
	c->beat_count--;
	if (rc < 0)
		control_send_beat(c, beat->lease, 0, "account_moving");
	free(beat);
	return rc < 0;
}

static void control_beat(struct control *c, struct json_body *in)
{
	struct api *api = c->api;
	struct api_request request = { .api = api, .caller = c->watch.caller };
	struct engine_request *engine_request = NULL;
	struct beat *beat;

	if (c->watch.caller.role == TOKEN_READER) {
		control_send_beat(c, "", 0, "forbidden");
		return;
	}
	if (c->beat_count < BEATS_MAX)
		engine_request = engine_queue_request(api->engine_queue, &request,
						      REQUEST_HEARTBEAT,
						      (size_t)api->config.pending_max);
	if (!engine_request) {
		control_send_beat(c, "", 0, "busy");
		return;
	}
	if (read_beat(c, in, engine_request)) {
		control_send_beat(c,
				  validate_lease_id(engine_request->ref) ? engine_request->ref : "",
				  0, in->error->code);
		engine_queue_drop(api->engine_queue, engine_request);
		return;
	}
	if (beat_relay(c, in, engine_request)) {
		engine_queue_drop(api->engine_queue, engine_request);
		return;
	}
	/* Users with whom the lease is shared do not keep it alive from here. */
	engine_request->own_only = 1;
	beat = beat_begin(c, engine_request->ref);
	engine_request->user = beat;
	engine_queue_submit(api->engine_queue, engine_request, beat_finish);
}

/* ---- messages in ---------------------------------------------------------------------------- */

struct message_body {
	char type[32];
};

/* clang-format off */
static const struct body_field message_fields[] = {
	{ .name = "type", .type = FIELD_TEXT, .flags = FIELD_LENIENT,
	  FIELD_AT(message_body, type) },
};
/* clang-format on */

static const struct body_table body_message = BODY_TABLE(NULL, NULL, message_fields);

static void control_message(struct control *c, struct json_body *in)
{
	struct message_body body = { .type = "" };
	const char *type = body.type;

	json_body_read(in, in->root, &body_message, &body);
	if (!strcmp(type, "heartbeat")) {
		control_beat(c, in);
	} else if (!strcmp(type, "subscribe_run")) {
		control_subscribe(c, in);
	} else if (!strcmp(type, "ping")) {
		struct jsonw w = control_begin(c, "pong");

		control_send(c, &w);
	} else if (strcmp(type, "ack") && strcmp(type, "pong")) {
		control_error(c, "unknown_type", "Unknown message type.");
	}
}

static void on_text(struct http_socket *socket, const char *text, size_t len, void *arg)
{
	struct control *c = arg;
	struct api_error error = { .status = 0 };
	struct json_body in;

	(void)socket;
	if (token_watch_check(&c->watch))
		return;
	if (json_body_open(&in, text, len, 0, &error))
		control_error(c, error.code, error.message);
	else
		control_message(c, &in);
	json_body_close(&in);
}

static void on_drain(struct http_socket *socket, void *arg)
{
	(void)socket;
	control_drained(arg);
}

static void on_closed(struct http_socket *socket, void *arg)
{
	(void)socket;
	control_free(arg);
}

/* ---- the handshake ------------------------------------------------------------------------ */

/* The first message; the client does not depend on it. */
static void control_send_hello(struct control *c)
{
	struct jsonw w = control_begin(c, "hello");
	unsigned char bytes[8];
	char id[HASH_HEX_ROOM(8)];

	env_random(c->api->parts.env, bytes, sizeof(bytes));
	hash_hex(bytes, sizeof(bytes), id);
	jsonw_int(&w, "protocol", 1);
	jsonw_text(&w, "clientID", id);
	control_send(c, &w);
}

void control_open(struct api_request *request)
{
	static const struct http_socket_handler handler = { on_text, on_drain, on_closed };
	struct http_socket_config config;
	struct api *api = request->api;
	const char *code, *message;
	struct control *c;
	int status = http_websocket_refusal(request->head, &code, &message);

	if (status == 426) {
		http_reply_header(request->ex, "Upgrade", "websocket");
		http_reply_header(request->ex, "Sec-WebSocket-Version", "13");
	}
	if (status) {
		reply_error(request, status, code, message);
		return;
	}
	/* The client works without a socket and tries again at its next heartbeat. */
	c = xcalloc(1, sizeof(*c));
	if (token_watch_begin(&c->watch, request, on_token_end)) {
		free(c);
		return;
	}
	c->api = api;
	http_socket_config_init(&config);
	config.message_max = MESSAGE_IN_MAX;
	c->socket = http_websocket_accept(request->ex, &handler, &config, c);
	if (!c->socket) {
		token_watch_end(&c->watch);
		free(c);
		return;
	}
	LIST_INSERT_HEAD(&api->controls, c, entry);
	control_send_hello(c);
}
