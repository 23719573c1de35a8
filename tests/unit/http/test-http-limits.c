/* SPDX-License-Identifier: MIT */
/*
 * Exhaustion, slow clients and other protocols: the rows B210 to B217 and B230 to B238, with
 * deadlines short enough for a test.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "http-fixture.h"
#include "util/alloc.h"

/* How late a deadline may be on a busy machine, in ms. */
#define SLACK 2000

struct drip {
	struct client *client;
	struct event *event;
	const char *text;
	size_t len, at;
};

static void on_drip(evutil_socket_t fd, short what, void *arg)
{
	struct drip *d = arg;

	(void)fd;
	(void)what;
	if (d->client->is_eof)
		return;
	(void)!send(d->client->fd, d->text + d->at % d->len, 1, MSG_NOSIGNAL);
	d->at++;
}

static void drip_start(struct drip *d, struct client *client, const char *text)
{
	struct timeval ten_ms = { .tv_usec = 10000 };

	*d = (struct drip){ .client = client, .text = text, .len = strlen(text) };
	d->event = event_new(client->h->base, -1, EV_PERSIST, on_drip, d);
	event_add(d->event, &ten_ms);
}

static void check_elapsed(uint64_t since, uint64_t deadline)
{
	uint64_t elapsed = harness_ms() - since;

	/* The clock of the deadlines has a resolution of 4 ms. */
	assert_true(elapsed + 8 >= deadline);
	assert_true(elapsed <= deadline + SLACK);
}

/* Single bytes do not extend it: the deadline covers the whole head. */
static void test_b210_slow_head(void **state)
{
	struct client other;
	struct drip d;
	uint64_t since;

	(void)state;
	h.config.head_ms = 200;
	harness_start(&h);
	since = harness_ms();
	client_open(&h, &c);
	SEND(&c, "GET /a HTTP/1.1\r\nHost: localhost\r\nX-A: ");
	drip_start(&d, &c, "a");
	/* Other clients are served meanwhile. */
	client_open(&h, &other);
	SEND(&other, "GET /other HTTP/1.1\r\n" GET_FIELDS);
	WAIT(&h, strstr(client_text(&other), "GET /other"));
	WAIT(&h, c.is_eof);
	check_elapsed(since, 200);
	assert_true(d.at > 3);
	assert_int_equal(strncmp(client_text(&c), "HTTP/1.1 408 ", 13), 0);
	assert_int_equal(harness_counters(&h)->refusals[HTTP_REFUSED_HEAD_TIMEOUT], 1);
	event_free(d.event);
	client_close(&c);
	client_close(&other);
}

