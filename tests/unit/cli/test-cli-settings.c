/* SPDX-License-Identifier: MIT */
/* Options override the environment, which overrides the file. */
#include "cli/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64];
static char path[4][128];	/* the settings file, then three token files */
static struct settings got;
static struct err err;

static void put(const char *file, const char *text, size_t len)
{
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	fwrite(text, 1, len, f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(file, 0600), 0);
}

static void conf(const char *text)
{
	put(path[0], text, strlen(text));
}

static int setup(void **state)
{
	static const char *const names[] = {
		"LESSOR_URL",
		"LESSOR_TOKEN",
		"LESSOR_TOKEN_FILE",
		"CRABBOX_COORDINATOR",
		"CRABBOX_COORDINATOR_TOKEN",
		"LESSOR_CONTEXT",
	};
	char sub[100];

	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/cli-settings-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(sub, sizeof(sub), "%s/lessor", dir);
	mkdir(sub, 0700);
	snprintf(path[0], sizeof(path[0]), "%s/lessor.conf", sub);
	for (int i = 1; i < 4; i++) {
		char token[16];

		snprintf(path[i], sizeof(path[i]), "%s/token%d", sub, i);
		snprintf(token, sizeof(token), "tok%d\n", i);
		put(path[i], token, strlen(token));
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unsetenv(names[i]);
	setenv("XDG_CONFIG_HOME", dir, 1);
	setenv("HOME", dir, 1);
	err = (struct err){ 0 };
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	settings_fini(&got);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static void load(const char *url, const char *token_file)
{
	const struct settings_flags flags = { .url = url, .token_file = token_file };

	settings_fini(&got);
	if (settings_load(&flags, &got, &err))
		fail_msg("%s", err.text);
}

static void refuse(const char *config, const char *want)
{
	const struct settings_flags flags = { .config = config };

	settings_fini(&got);
	assert_int_equal(settings_load(&flags, &got, &err), -1);
	if (!strstr(err.text, want))
		fail_msg("'%s' is not in: %s", want, err.text);
}

static void the_url(void **state)
{
	(void)state;
	refuse(NULL, "LESSOR_URL");
	conf("url = http://file\n");
	load(NULL, NULL);
	assert_string_equal(got.url, "http://file");
	assert_string_equal(got.url_from, path[0]);
	setenv("CRABBOX_COORDINATOR", "http://crab", 1);
	load(NULL, NULL);
	assert_string_equal(got.url, "http://crab");
	setenv("LESSOR_URL", "http://env", 1);
	load(NULL, NULL);
	assert_string_equal(got.url, "http://env");
	load("http://flag", NULL);
	assert_string_equal(got.url, "http://flag");
	assert_string_equal(got.url_from, "--url");
	setenv("LESSOR_URL", "", 1); /* empty counts as not set */
	load(NULL, NULL);
	assert_string_equal(got.url, "http://crab");
}

static void the_token(void **state)
{
	(void)state;
	load("http://x", NULL);
	assert_null(got.token);
	conf("token_file = token1\nurl = http://x\n"); /* relative to the settings file */
	load(NULL, NULL);
	assert_string_equal(got.token, "tok1");
	conf("token_file = ~/lessor/token2\nurl = http://x\n");
	load(NULL, NULL);
	assert_string_equal(got.token, "tok2");
	setenv("LESSOR_TOKEN_FILE", path[3], 1);
	load(NULL, NULL);
	assert_string_equal(got.token, "tok3");
	setenv("LESSOR_TOKEN", "envtok", 1);
	load(NULL, NULL);
	assert_string_equal(got.token, "envtok");
	load(NULL, path[1]);
	assert_string_equal(got.token, "tok1");
}

static void f2_white_space_around_a_token_is_trimmed(void **state)
{
	static const char *const around[] = { "tok\n", "tok\r\n", "tok\r", "tok ", " \ttok\t\n\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(around) / sizeof(around[0]); i++) {
		setenv("LESSOR_TOKEN", around[i], 1);
		load("http://x", NULL);
		assert_string_equal(got.token, "tok");
		unsetenv("LESSOR_TOKEN");
		setenv("CRABBOX_COORDINATOR", "http://crab", 1);
		setenv("CRABBOX_COORDINATOR_TOKEN", around[i], 1);
		load(NULL, NULL);
		assert_string_equal(got.token, "tok");
		unsetenv("CRABBOX_COORDINATOR_TOKEN");
		put(path[1], around[i], strlen(around[i]));
		load("http://x", path[1]);
		assert_string_equal(got.token, "tok");
	}
	setenv("LESSOR_URL", "http://x", 1);
	setenv("LESSOR_TOKEN", " \r\n", 1);
	refuse(NULL, "is empty");
	unsetenv("LESSOR_URL");
	unsetenv("LESSOR_TOKEN");
}

static void f1_a_byte_order_mark_is_skipped(void **state)
{
	(void)state;
	conf("\xef\xbb\xbfurl = http://file\r\naccount = hz\r\n");
	load(NULL, NULL);
	assert_string_equal(got.url, "http://file");
	assert_string_equal(got.account, "hz");
}

static void a_token_of_another_server_stays_there(void **state)
{
	(void)state;
	setenv("CRABBOX_COORDINATOR_TOKEN", "crabtok", 1);
	load("http://x", NULL);
	assert_null(got.token);
	setenv("CRABBOX_COORDINATOR", "http://crab", 1);
	load("http://x", NULL);
	assert_null(got.token);
	load(NULL, NULL);
	assert_string_equal(got.token, "crabtok");
	setenv("LESSOR_TOKEN", "own", 1);
	load(NULL, NULL);
	assert_string_equal(got.token, "own");
}

static void defaults_of_the_file(void **state)
{
	(void)state;
	conf("# a comment\nurl = unix:/run/x\naccount = hz\nclass = tiny\n");
	load(NULL, NULL);
	assert_string_equal(got.url, "unix:/run/x");
	assert_string_equal(got.account, "hz");
	assert_string_equal(got.class_name, "tiny");
}

static void wrong_files(void **state)
{
	char text[512];

	(void)state;
	refuse("/nonexistent/lessor.conf", "cannot open the settings file");
	conf("url = http://x\n\ntoken = abc\n");
	refuse(NULL, "lessor.conf:3: unknown setting 'token'");
	assert_null(strstr(err.text, "abc"));
	conf("url = http://x\nurl = http://y\n");
	refuse(NULL, "lessor.conf:2: 'url' is given twice");
	conf("[client]\nurl = http://x\n");
	refuse(NULL, "this file has no sections");
	conf("url = http://x\nnonsense\n");
	refuse(NULL, "lessor.conf:2: not of the form");
	conf("account =\n");
	refuse(NULL, "lessor.conf:1: 'account' is empty");
	memset(text, 'a', sizeof(text));
	memcpy(text, "\nurl = ", 7);
	put(path[0], text, sizeof(text));
	refuse(NULL, "lessor.conf:2: the line is longer");
}

static void wrong_tokens(void **state)
{
	static char large[5000];

	(void)state;
	conf("url = http://x\ntoken_file = token1\n");
	put(path[1], "", 0);
	refuse(NULL, "is empty");
	put(path[1], "two words\n", 10);
	refuse(NULL, "must be printable ASCII");
	assert_null(strstr(err.text, "two words"));
	put(path[1], "line\nX-Evil: 1\n", 15);
	refuse(NULL, "must be printable ASCII");
	put(path[1], "a\0b\n", 4);
	refuse(NULL, "contains a NUL byte");
	memset(large, 'a', sizeof(large));
	put(path[1], large, sizeof(large));
	refuse(NULL, "has more than 4096 bytes");
	setenv("LESSOR_TOKEN", "bad\r\nX: y", 1);
	refuse(NULL, "must be printable ASCII");
	unsetenv("LESSOR_TOKEN");
	unlink(path[1]);
	refuse(NULL, "cannot open the token file");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_url, setup, teardown),
		cmocka_unit_test_setup_teardown(the_token, setup, teardown),
		cmocka_unit_test_setup_teardown(f2_white_space_around_a_token_is_trimmed, setup,
						teardown),
		cmocka_unit_test_setup_teardown(f1_a_byte_order_mark_is_skipped, setup, teardown),
		cmocka_unit_test_setup_teardown(a_token_of_another_server_stays_there, setup,
						teardown),
		cmocka_unit_test_setup_teardown(defaults_of_the_file, setup, teardown),
		cmocka_unit_test_setup_teardown(wrong_files, setup, teardown),
		cmocka_unit_test_setup_teardown(wrong_tokens, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
