/* SPDX-License-Identifier: MIT */
#include "util/utf8.h"

size_t utf8_next(const char *s, size_t len, uint32_t *ret)
{
	static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *p = (const unsigned char *)s;
	size_t want, i;
	uint32_t c;

	*ret = p[0];
	if (p[0] < 0x80)
		return 1;
	*ret = UTF8_BAD;
	want = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if (p[0] < 0xc2 || p[0] > 0xf4 || want > len)
		return 1;
	c = p[0] & (0xffu >> (want + 1));
	for (i = 1; i < want; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 1;
		c = c << 6 | (p[i] & 0x3fu);
	}
	if (c < least[want] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 1;
	*ret = c;
	return want;
}

int utf8_valid(const char *s, size_t len)
{
	while (len) {
		uint32_t c;
		size_t n = utf8_next(s, len, &c);

		if (c == UTF8_BAD)
			return 0;
		s += n;
		len -= n;
	}
	return 1;
}
