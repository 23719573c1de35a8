/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "util/hash.h"

static void check_hex(const unsigned char *data, size_t len, const char *want)
{
	char text[HASH_HEX_ROOM(64)];

	assert_int_equal(hash_hex(data, len, text), 2 * len);
	assert_string_equal(text, want);
}

static void test_sha256(void **state)
{
	unsigned char out[HASH_SHA256_LEN];

	(void)state;
	hash_sha256("abc", 3, out);
	check_hex(out, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	hash_sha256("", 0, out);
	check_hex(out, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

/* RFC 4231, cases 1, 2 and 6 */
static void test_hmac(void **state)
{
	unsigned char key[131], out[HASH_SHA256_LEN];

	(void)state;
	memset(key, 0x0b, sizeof(key));
	hash_hmac_sha256(key, 20, "Hi There", 8, out);
	check_hex(out, 32, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	hash_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, out);
	check_hex(out, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof(key));
	hash_hmac_sha256(key, 131, "Test Using Larger Than Block-Size Key - Hash Key First", 54, out);
	check_hex(out, 32, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

/* RFC 4648, section 10, in lower case and without padding */
static void test_encodings(void **state)
{
	static const struct {
		const char *in, *base32, *base64;
	} rows[] = {
		{ "", "", "" },
		{ "f", "my", "Zg" },
		{ "fo", "mzxq", "Zm8" },
		{ "foo", "mzxw6", "Zm9v" },
		{ "foob", "mzxw6yq", "Zm9vYg" },
		{ "fooba", "mzxw6ytb", "Zm9vYmE" },
		{ "foobar", "mzxw6ytboi", "Zm9vYmFy" },
		{ "\xfb\xff\xfe", "7p774", "-__-" },
	};
	char text[32];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = strlen(rows[i].in);

		assert_int_equal(hash_base32(rows[i].in, len, text), strlen(rows[i].base32));
		assert_string_equal(text, rows[i].base32);
		assert_true(strlen(text) < HASH_BASE32_ROOM(len));
		assert_int_equal(hash_base64url(rows[i].in, len, text), strlen(rows[i].base64));
		assert_string_equal(text, rows[i].base64);
		assert_true(strlen(text) < HASH_BASE64_ROOM(len));
	}
}

static void test_hex_parse(void **state)
{
	unsigned char out[3] = { 9, 9, 9 };

	(void)state;
	assert_int_equal(hash_hex_parse("00fFa1", out, 3), 0);
	check_hex(out, 3, "00ffa1");
	assert_int_equal(hash_hex_parse("00ffa", out, 3), -1);
	assert_int_equal(hash_hex_parse("00ffa11", out, 3), -1);
	assert_int_equal(hash_hex_parse("11ffg1", out, 3), -1);
	check_hex(out, 3, "00ffa1");
}

static void test_equal(void **state)
{
	char secret[4] = "abc";

	(void)state;
	assert_true(hash_equal("abc", secret, 4));
	assert_false(hash_equal("abd", secret, 4));
	assert_true(hash_equal("x", "y", 0));
	hash_wipe(secret, sizeof(secret));
	assert_memory_equal(secret, "\0\0\0", 4);
}

static void test_fnv(void **state)
{
	(void)state;
	assert_int_equal(hash_fnv32("", 0), 0x811c9dc5u);
	assert_int_equal(hash_fnv32("a", 1), 0xe40c292cu);
	assert_int_equal(hash_fnv32("foobar", 6), 0xbf9cf968u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sha256),	  cmocka_unit_test(test_hmac),
		cmocka_unit_test(test_encodings), cmocka_unit_test(test_hex_parse),
		cmocka_unit_test(test_equal),	  cmocka_unit_test(test_fnv),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
