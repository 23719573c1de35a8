/* SPDX-License-Identifier: MIT */
/* With SQLite the daemon owns all accounts, by its lock on the file: ownership has no end. */
#include <string.h>

#include "unit/test.h"
#include "scratch.h"
#include "store/shards.h"

static void row_none(void *arg, const struct shard *row)
{
	(void)row;
	*(int *)arg = 1;
}

static void every_account_is_owned_without_end(void **state)
{
	static const char *const accounts[] = { "hetzner", "other" };
	struct shard_claim claim = { .nonce = "0123456789abcdef0123456789abcdef",
				     .address = "10.0.0.1:8080",
				     .ttl_ms = SHARD_TTL_MS,
				     .seen_seq = 7,
				     .require_sync = 1 };
	struct shard own;
	int found = 0;

	(void)state;
	for (int i = 0; i < 2; i++) {
		claim.account = accounts[i];
		assert_int_equal(shard_claim(store, &claim, &own, NULL), 0);
		assert_string_equal(own.account, accounts[i]);
		assert_int_equal(own.epoch, 1);
		assert_string_equal(own.frozen, "");
		assert_int_equal(own.gap_ms, 0);
		assert_true(shard_is_held(&own));
	}
	assert_int_equal(shard_deadline_mono_ms(store), INT64_MAX);
	assert_false(store_is_lost(store));
	assert_int_equal(shards_make(store, accounts, 2, NULL), 0);
	assert_int_equal(shards_each(store, row_none, &found, NULL), 0);
	assert_int_equal(found, 0);
	scratch_begin();
	assert_int_equal(shard_freeze(store, "why", NULL), 0);
	assert_int_equal(shard_gen_put(store, 3, NULL), 0);
	assert_int_equal(shard_presume(store, 1000, NULL), 0);
	scratch_commit();
	assert_int_equal(shard_renew(store, NULL), 0);
	assert_int_equal(shard_yield(store, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_account_is_owned_without_end, scratch_setup,
						scratch_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
