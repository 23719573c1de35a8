/* SPDX-License-Identifier: MIT */
/*
 * GET /v1/control: the WebSocket over which a client sends heartbeats and follows runs
 * (contract 2.9). It offers nothing that the routes do not; it saves requests. No message is
 * longer than the client reads by default. The token is verified with every message: if it
 * was revoked, the socket is closed.
 */
#include <stdlib.h>
#include <string.h>

#include "api/control.h"
#include "api/handlers.h"
#include "api/lookup.h"
#include "api/reply.h"
#include "api/run_render.h"
#include "api/telemetry.h"
#include "api/validate.h"
#include "http/websocket.h"
#include "util/alloc.h"
#include "util/hash.h"
#include "util/log.h"
#include "util/text.h"

#define CONTROLS_MAX 512
#define CONTROLS_PER_OWNER 32
#define FOLLOWS_MAX 16		/* runs that one socket follows */
#define BEATS_MAX 8		/* heartbeats of one socket that wait for the engine */
#define MESSAGE_IN_MAX 65536
#define MESSAGE_OUT_MAX 30000 /* the client reads up to 32 KiB */
#define EVENTS_DEFAULT 100
#define AUTHORIZATION_SIZE 128

struct follow {
	char run_id[RUN_ID_ROOM];
	int64_t n;		/* the run's row */
	int64_t seq;		/* of the last event sent */
	int limit;		/* events in one message */
};

struct control {
	LIST_ENTRY(control) entry;
	struct api *api;
	struct http_socket *socket;
	struct caller caller;
	char authorization[AUTHORIZATION_SIZE]; /* wiped at the end */
	LIST_HEAD(, beat) beats;
	int beat_count;
	struct follow follows[FOLLOWS_MAX];
	int follow_count;
	int is_full; /* waits for the client to read */
};

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
	c->api->control_count--;
	LIST_FOREACH(beat, &c->beats, entry)
	beat->control = NULL;
	hash_wipe(c->authorization, sizeof(c->authorization));
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

/* ---- messages out ---------------------------------------------------------------------- */

static void socket_send(struct control *c)
{
	struct buf *out = &c->api->out;

	if (http_socket_send(c->socket, buf_str(out), out->len) > 0)
		c->is_full = 1;
}

static struct jsonw message_begin(struct control *c, const char *type)
{
	struct jsonw w;

	buf_clear(&c->api->out);
	jsonw_init(&w, &c->api->out);
	jsonw_object(&w, NULL);
	jsonw_text(&w, "type", type);
	return w;
}

static void message_send(struct control *c, struct jsonw *w)
{
	jsonw_end_object(w);
	socket_send(c);
}

static void message_error(struct control *c, const char *code, const char *message)
{
	struct jsonw w = message_begin(c, "error");

	jsonw_text(&w, "code", code);
	jsonw_text(&w, "message", message);
	message_send(c, &w);
}

/* ---- heartbeats ---------------------------------------------------------------------------- */

