/* SPDX-License-Identifier: MIT */
#include <openssl/evp.h>
#include <string.h>

#include "sim/out.h"
#include "sim/world.h"
#include "util/alloc.h"

#define BLOB_MAX 8192

static const char *const algorithms[] = {
	"ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384",
	"ecdsa-sha2-nistp521", "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com",
};

static int is_algorithm(const char *s, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(algorithms); i++) {
		if (strlen(algorithms[i]) == len && !strncmp(algorithms[i], s, len))
			return 1;
	}
	return 0;
}

/* The blob must begin with the length and name of the algorithm. */
static int blob_fits(const unsigned char *blob, size_t size, const char *name, size_t len)
{
	return size >= 4 + len && !blob[0] && !blob[1] && !blob[2] && blob[3] == len
		&& !memcmp(blob + 4, name, len);
}

int key_fingerprint(const char *public_key, char ret[48])
{
	size_t name = strcspn(public_key, " \t\r\n");
	const char *text = public_key + name + strspn(public_key + name, " \t");
	size_t len = strcspn(text, " \t\r\n");
	unsigned char blob[BLOB_MAX], digest[EVP_MAX_MD_SIZE];
	auto_free char *copy = NULL;
	int size;

	if (!is_algorithm(public_key, name) || !len || len % 4 || len > BLOB_MAX)
		return -1;
	copy = xstrndup(text, len);
	size = EVP_DecodeBlock(blob, (unsigned char *)copy, (int)len);
	if (size < 0)
		return -1;
	/* EVP_DecodeBlock counts the padding. */
	size -= copy[len - 1] == '=';
	size -= copy[len - 2] == '=';
	if (!blob_fits(blob, (size_t)size, public_key, name))
		return -1;
	if (!EVP_Digest(blob, (size_t)size, digest, NULL, EVP_md5(), NULL))
		return -1;
	for (size_t i = 0; i < 16; i++)
		snprintf(ret + i * 3, 4, "%02x%s", digest[i], i < 15 ? ":" : "");
	return 0;
}

static void key_fini(struct thing *thing)
{
	free(((struct key *)thing)->public_key);
}

struct key *key_new(struct cloud *cloud, int project, const char *name, const char *public_key,
	const json_t *labels, const char *who, uint64_t request)
{
	struct key *key = xcalloc(1, sizeof(*key));

	key->base.fini = key_fini;
	key->public_key = xstrdup(public_key);
	key_fingerprint(public_key, key->fingerprint);
	labels_read(labels, &key->base.labels, NULL);
	world_add(cloud, &key->base, CLOUD_KEY, project, name, who, request);
	return key;
}

struct key *key_find_fingerprint(const struct cloud *cloud, int project, const char *fingerprint)
{
	const struct shelf *shelf = &cloud->shelves[CLOUD_KEY];

	for (size_t i = 0; i < shelf->count; i++) {
		struct key *key = (struct key *)shelf->all[i];

		if (key->base.project == project && !key->base.ghost
		    && !strcmp(key->fingerprint, fingerprint))
			return key;
	}
	return NULL;
}

void key_write(const struct cloud *cloud, const struct key *key, struct buf *out)
{
	out_begin(out, '{');
	out_key_int(out, "id", key->base.id);
	out_key_str(out, "name", key->base.name);
	out_key_str(out, "fingerprint", key->fingerprint);
	out_key_str(out, "public_key", key->public_key);
	out_key(out, "labels");
	labels_write(&key->base.labels, out);
	out_key_time(out, "created", key->base.created_ms + cloud->config.skew_ms);
	out_end(out, '}');
}
