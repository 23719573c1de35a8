/* SPDX-License-Identifier: MIT */
#include "api/auth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/auth_throttle.h"
#include "util/alloc.h"
#include "util/hash.h"
#include "util/log.h"
#include "util/time.h"

#define PREFIX "lsr_"
#define ID_LEN 16
#define SECRET_LEN 43
#define TEXT_LEN (TOKEN_TEXT_SIZE - 1)
#define REFRESH_MS 1000
/* An unknown token is looked for in the store if that was last read so long ago ... */
#define LOOK_MS 100
/* ... and so many more times in a second, for addresses that were not refused too often. */
#define LOOKS_SPARE 10
/* How exactly a token's last use is known. */
#define USE_MS 60000
#define USE_FUTURE_MS 3600000

struct known {
	char id[ID_LEN + 1];
	unsigned char hash[HASH_SHA256_LEN];
	struct caller caller;
	int64_t expires_ms;
	int64_t revoked_ms;
	int64_t noted_ms; /* the newest use that was noted, here or in the store */
};

struct table {
	struct known **items; /* ordered by id */
	size_t count;
};

struct auth {
	const struct env *env;
	struct store *reader;
	const struct daemons_source *clock; /* may be NULL */
	struct table table;
	struct known dummy; /* compared with where the id is unknown */
	struct auth_throttle *throttle;
	uint64_t seed;
	int64_t epoch;
	int64_t looked_ms;	 /* monotonic; when the epoch was last read */
	uint64_t looked_version; /* the store's data version at that time */
	int has_failed;		 /* the epoch could not be read */
	int spare;		 /* of LOOKS_SPARE are left, since: */
	int64_t spare_ms;
	struct auth_counters counters;
	char refusal[128];		     /* of the last request that was refused */
	struct auth_use uses[AUTH_USES_MAX]; /* noted, and not taken */
	size_t use_count;
};

/* The characters of a token's id, and those of its secret. */
#define HEX 1
#define BASE64URL 2

static const unsigned char letters[256] = {
	['0' ... '9'] = HEX | BASE64URL, ['a' ... 'f'] = HEX | BASE64URL,
	['g' ... 'z'] = BASE64URL, ['A' ... 'Z'] = BASE64URL, ['-'] = BASE64URL, ['_'] = BASE64URL,
};

static int all_are(const char *s, size_t len, unsigned kind)
{
	for (size_t i = 0; i < len; i++) {
		if (!(letters[(unsigned char)s[i]] & kind))
			return 0;
	}
	return 1;
}

static int token_is_text(const char *s)
{
	const char *id = s + strlen(PREFIX);

	return strnlen(s, TEXT_LEN + 1) == TEXT_LEN && !strncmp(s, PREFIX, strlen(PREFIX)) &&
	       all_are(id, ID_LEN, HEX) && id[ID_LEN] == '_' &&
	       all_are(id + ID_LEN + 1, SECRET_LEN, BASE64URL);
}

static int known_compare(const void *a, const void *b)
{
	return memcmp((*(struct known *const *)a)->id, (*(struct known *const *)b)->id, ID_LEN);
}

/* As the store has it; what is noted here may be newer. */
static void known_set(struct known *item, const struct token *token)
{
	memcpy(item->id, token->id, ID_LEN);
	memcpy(item->hash, token->hash, sizeof(item->hash));
	memcpy(item->caller.owner, token->owner, sizeof(item->caller.owner));
	memcpy(item->caller.org, token->org, sizeof(item->caller.org));
	item->caller.role = token->role;
	item->expires_ms = token->expires_ms;
	item->revoked_ms = token->revoked_ms;
	if (token->used_ms > item->noted_ms)
		item->noted_ms = token->used_ms;
}

/* The last one that is not after `id`; the first, if all are. Takes as many steps for any id. */
static size_t table_search(const struct table *table, const char *id)
{
	size_t at = 0, left = table->count;

	while (left > 1) {
		size_t half = left / 2;

		at = memcmp(table->items[at + half]->id, id, ID_LEN) <= 0 ? at + half : at;
		left -= half;
	}
	return at;
}

static void table_insert(struct table *table, size_t at, const struct token *token)
{
	struct known *item = xcalloc(1, sizeof(*item));

	known_set(item, token);
	table->items = xgrow(table->items, table->count, sizeof(struct known *));
	memmove(&table->items[at + 1], &table->items[at],
		(table->count - at) * sizeof(struct known *));
	table->items[at] = item;
	table->count++;
}

static void table_add(void *arg, const struct token *token)
{
	struct table *table = arg;

	table_insert(table, table->count, token);
}

static void table_put(void *arg, const struct token *token)
{
	struct table *table = arg;
	size_t at = table_search(table, token->id);
	int order = table->count ? memcmp(table->items[at]->id, token->id, ID_LEN) : 1;

	if (order == 0)
		known_set(table->items[at], token);
	else
		table_insert(table, order < 0 ? at + 1 : at, token);
}

