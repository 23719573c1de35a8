/* SPDX-License-Identifier: MIT */
/*
 * /v1/admin/tokens: the tokens of clients, for admins. The text of a token is in the answer to the
 * request that makes it and nowhere else; who repeats that request with the same Idempotency-Key
 * gets the token without its text.
 */
#include "api/tokens.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/handlers.h"
#include "api/query.h"
#include "api/reply.h"
#include "api/token_desk.h"
#include "api/token_make.h"
#include "api/token_watch.h"
#include "api/validate.h"
#include "util/alloc.h"
#include "util/hash.h"
#include "util/log.h"
#include "util/text.h"

#define LIST_DEFAULT 100
#define LIST_MAX 500
#define JOBS_MAX 64 /* changes that wait for the store */
#define USES_S 5
#define LIFETIME_MAX_S (INT64_C(100) * 366 * 86400)

/* ---- one token ---------------------------------------------------------------------------- */

static void token_render(struct jsonw *w, const char *key, const struct token *token, int64_t now_ms)
{
	jsonw_object(w, key);
	jsonw_text(w, "id", token->id);
	jsonw_text(w, "state", token_state(token, now_ms));
	jsonw_text(w, "role", token_role_name(token->role));
	jsonw_text(w, "owner", token->owner);
	jsonw_text(w, "org", token->org);
	jsonw_text_if(w, "label", token->label);
	jsonw_time(w, "createdAt", token->created_ms);
	jsonw_time(w, "expiresAt", token->expires_ms);
	jsonw_time(w, "revokedAt", token->revoked_ms);
	jsonw_time(w, "lastUsedAt", token->used_ms);
	jsonw_text_if(w, "rotatedFrom", token->rotated_from);
	jsonw_end_object(w);
}

static int is_token_id(const char *s)
{
	return strlen(s) == 16 && strspn(s, "0123456789abcdef") == 16;
}

/* ---- the list ----------------------------------------------------------------------------- */

struct token_listing {
	struct jsonw w;
	int64_t now_ms;
	int limit, count;
	char last[17];
};

static void listing_add(void *arg, const struct token *token)
{
	struct token_listing *listing = arg;

	/* One more is read, to know whether there is a next page. */
	if (listing->count++ >= listing->limit)
		return;
	token_render(&listing->w, NULL, token, listing->now_ms);
	TEXT_SET(listing->last, token->id);
}

void tokens_list(struct api_request *request)
{
	struct token_listing listing = { .now_ms = auth_now_ms(request->api->auth) };
	int64_t limit = LIST_DEFAULT;
	char cursor[24] = "";
	struct err err = { 0 };

	if (query_int(request, "limit", 1, LIST_MAX, &limit) < 0 ||
	    query_text(request, "cursor", cursor, sizeof(cursor)) < 0) {
		reply_request_error(request);
		return;
	}
	if (cursor[0] && !is_token_id(cursor)) {
		reply_error(request, 400, "invalid_query",
			    "cursor must be what the previous page gave; begin again without it");
		return;
	}
	listing.limit = (int)limit;
	listing.w = reply_begin(request);
	jsonw_object(&listing.w, NULL);
	jsonw_array(&listing.w, "tokens");
	if (store_token_page(request->api->parts.reader, cursor, (int)limit + 1, listing_add,
			     &listing, &err)) {
		reply_store_error(request, &err);
		return;
	}
	jsonw_end_array(&listing.w);
	if (listing.count > listing.limit)
		jsonw_text(&listing.w, "nextCursor", listing.last);
	jsonw_end_object(&listing.w);
	reply_json(request, 200);
}

/* ---- changes ------------------------------------------------------------------------------ */

/* A change that the desk works on. */
struct token_pending {
	struct token_job job; /* first: the desk sees only this */
	struct completion completion;
	struct api_request request;
	char text[TOKEN_TEXT_SIZE]; /* of the new token */
};

/* Desk's thread. */
static void job_done(struct token_job *job)
{
	struct token_pending *pending = (struct token_pending *)(void *)job;

	completions_put(pending->request.api->completions, &pending->completion);
}

