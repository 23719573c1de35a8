/* SPDX-License-Identifier: MIT */
/* Providers and accounts. Main thread, before other threads exist. */
#pragma once

#include <stddef.h>

#include "config/config.h"
#include "daemon/command_line.h"
#include "loader/loader.h"
#include "provider/account.h"
#include "util/env.h"
#include "util/err.h"

struct accounts {
	/* Each provider is loaded once, even if several accounts use it. */
	struct provider providers[CONFIG_ACCOUNTS_MAX];
	char names[CONFIG_ACCOUNTS_MAX][32];
	size_t provider_count;
	struct account *list[CONFIG_ACCOUNTS_MAX];
	size_t count;
};

/* `accounts` must be zeroed. On -1, call accounts_close for those already opened. */
int accounts_open(struct accounts *accounts, const struct config *config, const struct env *env,
		  struct err *err);
/* The account of this number only; on -1 nothing has changed. */
int accounts_open_one(struct accounts *accounts, const struct config *config, int i,
		      const struct env *env, struct err *err);
void accounts_close(struct accounts *accounts);

/*
 * The CAs of accounts without a ca_file, from the environment; *ret may be NULL. A variable that
 * names no CAs is an error only if an account needs them. The caller unrefs *ret.
 */
int accounts_client_ca(const struct accounts *accounts, struct ca **ret, struct err *err);
/* At a reload: accounts get the CAs of the new configuration. */
void accounts_set_ca(struct accounts *accounts, const struct config *config);
/* Logs certificates in CA files that have expired or are about to. */
void accounts_warn_ca(const struct config *config);

/* lessord --check-config, --dump-config and --dump-provider; each returns its exit code. */
int accounts_check(const struct command_line *line);
int accounts_dump_config(const struct command_line *line);
int accounts_dump(const struct command_line *line);
