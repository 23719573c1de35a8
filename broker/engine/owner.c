/* SPDX-License-Identifier: MIT */
#include "engine/owner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/shards.h"
#include "util/alloc.h"
#include "util/hash.h"
#include "util/text.h"

#define RETRY_MS 200
#define SEEK_MS 50

/* Engine thread of the account. */
struct owner {
	const struct owner_config *config;
	struct engine_ownership ownership;
	_Atomic int64_t *last_move_ms;
	char account[32];
	struct store *store; /* NULL: not open yet */
	int64_t seq;	     /* the highest that this owner saw */
	int is_fresh;	     /* nobody here had watched the row when it was claimed */
	int64_t begun_ms;
	int64_t free_ms; /* since when nobody holds the row, monotonic clock; 0: somebody does */
	int64_t unwanted_ms; /* since when another should be the owner; 0: none */
	int64_t rest_ms;     /* when the engine began to rest before a move; 0: it does not */
	int64_t rest_again_ms;
};

static int64_t now_ms(const struct owner *o)
{
	return env_mono_ms(o->config->env);
}

static size_t rank_of(const struct owner *o, const char *without)
{
	return o->config->rank ? o->config->rank(o->config->arg, o->account, without) : 0;
}

/* ---- claims ------------------------------------------------------------------------------- */

/* Whoever comes first for the account may claim first. */
static int is_our_turn(struct owner *o, size_t rank)
{
	int64_t now = now_ms(o);

	if (!o->free_ms)
		o->free_ms = now;
	return now - o->free_ms >= (int64_t)rank * OWNER_HEAD_START_MS;
}

struct row_wanted {
	const char *account;
	int is_held;
	int64_t seq;
	char left[sizeof(((struct shard *)0)->address)]; /* who gave it up; "": nobody did */
	char frozen[sizeof(((struct shard *)0)->frozen)];
};

static void row_look(void *arg, const struct shard *row)
{
	struct row_wanted *wanted = arg;

	if (strcmp(row->account, wanted->account) != 0)
		return;
	wanted->is_held = shard_is_held(row);
	wanted->seq = row->seq;
	TEXT_SET(wanted->frozen, row->frozen);
	if (!row->owner[0])
		TEXT_SET(wanted->left, row->address);
}

/* Does nobody hold the row, and is it our turn? 1; 0; -1. */
static int row_is_for_us(struct owner *o, struct err *err)
{
	struct row_wanted wanted = { .account = o->account };

	if (shards_each(o->store, row_look, &wanted, err))
		return -1;
	if (wanted.is_held) {
		o->free_ms = 0;
		return 0;
	}
	/* It knows best that it does not want it, as at its end: its row says that only later. */
	return is_our_turn(o, rank_of(o, wanted.left));
}

static int64_t seq_seen(const struct owner_config *config, const char *account)
{
	return config->seen_seq ? config->seen_seq(config->arg, account) : 0;
}

int owner_claim(const struct owner_config *config, const char *account, int64_t seq,
		struct store *store, struct shard *ret, struct err *err)
{
	int64_t seen = seq_seen(config, account);
	unsigned char bytes[SHARD_NONCE_CHARS / 2];
	char nonce[SHARD_NONCE_CHARS + 1];
	struct shard_claim claim = {
		.account = account,
		.nonce = nonce,
		.address = config->self,
		.ttl_ms = SHARD_TTL_MS,
		.seen_seq = seen > seq ? seen : seq,
		.presume_ms = OWNER_PRESUME_MS,
		.require_sync = config->require_sync,
	};

	env_random(config->env, bytes, sizeof(bytes));
	hash_hex(bytes, sizeof(bytes), nonce);
	return shard_claim(store, &claim, ret, err);
}

static int claim_now(struct owner *o, struct shard *row, struct err *err)
{
	/* What was read just before the claim, or only then, shows nothing that was lost. */
	int is_fresh = !o->seq && (!seq_seen(o->config, o->account) ||
				   now_ms(o) - o->begun_ms < OWNER_SETTLE_MS);
	int rc = owner_claim(o->config, o->account, o->seq, o->store, row, err);

	o->is_fresh = is_fresh;
	if (rc == 1)
		o->free_ms = 0;
	return rc;
}

/* A connection that fails is closed: the next try begins with a new one. */
static int claim_failed(struct owner *o)
{
	store_close(o->store);
	o->store = NULL;
	return -1;
}

static int claim(void *arg, struct store **ret, struct err *err)
{
	struct owner *o = arg;
	struct shard row;
	int rc;

	if (!o->store && store_open(o->config->store, o->config->env, &o->store, err)) {
		o->store = NULL;
		return -1;
	}
	rc = rank_of(o, "") ? row_is_for_us(o, err) : 1;
	if (rc < 0)
		return claim_failed(o);
	if (!rc)
		return 1;
	rc = claim_now(o, &row, err);
	if (rc < 0)
		return claim_failed(o);
	if (rc)
		return 1;
	/* What it has lost is recorded by now, and is lost once. */
	o->seq = row.seq;
	o->free_ms = o->unwanted_ms = o->rest_ms = 0;
	*ret = o->store;
	return 0;
}

/* ---- while it is owned ----------------------------------------------------------------------- */

static int renew(void *arg, struct store *store, struct err *err)
{
	(void)arg;
	if (shard_renew(store, err) == 0)
		return 0;
	/* Even if it was not sent, as while the server starts: nobody knows when it can be. */
	store_break(store);
	return -1;
}

/*
 * The row was written at its now_ms, not before its statement was sent: the ends of permits are
 * rather set too late than too early.
 */
