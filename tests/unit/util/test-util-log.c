/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "util/log.h"

static int pipe_fds[2];

static int setup(void **state)
{
	(void)state;
	return pipe2(pipe_fds, O_CLOEXEC);
}

static int teardown(void **state)
{
	(void)state;
	unsetenv("JOURNAL_STREAM");
	log_setup(STDERR_FILENO, LOG_HUMAN, LOG_LEVEL_INFO);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	return 0;
}

/* The output so far, without the times of text lines. */
static const char *read_all(int skip)
{
	static char text[1 << 17];
	ssize_t n;

	fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK);
	n = read(pipe_fds[0], text, sizeof(text) - 1);
	if (n < 0)
		n = 0;
	text[n] = '\0';
	return n > skip ? text + skip : text;
}

#define HUMAN 25

static void test_human(void **state)
{
	(void)state;
	log_setup(pipe_fds[1], LOG_HUMAN, LOG_LEVEL_INFO);
	log_info(LOG_FIELDS({ "lease", "cbx_1" }, { "why", "it is \"over\"" }, { "none", NULL }),
		 "lease %d ended", 7);
	assert_string_equal(read_all(HUMAN), "info lease 7 ended lease=cbx_1 "
					     "why=\"it is \\\"over\\\"\" none=\"\"\n");
	log_debug(NULL, "not shown");
	assert_string_equal(read_all(0), "");
	log_warning(NULL, "a\nb\x1b[31m\xc2\x9b\xe2\x80\xae\xff");
	assert_string_equal(read_all(HUMAN),
			    "warning a\\nb\\u001b[31m\\u009b\\u202e\xef\xbf\xbd\n");
}

