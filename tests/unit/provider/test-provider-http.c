/* SPDX-License-Identifier: MIT */
/* The HTTP client against a server that misbehaves byte by byte. */
#include "unit/test.h"
#include "provider/http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "provider/http_headers.h"
#include "raw-server.h"
#include "util/alloc.h"

static struct http_client *client;
static struct env env;
static struct raw_server *server;

static int setup(void **state)
{
	(void)state;
	env_system(&env);
	return http_client_new(NULL, &env, &client, NULL);
}

static int teardown(void **state)
{
	(void)state;
	/* free the client first: the server waits for its idle connections */
	http_client_free(client);
	if (server)
		raw_stop(server);
	server = NULL;
	return 0;
}

/* Ends the client's connections, so that it can send nothing more. */
static void client_end(void)
{
	http_client_free(client);
	client = NULL;
}

static struct env_http_response ask_with(const struct env_http_request *wanted, const char *path)
{
	struct env_http_request request = *wanted;
	struct env_http_response answer;
	char url[512];

	snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", raw_port(server), path);
	if (!request.url)
		request.url = url;
	if (!request.timeout_ms)
		request.timeout_ms = 5000;
	if (!request.authorization)
		request.authorization = "Bearer s3cret";
	env.http(env.data, &request, &answer);
	return answer;
}

static struct env_http_response ask(const char *method, const char *path)
{
	int has_body = strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0;
	struct env_http_request request = {
		.method = method,
		.body = has_body ? "{\"name\":\"x\"}" : NULL,
		.body_len = has_body ? 12 : 0,
		.fresh = strcmp(method, "GET") != 0,
	};

	return ask_with(&request, path);
}

static void is(struct env_http_response answer, enum env_http_outcome outcome, int status)
{
	if (answer.outcome != outcome)
		fail_msg("outcome %d instead of %d: %s", answer.outcome, outcome, answer.error);
	if (outcome == ENV_HTTP_ANSWERED)
		assert_int_equal(answer.status, status);
	else
		assert_true(answer.error[0] != '\0');
	env_http_response_fini(&answer);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}"

/* ---- connections ---- */

static void serve_well(struct raw_peer *peer)
{
	while (raw_read(peer) == 0)
		raw_write(peer, OK);
}

static void test_reuse(void **state)
{
	char text[2048];
	(void)state;

	server = raw_start(serve_well);
	/* the environment is ignored */
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	for (int i = 0; i < 5; i++)
		is(ask("GET", "/a"), ENV_HTTP_ANSWERED, 200);
	assert_int_equal(raw_connections(server), 1);
	is(ask("POST", "/a"), ENV_HTTP_ANSWERED, 200);
	is(ask("DELETE", "/a/1"), ENV_HTTP_ANSWERED, 200);
	is(ask("PUT", "/a/1"), ENV_HTTP_ANSWERED, 200);
	assert_int_equal(raw_connections(server), 4);
	/* the idle connection was not lost in the meantime */
	is(ask("GET", "/a"), ENV_HTTP_ANSWERED, 200);
	assert_int_equal(raw_connections(server), 4);

	raw_request(server, 5, text, sizeof(text));
	assert_ptr_equal(strstr(text, "POST /a HTTP/1.1\r\n"), text);
	assert_non_null(strstr(text, "\r\nAuthorization: Bearer s3cret\r\n"));
	assert_non_null(strstr(text, "\r\nContent-Type: application/json\r\n"));
	assert_non_null(strstr(text, "\r\nUser-Agent: lessord\r\n"));
	assert_non_null(strstr(text, "\r\n\r\n{\"name\":\"x\"}"));
	assert_null(strcasestr(text, "Expect:"));
	assert_null(strcasestr(text, "Accept-Encoding"));
	assert_null(strcasestr(text, "Cookie"));
	raw_request(server, 6, text, sizeof(text));
	assert_ptr_equal(strstr(text, "DELETE /a/1 HTTP/1.1\r\n"), text);
	assert_null(strcasestr(text, "Content-Length"));
	assert_null(strcasestr(text, "Transfer-Encoding"));
	unsetenv("http_proxy");
	unsetenv("ALL_PROXY");
}