/* Who did it, for whom: never the text. */
static void change_log(const struct token_pending *pending)
{
	static const char *const did[] = {
		[TOKEN_ADD] = "made",
		[TOKEN_REVOKE] = "revoked",
		[TOKEN_ROTATE] = "rotated",
	};
	const struct token_change *change = &pending->job.change;
	const struct token *token = &change->token;

	log_notice(LOG_FIELDS({ "token", token->id }, { "owner", token->owner },
			      { "org", token->org }, { "role", token_role_name(token->role) },
			      { "rotated_from", token->rotated_from },
			      { "by", pending->request.caller.owner },
			      { "request", http_exchange_id(pending->request.ex) }),
		   "an admin %s a client token over the API", did[change->op]);
}

static void change_refuse(struct api_request *request, const struct token_change *change)
{
	char message[160];

	switch (change->result) {
	case TOKEN_KEY_REUSED:
		reply_error(request, 409, "idempotency_key_reused",
			    "This Idempotency-Key was used for another token; use a new one.");
		break;
	case TOKEN_FULL:
		snprintf(message, sizeof(message),
			 "There are %d tokens. Give them an expiry: an ended one is removed after %d "
			 "days.",
			 TOKENS_MAX, TOKEN_KEEP_DAYS);
		reply_error(request, 409, "too_many_tokens", message);
		break;
	case TOKEN_ENDED:
		reply_error(request, 409, "token_ended",
			    "This token was revoked or has expired, so there is nothing to rotate; "
			    "make a new one.");
		break;
	case TOKEN_LAST_ADMIN:
		reply_error(request, 409, "last_admin_token",
			    "This is the last admin token that is valid for another day. Make or "
			    "rotate one first, or use lessord token revoke on the server's machine.");
		break;
	case TOKEN_REPLACED:
		snprintf(message, sizeof(message),
			 "This token was rotated already; its successor is %s. Rotate that one.",
			 change->token.id);
		reply_error(request, 409, "token_rotated", message);
		break;
	default:
		reply_error(request, 404, "not_found", "There is no token with this id.");
	}
}

static void change_answer(struct token_pending *pending)
{
	struct api_request *request = &pending->request;
	const struct token_change *change = &pending->job.change;
	int64_t now_ms = change->now_ms;
	int is_new = change->op != TOKEN_REVOKE && change->result == TOKEN_DONE;
	struct jsonw w = reply_begin(request);

	jsonw_object(&w, NULL);
	token_render(&w, "token", &change->token, now_ms);
	if (change->op == TOKEN_ROTATE)
		token_render(&w, "old", &change->old, now_ms);
	if (is_new)
		jsonw_text(&w, "secret", pending->text);
	else if (change->op != TOKEN_REVOKE)
		jsonw_text(&w, "message",
			   "This request was answered before, and the secret is shown once. If it "
			   "was lost, rotate this token without a grace.");
	jsonw_end_object(&w);
	reply_json(request, is_new ? 201 : 200);
	if (request->api->out.data)
		hash_wipe(request->api->out.data, request->api->out.room);
}

/* At once here; other daemons notice within a second. */
static void tokens_changed(struct api *api)
{
	struct err err = { 0 };

	if (auth_update(api->auth, &err))
		log_warning(NULL, "cannot reload the API tokens: %s; using those loaded before",
			    err.text);
	token_watch_check_all(api);
}

static void change_fail(struct token_pending *pending)
{
	struct api_request *request = &pending->request;

	log_warning(LOG_FIELDS({ "error", pending->job.err.text },
			       { "request", http_exchange_id(request->ex) }),
		    "cannot change the API tokens");
	http_reply_header(request->ex, "Retry-After", "2");
	reply_error(request, 503, "store_unavailable",
		    pending->job.is_unsure ?
			    "The store did not confirm the change; look at the list of tokens." :
			    "The store cannot be written now; nothing was changed. Try again.");
}

static void change_finish(struct completion *completion)
{
	struct token_pending *pending =
		(struct token_pending *)(void *)((char *)completion -
						 offsetof(struct token_pending, completion));
	struct api *api = pending->request.api;
	const struct token_change *change = &pending->job.change;

	api->token_jobs--;
	if (pending->job.has_failed) {
		change_fail(pending);
	} else if (change->result == TOKEN_DONE || change->result == TOKEN_REPLAY) {
		if (change->result == TOKEN_DONE)
			change_log(pending);
		/* Before the answer: what it says is so. */
		tokens_changed(api);
		change_answer(pending);
	} else {
		change_refuse(&pending->request, change);
	}
	hash_wipe(pending, sizeof(*pending));
	free(pending);
}

