/* SPDX-License-Identifier: MIT */
/*
 * lessord doctor: one account, by one list call of its plugin (the sentinels): can the provider be
 * reached, does it accept the token, do the clocks agree, and is this database the newest of the
 * account. Only GET requests pass, whatever the plugin wants.
 */
#pragma once

#include "config/config.h"
#include "daemon/accounts.h"
#include "daemon/doctor_findings.h"
#include "util/env.h"

struct doctor_account {
	struct env env;		/* what the account uses: `base` behind a filter */
	const struct env *base; /* with the HTTP client */
	struct account *account;
	const char *store; /* store_open_view's target */
	struct doctor_findings *findings;
	int64_t end_mono_ms;
	/* the last response */
	struct env_http_response last; /* without its body */
	int has_last;
	int64_t date_ms, at_ms; /* what the provider's clock said, and ours then; 0: nothing */
};

/* Fills in the environment; the account is opened with &da->env. */
void doctor_account_init(struct doctor_account *da, const struct env *base);
/* Any thread; returns soon after `end_mono_ms`. */
void doctor_account_run(struct doctor_account *da);
