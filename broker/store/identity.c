/* SPDX-License-Identifier: MIT */
/* The broker's identity: its id, its signing key, and the sentinel's public key. */
#include "store/rows.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "util/hash.h"
#include "util/text.h"

#define INSTANCE_CHARS 16
#define KEY_RAW 32

int meta_get(struct store *store, const char *key, void *ret, size_t size, int *len, struct err *err)
{
	struct statement *stmt = store_prepare(store, "SELECT value FROM meta WHERE key = ?1", err);
	const char *data;
	size_t bytes = 0;
	int rc;

	if (!stmt)
		return -1;
	bind_text(stmt, 1, key);
	rc = store_row(store, stmt, "reading the identity", err);
	if (rc)
		return rc;
	data = column_data(stmt, 0, &bytes);
	if (!data || !bytes || bytes > size) {
		statement_end(stmt);
		return err_set(err, ERR_REFUSED, "%s: the value of %s is damaged; restore a backup",
			       store->name, key);
	}
	memcpy(ret, data, bytes);
	*len = (int)bytes;
	statement_end(stmt);
	return 0;
}

int meta_text(struct store *store, const char *key, char *ret, size_t size, struct err *err)
{
	int len = 0;
	int rc = meta_get(store, key, ret, size - 1, &len, err);

	ret[rc ? 0 : len] = '\0';
	return rc < 0 ? -1 : 0;
}

int meta_put(struct store *store, const char *key, const void *value, size_t len,
	     struct err *err)
{
	struct statement *stmt = store_prepare(store, "INSERT INTO meta(key, value) VALUES(?1, ?2)",
					       err);

	if (!stmt)
		return -1;
	bind_text(stmt, 1, key);
	bind_blob(stmt, 2, value, len);
	return store_run(store, stmt, "writing the identity", err);
}

/* A string in the format of RFC 4253: length and bytes. */
static size_t put_string(unsigned char *to, const void *data, size_t len)
{
	to[0] = to[1] = to[2] = 0;
	to[3] = (unsigned char)len;
	memcpy(to + 4, data, len);
	return 4 + len;
}

/* The private half is never stored or shown. */
static int make_public_key(char *out, size_t size, struct err *err)
{
	static const char type[] = "ssh-ed25519";
	EVP_PKEY *pair = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	unsigned char raw[KEY_RAW], blob[64];
	unsigned char text[128];
	size_t len = sizeof(raw);
	int ok = pair && EVP_PKEY_get_raw_public_key(pair, raw, &len) == 1 && len == sizeof(raw);

	EVP_PKEY_free(pair);
	if (!ok)
		return err_set(err, ERR_INTERNAL, "libcrypto cannot generate an ed25519 key");
	len = put_string(blob, type, strlen(type));
	len += put_string(blob + len, raw, sizeof(raw));
	EVP_EncodeBlock(text, blob, (int)len);
	snprintf(out, size, "%s %s lessor-sentinel", type, (const char *)text);
	return 0;
}

/* The number that rises with each change of the tokens (records.c). */
static int epoch_create(struct store *store, struct err *err)
{
	struct statement *stmt =
		store_prepare(store, "INSERT INTO meta(key, number) VALUES('token_epoch', 0)", err);

	return stmt ? store_run(store, stmt, "writing the identity", err) : -1;
}

static int identity_create(struct store *store, const struct env *env, struct err *err)
{
	unsigned char bytes[INSTANCE_CHARS];
	char instance[HASH_BASE32_ROOM(INSTANCE_CHARS)];
	unsigned char key[KEY_RAW];
	char public_key[512];
	int rc;

	env_random(env, bytes, sizeof(bytes));
	env_random(env, key, sizeof(key));
	hash_base32(bytes, sizeof(bytes), instance);
	/* Used as a label value and shown to users: begins with a letter. */
	if (instance[0] < 'a')
		instance[0] = (char)('a' + bytes[0] % 26);
	rc = make_public_key(public_key, sizeof(public_key), err) ||
	     meta_put(store, "instance", instance, INSTANCE_CHARS, err) ||
	     meta_put(store, "signing_key", key, sizeof(key), err) ||
	     meta_put(store, "account_key", public_key, strlen(public_key), err) ||
	     epoch_create(store, err);
	hash_wipe(key, sizeof(key));
	return rc ? -1 : 0;
}

int identity_make(struct store *store, const struct env *env, struct err *err)
{
	char instance[32];
	int len, rc;

	if (store_begin(store, err))
		return -1;
	rc = meta_get(store, "instance", instance, sizeof(instance), &len, err);
	/* Several may be first: all but one find it created after they waited. */
	if (rc == 1 && store_create_lock(store, err))
		rc = -1;
	if (rc == 1)
		rc = meta_get(store, "instance", instance, sizeof(instance), &len, err);
	if (rc == 1)
		rc = identity_create(store, env, err);
	if (rc) {
		store_rollback(store);
		return -1;
	}
	return store_commit(store, err);
}

int store_signer(struct store *store, struct signer *ret, struct err *err)
{
	int len;

	memset(ret, 0, sizeof(*ret));
	if (meta_get(store, "instance", ret->instance, sizeof(ret->instance) - 1, &len, err) ||
	    meta_get(store, "signing_key", ret->key, sizeof(ret->key), &len, err))
		return -1;
	if (len != (int)sizeof(ret->key))
		return err_set(err, ERR_REFUSED, "%s: the signing key is damaged; restore a backup",
			       store->name);
	return 0;
}

int store_place_get(struct store *store, char *ret, size_t size, struct err *err)
{
	return meta_text(store, "place", ret, size, err);
}

int store_place_put(struct store *store, const char *place, struct err *err)
{
	struct statement *stmt = store_prepare(store, META_PUT, err);

	if (!stmt)
		return -1;
	bind_text(stmt, 1, "place");
	bind_blob(stmt, 2, place, strlen(place));
	return store_run(store, stmt, "writing the location", err);
}

#define NEIGHBOURS_KEY "neighbours.%s"

int store_neighbours_get(struct store *store, const char *account, char *ret, size_t size,
			 struct err *err)
{
	char key[64];

	snprintf(key, sizeof(key), NEIGHBOURS_KEY, account);
	return meta_text(store, key, ret, size, err);
}

int store_neighbours_put(struct store *store, const char *account, const char *ids, struct err *err)
{
	struct statement *stmt = store_prepare(store, META_PUT, err);
	char key[64];

	if (!stmt)
		return -1;
	snprintf(key, sizeof(key), NEIGHBOURS_KEY, account);
	bind_text(stmt, 1, key);
	bind_blob(stmt, 2, ids, strlen(ids));
	return store_run(store, stmt, "recording the account's other instances", err);
}

int store_account_key(struct store *store, char *ret, size_t size, struct err *err)
{
	int len;

	if (meta_get(store, "account_key", ret, size - 1, &len, err))
		return -1;
	ret[len] = '\0';
	return 0;
}
