/* SPDX-License-Identifier: MIT */
#include "engine/crash_counts.h"

#include <string.h>

#include "util/text.h"

static void row_take(void *arg, const struct store_crash *row)
{
	struct store_crash *wanted = arg;

	if (!strcmp(row->account, wanted->account) && !strcmp(row->op, wanted->op) &&
	    !strcmp(row->lease, wanted->lease) && !strcmp(row->version, wanted->version))
		wanted->count = row->count;
}

static const struct account *account_find(const struct engine_config *config, const char *name)
{
	for (size_t i = 0; i < config->account_count; i++) {
		if (!strcmp(config->accounts[i]->config.name, name))
			return config->accounts[i];
	}
	return NULL;
}

static int crash_count(const struct engine_config *config, const struct engine_crash *crash,
		       struct err *err)
{
	const struct account *account = account_find(config, crash->account);
	struct store_crash row = { .count = 0 };

	if (!account)
		return 0;
	TEXT_SET(row.account, crash->account);
	TEXT_SET(row.op, crash->op);
	TEXT_SET(row.lease, crash->lease);
	TEXT_SET(row.version, account->table->version);
	if (store_crash_each(config->store, row_take, &row, err))
		return -1;
	row.count++;
	return store_crash_put(config->store, &row, err);
}

int crash_counts_write(const struct engine_config *config, struct err *err)
{
	for (size_t i = 0; i < config->crash_count; i++) {
		if (crash_count(config, &config->crashes[i], err))
			return -1;
	}
	return 0;
}

int crash_counts_add(const struct engine_config *config, struct err *err)
{
	if (!config->crash_count)
		return 0;
	if (store_begin(config->store, err))
		return -1;
	if (crash_counts_write(config, err) == 0)
		return store_commit(config->store, err);
	store_rollback(config->store);
	return -1;
}