/* The same for the second request of a connection: the time counts from its first byte. */
static void test_b210_slow_second_head(void **state)
{
	struct drip d;
	uint64_t since;

	(void)state;
	h.config.head_ms = 150;
	begin(NULL);
	SEND(&c, "GET /a HTTP/1.1\r\n" GET_FIELDS);
	WAIT(&h, strstr(client_text(&c), "GET /a"));
	since = harness_ms();
	drip_start(&d, &c, "GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	WAIT(&h, c.is_eof);
	check_elapsed(since, 150);
	event_free(d.event);
}

static void test_b210_silent_and_idle(void **state)
{
	struct client silent, idle, crlf;
	uint64_t since;

	(void)state;
	h.config.head_ms = 100;
	h.config.idle_ms = 300;
	harness_start(&h);
	since = harness_ms();
	client_open(&h, &silent);
	client_open(&h, &crlf);
	SEND(&crlf, "\r\n");
	client_open(&h, &idle);
	SEND(&idle, "GET /a HTTP/1.1\r\n" GET_FIELDS);
	WAIT(&h, silent.is_eof && crlf.is_eof);
	check_elapsed(since, 100);
	assert_string_equal(client_text(&silent), "");
	assert_string_equal(client_text(&crlf), "");
	assert_false(idle.is_eof);
	WAIT(&h, idle.is_eof);
	check_elapsed(since, 300);
	assert_int_equal(client_count(&idle, "HTTP/1.1 "), 1);
	assert_int_equal(harness_counters(&h)->closed_silent, 2);
	assert_int_equal(harness_counters(&h)->closed_idle, 1);
	client_close(&silent);
	client_close(&idle);
	client_close(&crlf);
}

static void check_slow_body(const char *head, const char *dripping)
{
	struct drip d;
	uint64_t since;

	fixture_again();
	h.config.body_ms = 200;
	harness_start(&h);
	client_open(&h, &c);
	since = harness_ms();
	client_send(&c, head, strlen(head));
	drip_start(&d, &c, dripping);
	WAIT(&h, c.is_eof);
	check_elapsed(since, 200);
	assert_int_equal(strncmp(client_text(&c), "HTTP/1.1 408 ", 13), 0);
	assert_int_equal(h.requests, 0);
	event_free(d.event);
	client_close(&c);
}

static void test_b211_b073_slow_body(void **state)
{
	(void)state;
	check_slow_body("POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\n", "x");
}

/* The deadlines are of reading: an answer may take longer than its request was allowed to. */
static void test_h1_a_late_answer(void **state)
{
	struct client whole, parts, none;
	uint64_t since;

	(void)state;
	h.config.head_ms = 100;
	h.config.body_ms = 150;
	h.handler = harness_keep;
	harness_start(&h);
	since = harness_ms();
	client_open(&h, &whole);
	SEND(&whole, "POST /whole HTTP/1.1\r\nContent-Length: 4\r\n" GET_FIELDS "body");
	client_open(&h, &parts);
	SEND(&parts, "POST /parts HTTP/1.1\r\nContent-Length: 4\r\n" GET_FIELDS);
	WAIT(&h, h.requests == 1);
	SEND(&parts, "body");
	client_open(&h, &none);
	SEND(&none, "GET /none HTTP/1.1\r\n" GET_FIELDS);
	WAIT(&h, h.requests == 3 && harness_ms() - since > 700);
	assert_int_equal(h.gone, 0);
	for (unsigned i = 0; i < 3; i++)
		harness_echo(&h, h.kept[i]);
	WAIT(&h, strstr(client_text(&whole), "POST /whole body") &&
		 strstr(client_text(&parts), "POST /parts body") &&
		 strstr(client_text(&none), "GET /none"));
	client_close(&whole);
	client_close(&parts);
	client_close(&none);
}

/* A request that is pipelined behind one that waits keeps its own deadline. */
static void test_h1_a_half_read_request_behind_a_late_answer(void **state)
{
	struct drip d;
	uint64_t since;

	(void)state;
	h.config.body_ms = 200;
	begin(harness_keep);
	SEND(&c, "POST /first HTTP/1.1\r\nContent-Length: 4\r\n" GET_FIELDS "body");
	WAIT(&h, h.requests == 1);
	since = harness_ms();
	SEND(&c, "POST /half HTTP/1.1\r\nContent-Length: 5000\r\n" GET_FIELDS);
	drip_start(&d, &c, "x");
	WAIT(&h, harness_counters(&h)->refusals[HTTP_REFUSED_BODY_TIMEOUT] == 1);
	check_elapsed(since, 200);
	/* The first one still waits, and is answered first. */
	assert_int_equal(h.gone, 0);
	assert_string_equal(client_text(&c), "");
	harness_echo(&h, h.kept[0]);
	WAIT(&h, c.is_eof);
	assert_non_null(strstr(client_text(&c), "POST /first body"));
	assert_non_null(strstr(strstr(client_text(&c), "/first"), "HTTP/1.1 408 "));
	assert_int_equal(h.requests, 1);
	event_free(d.event);
}

/* It is noticed past every deadline of reading; an answered connection is idle for idle_ms. */
static void test_h1_a_client_leaves_while_it_waits(void **state)
{
	uint64_t since;

	(void)state;
	h.config.head_ms = h.config.body_ms = 100;
	h.config.idle_ms = 300;
	begin(harness_keep);
	since = harness_ms();
	SEND(&c, "POST /stays HTTP/1.1\r\nContent-Length: 4\r\n" GET_FIELDS "body");
	WAIT(&h, h.kept_count == 1 && harness_ms() - since > 500);
	assert_false(c.is_eof);
	since = harness_ms();
	harness_echo(&h, h.kept[0]);
	WAIT(&h, c.is_eof);
	check_elapsed(since, 300);
	assert_int_equal(harness_counters(&h)->closed_idle, 1);
	client_close(&c);
	client_open(&h, &c);
	since = harness_ms();
	SEND(&c, "POST /leaves HTTP/1.1\r\nContent-Length: 4\r\n" GET_FIELDS "body");
	WAIT(&h, h.kept_count == 2 && harness_ms() - since > 500);
	client_close(&c);
	WAIT(&h, h.gone == 1);
	assert_int_equal(harness_counters(&h)->gone, 1);
	http_reply(h.kept[1], 200, NULL, NULL, 0);
	WAIT(&h, harness_counters(&h)->connections_open == 0 &&
			 harness_counters(&h)->requests_open == 0);
}

static void test_b094_last_chunk_never_comes(void **state)
{
	(void)state;
	check_slow_body("POST /a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
			"1\r\na\r\n");
}

static void handle_big(struct harness *harness, struct http_exchange *ex)
{
	static char big[8 << 20];

	(void)harness;
	memset(big, 'b', sizeof(big));
	http_reply(ex, 200, NULL, big, sizeof(big));
}

static void test_b212_slow_reader(void **state)
{
	uint64_t since;

	(void)state;
	h.config.write_ms = 200;
	begin(handle_big);
	client_read(&c, 0);
	since = harness_ms();
	for (int i = 0; i < 20; i++)
		SEND(&c, "GET /a HTTP/1.1\r\n" GET_FIELDS);
	WAIT(&h, harness_counters(&h)->connections_open == 0 && h.requests);
	check_elapsed(since, 200);
	/* One response is blocked, so no second request is accepted. */
	assert_int_equal(h.requests, 1);
	assert_int_equal(harness_counters(&h)->closed_slow_reader, 1);
}

static void handle_64k(struct harness *harness, struct http_exchange *ex)
{
	static char text[65536];

	(void)harness;
	memset(text, 'c', sizeof(text));
	http_reply(ex, 200, NULL, text, sizeof(text));
}

/* A reader that pauses: memory stays bounded meanwhile, and everything arrives in the end. */
static void test_b212_output_is_bounded(void **state)
{
	struct client other;
	unsigned before;

	(void)state;
	begin(handle_64k);
	client_read(&c, 0);
	for (int i = 0; i < 200; i++)
		SEND(&c, "GET /a HTTP/1.1\r\n" GET_FIELDS);
	WAIT(&h, h.requests > 0);
	/*
	 * The kernel's buffers fill up eventually: then no more requests are accepted, while the
	 * loop serves another client.
	 */
	do {
		before = h.requests;
		client_open(&h, &other);
		SEND(&other, "GET /a HTTP/1.1\r\n" GET_FIELDS);
		WAIT(&h, other.in.len > 65536);
		client_close(&other);
	} while (h.requests != before + 1);
	assert_true(h.requests < 150);
	client_read(&c, 1);
	WAIT(&h, c.in.len > 200 * (65536 + 64));
	assert_int_equal(client_count(&c, "HTTP/1.1 200 OK"), 200);
}

/* Of 8 places, one is kept for the Unix socket: 7 clients with an open request are the most. */
static void test_b213_max_connections(void **state)
{
	struct client all[9];

	(void)state;
	h.config.max_connections = 8;
	h.handler = harness_keep_trusted;
	harness_start(&h);
	for (unsigned i = 0; i < 9; i++) {
		client_open(&h, &all[i]);
		SEND(&all[i], "GET /a HTTP/1.1\r\n" GET_FIELDS);
		if (i < 7)
			WAIT(&h, h.requests == i + 1);
	}
	WAIT(&h, harness_counters(&h)->accept_full == 1);
	event_base_loop(h.base, EVLOOP_NONBLOCK);
	assert_int_equal(harness_counters(&h)->connections_open, 7);
	assert_int_equal(h.logs, 1);
	assert_true(h.crowded > 0);
	/* A client that leaves makes room. */
	client_close(&all[1]);
	WAIT(&h, h.gone == 1);
	http_drop(h.kept[1]);
	WAIT(&h, h.requests == 8);
	client_close(&all[0]);
	WAIT(&h, h.gone == 2);
	http_drop(h.kept[0]);
	WAIT(&h, h.requests == 9);
	for (int i = 2; i < 9; i++) {
		client_close(&all[i]);
		http_drop(h.kept[i]);
	}
	WAIT(&h, harness_counters(&h)->connections_open == 0);
}

/* Idle connections do not keep new ones out. */
static void test_b213_idle_make_room(void **state)
{
	struct client busy, idle[5], next;

	(void)state;
	h.config.max_connections = 8;
	h.config.spare_idle_ms = 50;
	h.config.tick_ms = 10;
	h.handler = harness_keep_trusted;
	harness_start(&h);
	client_open(&h, &busy);
	SEND(&busy, "GET /busy HTTP/1.1\r\n" GET_FIELDS);
	WAIT(&h, h.kept_count == 1);
	for (unsigned i = 0; i < 5; i++) {
		client_open(&h, &idle[i]);
		SEND(&idle[i], "GET /idle HTTP/1.1\r\n" GET_FIELDS);
		WAIT(&h, h.kept_count == i + 2);
		http_reply(h.kept[i + 1], 200, NULL, "x", 1);
		WAIT(&h, strstr(client_text(&idle[i]), "\r\n\r\nx"));
	}
	/* It may have to wait until the first one has been idle long enough. */
	client_open(&h, &next);
	SEND(&next, "GET /next HTTP/1.1\r\n" GET_FIELDS);
	WAIT(&h, h.kept_count == 7 && idle[0].is_eof);
	assert_int_equal(harness_counters(&h)->evicted_idle[HTTP_CLIENT_KNOWN], 1);
	assert_false(idle[1].is_eof || busy.is_eof);
	http_reply(h.kept[0], 200, NULL, "done", 4);
	http_reply(h.kept[6], 200, NULL, "done", 4);
	WAIT(&h, strstr(client_text(&busy), "done") && strstr(client_text(&next), "done"));
	client_close(&busy);
	client_close(&next);
	for (int i = 0; i < 5; i++)
		client_close(&idle[i]);
}

static int open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void test_b214_connect_storm(void **state)
{
	int before;

	(void)state;
	harness_start(&h);
	before = open_descriptors();
	for (int i = 0; i < 2000; i++) {
		client_open(&h, &c);
		if (i % 3 == 1)
			SEND(&c, "GET /a HT");
		if (i % 3)
			client_close(&c);
		else
			client_reset(&c);
		event_base_loop(h.base, EVLOOP_NONBLOCK);
	}
	WAIT(&h, harness_counters(&h)->connections_open == 0);
	assert_int_equal(open_descriptors(), before);
	assert_int_equal(h.requests, 0);
}

/* What the child of the next test reports when it ends. */
struct starved {
	uint64_t accept_failed;
	uint64_t cpu_us;
	uint64_t logs;
};

static void on_failed(enum http_log_level level, const char *text, void *user)
{
	struct harness *harness = user;

	(void)level;
	(void)text;
	harness->logs++;
}

static void on_stop(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(arg);
}

/* The number of failed accepts after which the test goes on. */
#define FAILURES 10

/*
 * A child process with few descriptors. It writes to `out` the port, then a byte after enough
 * failed accepts, then the figures.
 */
static void starve_child(int in, int out)
{
	struct rlimit limit = { .rlim_cur = 40, .rlim_max = 40 };
	struct event *stop;
	struct starved s;
	struct rusage usage;

	fixture_again();
	h.config.accept_retry_ms = 50;
	h.callbacks.on_log = on_failed;
	harness_start(&h);
	stop = event_new(h.base, in, EV_READ, on_stop, h.base);
	event_add(stop, NULL);
	setrlimit(RLIMIT_NOFILE, &limit);
	(void)!write(out, &h.port, sizeof(h.port));
	while (harness_counters(&h)->accept_failed < FAILURES)
		event_base_loop(h.base, EVLOOP_ONCE);
	(void)!write(out, "x", 1);
	event_base_dispatch(h.base);
	getrusage(RUSAGE_SELF, &usage);
	s.accept_failed = harness_counters(&h)->accept_failed;
	s.cpu_us = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
		   (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
	s.logs = h.logs;
	(void)!write(out, &s, sizeof(s));
	_exit(0);
}

static void test_b215_descriptors_run_out(void **state)
{
	struct client many[200], last;
	struct starved s;
	char enough;
	int in[2], out[2];
	uint64_t begun, since, starved;
	pid_t child;

	(void)state;
	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(out), 0);
	child = fork();
	if (!child)
		starve_child(in[0], out[1]);
	harness_start(&h);	/* only for the base and the guard */
	assert_int_equal(read(out[0], &h.port, sizeof(h.port)), sizeof(h.port));
	begun = harness_ms();
	for (int i = 0; i < 200; i++)
		client_open(&h, &many[i]);
	/* Let it starve; the figures show how long that takes and what it does meanwhile. */
	assert_int_equal(read(out[0], &enough, 1), 1);
	for (int i = 0; i < 200; i++)
		client_close(&many[i]);
	/* It recovers within a second. */
	since = harness_ms();
	client_open(&h, &last);
	SEND(&last, "GET /again HTTP/1.1\r\n" GET_FIELDS);
	WAIT(&h, strstr(client_text(&last), "GET /again") || last.is_eof);
	assert_non_null(strstr(client_text(&last), "GET /again"));
	assert_true(harness_ms() - since < 1000 + SLACK);
	client_close(&last);
	(void)!write(in[1], "x", 1);
	assert_int_equal(read(out[0], &s, sizeof(s)), sizeof(s));
	waitpid(child, NULL, 0);
	starved = harness_ms() - begun;
	print_message("starved %u ms: %u failed accepts, %u us of CPU, %u log lines\n",
		      (unsigned)starved, (unsigned)s.accept_failed, (unsigned)s.cpu_us,
		      (unsigned)s.logs);
	/* It pauses instead of spinning, and logs little. */
	assert_true(s.accept_failed >= FAILURES);
	assert_true(s.accept_failed <= starved / 50 + 5);
	assert_true(s.logs <= starved / 1000 + 2);
	assert_true(s.cpu_us < starved * 1000 / 4);
	for (int i = 0; i < 2; i++) {
		close(in[i]);
		close(out[i]);
	}
}

static void test_b216_resets(void **state)
{
	static const char *const parts[] = {
		"",
		"GET",
		"POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n",
		"POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbod",
		("POST /a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
		 "4\r\nbody"),
	};

	(void)state;
	h.handler = harness_keep;
	harness_start(&h);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		for (int reset = 0; reset < 2; reset++) {
			uint64_t before = harness_counters(&h)->connections_accepted;

			client_open(&h, &c);
			client_send(&c, parts[i], strlen(parts[i]));
			WAIT(&h, harness_counters(&h)->connections_accepted == before + 1);
			if (reset)
				client_reset(&c);
			else
				client_close(&c);
			WAIT(&h, harness_counters(&h)->connections_open == 0);
		}
	}
	assert_int_equal(h.requests, 0);
	/* A complete request takes effect, and the reset is detected. */
	client_open(&h, &c);
	SEND(&c, "POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody");
	WAIT(&h, h.kept_count == 1);
	client_reset(&c);
	WAIT(&h, h.gone == 1);
	http_reply(h.kept[0], 200, NULL, NULL, 0);
}

