/* SPDX-License-Identifier: MIT */
/* Packed data is restored; foreign data is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/pack.h"

static void round_trip(const char *data, size_t len, size_t most)
{
	unsigned char *packed = malloc(pack_bound(len));
	size_t size = pack_encode(data, len, packed);
	char *back = malloc(len + 1);

	assert_true(size <= most);
	assert_int_equal(pack_len(packed, size), (long)len);
	assert_int_equal(pack_decode(packed, size, back), 0);
	assert_memory_equal(back, data, len);
	/* Truncated data is refused. */
	for (size_t cut = 0; cut < size && cut < 40; cut++)
		assert_int_equal(pack_decode(packed, cut, back), -1);
	free(back);
	free(packed);
}

static void texts_come_back(void **state)
{
	static char text[65536];
	uint32_t dice = 1;
	size_t len = 0;

	(void)state;
	round_trip("", 0, 5);
	round_trip("x", 1, 6);
	while (len + 64 < sizeof(text))
		len += (size_t)snprintf(text + len, sizeof(text) - len, "ok %zu - a test of many\n", len);
	round_trip(text, len, len / 4);
	/* Incompressible data grows only by the header. */
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)((dice = dice * 1664525 + 1013904223) >> 24);
	round_trip(text, sizeof(text), sizeof(text) + 5);
}

static void nonsense_is_refused(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} rows[] = {
		{ "", 0 }, { "z", 1 }, { "z\1\0\0\0", 5 }, { "r\1\0\0\0", 5 }, { "r\1\0\0\0ab", 7 },
		{ "x\1\0\0\0a", 6 }, { "z\xff\xff\xff\xff" "abc", 8 }, { "z\x01\0\0\0abcdefgh", 13 },
		{ "r\xff\xff\xff\x7f", 5 },
	};
	char *out = malloc(PACK_LEN_MAX);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(pack_decode((const unsigned char *)rows[i].bytes, rows[i].len, out),
				 -1);
	free(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_come_back),
		cmocka_unit_test(nonsense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
