/* SPDX-License-Identifier: MIT */
/* lessor context: the saved servers. */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/contexts.h"
#include "cli/table.h"
#include "cli/text.h"
#include "util/alloc.h"

static void text_put(json_t *doc, const char *key, const char *value)
{
	json_object_set_new(doc, key, value ? json_string(value) : json_null());
}

static int context_list(struct cli *cli)
{
	static const char *const headings[] = { "", "CONTEXT", "URL", "TOKEN", NULL };
	struct table *table = table_new(headings);
	json_t *doc = json_object(), *list = json_array();
	auto_free char *current = NULL;
	struct err err = { 0 };
	char **names = NULL;
	size_t i, count = 0;
	int code = -1;

	if (context_current(&current, &err) || contexts_list(&names, &count, &err))
		code = cli_settings_error(cli, &err);
	text_put(doc, "current", current);
	for (i = 0; i < count; i++) {
		struct settings saved;
		struct err why = { 0 };
		int good = settings_load_context(names[i], 1, &saved, &why) == 0;
		int is_current = current && !strcmp(current, names[i]);
		const char *token = good ? saved.token ? "saved" : "none" : "";
		const char *cells[] = { is_current ? "*" : " ", names[i],
					good ? saved.url : why.text, token };
		json_t *one = json_object();

		text_put(one, "name", names[i]);
		text_put(one, "url", good ? saved.url : NULL);
		json_object_set_new(one, "hasToken", json_boolean(good && saved.token));
		json_object_set_new(one, "isCurrent", json_boolean(is_current));
		if (!good)
			text_put(one, "problem", why.text);
		json_array_append_new(list, one);
		table_add(table, cells);
		settings_fini(&saved);
	}
	json_object_set_new(doc, "contexts", list);
	if (code < 0 && cli->json)
		cli_print_json(doc);
	else if (code < 0 && !count)
		text_print(stderr, "no contexts; lessor login --url URL makes one");
	else if (code < 0)
		table_print(table);
	table_free(table);
	json_decref(doc);
	contexts_free(names, count);
	return code < 0 ? EXIT_OK : code;
}

/* What a command would use now, and why. */
static int context_show(struct cli *cli, const char *name)
{
	struct settings_flags flags = cli->flags;
	struct settings *s = &cli->settings;
	struct err err = { 0 };

	if (name)
		flags.context = name;
	if (settings_load(&flags, s, &err))
		return cli_settings_error(cli, &err);
	if (cli->json) {
		json_t *doc = json_object();

		text_put(doc, "context", s->context);
		text_put(doc, "contextFrom", s->context_from);
		text_put(doc, "url", s->url);
		text_put(doc, "urlFrom", s->url_from);
		text_put(doc, "tokenFrom", s->token_from);
		text_put(doc, "caFrom", s->ca ? s->ca->from : NULL);
		text_put(doc, "account", s->account);
		text_put(doc, "class", s->class_name);
		cli_print_json(doc);
		json_decref(doc);
		return EXIT_OK;
	}
	if (s->context)
		text_print(stdout, "context  %s (from %s)", s->context, s->context_from);
	else
		text_print(stdout, "context  none");
	text_print(stdout, "url      %s (from %s)", s->url, s->url_from);
	text_print(stdout, "token    %s%s",
		   s->token_from ? "from " : "none; see lessor login --help",
		   s->token_from ? s->token_from : "");
	if (s->ca)
		text_print(stdout, "CA       from %s", s->ca->from);
	if (s->account)
		text_print(stdout, "account  %s", s->account);
	if (s->class_name)
		text_print(stdout, "class    %s", s->class_name);
	return EXIT_OK;
}

static int change_print(struct cli *cli, const char *name, const char *what)
{
	if (cli->json) {
		json_t *doc = json_object();

		text_put(doc, "context", name);
		cli_print_json(doc);
		json_decref(doc);
	} else {
		text_print(stdout, "%s", what);
	}
	return EXIT_OK;
}

static int context_choose(struct cli *cli, const char *name)
{
	auto_free char *what = NULL;
	static const char *const names[] = { "LESSOR_URL", "CRABBOX_COORDINATOR" };
	struct err err = { 0 };

	if (!strcmp(name, CONTEXT_NONE)) {
		if (context_use(NULL, &err))
			return cli_settings_error(cli, &err);
		return change_print(cli, NULL, "no context is used; lessor.conf is");
	}
	if (context_use(name, &err))
		return cli_settings_error(cli, &err);
	what = xasprintf("the context is '%s'", name);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *url = getenv(names[i]);

		if (url && *url)
			text_warning("%s is set and overrides the context; unset it", names[i]);
	}
	return change_print(cli, name, what);
}

static int context_drop(struct cli *cli, const char *name)
{
	auto_free char *what = xasprintf("removed the context '%s' and its token", name);
	struct err err = { 0 };

	if (context_remove(name, &err))
		return cli_settings_error(cli, &err);
	return change_print(cli, name, what);
}

int command_context(struct cli *cli, int argc, char **argv)
{
	const char *words[2] = { "list", NULL };
	int count = 0;
	int code = cli_parse_more(cli, NULL, argc, argv, words, 0, 2, &count);
	const char *action = words[0];

	if (code >= 0)
		return code;
	if (!strcmp(action, "list") && count < 2)
		return context_list(cli);
	if (!strcmp(action, "show"))
		return context_show(cli, words[1]);
	if ((!strcmp(action, "use") || !strcmp(action, "remove")) && count < 2)
		return cli_usage_error(cli, "which context? lessor context list shows them");
	if (!strcmp(action, "use"))
		return context_choose(cli, words[1]);
	if (!strcmp(action, "remove"))
		return context_drop(cli, words[1]);
	return cli_usage_error(cli, "the action must be list, use NAME, remove NAME or show");
}
