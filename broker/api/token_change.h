/* SPDX-License-Identifier: MIT */
/*
 * What may be done to the tokens of clients: the API's admins and `lessord token` use the same. Each
 * change is a transaction of its own, in which no other daemon changes a token.
 *
 * A rotation replaces a token by a new one with the same owner, organisation, role and label, and the
 * same lifetime, counted from now; the old one stays valid for a grace, so that whoever uses it can
 * change over.
 *
 * Tokens are kept for a while after their end, so that whoever still uses one is told when it ended. Each
 * new one removes some that are older. Any thread.
 */
#pragma once

#include "store/store.h"
#include "util/err.h"

#define TOKEN_GRACE_MS (24 * INT64_C(3600000)) /* of a rotation that does not say */
#define TOKEN_GRACE_MAX_MS (90 * TOKEN_GRACE_MS)
/* The last admin token may not be removed: another must be valid for so long. */
#define TOKEN_ADMIN_LEFT_MS (24 * INT64_C(3600000))

/* So many there are at most, ended ones included: each daemon has all of them in memory. */
#define TOKENS_MAX 100000
/* How long they are kept after their end, and how many a new one removes. */
#define TOKEN_KEEP_DAYS 90
#define TOKEN_FORGET 1000

enum token_op { TOKEN_ADD, TOKEN_REVOKE, TOKEN_ROTATE };

enum token_result {
	TOKEN_DONE,
	TOKEN_REPLAY,	  /* it was done before */
	TOKEN_KEY_REUSED, /* `is_keyed`, and the key stands for another token */
	TOKEN_FULL,	  /* add, rotate: there are TOKENS_MAX */
	TOKEN_NOT_FOUND,
	TOKEN_ENDED,	  /* rotate: it was revoked or has expired */
	TOKEN_REPLACED,	  /* rotate: that was done, and its successor, in `token`, is valid */
	TOKEN_LAST_ADMIN, /* revoke: then nobody could make a token through the API */
};

struct token_change {
	enum token_op op;
	char id[17]; /* revoke, rotate: which */
	int64_t now_ms;
	int64_t grace_ms;   /* rotate: how long the old one stays valid; 0: it is revoked */
	int64_t expires_ms; /* rotate: of the new one; 0: the same lifetime; -1: never */
	int is_keyed;	    /* the id of `token` is token_make_keyed's */
	int may_end_admins; /* revoke: even the last admin token */
	/* add, rotate: the new one, as made, and then as stored; revoke: the one, as it is now */
	struct token token;
	struct token old; /* rotate: the one that is replaced, as it is now */
	enum token_result result;
};

/* -1: nothing was changed, unless *ret_is_unsure: then the commit may have happened. */
int token_change_run(struct store *store, struct token_change *change, int *ret_is_unsure,
		     struct err *err);
/* "valid", "expired" or "revoked" */
const char *token_state(const struct token *token, int64_t now_ms);
int token_is_valid(const struct token *token, int64_t now_ms);
