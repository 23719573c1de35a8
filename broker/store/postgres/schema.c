/* SPDX-License-Identifier: MIT */
#include "store/postgres/internal.h"

int pg_schema_make(struct pg_connection *c, struct err *err)
{
	return pg_script(c,
			 "CREATE TABLE IF NOT EXISTS meta(key text PRIMARY KEY, value bytea NOT NULL)",
			 "making the schema", err);
}

int pg_schema_readable(struct pg_connection *c, struct err *err)
{
	(void)c;
	(void)err;
	return 0;
}

int pg_schema_check(struct pg_connection *c, struct err *err)
{
	(void)c;
	(void)err;
	return 0;
}
