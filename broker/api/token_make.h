/* SPDX-License-Identifier: MIT */
/* New tokens; api/auth.h says what their text is. Any thread. */
#pragma once

#include "store/store.h"
#include "util/env.h"
#include "util/err.h"

#define TOKEN_TEXT_SIZE 65

/*
 * Makes a token: the text, which is shown once, and the row to store. ERR_INVALID if owner or
 * org is malformed (api/validate.h). expires_ms 0: never.
 */
int token_make(const struct env *env, const char *owner, const char *org, enum token_role role,
	       int64_t expires_ms, char text[TOKEN_TEXT_SIZE], struct token *ret, struct err *err);
/* The same for a rotation, which fills in the rest. */
void token_make_secret(const struct env *env, char text[TOKEN_TEXT_SIZE], struct token *ret);
/* Its id stands for this key of this client: who repeats a request meets the token it made before. */
void token_make_keyed(const struct env *env, const char *key, char text[TOKEN_TEXT_SIZE],
		      struct token *ret);
