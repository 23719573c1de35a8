/* SPDX-License-Identifier: MIT */
#include "table.h"

#include "api/auth.h"
#include "api/auth_throttle.h"
#include "util/hash.h"

/* ---- a store of tokens, a clock and a generator that the test turns ---------------------- */

static struct token tokens[16];
static int64_t changed[16]; /* the epoch of each one's last change */
static int token_count;
static int64_t epoch;
static int rows;	 /* how many tokens were read */
static int looks;	 /* how often the epoch was read */
static uint64_t version; /* 0: the store has no token */
static int broken;
static int64_t wall_ms, mono_ms;
static unsigned char next_random;

int store_token_each(struct store *store, store_token_fn fn, void *arg, struct err *err)
{
	(void)store;
	if (broken)
		return err_set(err, ERR_IO, "broken");
	for (int i = 0; i < token_count; i++, rows++)
		fn(arg, &tokens[i]);
	return 0;
}

int store_token_changed_each(struct store *store, int64_t after_epoch, store_token_fn fn, void *arg,
			     struct err *err)
{
	(void)store;
	if (broken)
		return err_set(err, ERR_IO, "broken");
	for (int i = 0; i < token_count; i++) {
		if (changed[i] <= after_epoch)
			continue;
		fn(arg, &tokens[i]);
		rows++;
	}
	return 0;
}

uint64_t store_data_version(struct store *store)
{
	(void)store;
	return version;
}

int store_token_epoch(struct store *store, int64_t *ret, struct err *err)
{
	(void)store;
	looks++;
	if (broken)
		return err_set(err, ERR_IO, "broken");
	*ret = epoch;
	return 0;
}

static int64_t env_wall(void *data)
{
	(void)data;
	return wall_ms;
}

static int64_t env_mono(void *data)
{
	(void)data;
	return mono_ms;
}

static void env_fill(void *data, void *out, size_t len)
{
	(void)data;
	for (size_t i = 0; i < len; i++)
		((unsigned char *)out)[i] = next_random++;
}

static const struct env env = { .wall_ms = env_wall, .mono_ms = env_mono, .random = env_fill };

static struct auth *auth;
static char alice[TOKEN_TEXT_SIZE], reader[TOKEN_TEXT_SIZE];

static void add(const char *owner, enum token_role role, int64_t expires_ms, char *text)
{
	assert_int_equal(token_make(&env, owner, "acme", role, expires_ms, text,
				    &tokens[token_count], NULL),
			 0);
	changed[token_count++] = ++epoch;
}

static int setup(void **state)
{
	(void)state;
	token_count = 0;
	epoch = broken = 0;
	version = 0;
	wall_ms = 1787306400000;
	mono_ms = 5000;
	add("alice", TOKEN_USER, 0, alice);
	add("rita", TOKEN_READER, wall_ms + 1000, reader);
	return auth_new(&env, NULL, &auth, NULL);
}

static int teardown(void **state)
{
	(void)state;
	auth_free(auth);
	return 0;
}

static enum auth_result check(const char *value)
{
	struct caller caller = { .owner = "" };
	/* Without a limit, which has its own tests. */
	enum auth_result result = auth_check(auth, value, "192.0.2.1", 0, &caller);

	assert_true((result == AUTH_OK) == (caller.owner[0] != '\0'));
	return result;
}

static char *bearer(const char *text)
{
	static char value[20000];

	snprintf(value, sizeof(value), "Bearer %s", text);
	return value;
}

