/* SPDX-License-Identifier: MIT */
#include "pair.h"

#include <curl/curl.h>
#include <arpa/inet.h>
#include <event2/bufferevent.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "driver/instance.h"
#include "engine/fleet.h"
#include "provider/account.h"
#include "store/store.h"
#include "util/alloc.h"
#include "util/text.h"

struct pair pair;
int64_t pair_wait_ms = RELAY_WAIT_MS;
uint32_t pair_write_ms;

static char folder[64], path[96];
static struct env env;
static struct account *accounts[1];

/* ---- the clock: the system's, and what was skipped --------------------------------------------- */

static int64_t skipped_ms; /* the engine's thread reads it, too */
static int64_t (*system_mono_ms)(void *data);

static int64_t mono_ms(void *data)
{
	return system_mono_ms(data) + __atomic_load_n(&skipped_ms, __ATOMIC_RELAXED);
}

void pair_clock_skip(int64_t ms)
{
	__atomic_add_fetch(&skipped_ms, ms, __ATOMIC_RELAXED);
}

static void clock_make(void)
{
	env_system(&env);
	system_mono_ms = env.mono_ms;
	env.mono_ms = mono_ms;
	skipped_ms = 0;
}

/* ---- a provider that never has anything ready ------------------------------------------------ */

static int provision(void *instance, struct lessor_call *call, const struct lessor_lease *lease)
{
	(void)instance;
	(void)lease;
	return lessor_pending(call, 60000, "");
}

static int cleanup(void *instance, struct lessor_call *call, const struct lessor_lease *lease)
{
	(void)instance;
	(void)call;
	(void)lease;
	return LESSOR_GONE;
}

static const struct lessor_provider table = {
	.size = sizeof(table),
	.abi = LESSOR_ABI,
	.name = "slow",
	.version = "1",
	.summary = "makes nothing",
	.concurrency = LESSOR_SERIAL,
	.open = instance_open,
	.close = instance_close,
	.provision = provision,
	.cleanup = cleanup,
};

/* ---- the proxy ------------------------------------------------------------------------------- */

struct tunnel {
	struct bufferevent *near, *far;
};

static void tunnel_free(struct tunnel *t)
{
	bufferevent_free(t->near);
	bufferevent_free(t->far);
	free(t);
}

static void near_read(struct bufferevent *from, void *arg)
{
	struct tunnel *t = arg;
	struct evbuffer *in = bufferevent_get_input(from);
	size_t len = evbuffer_get_length(in);

	if (len <= sizeof(pair.proxy.sent) - pair.proxy.sent_len) {
		evbuffer_copyout(in, pair.proxy.sent + pair.proxy.sent_len, len);
		pair.proxy.sent_len += len;
	}
	bufferevent_write_buffer(t->far, in);
}

static void far_read(struct bufferevent *from, void *arg)
{
	struct tunnel *t = arg;

	if (!pair.proxy.loses) {
		bufferevent_write_buffer(t->near, bufferevent_get_input(from));
		return;
	}
	pair.proxy.lost++;
	tunnel_free(t);
}

static void tunnel_ended(struct bufferevent *from, short what, void *arg)
{
	(void)from;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		tunnel_free(arg);
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(pair.proxy.to),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct tunnel *t = xcalloc(1, sizeof(*t));
	int near = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)what;
	(void)arg;
	assert_true(near >= 0);
	pair.proxy.sent_len = 0;
	t->near = bufferevent_socket_new(pair.base, near, BEV_OPT_CLOSE_ON_FREE);
	t->far = bufferevent_socket_new(pair.base, -1, BEV_OPT_CLOSE_ON_FREE);
	bufferevent_setcb(t->near, near_read, NULL, tunnel_ended, t);
	bufferevent_setcb(t->far, far_read, NULL, tunnel_ended, t);
	bufferevent_socket_connect(t->far, (struct sockaddr *)&to, sizeof(to));
	bufferevent_enable(t->near, EV_READ | EV_WRITE);
	bufferevent_enable(t->far, EV_READ | EV_WRITE);
}

static void proxy_start(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	snprintf(pair.proxy.address, sizeof(pair.proxy.address), "http://127.0.0.1:%d",
		 ntohs(at.sin_port));
	pair.proxy.listener = event_new(pair.base, fd, EV_READ | EV_PERSIST, on_accept, NULL);
	event_add(pair.proxy.listener, NULL);
}

