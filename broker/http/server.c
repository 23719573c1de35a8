/* SPDX-License-Identifier: MIT */
/* The root object: configuration, clock, host names, wake-up, tick, shutdown. */
#include "http/server.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "http/internal.h"
#include "http/token.h"
#include "util/alloc.h"
#include "util/err.h"

#define LOG_INTERVAL_MS 1000
#define LOG_EVICTED_INTERVAL_MS 60000
#define HOST_SHOWN_SIZE 101
#define HOST_INTERVAL_MS 60000
/* So that each of the kept places of http/server.h is at least one. */
#define CONNECTIONS_MIN 8

void http_config_init(struct http_config *config)
{
	*config = (struct http_config){
		.handshake_ms = 5000,
		.head_ms = 10000,
		.body_ms = 20000,
		.write_ms = 20000,
		.idle_ms = 30000,
		.linger_ms = 1000,
		.tick_ms = 250,
		.accept_retry_ms = 200,
		.max_connections = 1024,
		.spare_idle_ms = 1000,
		.max_requests = 10000,
		.queue_max = 8,
		.output_max = 65536,
		.stream_max = 65536,
		.unread_max = 128 << 20,
		.answer_fields = "",
	};
	http_limits_init(&config->limits);
}

static void config_clamp(struct http_config *config)
{
	const uint32_t deadlines[] = { config->handshake_ms, config->head_ms, config->body_ms,
				       config->write_ms, config->idle_ms, config->linger_ms };

	http_limits_clamp(&config->limits);
	for (size_t i = 0; i < ARRAY_LEN(deadlines); i++) {
		if (config->tick_ms > deadlines[i] / 4)
			config->tick_ms = deadlines[i] / 4;
	}
	if (config->tick_ms < 5)
		config->tick_ms = 5;
	if (!config->queue_max)
		config->queue_max = 1;
	if (config->max_connections < CONNECTIONS_MIN)
		config->max_connections = CONNECTIONS_MIN;
}

