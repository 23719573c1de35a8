/* SPDX-License-Identifier: MIT */
#include "api/token_change.h"

#include <string.h>

#include "util/text.h"

#define DAY_MS (24 * INT64_C(3600000))

/* ---- what there is ------------------------------------------------------------------------ */

int token_is_valid(const struct token *token, int64_t now_ms)
{
	return !token->revoked_ms && (!token->expires_ms || token->expires_ms > now_ms);
}

const char *token_state(const struct token *token, int64_t now_ms)
{
	if (token->revoked_ms)
		return "revoked";
	return token_is_valid(token, now_ms) ? "valid" : "expired";
}

/* Another admin token that is valid for long enough; a valid successor. */
struct token_search {
	const struct token_change *change;
	int has_admin, has_successor;
	struct token successor;
};

static void search_look(void *arg, const struct token *t)
{
	struct token_search *search = arg;
	const struct token_change *change = search->change;

	if (t->role == TOKEN_ADMIN && strcmp(t->id, change->id) != 0 &&
	    token_is_valid(t, change->now_ms + TOKEN_ADMIN_LEFT_MS))
		search->has_admin = 1;
	if (strcmp(t->rotated_from, change->id) == 0 && token_is_valid(t, change->now_ms)) {
		search->has_successor = 1;
		search->successor = *t;
	}
}

/* ---- the changes -------------------------------------------------------------------------- */

/* Is the token that has the key's id the one that this request makes? */
static int is_same(const struct token *a, const struct token *b)
{
	int64_t a_ms = a->expires_ms ? a->expires_ms - a->created_ms : 0;
	int64_t b_ms = b->expires_ms ? b->expires_ms - b->created_ms : 0;

	return !strcmp(a->owner, b->owner) && !strcmp(a->org, b->org) && a->role == b->role &&
	       !strcmp(a->label, b->label) && !strcmp(a->rotated_from, b->rotated_from) &&
	       (a->rotated_from[0] || a_ms == b_ms);
}

/* 1: the request was seen before, and the result is set; 0; -1. */
static int key_look(struct store *store, struct token_change *change, struct err *err)
{
	struct token known;
	int rc = change->is_keyed ? store_token_get(store, change->token.id, &known, err) : 1;

	if (rc)
		return rc < 0 ? -1 : 0;
	change->result = is_same(&known, &change->token) ? TOKEN_REPLAY : TOKEN_KEY_REUSED;
	change->token = known;
	return 1;
}

/*
 * By the newest time that the store knows to be right: a clock that is ahead must not remove tokens that
 * are valid.
 */
static int old_forget(struct store *store, const struct token_change *change, struct err *err)
{
	int64_t now_ms, before_ms;
	int is_trusted;

	if (store_clock_get(store, &now_ms, &is_trusted, err))
		return -1;
	if (now_ms > change->now_ms)
		now_ms = change->now_ms;
	before_ms = now_ms - TOKEN_KEEP_DAYS * DAY_MS;
	return before_ms > 0 ? store_token_forget(store, before_ms, TOKEN_FORGET, err) : 0;
}

static int new_add(struct store *store, struct token_change *change, struct err *err)
{
	int64_t count;

	if (old_forget(store, change, err) || store_token_count(store, &count, err))
		return -1;
	if (count >= TOKENS_MAX) {
		change->result = TOKEN_FULL;
		return 0;
	}
	return store_token_add(store, &change->token, err);
}

static int add_apply(struct store *store, struct token_change *change, struct err *err)
{
	int rc = key_look(store, change, err);

	return rc ? (rc < 0 ? -1 : 0) : new_add(store, change, err);
}

static int revoke_apply(struct store *store, struct token_change *change, struct err *err)
{
	struct token_search search = { .change = change };

	change->token = change->old;
	if (change->token.revoked_ms) {
		change->result = TOKEN_REPLAY;
		return 0;
	}
	if (store_token_each(store, search_look, &search, err) < 0)
		return -1;
	if (change->token.role == TOKEN_ADMIN && token_is_valid(&change->token, change->now_ms) &&
	    !search.has_admin && !change->may_end_admins) {
		change->result = TOKEN_LAST_ADMIN;
		return 0;
	}
	change->token.revoked_ms = change->now_ms;
	return store_token_revoke(store, change->id, change->now_ms, err);
}

/* Of the new token of a rotation. */
static int64_t rotated_expires_ms(const struct token_change *change)
{
	const struct token *old = &change->old;

	if (change->expires_ms)
		return change->expires_ms < 0 ? 0 : change->expires_ms;
	return old->expires_ms ? change->now_ms + old->expires_ms - old->created_ms : 0;
}

static void rotated_fill(struct token_change *change)
{
	struct token *token = &change->token;

	TEXT_SET(token->owner, change->old.owner);
	TEXT_SET(token->org, change->old.org);
	TEXT_SET(token->label, change->old.label);
	TEXT_SET(token->rotated_from, change->old.id);
	token->role = change->old.role;
	token->created_ms = change->now_ms;
	token->expires_ms = rotated_expires_ms(change);
}

static int old_end(struct store *store, struct token_change *change, struct err *err)
{
	struct token *old = &change->old;
	int64_t end_ms = change->now_ms + change->grace_ms;

	if (!change->grace_ms) {
		old->revoked_ms = change->now_ms;
		return store_token_revoke(store, old->id, change->now_ms, err);
	}
	if (old->expires_ms && old->expires_ms <= end_ms)
		return 0;
	old->expires_ms = end_ms;
	return store_token_expire(store, old->id, end_ms, err);
}

static int rotate_apply(struct store *store, struct token_change *change, struct err *err)
{
	struct token_search search = { .change = change };
	int rc;

	rotated_fill(change);
	rc = key_look(store, change, err);
	if (rc)
		return rc < 0 ? -1 : 0;
	if (store_token_each(store, search_look, &search, err) < 0)
		return -1;
	if (search.has_successor) {
		change->result = TOKEN_REPLACED;
		change->token = search.successor;
		return 0;
	}
	if (!token_is_valid(&change->old, change->now_ms)) {
		change->result = TOKEN_ENDED;
		return 0;
	}
	return old_end(store, change, err) || new_add(store, change, err) ? -1 : 0;
}

static int change_apply(struct store *store, struct token_change *change, struct err *err)
{
	int rc;

	change->result = TOKEN_DONE;
	if (change->op == TOKEN_ADD)
		return add_apply(store, change, err);
	rc = store_token_get(store, change->id, &change->old, err);
	if (rc) {
		change->result = TOKEN_NOT_FOUND;
		return rc < 0 ? -1 : 0;
	}
	return change->op == TOKEN_REVOKE ? revoke_apply(store, change, err) :
					    rotate_apply(store, change, err);
}

int token_change_run(struct store *store, struct token_change *change, int *ret_is_unsure,
		     struct err *err)
{
	*ret_is_unsure = 0;
	if (store_begin(store, err) < 0)
		return -1;
	if (store_token_lock(store, err) || change_apply(store, change, err)) {
		store_rollback(store);
		return -1;
	}
	/* Nothing was changed, so no daemon need read the tokens again. */
	if (change->result != TOKEN_DONE) {
		store_rollback(store);
		return 0;
	}
	*ret_is_unsure = 1;
	return store_commit(store, err);
}
