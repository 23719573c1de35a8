/* SPDX-License-Identifier: MIT */
#include "key.h"

#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "api.h"
#include "lookup.h"

#define BLOB_MAX 16384

/* Decodes the base64 field of an OpenSSH line. Returns its length, or -1. */
static int key_blob(const char *public_key, unsigned char blob[BLOB_MAX])
{
	size_t type_len = strcspn(public_key, " \t");
	const char *base64 = public_key + type_len + strspn(public_key + type_len, " \t");
	size_t len = strcspn(base64, " \t\r\n");
	int got, padding = 0;

	if (!type_len || !len || len % 4 || len / 4 * 3 > BLOB_MAX)
		return -1;
	while (padding < 2 && base64[len - 1 - (size_t)padding] == '=')
		padding++;
	got = EVP_DecodeBlock(blob, (const unsigned char *)base64, (int)len);
	return got < 0 ? -1 : got - padding;
}

int key_fingerprint(const char *public_key, char ret[FINGERPRINT_ROOM])
{
	unsigned char blob[BLOB_MAX], digest[EVP_MAX_MD_SIZE];
	unsigned int digest_len = 0;
	int len = key_blob(public_key, blob);

	if (len <= 0 || EVP_Digest(blob, (size_t)len, digest, &digest_len, EVP_md5(), NULL) != 1 ||
	    digest_len != 16)
		return -1;
	for (unsigned int i = 0; i < digest_len; i++)
		snprintf(ret + (size_t)i * 3, 4, "%02x:", digest[i]);
	ret[47] = '\0';
	return 0;
}

json_t *labels_json(const struct lessor_label *list, size_t count)
{
	json_t *labels = json_object();

	for (size_t i = 0; labels && i < count; i++) {
		if (json_object_set_new(labels, list[i].key, json_string(list[i].value))) {
			json_decref(labels);
			return NULL;
		}
	}
	return labels;
}

int thing_is_as_intended(const struct thing *thing, const struct lessor_intent *intent)
{
	if (strcmp(thing->name, intent->name) != 0)
		return 0;
	for (size_t i = 0; i < intent->label_count; i++) {
		const char *value = thing_label(thing, intent->labels[i].key);

		if (!value || strcmp(value, intent->labels[i].value) != 0)
			return 0;
	}
	return 1;
}

/* ---- an existing key with the same material ------------------------------------- */

struct twin {
	const char *fingerprint;
	struct thing thing;
	char name[256];
	int found;
};

static int twin_visit(void *arg, const struct thing *thing)
{
	/* lookup_pages passes keys here; `thing` is the first member of the key. */
	const struct ssh_key *key = (const struct ssh_key *)(const void *)thing;
	struct twin *twin = arg;

	if (strcmp(key->fingerprint, twin->fingerprint) != 0)
		return 0;
	twin->thing = *thing;
	snprintf(twin->name, sizeof(twin->name), "%s", thing->name);
	twin->found = 1;
	return -1;
}

/*
 * The name or the key exists already: adopt it if it is ours, reuse it if it is the same
 * key, or stop. It may be from our own lost request, so the row stays open until its
 * owner is known.
 */
