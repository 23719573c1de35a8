/* SPDX-License-Identifier: MIT */
#include "util/hash.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "util/journal.h"

/* Fetched once, because an implicit fetch locks and costs almost a microsecond per call. */
static pthread_once_t fetch_once = PTHREAD_ONCE_INIT;
static EVP_MD *sha256;

static void hash_fail(void)
{
	journal_line("lessor: libcrypto has no SHA-256");
	abort();
}

static void hash_free(void)
{
	EVP_MD_free(sha256);
}

static void hash_fetch(void)
{
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (!sha256)
		hash_fail();
	OPENSSL_atexit(hash_free);
}

void hash_begin(void)
{
	/* Without an option it would return at once, and register its exit handler later. */
	OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL);
	pthread_once(&fetch_once, hash_fetch);
}

void hash_sha256(const void *data, size_t len, unsigned char out[HASH_SHA256_LEN])
{
	pthread_once(&fetch_once, hash_fetch);
	if (!EVP_Digest(data, len, out, NULL, sha256, NULL))
		hash_fail();
}

void hash_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
		      unsigned char out[HASH_SHA256_LEN])
{
	pthread_once(&fetch_once, hash_fetch);
	if (!HMAC(sha256, key, (int)key_len, data, len, out, NULL))
		hash_fail();
}

int hash_sha1(const void *data, size_t len, unsigned char out[HASH_SHA1_LEN])
{
	return EVP_Digest(data, len, out, NULL, EVP_sha1(), NULL) ? 0 : -1;
}

size_t hash_base64(const void *data, size_t len, char *out)
{
	return (size_t)EVP_EncodeBlock((unsigned char *)out, data, (int)len);
}

int hash_equal(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}

void hash_wipe(void *data, size_t len)
{
	OPENSSL_cleanse(data, len);
}

uint32_t hash_fnv32(const void *data, size_t len)
{
	const unsigned char *p = data;
	uint32_t h = 2166136261u;

	while (len--) {
		h ^= *p++;
		h *= 16777619u;
	}
	return h;
}

/* Encodes groups of `bits` bits, most significant first; the last group is padded with zeros. */
static size_t bits_encode(const void *data, size_t len, const char *alphabet, unsigned int bits,
			  char *out)
{
	const unsigned char *p = data;
	unsigned int have = 0;
	uint32_t held = 0;
	size_t n = 0;

	while (len--) {
		held = (held << 8 | *p++) & 0xffff;
		have += 8;
		while (have >= bits) {
			have -= bits;
			out[n++] = alphabet[held >> have & ((1u << bits) - 1)];
		}
	}
	if (have)
		out[n++] = alphabet[held << (bits - have) & ((1u << bits) - 1)];
	out[n] = '\0';
	return n;
}

size_t hash_hex(const void *data, size_t len, char *out)
{
	return bits_encode(data, len, "0123456789abcdef", 4, out);
}

size_t hash_base32(const void *data, size_t len, char *out)
{
	return bits_encode(data, len, "abcdefghijklmnopqrstuvwxyz234567", 5, out);
}

size_t hash_base64url(const void *data, size_t len, char *out)
{
	size_t whole = len / 3 * 3;
	size_t n = (size_t)EVP_EncodeBlock((unsigned char *)out, data, (int)whole);

	if (len > whole) {
		unsigned char last[5];

		/* `out` has no space for the padding */
		EVP_EncodeBlock(last, (const unsigned char *)data + whole, (int)(len - whole));
		memcpy(out + n, last, len - whole + 1);
		n += len - whole + 1;
		out[n] = '\0';
	}
	for (size_t i = 0; i < n; i++)
		out[i] = out[i] == '+' ? '-' : out[i] == '/' ? '_' : out[i];
	return n;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int hash_hex_parse(const char *text, void *out, size_t len)
{
	unsigned char *p = out;
	size_t i;

	if (strlen(text) != len * 2)
		return -1;
	for (i = 0; i < len * 2; i++)
		if (hex_digit(text[i]) < 0)
			return -1;
	for (i = 0; i < len; i++)
		p[i] = (unsigned char)(hex_digit(text[2 * i]) << 4 | hex_digit(text[2 * i + 1]));
	return 0;
}
