/* SPDX-License-Identifier: MIT */
/* lessor login and logout: saves a server and its token as a context, and forgets the token. */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/contexts.h"
#include "cli/interrupt.h"
#include "cli/lease_view.h"
#include "cli/outcome.h"
#include "cli/secret.h"
#include "cli/text.h"
#include "util/alloc.h"
#include "util/buf.h"

struct login {
	char *name;
	char *url;
	char *ca_file; /* absolute; NULL: the system's */
	char *token;
	int is_new; /* its settings are written; otherwise only the token */
};

static void login_fini(struct login *login)
{
	free(login->name);
	free(login->url);
	free(login->ca_file);
	secret_free(login->token);
}

/* The host of the URL; "local" for a Unix socket. The caller frees. */
static char *name_derive(const char *url)
{
	const char *host = strstr(url, "://");
	size_t len;

	if (!host || !strncmp(url, "unix:", 5))
		return xstrdup("local");
	host += 3;
	len = strcspn(host, ":/?#");
	return *host == '[' || !len ? xstrdup("local") : xstrndup(host, len < 63 ? len : 63);
}

/* Which server, and under which name. -1 to continue, otherwise the exit code. */
static int server_choose(struct cli *cli, const char *name, struct login *login)
{
	auto_free char *current = NULL;
	struct settings saved = { 0 };
	struct err err = { 0 };
	int exists;

	if (!name && !cli->flags.url) {
		if (context_current(&current, &err))
			return cli_settings_error(cli, &err);
		name = current;
	}
	if (!name && !cli->flags.url)
		return cli_usage_error(cli, "which server? Repeat it with --url URL");
	login->name = name ? xstrdup(name) : name_derive(cli->flags.url);
	if (context_name_check(login->name, &err))
		return cli_usage_error(cli, "%s", err.text);
	if (context_require(login->name, NULL) && !cli->flags.url)
		return cli_usage_error(cli,
				       "which server? There is no context '%s' yet; repeat it "
				       "with --url URL",
				       login->name);
	/* A damaged one is written anew. */
	exists = settings_load_context(login->name, 0, &saved, &err) == 0;
	if (!exists && !cli->flags.url) {
		settings_fini(&saved);
		return cli_settings_error(cli, &err);
	}
	login->url = xstrdup(cli->flags.url ? cli->flags.url : saved.url);
	login->is_new = !exists || cli->flags.ca_file || strcmp(login->url, saved.url) != 0;
	if (exists && !name && login->is_new && strcmp(login->url, saved.url) != 0) {
		int code = cli_usage_error(cli,
					   "the context '%s' is for %s; name this one with "
					   "--name NAME",
					   login->name, saved.url);

		settings_fini(&saved);
		return code;
	}
	settings_fini(&saved);
	return -1;
}

/* A value that the settings file gives back as it is; otherwise an exit code. */
static int value_check(const struct cli *cli, const char *option, const char *value)
{
	if (value && (value[strcspn(value, "\r\n\t")] || strstr(value, " ;") ||
		      strchr(value, '"') || value[0] == ' '))
		return cli_usage_error(cli,
				       "%s contains characters that a settings file cannot hold",
				       option);
	return -1;
}

/* The URL and the CA, before anybody is asked for a token. */
static int server_check(struct cli *cli, struct login *login)
{
	int code = value_check(cli, "--url", login->url);

	if (code < 0 && cli->flags.ca_file) {
		login->ca_file = realpath(cli->flags.ca_file, NULL);
		code = value_check(cli, "--ca-file", login->ca_file);
	}
	if (code >= 0)
		return code;
	if (cli->flags.ca_file && !login->ca_file)
		return cli_usage_error(cli, "--ca-file: there is no file '%s'", cli->flags.ca_file);
	return -1;
}

/* What client_open needs, with the token if there is one by now. */
static int settings_make(struct cli *cli, const struct login *login, const char *from,
			 struct err *err)
{
	struct settings *s = &cli->settings;

	settings_fini(s);
	if (!login->is_new && settings_load_context(login->name, 0, s, err))
		return -1;
	if (login->is_new && login->ca_file && ca_load(login->ca_file, "--ca-file", 0, &s->ca, err))
		return -1;
	if (login->is_new && !s->ca && ca_from_environment(&s->ca, err))
		return -1;
	free(s->url);
	free(s->url_from);
	secret_free(s->token);
	free(s->token_from);
	s->url = xstrdup(login->url);
	s->url_from = xstrdup("--url");
	s->is_new = 1;
	s->token = login->token ? xstrdup(login->token) : NULL;
	s->token_from = login->token ? xstrdup(from) : NULL;
	client_close(cli->client);
	cli->client = client_open(s, err);
	return cli->client ? 0 : -1;
}

