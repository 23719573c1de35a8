/* SPDX-License-Identifier: MIT */
/* Which key logs in to which lease. */
#include "cli/identity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "util/alloc.h"

static char *home;

static char *file_make(const char *name)
{
	char *path = xasprintf("%s/%s", home, name);
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_int_equal(fclose(file), 0);
	return path;
}

static void recall_expect(const char *lease_id, const char *path)
{
	auto_free char *found = identity_recall(lease_id);

	if (path)
		assert_string_equal(found, path);
	else
		assert_null(found);
}

static void u6_the_newest_key_of_a_lease(void **state)
{
	auto_free char *one_public = file_make("one key.pub");
	auto_free char *one = file_make("one key");
	auto_free char *two_public = file_make("two.pub");

	(void)state;
	recall_expect("cbx_000000000001", NULL);
	identity_remember("cbx_000000000001", one_public);
	identity_remember("cbx_000000000002", two_public);
	recall_expect("cbx_000000000001", one);
	/* without a private key, which an agent holds */
	recall_expect("cbx_000000000002", two_public);
	identity_remember("cbx_000000000001", two_public);
	recall_expect("cbx_000000000001", two_public);
	assert_int_equal(unlink(two_public), 0);
	recall_expect("cbx_000000000001", NULL);
	recall_expect("cbx_00000000000", NULL);
	identity_remember("cbx_000000000003", "/no/such/file");
	recall_expect("cbx_000000000003", NULL);
}

static void u6_the_file_stays_short(void **state)
{
	auto_free char *key = file_make("key.pub");
	auto_free char *path = xasprintf("%s/lessor/identities", home);
	char id[32];
	struct stat st;

	(void)state;
	for (int i = 0; i < 12000; i++) {
		snprintf(id, sizeof(id), "cbx_%012d", i);
		identity_remember(id, key);
	}
	assert_int_equal(stat(path, &st), 0);
	assert_in_range((uintmax_t)st.st_size, 64 * 1024, 257 * 1024);
	recall_expect(id, key);
	recall_expect("cbx_000000000000", NULL);
	/* Whatever somebody has put there, the next key is noted. */
	assert_int_equal(truncate(path, 1024 * 1024), 0);
	recall_expect(id, NULL);
	identity_remember("cbx_00000000000a", key);
	identity_remember("cbx_00000000000b", key);
	recall_expect("cbx_00000000000b", key);
}

int main(void)
{
	char folder[] = "/tmp/identity-XXXXXX";
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(u6_the_newest_key_of_a_lease),
		cmocka_unit_test(u6_the_file_stays_short),
	};
	auto_free char *remove = NULL;
	int failed;

	home = mkdtemp(folder);
	setenv("XDG_STATE_HOME", home, 1);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	remove = xasprintf("rm -r %s", home);
	return system(remove) ? 1 : failed;
}