/* NULL: answered. */
static struct token_pending *change_begin(struct api_request *request, enum token_op op)
{
	const char *key = http_head_known(request->head, HTTP_FIELD_IDEMPOTENCY_KEY);
	struct token_pending *pending;

	if (op != TOKEN_ADD && !is_token_id(request->param)) {
		reply_error(request, 404, "not_found", "There is no token with this id.");
		return NULL;
	}
	if (key && !validate_key(key)) {
		reply_error(request, 400, "invalid_idempotency_key",
			    "Idempotency-Key must be 1 to 127 of [A-Za-z0-9._~-].");
		return NULL;
	}
	if (request->api->token_jobs >= JOBS_MAX) {
		reply_busy(request);
		return NULL;
	}
	pending = xcalloc(1, sizeof(*pending));
	request->api->token_jobs++;
	pending->completion.finish = change_finish;
	pending->request = *request;
	memset(&pending->request.body, 0, sizeof(pending->request.body));
	pending->job.done = job_done;
	pending->job.change.op = op;
	pending->job.change.now_ms = auth_now_ms(request->api->auth);
	if (op != TOKEN_ADD)
		TEXT_SET(pending->job.change.id, request->param);
	return pending;
}

static void change_drop(struct api_request *request, struct token_pending *pending)
{
	request->api->token_jobs--;
	free(pending);
	reply_request_error(request);
}

/* The new token's text and id. */
static void secret_make(struct api_request *request, struct token_pending *pending)
{
	const char *key = http_head_known(request->head, HTTP_FIELD_IDEMPOTENCY_KEY);
	const struct env *env = request->api->parts.env;
	struct token_change *change = &pending->job.change;
	auto_free char *name = NULL;

	if (!key) {
		token_make_secret(env, pending->text, &change->token);
		return;
	}
	name = xasprintf("lessor token\n%s\n%s\n%s", request->caller.org, request->caller.owner,
			 key);
	token_make_keyed(env, name, pending->text, &change->token);
	change->is_keyed = 1;
}

/* ---- add ---------------------------------------------------------------------------------- */

struct token_add_body {
	char owner[128];
	char org[64];
	int role;
	char label[STORE_TOKEN_LABEL_SIZE];
	int64_t expires_s;
};

static const char *const roles[] = { "user", "reader", "admin", NULL };

/* clang-format off */
static const struct body_field token_add_fields[] = {
	{ .name = "owner", .type = FIELD_TEXT, .flags = FIELD_REQUIRED,
	  FIELD_AT(token_add_body, owner), .check = validate_owner,
	  .expected = "1 to 127 of [A-Za-z0-9._@:+-], beginning with a letter or digit",
	  .pattern = "^[A-Za-z0-9][A-Za-z0-9._@:+-]{0,126}$" },
	{ .name = "org", .type = FIELD_TEXT, FIELD_AT(token_add_body, org), .check = validate_org,
	  .expected = "1 to 63 of [A-Za-z0-9._@:+-], beginning with a letter or digit",
	  .pattern = "^[A-Za-z0-9][A-Za-z0-9._@:+-]{0,62}$" },
	{ .name = "role", .type = FIELD_CHOICE, FIELD_TO(token_add_body, role),
	  .expected = "user, reader or admin", .choices = roles },
	{ .name = "label", .type = FIELD_TEXT, FIELD_AT(token_add_body, label),
	  .check = validate_label, .expected = "one line of at most 64 bytes" },
	{ .name = "expiresInSeconds", .type = FIELD_INT, FIELD_TO(token_add_body, expires_s),
	  .expected = "from 1 to 3162240000", .low = 1, .high = LIFETIME_MAX_S },
};
/* clang-format on */

/* Strict: a misspelt expiry would give a token for ever. */
const struct body_table body_token_add = { "TokenAdd", NULL, token_add_fields,
					   ARRAY_LEN(token_add_fields), 1 };