static int token_take(struct cli *cli, struct login *login, int from_stdin, const char **from)
{
	auto_free char *prompt = xasprintf("token for %s (not shown): ", login->url);
	char *text = NULL;
	struct err err = { 0 };
	int result;

	if (cli->flags.token_file) {
		*from = cli->flags.token_file;
		result = settings_read_token(cli->flags.token_file, &login->token, &err);
	} else {
		*from = from_stdin ? "standard input" : "the terminal";
		result = from_stdin ? secret_read(SETTINGS_TOKEN_MAX, &text, &err) :
				      secret_ask(prompt, &text, &err);
		if (result == 0)
			result = settings_parse_token(text, *from, &login->token, &err);
		secret_free(text);
	}
	if (result == 0)
		return -1;
	if (interrupt_pending())
		return 128 + interrupt_pending();
	return cli_settings_error(cli, &err);
}

static int login_save(const struct login *login)
{
	auto_free char *ca_line = login->ca_file ? xasprintf("ca_file = %s\n", login->ca_file) :
						   xstrdup("");
	auto_free char *conf = xasprintf("# Written by lessor login; account = and class = may be "
					 "added.\nurl = %s\ntoken_file = %s.token\n%s",
					 login->url, login->name, ca_line);
	struct err err = { 0 };

	if (context_write(login->name, login->is_new ? conf : NULL, login->token, &err) == 0 &&
	    context_use(login->name, &err) == 0)
		return -1;
	text_error("login: %s", err.text);
	return EXIT_ERROR;
}

/* What would be used instead of what was just saved. */
static void overrides_warn(void)
{
	static const char *const names[] = {
		"LESSOR_CONTEXT", "LESSOR_URL",	       "CRABBOX_COORDINATOR",
		"LESSOR_TOKEN",	  "LESSOR_TOKEN_FILE",
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++) {
		const char *value = getenv(names[i]);

		if (value && *value)
			text_warning("%s is set and overrides the context; unset it", names[i]);
	}
}

static void login_print(struct cli *cli, const struct login *login, json_t *who)
{
	if (cli->json) {
		json_t *doc = json_pack("{s:s, s:s}", "context", login->name, "url", login->url);

		json_object_update_missing(doc, who);
		cli_print_json(doc);
		json_decref(doc);
		return;
	}
	text_print(stdout, "logged in to %s as %s; the context is '%s'", login->url,
		   view_text(who, "owner"), login->name);
}

int command_login(struct cli *cli, int argc, char **argv)
{
	const char *name = NULL, *from = "";
	int from_stdin = 0;
	const struct argv_option own[] = {
		{ "name", ARGV_VALUE, .value = &name },
		{ "token-stdin", ARGV_FLAG, .seen = &from_stdin },
		{ 0 },
	};
	struct login login = { 0 };
	struct client_response who;
	struct err err = { 0 };
	int code = cli_parse(cli, own, argc, argv, NULL, 0);

	if (code < 0 && name && cli->flags.context)
		code = cli_usage_error(cli, "--name and --context are mutually exclusive");
	if (code < 0 && from_stdin && cli->flags.token_file)
		code = cli_usage_error(cli, "--token-stdin and --token-file are mutually exclusive");
	if (code < 0 && cli->flags.config)
		code = cli_usage_error(cli, "login writes a context and takes no --config");
	if (code < 0)
		code = server_choose(cli, name ? name : cli->flags.context, &login);
	if (code < 0)
		code = server_check(cli, &login);
	if (code < 0 && settings_make(cli, &login, NULL, &err))
		code = cli_settings_error(cli, &err);
	if (code < 0)
		code = token_take(cli, &login, from_stdin, &from);
	if (code < 0 && settings_make(cli, &login, from, &err))
		code = cli_settings_error(cli, &err);
	if (code < 0)
		code = cli_get(cli, "/v1/whoami", &who);
	if (code < 0) {
		code = login_save(&login);
		if (code < 0) {
			login_print(cli, &login, who.doc);
			overrides_warn();
			code = EXIT_OK;
		}
		client_response_fini(&who);
	} else if (login.token) {
		text_print(stderr, "nothing was saved");
	}
	login_fini(&login);
	return code;
}

int command_logout(struct cli *cli, int argc, char **argv)
{
	auto_free char *current = NULL;
	const char *word = NULL, *name;
	struct err err = { 0 };
	int count = 0;
	int code = cli_parse_more(cli, NULL, argc, argv, &word, 0, 1, &count);

	if (code >= 0)
		return code;
	name = count ? word : cli->flags.context;
	if (!name && context_current(&current, &err))
		return cli_settings_error(cli, &err);
	if (!name)
		name = current;
	if (!name)
		return cli_usage_error(cli, "there is no current context; name one: lessor logout "
					    "NAME");
	if (context_require(name, &err) || context_remove_token(name, &err))
		return cli_settings_error(cli, &err);
	if (cli->json) {
		json_t *doc = json_pack("{s:s}", "context", name);

		cli_print_json(doc);
		json_decref(doc);
		return EXIT_OK;
	}
	text_print(stdout, "the token of the context '%s' is removed from this machine", name);
	text_print(stderr,
		   "it stays valid until it expires or an operator revokes it (lessord token "
		   "revoke)");
	return EXIT_OK;
}