/* the idle connection closes as soon as the next request arrives */
static void serve_once_then_die(struct raw_peer *peer)
{
	if (raw_read(peer))
		return;
	raw_write(peer, OK);
	if (raw_read(peer) == 0)
		raw_reset(peer);
}

static void test_dying_connection(void **state)
{
	(void)state;
	server = raw_start(serve_once_then_die);
	is(ask("GET", "/warm"), ENV_HTTP_ANSWERED, 200);
	/* the idle connection is not used for it */
	is(ask("POST", "/servers"), ENV_HTTP_ANSWERED, 200);
	assert_int_equal(raw_count(server, "POST"), 1);
	assert_int_equal(raw_connections(server), 2);
	/* a read may be repeated, and is */
	is(ask("GET", "/again"), ENV_HTTP_ANSWERED, 200);
	assert_int_equal(raw_count(server, "GET"), 3);
}

static void serve_die(struct raw_peer *peer)
{
	if (peer->number == 0) {
		serve_once_then_die(peer);
		return;
	}
	if (raw_read(peer) == 0)
		raw_reset(peer);
}

static void test_effect_is_sent_once(void **state)
{
	static const char *const methods[] = { "POST", "PUT", "DELETE" };
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		server = raw_start(serve_die);
		is(ask("GET", "/warm"), ENV_HTTP_ANSWERED, 200);
		is(ask(methods[i], "/servers"), ENV_HTTP_LOST, 0);
		client_end();
		raw_finish(server);
		assert_int_equal(raw_count(server, methods[i]), 1);
		raw_stop(server);
		server = NULL;
		setup(NULL);
	}
}

/* ---- nothing was sent ---- */

static void test_refused(void **state)
{
	struct env_http_request request = { .method = "POST", .body = "x", .body_len = 1 };
	(void)state;

	server = raw_start(serve_well);
	/* a port without a listener */
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t len = sizeof(address);
	char url[100];
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	getsockname(fd, (struct sockaddr *)&address, &len);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/x", ntohs(address.sin_port));
	request.url = url;
	is(ask_with(&request, ""), ENV_HTTP_NOT_SENT, 0);
	/* a full backlog: the connection hangs */
	assert_int_equal(listen(fd, 0), 0);
	int fill[8];
	for (int i = 0; i < 8; i++) {
		fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)!connect(fill[i], (struct sockaddr *)&address, sizeof(address));
	}
	request.timeout_ms = 300;
	int64_t begun = now_ms();
	is(ask_with(&request, ""), ENV_HTTP_NOT_SENT, 0);
	assert_in_range(now_ms() - begun, 250, 1500);
	for (int i = 0; i < 8; i++)
		close(fill[i]);
	close(fd);
	request.timeout_ms = 2000;
	request.url = "https://no-such-name.invalid/x";
	is(ask_with(&request, ""), ENV_HTTP_NOT_SENT, 0);
	request.url = "http://192.0.2.1/x";
	is(ask_with(&request, ""), ENV_HTTP_NOT_SENT, 0);
	request.url = "ftp://127.0.0.1/x";
	is(ask_with(&request, ""), ENV_HTTP_NOT_SENT, 0);
	request.url = "file:///etc/passwd";
	is(ask_with(&request, ""), ENV_HTTP_NOT_SENT, 0);
	request.url = "https://169.254.169.254/latest";
	is(ask_with(&request, ""), ENV_HTTP_NOT_SENT, 0);
	assert_int_equal(raw_count(server, NULL), 0);
}

/*
 * The peer does not speak TLS: the handshake fails, and the peer receives nothing of the
 * request.
 */
static void serve_garbage(struct raw_peer *peer)
{
	char data[64];

	(void)!read(peer->fd, data, sizeof(data));
	raw_write(peer, "this is no handshake at all, whatever you think\r\n");
}

static void test_no_tls(void **state)
{
	struct env_http_request request = { .method = "POST", .body = "x", .body_len = 1 };
	char url[100];
	(void)state;

	server = raw_start(serve_garbage);
	snprintf(url, sizeof(url), "https://127.0.0.1:%d/x", raw_port(server));
	request.url = url;
	is(ask_with(&request, ""), ENV_HTTP_NOT_SENT, 0);
	assert_int_equal(raw_connections(server), 1);
}

