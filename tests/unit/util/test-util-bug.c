/* SPDX-License-Identifier: MIT */
/* A failed check aborts, and prints where and why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/bug.h"

/* Runs the check in a child process; returns its wait status and its output. */
static int check_in_child(int value, char *ret, size_t size)
{
	int ends[2], status;
	size_t len = 0;
	ssize_t got;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct rlimit none = { 0, 0 };

		setrlimit(RLIMIT_CORE, &none);
		signal(SIGABRT, SIG_DFL);
		dup2(ends[1], STDERR_FILENO);
		BUG_ON(value > 1);
		_exit(0);
	}
	close(ends[1]);
	while ((got = read(ends[0], ret + len, size - 1 - len)) > 0)
		len += (size_t)got;
	ret[len] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void what_holds_goes_on(void **state)
{
	char text[8192];
	int status = check_in_child(1, text, sizeof(text));

	(void)state;
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_string_equal(text, "");
}

static void what_does_not_hold_aborts(void **state)
{
	char text[8192];
	int status = check_in_child(2, text, sizeof(text));

	(void)state;
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_non_null(strstr(text, "BUG: "));
	assert_non_null(strstr(text, "bug.c:"));
	assert_non_null(strstr(text, "check_in_child: value > 1"));
	/* The backtrace contains at least the frames of this test. */
	assert_non_null(strstr(text, "test-util-bug"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_holds_goes_on),
		cmocka_unit_test(what_does_not_hold_aborts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
