/* SPDX-License-Identifier: MIT */
#include "lease/ledger.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lease/deadline.h"
#include "util/alloc.h"
#include "util/hash.h"

/* The lease label of the account's own resources, which belong to no lease. */
#define ACCOUNT_LEASE "account"
#define NAME_SLUG_MAX 32
#define NAME_TAG_CHARS 12
#define SIG_CHARS 32
/* By so much two daemons' clocks may differ. */
#define CLOCKS_APART_MS (5 * 60 * 1000)

void ledger_fini(struct ledger *ledger)
{
	free(ledger->resources);
	free(ledger->attempts);
	*ledger = (struct ledger){ 0 };
}

struct resource *ledger_add(struct ledger *ledger, const struct resource *r)
{
	struct resource *added;

	ledger->resources = xgrow(ledger->resources, ledger->resource_count,
				  sizeof(*ledger->resources));
	added = &ledger->resources[ledger->resource_count++];
	*added = *r;
	added->is_dirty = 1;
	return added;
}

struct attempt *ledger_add_attempt(struct ledger *ledger, const struct attempt *a)
{
	struct attempt *added;

	ledger->attempts = xgrow(ledger->attempts, ledger->attempt_count,
				 sizeof(*ledger->attempts));
	added = &ledger->attempts[ledger->attempt_count++];
	*added = *a;
	added->is_dirty = added->is_new = 1;
	return added;
}

/* The next power of two, as ledger_add grows arrays. */
static size_t array_cap(size_t count)
{
	size_t size = 1;

	while (size < count)
		size *= 2;
	return size;
}

void ledger_copy(const struct ledger *from, struct ledger *to)
{
	*to = (struct ledger){ .resource_count = from->resource_count,
			       .attempt_count = from->attempt_count };
	if (from->resource_count) {
		to->resources = xcalloc(array_cap(from->resource_count), sizeof(*to->resources));
		memcpy(to->resources, from->resources, from->resource_count * sizeof(*to->resources));
	}
	if (from->attempt_count) {
		to->attempts = xcalloc(array_cap(from->attempt_count), sizeof(*to->attempts));
		memcpy(to->attempts, from->attempts, from->attempt_count * sizeof(*to->attempts));
	}
}

const struct resource *ledger_find(const struct ledger *ledger, int64_t n)
{
	for (size_t i = 0; i < ledger->resource_count; i++) {
		if (ledger->resources[i].n == n)
			return &ledger->resources[i];
	}
	return NULL;
}

const char *resource_kind_name(uint32_t kind)
{
	static const char *const names[] = {
		[LESSOR_KIND_SERVER] = "server",
		[LESSOR_KIND_KEY] = "key",
		[LESSOR_KIND_ADDRESS] = "address",
		[LESSOR_KIND_VOLUME] = "volume",
		[LESSOR_KIND_SENTINEL] = "sentinel",
		[LESSOR_KIND_OTHER] = "other",
	};

	return kind >= 1 && kind <= LESSOR_KIND_OTHER ? names[kind] : "unknown";
}

const char *resource_state_name(uint32_t state)
{
	static const char *const names[] = {
		[LESSOR_STATE_INTENDED] = "intended",
		[LESSOR_STATE_UNKNOWN] = "unknown",
		[LESSOR_STATE_PRESENT] = "present",
		[LESSOR_STATE_DELETING] = "deleting",
		[LESSOR_STATE_GONE] = "gone",
		[LESSOR_STATE_RETAINED] = "retained",
		[LESSOR_STATE_DISOWNED] = "disowned",
		/* Clients see `deleting`: a delete may be in progress. */
		[LESSOR_STATE_DELETE_AUTHORIZED] = "deleting",
		[LESSOR_STATE_DELETE_UNKNOWN] = "deleting",
		[LESSOR_STATE_NEVER_EXISTED] = "gone",
		[LESSOR_STATE_HANDED_OVER] = "reused",
		[LESSOR_STATE_UNPROTECT_AUTHORIZED] = "deleting",
		[LESSOR_STATE_UNPROTECT_UNKNOWN] = "deleting",
	};

	return state >= 1 && state < ARRAY_LEN(names) ? names[state] : "unknown";
}

int resource_is_residue(const struct resource *r)
{
	return r->ours && !lessor_state_is_over(r->state);
}

int resource_may_be_deleting(const struct resource *r)
{
	return r->ours && (r->state == LESSOR_STATE_DELETING ||
			   r->state == LESSOR_STATE_DELETE_AUTHORIZED ||
			   r->state == LESSOR_STATE_DELETE_UNKNOWN ||
			   r->state == LESSOR_STATE_UNPROTECT_AUTHORIZED ||
			   r->state == LESSOR_STATE_UNPROTECT_UNKNOWN);
}