/* As systemd sets it for a service whose standard error is the journal. */
static void stream_name(int fd, unsigned long long add)
{
	struct stat st;
	char name[64];

	assert_int_equal(fstat(fd, &st), 0);
	snprintf(name, sizeof(name), "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino + add);
	setenv("JOURNAL_STREAM", name, 1);
}

static void test_journal(void **state)
{
	int ends[2];

	(void)state;
	stream_name(pipe_fds[1], 0);
	log_setup(pipe_fds[1], LOG_HUMAN, LOG_LEVEL_DEBUG);
	log_error(NULL, "one\nline");
	assert_string_equal(read_all(0), "<3>error one\\nline\n");
	log_warning(NULL, "w");
	log_notice(NULL, "n");
	log_info(LOG_FIELDS({ "k", "v" }), "i");
	log_debug(NULL, "d");
	assert_string_equal(read_all(0), "<4>warning w\n<5>notice n\n<6>info i k=v\n<7>debug d\n");
	log_setup(pipe_fds[1], LOG_JSON, LOG_LEVEL_INFO);
	log_warning(NULL, "w");
	assert_string_equal(read_all(0), "<4>{\"level\":\"warning\",\"msg\":\"w\"}\n");

	/* The journal's is a socket. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	stream_name(ends[1], 0);
	log_setup(ends[1], LOG_HUMAN, LOG_LEVEL_INFO);
	log_warning(NULL, "w");
	char text[64] = "";

	assert_int_equal(read(ends[0], text, sizeof(text) - 1), strlen("<4>warning w\n"));
	assert_string_equal(text, "<4>warning w\n");
	close(ends[0]);
	close(ends[1]);
}

/* Standard error was redirected, or the variable is not the manager's. */
static void test_no_journal(void **state)
{
	static const char *const others[] = { "", ":", "1", "1:", "x:y", "1:2 ", "-1:-1" };

	(void)state;
	stream_name(pipe_fds[1], 1);
	for (size_t i = 0; i <= sizeof(others) / sizeof(others[0]); i++) {
		log_setup(pipe_fds[1], LOG_HUMAN, LOG_LEVEL_INFO);
		log_warning(NULL, "w");
		assert_string_equal(read_all(HUMAN), "warning w\n");
		if (i < sizeof(others) / sizeof(others[0]))
			setenv("JOURNAL_STREAM", others[i], 1);
	}
}

static void test_levels(void **state)
{
	(void)state;
	assert_int_equal(log_level_parse("debug"), LOG_LEVEL_DEBUG);
	assert_int_equal(log_level_parse("error"), LOG_LEVEL_ERROR);
	assert_int_equal(log_level_parse("loud"), -1);
	log_setup(pipe_fds[1], LOG_HUMAN, LOG_LEVEL_ERROR);
	assert_false(log_enabled(LOG_LEVEL_WARNING));
	log_warning(NULL, "not shown");
	assert_string_equal(read_all(0), "");
}

static void test_json(void **state)
{
	char hard[3000], value[700];
	json_t *got;
	size_t i;

	(void)state;
	log_setup(pipe_fds[1], LOG_JSON, LOG_LEVEL_INFO);
	log_notice(LOG_FIELDS({ "k", "a\"\\\n\xff" }), "text \"quoted\"");
	got = json_loads(read_all(0), 0, NULL);
	assert_non_null(got);
	assert_string_equal(json_string_value(json_object_get(got, "msg")), "text \"quoted\"");
	assert_string_equal(json_string_value(json_object_get(got, "level")), "notice");
	assert_string_equal(json_string_value(json_object_get(got, "k")), "a\"\\\n\xef\xbf\xbd");
	json_decref(got);

	/* The worst input still yields one line of JSON. */
	for (i = 0; i < sizeof(hard) - 1; i++)
		hard[i] = (char)(i % 2 ? '\x01' : '"');
	hard[i] = '\0';
	memset(value, 2, sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	log_notice(LOG_FIELDS({ "a", value }, { "b", value }, { "c", value }), "%s", hard);
	got = json_loads(read_all(0), 0, NULL);
	assert_non_null(got);
	json_decref(got);
}

static void test_cut(void **state)
{
	char value[400];
	const char *text;

	(void)state;
	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	log_setup(pipe_fds[1], LOG_HUMAN, LOG_LEVEL_INFO);
	log_info(LOG_FIELDS({ "k", value }), "x");
	text = read_all(HUMAN);
	assert_int_equal(strlen(text), strlen("info x k=") + 256 + strlen("...\n"));
}

static void test_secret(void **state)
{
	char value[300];
	const char *text;

	(void)state;
	log_setup(pipe_fds[1], LOG_HUMAN, LOG_LEVEL_INFO);
	log_secret("tok/en+12345");
	log_secret("tok/en+1234567890");
	log_secret("abc"); /* too short: would match ordinary words */
	log_secret(NULL);
	log_info(LOG_FIELDS({ "h", "Bearer tok/en+1234567890." }), "abc tok/en+12345, %s",
		 "dG9rL2VuKzEyMzQ1 tok%2Fen%2B12345");
	assert_string_equal(read_all(HUMAN), "info abc ***, *** *** h=\"Bearer ***.\"\n");

	/* across the truncation */
	memset(value, 'v', 250);
	strcpy(value + 250, "tok/en+1234567890");
	log_info(LOG_FIELDS({ "k", value }), "x");
	text = read_all(HUMAN);
	assert_null(strstr(text, "tok"));
	assert_non_null(strstr(text, "v***"));
}

static void test_slow_reader(void **state)
{
	const char *text;
	int i;

	(void)state;
	log_setup(pipe_fds[1], LOG_HUMAN, LOG_LEVEL_INFO);
	for (i = 0; i < 5000; i++)
		log_info(NULL, "line %d", i);
	read_all(0);
	log_info(NULL, "after");
	text = read_all(HUMAN);
	assert_non_null(strstr(text, "log lines were dropped"));
	assert_non_null(strstr(text, "info after\n"));
}

static void test_socket(void **state)
{
	char text[200];
	int pair[2], i;
	ssize_t n;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	log_setup(pair[0], LOG_HUMAN, LOG_LEVEL_INFO);
	log_info(NULL, "hello");
	n = read(pair[1], text, sizeof(text) - 1);
	assert_true(n > HUMAN);
	text[n] = '\0';
	assert_string_equal(text + HUMAN, "info hello\n");
	for (i = 0; i < 20000; i++)
		log_info(NULL, "line %d", i);
	close(pair[1]);
	log_info(NULL, "nobody there");	/* no SIGPIPE */
	close(pair[0]);
}

static void *chatter(void *arg)
{
	int i;

	for (i = 0; i < 200; i++) {
		log_info(LOG_FIELDS({ "who", arg }), "line %d", i);
		if (i % 50 == 0)
			log_secret(arg);
	}
	return NULL;
}

static void test_threads(void **state)
{
	static char names[4][16] = { "first-one", "second-one", "third-one", "fourth-one" };
	pthread_t threads[4];
	int i, null = open("/dev/null", O_WRONLY);

	(void)state;
	log_setup(null, LOG_JSON, LOG_LEVEL_INFO);
	for (i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, chatter, names[i]);
	for (i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	log_setup(STDERR_FILENO, LOG_HUMAN, LOG_LEVEL_INFO);
	close(null);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_human),	T(test_journal), T(test_no_journal), T(test_levels),
		T(test_json),	T(test_cut),	 T(test_secret),     T(test_slow_reader),
		T(test_socket), T(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
