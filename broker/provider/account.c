/* SPDX-License-Identifier: MIT */
#include "provider/account.h"

#include <stdio.h>
#include <string.h>

#include "provider/account_state.h"
#include "provider/call.h"
#include "util/alloc.h"
#include "util/log.h"

/* As the only provider so far keeps it, until an answer says otherwise. */
#define CALLS_PER_HOUR 3600
#define TOKEN_MAX 1024
#define WAIT_MOST_MS 3600000

/* What goes into a header line must not be able to end it. */
static int token_check(const char *token, struct err *err)
{
	size_t len = strlen(token);

	if (len == 0 || len > TOKEN_MAX)
		return err_set(err, ERR_INVALID, "the token must have 1 to %d characters",
			       TOKEN_MAX);
	for (size_t i = 0; i < len; i++) {
		if (token[i] <= 0x20 || token[i] >= 0x7f)
			return err_set(err, ERR_INVALID,
				       "the token holds a blank, a control character or a byte outside ASCII");
	}
	return 0;
}

static int origin_set(struct account *account, struct err *err)
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
			       "provider '%s' names no origin and no endpoint is set",
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
		return err_set(err, ERR_INVALID, "the rate per hour must not be negative");
	if (account->table->http_auth && !config->token)
		return err_set(err, ERR_INVALID, "provider '%s' needs a token",
			       account->table->name);
	if (config->token && token_check(config->token, err))
		return -1;
	if (options_check(account->table, config->options, config->option_count,
			  &account->state->options, err))
		return -1;
	return origin_set(account, err);
}

static void config_fini(struct account_config *config)
{
	if (config->token) {
		explicit_bzero(config->token, strlen(config->token));
		free(config->token);
	}
	for (size_t i = 0; i < config->option_count; i++) {
		free((char *)config->options[i].key);
		free((char *)config->options[i].value);
	}
	free(config->options);
	*config = (struct account_config){ 0 };
}