/* ---- sent, and no complete answer ---- */

static const char *_Atomic piece; /* what the server sends before it closes the connection */
static atomic_int ends_with_reset;

static void serve_piece(struct raw_peer *peer)
{
	if (raw_read(peer))
		return;
	raw_write(peer, piece);
	if (ends_with_reset)
		raw_reset(peer);
}

static void answers(const char *method, const char *text, enum env_http_outcome outcome)
{
	piece = text;
	is(ask(method, "/x"), outcome, 200);
}

static void test_half_answers(void **state)
{
	static const char *const pieces[] = {
		"", "H", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-",
		"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{\"a\":",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"a\"",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
		"HTTP/1.1 100 Continue\r\n\r\n",
	};
	(void)state;

	server = raw_start(serve_piece);
	for (ends_with_reset = 0; ends_with_reset < 2; ends_with_reset++) {
		for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
			int before = raw_count(server, "POST");
			piece = pieces[i];
			struct env_http_response answer = ask("POST", "/x");
			/*
			 * half a status line may count as lost or invalid, but never as a
			 * response
			 */
			if (i == 1 || i == 2)
				assert_true(answer.outcome == ENV_HTTP_LOST ||
					    answer.outcome == ENV_HTTP_BROKEN);
			else if (answer.outcome != ENV_HTTP_LOST)
				fail_msg("piece %zu: outcome %d: %s", i, answer.outcome,
					 answer.error);
			assert_null(answer.body);
			env_http_response_fini(&answer);
			assert_int_equal(raw_count(server, "POST"), before + 1);
		}
	}
	ends_with_reset = 0;
}

/* ---- invalid responses ---- */

static void test_broken_answers(void **state)
{
	(void)state;
	server = raw_start(serve_piece);
	answers("GET", "not HTTP at all, but a line of text\r\n\r\n", ENV_HTTP_BROKEN);
	answers("GET", "HTTP/1.1 301 Moved\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n",
		ENV_HTTP_BROKEN);
	answers("GET", "HTTP/1.1 304 Same\r\n\r\n", ENV_HTTP_BROKEN);
	answers("POST", "HTTP/1.1 307 Again\r\nLocation: https://evil.example/\r\nContent-Length: 0\r\n\r\n",
		ENV_HTTP_BROKEN);
	answers("GET", "HTTP/1.1 302 x\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n",
		ENV_HTTP_BROKEN);
	answers("GET", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
		ENV_HTTP_BROKEN);
	answers("GET", "HTTP/1.1 777 What\r\nContent-Length: 2\r\n\r\n{}", ENV_HTTP_BROKEN);
	answers("GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", ENV_HTTP_ANSWERED);
	answers("GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
		ENV_HTTP_ANSWERED);
	answers("GET", "HTTP/1.1 200 OK\r\n\r\n{}", ENV_HTTP_ANSWERED);
}

/* Redirects are not followed, so the other server receives nothing. */
static struct raw_server *elsewhere;

static void serve_redirect(struct raw_peer *peer)
{
	char text[200];

	while (raw_read(peer) == 0) {
		snprintf(text, sizeof(text),
			 "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/\r\nContent-Length: 0\r\n\r\n",
			 raw_port(elsewhere));
		raw_write(peer, text);
	}
}

static void test_redirect(void **state)
{
	(void)state;
	elsewhere = raw_start(serve_well);
	server = raw_start(serve_redirect);
	is(ask("GET", "/x"), ENV_HTTP_BROKEN, 0);
	is(ask("POST", "/x"), ENV_HTTP_BROKEN, 0);
	is(ask("DELETE", "/x"), ENV_HTTP_BROKEN, 0);
	client_end();
	raw_finish(elsewhere);
	assert_int_equal(raw_connections(elsewhere), 0);
	assert_int_equal(raw_count(server, NULL), 3);
	raw_stop(elsewhere);
}

/* ---- sizes ---- */