void tokens_add(struct api_request *request)
{
	struct token_add_body body = { .org = "default" };
	struct token_pending *pending = change_begin(request, TOKEN_ADD);
	struct token *token;

	if (!pending)
		return;
	if (json_body_read(&request->body, request->body.root, &body_token_add, &body)) {
		change_drop(request, pending);
		return;
	}
	secret_make(request, pending);
	token = &pending->job.change.token;
	TEXT_SET(token->owner, body.owner);
	TEXT_SET(token->org, body.org);
	TEXT_SET(token->label, body.label);
	token->role = (enum token_role)body.role;
	token->created_ms = pending->job.change.now_ms;
	token->expires_ms = body.expires_s ? token->created_ms + body.expires_s * 1000 : 0;
	token_desk_submit(request->api->token_desk, &pending->job);
}

/* ---- rotate, delete ------------------------------------------------------------------------ */

struct token_rotate_body {
	int64_t grace_s, expires_s;
};

/* clang-format off */
static const struct body_field token_rotate_fields[] = {
	{ .name = "graceSeconds", .type = FIELD_INT, FIELD_TO(token_rotate_body, grace_s),
	  .expected = "from 0 to 7776000", .low = 0, .high = TOKEN_GRACE_MAX_MS / 1000 },
	{ .name = "expiresInSeconds", .type = FIELD_INT, FIELD_TO(token_rotate_body, expires_s),
	  .expected = "from 1 to 3162240000", .low = 1, .high = LIFETIME_MAX_S },
};
/* clang-format on */

const struct body_table body_token_rotate = { "TokenRotate", NULL, token_rotate_fields,
					      ARRAY_LEN(token_rotate_fields), 1 };

void tokens_rotate(struct api_request *request)
{
	struct token_rotate_body body = { .grace_s = TOKEN_GRACE_MS / 1000 };
	struct token_pending *pending = change_begin(request, TOKEN_ROTATE);
	struct token_change *change;

	if (!pending)
		return;
	if (json_body_read(&request->body, request->body.root, &body_token_rotate, &body)) {
		change_drop(request, pending);
		return;
	}
	change = &pending->job.change;
	secret_make(request, pending);
	change->grace_ms = body.grace_s * 1000;
	change->expires_ms = body.expires_s ? change->now_ms + body.expires_s * 1000 : 0;
	token_desk_submit(request->api->token_desk, &pending->job);
}

void tokens_revoke(struct api_request *request)
{
	struct token_pending *pending = change_begin(request, TOKEN_REVOKE);

	if (pending)
		token_desk_submit(request->api->token_desk, &pending->job);
}

/* ---- uses --------------------------------------------------------------------------------- */

struct uses_job {
	struct token_job job; /* first */
	struct auth_use uses[AUTH_USES_MAX];
};

/* Desk's thread. Lost, it is written at a later use. */
static void uses_done(struct token_job *job)
{
	if (job->has_failed)
		log_debug(LOG_FIELDS({ "error", job->err.text }),
			  "cannot note the last use of tokens");
	free(job);
}

static void uses_write(struct api *api)
{
	struct uses_job *uses;

	if (!auth_has_uses(api->auth))
		return;
	uses = xcalloc(1, sizeof(*uses));
	uses->job.done = uses_done;
	uses->job.uses = uses->uses;
	uses->job.use_count = auth_take_uses(api->auth, uses->uses);
	token_desk_submit(api->token_desk, &uses->job);
}

static void on_uses(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	uses_write(arg);
}

void tokens_used(struct api *api)
{
	static const struct timeval wait = { .tv_sec = USES_S };

	if (!auth_has_uses(api->auth))
		return;
	if (!api->uses_timer)
		api->uses_timer = event_new(api->parts.base, -1, 0, on_uses, api);
	if (api->uses_timer && !event_pending(api->uses_timer, EV_TIMEOUT, NULL))
		event_add(api->uses_timer, &wait);
}

void tokens_stop(struct api *api)
{
	if (api->auth && api->token_desk)
		uses_write(api);
	if (api->uses_timer)
		event_free(api->uses_timer);
	api->uses_timer = NULL;
}
