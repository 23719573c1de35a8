/* SPDX-License-Identifier: MIT */
/* lessor token: the tokens of all clients, for admins. */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/lease_view.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/when.h"
#include "util/alloc.h"
#include "util/duration.h"

#define PAGE 500 /* lessord's maximum */
#define GRACE_MAX_MS (INT64_C(90) * 86400000)

struct token_options {
	const char *owner, *org, *role, *label; /* add */
	const char *expires;			/* add, rotate */
	const char *grace;			/* rotate */
	int all;				/* list */
};

/* ---- list --------------------------------------------------------------------------------- */

/* Appends a page to `into`; *cursor becomes the start of the next, NULL at the end. */
static int page_fetch(struct cli *cli, json_t *into, char **cursor)
{
	auto_free char *from = *cursor ? client_encode(*cursor) : NULL;
	auto_free char *path = xasprintf("/v1/admin/tokens?limit=%d%s%s", PAGE,
					 from ? "&cursor=" : "", from ? from : "");
	struct client_response response;
	const char *next;
	int code = cli_get(cli, path, &response);

	if (code >= 0)
		return code;
	json_array_extend(into, json_object_get(response.doc, "tokens"));
	next = view_text(response.doc, "nextCursor");
	free(*cursor);
	*cursor = *next ? xstrdup(next) : NULL;
	client_response_fini(&response);
	return -1;
}

/* By their time: RFC 3339 in UTC sorts as text. */
static int token_compare(const void *a, const void *b)
{
	const json_t *const *x = a, *const *y = b;
	int order = strcmp(view_text(*x, "createdAt"), view_text(*y, "createdAt"));

	return order ? order : strcmp(view_text(*x, "id"), view_text(*y, "id"));
}

static json_t *tokens_sort(const json_t *tokens, int all)
{
	size_t count = json_array_size(tokens), kept = 0;
	json_t **list = xcalloc(count ? count : 1, sizeof(*list));
	json_t *sorted = json_array();

	for (size_t i = 0; i < count; i++) {
		json_t *token = json_array_get(tokens, i);

		if (all || strcmp(view_text(token, "state"), "valid") == 0)
			list[kept++] = token;
	}
	if (kept)
		qsort(list, kept, sizeof(*list), token_compare);
	for (size_t i = 0; i < kept; i++)
		json_array_append(sorted, list[i]);
	free(list);
	return sorted;
}

static void tokens_print(const json_t *tokens)
{
	static const char *const headings[] = { "ID",	     "STATE",	 "ROLE",     "OWNER",
						"~~ORG",     "~~~LABEL", "~CREATED", "EXPIRES",
						"LAST USED", NULL };
	struct table *table = table_new(headings);
	int64_t now_ms = when_wall_ms();
	json_t *one;
	size_t i;

	json_array_foreach(tokens, i, one) {
		char created[WHEN_TEXT_SIZE], expires[WHEN_TEXT_SIZE], used[WHEN_TEXT_SIZE];
		const char *cells[] = {
			view_text(one, "id"),
			view_text(one, "state"),
			view_text(one, "role"),
			view_text(one, "owner"),
			view_text(one, "org"),
			view_text(one, "label"),
			created,
			expires,
			used,
		};

		when_write_minutes(view_text(one, "createdAt"), now_ms, created);
		when_write_minutes(view_text(one, "expiresAt"), now_ms, expires);
		when_write_minutes(view_text(one, "lastUsedAt"), now_ms, used);
		table_add(table, cells);
	}
	if (!table_count(table))
		text_print(stderr, "no tokens");
	table_print(table);
	table_free(table);
}

static int token_list(struct cli *cli, const struct token_options *options)
{
	json_t *tokens = json_array(), *sorted, *doc;
	auto_free char *cursor = NULL;
	int code;

	do {
		code = page_fetch(cli, tokens, &cursor);
	} while (code < 0 && cursor);
	if (code >= 0) {
		json_decref(tokens);
		return code;
	}
	sorted = tokens_sort(tokens, options->all);
	doc = json_pack("{s:O}", "tokens", sorted);
	if (cli->json)
		cli_print_json(doc);
	else
		tokens_print(sorted);
	json_decref(doc);
	json_decref(sorted);
	json_decref(tokens);
	return EXIT_OK;
}

/* ---- changes ------------------------------------------------------------------------------ */

/* The token on standard output alone, as of lessord token add; what it is, beside it. */
static void token_print(const json_t *doc)
{
	const json_t *token = json_object_get(doc, "token"), *old = json_object_get(doc, "old");
	const char *secret = view_text(doc, "secret"), *end = view_text(token, "expiresAt");

	if (*secret)
		printf("%s\n", secret);
	fflush(stdout);
	if (!*secret) {
		text_print(stderr, "token %s of %s: %s", view_text(token, "id"),
			   view_text(token, "owner"), view_text(token, "state"));
		return;
	}
	text_print(stderr, "token %s of %s (%s)%s%s; it will not be shown again",
		   view_text(token, "id"), view_text(token, "owner"), view_text(token, "role"),
		   *end ? ", valid until " : "", end);
	if (!old)
		return;
	end = view_text(old, "expiresAt");
	text_print(stderr, "token %s, which it replaces, is %s%s", view_text(old, "id"),
		   *view_text(old, "revokedAt") ? "revoked" : "valid until ",
		   *view_text(old, "revokedAt") ? "" : end);
}