static void table_fini(struct table *table)
{
	for (size_t i = 0; i < table->count; i++)
		free(table->items[i]);
	free(table->items);
}

/* The store may not have them yet. Both are ordered by id. */
static void notes_keep(struct table *table, const struct table *before)
{
	size_t at = 0;

	for (size_t i = 0; i < table->count; i++) {
		struct known *item = table->items[i];

		while (at < before->count && memcmp(before->items[at]->id, item->id, ID_LEN) < 0)
			at++;
		if (at < before->count && !memcmp(before->items[at]->id, item->id, ID_LEN) &&
		    before->items[at]->noted_ms > item->noted_ms)
			item->noted_ms = before->items[at]->noted_ms;
	}
}

static int table_load(struct auth *auth, int64_t epoch, struct err *err)
{
	struct table table = { 0 };

	if (store_token_each(auth->reader, table_add, &table, err)) {
		table_fini(&table);
		return -1;
	}
	if (table.count)
		qsort(table.items, table.count, sizeof(*table.items), known_compare);
	notes_keep(&table, &auth->table);
	table_fini(&auth->table);
	auth->table = table;
	auth->epoch = epoch;
	auth->counters.tokens = table.count;
	return 0;
}

/*
 * A daemon may have a hundred thousand tokens, and nothing else is answered while they are read. An epoch
 * that is lower than before is that of another database, or of one that has lost commits.
 */
static int table_update(struct auth *auth, int64_t epoch, struct err *err)
{
	if (epoch == auth->epoch)
		return 0;
	if (epoch < auth->epoch)
		return table_load(auth, epoch, err);
	if (store_token_changed_each(auth->reader, auth->epoch, table_put, &auth->table, err))
		return -1;
	auth->epoch = epoch;
	auth->counters.tokens = auth->table.count;
	return 0;
}

/* In this order, a token added in between is read twice rather than missed. */
static int epoch_look(struct auth *auth, int64_t *ret, struct err *err)
{
	auth->looked_ms = env_mono_ms(auth->env);
	auth->looked_version = store_data_version(auth->reader);
	return store_token_epoch(auth->reader, ret, err);
}

int auth_reload(struct auth *auth, struct err *err)
{
	int64_t epoch;

	return epoch_look(auth, &epoch, err) || table_load(auth, epoch, err) ? -1 : 0;
}

int auth_update(struct auth *auth, struct err *err)
{
	int64_t epoch;

	return epoch_look(auth, &epoch, err) || table_update(auth, epoch, err) ? -1 : 0;
}

int auth_new(const struct env *env, struct store *reader, struct auth **ret, struct err *err)
{
	struct auth *auth = xcalloc(1, sizeof(*auth));

	auth->env = env;
	auth->reader = reader;
	env_random(env, &auth->seed, sizeof(auth->seed));
	env_random(env, auth->dummy.hash, sizeof(auth->dummy.hash));
	auth->dummy.revoked_ms = 1;
	auth->throttle = auth_throttle_new(auth->seed);
	if (auth_reload(auth, err)) {
		auth_free(auth);
		return -1;
	}
	*ret = auth;
	return 0;
}

void auth_use_clock(struct auth *auth, const struct daemons_source *clock)
{
	auth->clock = clock;
}

void auth_free(struct auth *auth)
{
	if (!auth)
		return;
	auth_throttle_free(auth->throttle);
	table_fini(&auth->table);
	free(auth);
}

/* If the store cannot be read, the tokens stay as they are; retried after a second. */
static void auth_refresh(struct auth *auth)
{
	struct err err;

	auth->has_failed = auth_update(auth, &err) != 0;
	if (auth->has_failed)
		log_warning(NULL, "cannot read the API tokens: %s; using those read before",
			    err.text);
}

/* An unknown id gets the dummy. */
static struct known *table_find(struct auth *auth, const char *id)
{
	size_t at = table_search(&auth->table, id);

	return auth->table.count && !memcmp(auth->table.items[at]->id, id, ID_LEN) ?
		       auth->table.items[at] :
		       &auth->dummy;
}

/* "Bearer", one space, the token. The scheme is case-insensitive. */
static const char *bearer_text(const char *authorization)
{
	if (!authorization || strncasecmp(authorization, "Bearer ", 7))
		return "";
	return authorization + 7;
}

int64_t auth_now_ms(const struct auth *auth)
{
	int64_t now_ms = auth->clock ? daemons_now_ms(auth->clock) : 0;

	return now_ms ? now_ms : env_likely_ms(auth->env);
}

static int has_ended(const struct auth *auth, const struct known *token)
{
	if (token->revoked_ms || !token->expires_ms)
		return token->revoked_ms != 0;
	return auth_now_ms(auth) >= token->expires_ms;
}

/*
 * Finds the token with this text, whether it has ended or not. NULL: there is none. Each text costs
 * the same digest and the same comparison.
 */
