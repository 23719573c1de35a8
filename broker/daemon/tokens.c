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

#include "api/token_change.h"
#include "api/token_make.h"
#include "api/validate.h"
#include "daemon/file_owner.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/duration.h"
#include "util/text.h"

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

static const char *time_text(int64_t ms, char out[32])
{
	time_t s = (time_t)(ms / 1000);
	struct tm tm;

	if (ms == 0 || !gmtime_r(&s, &tm))
		return "-";
	strftime(out, 32, "%Y-%m-%dT%H:%MZ", &tm);
	return out;
}

/* ---- add and rotate -------------------------------------------------------------------- */

/* --expires and --grace. *ret stays as it is without the option. */
static int span_read(const char *name, const char *text, int64_t least_ms, int64_t most_ms,
		     int64_t *ret)
{
	struct err err = { 0 };

	if (!text || duration_parse(text, least_ms, most_ms, ret, &err) == 0)
		return EXIT_OK;
	err_prefix(&err, "%s: ", name);
	return command_line_fail(&err, EXIT_USAGE);
}

static int label_check(const char *label)
{
	if (!label || validate_label(label))
		return EXIT_OK;
	fprintf(stderr, "lessord: --label must be one line of at most %d bytes\n",
		STORE_TOKEN_LABEL_SIZE - 1);
	return EXIT_USAGE;
}

/* Prints the token, which is in no other place. */
static int token_print_text(char text[TOKEN_TEXT_SIZE], const struct token *token)
{
	char until[32];
	int failed;

	printf("%s\n", text);
	explicit_bzero(text, TOKEN_TEXT_SIZE);
	failed = fflush(stdout) != 0;
	if (failed) {
		fprintf(stderr,
			"lessord: cannot print the token; revoke it: lessord token revoke"
			" %s\n",
			token->id);
		return EXIT_RUNTIME;
	}
	fprintf(stderr,
		"Token %s of %s (%s)%s%s. It will not be shown again.\n"
		"Its user sets LESSOR_TOKEN, or token_file in the configuration of lessor; see"
		" lessor(1).\n",
		token->id, token->owner, token_role_name(token->role),
		token->expires_ms ? ", valid until " : "",
		token->expires_ms ? time_text(token->expires_ms, until) : "");
	return EXIT_OK;
}

static int token_full(void)
{
	fprintf(stderr,
		"lessord: there are %d tokens; give them an expiry: an ended one is removed after "
		"%d days\n",
		TOKENS_MAX, TOKEN_KEEP_DAYS);
	return EXIT_USAGE;
}

static int token_add(struct store *store, const struct command_line *o, const struct env *env)
{
	int role = o->role ? token_role_parse(o->role) : TOKEN_USER;
	struct token_change change = { .op = TOKEN_ADD, .now_ms = env_wall_ms(env) };
	char text[TOKEN_TEXT_SIZE];
	struct err err = { 0 };
	int64_t expires = 0;
	int code, is_unsure;

	if (role < 0) {
		fprintf(stderr, "lessord: --role must be user, reader or admin\n");
		return EXIT_USAGE;
	}
	code = span_read("--expires", o->expires, 1000, DURATION_MAX_MS, &expires);
	if (code == EXIT_OK)
		code = label_check(o->label);
	if (code != EXIT_OK)
		return code;
	if (token_make(env, o->owner, o->org ? o->org : "default", role,
		       expires ? expires + change.now_ms : 0, text, &change.token, &err) < 0)
		return command_line_fail(&err, EXIT_USAGE);
	TEXT_SET(change.token.label, o->label);
	code = token_change_run(store, &change, &is_unsure, &err);
	if (code < 0 || change.result != TOKEN_DONE)
		explicit_bzero(text, sizeof(text));
	if (code < 0)
		return command_line_fail(&err, EXIT_STORE);
	if (change.result != TOKEN_DONE)
		return token_full();
	return token_print_text(text, &change.token);
}

/* An operator who has found a token may paste the whole of it. */
static void token_id_read(const char *text, char ret[17])
{
	int is_whole = strncmp(text, "lsr_", 4) == 0;

	text_set(ret, 17, is_whole ? text + 4 : text);
	ret[strcspn(ret, "_")] = '\0';
	/* Longer than an id: it is none. */
	if (!is_whole && strlen(text) > 16)
		ret[0] = '\0';
}

static int token_unknown(void)
{
	fprintf(stderr, "lessord: there is no token with this id; lessord token list"
			" shows the ids\n");
	return EXIT_USAGE;
}

