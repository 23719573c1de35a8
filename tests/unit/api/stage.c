/* SPDX-License-Identifier: MIT */
#include "stage.h"

#include <event2/event.h>

#include "http/parser.h"
#include "http/server.h"
#include "http/websocket.h"
#include "engine/timings.h"
#include "util/alloc.h"
#include "util/buf.h"

struct stage stage;
const struct relay_config *stage_relay;

/* ---- an exchange without a connection -------------------------------------------------- */

struct http_exchange {
	struct http_head head;
	char body[300000];
	size_t body_len;
	struct http_peer peer;
	struct http_sink *sink;
	struct buf streamed;
	int status; /* of the streamed answer */
	const char *type;
};

static int live; /* open exchanges */

const struct http_head *http_exchange_head(const struct http_exchange *ex)
{
	return &ex->head;
}

const char *http_exchange_body(const struct http_exchange *ex, size_t *ret_len)
{
	*ret_len = ex->body_len;
	return ex->body;
}

const struct http_peer *http_exchange_peer(const struct http_exchange *ex)
{
	return &ex->peer;
}

const char *http_exchange_id(struct http_exchange *ex)
{
	(void)ex;
	return "request-1";
}

int http_reply_header(struct http_exchange *ex, const char *name, const char *value)
{
	size_t len = strlen(stage.headers);

	(void)ex;
	snprintf(stage.headers + len, sizeof(stage.headers) - len, "%s: %s\n", name, value);
	return 0;
}

struct http_sink *http_exchange_sink(struct http_exchange *ex)
{
	struct http_sink *sink = ex->sink;

	ex->sink = NULL;
	return sink;
}

void http_exchange_on_gone(struct http_exchange *ex, http_gone_fn on_gone, void *arg)
{
	(void)ex;
	(void)on_gone;
	(void)arg;
}

/* ---- a WebSocket without a connection ---------------------------------------------------- */

struct http_socket {
	struct http_socket_handler handler;
	void *arg;
};

static void answer_clear(void);

/* Accepts any request with an Upgrade header. */
int http_websocket_refusal(const struct http_head *head, const char **ret_code,
			   const char **ret_message)
{
	if (http_head_find(head, "upgrade"))
		return 0;
	*ret_code = "websocket_required";
	*ret_message = "This is a WebSocket.";
	return 426;
}

void http_socket_config_init(struct http_socket_config *config)
{
	memset(config, 0, sizeof(*config));
}

struct http_socket *http_websocket_accept(struct http_exchange *ex,
					  const struct http_socket_handler *handler,
					  const struct http_socket_config *config, void *arg)
{
	struct http_socket *socket;

	(void)config;
	http_drop(ex);
	stage.status = 101;
	if (stage.accept_fails)
		return NULL;
	socket = xcalloc(1, sizeof(*socket));
	socket->handler = *handler;
	socket->arg = arg;
	stage.socket = socket;
	stage.closed = 0;
	return socket;
}

int http_socket_send(struct http_socket *socket, const char *text, size_t len)
{
	(void)socket;
	stage.messages++;
	free(stage.body);
	json_decref(stage.json);
	stage.body = xstrndup(text, len);
	stage.body_len = len;
	stage.json = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	assert_non_null(stage.json);
	return stage.is_full;
}

void http_socket_close(struct http_socket *socket, uint16_t code)
{
	if (stage.socket == socket)
		stage.socket = NULL;
	stage.closed = code;
	free(socket);
}

void stage_message(const char *text)
{
	answer_clear();
	stage.messages = 0;
	stage.socket->handler.on_text(stage.socket, text, strlen(text), stage.socket->arg);
	event_base_loop(stage.base, EVLOOP_NONBLOCK);
}

void stage_drain(void)
{
	answer_clear();
	stage.messages = 0;
	stage.socket->handler.on_drain(stage.socket, stage.socket->arg);
}

void stage_hang_up(void)
{
	struct http_socket *socket = stage.socket;

	stage.socket = NULL;
	socket->handler.on_closed(socket, socket->arg);
	free(socket);
}

/* ---- a stream without a connection --------------------------------------------------------- */