static void serve_big_chunked(struct raw_peer *peer)
{
	char block[4096 + 16];

	if (raw_read(peer))
		return;
	raw_write(peer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	memcpy(block, "1000\r\n", 6);
	memset(block + 6, 'x', 4096);
	memcpy(block + 6 + 4096, "\r\n", 2);
	for (int i = 0; i < 600; i++)
		raw_write_len(peer, block, 4096 + 8);
	raw_write(peer, "0\r\n\r\n");
}

static void serve_big_length(struct raw_peer *peer)
{
	if (raw_read(peer) == 0)
		raw_write(peer, "HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\nxxxx");
	raw_pause(peer, -1);
}

static void serve_big_head(struct raw_peer *peer)
{
	char line[1100];

	if (raw_read(peer))
		return;
	raw_write(peer, "HTTP/1.1 200 OK\r\n");
	memset(line, 'x', sizeof(line));
	memcpy(line, "X-A: ", 5);
	memcpy(line + 1000, "\r\n", 3);
	for (int i = 0; i < 100; i++)
		raw_write(peer, line);
	raw_write(peer, "Content-Length: 2\r\n\r\n{}");
}

static void serve_endless_interim(struct raw_peer *peer)
{
	if (raw_read(peer))
		return;
	for (int i = 0; i < 20000; i++)
		raw_write(peer, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n");
}

static void serve_at_cap(struct raw_peer *peer)
{
	if (raw_read(peer) == 0)
		raw_write(peer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n");
}

static void test_sizes(void **state)
{
	static void (*const serves[])(struct raw_peer *peer) = {
		serve_big_chunked, serve_big_length, serve_big_head, serve_endless_interim,
	};
	struct env_http_request request = { .method = "GET", .max_response = 10 };
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(serves); i++) {
		server = raw_start(serves[i]);
		int64_t begun = now_ms();
		is(ask("POST", "/x"), ENV_HTTP_BROKEN, 0);
		assert_true(now_ms() - begun < 1500);
		raw_stop(server);
	}
	server = raw_start(serve_at_cap);
	is(ask_with(&request, "/x"), ENV_HTTP_ANSWERED, 200);
	request.max_response = 9;
	is(ask_with(&request, "/x"), ENV_HTTP_BROKEN, 0);
}

#define LONG_LEN (5u << 20)

static void serve_long(struct raw_peer *peer)
{
	char *text = xcalloc(1, LONG_LEN + 1);

	memset(text, 'x', LONG_LEN);
	if (!raw_read(peer)) {
		raw_write(peer, "HTTP/1.1 200 OK\r\nContent-Length: 5242880\r\n\r\n");
		raw_write(peer, text);
	}
	free(text);
}

static void b6_five_mib_arrive(void **state)
{
	struct env_http_request request = { .method = "GET", .max_response = 16u << 20 };
	(void)state;

	server = raw_start(serve_long);
	is(ask_with(&request, "/x"), ENV_HTTP_ANSWERED, 200);
}

/* ---- time ---- */

static void serve_drip(struct raw_peer *peer)
{
	if (raw_read(peer))
		return;
	raw_write(peer, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
	do {
		raw_write(peer, "x");
	} while (raw_pause(peer, 10));
}

static void serve_nothing(struct raw_peer *peer)
{
	if (raw_read(peer) == 0)
		raw_pause(peer, -1);
}

static void test_deadline(void **state)
{
	static void (*const serves[])(struct raw_peer *peer) = { serve_drip, serve_nothing };
	struct env_http_request request = { .method = "GET", .timeout_ms = 400 };
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(serves); i++) {
		server = raw_start(serves[i]);
		int64_t begun = now_ms();
		is(ask_with(&request, "/x"), ENV_HTTP_LOST, 0);
		assert_in_range(now_ms() - begun, 350, 1000);
		raw_stop(server);
	}
	server = NULL;
}

static int64_t mono_now_ms;

static int64_t mono_ms(void *data)
{
	(void)data;
	return mono_now_ms;
}

/* Connected, and the moment has passed by which it may be sent: nothing of it is. */
static void test_too_late(void **state)
{
	struct env_http_request request = { .method = "DELETE",
					    .fresh = 1,
					    .send_by_mono_ms = 1000 };
	(void)state;

	http_client_free(client);
	env.mono_ms = mono_ms;
	assert_int_equal(http_client_new(NULL, &env, &client, NULL), 0);
	server = raw_start(serve_well);
	mono_now_ms = 999;
	is(ask_with(&request, "/x"), ENV_HTTP_ANSWERED, 200);
	assert_int_equal(raw_count(server, "DELETE"), 1);
	mono_now_ms = 1000;
	is(ask_with(&request, "/x"), ENV_HTTP_NOT_SENT, 0);
	/* A request without such a moment. */
	request.send_by_mono_ms = 0;
	is(ask_with(&request, "/x"), ENV_HTTP_ANSWERED, 200);
	client_end();
	raw_finish(server);
	assert_int_equal(raw_count(server, "DELETE"), 2);
	env.mono_ms = NULL;
}

#if HAS_PREREQ
static int mono_asked;

/* The clock stands still until the connection is being made. */
static int64_t mono_leaps_ms(void *data)
{
	(void)data;
	return mono_asked++ ? 1000 : 0;
}

/* It stood still while it connected. */
static void test_too_late_when_connected(void **state)
{
	struct env_http_request request = { .method = "DELETE",
					    .fresh = 1,
					    .send_by_mono_ms = 1000 };
	(void)state;

	http_client_free(client);
	env.mono_ms = mono_leaps_ms;
	mono_asked = 0;
	assert_int_equal(http_client_new(NULL, &env, &client, NULL), 0);
	server = raw_start(serve_well);
	is(ask_with(&request, "/x"), ENV_HTTP_NOT_SENT, 0);
	client_end();
	raw_finish(server);
	assert_int_equal(raw_count(server, NULL), 0);
	env.mono_ms = NULL;
}
#endif

static atomic_int cancel;
static int64_t cancelled_at;

/* The request has arrived, and the client is waiting. */
static void *cancel_then(void *arg)
{
	(void)arg;
	raw_await(server, "POST", 1);
	cancelled_at = now_ms();
	atomic_store_explicit(&cancel, 1, memory_order_release);
	return NULL;
}

static void test_cancel(void **state)
{
	struct env_http_request request = { .method = "POST", .cancel = &cancel };
	pthread_t thread;
	(void)state;

	server = raw_start(serve_nothing);
	cancel = 0;
	pthread_create(&thread, NULL, cancel_then, NULL);
	is(ask_with(&request, "/x"), ENV_HTTP_LOST, 0);
	int64_t ended = now_ms();
	pthread_join(thread, NULL);
	print_message("cancelled after %lld ms\n", (long long)(ended - cancelled_at));
	assert_true(ended - cancelled_at < 500);
	/* cancelled before it starts: nothing is sent */
	int before = raw_count(server, NULL);
	is(ask_with(&request, "/x"), ENV_HTTP_NOT_SENT, 0);
	assert_int_equal(raw_count(server, NULL), before);
}

/* ---- what the head says ---- */

static void test_head(void **state)
{
	(void)state;
	server = raw_start(serve_piece);
	piece = "HTTP/1.1 103 Early\r\nRetry-After: 99\r\n\r\n"
		"HTTP/1.1 429 Slow down\r\nContent-Length: 2\r\nRetry-After: 7\r\n"
		"ratelimit-limit: 3600\r\nRateLimit-Remaining:0\r\nRATELIMIT-RESET:   1800000000\r\n"
		"X-Request-Id: second\r\nX-Correlation-Id: abc-123\r\n"
		"Content-Type: application/json; charset=utf-8\r\n\r\n{}";
	struct env_http_response answer = ask("GET", "/x");
	assert_int_equal(answer.outcome, ENV_HTTP_ANSWERED);
	assert_int_equal(answer.status, 429);
	assert_int_equal(answer.retry_after_ms, 7000);
	assert_int_equal(answer.rate_limit, 3600);
	assert_int_equal(answer.rate_remaining, 0);
	assert_int_equal(answer.rate_reset_s, 1800000000);
	assert_string_equal(answer.request_id, "abc-123");
	assert_string_equal(answer.content_type, "application/json; charset=utf-8");
	assert_string_equal(answer.body, "{}");
	env_http_response_fini(&answer);
}

static int64_t retry_after(const char *value, int64_t wall_s)
{
	struct env_http_response answer = { 0 };
	struct http_headers head;
	char line[300];

	http_headers_init(&head);
	http_headers_line(&head, "HTTP/1.1 503 x\r\n", 16);
	snprintf(line, sizeof(line), "Retry-After: %s\r\n", value);
	http_headers_line(&head, line, strlen(line));
	http_headers_finish(&head, wall_s, &answer);
	return answer.retry_after_ms;
}

static void test_retry_after(void **state)
{
	(void)state;
	assert_int_equal(retry_after("0", 0), 0);
	assert_int_equal(retry_after("120", 0), 120000);
	assert_int_equal(retry_after("99999999999", 0), 86400000);
	assert_int_equal(retry_after("99999999999999999999999", 0), -1);
	assert_int_equal(retry_after("-5", 0), -1);
	assert_int_equal(retry_after("soon", 0), -1);
	assert_int_equal(retry_after("", 0), -1);
	assert_int_equal(retry_after("1, 2", 0), 1000);
	/* 784111777 is Sun, 06 Nov 1994 08:49:37 GMT */
	assert_int_equal(retry_after("Sun, 06 Nov 1994 08:49:37 GMT", 784111717), 60000);
	assert_int_equal(retry_after("Sun, 06 Nov 1994 08:49:37 GMT", 784111777 + 5), 0);
	assert_int_equal(retry_after("Sun, 06 Nov 2094 08:49:37 GMT", 784111777), 86400000);
	assert_int_equal(retry_after("Sun, 06 Foo 1994 08:49:37 GMT", 784111717), -1);
	assert_int_equal(retry_after("Sunday, 06-Nov-94 08:49:37 GMT", 784111717), -1);
	assert_int_equal(retry_after("Sun Nov  6 08:49:37 1994", 784111717), -1);
	assert_int_equal(retry_after("Sun, 06 Nov 1994 08:49:37 GMT+1", 784111717), -1);
	assert_int_equal(retry_after("Sun, 06 Nov 1994 08:49:37 CET", 784111717), -1);
	assert_int_equal(retry_after("Sun, 06 Nov 1994 28:49:37 GMT", 784111717), -1);
}

/* ---- addresses ---- */

/* A host name may resolve to this machine, so its address is checked. */
static void test_addresses(void **state)
{
	struct env_http_request request = { .method = "GET", .timeout_ms = 2000 };
	struct env other;
	struct http_client *plain;
	struct env_http_response answer;
	char url[100];
	(void)state;

	server = raw_start(serve_well);
	snprintf(url, sizeof(url), "https://0.0.0.0:%d/x", raw_port(server));
	request.url = url;
	is(ask_with(&request, ""), ENV_HTTP_NOT_SENT, 0);
	snprintf(url, sizeof(url), "https://[::ffff:127.0.0.1]:%d/x", raw_port(server));
	is(ask_with(&request, ""), ENV_HTTP_NOT_SENT, 0);
	snprintf(url, sizeof(url), "http://0.0.0.0:%d/x", raw_port(server));
	is(ask_with(&request, ""), ENV_HTTP_NOT_SENT, 0);
	assert_int_equal(raw_connections(server), 0);

	env_system(&other);
	assert_int_equal(http_client_new(&(struct http_client_config){ .allow_plain = 1 }, &other,
					 &plain, NULL), 0);
	other.http(other.data, &request, &answer);
	is(answer, ENV_HTTP_ANSWERED, 200);
	http_client_free(plain);
}

/* ---- threads ---- */

static void *many_gets(void *arg)
{
	(void)arg;
	for (int i = 0; i < 5; i++)
		is(ask("GET", "/x"), ENV_HTTP_ANSWERED, 200);
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t threads[6];
	(void)state;

	server = raw_start(serve_well);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_create(&threads[i], NULL, many_gets, NULL);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(raw_count(server, "GET"), 30);
	assert_int_equal(raw_connections(server), 6);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_reuse),
		T(test_dying_connection),
		T(test_effect_is_sent_once),
		T(test_refused),
		T(test_no_tls),
		T(test_half_answers),
		T(test_broken_answers),
		T(test_redirect),
		T(test_sizes),
		T(b6_five_mib_arrive),
		T(test_deadline),
		T(test_too_late),
#if HAS_PREREQ
		T(test_too_late_when_connected),
#endif
		T(test_cancel),
		T(test_head),
		T(test_addresses),
		T(test_threads),
		cmocka_unit_test(test_retry_after),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
