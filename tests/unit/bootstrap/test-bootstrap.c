/* SPDX-License-Identifier: MIT */
#include "unit/test.h"
#include "bootstrap/bootstrap.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>

static struct lease plain_lease(void)
{
	struct lease l = { .ssh_port = 2222, .fallback_ports = { 22 }, .fallback_count = 1 };

	strcpy(l.id, "cbx_0123456789ab");
	strcpy(l.ssh_user, "crabbox");
	strcpy(l.work_root, "/work/crabbox");
	strcpy(l.public_key, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample crabbox"
		" cbx_0123456789ab");
	return l;
}

static void refused(const struct lease *l, const char *why)
{
	struct buf out;
	struct err err = { 0 };

	buf_init(&out, 100000);
	buf_adds(&out, "before");
	assert_int_equal(bootstrap_user_data(l, NULL, &out, &err), -1);
	assert_non_null(strstr(err.text, why));
	assert_string_equal(buf_str(&out), "before");
	buf_fini(&out);
}

static void is_one_line_of_json(void **state)
{
	struct lease l = plain_lease();
	struct buf out;
	struct err err = { 0 };
	const char *s;

	(void)state;
	buf_init(&out, 100000);
	assert_int_equal(bootstrap_user_data(&l, NULL, &out, &err), 0);
	s = buf_str(&out);
	assert_true(strncmp(s, "#cloud-config\n{", 15) == 0);
	assert_ptr_equal(strchr(s + 15, '\n'), s + out.len - 1);
	assert_non_null(strstr(s, "\"Port 2222\\nPort 22\\nPasswordAuthentication no\\n"));
	assert_non_null(strstr(s, "\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample"
		" cbx_0123456789ab\""));
	assert_true(out.len < 8192);
	buf_fini(&out);
}

static void the_longest_lease_fits(void **state)
{
	struct lease l = plain_lease();
	struct buf out;
	struct err err = { 0 };

	(void)state;
	memset(l.ssh_user, 'u', sizeof(l.ssh_user) - 1);
	memset(l.work_root, 'w', sizeof(l.work_root) - 1);
	l.work_root[0] = '/';
	memset(l.public_key, 'A', sizeof(l.public_key) - 1);
	memcpy(l.public_key, "ssh-rsa ", 8);
	l.fallback_count = LEASE_PORTS_MAX;
	for (int i = 0; i < LEASE_PORTS_MAX; i++)
		l.fallback_ports[i] = 65535 - i;
	buf_init(&out, 100000);
	assert_int_equal(bootstrap_user_data(&l, NULL, &out, &err), 0);
	assert_true(out.len <= BOOTSTRAP_MAX);
	buf_fini(&out);
}

static void a_bad_user_is_refused(void **state)
{
	static const char *const bad[] = { "", "Root", "a"
		" b", "a:b", "-a", "a\nb", "a'b", "1a", "a$b" };
	struct lease l = plain_lease();

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		strcpy(l.ssh_user, bad[i]);
		refused(&l, "SSH user");
	}
}

static void a_bad_work_root_is_refused(void **state)
{
	static const char *const bad[] = { "", "/", "work", "/a\nb", "/a/../b", "/..", "/a/..", "/\x7f",
					   "/\xc3\xa4" };
	struct lease l = plain_lease();

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		strcpy(l.work_root, bad[i]);
		refused(&l, "work root");
	}
}

static void a_bad_key_is_refused(void **state)
{
	static const char *const bad[] = {
		"", "ssh-ed25519", "ssh-ed25519 ", "ssh-ed25519 AAAA", "AAAAC3NzaC1lZDI1NTE5AAAAI",
		"command=\"sh\" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI",
		"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI\nssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAI",
		"ssh-ed25519  AAAAC3NzaC1lZDI1NTE5AAAAI", "dsa AAAAC3NzaC1lZDI1NTE5AAAAI",
		"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI\"x",
	};
	struct lease l = plain_lease();

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		strcpy(l.public_key, bad[i]);
		refused(&l, "public key");
	}
}

static void ports_are_checked(void **state)
{
	struct lease l = plain_lease();

	(void)state;
	l.ssh_port = 0;
	refused(&l, "port");
	l.ssh_port = 65536;
	refused(&l, "port");
	l = plain_lease();
	l.fallback_ports[0] = -1;
	refused(&l, "port");
	l.fallback_count = LEASE_PORTS_MAX + 1;
	refused(&l, "fallback");
}

/* ---- freed memory holds no key ---- */

#define PRIVATE "the private half of a host key"

static int is_watched, leaks;

static void block_check(void *p)
{
	size_t size = p && is_watched ? malloc_usable_size(p) : 0;

	leaks += size && memmem(p, size, PRIVATE, strlen(PRIVATE)) != NULL;
}

void __real_free(void *p);
void __wrap_free(void *p);
void __wrap_free(void *p)
{
	block_check(p);
	__real_free(p);
}

void *__real_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size)
{
	/* It may move the block without clearing the old one. */
	block_check(p);
	return __real_realloc(p, size);
}

static void the_host_key_is_wiped(void **state)
{
	struct lease l = plain_lease();
	struct hostkey key = { .private_pem = PRIVATE, .public_line = "ssh-ed25519 AAAA" };
	struct buf out;

	(void)state;
	buf_init(&out, 100000);
	is_watched = 1;
	assert_int_equal(bootstrap_user_data(&l, &key, &out, NULL), 0);
	is_watched = 0;
	assert_non_null(strstr(buf_str(&out), PRIVATE));
	assert_int_equal(leaks, 0);
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_one_line_of_json),
		cmocka_unit_test(the_longest_lease_fits),
		cmocka_unit_test(the_host_key_is_wiped),
		cmocka_unit_test(a_bad_user_is_refused),
		cmocka_unit_test(a_bad_work_root_is_refused),
		cmocka_unit_test(a_bad_key_is_refused),
		cmocka_unit_test(ports_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
