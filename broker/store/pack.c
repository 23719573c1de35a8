/* SPDX-License-Identifier: MIT */
#include "store/pack.h"

#include <stdint.h>
#include <string.h>
#include <zlib.h>

/* A tag and the unpacked length, little-endian; then the data. */
#define HEAD 5
#define TAG_RAW 'r'
#define TAG_DEFLATED 'z'

size_t pack_bound(size_t len)
{
	return HEAD + compressBound(len);
}

size_t pack_encode(const void *data, size_t len, unsigned char *out)
{
	uLongf size = compressBound(len);

	for (int i = 0; i < 4; i++)
		out[1 + i] = (unsigned char)(len >> 8 * i);
	out[0] = TAG_DEFLATED;
	if (compress2(out + HEAD, &size, data, len, Z_BEST_SPEED) == Z_OK && size < len)
		return HEAD + size;
	out[0] = TAG_RAW;
	if (len)
		memcpy(out + HEAD, data, len);
	return HEAD + len;
}

long pack_len(const unsigned char *packed, size_t len)
{
	uint32_t size = 0;

	if (len < HEAD || (packed[0] != TAG_RAW && packed[0] != TAG_DEFLATED))
		return -1;
	for (int i = 0; i < 4; i++)
		size |= (uint32_t)packed[1 + i] << 8 * i;
	if (size > PACK_LEN_MAX || (packed[0] == TAG_RAW && size != len - HEAD))
		return -1;
	return (long)size;
}

int pack_decode(const unsigned char *packed, size_t len, char *out)
{
	long size = pack_len(packed, len);
	uLongf got = (uLongf)size;

	if (size < 0)
		return -1;
	if (packed[0] == TAG_RAW) {
		if (size)
			memcpy(out, packed + HEAD, (size_t)size);
		return 0;
	}
	return uncompress((Bytef *)out, &got, packed + HEAD, len - HEAD) == Z_OK &&
	       got == (uLongf)size ? 0 : -1;
}
