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

static void raw_put(struct wire *w, const void *data, size_t len)
{
	memcpy(w->bytes + w->len, data, len);
	w->len += len;
}

static void number_put(struct wire *w, uint32_t value)
{
	const unsigned char bytes[] = { (unsigned char)(value >> 24), (unsigned char)(value >> 16),
					(unsigned char)(value >> 8), (unsigned char)value };

	raw_put(w, bytes, sizeof(bytes));
}

/* RFC 4251: the length and the bytes. */
static void string_put(struct wire *w, const void *data, size_t len)
{
	number_put(w, (uint32_t)len);
	raw_put(w, data, len);
}

/* The private section of OpenSSH's PROTOCOL.key: the key pair again, and padding. */
static void private_put(struct wire *w, const unsigned char seed[RAW],
			const unsigned char public[RAW], uint32_t check)
{
	struct wire section = { .len = 0 };
	unsigned char both[2 * RAW];

	memcpy(both, seed, RAW);
	memcpy(both + RAW, public, RAW);
	number_put(&section, check);
	number_put(&section, check);
	string_put(&section, type, strlen(type));
	string_put(&section, public, RAW);
	string_put(&section, both, sizeof(both));
	string_put(&section, "", 0);
	for (unsigned char pad = 1; section.len % BLOCK; pad++)
		raw_put(&section, &pad, 1);
	string_put(w, section.bytes, section.len);
	hash_wipe(both, sizeof(both));
	hash_wipe(&section, sizeof(section));
}

static void pem_write(const struct wire *w, char *out, size_t size)
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
	string_put(&blob, type, strlen(type));
	string_put(&blob, public, sizeof(public));
	EVP_EncodeBlock(text, blob.bytes, (int)blob.len);
	snprintf(ret->public_line, sizeof(ret->public_line), "%s %s", type, (const char *)text);
	raw_put(&key, magic, sizeof(magic));
	string_put(&key, "none", 4);
	string_put(&key, "none", 4);
	string_put(&key, "", 0);
	number_put(&key, 1);
	string_put(&key, blob.bytes, blob.len);
	private_put(&key, seed, public, check);
	pem_write(&key, ret->private_pem, sizeof(ret->private_pem));
	hash_wipe(seed, sizeof(seed));
	hash_wipe(&key, sizeof(key));
	return 0;
}

void hostkey_wipe(struct hostkey *key)
{
	hash_wipe(key, sizeof(*key));
}