/* A client that does not read its 400 and keeps sending is disconnected after the linger. */
static void test_linger_ends(void **state)
{
	struct drip d;
	uint64_t since;

	(void)state;
	h.config.linger_ms = 100;
	begin(NULL);
	SEND(&c, "nonsense\r\n");
	WAIT(&h, c.is_eof);
	since = harness_ms();
	drip_start(&d, &c, "x");
	c.is_eof = 0;
	WAIT(&h, harness_counters(&h)->connections_open == 0);
	check_elapsed(since, 50);
	event_free(d.event);
}

static void check_other_protocol(const char *data, size_t len)
{
	uint64_t before = harness_counters(&h)->answers[4] + harness_counters(&h)->answers[5];
	uint64_t since = harness_ms();

	client_open(&h, &c);
	client_send(&c, data, len);
	WAIT(&h, c.is_eof);
	assert_true(harness_ms() - since < 1000 + SLACK);
	assert_int_equal(strncmp(client_text(&c), "HTTP/1.1 400 Bad Request\r\n", 26), 0);
	assert_int_equal(client_count(&c, "HTTP/1.1 "), 1);
	assert_int_equal(harness_counters(&h)->answers[4] + harness_counters(&h)->answers[5],
			 before + 1);
	client_close(&c);
}

#define OTHER(literal) check_other_protocol(literal, sizeof(literal) - 1)