/* ---- the two daemons ------------------------------------------------------------------------- */

static void node_find(void *arg, const char *account, struct relay_route *ret)
{
	struct daemon_node *node = arg;

	assert_string_equal(account, "one");
	*ret = node->route;
}

static void node_seek(void *arg, const char *account)
{
	struct daemon_node *node = arg;

	assert_string_equal(account, "one");
	node->sought++;
}

static int64_t node_newest(void *arg, const char *account, int64_t *ret_at)
{
	struct daemon_node *node = arg;

	assert_string_equal(account, "one");
	*ret_at = -1;
	return node->newest;
}

static void node_heard(void *arg, const char *account, int64_t seq, int64_t at)
{
	struct daemon_node *node = arg;

	assert_string_equal(account, "one");
	assert_int_equal(at, -1);
	node->heard = seq;
}

static void on_request(struct http_exchange *ex, void *user)
{
	struct daemon_node *node = user;

	node->requests++;
	api_handle(ex, node->api);
}

static void on_head(const struct http_exchange *ex, struct http_body_rule *rule, void *user)
{
	api_head(ex, rule, ((struct daemon_node *)user)->api);
}

static void node_start(struct daemon_node *node, const char *id)
{
	static const struct http_callbacks callbacks = { .on_request = on_request,
							 .on_head = on_head };
	struct api_parts parts = { .base = pair.base,
				   .env = &env,
				   .fleet = pair.fleet,
				   .accounts = accounts,
				   .account_count = 1,
				   .relay = &node->relay };
	struct api_config config;
	struct http_config http;
	struct http_listener *listener;
	struct err err = { 0 };

	TEXT_SET(node->relay.self, id);
	memset(node->relay.key, 7, sizeof(node->relay.key));
	node->relay.find = node_find;
	node->relay.arg = node;
	node->relay.newest = node_newest;
	node->relay.heard = node_heard;
	node->relay.seek = node_seek;
	node->relay.seek_arg = node;
	node->relay.wait_ms = pair_wait_ms;
	assert_int_equal(store_open_reader(path, &node->reader, &err), 0);
	parts.reader = node->reader;
	api_config_init(&config);
	assert_int_equal(api_new(&parts, &config, &node->api, &err), 0);
	http_config_init(&http);
	if (pair_write_ms)
		http.write_ms = pair_write_ms;
	node->server = http_server_new(pair.base, &http, &callbacks, node, &err);
	listener = http_listen_tcp(node->server, "127.0.0.1", 0, NULL, 0, &err);
	assert_non_null(listener);
	snprintf(node->address, sizeof(node->address), "http://127.0.0.1:%d",
		 http_listener_port(listener));
	pair.proxy.to = http_listener_port(listener);
}

static void node_stop(struct daemon_node *node)
{
	api_free(node->api);
	http_server_free(node->server);
	store_close(node->reader);
}

void pair_owner_is_b(void)
{
	pair.b.route.place = RELAY_SELF;
	pair.a.route.place = RELAY_OTHER;
	TEXT_SET(pair.a.route.daemon, pair.b.relay.self);
	TEXT_SET(pair.a.route.address, pair.proxy.address);
}

void pair_owner_is_a(void)
{
	pair.a.route.place = RELAY_SELF;
	pair.b.route.place = RELAY_OTHER;
	TEXT_SET(pair.b.route.daemon, pair.a.relay.self);
	TEXT_SET(pair.b.route.address, pair.a.address);
}

void pair_owner_is_nobody(void)
{
	pair.a.route.place = pair.b.route.place = RELAY_UNKNOWN;
}

static void on_guard(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	pair.is_late = 1;
}

void pair_wait_begin(void)
{
	static const struct timeval limit = { .tv_sec = 20 };

	pair.is_late = 0;
	event_add(pair.guard, &limit);
}

static void broken(void *arg, const char *why)
{
	(void)arg;
	fprintf(stderr, "the store is broken: %s\n", why);
	abort();
}

struct store *pair_store(void)
{
	struct err err = { 0 };
	struct store *tool = NULL;

	assert_int_equal(store_open_tool(path, &env, &tool, &err), 0);
	return tool;
}

