/* SPDX-License-Identifier: MIT */
#include "unit/test.h"
#include "util/file.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX 100

static char dir[] = "/tmp/util-file-XXXXXX";
static char path[64], other[64];

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/file", dir);
	snprintf(other, sizeof(other), "%s/other", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	unlink(other);
	return rmdir(dir);
}

static void put(const char *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, data, len), len);
	close(fd);
}

static void is(int flags, const char *data, size_t len)
{
	struct file_text file = { 0 };
	struct err err = { 0 };

	assert_int_equal(file_load(path, "the file", flags, MAX, &file, &err), 0);
	assert_int_equal(file.len, len);
	assert_memory_equal(file.text, data, len);
	assert_int_equal(file.text[len], 0);
	file_text_fini(&file);
	assert_null(file.text);
}

static void fails(int flags, const char *text)
{
	struct file_text file = { 0 };
	struct err err = { 0 };

	assert_int_equal(file_load(path, "the file", flags, MAX, &file, &err), -1);
	assert_null(file.text);
	if (!strstr(err.text, text))
		fail_msg("'%s' is not in: %s", text, err.text);
	assert_non_null(strstr(err.text, "the file "));
	assert_non_null(strstr(err.text, path));
}

static void what_is_read(void **state)
{
	char full[MAX + 1];

	(void)state;
	put("", 0);
	is(0, "", 0);
	put("a\nb", 3);
	is(0, "a\nb", 3);
	put("\xef\xbb\xbfx", 4);
	is(0, "x", 1);
	put("\xef\xbb\xbf", 3);
	is(0, "", 0);
	/* only at the beginning, and only once */
	put("x\xef\xbb\xbf", 4);
	is(0, "x\xef\xbb\xbf", 4);
	put("\xef\xbb\xbf\xef\xbb\xbfx", 7);
	is(0, "\xef\xbb\xbfx", 4);
	put("ab\0c", 4);
	fails(0, "contains a NUL byte");
	is(FILE_NULS, "ab\0c", 4);
	memset(full, 'x', sizeof(full));
	put(full, MAX);
	is(0, full, MAX);
	put(full, MAX + 1);
	fails(0, "has more than 100 bytes");
	unlink(path);
	fails(0, "No such file");
}

static void wide_text(void **state)
{
	static const struct {
		const char *data;
		size_t len;
	} wide[] = {
		{ "\xff\xfe"
		  "a\0",
		  4 },
		{ "\xfe\xff\0a", 4 },
		{ "a\0b\0c\0", 6 },
		{ "\0a\0b", 4 },
		{ "\xff\xfe\0\0a\0\0\0", 8 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++) {
		put(wide[i].data, wide[i].len);
		fails(0, "is not UTF-8 but UTF-16 text");
		fails(FILE_NULS, "is not UTF-8 but UTF-16 text");
	}
	put("a\0b\n", 4);
	fails(0, "contains a NUL byte");
}

static void other_kinds(void **state)
{
	(void)state;
	unlink(path);
	assert_int_equal(symlink("/dev/null", path), 0);
	fails(0, "is not a regular file but a device");
	fails(FILE_PIPES, "is not a regular file but a device");
	fails(FILE_NO_LINKS, "is a symbolic link, which is not followed");
	unlink(path);
	assert_int_equal(symlink("/", path), 0);
	fails(0, "is not a regular file but a directory");
	unlink(path);
	assert_int_equal(symlink(path, path), 0);
	fails(0, "Too many levels");
	unlink(path);
}

static void *writer_main(void *arg)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t put_len = write(fd, arg, strlen(arg));

	close(fd);
	return put_len < 0 ? arg : NULL;
}

static void pipes(void **state)
{
	static char text[] = "\xef\xbb\xbfsecret\n";
	pthread_t writer;

	(void)state;
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	fails(0, "is not a regular file but a pipe");
	fails(FILE_PIPES, "is a pipe that nobody writes to");
	pthread_create(&writer, NULL, writer_main, text);
	is(FILE_PIPES, "secret\n", 7);
	pthread_join(writer, NULL);
	pthread_create(&writer, NULL, writer_main, (char[]){ "" });
	is(FILE_PIPES, "", 0);
	pthread_join(writer, NULL);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_read),
		cmocka_unit_test(wide_text),
		cmocka_unit_test(other_kinds),
		cmocka_unit_test(pipes),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