/* A client that reads everything at once. */
void http_stream_begin(struct http_exchange *ex, int status, const char *content_type,
		       http_drain_fn on_drain, void *arg)
{
	(void)on_drain;
	(void)arg;
	buf_init(&ex->streamed, 64 << 20);
	ex->status = status;
	ex->type = content_type;
}

int http_stream_chunk(struct http_exchange *ex, const char *data, size_t len)
{
	buf_add(&ex->streamed, data, len);
	return 0;
}

void http_stream_end(struct http_exchange *ex)
{
	struct buf streamed = ex->streamed;

	http_reply(ex, ex->status, ex->type, buf_str(&streamed), streamed.len);
	buf_fini(&streamed);
}

void http_reply(struct http_exchange *ex, int status, const char *content_type, const char *body,
		size_t len)
{
	http_reply_header(ex, "Content-Type", content_type ? content_type : "");
	live--;
	if (ex->sink)
		ex->sink->drop(ex->sink);
	free(ex);
	free(stage.body);
	json_decref(stage.json);
	stage.status = status;
	stage.body = xstrndup(body ? body : "", len);
	stage.body_len = len;
	stage.json = json_loadb(body ? body : "", len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL,
				NULL);
}

void http_reply_error(struct http_exchange *ex, int status, const char *code, const char *message)
{
	char *text = xasprintf("{\"error\":\"%s\",\"message\":\"%s\"}", code, message);

	http_reply(ex, status, "application/json", text, strlen(text));
	free(text);
}

void http_reply_close(struct http_exchange *ex)
{
	(void)ex;
}

/* The same owner at each call. */
int http_exchange_trust(struct http_exchange *ex, uint64_t owner)
{
	(void)ex;
	stage.trusted++;
	stage.owner = owner;
	return 0;
}

void http_drop(struct http_exchange *ex)
{
	live--;
	free(ex);
}

/* ---- the engine, on this thread ----------------------------------------------------------- */

static void engine_take(struct engine_request *request)
{
	struct err err = { 0 };

	assert_int_equal(core_begin(stage.world.d.core, &err), 0);
	core_request(stage.world.d.core, request);
	assert_int_equal(core_flush(stage.world.d.core, &err), 0);
}

/* Another one each time: the queue is read again. */
uint64_t fleet_queue_version(const struct fleet *fleet)
{
	static uint64_t version;

	(void)fleet;
	return ++version;
}

const struct engine_timings *fleet_timings(const struct fleet *fleet)
{
	static const struct engine_timings none;

	(void)fleet;
	return &none;
}

enum store_state fleet_store_state(const struct fleet *fleet)
{
	(void)fleet;
	return store_state(core_store(stage.world.d.core));
}

void fleet_hurry(struct fleet *fleet, unsigned count)
{
	struct err err = { 0 };

	(void)fleet;
	assert_int_equal(core_begin(stage.world.d.core, &err), 0);
	core_hurry(stage.world.d.core, count);
	assert_int_equal(core_flush(stage.world.d.core, &err), 0);
}

void fleet_submit(struct fleet *fleet, struct engine_request *request)
{
	(void)fleet;
	if (stage.hold)
		stage.held = request;
	else
		engine_take(request);
}

/* ---- run history, on this thread ----------------------------------------------------------- */

void runs_submit(struct runs *runs, struct run_request *request)
{
	struct err err = { 0 };

	(void)runs;
	if (stage.runs_are_broken) {
		history_refuse(request, 1);
		return;
	}
	assert_int_equal(history_begin(stage.history, &err), 0);
	history_request(stage.history, request);
	assert_int_equal(history_flush(stage.history, &err), 0);
}

int runs_is_usable(const struct runs *runs)
{
	(void)runs;
	return !stage.runs_are_broken;
}

static void runs_broken(void *arg, const char *why)
{
	(void)arg;
	fail_msg("%s", why);
}

static void runs_open(void)
{
	struct runs_config config = { .env = &stage.world.d.env,
				      .stale_ms = 86400000,
				      .on_broken = runs_broken };
	struct err err = { 0 };
	int is_lost;

	if (store_open_runs(core_store(stage.world.d.core), &stage.world.d.env, &stage.runs,
			    &is_lost, &err) ||
	    store_open_runs_reader(stage.world.d.path, &stage.runs_reader, &err))
		fail_msg("%s", err.text);
	store_runs_use(stage.runs_reader, stage.reader);
	config.store = stage.runs;
	config.leases = stage.reader;
	stage.history = history_new(&config);
}