int64_t resource_lands_ms(const struct resource *r, int64_t settle_ms, int64_t store_ahead_ms)
{
	int64_t settled_ms = r->changed_ms + settle_ms;
	int64_t most_ms = settled_ms + PERMIT_MS + PERMIT_GUARD_MS + CLOCKS_APART_MS;
	int64_t until_ms;

	/* A row of an older schema has no such time; one that is damaged may have any. */
	if (!r->until_ms || __builtin_sub_overflow(r->until_ms, store_ahead_ms, &until_ms))
		return settled_ms;
	return until_ms < most_ms ? until_ms : most_ms;
}

int resource_kind_is_billed(uint32_t kind)
{
	return kind != LESSOR_KIND_KEY && kind != LESSOR_KIND_SENTINEL;
}

size_t ledger_residue(const struct ledger *ledger)
{
	size_t count = 0;

	for (size_t i = 0; i < ledger->resource_count; i++)
		count += (size_t)resource_is_residue(&ledger->resources[i]);
	return count;
}

int attempt_is_refused(const struct ledger *ledger, uint32_t number)
{
	for (size_t i = 0; i < ledger->attempt_count; i++) {
		if (ledger->attempts[i].number == number)
			return ledger->attempts[i].refused != 0;
	}
	return 0;
}

int ledger_begins(const struct ledger *ledger)
{
	for (size_t i = 0; i < ledger->resource_count; i++) {
		const struct resource *r = &ledger->resources[i];

		if (lessor_state_is_unsettled(r->state) ||
		    (r->kind == LESSOR_KIND_SERVER && !lessor_state_is_over(r->state)))
			return 0;
	}
	return 1;
}

int ledger_awaits_server(const struct ledger *ledger)
{
	const struct attempt *last = ledger->attempt_count ?
				     &ledger->attempts[ledger->attempt_count - 1] : NULL;
	int found = 0;

	if (!last || last->refused)
		return 0;
	for (size_t i = 0; i < ledger->resource_count; i++) {
		const struct resource *r = &ledger->resources[i];

		if (lessor_state_is_unsettled(r->state))
			return 0;
		if (r->kind != LESSOR_KIND_SERVER || lessor_state_is_over(r->state))
			continue;
		if (!r->ours || !r->id[0] || r->state != LESSOR_STATE_PRESENT ||
		    r->attempt != last->number)
			return 0;
		found = 1;
	}
	return found;
}

/* An HMAC over everything that identifies a resource. */
static void tag_make(const struct signer *signer, const char *what, const char *account,
		     const char *lease, uint32_t kind, uint32_t attempt, const char *name,
		     char *out, size_t chars)
{
	unsigned char mac[32];
	char text[512];
	char code[64];

	/* Fields are separated by a byte that cannot occur in them. */
	snprintf(text, sizeof(text), "%s\n%s\n%s\n%s\n%u\n%s\n%s", what, signer->instance, account,
		 lease, attempt, resource_kind_name(kind), name);
	hash_hmac_sha256(signer->key, sizeof(signer->key), text, strlen(text), mac);
	hash_base32(mac, sizeof(mac), code);
	memcpy(out, code, chars);
	out[chars] = '\0';
}

void ledger_name(const struct signer *signer, const char *account, const struct lease *l,
		 uint32_t kind, uint32_t attempt, char out[64])
{
	char unique[NAME_TAG_CHARS + 1];
	size_t len;

	tag_make(signer, "name", account, l ? l->id : ACCOUNT_LEASE, kind, attempt, "", unique,
		 NAME_TAG_CHARS);
	len = (size_t)snprintf(out, 64, "lessor-%.*s", NAME_SLUG_MAX, l ? l->slug : "account");
	while (len && !isalnum((unsigned char)out[len - 1]))
		len--;
	snprintf(out + len, 64 - len, "%s-%s", kind == LESSOR_KIND_SERVER ? "" :
		 kind == LESSOR_KIND_KEY ? "-key" : kind == LESSOR_KIND_SENTINEL ? "-mark" : "-res",
		 unique);
}

/* Reduces a text to the label grammar: [A-Za-z0-9._-]{1,63}, alphanumeric at both ends. */
static void label_value(const char *text, char out[64])
{
	size_t len = 0;

	for (; *text && len < 63; text++) {
		char c = *text;

		if (!isalnum((unsigned char)c) && c != '.' && c != '_' && c != '-')
			c = '.';
		if (len == 0 && !isalnum((unsigned char)c))
			continue;
		out[len++] = c;
	}
	while (len && !isalnum((unsigned char)out[len - 1]))
		len--;
	if (!len)
		out[len++] = 'x';
	out[len] = '\0';
}

