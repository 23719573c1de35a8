/* SPDX-License-Identifier: MIT */
/*
 * Digests, and bytes as text. Any thread. Nothing here can fail: a libcrypto
 * that cannot do SHA-256 ends the process.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define HASH_SHA256_LEN 32

void hash_sha256(const void *data, size_t len, unsigned char out[HASH_SHA256_LEN]);
void hash_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
		      unsigned char out[HASH_SHA256_LEN]);
/* For protocols that ask for it (RFC 6455); it protects nothing. -1: this libcrypto has none. */
#define HASH_SHA1_LEN 20
int hash_sha1(const void *data, size_t len, unsigned char out[HASH_SHA1_LEN]);
/* 1 if the same, in a time that depends on `len` alone. For everything that is a secret. */
int hash_equal(const void *a, const void *b, size_t len);
/* Overwrites in a way the compiler may not leave out. */
void hash_wipe(void *data, size_t len);

/* FNV-1a: for tables of trusted keys and for checksums against typing errors; no security. */
uint32_t hash_fnv32(const void *data, size_t len);

/* Room for the text of `n` bytes, the NUL included. */
#define HASH_HEX_ROOM(n) ((n) * 2 + 1)
#define HASH_BASE32_ROOM(n) (((n) * 8 + 4) / 5 + 1)
#define HASH_BASE64_ROOM(n) (((n) * 8 + 5) / 6 + 1)

/* Each writes a terminated text and returns its length. */
size_t hash_hex(const void *data, size_t len, char *out);	/* lower case */
size_t hash_base32(const void *data, size_t len, char *out);	/* RFC 4648, a-z2-7, no padding */
size_t hash_base64url(const void *data, size_t len, char *out);	/* RFC 4648 section 5, no padding */
/* RFC 4648 section 4, with padding: room for (n + 2) / 3 * 4 + 1. */
size_t hash_base64(const void *data, size_t len, char *out);
/* Exactly 2 * len hex digits of either case and nothing more: 0, else -1 and `out` is unchanged. */
int hash_hex_parse(const char *text, void *out, size_t len);
