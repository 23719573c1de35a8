/* SPDX-License-Identifier: MIT */
#include "provider/account.h"

#include <stdio.h>
#include <string.h>

#include "provider/account_state.h"
#include "util/log.h"

#define WAIT_MOST_MS 3600000
#define TLS_WARNING_MS 600000

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

/* ---- CAs ---- */

void account_set_ca(struct account *account, struct ca *ca)
{
	struct account_state *state = account->state;
	struct ca *old;

	pthread_mutex_lock(&state->lock);
	old = state->ca;
	state->ca = ca_ref(ca);
	pthread_mutex_unlock(&state->lock);
	ca_unref(old);
}

struct ca *account_ca(const struct account *account)
{
	struct ca *ca;

	pthread_mutex_lock(&account->state->lock);
	ca = ca_ref(account->state->ca);
	pthread_mutex_unlock(&account->state->lock);
	return ca;
}

int account_needs_client_ca(const struct account *account)
{
	struct ca *ca = account_ca(account);
	int is_own = ca != NULL;

	ca_unref(ca);
	return !is_own && strncmp(account->state->origin, "https:", 6) == 0;
}

/* ---- verification ---- */

static void account_verify_locked(struct account *account)
{
	struct account_state *state = account->state;

	state->is_verified = 1;
	state->verified_mono_ms = env_mono_ms(account->env);
	state->figures.verified_ms = env_wall_ms(account->env);
	state->figures.blocked = 0;
	state->figures.reason[0] = '\0';
}

void account_doubt(struct account *account)
{
	struct account_state *state = account->state;

	pthread_mutex_lock(&state->lock);
	state->is_verified = 0;
	state->sentinel[0] = '\0';
	state->figures.blocked = 0;
	state->figures.reason[0] = '\0';
	pthread_mutex_unlock(&state->lock);
}

int account_verify(struct account *account, int token_number)
{
	struct account_state *state = account->state;
	int is_current;

	pthread_mutex_lock(&state->lock);
	is_current = token_number == state->token_number;
	if (is_current)
		account_verify_locked(account);
	pthread_mutex_unlock(&state->lock);
	return is_current;
}

void account_probed(struct account *account, int verified, uint32_t error_class, const char *reason)
{
	struct account_state *state = account->state;

	pthread_mutex_lock(&state->lock);
	if (verified) {
		account_verify_locked(account);
	} else if (error_class == LESSOR_CLASS_AUTH || error_class == LESSOR_CLASS_ACCOUNT) {
		state->is_verified = 0;
		state->figures.blocked = 1;
		state->figures.blocked_class = error_class;
		snprintf(state->figures.reason, sizeof(state->figures.reason), "%s",
			 reason ? reason : "");
	}
	pthread_mutex_unlock(&state->lock);
}

int account_set_note(struct account *account, const char *note)
{
	struct account_state *state = account->state;
	int differs;

	pthread_mutex_lock(&state->lock);
	differs = strcmp(state->figures.note, note) != 0;
	snprintf(state->figures.note, sizeof(state->figures.note), "%s", note);
	pthread_mutex_unlock(&state->lock);
	return differs;
}

int account_is_verified(const struct account *account, int64_t max_age_ms)
{
	struct account_state *state = account->state;
	int64_t now = env_mono_ms(account->env);
	int verified;

	pthread_mutex_lock(&state->lock);
	/* a provider without a probe counts as healthy */
	verified = !state->figures.blocked &&
		   (!account->table->probe ||
		    (state->is_verified && now - state->verified_mono_ms <= max_age_ms));
	pthread_mutex_unlock(&state->lock);
	return verified;
}

int account_is_blocked(const struct account *account, char *reason, size_t size)
{
	struct account_state *state = account->state;
	int blocked;

	pthread_mutex_lock(&state->lock);
	blocked = state->figures.blocked || state->figures.fenced;
	if (reason && size)
		snprintf(reason, size, "%s", state->figures.fenced ? state->figures.fence :
			 blocked ? state->figures.reason : "");
	pthread_mutex_unlock(&state->lock);
	return blocked;
}

void account_describe_block(const struct account *account, char *out, size_t size)
{
	struct account_figures figures;

	account_figures(account, &figures);
	account_describe_figures(account->config.name, &figures, out, size);
}

