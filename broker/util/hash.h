/* SPDX-License-Identifier: MIT */
/*
 * Digests and text encodings of bytes. Any thread. Unless stated otherwise nothing fails: if
 * libcrypto lacks SHA-256, the process aborts.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define HASH_SHA256_LEN 32

/*
 * Has libcrypto initialise itself now, and with that register its handler for exit(): those that
 * are registered later run before it. It is not needed for anything else here.
 */
void hash_begin(void);
void hash_sha256(const void *data, size_t len, unsigned char out[HASH_SHA256_LEN]);
void hash_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
		      unsigned char out[HASH_SHA256_LEN]);
/* For protocols that require it (RFC 6455), not for security. -1: libcrypto does not offer it. */
#define HASH_SHA1_LEN 20
int hash_sha1(const void *data, size_t len, unsigned char out[HASH_SHA1_LEN]);
/* 1 if equal, in constant time for a given `len`. For comparing secrets. */
int hash_equal(const void *a, const void *b, size_t len);
/* Overwrites the data; the compiler cannot optimize it away. */
void hash_wipe(void *data, size_t len);

/* FNV-1a: for hash tables with trusted keys and checksums against typos; not for security. */
uint32_t hash_fnv32(const void *data, size_t len);

/* Size of the text for `n` bytes, including the NUL. */
#define HASH_HEX_ROOM(n) ((n) * 2 + 1)
#define HASH_BASE32_ROOM(n) (((n) * 8 + 4) / 5 + 1)
#define HASH_BASE64_ROOM(n) (((n) * 8 + 5) / 6 + 1)

/* Each writes a NUL-terminated text and returns its length. */
size_t hash_hex(const void *data, size_t len, char *out);	/* lower case */
size_t hash_base32(const void *data, size_t len, char *out);	/* RFC 4648, a-z2-7, no padding */
size_t hash_base64url(const void *data, size_t len, char *out);	/* RFC 4648 section 5, no padding */
/* RFC 4648 section 4, with padding: writes (len + 2) / 3 * 4 + 1 bytes. */
size_t hash_base64(const void *data, size_t len, char *out);
/* Reads exactly 2 * len hex digits of either case. -1 for anything else; then `out` is unchanged. */
int hash_hex_parse(const char *text, void *out, size_t len);
