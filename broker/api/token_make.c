/* SPDX-License-Identifier: MIT */
#include "api/token_make.h"

#include <stdio.h>
#include <string.h>

#include "api/validate.h"
#include "util/hash.h"
#include "util/text.h"

#define ID_BYTES 8
#define SECRET_BYTES 32

static void text_make(const struct env *env, const unsigned char id[ID_BYTES],
		      char text[TOKEN_TEXT_SIZE], struct token *ret)
{
	unsigned char bytes[SECRET_BYTES];
	char secret[HASH_BASE64_ROOM(SECRET_BYTES)];

	env_random(env, bytes, sizeof(bytes));
	hash_hex(id, ID_BYTES, ret->id);
	hash_base64url(bytes, sizeof(bytes), secret);
	snprintf(text, TOKEN_TEXT_SIZE, "lsr_%s_%s", ret->id, secret);
	hash_sha256(text, TOKEN_TEXT_SIZE - 1, ret->hash);
	ret->created_ms = env_wall_ms(env);
	hash_wipe(bytes, sizeof(bytes));
	hash_wipe(secret, sizeof(secret));
}

void token_make_secret(const struct env *env, char text[TOKEN_TEXT_SIZE], struct token *ret)
{
	unsigned char id[ID_BYTES];

	memset(ret, 0, sizeof(*ret));
	env_random(env, id, sizeof(id));
	text_make(env, id, text, ret);
}

void token_make_keyed(const struct env *env, const char *key, char text[TOKEN_TEXT_SIZE],
		      struct token *ret)
{
	unsigned char digest[HASH_SHA256_LEN];

	memset(ret, 0, sizeof(*ret));
	hash_sha256(key, strlen(key), digest);
	text_make(env, digest, text, ret);
}

int token_make(const struct env *env, const char *owner, const char *org, enum token_role role,
	       int64_t expires_ms, char text[TOKEN_TEXT_SIZE], struct token *ret, struct err *err)
{
	if (!validate_owner(owner))
		return err_set(err, ERR_INVALID,
			       "an owner must be 1 to 127 characters of "
			       "[A-Za-z0-9._@:+-] and begin with a letter or digit");
	if (!validate_org(org))
		return err_set(err, ERR_INVALID,
			       "an organisation must be 1 to 63 characters of "
			       "[A-Za-z0-9._@:+-] and begin with a letter or digit");
	token_make_secret(env, text, ret);
	TEXT_SET(ret->owner, owner);
	TEXT_SET(ret->org, org);
	ret->role = role;
	ret->expires_ms = expires_ms;
	return 0;
}