static int rotate_refuse(const struct token_change *change)
{
	char when[32];

	if (change->result == TOKEN_NOT_FOUND)
		return token_unknown();
	if (change->result == TOKEN_FULL)
		return token_full();
	if (change->result == TOKEN_REPLACED)
		fprintf(stderr, "lessord: token %s was rotated already; its successor is %s\n",
			change->id, change->token.id);
	else
		fprintf(stderr, "lessord: token %s %s on %s; make a new one\n", change->id,
			change->old.revoked_ms ? "was revoked" : "expired",
			time_text(change->old.revoked_ms ? change->old.revoked_ms :
							   change->old.expires_ms,
				  when));
	return EXIT_USAGE;
}

static int token_rotate(struct store *store, const struct command_line *o, const struct env *env)
{
	struct token_change change = { .op = TOKEN_ROTATE,
				       .now_ms = env_wall_ms(env),
				       .grace_ms = TOKEN_GRACE_MS };
	char text[TOKEN_TEXT_SIZE], when[32];
	struct err err = { 0 };
	int64_t expires = 0;
	int code, is_unsure;

	code = span_read("--expires", o->expires, 1000, DURATION_MAX_MS, &expires);
	if (code == EXIT_OK)
		code = span_read("--grace", o->grace, 0, TOKEN_GRACE_MAX_MS, &change.grace_ms);
	if (code != EXIT_OK)
		return code;
	token_id_read(o->id, change.id);
	change.expires_ms = expires ? expires + change.now_ms : 0;
	token_make_secret(env, text, &change.token);
	code = token_change_run(store, &change, &is_unsure, &err);
	if (code < 0 || change.result != TOKEN_DONE)
		explicit_bzero(text, sizeof(text));
	if (code < 0)
		return command_line_fail(&err, EXIT_STORE);
	if (change.result != TOKEN_DONE)
		return rotate_refuse(&change);
	code = token_print_text(text, &change.token);
	if (change.old.revoked_ms)
		fprintf(stderr, "Token %s is revoked.\n", change.old.id);
	else
		fprintf(stderr, "Token %s, which it replaces, is valid until %s.\n", change.old.id,
			time_text(change.old.expires_ms, when));
	return code;
}

/* ---- list -------------------------------------------------------------------------------- */

struct token_table {
	struct buf text;
	int64_t now;
};

static void token_print(void *arg, const struct token *t)
{
	struct token_table *table = arg;
	char created[32], expires[32], used[32];

	buf_addf(&table->text, "%-16s  %-7s  %-6s  %-17s  %-17s  %-17s  %s%s%s%s%s%s\n", t->id,
		 token_state(t, table->now), token_role_name(t->role),
		 time_text(t->created_ms, created), time_text(t->expires_ms, expires),
		 time_text(t->used_ms, used), t->owner, t->org[0] ? " @ " : "", t->org,
		 t->label[0] ? "  (" : "", t->label, t->label[0] ? ")" : "");
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
		printf("%-16s  %-7s  %-6s  %-17s  %-17s  %-17s  %s\n%s", "ID", "STATE", "ROLE",
		       "CREATED", "EXPIRES", "LAST USED", "OWNER", buf_str(&table.text));
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

static int token_revoke(struct store *store, const struct command_line *o, const struct env *env)
{
	/* Whoever may write the database can make another. */
	struct token_change change = { .op = TOKEN_REVOKE,
				       .now_ms = env_wall_ms(env),
				       .may_end_admins = 1 };
	struct err err = { 0 };
	char when[32];
	int is_unsure;

	token_id_read(o->id, change.id);
	if (token_change_run(store, &change, &is_unsure, &err) < 0)
		return command_line_fail(&err, EXIT_STORE);
	if (change.result == TOKEN_NOT_FOUND)
		return token_unknown();
	if (change.result == TOKEN_REPLAY) {
		fprintf(stderr, "lessord: token %s was revoked already, on %s\n", change.id,
			time_text(change.token.revoked_ms, when));
		return EXIT_USAGE;
	}
	fprintf(stderr, "Token %s is revoked.\n", change.id);
	return EXIT_OK;
}

static int tokens_change(const char *target, const struct command_line *o, const struct env *env)
{
	struct store *store = NULL;
	struct err err = { 0 };
	int code;

	if (store_open_tool(target, env, &store, &err) < 0)
		return command_line_fail(&err, EXIT_STORE);
	if (o->mode == DO_TOKEN_ADD)
		code = token_add(store, o, env);
	else if (o->mode == DO_TOKEN_ROTATE)
		code = token_rotate(store, o, env);
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
						  tokens_change(store.target, o, &env);
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

	u->count += token_is_valid(t, u->now);
}

int tokens_usable(struct store *store, int64_t now_ms, struct err *err)
{
	struct usable u = { .now = now_ms };

	if (store_token_each(store, usable_count, &u, err) < 0)
		return -1;
	return u.count > 0;
}
