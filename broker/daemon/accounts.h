/* SPDX-License-Identifier: MIT */
/* Providers and accounts: loaded on the main thread, before there are others. */
#pragma once

#include <stddef.h>

#include "config/config.h"
#include "daemon/command_line.h"
#include "loader/loader.h"
#include "provider/account.h"
#include "util/env.h"
#include "util/err.h"

struct accounts {
	/* A provider is loaded once, however many accounts use it. */
	struct provider providers[CONFIG_ACCOUNTS_MAX];
	char names[CONFIG_ACCOUNTS_MAX][32];
	size_t provider_count;
	struct account *list[CONFIG_ACCOUNTS_MAX];
	size_t count;
};

/* Start with a zeroed one. On -1 what was opened stays for accounts_close. */
int accounts_open(struct accounts *accounts, const struct config *config, const struct env *env,
		  struct err *err);
void accounts_close(struct accounts *accounts);

/* lessord --check-config, --dump-config and --dump-provider; each returns the exit code. */
int accounts_check(const struct command_line *line);
int accounts_dump_config(const struct command_line *line);
int accounts_dump(const struct command_line *line);
