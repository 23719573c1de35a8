/* SPDX-License-Identifier: MIT */
/* A stream from a server that says nothing, or nothing more. */
#include "cli/client.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "util/buf.h"

/* So short that the test need not wait; libcurl looks about once a second. */
#define IDLE_MS 50

static const char beginning[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
				"data: a\n\n";

struct server {
	char path[108];
	int fd;
};

/* The kernel accepts; nobody answers. */
static void server_start(struct server *server)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	snprintf(server->path, sizeof(server->path), "/tmp/test-cli-client.%d", (int)getpid());
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", server->path);
	unlink(server->path);
	server->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(server->fd >= 0);
	assert_int_equal(bind(server->fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(server->fd, 4), 0);
}

static void server_stop(struct server *server)
{
	close(server->fd);
	unlink(server->path);
}

static struct client *client_of(const struct server *server, char url[128])
{
	char from[] = "the test";
	struct settings settings = { .url_from = from };
	struct client *client, *twin;
	struct err err = { 0 };

	snprintf(url, 128, "unix:%s", server->path);
	settings.url = url;
	client = client_open(&settings, &err);
	assert_non_null(client);
	twin = client_twin(client);
	assert_non_null(twin);
	client_close(client);
	return twin;
}

static int on_bytes(void *arg, const char *data, size_t len)
{
	struct buf *heard = arg;

	buf_add(heard, data, len);
	return 0;
}

static int call(struct client *client, struct buf *heard, struct client_response *response)
{
	const struct client_stream stream = {
		.last_id = "", .idle_ms = IDLE_MS, .on_bytes = on_bytes, .arg = heard
	};
	const struct client_request request = { .method = "GET",
						.path = "/v1/events",
						.stream = &stream };

	return client_call(client, &request, response);
}

static void silence_counts_as_lost(void **state)
{
	struct client_response response;
	struct client *client;
	struct server server;
	char url[128];
	struct buf heard;

	(void)state;
	buf_init(&heard, 64);
	server_start(&server);
	client = client_of(&server, url);
	assert_int_equal(call(client, &heard, &response), 0);
	assert_int_equal(response.outcome, CLIENT_LOST);
	assert_int_equal(client_may_retry(&response), 1);
	assert_int_equal(heard.len, 0);
	client_response_fini(&response);
	client_close(client);
	server_stop(&server);
	buf_fini(&heard);
}

/* Answers the one connection that comes, and holds it until the client closes it. */
static void *beginning_send(void *arg)
{
	const struct server *server = arg;
	int fd = accept(server->fd, NULL, NULL);
	char data[512];

	if (fd < 0 || write(fd, beginning, strlen(beginning)) < 0)
		return NULL;
	while (read(fd, data, sizeof(data)) > 0)
		;
	close(fd);
	return NULL;
}

static void a_stream_that_falls_silent_is_over(void **state)
{
	struct client_response response;
	struct client *client;
	struct server server;
	pthread_t thread;
	char url[128];
	struct buf heard;

	(void)state;
	buf_init(&heard, 64);
	server_start(&server);
	assert_int_equal(pthread_create(&thread, NULL, beginning_send, &server), 0);
	client = client_of(&server, url);
	assert_int_equal(call(client, &heard, &response), 1);
	assert_int_equal(response.status, 200);
	assert_string_equal(buf_str(&heard), "data: a\n\n");
	client_response_fini(&response);
	client_close(client);
	pthread_join(thread, NULL);
	server_stop(&server);
	buf_fini(&heard);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(silence_counts_as_lost),
		cmocka_unit_test(a_stream_that_falls_silent_is_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
