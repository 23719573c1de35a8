/* SPDX-License-Identifier: MIT */
/*
 * Client tokens, while a daemon may be running. The database stores only the digest of a
 * token, so it is printed once, when it is created.
 */
#include "daemon/tokens.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "api/auth.h"
#include "daemon/file_owner.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/duration.h"

/* Usually the second attempt sees the other process's write-ahead log and is consistent. */
#define VIEW_TRIES 5
#define TABLE_MAX (64 << 20)

static int token_store_find(const struct command_line *o, struct command_store *ret)
{
	int code = command_line_store(o, ret);
	struct err err = { 0 };

	if (code != EXIT_OK)
		return code;
	umask(077);
	/* The first token may come before the first start, but only a new token makes a database. */
	if (o->mode != DO_TOKEN_ADD && !ret->is_postgres && store_is_missing(ret->name))
		return command_line_no_store(ret->name);
	if (command_store_become(ret, &err) < 0)
		return command_line_fail(&err, EXIT_STORE);
	return EXIT_OK;
}

static int transaction_run(struct store *store, int (*work)(struct store *, void *, struct err *),
			   void *arg, struct err *err)
{
	if (store_begin(store, err) < 0)
		return -1;
	if (work(store, arg, err) < 0) {
		store_rollback(store);
		return -1;
	}
	return store_commit(store, err);
}

static const char *time_text(int64_t ms, char out[32])
{
	time_t s = (time_t)(ms / 1000);
	struct tm tm;

	if (ms == 0 || !gmtime_r(&s, &tm))
		return "-";
	strftime(out, 32, "%Y-%m-%dT%H:%MZ", &tm);
	return out;
}

/* ---- add ------------------------------------------------------------------------------- */

static int add_work(struct store *store, void *arg, struct err *err)
{
	return store_token_add(store, arg, err);
}

static int token_add(struct store *store, const struct command_line *o, const struct env *env)
{
	int role = o->role ? token_role_parse(o->role) : TOKEN_USER;
	char text[TOKEN_TEXT_SIZE];
	struct token token;
	char until[32];
	struct err err = { 0 };
	int64_t expires = 0;

	if (role < 0) {
		fprintf(stderr, "lessord: --role must be user, reader or admin\n");
		return EXIT_USAGE;
	}
	if (o->expires) {
		if (duration_parse(o->expires, 1000, DURATION_MAX_MS, &expires, &err) < 0) {
			err_prefix(&err, "--expires: ");
			return command_line_fail(&err, EXIT_USAGE);
		}
		expires += env_wall_ms(env);
	}
	if (token_make(env, o->owner, o->org ? o->org : "default", role, expires, text, &token, &err) < 0)
		return command_line_fail(&err, EXIT_USAGE);
	if (transaction_run(store, add_work, &token, &err) < 0) {
		explicit_bzero(text, sizeof(text));
		return command_line_fail(&err, EXIT_STORE);
	}
	printf("%s\n", text);
	explicit_bzero(text, sizeof(text));
	if (fflush(stdout) != 0) {
		fprintf(stderr,
			"lessord: cannot print the token; revoke it: lessord token revoke"
			" %s\n",
			token.id);
		return EXIT_RUNTIME;
	}
	fprintf(stderr,
		"Token %s of %s (%s)%s%s. It will not be shown again.\n"
		"Its user sets LESSOR_TOKEN, or token_file in the configuration of lessor; see"
		" lessor(1).\n",
		token.id, token.owner, token_role_name(token.role),
		token.expires_ms ? ", valid until " : "",
		token.expires_ms ? time_text(token.expires_ms, until) : "");
	return EXIT_OK;
}

/* ---- list -------------------------------------------------------------------------------- */

struct token_table {
	struct buf text;
	int64_t now;
};

static void token_print(void *arg, const struct token *t)
{
	struct token_table *table = arg;
	const char *state = "valid";
	char created[32], expires[32];

	if (t->revoked_ms)
		state = "revoked";
	else if (t->expires_ms && t->expires_ms <= table->now)
		state = "expired";
	buf_addf(&table->text, "%-16s  %-7s  %-6s  %-17s  %-17s  %s%s%s\n", t->id, state,
		 token_role_name(t->role), time_text(t->created_ms, created),
		 time_text(t->expires_ms, expires), t->owner, t->org[0] ? " @ " : "", t->org);
}

/* 0; 1: an empty database; -1. */
static int tokens_read_once(const struct command_store *from, struct token_table *table,
			    struct err *err)
{
	struct store *store = NULL;
	int rc = store_open_view(from->target, &store, err);