void labels_add(struct labels *labels, const char *key, const char *value)
{
	if (labels->count == LABELS_MAX)
		return;
	label_value(value, labels->text[labels->count]);
	labels->items[labels->count] = (struct lessor_label){ key, labels->text[labels->count] };
	labels->count++;
}

void labels_rebase(struct labels *labels)
{
	for (size_t i = 0; i < labels->count; i++)
		labels->items[i].value = labels->text[i];
}

static void labels_of(const struct signer *signer, const char *account, const char *lease,
		      const char *owner, uint32_t kind, uint32_t attempt, const char *name,
		      struct labels *out)
{
	char number[16];
	char sig[SIG_CHARS + 1];

	*out = (struct labels){ 0 };
	snprintf(number, sizeof(number), "%u", attempt);
	tag_make(signer, "sig", account, lease, kind, attempt, name, sig, SIG_CHARS);
	labels_add(out, LESSOR_LABEL_INSTANCE, signer->instance);
	labels_add(out, LESSOR_LABEL_LEASE, lease);
	labels_add(out, LESSOR_LABEL_ATTEMPT, number);
	labels_add(out, LESSOR_LABEL_KIND, resource_kind_name(kind));
	labels_add(out, LESSOR_LABEL_OWNER, owner);
	labels_add(out, LESSOR_LABEL_SIG, sig);
}

void ledger_labels(const struct signer *signer, const char *account, const struct lease *l,
		   uint32_t kind, uint32_t attempt, const char *name, struct labels *out)
{
	labels_of(signer, account, l ? l->id : ACCOUNT_LEASE, l ? l->owner : ACCOUNT_LEASE, kind,
		  attempt, name, out);
}

const char *observed_label(const struct lessor_observed *seen, const char *key)
{
	for (size_t i = 0; i < seen->label_count; i++) {
		if (seen->labels[i].key && strcmp(seen->labels[i].key, key) == 0)
			return seen->labels[i].value ? seen->labels[i].value : "";
	}
	return NULL;
}

/* The number in a label; 0 if there is no such label, `not_understood` if it is malformed. */
static int64_t observed_number(const struct lessor_observed *seen, const char *key,
			       int64_t not_understood)
{
	const char *value = observed_label(seen, key);
	int64_t number = 0;

	if (!value)
		return 0;
	if (!value[0] || strlen(value) > 18 || strspn(value, "0123456789") != strlen(value))
		return not_understood;
	for (const char *p = value; *p; p++)
		number = number * 10 + (*p - '0');
	return number ? number : not_understood;
}

int64_t observed_retain(const struct lessor_observed *seen)
{
	/* A malformed retention label still counts as one. */
	return observed_number(seen, LESSOR_LABEL_RETAIN, INT64_MAX);
}

int64_t observed_generation(const struct lessor_observed *seen)
{
	/* Above any real counter, and a take-over can still count on from it. */
	return observed_number(seen, LESSOR_LABEL_GEN, INT64_C(100000000000000000));
}

int ledger_verify(const struct signer *signer, const char *account, const struct lease *l,
		  const struct resource *r, const struct lessor_observed *seen, struct err *err)
{
	struct labels want;

	if (seen->kind != r->kind)
		return err_set(err, ERR_CONFLICT, "it is a %s, but the ledger says %s",
			       resource_kind_name(seen->kind), resource_kind_name(r->kind));
	if (!seen->id || !seen->id[0])
		return err_set(err, ERR_CONFLICT, "the object read has no id");
	if (r->id[0] && strcmp(seen->id, r->id) != 0)
		return err_set(err, ERR_CONFLICT, "its id differs from the ledger");
	if (!seen->name || strcmp(seen->name, r->name) != 0)
		return err_set(err, ERR_CONFLICT, "its name differs from the ledger");
	labels_of(signer, account, r->signed_lease[0] ? r->signed_lease : l ? l->id : ACCOUNT_LEASE,
		  "", r->kind, r->attempt, r->name, &want);
	for (size_t i = 0; i < want.count; i++) {
		const char *value = observed_label(seen, want.items[i].key);

		/* The owner label is informational and may change. */
		if (strcmp(want.items[i].key, LESSOR_LABEL_OWNER) == 0)
			continue;
		if (!value)
			return err_set(err, ERR_CONFLICT, "its label %s is missing",
				       want.items[i].key);
		if (strlen(value) != strlen(want.items[i].value) ||
		    !hash_equal(value, want.items[i].value, strlen(value)))
			return err_set(err, ERR_CONFLICT,
				       "its label %s is not the one that lessor set",
				       want.items[i].key);
	}
	return 0;
}