static void test_b230_to_b238_other_protocols(void **state)
{
	char noise[256], zeros[4096] = { 0 };
	uint32_t seed = 1;

	(void)state;
	harness_start(&h);
	OTHER("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
	OTHER("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	OTHER("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n");
	OTHER("EHLO mail.example\r\n");
	OTHER("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET / HTTP/1.1\r\n" GET_FIELDS);
	OTHER("\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c");
	OTHER("OPTIONS rtsp://a/b RTSP/1.0\r\nCSeq: 1\r\n\r\n");
	OTHER("SOURCE /stream ICY/1.0\r\n\r\n");
	OTHER("\xff\xfeG\0E\0T\0 \0/\0 \0H\0T\0T\0P\0");
	OTHER("G\0E\0T\0 \0/\0");
	for (size_t i = 0; i < sizeof(noise); i++) {
		seed = seed * 1664525 + 1013904223;
		noise[i] = (char)(0x80 | seed >> 24);
	}
	check_other_protocol(noise, sizeof(noise));
	check_other_protocol(zeros, sizeof(zeros));
	assert_int_equal(h.requests, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_b210_slow_head),
		TEST(test_b210_slow_second_head),
		TEST(test_b210_silent_and_idle),
		TEST(test_b211_b073_slow_body),
		TEST(test_h1_a_late_answer),
		TEST(test_h1_a_half_read_request_behind_a_late_answer),
		TEST(test_h1_a_client_leaves_while_it_waits),
		TEST(test_b094_last_chunk_never_comes),
		TEST(test_b212_slow_reader),
		TEST(test_b212_output_is_bounded),
		TEST(test_b213_max_connections),
		TEST(test_b213_idle_make_room),
		TEST(test_b214_connect_storm),
		TEST(test_b215_descriptors_run_out),
		TEST(test_b216_resets),
		TEST(test_linger_ends),
		TEST(test_b230_to_b238_other_protocols),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
