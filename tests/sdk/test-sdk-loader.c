/* SPDX-License-Identifier: MIT */
/* Loads valid and invalid plugins and checks the loader's messages. */
#include "loader/loader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugins/actions.h"
#include "util/alloc.h"
#include "util/log.h"

static char room[128]; /* a temporary directory for unacceptable files */
static int log_pipe[2];

static void refused(const char *dir, const char *name, const char *sentence)
{
	struct provider provider = { 0 };
	struct err err = { 0 };

	assert_int_equal(provider_load(dir, name, &provider, &err), -1);
	assert_int_equal(provider.plugin_size, 0);
	if (!strstr(err.text, sentence))
		fail_msg("'%s' does not say '%s'", err.text, sentence);
	assert_null(strchr(err.text, '\n'));
	assert_null(strstr(err.text, "/proc/self/fd"));
}

/* Copies a plugin to that directory, with a name and a mode. */
static void copy(const char *from, const char *to, size_t most, mode_t mode)
{
	char path[512], data[65536];
	ssize_t got;

	snprintf(path, sizeof(path), "%s/%s.so", PLUGINS, from);
	int in = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(in >= 0);
	snprintf(path, sizeof(path), "%s/%s.so", room, to);
	int out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(out >= 0);
	while (most > 0 && (got = read(in, data, most < sizeof(data) ? most : sizeof(data))) > 0) {
		assert_int_equal(write(out, data, (size_t)got), got);
		most -= (size_t)got;
	}
	assert_int_equal(fchmod(out, mode), 0);
	close(in);
	close(out);
}

static void test_good(void **state)
{
	struct provider provider;
	struct err err = { 0 };
	char text[4096];
	(void)state;

	if (provider_load(PLUGINS, "good", &provider, &err))
		fail_msg("%s", err.text);
	assert_string_equal(provider.table.name, "good");
	assert_int_equal(provider.plugin_size, sizeof(struct lessor_provider));
	assert_non_null(provider.table.probe);
	assert_null(provider.table.catalog);
	assert_non_null(provider.table.observe);

	FILE *out = fmemopen(text, sizeof(text), "w");
	provider_dump(&provider, out);
	fclose(out);
	assert_non_null(strstr(text, "name=good\n"));
	assert_non_null(strstr(text, "abi=0.5\nhost_abi=0.5\n"));
	assert_non_null(strstr(text, "http_auth=\n"));
	assert_non_null(strstr(text, "own_io=1\n"));
	assert_non_null(strstr(text, "visible_within_ms=0\n"));
	assert_non_null(strstr(text, "operations=open close provision cleanup inspect list probe observe\n"));
	assert_non_null(strstr(text, "option.keys.choices=lease|account\n"));
}

/* Two files are two plugins, although the first descriptor was closed. */
static void test_two(void **state)
{
	struct provider a, b;
	(void)state;

	assert_int_equal(provider_load(PLUGINS, "good", &a, NULL), 0);
	assert_int_equal(provider_load(PLUGINS, "second", &b, NULL), 0);
	assert_string_equal(a.table.name, "good");
	assert_string_equal(b.table.name, "second");
	assert_int_equal(provider_load(PLUGINS, "good", &b, NULL), 0);
	assert_ptr_equal(a.table.open, b.table.open);
}

static void test_absolute_path(void **state)
{
	struct provider provider;
	char path[512];
	(void)state;

	snprintf(path, sizeof(path), "%s/other.so", PLUGINS);
	assert_int_equal(provider_load(NULL, path, &provider, NULL), 0);
	assert_string_equal(provider.table.name, "another");
	refused(PLUGINS, "other", "its name is 'another'");
	refused(NULL, "./other.so", "must be absolute");
}

static void test_older(void **state)
{
	struct provider provider;
	(void)state;

	assert_int_equal(provider_load(PLUGINS, "older", &provider, NULL), 0);
	assert_non_null(provider.table.list);
	assert_null(provider.table.probe);
	assert_int_equal(provider.plugin_size, offsetof(struct lessor_provider, probe));
	/* From before `observe` existed. */
	assert_int_equal(provider_load(PLUGINS, "unobserving", &provider, NULL), 0);
	assert_non_null(provider.table.retain);
	assert_null(provider.table.observe);
}

