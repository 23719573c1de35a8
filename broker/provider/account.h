/* SPDX-License-Identifier: MIT */
/*
 * An account: one configured use of a provider. The API's field `provider` names an account.
 *
 * Created on the main thread at startup and freed after all other threads have ended. The
 * members above the line are constant in between, apart from the token; it and those below change
 * and are accessed only through functions, which lock.
 */
#pragma once

#include <stdint.h>

#include <lessor/provider.h>

#include "schedule/budget.h"
#include "util/ca.h"
#include "util/env.h"
#include "util/err.h"

#define ACCOUNT_LOCATIONS_MAX 8

struct provider;	/* a loaded plugin, sdk/loader */
struct account_state;

struct account_option {
	const char *key;
	const char *value;	/* as written in the file */
};

/* What a client's location or image means if the request does not say that it is explicit. */
enum client_choice {
	CLIENT_PREFER,	/* used if the account has it, else the account's own */
	CLIENT_REQUIRE, /* as if it were explicit: used, or the request is refused */
	CLIENT_IGNORE,	/* the account's own is used */
	CLIENT_CHOICE_COUNT
};

struct account_config {
	char name[32];			/* section [account NAME] */
	char provider[32];		/* provider = hetzner */
	char locations[ACCOUNT_LOCATIONS_MAX][32];
	int location_count;		/* > 0 */
	char image[64];
	int client_location, client_image; /* enum client_choice */
	int max_steps;			/* steps at once, 1..64 */
	/* a created resource may become visible this much later; 0: the provider's value */
	int64_t settle_ms;
	int protect_retained;  /* also set the provider's delete protection on retained servers */
	int64_t rate_per_hour; /* requests per hour; 0: as the provider states */
	char *token;			/* the provider credential; wiped by account_free */
	struct ca *ca;			/* trusted instead of the client's; NULL: the client's */
	struct account_option *options;	/* the provider's own, in file order */
	size_t option_count;
};

struct account {
	struct account_config config;
	const struct lessor_provider *table;
	void *instance;
	const struct env *env;
	/* ---- */
	struct account_state *state;
};

/*
 * Checks the options against the plugin's table (unknown, missing or invalid: ERR_INVALID
 * naming key and rule; the caller names the account) and opens the instance. On success takes
 * over the memory of `config` and leaves it empty: token, options, and each option's key and
 * value are freed by account_free, so all of them must come from malloc, and its reference to
 * `ca` is released. On failure everything
 * remains the caller's. Registers the token with log_secret.
 *
 * Requests go to the plugin's http_origin or, if it declares an option "endpoint", to that
 * URL: https, or http for a loopback host.
 */
int account_new(const struct env *env, const struct lessor_provider *table,
		struct account_config *config, struct account **ret, struct err *err);
void account_free(struct account *account);

/* Replaces the CAs for later requests. Takes a reference of its own; NULL: the client's. */
void account_set_ca(struct account *account, struct ca *ca);
/* The CAs for a request, with a reference for the caller; may be NULL. */
struct ca *account_ca(const struct account *account);
/* Does it send requests over TLS that trust the client's CAs? */
int account_needs_client_ca(const struct account *account);

/* An option's checked value. */
const char *account_option_text(const struct account *account, const char *key);
int64_t account_option_int(const struct account *account, const char *key);

/* ---- the credential ---- */

/*
 * Replaces the token, from the next step on; a step that runs keeps the one it began with. The
 * account counts as not verified until a step with the new token has proven which account it
 * opens. 1: replaced; 0: it is the same, or the account has none; -1: it is not a valid token.
 */
int account_set_token(struct account *account, const char *token, struct err *err);
/* How often the token was replaced. */
int account_token_number(const struct account *account);
/* A copy for a step, and its number; *ret NULL: none. The caller wipes and frees it. */
int account_token_copy(const struct account *account, char **ret);
void account_token_free(char *token);

/* ---- verification: is it still the known account? (rule 7) ---- */

/*
 * Forgets what was proven of the account and what it was blocked for, as at a start: for an owner that
 * has just claimed it again.
 */
void account_doubt(struct account *account);
/*
 * Records the result of a probe. `verified`: it ended with DONE; otherwise `error_class` and a
 * sentence say why. AUTH and ACCOUNT block the account.
 */
void account_probed(struct account *account, int verified, uint32_t error_class, const char *reason);
/* Records a successful probe; 0: it used a token that has been replaced, and proves nothing. */
int account_verify(struct account *account, int token_number);
/* Records the note of a successful catalog. Returns whether it is another one than before. */
int account_set_note(struct account *account, const char *note);
/* Was the account verified within the last `max_age_ms`, without a failed verification since? */
int account_is_verified(const struct account *account, int64_t max_age_ms);
/*
 * Is the account blocked? If so, nothing is created and nothing is concluded from absence.
 * `reason` may be NULL.
 */
int account_is_blocked(const struct account *account, char *reason, size_t size);
/* What an operator must look at before a take-over. */
#define ACCOUNT_LOOK_AT "lessor sweep, lessor list --retained and lessor list --attention"
/*
 * Why a blocked or fenced account cannot be used, and what to do: "account NAME is blocked: ...".
 * For operators only: the reason may be a provider's. `out` is "" if it can be used.
 */
void account_describe_block(const struct account *account, char *out, size_t size);
/*
 * Fences the account: the store is older than the account, or another daemon has taken over. A
 * fenced account counts as blocked, whatever a probe finds. `why` NULL: ends it.
 */
void account_set_fenced(struct account *account, const char *why);
int account_is_fenced(const struct account *account);
/* The sentinel's provider id; "" while there is none. */
void account_set_sentinel(struct account *account, const char *id);
void account_sentinel(const struct account *account, char ret[32]);

/*
 * How long until a request of this class may be sent, after `ahead` others that are about to be
 * sent, ms; 0: now. Reserves nothing.
 */
int64_t account_budget_wait(const struct account *account, enum budget_class cls, int ahead);

/* ---- pause requested by the provider (429), which outlives a restart ---- */

/* The rest of the pause in ms; 0: none. */
int64_t account_paused(const struct account *account);
/* Restores what was left of the pause when the previous process ended; at most 1 h is accepted. */
void account_pause(struct account *account, int64_t ms);

/*
 * What time it is according to the provider: the Date of its last successful response, carried on
 * by the monotonic clock. 1, or 0: it never sent one.
 */
int account_time(const struct account *account, int64_t *ret_ms);

/* ---- figures for readiness, metrics and the log ---- */

struct account_figures {
	int64_t calls, calls_failed, calls_coalesced, budget_waits;
	int64_t overdue;	/* steps that have not returned though their deadline has passed */
	int64_t rate_remaining; /* last value that the provider reported, -1: unknown */
	int64_t verified_ms;	/* wall clock, 0 never */
	int64_t pruned;		/* ended leases, since the start */
	int blocked;
	uint32_t blocked_class; /* LESSOR_CLASS_AUTH or LESSOR_CLASS_ACCOUNT */
	char reason[160];
	int fenced;
	char fence[160];
	char note[160]; /* the plugin's, of a working account; "" none */
};
struct histogram_set;
/* How long its calls took, by account, operation and outcome. Any thread. */
struct histogram_set *account_calls(const struct account *account);
void account_count_overdue(struct account *account, int by);
void account_count_pruned(struct account *account, int by);
void account_figures(const struct account *account, struct account_figures *ret);
/* As account_describe_block, of these figures. */
void account_describe_figures(const char *name, const struct account_figures *figures, char *out,
			      size_t size);