	if (rc)
		return rc;
	buf_clear(&table->text);
	rc = store_token_each(store, token_print, table, err);
	if (!rc && !store_view_holds(store))
		rc = err_set(err, ERR_BUSY, "%s is being written; try again", from->name);
	store_close(store);
	return rc;
}

/* Reads only: it needs no room on the disk, and no lock. */
static int token_list(const struct command_store *from, const struct env *env)
{
	struct token_table table = { .now = env_wall_ms(env) };
	struct err err = { 0 };
	int rc = -1, code;

	buf_init(&table.text, TABLE_MAX);
	for (int i = 0; i < VIEW_TRIES && rc < 0 && (i == 0 || err.kind == ERR_BUSY); i++)
		rc = tokens_read_once(from, &table, &err);
	if (rc < 0) {
		code = command_line_fail(&err, EXIT_STORE);
	} else if (rc == 1) {
		code = command_line_no_store(from->name);
	} else {
		printf("%-16s  %-7s  %-6s  %-17s  %-17s  %s\n%s", "ID", "STATE", "ROLE", "CREATED",
		       "EXPIRES", "OWNER", buf_str(&table.text));
		if (!table.text.len)
			fprintf(stderr,
				"lessord: there is no token; create one with: lessord token add"
				" --owner NAME\n");
		code = EXIT_OK;
	}
	buf_fini(&table.text);
	return code;
}

/* ---- revoke ------------------------------------------------------------------------------ */

struct revoke {
	char id[128];
	int64_t now;
	int found;
	int64_t revoked_ms; /* before; 0: there is no such token */
};

/* An operator who has found a token may paste the whole of it. */
static void revoke_id_read(const char *text, struct revoke *r)
{
	int is_whole = strncmp(text, "lsr_", 4) == 0;

	snprintf(r->id, sizeof(r->id), "%s", is_whole ? text + 4 : text);
	if (is_whole)
		r->id[strcspn(r->id, "_")] = '\0';
}

static void revoked_find(void *arg, const struct token *t)
{
	struct revoke *r = arg;

	if (strcmp(t->id, r->id) == 0)
		r->revoked_ms = t->revoked_ms;
}

static int revoke_work(struct store *store, void *arg, struct err *err)
{
	struct revoke *r = arg;
	int result = store_token_revoke(store, r->id, r->now, err);

	r->found = result == 0;
	if (result > 0)
		return store_token_each(store, revoked_find, r, err);
	return result;
}

static int token_revoke(struct store *store, const struct command_line *o, const struct env *env)
{
	struct revoke r = { .now = env_wall_ms(env) };
	struct err err = { 0 };
	char when[32];

	revoke_id_read(o->id, &r);
	if (transaction_run(store, revoke_work, &r, &err) < 0)
		return command_line_fail(&err, EXIT_STORE);
	if (!r.found) {
		if (r.revoked_ms)
			fprintf(stderr, "lessord: token %s was revoked already, on %s\n", r.id,
				time_text(r.revoked_ms, when));
		else
			fprintf(stderr,
				"lessord: there is no token with this id; lessord token list"
				" shows the ids\n");
		return EXIT_USAGE;
	}
	fprintf(stderr, "Token %s is revoked.\n", r.id);
	return EXIT_OK;
}

static int token_change(const char *target, const struct command_line *o, const struct env *env)
{
	struct store *store = NULL;
	struct err err = { 0 };
	int code;

	if (store_open_tool(target, env, &store, &err) < 0)
		return command_line_fail(&err, EXIT_STORE);
	if (o->mode == DO_TOKEN_ADD)
		code = token_add(store, o, env);
	else
		code = token_revoke(store, o, env);
	store_close(store);
	return code;
}

int tokens_command(const struct command_line *o)
{
	struct command_store store;
	struct env env;
	int code;

	env_system(&env);
	code = token_store_find(o, &store);
	if (code == EXIT_OK)
		code = o->mode == DO_TOKEN_LIST ? token_list(&store, &env) :
						  token_change(store.target, o, &env);
	command_store_fini(&store);
	return code;
}

/* ---- for the daemon ------------------------------------------------------------------------ */

struct usable {
	int64_t now;
	int count;
};

static void usable_count(void *arg, const struct token *t)
{
	struct usable *u = arg;

	u->count += !t->revoked_ms && (!t->expires_ms || t->expires_ms > u->now);
}

int tokens_usable(struct store *store, int64_t now_ms, struct err *err)
{
	struct usable u = { .now = now_ms };

	if (store_token_each(store, usable_count, &u, err) < 0)
		return -1;
	return u.count > 0;
}
