/* SPDX-License-Identifier: MIT */
/* Opening a store: which backend it is follows from its name. */
#include <string.h>

#include "store/backend.h"
#include "store/move.h"

int store_name_is_shared(const char *name)
{
	return strncmp(name, "postgresql://", strlen("postgresql://")) == 0 ||
	       strncmp(name, "postgres://", strlen("postgres://")) == 0;
}

static const struct opener *opener_of(const char *name, struct err *err)
{
	return store_name_is_shared(name) ? opener_postgres(err) : &opener_sqlite;
}

int store_name_check(const char *name, struct err *err)
{
	const struct opener *opener = opener_of(name, err);

	return opener ? opener->name_check(name, err) : -1;
}

static int open_as(const char *name, enum store_use use, const struct env *env, struct store **ret,
		   struct err *err)
{
	const struct opener *opener = opener_of(name, err);

	return opener ? opener->open(name, use, env, ret, err) : -1;
}

int store_open(const char *name, const struct env *env, struct store **ret, struct err *err)
{
	return open_as(name, STORE_DAEMON, env, ret, err);
}

int store_open_tool(const char *name, const struct env *env, struct store **ret, struct err *err)
{
	return open_as(name, STORE_TOOL, env, ret, err);
}

int store_open_poll(const char *name, const struct env *env, struct store **ret, struct err *err)
{
	return open_as(name, STORE_POLL, env, ret, err);
}

int store_open_beside(const char *name, const struct env *env, struct store **ret, struct err *err)
{
	return open_as(name, store_name_is_shared(name) ? STORE_POLL : STORE_BESIDE, env, ret, err);
}

int store_open_reader(const char *name, struct store **ret, struct err *err)
{
	return open_as(name, STORE_READER, NULL, ret, err);
}

int store_open_source(const char *name, const struct env *env, struct store **ret, struct err *err)
{
	return open_as(name, STORE_SOURCE, env, ret, err);
}

int store_open_view(const char *name, struct store **ret, struct err *err)
{
	return open_as(name, STORE_VIEW, NULL, ret, err);
}

int store_open_runs(struct store *leases, const struct env *env, struct store **ret,
		    int *ret_is_lost, struct err *err)
{
	const struct opener *opener = opener_of(leases->name, err);

	return opener ? opener->open_runs(leases, env, ret, ret_is_lost, err) : -1;
}

int store_open_runs_reader(const char *name, struct store **ret, struct err *err)
{
	const struct opener *opener = opener_of(name, err);

	return opener ? opener->open_runs_reader(name, ret, err) : -1;
}

int store_survey(const char *target, const struct store_needs *needs, store_finding_fn fn,
		 void *arg, struct err *err)
{
	const struct opener *opener = opener_of(target, err);

	return opener ? opener->survey(target, needs, fn, arg, err) : -1;
}

int store_is_missing(const char *name)
{
	const struct opener *opener = opener_of(name, NULL);

	return opener ? opener->is_missing(name) : 0;
}