static struct known *auth_find(struct auth *auth, const char *text)
{
	static const char nothing[TOKEN_TEXT_SIZE] = PREFIX
		"0000000000000000_0000000000000000000000000000000000000000000";
	unsigned char hash[HASH_SHA256_LEN];
	struct known *found;
	int good = token_is_text(text);
	int same;

	if (!good)
		text = nothing;
	hash_sha256(text, TEXT_LEN, hash);
	found = table_find(auth, text + strlen(PREFIX));
	same = hash_equal(hash, found->hash, sizeof(hash));
	return good && same ? found : NULL;
}

/* Once a minute for each token; what has no room is noted at a later use. */
static void use_note(struct auth *auth, struct known *token)
{
	int64_t now_ms = env_wall_ms(auth->env), since_ms = now_ms - token->noted_ms;

	/* A clock that was ahead must not end it. */
	if ((since_ms < USE_MS && since_ms > -USE_FUTURE_MS) || auth->use_count == AUTH_USES_MAX)
		return;
	token->noted_ms = now_ms;
	memcpy(auth->uses[auth->use_count].id, token->id, sizeof(token->id));
	auth->uses[auth->use_count++].used_ms = now_ms;
}

size_t auth_take_uses(struct auth *auth, struct auth_use ret[AUTH_USES_MAX])
{
	size_t count = auth->use_count;

	memcpy(ret, auth->uses, count * sizeof(*ret));
	auth->use_count = 0;
	return count;
}

int auth_has_uses(const struct auth *auth)
{
	return auth->use_count > 0;
}

static int auth_verify(struct auth *auth, const char *text, struct caller *ret)
{
	struct known *found = auth_find(auth, text);

	if (!found || has_ended(auth, found))
		return 0;
	use_note(auth, found);
	*ret = found->caller;
	return 1;
}

int auth_peek(struct auth *auth, const char *authorization, struct caller *ret)
{
	if (env_mono_ms(auth->env) - auth->looked_ms >= REFRESH_MS)
		auth_refresh(auth);
	return auth_verify(auth, bearer_text(authorization), ret);
}

static int may_look(struct auth *auth, int is_limited)
{
	int64_t now = env_mono_ms(auth->env);

	if (now - auth->spare_ms >= REFRESH_MS) {
		auth->spare_ms = now;
		auth->spare = LOOKS_SPARE;
	}
	if (now - auth->looked_ms >= LOOK_MS)
		return 1;
	if (is_limited || !auth->spare)
		return 0;
	auth->spare--;
	return 1;
}

/* The token may be newer than the table. 1: it is, and valid. */
static int auth_look(struct auth *auth, const char *text, int is_limited, struct caller *ret)
{
	uint64_t version;

	if (!token_is_text(text) || auth->has_failed)
		return 0;
	/* 0: nothing tells whether something was committed. */
	version = store_data_version(auth->reader);
	if ((version && version == auth->looked_version) || !may_look(auth, is_limited))
		return 0;
	auth_refresh(auth);
	return auth_verify(auth, text, ret);
}

const char *auth_refusal(struct auth *auth, const char *authorization)
{
	const char *text = bearer_text(authorization);
	const struct known *found = auth_find(auth, text);
	char when[TIME_TEXT_ROOM];

	/* Only to whom has the whole token: others learn nothing of which tokens there are. */
	if (!found)
		return text[0] ? "a valid bearer token is required; this one is not known here" :
				 "a bearer token is required";
	time_format(found->revoked_ms ? found->revoked_ms : found->expires_ms, when);
	snprintf(auth->refusal, sizeof(auth->refusal),
		 "this token %s on %.10s at %.8s UTC; ask an operator for a new one",
		 found->revoked_ms ? "was revoked" : "expired", when, when + 11);
	return auth->refusal;
}

enum auth_result auth_check(struct auth *auth, const char *authorization, const char *address,
			    int refusals_per_minute, struct caller *ret)
{
	int64_t now = env_mono_ms(auth->env);

	if (auth_peek(auth, authorization, ret) ||
	    auth_look(auth, bearer_text(authorization),
		      auth_throttle_is_full(auth->throttle, address, refusals_per_minute, now),
		      ret)) {
		auth->counters.accepted++;
		return AUTH_OK;
	}
	auth->counters.refused++;
	if (!auth_throttle_count(auth->throttle, address, refusals_per_minute, now))
		return AUTH_REFUSED;
	auth->counters.limited++;
	return AUTH_LIMITED;
}

int64_t auth_expires_ms(struct auth *auth, const char *authorization)
{
	const char *text = bearer_text(authorization);

	return token_is_text(text) ? table_find(auth, text + strlen(PREFIX))->expires_ms : 0;
}

static uint64_t text_hash(uint64_t hash, const char *text)
{
	/* FNV-1a, with the NUL */
	do
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
	while (*text++);
	return hash;
}

uint64_t auth_owner(const struct auth *auth, const struct caller *caller)
{
	return text_hash(text_hash(auth->seed, caller->owner), caller->org);
}

const struct auth_counters *auth_counters(const struct auth *auth)
{
	return &auth->counters;
}
