/* SPDX-License-Identifier: MIT */
/* Opening a store: which backend it is follows from its name. */
#include "store/backend.h"

static const struct opener *opener_of(const char *name)
{
	(void)name;
	return &opener_sqlite;
}

int store_open(const char *name, const struct env *env, struct store **ret, struct err *err)
{
	return opener_of(name)->open(name, STORE_DAEMON, env, ret, err);
}

int store_open_tool(const char *name, const struct env *env, struct store **ret, struct err *err)
{
	return opener_of(name)->open(name, STORE_TOOL, env, ret, err);
}

int store_open_reader(const char *name, struct store **ret, struct err *err)
{
	return opener_of(name)->open(name, STORE_READER, NULL, ret, err);
}

int store_open_view(const char *name, struct store **ret, struct err *err)
{
	return opener_of(name)->open(name, STORE_VIEW, NULL, ret, err);
}

int store_open_runs(struct store *leases, const struct env *env, struct store **ret,
		    int *ret_is_lost, struct err *err)
{
	return opener_of(leases->name)->open_runs(leases, env, ret, ret_is_lost, err);
}

int store_open_runs_reader(const char *name, struct store **ret, struct err *err)
{
	return opener_of(name)->open_runs_reader(name, ret, err);
}

int store_survey(const char *target, const struct store_needs *needs, store_finding_fn fn,
		 void *arg, struct err *err)
{
	return opener_of(target)->survey(target, needs, fn, arg, err);
}

int store_is_missing(const char *name)
{
	return opener_of(name)->is_missing(name);
}
