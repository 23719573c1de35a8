/* SPDX-License-Identifier: MIT */
#include "provider/account.h"

#include <stdio.h>
#include <string.h>

#include "provider/account_state.h"
#include "provider/operation.h"
#include "util/alloc.h"
#include "util/log.h"

/* Assumed rate until a response states the account's own. */
#define CALLS_PER_HOUR 3600
#define TOKEN_MAX 1024

/* The token becomes part of a header line and must not be able to end it. */
static int token_check(const char *token, struct err *err)
{
	size_t len = strlen(token);

	if (len == 0 || len > TOKEN_MAX)
		return err_set(err, ERR_INVALID, "the token must have 1 to %d characters",
			       TOKEN_MAX);
	for (size_t i = 0; i < len; i++) {
		if (token[i] <= 0x20 || token[i] >= 0x7f)
			return err_set(err, ERR_INVALID,
				       "the token contains a space, a control character or a non-ASCII byte");
	}
	return 0;
}

static int account_set_origin(struct account *account, struct err *err)
{
	struct account_state *state = account->state;
	const struct option_value *endpoint = options_find(&state->options, "endpoint");

	if (!account->table->http_auth)
		return 0;
	if (endpoint && endpoint->text[0]) {
		if (url_origin_check(endpoint->text, state->origin, err))
			return err_prefix(err, "option 'endpoint' ");
		return 0;
	}
	if (!account->table->http_origin)
		return err_set(err, ERR_INVALID,
			       "provider '%s' has no default URL; set the option 'endpoint'",
			       account->table->name);
	if (url_origin_check(account->table->http_origin, state->origin, err))
		return err_prefix(err, "the origin of provider '%s' ", account->table->name);
	return 0;
}

static int account_check(struct account *account, const struct account_config *config,
			 struct err *err)
{
	if (config->location_count < 1 || config->location_count > ACCOUNT_LOCATIONS_MAX)
		return err_set(err, ERR_INVALID, "there must be 1 to %d locations",
			       ACCOUNT_LOCATIONS_MAX);
	if (config->rate_per_hour < 0)
		return err_set(err, ERR_INVALID, "the hourly rate must not be negative");
	if (account->table->http_auth && !config->token)
		return err_set(err, ERR_INVALID,
			       "provider '%s' needs a token; set token_file or "
			       "credential",
			       account->table->name);
	if (config->token && token_check(config->token, err))
		return -1;
	if (options_check(account->table, config->options, config->option_count,
			  &account->state->options, err))
		return -1;
	return account_set_origin(account, err);
}

static void account_config_fini(struct account_config *config)
{
	account_token_free(config->token);
	for (size_t i = 0; i < config->option_count; i++) {
		free((char *)config->options[i].key);
		free((char *)config->options[i].value);
	}
	free(config->options);
	ca_unref(config->ca);
	*config = (struct account_config){ 0 };
}

/* Frees everything but the configuration's memory and the instance. */
static void account_free_state(struct account *account)
{
	struct account_state *state = account->state;

	options_fini(&state->options);
	ca_unref(state->ca);
	coalesce_free(state->coalesce);
	text_cache_free(state->cache);
	histogram_set_free(state->calls);
	pthread_mutex_destroy(&state->serial);
	pthread_mutex_destroy(&state->lock);
	free(state);
	free(account);
}

/* Opens the account's instance. */
static int instance_open(struct account *account, struct err *err)
{
	struct step *step = step_new(STEP_PROBE, account);
	const char *name = account->table->name;
	struct operation op;
	int rc = 0;

	operation_init(&op, step);
	op.opening = 1;
	int verdict = account->table->open(&op.base, &account->instance);
	if (verdict == LESSOR_REFUSED && op.verdict == LESSOR_REFUSED) {
		rc = err_set(err, ERR_REFUSED, "%s", op.verdict_reason);
	} else if (verdict != LESSOR_DONE) {
		rc = err_set(err, ERR_INTERNAL, "provider '%s' returned verdict %d from open", name,
			     verdict);
	} else if (op.violation[0]) {
		rc = err_set(err, ERR_INTERNAL,
			     "provider '%s' violated the plugin contract in open: %.160s", name,
			     op.violation);
		account->table->close(account->instance);
	}
	operation_fini(&op);
	step_free(step);
	return rc;
}

int account_set_token(struct account *account, const char *token, struct err *err)
{
	struct account_state *state = account->state;
	char *old = NULL;
	int changed;

	if (!account->table->http_auth)
		return 0;
	if (token_check(token, err))
		return -1;
	log_secret(token);
	pthread_mutex_lock(&state->lock);
	changed = !account->config.token || strcmp(account->config.token, token) != 0;
	if (changed) {
		old = account->config.token;
		account->config.token = xstrdup(token);
		state->token_number++;
		state->is_verified = 0;
	}
	pthread_mutex_unlock(&state->lock);
	account_token_free(old);
	return changed;
}

int account_token_number(const struct account *account)
{
	int number;

	pthread_mutex_lock(&account->state->lock);
	number = account->state->token_number;
	pthread_mutex_unlock(&account->state->lock);
	return number;
}

int account_token_copy(const struct account *account, char **ret)
{
	int number;

	pthread_mutex_lock(&account->state->lock);
	*ret = account->config.token ? xstrdup(account->config.token) : NULL;
	number = account->state->token_number;
	pthread_mutex_unlock(&account->state->lock);
	return number;
}

void account_token_free(char *token)
{
	if (token)
		explicit_bzero(token, strlen(token));
	free(token);
}

int account_new(const struct env *env, const struct lessor_provider *table,
		struct account_config *config, struct account **ret, struct err *err)
{
	struct account *account = xcalloc(1, sizeof(*account));
	struct account_state *state = xcalloc(1, sizeof(*state));

	account->table = table;
	account->env = env;
	account->state = state;
	pthread_mutex_init(&state->lock, NULL);
	pthread_mutex_init(&state->serial, NULL);
	state->coalesce = coalesce_new();
	state->calls = histogram_set_new(&histogram_quick, 64);
	state->cache = text_cache_new();
	state->figures.rate_remaining = -1;
	budget_init(&state->budget,
		    config->rate_per_hour > 0 ? config->rate_per_hour : CALLS_PER_HOUR,
		    env_mono_ms(env));
	state->budget.is_share = config->rate_per_hour > 0;

	if (account_check(account, config, err)) {
		account_free_state(account);
		return -1;
	}
	account->config = *config;
	state->ca = ca_ref(config->ca);
	if (config->token)
		log_secret(config->token);
	if (instance_open(account, err)) {
		account_free_state(account);
		return -1;
	}
	*config = (struct account_config){ 0 };
	*ret = account;
	return 0;
}

void account_free(struct account *account)
{
	if (!account)
		return;
	account->table->close(account->instance);
	account_config_fini(&account->config);
	account_free_state(account);
}
