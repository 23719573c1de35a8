/* SPDX-License-Identifier: MIT */
/*
 * An account: one configured use of a provider. The API's field `provider`
 * names an account.
 *
 * Made at start on the main thread, freed after all threads are gone. The
 * fields before the line are constant in between; what changes sits behind the
 * functions, which lock.
 */
#pragma once

#include <stdint.h>

#include <lessor/provider.h>

#include "util/env.h"
#include "util/err.h"

#define ACCOUNT_LOCATIONS_MAX 8

struct provider;	/* a loaded plugin, sdk/loader */
struct account_state;

struct account_option {
	const char *key;
	const char *value;	/* as written in the file */
};

struct account_config {
	char name[32];			/* section [account NAME] */
	char provider[32];		/* provider = hetzner */
	char locations[ACCOUNT_LOCATIONS_MAX][32];
	int location_count;		/* > 0 */
	char image[64];
	int max_steps;			/* steps at once, 1..64 */
	int64_t settle_ms;		/* how late it may show what it made; 0 = as the provider says */
	int protect_retained;		/* what a no-delete release keeps is protected there, too */
	int64_t rate_per_hour;		/* calls the account has in an hour; 0 = as the provider says */
	char *token;			/* the provider credential; wiped by account_free */
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
 * Checks the options against the plugin's table (unknown, missing, wrong:
 * ERR_INVALID naming key and rule; the caller names the account), opens the instance. Takes over `config`'s
 * memory on success and leaves it empty: token, options, and each option's key
 * and value are freed by account_free, so all of them come from malloc. On
 * failure all of it stays the caller's. The token is registered with log_secret.
 *
 * Requests go to the plugin's http_origin, or to its option "endpoint" if it
 * declares one: https, or http for a loopback host.
 */
int account_new(const struct env *env, const struct lessor_provider *table,
		struct account_config *config, struct account **ret, struct err *err);
void account_free(struct account *account);

/* An option's checked value. */
const char *account_option_text(const struct account *account, const char *key);
int64_t account_option_int(const struct account *account, const char *key);

/* ---- is it the account we know? (rule 7) ---- */

/* The probe's result. proven: DONE. Otherwise `error_class` and a sentence; AUTH and ACCOUNT block. */
void account_probed(struct account *account, int proven, uint32_t error_class, const char *reason);
/* Was it proven within the last `max_age_ms`, and nothing spoke against it since? */
int account_is_proven(const struct account *account, int64_t max_age_ms);
/* Blocked: nothing new is made, nothing is concluded from absence. `reason` may be NULL. */
int account_is_blocked(const struct account *account, char *reason, size_t size);
/*
 * Fenced: the store is older than the account, or another daemon has taken over. It counts
 * as blocked, whatever a probe finds. `why` NULL ends it.
 */
void account_set_fenced(struct account *account, const char *why);
int account_is_fenced(const struct account *account);
/* The sentinel's provider id, "" while none. */
void account_set_sentinel(struct account *account, const char *id);
void account_sentinel(const struct account *account, char ret[32]);

/* ---- the provider's "not before" (429), which a restart does not end ---- */

/* How much of it is left, ms; 0: none. */
int64_t account_paused(const struct account *account);
/* What was left of it when the process before this one ended; at most 1 h is believed. */
void account_pause(struct account *account, int64_t ms);

/* ---- figures for readiness, metrics and the log ---- */

struct account_figures {
	int64_t calls, calls_failed, calls_coalesced, budget_waits;
	int64_t rate_remaining;		/* as the provider stated last, -1 unknown */
	int64_t proven_ms;		/* wall clock, 0 never */
	int blocked;
	char reason[160];
	int fenced;
	char fence[160];
};
void account_figures(const struct account *account, struct account_figures *ret);
