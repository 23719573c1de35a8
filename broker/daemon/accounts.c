/* SPDX-License-Identifier: MIT */
#include "daemon/accounts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/tls.h"
#include "store/store.h"
#include "util/alloc.h"
#include "util/log.h"

static struct provider *provider_get(struct accounts *a, const char *dir, const char *name,
				     struct err *err)
{
	struct provider *p = &a->providers[a->provider_count];

	for (size_t i = 0; i < a->provider_count; i++) {
		if (strcmp(a->names[i], name) == 0)
			return &a->providers[i];
	}
	if (provider_load(dir, name, p, err) < 0)
		return NULL;
	snprintf(a->names[a->provider_count], sizeof(a->names[0]), "%s", name);
	a->provider_count++;
	return p;
}

int accounts_open_one(struct accounts *a, const struct config *config, int i, const struct env *env,
		      struct err *err)
{
	const struct config_account *from = &config->accounts[i];
	struct account_config take_over;
	struct provider *p = provider_get(a, config->providers, from->account.provider, err);

	if (!p)
		return err_prefix(err, "%s:%d: [account %s]: ", config->path, from->line,
				  from->account.name);
	config_account_dup(from, &take_over);
	if (account_new(env, &p->table, &take_over, &a->list[a->count], err) < 0) {
		config_account_fini(&take_over);
		return err_prefix(err, "%s:%d: [account %s]: ", config->path, from->line,
				  from->account.name);
	}
	a->count++;
	return 0;
}

int accounts_open(struct accounts *a, const struct config *config, const struct env *env,
		  struct err *err)
{
	for (int i = 0; i < config->account_count; i++) {
		if (accounts_open_one(a, config, i, env, err) < 0)
			return -1;
	}
	return 0;
}

void accounts_close(struct accounts *a)
{
	while (a->count > 0)
		account_free(a->list[--a->count]);
}

int accounts_client_ca(const struct accounts *a, struct ca **ret, struct err *err)
{
	struct err why = { 0 };

	*ret = NULL;
	if (ca_from_environment(ret, &why) == 0)
		return 0;
	for (size_t i = 0; i < a->count; i++) {
		if (account_needs_client_ca(a->list[i])) {
			if (err)
				*err = why;
			return -1;
		}
	}
	return 0;
}

void accounts_set_ca(struct accounts *a, const struct config *config)
{
	for (size_t i = 0; i < a->count; i++) {
		for (int k = 0; k < config->account_count; k++) {
			const struct account_config *now = &config->accounts[k].account;

			if (strcmp(now->name, a->list[i]->config.name) == 0)
				account_set_ca(a->list[i], now->ca);
		}
	}
}

void accounts_warn_ca(const struct config *config)
{
	for (int i = 0; i < config->account_count; i++) {
		const struct ca *ca = config->accounts[i].account.ca;

		if (ca && ca->warning[0])
			log_warning(LOG_FIELDS({ "account", config->accounts[i].account.name },
					       { "file", ca->file }),
				    "ca_file: %s", ca->warning);
	}
}

/* Credentials exist only under systemd; placeholders allow the rest to be checked. */
static int tokens_fill(struct config *config)
{
	int missing = config->postgres.credential[0] != '\0';

	for (int i = 0; i < config->account_count; i++) {
		struct config_account *a = &config->accounts[i];

		if (a->credential[0]) {
			a->account.token = xstrdup("placeholder-for-checking");
			missing++;
		}
	}
	return missing;
}

static void expiries_print(const struct config *config, const struct ssl_ctx_st *tls)
{
	char expiry[100];

	if (tls && tls_expiry(tls, expiry, sizeof(expiry)))
		fprintf(stderr, "lessord: warning: %s: %s\n", config->tls_certificate, expiry);
	for (int i = 0; i < config->account_count; i++) {
		const struct ca *ca = config->accounts[i].account.ca;

		if (ca && ca->warning[0])
			fprintf(stderr, "lessord: warning: ca_file %s: %s\n", ca->file, ca->warning);
	}
}

int accounts_check(const struct command_line *line)
{
	int in_service = getenv("CREDENTIALS_DIRECTORY") != NULL;
	struct accounts *accounts = xcalloc(1, sizeof(*accounts));
	struct config *config = NULL;
	struct ssl_ctx_st *tls = NULL;
	struct ca *ca = NULL;
	struct err err = { 0 };
	struct env env;
	int code = EXIT_OK;
	int missing = 0;

	env_system(&env);
	if (config_load(line->config, CONFIG_WHOLE, &config, &err) < 0) {
		/* If only a credential is missing, check everything else. */
		if (in_service || err.kind != ERR_NOT_FOUND ||
		    config_load(line->config, CONFIG_WITHOUT_CREDENTIALS, &config, &err) < 0)
			code = command_line_fail(&err, EXIT_USAGE);
		else
			missing = tokens_fill(config);
	}
	if (code == EXIT_OK)
		code = command_line_name_check(config->store_target);
	if (code == EXIT_OK && config->tls_certificate[0] &&
	    tls_load(config->tls_certificate, config->tls_key, &tls, &err) < 0)
		code = command_line_fail(&err, EXIT_USAGE);
	if (code == EXIT_OK && accounts_open(accounts, config, &env, &err) < 0)
		code = command_line_fail(&err, EXIT_PROVIDER);
	if (code == EXIT_OK && accounts_client_ca(accounts, &ca, &err) < 0)
		code = command_line_fail(&err, EXIT_USAGE);
	ca_unref(ca);
	if (code == EXIT_OK) {
		printf("%s is valid: %zu account%s, %zu provider%s\n", line->config,
		       accounts->count, accounts->count == 1 ? "" : "s", accounts->provider_count,
		       accounts->provider_count == 1 ? "" : "s");
		expiries_print(config, tls);
		if (missing)
			printf("%d credential%s not checked, because only systemd provides them\n",
			       missing, missing == 1 ? " was" : "s were");
	}
	tls_free(tls);
	accounts_close(accounts);
	free(accounts);
	config_free(config);
	return code;
}

/* Opens no token files, so that every user who may read the configuration can run it. */
int accounts_dump_config(const struct command_line *line)
{
	struct config *config = NULL;
	struct err err = { 0 };

	if (config_load(line->config, CONFIG_WITHOUT_TOKENS, &config, &err) < 0)
		return command_line_fail(&err, EXIT_USAGE);
	config_dump(config, stdout);
	config_free(config);
	return EXIT_OK;
}

int accounts_dump(const struct command_line *line)
{
	const char *dir = LESSOR_PROVIDER_DIR;
	struct provider *provider = xcalloc(1, sizeof(*provider));
	struct config *config = NULL;
	struct err err = { 0 };
	int code = EXIT_OK;

	/* Without a configuration file, use the installed providers. */
	if (access(line->config, F_OK) == 0) {
		if (config_load(line->config, CONFIG_WITHOUT_TOKENS, &config, &err) < 0)
			code = command_line_fail(&err, EXIT_USAGE);
		else
			dir = config->providers;
	}
	if (code == EXIT_OK && provider_load(dir, line->provider, provider, &err) < 0)
		code = command_line_fail(&err, EXIT_PROVIDER);
	if (code == EXIT_OK)
		provider_dump(provider, stdout);
	config_free(config);
	free(provider);
	return code;
}
