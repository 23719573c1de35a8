/* SPDX-License-Identifier: MIT */
/* How the stores on PostgreSQL are opened, and what the module exports. */
#include "store/postgres/internal.h"
#include "store/postgres/module.h"
#include "util/bug.h"

/* For which the loop thread may stand still, with all its clients. */
#define SILENCE_MS 1000

static int writer_begin(struct pg_connection *c, const struct env *env, struct err *err)
{
	return pg_schema_make(c, err) || identity_make(&c->store, env, err) ||
			       pg_event_order_mend(c, err) ?
		       -1 :
		       0;
}

/* 0; 1: a database without a schema; -1. */
static int schema_begin(struct pg_connection *c, const struct env *env, struct err *err)
{
	if (pg_connect(c, err))
		return -1;
	return c->store.reader ? pg_schema_readable(c, err) : writer_begin(c, env, err);
}

static int open_store(const char *name, enum store_use use, const struct env *env,
		      struct store **ret, struct err *err)
{
	struct pg_connection *c = pg_new(name, NULL, use, err);
	int rc;

	if (!c)
		return -1;
	c->store.backend = &backend_postgres;
	rc = schema_begin(c, env, err);
	if (rc == 1 && use == STORE_READER)
		rc = err_set(err, ERR_NOT_FOUND, "%s: the database has no tables of lessord",
			     c->store.name);
	if (rc)
		store_close(&c->store);
	else
		*ret = &c->store;
	/* At the start it need not hurry. */
	if (!rc && use == STORE_READER)
		c->silence_ms = SILENCE_MS;
	return rc;
}

/* The same database, and a connection of its own: its commits wait for nobody. */
static int open_runs(struct store *leases, const struct env *env, struct store **ret,
		     int *ret_is_lost, struct err *err)
{
	struct pg_connection *c = pg_new(NULL, pg_of(leases), STORE_DAEMON, err);

	(void)env;
	BUG_ON(!c);
	*ret_is_lost = 0;
	c->store.backend = &backend_postgres;
	c->is_tolerant = 1;
	if (pg_connect(c, err)) {
		store_close(&c->store);
		return -1;
	}
	*ret = &c->store;
	return 0;
}

static int open_runs_reader(const char *name, struct store **ret, struct err *err)
{
	return open_store(name, STORE_READER, NULL, ret, err);
}

static int name_check(const char *name, struct err *err)
{
	struct pg_connection *c = pg_new(name, NULL, STORE_TOOL, err);

	if (!c)
		return -1;
	c->store.backend = &backend_postgres;
	store_close(&c->store);
	return 0;
}

static int is_missing(const char *name)
{
	(void)name;
	return 0;
}

static const struct opener opener = {
	.name_check = name_check,
	.open = open_store,
	.open_runs = open_runs,
	.open_runs_reader = open_runs_reader,
	.is_missing = is_missing,
	.survey = pg_survey,
};

const struct store_module lessord_store_module = {
	.abi = STORE_MODULE_ABI,
	.backend_size = sizeof(struct backend),
	.opener = &opener,
	.log_forward = log_forward,
};
