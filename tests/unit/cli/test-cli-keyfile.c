/* SPDX-License-Identifier: MIT */
#include "cli/keyfile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define ED25519 "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICX1Fh75OzRTsGkswkFtolOn48ENJpddThBvt6hGA8y+"
#define ECDSA "ecdsa-sha2-nistp256 " \
	"AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEBnk2c1SrIF6y2Jw+R3aAA7iJTkfFfT0lltQJki9RKUQMb9teDloaIOC1qR4Wohm0uEx9QIyZ+hplgHtNxaTow="

static struct err err;

static void good(const char *text, const char *want)
{
	char *line = NULL;

	if (keyfile_parse(text, "f.pub", &line, &err))
		fail_msg("%s", err.text);
	assert_string_equal(line, want);
	free(line);
}

static void bad(const char *text, const char *why)
{
	char *line = NULL;

	if (!keyfile_parse(text, "f.pub", &line, &err))
		fail_msg("'%s' was accepted", text);
	assert_null(line);
	if (!strstr(err.text, why))
		fail_msg("'%s' is not in: %s", why, err.text);
}

static void keys(void **state)
{
	(void)state;
	good(ED25519, ED25519);
	good(ED25519 "\n", ED25519);
	good(ED25519 " alice@example.com\r\n", ED25519);
	good("# mine\n\n  " ED25519 " x y z\n\n# end\n", ED25519);
	good(ECDSA "\n", ECDSA);
	bad("", "does not begin with");
	bad("hello\n", "does not begin with");
	bad("ssh-dss AAAA\n", "does not begin with");
	bad("from=\"*\" " ED25519, "does not begin with");
	bad("ssh-ed25519\n", "damaged");
	bad("ssh-ed25519 AAAA\n", "damaged");
	bad("ssh-ed25519 !" ED25519, "damaged");
	/* the blob is of another type */
	bad("ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "damaged");
	bad(ED25519 "\n" ECDSA "\n", "more than one");
}

static void private_keys(void **state)
{
	(void)state;
	bad("-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n", "PRIVATE key");
	bad("-----BEGIN RSA PRIVATE KEY-----\n", "PRIVATE key");
	bad("PuTTY-User-Key-File-3: ssh-ed25519\n", "PRIVATE key");
	bad(ED25519 "\n-----BEGIN OPENSSH PRIVATE KEY-----\n", "PRIVATE key");
	assert_int_equal(err.kind, ERR_REFUSED);
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void the_default_is_the_best_there_is(void **state)
{
	char home[] = "/tmp/cli-keyfile-XXXXXX";
	char ssh[64], rsa[96], ecdsa[96], ed25519[96], command[96];
	struct keyfile key;

	(void)state;
	assert_non_null(mkdtemp(home));
	setenv("HOME", home, 1);
	snprintf(ssh, sizeof(ssh), "%s/.ssh", home);
	snprintf(ecdsa, sizeof(ecdsa), "%s/id_ecdsa.pub", ssh);
	snprintf(ed25519, sizeof(ed25519), "%s/id_ed25519.pub", ssh);
	snprintf(rsa, sizeof(rsa), "%s/id_rsa", ssh);
	assert_int_equal(keyfile_load(NULL, &key, &err), -1);
	assert_non_null(strstr(err.text, "ssh-keygen -t ed25519"));
	keyfile_fini(&key);
	assert_int_equal(mkdir(ssh, 0700), 0);
	put(rsa, "-----BEGIN RSA PRIVATE KEY-----\n");
	assert_int_equal(keyfile_load(NULL, &key, &err), -1); /* never the private key */
	keyfile_fini(&key);
	put(ecdsa, ECDSA "\n");
	assert_int_equal(keyfile_load(NULL, &key, &err), 0);
	assert_string_equal(key.line, ECDSA);
	keyfile_fini(&key);
	put(ed25519, ED25519 " me\n");
	assert_int_equal(keyfile_load(NULL, &key, &err), 0);
	assert_string_equal(key.path, ed25519);
	assert_string_equal(key.line, ED25519);
	keyfile_fini(&key);
	assert_int_equal(keyfile_load(rsa, &key, &err), -1);
	keyfile_fini(&key);
	assert_int_equal(keyfile_load(ssh, &key, &err), -1);
	keyfile_fini(&key);
	snprintf(command, sizeof(command), "rm -rf %s", home);
	assert_int_equal(system(command), 0);
}

static void f6_every_default_name_of_ssh(void **state)
{
	/* The reverse of the preference: each file that is added wins over those before it. */
	static const char *const names[] = {
		"id_rsa", "id_ecdsa_sk", "id_ecdsa", "id_ed25519_sk", "id_ed25519",
	};
	char home[] = "/tmp/cli-keyfile-XXXXXX";
	char path[128], command[96];

	(void)state;
	assert_non_null(mkdtemp(home));
	setenv("HOME", home, 1);
	snprintf(path, sizeof(path), "%s/.ssh", home);
	assert_int_equal(mkdir(path, 0700), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct keyfile key;

		snprintf(path, sizeof(path), "%s/.ssh/%s.pub", home, names[i]);
		put(path, ED25519 "\n");
		assert_int_equal(keyfile_load(NULL, &key, &err), 0);
		assert_string_equal(key.path, path);
		keyfile_fini(&key);
	}
	snprintf(command, sizeof(command), "rm -rf %s", home);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys),
		cmocka_unit_test(private_keys),
		cmocka_unit_test(the_default_is_the_best_there_is),
		cmocka_unit_test(f6_every_default_name_of_ssh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
