/* SPDX-License-Identifier: MIT */
#include "util/hostkey.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "util/hash.h"

#define RAW 32
#define LINE 70 /* columns of the PEM body, as in ssh-keygen */
#define BLOCK 8 /* an unencrypted private section is padded to a multiple of this */

static const char type[] = "ssh-ed25519";

struct wire {
	unsigned char bytes[320];
	size_t len;
};

static void put_raw(struct wire *w, const void *data, size_t len)
{
	memcpy(w->bytes + w->len, data, len);
	w->len += len;
}

static void put_number(struct wire *w, uint32_t value)
{
	const unsigned char bytes[] = { (unsigned char)(value >> 24), (unsigned char)(value >> 16),
					(unsigned char)(value >> 8), (unsigned char)value };

	put_raw(w, bytes, sizeof(bytes));
}

/* RFC 4251: the length and the bytes. */
static void put_string(struct wire *w, const void *data, size_t len)
{
	put_number(w, (uint32_t)len);
	put_raw(w, data, len);
}

/* The private section of OpenSSH's PROTOCOL.key: the key pair again, and padding. */
static void put_private(struct wire *w, const unsigned char seed[RAW],
			const unsigned char public[RAW], uint32_t check)
{
	struct wire section = { .len = 0 };
	unsigned char both[2 * RAW];

	memcpy(both, seed, RAW);
	memcpy(both + RAW, public, RAW);
	put_number(&section, check);
	put_number(&section, check);
	put_string(&section, type, strlen(type));
	put_string(&section, public, RAW);
	put_string(&section, both, sizeof(both));
	put_string(&section, "", 0);
	for (unsigned char pad = 1; section.len % BLOCK; pad++)
		put_raw(&section, &pad, 1);
	put_string(w, section.bytes, section.len);
	hash_wipe(both, sizeof(both));
	hash_wipe(&section, sizeof(section));
}

static void write_pem(const struct wire *w, char *out, size_t size)
{
	unsigned char text[448];
	size_t len = (size_t)EVP_EncodeBlock(text, w->bytes, (int)w->len);
	size_t at = (size_t)snprintf(out, size, "-----BEGIN OPENSSH PRIVATE KEY-----\n");

	for (size_t i = 0; i < len; i += LINE)
		at += (size_t)snprintf(out + at, size - at, "%.*s\n",
				       (int)(len - i < LINE ? len - i : LINE),
				       (const char *)text + i);
	snprintf(out + at, size - at, "-----END OPENSSH PRIVATE KEY-----\n");
	hash_wipe(text, sizeof(text));
}

static int public_half(const unsigned char seed[RAW], unsigned char public[RAW])
{
	EVP_PKEY *pair = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, RAW);
	size_t len = RAW;
	int ok = pair && EVP_PKEY_get_raw_public_key(pair, public, &len) == 1 && len == RAW;

	EVP_PKEY_free(pair);
	return ok ? 0 : -1;
}

int hostkey_make(const struct env *env, struct hostkey *ret, struct err *err)
{
	static const char magic[] = "openssh-key-v1"; /* including the NUL */
	unsigned char seed[RAW], public[RAW], text[76];
	struct wire blob = { .len = 0 }, key = { .len = 0 };
	uint32_t check;

	memset(ret, 0, sizeof(*ret));
	env_random(env, seed, sizeof(seed));
	env_random(env, &check, sizeof(check));
	if (public_half(seed, public)) {
		hash_wipe(seed, sizeof(seed));
		return err_set(err, ERR_INTERNAL, "libcrypto cannot generate an Ed25519 key");
	}
	put_string(&blob, type, strlen(type));
	put_string(&blob, public, sizeof(public));
	EVP_EncodeBlock(text, blob.bytes, (int)blob.len);
	snprintf(ret->public_line, sizeof(ret->public_line), "%s %s", type, (const char *)text);
	put_raw(&key, magic, sizeof(magic));
	put_string(&key, "none", 4);
	put_string(&key, "none", 4);
	put_string(&key, "", 0);
	put_number(&key, 1);
	put_string(&key, blob.bytes, blob.len);
	put_private(&key, seed, public, check);
	write_pem(&key, ret->private_pem, sizeof(ret->private_pem));
	hash_wipe(seed, sizeof(seed));
	hash_wipe(&key, sizeof(key));
	return 0;
}

void hostkey_wipe(struct hostkey *key)
{
	hash_wipe(key, sizeof(*key));
}
