/* SPDX-License-Identifier: MIT */
/* What the log says about daemons that cannot be reached. */
#include "unit/api/pair.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/log.h"
#include "util/text.h"

static int ends[2];

static int setup(void **state)
{
	if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) || pair_setup(state))
		return -1;
	log_setup(ends[1], LOG_HUMAN, LOG_LEVEL_NOTICE);
	return 0;
}

static int teardown(void **state)
{
	log_setup(STDERR_FILENO, LOG_HUMAN, LOG_LEVEL_WARNING);
	close(ends[0]);
	close(ends[1]);
	return pair_teardown(state);
}

/* What was logged since the last call; static. */
static const char *logged(void)
{
	static char text[4096];
	ssize_t len = read(ends[0], text, sizeof(text) - 1);

	text[len > 0 ? len : 0] = '\0';
	return text;
}

static int ask(const char *address, const char *target)
{
	struct daemon_node node = { .requests = 0 };
	struct told told;
	int status;

	TEXT_SET(node.address, address);
	pair_ask(&node, &told, "GET", target, NULL);
	status = told.status;
	told_clear(&told);
	return status;
}

static void a_peer_out_of_reach_is_reported_once(void **state)
{
	char text[4096];

	(void)state;
	pair.proxy.loses = 1;
	assert_int_equal(ask(pair.proxy.address, "/v1/health"), 0);
	TEXT_SET(text, logged());
	assert_non_null(strstr(text, "warning cannot reach the daemon at http://127.0.0.1:"));
	assert_null(strchr(strchr(text, '\n') + 1, '\n'));
	assert_int_equal(ask(pair.proxy.address, "/v1/health"), 0);
	assert_string_equal(logged(), "");
	/* Another one is another matter. */
	assert_int_equal(ask("http://127.0.0.1:1", "/v1/health"), 0);
	assert_non_null(strstr(logged(), "the daemon at http://127.0.0.1:1;"));
	pair.proxy.loses = 0;
	assert_int_equal(ask(pair.proxy.address, "/v1/health"), 200);
	assert_non_null(strstr(logged(), "answers again"));
	assert_int_equal(ask(pair.proxy.address, "/v1/health"), 200);
	assert_string_equal(logged(), "");
}

static void a_stranger_at_its_address_is_reported_once(void **state)
{
	(void)state;
	TEXT_SET(pair.alice, "lsr_0123456789abcdef_0123456789012345678901234567890123456789012");
	assert_int_equal(ask(pair.proxy.address, "/v1/leases"), 401);
	assert_non_null(strstr(logged(), "another daemon than the one expected answers at"));
	assert_int_equal(ask(pair.proxy.address, "/v1/leases"), 401);
	assert_string_equal(logged(), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_peer_out_of_reach_is_reported_once, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_stranger_at_its_address_is_reported_once, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