/* ---- building up ------------------------------------------------------------------------ */

static void token_store(const char *owner, const char *org, enum token_role role, char *text)
{
	struct store *tool;
	struct token token;
	struct err err = { 0 };

	assert_int_equal(token_make(&stage.world.d.env, owner, org, role, 0, text, &token, &err), 0);
	assert_int_equal(store_open_tool(stage.world.d.path, &stage.world.d.env, &tool, &err), 0);
	if (store_token_add(tool, &token, &err))
		fail_msg("%s", err.text);
	store_close(tool);
}

int stage_setup(void **state)
{
	struct engine_limits limits = { .max_active_owner = 3 };
	struct api_parts parts;
	struct err err = { 0 };

	(void)state;
	memset(&stage, 0, sizeof(stage));
	world_start(&stage.world, &limits);
	world_settle(&stage.world);
	token_store("alice", "acme", TOKEN_USER, stage.alice);
	token_store("bob", "acme", TOKEN_USER, stage.bob);
	token_store("rita", "acme", TOKEN_READER, stage.reader_token);
	token_store("root", "ops", TOKEN_ADMIN, stage.admin);
	token_store("alice", "other", TOKEN_USER, stage.stranger);
	if (store_open_reader(stage.world.d.path, &stage.reader, &err))
		fail_msg("%s", err.text);
	runs_open();
	stage.base = event_base_new();
	stage.accounts[0] = stage.world.d.account;
	api_config_init(&stage.config);
	stage.config.limits = limits;
	/* Nothing waits unless a test wants it to. */
	stage.config.create_wait_ms = stage.config.release_wait_ms = 0;
	parts = (struct api_parts){
		stage.base, &stage.world.d.env, NULL,	     stage.accounts, 1,	   stage.reader,
		NULL,	    stage.runs_reader,	stage_relay, { 0 },	     NULL, NULL,
		NULL,
	};
	if (api_new(&parts, &stage.config, &stage.api, &err))
		fail_msg("%s", err.text);
	return 0;
}

static void answer_clear(void)
{
	stage.status = 0;
	stage.headers[0] = '\0';
	free(stage.body);
	stage.body = NULL;
	json_decref(stage.json);
	stage.json = NULL;
}

int stage_teardown(void **state)
{
	(void)state;
	api_free(stage.api);
	assert_int_equal(live, 0);
	answer_clear();
	event_base_free(stage.base);
	history_free(stage.history);
	store_close(stage.runs_reader);
	store_close(stage.runs);
	store_close(stage.reader);
	world_end(&stage.world);
	return 0;
}

/* ---- asking ------------------------------------------------------------------------------- */

/* As connection.c does it. */
static void refuse_head(struct http_exchange *ex, const struct http_body_rule *rule)
{
	char retry[12];

	live++;
	snprintf(retry, sizeof(retry), "%u", (unsigned)rule->retry_s);
	if (rule->retry_s)
		http_reply_header(ex, "Retry-After", retry);
	if (rule->field)
		http_reply_header(ex, rule->field, rule->field_value);
	http_reply_error(ex, rule->status, rule->code, rule->message);
}

static struct http_exchange *uploads[64];
static size_t upload_count;

void stage_uploads_drop(void)
{
	while (upload_count) {
		struct http_exchange *ex = uploads[--upload_count];

		if (ex->sink)
			ex->sink->drop(ex->sink);
		free(ex);
	}
}