static void tokens_have_their_form(void **state)
{
	struct token token;
	struct err err = { 0 };
	char text[TOKEN_TEXT_SIZE];
	unsigned char hash[32];

	(void)state;
	assert_int_equal(strlen(alice), 64);
	assert_memory_equal(alice, "lsr_", 4);
	assert_memory_equal(alice + 4, tokens[0].id, 16);
	assert_int_equal(alice[20], '_');
	hash_sha256(alice, 64, hash);
	assert_memory_equal(hash, tokens[0].hash, 32);
	assert_string_not_equal(alice, reader);
	assert_int_equal(token_make(&env, "*", "acme", TOKEN_USER, 0, text, &token, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_int_equal(token_make(&env, "a", "", TOKEN_USER, 0, text, &token, &err), -1);
}

static void a_valid_token_says_who_asks(void **state)
{
	struct caller caller;

	(void)state;
	assert_int_equal(auth_check(auth, bearer(alice), "::1", 10, &caller), AUTH_OK);
	assert_string_equal(caller.owner, "alice");
	assert_string_equal(caller.org, "acme");
	assert_int_equal(caller.role, TOKEN_USER);
	assert_int_equal(auth_counters(auth)->accepted, 1);
}

static void b140_schemes(void **state)
{
	char value[128];

	(void)state;
	assert_int_equal(check(NULL), AUTH_REFUSED);
	assert_int_equal(check(""), AUTH_REFUSED);
	assert_int_equal(check("Bearer"), AUTH_REFUSED);
	assert_int_equal(check("Bearer "), AUTH_REFUSED);
	assert_int_equal(check("Bearer  x"), AUTH_REFUSED);
	assert_int_equal(check("bearer x"), AUTH_REFUSED);
	assert_int_equal(check("Basic x"), AUTH_REFUSED);
	assert_int_equal(check("Token x"), AUTH_REFUSED);
	snprintf(value, sizeof(value), "bEARER %s", alice);
	assert_int_equal(check(value), AUTH_OK);
	snprintf(value, sizeof(value), "Bearer  %s", alice);
	assert_int_equal(check(value), AUTH_REFUSED);
	snprintf(value, sizeof(value), "Bearer\t%s", alice);
	assert_int_equal(check(value), AUTH_REFUSED);
	snprintf(value, sizeof(value), "Basic %s", alice);
	assert_int_equal(check(value), AUTH_REFUSED);
	assert_int_equal(check(alice), AUTH_REFUSED);
}

static void b141_b142_b143_b146_near_misses(void **state)
{
	static const char *const tails[] = { " ", "\t", ",", "\"", "%20", "x", "\xff" };
	static const int sizes[] = { 0, 1, 31, 33, 63, 64, 65, 4096, 16000 };
	char text[17000];
	char hex[65];

	(void)state;
	for (size_t i = 0; i < COUNT(tails); i++) {
		snprintf(text, sizeof(text), "%s%s", alice, tails[i]);
		assert_int_equal(check(bearer(text)), AUTH_REFUSED);
	}
	for (size_t i = 0; i < COUNT(sizes); i++) {
		memset(text, 'a', (size_t)sizes[i]);
		text[sizes[i]] = '\0';
		assert_int_equal(check(bearer(text)), AUTH_REFUSED);
	}
	for (size_t i = 0; i < 64; i++) { /* B143: one character differs */
		memcpy(text, alice, sizeof(alice));
		text[i] = text[i] == 'b' ? 'c' : 'b';
		assert_int_equal(check(bearer(text)), AUTH_REFUSED);
	}
	memcpy(text, alice, sizeof(alice));
	text[63] = '\0';
	assert_int_equal(check(bearer(text)), AUTH_REFUSED);
	for (char *c = strcpy(text, alice); *c; c++)
		*c = (char)(*c >= 'a' && *c <= 'z' ? *c - 32 : *c);
	assert_int_equal(check(bearer(text)), AUTH_REFUSED);
	hash_hex(tokens[0].hash, 32, hex);	/* B146 */
	assert_int_equal(check(bearer(hex)), AUTH_REFUSED);
	snprintf(text, sizeof(text), "lsr_%s_%.43s", tokens[0].id, hex);
	assert_int_equal(check(bearer(text)), AUTH_REFUSED);
	assert_int_equal(check(bearer(alice)), AUTH_OK);
}

static void tokens_expire_and_are_revoked(void **state)
{
	(void)state;
	assert_int_equal(check(bearer(reader)), AUTH_OK);
	wall_ms += 1000;
	assert_int_equal(check(bearer(reader)), AUTH_REFUSED);
	tokens[0].revoked_ms = wall_ms;
	changed[0] = ++epoch;
	assert_int_equal(check(bearer(alice)), AUTH_OK); /* last read less than a second ago */
	mono_ms += 1000;
	assert_int_equal(check(bearer(alice)), AUTH_REFUSED);
}

static int64_t db_ms;

static int64_t db_now(void *arg)
{
	(void)arg;
	return db_ms;
}

/* Where daemons share a database its clock counts, and not that of this machine. */
static void a_token_expires_by_the_clock_of_the_database(void **state)
{
	const struct daemons_source clock = { .now_ms = db_now };

	(void)state;
	auth_use_clock(auth, &clock);
	db_ms = wall_ms;
	wall_ms += 7200000;
	assert_int_equal(check(bearer(reader)), AUTH_OK);
	db_ms += 1000;
	assert_int_equal(check(bearer(reader)), AUTH_REFUSED);
	/* It was not read yet. */
	db_ms = 0;
	assert_int_equal(check(bearer(reader)), AUTH_REFUSED);
	wall_ms -= 7200000;
	assert_int_equal(check(bearer(reader)), AUTH_OK);
}

static void text_7_a_token_that_ended_says_when(void **state)
{
	char wrong[TOKEN_TEXT_SIZE];

	(void)state;
	tokens[0].revoked_ms = wall_ms + 3661000;
	assert_int_equal(auth_reload(auth, NULL), 0);
	wall_ms += 1000;
	assert_int_equal(check(bearer(alice)), AUTH_REFUSED);
	assert_string_equal(auth_refusal(auth, bearer(alice)),
			    "this token was revoked on 2026-08-21 at 11:01:01 UTC; ask an operator for a "
			    "new one");
	assert_int_equal(check(bearer(reader)), AUTH_REFUSED);
	assert_string_equal(auth_refusal(auth, bearer(reader)),
			    "this token expired on 2026-08-21 at 10:00:01 UTC; ask an operator for a new "
			    "one");
	/* With another secret, an id that exists is told from one that does not by nothing. */
	memcpy(wrong, alice, sizeof(wrong));
	wrong[63] = wrong[63] == 'b' ? 'c' : 'b';
	assert_string_equal(auth_refusal(auth, bearer(wrong)),
			    "a valid bearer token is required; this one is not known here");
	memset(wrong + 4, '0', 16);
	assert_string_equal(auth_refusal(auth, bearer(wrong)),
			    "a valid bearer token is required; this one is not known here");
	assert_string_equal(auth_refusal(auth, "Basic x"), "a bearer token is required");
	assert_string_equal(auth_refusal(auth, NULL), "a bearer token is required");
}

static void new_tokens_are_seen_and_a_broken_store_changes_nothing(void **state)
{
	char bob[TOKEN_TEXT_SIZE];

	(void)state;
	broken = 1;
	add("bob", TOKEN_ADMIN, 0, bob);
	assert_int_equal(check(bearer(bob)), AUTH_REFUSED);
	mono_ms += 1000;
	assert_int_equal(check(bearer(bob)), AUTH_REFUSED);
	assert_int_equal(check(bearer(alice)), AUTH_OK);
	broken = 0;
	mono_ms += 1000;
	assert_int_equal(check(bearer(bob)), AUTH_OK);
	assert_int_equal(auth_counters(auth)->tokens, 3);
	token_count = 0;
	assert_int_equal(auth_reload(auth, NULL), 0);		/* B150, B152 */
	assert_int_equal(check(bearer(alice)), AUTH_REFUSED);
}

static void only_what_has_changed_is_read(void **state)
{
	char text[12][TOKEN_TEXT_SIZE];

	(void)state;
	rows = 0;
	for (int i = 0; i < 12; i++) {
		add("bob", TOKEN_USER, 0, text[i]);
		assert_int_equal(auth_update(auth, NULL), 0);
		assert_int_equal(rows, i + 1);
		/* Ids are random: each is put where it belongs. */
		for (int k = 0; k <= i; k++)
			assert_int_equal(check(bearer(text[k])), AUTH_OK);
		assert_int_equal(check(bearer(alice)), AUTH_OK);
		assert_int_equal(auth_counters(auth)->tokens, (size_t)i + 3);
	}
	tokens[5].revoked_ms = wall_ms;
	changed[5] = ++epoch;
	assert_int_equal(auth_update(auth, NULL), 0);
	assert_int_equal(rows, 13);
	assert_int_equal(check(bearer(text[3])), AUTH_REFUSED);
	assert_int_equal(auth_counters(auth)->tokens, 14);
	/* A database that has lost its last changes. */
	token_count = 13;
	epoch = changed[12];
	tokens[5].revoked_ms = 0;
	assert_int_equal(auth_update(auth, NULL), 0);
	assert_int_equal(rows, 26);
	assert_int_equal(check(bearer(text[11])), AUTH_REFUSED);
	assert_int_equal(check(bearer(text[3])), AUTH_OK);
	assert_int_equal(auth_counters(auth)->tokens, 13);
}

/* It has the form of a token. */
static const char *const unknown =
	"Bearer lsr_00000000000000aa_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/* Where no version tells that something has changed, each unknown token is looked for. */
static void without_a_version_a_new_token_is_good_at_once(void **state)
{
	char bob[TOKEN_TEXT_SIZE];

	(void)state;
	version = 0;
	assert_int_equal(auth_reload(auth, NULL), 0);
	add("bob", TOKEN_ADMIN, 0, bob);
	looks = 0;
	assert_int_equal(check(bearer(alice)), AUTH_OK);
	assert_int_equal(looks, 0);
	assert_int_equal(check(bearer(bob)), AUTH_OK);
	assert_int_equal(check(bearer(bob)), AUTH_OK);
	assert_int_equal(looks, 1);
}

/* A new token works at once, and the store is read no more often than that requires. */
static void a_new_token_is_good_at_once(void **state)
{
	char bob[TOKEN_TEXT_SIZE], carol[TOKEN_TEXT_SIZE];

	(void)state;
	version = 1;
	assert_int_equal(auth_reload(auth, NULL), 0);
	looks = 0;
	add("bob", TOKEN_ADMIN, 0, bob);
	version++;
	assert_int_equal(check(bearer(alice)), AUTH_OK);
	assert_int_equal(looks, 0);
	assert_int_equal(check(bearer(bob)), AUTH_OK);
	assert_int_equal(looks, 1);
	/* Nothing was committed since, so there is no new token. */
	for (int i = 0; i < 10; i++)
		assert_int_equal(check(unknown), AUTH_REFUSED);
	assert_int_equal(looks, 1);
	/* A store that cannot be read is tried once a second, whatever is committed. */
	broken = 1;
	for (int i = 0; i < 10; i++) {
		version++;
		assert_int_equal(check(unknown), AUTH_REFUSED);
	}
	assert_int_equal(looks, 2);
	assert_int_equal(check(bearer(bob)), AUTH_OK);
	broken = 0;
	mono_ms += 1000;
	add("carol", TOKEN_USER, 0, carol);
	assert_int_equal(check(bearer(carol)), AUTH_OK);
	assert_int_equal(looks, 3);
}

/* A flood of them from one address, on a store that has no version; time passes 10 ms at a time. */
static void bad_tokens_do_not_cost_a_read_each(void **state)
{
	char bob[TOKEN_TEXT_SIZE];
	struct caller caller;
	int refused = 0;

	(void)state;
	looks = 0;
	/* What no token looks like, or what is none, is not looked for. */
	for (int i = 0; i < 100; i++)
		assert_int_equal(auth_check(auth, i % 2 ? "Bearer x" : NULL, "192.0.2.3", 10,
					    &caller),
				 i < 10 ? AUTH_REFUSED : AUTH_LIMITED);
	assert_int_equal(looks, 0);
	for (int i = 0; i < 1000; i++) {
		for (int k = 0; k < 20; k++)
			auth_check(auth, unknown, "192.0.2.1", 10, &caller);
		mono_ms += 10;
	}
	/* Ten a second, for ten seconds, and those that the address had left. */
	assert_in_range(looks, 100, 111);
	/* Meanwhile a new token from elsewhere is good at once. */
	for (int i = 0; i < 5; i++) {
		auth_check(auth, unknown, "192.0.2.1", 10, &caller);
		add("bob", TOKEN_USER, 0, bob);
		assert_int_equal(auth_check(auth, bearer(bob), "192.0.2.2", 10, &caller), AUTH_OK);
	}
	/* From the same address, within 100 ms. */
	auth_check(auth, unknown, "192.0.2.1", 10, &caller);
	add("carol", TOKEN_USER, 0, bob);
	while (auth_check(auth, bearer(bob), "192.0.2.1", 10, &caller) != AUTH_OK) {
		assert_in_range(++refused, 1, 10);
		mono_ms += 10;
		auth_check(auth, unknown, "192.0.2.1", 10, &caller);
	}
	assert_true(refused > 0);
}

/* Without a limit for addresses, and from many of them. */
static void bad_tokens_of_many_addresses_do_not_either(void **state)
{
	char address[32], bob[TOKEN_TEXT_SIZE];
	struct caller caller;
	int refused = 0;

	(void)state;
	looks = 0;
	for (int i = 0; i < 10000; i++) {
		snprintf(address, sizeof(address), "10.0.%d.%d", i >> 8, i & 255);
		auth_check(auth, unknown, address, i % 2 ? 0 : 10, &caller);
		mono_ms += i % 10 == 0;
	}
	/* In a second, and the spare ones of the next. */
	assert_in_range(looks, 20, 30);
	add("bob", TOKEN_USER, 0, bob);
	while (auth_check(auth, bearer(bob), "192.0.2.2", 10, &caller) != AUTH_OK) {
		assert_in_range(++refused, 1, 100);
		mono_ms++;
		for (int i = 0; i < 10; i++)
			auth_check(auth, unknown, "10.1.1.1", 0, &caller);
	}
}

static void b149_refusals_are_counted_by_address(void **state)
{
	struct caller caller;

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_int_equal(auth_check(auth, "Bearer x", "192.0.2.1", 10, &caller),
				 i < 10 ? AUTH_REFUSED : AUTH_LIMITED);
	assert_int_equal(auth_check(auth, bearer(alice), "192.0.2.1", 10, &caller), AUTH_OK);
	assert_int_equal(auth_check(auth, bearer(alice), "192.0.2.2", 10, &caller), AUTH_OK);
	assert_int_equal(auth_check(auth, "Bearer x", "192.0.2.2", 10, &caller), AUTH_REFUSED);
	mono_ms += 60000;
	assert_int_equal(auth_check(auth, "Bearer x", "192.0.2.1", 10, &caller), AUTH_REFUSED);
	assert_int_equal(auth_counters(auth)->limited, 990);
}

static void an_ipv6_network_counts_as_one_and_the_table_is_bounded(void **state)
{
	struct auth_throttle *limit = auth_throttle_new(42);
	char address[64];

	(void)state;
	for (int i = 0; i < 20; i++) {
		snprintf(address, sizeof(address), "2001:db8:1:2::%x", i + 1);
		assert_int_equal(auth_throttle_count(limit, address, 10, 1), i >= 10);
	}
	assert_int_equal(auth_throttle_count(limit, "2001:db8:1:3::1", 10, 1), 0);
	for (int i = 0; i < 100000; i++) {
		snprintf(address, sizeof(address), "10.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);
		assert_int_equal(auth_throttle_count(limit, address, 10, 2), 0);
	}
	auth_throttle_free(limit);
}

/* ---- uses ---------------------------------------------------------------------------------- */

static size_t uses(int64_t *ret_ms)
{
	struct auth_use taken[AUTH_USES_MAX];
	size_t count = auth_take_uses(auth, taken);

	*ret_ms = count ? taken[0].used_ms : 0;
	if (count)
		assert_string_equal(taken[0].id, tokens[0].id);
	assert_false(auth_has_uses(auth));
	return count;
}

static void a_use_is_noted_once_a_minute(void **state)
{
	int64_t used_ms;

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(check(bearer(alice)), AUTH_OK);
	assert_true(auth_has_uses(auth));
	assert_int_equal(uses(&used_ms), 1);
	assert_int_equal(used_ms, wall_ms);
	wall_ms += 59999;
	check(bearer(alice));
	assert_int_equal(uses(&used_ms), 0);
	/* A reload, of a store that does not have it yet, does not forget it. */
	epoch++;
	assert_int_equal(auth_reload(auth, NULL), 0);
	check(bearer(alice));
	assert_int_equal(uses(&used_ms), 0);
	wall_ms += 1;
	check(bearer(alice));
	assert_int_equal(uses(&used_ms), 1);
	assert_int_equal(used_ms, wall_ms);
	/* The store may know a newer one, of another daemon. */
	tokens[0].used_ms = wall_ms + 30000;
	epoch++;
	assert_int_equal(auth_reload(auth, NULL), 0);
	wall_ms += 60000;
	check(bearer(alice));
	assert_int_equal(uses(&used_ms), 0);
	/* The clock was ahead. */
	wall_ms -= 86400000;
	check(bearer(alice));
	assert_int_equal(uses(&used_ms), 1);
	assert_int_equal(used_ms, wall_ms);
}

static void a_refused_token_is_not_used(void **state)
{
	int64_t used_ms;

	(void)state;
	wall_ms += 1000;
	assert_int_equal(check(bearer(reader)), AUTH_REFUSED);
	assert_int_equal(check(bearer("lsr_0123456789abcdef_")), AUTH_REFUSED);
	assert_int_equal(uses(&used_ms), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(tokens_have_their_form),
		TEST(a_valid_token_says_who_asks),
		TEST(b140_schemes),
		TEST(b141_b142_b143_b146_near_misses),
		TEST(tokens_expire_and_are_revoked),
		TEST(a_token_expires_by_the_clock_of_the_database),
		TEST(text_7_a_token_that_ended_says_when),
		TEST(new_tokens_are_seen_and_a_broken_store_changes_nothing),
		TEST(only_what_has_changed_is_read),
		TEST(a_new_token_is_good_at_once),
		TEST(without_a_version_a_new_token_is_good_at_once),
		TEST(bad_tokens_do_not_cost_a_read_each),
		TEST(bad_tokens_of_many_addresses_do_not_either),
		TEST(b149_refusals_are_counted_by_address),
		TEST(a_use_is_noted_once_a_minute),
		TEST(a_refused_token_is_not_used),
		cmocka_unit_test(an_ipv6_network_counts_as_one_and_the_table_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
