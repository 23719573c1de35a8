/* SPDX-License-Identifier: MIT */
/* The key pair is valid (tests/unit/bootstrap checks it with ssh-keygen), random, and wiped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "util/hostkey.h"

static void fixed_random(void *data, void *out, size_t len)
{
	(void)data;
	memset(out, 7, len);
}

/* For the seed of 32 bytes with the value 7. */
static void known_pair(void **state)
{
	struct hostkey key;
	struct env env;

	(void)state;
	env_system(&env);
	env.random = fixed_random;
	assert_int_equal(hostkey_make(&env, &key, NULL), 0);
	assert_string_equal(key.public_line, "ssh-ed25519 "
			    "AAAAC3NzaC1lZDI1NTE5AAAAIOpKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs");
	assert_true(!strncmp(key.private_pem, "-----BEGIN OPENSSH PRIVATE KEY-----\n", 36));
	assert_non_null(strstr(key.private_pem, "\n-----END OPENSSH PRIVATE KEY-----\n"));
}

static void new_each_time_and_wiped(void **state)
{
	struct hostkey a, b, none;
	struct env env;

	(void)state;
	env_system(&env);
	assert_int_equal(hostkey_make(&env, &a, NULL), 0);
	assert_int_equal(hostkey_make(&env, &b, NULL), 0);
	assert_string_not_equal(a.public_line, b.public_line);
	assert_string_not_equal(a.private_pem, b.private_pem);
	hostkey_wipe(&a);
	memset(&none, 0, sizeof(none));
	assert_memory_equal(&a, &none, sizeof(a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_pair),
		cmocka_unit_test(new_each_time_and_wiped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