static int key_is_taken(struct hz *z, uint32_t kind, const struct lessor_intent *intent,
			const char *public_key)
{
	char fingerprint[FINGERPRINT_ROOM], encoded[3 * FINGERPRINT_ROOM], query[240];
	struct twin twin = { .fingerprint = fingerprint };
	int verdict;

	lessor_unknown(z->call, intent->row, "the name or the key is taken");
	switch (lookup_name(z, kind, intent->name, &verdict)) {
	case NAMED_ADOPTED:
		return lessor_pending(z->call, AT_ONCE, "");
	case NAMED_FOREIGN:
		lessor_not_created(z->call, intent->row,
				   "the name belongs to a key that is "
				   "not ours");
		return lessor_refuse(z->call,
				     kind == LESSOR_KIND_SENTINEL ? LESSOR_CLASS_ACCOUNT :
								    LESSOR_CLASS_CONFLICT,
				     "an SSH key named %s already exists and is not ours; rename or "
				     "delete it at the provider",
				     intent->name);
	case NAMED_FAILED:
		return verdict;
	case NAMED_NONE:
		break;
	}
	if (key_fingerprint(public_key, fingerprint))
		return lessor_refuse(z->call, LESSOR_CLASS_INVALID,
				     "the public key has no valid fingerprint");
	api_encode(fingerprint, encoded, sizeof(encoded));
	snprintf(query, sizeof(query), "fingerprint=%s", encoded);
	if (lookup_pages(z->call, kind, query, twin_visit, &twin, &verdict))
		return verdict;
	if (!twin.found)
		return lessor_retry(z->call, LESSOR_CLASS_CONFLICT, 0,
				    "the provider reports the SSH key as taken but shows no "
				    "such key");
	/* It became visible between the two look-ups: perhaps ours; the next step checks. */
	if (strcmp(twin.name, intent->name) == 0)
		return lessor_retry(z->call, LESSOR_CLASS_CONFLICT, 0,
				    "an SSH key named %s became visible just now", intent->name);
	lessor_not_created(z->call, intent->row, "the same key exists under another name");
	/* The sentinel must be the account's own, or it proves nothing. */
	if (kind == LESSOR_KIND_SENTINEL)
		return lessor_refuse(z->call, LESSOR_CLASS_ACCOUNT,
				     "the account's key exists under another name, %.63s: does "
				     "another account use the same project?",
				     twin.name);
	if (lessor_reuse(z->call, kind, twin.thing.id, twin.name))
		return lessor_retry(z->call, LESSOR_CLASS_TRANSIENT, 0,
				    "the same key under another name cannot be used now");
	return lessor_pending(z->call, AT_ONCE, "");
}

/* ---- creating a key -------------------------------------------------------------------- */

static int key_made(struct hz *z, uint32_t kind, const struct lessor_intent *intent,
		    const char *public_key, const struct reply *reply)
{
	char fingerprint[FINGERPRINT_ROOM];
	struct ssh_key key;

	/* A key of another fingerprint would open the machine to somebody else. */
	if (parse_key(json_object_get(reply->root, "ssh_key"), kind, &key) ||
	    !thing_is_as_intended(&key.thing, intent) ||
	    (key_fingerprint(public_key, fingerprint) == 0 &&
	     strcmp(key.fingerprint, fingerprint) != 0)) {
		lessor_unknown(z->call, intent->row,
			       "the response does not show the requested "
			       "key");
		return api_nonsense(z->call, "creating the SSH key");
	}
	if (lessor_created(z->call, intent->row, key.thing.id, ""))
		return lessor_retry(z->call, LESSOR_CLASS_TRANSIENT, 0,
				    "the new SSH key could not be recorded");
	return lessor_pending(z->call, AT_ONCE, "");
}

static int key_create(struct hz *z, uint32_t kind, const char *public_key)
{
	struct lessor_intent intent = { .size = sizeof(intent) };
	auto_reply reply = { 0 };

	if (lessor_intend(z->call, kind, 0, &intent))
		return lessor_retry(z->call, LESSOR_CLASS_TRANSIENT, 0,
				    "no SSH key may be created now");
	api_post(z->call, "/ssh_keys",
		 json_pack("{s:s, s:s, s:o}", "name", intent.name, "public_key", public_key,
			   "labels", labels_json(intent.labels, intent.label_count)), intent.row,
		 &reply);
	if (!reply.rule)
		return key_made(z, kind, &intent, public_key, &reply);
	switch (reply.rule->on_create) {
	case CREATE_UNKNOWN:
		lessor_unknown(z->call, intent.row, "creating the SSH key: no usable response");
		return api_retry(z->call, &reply, "creating the SSH key");
	case CREATE_TAKEN:
		return key_is_taken(z, kind, &intent, public_key);
	case CREATE_WAIT:
		lessor_not_created(z->call, intent.row, "not now");
		return api_retry(z->call, &reply, "creating the SSH key");
	case CREATE_REFUSED:
	case CREATE_NEXT:
	case CREATE_FIELDS:
		break;
	}
	lessor_not_created(z->call, intent.row, "refused");
	return api_refuse(z->call, &reply, "creating the SSH key");
}

int key_ensure(struct hz *z, uint32_t kind, const char *public_key, const char **ret_id,
	       int *ret_verdict)
{
	if (lookup_unsettled(z, kind, ret_verdict))
		return -1;
	for (size_t i = 0; i < z->lease->resource_count; i++) {
		const struct lessor_resource *r = lessor_resource_at(z->lease, i);

		if (r->kind == kind && r->state == LESSOR_STATE_PRESENT && r->id[0]) {
			*ret_id = r->id;
			return 0;
		}
	}
	*ret_verdict = key_create(z, kind, public_key);
	return -1;
}