static void test_newer(void **state)
{
	struct provider provider;
	char text[1024];
	(void)state;

	assert_int_equal(pipe(log_pipe), 0);
	log_setup(log_pipe[1], LOG_HUMAN, LOG_LEVEL_NOTICE);
	assert_int_equal(provider_load(PLUGINS, "newer", &provider, NULL), 0);
	log_setup(2, LOG_HUMAN, LOG_LEVEL_NOTICE);
	close(log_pipe[1]);
	ssize_t got = read(log_pipe[0], text, sizeof(text) - 1);
	close(log_pipe[0]);
	assert_true(got > 0);
	text[got] = '\0';
	assert_non_null(strstr(text, "operations that this lessor does not know"));
	assert_true(provider.plugin_size > sizeof(struct lessor_provider));
	assert_non_null(provider.table.list);
}

/* While the major version is 0, minor versions are incompatible. */
static void test_abi(void **state)
{
	(void)state;
	assert_int_equal(LESSOR_ABI_MAJOR, 0);
	assert_int_equal(LESSOR_ABI_MINOR, 5);
	refused(PLUGINS, "abi", "has ABI 7.3, this lessor has ABI 0.5: install a newer lessor");
	refused(PLUGINS, "minor", "has ABI 0.6, this lessor has ABI 0.5: install a newer lessor");
	refused(PLUGINS, "past", "has ABI 0.4, this lessor has ABI 0.5: rebuild the provider");
	refused(PLUGINS, "first", "has ABI 1.1, this lessor has ABI 0.5");
}

static void check_action(const struct action_case *c)
{
	struct provider provider = { 0 };
	struct err err = { 0 };
	int rc;

	assert_int_equal(setenv(ACTION_CASE, c->name, 1), 0);
	rc = provider_load(PLUGINS, "actions", &provider, &err);
	if (!c->says && rc)
		fail_msg("%s: %s", c->name, err.text);
	if (c->says && !rc)
		fail_msg("%s is accepted", c->name);
	if (c->says && !strstr(err.text, c->says))
		fail_msg("%s: '%s' does not say '%s'", c->name, err.text, c->says);
	/* The second one is invalid. */
	if (c->says && !c->count && !strstr(err.text, "refused: action 2: "))
		fail_msg("%s: '%s' does not say which", c->name, err.text);
}

static void test_actions(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(action_cases); i++)
		check_action(&action_cases[i]);
}

static void test_actions_dumped(void **state)
{
	struct provider provider;
	char text[4096];
	FILE *out;
	(void)state;

	assert_int_equal(setenv(ACTION_CASE, "a delete", 1), 0);
	assert_int_equal(provider_load(PLUGINS, "actions", &provider, NULL), 0);
	out = fmemopen(text, sizeof(text), "w");
	provider_dump(&provider, out);
	fclose(out);
	assert_non_null(strstr(text, "http_auth=bearer\nhttp_origin=https://cloud.test\nown_io=0\n"));
	assert_non_null(strstr(text, "action.read=reads GET /servers/{id}\n"));
	assert_non_null(strstr(text, "action.destroy=destroys DELETE /servers/{id}\n"));
}

static void test_bad_table(void **state)
{
	(void)state;
	refused(PLUGINS, "tiny", "its table has 8 bytes");
	refused(PLUGINS, "half", "ends within an operation");
	refused(PLUGINS, "null", "returns no table");
	refused(PLUGINS, "nosymbol", "no symbol 'lessor_provider_entry_v1'");
	refused(PLUGINS, "lacking", "has no operation 'list'");
	refused(PLUGINS, "badname", "its name must be");
	refused(PLUGINS, "auth", "http_auth must be");
	refused(PLUGINS, "noactions", "it uses HTTP but declares no actions");
	refused(PLUGINS, "noway", "it declares neither http_auth nor LESSOR_OWN_IO");
	refused(PLUGINS, "negative", "visible_within_ms is negative");
	refused(PLUGINS, "badoption", "option 2: its key must be");
	refused(PLUGINS, "optionsize", "2 options of 0 bytes");
	refused(PLUGINS, "twice", "option 'fine' is declared twice");
}