static void token(const char *owner, enum token_role role, char text[TOKEN_TEXT_SIZE])
{
	struct err err = { 0 };
	struct store *tool = pair_store();
	struct token made;

	assert_int_equal(token_make(&env, owner, "acme", role, 0, text, &made, &err), 0);
	assert_int_equal(store_token_add(tool, &made, &err), 0);
	store_close(tool);
}

static void engine_start(void)
{
	struct account_config account = { .location_count = 1, .max_steps = 1 };
	struct engine_config config = {
		.env = &env,
		.accounts = accounts,
		.account_count = 1,
		.worker_threads = 1,
		.boot_ms = 600000,
		.probe_ms = 300000,
		.on_broken = broken,
	};
	struct err err = { 0 };

	TEXT_SET(account.name, "one");
	TEXT_SET(account.provider, "slow");
	TEXT_SET(account.locations[0], "here");
	TEXT_SET(account.image, "image");
	assert_int_equal(account_new(&env, &table, &account, &accounts[0], &err), 0);
	assert_int_equal(store_open(path, &env, &config.store, &err), 0);
	token("alice", TOKEN_USER, pair.alice);
	token("root", TOKEN_ADMIN, pair.admin);
	assert_int_equal(fleet_new(&config, NULL, &pair.fleet, &err), 0);
}

int pair_setup(void **state)
{
	struct event_config *config = event_config_new();
	struct err err = { 0 };

	(void)state;
	memset(&pair, 0, sizeof(pair));
	curl_global_init(CURL_GLOBAL_DEFAULT);
	snprintf(folder, sizeof(folder), "%.40s/lessor-pair-XXXXXX",
		 getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/store", folder);
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	pair.base = event_base_new_with_config(config);
	event_config_free(config);
	pair.guard = event_new(pair.base, -1, 0, on_guard, NULL);
	clock_make();
	engine_start();
	node_start(&pair.a, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	node_start(&pair.b, "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb");
	proxy_start();
	assert_int_equal(peer_client_new(pair.base, "", 64, 64, &pair.client, &err), 0);
	return 0;
}

int pair_teardown(void **state)
{
	static const char *const tails[] = { "", "-wal", "-shm", ".lock", "-runs", ".reserve" };
	char name[128];

	(void)state;
	peer_client_free(pair.client);
	fleet_stop(pair.fleet, 1000);
	node_stop(&pair.a);
	node_stop(&pair.b);
	close(event_get_fd(pair.proxy.listener));
	event_free(pair.proxy.listener);
	event_free(pair.guard);
	fleet_free(pair.fleet);
	account_free(accounts[0]);
	/* The proxy's tunnels end with what they join. */
	event_base_loop(pair.base, EVLOOP_NONBLOCK);
	event_base_loop(pair.base, EVLOOP_NONBLOCK);
	event_base_free(pair.base);
	for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
		snprintf(name, sizeof(name), "%s%s", path, tails[i]);
		unlink(name);
	}
	return rmdir(folder);
}

/* ---- clients --------------------------------------------------------------------------------- */

static void on_told(const struct peer_answer *answer, void *arg)
{
	struct told *told = arg;

	told->is_there = 1;
	told->status = answer->status;
	TEXT_SET(told->etag, answer->fields[PEER_ETAG]);
	TEXT_SET(told->retry_after, answer->fields[PEER_RETRY_AFTER]);
	TEXT_SET(told->body, buf_str(&answer->body));
	told->json = json_loads(told->body, 0, NULL);
}

void pair_begin(const struct daemon_node *node, struct told *told, const char *method,
		const char *target, const char *fields, const char *body)
{
	char authorization[128];
	const char *lines[3] = { authorization };
	size_t count = 1;
	struct peer_request request = {
		.address = node->address,
		.target = target,
		.method = !strcmp(method, "GET") ? HTTP_GET :
			  !strcmp(method, "PUT") ? HTTP_PUT :
						   HTTP_POST,
		.lines = lines,
		.body = body,
		.body_len = body ? strlen(body) : 0,
	};

	memset(told, 0, sizeof(*told));
	if (body)
		lines[count++] = "Content-Type: application/json";
	if (fields[0])
		lines[count++] = fields;
	request.line_count = count;
	snprintf(authorization, sizeof(authorization), "Authorization: Bearer %s",
		 pair.is_admin ? pair.admin : pair.alice);
	peer_send(pair.client, &request, on_told, told);
}

void pair_ask(const struct daemon_node *node, struct told *told, const char *method,
	      const char *target, const char *body)
{
	pair_begin(node, told, method, target, "", body);
	PAIR_WAIT(told->is_there);
}

const char *told_text(const struct told *told, const char *a, const char *b)
{
	json_t *at = json_object_get(told->json, a);
	const char *text = json_string_value(b ? json_object_get(at, b) : at);

	return text ? text : "";
}

void told_clear(struct told *told)
{
	json_decref(told->json);
	memset(told, 0, sizeof(*told));
}

struct raw {
	int status, is_over;
};

static void raw_read(struct bufferevent *from, void *arg)
{
	struct raw *raw = arg;
	char text[13] = "";

	if (evbuffer_copyout(bufferevent_get_input(from), text, 12) < 12)
		return;
	raw->status = (int)strtol(text + 9, NULL, 10);
	raw->is_over = 1;
}

static void raw_ended(struct bufferevent *from, short what, void *arg)
{
	(void)from;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		((struct raw *)arg)->is_over = 1;
}

static struct bufferevent *raw_open(uint16_t port, bufferevent_data_cb on_read, struct raw *raw)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct bufferevent *bev = bufferevent_socket_new(pair.base, -1, BEV_OPT_CLOSE_ON_FREE);

	bufferevent_setcb(bev, on_read, NULL, raw_ended, raw);
	bufferevent_socket_connect(bev, (struct sockaddr *)&to, sizeof(to));
	bufferevent_enable(bev, EV_READ | EV_WRITE);
	return bev;
}