static int64_t store_ahead_ms(const struct owner *o, const struct shard *row, int64_t until_mono_ms)
{
	int64_t sent_mono_ms = until_mono_ms - SHARD_TTL_MS;

	return row->now_ms + (now_ms(o) - sent_mono_ms) - env_wall_ms(o->config->env);
}

static void seq_note(struct owner *o, const struct shard *row)
{
	o->seq = row->seq;
	if (o->config->committed)
		o->config->committed(o->config->arg, row);
}

static void look(void *arg, const struct store *store, struct engine_owned *ret)
{
	const struct shard *row = store_shard(store);
	struct owner *o = arg;

	ret->until_mono_ms = shard_deadline_mono_ms(store);
	if (!row)
		return;
	ret->is_fresh = o->is_fresh;
	ret->epoch = row->epoch;
	ret->is_owed = row->is_owed;
	ret->must_renew = row->must_renew;
	ret->gaps_ms = row->gaps_ms;
	ret->frozen = row->frozen;
	ret->presumed_until_ms = row->presumed_until_ms;
	ret->store_ahead_ms = store_ahead_ms(o, row, ret->until_mono_ms);
	if (row->seq > o->seq)
		seq_note(o, row);
}

/*
 * What froze it is over if nothing is newer than the database, and nobody has seen more of it than
 * it has now: the claim has compared the latter, and the other daemons had time to.
 */
static int reconciled(void *arg, struct store *store, const char *ahead, struct err *err)
{
	const struct shard *row = store_shard(store);
	char why[sizeof(row->frozen)];

	(void)arg;
	if (!row || !row->frozen[0])
		return 0;
	if (!ahead[0])
		return shard_thaws_by_itself(row) ? shard_thaw(store, row->frozen, err) : 0;
	snprintf(why, sizeof(why), "the account is ahead of the database: %s", ahead);
	return strcmp(why, row->frozen) == 0 ? 0 : shard_freeze(store, why, err);
}

/* Of the reason that the operator has seen: another daemon may have found a worse one since. */
static int thaw(void *arg, struct store *store, struct err *err)
{
	const struct shard *row = store_shard(store);

	(void)arg;
	return shard_thaw(store, row ? row->frozen : "", err);
}

static int credited(void *arg, struct store *store, struct err *err)
{
	(void)arg;
	return shard_credit(store, err);
}

static int tell(void *arg, struct store *store, const struct shard_standing *standing,
		struct err *err)
{
	(void)arg;
	return shard_tell(store, standing, err);
}

static int frozen(void *arg, struct store *store, char *ret, size_t size, struct err *err)
{
	struct owner *o = arg;
	struct row_wanted wanted = { .account = o->account };

	if (shards_each(store, row_look, &wanted, err))
		return -1;
	text_set(ret, size, wanted.frozen);
	return 0;
}

/*
 * Whatever broke the store, this account's memory is dropped and read anew; the other accounts and
 * the process have nothing to do with it.
 */
static int is_lost(void *arg, const struct store *store)
{
	(void)arg;
	return store_is_lost(store) || store_broken(store);
}

/* May an account of this daemon move now? Then no other does for a while. */
static int move_take(struct owner *o, int64_t now)
{
	int64_t last = atomic_load(o->last_move_ms);

	return now - last >= SHARD_TTL_MS &&
	       atomic_compare_exchange_strong(o->last_move_ms, &last, now);
}

static int is_unwanted(void *arg)
{
	struct owner *o = arg;
	int64_t now = now_ms(o);

	if (!rank_of(o, "")) {
		o->unwanted_ms = o->rest_ms = 0;
		return 0;
	}
	if (!o->unwanted_ms)
		o->unwanted_ms = now;
	if (o->rest_ms && now - o->rest_ms >= OWNER_REST_MS) {
		o->rest_ms = 0;
		o->rest_again_ms = now + OWNER_REST_AGAIN_MS;
	}
	if (!o->rest_ms && now - o->unwanted_ms >= OWNER_SETTLE_MS && now >= o->rest_again_ms &&
	    move_take(o, now))
		o->rest_ms = now;
	return o->rest_ms != 0;
}

static void end(void *arg, struct store *store, int yield)
{
	struct owner *o = arg;

	if (yield && !store_is_lost(store) && !store_broken(store))
		shard_yield(store, NULL);
	o->free_ms = o->rest_ms = 0;
	/* What it had prepared and read belongs to the claim. */
	store_close(store);
	o->store = NULL;
}

/* ---- begin and end ---------------------------------------------------------------------------- */

struct owner *owner_new(const struct owner_config *config, const char *account,
			_Atomic int64_t *last_move_ms)
{
	struct owner *o = xcalloc(1, sizeof(*o));

	o->config = config;
	o->last_move_ms = last_move_ms;
	TEXT_SET(o->account, account);
	o->begun_ms = now_ms(o);
	o->ownership = (struct engine_ownership){
		.claim = claim,
		.renew = renew,
		.look = look,
		.credited = credited,
		.reconciled = reconciled,
		.thaw = thaw,
		.frozen = frozen,
		.tell = tell,
		.is_lost = is_lost,
		.is_unwanted = is_unwanted,
		.end = end,
		.ttl_ms = SHARD_TTL_MS,
		.renew_ms = SHARD_RENEW_MS,
		.margin_ms = SHARD_MARGIN_MS,
		.retry_ms = RETRY_MS,
		.seek_ms = SEEK_MS,
		.arg = o,
	};
	return o;
}

void owner_free(struct owner *owner)
{
	if (!owner)
		return;
	store_close(owner->store);
	free(owner);
}

const struct engine_ownership *owner_ownership(struct owner *owner)
{
	return &owner->ownership;
}