int stage_send(const char *bytes, size_t len)
{
	struct http_exchange *ex = xcalloc(1, sizeof(*ex));
	struct http_limits limits;
	struct http_parser parser;
	enum http_step step = HTTP_STEP_MORE;

	answer_clear();
	strcpy(ex->peer.address, "192.0.2.1");
	http_limits_init(&limits);
	http_parser_begin(&parser, &ex->head, &limits);
	while (step != HTTP_STEP_DONE) {
		struct http_span part;
		size_t used;

		step = http_parser_feed(&parser, bytes, len, &used, &part);
		if (step == HTTP_STEP_MORE && used == len && stage.upload_hold) {
			assert_true(upload_count < COUNT(uploads));
			uploads[upload_count++] = ex;
			return 0;
		}
		if (step == HTTP_STEP_REFUSED || (step == HTTP_STEP_MORE && used == len)) {
			if (ex->sink)
				ex->sink->drop(ex->sink);
			free(ex);
			return step == HTTP_STEP_REFUSED ? -1 : -2;
		}
		if (step == HTTP_STEP_HEAD && ex->head.framing != HTTP_FRAMING_NONE) {
			struct http_body_rule rule = { .max = 65536 };

			api_head(ex, &rule, stage.api);
			ex->sink = rule.sink;
			if (rule.is_trusted)
				http_exchange_trust(ex, rule.owner);
			if (rule.status) {
				refuse_head(ex, &rule);
				return stage.status;
			}
			http_parser_allow_body(&parser, rule.max);
		}
		if (step == HTTP_STEP_BODY && ex->sink) {
			ex->sink->add(ex->sink, part.at, part.len);
		} else if (step == HTTP_STEP_BODY) {
			memcpy(ex->body + ex->body_len, part.at, part.len);
			ex->body_len += part.len;
		}
		bytes += used;
		len -= used;
	}
	live++;
	api_handle(ex, stage.api);
	for (int i = 0; i < 4 && !stage.status; i++) {
		event_base_loop(stage.base, EVLOOP_NONBLOCK);
		if (!stage.status && !stage.hold)
			world_pass(&stage.world, 5000);
	}
	return stage.status;
}

int stage_ask(const char *method, const char *target, const char *token, const char *fields,
	      const char *body)
{
	struct buf text;
	int rc;

	buf_init(&text, 200000);
	buf_addf(&text, "%s %s HTTP/1.1\r\nHost: localhost\r\n%s", method, target, fields);
	if (token)
		buf_addf(&text, "Authorization: Bearer %s\r\n", token);
	if (body) {
		if (!strcasestr(fields, "content-type:"))
			buf_adds(&text, "Content-Type: application/json\r\n");
		buf_addf(&text, "Content-Length: %zu\r\n\r\n%s", strlen(body), body);
	} else {
		buf_addf(&text, "%s\r\n", strcmp(method, "GET") && strcmp(method, "HEAD") ?
			 "Content-Length: 0\r\n" : "");
	}
	rc = stage_send(buf_str(&text), text.len);
	buf_fini(&text);
	return rc;
}

json_t *stage_at(const char *path)
{
	char copy[128];
	char *rest = NULL;
	json_t *at = stage.json;

	snprintf(copy, sizeof(copy), "%s", path);
	for (char *part = strtok_r(copy, ".", &rest); part && at;
	     part = strtok_r(NULL, ".", &rest)) {
		if (json_is_array(at))
			at = json_array_get(at, (size_t)strtoul(part, NULL, 10));
		else
			at = json_object_get(at, part);
	}
	return at;
}

const char *stage_text(const char *path)
{
	const char *text = json_string_value(stage_at(path));

	return text ? text : "";
}

void stage_expect(int status, const char *error)
{
	if (stage.status != status)
		fail_msg("status %d, not %d: %s", stage.status, status,
			 stage.body ? stage.body : "");
	assert_string_equal(stage_text("error"), error);
	if (status >= 400) {
		const char *misread[] = { "http 404", "http 401", "invalid_lease_id", "not_found" };

		for (size_t i = 0; i < COUNT(misread); i++) {
			if (strcmp(error, misread[i]))
				assert_null(strstr(stage.body, misread[i]));
		}
		assert_true(strlen(stage_text("message")) < 400);
	}
}

const char *stage_create(const char *more)
{
	static char body[8192];

	snprintf(body, sizeof(body), "{\"provider\":\"toy\",\"image\":\"image\","
		 "\"sshPublicKey\":\"" ED25519 "\"%s}", more);
	return body;
}

int stage_count(const char *path)
{
	return (int)json_array_size(stage_at(path));
}

void stage_active(const char *more)
{
	stage_ask("POST", "/v1/leases", stage.alice, "Prefer: wait=10\r\n", stage_create(more));
	stage_expect(201, "");
	assert_string_equal(stage_text("lease.state"), "active");
}