void account_describe_figures(const char *name, const struct account_figures *figures, char *out,
			      size_t size)
{
	if (figures->fenced)
		snprintf(out, size,
			 "account %s is fenced: %s; check " ACCOUNT_LOOK_AT
			 ", then run: lessor account take-over %s --looked",
			 name, figures->fence, name);
	else if (figures->blocked)
		snprintf(out, size,
			 "account %s is blocked%s%s; correct %s, then run: systemctl reload lessord",
			 name, figures->reason[0] ? ": " : "", figures->reason,
			 figures->blocked_class == LESSOR_CLASS_AUTH ? "its token" : "that");
	else
		out[0] = '\0';
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

int64_t account_budget_wait(const struct account *account, enum budget_class cls, int ahead)
{
	struct account_state *state = account->state;
	int64_t wait;

	/* A provider with I/O of its own asks for no requests. */
	if (!account->table->http_auth)
		return 0;
	pthread_mutex_lock(&state->lock);
	wait = budget_wait_ms(&state->budget, cls, ahead, budget_now(account));
	pthread_mutex_unlock(&state->lock);
	return wait;
}

int64_t account_reserve_request(struct account *account, enum budget_class cls)
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

/* Other 4xx are ordinary answers: a 404 is evidence, a 409 or 422 a refusal of one create. */
static int is_failed(const struct env_http_response *response)
{
	return response->outcome != ENV_HTTP_ANSWERED || response->status >= 500 ||
	       response->status == 429 || response->status == 401 || response->status == 403;
}

/* Only an answer to our credential, and none out of a cache, tells the provider's time. */
static int is_dated(const struct env_http_response *response)
{
	return response->outcome == ENV_HTTP_ANSWERED && response->status >= 200 &&
	       response->status < 300 && response->date_ms > 0;
}

/* Every request fails until an operator mends it, so not each is logged. */
static void tls_failure_log(struct account *account, const char *why)
{
	struct account_state *state = account->state;
	int64_t now = env_mono_ms(account->env);
	int is_due;

	pthread_mutex_lock(&state->lock);
	is_due = strcmp(state->tls_warning, why) != 0 ||
		 now - state->tls_warned_mono_ms >= TLS_WARNING_MS;
	if (is_due) {
		snprintf(state->tls_warning, sizeof(state->tls_warning), "%s", why);
		state->tls_warned_mono_ms = now;
	}
	pthread_mutex_unlock(&state->lock);
	if (is_due)
		log_warning(LOG_FIELDS({ "account", account->config.name }), "%s", why);
}

int64_t account_count_response(struct account *account, const struct env_http_response *response)
{
	struct account_state *state = account->state;
	int64_t now = budget_now(account);
	int64_t wait = response->retry_after_ms > 0 ? response->retry_after_ms : 0;
	int64_t limit = response->rate_limit;
	uint32_t jitter;

	if (wait > WAIT_MOST_MS)
		wait = WAIT_MOST_MS;
	/* rate_per_hour is the operator's share of the account: a larger limit does not raise it */
	if (account->config.rate_per_hour > 0 && limit > account->config.rate_per_hour)
		limit = account->config.rate_per_hour;
	env_random(account->env, &jitter, sizeof(jitter));
	pthread_mutex_lock(&state->lock);
	state->figures.calls++;
	state->figures.calls_failed += is_failed(response);
	if (is_dated(response)) {
		state->has_date = 1;
		state->date_offset_ms = response->date_ms - now;
	}
	if (response->outcome == ENV_HTTP_ANSWERED) {
		budget_observe(&state->budget, limit, response->rate_remaining, now);
		if (response->status == 429)
			wait = budget_refused(&state->budget, response->retry_after_ms, jitter,
					      now);
		else
			budget_accepted(&state->budget);
		if (response->rate_remaining >= 0)
			state->figures.rate_remaining = response->rate_remaining;
	}
	pthread_mutex_unlock(&state->lock);
	if (response->is_tls_failure)
		tls_failure_log(account, response->error);
	return wait;
}

void account_count_call(struct account *account, const char *operation,
			const struct env_http_response *response, int64_t ms)
{
	static const char *const outcomes[] = {
		[ENV_HTTP_NOT_SENT] = "not_sent",
		[ENV_HTTP_ANSWERED] = "ok",
		[ENV_HTTP_LOST] = "lost",
		[ENV_HTTP_BROKEN] = "invalid",
	};
	const char *outcome = outcomes[response->outcome];

	if (response->outcome == ENV_HTTP_ANSWERED && response->status == 429)
		outcome = "rate_limited";
	else if (response->outcome == ENV_HTTP_ANSWERED && response->status >= 400)
		outcome = response->status >= 500 ? "failed" : "refused";
	histogram_set_add(account->state->calls, account->config.name, operation, outcome,
			  ms * 1000);
}

struct histogram_set *account_calls(const struct account *account)
{
	return account->state->calls;
}

int account_time(const struct account *account, int64_t *ret_ms)
{
	struct account_state *state = account->state;
	int has_date;

	pthread_mutex_lock(&state->lock);
	has_date = state->has_date;
	*ret_ms = state->date_offset_ms + env_mono_ms(account->env);
	pthread_mutex_unlock(&state->lock);
	return has_date;
}

void account_count_coalesced(struct account *account)
{
	pthread_mutex_lock(&account->state->lock);
	account->state->figures.calls_coalesced++;
	pthread_mutex_unlock(&account->state->lock);
}

void account_count_overdue(struct account *account, int by)
{
	pthread_mutex_lock(&account->state->lock);
	account->state->figures.overdue += by;
	pthread_mutex_unlock(&account->state->lock);
}

void account_count_pruned(struct account *account, int by)
{
	pthread_mutex_lock(&account->state->lock);
	account->state->figures.pruned += by;
	pthread_mutex_unlock(&account->state->lock);
}

void account_figures(const struct account *account, struct account_figures *ret)
{
	pthread_mutex_lock(&account->state->lock);
	*ret = account->state->figures;
	pthread_mutex_unlock(&account->state->lock);
}