static void message_beat(struct control *c, const char *lease, int64_t expires_ms, const char *error)
{
	struct jsonw w = message_begin(c, "heartbeat");

	jsonw_text(&w, "leaseID", lease);
	jsonw_bool(&w, "ok", !error);
	if (error)
		jsonw_text(&w, "error", error);
	else
		jsonw_time(&w, "expiresAt", expires_ms);
	message_send(c, &w);
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
		message_beat(c, ok ? engine_request->lease.id : beat->lease,
			     lease_expires_ms(&engine_request->lease),
			     ok			     ? NULL :
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
		rc = telemetry_read(in, body.telemetry, env_wall_ms(c->api->parts.env),
				    &engine_request->sample_ms, engine_request->sample,
				    sizeof(engine_request->sample));
	if (!validate_lease_id(engine_request->ref) && !validate_slug(engine_request->ref))
		rc = json_body_fail(in, 404, "not_found", "No such lease.");
	return rc < 0 ? -1 : 0;
}

static void take_heartbeat(struct control *c, struct json_body *in)
{
	struct api *api = c->api;
	struct api_request request = { .api = api, .caller = c->caller };
	struct engine_request *engine_request = NULL;
	struct beat *beat;

	if (c->caller.role == TOKEN_READER) {
		message_beat(c, "", 0, "forbidden");
		return;
	}
	if (c->beat_count < BEATS_MAX)
		engine_request = engine_queue_request(api->engine_queue, &request,
						      REQUEST_HEARTBEAT,
						      (size_t)api->config.pending_max);
	if (!engine_request) {
		message_beat(c, "", 0, "busy");
		return;
	}
	if (read_beat(c, in, engine_request)) {
		message_beat(c, validate_lease_id(engine_request->ref) ? engine_request->ref : "",
			     0, in->error->code);
		engine_queue_drop(api->engine_queue, engine_request);
		return;
	}
	/* Users with whom the lease is shared do not keep it alive from here. */
	engine_request->own_only = 1;
	beat = xcalloc(1, sizeof(*beat));
	memcpy(beat->lease, engine_request->ref, sizeof(beat->lease));
	beat->control = c;
	LIST_INSERT_HEAD(&c->beats, beat, entry);
	c->beat_count++;
	engine_request->user = beat;
	engine_queue_submit(api->engine_queue, engine_request, beat_finish);
}

/* ---- following a run ----------------------------------------------------------------------- */

static void follow_drop(struct control *c, struct follow *f)
{
	c->follow_count--;
	*f = c->follows[c->follow_count];
}

/* As many events as fit into one message. */
struct event_page {
	struct jsonw w;
	const struct follow *follow;
	int64_t seq; /* of the last event that fits */
	int count;
	int is_too_large; /* a single event does not fit */
};

static int page_add(void *arg, int64_t seq, int64_t at_ms, const char *fields)
{
	struct event_page *page = arg;
	struct buf *out = page->w.out;
	size_t before = out->len;
	int comma = page->w.comma;

	run_render_event(&page->w, page->follow->run_id, seq, at_ms, fields);
	if (out->len > MESSAGE_OUT_MAX) {
		out->len = before;
		out->data[before] = '\0';
		page->w.comma = comma;
		page->is_too_large = !page->count;
		return 1;
	}
	page->seq = seq;
	page->count++;
	return 0;
}

/* Sends the next events of a run. 1: there may be more; 0: no more; -1: no longer followed. */
static int follow_send(struct control *c, struct follow *f)
{
	struct event_page page = { .follow = f, .seq = f->seq };

	page.w = message_begin(c, "run_events");
	jsonw_text(&page.w, "runID", f->run_id);
	jsonw_array(&page.w, "events");
	if (store_run_event_each(c->api->parts.runs_reader, f->n, f->seq, f->limit, page_add, &page,
				 NULL) || page.is_too_large) {
		follow_drop(c, f);
		/* The client falls back to GET. */
		message_error(c, "event_too_large",
			      "An event is too large for this socket: use GET /v1/runs/{run}/events.");
		return -1;
	}
	jsonw_end_array(&page.w);
	if (!page.count)
		return 0;
	jsonw_int(&page.w, "nextSeq", page.seq);
	f->seq = page.seq;
	message_send(c, &page.w);
	return 1;
}

static void follow_go_on(struct control *c, struct follow *f)
{
	while (!c->is_full && follow_send(c, f) > 0)
		;
}

struct subscribe_body {
	char run_id[RUN_ID_ROOM];
	int64_t after, limit;
};

/* clang-format off */
static const struct body_field subscribe_fields[] = {
	{ .name = "runID", .type = FIELD_TEXT, FIELD_AT(subscribe_body, run_id) },
	{ .name = "after", .type = FIELD_INT, FIELD_TO(subscribe_body, after) },
	{ .name = "limit", .type = FIELD_INT, FIELD_TO(subscribe_body, limit) },
};
/* clang-format on */

static const struct body_table body_subscribe = BODY_TABLE(NULL, NULL, subscribe_fields);

static void take_subscribe(struct control *c, struct json_body *in)
{
	struct store_scope scope = lookup_scope(&c->caller);
	struct follow *f = NULL;
	struct subscribe_body body = { .limit = EVENTS_DEFAULT };
	struct run_row run;

	if (json_body_read(in, in->root, &body_subscribe, &body)) {
		message_error(c, in->error->code, in->error->message);
		return;
	}
	if (!lookup_has_runs(c->api)) {
		message_error(c, "store_unavailable", LOOKUP_NO_RUNS);
		return;
	}
	if (!lookup_is_run_id(body.run_id) ||
	    store_run_find(c->api->parts.runs_reader, body.run_id, &scope, RUN_READ, &run, NULL)) {
		message_error(c, "not_found", "No such run.");
		return;
	}
	/* A run that is followed already continues where the client says. */
	for (int i = 0; i < c->follow_count && !f; i++) {
		if (c->follows[i].n == run.n)
			f = &c->follows[i];
	}
	if (!f && c->follow_count == FOLLOWS_MAX) {
		message_error(c, "too_many_runs", "This socket follows too many runs.");
		return;
	}
	if (!f)
		f = &c->follows[c->follow_count++];
	memcpy(f->run_id, run.id, sizeof(f->run_id));
	f->n = run.n;
	f->seq = body.after > 0 ? body.after : 0;
	f->limit = body.limit < 1 || body.limit > EVENTS_DEFAULT ? EVENTS_DEFAULT : (int)body.limit;
	follow_go_on(c, f);
}

void control_run_changed(struct api *api, const char *run_id)
{
	struct control *c;

	LIST_FOREACH(c, &api->controls, entry)
	{
		for (int i = 0; i < c->follow_count; i++) {
			if (!strcmp(c->follows[i].run_id, run_id)) {
				follow_go_on(c, &c->follows[i]);
				break;
			}
		}
	}
}

/* ---- messages ---------------------------------------------------------------------------- */

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

static void take_message(struct control *c, struct json_body *in)
{
	struct message_body body = { .type = "" };
	const char *type = body.type;

	json_body_read(in, in->root, &body_message, &body);
	if (!strcmp(type, "heartbeat")) {
		take_heartbeat(c, in);
	} else if (!strcmp(type, "subscribe_run")) {
		take_subscribe(c, in);
	} else if (!strcmp(type, "ping")) {
		struct jsonw w = message_begin(c, "pong");

		message_send(c, &w);
	} else if (strcmp(type, "ack") && strcmp(type, "pong")) {
		message_error(c, "unknown_type", "Unknown message type.");
	}
}

static void on_text(struct http_socket *socket, const char *text, size_t len, void *arg)
{
	struct control *c = arg;
	struct api_error error = { .status = 0 };
	struct json_body in;

	(void)socket;
	if (!auth_peek(c->api->auth, c->authorization, &c->caller)) {
		control_close(c, FRAME_CODE_POLICY);
		return;
	}
	if (json_body_open(&in, text, len, 0, &error))
		message_error(c, error.code, error.message);
	else
		take_message(c, &in);
	json_body_close(&in);
}

static void on_drain(struct http_socket *socket, void *arg)
{
	struct control *c = arg;

	(void)socket;
	c->is_full = 0;
	/* Backwards, because following one may end. */
	for (int i = c->follow_count - 1; i >= 0 && !c->is_full; i--)
		follow_go_on(c, &c->follows[i]);
}

static void on_closed(struct http_socket *socket, void *arg)
{
	(void)socket;
	control_free(arg);
}

/* ---- the handshake ------------------------------------------------------------------------ */

static int too_many(struct api_request *request)
{
	const struct control *c;
	size_t own = 0;

	LIST_FOREACH(c, &request->api->controls, entry)
	own += !strcmp(c->caller.owner, request->caller.owner) &&
	       !strcmp(c->caller.org, request->caller.org);
	return request->api->control_count >= CONTROLS_MAX || own >= CONTROLS_PER_OWNER;
}

/* The first message; the client does not depend on it. */
static void message_hello(struct control *c)
{
	struct jsonw w = message_begin(c, "hello");
	unsigned char bytes[8];
	char id[HASH_HEX_ROOM(8)];

	env_random(c->api->parts.env, bytes, sizeof(bytes));
	hash_hex(bytes, sizeof(bytes), id);
	jsonw_int(&w, "protocol", 1);
	jsonw_text(&w, "clientID", id);
	message_send(c, &w);
}

void control_open(struct api_request *request)
{
	static const struct http_socket_handler handler = { on_text, on_drain, on_closed };
	const char *authorization = http_head_known(request->head, HTTP_FIELD_AUTHORIZATION);
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
	if (too_many(request) || strlen(authorization) >= AUTHORIZATION_SIZE) {
		reply_error(request, 503, "busy", "Too many control sockets.");
		return;
	}
	c = xcalloc(1, sizeof(*c));
	c->api = api;
	c->caller = request->caller;
	memcpy(c->authorization, authorization, strlen(authorization) + 1);
	http_socket_config_init(&config);
	config.message_max = MESSAGE_IN_MAX;
	c->socket = http_websocket_accept(request->ex, &handler, &config, c);
	if (!c->socket) {
		hash_wipe(c->authorization, sizeof(c->authorization));
		free(c);
		return;
	}
	LIST_INSERT_HEAD(&api->controls, c, entry);
	api->control_count++;
	message_hello(c);
}