static int token_send(struct cli *cli, const char *method, const char *path, json_t *body)
{
	struct client_request request = { .method = method, .path = path, .body = body };
	struct client_response response;
	int code = EXIT_OK;

	if (!client_call(cli->client, &request, &response))
		code = cli_fail(cli, &response);
	else if (cli->json)
		cli_print_json(response.doc);
	else
		token_print(response.doc);
	json_decref(body);
	client_response_fini(&response);
	return code;
}

/* In whole seconds, as member `key`. -1 to continue, otherwise the exit code. */
static int span_add(struct cli *cli, json_t *body, const char *option, const char *text,
		    int64_t least_ms, int64_t most_ms, const char *key)
{
	struct err err = { 0 };
	int64_t ms;

	if (!text)
		return -1;
	if (duration_parse(text, least_ms, most_ms, &ms, &err))
		return cli_usage_error(cli, "%s: %s", option, err.text);
	json_object_set_new(body, key, json_integer((ms + 999) / 1000));
	return -1;
}

static void text_add(json_t *body, const char *key, const char *text)
{
	if (text)
		json_object_set_new(body, key, json_string(text));
}

static int token_add(struct cli *cli, const struct token_options *options)
{
	json_t *body = json_object();
	int code = span_add(cli, body, "--expires", options->expires, 1000, DURATION_MAX_MS,
			    "expiresInSeconds");

	text_add(body, "owner", options->owner);
	text_add(body, "org", options->org);
	text_add(body, "role", options->role);
	text_add(body, "label", options->label);
	if (code < 0)
		code = cli_connect(cli);
	if (code < 0)
		return token_send(cli, "POST", "/v1/admin/tokens", body);
	json_decref(body);
	return code;
}

/* Who has found a token may paste the whole of it; only its id is sent. The caller frees. */
static char *id_path(const char *text, const char *rest)
{
	int is_whole = strncmp(text, "lsr_", 4) == 0;
	auto_free char *id = is_whole ? xstrndup(text + 4, strcspn(text + 4, "_")) : xstrdup(text);
	auto_free char *encoded = client_encode(id);

	return xasprintf("/v1/admin/tokens/%s%s", encoded, rest);
}

static int token_rotate(struct cli *cli, const char *id, const struct token_options *options)
{
	auto_free char *path = id_path(id, "/rotate");
	json_t *body = json_object();
	int code = span_add(cli, body, "--expires", options->expires, 1000, DURATION_MAX_MS,
			    "expiresInSeconds");

	if (code < 0)
		code = span_add(cli, body, "--grace", options->grace, 0, GRACE_MAX_MS,
				"graceSeconds");
	if (code < 0)
		code = cli_connect(cli);
	if (code < 0)
		return token_send(cli, "POST", path, body);
	json_decref(body);
	return code;
}

static int token_revoke(struct cli *cli, const char *id)
{
	auto_free char *path = id_path(id, "");
	int code = cli_connect(cli);

	return code < 0 ? token_send(cli, "DELETE", path, NULL) : code;
}

/* ---- the command -------------------------------------------------------------------------- */

static int options_check(struct cli *cli, const char *verb, int words, const struct token_options *o)
{
	int is_add = !strcmp(verb, "add"), is_rotate = !strcmp(verb, "rotate");
	int is_list = !strcmp(verb, "list");

	if (!is_add && !is_rotate && !is_list && strcmp(verb, "revoke") != 0)
		return cli_usage_error(cli, "token needs one of list, add, rotate, revoke");
	if (words != (is_add || is_list ? 1 : 2))
		return cli_usage_error(cli,
				       is_add || is_list ?
					       "token list and token add take no further word" :
					       "token rotate and token revoke need an ID; see lessor "
					       "token list");
	if (is_add && !o->owner)
		return cli_usage_error(cli, "token add needs --owner NAME");
	if (!is_add && (o->owner || o->org || o->role || o->label))
		return cli_usage_error(cli, "--owner, --org, --role and --label need token add");
	if (!is_add && !is_rotate && o->expires)
		return cli_usage_error(cli, "--expires needs token add or token rotate");
	if (!is_rotate && o->grace)
		return cli_usage_error(cli, "--grace needs token rotate");
	if (!is_list && o->all)
		return cli_usage_error(cli, "--all needs token list");
	return -1;
}

int command_token(struct cli *cli, int argc, char **argv)
{
	struct token_options o = { 0 };
	const struct argv_option own[] = {
		{ "all", ARGV_FLAG, .seen = &o.all },
		{ "owner", ARGV_VALUE, .value = &o.owner },
		{ "org", ARGV_VALUE, .value = &o.org },
		{ "role", ARGV_VALUE, .value = &o.role },
		{ "label", ARGV_VALUE, .value = &o.label },
		{ "expires", ARGV_VALUE, .value = &o.expires },
		{ "grace", ARGV_VALUE, .value = &o.grace },
		{ 0 },
	};
	const char *words[2] = { "list", NULL };
	int count = 0, code = cli_parse_more(cli, own, argc, argv, words, 0, 2, &count);

	if (!count)
		words[0] = "list";
	if (code < 0)
		code = options_check(cli, words[0], count ? count : 1, &o);
	if (code >= 0)
		return code;
	if (!strcmp(words[0], "add"))
		return token_add(cli, &o);
	if (!strcmp(words[0], "rotate"))
		return token_rotate(cli, words[1], &o);
	if (!strcmp(words[0], "revoke"))
		return token_revoke(cli, words[1]);
	code = cli_connect(cli);
	return code < 0 ? token_list(cli, &o) : code;
}