uint64_t server_now(struct http_server *server)
{
	struct timespec ts;

	/* resolution 4 ms, at a fifth of the cost of CLOCK_MONOTONIC */
	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	server->now = (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
	return server->now;
}

const char *server_date_line(struct http_server *server)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t now = time(NULL);
	struct tm tm;

	if (now == server->date_second)
		return server->date_line;
	server->date_second = now;
	gmtime_r(&now, &tm);
	snprintf(server->date_line, sizeof(server->date_line),
		 "Date: %.3s, %02u %.3s %04u %02u:%02u:%02u GMT\r\n", days + 3 * tm.tm_wday,
		 (unsigned)tm.tm_mday % 100, months + 3 * tm.tm_mon,
		 (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)tm.tm_hour % 100,
		 (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
	return server->date_line;
}

int server_allows_host(const struct http_server *server, const char *host, size_t len)
{
	for (size_t i = 0; i < server->host_count; i++) {
		if (!strncasecmp(server->hosts[i], host, len) && !server->hosts[i][len])
			return 1;
	}
	return 0;
}

/* Visible ASCII, without what could end a quotation in a log. */
static void host_clean(const char *host, size_t len, char out[HOST_SHOWN_SIZE])
{
	size_t n = 0;

	for (; n < len && n < HOST_SHOWN_SIZE - 1; n++) {
		char c = host[n];

		out[n] = c;
		if (c <= ' ' || c > '~' || c == '"' || c == '\'' || c == '\\')
			out[n] = '?';
	}
	out[n] = '\0';
}

void server_foreign_host(struct http_server *server, const char *host, size_t len)
{
	char clean[HOST_SHOWN_SIZE];
	char **place = &server->foreign[server->foreign_next];

	if (!server->callbacks.on_foreign_host)
		return;
	host_clean(host, len, clean);
	for (unsigned i = 0; i < HTTP_HOSTS_REMEMBERED && server->foreign[i]; i++) {
		if (!strcasecmp(server->foreign[i], clean))
			return;
	}
	/* Names cost nothing to invent: once all places are taken, few more are reported. */
	if (*place && server_now(server) - server->foreign_at < HOST_INTERVAL_MS)
		return;
	free(*place);
	*place = xstrdup(clean);
	server->foreign_next = (server->foreign_next + 1) % HTTP_HOSTS_REMEMBERED;
	server->foreign_at = server_now(server);
	server->callbacks.on_foreign_host(clean, server->user);
}

void server_add_host(struct http_server *server, const char *host)
{
	if (server_allows_host(server, host, strlen(host)))
		return;
	server->hosts = xrealloc(server->hosts, (server->host_count + 1) * sizeof(char *));
	server->hosts[server->host_count++] = xstrdup(host);
}

void server_log(struct http_server *server, enum log_kind kind, const char *text)
{
	static const char *const what[LOG_KIND_COUNT] = {
		[LOG_ACCEPT_FAILED] = "cannot accept connections; retrying shortly",
		[LOG_ACCEPT_FULL] = "not accepting connections for now",
		[LOG_EVICTED] = "closing connections to make room",
	};
	uint32_t interval = kind == LOG_EVICTED ? LOG_EVICTED_INTERVAL_MS : LOG_INTERVAL_MS;
	uint64_t now = server_now(server);
	char line[256];

	if (!server->callbacks.on_log ||
	    (server->logged_at[kind] && now - server->logged_at[kind] < interval))
		return;
	server->logged_at[kind] = now;
	snprintf(line, sizeof(line), "%s: %s", what[kind], text);
	server->callbacks.on_log(HTTP_LOG_WARNING, line, server->user);
}

static void server_check_empty(struct http_server *server)
{
	void (*on_empty)(void *user) = server->on_empty;

	if (!server->is_draining || !on_empty || !TAILQ_EMPTY(&server->connections))
		return;
	server->on_empty = NULL;
	on_empty(server->empty_arg);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct http_server *server = arg;
	struct http_connection *conn;
	size_t count = 0;

	(void)fd;
	(void)what;
	/* only those woken so far: a turn may wake others, and the loop has other work */
	TAILQ_FOREACH(conn, &server->woken, wake_link)
		count++;
	while (count-- && (conn = TAILQ_FIRST(&server->woken)) != NULL) {
		TAILQ_REMOVE(&server->woken, conn, wake_link);
		conn->is_woken = 0;
		connection_turn(conn);
	}
	if (!TAILQ_EMPTY(&server->woken))
		event_active(server->wake_event, EV_TIMEOUT, 0);
	admission_settle(server);
	/* last: this may free the server */
	server_check_empty(server);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct http_server *server = arg;
	uint64_t now = server_now(server);
	struct http_connection *conn = TAILQ_FIRST(&server->connections);

	(void)fd;
	(void)what;
	while (conn) {
		struct http_connection *next = TAILQ_NEXT(conn, link);

		connection_tick(conn, now);
		conn = next;
	}
	admission_tick(server);
}

/* Complete lines, each a token, a colon and text without control characters. */
static int fields_check(const char *text)
{
	while (*text) {
		const char *name = text;

		while (token_lower(*text))
			text++;
		if (text == name || *text++ != ':')
			return -1;
		while (token_is(*text, TOKEN_VALUE))
			text++;
		if (text[0] != '\r' || text[1] != '\n')
			return -1;
		text += 2;
	}
	return 0;
}

static int hosts_fill(struct http_server *server, const struct http_config *config,
		      struct err *err)
{
	server_add_host(server, "localhost");
	server_add_host(server, "127.0.0.1");
	server_add_host(server, "[::1]");
	for (size_t i = 0; i < config->host_count; i++) {
		const char *host = config->hosts[i];

		if (token_check_host(host, strlen(host)) != strlen(host))
			return err_set(err, ERR_INVALID, "'%.100s' is not a valid host name", host);
		server_add_host(server, host);
	}
	return 0;
}

static int server_fill(struct http_server *server, const struct http_config *config,
		       struct err *err)
{
	struct sigaction old;

	server->tick_event = event_new(server->base, -1, EV_PERSIST, on_tick, server);
	server->wake_event = event_new(server->base, -1, 0, on_wake, server);
	server->accept_timer = event_new(server->base, -1, 0, listener_retry, server);
	if (!server->tick_event || !server->wake_event || !server->accept_timer)
		return err_set(err, ERR_NO_MEMORY, "cannot create the server's timers");
	if (admission_init(&server->admission, server->config.max_connections))
		return err_set(err, ERR_NO_MEMORY, "not enough memory for %u connections",
			       (unsigned)server->config.max_connections);
	if (fields_check(server->answer_fields))
		return err_set(err, ERR_INVALID,
			       "the additional response header fields are malformed");
	if (hosts_fill(server, config, err))
		return -1;
	if (getrandom(&server->boot, sizeof(server->boot), 0) != sizeof(server->boot) ||
	    getrandom(&server->admission.seed, sizeof(server->admission.seed), 0) !=
		    sizeof(server->admission.seed))
		return err_set(err, ERR_IO, "cannot read random bytes");
	/* writing to a client that has disconnected must not kill the process */
	if (!sigaction(SIGPIPE, NULL, &old) && old.sa_handler == SIG_DFL)
		signal(SIGPIPE, SIG_IGN);
	return 0;
}

struct http_server *http_server_new(struct event_base *base, const struct http_config *config,
				    const struct http_callbacks *callbacks, void *user,
				    struct err *err)
{
	struct http_server *server = xcalloc(1, sizeof(*server));

	server->base = base;
	server->config = *config;
	config_clamp(&server->config);
	server->config.hosts = NULL;
	server->config.answer_fields = NULL;
	server->callbacks = *callbacks;
	server->user = user;
	server->answer_fields = xstrdup(config->answer_fields ? config->answer_fields : "");
	server->answer_fields_len = strlen(server->answer_fields);
	TAILQ_INIT(&server->listeners);
	TAILQ_INIT(&server->connections);
	TAILQ_INIT(&server->woken);
	TAILQ_INIT(&server->detached);
	TAILQ_INIT(&server->pool);
	server->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (server_fill(server, config, err)) {
		http_server_free(server);
		return NULL;
	}
	return server;
}

void server_release(struct http_server *server)
{
	if (!server->is_dead || server->exchanges_live)
		return;
	free(server);
}

void http_server_free(struct http_server *server)
{
	struct http_exchange *ex;

	if (!server)
		return;
	server->is_draining = 1;
	server->on_empty = NULL;
	while (!TAILQ_EMPTY(&server->listeners))
		listener_close(TAILQ_FIRST(&server->listeners));
	connection_close_all(server);
	while ((ex = TAILQ_FIRST(&server->pool)) != NULL) {
		TAILQ_REMOVE(&server->pool, ex, link);
		exchange_free(ex);
	}
	while (server->head_count)
		free(server->heads[--server->head_count]);
	if (server->tick_event)
		event_free(server->tick_event);
	if (server->wake_event)
		event_free(server->wake_event);
	if (server->accept_timer)
		event_free(server->accept_timer);
	if (server->reserve_fd >= 0)
		close(server->reserve_fd);
	for (size_t i = 0; i < server->host_count; i++)
		free(server->hosts[i]);
	free(server->hosts);
	for (unsigned i = 0; i < HTTP_HOSTS_REMEMBERED; i++)
		free(server->foreign[i]);
	free(server->answer_fields);
	admission_fini(&server->admission);
	server->is_dead = 1;
	server_release(server);
}

void http_server_drain(struct http_server *server, void (*on_empty)(void *user), void *user)
{
	struct http_connection *conn;

	server->is_draining = 1;
	server->on_empty = on_empty;
	server->empty_arg = user;
	while (!TAILQ_EMPTY(&server->listeners))
		listener_close(TAILQ_FIRST(&server->listeners));
	TAILQ_FOREACH(conn, &server->connections, link)
		connection_wake(conn);
	event_active(server->wake_event, EV_TIMEOUT, 0);
}

uint32_t http_server_max_connections(const struct http_server *server)
{
	return server->config.max_connections;
}

const struct http_counters *http_server_counters(const struct http_server *server)
{
	return &server->counters;
}
