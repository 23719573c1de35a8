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
void accounts_close(struct accounts *accounts);

/* lessord --check-config, --dump-config and --dump-provider; each returns its exit code. */
int accounts_check(const struct command_line *line);
int accounts_dump_config(const struct command_line *line);
int accounts_dump(const struct command_line *line);
