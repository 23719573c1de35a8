/* SPDX-License-Identifier: MIT */
/*
 * Who asks. A token's text is
 *
 *	lsr_<16 hex digits: its public id>_<43 characters base64url: 256 random bits>
 *
 * and only the SHA-256 of the whole text is stored, so that neither the database nor
 * a backup of it opens anything. Found by the public id, compared in constant time;
 * an unknown id, an expired token and a text that is no token cost the same digest
 * and the same comparison.
 *
 * The tokens are kept in memory and read again when the store says that one was
 * added or revoked. It is asked once a second, and before a token is refused if
 * anything was committed since. Loop thread only, but for token_make, which any
 * thread may call.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "engine/engine.h"
#include "store/store.h"
#include "util/env.h"
#include "util/err.h"

#define TOKEN_TEXT_ROOM 65

/*
 * Makes a token: the text to hand out, once, and the row to store. ERR_INVALID when owner
 * or org is not well formed (api/validate.h). expires_ms 0 is never.
 */
int token_make(const struct env *env, const char *owner, const char *org, enum token_role role,
	       int64_t expires_ms, char text[TOKEN_TEXT_ROOM], struct token *ret, struct err *err);

enum auth_result {
	AUTH_OK,
	AUTH_REFUSED,	/* 401 */
	AUTH_LIMITED,	/* 429: refused too often from this address */
};

struct auth;

struct auth_counters {
	uint64_t accepted, refused, limited;
	size_t tokens;
};

int auth_new(const struct env *env, struct store *reader, struct auth **ret, struct err *err);
void auth_free(struct auth *auth);	/* NULL is fine */
/* Reads the tokens now. On -1 those it had stay. */
int auth_reload(struct auth *auth, struct err *err);
/*
 * `authorization` is the header's value, or NULL. `address` is the peer's: a valid token
 * is accepted however often its address was refused.
 */
enum auth_result auth_check(struct auth *auth, const char *authorization, const char *address,
			    int refusals_per_minute, struct caller *ret);
/* The same look without its consequences: 1 a good token, 0 not. Nothing is counted. */
int auth_peek(struct auth *auth, const char *authorization, struct caller *ret);
const struct auth_counters *auth_counters(const struct auth *auth);