static void test_bad_name(void **state)
{
	(void)state;
	refused(PLUGINS, "", "a name must be");
	refused(PLUGINS, "Good", "a name must be");
	refused(PLUGINS, "..", "a name must be");
	refused(PLUGINS, "good.so", "a name must be");
	refused(PLUGINS, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "a name must be");
	refused(PLUGINS, "absent", "cannot be opened (providers there: ");
	refused("/nowhere", "good", "its directory cannot be opened");
}

static void test_bad_file(void **state)
{
	char path[512], target[512];
	(void)state;

	copy("good", "good", SIZE_MAX, 0644);
	assert_int_equal(provider_load(room, "good", &(struct provider){ 0 }, NULL), 0);

	copy("good", "groupwrite", SIZE_MAX, 0664);
	refused(room, "groupwrite", "the file must not be writable by group or others");
	copy("good", "worldwrite", SIZE_MAX, 0646);
	refused(room, "worldwrite", "the file must not be writable by group or others");

	for (size_t most = 0; most < 64; most++) {
		copy("good", "half", most, 0644);
		refused(room, "half", "not a shared object");
	}
	snprintf(path, sizeof(path), "%s/good.so", room);
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	for (size_t most = 64; most < (size_t)st.st_size; most += 97) {
		copy("good", "half", most, 0644);
		refused(room, "half", "it is truncated");
	}
	copy("good", "half", (size_t)st.st_size - 1, 0644);
	refused(room, "half", "it is truncated");

	snprintf(path, sizeof(path), "%s/text.so", room);
	FILE *out = fopen(path, "w");
	fputs("#!/bin/sh\necho no plugin at all, whatever its name says, and long enough to look\n",
	      out);
	fclose(out);
	refused(room, "text", "no ELF header");

	snprintf(target, sizeof(target), "%s/good.so", room);
	snprintf(path, sizeof(path), "%s/link.so", room);
	assert_int_equal(symlink(target, path), 0);
	refused(room, "link", "it is a symbolic link");

	snprintf(path, sizeof(path), "%s/fifo.so", room);
	assert_int_equal(mkfifo(path, 0600), 0);
	refused(room, "fifo", "not a regular file");
	snprintf(path, sizeof(path), "%s/dir.so", room);
	assert_int_equal(mkdir(path, 0700), 0);
	refused(room, "dir", "not a regular file");
	refused(NULL, "/dev/null", "not a regular file");
}

static void test_bad_directory(void **state)
{
	char path[512];
	(void)state;

	assert_int_equal(chmod(room, 0777), 0);
	refused(room, "good", "its directory must not be writable by group or others");
	assert_int_equal(chmod(room, 0700), 0);
	snprintf(path, sizeof(path), "%s.link", room);
	assert_int_equal(symlink(room, path), 0);
	refused(path, "good", "its directory is a symbolic link");
	unlink(path);
}

static void test_bad_owner(void **state)
{
	char path[512];
	(void)state;

	if (geteuid() != 0)
		skip();
	copy("good", "foreign", SIZE_MAX, 0644);
	snprintf(path, sizeof(path), "%s/foreign.so", room);
	assert_int_equal(chown(path, 12345, 0), 0);
	refused(room, "foreign", "must be owned by root or by uid 0, not by uid 12345");
}

static int setup(void **state)
{
	(void)state;
	snprintf(room, sizeof(room), "%s/lessor-loader-XXXXXX",
		 getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	return mkdtemp(room) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[256];
	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", room);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),	  cmocka_unit_test(test_two),
		cmocka_unit_test(test_absolute_path), cmocka_unit_test(test_older),
		cmocka_unit_test(test_newer),	  cmocka_unit_test(test_abi),
		cmocka_unit_test(test_actions),	  cmocka_unit_test(test_actions_dumped),
		cmocka_unit_test(test_bad_table),
		cmocka_unit_test(test_bad_name),  cmocka_unit_test(test_bad_file),
		cmocka_unit_test(test_bad_directory), cmocka_unit_test(test_bad_owner),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