/* All that has come stays in the buffer, where pair_control looks for what it waits for. */
static void control_read(struct bufferevent *from, void *arg)
{
	(void)from;
	(void)arg;
}

static int has_come(struct bufferevent *bev, const char *text)
{
	struct evbuffer_ptr at = evbuffer_search(bufferevent_get_input(bev), text, strlen(text),
						 NULL);

	return at.pos >= 0;
}

const char *pair_control(const char *message, const char *type)
{
	static char told[4096];
	struct raw raw = { 0 };
	struct bufferevent *bev =
		raw_open((uint16_t)strtol(strrchr(pair.a.address, ':') + 1, NULL, 10), control_read,
			 &raw);
	unsigned char head[8] = { 0x81, 0xfe, (unsigned char)(strlen(message) >> 8),
				  (unsigned char)strlen(message) };
	char wanted[64], *from;
	ssize_t len;

	/* The mask is all zeros. */
	evbuffer_add_printf(bufferevent_get_output(bev),
			    "GET /v1/control HTTP/1.1\r\nHost: localhost\r\n"
			    "Authorization: Bearer %s\r\nConnection: upgrade\r\n"
			    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
			    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
			    pair.alice);
	PAIR_WAIT(has_come(bev, "\"hello\"") || raw.is_over);
	bufferevent_write(bev, head, sizeof(head));
	bufferevent_write(bev, message, strlen(message));
	snprintf(wanted, sizeof(wanted), "\"type\":\"%s\"", type);
	PAIR_WAIT(has_come(bev, wanted) || raw.is_over);
	len = evbuffer_copyout(bufferevent_get_input(bev), told, sizeof(told) - 1);
	bufferevent_free(bev);
	assert_true(len > 0);
	told[len] = '\0';
	from = memmem(told, (size_t)len, wanted, strlen(wanted));
	return from ? from : "";
}

int pair_raw(const char *bytes, size_t len)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(pair.proxy.to),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct bufferevent *bev = bufferevent_socket_new(pair.base, -1, BEV_OPT_CLOSE_ON_FREE);
	struct raw raw = { 0 };

	bufferevent_setcb(bev, raw_read, NULL, raw_ended, &raw);
	bufferevent_socket_connect(bev, (struct sockaddr *)&to, sizeof(to));
	bufferevent_enable(bev, EV_READ | EV_WRITE);
	bufferevent_write(bev, bytes, len);
	PAIR_WAIT(raw.is_over);
	bufferevent_free(bev);
	return raw.status;
}
