/* SPDX-License-Identifier: MIT */
/*
 * Authentication by tokens. The text of a token is
 *
 *	lsr_<16 hex digits: its public id>_<43 characters base64url: 256 random bits>
 *
 * Only the SHA-256 of the whole text is stored, so neither the database nor a backup of it
 * grants access. A token is found by its public id and compared in constant time; an unknown
 * id, an expired token and a malformed text cost the same digest and the same comparison.
 *
 * The tokens are held in memory; those that have changed are read again when the store reports
 * that one was added, limited or revoked. The store is asked once a second, and before a token is
 * refused, if it has the form of one and something may have been committed since. So that bad
 * tokens do not cost the store a read each: every 100 ms at most, and ten more times a second for
 * addresses that were not refused too often. So a new token, of whatever daemon, is good at once;
 * while others flood this one with bad tokens, or its own address did, it may be refused for 100
 * ms.
 *
 * Loop thread only.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "api/daemons.h"
#include "api/token_make.h"
#include "engine/engine.h"
#include "store/store.h"
#include "util/env.h"
#include "util/err.h"

enum auth_result {
	AUTH_OK,
	AUTH_REFUSED, /* 401 */
	AUTH_LIMITED, /* 429: too many refusals of this address */
};

struct auth;

struct auth_counters {
	uint64_t accepted, refused, limited;
	size_t tokens;
};

int auth_new(const struct env *env, struct store *reader, struct auth **ret, struct err *err);
void auth_free(struct auth *auth); /* NULL is allowed */
/* The clock by which tokens expire, if it is known; borrowed. Without it: the most likely time. */
void auth_use_clock(struct auth *auth, const struct daemons_source *clock);
/* Reads all tokens again, or those that have changed. On -1 the old ones stay. */
int auth_reload(struct auth *auth, struct err *err);
int auth_update(struct auth *auth, struct err *err);
/*
 * `authorization` is the value of the header, or NULL; `address` is the peer's. A valid token
 * is accepted however often its address was refused.
 */
enum auth_result auth_check(struct auth *auth, const char *authorization, const char *address,
			    int refusals_per_minute, struct caller *ret);
/*
 * Verifies a token without counting anything: 1 valid, 0 not, or newer than what was read in the
 * last second.
 */
int auth_peek(struct auth *auth, const char *authorization, struct caller *ret);
/* When a token that was accepted expires, wall clock ms; 0: never. */
int64_t auth_expires_ms(struct auth *auth, const char *authorization);
/*
 * Why a token that auth_check or auth_peek has just refused is not valid: when it expired or was
 * revoked, for a caller who has the whole token. Borrowed, until the next call.
 */
const char *auth_refusal(struct auth *auth, const char *authorization);
/* The time by which tokens expire. */
int64_t auth_now_ms(const struct auth *auth);
/*
 * Each use of a token is noted in memory, if none was in the last minute; whoever writes them to the
 * store takes them here. Returns how many.
 */
#define AUTH_USES_MAX 256
struct auth_use {
	char id[17];
	int64_t used_ms;
};
int auth_has_uses(const struct auth *auth);
size_t auth_take_uses(struct auth *auth, struct auth_use ret[AUTH_USES_MAX]);
/* Identifies owner and organisation to the HTTP server (http_exchange_trust). */
uint64_t auth_owner(const struct auth *auth, const struct caller *caller);
const struct auth_counters *auth_counters(const struct auth *auth);