/* Everything but the configuration's memory and the instance. */
static void account_free_rest(struct account *account)
{
	struct account_state *state = account->state;

	options_fini(&state->options);
	share_free(state->share);
	memo_free(state->memo);
	pthread_mutex_destroy(&state->serial);
	pthread_mutex_destroy(&state->lock);
	free(state);
	free(account);
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
	state->share = share_new();
	state->memo = memo_new();
	state->figures.rate_remaining = -1;
	budget_init(&state->budget,
		    config->rate_per_hour > 0 ? config->rate_per_hour : CALLS_PER_HOUR, env_mono_ms(env));

	if (account_check(account, config, err)) {
		account_free_rest(account);
		return -1;
	}
	account->config = *config;
	if (config->token)
		log_secret(config->token);
	if (call_open(account, err)) {
		account_free_rest(account);
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
	config_fini(&account->config);
	account_free_rest(account);
}

const char *account_option_text(const struct account *account, const char *key)
{
	const struct option_value *value = options_find(&account->state->options, key);

	return value ? value->text : NULL;
}

int64_t account_option_int(const struct account *account, const char *key)
{
	const struct option_value *value = options_find(&account->state->options, key);

	return value ? value->number : 0;
}

/* ---- is it the account we know? ---- */

void account_probed(struct account *account, int proven, uint32_t error_class, const char *reason)
{
	struct account_state *state = account->state;

	pthread_mutex_lock(&state->lock);
	if (proven) {
		state->is_proven = 1;
		state->proven_mono_ms = env_mono_ms(account->env);
		state->figures.proven_ms = env_wall_ms(account->env);
		state->figures.blocked = 0;
		state->figures.reason[0] = '\0';
	} else if (error_class == LESSOR_CLASS_AUTH || error_class == LESSOR_CLASS_ACCOUNT) {
		state->is_proven = 0;
		state->figures.blocked = 1;
		snprintf(state->figures.reason, sizeof(state->figures.reason), "%s",
			 reason ? reason : "");
	}
	pthread_mutex_unlock(&state->lock);
}

int account_is_proven(const struct account *account, int64_t max_age_ms)
{
	struct account_state *state = account->state;
	int64_t now = env_mono_ms(account->env);
	int proven;

	pthread_mutex_lock(&state->lock);
	/* without a probe the provider is assumed well */
	proven = !state->figures.blocked &&
		 (!account->table->probe ||
		  (state->is_proven && now - state->proven_mono_ms <= max_age_ms));
	pthread_mutex_unlock(&state->lock);
	return proven;
}

int account_is_blocked(const struct account *account, char *reason, size_t room)
{
	struct account_state *state = account->state;
	int blocked;

	pthread_mutex_lock(&state->lock);
	blocked = state->figures.blocked || state->figures.fenced;
	if (reason && room)
		snprintf(reason, room, "%s", state->figures.fenced ? state->figures.fence :
			 blocked ? state->figures.reason : "");
	pthread_mutex_unlock(&state->lock);
	return blocked;
}

void account_set_fenced(struct account *account, const char *why)
{
	struct account_state *state = account->state;

	pthread_mutex_lock(&state->lock);
	state->figures.fenced = why != NULL;
	snprintf(state->figures.fence, sizeof(state->figures.fence), "%s", why ? why : "");
	pthread_mutex_unlock(&state->lock);
}

int account_is_fenced(const struct account *account)
{
	int fenced;

	pthread_mutex_lock(&account->state->lock);
	fenced = account->state->figures.fenced;
	pthread_mutex_unlock(&account->state->lock);
	return fenced;
}

void account_set_sentinel(struct account *account, const char *id)
{
	pthread_mutex_lock(&account->state->lock);
	snprintf(account->state->sentinel, sizeof(account->state->sentinel), "%s", id ? id : "");
	pthread_mutex_unlock(&account->state->lock);
}

void account_sentinel(const struct account *account, char ret[32])
{
	pthread_mutex_lock(&account->state->lock);
	memcpy(ret, account->state->sentinel, sizeof(account->state->sentinel));
	pthread_mutex_unlock(&account->state->lock);
}

/* ---- calls and figures ---- */

static int64_t budget_now(const struct account *account)
{
	return env_mono_ms(account->env);
}

int64_t account_paused(const struct account *account)
{
	struct account_state *state = account->state;
	int64_t left;

	pthread_mutex_lock(&state->lock);
	left = budget_paused(&state->budget, budget_now(account));
	pthread_mutex_unlock(&state->lock);
	return left;
}

void account_pause(struct account *account, int64_t ms)
{
	struct account_state *state = account->state;

	pthread_mutex_lock(&state->lock);
	budget_pause(&state->budget, ms, budget_now(account));
	pthread_mutex_unlock(&state->lock);
}

int64_t account_take_call(struct account *account, enum budget_class cls)
{
	struct account_state *state = account->state;
	int64_t wait;

	pthread_mutex_lock(&state->lock);
	wait = budget_take(&state->budget, cls, budget_now(account));
	if (wait > 0)
		state->figures.budget_waits++;
	pthread_mutex_unlock(&state->lock);
	return wait;
}

int64_t account_count_answer(struct account *account, const struct env_http_answer *answer)
{
	struct account_state *state = account->state;
	int64_t now = budget_now(account);
	int64_t wait = answer->retry_after_ms > 0 ? answer->retry_after_ms : 0;
	int64_t limit = answer->rate_limit;
	uint32_t jitter;

	if (wait > WAIT_MOST_MS)
		wait = WAIT_MOST_MS;
	/* an operator who gives us a part of the account means it */
	if (account->config.rate_per_hour > 0 && limit > account->config.rate_per_hour)
		limit = account->config.rate_per_hour;
	env_random(account->env, &jitter, sizeof(jitter));
	pthread_mutex_lock(&state->lock);
	state->figures.calls++;
	if (answer->outcome != ENV_HTTP_ANSWERED || answer->status >= 500 || answer->status == 429)
		state->figures.calls_failed++;
	if (answer->outcome == ENV_HTTP_ANSWERED) {
		budget_observe(&state->budget, limit, answer->rate_remaining, now);
		if (answer->status == 429)
			wait = budget_refused(&state->budget, answer->retry_after_ms, jitter, now);
		else
			budget_accepted(&state->budget);
		if (answer->rate_remaining >= 0)
			state->figures.rate_remaining = answer->rate_remaining;
	}
	pthread_mutex_unlock(&state->lock);
	return wait;
}

void account_count_shared(struct account *account)
{
	pthread_mutex_lock(&account->state->lock);
	account->state->figures.calls_shared++;
	pthread_mutex_unlock(&account->state->lock);
}

void account_figures(const struct account *account, struct account_figures *ret)
{
	pthread_mutex_lock(&account->state->lock);
	*ret = account->state->figures;
	pthread_mutex_unlock(&account->state->lock);
}
